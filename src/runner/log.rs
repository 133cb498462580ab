//! What is logged of a run. Fields have their unit as the last word of the name: machines read them, too.

use super::{RunRecord, StageRecord, StageStatus, chain};
use crate::stages::StageError;

/// A run begins with so many stages.
pub(super) fn run_begins(record: &RunRecord, stages: usize) {
    let RunRecord {
        run,
        pipeline,
        version,
        ..
    } = record;
    tracing::info!(run, pipeline, version, stages, "run begins");
    for (stage, reason) in &record.skipped {
        tracing::info!(stage, reason, "stage is skipped");
    }
}

/// A run has ended, well or not; so many stages were selected.
pub(super) fn run_ended(record: &RunRecord, stages: usize) {
    let count = |status| record.count(status);
    tracing::info!(
        run = record.run,
        status = record.status.as_str(),
        exit_code = record.exit_code,
        failed_stage = record.failed_stage,
        elapsed_ms = record.elapsed_ms,
        stages,
        stages_ran = count(StageStatus::Ran),
        stages_fresh = count(StageStatus::Fresh),
        stages_failed = count(StageStatus::Failed),
        peak_rss_bytes = record.peak_rss_bytes,
        text_rows_per_s = record.text_rows_per_s,
        images_per_s = record.images_per_s,
        published_rows = record.published().map(|(_, rows)| rows),
        "run ended"
    );
}

/// A stage that ran has ended.
pub(super) fn stage_ended(record: &StageRecord, error: Option<&StageError>) {
    let StageRecord {
        stage,
        elapsed_ms,
        done,
        unit,
        done_per_s,
        parts_made,
        parts_taken_over,
        ..
    } = record;
    match error {
        None => tracing::info!(
            stage,
            elapsed_ms,
            done,
            unit,
            done_per_s,
            parts_made,
            parts_taken_over,
            "stage ended"
        ),
        Some(StageError::Interrupted { signal }) => tracing::warn!(
            stage,
            elapsed_ms,
            done,
            unit,
            parts_made,
            parts_taken_over,
            signal,
            "stage was stopped"
        ),
        Some(error) => tracing::error!(
            stage,
            elapsed_ms,
            done,
            unit,
            parts_made,
            parts_taken_over,
            error = chain(error),
            "stage failed"
        ),
    }
}
