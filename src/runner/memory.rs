//! How much memory the process held while each stage ran: a thread looks every few milliseconds.
//!
//! Stages share one process, so what stands at a stage is what the process held while it ran, others' share included.

use crate::graph::StageId;
use crate::monitor::rss_bytes;
use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it is looked: a peak that is shorter may be missed.
const EVERY: Duration = Duration::from_millis(25);

type Peaks = BTreeMap<StageId, u64>;

/// Looks on until it is dropped.
pub(super) struct MemoryWatch {
    watched: Arc<Watched>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread shares.
struct Watched {
    /// What the process holds now, in bytes.
    held_bytes: Box<dyn Fn() -> u64 + Send + Sync>,
    peaks: Mutex<Peaks>,
}

impl Watched {
    fn peaks(&self) -> MutexGuard<'_, Peaks> {
        self.peaks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) {
        let mut peaks = self.peaks();
        if peaks.is_empty() {
            return;
        }
        let now = (self.held_bytes)();
        for peak in peaks.values_mut() {
            *peak = now.max(*peak);
        }
    }
}

impl MemoryWatch {
    /// Watches this process.
    pub(super) fn start() -> Self {
        Self::of(rss_bytes)
    }

    fn of(held_bytes: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let watched = Arc::new(Watched {
            held_bytes: Box::new(held_bytes),
            peaks: Mutex::default(),
        });
        let (stop, stopped) = channel::<()>();
        let shared = Arc::clone(&watched);
        let watch = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                shared.look();
            }
        };
        let thread = std::thread::Builder::new().name("memory".to_owned());
        Self {
            watched,
            stop: Some(stop),
            // Without a thread there are only the looks at the beginning and the end of a stage.
            thread: thread.spawn(watch).ok(),
        }
    }

    /// A stage begins.
    pub(super) fn begin(&self, stage: &str) {
        self.watched.peaks().insert(stage.to_owned(), 0);
        self.watched.look();
    }

    /// A stage ends: the most that was seen since it began.
    pub(super) fn end(&self, stage: &str) -> u64 {
        self.watched.look();
        self.watched.peaks().remove(stage).unwrap_or(0)
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_peak_belongs_to_the_stages_that_ran_then() {
        let held = Arc::new(AtomicU64::new(10));
        let probe = Arc::clone(&held);
        // Every look tells what is held, and how often it was looked.
        let looks = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&looks);
        let watch = MemoryWatch::of(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            probe.load(Ordering::SeqCst)
        });
        watch.begin("early");
        held.store(500, Ordering::SeqCst);
        let before = looks.load(Ordering::SeqCst);
        // The thread looks by itself while nothing begins or ends.
        while looks.load(Ordering::SeqCst) < before + 2 {
            std::thread::yield_now();
        }
        held.store(20, Ordering::SeqCst);
        watch.begin("late");
        assert_eq!(watch.end("early"), 500);
        assert_eq!(watch.end("late"), 20);
        assert_eq!(watch.end("late"), 0, "it has ended");
    }

    #[test]
    fn this_process_holds_something() {
        let watch = MemoryWatch::start();
        watch.begin("a");
        assert!(watch.end("a") > 1 << 20);
    }
}
