//! Trainings of networks whose first layer has a row for each word.

use burn::module::Module;

use super::*;
use crate::model::networks::Layers;
use crate::model::random::permutation;
use crate::model::{
    Confusion, DeviceChoice, EmbeddingOptimizer, MemoryRows, NetworkSpec, Runtime, SequenceRows,
    SparseRows, predict,
};
use crate::model::{FusionOptions, Inputs, MemoryExamples};

pub(super) const WORDS: usize = 40;
pub(super) const LENGTH: usize = 6;

fn runtime() -> Runtime {
    Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap()
}

/// Sequences of three words, and the same words as sparse rows. Words from 2 on: the class is
/// told by which of four runs of words the first two come from; the third is any word.
pub(super) fn examples(rows: usize, seed: u64) -> MemoryExamples {
    let mut random = generator(seed, Purpose::Order, 0);
    let (mut labels, mut sequences) = (Vec::new(), SequenceRows::empty(WORDS, LENGTH));
    let mut text = SparseRows::empty(WORDS);
    for row in 0..rows {
        let of_class = permutation(&mut random, 8);
        let class = row % 4;
        let any = permutation(&mut random, 32)[0];
        let words = [of_class[0] + class * 8, of_class[1] + class * 8, any];
        let mut words = words.map(|word| word as u32 + 2);
        sequences.push(&words).unwrap();
        words.sort_unstable();
        let distinct: &[u32] = if words[0] == words[1] || words[1] == words[2] {
            &[words[0], words[2]]
        } else {
            &words
        };
        text.push(distinct, &vec![0.5; distinct.len()]).unwrap();
        labels.push(class);
    }
    let inputs = Inputs {
        text: Some(text),
        sequences: Some(sequences),
        ..Inputs::default()
    };
    MemoryExamples::new(labels, inputs).unwrap()
}

fn embedder() -> NetworkSpec {
    NetworkSpec::neural_embedder(WORDS, LENGTH, 4)
}

fn options(epochs: usize, embedding_optimizer: EmbeddingOptimizer) -> TrainOptions {
    TrainOptions {
        epochs,
        batch_size: 16,
        learning_rate: 0.01,
        embedding_optimizer,
        ..TrainOptions::default()
    }
}

fn trained(spec: &NetworkSpec, train: &MemoryExamples, options: &TrainOptions) -> Network {
    let network = Network::new(spec, &runtime(), 1).unwrap();
    let validation = examples(40, 2);
    let fitted = fit(network, train, &validation, options, &mut |_| {
        ControlFlow::Continue(())
    });
    fitted.unwrap().network
}

/// A tensor of a network by its name, and its width.
fn tensor(network: &Network, name: &str) -> (Vec<f32>, usize) {
    let bytes = network.save().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let (words, _) = view.data().as_chunks::<4>();
    let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    (values, view.shape()[1])
}

#[test]
fn an_embedder_learns_words_lazily_and_densely() {
    let unseen = examples(80, 3);
    for optimizer in [EmbeddingOptimizer::Lazy, EmbeddingOptimizer::Dense] {
        let network = trained(&embedder(), &examples(200, 1), &options(30, optimizer));
        let predicted = predict(&network, &unseen, 32).unwrap().predicted();
        let pairs = unseen.labels().iter().copied().zip(predicted);
        let accuracy = Confusion::from_pairs(4, pairs).accuracy();
        assert!(accuracy > 0.95, "{optimizer:?} {accuracy}");
    }
}

#[test]
fn one_seed_gives_one_embedder() {
    for optimizer in [EmbeddingOptimizer::Lazy, EmbeddingOptimizer::Dense] {
        let train = examples(200, 1);
        let bytes = || trained(&embedder(), &train, &options(2, optimizer)).save();
        assert_eq!(bytes().unwrap(), bytes().unwrap());
    }
}

#[test]
fn lazy_and_dense_differ_only_after_the_first_step() {
    let train = examples(16, 1);
    let one_step = |optimizer| {
        let network = trained(&embedder(), &train, &options(1, optimizer));
        network.save().unwrap()
    };
    assert_eq!(
        one_step(EmbeddingOptimizer::Lazy),
        one_step(EmbeddingOptimizer::Dense)
    );
    let four_steps = |optimizer| {
        let options = TrainOptions {
            batch_size: 4,
            ..options(1, optimizer)
        };
        trained(&embedder(), &train, &options).save().unwrap()
    };
    assert_ne!(
        four_steps(EmbeddingOptimizer::Lazy),
        four_steps(EmbeddingOptimizer::Dense)
    );
}

#[test]
fn words_that_no_training_row_holds_keep_their_rows() {
    let train = examples(12, 1);
    let inputs = train.inputs(&(0..12).collect::<Vec<_>>()).unwrap();
    let used = inputs.sequences.unwrap().distinct();
    for optimizer in [EmbeddingOptimizer::Lazy, EmbeddingOptimizer::Dense] {
        let after = trained(&embedder(), &train, &options(3, optimizer));
        let before = Network::new(&embedder(), &runtime(), 1).unwrap();
        let [(before, width), (after, _)] =
            [&before, &after].map(|network| tensor(network, "embedding.weight"));
        let rows = before.chunks_exact(width).zip(after.chunks_exact(width));
        for (word, (before, after)) in (0u32..).zip(rows) {
            assert_eq!(before == after, !used.contains(&word), "word {word}");
        }
    }
}

