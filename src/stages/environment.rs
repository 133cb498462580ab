//! What all stages share: configuration, stores, queries, the device, and the wish to stop.

use super::StageError;
use crate::cancel::CancelToken;
use crate::config::{PipelineConfig, SourceConfig};
use crate::fingerprint::Fields;
use crate::model::{DeviceChoice, ModelError, Runtime};
use crate::source::{
    DigestTable, FileIdentity, Identities, PathTemplate, Record, SourceError, read_table,
    stays_inside,
};
use crate::sql::Queries;
use crate::store::{SharedStore, Store, StoreError};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
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
        let checkpoints = stores.checkpoints.local_root().map(Path::to_owned);
        let kept_in = checkpoints.or_else(|| {
            // Beside what is cached of checkpoints on another machine.
            let is_cached = config.cache.max_bytes > 0;
            is_cached.then(|| PathBuf::from(&config.cache.folder))
        });
        let table = kept_in.map(|folder| folder.join("_digests"));
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
                let identities = if self.source.can_list(entry.key()) {
                    digests.folder(&*self.source, entry.key())?
                } else {
                    named_images(&self.config.source, &*self.source, entry.key())?
                };
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

/// Identities of the images that the tables name in a folder, asked for one by one: of a store that lists nothing.
fn named_images(
    config: &SourceConfig,
    source: &dyn Store,
    folder: &str,
) -> Result<Identities, SourceError> {
    let mut paths = BTreeSet::new();
    for (template, table) in [
        (&config.images.labelled, &config.products),
        (&config.images.unlabelled, &config.unlabelled),
    ] {
        if template.is_empty() || table.is_empty() {
            continue;
        }
        let template = PathTemplate::parse(template)?;
        if template.folder() != folder {
            continue;
        }
        let columns: Vec<String> = template.columns().map(str::to_owned).collect();
        read_table::<SourceError>(source, table, &columns, &mut |record| {
            if let Record::Row { values, .. } = record {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let path = template.fill(&values);
                paths.extend(path.filter(|path| stays_inside(path)));
            }
            Ok(())
        })?;
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for info in source.head_all(&paths) {
        let info = match info {
            // Some servers hide so that there is none.
            Err(StoreError::Denied { .. }) => None,
            other => other?,
        };
        if let Some(info) = info {
            let identity = FileIdentity {
                identity: info.identity,
                size_bytes: info.size_bytes,
            };
            found.push((info.path, identity));
        }
    }
    Ok(found.into_iter().collect())
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
