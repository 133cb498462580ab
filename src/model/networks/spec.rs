//! Declarations of networks, as weights files and stages write them.

use serde::{Deserialize, Serialize};

use super::fine_tuned::Trained;
use super::fusion::{BranchSpec, Modality};
use super::lenet;
use crate::model::ModelError;
use crate::model::backbones::{BackboneKind, MIN_SIZE, WeightsSource};

/// The declaration of a network; with a seed it is a whole untrained network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "network", rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkSpec {
    /// TF-IDF features → dense → ReLU → dropout → classes.
    NeuralSimple {
        /// Number of TF-IDF features.
        features: usize,
        /// Width of the dense layer.
        #[serde(default = "neural_simple_hidden")]
        hidden: usize,
        /// Share of the dense layer dropped in training.
        #[serde(default = "default_dropout")]
        dropout: f64,
        /// Number of classes.
        classes: usize,
    },
    /// Word numbers → embedding → mean over all positions, padding included → dropout → dense →
    /// ReLU → dropout → classes.
    NeuralEmbedder {
        /// How many word numbers there are, padding and unknown words included.
        #[serde(default = "embedder_vocabulary")]
        vocabulary: usize,
        /// Number of positions of a text, padding included.
        #[serde(default = "embedder_length")]
        length: usize,
        /// Width of the embedding.
        #[serde(default = "embedder_dimensions")]
        dimensions: usize,
        /// Width of the dense layer.
        #[serde(default = "neural_simple_hidden")]
        hidden: usize,
        /// Share of the mean, and of the dense layer, dropped in training.
        #[serde(default = "default_dropout")]
        dropout: f64,
        /// Number of classes.
        classes: usize,
    },
    /// LeNet-5 on colour images: 6 and 16 filters 5 × 5 with 2 × 2 pooling, dense 120, dropout,
    /// dense 54, classes.
    #[serde(rename = "lenet")]
    LeNet {
        /// Width and height of the images in pixels.
        #[serde(default = "lenet_size")]
        size: usize,
        /// Share of the dense layer of 120 dropped in training.
        #[serde(default = "default_dropout")]
        dropout: f64,
        /// Number of classes.
        classes: usize,
    },
    /// Features of a frozen backbone → dense layers, each with ReLU and dropout → classes.
    DenseHead {
        /// The backbone that made the features, where one did: its parameters count as frozen ones.
        backbone: Option<BackboneKind>,
        /// Number of features.
        features: usize,
        /// Widths of the dense layers; at least one.
        #[serde(default = "head_hidden")]
        hidden: Vec<usize>,
        /// Share of each dense layer dropped in training.
        #[serde(default = "default_dropout")]
        dropout: f64,
        /// Whether that share of the features is dropped, too.
        #[serde(default)]
        drops_features: bool,
        /// Number of classes.
        classes: usize,
    },
    /// Images → backbone, batch normalisations in inference mode → global average pooling → dense
    /// layers, each with ReLU and dropout → classes. It begins with the backbone's weights:
    /// [`Network::fine_tuned`](super::Network::fine_tuned).
    FineTuned {
        /// The backbone, its variant, and what is done to the pixels.
        source: WeightsSource,
        /// Width and height of the images in pixels.
        size: usize,
        /// What a training changes.
        trained: Trained,
        /// Widths of the dense layers; at least one.
        #[serde(default = "head_hidden")]
        hidden: Vec<usize>,
        /// Share of each dense layer dropped in training.
        #[serde(default = "default_dropout")]
        dropout: f64,
        /// Number of classes.
        classes: usize,
    },
    /// What several trained models make of a row, side by side → dense → ReLU → dropout → classes.
    Fusion {
        /// The models.
        branches: Vec<BranchSpec>,
        /// Width of the dense layer.
        #[serde(default = "fusion_hidden")]
        hidden: usize,
        /// Share of the dense layer dropped in training.
        #[serde(default = "default_dropout")]
        dropout: f64,
        /// Share of the rows with text and image that lose one of the two in a step of training.
        #[serde(default)]
        modality_dropout: f64,
        /// Whether the dense layer is told which branches know the row.
        #[serde(default)]
        mask: bool,
        /// Number of classes.
        classes: usize,
    },
}

fn neural_simple_hidden() -> usize {
    54
}

fn embedder_vocabulary() -> usize {
    50_000
}

fn embedder_length() -> usize {
    500
}

fn embedder_dimensions() -> usize {
    100
}

fn lenet_size() -> usize {
    224
}

fn head_hidden() -> Vec<usize> {
    vec![1024, 512]
}

fn fusion_hidden() -> usize {
    128
}

fn default_dropout() -> f64 {
    0.2
}

impl NetworkSpec {
    /// Returns the report's `neural_simple` for a vocabulary.
    #[must_use]
    pub fn neural_simple(features: usize, classes: usize) -> Self {
        Self::NeuralSimple {
            features,
            hidden: neural_simple_hidden(),
            dropout: default_dropout(),
            classes,
        }
    }

