//! What a model answers for rows that it was not fitted on.

use crate::checkpoint::CheckpointWriter;
use crate::fingerprint::Digest;
use crate::model::{Embeddings, LabelMap, Modality, Probabilities};
use crate::schema::{self, HELD_OUT};
use crate::stages::features::LabelledRows;
use crate::stages::models::{Answers, Combiner, combine};
use crate::stages::split::{TEST, TRAIN, VALIDATION};
use crate::stages::{StageError, StageRun};
use arrow::array::{ArrayRef, BooleanArray, Float32Array, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use std::sync::Arc;

/// Labelled rows without what is read of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RowKeys {
    pub(super) ids: Vec<String>,
    pub(super) folds: Vec<String>,
    pub(super) labels: Vec<String>,
}

impl RowKeys {
    pub(super) fn of(rows: &LabelledRows) -> Self {
        Self {
            ids: rows.ids.clone(),
            folds: rows.folds.clone(),
            labels: rows.labels.clone(),
        }
    }

    /// Returns the rows named.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let of = |column: &[String]| rows.iter().map(|row| column[*row].clone()).collect();
        Self {
            ids: of(&self.ids),
            folds: of(&self.folds),
            labels: of(&self.labels),
        }
    }

    /// Returns the number of rows.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}

/// How the members of a model answer together.
pub(super) struct Joined<'m> {
    pub(super) combiner: &'m Combiner,
    /// Share of each class among the training rows.
    pub(super) priors: &'m [f32],
    /// What each member reads.
    pub(super) modalities: Vec<Modality>,
}

impl Joined<'_> {
    fn answers(&self, run: &StageRun<'_>, outputs: Vec<Embeddings>) -> Result<Answers, StageError> {
        let modalities = self.modalities.iter().copied();
        combine(run, self.combiner, self.priors, modalities, outputs)
    }

    fn reads_both(&self) -> bool {
        let reads = |modality| self.modalities.contains(&modality);
        reads(Modality::Text) && reads(Modality::Image)
    }

    /// Answers from members of one modality alone.
    fn answers_from(
        &self,
        run: &StageRun<'_>,
        modality: Modality,
        outputs: &[Embeddings],
    ) -> Result<Answers, StageError> {
        let mut shown = Vec::with_capacity(outputs.len());
        for (output, &reads) in outputs.iter().zip(&self.modalities) {
            shown.push(if reads == modality {
                output.clone()
            } else {
                nothing(output)?
            });
        }
        self.answers(run, shown)
    }
}

/// As many rows, of which nothing is known.
fn nothing(output: &Embeddings) -> Result<Embeddings, StageError> {
    let mut none = Embeddings::empty(output.dense().width())?;
    for _ in 0..output.len() {
        none.push(None)?;
    }
    Ok(none)
}

/// Answers for rows of several folds.
#[derive(Default)]
pub(super) struct HeldOut {
    rows: RowKeys,
    /// Whether the model knew anything of the row; where not, the probabilities are its priors.
    known: Vec<bool>,
    modalities: Vec<&'static str>,
    /// The class predicted from the text alone, where there is more.
    from_text: Vec<Option<usize>>,
    /// Likewise from the image.
    from_image: Vec<Option<usize>>,
    /// rows × classes
    probabilities: Vec<f32>,
}

impl HeldOut {
    /// Answers for some rows from what the members make of them.
    pub(super) fn add(
        &mut self,
        run: &StageRun<'_>,
        rows: RowKeys,
        outputs: Vec<Embeddings>,
        model: &Joined<'_>,
    ) -> Result<(), StageError> {
        let count = rows.len();
        let mut alone = [Vec::new(), Vec::new()];
        if model.reads_both() {
            for (found, modality) in alone.iter_mut().zip([Modality::Text, Modality::Image]) {
                let answers = model.answers_from(run, modality, &outputs)?;
                *found = answers.probabilities.predicted();
            }
        }
        let answers = model.answers(run, outputs)?;
        let presence = &answers.presence;
        for row in 0..count {
            self.known.push(presence.any(row));
            self.modalities.push(presence.modality(row));
            let places = [&mut self.from_text, &mut self.from_image];
            for (place, found) in places.into_iter().zip(&alone) {
                let found = found.get(row).copied();
                place.push(found.filter(|_| presence.both(row)));
            }
        }
        self.probabilities.extend(answers.probabilities.values);
        self.rows.ids.extend(rows.ids);
        self.rows.folds.extend(rows.folds);
        self.rows.labels.extend(rows.labels);
        Ok(())
    }

    /// Writes the rows, a part for each fold.
    pub(super) fn write(
        &self,
        writer: &CheckpointWriter,
        labels: &LabelMap,
    ) -> Result<(), StageError> {
        let has_train = self.rows.folds.iter().any(|fold| fold == TRAIN);
        let folds = [VALIDATION, TEST, TRAIN].into_iter();
        for (index, fold) in folds.take(2 + usize::from(has_train)).enumerate() {
            let rows: Vec<usize> = (0..self.rows.len())
                .filter(|row| self.rows.folds[*row] == fold)
                .collect();
            let batch = self.batch(&rows, labels)?;
            writer.write_part(HELD_OUT, index, &Digest::of(b""), &batch)?;
        }
        Ok(())
    }

    fn batch(
        &self,
        rows: &[usize],
        labels: &LabelMap,
    ) -> Result<arrow::array::RecordBatch, StageError> {
        let classes = labels.len();
        let text = |column: &[String]| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|row| column[*row].as_str()),
            ))
        };
        let alone = |column: &[Option<usize>]| -> ArrayRef {
            let names = rows
                .iter()
                .map(|row| column[*row].and_then(|class| labels.label(class)));
            Arc::new(names.collect::<StringArray>())
        };
        let values = rows
            .iter()
            .flat_map(|row| &self.probabilities[row * classes..(row + 1) * classes]);
        let probabilities = Probabilities {
            classes,
            values: values.copied().collect(),
        };
        let predicted = probabilities.predicted();
        let names = predicted.iter().map(|class| labels.label(*class));
        let known = rows.iter().map(|row| Some(self.known[*row]));
        let modalities = rows.iter().map(|row| self.modalities[*row]);
        let columns: Vec<ArrayRef> = vec![
            text(&self.rows.ids),
            text(&self.rows.folds),
            text(&self.rows.labels),
            Arc::new(names.collect::<StringArray>()),
            Arc::new(known.collect::<BooleanArray>()),
            Arc::new(StringArray::from_iter_values(modalities)),
            alone(&self.from_text),
            alone(&self.from_image),
            lists(probabilities),
        ];
        Ok(schema::batch(schema::held_out(), columns)?)
    }
}

fn lists(probabilities: Probabilities) -> ArrayRef {
    let lengths = OffsetBuffer::from_lengths(probabilities.rows().map(<[f32]>::len));
    let field = Arc::new(Field::new("item", DataType::Float32, false));
    let values = Arc::new(Float32Array::from(probabilities.values));
    Arc::new(ListArray::new(field, lengths, values, None))
}
