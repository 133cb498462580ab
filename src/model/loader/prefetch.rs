//! Makes batches in threads, ahead of who takes them, and hands them out in order.
//!
//! # Invariants
//! A batch has its place in the queue before it is made, so that the first to be begun is the first to be taken, whichever thread is
//! done first. The queue has `prefetch_batches` places: a reader that is ahead waits. The threads end before the batches are dropped.

use super::window::Source;
use super::{Gathered, ImageParts, Shared};
use crate::model::ModelError;
use crate::model::batch::Batch;
use crate::model::order::EpochOrder;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

type Made = Result<Batch, ModelError>;

/// A batch to be made, and where it is waited for.
struct Job {
    batch: Gathered,
    reply: SyncSender<Made>,
}

/// The batches of an epoch on their way.
pub(super) struct Prefetched {
    queue: Option<Receiver<Receiver<Made>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Prefetched {
    pub(super) fn start<P: ImageParts>(
        shared: &Arc<Shared<P>>,
        order: EpochOrder,
        batch_size: usize,
    ) -> Self {
        let places = shared.options.prefetch_batches;
        let (ahead, queue) = sync_channel(places);
        let (jobs, taken) = sync_channel(places);
        let taken = Arc::new(Mutex::new(taken));
        let mut threads = Vec::new();
        for _ in 0..shared.options.workers.clamp(1, places) {
            let (shared, taken) = (Arc::clone(shared), Arc::clone(&taken));
            threads.push(spawn(move || work(&shared, order, &taken)));
        }
        let shared = Arc::clone(shared);
        threads.push(spawn(move || {
            read(&shared, order, batch_size, &ahead, &jobs);
        }));
        Self {
            queue: Some(queue),
            threads,
        }
    }

    fn take(&mut self) -> Option<Made> {
        let place = self.queue.as_ref()?.recv().ok()?;
        place.recv().ok()
    }

    /// Lets the threads run out and waits for them; tells whether one of them panicked.
    fn end(&mut self) -> Result<(), Box<dyn std::any::Any + Send>> {
        self.queue = None;
        let ends = self.threads.drain(..).map(JoinHandle::join);
        ends.fold(Ok(()), Result::and)
    }
}

impl Iterator for Prefetched {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        let made = self.take();
        if !matches!(made, Some(Ok(_)))
            && let Err(panic) = self.end()
        {
            std::panic::resume_unwind(panic);
        }
        made
    }
}

impl Drop for Prefetched {
    fn drop(&mut self) {
        // A panic that nobody waited for ends with what it panicked for.
        let _ = self.end();
    }
}

/// Starts a thread whose log lines say what the caller's do of what they are about.
fn spawn(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let about = tracing::Span::current();
    std::thread::spawn(move || about.in_scope(work))
}

/// Reads, and hands batches on; ends with the epoch, an error, or when nobody waits any longer.
fn read<P: ImageParts>(
    shared: &Shared<P>,
    order: EpochOrder,
    batch_size: usize,
    ahead: &SyncSender<Receiver<Made>>,
    jobs: &SyncSender<Job>,
) {
    let mut source = Source::new(shared, order, batch_size);
    while let Some(gathered) = source.next_batch() {
        let (reply, place) = sync_channel(1);
        if ahead.send(place).is_err() {
            return;
        }
        let is_taken = match gathered {
            Ok(batch) => jobs.send(Job { batch, reply }).is_ok(),
            Err(error) => reply.send(Err(error)).is_ok(),
        };
        if !is_taken {
            return;
        }
    }
}

/// Makes batches as long as there are any.
fn work<P: ImageParts>(shared: &Shared<P>, order: EpochOrder, jobs: &Mutex<Receiver<Job>>) {
    let mut vary = shared.vary(order);
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { batch, reply }) = job else {
            return;
        };
        // Nobody waits for what was read ahead of an end.
        let _ = reply.send(shared.finish(batch, order, &mut vary));
    }
}
