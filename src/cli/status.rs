//! `rayonnage status`: what there is of each stage, and how the last run ended.

use super::args::{Common, FormatArguments};
use super::output::{Table, bytes, print, print_json, skipped};
use super::plan::planned;
use super::style::{Paint, Tone};
use super::{CommandError, setup};
use crate::cancel::CancelToken;
use crate::checkpoint::{Catalog, Manifest};
use crate::fingerprint::Fingerprint;
use crate::graph::StageId;
use crate::monitor::Monitor;
use crate::plan::Status;
use crate::runner::{RunError, RunRecord, RunStatus, SelectionOptions, latest_record};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What there is of all stages.
#[derive(Debug, Serialize)]
struct StatusDocument<'a> {
    stages: Vec<StageDocument<'a>>,
    skipped: &'a BTreeMap<StageId, String>,
    last_run: Option<LastRun>,
}

/// What there is of one stage: its checkpoint, or where it is dirty its last one.
#[derive(Debug, Serialize)]
struct StageDocument<'a> {
    stage: &'a str,
    kind: &'a str,
    /// `fresh` or `dirty`.
    state: &'static str,
    checkpoint: Option<CheckpointDocument>,
}

/// A complete checkpoint.
#[derive(Debug, Serialize)]
struct CheckpointDocument {
    fingerprint: Fingerprint,
    /// Rows of each dataset.
    rows: BTreeMap<String, u64>,
    parts: usize,
    /// Of parts and files.
    bytes: u64,
}

impl CheckpointDocument {
    fn of(manifest: Manifest) -> Self {
        let datasets = || manifest.datasets.values();
        let parts = || datasets().flat_map(|dataset| &dataset.parts);
        let of_files: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let rows = manifest.datasets.iter();
        Self {
            rows: rows
                .map(|(name, dataset)| (name.clone(), dataset.rows))
                .collect(),
            parts: parts().count(),
            bytes: of_files + parts().map(|part| part.bytes).sum::<u64>(),
            fingerprint: manifest.fingerprint,
        }
    }
}

/// How the last run ended.
#[derive(Debug, Serialize)]
struct LastRun {
    run: String,
    started: String,
    elapsed_ms: u64,
    status: RunStatus,
    exit_code: u8,
    error: Option<String>,
}

impl LastRun {
    fn of(record: RunRecord) -> Self {
        Self {
            run: record.run,
            started: record.started,
            elapsed_ms: record.elapsed_ms,
            status: record.status,
            exit_code: record.exit_code,
            error: record.error,
        }
    }
}

/// Prints what there is of each stage.
pub(super) fn status(common: &Common, format: &FormatArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let pipeline = setup::pipeline(
        common,
        setup::Access::Read,
        setup::cores(),
        CancelToken::default(),
    )?;
    let (plan, catalog) = planned(&pipeline, &SelectionOptions::default())?;
    let stages = plan.stages.iter().map(|(stage, status)| StageDocument {
        stage,
        kind: pipeline.kind(stage),
        state: if status.is_fresh() { "fresh" } else { "dirty" },
        checkpoint: checkpoint_of(&catalog, stage, status),
    });
    let last = latest_record(catalog.store()).map_err(RunError::from)?;
    let document = StatusDocument {
        stages: stages.collect(),
        skipped: &pipeline.environment.config.skipped,
        last_run: last.map(LastRun::of),
    };
    if format.json {
        print_json(&document)?;
    } else {
        print(&text_of(&document))?;
    }
    setup::leave(pipeline);
    Ok(())
}

fn checkpoint_of(catalog: &Catalog, stage: &str, status: &Status) -> Option<CheckpointDocument> {
    let fingerprint = match status {
        Status::Fresh { fingerprint } => fingerprint,
        Status::Dirty { .. } => catalog.last(stage)?,
    };
    let manifest = catalog.manifest(stage, fingerprint).ok().flatten()?;
    Some(CheckpointDocument::of(manifest))
}

fn text_of(document: &StatusDocument<'_>) -> String {
    let paint = Paint::stdout();
    let mut table = Table::new(&["stage", "state", "rows", "size", "parts", "checkpoint"]);
    for stage in &document.stages {
        let state = paint.state(stage.state);
        let Some(checkpoint) = &stage.checkpoint else {
            table.row([stage.stage, &state, "-", "-", "-", "-"]);
            continue;
        };
        let rows = checkpoint.rows.iter();
        let rows: Vec<String> = rows.map(|(name, rows)| format!("{name} {rows}")).collect();
        table.row([
            stage.stage,
            &state,
            &rows.join(", "),
            &bytes(checkpoint.bytes),
            &checkpoint.parts.to_string(),
            checkpoint
                .fingerprint
                .as_str()
                .get(..12)
                .unwrap_or_default(),
        ]);
    }
    let mut text = table.to_string();
    let skipped = skipped(document.skipped);
    if !skipped.is_empty() {
        let _ = write!(text, "\n{skipped}");
    }
    if let Some(last) = &document.last_run {
        let tone = if last.exit_code == 0 {
            Tone::Good
        } else {
            Tone::Bad
        };
        let code = paint.tone(tone, &format!("exit code {}", last.exit_code));
        let _ = write!(
            text,
            "\nlast run {} began {}, {code}",
            last.run, last.started
        );
        if let Some(error) = &last.error {
            let _ = write!(text, ": {error}");
        }
        text.push('\n');
    }
    text
}
