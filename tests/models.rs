//! Models of every kind: fitted, asked for held-out and for new rows, chosen by cross-validation, voting.

use crate::space::{TestSpace, stage};
use arrow::array::{Array, Float32Array, ListArray, StringArray};
use rayonnage::checkpoint::CheckpointReader;
use rayonnage::schema::column;
use serde_json::Value;
use std::collections::BTreeMap;

const MODELS: [&str; 12] = [
    "decision_tree",
    "fusion",
    "gradient_boosting",
    "k_nearest_neighbours",
    "lenet",
    "linear_svm",
    "linear_svm_blocks",
    "logistic_regression",
    "neural_embedder",
    "neural_simple",
    "random_forest",
    "soft_vote",
];

/// What was answered for a row: the label, and the probabilities of all classes or the best three.
type Answers = BTreeMap<String, (String, Vec<f32>)>;

fn held_out(reader: &CheckpointReader) -> Answers {
    let mut answers = Answers::new();
    for batch in reader.parts("held_out", None).unwrap() {
        let batch = batch.unwrap();
        let ids: &StringArray = column(&batch, "id").unwrap();
        let predicted: &StringArray = column(&batch, "predicted").unwrap();
        let lists: &ListArray = column(&batch, "probabilities").unwrap();
        for row in 0..batch.num_rows() {
            let list = lists.value(row);
            let values: &Float32Array = list.as_any().downcast_ref().unwrap();
            let answer = (predicted.value(row).to_owned(), values.values().to_vec());
            assert!(answers.insert(ids.value(row).to_owned(), answer).is_none());
        }
    }
    answers
}

fn predictions(reader: &CheckpointReader) -> BTreeMap<String, (String, f32, String)> {
    let mut answers = BTreeMap::new();
    for batch in reader.parts("predictions", None).unwrap() {
        let batch = batch.unwrap();
        let ids: &StringArray = column(&batch, "id").unwrap();
        let predicted: &StringArray = column(&batch, "predicted").unwrap();
        let confidence: &Float32Array = column(&batch, "confidence").unwrap();
        let model: &StringArray = column(&batch, "model").unwrap();
        for row in 0..batch.num_rows() {
            let answer = (
                predicted.value(row).to_owned(),
                confidence.value(row),
                model.value(row).to_owned(),
            );
            answers.insert(ids.value(row).to_owned(), answer);
        }
    }
    answers
}

fn json(reader: &CheckpointReader, file: &str) -> Value {
    serde_json::from_slice(&reader.file(file).unwrap()).unwrap()
}

#[test]
fn every_model_answers_with_probabilities_and_is_scored() {
    let space = TestSpace::finished();
    let scores = json(&space.checkpoint("evaluate"), "scores.json");
    let names: Vec<&String> = scores.as_object().unwrap().keys().collect();
    assert_eq!(names, MODELS);
    let rows = held_out(&space.checkpoint("soft_vote")).len();
    for model in MODELS {
        let answers = held_out(&space.checkpoint(model));
        if model == "lenet" {
            assert!(!answers.is_empty() && answers.len() < rows, "{model}");
        } else {
            assert_eq!(answers.len(), rows, "{model}");
        }
        for (_, probabilities) in answers.values() {
            let sum: f32 = probabilities.iter().sum();
            assert!((sum - 1.0).abs() < 1e-4, "{model}: {probabilities:?}");
        }
    }
}

#[test]
fn each_model_predicts_alone_as_it_did_for_held_out_rows() {
    let mut space = TestSpace::finished();
    space.set("predict.params.rows=all");
    for model in MODELS.into_iter().filter(|model| *model != "lenet") {
        space.set(&format!("predict.params.model={model}"));
        space.run(&["--until", "predict"]);
        let found = predictions(&space.checkpoint("predict"));
        let expected = held_out(&space.checkpoint(model));
        let mut known = 0;
        for (id, (label, probabilities)) in &expected {
            let (predicted, confidence, name) = &found[id];
            assert!(name.starts_with(&format!("{model}@")), "{name}");
            let best = probabilities.iter().copied().fold(0.0, f32::max);
            if (best - confidence).abs() < 1e-5 {
                assert_eq!(predicted, label, "{model}, row {id}");
                known += 1;
            }
        }
        // Rows without any known word are answered with the shares of the classes instead.
        assert!(known * 10 >= expected.len() * 9, "{model}: {known}");
    }
}

#[test]
fn a_vote_is_the_weighted_mean_of_those_who_have_an_answer() {
    let mut space = TestSpace::finished();
    space.set("soft_vote.params.weights={linear_svm_blocks: 3.0}");
    space.run(&["--until", "soft_vote"]);
    let votes = held_out(&space.checkpoint("soft_vote"));
    let members = [
        ("linear_svm_blocks", 3.0),
        ("logistic_regression", 1.0),
        ("neural_simple", 1.0),
    ];
    let answers = members.map(|(name, weight)| (held_out(&space.checkpoint(name)), weight));
    for (id, (_, probabilities)) in &votes {
        for (class, found) in probabilities.iter().enumerate() {
            let sum: f32 = answers
                .iter()
                .map(|(answers, weight)| weight * answers[id].1[class])
                .sum();
            assert!((found - sum / 5.0).abs() < 1e-6, "row {id}");
        }
    }
}

#[test]
fn a_cross_validation_tries_the_whole_grid_and_takes_the_best() {
    let mut space = TestSpace::new();
    let cv = "{folds: 3, grid: {c: [0.00000001, 1.0], calibration_folds: [0, 2]}}";
    space.set(&format!("linear_svm.params.cv={cv}"));
    let record = space.run(&["--until", "linear_svm"]);
    let tried = json(&space.checkpoint("linear_svm"), "cross_validation.json");
    let tried = tried.as_array().unwrap();
    assert_eq!(tried.len(), 4);
    let mean = |candidate: &Value| candidate["mean_weighted_f1"].as_f64().unwrap();
    let best = tried.iter().map(mean).fold(0.0, f64::max);
    let chosen = &stage(&record, "linear_svm").summary["cross_validation"];
    assert!((mean(chosen) - best).abs() < f64::EPSILON);
    let chosen = chosen["params"].as_object().unwrap();
    let place = tried
        .iter()
        .position(|candidate| candidate["params"].as_object() == Some(chosen));
    assert!((mean(&tried[place.unwrap()]) - best).abs() < f64::EPSILON);
    for candidate in tried {
        assert_eq!(candidate["folds"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn stages_that_do_not_fit_together_are_refused_with_their_keys() {
    let space = TestSpace::new();
    let config = space.read("pipeline.yaml");
    let predict_needs = "      - tokenize\n      - decode_images\n";
    assert!(config.contains(predict_needs));
    space.write(
        "a.yaml",
        config.replace(predict_needs, "      - tokenize\n"),
    );
    let outcome = space.rayonnage(&["validate", "--config", "a.yaml"]);
    outcome.expect(
        10,
        &[
            "stages.predict.needs: lacks decode_images, which fusion reads",
            "stages.predict.needs: lacks decode_images, which lenet reads",
        ],
    );
    let weights = "soft_vote.params.weights={lenet: 2.0, neural_simple: 1.0}";
    let outcome = space.rayonnage(&["validate", "--set", weights]);
    outcome.expect(
        10,
        &["stages.soft_vote.params.weights.lenet: is no model that soft_vote needs"],
    );
}
