//! Classical models of grey pixels: principal components, samples, scores of folds, rows without image.

use crate::space::{TestSpace, options, stage};
use arrow::array::{Array, FixedSizeListArray, Float32Array, Float64Array, StringArray};
use rayonnage::checkpoint::CheckpointReader;
use rayonnage::schema::column;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const MODELS: [&str; 5] = [
    "pixels_gradient_boosting",
    "pixels_k_nearest_neighbours",
    "pixels_linear_svm",
    "pixels_logistic_regression",
    "pixels_random_forest",
];

/// A sample with so many rows that scores mean something, and the models of pixels scored.
fn scored() -> TestSpace {
    let mut space = TestSpace::with_sample(&options(600));
    space.set("rows_per_part=256");
    space.set("fit_pca.params.components=40");
    space.set("pixels_random_forest.params.trees=50");
    space.set("pixels_gradient_boosting.params.iterations=20");
    space.set(&format!("evaluate.needs=[split, {}]", MODELS.join(", ")));
    space.run(&["--until", "evaluate"]);
    space
}

fn json(reader: &CheckpointReader, file: &str) -> Value {
    serde_json::from_slice(&reader.file(file).unwrap()).unwrap()
}

/// The texts of a column of a dataset.
fn texts(reader: &CheckpointReader, dataset: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for batch in reader.parts(dataset, None).unwrap() {
        let batch = batch.unwrap();
        let values: &StringArray = column(&batch, name).unwrap();
        found.extend(values.iter().map(|value| value.unwrap().to_owned()));
    }
    found
}

/// Of each labelled row whether it has an image.
fn with_image(space: &TestSpace) -> BTreeMap<String, bool> {
    let images = space.checkpoint("decode_images");
    let status = texts(&images, "labelled", "image_status");
    let status = status.iter().map(|status| status == "ok");
    texts(&images, "labelled", "id")
        .into_iter()
        .zip(status)
        .collect()
}

/// How often the most frequent of some values occurs, as a share.
fn largest_share(values: &[String]) -> f64 {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    *counts.values().max().unwrap() as f64 / values.len() as f64
}

#[test]
fn every_model_of_pixels_beats_chance_and_every_fold_is_scored() {
    let space = scored();
    let scores = json(&space.checkpoint("evaluate"), "scores.json");
    for model in MODELS {
        let reader = space.checkpoint(model);
        let chance = largest_share(&texts(&reader, "held_out", "label"));
        let accuracy = scores[model]["test_accuracy"].as_f64().unwrap();
        assert!(accuracy > chance, "{model}: {accuracy}, chance {chance}");

        let tried = json(&reader, "cross_validation.json");
        let [candidate] = tried.as_array().unwrap().as_slice() else {
            panic!("{model}: {tried}");
        };
        let folds = candidate["folds"].as_array().unwrap();
        let rows: u64 = folds
            .iter()
            .map(|fold| fold["rows"].as_u64().unwrap())
            .sum();
        let summary = &reader.manifest().summary;
        assert_eq!(folds.len(), 3);
        assert_eq!(Some(rows), summary["training_rows"].as_u64(), "{model}");
        for score in [
            "accuracy",
            "weighted_precision",
            "weighted_recall",
            "weighted_f1",
        ] {
            let of_folds: Vec<f64> = folds
                .iter()
                .map(|fold| fold[score].as_f64().unwrap())
                .collect();
            let mean = of_folds.iter().sum::<f64>() / 3.0;
            let key = format!("mean_{score}");
            assert_eq!(candidate[&key], summary["cross_validation"][&key]);
            let found = candidate[&key].as_f64().unwrap();
            assert!(
                (found - mean).abs() < 1e-12,
                "{model} {score}: {found}, not {mean}"
            );
            assert!(found > chance, "{model} {score}: {found}, chance {chance}");
        }
        // Over all classes together, what is found is what is right.
        let [accuracy, recall] =
            ["mean_accuracy", "mean_weighted_recall"].map(|key| candidate[key].as_f64().unwrap());
        assert!((accuracy - recall).abs() < 1e-12);
        // Of more rows than the test rows are: a firmer measure.
        assert!(
            accuracy > 1.5 * chance,
            "{model}: {accuracy}, chance {chance}"
        );
    }
}

