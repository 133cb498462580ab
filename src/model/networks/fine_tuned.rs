//! `fine_tuned`: images → a pretrained backbone → global average pooling → the dense layers of
//! `dense_head`.
//!
//! Batch normalisations stay in inference mode: their moving statistics do not change, their scales and shifts are trained with the rest. That is
//! the usual way to fine-tune, since the batches of a small catalogue have other statistics than those that the weights were trained with. It also
//! makes a row's answer independent of the rows beside it, in training as in prediction.
//!
//! With `trained: head` the backbone is frozen, and its features are computed anew in each epoch, of augmented images for one.
//! Invariant: rows that no gradient flows through go in groups of one size, so that memory does not grow with the batch.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dense_head::DenseHead;
use super::pass::Pass;
use crate::model::ModelError;
use crate::model::backbones::{BackboneLayers, Preprocessing, WeightsSource};
use crate::model::batch::{Images, Inputs, check};

/// What a training changes of a network with a pretrained backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trained {
    /// The dense layers; the backbone is frozen.
    Head,
    /// Everything but the moving statistics of batch normalisations.
    #[default]
    All,
}

impl Trained {
    /// The backbone, frozen where it is not trained.
    fn of(self, backbone: BackboneLayers) -> BackboneLayers {
        match self {
            Self::Head => backbone.no_grad(),
            Self::All => backbone,
        }
    }
}

/// What is put on a pretrained backbone, and how much of all is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct FineTuning {
    /// Width and height of the images in pixels.
    pub size: usize,
    /// What a training changes.
    pub trained: Trained,
    /// Widths of the dense layers; at least one.
    pub hidden: Vec<usize>,
    /// Share of each dense layer dropped in training.
    pub dropout: f64,
}

/// The layers; without output where another network takes the features.
#[derive(Module, Debug)]
pub(in crate::model) struct FineTuned {
    backbone: BackboneLayers,
    head: DenseHead,
    size: usize,
    #[module(skip)]
    trained: Trained,
    #[module(skip)]
    preprocessing: Preprocessing,
}

impl FineTuned {
    pub(super) fn new(
        backbone: BackboneLayers,
        head: DenseHead,
        source: &WeightsSource,
        size: usize,
        trained: Trained,
    ) -> Self {
        Self {
            backbone: trained.of(backbone),
            head,
            size,
            trained,
            preprocessing: source.preprocessing,
        }
    }

    pub(super) fn with_backbone(self, backbone: BackboneLayers) -> Self {
        Self {
            backbone: self.trained.of(backbone),
            ..self
        }
    }

    /// Returns the number of parameters that a training changes.
    pub(super) fn trainable(&self) -> usize {
        let mut counter = Counter(0);
        self.visit(&mut counter);
        counter.0
    }

    /// # Shapes
    ///
    /// `[rows, last width]`
    pub(super) fn features(
        &self,
        inputs: &Inputs,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let images = self.images(inputs)?;
        let device = self.head.device();
        let embedded = |is_grouped: bool| {
            let (backbone, preprocessing) = (&self.backbone, self.preprocessing);
            if is_grouped {
                backbone.features_in_groups(images, preprocessing, &device, pass.precision())
            } else {
                backbone.features(images, preprocessing, &device, pass.precision())
            }
        };
        let has_gradient = pass.is_training() && self.trained == Trained::All;
        let features = embedded(!has_gradient);
        Ok(self.head.hidden(features, pass))
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
        Ok(self.head.classify(hidden, pass))
    }

    fn images<'a>(&self, inputs: &'a Inputs) -> Result<&'a Images, ModelError> {
        let images = inputs.images.as_ref().ok_or_else(|| ModelError::Inputs {
            reason: "fine_tuned takes images, and there are none".to_owned(),
        })?;
        check(images.size() == self.size, || {
            let (found, expected) = (images.size(), self.size);
            format!("images are {found} pixels wide, expected {expected}")
        })?;
        Ok(images)
    }
}

/// Counts the parameters that a training changes.
struct Counter(usize);

impl ModuleVisitor for Counter {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.clone().train().is_require_grad() {
            self.0 += param.shape().num_elements();
        }
    }
}

#[cfg(test)]
mod tests;
