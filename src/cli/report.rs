//! `rayonnage report`: the page on a run, and what `run` does about it at its end.

use super::args::{Common, ReportArguments};
use super::output::{print, print_json};
use super::{CommandError, setup};
use crate::cancel::CancelToken;
use crate::history::History;
use crate::monitor::Monitor;
use crate::report::{Lang, ReportError, ReportFiles, latest, lock, make};
use crate::runner::{Pipeline, RunRecord, RunStatus, StageRecord, StageStatus};
use std::time::Instant;

/// Run records that are read: what a run did not come to is shown as an earlier one left it.
const RECORDS: usize = 20;

/// Makes the report of the latest run, or of another, again.
pub(super) fn report(common: &Common, arguments: &ReportArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let access = if arguments.json || arguments.out.is_some() {
        setup::Access::Read
    } else {
        setup::Access::Write
    };
    let pipeline = setup::pipeline(common, access, setup::cores(), CancelToken::default())?;
    let history = History::open(pipeline.environment.checkpoints.clone())?;
    let record = history
        .named(&[arguments.run.as_deref().unwrap_or("latest")])?
        .remove(0);
    let records = records_of(&history, &record);
    let configured = configured_lang(&pipeline);
    let lang = arguments.lang.unwrap_or(configured);
    let to_write = access == setup::Access::Write;
    let held = to_write.then(|| lock(&pipeline, &record)).transpose()?;
    let report = make(&pipeline, &records, &record, lang)?;
    if arguments.json {
        return Ok(print_json(&report.data)?);
    }
    if let Some(path) = &arguments.out {
        std::fs::write(path, &report.html).map_err(|source| CommandError::WriteFile {
            path: path.display().to_string(),
            source,
        })?;
        return Ok(print(&format!("report: {}\n", path.display()))?);
    }
    if let Some(lock) = held {
        let files = report.write(&pipeline, &record, lang, &lock)?;
        print(&line(&pipeline, &files))?;
    }
    Ok(())
}

/// The records of a run, of those before it, and of those that made what it found fresh, as far as they can be read.
fn records_of(history: &History, record: &RunRecord) -> Vec<RunRecord> {
    let mut records = history.up_to(&record.run, RECORDS);
    let makers = record
        .stages
        .iter()
        .filter_map(|stage| stage.made_by.as_deref());
    let mut older: Vec<&str> = makers
        .filter(|run| !records.iter().any(|known| known.run == **run))
        .collect();
    older.sort_unstable_by(|a, b| b.cmp(a));
    older.dedup();
    records.extend(history.readable(&older));
    records
}

/// Makes the report of a run that has just ended, unless the latest one shows the same. A report that cannot be made is a warning: the
/// predictions are published, or something else went wrong before.
pub(super) fn after_run(pipeline: &Pipeline, record: &RunRecord) -> Option<String> {
    let config = &pipeline.environment.config.report;
    // Who stops a run does not want to wait for its page.
    if !config.after_run || record.status == RunStatus::Interrupted {
        return None;
    }
    let started = Instant::now();
    match write(pipeline, record, configured_lang(pipeline)) {
        Ok((files, is_new)) => {
            let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            if is_new {
                tracing::info!(elapsed_ms, page = files.page, "report was made");
            }
            Some(line(pipeline, &files))
        }
        Err(CommandError::Report(ReportError::NothingRan)) => None,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "the report cannot be made");
            None
        }
    }
}

/// Returns the files of the report, and whether they were written now.
fn write(
    pipeline: &Pipeline,
    record: &RunRecord,
    lang: Lang,
) -> Result<(ReportFiles, bool), CommandError> {
    let is_new = |stage: &StageRecord| stage.status != StageStatus::Fresh;
    let is_as_before = record.status == RunStatus::Ok && !record.stages.iter().any(is_new);
    if is_as_before && let Some(files) = latest(pipeline, record, lang)? {
        return Ok((files, false));
    }
    let history = History::open(pipeline.environment.checkpoints.clone())?;
    let lock = lock(pipeline, record)?;
    let report = make(pipeline, &records_of(&history, record), record, lang)?;
    Ok((report.write(pipeline, record, lang, &lock)?, true))
}

fn configured_lang(pipeline: &Pipeline) -> Lang {
    // The configuration allows nothing else.
    Lang::parse(&pipeline.environment.config.report.lang).unwrap_or_default()
}

fn line(pipeline: &Pipeline, files: &ReportFiles) -> String {
    let root = pipeline
        .environment
        .checkpoints
        .url()
        .trim_start_matches("file://");
    format!("report: {root}/{}\n", files.page)
}
