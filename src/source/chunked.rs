//! Reads an object front to back by ranges, so that memory does not grow with its size.

use crate::store::Store;
use bytes::Bytes;
use std::io::{Error, Read, Result};

const CHUNK_BYTES: u64 = 4 << 20;

/// An object as a stream of bytes from some offset on.
pub(super) struct ChunkedReader<'a> {
    store: &'a dyn Store,
    path: &'a str,
    size: u64,
    offset: u64,
    chunk: Bytes,
}

impl<'a> ChunkedReader<'a> {
    pub(super) fn new(store: &'a dyn Store, path: &'a str, size: u64, offset: u64) -> Self {
        Self {
            store,
            path,
            size,
            offset,
            chunk: Bytes::new(),
        }
    }
}

impl Read for ChunkedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.chunk.is_empty() {
            if self.offset >= self.size {
                return Ok(0);
            }
            let end = (self.offset + CHUNK_BYTES).min(self.size);
            self.chunk = self
                .store
                .get_range(self.path, self.offset, end)
                .map_err(Error::other)?;
            self.offset = end;
        }
        let count = buffer.len().min(self.chunk.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
