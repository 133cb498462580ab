//! [`Store`] on this machine: a folder, or memory for tests.
//!
//! On a disk every write is staged beside its target, synced, and published by a hard link
//! (create) or a rename (replace), and the folder is synced too, so that what a call returned
//! from survives a power cut.

use super::runtime::runtime;
use super::{Conditions, LockGuard, ObjectInfo, Store, StoreError, Version, local, lock};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A [`Store`] behind which is one of the `object_store` crate.
#[derive(Debug)]
pub struct ObjectBackedStore {
    inner: Arc<dyn ObjectStore>,
    url: String,
    local: Option<PathBuf>,
    locks: Arc<Mutex<BTreeSet<String>>>,
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

    /// The same store under another name.
    pub(super) fn with_url(self, url: &str) -> Self {
        let url = url.to_owned();
        Self { url, ..self }
    }

    fn new(inner: Arc<dyn ObjectStore>, url: String, local: Option<PathBuf>) -> Self {
        Self {
            inner,
            url,
            local,
            locks: Arc::default(),
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
        runtime().block_on(request).map_err(|source| {
            let url = self.object_url(path);
            match source {
                Error::NotFound { .. } => StoreError::NotFound { url },
                Error::AlreadyExists { .. } => StoreError::AlreadyExists { url },
                Error::Precondition { .. } => StoreError::Changed { url },
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

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>, StoreError> {
        let location = self.locate(path)?;
        if let Some(root) = &self.local {
            return local::get_versioned(root, path);
        }
        let read = async {
            let result = self.inner.get(&location).await?;
            let version = Version::of(&result.meta);
            Ok((result.bytes().await?, version))
        };
        match self.wait("read", path, read) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
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

    fn replace_if(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        let location = self.locate(path)?;
        if let Some(root) = &self.local {
            // `object_store` has no conditional update on a disk.
            return local::replace_if(root, path, &bytes, expected);
        }
        let mode = expected.map_or(PutMode::Create, |version| {
            PutMode::Update(version.clone().into())
        });
        let request = self
            .inner
            .put_opts(&location, PutPayload::from_bytes(bytes), mode.into());
        match self.wait("write", path, request) {
            Ok(written) => Ok(Version {
                e_tag: written.e_tag,
                version: written.version,
            }),
            Err(StoreError::AlreadyExists { url } | StoreError::NotFound { url }) => {
                Err(StoreError::Changed { url })
            }
            Err(error) => Err(error),
        }
    }

    fn conditions(&self) -> Result<Conditions, StoreError> {
        Ok(Conditions::ALL)
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

impl Version {
    /// That of an object which was just described.
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self {
            e_tag: meta.e_tag.clone(),
            version: meta.version.clone(),
        }
    }
}

impl From<Version> for UpdateVersion {
    fn from(version: Version) -> Self {
        Self {
            e_tag: version.e_tag,
            version: version.version,
        }
    }
}

pub(super) fn describe(meta: ObjectMeta) -> ObjectInfo {
    let modified_ns = meta.last_modified.timestamp_nanos_opt().unwrap_or_default();
    // Not the version: stores tell it of an object, and not in a listing.
    let identity = match meta.e_tag {
        // Azure quotes it in answers and not in listings.
        Some(tag) => tag.trim_matches('"').to_owned(),
        // In seconds: the answer to a request for the object tells no more.
        None => format!("{}-{}", meta.size, meta.last_modified.timestamp()),
    };
    ObjectInfo {
        path: meta.location.to_string(),
        size_bytes: meta.size,
        identity,
        modified_ns,
    }
}
