//! Two run records side by side: scores, durations, rows.

use super::summary::{ModelScores, RunSummary, scores_of};
use crate::runner::{RunRecord, StageRecord, StageStatus};
use serde::Serialize;
use std::collections::BTreeMap;

/// Two runs side by side; of what only one has, the other side is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The one run.
    pub old: RunSummary,
    /// The other one.
    pub new: RunSummary,
    /// Scores of each model.
    pub models: Vec<ModelChange>,
    /// Time of each stage.
    pub stages: Vec<StageChange>,
    /// Rows of each dataset.
    pub datasets: Vec<RowsChange>,
}

/// Scores of a model in two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelChange {
    /// The model.
    pub model: String,
    /// Its scores in the one run.
    pub old: Option<ModelScores>,
    /// In the other one.
    pub new: Option<ModelScores>,
}

/// What became of a stage, and in what time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StageTime {
    /// What became of it.
    pub status: StageStatus,
    /// How long it took; 0 where nothing was to be done.
    pub elapsed_ms: u64,
}

/// A stage in two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageChange {
    /// The stage.
    pub stage: String,
    /// What became of it in the one run.
    pub old: Option<StageTime>,
    /// In the other one.
    pub new: Option<StageTime>,
    /// Whether both used the same checkpoint.
    pub same_checkpoint: bool,
}

/// Rows of a dataset in two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowsChange {
    /// The stage.
    pub stage: String,
    /// Its dataset.
    pub dataset: String,
    /// Rows in the one run.
    pub old_rows: Option<u64>,
    /// In the other one.
    pub new_rows: Option<u64>,
}

/// Puts two runs side by side: stages in the order of the newer record, those that only the older one has last.
#[must_use]
pub fn compare(old: &RunRecord, new: &RunRecord) -> Comparison {
    let (old_scores, new_scores) = (scores_of(old), scores_of(new));
    let models = paired(old_scores.keys(), new_scores.keys()).into_iter();
    let models = models.map(|model| ModelChange {
        old: old_scores.get(model).copied(),
        new: new_scores.get(model).copied(),
        model: model.clone(),
    });
    let name = |record: &'_ RunRecord| -> Vec<String> {
        record
            .stages
            .iter()
            .map(|stage| stage.stage.clone())
            .collect()
    };
    let (old_names, new_names) = (name(old), name(new));
    let stages = paired(&old_names, &new_names);
    let stages = stages
        .into_iter()
        .map(|stage| stage_change(old, new, stage));
    let (old_rows, new_rows) = (rows_of(old), rows_of(new));
    let datasets = paired(old_rows.keys(), new_rows.keys()).into_iter();
    let datasets = datasets.map(|key| RowsChange {
        stage: key.0.clone(),
        dataset: key.1.clone(),
        old_rows: old_rows.get(key).copied(),
        new_rows: new_rows.get(key).copied(),
    });
    Comparison {
        models: models.collect(),
        stages: stages.collect(),
        datasets: datasets.collect(),
        old: RunSummary::of(old),
        new: RunSummary::of(new),
    }
}

/// The names of both, those of the new one first and in its order.
fn paired<'a, T: PartialEq>(
    old: impl IntoIterator<Item = &'a T>,
    new: impl IntoIterator<Item = &'a T>,
) -> Vec<&'a T> {
    let mut names: Vec<&T> = new.into_iter().collect();
    for name in old {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn stage_change(old: &RunRecord, new: &RunRecord, stage: &str) -> StageChange {
    let time = |found: &StageRecord| StageTime {
        status: found.status,
        elapsed_ms: found.elapsed_ms,
    };
    let (old, new) = (stage_of(old, stage), stage_of(new, stage));
    let fingerprints = old.zip(new);
    StageChange {
        stage: stage.to_owned(),
        same_checkpoint: fingerprints.is_some_and(|(a, b)| a.fingerprint == b.fingerprint),
        old: old.map(time),
        new: new.map(time),
    }
}

fn stage_of<'a>(record: &'a RunRecord, stage: &str) -> Option<&'a StageRecord> {
    record.stages.iter().find(|known| known.stage == stage)
}

