//! Trainings on tiny problems, to the end.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand_chacha::ChaCha8Rng;

use super::*;
use crate::model::random::{permutation, uniform};
use crate::model::{
    Batches, Confusion, DeviceChoice, EarlyStopping, Images, Inputs, MemoryExamples, MemoryRows,
    NetworkSpec, Rows, Runtime, SparseRows, predict,
};

pub(super) const WIDTH: usize = 40;
pub(super) const SIZE: usize = 32;

pub(super) fn runtime() -> Runtime {
    Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap()
}

fn rng(seed: u64) -> ChaCha8Rng {
    generator(seed, Purpose::Order, 0)
}

pub(super) fn options(epochs: usize) -> TrainOptions {
    TrainOptions {
        epochs,
        batch_size: 16,
        learning_rate: 0.003,
        ..TrainOptions::default()
    }
}

/// Text whose words come from one half of the vocabulary or the other, by `bit`.
fn text(bits: &[usize], random: &mut ChaCha8Rng) -> SparseRows {
    let mut rows = SparseRows::empty(WIDTH);
    for &bit in bits {
        let words = permutation(random, WIDTH / 2);
        let mut words: Vec<u32> = words[..4]
            .iter()
            .map(|&w| (w + bit * WIDTH / 2) as u32)
            .collect();
        words.sort_unstable();
        rows.push(&words, &[0.5; 4]).unwrap();
    }
    rows
}

/// Noise with a bright rectangle in the left or the right half, by `bit`.
fn images(bits: &[usize], random: &mut ChaCha8Rng) -> Images {
    let mut pixels = Vec::new();
    for &bit in bits {
        let noise = uniform(random, SIZE * SIZE * 3, 40.0);
        pixels.extend(noise.iter().enumerate().map(|(index, noise)| {
            let (x, y) = (index / 3 % SIZE, index / 3 / SIZE);
            let is_bright = (8..24).contains(&y) && x / (SIZE / 2) == bit;
            (noise + if is_bright { 200.0 } else { 60.0 }) as u8
        }));
    }
    Images::new(SIZE, pixels, vec![true; bits.len()]).unwrap()
}

/// Four classes: the text tells the upper bit, the image the lower one.
pub(super) fn problem(rows: usize, seed: u64) -> (Vec<usize>, Inputs) {
    let mut random = rng(seed);
    let labels: Vec<usize> = permutation(&mut random, rows)
        .iter()
        .map(|row| row % 4)
        .collect();
    let upper: Vec<usize> = labels.iter().map(|label| label / 2).collect();
    let lower: Vec<usize> = labels.iter().map(|label| label % 2).collect();
    let inputs = Inputs {
        text: Some(text(&upper, &mut random)),
        images: Some(images(&lower, &mut random)),
        ..Inputs::default()
    };
    (labels, inputs)
}

/// The problem with every label halved (what the text tells) or its remainder (the image).
pub(super) fn examples(rows: usize, seed: u64, label: impl Fn(usize) -> usize) -> MemoryExamples {
    let (labels, inputs) = problem(rows, seed);
    MemoryExamples::new(labels.into_iter().map(label).collect(), inputs).unwrap()
}

pub(super) fn trained(spec: &NetworkSpec, epochs: usize, label: fn(usize) -> usize) -> Fitted {
    fitted(spec, &options(epochs), label).unwrap()
}

fn fitted(
    spec: &NetworkSpec,
    options: &TrainOptions,
    label: fn(usize) -> usize,
) -> Result<Fitted, ModelError> {
    let network = Network::new(spec, &runtime(), 1)?;
    let (train, validation) = (examples(160, 1, label), examples(80, 2, label));
    fit(network, &train, &validation, options, &mut |_| {
        ControlFlow::Continue(())
    })
}

pub(super) fn accuracy(network: &Network, examples: &MemoryExamples) -> f64 {
    let predicted = predict(network, examples, 32).unwrap().predicted();
    let pairs = examples.labels().iter().copied().zip(predicted);
    Confusion::from_pairs(network.spec().classes(), pairs).accuracy()
}

