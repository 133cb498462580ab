//! `fine_tuned`: a pretrained image network trained further, or a head on it, on the images themselves.
//!
//! The backbone begins with the weights that the configuration names, never at random: where their file is not at hand, the stage is skipped.

use super::loading::LoadingParams;
use super::trainable::Trainable;
use super::training::{Training, collector, require_width};
use crate::config::Issue;
use crate::model::{FineTuning, Network, Trained};
use crate::schema::IMAGE_SIZE;
use crate::stages::features::FeatureInputs;
use crate::stages::weights::Weights;
use crate::stages::{Environment, StageError, StageRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Smallest images in pixels that leave something after five halvings.
const LEAST_SIZE: usize = 32;

/// Of `fine_tuned`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct FineTunedParams {
    /// Name of an entry of the `weights` section.
    #[schemars(length(min = 1), extend("x-required" = true))]
    pub(super) weights: String,
    /// What a training changes.
    trained: Trained,
    /// Height and width in pixels that the network reads; divides the size of the tensors.
    #[schemars(range(min = 32))]
    image_size: usize,
    /// Widths of the dense layers.
    #[schemars(length(min = 1), inner(range(min = 1, max = 65_536)))]
    hidden: Vec<usize>,
    #[serde(flatten)]
    loading: LoadingParams,
    #[serde(flatten)]
    training: Training,
}

impl Default for FineTunedParams {
    fn default() -> Self {
        Self {
            weights: String::new(),
            trained: Trained::default(),
            image_size: IMAGE_SIZE as usize,
            hidden: vec![1024, 512],
            loading: LoadingParams::default(),
            training: Training::default(),
        }
    }
}

impl FineTunedParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        self.loading.validate(path, issues);
        let mut require = collector(path, issues);
        let missing = "is missing: the name of an entry of the `weights` section";
        require(!self.weights.is_empty(), "weights", missing);
        let is_large = self.image_size >= LEAST_SIZE;
        require(is_large, "image_size", "must be at least 32");
        require(!self.hidden.is_empty(), "hidden", "there is no layer");
        for &width in &self.hidden {
            require_width(&mut require, "hidden", width);
        }
        self.training.validate(&mut require);
    }

    /// What the weights are, for the fingerprint.
    pub(super) fn fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        Ok(Weights::named(environment, &self.weights)?.fields())
    }

    /// Reads the file of weights, to say early what is wrong with it.
    pub(super) fn check_inputs(&self, environment: &Environment) -> Result<(), StageError> {
        Weights::named(environment, &self.weights)?.read().map(drop)
    }

    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let weights = Weights::named(run.environment, &self.weights)?;
        let backbone = weights.load_pretrained(run.environment.runtime()?)?;
        let tuning = FineTuning {
            size: self.image_size,
            trained: self.trained,
            hidden: self.hidden.clone(),
            dropout: self.training.dropout,
        };
        let network = Network::fine_tuned(backbone, &tuning, classes, run.seed())?;
        let features = FeatureInputs {
            images: Some((run.input("decode_images")?, self.image_size)),
            ..FeatureInputs::default()
        };
        let trainable = Trainable::of(network, run, &self.training, features);
        Ok(trainable.loading(self.loading.loading(run)))
    }
}
