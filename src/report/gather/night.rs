//! What the run did: rejects, checks, and what each stage took.

use super::counts::{TextCounts, share};
use crate::checkpoint::{CheckpointReader, Manifest};
use crate::report::ReportError;
use crate::report::data::{CheckLine, Counted, Night, Reject, StageTime};
use crate::report::sources::{Sources, has_dataset, texts};
use crate::runner::{StageRecord, StageStatus};
use crate::schema::{self, REJECTS};
use crate::stages::take_checks;
use arrow::array::{Array, Int64Array};

/// Rejects that are shown whole.
const FIRST: usize = 20;

/// Reads the section.
pub(super) fn night(sources: &Sources<'_>) -> Result<Night, ReportError> {
    let mut reasons = TextCounts::default();
    let mut first = Vec::new();
    if let Some((_, reader)) = sources.main("ingest")
        && has_dataset(reader, REJECTS)
    {
        rejects(reader, &mut reasons, &mut first)?;
    }
    let counted = |(name, rows): (&str, u64)| Counted {
        name: name.to_owned(),
        rows,
        share: share(rows, reasons.rows()),
    };
    Ok(Night {
        rejects: reasons.by_count().into_iter().map(counted).collect(),
        first_rejects: first,
        stages: stages(sources),
        checks: checks(sources),
        skipped: sources.record.skipped.clone(),
        gone: sources.gone().to_vec(),
    })
}

fn rejects(
    reader: &CheckpointReader,
    reasons: &mut TextCounts,
    first: &mut Vec<Reject>,
) -> Result<(), ReportError> {
    for batch in reader.parts(REJECTS, None)? {
        let batch = batch?;
        let [ids, tables] = [texts(&batch, "row_id")?, texts(&batch, "source")?];
        let [codes, details] = [texts(&batch, "reason")?, texts(&batch, "detail")?];
        let lines: &Int64Array = schema::column(&batch, "line")?;
        for row in 0..batch.num_rows() {
            reasons.add(codes.value(row));
            if first.len() < FIRST {
                first.push(Reject {
                    id: (!ids.is_null(row)).then(|| ids.value(row).to_owned()),
                    place: format!("{}:{}", tables.value(row), lines.value(row)),
                    reason: codes.value(row).to_owned(),
                    detail: details.value(row).to_owned(),
                });
            }
        }
    }
    Ok(())
}

fn stages(sources: &Sources<'_>) -> Vec<StageTime> {
    let record_of = |stage: &str| {
        sources
            .record
            .stages
            .iter()
            .find(|other| other.stage == stage)
    };
    let order = sources.order().iter();
    let time = |stage: &String| {
        let now = record_of(stage);
        let manifest = sources.stage(stage).map(CheckpointReader::manifest);
        // What it took when it was made, perhaps in an earlier run.
        let made = match now {
            Some(now) if now.status != StageStatus::Fresh => Some(now),
            _ => sources.made(stage),
        };
        (now.is_some() || manifest.is_some()).then(|| StageTime {
            stage: stage.clone(),
            kind: sources.kind(stage).to_owned(),
            state: now.map_or("-", state).to_owned(),
            elapsed_ms: made.map(|made| made.elapsed_ms),
            peak_rss_bytes: made
                .map(|made| made.peak_rss_bytes)
                .filter(|bytes| *bytes > 0),
            done: made.map(|made| made.done).filter(|done| *done > 0),
            unit: made.map_or_else(String::new, |made| made.unit.clone()),
            done_per_s: made
                .filter(|made| made.done > 0)
                .map(|made| made.done_per_s),
            parts_made: made.map_or(0, |made| made.parts_made),
            parts_taken_over: made.map_or(0, |made| made.parts_taken_over),
            bytes: manifest.map_or(0, bytes),
        })
    };
    order.filter_map(time).collect()
}

fn state(record: &StageRecord) -> &'static str {
    match record.status {
        StageStatus::Fresh => "fresh",
        StageStatus::Ran => "ran",
        StageStatus::Failed => "failed",
    }
}

fn bytes(manifest: &Manifest) -> u64 {
    let parts = manifest
        .datasets
        .values()
        .flat_map(|dataset| &dataset.parts);
    let files = manifest.files.iter().map(|file| file.bytes);
    parts.map(|part| part.bytes).chain(files).sum()
}

/// What the checks of each stage found: in this run, or when its checkpoint was made.
fn checks(sources: &Sources<'_>) -> Vec<CheckLine> {
    let mut lines = Vec::new();
    for stage in sources.order() {
        let record = sources
            .record
            .stages
            .iter()
            .find(|record| record.stage == *stage);
        let kept = || {
            let mut summary = sources.stage(stage)?.manifest().summary.clone();
            Some(take_checks(&mut summary))
        };
        let kept = || kept().filter(|checks| !checks.is_empty());
        let when_made = || Some(sources.made(stage)?.checks.clone());
        let results = match record {
            Some(record) if !record.checks.is_empty() => record.checks.clone(),
            _ => kept().or_else(when_made).unwrap_or_default(),
        };
        lines.extend(results.into_iter().map(|result| CheckLine {
            check: result.check,
            stage: stage.clone(),
            severity: result.severity.as_str().to_owned(),
            description: result.description,
            rows: result.rows as u64,
            first: result.first,
        }));
    }
    lines
}
