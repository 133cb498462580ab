//! The stages of a run: which of them is ready, which are at work, and what became of each.

use super::memory::MemoryWatch;
use super::observer::Observer;
use super::record::StageRecord;
use super::work::{Outcome, Work, execute};
use super::{Pipeline, RunError, log};
use crate::checkpoint::gc::CheckpointId;
use crate::checkpoint::{Catalog, contents_of};
use crate::fingerprint::Fingerprint;
use crate::graph::StageId;
use crate::monitor::Monitor;
use crate::plan::{Contents, Selection, StageFacts, Status, complete_fields, judge};
use crate::stages::{Input, StageError};
use crate::store::LockGuard;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

/// A finished stage as its dependants see it.
#[derive(Debug, Clone)]
pub(super) struct Done {
    fingerprint: Fingerprint,
    contents: Contents,
}

/// The stages of one run.
pub(super) struct Execution<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) catalog: &'a Catalog,
    /// The run that made each checkpoint, as far as recent records tell.
    pub(super) makers: &'a BTreeMap<CheckpointId, String>,
    pub(super) facts: &'a BTreeMap<StageId, StageFacts>,
    pub(super) selection: &'a Selection,
    pub(super) monitor: &'a Monitor,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) lock: &'a LockGuard,
    pub(super) done: BTreeMap<StageId, Done>,
    pub(super) records: BTreeMap<StageId, StageRecord>,
    pub(super) failure: Option<RunError>,
}

