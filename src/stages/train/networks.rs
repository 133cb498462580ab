//! Neural networks: their parameters, how they are made, and their training.

use super::loading::LoadingParams;
use super::trainable::Trainable;
use super::training::{Training, collector, require_width};
use crate::config::Issue;
use crate::model::backbones::BackboneKind;
use crate::model::{EmbeddingOptimizer, NetworkSpec};
use crate::schema::IMAGE_SIZE;
use crate::stages::features::{FeatureInputs, embedding_width, text_width};
use crate::stages::tokenize::SequenceSize;
use crate::stages::{StageError, StageRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Of `neural_simple`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct NeuralSimpleParams {
    /// Width of the dense layer.
    #[schemars(range(min = 1, max = 65_536))]
    hidden: usize,
    #[serde(flatten)]
    training: Training,
}

impl Default for NeuralSimpleParams {
    fn default() -> Self {
        Self {
            hidden: 54,
            training: Training::default(),
        }
    }
}

impl NeuralSimpleParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        require_width(&mut require, "hidden", self.hidden);
        self.training.validate(&mut require);
    }
}

/// Of `neural_embedder`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct NeuralEmbedderParams {
    /// Width of the embedding.
    #[schemars(range(min = 1, max = 65_536))]
    dimensions: usize,
    /// Width of the dense layer.
    #[schemars(range(min = 1, max = 65_536))]
    hidden: usize,
    /// Whose rows of the embedding a step changes.
    embedding_optimizer: EmbeddingOptimizer,
    #[serde(flatten)]
    training: Training,
}

impl Default for NeuralEmbedderParams {
    fn default() -> Self {
        Self {
            dimensions: 100,
            hidden: 54,
            embedding_optimizer: EmbeddingOptimizer::default(),
            training: Training::default(),
        }
    }
}

impl NeuralEmbedderParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        require_width(&mut require, "dimensions", self.dimensions);
        require_width(&mut require, "hidden", self.hidden);
        self.training.validate(&mut require);
    }

    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let sequences = run.input("tokenize")?;
        let SequenceSize { vocabulary, length } = SequenceSize::read(sequences)?;
        let spec = NetworkSpec::NeuralEmbedder {
            vocabulary,
            length,
            dimensions: self.dimensions,
            hidden: self.hidden,
            dropout: self.training.dropout,
            classes,
        };
        let features = FeatureInputs {
            sequences: Some(sequences),
            ..FeatureInputs::default()
        };
        let mut trainable = Trainable::new(run, &spec, &self.training, features)?;
        trainable.options.embedding_optimizer = self.embedding_optimizer;
        Ok(trainable)
    }
}

/// Of `lenet`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct LenetParams {
    /// Height and width in pixels that the network reads; divides the size of the tensors.
    #[schemars(range(min = 16))]
    image_size: usize,
    #[serde(flatten)]
    loading: LoadingParams,
    #[serde(flatten)]
    training: Training,
}

impl Default for LenetParams {
    fn default() -> Self {
        Self {
            image_size: IMAGE_SIZE as usize,
            loading: LoadingParams::default(),
            training: Training::default(),
        }
    }
}

impl LenetParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        self.loading.validate(path, issues);
        let mut require = collector(path, issues);
        let is_large = self.image_size >= 16;
        require(is_large, "image_size", "must be at least 16");
        self.training.validate(&mut require);
    }
}

/// Of `dense_head`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct DenseHeadParams {
    /// Widths of the dense layers.
    #[schemars(length(min = 1), inner(range(min = 1, max = 65_536)))]
    hidden: Vec<usize>,
    /// Whether some of the features are dropped in training, too.
    drops_features: bool,
    #[serde(flatten)]
    training: Training,
}

impl Default for DenseHeadParams {
    fn default() -> Self {
        Self {
            hidden: vec![1024, 512],
            drops_features: false,
            training: Training::default(),
        }
    }
}

impl DenseHeadParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        require(!self.hidden.is_empty(), "hidden", "there is no layer");
        for &width in &self.hidden {
            require_width(&mut require, "hidden", width);
        }
        self.training.validate(&mut require);
    }

    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let embeddings = run.input("embed_images")?;
        let backbone = embeddings.reader.manifest().summary.get("backbone");
        let backbone = backbone.and_then(|name| BackboneKind::deserialize(name).ok());
        let spec = NetworkSpec::DenseHead {
            backbone,
            features: embedding_width(embeddings)?,
            hidden: self.hidden.clone(),
            dropout: self.training.dropout,
            drops_features: self.drops_features,
            classes,
        };
        let features = FeatureInputs {
            embeddings: vec![embeddings],
            ..FeatureInputs::default()
        };
        Trainable::new(run, &spec, &self.training, features)
    }
}

impl NeuralSimpleParams {
    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let text = run.input("tfidf")?;
        let spec = NetworkSpec::NeuralSimple {
            features: text_width(text)?,
            hidden: self.hidden,
            dropout: self.training.dropout,
            classes,
        };
        let features = FeatureInputs {
            text: Some(text),
            ..FeatureInputs::default()
        };
        Trainable::new(run, &spec, &self.training, features)
    }
}

impl LenetParams {
    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let spec = NetworkSpec::LeNet {
            size: self.image_size,
            dropout: self.training.dropout,
            classes,
        };
        let features = FeatureInputs {
            images: Some((run.input("decode_images")?, self.image_size)),
            ..FeatureInputs::default()
        };
        let trainable = Trainable::new(run, &spec, &self.training, features)?;
        Ok(trainable.loading(self.loading.loading(run)))
    }
}
