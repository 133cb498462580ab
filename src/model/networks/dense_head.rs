//! `dense_head`: features that a frozen backbone made of images → dense layers, each with ReLU and dropout → classes.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData, activation};

use super::layers::{Dropout, Initializer, linear};
use crate::model::ModelError;
use crate::model::batch::{Inputs, check};

/// The layers.
#[derive(Module, Debug)]
pub(in crate::model) struct DenseHead {
    dense: Vec<Linear>,
    output: Linear,
    dropout: f64,
    drops_features: bool,
}

impl DenseHead {
    /// Makes layers of the widths `hidden`, of which there is at least one; `dropout` is of these layers, and says whether
    /// it is of the features, too.
    pub(super) fn new(
        features: usize,
        hidden: &[usize],
        (dropout, drops_features): (f64, bool),
        classes: usize,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let mut width = features;
        let mut dense = Vec::with_capacity(hidden.len());
        for &next in hidden {
            dense.push(linear(width, next, initializer));
            width = next;
        }
        Self {
            dense,
            output: linear(width, classes, initializer),
            dropout,
            drops_features,
        }
    }

    /// Returns the layers before the classes.
    pub(super) fn dense(&self) -> &[Linear] {
        &self.dense
    }

    /// # Shapes
    ///
    /// `[rows, last width]`
    pub(super) fn features(
        &self,
        inputs: &Inputs,
        dropout: &mut Dropout<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let mut hidden = self.embeddings(inputs)?;
        for (place, layer) in self.dense.iter().enumerate() {
            if place > 0 || self.drops_features {
                hidden = dropout.apply(hidden, self.dropout);
            }
            hidden = activation::relu(layer.forward(hidden));
        }
        Ok(hidden)
    }

    /// # Shapes
    ///
    /// `[rows, classes]`
    pub(super) fn logits(
        &self,
        inputs: &Inputs,
        dropout: &mut Dropout<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let features = self.features(inputs, dropout)?;
        let features = dropout.apply(features, self.dropout);
        Ok(self.output.forward(features))
    }

    fn embeddings(&self, inputs: &Inputs) -> Result<Tensor<2>, ModelError> {
        let rows = inputs
            .embeddings
            .as_ref()
            .ok_or_else(|| ModelError::Inputs {
                reason: "dense_head takes features of images, and there are none".to_owned(),
            })?;
        let weight = &self.dense[0].weight;
        let ([expected, _], width) = (weight.dims(), rows.dense().width());
        check(width == expected, || {
            format!("{width} features of each image, expected {expected}")
        })?;
        let data = TensorData::new(rows.dense().values().to_vec(), [rows.len(), width]);
        Ok(Tensor::from_data(data, &weight.device().without_autodiff()))
    }
}
