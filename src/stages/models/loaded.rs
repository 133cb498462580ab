//! A model with everything that it takes to apply it.

use super::file::{Combination, ModelFile, Takes};
use super::predictor::{Asked, Predictor};
use crate::checkpoint::CheckpointReader;
use crate::model::{
    Blend, Embeddings, Inputs, LabelMap, MemoryRows, Modality, Network, Probabilities, predict,
};
use crate::stages::features::{FeatureInputs, Presence};
use crate::stages::{Input, StageError, StageRun};
use arrow::array::RecordBatch;
use std::collections::BTreeMap;

/// Rows that go through a fusion at once.
const BATCH_ROWS: usize = 1024;

/// A model that can be asked.
#[derive(Debug)]
pub(in crate::stages) struct LoadedModel<'a> {
    pub(in crate::stages) labels: LabelMap,
    pub(in crate::stages) priors: Vec<f32>,
    pub(in crate::stages) members: Vec<LoadedMember<'a>>,
    pub(in crate::stages) combiner: Combiner,
}

/// One of the models that answer together.
#[derive(Debug)]
pub(in crate::stages) struct LoadedMember<'a> {
    pub(in crate::stages) predictor: Predictor,
    pub(in crate::stages) features: FeatureInputs<'a>,
    pub(in crate::stages) takes: Takes,
}

/// Makes one answer of what the members make of a row.
#[derive(Debug)]
pub(in crate::stages) enum Combiner {
    /// The weighted mean.
    Mean(Vec<f32>),
    /// A mean with weights that were fitted.
    Blend(Blend),
    /// A network.
    Fusion(Box<Network>),
}

/// The answers for some rows.
pub(in crate::stages) struct Answers {
    /// Of a row of which nothing is known, the priors.
    pub(in crate::stages) probabilities: Probabilities,
    /// What was known of each row.
    pub(in crate::stages) presence: Presence,
}

impl Combiner {
    fn read(
        combination: &Combination,
        reader: &CheckpointReader,
        run: &StageRun<'_>,
    ) -> Result<Self, StageError> {
        Ok(match combination {
            Combination::Mean { weights } => {
                Self::Mean(weights.iter().map(|&weight| weight as f32).collect())
            }
            Combination::Blend(blend) => Self::Blend(blend.clone()),
            Combination::Fusion { file } => {
                let runtime = run.environment.runtime()?;
                Self::Fusion(Box::new(Network::load(&reader.file(file)?, runtime)?))
            }
        })
    }

    /// Joins what the members make of the same rows; rows that none knows are left as they come.
    ///
    /// # Shapes
    /// `[rows, classes]`
    fn join(
        &self,
        run: &StageRun<'_>,
        classes: usize,
        outputs: Vec<Embeddings>,
    ) -> Result<Vec<f32>, StageError> {
        match self {
            Self::Mean(weights) => Ok(mean(classes, weights, &outputs)),
            Self::Blend(blend) => Ok(blend.apply(classes, &outputs)?),
            Self::Fusion(network) => {
                let _alone = run.environment.device_alone();
                let rows = outputs.first().map_or(0, Embeddings::len);
                let inputs = Inputs {
                    branches: outputs,
                    ..Inputs::default()
                };
                let rows = MemoryRows::new(rows, inputs)?;
                Ok(predict(network, &rows, BATCH_ROWS)?.values)
            }
        }
    }
}

/// The mean of the members that know a row.
fn mean(classes: usize, weights: &[f32], outputs: &[Embeddings]) -> Vec<f32> {
    let rows = outputs.first().map_or(0, Embeddings::len);
    let mut sums = vec![0.0_f32; rows * classes];
    let mut totals = vec![0.0_f32; rows];
    for (&weight, output) in weights.iter().zip(outputs) {
        let answers = output.dense().values().chunks_exact(classes);
        for (row, (answer, &known)) in answers.zip(output.present()).enumerate() {
            if known {
                totals[row] += weight;
                let sums = &mut sums[row * classes..(row + 1) * classes];
                for (sum, value) in sums.iter_mut().zip(answer) {
                    *sum += weight * value;
                }
            }
        }
    }
    for (sums, total) in sums.chunks_exact_mut(classes).zip(totals) {
        if total > 0.0 {
            for sum in sums {
                *sum /= total;
            }
        }
    }
    sums
}

impl<'a> LoadedModel<'a> {
    /// Loads the model of a `train` stage, with the stages of this run that it reads.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where it reads a stage that this one does not need.
    pub(in crate::stages) fn load(run: &StageRun<'a>, trained: &Input) -> Result<Self, StageError> {
        let file = ModelFile::read(trained)?;
        let mut members = Vec::with_capacity(file.members.len());
        for member in &file.members {
            let predictor = Predictor::read(member, &trained.reader, run)?;
            let features = FeatureInputs::find(run, &member.reads, predictor.image_size())?;
            members.push(LoadedMember {
                predictor,
                features,
                takes: member.takes,
            });
        }
        Ok(Self {
            labels: file.labels,
            priors: file.priors,
            members,
            combiner: Combiner::read(&file.combination, &trained.reader, run)?,
        })
    }

    /// The stages that it reads, each once, with the columns that are read.
    pub(in crate::stages) fn inputs(
        &self,
    ) -> BTreeMap<&'a str, (&'a Input, &'static [&'static str])> {
        let all = self
            .members
            .iter()
            .flat_map(|member| member.features.inputs());
        all.map(|(input, columns)| (input.stage.as_str(), (input, columns)))
            .collect()
    }

    /// Answers for the rows of one part, given by stage.
    pub(in crate::stages) fn answer(
        &self,
        run: &StageRun<'_>,
        dataset: &str,
        rows: usize,
        batches: &BTreeMap<&str, &RecordBatch>,
    ) -> Result<Answers, StageError> {
        let all: Vec<usize> = (0..rows).collect();
        let mut outputs = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let mut gathered = member.features.gather(dataset)?;
            gathered.push(batches, &all)?;
            let inputs = gathered.finish()?;
            let asked = Asked::Held(rows, Box::new(inputs));
            outputs.push(member.predictor.output(run, asked, member.takes)?);
        }
        self.combine(run, outputs)
    }

    /// Answers from what the members make of some rows.
    pub(in crate::stages) fn combine(
        &self,
        run: &StageRun<'_>,
        outputs: Vec<Embeddings>,
    ) -> Result<Answers, StageError> {
        let modalities = self.members.iter().map(|member| member.features.modality());
        combine(run, &self.combiner, &self.priors, modalities, outputs)
    }
}

/// Joins what members make of some rows; a row of which none knows anything gets the priors.
pub(in crate::stages) fn combine(
    run: &StageRun<'_>,
    combiner: &Combiner,
    priors: &[f32],
    modalities: impl Iterator<Item = Modality>,
    outputs: Vec<Embeddings>,
) -> Result<Answers, StageError> {
    let classes = priors.len();
    let rows = outputs.first().map_or(0, Embeddings::len);
    let mut presence = Presence::none(rows);
    for (modality, output) in modalities.zip(&outputs) {
        presence.add(modality, output.present());
    }
    let mut values = combiner.join(run, classes, outputs)?;
    if values.len() != rows * classes {
        let found = values.len().checked_div(rows).unwrap_or_default();
        let message = format!("a model of {found} classes, not {classes}");
        return Err(StageError::Unusable(message));
    }
    for (row, values) in values.chunks_exact_mut(classes).enumerate() {
        if !presence.any(row) {
            values.copy_from_slice(priors);
        }
    }
    Ok(Answers {
        probabilities: Probabilities { classes, values },
        presence,
    })
}
