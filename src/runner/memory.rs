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
    peaks: Arc<Mutex<Peaks>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    pub(super) fn start() -> Self {
        let peaks = Arc::new(Mutex::new(Peaks::new()));
        let (stop, stopped) = channel::<()>();
        let shared = Arc::clone(&peaks);
        let watch = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let mut peaks = locked(&shared);
                if !peaks.is_empty() {
                    raise(&mut peaks);
                }
            }
        };
        // Without a thread there are only the looks at the beginning and the end of a stage.
        let thread = std::thread::Builder::new()
            .name("memory".to_owned())
            .spawn(watch)
            .ok();
        Self {
            peaks,
            stop: Some(stop),
            thread,
        }
    }

    /// A stage begins.
    pub(super) fn begin(&self, stage: &str) {
        locked(&self.peaks).insert(stage.to_owned(), rss_bytes());
    }

    /// A stage ends: the most that was seen since it began.
    pub(super) fn end(&self, stage: &str) -> u64 {
        let mut peaks = locked(&self.peaks);
        raise(&mut peaks);
        peaks.remove(stage).unwrap_or(0)
    }
}

fn raise(peaks: &mut Peaks) {
    let now = rss_bytes();
    for peak in peaks.values_mut() {
        *peak = now.max(*peak);
    }
}

fn locked(peaks: &Mutex<Peaks>) -> MutexGuard<'_, Peaks> {
    peaks.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn a_block_that_was_held_for_a_while_is_seen() {
        let watch = MemoryWatch::start();
        watch.begin("a");
        let before = rss_bytes();
        assert!(before > 0);
        let block = vec![1_u8; 96 << 20];
        std::thread::sleep(EVERY * 4);
        assert_eq!(block[block.len() - 1], 1);
        drop(block);
        assert!(watch.end("a") >= before + (90 << 20));
        assert_eq!(watch.end("a"), 0, "it has ended");
    }
}
