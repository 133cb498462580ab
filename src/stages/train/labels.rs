//! The training rows and the classes that they show.

use crate::model::LabelMap;
use crate::schema::{self, LABELLED};
use crate::stages::features::{FeatureInputs, Gather, LabelledRows, labelled_rows};
use crate::stages::split::TRAIN;
use crate::stages::{Input, StageError, StageRun};
use arrow::array::StringArray;
use std::collections::BTreeSet;

/// The training rows, of which there must be some.
pub(super) fn training_rows(
    run: &StageRun<'_>,
    split: &Input,
    features: &FeatureInputs<'_>,
) -> Result<LabelledRows, StageError> {
    let rows = labelled_rows(split, features, &[TRAIN], Gather::Known)?;
    if rows.ids.is_empty() {
        let message = format!("{} has no training rows", run.id);
        return Err(StageError::Unusable(message));
    }
    Ok(rows)
}

/// The classes: all labels there are, so that every model has the same.
pub(super) fn all_labels(split: &Input) -> Result<LabelMap, StageError> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for batch in split.reader.parts(LABELLED, Some(&["label"]))? {
        let batch = batch?;
        let labels: &StringArray = schema::column(&batch, "label")?;
        found.extend(labels.iter().flatten().map(str::to_owned));
    }
    if found.len() < 2 {
        let message = format!("there are {} categories to tell apart", found.len());
        return Err(StageError::Unusable(message));
    }
    Ok(LabelMap::new(found))
}

/// Share of each class among rows with these labels.
pub(super) fn priors_of(rows: &[String], labels: &LabelMap) -> Vec<f32> {
    let mut counts = vec![0_u32; labels.len()];
    for label in rows {
        if let Some(index) = labels.index(label) {
            counts[index] += 1;
        }
    }
    let total = rows.len().max(1) as f32;
    counts
        .into_iter()
        .map(|count| count as f32 / total)
        .collect()
}