#[test]
fn a_text_network_learns() {
    let fitted = trained(&NetworkSpec::neural_simple(WIDTH, 2), 20, |label| label / 2);
    assert!(accuracy(&fitted.network, &examples(80, 3, |label| label / 2)) > 0.97);
    let (first, last) = (&fitted.history[0], fitted.history.last().unwrap());
    assert!(
        last.loss < first.loss / 2.0 && last.accuracy > 0.97,
        "{last:?}"
    );
    assert!(last.validation_loss < first.validation_loss / 2.0 && last.validation_f1 > 0.97);
}

#[test]
fn lenet_learns() {
    let fitted = trained(&NetworkSpec::lenet(SIZE, 2), 8, |label| label % 2);
    assert!(accuracy(&fitted.network, &examples(80, 3, |label| label % 2)) > 0.97);
}

#[test]
fn one_seed_gives_one_network() {
    for spec in [
        NetworkSpec::neural_simple(WIDTH, 4),
        NetworkSpec::lenet(SIZE, 4),
    ] {
        let bytes = |seed| {
            let options = TrainOptions { seed, ..options(2) };
            let fitted = fitted(&spec, &options, |label| label).unwrap();
            (fitted.network.save().unwrap(), fitted.history)
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1).0, bytes(2).0);
    }
}

