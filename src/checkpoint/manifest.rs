//! The manifest: its presence means that the checkpoint is complete.
//!
//! JSON, UTF-8, one object. It holds nothing that differs between two runs with the same inputs
//! (no times, no host), so a resumed run writes the very bytes of an uninterrupted one.

use crate::fingerprint::{Digest, Fields, Fingerprint};
use crate::plan::Contents;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pseudo-dataset under which a checkpoint's content files are needed by other stages.
pub const FILES: &str = "files";

/// What a complete checkpoint consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub format_version: u32,
    /// Stage name.
    pub stage: String,
    /// Stage kind.
    pub kind: String,
    /// Identity of the inputs.
    pub fingerprint: Fingerprint,
    /// What the fingerprint was made from.
    pub fields: Fields,
    /// The datasets by name.
    pub datasets: BTreeMap<String, DatasetManifest>,
    /// Files beside the datasets.
    pub files: Vec<FileManifest>,
    /// Counts and scores of the stage, for people and for the run record.
    pub summary: serde_json::Map<String, serde_json::Value>,
}

/// One dataset: rows of one schema, in parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetManifest {
    /// Rows in all parts.
    pub rows: u64,
    /// Digest of the content, over the parts in order.
    pub content: Digest,
    /// Columns in order, as `name: type`.
    pub schema: Vec<String>,
    /// The parts in order.
    pub parts: Vec<PartManifest>,
}

/// One part: one Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartManifest {
    /// File name within the dataset's folder.
    pub file: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Digest of the file.
    pub digest: Digest,
    /// Identity of what the part was made from; parts of equal key are taken over.
    pub key: Digest,
}

/// One file beside the datasets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileManifest {
    /// File name within the `files` folder.
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Digest of the file.
    pub digest: Digest,
    /// Whether dependants are keyed on it; event files and the like are not content.
    pub is_content: bool,
}

/// Written before the first part: what the checkpoint is being made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// What the fingerprint was made from.
    pub fields: Fields,
    /// Of each dataset made part by part: the key of each of its parts, in order.
    pub keys: BTreeMap<String, Vec<Digest>>,
}

/// Digest of a dataset's content: of its schema and of its parts' digests, in order.
pub(super) fn dataset_content(schema: &[String], parts: &[PartManifest]) -> Digest {
    let schema = schema.iter().map(String::as_str);
    Digest::of_strings(schema.chain(parts.iter().map(|part| part.digest.as_str())))
}

/// Content digests by dataset, with [`FILES`] for the content files.
#[must_use]
pub fn contents_of(manifest: &Manifest) -> Contents {
    let mut contents: Contents = manifest
        .datasets
        .iter()
        .map(|(name, dataset)| (name.clone(), dataset.content.clone()))
        .collect();
    let files = manifest.files.iter().filter(|file| file.is_content);
    let files: Vec<&str> = files
        .flat_map(|file| [file.name.as_str(), file.digest.as_str()])
        .collect();
    if !files.is_empty() {
        contents.insert(FILES.to_owned(), Digest::of_strings(files));
    }
    contents
}