    /// Returns the report's `neural_embedder` for a vocabulary (the report's: 50,000) and a length
    /// of the texts (500).
    #[must_use]
    pub fn neural_embedder(vocabulary: usize, length: usize, classes: usize) -> Self {
        Self::NeuralEmbedder {
            vocabulary,
            length,
            dimensions: embedder_dimensions(),
            hidden: neural_simple_hidden(),
            dropout: default_dropout(),
            classes,
        }
    }

    /// Returns the report's `lenet` for an image size.
    #[must_use]
    pub fn lenet(size: usize, classes: usize) -> Self {
        Self::LeNet {
            size,
            dropout: default_dropout(),
            classes,
        }
    }

    /// Returns the report's head for the features of a backbone.
    #[must_use]
    pub fn dense_head(backbone: BackboneKind, classes: usize) -> Self {
        Self::DenseHead {
            backbone: Some(backbone),
            features: backbone.width(),
            hidden: head_hidden(),
            dropout: default_dropout(),
            drops_features: false,
            classes,
        }
    }

    /// Returns the name of the network, as in `pipeline.yaml`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NeuralSimple { .. } => "neural_simple",
            Self::NeuralEmbedder { .. } => "neural_embedder",
            Self::LeNet { .. } => "lenet",
            Self::DenseHead { .. } => "dense_head",
            Self::FineTuned { .. } => "fine_tuned",
            Self::Fusion { .. } => "fusion",
        }
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        match *self {
            Self::NeuralSimple { classes, .. }
            | Self::NeuralEmbedder { classes, .. }
            | Self::LeNet { classes, .. }
            | Self::DenseHead { classes, .. }
            | Self::FineTuned { classes, .. }
            | Self::Fusion { classes, .. } => classes,
        }
    }

    /// Returns the width and height of the images it reads, in pixels, where it reads any.
    #[must_use]
    pub fn image_size(&self) -> Option<usize> {
        match self {
            Self::NeuralSimple { .. }
            | Self::NeuralEmbedder { .. }
            | Self::DenseHead { .. }
            | Self::Fusion { .. } => None,
            Self::LeNet { size, .. } | Self::FineTuned { size, .. } => Some(*size),
        }
    }

    /// Returns the width of the layer before the classes.
    #[must_use]
    pub fn penultimate_width(&self) -> usize {
        match self {
            Self::NeuralSimple { hidden, .. }
            | Self::NeuralEmbedder { hidden, .. }
            | Self::Fusion { hidden, .. } => *hidden,
            Self::DenseHead { hidden, .. } | Self::FineTuned { hidden, .. } => {
                hidden.last().copied().unwrap_or_default()
            }
            Self::LeNet { .. } => lenet::DENSE_2,
        }
    }

    /// Returns what the network reads; `None` of a fusion, which reads what other models made.
    #[must_use]
    pub fn modality(&self) -> Option<Modality> {
        match self {
            Self::NeuralSimple { .. } | Self::NeuralEmbedder { .. } => Some(Modality::Text),
            Self::LeNet { .. } | Self::DenseHead { .. } | Self::FineTuned { .. } => {
                Some(Modality::Image)
            }
            Self::Fusion { .. } => None,
        }
    }

    /// Number of parameters between the penultimate layer and the classes.
    pub(super) fn output_parameters(&self) -> usize {
        (self.penultimate_width() + 1) * self.classes()
    }

    /// Share of the penultimate layer that the network drops in training.
    pub(super) fn penultimate_dropout(&self) -> f64 {
        match *self {
            Self::NeuralSimple { dropout, .. }
            | Self::NeuralEmbedder { dropout, .. }
            | Self::DenseHead { dropout, .. }
            | Self::FineTuned { dropout, .. }
            | Self::Fusion { dropout, .. } => dropout,
            // Dropout comes before the dense layer of 54 there, none after it.
            Self::LeNet { .. } => 0.0,
        }
    }

    fn dropout(&self) -> f64 {
        match *self {
            Self::NeuralSimple { dropout, .. }
            | Self::NeuralEmbedder { dropout, .. }
            | Self::LeNet { dropout, .. }
            | Self::DenseHead { dropout, .. }
            | Self::FineTuned { dropout, .. }
            | Self::Fusion { dropout, .. } => dropout,
        }
    }

    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where a width is 0, a dropout not in `[0, 1)`, an image too small, or
    /// a branch of a fusion of the wrong kind.
    pub fn validate(&self) -> Result<(), ModelError> {
        require(self.classes() > 0, "there are no classes")?;
        require(
            (0.0..1.0).contains(&self.dropout()),
            "dropout is not in [0, 1)",
        )?;
        match self {
            Self::NeuralSimple {
                features, hidden, ..
            } => require(*features > 0 && *hidden > 0, "a width is 0"),
            Self::NeuralEmbedder {
                vocabulary,
                length,
                dimensions,
                hidden,
                ..
            } => {
                let widths = [*vocabulary, *length, *dimensions, *hidden];
                require(!widths.contains(&0), "a width is 0")?;
                require(
                    u32::try_from(*vocabulary).is_ok(),
                    "the vocabulary is larger than word numbers can be",
                )
            }
            Self::LeNet { size, .. } => require(
                *size >= lenet::MIN_SIZE,
                "images are smaller than 16 pixels",
            ),
            Self::DenseHead {
                features, hidden, ..
            } => {
                require(!hidden.is_empty(), "there is no dense layer")?;
                require(*features > 0 && !hidden.contains(&0), "a width is 0")
            }
            Self::FineTuned {
                source,
                size,
                hidden,
                ..
            } => {
                require(*size >= MIN_SIZE, "images are smaller than 32 pixels")?;
                require(!hidden.is_empty(), "there is no dense layer")?;
                require(!hidden.contains(&0), "a width is 0")?;
                require(
                    !source.classifier,
                    "the backbone has a classifier of its own",
                )?;
                source.validate()
            }
            Self::Fusion {
                branches,
                hidden,
                modality_dropout,
                ..
            } => {
                require(!branches.is_empty(), "there is no branch")?;
                require(*hidden > 0, "a width is 0")?;
                require(
                    (0.0..1.0).contains(modality_dropout),
                    "the dropout of modalities is not in [0, 1)",
                )?;
                branches.iter().try_for_each(validate_branch)
            }
        }
    }
}

