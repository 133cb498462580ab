//! `evaluate`: scores of every model on the rows that it was not fitted on.

use super::modalities::ModalityScores;
use super::split::{TEST, VALIDATION};
use super::{Input, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::NeedRule;
use crate::fingerprint::Digest;
use crate::model::{ClassScores, Confusion, LabelMap};
use crate::schema::{self, CONFUSION, HELD_OUT, LABELLED, MODALITY_SCORES, SCORES};
use arrow::array::{ArrayRef, Float64Array, StringArray, UInt64Array};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `evaluate` has no parameters: the metric is the weighted F1.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {}

/// The stage.
pub(super) struct Evaluate;

impl Kind for Evaluate {
    const NAME: &'static str = "evaluate";
    const SUMMARY: &'static str = "Scores every model on the rows that it was not fitted on.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![
            one("split", &[LABELLED]),
            NeedRule {
                kind: "train",
                datasets: vec![HELD_OUT],
                count: (1, usize::MAX),
                may_be_skipped: true,
            },
        ]
    }

    fn new(_: Params) -> Self {
        Self
    }
}

/// File with the scores by model.
const SCORES_FILE: &str = "scores.json";

/// Scores of one model, as people and `predict` read them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelScores {
    /// Weighted F1 on the validation rows that the model answers for.
    validation_f1: f64,
    /// Weighted F1 on the test rows that the model answers for.
    test_f1: f64,
    /// Accuracy on the same rows.
    test_accuracy: f64,
    /// Test rows that the model answers for.
    test_rows: u64,
    /// Share of all validation rows that the model answers for.
    validation_coverage: f64,
    /// Weighted F1 over all validation rows, where a row without answer is a wrong one: what
    /// decides which model is best.
    selection_f1: f64,
}

/// Reads the scores that an `evaluate` stage wrote.
pub(super) fn read_scores(input: &Input) -> Result<BTreeMap<String, ModelScores>, StageError> {
    serde_json::from_slice(&input.reader.file(SCORES_FILE)?)
        .map_err(|error| StageError::Unusable(format!("{SCORES_FILE} of {}: {error}", input.stage)))
}

/// The model with the best validation score among some; the first by name of equals.
pub(super) fn best_model<'a>(
    scores: &'a BTreeMap<String, ModelScores>,
    candidates: &[&str],
) -> Option<&'a str> {
    let mut best: Option<(&str, f64)> = None;
    for (name, score) in scores
        .iter()
        .filter(|(name, _)| candidates.contains(&name.as_str()))
    {
        if best.is_none_or(|(_, highest)| score.selection_f1 > highest) {
            best = Some((name, score.selection_f1));
        }
    }
    best.map(|(name, _)| name)
}

/// Actual and predicted class of each held-out row of one fold.
type Pairs = Vec<(usize, usize)>;

impl Stage for Evaluate {
    fn version(&self) -> u32 {
        2
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let writer = run.begin(BTreeMap::new())?;
        let (labels, validation_labels) = all_labels(run.input("split")?)?;
        let mut table = ScoreTable::default();
        let mut modalities = ModalityScores::default();
        let mut scores: BTreeMap<String, ModelScores> = BTreeMap::new();
        for input in run.inputs_of("train") {
            let validation = pairs(input, VALIDATION, &labels)?;
            let test = pairs(input, TEST, &labels)?;
            let selection_f1 = selection_f1(&validation, &validation_labels, &labels);
            let coverage = ratio(validation.len(), validation_labels.len());
            let validation = Confusion::from_pairs(labels.len(), validation);
            let test = Confusion::from_pairs(labels.len(), test);
            table.add(&input.stage, VALIDATION, &validation, &labels);
            table.add(&input.stage, TEST, &test, &labels);
            let score = ModelScores {
                validation_f1: validation.weighted_f1(),
                test_f1: test.weighted_f1(),
                test_accuracy: test.accuracy(),
                test_rows: test.total(),
                validation_coverage: coverage,
                selection_f1,
            };
            scores.insert(input.stage.clone(), score);
            modalities.add(input, &[VALIDATION, TEST], &labels)?;
        }
        writer.write_part(SCORES, 0, &Digest::of(b""), &table.scores()?)?;
        writer.write_part(CONFUSION, 0, &Digest::of(b""), &table.confusion()?)?;
        let modalities = modalities.finish()?;
        writer.write_part(MODALITY_SCORES, 0, &Digest::of(b""), &modalities)?;
        let json = serde_json::to_vec_pretty(&scores).unwrap_or_default();
        writer.write_file(SCORES_FILE, Bytes::from(json), true)?;
        let names: Vec<&str> = scores.keys().map(String::as_str).collect();
        let mut summary = Map::new();
        summary.insert("best".to_owned(), json!(best_model(&scores, &names)));
        summary.insert("models".to_owned(), json!(scores));
        Ok(StageOutput { writer, summary })
    }
}

