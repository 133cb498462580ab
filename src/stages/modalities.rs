//! Scores by what is known of a product: rows with text and image, with one of them, and what a model that reads both finds from
//! either alone.

use super::{Input, StageError};
use crate::model::{Confusion, LabelMap};
use crate::schema::{self, HELD_OUT};
use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All rows, and all that is known of them.
const ALL: &str = "all";
const COLUMNS: [&str; 6] = [
    "fold",
    "label",
    "predicted",
    "modality",
    "predicted_from_text",
    "predicted_from_image",
];

/// Rows of the dataset.
#[derive(Default)]
pub(super) struct ModalityScores {
    rows: Vec<(String, String, Group, Confusion)>,
}

/// Modality of the rows, and what the model was shown of them.
type Group = (String, &'static str);

impl ModalityScores {
    /// Adds the scores of a model on some folds.
    pub(super) fn add(
        &mut self,
        input: &Input,
        folds: &[&str],
        labels: &LabelMap,
    ) -> Result<(), StageError> {
        let mut groups: BTreeMap<(String, Group), Confusion> = BTreeMap::new();
        for batch in input.reader.parts(HELD_OUT, Some(&COLUMNS))? {
            let batch = batch?;
            let [fold, label, predicted, modality, from_text, from_image] = columns(&batch)?;
            for row in (0..batch.num_rows()).filter(|row| folds.contains(&fold.value(*row))) {
                let mut count = |of: &str, given, answer: &StringArray| {
                    if answer.is_null(row) {
                        return;
                    }
                    let class = |name: &str| labels.index(name);
                    let pair = class(label.value(row)).zip(class(answer.value(row)));
                    if let Some((actual, predicted)) = pair {
                        let group = (fold.value(row).to_owned(), (of.to_owned(), given));
                        let confusion = groups
                            .entry(group)
                            .or_insert_with(|| Confusion::new(labels.len()));
                        confusion.add(actual, predicted);
                    }
                };
                let of = modality.value(row);
                count(ALL, ALL, predicted);
                count(of, ALL, predicted);
                count(of, "text", from_text);
                count(of, "image", from_image);
            }
        }
        let stage = &input.stage;
        let rows = groups.into_iter();
        self.rows
            .extend(rows.map(|((fold, group), confusion)| (stage.clone(), fold, group, confusion)));
        Ok(())
    }

    /// The scores as a table.
    pub(super) fn finish(self) -> Result<RecordBatch, StageError> {
        let text = |of: fn(&(String, String, Group, Confusion)) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(self.rows.iter().map(of)))
        };
        let number = |of: fn(&Confusion) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(
                self.rows.iter().map(|row| of(&row.3)),
            ))
        };
        let totals = self.rows.iter().map(|row| row.3.total());
        let columns: Vec<ArrayRef> = vec![
            text(|row| &row.0),
            text(|row| &row.1),
            text(|row| &row.2.0),
            text(|row| row.2.1),
            Arc::new(UInt64Array::from_iter_values(totals)),
            number(Confusion::accuracy),
            number(Confusion::weighted_f1),
        ];
        Ok(schema::batch(schema::modality_scores(), columns)?)
    }
}

fn columns(batch: &RecordBatch) -> Result<[&StringArray; 6], StageError> {
    let column = |name| schema::column::<StringArray>(batch, name);
    Ok([
        column(COLUMNS[0])?,
        column(COLUMNS[1])?,
        column(COLUMNS[2])?,
        column(COLUMNS[3])?,
        column(COLUMNS[4])?,
        column(COLUMNS[5])?,
    ])
}
