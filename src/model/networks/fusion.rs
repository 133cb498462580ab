//! `fusion`: the penultimate layers of trained networks, side by side → dense → ReLU → dropout →
//! classes.
//!
//! The branches are frozen: a training computes their features once, then trains the
//! [`FusionHead`] on them. Invariant: a row that lacks the modality of a branch has zeros in that
//! branch's place.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData, activation};

use super::layers::{dense, linear};
use super::spec::Modality;
use super::{Classifier, Dropout, Initializer, Layers};
use crate::model::batch::{Inputs, check};
use crate::model::{ModelError, SequenceRows, SparseRows};

/// The frozen branches (text, image) and what is trained on them.
#[derive(Module, Debug)]
pub(in crate::model) struct Fusion {
    branches: Vec<Layers>,
    head: FusionHead,
}

/// The trained part of a fusion; takes the branches' features side by side.
#[derive(Module, Debug)]
pub(in crate::model) struct FusionHead {
    dense: Linear,
    output: Linear,
    dropout: f64,
    #[module(skip)]
    inputs: Vec<HeadInput>,
}

/// A run of columns of the head's input, from one branch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HeadInput {
    pub(super) width: usize,
    /// Share dropped in training.
    pub(super) dropout: f64,
}

impl Fusion {
    /// Makes a fusion of networks without output layer.
    pub(super) fn new(
        branches: Vec<Layers>,
        inputs: Vec<HeadInput>,
        hidden: usize,
        dropout: f64,
        classes: usize,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let width = inputs.iter().map(|input| input.width).sum();
        Self {
            branches: branches.into_iter().map(Module::no_grad).collect(),
            head: FusionHead {
                dense: linear(width, hidden, initializer),
                output: linear(hidden, classes, initializer),
                dropout,
                inputs,
            },
        }
    }

    pub(super) fn head(&self) -> &FusionHead {
        &self.head
    }

    pub(super) fn with_head(self, head: FusionHead) -> Self {
        Self { head, ..self }
    }

    /// The features of all branches, side by side.
    ///
    /// # Shapes
    ///
    /// `[rows, sum of the branches' widths]`
    pub(super) fn branch_features(&self, inputs: &Inputs) -> Result<Tensor<2>, ModelError> {
        let features = self
            .branches
            .iter()
            .zip(&self.head.inputs)
            .map(|(branch, &input)| masked(branch, input, inputs))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::cat(features, 1))
    }

    pub(super) fn features(&self, inputs: &Inputs) -> Result<Tensor<2>, ModelError> {
        let joined = self.branch_features(inputs)?;
        Ok(self.head.hidden(joined, &mut Dropout::off()))
    }

    pub(super) fn logits(
        &self,
        inputs: &Inputs,
        dropout: &mut Dropout<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let joined = self.branch_features(inputs)?;
        Ok(self.head.classify(joined, dropout))
    }
}

/// The features of a branch, in evaluation mode, 0 where a row lacks its modality.
fn masked(branch: &Layers, input: HeadInput, inputs: &Inputs) -> Result<Tensor<2>, ModelError> {
    let present = match branch.modality() {
        Modality::Text => inputs.text.as_ref().map(SparseRows::presence),
        Modality::Sequences => inputs.sequences.as_ref().map(SequenceRows::presence),
        Modality::Image => inputs
            .images
            .as_ref()
            .map(|images| images.present().to_vec()),
        Modality::Embeddings => inputs
            .embeddings
            .as_ref()
            .map(|rows| rows.present().to_vec()),
        Modality::Both => None,
    };
    let Some(present) = present else {
        return absent(branch, input, inputs);
    };
    let features = branch.features(inputs, &mut Dropout::off())?;
    if present.iter().all(|&present| present) {
        return Ok(features);
    }
    let mask: Vec<f32> = present.iter().map(|&present| f32::from(present)).collect();
    let mask = TensorData::new(mask, [present.len(), 1]);
    Ok(features * Tensor::from_data(mask, &branch.device()))
}

/// The features of a branch whose modality no row of the batch has.
fn absent(branch: &Layers, input: HeadInput, inputs: &Inputs) -> Result<Tensor<2>, ModelError> {
    let rows = inputs.rows().ok_or_else(|| ModelError::Inputs {
        reason: "a fusion takes text and images, and there is neither".to_owned(),
    })?;
    Ok(Tensor::zeros([rows, input.width], &branch.device()))
}

impl FusionHead {
    fn width(&self) -> usize {
        self.inputs.iter().map(|input| input.width).sum()
    }

    fn hidden(&self, joined: Tensor<2>, dropout: &mut Dropout<'_>) -> Tensor<2> {
        let columns: Vec<_> = self
            .inputs
            .iter()
            .map(|input| (input.width, input.dropout))
            .collect();
        let joined = dropout.apply_columns(joined, &columns);
        activation::relu(dense(&self.dense, joined, dropout))
    }

    fn classify(&self, joined: Tensor<2>, dropout: &mut Dropout<'_>) -> Tensor<2> {
        let hidden = self.hidden(joined, dropout);
        let hidden = dropout.apply(hidden, self.dropout);
        dense(&self.output, hidden, dropout)
    }
}

impl Classifier for FusionHead {
    fn logits(&self, inputs: &Inputs, dropout: &mut Dropout<'_>) -> Result<Tensor<2>, ModelError> {
        let features = inputs.features.as_ref().ok_or_else(|| ModelError::Inputs {
            reason: "the head of a fusion takes features, and there are none".to_owned(),
        })?;
        check(features.width() == self.width(), || {
            format!("{} features, expected {}", features.width(), self.width())
        })?;
        let shape = [features.len(), features.width()];
        let data = TensorData::new(features.values().to_vec(), shape);
        let device = self.dense.weight.device().without_autodiff();
        Ok(self.classify(Tensor::from_data(data, &device), dropout))
    }
}
