//! Models of every kind: fitted, asked for held-out and for new rows, chosen by cross-validation, voting.

use crate::space::{TestSpace, ran, stage};
use arrow::array::{Array, FixedSizeListArray, Float32Array, ListArray, StringArray};
use rayonnage::checkpoint::CheckpointReader;
use rayonnage::model::classical::{ClassicalOptions, LogisticOptions};
use rayonnage::model::{Dense, LabelMap, Normalization, SparseRows};
use rayonnage::schema::column;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const MODELS: [&str; 20] = [
    "blend",
    "decision_tree",
    "fusion",
    "gradient_boosting",
    "k_nearest_neighbours",
    "lenet",
    "linear_svm",
    "linear_svm_blocks",
    "logistic_regression",
    "mobilenet_v2",
    "mobilenet_v2_logistic",
    "neural_embedder",
    "neural_simple",
    "pixels_gradient_boosting",
    "pixels_k_nearest_neighbours",
    "pixels_linear_svm",
    "pixels_logistic_regression",
    "pixels_random_forest",
    "random_forest",
    "soft_vote",
];

/// Of its members, `lenet` has no answer for the rows without image.
const VOTE_OF_TEXT_AND_IMAGES: &str = "soft_vote.needs=[lenet, linear_svm_blocks, neural_simple]";

/// What was answered for a validation or test row: the label, and the probabilities of all classes or the best three.
type Answers = BTreeMap<String, (String, Vec<f32>)>;

