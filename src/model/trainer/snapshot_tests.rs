//! Trainings that stop and go on from an epoch snapshot.

use super::fusion_tests::{branch_rows, fusion_network};
use super::tests::{SIZE, WIDTH, examples, runtime};
use super::word_tests::{LENGTH, WORDS, examples as word_examples};
use super::*;
use crate::model::{
    EarlyStopping, EmbeddingOptimizer, Embeddings, Inputs, MemoryExamples, NetworkSpec, Plateau,
};

const EPOCHS: usize = 6;

/// Keeps snapshots in memory, and ends the training after an epoch.
#[derive(Default)]
struct Keeper {
    ends_after: Option<usize>,
    /// Newest last.
    kept: Vec<Vec<u8>>,
    refused: Vec<String>,
    seen: Vec<usize>,
    resumed: Option<Vec<EpochRecord>>,
}

impl Supervisor for Keeper {
    fn epoch_ended(&mut self, epoch: &EpochRecord) -> ControlFlow<()> {
        self.seen.push(epoch.epoch);
        match self.ends_after {
            Some(last) if epoch.epoch >= last => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn load_snapshot(&mut self) -> Option<Vec<u8>> {
        self.kept.last().cloned()
    }

    fn refuse_snapshot(&mut self, reason: &ModelError) {
        self.kept.pop();
        self.refused.push(reason.to_string());
    }

    fn resumed(&mut self, history: &[EpochRecord]) {
        self.resumed = Some(history.to_vec());
    }

    fn wants_snapshot(&mut self, _is_ending: bool) -> bool {
        true
    }

    fn save_snapshot(&mut self, epoch: usize, snapshot: Vec<u8>) {
        assert_eq!(self.seen.last(), Some(&epoch));
        self.kept.push(snapshot);
    }
}

/// A training that can be begun any number of times.
pub(super) struct Case {
    name: &'static str,
    network: Network,
    train: Box<dyn Examples>,
    validation: Box<dyn Examples>,
    pub(super) options: TrainOptions,
}

/// Options under which the best epoch is not the last one and the learning rate falls.
fn options() -> TrainOptions {
    TrainOptions {
        epochs: EPOCHS,
        batch_size: 16,
        learning_rate: 0.02,
        early_stopping: None,
        plateau: Some(Plateau {
            factor: 0.5,
            patience: 1,
        }),
        ..TrainOptions::default()
    }
}

impl Case {
    fn new(name: &'static str, spec: &NetworkSpec, examples: [MemoryExamples; 2]) -> Self {
        let network = Network::new(spec, &runtime(), 1).unwrap();
        Self::of(name, network, examples)
    }

    pub(super) fn of<E: Examples + 'static>(
        name: &'static str,
        network: Network,
        [train, validation]: [E; 2],
    ) -> Self {
        Self {
            name,
            network,
            train: Box::new(train),
            validation: Box::new(validation),
            options: options(),
        }
    }

    fn fit(&self, keeper: &mut Keeper) -> Result<Fitted, ModelError> {
        fit_supervised(
            self.network.clone(),
            &*self.train,
            &*self.validation,
            &self.options,
            keeper,
        )
    }

    /// Trains to an epoch, and returns the snapshots that it left.
    fn stopped_after(&self, epoch: usize) -> Keeper {
        let mut keeper = Keeper {
            ends_after: Some(epoch),
            ..Keeper::default()
        };
        let error = self.fit(&mut keeper).unwrap_err();
        assert!(matches!(error, ModelError::Interrupted), "{error}");
        assert_eq!(keeper.kept.len(), epoch, "{}", self.name);
        keeper
    }
}

/// Validation labels that have little to do with the rows, so that the best epoch is an early one.
fn simple() -> Case {
    let spec = NetworkSpec::neural_simple(WIDTH, 4);
    let validation = examples(40, 2, |label| 3 - label);
    Case::new(
        "neural_simple",
        &spec,
        [examples(160, 1, |l| l), validation],
    )
}

fn embedder(optimizer: EmbeddingOptimizer) -> Case {
    let spec = NetworkSpec::neural_embedder(WORDS, LENGTH, 4);
    let mut case = Case::new(
        "neural_embedder",
        &spec,
        [word_examples(100, 1), word_examples(40, 2)],
    );
    case.options.embedding_optimizer = optimizer;
    case
}

/// Features of which each is drawn around the class.
pub(super) fn embedded(rows: usize, seed: u64) -> MemoryExamples {
    let noise =
        crate::model::random::uniform(&mut generator(seed, Purpose::Order, 0), rows * 8, 1.5);
    let labels: Vec<usize> = (0..rows).map(|row| row % 4).collect();
    let mut features = Embeddings::empty(8).unwrap();
    for (noise, &label) in noise.chunks_exact(8).zip(&labels) {
        let features_of_row: Vec<f32> = noise.iter().map(|noise| noise + label as f32).collect();
        features.push(Some(&features_of_row)).unwrap();
    }
    let inputs = Inputs {
        embeddings: Some(features),
        ..Inputs::default()
    };
    MemoryExamples::new(labels, inputs).unwrap()
}

/// A head on those features.
pub(super) fn head() -> NetworkSpec {
    NetworkSpec::DenseHead {
        backbone: None,
        features: 8,
        hidden: vec![12, 6],
        dropout: 0.2,
        drops_features: true,
        classes: 4,
    }
}

fn cases() -> Vec<Case> {
    let (branches, fusion) = fusion_network(&runtime());
    let [text, image] = &branches;
    let fused = |rows, seed| branch_rows([text, image], rows, seed, false);
    vec![
        simple(),
        embedder(EmbeddingOptimizer::Lazy),
        embedder(EmbeddingOptimizer::Dense),
        Case::new(
            "lenet",
            &NetworkSpec::lenet(SIZE, 4),
            [examples(64, 1, |l| l), examples(32, 2, |l| l)],
        ),
        Case::new("dense_head", &head(), [embedded(90, 1), embedded(40, 2)]),
        Case::of("fusion", fusion, [fused(80, 1), fused(40, 2)]),
    ]
}

/// Checks that a training which is stopped after each of these epochs, and goes on, ends with the bytes of one that is not; `anew` is
/// the same training as another process begins it. Returns the latter.
pub(super) fn goes_on_alike(case: &Case, anew: &Case, stops: &[usize]) -> Fitted {
    let name = case.name;
    let whole = case.fit(&mut Keeper::default()).unwrap();
    assert_eq!(whole.history.len(), EPOCHS);
    for &stopped_after in stops {
        let mut keeper = case.stopped_after(stopped_after);
        (keeper.ends_after, keeper.seen) = (None, Vec::new());
        let resumed = anew.fit(&mut keeper).unwrap();
        assert!(keeper.refused.is_empty(), "{name}: {:?}", keeper.refused);
        let rest: Vec<usize> = (stopped_after + 1..=EPOCHS).collect();
        assert_eq!(keeper.seen, rest, "{name}");
        assert_eq!(
            keeper.resumed.unwrap(),
            whole.history[..stopped_after],
            "{name}"
        );
        assert_eq!(resumed.history, whole.history, "{name}");
        assert_eq!(resumed.times.len(), EPOCHS);
        assert_eq!(resumed.best_epoch, whole.best_epoch);
        assert_eq!(resumed.stopped, whole.stopped);
        let is_same = resumed.network.save().unwrap() == whole.network.save().unwrap();
        assert!(is_same, "{name} after {stopped_after}");
    }
    whole
}

#[test]
fn a_training_that_goes_on_ends_with_the_bytes_of_one_that_was_not_stopped() {
    let mut has_earlier_best = false;
    for case in cases() {
        has_earlier_best |= goes_on_alike(&case, &case, &[1, 4]).best_epoch < 4;
    }
    assert!(
        has_earlier_best,
        "no snapshot held the weights of an earlier epoch"
    );
}

#[test]
fn a_training_that_stops_in_every_epoch_ends_with_the_same_bytes() {
    let case = simple();
    let whole = case.fit(&mut Keeper::default()).unwrap();
    let mut keeper = Keeper::default();
    for epoch in 1..=EPOCHS {
        keeper.ends_after = Some(epoch);
        assert!(case.fit(&mut keeper).is_err());
    }
    // The last epoch leaves no snapshot, and is run once more.
    keeper.ends_after = None;
    let resumed = case.fit(&mut keeper).unwrap();
    assert_eq!(keeper.seen, [1, 2, 3, 4, 5, 6, 6]);
    assert_eq!(resumed.history, whole.history);
    assert!(resumed.network.save().unwrap() == whole.network.save().unwrap());
}

#[test]
fn early_stopping_and_the_learning_rate_go_on_where_they_were() {
    let mut case = simple();
    case.options = TrainOptions {
        epochs: 40,
        early_stopping: Some(EarlyStopping {
            patience: 3,
            start_epoch: 4,
        }),
        ..options()
    };
    let whole = case.fit(&mut Keeper::default()).unwrap();
    assert_eq!(whole.stopped, Stopped::EarlyStopping);
    let epochs = whole.history.len();
    let mut keeper = case.stopped_after(epochs - 1);
    keeper.ends_after = None;
    let resumed = case.fit(&mut keeper).unwrap();
    assert_eq!(
        (resumed.stopped, resumed.history),
        (whole.stopped, whole.history)
    );
    let rates = resumed.times.len();
    assert_eq!(rates, epochs);
}

#[test]
fn the_moments_of_the_optimiser_matter() {
    let case = simple();
    let whole = case.fit(&mut Keeper::default()).unwrap();
    let keeper = case.stopped_after(3);
    for dropped in ["adam.", "table."] {
        let changed = rewritten(&keeper.kept[2], |name, bytes| {
            if name.starts_with(dropped) {
                bytes.fill(0);
            }
        });
        let mut keeper = Keeper {
            kept: vec![changed],
            ..Keeper::default()
        };
        let resumed = case.fit(&mut keeper).unwrap();
        assert_ne!(resumed.history[3..], whole.history[3..], "{dropped}");
    }
}

/// A snapshot with other tensors, or other metadata.
fn rewritten(snapshot: &[u8], change: impl Fn(&str, &mut Vec<u8>)) -> Vec<u8> {
    use safetensors::tensor::{SafeTensors, TensorView};
    let (_, metadata) = SafeTensors::read_metadata(snapshot).unwrap();
    let mut header = metadata.metadata().as_ref().unwrap()["snapshot"]
        .clone()
        .into_bytes();
    change("", &mut header);
    let header = String::from_utf8(header).unwrap();
    let tensors: Vec<_> = SafeTensors::deserialize(snapshot)
        .unwrap()
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let mut bytes = view.data().to_vec();
            change(&name, &mut bytes);
            (name, view.dtype(), view.shape().to_vec(), bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let metadata = std::collections::HashMap::from([("snapshot".to_owned(), header)]);
    safetensors::serialize(views, Some(metadata)).unwrap()
}

#[test]
fn a_snapshot_of_no_use_is_passed_over_for_the_one_before() {
    let case = simple();
    let whole = case.fit(&mut Keeper::default()).unwrap();
    let stopped = case.stopped_after(3);
    let replaced = |from: &'static str, to: &'static str| {
        rewritten(&stopped.kept[2], move |name, bytes| {
            if name.is_empty() {
                let text = String::from_utf8(bytes.clone()).unwrap();
                assert!(text.contains(from), "{text}");
                *bytes = text.replace(from, to).into_bytes();
            }
        })
    };
    let truncated = stopped.kept[2][..stopped.kept[2].len() - 1].to_vec();
    let unordered = rewritten(&stopped.kept[2], |name, bytes| {
        if name == "history" {
            bytes[..8].copy_from_slice(&2f64.to_le_bytes());
        }
    });
    let other_losses = rewritten(&stopped.kept[2], |name, bytes| {
        if name == "history" {
            // The validation loss of the second epoch is the best of all.
            bytes[(10 + 4) * 8..(10 + 5) * 8].copy_from_slice(&1e-9f64.to_le_bytes());
        }
    });
    let unusable = [
        (b"nothing".to_vec(), "not readable"),
        (truncated, "not readable"),
        (
            replaced("\"format_version\":1", "\"format_version\":2"),
            "format version 2",
        ),
        (
            replaced("160 training rows", "161 training rows"),
            "another network, options or rows",
        ),
        (
            replaced("batch_size: 16", "batch_size: 17"),
            "another network, options or rows",
        ),
        (
            replaced("dense.bias.", "dance.bias."),
            "which the network has not",
        ),
        (unordered, "its history"),
        (other_losses, "does not follow the schedule"),
    ];
    for (snapshot, reason) in unusable {
        let mut keeper = Keeper {
            kept: vec![stopped.kept[1].clone(), snapshot],
            ..Keeper::default()
        };
        let resumed = case.fit(&mut keeper).unwrap();
        let refused = keeper.refused.join("; ");
        assert!(refused.contains(reason), "{refused} is not {reason}");
        assert_eq!(keeper.refused.len(), 1, "{refused}");
        assert_eq!(keeper.seen, [3, 4, 5, 6], "{refused}");
        assert_eq!(resumed.history, whole.history);
        assert!(resumed.network.save().unwrap() == whole.network.save().unwrap());
    }
}

#[test]
fn a_snapshot_of_another_training_is_refused() {
    let case = simple();
    let mut keeper = case.stopped_after(2);
    let others = [
        TrainOptions {
            seed: 5,
            ..options()
        },
        TrainOptions {
            learning_rate: 0.01,
            ..options()
        },
        TrainOptions {
            class_weights: true,
            ..options()
        },
    ];
    for other in others {
        let other = Case {
            options: other,
            ..simple()
        };
        let whole = other.fit(&mut Keeper::default()).unwrap();
        let mut left = Keeper {
            kept: keeper.kept.clone(),
            ..Keeper::default()
        };
        let begun_anew = other.fit(&mut left).unwrap();
        assert_eq!((left.seen.len(), left.refused.len()), (EPOCHS, 2));
        assert_eq!(begun_anew.history, whole.history);
    }
    keeper.ends_after = None;
    let other = embedder(EmbeddingOptimizer::Lazy);
    assert_eq!(other.fit(&mut keeper).unwrap().history.len(), EPOCHS);
    assert_eq!(keeper.refused.len(), 2);
}
