//! What models read, gathered from the checkpoints of several stages and joined row by row.

use super::{Input, StageError};
use crate::model::{Images, Inputs, SparseRows};
use crate::schema;
use arrow::array::{
    Array, FixedSizeBinaryArray, Float32Array, ListArray, RecordBatch, StringArray, UInt32Array,
};

/// Columns that [`text_rows`] reads.
pub(super) const TEXT_COLUMNS: [&str; 3] = ["id", "indices", "values"];
/// Columns that [`image_rows`] reads.
pub(super) const IMAGE_COLUMNS: [&str; 2] = ["id", "pixels"];

/// Sparse rows of a batch of `tfidf`; those in `keep`.
pub(super) fn text_rows(
    batch: &RecordBatch,
    keep: &[usize],
    width: usize,
    rows: &mut SparseRows,
) -> Result<(), StageError> {
    debug_assert_eq!(rows.width(), width);
    let indices: &ListArray = schema::column(batch, "indices")?;
    let values: &ListArray = schema::column(batch, "values")?;
    let all_indices = typed::<UInt32Array>(indices.values(), "indices")?;
    let all_values = typed::<Float32Array>(values.values(), "values")?;
    for row in keep {
        let range = |list: &ListArray| {
            let offsets = list.value_offsets();
            let at = |place: usize| usize::try_from(offsets[place]).unwrap_or_default();
            at(*row)..at(*row + 1)
        };
        rows.push(
            &all_indices.values()[range(indices)],
            &all_values.values()[range(values)],
        )?;
    }
    Ok(())
}

fn typed<'a, A: Array + 'static>(array: &'a dyn Array, column: &str) -> Result<&'a A, StageError> {
    array.as_any().downcast_ref::<A>().ok_or_else(|| {
        let expected = std::any::type_name::<A>().to_owned();
        let column = column.to_owned();
        crate::checkpoint::CheckpointError::Column { column, expected }.into()
    })
}

/// Which rows of a batch of `decode_images` have an image.
pub(super) fn has_image(batch: &RecordBatch) -> Result<Vec<bool>, StageError> {
    let pixels: &FixedSizeBinaryArray = schema::column(batch, "pixels")?;
    Ok((0..pixels.len()).map(|row| pixels.is_valid(row)).collect())
}

/// Pixels and presence gathered from batches of `decode_images`, shrunk to the size of a network.
pub(super) struct ImageRows {
    stored: usize,
    size: usize,
    pixels: Vec<u8>,
    present: Vec<bool>,
}

impl ImageRows {
    /// Gathers images of `stored`×`stored` pixels as `size`×`size`.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where `size` does not divide `stored`.
    pub(super) fn new(stored: usize, size: usize) -> Result<Self, StageError> {
        if size == 0 || !stored.is_multiple_of(size) {
            let message =
                format!("image_size {size} does not divide the stored size of {stored} pixels");
            return Err(StageError::Unusable(message));
        }
        Ok(Self {
            stored,
            size,
            pixels: Vec::new(),
            present: Vec::new(),
        })
    }

    /// Adds the rows in `keep`.
    pub(super) fn push(&mut self, batch: &RecordBatch, keep: &[usize]) -> Result<(), StageError> {
        let pixels: &FixedSizeBinaryArray = schema::column(batch, "pixels")?;
        let width = self.size * self.size * 3;
        self.pixels.reserve(keep.len() * width);
        for row in keep {
            let is_present = pixels.is_valid(*row);
            self.present.push(is_present);
            if is_present {
                shrink(pixels.value(*row), self.stored, self.size, &mut self.pixels);
            } else {
                self.pixels.resize(self.pixels.len() + width, 0);
            }
        }
        Ok(())
    }

    /// The images.
    pub(super) fn finish(self) -> Result<Images, StageError> {
        Ok(Images::new(self.size, self.pixels, self.present)?)
    }
}

/// Appends an image shrunk by a whole factor: each pixel the rounded mean of the block it stands for.
fn shrink(pixels: &[u8], stored: usize, size: usize, shrunk: &mut Vec<u8>) {
    let factor = stored / size;
    if factor == 1 {
        shrunk.extend_from_slice(pixels);
        return;
    }
    let count = factor * factor;
    for y in 0..size {
        for x in 0..size {
            let mut sums = [0_usize; 3];
            for row in y * factor..(y + 1) * factor {
                let start = (row * stored + x * factor) * 3;
                for pixel in pixels[start..start + factor * 3].chunks_exact(3) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += usize::from(*value);
                    }
                }
            }
            shrunk
                .extend(sums.map(|sum| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX)));
        }
    }
}

