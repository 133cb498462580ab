//! Asking a run to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shared by everything that can stop early; set once, by a signal.
#[derive(Debug, Clone, Default)]
pub struct CancelToken {
    signal: Arc<AtomicUsize>,
}

impl CancelToken {
    /// Asks for a stop because of a signal (2 for SIGINT, 15 for SIGTERM).
    pub fn cancel(&self, signal: usize) {
        self.signal.store(signal, Ordering::SeqCst);
    }

    /// The cell that a signal handler writes its number into.
    #[must_use]
    pub fn cell(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.signal)
    }

    /// The signal that asked for a stop, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<usize> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }
}
