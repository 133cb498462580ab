//! Hands out rows whose images are read while a training goes, ahead of it and in threads of its own.
//!
//! One thread reads the parts in the order of the epoch and gathers batches from what it holds; others vary the images and
//! lay them side by side; the batches wait in a queue until the network takes them.
//!
//! What is waited for images is said in the log at level `debug`, at the end of each pass. Of an epoch's training (LeNet, 56×56,
//! batches of 32, augmented, a buffer for a tenth of 5,000 rows, on 2 cores that had more to do), by the batches made ahead:
//!
//! | batches ahead | waited, share of the time | time of the epoch |
//! |---|---|---|
//! | 0 | 33 % to 41 % | 20 s |
//! | 1 | 5 % to 8 % | 16 s |
//! | 4 | 4 % to 6 % | 12 s |
//!
//! With images of 224×224 and 4 batches ahead it was 1 %. Rows that are kept are not waited for after the first epoch (1 %). A
//! pass over validation rows that are not kept is all reading (four fifths of its time, a fifth of the epoch's): they come as they lie,
//! part by part, but every part holds some. So as many of them are kept as there is room for, and only the parts of the others are
//! read again.
//!
//! # Invariants
//! Batches are a function of the rows, the order and the batch size: the order is fixed before anything is read, the numbers that
//! vary an image are drawn for its row, and batches are handed out in the order in which they were begun. Threads only
//! decide when.
//!
//! Held at a time are at most [`LoaderOptions::shuffle_rows`] images, those of `prefetch_batches` + 2 batches twice (as read
//! and as varied), and what [`ImageParts::read`] holds of one part; however many rows there are.

mod prefetch;
mod window;

use super::batch::{Batch, Batches, Images, MemoryRows, Rows};
use super::order::EpochOrder;
use super::random::{Purpose, row_generator, unit};
use super::{Inputs, ModelError};
use prefetch::Prefetched;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use window::{Image, Source};

/// Numbers from `[0, 1)`, as many as asked for.
pub type Uniform<'a> = &'a mut dyn FnMut() -> f64;

/// Appends an image as it is to be in this epoch.
pub type Vary<'a> = Box<dyn FnMut(&[u8], Uniform<'_>, &mut Vec<u8>) + 'a>;

/// Images of a part one after the other, or `None` for a row that has none.
pub type PartImages<'a> = Box<dyn Iterator<Item = Result<Option<Vec<u8>>, ModelError>> + 'a>;

/// Where images are read from.
pub trait ImageParts: Send + Sync + 'static {
    /// Returns width and height of an image in pixels.
    fn size(&self) -> usize;

    /// Returns the number of rows of each part. The rows of all parts, one after the other, are numbered from 0.
    fn rows(&self) -> &[usize];

    /// Reads a part from its beginning, as far as it is asked for.
    ///
    /// # Errors
    ///
    /// Of an item: [`ModelError::Source`] where it cannot be read, [`ModelError::Interrupted`] to end.
    fn read(&self, part: usize) -> PartImages<'_>;

    /// Makes what varies the images of a training; `None` where they stay as they are.
    fn vary(&self) -> Option<Vary<'_>> {
        None
    }
}

/// How rows are read ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Rows whose images are held, to be handed out in random order. Where there are no more rows than that, all of them are
    /// read once, shuffled wholly and kept. Of rows that are handed out as they lie, those of the first parts are kept, as far as
    /// they are no more than that.
    pub shuffle_rows: usize,
    /// Batches that are made before they are asked for. 0 makes each when it is: nothing runs beside the network.
    pub prefetch_batches: usize,
    /// Threads that vary images and make batches of them.
    pub workers: usize,
}

/// Rows whose images are read part by part, with what else is known of them.
#[derive(Debug)]
pub struct StreamedRows<P> {
    shared: Arc<Shared<P>>,
}

/// What the threads of an epoch share.
#[derive(Debug)]
struct Shared<P> {
    parts: P,
    others: MemoryRows,
    options: LoaderOptions,
    /// The images that are kept: of the first parts, or of all.
    kept: Mutex<Option<Arc<Vec<Image>>>>,
}

impl<P: ImageParts> StreamedRows<P> {
    /// Makes rows of images and of their other modalities, if any.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where another modality has another number of rows, or is images.
    pub fn new(parts: P, others: Inputs, options: LoaderOptions) -> Result<Self, ModelError> {
        super::batch::check(others.images.is_none(), || {
            "images are in memory and in parts".to_owned()
        })?;
        let rows = parts.rows().iter().sum();
        Ok(Self {
            shared: Arc::new(Shared {
                others: MemoryRows::new(rows, others)?,
                parts,
                options,
                kept: Mutex::default(),
            }),
        })
    }
}

