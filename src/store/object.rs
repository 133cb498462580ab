//! [`Store`] over the `object_store` crate: `file://` and plain paths, and `memory://` for tests.
//!
//! On a disk every write is staged beside its target, synced, and published by a hard link
//! (create) or a rename (replace), and the folder is synced too, so that what a call returned
//! from survives a power cut.

use super::{LockGuard, ObjectInfo, SharedStore, Store, StoreError, local, lock};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};
use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// Opens a store by URL: a plain path or `file://` URL (the folder is made), or `memory://`.
///
/// # Errors
///
/// [`StoreError::Url`] for a scheme that is not known, [`StoreError::Io`] where the folder cannot be made.
pub fn open(url: &str) -> Result<SharedStore, StoreError> {
    let refuse = |reason: &str| {
        Err(StoreError::Url {
            url: url.to_owned(),
            reason: reason.to_owned(),
        })
    };
    match url.split_once("://") {
        None if url.is_empty() => refuse("the path is empty"),
        None => Ok(Arc::new(ObjectBackedStore::local(Path::new(url))?)),
        Some(("file", path)) if path.starts_with('/') => {
            Ok(Arc::new(ObjectBackedStore::local(Path::new(path))?))
        }
        Some(("file", _)) => refuse("a file URL needs an absolute path: file:///folder"),
        Some(("memory", _)) => Ok(Arc::new(ObjectBackedStore::memory())),
        Some((scheme, _)) => refuse(&format!(
            "this build has no {scheme}:// stores; use a path or file://"
        )),
    }
}

/// Opens a store for a command that writes nothing: a folder that is not there is an empty store, and is not made.
///
/// # Errors
///
/// As [`open`].
pub fn open_for_reading(url: &str) -> Result<SharedStore, StoreError> {
    match open_existing(url) {
        Err(StoreError::NotFound { .. }) => {
            let empty = ObjectBackedStore {
                url: url.to_owned(),
                ..ObjectBackedStore::memory()
            };
            Ok(Arc::new(empty))
        }
        other => other,
    }
}

/// Opens a store that must be there already, such as a source.
///
/// # Errors
///
/// As [`open`]; [`StoreError::NotFound`] for a folder that is not there.
pub fn open_existing(url: &str) -> Result<SharedStore, StoreError> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    if !path.contains("://") && !path.is_empty() && !Path::new(path).is_dir() {
        return Err(StoreError::NotFound {
            url: format!("folder {path}"),
        });
    }
    open(url)
}

/// A [`Store`] behind which is one of the `object_store` crate.
#[derive(Debug)]
pub struct ObjectBackedStore {
    inner: Arc<dyn ObjectStore>,
    url: String,
    local: Option<PathBuf>,
    locks: Arc<Mutex<BTreeSet<String>>>,
    runtime: Runtime,
}

impl ObjectBackedStore {
    /// A store on the local disk; makes the folder.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where the folder cannot be made or resolved.
    pub fn local(root: &Path) -> Result<Self, StoreError> {
        let shown = root.display().to_string();
        let failed = |source| StoreError::Io {
            operation: "open",
            url: shown.clone(),
            source,
        };
        std::fs::create_dir_all(root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let inner = LocalFileSystem::new_with_prefix(&root)
            .map_err(|source| StoreError::Store {
                operation: "open",
                url: shown.clone(),
                source,
            })?
            .with_fsync(true);
        Ok(Self::new(
            Arc::new(inner),
            format!("file://{}", root.display()),
            Some(root),
        ))
    }

    /// An empty store in memory.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Arc::new(InMemory::new()), "memory://".to_owned(), None)
    }

    fn new(inner: Arc<dyn ObjectStore>, url: String, local: Option<PathBuf>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a current-thread runtime needs no resources that can be refused");
        Self {
            inner,
            url,
            local,
            locks: Arc::default(),
            runtime,
        }
    }

