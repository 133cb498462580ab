//! The runner: brings every selected stage up to date, independent ones side by side.
//!
//! A stage is *waiting* until all that it needs is *done*; then it is judged again with the contents now known, and
//! is *fresh* (done at once) or *running*. It ends *done* or *failed*; what needs a failed stage never starts. One run
//! at a time holds the lock of the checkpoint root.

mod error;
mod facts;
mod gc;
mod log;
mod memory;
mod observer;
mod recent;
mod record;
mod selection;

pub use error::RunError;
pub use facts::{Pipeline, gather_facts, require_stage};
pub use gc::{Collected, GcOptions, collect_garbage};
pub use observer::{Ended, Observer, RunStart, Unobserved};
pub use recent::{last_fingerprints, latest_record};
pub use record::{
    DeviceRecord, RunRecord, RunStatus, StageRecord, StageStatus, StoreRecord, chain, new_run_id,
};
pub use selection::{SelectionOptions, select};

use memory::MemoryWatch;
use recent::Recent;

use crate::checkpoint::gc::CheckpointId;
use crate::checkpoint::{Catalog, CheckpointWriter, Manifest, contents_of};
use crate::fingerprint::{DirtyReason, Fields, Fingerprint};
use crate::graph::StageId;
use crate::monitor::{Monitor, StageMonitor, peak_rss_bytes, stage_span};
use crate::plan::{Contents, Selection, StageFacts, Status, complete_fields, judge, plan};
use crate::stages::{Input, StageError, StageOutput, StageRun, keep_checks, run_checks, verdict};
use crate::store::LockGuard;
use serde_json::{Map, Value};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Instant, SystemTime};

/// How a run goes about it.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Identity of the run.
    pub run_id: String,
    /// Stages that may run side by side.
    pub stages_at_once: usize,
}

/// Runs the selected stages and returns the record of the run; once the lock is held, the record is written in any case.
///
/// # Errors
///
/// [`RunError::Locked`] where another run holds the checkpoints, [`RunError::Stage`] for the first stage that
/// failed.
pub fn run(
    pipeline: &Pipeline,
    selection: &Selection,
    options: &RunOptions,
    monitor: &Monitor,
) -> Result<RunRecord, RunError> {
    run_observed(pipeline, selection, options, monitor, &mut Unobserved).into_result()
}

/// As [`run`], with somebody who is told of it as it goes; returns the record of a failed run, too.
pub fn run_observed(
    pipeline: &Pipeline,
    selection: &Selection,
    options: &RunOptions,
    monitor: &Monitor,
    observer: &mut dyn Observer,
) -> Ended {
    let Begun {
        lock,
        catalog,
        makers,
    } = match begin(pipeline, options) {
        Ok(begun) => begun,
        Err(failure) => {
            return Ended {
                record: None,
                failure: Some(failure),
            };
        }
    };
    let started = Instant::now();
    let mut record = RunRecord::begin(&options.run_id, &pipeline.environment.config);
    let order = pipeline.dag().order().iter();
    let stages: Vec<StageId> = order
        .filter(|stage| selection.stages.contains(*stage))
        .cloned()
        .collect();
    log::run_begins(&record, stages.len());
    observer.run_started(&RunStart {
        run: &options.run_id,
        pipeline,
        stages: &stages,
        started: SystemTime::now(),
    });
    let (mut records, mut failure) = match facts_to_run(pipeline, selection, &catalog) {
        Ok(facts) => {
            let mut execution = Execution {
                pipeline,
                catalog: &catalog,
                makers: &makers,
                facts: &facts,
                selection,
                monitor,
                observer,
                lock: &lock,
                done: BTreeMap::new(),
                records: BTreeMap::new(),
                failure: None,
            };
            execution.run(options.stages_at_once.max(1));
            (execution.records, execution.failure)
        }
        Err(error) => (BTreeMap::new(), Some(error)),
    };
    record.stores = StoreRecord::of_all(&pipeline.environment);
    record.finish(
        stages
            .iter()
            .filter_map(|stage| records.remove(stage))
            .collect(),
        started.elapsed(),
        failure.as_ref(),
        pipeline.environment.opened_runtime(),
        peak_rss_bytes(),
    );
    pipeline.environment.save_digests();
    if let Err(error) = record.write(&pipeline.environment.checkpoints) {
        tracing::error!(%error, "cannot write the run record");
        // The first failure is the one that matters.
        failure.get_or_insert(error);
    }
    log::run_ended(&record, stages.len());
    observer.run_ended(&record);
    Ended {
        record: Some(record),
        failure,
    }
}

/// A run that holds the checkpoints.
struct Begun {
    lock: LockGuard,
    catalog: Catalog,
    makers: BTreeMap<CheckpointId, String>,
}

