//! What a model answers for the rows that it was not fitted on.

use crate::checkpoint::CheckpointWriter;
use crate::fingerprint::Digest;
use crate::model::{LabelMap, Probabilities};
use crate::schema::{self, HELD_OUT};
use crate::stages::StageError;
use crate::stages::split::{TEST, VALIDATION};
use arrow::array::{ArrayRef, BooleanArray, Float32Array, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use std::sync::Arc;

/// Answers for validation and test rows.
#[derive(Default)]
pub(super) struct HeldOut {
    pub(super) ids: Vec<String>,
    pub(super) folds: Vec<String>,
    pub(super) labels: Vec<String>,
    /// Whether the model knew anything of the row; where not, the probabilities are its priors.
    pub(super) known: Vec<bool>,
    /// rows × classes
    pub(super) probabilities: Vec<f32>,
}

impl HeldOut {
    /// Writes the rows, a part for each fold.
    pub(super) fn write(
        &self,
        writer: &CheckpointWriter,
        labels: &LabelMap,
    ) -> Result<(), StageError> {
        let classes = labels.len();
        for (index, fold) in [VALIDATION, TEST].into_iter().enumerate() {
            let rows: Vec<usize> = (0..self.ids.len())
                .filter(|row| self.folds[*row] == fold)
                .collect();
            let text = |column: &[String]| -> ArrayRef {
                Arc::new(StringArray::from_iter_values(
                    rows.iter().map(|row| column[*row].as_str()),
                ))
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
            let columns: Vec<ArrayRef> = vec![
                text(&self.ids),
                text(&self.folds),
                text(&self.labels),
                Arc::new(names.collect::<StringArray>()),
                Arc::new(known.collect::<BooleanArray>()),
                lists(probabilities),
            ];
            let batch = schema::batch(schema::held_out(), columns)?;
            writer.write_part(HELD_OUT, index, &Digest::of(b""), &batch)?;
        }
        Ok(())
    }
}

fn lists(probabilities: Probabilities) -> ArrayRef {
    let lengths = OffsetBuffer::from_lengths(probabilities.rows().map(<[f32]>::len));
    let field = Arc::new(Field::new("item", DataType::Float32, false));
    let values = Arc::new(Float32Array::from(probabilities.values));
    Arc::new(ListArray::new(field, lengths, values, None))
}