#[test]
fn the_best_epoch_is_restored_after_early_stopping() {
    // Validation labels that have nothing to do with the rows: overfitting raises their loss.
    let spec = NetworkSpec::neural_simple(WIDTH, 4);
    let network = Network::new(&spec, &runtime(), 1).unwrap();
    let validation = examples(40, 2, |label| 3 - label);
    let options = TrainOptions {
        early_stopping: Some(EarlyStopping {
            patience: 2,
            start_epoch: 3,
        }),
        ..options(50)
    };
    let train = examples(160, 1, |label| label);
    let mut seen = 0;
    let fitted = fit(network, &train, &validation, &options, &mut |record| {
        seen += 1;
        assert_eq!(record.epoch, seen);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(fitted.stopped, Stopped::EarlyStopping);
    assert_eq!(
        (fitted.history.len(), seen),
        (fitted.best_epoch.max(2) + 2, fitted.history.len())
    );
    let probabilities = predict(&fitted.network, &validation, 40).unwrap();
    let losses = probabilities.rows().zip(validation.labels());
    let loss: f64 = losses
        .map(|(row, &class)| -f64::from(row[class]).ln())
        .sum();
    let best = fitted.history[fitted.best_epoch - 1].validation_loss;
    assert!(
        (loss / 40.0 - best).abs() < 1e-5,
        "{} is not {best}",
        loss / 40.0
    );
}

#[test]
fn class_weights_balance_the_classes() {
    let inputs = Inputs {
        text: Some(text(&[0; 8], &mut rng(1))),
        ..Inputs::default()
    };
    let train = MemoryExamples::new(vec![0, 0, 2, 2, 2, 2, 2, 2], inputs).unwrap();
    let weights = |class_weights| {
        let options = TrainOptions {
            class_weights,
            ..TrainOptions::default()
        };
        let training = Training {
            train: &train,
            validation: &train,
            options: &options,
            classes: 3,
            evaluation_rows: 8,
            supervisor: &mut Observed(&mut |_| ControlFlow::Continue(())),
            identity: String::new(),
        };
        training.class_weights()
    };
    assert_eq!(weights(true), [2.0, 1.0, 2.0 / 3.0]);
    assert_eq!(weights(false), [1.0; 3]);
}

#[test]
fn the_loss_on_the_device_is_the_loss_on_the_host() {
    let logits = [0.5, -1.0, 2.0, 3.0, 0.25, 0.0];
    let weights = [2.0, 1.0, 0.5];
    let device = runtime().device().clone();
    let tensor = Tensor::from_data(TensorData::new(logits.to_vec(), [2, 3]), &device);
    let found: f32 = cross_entropy(tensor, &[2, 0], &weights).into_scalar();
    let mut scores = Scores::new(3, &weights);
    scores.add(&logits, [2, 0].into_iter());
    let record = scores.record(1, 0.1, &scores);
    assert!((f64::from(found) - record.loss).abs() < 1e-6);
    // PyTorch's `cross_entropy(logits, classes, reduction="none")`.
    let expected = 0.25 * 0.241_311_296_657_157 + 0.107_701_210_639_695;
    assert!((record.loss - expected).abs() < 1e-7);
    assert!((record.accuracy - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_break_of_the_observer_interrupts() {
    let spec = NetworkSpec::neural_simple(WIDTH, 4);
    let network = Network::new(&spec, &runtime(), 1).unwrap();
    let examples = examples(40, 1, |label| label);
    let mut epochs = 0;
    let result = fit(network, &examples, &examples, &options(9), &mut |_| {
        epochs += 1;
        if epochs == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(result, Err(ModelError::Interrupted)));
    assert_eq!(epochs, 3);
}

/// Examples whose source fails after some batches.
struct Failing {
    examples: MemoryExamples,
    left: AtomicUsize,
}

impl Rows for Failing {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_> {
        let batches = self.examples.batches(order, batch_size);
        Box::new(batches.map(|batch| {
            let taken = self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            taken.map_err(|_| ModelError::Interrupted)?;
            batch
        }))
    }
}

impl Examples for Failing {
    fn labels(&self) -> &[usize] {
        self.examples.labels()
    }
}

#[test]
fn an_interrupted_source_ends_the_training() {
    let spec = NetworkSpec::neural_simple(WIDTH, 4);
    let validation = examples(16, 2, |label| label);
    let run = |batches| {
        let train = Failing {
            examples: examples(40, 1, |label| label),
            left: AtomicUsize::new(batches),
        };
        let network = Network::new(&spec, &runtime(), 1).unwrap();
        fit(network, &train, &validation, &options(2), &mut |_| {
            ControlFlow::Continue(())
        })
    };
    // 40 rows in batches of 16 are three steps an epoch.
    assert!(matches!(run(5), Err(ModelError::Interrupted)));
    assert!(run(6).is_ok());
}

#[test]
fn examples_that_do_not_fit_are_errors() {
    let spec = NetworkSpec::neural_simple(WIDTH, 3);
    let error = fitted(&spec, &options(1), |label| label).unwrap_err();
    assert!(
        matches!(
            error,
            ModelError::Class {
                class: 3,
                classes: 3,
                ..
            }
        ),
        "{error}"
    );

    let wide = NetworkSpec::neural_simple(WIDTH + 1, 4);
    let error = fitted(&wide, &options(1), |label| label).unwrap_err();
    assert_eq!(
        error.to_string(),
        "inputs do not fit: text has 40 features, expected 41"
    );
    let error = fitted(&NetworkSpec::lenet(16, 4), &options(1), |label| label).unwrap_err();
    assert_eq!(
        error.to_string(),
        "inputs do not fit: images are 32 pixels wide, expected 16"
    );

    let spec = NetworkSpec::neural_simple(WIDTH, 4);
    let error = fitted(&spec, &options(0), |label| label).unwrap_err();
    assert!(matches!(error, ModelError::Options { .. }), "{error}");
    let network = Network::new(&spec, &runtime(), 1).unwrap();
    let (some, none) = (examples(8, 1, |l| l), examples(0, 1, |l| l));
    let error = fit(network, &some, &none, &options(1), &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(
        error,
        Err(ModelError::Empty { fold: "validation" })
    ));
}

#[test]
fn a_loss_that_is_no_number_is_an_error() {
    let options = TrainOptions {
        learning_rate: 1e30,
        ..options(3)
    };
    let error = fitted(&NetworkSpec::neural_simple(WIDTH, 4), &options, |label| {
        label
    })
    .unwrap_err();
    assert!(matches!(error, ModelError::Diverged { .. }), "{error}");
}

#[test]
fn few_columns_of_a_batch_give_what_all_columns_give() {
    let spec = NetworkSpec::neural_simple(200, 4);
    let network = Network::new(&spec, &runtime(), 1).unwrap();
    let mut rows = SparseRows::empty(200);
    for row in 0..50u32 {
        rows.push(&[row * 4, row * 4 + 1, row * 4 + 3], &[0.5, 0.25, 1.0])
            .unwrap();
    }
    let inputs = Inputs {
        text: Some(rows),
        ..Inputs::default()
    };
    let rows = MemoryRows::new(50, inputs).unwrap();
    // A batch of one row has 3 active columns of 200, the batch of all rows 150.
    let few = predict(&network, &rows, 1).unwrap();
    let all = predict(&network, &rows, 50).unwrap();
    assert!(
        few.values
            .iter()
            .zip(&all.values)
            .all(|(a, b)| (a - b).abs() < 1e-6)
    );
}
