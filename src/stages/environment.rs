//! What all stages share: configuration, stores, queries, the device, and the wish to stop.

use super::StageError;
use crate::cancel::CancelToken;
use crate::config::PipelineConfig;
use crate::fingerprint::Fields;
use crate::model::{DeviceChoice, ModelError, Runtime};
use crate::source::{DigestTable, Identities, PathTemplate, SourceError};
use crate::sql::Queries;
use crate::store::SharedStore;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The surroundings of a run.
#[derive(Debug)]
pub struct Environment {
    /// The configuration.
    pub config: PipelineConfig,
    /// The queries of the SQL folder.
    pub queries: Queries,
    /// Store of the checkpoints.
    pub checkpoints: SharedStore,
    /// Store of the source catalogue.
    pub source: SharedStore,
    /// Store that predictions are published to.
    pub sink: SharedStore,
    /// How many parts of one stage are in work at once.
    pub workers: usize,
    /// Set when the run should stop.
    pub cancel: CancelToken,
    device: DeviceChoice,
    runtime: OnceLock<Runtime>,
    device_in_use: Mutex<()>,
    digests: Mutex<DigestTable>,
    images: OnceLock<BTreeMap<String, Identities>>,
}

impl Environment {
    /// Assembles the surroundings.
    #[must_use]
    pub fn new(
        config: PipelineConfig,
        queries: Queries,
        stores: Stores,
        device: DeviceChoice,
        workers: usize,
        cancel: CancelToken,
    ) -> Self {
        let table = stores
            .checkpoints
            .local_root()
            .map(|root| root.join("_digests"));
        Self {
            config,
            queries,
            checkpoints: stores.checkpoints,
            source: stores.source,
            sink: stores.sink,
            workers: workers.max(1),
            cancel,
            device,
            runtime: OnceLock::new(),
            device_in_use: Mutex::new(()),
            digests: Mutex::new(DigestTable::load(table)),
            images: OnceLock::new(),
        }
    }

    /// The device that models run on; opened at the first call.
    ///
    /// # Errors
    ///
    /// [`ModelError`] where the device that was asked for is not there.
    pub fn runtime(&self) -> Result<&Runtime, ModelError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = Runtime::open(self.device, None)?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// Whether the device was opened, and what it is.
    #[must_use]
    pub fn opened_runtime(&self) -> Option<&Runtime> {
        self.runtime.get()
    }

    /// Waits until nobody else uses the device.
    pub fn device_alone(&self) -> std::sync::MutexGuard<'_, ()> {
        self.device_in_use
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Identity of one source file.
    ///
    /// # Errors
    ///
    /// Those of the source.
    pub fn identify(&self, path: &str) -> Result<String, SourceError> {
        self.identify_in(&self.source, path)
    }

    /// Identity of one file of any store.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn identify_in(&self, store: &SharedStore, path: &str) -> Result<String, SourceError> {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(digests.file(&**store, path)?.identity)
    }

    /// Identities of all images, by folder; computed at the first call.
    ///
    /// # Errors
    ///
    /// Those of the source.
    pub fn images(&self) -> Result<&BTreeMap<String, Identities>, SourceError> {
        if let Some(images) = self.images.get() {
            return Ok(images);
        }
        let templates = &self.config.source.images;
        let mut images = BTreeMap::new();
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        for template in [&templates.labelled, &templates.unlabelled] {
            if template.is_empty() {
                continue;
            }
            let folder = PathTemplate::parse(template)?.folder().to_owned();
            if let Entry::Vacant(entry) = images.entry(folder) {
                let identities = digests.folder(&*self.source, entry.key())?;
                entry.insert(identities);
            }
        }
        Ok(self.images.get_or_init(|| images))
    }

    /// Refuses a file that is not the one that was identified before the run, now that it has been read.
    ///
    /// # Errors
    ///
    /// [`SourceError::Changed`].
    pub fn check_unchanged(
        &self,
        fields: &Fields,
        name: &str,
        path: &str,
    ) -> Result<(), SourceError> {
        let before = fields.as_slice().iter().find(|field| field.name == name);
        let now = self.identify(path)?;
        if before.is_some_and(|field| field.value != now) {
            return Err(SourceError::Changed {
                url: format!("{}/{path}", self.source.url()),
            });
        }
        Ok(())
    }

    /// Forgets the digest of a file that turned out to be another one.
    pub fn forget(&self, path: &str) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.forget(&*self.source, path);
    }

    /// Keeps the table of file digests for the next run.
    pub fn save_digests(&self) {
        self.digests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .save();
    }

    /// Stops the caller where the run should stop.
    ///
    /// # Errors
    ///
    /// [`StageError::Interrupted`].
    pub fn check_cancelled(&self) -> Result<(), StageError> {
        match self.cancel.signal() {
            Some(signal) => Err(StageError::Interrupted { signal }),
            None => Ok(()),
        }
    }
}

/// The three stores of a run.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Checkpoints.
    pub checkpoints: SharedStore,
    /// Source catalogue.
    pub source: SharedStore,
    /// Publication.
    pub sink: SharedStore,
}

impl Stores {
    /// Shares one handle of each store.
    #[must_use]
    pub fn new(checkpoints: SharedStore, source: SharedStore, sink: SharedStore) -> Arc<Self> {
        Arc::new(Self {
            checkpoints,
            source,
            sink,
        })
    }
}
