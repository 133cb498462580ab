//! What a `train` checkpoint says of its model, and the model loaded and applied.
//!
//! A model has one member, or, voting, several. Invariant: a member names the stages whose rows it was
//! fitted on, and is applied to rows of those stages only.

use super::features::{FeatureInputs, LabelledRows, Loading, Presence, model_error};
use super::{Input, StageError, StageRun};
use crate::checkpoint::{CheckpointReader, CheckpointWriter};
use crate::model::classical::ClassicalModel;
use crate::model::{Inputs, LabelMap, MemoryRows, Network, Probabilities, SparseRows, predict};
use arrow::array::RecordBatch;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// File that describes the model.
const MODEL_FILE: &str = "model.json";

/// Rows that go through a network at once.
const BATCH_ROWS: usize = 256;

/// Pixels that go through a network at once: 32 images of 224×224.
const BATCH_PIXELS: usize = 32 * 224 * 224;

/// What can be asked for its probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Network,
    Classical,
}

/// Names of the stages whose rows a model reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reads {
    /// Of kind `tfidf`.
    pub(super) text: Option<String>,
    /// Of kind `tokenize`.
    pub(super) sequences: Option<String>,
    /// Of kind `decode_images`.
    pub(super) images: Option<String>,
    /// Of kind `embed_images` or `pca`.
    pub(super) embeddings: Option<String>,
}

/// One of the models that answer together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Member {
    /// Name of the stage that trained it.
    pub(super) stage: String,
    /// Share of its answer.
    pub(super) weight: f64,
    form: Form,
    file: String,
    pub(super) reads: Reads,
}

/// What a `train` checkpoint says of its model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelFile {
    /// Classes in the order of the probabilities.
    pub(super) labels: LabelMap,
    /// Share of each class among the training rows: the answer for a product of which nothing is known.
    pub(super) priors: Vec<f32>,
    /// The models that answer.
    pub(super) members: Vec<Member>,
}

impl ModelFile {
    /// Reads the description that a `train` stage left.
    pub(super) fn read(input: &Input) -> Result<Self, StageError> {
        let bytes = input.reader.file(MODEL_FILE)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            StageError::Unusable(format!("{MODEL_FILE} of {}: {error}", input.stage))
        })
    }

    /// Writes the description.
    pub(super) fn write(&self, writer: &CheckpointWriter) -> Result<(), StageError> {
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        writer.write_file(MODEL_FILE, Bytes::from(json + "\n"), true)?;
        Ok(())
    }
}

impl Member {
    /// Copies the model of another checkpoint, to be part of this one.
    pub(super) fn copied(
        mut self,
        from: &CheckpointReader,
        writer: &CheckpointWriter,
        weight: f64,
    ) -> Result<Self, StageError> {
        let file = format!("{}.{}", self.stage, self.file);
        writer.write_file(&file, from.file(&self.file)?, true)?;
        self.file = file;
        self.weight = weight;
        Ok(self)
    }
}

/// A model that can be asked.
#[derive(Debug)]
pub(super) enum Predictor {
    /// Runs in LibTorch.
    Network(Box<Network>),
    /// Runs on the processor.
    Classical(ClassicalModel),
}

impl Predictor {
    /// Writes the model; returns how to find it again.
    pub(super) fn write(
        &self,
        run: &StageRun<'_>,
        writer: &CheckpointWriter,
        features: &FeatureInputs<'_>,
    ) -> Result<Member, StageError> {
        let (form, file, bytes) = match self {
            Self::Network(network) => (Form::Network, "weights.safetensors", network.save()?),
            Self::Classical(model) => (Form::Classical, "model.bin", model.to_bytes()),
        };
        writer.write_file(file, Bytes::from(bytes), true)?;
        Ok(Member {
            stage: run.id.to_owned(),
            weight: 1.0,
            form,
            file: file.to_owned(),
            reads: features.reads(),
        })
    }

