//! Reads some columns of a part and none of its other bytes: a look at a part of image tensors is not worth its 70 MB.
//!
//! What is read so is not checked against the digest of the part, which is one over all of its bytes: it is for showing, never for
//! what a stage makes.

use super::{CheckpointError, parquet};
use crate::store::{Store, StoreError};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::reader::{ChunkReader, Length};
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use bytes::{Buf, Bytes};
use std::sync::Arc;

/// What is read first: the footer of most parts fits.
const TAIL_BYTES: u64 = 64 << 10;

/// Pieces of an object in memory.
#[derive(Debug, Clone, Default)]
struct Pieces {
    size: u64,
    /// Where each begins, and its bytes.
    held: Arc<Vec<(u64, Bytes)>>,
}

impl Pieces {
    fn slice(&self, start: u64, length: Option<usize>) -> ParquetResult<Bytes> {
        let held = self.held.iter().find(|(from, bytes)| {
            let until = from + bytes.len() as u64;
            *from <= start && start + length.unwrap_or(0) as u64 <= until && start < until
        });
        let missing = || ParquetError::General(format!("bytes from {start} on were not fetched"));
        let (from, bytes) = held.ok_or_else(missing)?;
        let at = usize::try_from(start - from).map_err(|_| missing())?;
        Ok(match length {
            Some(length) => bytes.slice(at..at + length),
            None => bytes.slice(at..),
        })
    }
}

impl Length for Pieces {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Pieces {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.slice(start, None)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.slice(start, Some(length))
    }
}

/// Reads `columns` of the part at `path`.
pub(super) fn read(
    store: &dyn Store,
    path: &str,
    size: u64,
    columns: &[&str],
    what: &str,
) -> Result<RecordBatch, CheckpointError> {
    let failed = |source| CheckpointError::Decode {
        what: what.to_owned(),
        source,
    };
    let pieces = |held: Vec<(u64, Bytes)>| Pieces {
        size,
        held: Arc::new(held),
    };
    let mut tail_bytes = TAIL_BYTES;
    let metadata = loop {
        let start = size.saturating_sub(tail_bytes);
        let tail = store.get_range(path, start, size)?;
        if start == 0 && tail.len() as u64 != size {
            return Err(short(store, path, size));
        }
        let options = ArrowReaderOptions::new();
        match ArrowReaderMetadata::load(&pieces(vec![(start, tail)]), options) {
            Ok(metadata) => break metadata,
            // A long footer: once more, with more of the file.
            Err(_) if start > 0 => tail_bytes = tail_bytes.saturating_mul(16),
            Err(source) => return Err(failed(source)),
        }
    };
    parquet::require_columns(metadata.schema(), columns)?;
    let mask = ProjectionMask::columns(metadata.parquet_schema(), columns.iter().copied());
    let ranges = ranges_of(&metadata, &mask);
    let fetched = store.get_ranges(path, &ranges)?;
    let held = ranges.iter().map(|range| range.0).zip(fetched).collect();
    let rows = usize::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(pieces(held), metadata);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(rows.max(1))
        .build()
        .map_err(failed)?;
    let schema = reader.schema();
    let assembling = |source| CheckpointError::Arrow {
        what: what.to_owned(),
        source,
    };
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(assembling)?;
    concat_batches(&schema, &batches).map_err(assembling)
}

/// Where the chosen columns lie, from the first byte to the one behind the last.
fn ranges_of(metadata: &ArrowReaderMetadata, mask: &ProjectionMask) -> Vec<(u64, u64)> {
    let groups = metadata.metadata().row_groups().iter();
    let chunks = groups.flat_map(|group| group.columns().iter().enumerate());
    let chosen = chunks.filter(|(leaf, _)| mask.leaf_included(*leaf));
    let range = |(start, length): (u64, u64)| (start, start + length);
    chosen.map(|(_, chunk)| range(chunk.byte_range())).collect()
}

fn short(store: &dyn Store, path: &str, size: u64) -> CheckpointError {
    CheckpointError::Store(StoreError::Io {
        operation: "read",
        url: format!("{}/{path}", store.url()),
        source: std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            format!("it is shorter than the {size} bytes that the manifest says"),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ObjectBackedStore;
    use arrow::array::{FixedSizeBinaryArray, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    /// A part of some rows, most of whose bytes are pixels that do not compress.
    fn part(rows: usize) -> RecordBatch {
        let mut noise = blake3::Hasher::new().finalize_xof();
        let mut pixels = vec![0_u8; rows * 5_000];
        noise.fill(&mut pixels);
        let pixels = FixedSizeBinaryArray::try_from_iter(pixels.chunks_exact(5_000)).unwrap();
        let ids: StringArray = (0..rows).map(|row| Some(format!("row {row}"))).collect();
        let schema = Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("pixels", DataType::FixedSizeBinary(5_000), false),
        ]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(pixels)]).unwrap()
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let batch = part(200);
        let bytes = parquet::encode(&batch, "test").unwrap();
        let store = ObjectBackedStore::memory();
        store.create("part", bytes.clone()).unwrap();
        let size = bytes.len() as u64;
        assert!(size > 900_000);
        let found = read(&store, "part", size, &["id"], "test").unwrap();
        assert_eq!(found, batch.project(&[0]).unwrap());
        let both = read(&store, "part", size, &["id", "pixels"], "test").unwrap();
        assert_eq!(both, batch);
        let options = ArrowReaderOptions::new();
        let metadata = ArrowReaderMetadata::load(&bytes, options).unwrap();
        let mask = ProjectionMask::columns(metadata.parquet_schema(), ["id"]);
        let fetched: u64 = ranges_of(&metadata, &mask)
            .iter()
            .map(|(from, to)| to - from)
            .sum();
        assert!(fetched < 10_000, "{fetched} bytes of {size}");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let batch = part(3);
        let bytes = parquet::encode(&batch, "test").unwrap();
        let size = bytes.len() as u64;
        let store = ObjectBackedStore::memory();
        store
            .create("part", bytes.slice(..bytes.len() - 9))
            .unwrap();
        store.create("whole", bytes).unwrap();
        assert!(read(&store, "part", size, &["id"], "test").is_err());
        let error = read(&store, "whole", size, &["nope"], "test").unwrap_err();
        assert!(error.to_string().contains("nope"), "{error}");
        assert!(read(&store, "gone", size, &["id"], "test").is_err());
    }
}