/// Height and width in pixels of the images that a `decode_images` stage wrote.
pub(super) fn image_size(input: &Input, dataset: &str) -> Result<usize, StageError> {
    let manifest = input.reader.dataset(dataset)?;
    let column = manifest
        .schema
        .iter()
        .find(|column| column.starts_with("pixels:"));
    let bytes = column.and_then(|column| {
        let digits: String = column.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    });
    let unusable = || StageError::Unusable(format!("{} has no pixels", input.stage));
    let bytes = bytes.ok_or_else(unusable)?;
    Ok((bytes / 3).isqrt())
}

/// Number of columns that a `tfidf` stage wrote.
pub(super) fn text_width(input: &Input) -> Result<usize, StageError> {
    let width = input
        .reader
        .manifest()
        .summary
        .get("columns")
        .and_then(serde_json::Value::as_u64);
    let unusable = || StageError::Unusable(format!("{} has no columns", input.stage));
    Ok(usize::try_from(width.ok_or_else(unusable)?).unwrap_or(usize::MAX))
}

/// Labelled rows with what a network reads of them.
pub(super) struct LabelledRows {
    pub(super) ids: Vec<String>,
    pub(super) folds: Vec<String>,
    pub(super) labels: Vec<String>,
    pub(super) inputs: Inputs,
}

/// Gathers the labelled rows of some folds, images with the size in pixels that the network reads; with images but no text, only rows that have an image.
pub(super) fn labelled_rows(
    split: &Input,
    text: Option<&Input>,
    images: Option<(&Input, usize)>,
    folds: &[&str],
) -> Result<LabelledRows, StageError> {
    const LABELLED: &str = schema::LABELLED;
    let width = text.map(text_width).transpose()?.unwrap_or_default();
    let mut text_part = SparseRows::empty(width);
    let mut image_part = match images {
        Some((input, size)) => Some(ImageRows::new(image_size(input, LABELLED)?, size)?),
        None => None,
    };
    let (mut ids, mut found_folds, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (index, part) in split.reader.dataset(LABELLED)?.parts.iter().enumerate() {
        let batch = split.reader.part(LABELLED, part, None)?;
        let batch_ids: &StringArray = schema::column(&batch, "id")?;
        let batch_folds: &StringArray = schema::column(&batch, "fold")?;
        let batch_labels: &StringArray = schema::column(&batch, "label")?;
        let mut keep: Vec<usize> = (0..batch_ids.len())
            .filter(|row| folds.contains(&batch_folds.value(*row)))
            .collect();
        if let (Some((images, _)), Some(image_part)) = (images, &mut image_part) {
            let batch = same_part(split, images, index, batch_ids, &IMAGE_COLUMNS)?;
            if text.is_none() {
                let present = has_image(&batch)?;
                keep.retain(|row| present[*row]);
            }
            image_part.push(&batch, &keep)?;
        }
        if let Some(text) = text {
            let batch = same_part(split, text, index, batch_ids, &TEXT_COLUMNS)?;
            text_rows(&batch, &keep, width, &mut text_part)?;
        }
        ids.extend(keep.iter().map(|row| batch_ids.value(*row).to_owned()));
        found_folds.extend(keep.iter().map(|row| batch_folds.value(*row).to_owned()));
        labels.extend(keep.iter().map(|row| batch_labels.value(*row).to_owned()));
    }
    let images = image_part.map(ImageRows::finish).transpose()?;
    let inputs = Inputs {
        text: text.map(|_| text_part),
        images,
        ..Inputs::default()
    };
    Ok(LabelledRows {
        ids,
        folds: found_folds,
        labels,
        inputs,
    })
}

/// Reads a part of another stage and checks that it holds the same rows.
fn same_part(
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
    let parts = &other.reader.dataset(schema::LABELLED)?.parts;
    let part = parts.get(index).ok_or_else(misaligned)?;
    let batch = other.reader.part(schema::LABELLED, part, Some(columns))?;
    if schema::column::<StringArray>(&batch, "id")? != ids {
        return Err(misaligned());
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_takes_rounded_means_of_blocks() {
        let pixels: Vec<u8> = (0..4 * 4).flat_map(|at| [at, 100, 255]).collect();
        let mut shrunk = Vec::new();
        shrink(&pixels, 4, 2, &mut shrunk);
        // The first block holds 0, 1, 4 and 5: 2.5, rounded up.
        assert_eq!(shrunk[..3], [3, 100, 255]);
        assert_eq!(shrunk.len(), 2 * 2 * 3);
        let mut same = Vec::new();
        shrink(&pixels, 4, 4, &mut same);
        assert_eq!(same, pixels);
    }

    #[test]
    fn only_whole_factors_shrink() {
        assert!(ImageRows::new(224, 56).is_ok());
        assert!(ImageRows::new(224, 60).is_err());
        assert!(ImageRows::new(224, 0).is_err());
    }
}
