//! Models of models: fusions of any number of models, blends, what they make of a product without text or image; profiles.

use crate::space::{TestSpace, stage};
use arrow::array::{Array, Float32Array, Float64Array, ListArray, StringArray, UInt64Array};
use rayonnage::checkpoint::CheckpointReader;
use rayonnage::schema::column;
use serde_json::Value;
use std::collections::BTreeMap;

/// Networks of text and of images, and the probabilities of classical models.
const OF_ALL: &str = "fusion.needs=[split, tfidf, tfidf_blocks, tokenize, decode_images, embed_mobilenet_v2, \
    neural_simple, neural_embedder, linear_svm_blocks, lenet, mobilenet_v2, mobilenet_v2_logistic]";

/// One answer for a row that a model was not fitted on.
struct Answer {
    predicted: String,
    modality: String,
    from_text: Option<String>,
    from_image: Option<String>,
    probabilities: Vec<f32>,
}

fn held_out(reader: &CheckpointReader, wanted: &str) -> BTreeMap<String, Answer> {
    let mut answers = BTreeMap::new();
    for batch in reader.parts("held_out", None).unwrap() {
        let batch = batch.unwrap();
        let text = |name| column::<StringArray>(&batch, name).unwrap();
        let lists: &ListArray = column(&batch, "probabilities").unwrap();
        let optional = |name, row: usize| {
            let values = text(name);
            values.is_valid(row).then(|| values.value(row).to_owned())
        };
        for row in (0..batch.num_rows()).filter(|row| text("fold").value(*row) == wanted) {
            let list = lists.value(row);
            let values: &Float32Array = list.as_any().downcast_ref().unwrap();
            let answer = Answer {
                predicted: text("predicted").value(row).to_owned(),
                modality: text("modality").value(row).to_owned(),
                from_text: optional("predicted_from_text", row),
                from_image: optional("predicted_from_image", row),
                probabilities: values.values().to_vec(),
            };
            answers.insert(text("id").value(row).to_owned(), answer);
        }
    }
    answers
}

#[test]
fn a_fusion_takes_any_number_of_models_and_answers_for_every_row() {
    let mut space = TestSpace::new();
    space.set(OF_ALL);
    space.set("fusion.params.branch_dense={mobilenet_v2: 12}");
    let record = space.run(&["--until", "fusion"]);
    let summary = &stage(&record, "fusion").summary;
    let number = |key: &str| summary[key].as_u64().unwrap();
    let classes = held_out(&space.checkpoint("fusion"), "test");
    let classes = classes.values().next().unwrap().probabilities.len() as u64;
    // Two text networks of 54, LeNet's 54, 12 on the head's 8, probabilities of two models, and a mask of six.
    let columns = 54 + 54 + 54 + 12 + 2 * classes + 6;
    let trained = (8 + 1) * 12 + (columns + 1) * 128 + (128 + 1) * classes;
    assert_eq!(number("trainable_parameters"), trained);
    assert!(number("parameters") > trained);
    let fusion = space.checkpoint("fusion");
    let rows = held_out(&space.checkpoint("neural_simple"), "test");
    let answers = held_out(&fusion, "test");
    assert!(answers.keys().eq(rows.keys()));
    let of = |modality: &'static str| answers.values().filter(move |a| a.modality == modality);
    assert!(of("text+image").count() > 0 && of("text").count() > 0);
    for answer in of("text+image") {
        assert!(answer.from_text.is_some() && answer.from_image.is_some());
    }
    assert!(of("text").all(|answer| answer.from_text.is_none() && answer.from_image.is_none()));
    // Nothing that depends on the image is in what the text alone tells.
    let image_says = of("text+image").filter(|a| a.from_image.as_ref() != a.from_text.as_ref());
    assert!(image_says.count() > 0);
    // A second run has nothing to do.
    let again = space.run(&["--until", "fusion"]);
    assert_eq!(crate::space::ran(&again), [""; 0]);
}

