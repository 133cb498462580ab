//! `neural_simple`: TF-IDF features → dense → ReLU → dropout → classes.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::layers::{Initializer, dense, indices, linear, product};
use super::pass::Pass;
use crate::model::batch::{Inputs, check};
use crate::model::{ModelError, SparseRows};

/// The layers.
#[derive(Module, Debug)]
pub(in crate::model) struct NeuralSimple {
    dense: Linear,
    output: Linear,
    dropout: f64,
}

impl NeuralSimple {
    pub(super) fn new(
        features: usize,
        hidden: usize,
        dropout: f64,
        classes: usize,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        Self {
            dense: linear(features, hidden, initializer),
            output: linear(hidden, classes, initializer),
            dropout,
        }
    }

    pub(super) fn table(&self) -> &Param<Tensor<2>> {
        &self.dense.weight
    }

    pub(super) fn with_table(self, table: Tensor<2>) -> Self {
        let dense = Linear {
            weight: self.dense.weight.map(|_| table),
            ..self.dense
        };
        Self { dense, ..self }
    }

    /// # Shapes
    ///
    /// `[rows, hidden]`
    pub(super) fn features(
        &self,
        inputs: &Inputs,
        pass: &Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let [width, _] = self.dense.weight.dims();
        let text = text(inputs, width)?;
        let hidden = self.project(text, width, pass);
        Ok(activation::relu(hidden))
    }

    /// # Shapes
    ///
    /// `[rows, classes]`
    pub(super) fn logits(
        &self,
        inputs: &Inputs,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let features = self.features(inputs, pass)?;
        let features = pass.dropout(features, self.dropout);
        Ok(dense(&self.output, features, pass))
    }

    /// The product of sparse rows and weights. The columns that no row of the batch stores add
    /// nothing to it and get no gradient; where they are many, only the others are multiplied.
    fn project(&self, text: &SparseRows, width: usize, pass: &Pass<'_>) -> Tensor<2> {
        let device = self.dense.weight.device().without_autodiff();
        let columns = text.active_columns();
        if columns.len() * 2 > width || columns.is_empty() {
            let all: Vec<u32> = (0u32..).take(width).collect();
            return dense(&self.dense, matrix(text, &all, &device), pass);
        }
        let rows = self
            .dense
            .weight
            .val()
            .select(0, indices(&columns, &device));
        let product = product(matrix(text, &columns, &device), rows, pass);
        match &self.dense.bias {
            Some(bias) => product + bias.val().unsqueeze(),
            None => product,
        }
    }
}

/// The features that a batch stores, and the batch with only these.
pub(super) fn renumbered(inputs: Inputs, width: usize) -> Result<(Vec<u32>, Inputs), ModelError> {
    let text = text(&inputs, width)?;
    let mut columns = text.active_columns();
    if columns.is_empty() {
        // No row holds anything; a table of no rows is none.
        columns.push(0);
    }
    let renumbered = text.renumbered(&columns);
    let inputs = Inputs {
        text: Some(renumbered),
        ..inputs
    };
    Ok((columns, inputs))
}

fn text(inputs: &Inputs, width: usize) -> Result<&SparseRows, ModelError> {
    let text = inputs.text.as_ref().ok_or_else(|| ModelError::Inputs {
        reason: "neural_simple takes text, and there is none".to_owned(),
    })?;
    check(text.width() == width, || {
        format!("text has {} features, expected {width}", text.width())
    })?;
    Ok(text)
}

fn matrix(text: &SparseRows, columns: &[u32], device: &Device) -> Tensor<2> {
    let shape = [text.len(), columns.len()];
    Tensor::from_data(TensorData::new(text.dense(columns), shape), device)
}
