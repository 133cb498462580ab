//! Reads an object front to back by ranges, so that memory does not grow with its size.

use crate::store::{Store, StoreError};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{Error, Read, Result};

const CHUNK_BYTES: u64 = 4 << 20;

/// Chunks fetched side by side from a store on another machine.
const CHUNKS_AT_ONCE: usize = 4;

/// An object as a stream of bytes from some offset on.
pub(super) struct ChunkedReader<'a> {
    store: &'a dyn Store,
    path: &'a str,
    size: u64,
    offset: u64,
    chunk: Bytes,
    ahead: VecDeque<Bytes>,
}

impl<'a> ChunkedReader<'a> {
    pub(super) fn new(store: &'a dyn Store, path: &'a str, size: u64, offset: u64) -> Self {
        Self {
            store,
            path,
            size,
            offset,
            chunk: Bytes::new(),
            ahead: VecDeque::new(),
        }
    }
}

impl ChunkedReader<'_> {
    /// Reads all that is left.
    pub(super) fn whole(mut self) -> std::result::Result<Bytes, StoreError> {
        if self.store.local_root().is_some() {
            return self.store.get(self.path);
        }
        while self.offset < self.size {
            self.fetch()?;
        }
        let chunks: Vec<Bytes> = self.ahead.into();
        Ok(Bytes::from(chunks.concat()))
    }

    /// Fetches the next chunks.
    fn fetch(&mut self) -> std::result::Result<(), StoreError> {
        let is_local = self.store.local_root().is_some();
        let count = if is_local { 1 } else { CHUNKS_AT_ONCE };
        let mut ranges = Vec::with_capacity(count);
        while ranges.len() < count && self.offset < self.size {
            let end = (self.offset + CHUNK_BYTES).min(self.size);
            ranges.push((self.offset, end));
            self.offset = end;
        }
        let chunks = self.store.get_ranges(self.path, &ranges);
        self.ahead.extend(chunks?);
        Ok(())
    }
}

impl Read for ChunkedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.chunk.is_empty() {
            if self.ahead.is_empty() {
                self.fetch().map_err(Error::other)?;
            }
            let Some(chunk) = self.ahead.pop_front() else {
                return Ok(0);
            };
            self.chunk = chunk;
        }
        let count = buffer.len().min(self.chunk.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
