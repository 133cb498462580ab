//! Mean and variance of each pixel over a sample of the images, for the report's figures.
//!
//! Each part of `decode_images` keeps the sums of its sampled images, in a dataset beside the main one; when all parts are
//! there, they are added up. Which images are in the sample depends on their ids alone, and sums are integers, so the result is
//! the same however the rows are parted and whatever was taken over.

use super::{StageError, StageRun};
use crate::checkpoint::CheckpointWriter;
use crate::image::PixelVariance;
use crate::schema;
use arrow::array::{BinaryArray, RecordBatch, StringArray, UInt32Array};
use std::sync::Arc;

/// The dataset of the parts' sums.
pub(super) const SUMS: &str = "variance_sums";
/// The file of the result.
const FILE: &str = "pixel_variance.npy";

/// Which images are in the sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Share of the images.
    pub(super) share: f64,
    /// Height and width of a tensor.
    pub(super) size: u32,
}

impl Sample {
    fn values(self) -> usize {
        self.size as usize * self.size as usize * 3
    }

    /// Datasets that a part adds to.
    pub(super) fn sides(self) -> &'static [&'static str] {
        if self.share > 0.0 { &[SUMS] } else { &[] }
    }

    /// Tells whether the image of a row is in the sample.
    ///
    /// The hash is not the one that says which row goes into which part: of that, a share would be some parts.
    pub(super) fn contains(self, id: &str) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"pixel variance ");
        hasher.update(id.as_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        (u64::from_be_bytes(bytes) as f64) < self.share * 2.0_f64.powi(64)
    }

    /// Sums over the images of one part: one row, or none where no image is in the sample.
    ///
    /// # Shapes
    /// `pixels`: of each row `size × size × 3`; only those of rows with an image count.
    pub(super) fn side(
        self,
        ids: &StringArray,
        has_image: &[bool],
        pixels: &[u8],
    ) -> Result<RecordBatch, StageError> {
        let mut sums = PixelVariance::new(self.values());
        let rows = ids
            .iter()
            .zip(has_image)
            .zip(pixels.chunks_exact(self.values()));
        for ((id, has_image), pixels) in rows {
            if *has_image && id.is_some_and(|id| self.contains(id)) {
                add(&mut sums, |sums| sums.add(pixels))?;
            }
        }
        let rows = if sums.images() > 0 {
            vec![sums]
        } else {
            Vec::new()
        };
        let images = UInt32Array::from_iter_values(rows.iter().map(PixelVariance::images));
        let sums = BinaryArray::from_iter_values(rows.iter().map(PixelVariance::to_bytes));
        Ok(schema::batch(
            schema::variance_sums(),
            vec![Arc::new(images), Arc::new(sums)],
        )?)
    }

    /// Adds up the sums of all parts and writes means and variances; returns the number of images. Without any, there is no file.
    pub(super) fn merge(
        self,
        run: &StageRun<'_>,
        writer: &CheckpointWriter,
    ) -> Result<u32, StageError> {
        let reader = run.read_back(writer);
        let mut all = PixelVariance::new(self.values());
        if reader.manifest().datasets.contains_key(SUMS) {
            for batch in reader.parts(SUMS, Some(&["sums"]))? {
                let batch = batch?;
                let parts: &BinaryArray = schema::column(&batch, "sums")?;
                for bytes in parts.iter().flatten() {
                    add(&mut all, |all| {
                        all.merge(&PixelVariance::from_bytes(bytes, self.values())?)
                    })?;
                }
            }
        }
        if all.images() > 0 {
            writer.write_file(FILE, all.to_npy(self.size).into(), true)?;
        }
        Ok(all.images())
    }
}

fn add(
    sums: &mut PixelVariance,
    with: impl FnOnce(&mut PixelVariance) -> Result<(), crate::image::VarianceError>,
) -> Result<(), StageError> {
    with(sums).map_err(|error| StageError::Unusable(format!("variance of the pixels: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_a_share_of_the_ids() {
        let count = |share: f64| {
            let sample = Sample { share, size: 1 };
            let ids = (0..10_000).filter(|id: &u32| sample.contains(&id.to_string()));
            ids.count()
        };
        assert_eq!((count(0.0), count(1.0)), (0, 10_000));
        assert!((2_350..2_650).contains(&count(0.25)), "{}", count(0.25));
        let in_small = Sample {
            share: 0.1,
            size: 1,
        };
        let in_large = Sample {
            share: 0.3,
            size: 1,
        };
        let ids = (0..1_000).map(|id: u32| id.to_string());
        assert!(
            ids.into_iter()
                .all(|id| !in_small.contains(&id) || in_large.contains(&id))
        );
    }

    #[test]
    fn rows_without_image_do_not_count() {
        let sample = Sample {
            share: 1.0,
            size: 1,
        };
        let ids = StringArray::from(vec!["a", "b", "c"]);
        let pixels = [1, 2, 3, 9, 9, 9, 5, 6, 7];
        let side = sample.side(&ids, &[true, false, true], &pixels).unwrap();
        let sums: &BinaryArray = schema::column(&side, "sums").unwrap();
        let sums = PixelVariance::from_bytes(sums.value(0), 3).unwrap();
        assert_eq!((sums.images(), sums.means()), (2, vec![3.0, 4.0, 5.0]));
        let none = sample.side(&ids, &[false; 3], &pixels).unwrap();
        assert_eq!(none.num_rows(), 0);
    }
}
