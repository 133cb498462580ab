//! What the rows of an epoch come to: losses and who was taken for what.
//!
//! Invariant: sums are made on the host, in double precision and in the order of the rows.

use burn::tensor::Tensor;

use super::EpochRecord;
use crate::model::predict::{argmax, log_sum_exp, read};
use crate::model::{Confusion, ModelError};

/// Logits that are still on the device, and the classes of their rows.
#[derive(Default)]
pub(super) struct Pending {
    logits: Vec<Tensor<2>>,
    classes: Vec<usize>,
}

impl Pending {
    pub(super) fn push(&mut self, logits: Tensor<2>, classes: Vec<usize>) {
        self.logits.push(logits);
        self.classes.extend(classes);
    }

    /// Steps whose logits are here.
    pub(super) fn steps(&self) -> usize {
        self.logits.len()
    }

    /// Copies them from the device, and counts their rows.
    pub(super) fn drain_into(&mut self, scores: &mut Scores) -> Result<(), ModelError> {
        if self.logits.is_empty() {
            return Ok(());
        }
        let logits = Tensor::cat(std::mem::take(&mut self.logits), 0);
        scores.add(&read(logits)?, self.classes.drain(..));
        Ok(())
    }
}

/// Sums over rows: the weighted losses, and who was taken for what.
pub(super) struct Scores {
    weights: Vec<f64>,
    loss: f64,
    confusion: Confusion,
}

impl Scores {
    pub(super) fn new(classes: usize, weights: &[f64]) -> Self {
        Self {
            weights: weights.to_vec(),
            loss: 0.0,
            confusion: Confusion::new(classes),
        }
    }

    pub(super) fn add(&mut self, logits: &[f32], classes: impl Iterator<Item = usize>) {
        for (row, class) in logits.chunks_exact(self.weights.len()).zip(classes) {
            self.loss += self.weights[class] * (log_sum_exp(row) - f64::from(row[class]));
            self.confusion.add(class, argmax(row));
        }
    }

    fn mean_loss(&self) -> f64 {
        self.loss / self.confusion.total() as f64
    }

    /// What an epoch came to that has these scores, and others on the validation rows.
    pub(super) fn record(
        &self,
        epoch: usize,
        learning_rate: f64,
        validation: &Self,
    ) -> EpochRecord {
        EpochRecord {
            epoch,
            loss: self.mean_loss(),
            accuracy: self.confusion.accuracy(),
            f1: self.confusion.weighted_f1(),
            validation_loss: validation.mean_loss(),
            validation_accuracy: validation.confusion.accuracy(),
            validation_f1: validation.confusion.weighted_f1(),
            learning_rate,
        }
    }
}
