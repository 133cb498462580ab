//! Reads a complete checkpoint, and believes nothing: every part is checked against the digest
//! in the manifest before its rows are used.

use super::layout::checkpoint_folder;
use super::manifest::{DatasetManifest, Manifest, PartManifest};
use super::{CheckpointError, FILES, columns, parquet};
use crate::fingerprint::Digest;
use crate::store::SharedStore;
use arrow::array::RecordBatch;
use bytes::Bytes;

/// Reads the datasets and files that one manifest lists.
#[derive(Debug, Clone)]
pub struct CheckpointReader {
    store: SharedStore,
    manifest: Manifest,
}

impl CheckpointReader {
    /// Reads what `manifest` lists.
    #[must_use]
    pub fn new(store: SharedStore, manifest: Manifest) -> Self {
        Self { store, manifest }
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// A dataset's entry in the manifest.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::NoDataset`].
    pub fn dataset(&self, dataset: &str) -> Result<&DatasetManifest, CheckpointError> {
        self.manifest
            .datasets
            .get(dataset)
            .ok_or_else(|| CheckpointError::NoDataset {
                stage: self.manifest.stage.clone(),
                dataset: dataset.to_owned(),
            })
    }

    /// Reads one part; only `columns` where they are given.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Damaged`] where the bytes are not those of the manifest.
    pub fn part(
        &self,
        dataset: &str,
        part: &PartManifest,
        columns: Option<&[&str]>,
    ) -> Result<RecordBatch, CheckpointError> {
        let path = format!("{dataset}/{}", part.file);
        let bytes = self.verified(&path, part.bytes, &part.digest)?;
        parquet::decode(bytes, columns, &self.url(&path))
    }

    /// Reads some rows of one part, given in ascending order, `at_once` at a time. The part is in memory as it lies in the store, and
    /// never unpacked whole.
    ///
    /// # Errors
    ///
    /// As [`Self::part`].
    pub fn rows(
        &self,
        dataset: &str,
        part: &PartManifest,
        columns: &[&str],
        rows: &[usize],
        at_once: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, CheckpointError>> + use<>, CheckpointError>
    {
        let path = format!("{dataset}/{}", part.file);
        let bytes = self.verified(&path, part.bytes, &part.digest)?;
        parquet::decode_rows(bytes, columns, rows, at_once, &self.url(&path))
    }

    /// Reads some columns of one part for showing them: by themselves, and unchecked, since the digest is of the whole part.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Decode`] where the bytes are no Parquet, [`CheckpointError::Column`] for a column that is not there.
    pub fn columns(
        &self,
        dataset: &str,
        part: &PartManifest,
        columns: &[&str],
    ) -> Result<RecordBatch, CheckpointError> {
        let folder = checkpoint_folder(&self.manifest.stage, &self.manifest.fingerprint);
        let path = format!("{dataset}/{}", part.file);
        let (whole, url) = (format!("{folder}/{path}"), self.url(&path));
        columns::read(&*self.store, &whole, part.bytes, columns, &url)
    }

    /// Reads the bytes of one part, verified.
    ///
    /// # Errors
    ///
    /// As [`Self::part`].
    pub fn part_bytes(&self, dataset: &str, part: &PartManifest) -> Result<Bytes, CheckpointError> {
        self.verified(
            &format!("{dataset}/{}", part.file),
            part.bytes,
            &part.digest,
        )
    }

    /// Reads every part of a dataset, one after the other.
    ///
    /// # Errors
    ///
    /// Those of [`Self::part`].
    pub fn parts<'a>(
        &'a self,
        dataset: &'a str,
        columns: Option<&'a [&'a str]>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, CheckpointError>> + 'a, CheckpointError>
    {
        let parts = &self.dataset(dataset)?.parts;
        Ok(parts
            .iter()
            .map(move |part| self.part(dataset, part, columns)))
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::NoDataset`] where the manifest lists no such file,
    /// [`CheckpointError::Damaged`] where the bytes are not those of the manifest.
    pub fn file(&self, name: &str) -> Result<Bytes, CheckpointError> {
        let listed = self.manifest.files.iter().find(|file| file.name == name);
        let listed = listed.ok_or_else(|| CheckpointError::NoDataset {
            stage: self.manifest.stage.clone(),
            dataset: format!("{FILES}/{name}"),
        })?;
        self.verified(&format!("{FILES}/{name}"), listed.bytes, &listed.digest)
    }

    fn url(&self, path: &str) -> String {
        let folder = checkpoint_folder(&self.manifest.stage, &self.manifest.fingerprint);
        format!("{}/{folder}/{path}", self.store.url())
    }

    fn verified(&self, path: &str, size: u64, digest: &Digest) -> Result<Bytes, CheckpointError> {
        let folder = checkpoint_folder(&self.manifest.stage, &self.manifest.fingerprint);
        let damaged = |detail: String| CheckpointError::Damaged {
            stage: self.manifest.stage.clone(),
            url: self.url(path),
            detail,
        };
        let bytes = match self.store.get(&format!("{folder}/{path}")) {
            Err(error) if error.is_not_found() => return Err(damaged("it is gone".to_owned())),
            other => other?,
        };
        if bytes.len() as u64 != size {
            return Err(damaged(format!(
                "{} bytes where the manifest says {size}",
                bytes.len()
            )));
        }
        if Digest::of(&bytes) != *digest {
            return Err(damaged("its digest is not that of the manifest".to_owned()));
        }
        Ok(bytes)
    }
}