impl<P: ImageParts> Rows for StreamedRows<P> {
    fn len(&self) -> usize {
        self.shared.others.len()
    }

    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_> {
        let batch_size = batch_size.max(1);
        if self.shared.options.prefetch_batches > 0 {
            return Watched::new(Prefetched::start(&self.shared, order, batch_size));
        }
        let mut source = Source::new(&self.shared, order, batch_size);
        let mut vary = self.shared.vary(order);
        Watched::new(std::iter::from_fn(move || {
            let gathered = source.next_batch()?;
            Some(gathered.and_then(|batch| self.shared.finish(batch, order, &mut vary)))
        }))
    }
}

/// Batches, and how long was waited for them: said in the log at the end of an epoch.
struct Watched<I> {
    batches: I,
    begun: Instant,
    waited: Duration,
}

impl<'a, I: Iterator<Item = Result<Batch, ModelError>> + 'a> Watched<I> {
    #[expect(clippy::new_ret_no_self, reason = "all that is seen of it")]
    fn new(batches: I) -> Batches<'a> {
        Box::new(Self {
            batches,
            begun: Instant::now(),
            waited: Duration::ZERO,
        })
    }
}

impl<I: Iterator> Iterator for Watched<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let asked = Instant::now();
        let batch = self.batches.next();
        self.waited += asked.elapsed();
        batch
    }
}

impl<I> Drop for Watched<I> {
    fn drop(&mut self) {
        let (waited_ms, elapsed_ms) = (self.waited.as_millis(), self.begun.elapsed().as_millis());
        tracing::debug!(waited_ms, elapsed_ms, "waited for images");
    }
}

/// A batch whose images are as they were read.
#[derive(Debug)]
struct Gathered {
    rows: Vec<usize>,
    images: Vec<Image>,
}

impl<P: ImageParts> Shared<P> {
    /// What varies the images of an epoch: of a training only.
    fn vary(&self, order: EpochOrder) -> Option<Vary<'_>> {
        match order {
            EpochOrder::Sequential => None,
            EpochOrder::Shuffled { .. } => self.parts.vary(),
        }
    }

    /// How many parts are kept, from the first on: as many as there is room for, and of an order that needs room itself, all or none.
    fn kept_parts(&self, order: EpochOrder) -> usize {
        let sizes = self.parts.rows();
        let ends = sizes.iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        let fitting = ends.take_while(|&end| end <= self.options.shuffle_rows);
        match (fitting.count(), order) {
            (parts, EpochOrder::Shuffled { .. }) if parts < sizes.len() => 0,
            (parts, _) => parts,
        }
    }

    /// The images of the first parts, read once.
    fn kept(&self, parts: usize) -> Result<Arc<Vec<Image>>, ModelError> {
        if parts == 0 {
            return Ok(Arc::default());
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(images) = &*kept {
            return Ok(Arc::clone(images));
        }
        let images = Arc::new(window::read_first(&self.parts, parts)?);
        Ok(Arc::clone(kept.insert(images)))
    }

    /// Varies the images of a batch and lays them side by side.
    fn finish(
        &self,
        batch: Gathered,
        order: EpochOrder,
        vary: &mut Option<Vary<'_>>,
    ) -> Result<Batch, ModelError> {
        let size = self.parts.size();
        let length = size * size * 3;
        let mut pixels = Vec::with_capacity(batch.rows.len() * length);
        let mut present = Vec::with_capacity(batch.rows.len());
        for (&row, image) in batch.rows.iter().zip(batch.images) {
            present.push(image.is_some());
            match (image, order, vary.as_mut()) {
                (None, ..) => pixels.resize(pixels.len() + length, 0),
                (Some(image), EpochOrder::Shuffled { seed, epoch }, Some(vary)) => {
                    let mut random = row_generator(seed, Purpose::Augmentation, epoch, row);
                    vary(&image, &mut || unit(&mut random), &mut pixels);
                }
                (Some(image), ..) => pixels.extend_from_slice(&image),
            }
        }
        let mut inputs = self.others.inputs(&batch.rows)?;
        inputs.images = Some(Images::new(size, pixels, present)?);
        let rows = batch.rows;
        Ok(Batch { rows, inputs })
    }
}

#[cfg(test)]
mod tests;
