//! A run in a few numbers.

use crate::runner::{RunRecord, RunStatus, StageRecord, StageStatus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run in a few numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub run: String,
    /// When it began, in UTC.
    pub started: String,
    /// How it ended.
    pub status: RunStatus,
    /// Exit code of the process.
    pub exit_code: u8,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Peak resident set size of the process.
    pub peak_rss_bytes: u64,
    /// Stages that ran to their end.
    pub stages_ran: usize,
    /// Stages of which nothing was to be done.
    pub stages_fresh: usize,
    /// Products, labelled and not; `None` where it did not come so far.
    pub product_rows: Option<u64>,
    /// Rows that were published, or had been.
    pub published_rows: Option<u64>,
    /// The model with the best validation score.
    pub best_model: Option<String>,
    /// Weighted F1 of that model on the test rows that it answers for.
    pub best_test_f1: Option<f64>,
}

/// Scores of a model, as `evaluate` sums them up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ModelScores {
    /// Weighted F1 on the test rows that it answers for.
    pub test_f1: f64,
    /// How many those are.
    pub test_rows: u64,
    /// Weighted F1 on all validation rows, where a row without an answer is a wrong one.
    pub selection_f1: f64,
}

impl RunSummary {
    /// Sums a record up.
    #[must_use]
    pub fn of(record: &RunRecord) -> Self {
        let count = |status| {
            record
                .stages
                .iter()
                .filter(|stage| stage.status == status)
                .count()
        };
        let scores = scores_of(record);
        let best_model = best_of(record);
        let best = best_model.as_ref().and_then(|model| scores.get(model));
        Self {
            run: record.run.clone(),
            started: record.started.clone(),
            status: record.status,
            exit_code: record.exit_code,
            error: record.error.clone(),
            elapsed_ms: record.elapsed_ms,
            peak_rss_bytes: record.peak_rss_bytes,
            stages_ran: count(StageStatus::Ran),
            stages_fresh: count(StageStatus::Fresh),
            product_rows: product_rows(record),
            published_rows: record.stages.iter().find_map(published_rows),
            best_test_f1: best.map(|scores| scores.test_f1),
            best_model,
        }
    }
}

/// Scores by model; empty where the run did not come so far.
#[must_use]
pub fn scores_of(record: &RunRecord) -> BTreeMap<String, ModelScores> {
    let models = record
        .stages
        .iter()
        .find_map(|stage| stage.summary.get("models"));
    let parsed = models.and_then(|models| serde_json::from_value(models.clone()).ok());
    parsed.unwrap_or_default()
}

fn best_of(record: &RunRecord) -> Option<String> {
    let best = record
        .stages
        .iter()
        .find_map(|stage| stage.summary.get("best"));
    best.and_then(|best| best.as_str()).map(str::to_owned)
}

/// Rows of the stage that leaves rejects: it is the one that reads the source.
fn product_rows(record: &RunRecord) -> Option<u64> {
    let ingest = record
        .stages
        .iter()
        .find(|stage| stage.rows.contains_key("rejects"))?;
    let products = ingest.rows.iter().filter(|(name, _)| *name != "rejects");
    Some(products.map(|(_, rows)| rows).sum())
}

/// Only `publish` says where its rows are.
fn published_rows(stage: &StageRecord) -> Option<u64> {
    stage.summary.get("path")?;
    stage.summary.get("rows")?.as_u64()
}