/// A network that keeps its table to itself, so that Burn's Adam steps it on the device.
#[derive(Module, Debug)]
struct OnDevice {
    layers: Layers,
}

impl Classifier for OnDevice {
    fn logits(&self, inputs: &Inputs, pass: &mut Pass<'_>) -> Result<Tensor<2>, ModelError> {
        self.layers.logits(inputs, pass)
    }
}

#[test]
fn dense_steps_on_the_host_are_the_steps_of_burn_on_the_device() {
    let (train, validation) = (examples(100, 1), examples(40, 2));
    let options = options(3, EmbeddingOptimizer::Dense);
    for (spec, name) in [
        (NetworkSpec::neural_simple(WORDS, 4), "dense.weight"),
        (embedder(), "embedding.weight"),
    ] {
        let host = trained(&spec, &train, &options);
        let untrained = Network::new(&spec, &runtime(), 1).unwrap();
        let layers = untrained.layers().clone();
        let mut training = Training {
            train: &train,
            validation: &validation,
            options: &options,
            classes: 4,
            evaluation_rows: 40,
            supervisor: &mut Observed(&mut |_| ControlFlow::Continue(())),
            identity: String::new(),
        };
        let run = training.run(OnDevice { layers }).unwrap();
        let device = untrained.clone().with_layers(run.best.layers);
        let [host, device, untrained] =
            [&host, &device, &untrained].map(|network| tensor(network, name).0);
        let distance = |other: &[f32]| {
            let pairs = host.iter().zip(other);
            pairs.fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()))
        };
        assert!(distance(&device) < 1e-3, "{name} {}", distance(&device));
        assert!(distance(&untrained) > 0.05, "{name}");
    }
}

#[test]
fn batches_without_any_word_are_trained_on() {
    let mut inputs = Inputs {
        text: Some(SparseRows::empty(WORDS)),
        sequences: Some(SequenceRows::empty(WORDS, LENGTH)),
        ..Inputs::default()
    };
    for _ in 0..8 {
        inputs.text.as_mut().unwrap().push(&[], &[]).unwrap();
        inputs.sequences.as_mut().unwrap().push(&[]).unwrap();
    }
    let train = MemoryExamples::new(vec![0, 1, 2, 3, 0, 1, 2, 3], inputs).unwrap();
    for spec in [NetworkSpec::neural_simple(WORDS, 4), embedder()] {
        let network = trained(&spec, &train, &options(2, EmbeddingOptimizer::Lazy));
        let probabilities = predict(&network, &train, 8).unwrap();
        assert!(probabilities.values.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn sequences_that_do_not_fit_are_errors() {
    let fitted = |spec: &NetworkSpec, train: &MemoryExamples| {
        let network = Network::new(spec, &runtime(), 1).unwrap();
        let options = options(1, EmbeddingOptimizer::Lazy);
        let continued = &mut |_: &EpochRecord| ControlFlow::Continue(());
        let error = fit(network, train, train, &options, continued).unwrap_err();
        error.to_string()
    };
    let train = examples(20, 1);
    assert_eq!(
        fitted(&NetworkSpec::neural_embedder(WORDS + 1, LENGTH, 4), &train),
        "inputs do not fit: sequences have a vocabulary of 40, expected 41"
    );
    assert_eq!(
        fitted(&NetworkSpec::neural_embedder(WORDS, LENGTH + 1, 4), &train),
        "inputs do not fit: sequences have 6 positions, expected 7"
    );
    let without = MemoryExamples::new(vec![0; 20], Inputs::default()).unwrap();
    assert_eq!(
        fitted(&embedder(), &without),
        "inputs do not fit: neural_embedder takes sequences, and there are none"
    );
}

#[test]
fn an_embedder_is_a_branch_of_a_fusion_that_knows_no_row_of_padding() {
    let text = trained(
        &embedder(),
        &examples(200, 1),
        &options(5, EmbeddingOptimizer::Lazy),
    );
    let branch = text.branch().unwrap();
    let options = FusionOptions {
        hidden: 16,
        dropout: 0.1,
        modality_dropout: 0.0,
        mask: false,
        classes: 4,
    };
    let fusion = Network::fusion(vec![branch], options, &runtime(), 1).unwrap();
    let own = text.parameters().total - (text.penultimate_width() + 1) * 4;
    let found = fusion.parameters();
    assert_eq!(found.total - found.trainable, own);
    let mut sequences = SequenceRows::empty(WORDS, LENGTH);
    for words in [&[3, 5][..], &[0], &[]] {
        sequences.push(words).unwrap();
    }
    let inputs = Inputs {
        sequences: Some(sequences),
        ..Inputs::default()
    };
    let rows = MemoryRows::new(3, inputs).unwrap();
    let made = text.branch_rows(&rows, 2).unwrap();
    assert_eq!(made.present(), [true, false, false]);
    assert_eq!(made.dense().width(), text.penultimate_width());
    assert!(made.dense().values()[..54].iter().any(|value| *value > 0.0));
}
