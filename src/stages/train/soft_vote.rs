//! `soft_vote`: the weighted mean of other models' probabilities.
//!
//! Nothing is fitted: the members are copied into the checkpoint, so that it is a model like any other, and
//! what they answered for held-out rows is averaged. A member that has no answer for a row has no vote on it.

use super::held_out::HeldOut;
use crate::checkpoint::CheckpointWriter;
use crate::config::Issue;
use crate::schema::{self, HELD_OUT};
use crate::stages::models::{Member, ModelFile};
use crate::stages::{Input, StageError, StageRun};
use arrow::array::{Array, BooleanArray, Float32Array, ListArray, StringArray};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Of `soft_vote`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::stages) struct SoftVoteParams {
    /// Weight of each model by name; of those that are not named, 1.
    pub(in crate::stages) weights: BTreeMap<String, f64>,
}

impl SoftVoteParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        for (name, weight) in &self.weights {
            // Sums of weights stay far from the ends of single precision.
            if !(1e-6..=1e6).contains(weight) {
                issues.push(Issue::new(
                    format!("{path}.weights.{name}"),
                    "must lie between 0.000001 and 1000000",
                ));
            }
        }
    }

    fn weight(&self, stage: &str) -> f64 {
        self.weights.get(stage).copied().unwrap_or(1.0)
    }

    /// Copies the members, and joins their answers for the held-out rows.
    pub(super) fn join(
        &self,
        run: &StageRun<'_>,
        writer: &CheckpointWriter,
    ) -> Result<(ModelFile, HeldOut), StageError> {
        let mut joined: Option<ModelFile> = None;
        let mut priors = Priors::default();
        let mut votes = Votes::default();
        for input in run.inputs_of("train") {
            run.environment.check_cancelled()?;
            let mut file = ModelFile::read(input)?;
            let weight = self.weight(&input.stage);
            priors.add(&file.priors, weight as f32);
            let member = copy_member(&mut file, input, writer, weight)?;
            match &mut joined {
                None => {
                    file.members = vec![member];
                    joined = Some(file);
                }
                Some(joined) if joined.labels == file.labels => joined.members.push(member),
                Some(_) => {
                    let stage = &input.stage;
                    let message =
                        format!("{stage} knows other categories than the models beside it");
                    return Err(StageError::Unusable(message));
                }
            }
            votes.add(input, weight as f32)?;
        }
        let mut joined = joined.ok_or_else(|| StageError::Unusable("nobody to vote".to_owned()))?;
        joined.priors = priors.finish();
        let held_out = votes.finish(&joined.priors);
        Ok((joined, held_out))
    }
}

fn copy_member(
    file: &mut ModelFile,
    input: &Input,
    writer: &CheckpointWriter,
    weight: f64,
) -> Result<Member, StageError> {
    match (file.members.pop(), file.members.is_empty()) {
        (Some(member), true) => member.copied(&input.reader, writer, weight),
        _ => Err(StageError::Unusable(format!(
            "{} is itself a vote; name its models instead",
            input.stage
        ))),
    }
}

/// The weighted mean of the members' priors.
#[derive(Default)]
struct Priors {
    sums: Vec<f32>,
    weight: f32,
}

impl Priors {
    fn add(&mut self, priors: &[f32], weight: f32) {
        self.sums.resize(priors.len(), 0.0);
        for (sum, prior) in self.sums.iter_mut().zip(priors) {
            *sum += weight * prior;
        }
        self.weight += weight;
    }

    fn finish(self) -> Vec<f32> {
        let mean = |sum| sum / self.weight;
        self.sums.into_iter().map(mean).collect()
    }
}

/// Sums of what the members answered for held-out rows, in the order in which rows first occur.
#[derive(Default)]
struct Votes {
    places: HashMap<String, usize>,
    rows: HeldOut,
    weights: Vec<f32>,
}

impl Votes {
    fn add(&mut self, input: &Input, weight: f32) -> Result<(), StageError> {
        for batch in input.reader.parts(HELD_OUT, None)? {
            let batch = batch?;
            let ids: &StringArray = schema::column(&batch, "id")?;
            let folds: &StringArray = schema::column(&batch, "fold")?;
            let labels: &StringArray = schema::column(&batch, "label")?;
            let known: &BooleanArray = schema::column(&batch, "is_known")?;
            let lists: &ListArray = schema::column(&batch, "probabilities")?;
            for row in 0..batch.num_rows() {
                let list = lists.value(row);
                let values = list.as_any().downcast_ref::<Float32Array>();
                let values = values
                    .map(|values| values.values().as_ref())
                    .unwrap_or_default();
                let place = match self.places.get(ids.value(row)) {
                    Some(place) => *place,
                    None => self.open(
                        ids.value(row),
                        folds.value(row),
                        labels.value(row),
                        values.len(),
                    ),
                };
                if !known.value(row) {
                    continue;
                }
                let sums = self.rows.probabilities[place * values.len()..].iter_mut();
                for (sum, value) in sums.zip(values) {
                    *sum += weight * value;
                }
                self.weights[place] += weight;
            }
        }
        Ok(())
    }

    fn open(&mut self, id: &str, fold: &str, label: &str, classes: usize) -> usize {
        let place = self.rows.ids.len();
        self.places.insert(id.to_owned(), place);
        self.rows.ids.push(id.to_owned());
        self.rows.folds.push(fold.to_owned());
        self.rows.labels.push(label.to_owned());
        self.rows.probabilities.resize((place + 1) * classes, 0.0);
        self.weights.push(0.0);
        place
    }

    fn finish(mut self, priors: &[f32]) -> HeldOut {
        let rows = self.rows.probabilities.chunks_exact_mut(priors.len());
        for (row, &weight) in rows.zip(&self.weights) {
            let is_known = weight > 0.0;
            self.rows.known.push(is_known);
            if is_known {
                for value in row {
                    *value /= weight;
                }
            } else {
                row.copy_from_slice(priors);
            }
        }
        self.rows
    }
}
