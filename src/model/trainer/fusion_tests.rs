//! Fusions of trained networks, of which each knows half.

use super::tests::{SIZE, WIDTH, accuracy, examples, options, problem, runtime, trained};
use super::*;
use crate::model::batch::Embeddings;
use crate::model::{
    Branch, FusionOptions, Inputs, MemoryExamples, MemoryRows, Modality, NetworkSpec, Runtime,
    predict, scores_of,
};

fn text_network() -> Network {
    trained(&NetworkSpec::neural_simple(WIDTH, 4), 20, |label| label).network
}

fn image_network() -> Network {
    trained(&NetworkSpec::lenet(SIZE, 4), 6, |label| label).network
}

/// What branches make of the rows of a problem; the text's as probabilities on request.
pub(super) fn branch_rows(
    networks: [&Network; 2],
    rows: usize,
    seed: u64,
    scores: bool,
) -> MemoryExamples {
    let (labels, inputs) = problem(rows, seed);
    let memory = MemoryRows::new(rows, inputs).unwrap();
    let mut branches: Vec<Embeddings> = networks
        .iter()
        .map(|network| network.branch_rows(&memory, 32).unwrap())
        .collect();
    if scores {
        let probabilities = predict(networks[0], &memory, 32).unwrap();
        let values = scores_of(4, &probabilities.values).unwrap();
        let mut rows = Embeddings::empty(4).unwrap();
        for row in values.values().chunks_exact(4) {
            rows.push(Some(row)).unwrap();
        }
        branches[0] = rows;
    }
    let inputs = Inputs {
        branches,
        ..Inputs::default()
    };
    MemoryExamples::new(labels, inputs).unwrap()
}

/// Options of a small fusion that loses modalities and says so.
pub(super) fn fusion_options() -> FusionOptions {
    FusionOptions {
        hidden: 8,
        dropout: 0.2,
        modality_dropout: 0.3,
        mask: true,
        classes: 4,
    }
}

/// Networks that are not trained, and their fusion.
pub(super) fn fusion_network(runtime: &Runtime) -> ([Network; 2], Network) {
    let network = |spec| Network::new(&spec, runtime, 1).unwrap();
    let networks = [
        network(NetworkSpec::neural_simple(WIDTH, 4)),
        network(NetworkSpec::lenet(SIZE, 4)),
    ];
    let branches = networks
        .iter()
        .map(|network| network.branch().unwrap().with_dense(9));
    let fusion = Network::fusion(branches.collect(), fusion_options(), runtime, 1).unwrap();
    (networks, fusion)
}

struct Trained {
    networks: [Network; 2],
    fitted: Fitted,
}

fn fusion(epochs: usize, modality_dropout: f64, scores: bool) -> Trained {
    let networks = [text_network(), image_network()];
    let fusion_options = FusionOptions {
        hidden: 32,
        dropout: 0.2,
        modality_dropout,
        mask: modality_dropout > 0.0,
        classes: 4,
    };
    let text = if scores {
        Branch::probabilities(Modality::Text, 4)
    } else {
        networks[0].branch().unwrap()
    };
    let branches = vec![text, networks[1].branch().unwrap()];
    let network = Network::fusion(branches, fusion_options, &runtime(), 1).unwrap();
    let both = [&networks[0], &networks[1]];
    let (train, validation) = (
        branch_rows(both, 160, 1, scores),
        branch_rows(both, 80, 2, scores),
    );
    let fitted = fit(network, &train, &validation, &options(epochs), &mut |_| {
        ControlFlow::Continue(())
    });
    Trained {
        networks,
        fitted: fitted.unwrap(),
    }
}

#[test]
fn a_fusion_beats_each_branch_where_each_knows_half() {
    for scores in [false, true] {
        let Trained { networks, fitted } = fusion(20, 0.0, scores);
        let unseen = examples(80, 3, |label| label);
        let alone = networks
            .each_ref()
            .map(|network| accuracy(network, &unseen));
        let [text, image] = &networks;
        let together = accuracy(&fitted.network, &branch_rows([text, image], 80, 3, scores));
        assert!(
            alone[0] < 0.7 && alone[1] < 0.7 && together > 0.95,
            "{alone:?} {together}"
        );
    }
}

