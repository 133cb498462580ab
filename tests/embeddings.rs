//! Frozen features: what they are, that no image goes through the network twice, and what happens without weights.

use crate::space::{TestSpace, objects, ran, stage};
use crate::weights_file::WeightsFile;
use arrow::array::StringArray;
use arrow::array::{Array, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, Float32Array};
use rayonnage::checkpoint::CheckpointReader;
use rayonnage::model::backbones::Backbone;
use rayonnage::model::{DeviceChoice, Images, Runtime};
use rayonnage::schema::column;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const STAGE: &str = "embed_mobilenet_v2";

fn embedded() -> TestSpace {
    let space = TestSpace::new();
    space.run(&["--until", STAGE]);
    space
}

/// The features of each row of both datasets, by dataset and id.
fn features(reader: &CheckpointReader) -> BTreeMap<String, Option<Vec<f32>>> {
    let mut found = BTreeMap::new();
    for dataset in ["labelled", "unlabelled"] {
        for batch in reader.parts(dataset, None).unwrap() {
            let batch = batch.unwrap();
            let ids: &StringArray = column(&batch, "id").unwrap();
            let digests: &StringArray = column(&batch, "digest").unwrap();
            let lists: &FixedSizeListArray = column(&batch, "features").unwrap();
            for row in 0..batch.num_rows() {
                assert_eq!(digests.is_valid(row), lists.is_valid(row));
                let values = lists.value(row);
                let values: &Float32Array = values.as_any().downcast_ref().unwrap();
                let values = lists.is_valid(row).then(|| values.values().to_vec());
                found.insert(format!("{dataset} {}", ids.value(row)), values);
            }
        }
    }
    found
}

/// The pixels of each row that has an image.
fn pixels(reader: &CheckpointReader) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for dataset in ["labelled", "unlabelled"] {
        for batch in reader.parts(dataset, None).unwrap() {
            let batch = batch.unwrap();
            let ids: &StringArray = column(&batch, "id").unwrap();
            let pixels: &FixedSizeBinaryArray = column(&batch, "pixels").unwrap();
            for row in (0..batch.num_rows()).filter(|row| pixels.is_valid(*row)) {
                found.insert(
                    format!("{dataset} {}", ids.value(row)),
                    pixels.value(row).to_vec(),
                );
            }
        }
    }
    found
}

#[test]
fn features_are_those_of_the_network_and_rows_without_image_have_none() {
    let space = embedded();
    let found = features(&space.checkpoint(STAGE));
    let pixels = pixels(&space.checkpoint("decode_images"));
    let file = WeightsFile::shared();
    let bytes = fs::read(&file.path).unwrap();
    let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
    let backbone = Backbone::load(&WeightsFile::source(), &bytes, &runtime).unwrap();
    assert!(pixels.len() > 50 && pixels.len() < found.len());
    let mut different = BTreeSet::new();
    for (row, features) in &found {
        assert_eq!(features.is_some(), pixels.contains_key(row), "{row}");
        let Some(features) = features else { continue };
        let images = Images::new(32, pixels[row].clone(), vec![true]).unwrap();
        let expected = backbone.features(&images).unwrap();
        for (found, expected) in features.iter().zip(expected.values()) {
            assert!(
                (found - expected).abs() < 1e-3 * (1.0 + expected.abs()),
                "{row}"
            );
        }
        different.insert(
            features
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>(),
        );
    }
    let images: BTreeSet<&Vec<u8>> = pixels.values().collect();
    assert_eq!(different.len(), images.len());
}

#[test]
fn an_image_that_several_products_share_goes_through_the_network_once() {
    let space = TestSpace::new();
    let files = objects(&space.path("catalogue/images"));
    // The same photograph for many products, in both folders, beside those with their own.
    let photograph = files.values().find(|bytes| bytes.len() > 500).unwrap();
    for (number, path) in files.keys().enumerate() {
        if number % 2 == 0 {
            space.write(&format!("catalogue/images/{path}"), photograph);
        }
    }
    let record = space.run(&["--until", STAGE]);
    let pixels = pixels(&space.checkpoint("decode_images"));
    let distinct: BTreeSet<&Vec<u8>> = pixels.values().collect();
    assert!(distinct.len() < pixels.len() * 2 / 3);
    let embedded = stage(&record, STAGE);
    assert_eq!(embedded.images, distinct.len() as u64);
    assert_eq!(
        embedded.images_reused,
        (pixels.len() - distinct.len()) as u64
    );
}

