//! What is held of the images of an epoch: those that are kept, and those between their part and their batch.

use super::{Gathered, ImageParts, PartImages, Shared};
use crate::model::ModelError;
use crate::model::order::{EpochOrder, firsts};
use std::collections::HashMap;
use std::sync::Arc;

/// An image as it was read, if the row has one.
pub(super) type Image = Option<Arc<Vec<u8>>>;

/// Gathers the batches of an epoch.
pub(super) struct Source<'a, P> {
    shared: &'a Shared<P>,
    order: EpochOrder,
    batch_size: usize,
    begun: Option<Begun<'a, P>>,
    has_failed: bool,
}

/// An epoch of which something has been asked for.
struct Begun<'a, P> {
    rows: std::vec::IntoIter<usize>,
    /// Of the first rows.
    kept: Arc<Vec<Image>>,
    others: Window<'a, P>,
}

impl<'a, P: ImageParts> Source<'a, P> {
    pub(super) fn new(shared: &'a Shared<P>, order: EpochOrder, batch_size: usize) -> Self {
        Self {
            shared,
            order,
            batch_size,
            begun: None,
            has_failed: false,
        }
    }

    /// The next batch; after an error, none.
    pub(super) fn next_batch(&mut self) -> Option<Result<Gathered, ModelError>> {
        if self.has_failed {
            return None;
        }
        let batch = self.gather();
        self.has_failed = batch.is_err();
        batch.transpose()
    }

    fn gather(&mut self) -> Result<Option<Gathered>, ModelError> {
        if self.begun.is_none() {
            self.begun = Some(self.begin()?);
        }
        let Some(begun) = &mut self.begun else {
            return Ok(None);
        };
        let rows: Vec<usize> = begun.rows.by_ref().take(self.batch_size).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let taken = rows.iter().map(|&row| begun.take(row));
        let images = taken.collect::<Result<Vec<Image>, ModelError>>()?;
        Ok(Some(Gathered { rows, images }))
    }

    fn begin(&self) -> Result<Begun<'a, P>, ModelError> {
        let parts = &self.shared.parts;
        let buffer = self.shared.options.shuffle_rows;
        let order = self.order.through_buffer(parts.rows(), buffer);
        let kept_parts = self.shared.kept_parts(self.order);
        let mut to_read = order.parts;
        to_read.retain(|&part| part >= kept_parts);
        Ok(Begun {
            rows: order.rows.into_iter(),
            kept: self.shared.kept(kept_parts)?,
            others: Window::new(parts, to_read),
        })
    }
}

impl<P: ImageParts> Begun<'_, P> {
    fn take(&mut self, row: usize) -> Result<Image, ModelError> {
        match self.kept.get(row) {
            Some(image) => Ok(image.clone()),
            None => self.others.take(row),
        }
    }
}

/// Images that were read and not yet taken.
struct Window<'a, P> {
    parts: &'a P,
    firsts: Vec<usize>,
    to_read: std::vec::IntoIter<usize>,
    reading: Option<Reading<'a>>,
    held: HashMap<usize, Image>,
}

/// A part on its way in.
struct Reading<'a> {
    images: PartImages<'a>,
    rows: std::ops::Range<usize>,
}

impl<'a, P: ImageParts> Window<'a, P> {
    fn new(parts: &'a P, to_read: Vec<usize>) -> Self {
        Self {
            parts,
            firsts: firsts(parts.rows()),
            to_read: to_read.into_iter(),
            reading: None,
            held: HashMap::new(),
        }
    }

    /// Reads on until a row is there; its image is the caller's then.
    fn take(&mut self, row: usize) -> Result<Image, ModelError> {
        loop {
            if let Some(image) = self.held.remove(&row) {
                return Ok(image);
            }
            let Some((row, image)) = self.read_one()? else {
                let reason = format!("no part holds row {row}");
                return Err(ModelError::Inputs { reason });
            };
            self.held.insert(row, image);
        }
    }

    /// Reads an image; nothing once all parts have been read.
    fn read_one(&mut self) -> Result<Option<(usize, Image)>, ModelError> {
        loop {
            if let Some(reading) = &mut self.reading
                && let Some(row) = reading.rows.next()
            {
                let missing = || ModelError::Inputs {
                    reason: format!("a part lacks row {row}"),
                };
                let image = reading.images.next().ok_or_else(missing)??;
                return Ok(Some((row, image.map(Arc::new))));
            }
            let Some(part) = self.to_read.next() else {
                return Ok(None);
            };
            let first = self.firsts[part];
            // One part at a time.
            self.reading = None;
            self.reading = Some(Reading {
                images: self.parts.read(part),
                rows: first..first + self.parts.rows()[part],
            });
        }
    }
}

/// Reads all images of the first parts, in order.
pub(super) fn read_first<P: ImageParts>(parts: &P, count: usize) -> Result<Vec<Image>, ModelError> {
    let mut window = Window::new(parts, (0..count).collect());
    let mut images = Vec::with_capacity(parts.rows()[..count].iter().sum());
    while let Some((_, image)) = window.read_one()? {
        images.push(image);
    }
    Ok(images)
}