fn rows_of(record: &RunRecord) -> BTreeMap<(String, String), u64> {
    let stages = record.stages.iter();
    let rows = stages.flat_map(|stage| {
        let rows = stage.rows.iter();
        rows.map(|(dataset, rows)| ((stage.stage.clone(), dataset.clone()), *rows))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn stage(
        name: &str,
        fingerprint: &str,
        elapsed_ms: u64,
        summary: &Value,
        rows: &Value,
    ) -> Value {
        json!({
            "stage": name, "status": if elapsed_ms > 0 { "ran" } else { "fresh" }, "fingerprint": fingerprint,
            "reason": null, "elapsed_ms": elapsed_ms, "done": 0, "unit": "rows", "done_per_s": 0.0, "images": 0,
            "parts_made": 0, "parts_taken_over": 0, "rows": rows, "summary": summary, "checks": [],
        })
    }

    fn record(run: &str, stages: &[Value]) -> RunRecord {
        let record = json!({
            "run": run, "pipeline": "p", "version": "0", "started": "2026-11-20T02:30:00Z", "elapsed_ms": 5,
            "status": "ok", "exit_code": 0, "error": null, "device": null, "text_rows_per_s": null,
            "images_per_s": null, "peak_rss_bytes": 7, "stages": stages,
        });
        serde_json::from_value(record).unwrap()
    }

    fn scores(best: &str, models: &[(&str, f64)]) -> Value {
        let scores = |f1: f64| json!({ "test_f1": f1, "test_rows": 10, "selection_f1": f1 });
        let models = models
            .iter()
            .map(|(name, f1)| ((*name).to_owned(), scores(*f1)));
        json!({ "best": best, "models": models.collect::<serde_json::Map<_, _>>() })
    }

    #[test]
    fn what_only_one_run_has_stands_alone() {
        let ingest = |fingerprint, rows: u64, ms| {
            let rows = json!({ "labelled": rows, "rejects": 1, "unlabelled": 2 });
            stage("ingest", fingerprint, ms, &json!({}), &rows)
        };
        let old = record(
            "a",
            &[
                ingest("1", 8, 100),
                stage("gone", "2", 50, &json!({}), &json!({})),
                stage(
                    "evaluate",
                    "3",
                    9,
                    &scores("svm", &[("svm", 0.7), ("tree", 0.4)]),
                    &json!({}),
                ),
            ],
        );
        let publish = json!({ "path": "predictions/x", "rows": 2 });
        let new = record(
            "b",
            &[
                ingest("1", 9, 0),
                stage(
                    "evaluate",
                    "4",
                    9,
                    &scores("net", &[("net", 0.8), ("svm", 0.75)]),
                    &json!({}),
                ),
                stage("publish", "5", 3, &publish, &json!({})),
            ],
        );
        let compared = compare(&old, &new);
        let names: Vec<&str> = compared
            .stages
            .iter()
            .map(|stage| stage.stage.as_str())
            .collect();
        assert_eq!(names, ["ingest", "evaluate", "publish", "gone"]);
        assert!(compared.stages[0].same_checkpoint && !compared.stages[1].same_checkpoint);
        assert_eq!(compared.stages[2].old, None);
        assert_eq!(compared.stages[3].new, None);
        let f1 = |scores: Option<ModelScores>| scores.map(|scores| scores.test_f1);
        let models: Vec<_> = compared
            .models
            .iter()
            .map(|change| (change.model.as_str(), f1(change.old), f1(change.new)))
            .collect();
        assert_eq!(
            models,
            [
                ("net", None, Some(0.8)),
                ("svm", Some(0.7), Some(0.75)),
                ("tree", Some(0.4), None)
            ]
        );
        let labelled = &compared.datasets[0];
        assert_eq!(
            (
                labelled.dataset.as_str(),
                labelled.old_rows,
                labelled.new_rows
            ),
            ("labelled", Some(8), Some(9))
        );
        assert_eq!(
            (compared.old.product_rows, compared.new.product_rows),
            (Some(10), Some(11))
        );
        assert_eq!(
            (compared.old.published_rows, compared.new.published_rows),
            (None, Some(2))
        );
        assert_eq!(
            (
                compared.new.best_model.as_deref(),
                compared.new.best_test_f1
            ),
            (Some("net"), Some(0.8))
        );
        assert_eq!((compared.new.stages_ran, compared.new.stages_fresh), (2, 1));
    }
}