#[test]
fn what_an_earlier_run_made_is_found_by_the_digest_of_the_image() {
    let mut space = embedded();
    let before = features(&space.checkpoint(STAGE));
    let images = before.values().flatten().count() as u64;
    // Every part is another one, and every image an old one.
    space.set("rows_per_part=7");
    let record = space.run(&["--until", STAGE]);
    let embedded = stage(&record, STAGE);
    assert_eq!(embedded.parts_taken_over, 0);
    assert_eq!((embedded.images, embedded.images_reused), (0, images));
    assert_eq!(features(&space.checkpoint(STAGE)), before);
    // Other pixels are other images.
    space.set("decode_images.params.margin=0.2");
    let record = space.run(&["--until", STAGE]);
    assert!(stage(&record, STAGE).images > images / 2);
    assert_ne!(features(&space.checkpoint(STAGE)), before);
    // And back: nothing is to be done at all.
    space.set("decode_images.params.margin=0.1");
    assert!(ran(&space.run(&["--until", STAGE])).is_empty());
    // Unless it is asked for.
    let record = space.run(&["--only", STAGE, "--force"]);
    assert_eq!(stage(&record, STAGE).images, images);
    assert_eq!(stage(&record, STAGE).images_reused, 0);
}

#[test]
fn a_damaged_part_is_not_taken_features_from() {
    let mut space = embedded();
    let before = features(&space.checkpoint(STAGE));
    let folder = space.checkpoint_folder(STAGE);
    let parts = objects(&space.path(&folder));
    let (path, bytes) = parts
        .iter()
        .find(|(path, _)| path.starts_with("labelled"))
        .unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    space.write(&format!("{folder}/{path}"), damaged);
    space.set("rows_per_part=23");
    let record = space.run(&["--until", STAGE]);
    let embedded = stage(&record, STAGE);
    assert!(embedded.images > 0 && embedded.images_reused > embedded.images);
    assert_eq!(features(&space.checkpoint(STAGE)), before);
}

#[test]
fn other_weights_or_another_variant_are_other_features_and_another_place_is_not() {
    let mut space = embedded();
    let before = features(&space.checkpoint(STAGE));
    fs::copy(&WeightsFile::shared().path, space.path("moved.safetensors")).unwrap();
    space.set("weights.mobilenet_v2.path=moved.safetensors");
    assert!(ran(&space.run(&["--until", STAGE])).is_empty());
    space.set("weights.mobilenet_v2.variant.padding=same");
    let record = space.run(&["--until", STAGE]);
    assert_eq!(stage(&record, STAGE).images_reused, 0);
    assert_ne!(features(&space.checkpoint(STAGE)), before);
}

#[test]
fn a_file_that_is_not_the_one_that_is_meant_is_refused() {
    let mut space = TestSpace::new();
    space.write("other.safetensors", b"something else");
    space.set("weights.mobilenet_v2.path=other.safetensors");
    let said = ["other.safetensors has the SHA-256 ", ", not "];
    space
        .rayonnage(&["run", "--until", STAGE])
        .expect(11, &said);
    space.set("weights.mobilenet_v2.sha256=");
    let digest = crate::weights_file::sha256(b"something else");
    let said = [
        "weights.mobilenet_v2.sha256: must be the SHA-256 of the file",
        &digest,
    ];
    space
        .rayonnage(&["run", "--until", STAGE])
        .expect(10, &said);
    space.set(&format!("weights.mobilenet_v2.sha256={digest}"));
    let said =
        ["other.safetensors does not hold the weights of mobilenet_v2 in the layout torchvision"];
    space
        .rayonnage(&["run", "--until", STAGE])
        .expect(11, &said);
}

#[test]
fn weights_that_are_gone_stop_a_run_before_it_begins_unless_it_has_no_use_for_them() {
    let mut space = embedded();
    space.set("weights.mobilenet_v2.path=nowhere.safetensors");
    assert!(ran(&space.run(&["--until", STAGE])).is_empty());
    let mut space = TestSpace::new();
    space.set("weights.mobilenet_v2.path=nowhere.safetensors");
    space
        .rayonnage(&["run"])
        .expect(11, &["stage embed_mobilenet_v2", "nowhere.safetensors"]);
    assert!(!space.path("checkpoints/ingest").exists());
}

