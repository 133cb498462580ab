//! All checkpoints of one root, as the planner asks for them.

use super::layout::{RUNS_FOLDER, inputs_path, manifest_path};
use super::manifest::{Inputs, Manifest, contents_of};
use super::{CheckpointError, CheckpointReader};
use crate::fingerprint::{FORMAT_VERSION, Fields, Fingerprint};
use crate::plan::{Contents, Manifests};
use crate::store::{SharedStore, StoreError};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Looks manifests up by stage and fingerprint. It remembers those that it read: a run asks for each three times.
#[derive(Debug, Clone)]
pub struct Catalog {
    store: SharedStore,
    last: BTreeMap<String, Fingerprint>,
    read: Arc<Mutex<Read>>,
}

/// Manifests by stage and fingerprint.
type Read = HashMap<(String, Fingerprint), Arc<Manifest>>;

impl Catalog {
    /// Opens the checkpoints below a root; `last` is the fingerprint that the latest run with
    /// each stage used.
    #[must_use]
    pub fn new(store: SharedStore, last: BTreeMap<String, Fingerprint>) -> Self {
        let read = Arc::default();
        Self { store, last, read }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The fingerprint that the latest run with this stage used.
    #[must_use]
    pub fn last(&self, stage: &str) -> Option<&Fingerprint> {
        self.last.get(stage)
    }

    /// Reads a manifest; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Damaged`] for one that cannot be read as such.
    pub fn manifest(
        &self,
        stage: &str,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Manifest>, CheckpointError> {
        let manifest = self.shared_manifest(stage, fingerprint)?;
        Ok(manifest.map(Arc::unwrap_or_clone))
    }

    fn shared_manifest(
        &self,
        stage: &str,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Arc<Manifest>>, CheckpointError> {
        let key = (stage.to_owned(), fingerprint.clone());
        if let Some(manifest) = self.remembered().get(&key) {
            return Ok(Some(Arc::clone(manifest)));
        }
        let read = self.read_manifest(stage, fingerprint)?.map(Arc::new);
        if let Some(manifest) = &read {
            self.remembered().insert(key, Arc::clone(manifest));
        }
        Ok(read)
    }

    fn remembered(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the manifests of a stage, which is about to write one.
    pub fn forget(&self, stage: &str) {
        self.remembered().retain(|(known, _), _| known != stage);
    }

    fn read_manifest(
        &self,
        stage: &str,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Manifest>, CheckpointError> {
        let read = self.store.get(&manifest_path(stage, fingerprint));
        self.parse_manifest(stage, fingerprint, read)
    }

    /// Reads manifests, several at a time where waiting for each would take longer; answers in the order of the checkpoints.
    #[must_use]
    pub fn manifests(
        &self,
        checkpoints: &[(&str, &Fingerprint)],
    ) -> Vec<Result<Option<Manifest>, CheckpointError>> {
        let paths = checkpoints.iter();
        let paths: Vec<String> = paths
            .map(|(stage, fingerprint)| manifest_path(stage, fingerprint))
            .collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let read = self.store.get_all(&paths).into_iter();
        let parse = |((stage, fingerprint), read): (&(&str, &Fingerprint), _)| {
            self.parse_manifest(stage, fingerprint, read)
        };
        checkpoints.iter().zip(read).map(parse).collect()
    }

    fn parse_manifest(
        &self,
        stage: &str,
        fingerprint: &Fingerprint,
        read: Result<Bytes, StoreError>,
    ) -> Result<Option<Manifest>, CheckpointError> {
        let bytes = match read {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        let path = manifest_path(stage, fingerprint);
        let damaged = |detail: String| CheckpointError::Damaged {
            stage: stage.to_owned(),
            url: format!("{}/{path}", self.store.url()),
            detail,
        };
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if manifest.format_version != FORMAT_VERSION || manifest.fingerprint != *fingerprint {
            return Err(damaged(
                "it is not the manifest of this checkpoint".to_owned(),
            ));
        }
        Ok(Some(manifest))
    }

    /// Opens a complete checkpoint; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Those of [`Self::manifest`].
    pub fn reader(
        &self,
        stage: &str,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CheckpointReader>, CheckpointError> {
        let manifest = self.manifest(stage, fingerprint)?;
        Ok(manifest.map(|manifest| CheckpointReader::new(self.store.clone(), manifest)))
    }

    /// Withdraws a manifest, so that the next run makes the checkpoint again.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn withdraw(&self, stage: &str, fingerprint: &Fingerprint) -> Result<(), CheckpointError> {
        self.forget(stage);
        Ok(self.store.delete(&manifest_path(stage, fingerprint))?)
    }

    fn inputs(&self, stage: &str, fingerprint: &Fingerprint) -> Option<Inputs> {
        let bytes = self.store.get(&inputs_path(stage, fingerprint)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The latest twenty run records of a root, the newest last; one that cannot be read is left out.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn recent_records(store: &SharedStore) -> Result<Vec<Bytes>, CheckpointError> {
        const RECENT_RUNS: usize = 20;
        let records = store.list(RUNS_FOLDER)?;
        let recent = records.len().saturating_sub(RECENT_RUNS);
        let recent = records[recent..].iter().map(|record| record.path.as_str());
        let recent: Vec<&str> = recent.collect();
        Ok(store.get_all(&recent).into_iter().flatten().collect())
    }
}

impl Manifests for Catalog {
    fn contents(&self, stage: &str, fingerprint: &Fingerprint) -> Result<Option<Contents>, String> {
        let manifest = self
            .shared_manifest(stage, fingerprint)
            .map_err(|error| error.to_string())?;
        Ok(manifest.as_deref().map(contents_of))
    }

    fn last_fields(&self, stage: &str) -> Option<Fields> {
        self.inputs(stage, self.last.get(stage)?)
            .map(|inputs| inputs.fields)
    }

    fn is_begun(&self, stage: &str, fingerprint: &Fingerprint) -> bool {
        matches!(
            self.store.head(&inputs_path(stage, fingerprint)),
            Ok(Some(_))
        )
    }
}
