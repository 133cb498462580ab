//! Parts of a stage wherever they lie, in complete checkpoints and in those of runs that were stopped.

use super::layout::{parse_part_file, stage_folder};
use super::{CheckpointError, parquet};
use crate::fingerprint::{Digest, Fingerprint};
use crate::store::SharedStore;
use arrow::array::RecordBatch;
use bytes::Bytes;

/// One part that lies in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    path: String,
    short_digest: String,
}

impl StoredPart {
    /// Lists the parts of a dataset in all checkpoints of a stage; of those with the same bytes, one.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn list(
        store: &SharedStore,
        stage: &str,
        dataset: &str,
    ) -> Result<Vec<Self>, CheckpointError> {
        let mut found: Vec<Self> = Vec::new();
        for fingerprint in store.folders(&stage_folder(stage))? {
            let fingerprint = Fingerprint::from_folder(&fingerprint);
            let parts = list_folder(store, stage, &fingerprint, dataset)?;
            found.extend(parts.into_iter().map(|(_, part)| part));
        }
        found.sort_by(|a, b| a.short_digest.cmp(&b.short_digest));
        found.dedup_by(|a, b| a.short_digest == b.short_digest);
        Ok(found)
    }

    /// Finds the part of a checkpoint at one place of a dataset, if it was written.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn find(
        store: &SharedStore,
        stage: &str,
        fingerprint: &Fingerprint,
        dataset: &str,
        index: usize,
    ) -> Result<Option<Self>, CheckpointError> {
        let parts = list_folder(store, stage, fingerprint, dataset)?;
        let found = parts.into_iter().find(|(place, _)| *place == index);
        Ok(found.map(|(_, part)| part))
    }

    /// Reads some columns; `None` where the part is gone, damaged or has no such columns.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn read(
        &self,
        store: &SharedStore,
        columns: &[&str],
    ) -> Result<Option<RecordBatch>, CheckpointError> {
        let bytes = read_whole(store, &self.path, &self.short_digest)?;
        Ok(bytes.and_then(|bytes| parquet::decode(bytes, Some(columns), &self.path).ok()))
    }
}

fn list_folder(
    store: &SharedStore,
    stage: &str,
    fingerprint: &Fingerprint,
    dataset: &str,
) -> Result<Vec<(usize, StoredPart)>, CheckpointError> {
    let folder = format!(
        "{}/{dataset}",
        super::layout::checkpoint_folder(stage, fingerprint)
    );
    let part = |path: String| {
        let (index, short) = parse_part_file(path.rsplit_once('/')?.1)?;
        let short_digest = short.to_owned();
        Some((index, StoredPart { path, short_digest }))
    };
    let objects = store.list(&folder)?.into_iter();
    Ok(objects.filter_map(|object| part(object.path)).collect())
}

/// Reads an object whose name holds the digest of its bytes; `None` where it is gone or damaged.
pub(super) fn read_whole(
    store: &SharedStore,
    path: &str,
    short_digest: &str,
) -> Result<Option<Bytes>, CheckpointError> {
    let bytes = match store.get(path) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    if Digest::of(&bytes).short() == short_digest {
        return Ok(Some(bytes));
    }
    tracing::warn!(object = path, "object is damaged and is made again");
    Ok(None)
}
