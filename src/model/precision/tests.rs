//! Trainings in mixed precision on the CPU, which LibTorch can do, if slowly.

use std::ops::ControlFlow;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::*;
use crate::model::random::{Purpose, generator, uniform};
use crate::model::{
    Branch, Dense, DeviceChoice, Embeddings, Fitted, FusionOptions, Images, Inputs, MemoryExamples,
    Modality, Network, NetworkSpec, SequenceRows, SparseRows, TrainOptions, fit,
};

const CLASSES: usize = 3;
const ROWS: usize = 48;
const SIZE: usize = 16;

fn runtime() -> Runtime {
    Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap()
}

/// Rows whose every modality tells the class.
fn examples() -> MemoryExamples {
    let mut random = generator(1, Purpose::Order, 0);
    let labels: Vec<usize> = (0..ROWS).map(|row| row % CLASSES).collect();
    let mut text = SparseRows::empty(3 * CLASSES);
    let mut sequences = SequenceRows::empty(3 + CLASSES, 4);
    let mut embeddings = Embeddings::empty(CLASSES + 1).unwrap();
    let mut pixels = Vec::new();
    for &class in &labels {
        let noise = uniform(&mut random, SIZE * SIZE * 3, 30.0);
        let word = class as u32;
        text.push(
            &[word, word + CLASSES as u32],
            &[0.7, noise[0].abs() / 30.0],
        )
        .unwrap();
        sequences.push(&[word + 3, 2]).unwrap();
        let mut features: Vec<f32> = noise[..=CLASSES].iter().map(|value| value / 30.0).collect();
        features[class] += 2.0;
        embeddings.push(Some(&features)).unwrap();
        pixels.extend(
            noise
                .iter()
                .map(|noise| (noise + 40.0 + 80.0 * class as f32) as u8),
        );
    }
    let words: Vec<f32> = (0..2 * ROWS).map(|place| (place % 2) as f32).collect();
    let inputs = Inputs {
        branches: vec![
            Embeddings::whole(Dense::new(2, words).unwrap()),
            embeddings.clone(),
        ],
        text: Some(text),
        sequences: Some(sequences),
        embeddings: Some(embeddings),
        images: Some(Images::new(SIZE, pixels, vec![true; ROWS]).unwrap()),
    };
    MemoryExamples::new(labels, inputs).unwrap()
}

fn head() -> NetworkSpec {
    NetworkSpec::DenseHead {
        backbone: None,
        features: CLASSES + 1,
        hidden: vec![16, 8],
        dropout: 0.1,
        drops_features: true,
        classes: CLASSES,
    }
}

/// The fusion of the head's features and of probabilities.
fn fusion(head: &Network, runtime: &Runtime) -> Network {
    let branches = vec![
        Branch::probabilities(Modality::Text, 2),
        head.branch().unwrap().with_dense(6),
    ];
    let options = FusionOptions {
        hidden: 16,
        dropout: 0.1,
        modality_dropout: 0.0,
        mask: true,
        classes: CLASSES,
    };
    Network::fusion(branches, options, runtime, 1).unwrap()
}

/// Untrained networks of every kind but those with a backbone, whose tests stand with them.
fn networks(runtime: &Runtime) -> Vec<Network> {
    let simple = NetworkSpec::neural_simple(3 * CLASSES, CLASSES);
    let new = |spec: &NetworkSpec| Network::new(spec, runtime, 1).unwrap();
    vec![
        new(&simple),
        new(&NetworkSpec::neural_embedder(3 + CLASSES, 4, CLASSES)),
        new(&NetworkSpec::lenet(SIZE, CLASSES)),
        new(&head()),
        fusion(&new(&head()), runtime),
    ]
}

fn trained(network: Network, precision: Precision) -> Fitted {
    let options = TrainOptions {
        epochs: 30,
        batch_size: 16,
        learning_rate: 0.01,
        precision,
        ..TrainOptions::default()
    };
    let examples = examples();
    fit(network, &examples, &examples, &options, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap()
}

#[test]
fn every_network_learns_in_mixed_precision_and_keeps_its_weights_in_f32() {
    for network in networks(&runtime().mixing()) {
        let name = network.spec().name();
        let full = trained(network.clone(), Precision::Full);
        let mixed = trained(network, Precision::Mixed);
        let best = &mixed.history[mixed.best_epoch - 1];
        assert!(best.validation_accuracy > 0.9, "{name}: {best:?}");
        assert_ne!(
            full.history[0], mixed.history[0],
            "{name} multiplied in f32"
        );
        let bytes = mixed.network.save().unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        for (tensor, view) in file.iter() {
            assert_eq!(view.dtype(), Dtype::F32, "{name}: {tensor}");
        }
        // A bfloat16 has no bits in its lower half.
        let words = file
            .iter()
            .flat_map(|(_, view)| view.data().as_chunks::<4>().0);
        let is_fine = |word: &&[u8; 4]| word[..2] != [0, 0];
        assert!(
            words.filter(is_fine).count() > 10,
            "{name}: the weights were rounded"
        );
    }
}

#[test]
fn on_a_cpu_mixed_precision_is_full() {
    assert_eq!(Precision::Mixed.on(&runtime()), Precision::Full);
    assert_eq!(Precision::Mixed.on(&runtime().mixing()), Precision::Mixed);
    assert_eq!(Precision::Full.on(&runtime().mixing()), Precision::Full);
    for network in networks(&runtime()) {
        let [full, mixed] = [Precision::Full, Precision::Mixed]
            .map(|precision| trained(network.clone(), precision));
        assert_eq!(full.history, mixed.history);
        assert!(full.network.save().unwrap() == mixed.network.save().unwrap());
    }
}
