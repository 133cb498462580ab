//! Rows of one batch, as each kind of stage writes them, gathered for a model.

use crate::image::push_grey;
use crate::model::{Embeddings, Images, SequenceRows, SparseRows};
use crate::schema;
use crate::stages::{Input, StageError};
use arrow::array::{
    Array, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, ListArray, RecordBatch,
    UInt32Array,
};

/// Sparse rows of a batch of `tfidf`; those in `keep`.
pub(super) fn text_rows(
    batch: &RecordBatch,
    keep: &[usize],
    rows: &mut SparseRows,
) -> Result<(), StageError> {
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
pub(super) fn sequence_rows(
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

/// Features of a batch of `embed_images` or `pca`; those in `keep`.
pub(super) fn embedding_rows(
    batch: &RecordBatch,
    keep: &[usize],
    rows: &mut Embeddings,
) -> Result<(), StageError> {
    let lists: &FixedSizeListArray = schema::column(batch, "features")?;
    let values = typed::<Float32Array>(lists.values(), "features")?.values();
    let width = usize::try_from(lists.value_length()).unwrap_or_default();
    for &row in keep {
        let features = lists
            .is_valid(row)
            .then(|| &values[row * width..(row + 1) * width]);
        rows.push(features)?;
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

/// Which rows of a batch of `decode_images`, `embed_images` or `pca` have an image.
pub(super) fn has_image(batch: &RecordBatch) -> Result<Vec<bool>, StageError> {
    let is_valid = |column: &dyn Array| (0..column.len()).map(|row| column.is_valid(row)).collect();
    if batch.column_by_name("features").is_some() {
        Ok(is_valid(schema::column::<FixedSizeListArray>(
            batch, "features",
        )?))
    } else {
        Ok(is_valid(schema::column::<FixedSizeBinaryArray>(
            batch, "pixels",
        )?))
    }
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

/// Grey images gathered from batches of `decode_images`, shrunk before they turn grey.
pub(in crate::stages) struct GreyImages {
    stored: usize,
    size: usize,
    levels: Vec<u8>,
}

impl GreyImages {
    /// Gathers images of a dataset as `size`×`size`.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where `size` does not divide the stored size.
    pub(in crate::stages) fn new(
        input: &Input,
        dataset: &str,
        size: usize,
    ) -> Result<Self, StageError> {
        let ImageRows { stored, size, .. } = ImageRows::new(image_size(input, dataset)?, size)?;
        Ok(Self {
            stored,
            size,
            levels: Vec::new(),
        })
    }

    /// Adds the rows in `keep`, all of which have an image.
    pub(in crate::stages) fn push(
        &mut self,
        batch: &RecordBatch,
        keep: &[usize],
    ) -> Result<(), StageError> {
        let pixels: &FixedSizeBinaryArray = schema::column(batch, "pixels")?;
        self.levels.reserve(keep.len() * self.size.pow(2));
        let mut shrunk = Vec::with_capacity(self.size.pow(2) * 3);
        for row in keep {
            shrunk.clear();
            shrink(pixels.value(*row), self.stored, self.size, &mut shrunk);
            push_grey(&shrunk, &mut self.levels);
        }
        Ok(())
    }

    /// Number of images.
    pub(in crate::stages) fn len(&self) -> usize {
        self.levels.len() / self.size.pow(2)
    }

    /// Grey levels of all images, one after the other.
    pub(in crate::stages) fn levels(&self) -> &[u8] {
        &self.levels
    }
}

/// Appends an image shrunk by a whole factor: each pixel the rounded mean of the block it stands for.
pub(super) fn shrink(pixels: &[u8], stored: usize, size: usize, shrunk: &mut Vec<u8>) {
    let factor = stored / size;
    if factor == 1 {
        shrunk.extend_from_slice(pixels);
        return;
    }
    let count = factor * factor;
    let row_length = stored * 3;
    let mut sums = vec![0_u32; row_length];
    for rows in pixels.chunks_exact(row_length * factor) {
        // Rows are added side by side, so that this runs on vectors, before the few sums that are left are added along them.
        sums.fill(0);
        for row in rows.chunks_exact(row_length) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += u32::from(*value);
            }
        }
        for block in sums.chunks_exact(factor * 3) {
            let mut colours = [0; 3];
            for pixel in block.as_chunks::<3>().0 {
                for (colour, sum) in colours.iter_mut().zip(pixel) {
                    *colour += *sum as usize;
                }
            }
            shrunk.extend(colours.map(|sum| ((sum + count / 2) / count) as u8));
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
        assert_eq!(shrunk[3..], [5, 100, 255, 11, 100, 255, 13, 100, 255]);
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
