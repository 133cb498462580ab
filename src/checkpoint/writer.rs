//! Writes one checkpoint: parts in any order and from any thread, the manifest last.
//!
//! A part is found again by its key, in this checkpoint (an earlier run stopped half way) or in
//! another one of the same stage (a parameter of another part of the graph changed, rows were
//! added elsewhere). It is taken over by a copy inside the store once its bytes are verified.

use super::layout::{
    checkpoint_folder, inputs_path, manifest_path, parse_part_file, part_file, stage_folder,
};
use super::manifest::{
    DatasetManifest, FILES, FileManifest, Inputs, Manifest, PartManifest, dataset_content,
};
use super::parquet::Shape;
use super::snapshots::Snapshots;
use super::stored::read_whole;
use super::{CheckpointError, parquet};
use crate::fingerprint::{Digest, FORMAT_VERSION, Fields, Fingerprint};
use crate::store::{SharedStore, StoreError, create_idempotent};
use arrow::array::RecordBatch;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// Where a part that can be taken over lies.
#[derive(Debug, Clone)]
struct Candidate {
    path: String,
    short_digest: String,
}

#[derive(Debug, Default)]
struct Written {
    parts: BTreeMap<String, BTreeMap<usize, PartManifest>>,
    schemas: BTreeMap<String, Vec<String>>,
    files: BTreeMap<String, FileManifest>,
}

/// Writes the checkpoint of one stage at one fingerprint.
#[derive(Debug)]
pub struct CheckpointWriter {
    store: SharedStore,
    stage: String,
    kind: String,
    fields: Fields,
    fingerprint: Fingerprint,
    candidates: HashMap<(String, Digest), Vec<Candidate>>,
    written: Mutex<Written>,
    /// Of a stage that trains.
    snapshots: Mutex<Option<Snapshots>>,
}

