//! What networks eat, on the host and in plain Rust.
//!
//! [`Rows`] hands them out in batches, so that a stage can stream images from disk
//! ([`StreamedRows`](super::StreamedRows)); [`MemoryRows`] holds everything. Invariant: an [`Inputs`]
//! is checked when it is made, so that what reaches the device has the lengths it claims.

use super::order::EpochOrder;
use super::{ModelError, SequenceRows, SparseRows};

/// Square colour images, and which rows have one.
///
/// # Shapes
///
/// `pixels` is `[rows, size, size, 3]`, row after row from the top, red, green, blue. A row
/// without image has any pixels, best 0.
///
/// # Units
///
/// 0 to 255.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    size: usize,
    pixels: Vec<u8>,
    present: Vec<bool>,
}

impl Images {
    /// Makes images from their pixels.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where there are not `size` · `size` · 3 pixels for each row.
    pub fn new(size: usize, pixels: Vec<u8>, present: Vec<bool>) -> Result<Self, ModelError> {
        let expected = present.len() * size * size * 3;
        check(pixels.len() == expected, || {
            let found = pixels.len();
            let rows = present.len();
            format!("{found} pixel values for {rows} images of {size} × {size} × 3")
        })?;
        Ok(Self {
            size,
            pixels,
            present,
        })
    }

    /// Returns width and height in pixels.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns the number of rows, with or without image.
    #[must_use]
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// Returns all pixels.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Returns for each row whether it has an image.
    #[must_use]
    pub fn present(&self) -> &[bool] {
        &self.present
    }

    /// Returns the rows named, in that order.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let length = self.size * self.size * 3;
        let mut pixels = Vec::with_capacity(rows.len() * length);
        for &row in rows {
            pixels.extend_from_slice(&self.pixels[row * length..(row + 1) * length]);
        }
        Self {
            size: self.size,
            pixels,
            present: rows.iter().map(|&row| self.present[row]).collect(),
        }
    }
}

/// Dense rows, such as the features of a frozen network.
///
/// # Shapes
///
/// `[rows, width]`, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    width: usize,
    values: Vec<f32>,
}

impl Dense {
    /// Makes rows from their values.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the values are not whole rows.
    pub fn new(width: usize, values: Vec<f32>) -> Result<Self, ModelError> {
        check(width > 0 && values.len().is_multiple_of(width), || {
            format!("{} values are not rows of {width}", values.len())
        })?;
        Ok(Self { width, values })
    }

    /// Returns the number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns all values.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns the rows named, in that order.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.width);
        for &row in rows {
            values.extend_from_slice(&self.values[row * self.width..(row + 1) * self.width]);
        }
        Self {
            width: self.width,
            values,
        }
    }
}

/// Features that a frozen network made of images, and which rows have an image.
///
/// # Shapes
/// `[rows, width]`, row after row; a row without image is 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    dense: Dense,
    present: Vec<bool>,
}

impl Embeddings {
    /// Makes no row.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where `width` is 0.
    pub fn empty(width: usize) -> Result<Self, ModelError> {
        Ok(Self {
            dense: Dense::new(width, Vec::new())?,
            present: Vec::new(),
        })
    }

    /// Makes rows of which each has features.
    #[must_use]
    pub fn whole(dense: Dense) -> Self {
        Self {
            present: vec![true; dense.len()],
            dense,
        }
    }

    /// Adds a row, or one without image.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where it is of another width.
    pub fn push(&mut self, features: Option<&[f32]>) -> Result<(), ModelError> {
        let width = self.dense.width;
        if let Some(features) = features {
            check(features.len() == width, || {
                format!("{} features, expected {width}", features.len())
            })?;
        }
        self.present.push(features.is_some());
        match features {
            Some(features) => self.dense.values.extend_from_slice(features),
            None => self.dense.values.resize(self.present.len() * width, 0.0),
        }
        Ok(())
    }

    /// Returns the number of rows, with or without image.
    #[must_use]
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// Returns the features of all rows.
    #[must_use]
    pub fn dense(&self) -> &Dense {
        &self.dense
    }

    /// Returns for each row whether it has an image.
    #[must_use]
    pub fn present(&self) -> &[bool] {
        &self.present
    }

    /// Returns the rows named, in that order.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            dense: self.dense.select(rows),
            present: rows.iter().map(|&row| self.present[row]).collect(),
        }
    }
}

/// A batch of inputs: of each modality that there is, the same rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inputs {
    /// Sparse text features.
    pub text: Option<SparseRows>,
    /// Text as sequences of word numbers.
    pub sequences: Option<SequenceRows>,
    /// Images.
    pub images: Option<Images>,
    /// Features of images.
    pub embeddings: Option<Embeddings>,
    /// What the models of a fusion made of the rows, model by model.
    pub branches: Vec<Embeddings>,
}

impl Inputs {
    /// Returns the number of rows of each modality that there is.
    fn lengths(&self) -> impl Iterator<Item = usize> {
        let text = self.text.as_ref().map(SparseRows::len);
        let sequences = self.sequences.as_ref().map(SequenceRows::len);
        let images = self.images.as_ref().map(Images::len);
        let branches = self.branches.iter().map(Embeddings::len);
        let embeddings = self.embeddings.as_ref().map(Embeddings::len);
        let modalities = [text, sequences, images, embeddings];
        modalities.into_iter().flatten().chain(branches)
    }

