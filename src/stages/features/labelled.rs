//! Labelled rows of some folds, with what models read of them.

use super::Presence;
use super::inputs::{FeatureInputs, names};
use super::rows::have_features;
use super::streamed::{LabelledImages, Loading};
use crate::cancel::CancelToken;
use crate::image::ImageStatus;
use crate::model::{
    Batches, EpochOrder, Inputs, MemoryRows, Modality, ModelError, Rows, StreamedRows,
};
use crate::schema::{self, LABELLED};
use crate::stages::{Input, StageError};
use arrow::array::{Array, RecordBatch, StringArray};
use std::collections::BTreeMap;

/// Labelled rows with what a model reads of them.
pub(in crate::stages) struct LabelledRows {
    pub(in crate::stages) ids: Vec<String>,
    pub(in crate::stages) folds: Vec<String>,
    pub(in crate::stages) labels: Vec<String>,
    /// All but the images.
    pub(in crate::stages) inputs: Inputs,
    images: Option<LabelledImages>,
}

impl LabelledRows {
    /// What is known of each row.
    pub(in crate::stages) fn presence(&self) -> Presence {
        let mut presence = Presence::of(self.ids.len(), &self.inputs);
        if let Some(images) = &self.images {
            presence.image.copy_from_slice(images.present());
        }
        presence
    }

    /// The rows as a network takes them: between two batches, a signal ends it.
    pub(in crate::stages) fn into_rows(self, loading: &Loading) -> Result<LoadedRows, StageError> {
        let rows: Box<dyn Rows> = match self.images {
            None => Box::new(MemoryRows::new(self.ids.len(), self.inputs)?),
            Some(images) => Box::new(StreamedRows::new(
                loading.of(images),
                self.inputs,
                loading.options(),
            )?),
        };
        let cancel = loading.cancel().clone();
        Ok(LoadedRows { rows, cancel })
    }
}

/// Rows for a network, which end between two batches once the run should stop.
pub(in crate::stages) struct LoadedRows {
    rows: Box<dyn Rows>,
    cancel: CancelToken,
}

impl Rows for LoadedRows {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_> {
        let batches = self.rows.batches(order, batch_size);
        Box::new(batches.map(|batch| match self.cancel.signal() {
            Some(_) => Err(ModelError::Interrupted),
            None => batch,
        }))
    }
}

/// Which labelled rows are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stages) enum Gather {
    /// For a model that reads images alone, only rows that have an image.
    Known,
    /// All of them.
    All,
}

/// Gathers the labelled rows of some folds.
pub(in crate::stages) fn labelled_rows(
    split: &Input,
    features: &FeatureInputs<'_>,
    folds: &[&str],
    which: Gather,
) -> Result<LabelledRows, StageError> {
    let held = features.without_images();
    let mut gathered = held.gather(LABELLED)?;
    let images = features.images;
    let mut images = images
        .map(|(input, size)| LabelledImages::new(input, size))
        .transpose()?;
    let (mut ids, mut found_folds, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (index, part) in split.reader.dataset(LABELLED)?.parts.iter().enumerate() {
        let batch = split.reader.part(LABELLED, part, None)?;
        let batch_ids: &StringArray = schema::column(&batch, "id")?;
        let batch_folds: &StringArray = schema::column(&batch, "fold")?;
        let batch_labels: &StringArray = schema::column(&batch, "label")?;
        let mut keep: Vec<usize> = (0..batch_ids.len())
            .filter(|row| folds.contains(&batch_folds.value(*row)))
            .collect();
        let mut batches = Vec::new();
        for (input, columns) in held.inputs() {
            let batch = same_part(split, input, index, batch_ids, columns)?;
            batches.push((input.stage.as_str(), batch));
        }
        let batches: BTreeMap<&str, &RecordBatch> = batches
            .iter()
            .map(|(stage, batch)| (*stage, batch))
            .collect();
        let has_image = match (features.images, features.embeddings.as_slice()) {
            (Some((input, _)), _) => Some(decoded(split, input, index, batch_ids)?),
            (None, []) => None,
            (None, inputs) => {
                let of_stages: Vec<_> = names(inputs).map(|stage| batches[stage]).collect();
                Some(have_features(&of_stages)?)
            }
        };
        let keeps_all = which == Gather::All || features.modality() == Modality::Text;
        if let (false, Some(has_image)) = (keeps_all, &has_image) {
            keep.retain(|row| has_image[*row]);
        }
        gathered.push(&batches, &keep)?;
        if let (Some(images), Some(has_image)) = (&mut images, &has_image) {
            images.push(index, &keep, has_image);
        }
        ids.extend(keep.iter().map(|row| batch_ids.value(*row).to_owned()));
        found_folds.extend(keep.iter().map(|row| batch_folds.value(*row).to_owned()));
        labels.extend(keep.iter().map(|row| batch_labels.value(*row).to_owned()));
    }
    Ok(LabelledRows {
        ids,
        folds: found_folds,
        labels,
        inputs: gathered.finish()?,
        images,
    })
}

/// Which rows of a part of `decode_images` have an image, without a look at its pixels.
fn decoded(
    split: &Input,
    images: &Input,
    index: usize,
    ids: &StringArray,
) -> Result<Vec<bool>, StageError> {
    let batch = same_part(split, images, index, ids, &["id", "image_status"])?;
    let status: &StringArray = schema::column(&batch, "image_status")?;
    let is_ok = |row| status.value(row) == ImageStatus::Ok.as_str();
    Ok((0..ids.len()).map(is_ok).collect())
}

/// Reads a part of another stage and checks that it holds the same rows.
pub(in crate::stages) fn same_part(
    split: &Input,
    other: &Input,
    index: usize,
    ids: &StringArray,
    columns: &[&str],
) -> Result<RecordBatch, StageError> {
    let misaligned = || StageError::Misaligned {
        left: split.stage.clone(),
        right: other.stage.clone(),
        part: index,
    };
    let parts = &other.reader.dataset(LABELLED)?.parts;
    let part = parts.get(index).ok_or_else(misaligned)?;
    let batch = other.reader.part(LABELLED, part, Some(columns))?;
    if schema::column::<StringArray>(&batch, "id")? != ids {
        return Err(misaligned());
    }
    Ok(batch)
}
