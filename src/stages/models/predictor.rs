//! One model, loaded and applied.

use super::file::{Member, Takes};
use crate::checkpoint::CheckpointReader;
use crate::model::classical::ClassicalModel;
use crate::model::{
    Embeddings, Inputs, MemoryRows, Network, Probabilities, Rows, SparseRows, predict, scores_of,
};
use crate::stages::features::{LabelledRows, Loading, Presence, model_error};
use crate::stages::{StageError, StageRun};
use serde::{Deserialize, Serialize};

/// Rows that go through a network at once.
const BATCH_ROWS: usize = 256;

/// Pixels that go through a network at once: 32 images of 224×224.
const BATCH_PIXELS: usize = 32 * 224 * 224;

/// What can be asked for its probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    Network,
    Classical,
}

/// A model that can be asked.
#[derive(Debug)]
pub(in crate::stages) enum Predictor {
    /// Runs in LibTorch.
    Network(Box<Network>),
    /// Runs on the processor.
    Classical(ClassicalModel),
}

impl Predictor {
    /// The model as a file: its form, the file's name, the bytes.
    pub(super) fn to_file(&self) -> Result<(Form, &'static str, Vec<u8>), StageError> {
        Ok(match self {
            Self::Network(network) => (Form::Network, "weights.safetensors", network.save()?),
            Self::Classical(model) => (Form::Classical, "model.bin", model.to_bytes()),
        })
    }

    pub(in crate::stages) fn read(
        member: &Member,
        reader: &CheckpointReader,
        run: &StageRun<'_>,
    ) -> Result<Self, StageError> {
        let bytes = reader.file(&member.file)?;
        Ok(match member.form {
            Form::Network => {
                let runtime = run.environment.runtime()?;
                Self::Network(Box::new(Network::load(&bytes, runtime)?))
            }
            Form::Classical => Self::Classical(ClassicalModel::from_bytes(&bytes)?),
        })
    }

    /// Height and width in pixels of the images that it reads, if it reads any.
    pub(in crate::stages) fn image_size(&self) -> Option<usize> {
        match self {
            Self::Network(network) => network.spec().image_size(),
            Self::Classical(_) => None,
        }
    }

    /// Rows that go through it at once.
    fn batch_rows(&self) -> usize {
        let pixels = self.image_size().map_or(1, |size| size * size);
        (BATCH_PIXELS / pixels.max(1)).clamp(1, BATCH_ROWS)
    }

    /// What it makes of some rows.
    ///
    /// # Shapes
    /// `[rows, columns]`: a column for each class, but for [`Takes::Branch`].
    pub(in crate::stages) fn output(
        &self,
        run: &StageRun<'_>,
        rows: Asked,
        takes: Takes,
    ) -> Result<Embeddings, StageError> {
        let known = rows.presence();
        let answers = match self {
            Self::Network(network) => {
                let _alone = run.environment.device_alone();
                let heard = |error| model_error(error, &run.environment.cancel);
                let rows = rows.into_rows(run)?;
                if takes == Takes::Branch {
                    let output = network.branch_rows(rows.as_ref(), self.batch_rows());
                    return output.map_err(heard);
                }
                predict(network, rows.as_ref(), self.batch_rows()).map_err(heard)?
            }
            Self::Classical(model) => Probabilities {
                classes: model.classes(),
                values: model.predict_probabilities(classical_rows(rows.into_inputs())?.csr()),
            },
        };
        let classes = answers.classes;
        let values = match takes {
            Takes::Scores => scores_of(classes, &answers.values)?.values().to_vec(),
            Takes::Probabilities | Takes::Branch => answers.values,
        };
        let mut output = Embeddings::empty(classes)?;
        for (row, values) in values.chunks_exact(classes).enumerate() {
            output.push(known.any(row).then_some(values))?;
        }
        Ok(output)
    }
}

/// Rows that a model is asked about.
pub(in crate::stages) enum Asked {
    /// So many rows, held.
    Held(usize, Box<Inputs>),
    /// Labelled rows, whose images are read as it goes.
    Labelled(Box<LabelledRows>),
}

impl Asked {
    fn presence(&self) -> Presence {
        match self {
            Self::Held(rows, inputs) => Presence::of(*rows, inputs),
            Self::Labelled(rows) => rows.presence(),
        }
    }

    fn into_inputs(self) -> Inputs {
        match self {
            Self::Held(_, inputs) => *inputs,
            Self::Labelled(rows) => rows.inputs,
        }
    }

    fn into_rows(self, run: &StageRun<'_>) -> Result<Box<dyn Rows>, StageError> {
        Ok(match self {
            Self::Held(rows, inputs) => Box::new(MemoryRows::new(rows, *inputs)?),
            Self::Labelled(rows) => Box::new(rows.into_rows(&Loading::once(run))?),
        })
    }
}

/// What a classical model reads of inputs: sparse text, or all features of images.
pub(in crate::stages) fn classical_rows(inputs: Inputs) -> Result<SparseRows, StageError> {
    match (inputs.text, inputs.embeddings) {
        (Some(text), None) => Ok(text),
        (None, Some(features)) => Ok(SparseRows::of_dense(features.dense())?),
        _ => Err(StageError::Unusable(
            "a classical model reads text or features of images".to_owned(),
        )),
    }
}