#[test]
fn rows_without_image_have_no_features_and_are_answered_with_the_shares_of_the_classes() {
    let mut space = TestSpace::finished();
    let with_image = with_image(&space);
    assert!(with_image.values().any(|is_there| !is_there));
    let pca = space.checkpoint("pca");
    let width = pca.manifest().summary["width"].as_u64().unwrap() as usize;
    for batch in pca.parts("labelled", None).unwrap() {
        let batch = batch.unwrap();
        let ids: &StringArray = column(&batch, "id").unwrap();
        let lists: &FixedSizeListArray = column(&batch, "features").unwrap();
        for row in 0..batch.num_rows() {
            assert_eq!(lists.is_valid(row), with_image[ids.value(row)]);
            if lists.is_valid(row) {
                let list = lists.value(row);
                let values: &Float32Array = list.as_any().downcast_ref().unwrap();
                assert_eq!(values.len(), width);
                assert!(values.values().iter().any(|value| *value != 0.0));
            }
        }
    }
    // As for every model of images alone, rows without image are neither trained on nor scored.
    let model = space.checkpoint("pixels_linear_svm");
    let held_out = texts(&model, "held_out", "id");
    assert!(!held_out.is_empty() && held_out.iter().all(|id| with_image[id]));

    space.set("predict.params.model=pixels_linear_svm");
    space.set("predict.params.rows=all");
    space.run(&["--until", "predict"]);
    let priors = json(&model, "model.json")["priors"].clone();
    let priors = priors
        .as_array()
        .unwrap()
        .iter()
        .map(|prior| prior.as_f64().unwrap());
    let highest = priors.fold(0.0, f64::max);
    let mut unknown = 0;
    for batch in space
        .checkpoint("predict")
        .parts("predictions", None)
        .unwrap()
    {
        let batch = batch.unwrap();
        let ids: &StringArray = column(&batch, "id").unwrap();
        let modality: &StringArray = column(&batch, "modality").unwrap();
        let confidence: &Float32Array = column(&batch, "confidence").unwrap();
        for row in 0..batch.num_rows() {
            let Some(has_image) = with_image.get(ids.value(row)) else {
                continue;
            };
            let expected = if *has_image { "image" } else { "none" };
            assert_eq!(modality.value(row), expected);
            if !has_image {
                unknown += 1;
                assert!((f64::from(confidence.value(row)) - highest).abs() < 1e-6);
            }
        }
    }
    assert!(unknown > 0);
}

#[test]
fn samples_are_as_large_as_the_configuration_says() {
    let mut space = TestSpace::finished();
    let whole = space.checkpoint("fit_pca").manifest().summary["images"].clone();
    assert!(whole.as_u64().unwrap() > 40);
    space.set("fit_pca.params.sample=12");
    space.set("fit_pca.params.components=500");
    space.set("pixels_logistic_regression.params.sample=40");
    let record = space.run(&["--until", "pixels_logistic_regression"]);
    let fitted = &stage(&record, "fit_pca").summary;
    // Twelve images differ in no more than eleven directions.
    assert_eq!(
        (fitted["images"].as_u64(), fitted["components"].as_u64()),
        (Some(12), Some(11))
    );
    let whole = fitted["explained_variance_ratio"].as_f64().unwrap();
    assert!((whole - 1.0).abs() < 1e-9, "{whole}");
    assert_eq!(stage(&record, "pca").summary["width"], 11);
    let summary = &stage(&record, "pixels_logistic_regression").summary;
    assert_eq!(
        (
            summary["training_rows"].as_u64(),
            summary["columns"].as_u64()
        ),
        (Some(40), Some(11))
    );

    let components = space.checkpoint("fit_pca");
    let batches = components.parts("components", None).unwrap();
    let mut variances = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        let column: &Float64Array = column(&batch, "explained_variance").unwrap();
        variances.extend_from_slice(column.values());
    }
    assert_eq!(variances.len(), 11);
    assert!(
        variances.is_sorted_by(|a, b| a >= b) && variances[10] > 0.0,
        "{variances:?}"
    );
}

#[test]
fn new_images_to_predict_leave_components_and_models_alone() {
    let space = TestSpace::finished();
    let fitted = space.checkpoint("pca").manifest().datasets["labelled"]
        .content
        .clone();
    let image = std::fs::read_dir(space.path("catalogue/images/image_test"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .next()
        .unwrap();
    let picture = std::fs::read(image).unwrap();
    space.write(
        "catalogue/images/image_test/image_77_product_78.jpg",
        picture,
    );
    space.append(
        "catalogue/X_test_update.csv",
        "9000,Lampe,Une jolie lampe,78,77\n",
    );
    let record = space.run(&["--until", "pca"]);
    let ran: BTreeSet<&str> = crate::space::ran(&record).into_iter().collect();
    assert!(ran.contains("pca") && !ran.contains("fit_pca"), "{ran:?}");
    let pca = space.checkpoint("pca");
    assert_eq!(pca.manifest().datasets["labelled"].content, fitted);
    assert!(texts(&pca, "unlabelled", "id").contains(&"9000".to_owned()));
}

#[test]
fn a_classical_model_reads_one_kind_of_rows_and_sizes_must_fit() {
    for (setting, expected) in [
        (
            "pixels_linear_svm.needs=[split, pca, tfidf]",
            "stages.pixels_linear_svm.needs: a classical model reads one of the kinds tfidf, pca, embed_images, not 2",
        ),
        (
            "linear_svm.needs=[split]",
            "stages.linear_svm.needs: a classical model reads one of the kinds tfidf, pca, embed_images, not 0",
        ),
        (
            "linear_svm.params.normalization=l2",
            "stages.linear_svm.params.normalization: is of features of images",
        ),
        (
            "fit_pca.params.size=24",
            "stages.fit_pca.params.size: 24 does not divide the size 32 of decode_images",
        ),
        (
            "fit_pca.params.components=0",
            "stages.fit_pca.params.components: must be at least 1",
        ),
        (
            "fit_pca.params.sample=1",
            "stages.fit_pca.params.sample: must be at least 2",
        ),
    ] {
        let mut space = TestSpace::new();
        space.set(setting);
        space.rayonnage(&["validate"]).expect(10, &[expected]);
    }
}
