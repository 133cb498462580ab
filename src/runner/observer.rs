//! Who is told of a run as it goes: metrics, lineage and whatever else is made of it, of which the runner knows nothing.

use super::{Pipeline, RunError, RunRecord, StageRecord};
use crate::checkpoint::Manifest;
use crate::graph::StageId;
use crate::stages::{Input, StageError};
use std::time::SystemTime;

/// A run that begins.
#[derive(Debug, Clone, Copy)]
pub struct RunStart<'a> {
    /// Identity of the run.
    pub run: &'a str,
    /// What is run.
    pub pipeline: &'a Pipeline,
    /// The selected stages, in order.
    pub stages: &'a [StageId],
    /// When it began.
    pub started: SystemTime,
}

impl RunStart<'_> {
    /// Whether no stage of the pipeline is left out by the selection.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.stages.len() == self.pipeline.dag().order().len()
    }
}

/// Is told of a run as it goes, on the thread that leads it: whoever takes long holds the next stage up.
pub trait Observer {
    /// The checkpoints are locked, and nothing has run yet.
    fn run_started(&mut self, _start: &RunStart<'_>) {}

    /// A stage begins to run. Of fresh stages nothing is told but in the record.
    fn stage_started(&mut self, _stage: &str, _inputs: &[Input]) {}

    /// A stage that began has ended.
    fn stage_ended(&mut self, _record: &StageRecord, _made: Result<&Manifest, &StageError>) {}

    /// The run has ended, well or not, and its record is written.
    fn run_ended(&mut self, _record: &RunRecord) {}
}

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// Its record; `None` where it did not get the checkpoints.
    pub record: Option<RunRecord>,
    /// Why it failed, where it did.
    pub failure: Option<RunError>,
}

impl Ended {
    /// The record of a run that ended well.
    ///
    /// # Errors
    ///
    /// Why it did not.
    pub fn into_result(self) -> Result<RunRecord, RunError> {
        match (self.failure, self.record) {
            (None, Some(record)) => Ok(record),
            (Some(failure), _) => Err(failure),
            (None, None) => unreachable!("a run without failure has a record"),
        }
    }
}