fn validate_branch(branch: &BranchSpec) -> Result<(), ModelError> {
    require(
        branch.width > 0 && !branch.frozen.contains(&0) && branch.dense != Some(0),
        "a width is 0",
    )?;
    require(
        (0.0..1.0).contains(&branch.dropout),
        "dropout is not in [0, 1)",
    )
}

fn require(holds: bool, reason: &str) -> Result<(), ModelError> {
    if holds {
        Ok(())
    } else {
        Err(ModelError::Spec {
            reason: reason.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_tagged_by_name_and_have_the_defaults_of_the_report() {
        let json = r#"{"network":"neural_simple","features":5000,"classes":27}"#;
        let spec: NetworkSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spec, NetworkSpec::neural_simple(5000, 27));
        assert_eq!(
            (spec.penultimate_width(), spec.name()),
            (54, "neural_simple")
        );
        let json = r#"{"network":"neural_embedder","classes":27}"#;
        let spec: NetworkSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spec, NetworkSpec::neural_embedder(50_000, 500, 27));
        assert_eq!(
            (spec.penultimate_width(), spec.name()),
            (54, "neural_embedder")
        );
        let json = r#"{"network":"lenet","classes":27}"#;
        let spec: NetworkSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spec, NetworkSpec::lenet(224, 27));
        let unknown = r#"{"network":"lenet","classes":27,"hidden":3}"#;
        assert!(serde_json::from_str::<NetworkSpec>(unknown).is_err());
    }

    #[test]
    fn specs_that_cannot_be_built_are_refused() {
        let branch = BranchSpec::probabilities(Modality::Text, 2);
        let fusion = |branches: &[BranchSpec], dropout, modality_dropout| NetworkSpec::Fusion {
            branches: branches.to_vec(),
            hidden: 8,
            dropout,
            modality_dropout,
            mask: true,
            classes: 2,
        };
        let one = [branch.clone()];
        fusion(&one, 0.0, 0.5).validate().unwrap();
        let changed = |change: fn(&mut BranchSpec)| {
            let mut branch = branch.clone();
            change(&mut branch);
            fusion(&[branch], 0.0, 0.0)
        };
        let head = |hidden: &[usize], features| NetworkSpec::DenseHead {
            backbone: None,
            features,
            hidden: hidden.to_vec(),
            dropout: 0.1,
            drops_features: true,
            classes: 2,
        };
        head(&[4], 3).validate().unwrap();
        for spec in [
            NetworkSpec::neural_simple(0, 2),
            NetworkSpec::neural_simple(5, 0),
            NetworkSpec::neural_embedder(0, 5, 2),
            NetworkSpec::neural_embedder(9, 0, 2),
            NetworkSpec::neural_embedder(1 << 33, 5, 2),
            NetworkSpec::lenet(15, 2),
            head(&[], 3),
            head(&[4, 0], 3),
            head(&[4], 0),
            fusion(&[], 0.0, 0.0),
            fusion(&one, 1.0, 0.0),
            fusion(&one, f64::NAN, 0.0),
            fusion(&one, 0.0, 1.0),
            changed(|branch| branch.width = 0),
            changed(|branch| branch.frozen = vec![0]),
            changed(|branch| branch.dense = Some(0)),
            changed(|branch| branch.dropout = -0.1),
        ] {
            let error = spec.validate().unwrap_err();
            assert!(matches!(error, ModelError::Spec { .. }), "{spec:?}");
        }
    }
}
