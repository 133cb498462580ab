//! `split`: the fold of each labelled row, the same for every model.
//!
//! Stratified: each category gives its share to each fold. Within a category the rows are ordered by a hash of
//! seed and id, so that a new row moves at most the rows at the borders of the folds.

use super::{Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::schema::{self, LABELLED};
use arrow::array::{ArrayRef, StringArray};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rows that models are fitted on.
pub(super) const TRAIN: &str = "train";
/// Rows that decide when to stop and which model is best.
pub(super) const VALIDATION: &str = "validation";
/// Rows that only scores are computed on.
pub(super) const TEST: &str = "test";

/// Parameters of `split`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// Share of all rows that are for testing.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    test: f64,
    /// Share of the other rows that are for validation.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    validation: f64,
    /// Seed of the order within a category.
    seed: u64,
    /// Which of the rows are for testing: with a share of 0.2, those of 0 to 4 are all rows, each once. For a
    /// cross-validation of whole pipelines.
    test_fold: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            test: 0.2,
            validation: 0.15,
            seed: 123,
            test_fold: 0,
        }
    }
}

/// The stage.
pub(super) struct Split {
    params: Params,
}

impl Kind for Split {
    const NAME: &'static str = "split";
    const SUMMARY: &'static str =
        "Assigns each labelled row to training, validation or test, the same for every model.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![one("ingest", &[LABELLED])]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        for (key, share) in [("test", params.test), ("validation", params.validation)] {
            if !(0.0..1.0).contains(&share) {
                issues.push(Issue::new(
                    format!("{path}.{key}"),
                    "must be at least 0 and below 1",
                ));
            }
        }
        if params.test_fold > 0 && (f64::from(params.test_fold) + 1.0) * params.test > 1.0 + 1e-9 {
            let message = "there are not so many folds of the share `test`";
            issues.push(Issue::new(format!("{path}.test_fold"), message));
        }
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for Split {
    fn version(&self) -> u32 {
        1
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let reader = &run.input("ingest")?.reader;
        let mut by_label: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for batch in reader.parts(LABELLED, Some(&["id", "label"]))? {
            let batch = batch?;
            let ids: &StringArray = schema::column(&batch, "id")?;
            let labels: &StringArray = schema::column(&batch, "label")?;
            for (id, label) in ids.iter().flatten().zip(labels.iter().flatten()) {
                by_label
                    .entry(label.to_owned())
                    .or_default()
                    .push(id.to_owned());
            }
        }
        let mut folds: HashMap<String, &'static str> = HashMap::new();
        for ids in by_label.into_values() {
            folds.extend(assign(ids, &self.params));
        }
        let writer = run.begin(BTreeMap::new())?;
        run.monitor.expect(folds.len() as u64, "rows");
        for (index, batch) in reader.parts(LABELLED, Some(&["id", "label"]))?.enumerate() {
            let batch = batch?;
            let ids: &StringArray = schema::column(&batch, "id")?;
            let fold_of = |id: &str| folds.get(id).copied().unwrap_or(TRAIN);
            let column: ArrayRef = Arc::new(
                ids.iter()
                    .map(|id| id.map(fold_of))
                    .collect::<StringArray>(),
            );
            let labels = schema::column::<StringArray>(&batch, "label")?.clone();
            let columns = vec![
                batch.column(0).clone(),
                column,
                Arc::new(labels) as ArrayRef,
            ];
            let part = schema::batch(schema::folds(), columns)?;
            writer.write_part(LABELLED, index, &Digest::of(b""), &part)?;
            run.monitor.part_made();
            run.monitor.advance(part.num_rows() as u64);
        }
        let count = |fold: &str| folds.values().filter(|other| **other == fold).count();
        let mut summary = Map::new();
        for fold in [TRAIN, VALIDATION, TEST] {
            summary.insert(fold.to_owned(), json!(count(fold)));
        }
        Ok(StageOutput { writer, summary })
    }
}

/// Assigns the rows of one category; at least one is left for training.
fn assign(mut ids: Vec<String>, params: &Params) -> Vec<(String, &'static str)> {
    let place = |id: &str| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&params.seed.to_le_bytes());
        hasher.update(id.as_bytes());
        *hasher.finalize().as_bytes()
    };
    ids.sort_by_cached_key(|id| place(id));
    let border = |fold: f64| share_of(ids.len(), params.test * fold).min(ids.len());
    let fold = f64::from(params.test_fold);
    let (first, next) = (border(fold), border(fold + 1.0));
    let test = (next - first).min(ids.len().saturating_sub(1));
    ids.rotate_left(first);
    let rest = ids.len() - test;
    let validation = share_of(rest, params.validation).min(rest.saturating_sub(1));
    let fold = |at: usize| match at {
        at if at < test => TEST,
        at if at < test + validation => VALIDATION,
        _ => TRAIN,
    };
    ids.into_iter()
        .enumerate()
        .map(|(at, id)| (id, fold(at)))
        .collect()
}

fn share_of(rows: usize, share: f64) -> usize {
    (rows as f64 * share).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|id| id.to_string()).collect()
    }

    fn counts(folds: &[(String, &'static str)]) -> [usize; 3] {
        [TRAIN, VALIDATION, TEST]
            .map(|fold| folds.iter().filter(|(_, other)| *other == fold).count())
    }

    #[test]
    fn shares_are_those_of_the_parameters() {
        assert_eq!(counts(&assign(ids(100), &Params::default())), [68, 12, 20]);
    }

    #[test]
    fn the_smallest_categories_are_trained_on() {
        assert_eq!(counts(&assign(ids(1), &Params::default())), [1, 0, 0]);
        assert_eq!(
            counts(&assign(
                ids(2),
                &Params {
                    test: 0.9,
                    validation: 0.9,
                    seed: 1,
                    test_fold: 0,
                }
            )),
            [1, 0, 1]
        );
    }

    #[test]
    fn every_row_is_for_testing_in_one_fold() {
        for count in [5, 7, 33, 100] {
            let mut tested = Vec::new();
            for test_fold in 0..5 {
                let params = Params {
                    test_fold,
                    ..Params::default()
                };
                let folds = assign(ids(count), &params);
                assert_eq!(folds.len(), count);
                let test = folds.into_iter().filter(|(_, fold)| *fold == TEST);
                tested.extend(test.map(|(id, _)| id));
            }
            tested.sort();
            let mut all = ids(count);
            all.sort();
            assert_eq!(tested, all);
        }
        let issues = |test_fold| {
            let mut issues = Vec::new();
            let params = Params {
                test_fold,
                ..Params::default()
            };
            Split::validate(&params, "p", &mut issues);
            issues.len()
        };
        assert_eq!((issues(4), issues(5), issues(u32::MAX)), (0, 1, 1));
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter_and_the_seed_does() {
        let sorted = |mut folds: Vec<(String, &'static str)>| {
            folds.sort();
            folds
        };
        let params = Params::default();
        let reversed = ids(50).into_iter().rev().collect();
        assert_eq!(
            sorted(assign(ids(50), &params)),
            sorted(assign(reversed, &params))
        );
        let other = Params {
            seed: 7,
            ..params.clone()
        };
        assert_ne!(
            sorted(assign(ids(50), &params)),
            sorted(assign(ids(50), &other))
        );
    }
}
