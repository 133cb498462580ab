//! `dense_head`: features that a frozen backbone made of images → dense layers, each with ReLU and dropout → classes.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::layers::{Initializer, dense, linear};
use super::pass::Pass;
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
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        Ok(self.hidden(self.embeddings(inputs)?, pass))
    }

    /// The last dense layer.
    ///
    /// # Shapes
    ///
    /// `[rows, features]` → `[rows, last width]`
    pub(super) fn hidden(&self, features: Tensor<2>, pass: &mut Pass<'_>) -> Tensor<2> {
        let mut hidden = features;
        for (place, layer) in self.dense.iter().enumerate() {
            if place > 0 || self.drops_features {
                hidden = pass.dropout(hidden, self.dropout);
            }
            hidden = activation::relu(dense(layer, hidden, pass));
        }
        hidden
    }

    /// # Shapes
    ///
    /// `[rows, classes]`
    pub(super) fn logits(
        &self,
        inputs: &Inputs,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let hidden = self.features(inputs, pass)?;
        Ok(self.classify(hidden, pass))
    }

    /// The classes of the last dense layer.
    ///
    /// # Shapes
    ///
    /// `[rows, last width]` → `[rows, classes]`
    pub(super) fn classify(&self, hidden: Tensor<2>, pass: &mut Pass<'_>) -> Tensor<2> {
        let hidden = pass.dropout(hidden, self.dropout);
        dense(&self.output, hidden, pass)
    }

    /// The device of the layers, without autodiff.
    pub(super) fn device(&self) -> Device {
        self.dense[0].weight.device().without_autodiff()
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
        Ok(Tensor::from_data(data, &self.device()))
    }
}