    /// Returns for each row whether anything is known of it: a text with a known word, an image. `None` where there is no
    /// modality.
    pub(super) fn presence(&self) -> Option<Vec<bool>> {
        let text = self.text.as_ref().map(SparseRows::presence);
        let text = text.or_else(|| self.sequences.as_ref().map(SequenceRows::presence));
        let images = self.images.as_ref().map(|images| images.present().to_vec());
        let images =
            images.or_else(|| self.embeddings.as_ref().map(|rows| rows.present().to_vec()));
        match (text, images) {
            (Some(text), Some(images)) => {
                let either = text.iter().zip(images).map(|(text, image)| *text || image);
                Some(either.collect())
            }
            (text, images) => text.or(images),
        }
    }

    /// Checks that every modality has that many rows.
    pub(super) fn check_rows(&self, expected: usize) -> Result<(), ModelError> {
        for found in self.lengths() {
            check(found == expected, || {
                format!("a batch has {found} rows, expected {expected}")
            })?;
        }
        Ok(())
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self {
            text: self.text.as_ref().map(|text| text.select(rows)),
            sequences: self.sequences.as_ref().map(|text| text.select(rows)),
            images: self.images.as_ref().map(|images| images.select(rows)),
            embeddings: self.embeddings.as_ref().map(|some| some.select(rows)),
            branches: self.branches.iter().map(|some| some.select(rows)).collect(),
        }
    }
}

/// Some rows, and what they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Numbers of the rows.
    pub rows: Vec<usize>,
    /// Their inputs, in the same order.
    pub inputs: Inputs,
}

impl Batch {
    /// Returns the batch after a check that every modality has as many rows as it names.
    pub(super) fn checked(self) -> Result<Self, ModelError> {
        self.inputs.check_rows(self.rows.len())?;
        Ok(self)
    }
}

/// Batches one after the other; an error is the last.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<Batch, ModelError>> + 'a>;

/// Rows that are handed out in batches.
pub trait Rows: Sync {
    /// Returns the number of rows.
    fn len(&self) -> usize;

    /// Hands out every row once, `batch_size` at a time (the last time, what is left). The same
    /// order is the same batches, always.
    ///
    /// # Errors
    ///
    /// Of an item: [`ModelError::Source`] where rows cannot be read, [`ModelError::Interrupted`]
    /// to end a training or prediction before the next batch.
    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_>;

    /// Returns whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows whose class is known.
pub trait Examples: Rows {
    /// Returns the class of every row.
    fn labels(&self) -> &[usize];
}

/// Rows held in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryRows {
    rows: usize,
    inputs: Inputs,
}

impl MemoryRows {
    /// Makes rows of their inputs.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where a modality has another number of rows.
    pub fn new(rows: usize, inputs: Inputs) -> Result<Self, ModelError> {
        inputs.check_rows(rows)?;
        Ok(Self { rows, inputs })
    }

    /// Returns the inputs of the rows named, in that order.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where there is no such row.
    pub fn inputs(&self, rows: &[usize]) -> Result<Inputs, ModelError> {
        let inside = rows.iter().all(|&row| row < self.rows);
        check(inside, || format!("a row is not below {}", self.rows))?;
        Ok(self.inputs.select(rows))
    }
}

impl Rows for MemoryRows {
    fn len(&self) -> usize {
        self.rows
    }

    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_> {
        let mut order = order.of_all(self.rows).into_iter();
        Box::new(std::iter::from_fn(move || {
            let rows: Vec<usize> = order.by_ref().take(batch_size.max(1)).collect();
            if rows.is_empty() {
                return None;
            }
            Some(self.inputs(&rows).map(|inputs| Batch { rows, inputs }))
        }))
    }
}

/// Rows and the class of each: examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled<R> {
    rows: R,
    labels: Vec<usize>,
}

/// Examples held in memory.
pub type MemoryExamples = Labelled<MemoryRows>;

impl<R: Rows> Labelled<R> {
    /// Makes examples of rows and their classes; a training refuses them where one is without the other.
    pub fn of(rows: R, labels: Vec<usize>) -> Self {
        Self { rows, labels }
    }
}

impl MemoryExamples {
    /// Makes examples of their classes and inputs.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where a modality has another number of rows than there are classes.
    pub fn new(labels: Vec<usize>, inputs: Inputs) -> Result<Self, ModelError> {
        let rows = MemoryRows::new(labels.len(), inputs)?;
        Ok(Self { rows, labels })
    }

    /// Returns the inputs of the rows named, as [`MemoryRows::inputs`] does.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where there is no such row.
    pub fn inputs(&self, rows: &[usize]) -> Result<Inputs, ModelError> {
        self.rows.inputs(rows)
    }
}

impl<R: Rows> Rows for Labelled<R> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_> {
        self.rows.batches(order, batch_size)
    }
}

impl<R: Rows> Examples for Labelled<R> {
    fn labels(&self) -> &[usize] {
        &self.labels
    }
}

pub(super) fn check(holds: bool, reason: impl FnOnce() -> String) -> Result<(), ModelError> {
    if holds {
        Ok(())
    } else {
        Err(ModelError::Inputs { reason: reason() })
    }
}

#[cfg(test)]
mod tests;
