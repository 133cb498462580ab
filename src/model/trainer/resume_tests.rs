//! Trainings that stop and go on: of backbones, of images that are read as they go, beside frozen layers, and in mixed precision.

use std::collections::BTreeMap;

use safetensors::SafeTensors;

use super::fusion_tests::{branch_rows, fusion_network, fusion_options};
use super::snapshot_tests::{Case, embedded, goes_on_alike, head};
use super::streamed_tests::{self, ROWS, images, streamed};
use super::tests::{SIZE, WIDTH, examples, runtime};
use super::word_tests::{LENGTH, WORDS, examples as word_examples};
use super::*;
use crate::model::backbones::{BackboneKind, Pretrained, WeightsSource};
use crate::model::{
    Branch, FineTuning, Inputs, MemoryExamples, Modality, NetworkSpec, Precision, Runtime, Trained,
};

/// What a training began with, and what it left, by the tensors' names.
fn tensors(network: &Network) -> BTreeMap<String, Vec<u8>> {
    let bytes = network.save().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let named = file.iter();
    named
        .map(|(name, view)| (name.to_owned(), view.data().to_vec()))
        .collect()
}

/// Checks that a training changes all tensors but these, of which there are some.
fn changes_all_but(before: &Network, after: &Network, is_frozen: impl Fn(&str) -> bool) {
    let (before, after) = (tensors(before), tensors(after));
    assert!(before.keys().any(|name| is_frozen(name)));
    for (name, values) in &before {
        assert_eq!(*values == after[name], is_frozen(name), "{name}");
    }
}

fn mobilenet(trained: Trained, runtime: &Runtime) -> Network {
    let source = WeightsSource::torchvision(BackboneKind::MobileNetV2);
    let tuning = FineTuning {
        size: SIZE,
        trained,
        hidden: vec![8],
        dropout: 0.1,
    };
    let backbone = Pretrained::of_formula(&source, runtime);
    Network::fine_tuned(backbone, &tuning, 2, 1).unwrap()
}

fn fine_tuned(trained: Trained, runtime: &Runtime) -> Case {
    let (labels, images) = images(SIZE);
    let rows = |range: std::ops::Range<usize>| {
        let rows: Vec<usize> = range.collect();
        let inputs = Inputs {
            images: Some(images.select(&rows)),
            ..Inputs::default()
        };
        MemoryExamples::new(labels[rows[0]..=rows[rows.len() - 1]].to_vec(), inputs).unwrap()
    };
    let name = "fine_tuned";
    let mut case = Case::of(
        name,
        mobilenet(trained, runtime),
        [rows(0..36), rows(36..48)],
    );
    case.options.learning_rate = 3e-4;
    case
}

#[test]
fn the_training_of_a_pretrained_network_goes_on() {
    for (trained, frozen) in [(Trained::All, "running_"), (Trained::Head, "backbone.")] {
        let case = || fine_tuned(trained, &runtime());
        let whole = goes_on_alike(&case(), &case(), &[3]);
        // Moving statistics are those of the weights that the training began with.
        let before = mobilenet(trained, &runtime());
        changes_all_but(&before, &whole.network, |name| name.contains(frozen));
    }
}

#[test]
fn a_training_on_varied_images_that_are_read_as_it_goes_goes_on() {
    // A buffer for few of the rows, and one for all of them.
    for buffer in [20, ROWS] {
        let case = || {
            let spec = NetworkSpec::lenet(streamed_tests::SIZE, 2);
            let network = Network::new(&spec, &runtime(), 1).unwrap();
            let rows = [streamed(buffer, 2, true), streamed(buffer, 2, false)];
            Case::of("streamed", network, rows)
        };
        goes_on_alike(&case(), &case(), &[1, 4]);
    }
}

/// A fusion of answers on the text and of a head whose layers are frozen in it.
fn half_frozen(runtime: &Runtime) -> Network {
    let head = Network::new(&head(), runtime, 1).unwrap();
    let branches = vec![
        Branch::probabilities(Modality::Text, 4),
        head.branch().unwrap().with_dense(5),
    ];
    Network::fusion(branches, fusion_options(), runtime, 1).unwrap()
}

/// Its rows: the text tells half of what the features tell.
fn half_frozen_rows(rows: usize, seed: u64) -> MemoryExamples {
    let features = embedded(rows, seed);
    let numbers: Vec<usize> = (0..rows).collect();
    let Inputs { embeddings, .. } = features.inputs(&numbers).unwrap();
    let mut text = crate::model::Embeddings::empty(4).unwrap();
    for label in features.labels() {
        let mut scores = [-1.0; 4];
        scores[label / 2 * 2] = 1.0;
        scores[label / 2 * 2 + 1] = 1.0;
        text.push(Some(&scores)).unwrap();
    }
    let inputs = Inputs {
        branches: vec![text, embeddings.unwrap()],
        ..Inputs::default()
    };
    MemoryExamples::new(features.labels().to_vec(), inputs).unwrap()
}

fn half_frozen_case(runtime: &Runtime) -> Case {
    let rows = [half_frozen_rows(80, 1), half_frozen_rows(40, 2)];
    Case::of("fusion with frozen layers", half_frozen(runtime), rows)
}

#[test]
fn the_training_of_a_fusion_goes_on_and_leaves_frozen_layers_as_they_are() {
    let case = || half_frozen_case(&runtime());
    let whole = goes_on_alike(&case(), &case(), &[1, 4]);
    let before = half_frozen(&runtime());
    changes_all_but(&before, &whole.network, |name| name.contains("frozen"));
}

#[test]
fn a_training_in_mixed_precision_goes_on() {
    let runtime = || runtime().mixing();
    let new = |spec: &NetworkSpec| Network::new(spec, &runtime(), 1).unwrap();
    let cases = || {
        let (networks, fusion) = fusion_network(&runtime());
        let [text, image] = &networks;
        let fused = |rows, seed| branch_rows([text, image], rows, seed, false);
        let all = [160, 40].map(|rows| examples(rows, rows as u64, |label| label));
        let images = [64, 32].map(|rows| examples(rows, rows as u64, |label| label));
        vec![
            Case::of(
                "neural_simple",
                new(&NetworkSpec::neural_simple(WIDTH, 4)),
                all,
            ),
            Case::of(
                "neural_embedder",
                new(&NetworkSpec::neural_embedder(WORDS, LENGTH, 4)),
                [word_examples(100, 1), word_examples(40, 2)],
            ),
            Case::of("lenet", new(&NetworkSpec::lenet(SIZE, 4)), images),
            Case::of(
                "dense_head",
                new(&head()),
                [embedded(90, 1), embedded(40, 2)],
            ),
            Case::of("fusion", fusion, [fused(80, 1), fused(40, 2)]),
            half_frozen_case(&runtime()),
            fine_tuned(Trained::All, &runtime()),
        ]
    };
    for (mut case, mut anew) in cases().into_iter().zip(cases()) {
        let full = goes_on_alike(&case, &anew, &[]);
        for case in [&mut case, &mut anew] {
            case.options.precision = Precision::Mixed;
        }
        let mixed = goes_on_alike(&case, &anew, &[3]);
        assert_ne!(mixed.history, full.history, "it multiplied in f32");
    }
}
