//! How a network is trained.

use crate::model::schedule::{EarlyStopping, Plateau};
use crate::model::table::EmbeddingOptimizer;
use crate::model::{ModelError, Precision};

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Largest number of epochs.
    pub epochs: usize,
    /// Rows per step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// Learning rate of the first epoch.
    pub learning_rate: f64,
    /// Seed of the order of the rows and of dropout.
    pub seed: u64,
    /// When to stop early, if at all.
    pub early_stopping: Option<EarlyStopping>,
    /// When to lower the learning rate, if at all.
    pub plateau: Option<Plateau>,
    /// Whether rows weigh inversely to the number of rows of their class (scikit-learn's
    /// `balanced`) in the training loss; the validation loss weighs all rows alike.
    pub class_weights: bool,
    /// How the rows of an embedding are trained, where the network has one.
    pub embedding_optimizer: EmbeddingOptimizer,
    /// In which numbers dense layers and convolutions multiply.
    pub precision: Precision,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            epochs: 30,
            batch_size: 64,
            learning_rate: 1e-3,
            seed: 123,
            early_stopping: Some(EarlyStopping::default()),
            plateau: Some(Plateau::default()),
            class_weights: false,
            embedding_optimizer: EmbeddingOptimizer::default(),
            precision: Precision::default(),
        }
    }
}

impl TrainOptions {
    /// Refuses what no training can be run with.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let error = |reason: &str| {
            Err(ModelError::Options {
                reason: reason.to_owned(),
            })
        };
        if self.epochs == 0 {
            return error("epochs is 0");
        }
        if self.batch_size == 0 {
            return error("batch_size is 0");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return error("learning_rate is not a positive number");
        }
        Ok(())
    }
}
