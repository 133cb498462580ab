//! Models of models: what their members answered for rows that they were not fitted on, row by row.

use super::held_out::RowKeys;
use crate::checkpoint::CheckpointWriter;
use crate::model::{Embeddings, LabelMap, Modality};
use crate::schema::{self, HELD_OUT};
use crate::stages::models::{Member, ModelFile, Takes};
use crate::stages::split::TRAIN;
use crate::stages::{Input, StageError, StageRun};
use arrow::array::{Array, BooleanArray, Float32Array, ListArray, StringArray};
use std::collections::HashMap;

/// The models that answer together, copied into the checkpoint of the one that they make, so that it is a model like any other.
pub(super) struct Members<'a> {
    pub(super) inputs: Vec<&'a Input>,
    pub(super) copies: Vec<Member>,
    pub(super) labels: LabelMap,
    /// Shares of the classes among each member's training rows.
    pub(super) priors: Vec<Vec<f32>>,
}

impl<'a> Members<'a> {
    /// Copies the models that this stage needs; `takes` says what is taken of each.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where one is itself made of models, or knows other categories than the others.
    pub(super) fn copy(
        run: &StageRun<'a>,
        writer: &CheckpointWriter,
        takes: impl Fn(&Member) -> Takes,
    ) -> Result<Self, StageError> {
        let mut labels: Option<LabelMap> = None;
        let (mut inputs, mut members, mut priors) = (Vec::new(), Vec::new(), Vec::new());
        for input in run.inputs_of("train") {
            run.environment.check_cancelled()?;
            let file = ModelFile::read(input)?;
            let member = file.single(&input.stage)?;
            members.push(member.copied(&input.reader, writer, takes(member))?);
            inputs.push(input);
            priors.push(file.priors);
            match &labels {
                None => labels = Some(file.labels),
                Some(labels) if *labels == file.labels => {}
                Some(_) => {
                    let stage = &input.stage;
                    let message =
                        format!("{stage} knows other categories than the models beside it");
                    return Err(StageError::Unusable(message));
                }
            }
        }
        let nobody = || StageError::Unusable(format!("{} has no members", run.id));
        Ok(Self {
            inputs,
            copies: members,
            labels: labels.ok_or_else(nobody)?,
            priors,
        })
    }

    /// What each member reads.
    pub(super) fn modalities(&self) -> Vec<Modality> {
        self.copies
            .iter()
            .map(|member| member.reads.modality())
            .collect()
    }

    /// The mean of the members' priors by weight.
    pub(super) fn mean_priors(&self, weights: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0; self.labels.len()];
        for (priors, weight) in self.priors.iter().zip(weights) {
            for (sum, prior) in sums.iter_mut().zip(priors) {
                *sum += weight * prior;
            }
        }
        let total: f32 = weights.iter().sum();
        sums.into_iter().map(|sum| sum / total).collect()
    }

    /// The rows of some folds that some member was not fitted on, with the probabilities of each; in the order in which rows
    /// first occur.
    pub(super) fn held_out(
        &self,
        folds: &[&str],
    ) -> Result<(RowKeys, Vec<Embeddings>), StageError> {
        answers_of(&self.inputs, folds, self.labels.len())
    }

    /// Whether every member answered for training rows, too.
    pub(super) fn have_training_rows(&self) -> Result<bool, StageError> {
        for input in &self.inputs {
            if !answers_for(input, TRAIN)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a model answered for rows of a fold.
pub(super) fn answers_for(input: &Input, fold: &str) -> Result<bool, StageError> {
    for batch in input.reader.parts(HELD_OUT, Some(&["fold"]))? {
        let batch = batch?;
        let folds: &StringArray = schema::column(&batch, "fold")?;
        if folds.iter().flatten().any(|found| found == fold) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What models answered for rows of some folds that they were not fitted on.
pub(super) fn answers_of(
    inputs: &[&Input],
    folds: &[&str],
    classes: usize,
) -> Result<(RowKeys, Vec<Embeddings>), StageError> {
    let mut keys = RowKeys::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut answers = Vec::with_capacity(inputs.len());
    for input in inputs {
        let answer = read_answers(input, folds, classes, &mut keys, &mut places)?;
        answers.push(answer);
    }
    let mut outputs = Vec::with_capacity(answers.len());
    for answer in answers {
        let mut output = Embeddings::empty(classes)?;
        for place in 0..keys.len() {
            output.push(answer.get(&place).map(Vec::as_slice))?;
        }
        outputs.push(output);
    }
    Ok((keys, outputs))
}

/// What one member answered for the rows that it knows, by their places.
fn read_answers(
    input: &Input,
    wanted: &[&str],
    classes: usize,
    keys: &mut RowKeys,
    places: &mut HashMap<String, usize>,
) -> Result<HashMap<usize, Vec<f32>>, StageError> {
    let mut answers = HashMap::new();
    for batch in input.reader.parts(HELD_OUT, None)? {
        let batch = batch?;
        let ids: &StringArray = schema::column(&batch, "id")?;
        let folds: &StringArray = schema::column(&batch, "fold")?;
        let labels: &StringArray = schema::column(&batch, "label")?;
        let known: &BooleanArray = schema::column(&batch, "is_known")?;
        let lists: &ListArray = schema::column(&batch, "probabilities")?;
        for row in (0..batch.num_rows()).filter(|row| wanted.contains(&folds.value(*row))) {
            let place = *places.entry(ids.value(row).to_owned()).or_insert_with(|| {
                keys.ids.push(ids.value(row).to_owned());
                keys.folds.push(folds.value(row).to_owned());
                keys.labels.push(labels.value(row).to_owned());
                keys.len() - 1
            });
            let list = lists.value(row);
            let values = list.as_any().downcast_ref::<Float32Array>();
            let values = values.map(|values| values.values().to_vec());
            match values.filter(|values| values.len() == classes) {
                Some(values) if known.value(row) => {
                    answers.insert(place, values);
                }
                Some(_) => {}
                None => {
                    let message = format!("{} has no {classes} probabilities", input.stage);
                    return Err(StageError::Unusable(message));
                }
            }
        }
    }
    Ok(answers)
}
