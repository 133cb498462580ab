//! What models read, gathered from the checkpoints of several stages and joined row by row.

use super::models::Reads;
use super::tokenize::SequenceSize;
use super::{Input, StageError, StageRun};
use crate::model::{Images, Inputs, SequenceRows, SparseRows};
use crate::schema::{self, LABELLED};
use arrow::array::{
    Array, FixedSizeBinaryArray, Float32Array, ListArray, RecordBatch, StringArray, UInt32Array,
};
use std::collections::BTreeMap;

const TEXT_COLUMNS: &[&str] = &["id", "indices", "values"];
const SEQUENCE_COLUMNS: &[&str] = &["id", "sequence"];
const IMAGE_COLUMNS: &[&str] = &["id", "pixels"];

/// The stages whose rows a model reads.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FeatureInputs<'a> {
    /// Of kind `tfidf`.
    pub(super) text: Option<&'a Input>,
    /// Of kind `tokenize`.
    pub(super) sequences: Option<&'a Input>,
    /// Of kind `decode_images`, and the height and width in pixels that the model reads.
    pub(super) images: Option<(&'a Input, usize)>,
}

impl<'a> FeatureInputs<'a> {
    /// Finds the stages that a model was fitted on among those that this stage needs.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where one is not among them.
    pub(super) fn find(
        run: &StageRun<'a>,
        reads: &Reads,
        image_size: Option<usize>,
    ) -> Result<Self, StageError> {
        let find = |name: &String| {
            let found = run.inputs.iter().find(|input| input.stage == *name);
            found.ok_or_else(|| {
                let id = run.id;
                StageError::Unusable(format!("a model reads {name}, which {id} does not need"))
            })
        };
        let images = reads.images.as_ref().map(find).transpose()?;
        Ok(Self {
            text: reads.text.as_ref().map(find).transpose()?,
            sequences: reads.sequences.as_ref().map(find).transpose()?,
            images: images.zip(image_size),
        })
    }

    /// Their names.
    pub(super) fn reads(&self) -> Reads {
        Reads {
            text: self.text.map(|input| input.stage.clone()),
            sequences: self.sequences.map(|input| input.stage.clone()),
            images: self.images.map(|(input, _)| input.stage.clone()),
        }
    }

    /// The stages with the columns that are read of them.
    pub(super) fn inputs(&self) -> impl Iterator<Item = (&'a Input, &'static [&'static str])> {
        let text = self.text.map(|input| (input, TEXT_COLUMNS));
        let sequences = self.sequences.map(|input| (input, SEQUENCE_COLUMNS));
        let images = self.images.map(|(input, _)| (input, IMAGE_COLUMNS));
        text.into_iter().chain(sequences).chain(images)
    }

    /// Begins to gather rows of a dataset.
    pub(super) fn gather(&self, dataset: &str) -> Result<Gathered<'a>, StageError> {
        let text = |input| Ok::<_, StageError>((input, SparseRows::empty(text_width(input)?)));
        let sequences = |input| {
            let size = SequenceSize::read(input)?;
            let rows = SequenceRows::empty(size.vocabulary, size.length);
            Ok::<_, StageError>((input, rows))
        };
        let images = |(input, size)| {
            let rows = ImageRows::new(image_size(input, dataset)?, size)?;
            Ok::<_, StageError>((input, rows))
        };
        Ok(Gathered {
            text: self.text.map(text).transpose()?,
            sequences: self.sequences.map(sequences).transpose()?,
            images: self.images.map(images).transpose()?,
        })
    }
}

/// Rows gathered from the parts of several stages.
pub(super) struct Gathered<'a> {
    text: Option<(&'a Input, SparseRows)>,
    sequences: Option<(&'a Input, SequenceRows)>,
    images: Option<(&'a Input, ImageRows)>,
}

impl Gathered<'_> {
    /// Adds rows of one part, given by stage.
    pub(super) fn push(
        &mut self,
        batches: &BTreeMap<&str, &RecordBatch>,
        keep: &[usize],
    ) -> Result<(), StageError> {
        let of = |input: &Input| {
            batches.get(input.stage.as_str()).copied().ok_or_else(|| {
                StageError::Unusable(format!("rows of {} were not read", input.stage))
            })
        };
        if let Some((input, rows)) = &mut self.text {
            text_rows(of(input)?, keep, rows)?;
        }
        if let Some((input, rows)) = &mut self.sequences {
            sequence_rows(of(input)?, keep, rows)?;
        }
        if let Some((input, rows)) = &mut self.images {
            rows.push(of(input)?, keep)?;
        }
        Ok(())
    }

    /// What was gathered.
    pub(super) fn finish(self) -> Result<Inputs, StageError> {
        let images = self.images.map(|(_, rows)| rows.finish()).transpose()?;
        Ok(Inputs {
            text: self.text.map(|(_, rows)| rows),
            sequences: self.sequences.map(|(_, rows)| rows),
            images,
            features: None,
        })
    }
}

/// What is known of each row.
pub(super) struct Presence {
    text: Vec<bool>,
    image: Vec<bool>,
}

impl Presence {
    /// Nothing is known of so many rows.
    pub(super) fn none(rows: usize) -> Self {
        Self {
            text: vec![false; rows],
            image: vec![false; rows],
        }
    }

    /// What inputs tell of so many rows; a text of unknown words only tells nothing.
    pub(super) fn of(rows: usize, inputs: &Inputs) -> Self {
        let absent = || vec![false; rows];
        let (sequences, images) = (inputs.sequences.as_ref(), inputs.images.as_ref());
        let text = inputs.text.as_ref().map(SparseRows::presence);
        let text = text.or_else(|| sequences.map(SequenceRows::presence));
        Self {
            text: text.unwrap_or_else(absent),
            image: images.map_or_else(absent, |images| images.present().to_vec()),
        }
    }

    /// Adds what is known otherwise.
    pub(super) fn join(&mut self, other: &Self) {
        let all = self.text.iter_mut().chain(&mut self.image);
        for (mine, theirs) in all.zip(other.text.iter().chain(&other.image)) {
            *mine |= theirs;
        }
    }

    /// Whether anything is known of a row.
    pub(super) fn any(&self, row: usize) -> bool {
        self.text[row] || self.image[row]
    }

    /// The modalities of a row, as predictions name them.
    pub(super) fn modality(&self, row: usize) -> &'static str {
        match (self.text[row], self.image[row]) {
            (true, true) => "text+image",
            (true, false) => "text",
            (false, true) => "image",
            (false, false) => "none",
        }
    }
}