    fn locate(&self, path: &str) -> Result<ObjectPath, StoreError> {
        ObjectPath::parse(path).map_err(|_| StoreError::Path {
            path: path.to_owned(),
            root: self.url.clone(),
        })
    }

    fn object_url(&self, path: &str) -> String {
        let slash = if self.url.ends_with('/') { "" } else { "/" };
        format!("{}{slash}{path}", self.url)
    }

    /// Waits for one request and names the object in its error.
    fn wait<T>(
        &self,
        operation: &'static str,
        path: &str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(request).map_err(|source| {
            let url = self.object_url(path);
            match source {
                Error::NotFound { .. } => StoreError::NotFound { url },
                Error::AlreadyExists { .. } => StoreError::AlreadyExists { url },
                source => StoreError::Store {
                    operation,
                    url,
                    source,
                },
            }
        })
    }

    fn put(&self, path: &str, bytes: Bytes, mode: PutMode) -> Result<(), StoreError> {
        let location = self.locate(path)?;
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        let request = self
            .inner
            .put_opts(&location, PutPayload::from_bytes(bytes), options);
        self.wait("write", path, request).map(drop)
    }
}

impl Store for ObjectBackedStore {
    fn url(&self) -> &str {
        &self.url
    }

    fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        let location = self.locate(path)?;
        self.wait("read", path, async {
            self.inner.get(&location).await?.bytes().await
        })
    }

    fn get_range(&self, path: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        let location = self.locate(path)?;
        self.wait("read", path, self.inner.get_range(&location, start..end))
    }

    fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StoreError> {
        let location = self.locate(path)?;
        if let Some(root) = &self.local {
            return local::head(root, path);
        }
        match self.wait("read", path, self.inner.head(&location)) {
            Ok(meta) => Ok(Some(describe(meta))),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let location = self.locate(prefix)?;
        if let Some(root) = &self.local {
            return local::list(root, prefix);
        }
        let listing = self.inner.list(Some(&location));
        let metas: Vec<ObjectMeta> = self.wait("list", prefix, listing.try_collect())?;
        let mut infos: Vec<ObjectInfo> = metas.into_iter().map(describe).collect();
        infos.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(infos)
    }

    fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let location = self.locate(prefix)?;
        let listing = match self.wait(
            "list",
            prefix,
            self.inner.list_with_delimiter(Some(&location)),
        ) {
            Err(StoreError::NotFound { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        let mut names: Vec<String> = listing
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    fn create(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.put(path, bytes, PutMode::Create)
    }

    fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.put(path, bytes, PutMode::Overwrite)
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let (source, target) = (self.locate(from)?, self.locate(to)?);
        self.wait(
            "copy to",
            to,
            self.inner.copy_if_not_exists(&source, &target),
        )
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let location = self.locate(path)?;
        match self.wait("delete", path, self.inner.delete(&location)) {
            Err(StoreError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    fn sweep(&self, prefix: &str) -> Result<(), StoreError> {
        self.locate(prefix)?;
        match &self.local {
            Some(root) => local::sweep(root, prefix),
            None => Ok(()),
        }
    }

    fn lock(&self, path: &str, owner: &str) -> Result<LockGuard, StoreError> {
        self.locate(path)?;
        let url = self.object_url(path);
        match &self.local {
            Some(root) => lock::lock_file(&root.join(path), &url, owner),
            None => lock::lock_name(&self.locks, path, &url),
        }
    }

    fn local_root(&self) -> Option<&Path> {
        self.local.as_deref()
    }
}

fn describe(meta: ObjectMeta) -> ObjectInfo {
    let modified_ns = meta.last_modified.timestamp_nanos_opt().unwrap_or_default();
    let identity = meta
        .version
        .or(meta.e_tag)
        .unwrap_or_else(|| format!("{}-{modified_ns}", meta.size));
    ObjectInfo {
        path: meta.location.to_string(),
        size_bytes: meta.size,
        identity,
        modified_ns,
    }
}
