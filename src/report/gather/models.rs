//! Scores of the models: over all, by category, of pixels, and by what is known of a product.

use super::counts::share;
use super::networks::networks;
use crate::checkpoint::CheckpointReader;
use crate::model::LabelMap;
use crate::report::ReportError;
use crate::report::data::{
    CategoryCount, CategoryScores, ConfusedPair, ConfusionMatrix, ModalityScore, ModelScore,
    Models, PixelScore,
};
use crate::report::sources::{Sources, json, texts};
use crate::schema::{self, CONFUSION, MODALITY_SCORES, SCORES};
use arrow::array::{Float64Array, UInt64Array};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fold whose scores are shown.
const TEST: &str = "test";
/// Pairs listed below a matrix.
const PAIRS: usize = 8;
/// Rows of `scores` that stand for all categories together.
const TOGETHER: [&str; 3] = ["macro avg", "weighted avg", "accuracy"];

/// What `evaluate` writes of each model.
#[derive(Deserialize)]
struct Written {
    test_accuracy: f64,
    test_f1: f64,
    test_rows: u64,
    selection_f1: f64,
}

/// Reads the section; empty without a checkpoint of `evaluate`.
pub(super) fn models(sources: &Sources<'_>) -> Result<Models, ReportError> {
    let mut models = Models {
        networks: networks(sources)?,
        ..Models::default()
    };
    let Some((evaluate, reader)) = sources.main("evaluate") else {
        return Ok(models);
    };
    let written: BTreeMap<String, Written> = json(evaluate, reader, "scores.json")?;
    let best = text_of(reader, "best").unwrap_or_default();
    let predicts = sources
        .main("predict")
        .and_then(|(_, reader)| text_of(reader, "model"));
    models.scores = written
        .iter()
        .map(|(model, scores)| model_score(sources, model, scores, &best))
        .collect();
    models
        .scores
        .sort_by(|a, b| b.test_f1.total_cmp(&a.test_f1));
    models.chosen = predicts.unwrap_or(best);
    let scores = Scores::read(reader)?;
    models.by_category = by_category(sources, &models.scores, &scores);
    models.pixels = pixels(sources, &models.scores, &scores);
    models.confusions = confusions(sources, reader, &models)?;
    models.modalities = modalities(reader)?;
    Ok(models)
}

