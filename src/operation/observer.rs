//! The observer of a run that hands on to metrics and lineage.

use super::lineage::Lineage;
use super::metrics::Metrics;
use crate::checkpoint::Manifest;
use crate::config::PipelineConfig;
use crate::runner::{Observer, RunRecord, RunStart, StageRecord};
use crate::stages::{Input, StageError};

/// Is told of a run, and tells those outside.
#[derive(Debug)]
pub struct Operation {
    metrics: Option<Metrics>,
    lineage: Option<Lineage>,
}

impl Operation {
    /// Gets ready for a run; `lookup` reads the environment.
    #[must_use]
    pub fn begin(
        config: &PipelineConfig,
        run: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            metrics: Metrics::begin(config),
            lineage: Lineage::begin(config, run, lookup),
        }
    }

    /// Writes and sends what is left, now that the exit code is known.
    pub fn finish(self, exit_code: u8) {
        if let Some(metrics) = self.metrics {
            metrics.finish(exit_code);
        }
        if let Some(lineage) = self.lineage {
            lineage.finish();
        }
    }
}

impl Observer for Operation {
    fn run_started(&mut self, start: &RunStart<'_>) {
        if let Some(metrics) = &mut self.metrics {
            metrics.run_started(start);
        }
        if let Some(lineage) = &mut self.lineage {
            lineage.run_started(start);
        }
    }

    fn stage_started(&mut self, stage: &str, inputs: &[Input]) {
        if let Some(lineage) = &mut self.lineage {
            lineage.stage_started(stage, inputs);
        }
    }

    fn stage_ended(&mut self, record: &StageRecord, made: Result<&Manifest, &StageError>) {
        if let Some(lineage) = &mut self.lineage {
            lineage.stage_ended(record, made);
        }
    }

    fn run_ended(&mut self, record: &RunRecord) {
        if let Some(metrics) = &mut self.metrics {
            metrics.run_ended(record);
        }
        if let Some(lineage) = &mut self.lineage {
            lineage.run_ended(record);
        }
    }
}
