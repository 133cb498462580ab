//! Images of labelled rows, read from the parts of `decode_images` when a network asks for them.
//!
//! # Invariants
//! A part is verified whenever it is read, and is in memory as it lies in the store: of its images, [`ROWS_AT_ONCE`] are unpacked at a
//! time, and of what is not wanted, only what lies in a page with what is. No other part is read meanwhile.

use super::rows::{ImageRows, image_size, shrink};
use crate::cancel::CancelToken;
use crate::image::{AugmentOptions, Augmenter};
use crate::model::{ImageParts, LoaderOptions, ModelError, PartImages, Vary};
use crate::schema::{self, LABELLED};
use crate::stages::{Input, StageError, StageRun};
use arrow::array::{Array, FixedSizeBinaryArray, RecordBatch};

/// Images of a part that are unpacked at once.
const ROWS_AT_ONCE: usize = 16;

/// How the images of a network are read, and what is done to them in training.
#[derive(Debug, Clone)]
pub(in crate::stages) struct Loading {
    options: LoaderOptions,
    augmentation: Option<AugmentOptions>,
    cancel: CancelToken,
}

impl Loading {
    /// For rows that are gone through again and again.
    pub(in crate::stages) fn new(run: &StageRun<'_>, shuffle_rows: usize) -> Self {
        Self {
            options: LoaderOptions {
                shuffle_rows,
                prefetch_batches: run.environment.config.prefetch_batches,
                workers: run.environment.workers,
            },
            augmentation: None,
            cancel: run.environment.cancel.clone(),
        }
    }

    /// For rows that are gone through once: none is kept.
    pub(in crate::stages) fn once(run: &StageRun<'_>) -> Self {
        Self::new(run, 0)
    }

    /// The same, with images varied in training.
    pub(in crate::stages) fn augmented(self, augmentation: Option<AugmentOptions>) -> Self {
        Self {
            augmentation,
            ..self
        }
    }

    /// Images with how they are read.
    pub(super) fn of(&self, images: LabelledImages) -> LoadedImages {
        LoadedImages {
            images,
            loading: self.clone(),
        }
    }

    pub(super) fn options(&self) -> LoaderOptions {
        self.options
    }

    pub(super) fn cancel(&self) -> &CancelToken {
        &self.cancel
    }
}

/// Which images belong to labelled rows, and where they lie.
#[derive(Debug)]
pub(in crate::stages) struct LabelledImages {
    input: Input,
    stored: usize,
    size: usize,
    /// Index of each part of which there are rows, and those rows.
    parts: Vec<(usize, Vec<usize>)>,
    sizes: Vec<usize>,
    present: Vec<bool>,
}

impl LabelledImages {
    /// Begins with no row; they are to be shown as `size`×`size`.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where `size` does not divide the stored size.
    pub(super) fn new(input: &Input, size: usize) -> Result<Self, StageError> {
        let stored = image_size(input, LABELLED)?;
        ImageRows::new(stored, size)?;
        Ok(Self {
            input: input.clone(),
            stored,
            size,
            parts: Vec::new(),
            sizes: Vec::new(),
            present: Vec::new(),
        })
    }

    /// Adds rows of a part, and whether each row of the whole part has an image.
    pub(super) fn push(&mut self, part: usize, keep: &[usize], has_image: &[bool]) {
        if !keep.is_empty() {
            self.parts.push((part, keep.to_vec()));
            self.sizes.push(keep.len());
            self.present.extend(keep.iter().map(|row| has_image[*row]));
        }
    }

    /// Which rows have an image.
    pub(super) fn present(&self) -> &[bool] {
        &self.present
    }

    /// Reads the images of a part, a few at a time.
    fn read(
        &self,
        (part, rows): &(usize, Vec<usize>),
    ) -> Result<impl Iterator<Item = Result<RecordBatch, StageError>> + use<>, StageError> {
        let reader = &self.input.reader;
        let part = &reader.dataset(LABELLED)?.parts[*part];
        let batches = reader.rows(LABELLED, part, &["pixels"], rows, ROWS_AT_ONCE)?;
        Ok(batches.map(|batch| batch.map_err(StageError::from)))
    }

    /// The images of a batch, of the size that the network reads.
    fn images(&self, batch: &RecordBatch) -> Result<Vec<Option<Vec<u8>>>, StageError> {
        let pixels: &FixedSizeBinaryArray = schema::column(batch, "pixels")?;
        let image = |row: usize| {
            pixels.is_valid(row).then(|| {
                let mut image = Vec::with_capacity(self.size * self.size * 3);
                shrink(pixels.value(row), self.stored, self.size, &mut image);
                image
            })
        };
        Ok((0..pixels.len()).map(image).collect())
    }
}

/// Images of labelled rows for a network.
#[derive(Debug)]
pub(super) struct LoadedImages {
    images: LabelledImages,
    loading: Loading,
}

impl ImageParts for LoadedImages {
    fn size(&self) -> usize {
        self.images.size
    }

    fn rows(&self) -> &[usize] {
        &self.images.sizes
    }

    fn read(&self, part: usize) -> PartImages<'_> {
        let images = |batch: Result<RecordBatch, StageError>| {
            if self.loading.cancel.signal().is_some() {
                return Err(ModelError::Interrupted);
            }
            let images = batch.and_then(|batch| self.images.images(&batch));
            images.map_err(|error| ModelError::Source(Box::new(error)))
        };
        let each = |images: Result<Vec<Option<Vec<u8>>>, ModelError>| match images {
            Ok(images) => images.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        match self.images.read(&self.images.parts[part]) {
            Ok(batches) => Box::new(batches.map(images).flat_map(each)),
            Err(error) => Box::new(std::iter::once(Err(ModelError::Source(Box::new(error))))),
        }
    }

    fn vary(&self) -> Option<Vary<'_>> {
        let options = self.loading.augmentation.as_ref()?;
        let mut augmenter = Augmenter::new(self.images.size, options.fill);
        Some(Box::new(move |pixels, uniform, varied| {
            augmenter.push(pixels, &options.draw(uniform), varied);
        }))
    }
}

/// The error of a model as that of its stage: a signal, or what made its rows unreadable.
pub(in crate::stages) fn model_error(error: ModelError, cancel: &CancelToken) -> StageError {
    match (error, cancel.signal()) {
        (ModelError::Interrupted, Some(signal)) => StageError::Interrupted { signal },
        (ModelError::Source(source), _) => match source.downcast::<StageError>() {
            Ok(error) => *error,
            Err(source) => StageError::Model(ModelError::Source(source)),
        },
        (error, _) => StageError::Model(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_made_rows_unreadable_is_the_error_of_the_stage() {
        let cancel = CancelToken::default();
        let damaged = || ModelError::Source(Box::new(StageError::Unusable("damaged".to_owned())));
        let found = model_error(damaged(), &cancel);
        assert!(matches!(found, StageError::Unusable(_)), "{found}");
        let other = ModelError::Source(Box::new(std::io::Error::other("else")));
        let found = model_error(other, &cancel);
        assert!(matches!(found, StageError::Model(_)), "{found}");
        let found = model_error(ModelError::Interrupted, &cancel);
        assert!(matches!(found, StageError::Model(_)), "{found}");
        cancel.cancel(15);
        let found = model_error(ModelError::Interrupted, &cancel);
        assert!(
            matches!(found, StageError::Interrupted { signal: 15 }),
            "{found}"
        );
    }
}