#[test]
fn a_blend_is_the_product_of_powers_and_factors_that_its_summary_names() {
    let mut space = TestSpace::new();
    let record = space.run(&["--until", "blend"]);
    let summary = &stage(&record, "blend").summary;
    // Both members answered for training rows that they had not seen.
    assert_eq!(summary["fitted_on"], "train");
    let members = ["linear_svm_blocks", "mobilenet_v2_logistic"];
    let answers = members.map(|name| held_out(&space.checkpoint(name), "test"));
    let blend = held_out(&space.checkpoint("blend"), "test");
    let patterns = summary["patterns"].as_array().unwrap();
    let mut with_image = 0;
    for (id, found) in &blend {
        let known: Vec<bool> = answers
            .iter()
            .map(|answers| answers.contains_key(id))
            .collect();
        with_image += usize::from(known[1]);
        let is_of = |pattern: &&Value| {
            let weights = pattern["weights"].as_object().unwrap();
            members
                .iter()
                .zip(&known)
                .all(|(name, known)| weights.contains_key(*name) == *known)
        };
        let pattern = patterns.iter().find(is_of).unwrap();
        // Of classes in the order of the numbers that are their labels; none where a single model knows the row.
        let biases = pattern["biases"].as_object().unwrap();
        let mut biases: Vec<(u32, f64)> = biases
            .iter()
            .map(|(label, bias)| (label.parse().unwrap(), bias.as_f64().unwrap()))
            .collect();
        biases.sort_by_key(|(label, _)| *label);
        assert_eq!(biases.is_empty(), !known[1]);
        let mut logits: Vec<f64> = biases.into_iter().map(|(_, bias)| bias).collect();
        logits.resize(found.probabilities.len(), 0.0);
        for (name, answers) in members
            .iter()
            .zip(&answers)
            .filter(|(_, a)| a.contains_key(id))
        {
            let weight = pattern["weights"][name].as_f64().unwrap();
            for (logit, p) in logits.iter_mut().zip(&answers[id].probabilities) {
                *logit += weight * f64::from(p.max(1e-6)).ln();
            }
        }
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        for (logit, p) in logits.iter().zip(&found.probabilities) {
            assert!(
                (logit.exp() / total - f64::from(*p)).abs() < 1e-4,
                "row {id}"
            );
        }
    }
    assert!(with_image > 0 && with_image < blend.len());
    // Without such answers it is fitted on the validation rows.
    space.set("mobilenet_v2_logistic.params.out_of_fold=null");
    let record = space.run(&["--until", "blend"]);
    assert_eq!(stage(&record, "blend").summary["fitted_on"], "validation");
}

#[test]
fn scores_stand_by_what_is_known_of_a_product() {
    let space = TestSpace::finished();
    let mut found: BTreeMap<(String, String, String), (u64, f64)> = BTreeMap::new();
    let evaluate = space.checkpoint("evaluate");
    for batch in evaluate.parts("modality_scores", None).unwrap() {
        let batch = batch.unwrap();
        let text = |name| column::<StringArray>(&batch, name).unwrap();
        let rows: &UInt64Array = column(&batch, "rows").unwrap();
        let accuracy: &Float64Array = column(&batch, "accuracy").unwrap();
        for row in (0..batch.num_rows()).filter(|row| text("fold").value(*row) == "test") {
            let key = ["model", "modality", "given"].map(|name| text(name).value(row).to_owned());
            let [model, modality, given] = key;
            found.insert(
                (model, modality, given),
                (rows.value(row), accuracy.value(row)),
            );
        }
    }
    let get = |model: &str, modality: &str, given: &str| {
        let key = [model, modality, given].map(str::to_owned);
        let [model, modality, given] = key;
        found.get(&(model, modality, given)).copied()
    };
    for model in ["fusion", "blend"] {
        let answers = held_out(&space.checkpoint(model), "test");
        let (all, _) = get(model, "all", "all").unwrap();
        assert_eq!(all as usize, answers.len());
        let (both, accuracy) = get(model, "text+image", "all").unwrap();
        let (text, _) = get(model, "text", "all").unwrap();
        let none = get(model, "none", "all").map_or(0, |(rows, _)| rows);
        let image = get(model, "image", "all").map_or(0, |(rows, _)| rows);
        assert_eq!(both + text + none + image, all);
        assert_eq!(get(model, "text+image", "text").unwrap().0, both);
        assert_eq!(get(model, "text+image", "image").unwrap().0, both);
        assert!((0.0..=1.0).contains(&accuracy));
        assert!(answers.values().all(|answer| !answer.predicted.is_empty()));
    }
    assert_eq!(get("linear_svm_blocks", "text+image", "all"), None);
    assert!(get("linear_svm_blocks", "text", "all").is_some());
    assert!(get("lenet", "image", "all").is_some());
}

#[test]
fn profiles_choose_the_stages() {
    let mut space = TestSpace::new();
    space.rayonnage(&["plan"]).expect(0, &[]);
    space.set("profile=report");
    space.set("mobilenet_v2_fine_tuned.params.image_size=32");
    space.rayonnage(&["plan"]).expect(0, &[]).printed(&[
        "fusion_all ",
        "fusion_mobilenet_v2 ",
        "skipped: fusion_vgg16 (needs ",
        "skipped: embed_resnet50 (no weights: weights.resnet50.path is empty)",
    ]);
    space.set("profile=text");
    let plan = space.rayonnage(&["plan"]);
    plan.expect(0, &[]).printed(&["soft_vote ", "publish "]);
    for of_images in [
        "decode_images",
        "lenet",
        "fusion",
        "blend",
        "pca",
        "skipped",
    ] {
        assert!(!plan.stdout.contains(of_images), "{plan:?}");
    }
    space.set("source.images={labelled: \"\", unlabelled: \"\"}");
    space.run(&[]);
    assert!(!space.published().is_empty());
    space.set("profile=reprot");
    let said = ["profile: unknown profile \"reprot\"; did you mean \"report\"?"];
    space.rayonnage(&["validate"]).expect(10, &said);
    space.set("profile=quick");
    space.set("soft_vote.needs=[linear_svm_blocks, fusion_all]");
    let said = ["stages.soft_vote.needs: needs fusion_all, which the profile quick lacks"];
    space.rayonnage(&["validate"]).expect(10, &said);
}