/// Takes the checkpoints, and finds out what runs before this one left there.
fn begin(pipeline: &Pipeline, options: &RunOptions) -> Result<Begun, RunError> {
    let lock = pipeline.lock(&format!("run {}", options.run_id))?;
    let store = pipeline.environment.checkpoints.clone();
    if store.local_root().is_none() {
        // What killed runs left, of any stage; on a disk every stage sweeps its own folder.
        store.sweep("")?;
    }
    let Recent {
        fingerprints,
        makers,
    } = Recent::read(&store)?;
    Ok(Begun {
        lock,
        catalog: Catalog::new(store, fingerprints),
        makers,
    })
}

/// Gathers the facts, once every stage says that nothing is missing.
fn facts_to_run(
    pipeline: &Pipeline,
    selection: &Selection,
    catalog: &Catalog,
) -> Result<BTreeMap<StageId, StageFacts>, RunError> {
    let failed = |stage: &StageId, source| RunError::Stage {
        stage: stage.clone(),
        source: Box::new(source),
    };
    let environment = &pipeline.environment;
    for stage in &selection.stages {
        let ready = pipeline.stage(stage).check_ready(environment);
        ready.map_err(|error| failed(stage, error))?;
    }
    let facts = gather_facts(pipeline, &selection.stages)?;
    let plan = plan(pipeline.dag(), &facts, selection, catalog);
    for (stage, status) in &plan.stages {
        if !status.is_fresh() {
            let checked = pipeline.stage(stage).check_inputs(environment);
            checked.map_err(|error| failed(stage, error))?;
        }
    }
    Ok(facts)
}

/// A finished stage as its dependants see it.
#[derive(Debug, Clone)]
struct Done {
    fingerprint: Fingerprint,
    contents: Contents,
}

struct Execution<'a> {
    pipeline: &'a Pipeline,
    catalog: &'a Catalog,
    /// The run that made each checkpoint, as far as recent records tell.
    makers: &'a BTreeMap<CheckpointId, String>,
    facts: &'a BTreeMap<StageId, StageFacts>,
    selection: &'a Selection,
    monitor: &'a Monitor,
    observer: &'a mut dyn Observer,
    lock: &'a LockGuard,
    done: BTreeMap<StageId, Done>,
    records: BTreeMap<StageId, StageRecord>,
    failure: Option<RunError>,
}

/// What a stage's thread sends back.
type Outcome = (StageId, Fields, StageRecord, Result<Manifest, StageError>);

/// A stage that is ready and dirty.
struct Work {
    fields: Fields,
    reason: DirtyReason,
    inputs: Vec<Input>,
}

impl Execution<'_> {
    fn run(&mut self, at_once: usize) {
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

/// Runs one stage up to its manifest, and writes that.
fn execute(
    pipeline: &Pipeline,
    stage: StageId,
    work: Work,
    monitor: &StageMonitor,
    is_forced: bool,
    lock: &LockGuard,
) -> Outcome {
    let _in_stage = stage_span(&stage).entered();
    let started = Instant::now();
    let mut record = StageRecord::begin(&stage, &work.fields.fingerprint(), &work.reason);
    // A panic is a bug, but it must not take the run with it: the lock, the record and the exit code depend on this thread.
    let made = catch_unwind(AssertUnwindSafe(|| {
        let (writer, summary) = make(
            pipeline,
            &stage,
            &work,
            monitor,
            is_forced,
            lock,
            &mut record,
        )?;
        pipeline.environment.check_cancelled()?;
        lock.check()?;
        Ok(writer.commit(summary)?)
    }));
    let result = made.unwrap_or_else(|panic| {
        Err(StageError::Panicked {
            message: message_of(&*panic),
        })
    });
    record.finish(started.elapsed(), monitor, &result);
    (stage, work.fields, record, result)
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Runs one stage; the manifest is all that is missing then.
fn make(
    pipeline: &Pipeline,
    stage: &str,
    work: &Work,
    monitor: &StageMonitor,
    is_forced: bool,
    lock: &LockGuard,
    record: &mut StageRecord,
) -> Result<(CheckpointWriter, Map<String, Value>), StageError> {
    let built = pipeline.stage(stage);
    if built.uses_device() {
        let runtime = pipeline.environment.runtime()?;
        record.device = Some(DeviceRecord::of(runtime));
    }
    let queries = &pipeline.environment.queries;
    let texts = built.queries().iter().map(|name| queries.text(name));
    let run = StageRun {
        id: stage,
        kind: pipeline.kind(stage),
        version: built.version(),
        params: pipeline.params(stage),
        queries: texts.collect::<Result<_, _>>()?,
        fields: &work.fields,
        inputs: &work.inputs,
        environment: &pipeline.environment,
        monitor,
        is_forced,
    };
    let StageOutput {
        writer,
        mut summary,
    } = built.run(&run)?;
    // In the record first: it tells of the check that failed the stage, too.
    record.checks = run_checks(&run, &writer)?;
    verdict(&record.checks)?;
    keep_checks(&record.checks, &mut summary);
    // In a bucket a process that slept for long may have been taken for dead: then the checkpoints are somebody else's.
    lock.check()?;
    built.deliver(&run, &run.read_back(&writer))?;
    Ok((writer, summary))
}