/// Sparse rows of a batch of `tfidf`; those in `keep`.
fn text_rows(batch: &RecordBatch, keep: &[usize], rows: &mut SparseRows) -> Result<(), StageError> {
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

/// Sequences of a batch of `tokenize`; those in `keep`.
fn sequence_rows(
    batch: &RecordBatch,
    keep: &[usize],
    rows: &mut SequenceRows,
) -> Result<(), StageError> {
    let lists: &ListArray = schema::column(batch, "sequence")?;
    let numbers = typed::<UInt32Array>(lists.values(), "sequence")?.values();
    let offsets = lists.value_offsets();
    let at = |place: usize| usize::try_from(offsets[place]).unwrap_or_default();
    for row in keep {
        rows.push(&numbers[at(*row)..at(*row + 1)])?;
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
fn has_image(batch: &RecordBatch) -> Result<Vec<bool>, StageError> {
    let pixels: &FixedSizeBinaryArray = schema::column(batch, "pixels")?;
    Ok((0..pixels.len()).map(|row| pixels.is_valid(row)).collect())
}

/// Pixels and presence gathered from batches of `decode_images`, shrunk to the size of a network.
struct ImageRows {
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
    fn new(stored: usize, size: usize) -> Result<Self, StageError> {
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
    fn push(&mut self, batch: &RecordBatch, keep: &[usize]) -> Result<(), StageError> {
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
    fn finish(self) -> Result<Images, StageError> {
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
fn image_size(input: &Input, dataset: &str) -> Result<usize, StageError> {
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
    let width = input.reader.manifest().summary.get("columns");
    let unusable = || StageError::Unusable(format!("{} has no columns", input.stage));
    let width = width.and_then(serde_json::Value::as_u64);
    Ok(usize::try_from(width.ok_or_else(unusable)?).unwrap_or(usize::MAX))
}

/// Labelled rows with what a model reads of them.
pub(super) struct LabelledRows {
    pub(super) ids: Vec<String>,
    pub(super) folds: Vec<String>,
    pub(super) labels: Vec<String>,
    pub(super) inputs: Inputs,
}

/// Gathers the labelled rows of some folds; for a model that reads images alone, only rows that have an image.
pub(super) fn labelled_rows(
    split: &Input,
    features: &FeatureInputs<'_>,
    folds: &[&str],
) -> Result<LabelledRows, StageError> {
    let mut gathered = features.gather(LABELLED)?;
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
        for (input, columns) in features.inputs() {
            let batch = same_part(split, input, index, batch_ids, columns)?;
            batches.push((input.stage.as_str(), batch));
        }
        let batches: BTreeMap<&str, &RecordBatch> = batches
            .iter()
            .map(|(stage, batch)| (*stage, batch))
            .collect();
        let reads_text = features.text.or(features.sequences).is_some();
        if let (false, Some((images, _))) = (reads_text, features.images) {
            let present = has_image(batches[images.stage.as_str()])?;
            keep.retain(|row| present[*row]);
        }
        gathered.push(&batches, &keep)?;
        ids.extend(keep.iter().map(|row| batch_ids.value(*row).to_owned()));
        found_folds.extend(keep.iter().map(|row| batch_folds.value(*row).to_owned()));
        labels.extend(keep.iter().map(|row| batch_labels.value(*row).to_owned()));
    }
    Ok(LabelledRows {
        ids,
        folds: found_folds,
        labels,
        inputs: gathered.finish()?,
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
    let parts = &other.reader.dataset(LABELLED)?.parts;
    let part = parts.get(index).ok_or_else(misaligned)?;
    let batch = other.reader.part(LABELLED, part, Some(columns))?;
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