impl CheckpointWriter {
    /// Begins a checkpoint; `fresh_start` ignores what earlier runs left.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn begin(
        store: SharedStore,
        stage: &str,
        kind: &str,
        fields: Fields,
        keys: BTreeMap<String, Vec<Digest>>,
        fresh_start: bool,
    ) -> Result<Self, CheckpointError> {
        let fingerprint = fields.fingerprint();
        let has_keys = keys.values().any(|keys| !keys.is_empty());
        let candidates = if fresh_start {
            // Uncommit first: a forced run that stops half way must not look complete.
            store.delete(&manifest_path(stage, &fingerprint))?;
            let folder = checkpoint_folder(stage, &fingerprint);
            Snapshots::find(store.clone(), &folder)?.delete_all()?;
            HashMap::new()
        } else if has_keys {
            find_candidates(&store, stage)?
        } else {
            HashMap::new()
        };
        store.sweep(&checkpoint_folder(stage, &fingerprint))?;
        let inputs = Inputs {
            fields: fields.clone(),
            keys,
        };
        let (stage, kind) = (stage.to_owned(), kind.to_owned());
        let path = inputs_path(&stage, &fingerprint);
        put_or_mend(&store, &path, to_json(&inputs))?;
        Ok(Self {
            store,
            stage,
            kind,
            fields,
            fingerprint,
            candidates,
            written: Mutex::default(),
            snapshots: Mutex::default(),
        })
    }

    /// The fingerprint under which it writes.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Takes over the part with this key where a whole one is found, and says how many rows it has.
    ///
    /// # Errors
    ///
    /// Those of the store; a candidate that is damaged is passed over.
    pub fn take_over(
        &self,
        dataset: &str,
        index: usize,
        key: &Digest,
    ) -> Result<Option<u64>, CheckpointError> {
        let found = self.candidates.get(&(dataset.to_owned(), key.clone()));
        for candidate in found.into_iter().flatten() {
            let Some((bytes, shape)) = self.read_candidate(candidate)? else {
                continue;
            };
            let digest = Digest::of(&bytes);
            let path = self.part_path(dataset, &part_file(index, &digest));
            if path != candidate.path {
                match self.store.copy(&candidate.path, &path) {
                    Ok(()) => {}
                    // There already: verify by content, mend if need be.
                    Err(StoreError::AlreadyExists { .. }) => {
                        put_or_mend(&self.store, &path, bytes.clone())?;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let rows = shape.rows;
            self.note_part(dataset, index, key, &bytes, shape);
            return Ok(Some(rows));
        }
        Ok(None)
    }

    fn read_candidate(
        &self,
        candidate: &Candidate,
    ) -> Result<Option<(Bytes, Shape)>, CheckpointError> {
        let Some(bytes) = read_whole(&self.store, &candidate.path, &candidate.short_digest)? else {
            return Ok(None);
        };
        // The rows are counted from the file itself: a stopped run left no manifest to tell.
        Ok(parquet::inspect(bytes.clone(), &candidate.path)
            .ok()
            .map(|shape| (bytes, shape)))
    }

    /// Writes one part.
    ///
    /// # Errors
    ///
    /// Those of the store and of the encoder.
    pub fn write_part(
        &self,
        dataset: &str,
        index: usize,
        key: &Digest,
        batch: &RecordBatch,
    ) -> Result<(), CheckpointError> {
        let bytes = parquet::encode(batch, dataset)?;
        let digest = Digest::of(&bytes);
        let path = self.part_path(dataset, &part_file(index, &digest));
        put_or_mend(&self.store, &path, bytes.clone())?;
        self.note_part(dataset, index, key, &bytes, Shape::of(batch));
        Ok(())
    }

    fn part_path(&self, dataset: &str, file: &str) -> String {
        format!(
            "{}/{dataset}/{file}",
            checkpoint_folder(&self.stage, &self.fingerprint)
        )
    }

    fn note_part(&self, dataset: &str, index: usize, key: &Digest, bytes: &Bytes, shape: Shape) {
        let digest = Digest::of(bytes);
        let part = PartManifest {
            file: part_file(index, &digest),
            rows: shape.rows,
            bytes: bytes.len() as u64,
            digest,
            key: key.clone(),
        };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.schemas.insert(dataset.to_owned(), shape.schema);
        written
            .parts
            .entry(dataset.to_owned())
            .or_default()
            .insert(index, part);
    }

    /// Writes a file beside the datasets; `is_content` says whether dependants are keyed on it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn write_file(
        &self,
        name: &str,
        bytes: Bytes,
        is_content: bool,
    ) -> Result<(), CheckpointError> {
        let path = self.part_path(FILES, name);
        let file = FileManifest {
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            digest: Digest::of(&bytes),
            is_content,
        };
        put_or_mend(&self.store, &path, bytes)?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.files.insert(name.to_owned(), file);
        Ok(())
    }

    /// Writes a file for people, such as a log: no manifest lists it, and it may differ from run to run.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn write_unlisted(
        &self,
        folder: &str,
        name: &str,
        bytes: Bytes,
    ) -> Result<(), CheckpointError> {
        Ok(self.store.replace(&self.part_path(folder, name), bytes)?)
    }

    /// Does something with the epoch snapshots that lie here.
    fn with_snapshots<T>(
        &self,
        act: impl FnOnce(&mut Snapshots) -> Result<T, CheckpointError>,
    ) -> Result<T, CheckpointError> {
        let mut held = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshots) = &mut *held {
            return act(snapshots);
        }
        let folder = checkpoint_folder(&self.stage, &self.fingerprint);
        act(held.insert(Snapshots::find(self.store.clone(), &folder)?))
    }

    /// Reads the newest epoch snapshot that is whole and can be read.
    ///
    /// # Errors
    ///
    /// Those of the store, where it cannot say which there are.
    pub fn newest_snapshot(&self) -> Result<Option<Bytes>, CheckpointError> {
        self.with_snapshots(|snapshots| Ok(snapshots.newest()))
    }

    /// Deletes the newest epoch snapshot, which turned out to be of no use.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn delete_newest_snapshot(&self) -> Result<(), CheckpointError> {
        self.with_snapshots(Snapshots::delete_newest)
    }

    /// Writes an epoch snapshot, and deletes those before the last two. All are deleted once the checkpoint is complete.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn save_snapshot(&self, epoch: usize, bytes: Bytes) -> Result<(), CheckpointError> {
        self.with_snapshots(|snapshots| snapshots.save(epoch, bytes))
    }

    /// The manifest as it would be committed now; checks look at the datasets through it.
    #[must_use]
    pub fn manifest(&self, summary: serde_json::Map<String, serde_json::Value>) -> Manifest {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let datasets = written.parts.iter().map(|(name, parts)| {
            let parts: Vec<PartManifest> = parts.values().cloned().collect();
            let schema = written.schemas.get(name).cloned().unwrap_or_default();
            let dataset = DatasetManifest {
                rows: parts.iter().map(|part| part.rows).sum(),
                content: dataset_content(&schema, &parts),
                schema,
                parts,
            };
            (name.clone(), dataset)
        });
        Manifest {
            format_version: FORMAT_VERSION,
            stage: self.stage.clone(),
            kind: self.kind.clone(),
            fingerprint: self.fingerprint.clone(),
            fields: self.fields.clone(),
            datasets: datasets.collect(),
            files: written.files.values().cloned().collect(),
            summary,
        }
    }

    /// Writes the manifest: from now on the checkpoint is complete.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn commit(
        self,
        summary: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Manifest, CheckpointError> {
        let manifest = self.manifest(summary);
        let path = manifest_path(&self.stage, &self.fingerprint);
        put_or_mend(&self.store, &path, to_json(&manifest))?;
        let held = self.snapshots.into_inner();
        if let Some(snapshots) = held.unwrap_or_else(PoisonError::into_inner) {
            // What is left takes space and does no harm.
            if let Err(error) = snapshots.delete_all() {
                tracing::warn!(stage = self.stage, %error, "cannot delete epoch snapshots");
            }
        }
        Ok(manifest)
    }
}

