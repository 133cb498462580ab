//! `rayonnage report`: the page on a run, and what `run` does about it at its end.

use super::args::{Common, ReportArguments};
use super::output::{print, print_json};
use super::{CommandError, setup};
use crate::cancel::CancelToken;
use crate::history::History;
use crate::monitor::Monitor;
use crate::report::{Lang, ReportFiles, latest, make};
use crate::runner::{Pipeline, RunRecord, StageStatus};
use std::time::Instant;

/// Run records that are read: what a stage took stands in that of the run that made it.
const RECORDS: usize = 100;

/// Makes the report of the latest run, or of another, again.
pub(super) fn report(common: &Common, arguments: &ReportArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let access = if arguments.json || arguments.out.is_some() {
        setup::Access::Read
    } else {
        setup::Access::Write
    };
    let pipeline = setup::pipeline(common, access, setup::cores(), CancelToken::default())?;
    let store = &pipeline.environment.checkpoints;
    let history = History::open(store.clone())?;
    let record = history
        .named(&[arguments.run.as_deref().unwrap_or("latest")])?
        .remove(0);
    let records = latest_records(&history);
    let configured = configured_lang(&pipeline);
    let lang = arguments.lang.unwrap_or(configured);
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
    let files = report.write(&**store, &record, lang)?;
    Ok(print(&line(&pipeline, &files))?)
}

/// The latest records that can be read, newest first.
fn latest_records(history: &History) -> Vec<RunRecord> {
    let records = history.newest(RECORDS).into_iter();
    records.filter_map(|(_, record)| record.ok()).collect()
}

/// Makes the report of a run that has just ended, unless the latest one shows the same. A report that cannot be made is a warning: the
/// predictions are published.
pub(super) fn after_run(pipeline: &Pipeline, record: &RunRecord) -> Option<String> {
    let config = &pipeline.environment.config.report;
    if !config.after_run {
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
    let store = &pipeline.environment.checkpoints;
    let has_run = record
        .stages
        .iter()
        .any(|stage| stage.status != StageStatus::Fresh);
    if !has_run && let Some(files) = latest(store, record, lang)? {
        return Ok((files, false));
    }
    let records = latest_records(&History::open(store.clone())?);
    let files = make(pipeline, &records, record, lang)?.write(&**store, record, lang)?;
    Ok((files, true))
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
