//! Predictions: the rows in batches through a network, then softmax on the host.

use burn::tensor::Tensor;

use super::batch::{Inputs, Rows};
use super::networks::{Classifier, Pass};
use super::order::EpochOrder;
use super::{ModelError, Network};

/// The probabilities of the classes, row after row.
///
/// # Shapes
///
/// `values` is `[rows, classes]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Probabilities {
    /// Number of classes.
    pub classes: usize,
    /// Probability of each class for each row.
    pub values: Vec<f32>,
}

impl Probabilities {
    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.classes
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the probabilities of each row in turn.
    #[must_use]
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.classes)
    }

    /// Returns the most probable class of each row; the first where several are.
    #[must_use]
    pub fn predicted(&self) -> Vec<usize> {
        self.rows().map(argmax).collect()
    }
}

/// Returns the probabilities of the classes for all rows.
///
/// # Errors
///
/// [`ModelError::Inputs`] where the rows do not fit the network, and what [`Rows::batches`] returns.
pub fn predict(
    network: &Network,
    rows: &dyn Rows,
    batch_size: usize,
) -> Result<Probabilities, ModelError> {
    network.runtime().bind_thread();
    let classes = network.spec().classes();
    let mut values = Vec::with_capacity(rows.len() * classes);
    in_batches(rows, batch_size, |inputs, _| {
        let logits = network.layers().logits(inputs, &mut Pass::evaluation())?;
        for row in read(logits)?.chunks_exact(classes) {
            values.extend(softmax(row));
        }
        Ok(())
    })?;
    Ok(Probabilities { classes, values })
}

/// Hands over all rows in order, in batches, each with the rows it holds.
pub(super) fn in_batches(
    rows: &dyn Rows,
    batch_size: usize,
    mut take: impl FnMut(&Inputs, &[usize]) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    for batch in rows.batches(EpochOrder::Sequential, batch_size.max(1)) {
        let batch = batch?.checked()?;
        take(&batch.inputs, &batch.rows)?;
    }
    Ok(())
}

/// Copies values from the device.
pub(super) fn read(tensor: Tensor<2>) -> Result<Vec<f32>, ModelError> {
    let values = tensor.into_data().try_into_vec::<f32>();
    values.map_err(|error| ModelError::ReadBack {
        reason: error.to_string(),
    })
}

/// The index of the largest value; the first where several are.
pub(super) fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, &value) in values.iter().enumerate() {
        if value > values[best] {
            best = index;
        }
    }
    best
}

/// The logarithm of the sum of the exponentials.
pub(super) fn log_sum_exp(logits: &[f32]) -> f64 {
    let top = f64::from(logits[argmax(logits)]);
    let sum: f64 = logits
        .iter()
        .map(|&logit| (f64::from(logit) - top).exp())
        .sum();
    top + sum.ln()
}

fn softmax(logits: &[f32]) -> impl Iterator<Item = f32> {
    let total = log_sum_exp(logits);
    logits
        .iter()
        .map(move |&logit| (f64::from(logit) - total).exp() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_gives_probabilities_however_large_the_logits() {
        let row: Vec<f32> = softmax(&[1000.0, 1000.0, 1000.0 - 2f32.ln()]).collect();
        for (found, expected) in row.iter().zip([0.4, 0.4, 0.2]) {
            assert!((found - expected).abs() < 1e-4, "{row:?}");
        }
    }

    #[test]
    fn the_first_of_the_largest_is_predicted() {
        let probabilities = Probabilities {
            classes: 3,
            values: vec![0.2, 0.4, 0.4, 0.6, 0.2, 0.2],
        };
        assert_eq!(probabilities.predicted(), [1, 0]);
        assert_eq!(probabilities.len(), 2);
    }
}
