//! One stage at work, on a thread of its own: from its inputs to its manifest.

use super::Pipeline;
use super::record::{DeviceRecord, StageRecord};
use crate::checkpoint::{CheckpointWriter, Manifest};
use crate::fingerprint::{DirtyReason, Fields};
use crate::graph::StageId;
use crate::monitor::{StageMonitor, stage_span};
use crate::stages::{Input, StageError, StageOutput, StageRun, keep_checks, run_checks, verdict};
use crate::store::LockGuard;
use serde_json::{Map, Value};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// What a stage's thread sends back.
pub(super) type Outcome = (StageId, Fields, StageRecord, Result<Manifest, StageError>);

/// A stage that is ready and dirty.
pub(super) struct Work {
    pub(super) fields: Fields,
    pub(super) reason: DirtyReason,
    pub(super) inputs: Vec<Input>,
}

/// Runs one stage up to its manifest, and writes that.
pub(super) fn execute(
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
