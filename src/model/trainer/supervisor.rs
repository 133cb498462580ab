//! Who looks after a training: sees each epoch, may end it, and keeps its snapshots.

use std::ops::ControlFlow;

use super::EpochRecord;
use crate::model::ModelError;

/// Looks after a training.
///
/// A training knows no files: it hands its epoch snapshots over as bytes, and asks for them when it begins.
pub trait Supervisor {
    /// Sees an epoch when it ends; `Break` ends the training.
    fn epoch_ended(&mut self, epoch: &EpochRecord) -> ControlFlow<()>;

    /// Returns the newest snapshot that was not refused yet.
    fn load_snapshot(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Hears why the snapshot that was loaded last is of no use: the next one is asked for.
    fn refuse_snapshot(&mut self, _reason: &ModelError) {}

    /// Sees the epochs that need not run, since a snapshot was gone on from.
    fn resumed(&mut self, _history: &[EpochRecord]) {}

    /// Says whether to take a snapshot now; `is_ending` where the supervisor asked for the end.
    fn wants_snapshot(&mut self, _is_ending: bool) -> bool {
        false
    }

    /// Keeps a snapshot of the training after an epoch.
    fn save_snapshot(&mut self, _epoch: usize, _snapshot: Vec<u8>) {}

    /// Hears why there is no snapshot after an epoch: the training goes on without.
    fn no_snapshot(&mut self, _epoch: usize, _reason: &ModelError) {}
}

/// Sees the epochs and keeps no snapshots.
pub(super) struct Observed<'a>(pub(super) &'a mut dyn FnMut(&EpochRecord) -> ControlFlow<()>);

impl Supervisor for Observed<'_> {
    fn epoch_ended(&mut self, epoch: &EpochRecord) -> ControlFlow<()> {
        (self.0)(epoch)
    }
}
