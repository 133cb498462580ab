//! Looks after a training: progress, the wish to stop, and epoch snapshots in the unfinished checkpoint.

use super::progress::Progress;
use crate::checkpoint::{CheckpointError, CheckpointWriter};
use crate::model::{EpochRecord, ModelError, Supervisor};
use crate::stages::StageRun;
use bytes::Bytes;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A training goes on for at least so many times what its last snapshot took: they cost it 3 % at most.
const TRAINING_PER_SNAPSHOT: u32 = 30;

/// Looks after the training of a stage.
pub(super) struct Supervision<'a> {
    run: &'a StageRun<'a>,
    writer: &'a CheckpointWriter,
    progress: &'a Progress<'a>,
    snapshots: Due,
}

/// When the next snapshot is due.
struct Due {
    every: Duration,
    last: Instant,
    cost: Duration,
}

impl Due {
    fn new(every_s: f64) -> Self {
        Self {
            every: Duration::from_secs_f64(every_s),
            last: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// Whether it is time. Where snapshots are wanted after each epoch, whatever they cost.
    fn is_now(&self) -> bool {
        let least = self.every.max(self.cost * TRAINING_PER_SNAPSHOT);
        self.every.is_zero() || self.last.elapsed() >= least
    }

    fn begin(&mut self) {
        self.last = Instant::now();
    }

    fn end(&mut self) {
        self.cost = self.last.elapsed();
        self.last = Instant::now();
    }
}

impl<'a> Supervision<'a> {
    pub(super) fn new(
        run: &'a StageRun<'a>,
        writer: &'a CheckpointWriter,
        progress: &'a Progress<'a>,
    ) -> Self {
        Self {
            run,
            writer,
            progress,
            snapshots: Due::new(run.environment.config.snapshot_every_s),
        }
    }

    /// A snapshot saves time; that there is none is not worth the training.
    fn warn(&self, what: &str, result: Result<(), CheckpointError>) {
        if let Err(error) = result {
            tracing::warn!(stage = self.run.id, %error, "{what}");
        }
    }
}

impl Supervisor for Supervision<'_> {
    fn epoch_ended(&mut self, epoch: &EpochRecord) -> ControlFlow<()> {
        self.progress.epoch_ended(epoch);
        match self.run.environment.cancel.signal() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn load_snapshot(&mut self) -> Option<Vec<u8>> {
        let found = self.writer.newest_snapshot();
        let found = found.map_err(|error| self.warn("cannot read epoch snapshots", Err(error)));
        found.ok().flatten().map(Vec::from)
    }

    fn refuse_snapshot(&mut self, reason: &ModelError) {
        tracing::warn!(stage = self.run.id, %reason, "an epoch snapshot is of no use");
        let deleted = self.writer.delete_newest_snapshot();
        self.warn("cannot delete an epoch snapshot", deleted);
    }

    fn resumed(&mut self, history: &[EpochRecord]) {
        let epoch = history.len() as u64 + 1;
        tracing::info!(
            stage = self.run.id,
            epoch,
            "training goes on from its last epoch snapshot"
        );
        self.run.monitor.resumed_at(epoch);
        self.progress.resumed(history);
    }

    fn no_snapshot(&mut self, epoch: usize, reason: &ModelError) {
        tracing::warn!(stage = self.run.id, epoch, %reason, "cannot make an epoch snapshot");
    }

    fn wants_snapshot(&mut self, is_ending: bool) -> bool {
        let is_wanted = is_ending || self.snapshots.is_now();
        if is_wanted {
            self.snapshots.begin();
        }
        is_wanted
    }

    fn save_snapshot(&mut self, epoch: usize, snapshot: Vec<u8>) {
        let saved = self.writer.save_snapshot(epoch, Bytes::from(snapshot));
        self.warn("cannot write an epoch snapshot", saved);
        self.snapshots.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schedule whose last snapshot was taken some time ago.
    fn due(every_s: f64, cost_s: u64, ago_s: u64) -> bool {
        let mut due = Due::new(every_s);
        due.cost = Duration::from_secs(cost_s);
        due.last = Instant::now()
            .checked_sub(Duration::from_secs(ago_s))
            .unwrap();
        due.is_now()
    }

    #[test]
    fn snapshots_are_taken_after_some_time() {
        assert!(!due(10.0, 0, 9));
        assert!(due(10.0, 0, 10));
        assert!(due(0.0, 0, 0));
    }

    #[test]
    fn snapshots_that_cost_much_are_rare() {
        assert!(!due(10.0, 1, 29));
        assert!(due(10.0, 1, 30));
        assert!(due(0.0, 100, 0), "each epoch means each");
    }
}