/// All classes, and the class of each validation row.
fn all_labels(split: &Input) -> Result<(LabelMap, Vec<String>), StageError> {
    let mut all = Vec::new();
    let mut validation = Vec::new();
    for batch in split.reader.parts(LABELLED, None)? {
        let batch = batch?;
        let labels: &StringArray = schema::column(&batch, "label")?;
        let folds: &StringArray = schema::column(&batch, "fold")?;
        for (label, fold) in labels.iter().flatten().zip(folds.iter().flatten()) {
            all.push(label.to_owned());
            if fold == VALIDATION {
                validation.push(label.to_owned());
            }
        }
    }
    Ok((LabelMap::new(all), validation))
}

fn pairs(input: &Input, fold: &str, labels: &LabelMap) -> Result<Pairs, StageError> {
    let mut pairs = Vec::new();
    for batch in input
        .reader
        .parts(HELD_OUT, Some(&["fold", "label", "predicted"]))?
    {
        let batch = batch?;
        let folds: &StringArray = schema::column(&batch, "fold")?;
        let actual: &StringArray = schema::column(&batch, "label")?;
        let predicted: &StringArray = schema::column(&batch, "predicted")?;
        for row in (0..batch.num_rows()).filter(|row| folds.value(*row) == fold) {
            let class = |label: &str| {
                labels.index(label).ok_or_else(|| {
                    StageError::Unusable(format!(
                        "{} predicts the unknown category {label:?}",
                        input.stage
                    ))
                })
            };
            pairs.push((class(actual.value(row))?, class(predicted.value(row))?));
        }
    }
    Ok(pairs)
}