fn text_of(reader: &CheckpointReader, key: &str) -> Option<String> {
    reader
        .manifest()
        .summary
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn model_score(sources: &Sources<'_>, model: &str, scores: &Written, best: &str) -> ModelScore {
    let reader = sources.stage(model);
    let number = |key: &str| reader?.manifest().summary.get(key)?.as_u64();
    ModelScore {
        model: model.to_owned(),
        kind: reader
            .and_then(|reader| text_of(reader, "model"))
            .unwrap_or_default(),
        reads: reads(sources, model),
        test_accuracy: scores.test_accuracy,
        test_f1: scores.test_f1,
        test_rows: scores.test_rows,
        selection_f1: scores.selection_f1,
        is_best: model == best,
        parameters: number("parameters"),
        elapsed_ms: sources.made(model).map(|record| record.elapsed_ms),
    }
}

/// What a model reads, by the stages that it needs: `text`, `image` or `text+image`.
pub(super) fn reads(sources: &Sources<'_>, stage: &str) -> String {
    fn walk(sources: &Sources<'_>, stage: &str, found: &mut [bool; 2]) {
        for need in sources.needs(stage) {
            match sources.kind(need) {
                "tfidf" | "tokenize" => found[0] = true,
                "decode_images" | "embed_images" | "pca" => found[1] = true,
                "train" => walk(sources, need, found),
                _ => {}
            }
        }
    }
    let mut found = [false; 2];
    walk(sources, stage, &mut found);
    let names = ["text", "image"].into_iter().zip(found);
    let names: Vec<&str> = names
        .filter(|(_, reads)| *reads)
        .map(|(name, _)| name)
        .collect();
    names.join("+")
}

/// Precision, recall, F1 and rows of the test fold, by model and label.
#[derive(Default)]
struct Scores {
    rows: BTreeMap<(String, String), ([f64; 3], u64)>,
    labels: Vec<String>,
}

impl Scores {
    fn read(reader: &CheckpointReader) -> Result<Self, ReportError> {
        let mut scores = Self::default();
        for batch in reader.parts(SCORES, None)? {
            let batch = batch?;
            let [models, folds, labels] = [
                texts(&batch, "model")?,
                texts(&batch, "fold")?,
                texts(&batch, "label")?,
            ];
            let number = |name| schema::column::<Float64Array>(&batch, name);
            let values = [number("precision")?, number("recall")?, number("f1")?];
            let support: &UInt64Array = schema::column(&batch, "support")?;
            for row in (0..batch.num_rows()).filter(|row| folds.value(*row) == TEST) {
                let key = (models.value(row).to_owned(), labels.value(row).to_owned());
                let found = values.map(|column| column.value(row));
                scores.rows.insert(key, (found, support.value(row)));
            }
        }
        let labels = scores.rows.keys().map(|(_, label)| label.clone());
        let labels = labels.filter(|label| !TOGETHER.contains(&label.as_str()));
        scores.labels = LabelMap::new(labels).labels().to_vec();
        Ok(scores)
    }

    fn of(&self, model: &str, label: &str) -> Option<([f64; 3], u64)> {
        self.rows
            .get(&(model.to_owned(), label.to_owned()))
            .copied()
    }
}

/// F1 of each category by each model. Rows are those of the model that answers for most.
fn by_category(
    sources: &Sources<'_>,
    models: &[ModelScore],
    scores: &Scores,
) -> Vec<CategoryScores> {
    let together = TOGETHER[..2].iter().map(|label| (*label).to_owned());
    let labels = scores.labels.iter().cloned().chain(together);
    let row = |label: String| {
        let found = models.iter().map(|model| scores.of(&model.model, &label));
        let found: Vec<Option<([f64; 3], u64)>> = found.collect();
        // A model has no score for a category of which it saw no test row.
        let f1: Vec<Option<f64>> = found
            .iter()
            .map(|found| {
                found
                    .filter(|(_, rows)| *rows > 0)
                    .map(|(values, _)| values[2])
            })
            .collect();
        let best = f1.iter().flatten().copied().reduce(f64::max);
        CategoryScores {
            name: sources.name(&label),
            rows: found
                .iter()
                .flatten()
                .map(|(_, rows)| *rows)
                .max()
                .unwrap_or(0),
            best: best.filter(|best| *best > 0.0),
            label,
            f1,
        }
    };
    labels.map(row).collect()
}

/// The models of grey pixels: by cross-validation as the report has them, else on the test rows.
fn pixels(sources: &Sources<'_>, models: &[ModelScore], scores: &Scores) -> Vec<PixelScore> {
    let of_pixels = |stage: &str| {
        let needs = sources.needs(stage);
        needs.into_iter().any(|need| sources.kind(need) == "pca")
    };
    let mut rows: Vec<PixelScore> = models
        .iter()
        .filter(|model| of_pixels(&model.model))
        .filter_map(|model| pixel_score(sources, &model.model, scores))
        .collect();
    let best = rows.iter().map(|row| row.f1).fold(f64::MIN, f64::max);
    if let Some(row) = rows.iter_mut().find(|row| row.f1 >= best) {
        row.is_best = true;
    }
    rows
}

fn pixel_score(sources: &Sources<'_>, model: &str, scores: &Scores) -> Option<PixelScore> {
    let reader = sources.stage(model)?;
    let params = sources.params(model);
    let validated = reader.manifest().summary.get("cross_validation");
    let from_validation = validated.and_then(|found| {
        let number = |key: &str| found.get(key)?.as_f64();
        let means = [
            "mean_weighted_precision",
            "mean_weighted_recall",
            "mean_weighted_f1",
        ];
        let [precision, recall, f1] = means.map(number);
        Some((number("mean_accuracy")?, [precision?, recall?, f1?]))
    });
    let (accuracy, [precision, recall, f1]) = match from_validation {
        Some(found) => found,
        None => (
            scores.of(model, "accuracy")?.0[2],
            scores.of(model, "weighted avg")?.0,
        ),
    };
    let folds = from_validation.and(params["cv"]["folds"].as_u64());
    Some(PixelScore {
        model: model.to_owned(),
        configuration: configuration(&params),
        folds: folds.and_then(|folds| usize::try_from(folds).ok()),
        accuracy,
        precision,
        recall,
        f1,
        is_best: false,
    })
}

/// The parameters of a model on one line.
fn configuration(params: &Value) -> String {
    const LEFT_OUT: [&str; 3] = ["model", "cv", "out_of_fold"];
    let Some(params) = params.as_object() else {
        return String::new();
    };
    let shown = params.iter().filter(|(key, value)| {
        !LEFT_OUT.contains(&key.as_str()) && !value.is_null() && **value != Value::Bool(false)
    });
    let shown: Vec<String> = shown
        .map(|(key, value)| match value {
            Value::String(text) => format!("{key}={text}"),
            // A number that was kept in 32 bits is written as it was meant.
            Value::Number(number) if number.is_f64() => {
                let value = number.as_f64().unwrap_or_default();
                let short = value as f32;
                let is_short = (f64::from(short) - value).abs() <= f64::EPSILON * value.abs();
                if is_short {
                    format!("{key}={short}")
                } else {
                    format!("{key}={value}")
                }
            }
            value => format!("{key}={value}"),
        })
        .collect();
    shown.join(", ")
}

/// The matrices that are shown: of the logistic regression on text, of the chosen model, and of the best model of pixels.
fn confusions(
    sources: &Sources<'_>,
    reader: &CheckpointReader,
    models: &Models,
) -> Result<Vec<ConfusionMatrix>, ReportError> {
    let is_reference =
        |score: &&ModelScore| score.kind == "logistic_regression" && score.reads == "text";
    let named = |score: &&ModelScore| score.model == "logistic_regression";
    let references = || models.scores.iter().filter(is_reference);
    let reference = references().find(named).or_else(|| references().next());
    let best_pixels = models.pixels.iter().find(|row| row.is_best);
    let wanted = [
        reference.map(|score| (score.model.as_str(), "reference")),
        Some((models.chosen.as_str(), "chosen")),
        best_pixels.map(|row| (row.model.as_str(), "pixels")),
    ];
    let mut counts: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for batch in reader.parts(CONFUSION, None)? {
        let batch = batch?;
        let [model, fold, actual, predicted] = [
            texts(&batch, "model")?,
            texts(&batch, "fold")?,
            texts(&batch, "actual")?,
            texts(&batch, "predicted")?,
        ];
        let rows: &UInt64Array = schema::column(&batch, "rows")?;
        for row in (0..batch.num_rows()).filter(|row| fold.value(*row) == TEST) {
            let key = [model, actual, predicted].map(|column| column.value(row).to_owned());
            let [model, actual, predicted] = key;
            counts.insert((model, actual, predicted), rows.value(row));
        }
    }
    let labels = models.by_category.iter().map(|row| row.label.clone());
    let labels = LabelMap::new(labels.filter(|label| !TOGETHER.contains(&label.as_str())));
    let count = |model: &str, actual: &str, predicted: &str| {
        let key = (model.to_owned(), actual.to_owned(), predicted.to_owned());
        counts.get(&key).copied().unwrap_or(0)
    };
    let matrix = |(model, role): (&str, &str)| {
        let labels = labels.labels();
        let rows = labels.iter().flat_map(|actual| {
            labels
                .iter()
                .map(move |predicted| count(model, actual, predicted))
        });
        let rows: Vec<u64> = rows.collect();
        ConfusionMatrix {
            pairs: pairs(sources, labels, &rows),
            model: model.to_owned(),
            role: role.to_owned(),
            labels: labels.to_vec(),
            figure: format!("figures/confusion-{role}.svg"),
            rows,
        }
    };
    Ok(wanted.into_iter().flatten().map(matrix).collect())
}

/// The pairs of categories that are confused most often, by number of rows.
fn pairs(sources: &Sources<'_>, labels: &[String], rows: &[u64]) -> Vec<ConfusedPair> {
    let count = labels.len();
    let total = |actual: usize| {
        rows[actual * count..(actual + 1) * count]
            .iter()
            .sum::<u64>()
    };
    let taken = |predicted: usize| {
        (0..count)
            .map(|actual| rows[actual * count + predicted])
            .sum()
    };
    let all = total_of(rows);
    let category = |place: usize, rows: u64| CategoryCount {
        label: labels[place].clone(),
        name: sources.name(&labels[place]),
        share: share(rows, all),
        rows,
    };
    let cells = (0..count).flat_map(|actual| (0..count).map(move |predicted| (actual, predicted)));
    let wrong = cells.filter(|(actual, predicted)| actual != predicted);
    let mut found: Vec<(usize, usize, u64)> = wrong
        .map(|(actual, predicted)| (actual, predicted, rows[actual * count + predicted]))
        .filter(|(_, _, rows)| *rows > 0)
        .collect();
    found.sort_by_key(|(_, _, rows)| std::cmp::Reverse(*rows));
    let pair = |(actual, predicted, rows): (usize, usize, u64)| ConfusedPair {
        actual: category(actual, total(actual)),
        predicted: category(predicted, taken(predicted)),
        share: share(rows, total(actual)),
        rows,
    };
    found.into_iter().take(PAIRS).map(pair).collect()
}

fn total_of(rows: &[u64]) -> u64 {
    rows.iter().sum()
}

fn modalities(reader: &CheckpointReader) -> Result<Vec<ModalityScore>, ReportError> {
    let mut scores = Vec::new();
    for batch in reader.parts(MODALITY_SCORES, None)? {
        let batch = batch?;
        let [model, fold, modality, given] = [
            texts(&batch, "model")?,
            texts(&batch, "fold")?,
            texts(&batch, "modality")?,
            texts(&batch, "given")?,
        ];
        let rows: &UInt64Array = schema::column(&batch, "rows")?;
        let accuracy: &Float64Array = schema::column(&batch, "accuracy")?;
        let weighted_f1: &Float64Array = schema::column(&batch, "weighted_f1")?;
        for row in (0..batch.num_rows()).filter(|row| fold.value(*row) == TEST) {
            scores.push(ModalityScore {
                model: model.value(row).to_owned(),
                modality: modality.value(row).to_owned(),
                given: given.value(row).to_owned(),
                rows: rows.value(row),
                accuracy: accuracy.value(row),
                weighted_f1: weighted_f1.value(row),
            });
        }
    }
    Ok(scores)
}