fn held_out(reader: &CheckpointReader) -> Answers {
    let mut answers = Answers::new();
    for batch in reader.parts("held_out", None).unwrap() {
        let batch = batch.unwrap();
        let ids: &StringArray = column(&batch, "id").unwrap();
        let predicted: &StringArray = column(&batch, "predicted").unwrap();
        let lists: &ListArray = column(&batch, "probabilities").unwrap();
        let folds: &StringArray = column(&batch, "fold").unwrap();
        for row in (0..batch.num_rows()).filter(|row| folds.value(*row) != "train") {
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
        let of_images = ["lenet", "mobilenet_v2", "mobilenet_v2_logistic"];
        if of_images.contains(&model) || model.starts_with("pixels_") {
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
    space.set(VOTE_OF_TEXT_AND_IMAGES);
    space.set("predict.params.rows=all");
    for model in MODELS {
        assert_predicts_as_held_out(&mut space, model);
    }
}

/// Predicts all rows by a model; returns how many it had answered for before.
fn assert_predicts_as_held_out(space: &mut TestSpace, model: &str) -> usize {
    space.set(&format!("predict.params.model={model}"));
    space.run(&["--until", "predict"]);
    let found = predictions(&space.checkpoint("predict"));
    let expected = held_out(&space.checkpoint(model));
    assert!(!expected.is_empty());
    for (id, (label, probabilities)) in &expected {
        let (predicted, confidence, name) = &found[id];
        assert!(name.starts_with(&format!("{model}@")), "{name}");
        assert_eq!(predicted, label, "{model}, row {id}");
        let best = probabilities.iter().copied().fold(0.0, f32::max);
        assert!((best - confidence).abs() < 1e-5, "{model}, row {id}");
    }
    expected.len()
}

const OF_SCALES: &str = "mobilenet_v2_scales_logistic";

/// The whole photo in two sizes.
fn of_two_sizes() -> TestSpace {
    let mut space = TestSpace::new();
    for stage in [
        "decode_images_whole",
        "decode_images_large",
        "embed_mobilenet_v2_whole",
        "embed_mobilenet_v2_large",
        OF_SCALES,
    ] {
        space.set(&format!("{stage}.profiles=[quick]"));
    }
    space.set("decode_images_whole.params.size=32");
    space.set("decode_images_large.params.size=64");
    space.set(&format!("blend.needs=[linear_svm_blocks, {OF_SCALES}]"));
    space
}

/// The features of each labelled row that has some, of length 1.
fn unit_features(reader: &CheckpointReader) -> BTreeMap<String, Vec<f32>> {
    let mut found = BTreeMap::new();
    for batch in reader.parts("labelled", None).unwrap() {
        let batch = batch.unwrap();
        let ids: &StringArray = column(&batch, "id").unwrap();
        let lists: &FixedSizeListArray = column(&batch, "features").unwrap();
        for row in (0..batch.num_rows()).filter(|row| lists.is_valid(*row)) {
            let list = lists.value(row);
            let values: &Float32Array = list.as_any().downcast_ref().unwrap();
            let mut values = values.values().to_vec();
            Normalization::L2.apply(&mut values);
            found.insert(ids.value(row).to_owned(), values);
        }
    }
    found
}

#[test]
fn a_model_of_two_sizes_is_that_of_their_features_side_by_side() {
    let space = of_two_sizes();
    let record = space.run(&["--until", OF_SCALES]);
    // In the order of the names, whatever that of `needs`.
    let [a, b] = ["large", "whole"]
        .map(|size| unit_features(&space.checkpoint(&format!("embed_mobilenet_v2_{size}"))));
    assert!(a.values().ne(b.values()));
    let mut labels = BTreeSet::new();
    let mut rows = Vec::new();
    for batch in space.checkpoint("split").parts("labelled", None).unwrap() {
        let batch = batch.unwrap();
        let text = |name| column::<StringArray>(&batch, name).unwrap();
        for row in 0..batch.num_rows() {
            let (id, label) = (text("id").value(row), text("label").value(row));
            labels.insert(label.to_owned());
            if text("fold").value(row) == "train" && a.contains_key(id) {
                rows.push(([&a[id][..], &b[id]].concat(), label.to_owned()));
            }
        }
    }
    let width = rows[0].0.len();
    let summary = &stage(&record, OF_SCALES).summary;
    assert_eq!(summary["columns"], width);
    assert_eq!(summary["training_rows"], rows.len());
    let features = rows.iter().flat_map(|(features, _)| features).copied();
    let features = Dense::new(width, features.collect()).unwrap();
    let labels = LabelMap::new(labels);
    let class = |label: &str| labels.index(label).unwrap() as u32;
    let classes: Vec<u32> = rows.iter().map(|(_, label)| class(label)).collect();
    let options = LogisticOptions {
        c: 3.0,
        ..LogisticOptions::default()
    };
    let fitted = ClassicalOptions::LogisticRegression(options)
        .fit(
            SparseRows::of_dense(&features).unwrap().csr(),
            &classes,
            labels.len(),
            false,
            &|| false,
        )
        .unwrap();
    let model = space.checkpoint(OF_SCALES).file("model.bin").unwrap();
    assert!(model == fitted.to_bytes(), "another model");
}

#[test]
fn a_model_of_two_sizes_predicts_new_rows_alone_and_in_a_blend() {
    let mut space = of_two_sizes();
    space.set("predict.params.rows=all");
    let of_images = assert_predicts_as_held_out(&mut space, OF_SCALES);
    let of_both = assert_predicts_as_held_out(&mut space, "blend");
    assert!(of_images < of_both);
    let record = space.record();
    // It answered for training rows that it had not seen, too.
    assert_eq!(stage(&record, "blend").summary["fitted_on"], "train");
    // In which order they are needed means nothing.
    space.set(&format!(
        "{OF_SCALES}.needs=[split, embed_mobilenet_v2_large, embed_mobilenet_v2_whole]"
    ));
    let record = space.run(&["--until", OF_SCALES]);
    assert_eq!(ran(&record), [""; 0]);
}

#[test]
fn a_vote_is_the_weighted_mean_of_those_who_have_an_answer() {
    let mut space = TestSpace::finished();
    space.set(VOTE_OF_TEXT_AND_IMAGES);
    space.set("soft_vote.params.weights={linear_svm_blocks: 3.0}");
    space.run(&["--until", "soft_vote"]);
    let votes = held_out(&space.checkpoint("soft_vote"));
    let members = [
        ("lenet", 1.0),
        ("linear_svm_blocks", 3.0),
        ("neural_simple", 1.0),
    ];
    let answers = members.map(|(name, weight)| (held_out(&space.checkpoint(name)), weight));
    let mut without_image = 0;
    for (id, (_, probabilities)) in &votes {
        let of_row: Vec<(&[f32], f32)> = answers
            .iter()
            .filter_map(|(answers, weight)| Some((&answers.get(id)?.1[..], *weight)))
            .collect();
        let weights: f32 = of_row.iter().map(|(_, weight)| weight).sum();
        without_image += usize::from(of_row.len() == 2);
        for (class, found) in probabilities.iter().enumerate() {
            let sum: f32 = of_row.iter().map(|(of, weight)| weight * of[class]).sum();
            assert!((found - sum / weights).abs() < 1e-6, "row {id}");
        }
    }
    assert!(without_image > 0 && without_image < votes.len());
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
fn a_network_follows_the_size_of_its_vocabulary() {
    let mut space = TestSpace::finished();
    // The sample has far fewer words than either: the sequences stay the same.
    space.set("tokenize.params.vocabulary=3000");
    let record = space.run(&["--until", "neural_embedder"]);
    assert!(ran(&record).contains(&"neural_embedder"), "{record:?}");
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
    for (setting, expected) in [
        (
            "tfidf.needs=[clean_text_light, fit_tfidf]",
            "stages.tfidf.needs: fit_tfidf counted the terms of clean_text, not of clean_text_light",
        ),
        (
            "tfidf.needs=[clean_text, fit_tfidf.vocabulary]",
            "stages.tfidf.needs: tfidf reads more of fit_tfidf than \"vocabulary\"",
        ),
        (
            "fusion.needs=[split, tfidf, decode_images, linear_svm, lenet]",
            "stages.linear_svm.params.out_of_fold: fusion is trained on its answers for rows that it had not seen",
        ),
        (
            "stages.vote_again={kind: train, needs: [soft_vote, linear_svm], params: {model: soft_vote}}",
            "stages.vote_again.needs: soft_vote is itself made of models",
        ),
    ] {
        let outcome = space.rayonnage(&["validate", "--set", setting]);
        outcome.expect(10, &[expected]);
    }
    space.write(
        "b.yaml",
        config
            .replace(
                "  split:\n",
                "  split2: { kind: split, needs: [ingest], params: { seed: 5 } }\n  split:\n",
            )
            .replace(
                "  linear_svm:\n    kind: train\n    needs: [split,",
                "  linear_svm:\n    kind: train\n    needs: [split2,",
            ),
    );
    let outcome = space.rayonnage(&["validate", "--config", "b.yaml"]);
    let said = "rows that one split holds back are trained on in another: split and split2";
    outcome.expect(
        10,
        &[said, "stages.evaluate.needs", "stages.linear_svm.needs"],
    );
    let weights = "soft_vote.params.weights={lenet: 2.0, neural_simple: 1.0}";
    let outcome = space.rayonnage(&["validate", "--set", weights]);
    outcome.expect(
        10,
        &["stages.soft_vote.params.weights.lenet: is no model that soft_vote needs"],
    );
}
