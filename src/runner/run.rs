//! One run from its lock to its record.

use super::execution::Execution;
use super::observer::{Ended, Observer, RunStart, Unobserved};
use super::recent::Recent;
use super::record::{RunRecord, StoreRecord};
use super::{Pipeline, RunError, gather_facts, log};
use crate::checkpoint::Catalog;
use crate::checkpoint::gc::CheckpointId;
use crate::graph::StageId;
use crate::monitor::{Monitor, peak_rss_bytes};
use crate::plan::{Selection, StageFacts, plan};
use crate::store::LockGuard;
use std::collections::BTreeMap;
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
