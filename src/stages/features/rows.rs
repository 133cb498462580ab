//! Rows of one batch, as each kind of stage writes them, gathered for a model.

use crate::image::push_grey;
use crate::model::{Embeddings, Images, Normalization, SequenceRows, SparseRows};
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

/// Features gathered from batches of `embed_images` or `pca`.
///
/// Where there are several stages, the features of a row stand side by side, in their order. They were made from one image, so all
/// of them have features of it or none has, but for an image that one of them was told to refuse (`max_bytes` and the like): a model
/// that reads all knows nothing of it.
pub(super) struct FeatureRows {
    normalization: Option<Normalization>,
    width: usize,
    rows: Embeddings,
}

impl FeatureRows {
    /// Gathers features that are so many over all stages; those of each stage are scaled on their own.
    ///
    /// # Errors
    ///
    /// Where there are none.
    pub(super) fn new(
        width: usize,
        normalization: Option<Normalization>,
    ) -> Result<Self, StageError> {
        Ok(Self {
            normalization,
            width,
            rows: Embeddings::empty(width)?,
        })
    }

    /// Adds the rows in `keep`, given the same part of each stage.
    pub(super) fn push(
        &mut self,
        batches: &[&RecordBatch],
        keep: &[usize],
    ) -> Result<(), StageError> {
        let lists = feature_lists(batches)?;
        let mut stages = Vec::with_capacity(lists.len());
        for list in &lists {
            let values = typed::<Float32Array>(list.values(), "features")?.values();
            let width = usize::try_from(list.value_length()).unwrap_or_default();
            stages.push((values, width));
        }
        let mut features = Vec::with_capacity(self.width);
        for &row in keep {
            if !has_all(&lists, row) {
                self.rows.push(None)?;
                continue;
            }
            features.clear();
            for (values, width) in &stages {
                let start = features.len();
                features.extend_from_slice(&values[row * width..(row + 1) * width]);
                if let Some(normalization) = self.normalization {
                    normalization.apply(&mut features[start..]);
                }
            }
            self.rows.push(Some(&features))?;
        }
        Ok(())
    }

    /// The features.
    pub(super) fn finish(self) -> Embeddings {
        self.rows
    }
}

/// The columns of features of batches.
fn feature_lists<'b>(
    batches: &[&'b RecordBatch],
) -> Result<Vec<&'b FixedSizeListArray>, StageError> {
    let column = |batch: &&'b RecordBatch| schema::column(batch, "features");
    Ok(batches.iter().map(column).collect::<Result<_, _>>()?)
}

/// Which rows have features in all batches of `embed_images` or `pca`.
pub(super) fn have_features(batches: &[&RecordBatch]) -> Result<Vec<bool>, StageError> {
    let lists = feature_lists(batches)?;
    let rows = lists.first().map_or(0, Array::len);
    Ok((0..rows).map(|row| has_all(&lists, row)).collect())
}

fn has_all(lists: &[&FixedSizeListArray], row: usize) -> bool {
    lists.iter().all(|list| list.is_valid(row))
}

fn typed<'a, A: Array + 'static>(array: &'a dyn Array, column: &str) -> Result<&'a A, StageError> {
    array.as_any().downcast_ref::<A>().ok_or_else(|| {
        let expected = std::any::type_name::<A>().to_owned();
        let column = column.to_owned();
        crate::checkpoint::CheckpointError::Column { column, expected }.into()
    })
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
    use arrow::array::ArrayRef;
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::{DataType, Field};
    use std::sync::Arc;

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

    /// A batch of `embed_images`.
    fn embedded(width: i32, rows: &[Option<&[f32]>]) -> RecordBatch {
        let values = rows
            .iter()
            .flat_map(|row| row.map_or(vec![0.0; width as usize], <[f32]>::to_vec));
        let values = Arc::new(Float32Array::from_iter_values(values));
        let valid = rows.iter().map(Option::is_some).collect::<Vec<_>>();
        let field = Arc::new(Field::new("item", DataType::Float32, false));
        let lists = FixedSizeListArray::new(field, width, values, Some(NullBuffer::from(valid)));
        RecordBatch::try_from_iter([("features", Arc::new(lists) as ArrayRef)]).unwrap()
    }

    fn gathered(
        batches: &[&RecordBatch],
        keep: &[usize],
        normalization: Option<Normalization>,
    ) -> Embeddings {
        let mut rows = FeatureRows::new(5, normalization).unwrap();
        rows.push(batches, keep).unwrap();
        rows.finish()
    }

    #[test]
    fn features_of_several_stages_stand_side_by_side() {
        let a = embedded(2, &[Some(&[3.0, 4.0]), None, Some(&[0.0, 2.0]), None]);
        let b: &[&[f32]] = &[&[0.0, 1.0, 0.0], &[9.0; 3], &[2.0, 2.0, 1.0]];
        let b = embedded(3, &[Some(b[0]), Some(b[1]), Some(b[2]), None]);
        let c: &[&[f32]] = &[&[3.0, 4.0, 0.0, 1.0, 0.0], &[0.0, 2.0, 2.0, 2.0, 1.0]];
        let joined = embedded(5, &[Some(c[0]), None, Some(c[1]), None]);
        let keep = [2, 0, 1, 3];
        let found = gathered(&[&a, &b], &keep, None);
        assert_eq!(found, gathered(&[&joined], &keep, None));
        assert_eq!(found.dense().values()[..5], *c[1]);
        assert_eq!(found.present(), [true, true, false, false]);
        let known = [true, false, true, false];
        assert_eq!(have_features(&[&a, &b]).unwrap(), known);
        assert_eq!(have_features(&[&joined]).unwrap(), known);
        // Those of each stage are scaled on their own, so that none outweighs the other.
        let found = gathered(&[&a, &b], &[0, 2], Some(Normalization::L2));
        let third = 1.0_f32 / 3.0;
        let expected: [&[f32]; 2] = [
            &[0.6, 0.8, 0.0, 1.0, 0.0],
            &[0.0, 1.0, 2.0 * third, 2.0 * third, third],
        ];
        assert_eq!(found.dense().values(), expected.concat());
        let mut of_another_width = FeatureRows::new(4, None).unwrap();
        assert!(of_another_width.push(&[&a, &b], &keep).is_err());
    }

    #[test]
    fn only_whole_factors_shrink() {
        assert!(ImageRows::new(224, 56).is_ok());
        assert!(ImageRows::new(224, 60).is_err());
        assert!(ImageRows::new(224, 0).is_err());
    }
}