/// Creates an object whose content its name or its inputs decide; one that is there with other
/// bytes is damaged, and is mended.
pub(super) fn put_or_mend(
    store: &SharedStore,
    path: &str,
    bytes: Bytes,
) -> Result<(), CheckpointError> {
    match create_idempotent(&**store, path, &bytes) {
        Err(StoreError::Conflict { url }) => {
            tracing::warn!(object = url, "object is damaged and is written again");
            Ok(store.replace(path, bytes)?)
        }
        other => Ok(other?),
    }
}

fn to_json(value: &impl serde::Serialize) -> Bytes {
    let mut text = serde_json::to_vec_pretty(value).expect("manifests hold only JSON values");
    text.push(b'\n');
    Bytes::from(text)
}

/// Finds every part of a stage by key, in all its checkpoints, complete or not.
fn find_candidates(
    store: &SharedStore,
    stage: &str,
) -> Result<HashMap<(String, Digest), Vec<Candidate>>, CheckpointError> {
    const INPUTS: &str = "/inputs.json";
    let mut found: HashMap<(String, Digest), Vec<Candidate>> = HashMap::new();
    // One listing and the files side by side: in a bucket every request is a wait.
    let objects = store.list(&stage_folder(stage))?;
    let paths = objects.iter().map(|object| object.path.as_str());
    let inputs: Vec<&str> = paths.filter(|path| path.ends_with(INPUTS)).collect();
    let made_from: HashMap<&str, Inputs> = inputs
        .iter()
        .zip(store.get_all(&inputs))
        .filter_map(|(path, bytes)| {
            let inputs = serde_json::from_slice(&bytes.ok()?).ok()?;
            Some((path.strip_suffix(INPUTS)?, inputs))
        })
        .collect();
    for object in &objects {
        let candidate = || {
            let (folder, file) = object.path.rsplit_once('/')?;
            let (base, dataset) = folder.rsplit_once('/')?;
            let (index, short) = parse_part_file(file)?;
            let key = made_from.get(base)?.keys.get(dataset)?.get(index)?;
            let candidate = Candidate {
                short_digest: short.to_owned(),
                path: object.path.clone(),
            };
            Some(((dataset.to_owned(), key.clone()), candidate))
        };
        if let Some((key, candidate)) = candidate() {
            found.entry(key).or_default().push(candidate);
        }
    }
    Ok(found)
}