impl Execution<'_> {
    /// Brings every selected stage up to date, some at once; after a failure no other begins.
    pub(super) fn run(&mut self, at_once: usize) {
        let (sender, receiver) = mpsc::channel::<Outcome>();
        let memory = &MemoryWatch::start();
        std::thread::scope(|scope| {
            let mut running: BTreeSet<StageId> = BTreeSet::new();
            loop {
                while self.failure.is_none() && running.len() < at_once {
                    let Some(stage) = self.next_ready(&running) else {
                        break;
                    };
                    match self.prepare(&stage) {
                        Ok(None) => {}
                        Ok(Some(work)) => {
                            running.insert(stage.clone());
                            let (pipeline, sender) = (self.pipeline, sender.clone());
                            let lock = self.lock;
                            let shown = self.monitor.stage(&stage);
                            self.observer.stage_started(&stage, &work.inputs);
                            let is_forced = self.selection.forced.contains(&stage);
                            scope.spawn(move || {
                                memory.begin(&stage);
                                let mut outcome =
                                    execute(pipeline, stage, work, &shown, is_forced, lock);
                                outcome.2.peak_rss_bytes = memory.end(&outcome.0);
                                shown.finish();
                                // The receiver lives as long as this scope.
                                drop(sender.send(outcome));
                            });
                        }
                        Err(error) => self.failure = Some(error),
                    }
                }
                if running.is_empty() {
                    break;
                }
                if let Ok(outcome) = receiver.recv() {
                    running.remove(&outcome.0);
                    self.settle(outcome);
                }
            }
        });
    }

    /// The first stage in order that is not begun and whose needs are all done.
    fn next_ready(&self, running: &BTreeSet<StageId>) -> Option<StageId> {
        let is_done = |stage: &StageId| self.done.contains_key(stage);
        let dag = self.pipeline.dag();
        dag.order()
            .iter()
            .filter(|stage| self.selection.stages.contains(*stage))
            .find(|stage| {
                !is_done(stage)
                    && !running.contains(*stage)
                    && dag.needs(stage).iter().all(|need| is_done(&need.stage))
            })
            .cloned()
    }

    /// Judges a stage; `None` where it is fresh and thereby done.
    fn prepare(&mut self, stage: &StageId) -> Result<Option<Work>, RunError> {
        if let Err(source) = self.pipeline.environment.check_cancelled() {
            return Err(RunError::Stage {
                stage: stage.clone(),
                source: Box::new(source),
            });
        }
        let contents: BTreeMap<StageId, Contents> = self
            .done
            .iter()
            .map(|(stage, done)| (stage.clone(), done.contents.clone()))
            .collect();
        let facts = &self.facts[stage];
        let fields =
            complete_fields(self.pipeline.dag(), stage, facts, &contents).map_err(|need| {
                RunError::NotSelected {
                    stage: stage.clone(),
                    need,
                }
            })?;
        let is_forced = self.selection.forced.contains(stage);
        let (status, contents) = judge(stage, &fields, &facts.published, is_forced, self.catalog);
        match status {
            Status::Fresh { fingerprint } => {
                let manifest = self.catalog.manifest(stage, &fingerprint).ok().flatten();
                let id = (stage.clone(), fingerprint.clone());
                let made_by = self.makers.get(&id).cloned();
                let record = StageRecord::fresh(stage, &fingerprint, manifest.as_ref(), made_by);
                self.records.insert(stage.clone(), record);
                let contents = contents.unwrap_or_default();
                self.done.insert(
                    stage.clone(),
                    Done {
                        fingerprint,
                        contents,
                    },
                );
                Ok(None)
            }
            Status::Dirty { .. }
                if self
                    .selection
                    .only
                    .as_ref()
                    .is_some_and(|only| only != stage) =>
            {
                let only = self.selection.only.clone().unwrap_or_default();
                Err(RunError::NotSelected {
                    stage: only,
                    need: stage.clone(),
                })
            }
            Status::Dirty { reason, .. } => {
                tracing::info!(stage, reason = reason.to_string(), "stage runs");
                self.catalog.forget(stage);
                let inputs = self.inputs(stage)?;
                Ok(Some(Work {
                    fields,
                    reason,
                    inputs,
                }))
            }
        }
    }

    fn inputs(&self, stage: &str) -> Result<Vec<Input>, RunError> {
        let failed = |source: StageError| RunError::Stage {
            stage: stage.to_owned(),
            source: Box::new(source),
        };
        let open = |need: &crate::graph::Need| {
            let fingerprint = &self.done[&need.stage].fingerprint;
            let reader = self
                .catalog
                .reader(&need.stage, fingerprint)
                .map_err(|error| failed(error.into()))?;
            let gone = || {
                failed(StageError::Unusable(format!(
                    "the checkpoint of {} is gone",
                    need.stage
                )))
            };
            Ok(Input {
                stage: need.stage.clone(),
                kind: self.pipeline.kind(&need.stage).to_owned(),
                datasets: need.datasets.clone(),
                reader: reader.ok_or_else(gone)?,
            })
        };
        self.pipeline.dag().needs(stage).iter().map(open).collect()
    }

    fn settle(&mut self, (stage, fields, record, result): Outcome) {
        log::stage_ended(&record, result.as_ref().err());
        self.observer.stage_ended(&record, result.as_ref());
        self.records.insert(stage.clone(), record);
        match result {
            Ok(manifest) => {
                let done = Done {
                    fingerprint: fields.fingerprint(),
                    contents: contents_of(&manifest),
                };
                self.done.insert(stage, done);
            }
            Err(source) => {
                self.withdraw_damaged(&source);
                let failure = RunError::Stage {
                    stage,
                    source: Box::new(source),
                };
                self.failure.get_or_insert(failure);
            }
        }
    }

    /// Withdraws the manifest of a checkpoint that turned out to be damaged, so that the next run makes it again.
    fn withdraw_damaged(&self, error: &StageError) {
        let StageError::Checkpoint(error) = error else {
            return;
        };
        let Some(stage) = error.damaged_stage() else {
            return;
        };
        let Some(done) = self.done.get(stage) else {
            return;
        };
        if let Err(error) = self.catalog.withdraw(stage, &done.fingerprint) {
            tracing::warn!(stage, %error, "cannot withdraw the manifest of a damaged checkpoint");
        }
    }
}
