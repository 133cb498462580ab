//! What takes the steps of a training: Adam.
//!
//! The weights that the words of a batch select ([`Classifier::table`]) are stepped on the host
//! by [`Table`], all others on the device by Burn. In between, the network is one of the batch's
//! own words: its table holds only their rows, and the batch is renumbered to match.
//!
//! On the device a step would have to put the rows back: Burn's `select_assign` copies the whole
//! table for that with LibTorch, thrice with the moments, and its Adam goes over all weights in a
//! dozen operations of which each makes a new table. Milliseconds per step of 64 rows (median of
//! three turns on two busy cores, two threads that wait passively; 6,711 training rows of the
//! slice), and weighted F1 on its test rows (mean of seeds 123 to 125, at most 30 epochs):
//!
//! | network | steps | ms | F1 |
//! |---|---|---|---|
//! | `neural_simple` | here | 2.3 | 0.677 |
//! | | Burn's Adam | 8.7 (one run) | |
//! | | PyTorch | 6.3 | 0.681 |
//! | `neural_embedder` | here, lazy | 3.7 | 0.677 |
//! | | here, dense | 10.2 | 0.679 |
//! | | Burn's Adam, dense | 205 (one run) | |
//! | | PyTorch | 60 | 0.280 |
//!
//! PyTorch's `neural_embedder` has the initial weights of PyTorch, with which 30 epochs are too few.

use burn::optim::{
    Adam as BurnsAdam, AdamConfig, AdamState, AdaptiveMomentumState, GradientsParams, LearningRate,
    ModuleOptimizer, Optimizer as BurnsOptimizer,
};
use burn::tensor::{Device, Tensor, TensorData};
use burn_pack::Bytes;

use super::ModelError;
use super::batch::Inputs;
use super::libtorch::{AdamFactors, AdamStepped, adam_step, is_own};
use super::networks::Classifier;
use super::predict::read;
use super::table::{EPSILON, EmbeddingOptimizer, Table};

/// The optimiser of a training.
pub(super) struct Optimizer {
    adam: ModuleOptimizer,
    table: Option<Table>,
    /// The rows of the table that the batch in work uses.
    rows: Vec<u32>,
}

impl Optimizer {
    pub(super) fn new<C: Classifier>(
        classifier: &C,
        embedding: EmbeddingOptimizer,
    ) -> Result<Self, ModelError> {
        let optimizer = if classifier.embeds() {
            embedding
        } else {
            EmbeddingOptimizer::Dense
        };
        let table = classifier.table().map(|table| {
            let [_, width] = table.dims();
            let weights = read(table.val().without_autodiff())?;
            Ok(Table::new(width, weights, optimizer))
        });
        Ok(Self {
            adam: ModuleOptimizer::from(Adam::new()),
            table: table.transpose()?,
            rows: Vec::new(),
        })
    }

    /// Returns Burn's Adam with the moments that it holds.
    pub(super) fn adam(&self) -> &ModuleOptimizer {
        &self.adam
    }

    /// Returns the table with the moments that it holds.
    pub(super) fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }

    /// Goes on with the moments of an earlier optimiser of the same network.
    pub(super) fn with_state(self, adam: Bytes, table: Option<Table>) -> Result<Self, ModelError> {
        let adam = self.adam.from_bytes(adam);
        let adam = adam.map_err(|error| ModelError::Snapshot {
            reason: error.to_string(),
        })?;
        Ok(Self {
            adam,
            table,
            rows: Vec::new(),
        })
    }

    /// Makes a network and a batch ready for [`step`](Self::step): the network of the batch's
    /// words.
    pub(super) fn begin<C: Classifier>(
        &mut self,
        classifier: C,
        inputs: Inputs,
    ) -> Result<(C, Inputs), ModelError> {
        let Some(table) = &self.table else {
            return Ok((classifier, inputs));
        };
        let (rows, inputs) = classifier.renumbered(inputs, table.rows())?;
        self.rows = rows;
        let weights = table.gather(&self.rows);
        Ok((with_table(classifier, weights, table.width()), inputs))
    }

    /// Takes a step down the gradient of a loss of the network that [`begin`](Self::begin) made.
    pub(super) fn step<C: Classifier>(
        &mut self,
        learning_rate: f64,
        classifier: C,
        loss: &Tensor<1>,
    ) -> Result<C, ModelError> {
        let mut gradients = GradientsParams::from_grads(loss.backward(), &classifier);
        if let (Some(table), Some(weight)) = (&mut self.table, classifier.table())
            && let Some(gradient) = gradients.remove::<2>(weight.id)
        {
            table.step(learning_rate, &self.rows, &read(gradient)?);
        }
        Ok(self.adam.step(learning_rate, classifier, gradients))
    }

    /// Returns the network with all words.
    pub(super) fn whole<C: Classifier>(&self, classifier: C) -> C {
        match &self.table {
            Some(table) => with_table(classifier, table.weights().to_vec(), table.width()),
            None => classifier,
        }
    }
}

/// Shares of the moments that a step keeps; Keras' and Burn's defaults.
const DECAYS: [f64; 2] = [0.9, 0.999];

/// Burn's Adam with the same state, its steps taken in place with LibTorch.
#[derive(Clone)]
struct Adam {
    burns: BurnsAdam,
}

impl Adam {
    fn new() -> Self {
        let config = AdamConfig::new().with_epsilon(EPSILON);
        Self {
            burns: config.build(),
        }
    }
}

impl BurnsOptimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        if !is_own(&weights) {
            return self.burns.step(learning_rate, weights, gradient, state);
        }
        let (before, moments) = match state.map(|state| state.momentum) {
            Some(state) => (state.time, [state.moment_1, state.moment_2]),
            None => (0, [gradient.zeros_like(), gradient.zeros_like()]),
        };
        let factors = AdamFactors {
            learning_rate,
            decays: DECAYS,
            epsilon: f64::from(EPSILON),
            time: before + 1,
        };
        let AdamStepped {
            weights,
            moments: [first, second],
        } = adam_step(AdamStepped { weights, moments }, gradient, factors);
        let momentum = AdaptiveMomentumState::new(factors.time, first, second);
        (weights, Some(AdamState::new(momentum)))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        BurnsAdam::to_device(state, device)
    }
}

fn with_table<C: Classifier>(classifier: C, weights: Vec<f32>, width: usize) -> C {
    let Some(table) = classifier.table() else {
        return classifier;
    };
    let device = table.device().without_autodiff();
    let shape = [weights.len() / width, width];
    let weights = Tensor::<2>::from_data(TensorData::new(weights, shape), &device);
    classifier.with_table(weights.autodiff().require_grad())
}