/// Weighted F1 over all validation rows; those without an answer count as an extra class that nobody is of.
fn selection_f1(answered: &Pairs, all: &[String], labels: &LabelMap) -> f64 {
    let nothing = labels.len();
    let mut unanswered = vec![0_usize; labels.len()];
    for class in all.iter().filter_map(|label| labels.index(label)) {
        unanswered[class] += 1;
    }
    for (actual, _) in answered {
        unanswered[*actual] = unanswered[*actual].saturating_sub(1);
    }
    let missing = unanswered
        .into_iter()
        .enumerate()
        .flat_map(|(class, count)| std::iter::repeat_n((class, nothing), count));
    Confusion::from_pairs(labels.len() + 1, answered.iter().copied().chain(missing)).weighted_f1()
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Precision, recall and F1 averaged over the classes that occur, as rows or as predictions, as scikit-learn's report does.
fn average(confusion: &Confusion, weight: impl Fn(&ClassScores) -> f64) -> [f64; 3] {
    let classes = confusion.per_class();
    let occurs =
        |class: usize| (0..confusion.classes()).any(|other| confusion.count(other, class) > 0);
    let mut sums = [0.0; 3];
    let mut total = 0.0;
    for (class, scores) in classes.iter().enumerate() {
        if scores.support == 0 && !occurs(class) {
            continue;
        }
        let weight = weight(scores);
        total += weight;
        for (sum, value) in sums
            .iter_mut()
            .zip([scores.precision, scores.recall, scores.f1])
        {
            *sum += weight * value;
        }
    }
    sums.map(|sum| if total > 0.0 { sum / total } else { 0.0 })
}

/// Rows of the two datasets.
#[derive(Default)]
struct ScoreTable {
    scores: Vec<(String, String, String, [f64; 3], u64)>,
    confusion: Vec<(String, String, String, String, u64)>,
}

impl ScoreTable {
    fn add(&mut self, model: &str, fold: &str, confusion: &Confusion, labels: &LabelMap) {
        let (model, fold) = (model.to_owned(), fold.to_owned());
        let name = |class: usize| labels.label(class).unwrap_or_default().to_owned();
        for (class, scores) in confusion.per_class().iter().enumerate() {
            let values = [scores.precision, scores.recall, scores.f1];
            self.scores.push((
                model.clone(),
                fold.clone(),
                name(class),
                values,
                scores.support,
            ));
        }
        let total = confusion.total();
        let accuracy = confusion.accuracy();
        for (label, values) in [
            ("accuracy", [accuracy; 3]),
            ("macro avg", average(confusion, |_| 1.0)),
            (
                "weighted avg",
                average(confusion, |scores| scores.support as f64),
            ),
        ] {
            self.scores
                .push((model.clone(), fold.clone(), label.to_owned(), values, total));
        }
        for actual in 0..labels.len() {
            for predicted in 0..labels.len() {
                let count = confusion.count(actual, predicted);
                if count > 0 {
                    let pair = (name(actual), name(predicted));
                    self.confusion
                        .push((model.clone(), fold.clone(), pair.0, pair.1, count));
                }
            }
        }
    }

    fn scores(&self) -> Result<arrow::array::RecordBatch, StageError> {
        let values = |at: usize| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(
                self.scores.iter().map(|row| row.3[at]),
            ))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(
                self.scores.iter().map(|row| &row.0),
            )),
            Arc::new(StringArray::from_iter_values(
                self.scores.iter().map(|row| &row.1),
            )),
            Arc::new(StringArray::from_iter_values(
                self.scores.iter().map(|row| &row.2),
            )),
            values(0),
            values(1),
            values(2),
            Arc::new(UInt64Array::from_iter_values(
                self.scores.iter().map(|row| row.4),
            )),
        ];
        Ok(schema::batch(schema::scores(), columns)?)
    }

    fn confusion(&self) -> Result<arrow::array::RecordBatch, StageError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(
                self.confusion.iter().map(|row| &row.0),
            )),
            Arc::new(StringArray::from_iter_values(
                self.confusion.iter().map(|row| &row.1),
            )),
            Arc::new(StringArray::from_iter_values(
                self.confusion.iter().map(|row| &row.2),
            )),
            Arc::new(StringArray::from_iter_values(
                self.confusion.iter().map(|row| &row.3),
            )),
            Arc::new(UInt64Array::from_iter_values(
                self.confusion.iter().map(|row| row.4),
            )),
        ];
        Ok(schema::batch(schema::confusion(), columns)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_those_of_the_report() {
        // sklearn.metrics.classification_report([0, 0, 1], [0, 1, 1]): weighted precision 0.8333, recall 0.6667, f1 0.6667.
        let confusion = Confusion::from_pairs(3, [(0, 0), (0, 1), (1, 1)]);
        let weighted = average(&confusion, |scores| scores.support as f64);
        for (found, expected) in weighted.iter().zip([0.833_333, 0.666_667, 0.666_667]) {
            assert!((found - expected).abs() < 1e-5, "{weighted:?}");
        }
        assert!((weighted[2] - confusion.weighted_f1()).abs() < 1e-12);
        assert!((average(&confusion, |_| 1.0)[0] - 0.75).abs() < 1e-12);
    }

    #[test]
    fn rows_without_an_answer_count_against_a_model() {
        let labels = LabelMap::new(["a".to_owned(), "b".to_owned()]);
        let all: Vec<String> = ["a", "a", "b", "b"].map(str::to_owned).to_vec();
        let whole = vec![(0, 0), (0, 0), (1, 1), (1, 1)];
        assert!((selection_f1(&whole, &all, &labels) - 1.0).abs() < 1e-12);
        let half = selection_f1(&vec![(0, 0), (1, 1)], &all, &labels);
        assert!((half - 2.0 / 3.0).abs() < 1e-12, "{half}");
    }

    #[test]
    fn the_best_is_by_validation_and_ties_go_by_name() {
        let score = |selection_f1| ModelScores {
            validation_f1: 0.0,
            test_f1: 0.0,
            test_accuracy: 0.0,
            test_rows: 0,
            validation_coverage: 1.0,
            selection_f1,
        };
        let scores = BTreeMap::from([
            ("a".to_owned(), score(0.5)),
            ("b".to_owned(), score(0.7)),
            ("c".to_owned(), score(0.7)),
        ]);
        assert_eq!(best_model(&scores, &["a", "b", "c"]), Some("b"));
        assert_eq!(best_model(&scores, &["a", "c"]), Some("c"));
        assert_eq!(best_model(&scores, &[]), None);
    }
}