#[test]
fn a_pipeline_that_nothing_is_left_of_is_a_mistake() {
    let mut space = TestSpace::new();
    space.set("weights.mobilenet_v2.path=");
    space.set("evaluate.needs=[split, mobilenet_v2]");
    let said = [
        "stages.evaluate.needs: nothing is left for it to read: needs mobilenet_v2, which is skipped",
    ];
    space.rayonnage(&["run"]).expect(10, &said);
}

#[test]
fn a_change_of_variant_is_said_as_one() {
    let mut space = embedded();
    space.set("weights.mobilenet_v2.preprocessing=tf");
    space
        .rayonnage(&["explain", STAGE])
        .expect(0, &[])
        .printed(&["weights.preprocessing: torch -> tf"]);
}

#[test]
fn without_weights_what_loads_them_is_skipped_and_said_so() {
    let mut space = TestSpace::new();
    space.set("weights.mobilenet_v2.path=");
    space.set("fusion.needs=[split, tfidf, embed_mobilenet_v2, neural_simple, mobilenet_v2]");
    let outcome = space.rayonnage(&["run"]);
    outcome.expect(0, &[]).printed(&[
        "skipped: embed_mobilenet_v2 (no weights: weights.mobilenet_v2.path is empty)",
        "skipped: mobilenet_v2 (needs embed_mobilenet_v2, which is skipped)",
        "skipped: fusion (needs ",
    ]);
    let record = space.record();
    let skipped: Vec<&String> = record.skipped.keys().collect();
    let without = [
        "blend",
        "embed_mobilenet_v2",
        "fusion",
        "mobilenet_v2",
        "mobilenet_v2_logistic",
    ];
    assert_eq!(skipped, without);
    assert!(!space.published().is_empty());
    let said = ["stage mobilenet_v2 is skipped: needs embed_mobilenet_v2"];
    space
        .rayonnage(&["run", "--until", "mobilenet_v2"])
        .expect(2, &said);
    space.rayonnage(&["show", "mobilenet_v2"]).expect(2, &said);
    space.rayonnage(&["plan"]).printed(&["skipped: fusion ("]);
    space.set("predict.params.model=mobilenet_v2");
    let said = ["stages.predict.params.model: mobilenet_v2 is skipped: needs"];
    space.rayonnage(&["run"]).expect(10, &said);
}

#[test]
fn weights_that_are_not_there_are_a_mistake() {
    let mut space = TestSpace::new();
    space.set("embed_mobilenet_v2.params.weights=mobilenet");
    let said = [
        "stages.embed_mobilenet_v2.params.weights: there are no weights \"mobilenet\"; did you mean \"mobilenet_v2\"?",
    ];
    space.rayonnage(&["validate"]).expect(10, &said);
    space.set("embed_mobilenet_v2.params.weights=mobilenet_v2");
    space.set("weights.mobilenet_v2.backbone=mobilenet");
    space.set("weights.mobilenet_v2.variant.paddin=same");
    let said = ["weights.mobilenet_v2.variant.paddin: unknown key; did you mean \"padding\"?"];
    space.rayonnage(&["validate"]).expect(10, &said);
}

#[test]
fn a_head_on_features_answers_for_the_rows_with_an_image_alone_or_in_a_fusion() {
    let mut space = TestSpace::new();
    space.set("fusion.needs=[split, tfidf, embed_mobilenet_v2, neural_simple, mobilenet_v2]");
    space.run(&["--until", "fusion"]);
    let known = |model: &str| {
        let mut known = Vec::new();
        for batch in space.checkpoint(model).parts("held_out", None).unwrap() {
            let batch = batch.unwrap();
            let is_known: &BooleanArray = column(&batch, "is_known").unwrap();
            known.extend(is_known.iter().flatten());
        }
        known
    };
    let (head, fusion) = (known("mobilenet_v2"), known("fusion"));
    assert!(!head.is_empty() && head.len() < fusion.len());
    assert!(head.iter().all(|known| *known));
}