    fn read(
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

    /// Reads the network of a `train` stage.
    pub(super) fn read_network(
        input: &Input,
        run: &StageRun<'_>,
    ) -> Result<(Network, Reads), StageError> {
        let description = ModelFile::read(input)?;
        if let [member] = description.members.as_slice()
            && let Self::Network(network) = Self::read(member, &input.reader, run)?
        {
            return Ok((*network, member.reads.clone()));
        }
        let message = format!("{} is no neural network", input.stage);
        Err(StageError::Unusable(message))
    }

    /// Height and width in pixels of the images that it reads, if it reads any.
    fn image_size(&self) -> Option<usize> {
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

    /// Returns the probabilities of the classes for labelled rows, whose images are read as it goes.
    pub(super) fn predict_labelled(
        &self,
        run: &StageRun<'_>,
        rows: LabelledRows,
    ) -> Result<Probabilities, StageError> {
        let Self::Network(network) = self else {
            return self.predict(run, rows.ids.len(), rows.inputs);
        };
        let _alone = run.environment.device_alone();
        let rows = rows.into_rows(&Loading::once(run))?;
        let answers = predict(network, &rows, self.batch_rows());
        answers.map_err(|error| model_error(error, &run.environment.cancel))
    }

    /// Returns the probabilities of the classes for some rows.
    pub(super) fn predict(
        &self,
        run: &StageRun<'_>,
        rows: usize,
        inputs: Inputs,
    ) -> Result<Probabilities, StageError> {
        match self {
            Self::Network(network) => {
                let _alone = run.environment.device_alone();
                let rows = MemoryRows::new(rows, inputs)?;
                Ok(predict(network, &rows, self.batch_rows())?)
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
pub(super) fn classical_rows(inputs: Inputs) -> Result<SparseRows, StageError> {
    match (inputs.text, inputs.embeddings) {
        (Some(text), None) => Ok(text),
        (None, Some(features)) => Ok(SparseRows::of_dense(features.dense())?),
        _ => Err(StageError::Unusable(
            "a classical model reads text or features of images".to_owned(),
        )),
    }
}

/// A model with everything that it takes to apply it.
#[derive(Debug)]
pub(super) struct LoadedModel<'a> {
    pub(super) labels: LabelMap,
    pub(super) priors: Vec<f32>,
    members: Vec<LoadedMember<'a>>,
}

#[derive(Debug)]
struct LoadedMember<'a> {
    weight: f32,
    predictor: Predictor,
    features: FeatureInputs<'a>,
}

/// The answers for some rows.
pub(super) struct Answers {
    /// Of a row of which nothing is known, the priors.
    pub(super) probabilities: Probabilities,
    /// What was known of each row.
    pub(super) presence: Presence,
}

impl<'a> LoadedModel<'a> {
    /// Loads the model of a `train` stage, with the stages of this run that it reads.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where it reads a stage that this one does not need.
    pub(super) fn load(run: &StageRun<'a>, trained: &Input) -> Result<Self, StageError> {
        let file = ModelFile::read(trained)?;
        let mut members = Vec::with_capacity(file.members.len());
        for member in &file.members {
            let predictor = Predictor::read(member, &trained.reader, run)?;
            let features = FeatureInputs::find(run, &member.reads, predictor.image_size())?;
            members.push(LoadedMember {
                weight: member.weight as f32,
                predictor,
                features,
            });
        }
        Ok(Self {
            labels: file.labels,
            priors: file.priors,
            members,
        })
    }

    /// The stages that it reads, each once, with the columns that are read.
    pub(super) fn inputs(&self) -> BTreeMap<&'a str, (&'a Input, &'static [&'static str])> {
        let all = self
            .members
            .iter()
            .flat_map(|member| member.features.inputs());
        all.map(|(input, columns)| (input.stage.as_str(), (input, columns)))
            .collect()
    }

    /// Answers for the rows of one part, given by stage: the weighted mean over the members that know
    /// something of a row.
    pub(super) fn answer(
        &self,
        run: &StageRun<'_>,
        dataset: &str,
        rows: usize,
        batches: &BTreeMap<&str, &RecordBatch>,
    ) -> Result<Answers, StageError> {
        let classes = self.labels.len();
        let mut sums = vec![0.0_f32; rows * classes];
        let mut weights = vec![0.0_f32; rows];
        let mut presence = Presence::none(rows);
        let all: Vec<usize> = (0..rows).collect();
        for member in &self.members {
            let mut gathered = member.features.gather(dataset)?;
            gathered.push(batches, &all)?;
            let inputs = gathered.finish()?;
            let known = Presence::of(rows, &inputs);
            let answers = member.predictor.predict(run, rows, inputs)?;
            if answers.classes != classes {
                let message = format!("a model of {} classes, not {classes}", answers.classes);
                return Err(StageError::Unusable(message));
            }
            for (row, answer) in answers
                .rows()
                .enumerate()
                .filter(|(row, _)| known.any(*row))
            {
                weights[row] += member.weight;
                let sums = &mut sums[row * classes..(row + 1) * classes];
                for (sum, value) in sums.iter_mut().zip(answer) {
                    *sum += member.weight * value;
                }
            }
            presence.join(&known);
        }
        for (row, sums) in sums.chunks_exact_mut(classes).enumerate() {
            if presence.any(row) {
                let weight = weights[row];
                for sum in sums {
                    *sum /= weight;
                }
            } else {
                sums.copy_from_slice(&self.priors);
            }
        }
        let probabilities = Probabilities {
            classes,
            values: sums,
        };
        Ok(Answers {
            probabilities,
            presence,
        })
    }
}
