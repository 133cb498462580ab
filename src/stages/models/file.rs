//! What a `train` checkpoint says of its model.

use super::predictor::{Form, Predictor};
use crate::checkpoint::{CheckpointReader, CheckpointWriter};
use crate::model::{Blend, LabelMap, Modality, Normalization};
use crate::stages::features::FeatureInputs;
use crate::stages::{Input, StageError, StageRun};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// File that describes the model.
const MODEL_FILE: &str = "model.json";

/// Names of the stages whose rows a model reads, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::stages) struct Reads {
    /// Of kind `tfidf`.
    pub(in crate::stages) text: Option<String>,
    /// Of kind `tokenize`.
    pub(in crate::stages) sequences: Option<String>,
    /// Of kind `decode_images`.
    pub(in crate::stages) images: Option<String>,
    /// Of kind `embed_images` or `pca`: their features stand side by side.
    pub(in crate::stages) embeddings: Vec<String>,
    /// How the features of each of them are scaled.
    pub(in crate::stages) normalization: Option<Normalization>,
}

impl Reads {
    /// What the stages tell of a product.
    pub(in crate::stages) fn modality(&self) -> Modality {
        if self.text.is_some() || self.sequences.is_some() {
            Modality::Text
        } else {
            Modality::Image
        }
    }
}

/// What of a member is joined with the others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::stages) enum Takes {
    /// The probabilities of the classes.
    Probabilities,
    /// Their logarithms, as a fusion reads them.
    Scores,
    /// What a fusion takes of a network: most often its penultimate layer.
    Branch,
}

/// One of the models that answer together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct Member {
    /// Name of the stage that trained it.
    pub(in crate::stages) stage: String,
    pub(super) form: Form,
    pub(super) file: String,
    pub(in crate::stages) reads: Reads,
    pub(in crate::stages) takes: Takes,
}

/// How what the members make of a row becomes one answer. A member that knows nothing of a row is left out of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(in crate::stages) enum Combination {
    /// The mean of the probabilities, weighted by member.
    Mean {
        /// Weight of each member.
        weights: Vec<f64>,
    },
    /// The mean of the probabilities, with weights that were fitted.
    Blend(Blend),
    /// A network.
    Fusion {
        /// Its weights.
        file: String,
    },
}

/// What a `train` checkpoint says of its model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct ModelFile {
    /// Classes in the order of the probabilities.
    pub(in crate::stages) labels: LabelMap,
    /// Share of each class among the training rows: the answer for a product of which nothing is known.
    pub(in crate::stages) priors: Vec<f32>,
    /// The models that answer.
    pub(in crate::stages) members: Vec<Member>,
    /// How they do so together.
    pub(in crate::stages) combination: Combination,
}

impl ModelFile {
    /// Reads the description that a `train` stage left.
    pub(in crate::stages) fn read(input: &Input) -> Result<Self, StageError> {
        let bytes = input.reader.file(MODEL_FILE)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            StageError::Unusable(format!("{MODEL_FILE} of {}: {error}", input.stage))
        })
    }

    /// Writes the description.
    pub(in crate::stages) fn write(&self, writer: &CheckpointWriter) -> Result<(), StageError> {
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        writer.write_file(MODEL_FILE, Bytes::from(json + "\n"), true)?;
        Ok(())
    }

    /// The only member of a model that is not itself made of models.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where it is.
    pub(in crate::stages) fn single(&self, stage: &str) -> Result<&Member, StageError> {
        match self.members.as_slice() {
            [member] if member.takes == Takes::Probabilities => Ok(member),
            _ => Err(StageError::Unusable(format!(
                "{stage} is itself made of models; name those instead"
            ))),
        }
    }
}

impl Member {
    /// Whether it is a neural network.
    pub(in crate::stages) fn is_network(&self) -> bool {
        self.form == Form::Network
    }

    /// Writes a model that was fitted in this stage.
    pub(in crate::stages) fn write(
        predictor: &Predictor,
        run: &StageRun<'_>,
        writer: &CheckpointWriter,
        features: &FeatureInputs<'_>,
    ) -> Result<Self, StageError> {
        let (form, file, bytes) = predictor.to_file()?;
        writer.write_file(file, Bytes::from(bytes), true)?;
        Ok(Self {
            stage: run.id.to_owned(),
            form,
            file: file.to_owned(),
            reads: features.reads(),
            takes: Takes::Probabilities,
        })
    }

    /// Copies the model of another checkpoint, to be part of this one.
    pub(in crate::stages) fn copied(
        &self,
        from: &CheckpointReader,
        writer: &CheckpointWriter,
        takes: Takes,
    ) -> Result<Self, StageError> {
        let file = format!("{}.{}", self.stage, self.file);
        writer.write_file(&file, from.file(&self.file)?, true)?;
        Ok(Self {
            file,
            takes,
            ..self.clone()
        })
    }
}
