//! An object as a file, for libraries that read and seek.

use crate::store::{ObjectInfo, SharedStore};
use bytes::Bytes;
use std::io::{self, Read, Seek, SeekFrom};

/// An object as a file that can be read from anywhere in it, fetched in pieces.
pub(super) struct RangedReader<'a> {
    store: &'a SharedStore,
    path: &'a str,
    size: u64,
    pub(super) position: u64,
    piece_bytes: u64,
    piece_start: u64,
    piece: Bytes,
}

impl<'a> RangedReader<'a> {
    pub(super) fn new(store: &'a SharedStore, info: &'a ObjectInfo, piece_bytes: u64) -> Self {
        Self {
            store,
            path: &info.path,
            size: info.size_bytes,
            position: 0,
            piece_bytes,
            piece_start: 0,
            piece: Bytes::new(),
        }
    }
}

impl Read for RangedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let piece_end = self.piece_start + self.piece.len() as u64;
        if self.position < self.piece_start || self.position >= piece_end {
            let end = (self.position + self.piece_bytes).min(self.size);
            let piece = self.store.get_range(self.path, self.position, end);
            self.piece = piece.map_err(io::Error::other)?;
            self.piece_start = self.position;
            if self.piece.is_empty() {
                return Ok(0);
            }
        }
        let from = usize::try_from(self.position - self.piece_start).unwrap_or(usize::MAX);
        let found = self.piece.get(from..).unwrap_or_default();
        let count = buffer.len().min(found.len());
        buffer[..count].copy_from_slice(&found[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for RangedReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(back) => self.size.checked_add_signed(back),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.position)
    }
}