#[test]
fn a_training_leaves_frozen_layers_as_they_are() {
    let spec = NetworkSpec::DenseHead {
        backbone: None,
        features: 4,
        hidden: vec![8],
        dropout: 0.2,
        drops_features: true,
        classes: 2,
    };
    let head = Network::new(&spec, &runtime(), 1).unwrap();
    let fusion_options = FusionOptions {
        hidden: 6,
        dropout: 0.2,
        modality_dropout: 0.0,
        mask: false,
        classes: 2,
    };
    let branches = vec![head.branch().unwrap().with_dense(5)];
    let untrained = Network::fusion(branches, fusion_options, &runtime(), 1).unwrap();
    let rows = |count: usize| {
        let mut features = Embeddings::empty(4).unwrap();
        let labels: Vec<usize> = (0..count).map(|row| row % 2).collect();
        for label in &labels {
            features
                .push(Some(&[*label as f32, 1.0, -1.0, 0.5]))
                .unwrap();
        }
        let inputs = Inputs {
            branches: vec![features],
            ..Inputs::default()
        };
        MemoryExamples::new(labels, inputs).unwrap()
    };
    let before = untrained.save().unwrap();
    let fitted = fit(untrained, &rows(32), &rows(8), &options(2), &mut |_| {
        ControlFlow::Continue(())
    });
    let after = fitted.unwrap().network.save().unwrap();
    let [before, after] =
        [&before, &after].map(|bytes| safetensors::SafeTensors::deserialize(bytes).unwrap());
    for (name, tensor) in after.iter() {
        let is_same = tensor.data() == before.tensor(name).unwrap().data();
        assert_eq!(is_same, name.contains("frozen"), "{name}");
    }
}

/// Share of the rows of which the upper bit (told by the text) or the lower one (by the image) is found, with that modality
/// alone.
fn alone(trained: &Trained, modality: Modality) -> f64 {
    let [text, image] = &trained.networks;
    let examples = branch_rows([text, image], 80, 4, false);
    let rows: Vec<usize> = (0..80).collect();
    let mut inputs = examples.inputs(&rows).unwrap();
    let place = usize::from(modality == Modality::Text);
    let hidden = &inputs.branches[place];
    // Values that are not to be looked at stay where they are.
    let mut blind = Embeddings::empty(hidden.dense().width()).unwrap();
    for _ in &rows {
        blind.push(None).unwrap();
    }
    inputs.branches[place] = blind;
    let rows = MemoryRows::new(80, inputs).unwrap();
    let found = predict(&trained.fitted.network, &rows, 16).unwrap();
    assert!(found.values.iter().all(|value| value.is_finite()));
    let bit = |label: usize| match modality {
        Modality::Text => label / 2,
        Modality::Image => label % 2,
    };
    let pairs = found.predicted().into_iter().zip(examples.labels());
    pairs
        .filter(|(found, label)| bit(*found) == bit(**label))
        .count() as f64
        / 80.0
}

#[test]
fn a_row_without_image_or_text_is_predicted_by_what_it_has() {
    let trained = fusion(20, 0.3, false);
    for modality in [Modality::Text, Modality::Image] {
        let share = alone(&trained, modality);
        assert!(share > 0.9, "{modality:?} {share}");
    }
}

#[test]
fn one_seed_gives_one_fusion_that_predicts_as_saved() {
    let first = fusion(2, 0.3, false);
    let bytes = first.fitted.network.save().unwrap();
    assert_eq!(fusion(2, 0.3, false).fitted.network.save().unwrap(), bytes);
    assert_ne!(fusion(2, 0.0, false).fitted.network.save().unwrap(), bytes);
    let loaded = Network::load(&bytes, &runtime()).unwrap();
    let [text, image] = &first.networks;
    let rows = branch_rows([text, image], 40, 5, false);
    let expected = predict(&first.fitted.network, &rows, 16).unwrap();
    assert_eq!(predict(&loaded, &rows, 16).unwrap(), expected);
    assert_eq!((expected.classes, expected.len()), (4, 40));
    for row in expected.rows() {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
