//! One model, loaded and applied.

use super::file::{Member, Takes};
use crate::checkpoint::CheckpointReader;
use crate::model::classical::ClassicalModel;
use crate::model::{
    Embeddings, Inputs, MemoryRows, Network, Probabilities, SparseRows, predict, scores_of,
};
use crate::stages::features::Presence;
use crate::stages::{StageError, StageRun};
use serde::{Deserialize, Serialize};

/// Rows that go through a network at once.
const BATCH_ROWS: usize = 256;

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

    /// What it makes of some rows.
    ///
    /// # Shapes
    /// `[rows, columns]`: a column for each class, but for [`Takes::Branch`].
    pub(in crate::stages) fn output(
        &self,
        run: &StageRun<'_>,
        rows: usize,
        inputs: Inputs,
        takes: Takes,
    ) -> Result<Embeddings, StageError> {
        let known = Presence::of(rows, &inputs);
        if let (Self::Network(network), Takes::Branch) = (self, takes) {
            let _alone = run.environment.device_alone();
            let rows = MemoryRows::new(rows, inputs)?;
            return Ok(network.branch_rows(&rows, BATCH_ROWS)?);
        }
        let answers = self.predict(run, rows, inputs)?;
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

    /// Returns the probabilities of the classes for some rows.
    fn predict(
        &self,
        run: &StageRun<'_>,
        rows: usize,
        inputs: Inputs,
    ) -> Result<Probabilities, StageError> {
        match self {
            Self::Network(network) => {
                let _alone = run.environment.device_alone();
                let rows = MemoryRows::new(rows, inputs)?;
                Ok(predict(network, &rows, BATCH_ROWS)?)
            }
            Self::Classical(model) => {
                let rows = classical_rows(inputs)?;
                Ok(Probabilities {
                    classes: model.classes(),
                    values: model.predict_probabilities(rows.csr()),
                })
            }
        }
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
