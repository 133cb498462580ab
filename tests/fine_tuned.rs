//! A pretrained network trained end to end: made of the weights that are named, saved, loaded, asked, and nothing without weights.
//!
//! The stage `lenet` is turned into it, since both read the same stages.

use crate::space::{TestSpace, ran, stage};
use arrow::array::{BooleanArray, StringArray};
use rayonnage::model::backbones::BackboneKind;
use rayonnage::model::{DeviceChoice, Network, NetworkSpec, Runtime};
use rayonnage::schema::column;
use std::collections::BTreeMap;

const STAGE: &str = "lenet";

fn params(trained: &str) -> String {
    format!(
        "lenet.params={{model: fine_tuned, weights: mobilenet_v2, trained: {trained}, image_size: 32, hidden: [8], epochs: 2, batch_size: 32, \
         learning_rate: 0.0003, precision: mixed}}"
    )
}

fn space(trained: &str) -> TestSpace {
    let mut space = TestSpace::new();
    space.set(&params(trained));
    space
}

fn network(space: &TestSpace) -> Network {
    let file = space.checkpoint(STAGE).file("weights.safetensors").unwrap();
    let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
    Network::load(&file, &runtime).unwrap()
}

#[test]
fn a_backbone_is_trained_and_the_checkpoint_holds_it_whole() {
    let space = space("all");
    let record = space.run(&["--until", STAGE]);
    let summary = &stage(&record, STAGE).summary;
    // On a CPU there is nothing to gain.
    assert_eq!(summary["precision"], "full");
    let network = network(&space);
    let NetworkSpec::FineTuned {
        source,
        size,
        classes,
        ..
    } = network.spec()
    else {
        panic!("{:?}", network.spec());
    };
    assert_eq!((source.backbone, *size), (BackboneKind::MobileNetV2, 32));
    let head = (1280 + 1) * 8 + (8 + 1) * classes;
    assert_eq!(summary["parameters"], 2_257_984 + head);
    assert_eq!(summary["trainable_parameters"], 2_223_872 + head);
    assert!(ran(&space.run(&["--until", STAGE])).is_empty());
}

#[test]
fn it_predicts_what_it_answered_for_held_out_rows_and_can_be_a_branch_of_a_fusion() {
    let mut space = space("head");
    space.set("predict.params.rows=all");
    space.set("predict.params.model=lenet");
    space.run(&["--until", "predict"]);
    let mut held_out = BTreeMap::new();
    for batch in space.checkpoint(STAGE).parts("held_out", None).unwrap() {
        let batch = batch.unwrap();
        let ids: &StringArray = column(&batch, "id").unwrap();
        let predicted: &StringArray = column(&batch, "predicted").unwrap();
        let is_known: &BooleanArray = column(&batch, "is_known").unwrap();
        for row in 0..batch.num_rows() {
            assert!(is_known.value(row), "rows without image are left out");
            held_out.insert(ids.value(row).to_owned(), predicted.value(row).to_owned());
        }
    }
    assert!(held_out.len() > 10);
    let mut found = 0;
    for batch in space
        .checkpoint("predict")
        .parts("predictions", None)
        .unwrap()
    {
        let batch = batch.unwrap();
        let ids: &StringArray = column(&batch, "id").unwrap();
        let predicted: &StringArray = column(&batch, "predicted").unwrap();
        for row in 0..batch.num_rows() {
            if let Some(expected) = held_out.get(ids.value(row)) {
                assert_eq!(predicted.value(row), expected, "row {}", ids.value(row));
                found += 1;
            }
        }
    }
    assert_eq!(found, held_out.len());
    let fusion = space
        .checkpoint("fusion")
        .file("weights.safetensors")
        .unwrap();
    let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
    let fusion = Network::load(&fusion, &runtime).unwrap();
    assert!(fusion.parameters().total > 2_257_984);
}

#[test]
fn what_it_depends_on_is_in_its_fingerprint() {
    let mut space = space("head");
    space.run(&["--until", STAGE]);
    space.set("weights.mobilenet_v2.preprocessing=tf");
    space
        .rayonnage(&["explain", STAGE])
        .expect(0, &[])
        .printed(&["weights.preprocessing: torch -> tf"]);
    space.set("weights.mobilenet_v2.preprocessing=torch");
    space.set(&params("all"));
    space
        .rayonnage(&["explain", STAGE])
        .expect(0, &[])
        .printed(&["params.trained: \"head\" -> \"all\""]);
}

#[test]
fn without_weights_it_is_skipped_and_with_wrong_ones_refused() {
    let mut space = space("all");
    space.set("weights.mobilenet_v2.path=");
    space
        .rayonnage(&["plan"])
        .expect(0, &[])
        .printed(&["skipped: lenet (no weights: weights.mobilenet_v2.path is empty)"]);
    space.write("other.safetensors", b"something else");
    space.set("weights.mobilenet_v2.path=other.safetensors");
    space
        .rayonnage(&["run", "--only", STAGE])
        .expect(11, &["other.safetensors has the SHA-256 "]);
    space.set("lenet.params.weights=mobilenet");
    let said = ["stages.lenet.params.weights: there are no weights \"mobilenet\"; did you mean"];
    space.rayonnage(&["validate"]).expect(10, &said);
    space.set("lenet.params={model: fine_tuned, image_size: 16}");
    let said = [
        "stages.lenet.params.weights: is missing",
        "stages.lenet.params.image_size: must be at least 32",
    ];
    space.rayonnage(&["validate"]).expect(10, &said);
}
