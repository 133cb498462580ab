//! [`Store`] on another machine: a bucket or a container, or a web server that is only read.
//!
//! What a killed process or a lost answer may leave is settled by looking: a write that failed in an unclear way is read back,
//! and done again where it did not arrive.

mod requests;

use requests::REQUESTS_AT_ONCE;

use super::conditions::{self, Conditions};
use super::lease::{Lease, LeaseOptions};
use super::object::describe;
use super::reach::Reach;
use super::remote::{Connection, Uploads};
use super::secrets::Secrets;
use super::{Identified, LockGuard, ObjectInfo, Store, StoreError, Version, uploads};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{CopyMode, CopyOptions, ObjectMeta, ObjectStore, ObjectStoreExt};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How a bucket is used.
#[derive(Debug, Clone)]
pub struct BucketOptions {
    /// Objects of more bytes go up in pieces.
    pub most_bytes_at_once: usize,
    /// Size of a piece in bytes; servers want 5 MiB or more.
    pub piece_bytes: usize,
    /// How long the holder of a lock may be silent before it is taken for dead.
    pub lock_timeout: Duration,
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self {
            most_bytes_at_once: 64 << 20,
            piece_bytes: 16 << 20,
            lock_timeout: Duration::from_mins(1),
        }
    }
}

/// A store behind a URL. Clones are the same store.
#[derive(Debug, Clone)]
pub struct BucketStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Arc<dyn ObjectStore>,
    uploads: Option<Uploads>,
    prefix: ObjectPath,
    url: String,
    endpoint: String,
    secrets: Secrets,
    reach: Arc<Reach>,
    is_read_only: bool,
    options: BucketOptions,
    conditions: OnceLock<Conditions>,
}

impl BucketStore {
    pub(super) fn connected(connection: Connection, options: BucketOptions) -> Self {
        let Connection {
            inner,
            uploads,
            prefix,
            url,
            endpoint,
            secrets,
            reach,
            is_read_only,
        } = connection;
        Self {
            shared: Arc::new(Shared {
                inner,
                uploads,
                prefix,
                url,
                endpoint,
                secrets,
                reach,
                is_read_only,
                options,
                conditions: OnceLock::new(),
            }),
        }
    }

    /// Connects to the store behind a URL; `variables` stands for the environment.
    ///
    /// # Errors
    ///
    /// [`StoreError::Url`].
    pub fn connect(
        url: &str,
        variables: &[(String, String)],
        options: BucketOptions,
    ) -> Result<Self, StoreError> {
        Ok(Self::connected(
            super::remote::connect(url, variables)?,
            options,
        ))
    }

    /// An empty bucket in memory, with everything that one on another machine has.
    #[must_use]
    pub fn in_memory(options: BucketOptions) -> Self {
        let memory = Arc::new(object_store::memory::InMemory::new());
        let connection = Connection {
            inner: memory.clone(),
            uploads: Some(Uploads(memory)),
            prefix: ObjectPath::default(),
            url: "memory://bucket".to_owned(),
            endpoint: String::new(),
            secrets: Secrets::default(),
            reach: Arc::default(),
            is_read_only: false,
        };
        Self::connected(connection, options)
    }

    /// Whether it is a web server, which is only read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.shared.is_read_only
    }

    /// The server that the environment names; empty for the vendor's own.
    pub(super) fn endpoint(&self) -> &str {
        &self.shared.endpoint
    }

    /// What is known of its servers.
    #[cfg(test)]
    pub(super) fn shared_reach(&self) -> &Reach {
        &self.shared.reach
    }

    /// Refuses a store without conditional writes, unless there is a single writer.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoConditions`], and those of trying.
    pub fn require_conditions(&self, single_writer: bool) -> Result<(), StoreError> {
        match self.conditions()?.missing() {
            None => Ok(()),
            Some(missing) if single_writer => {
                tracing::warn!(
                    store = self.url(),
                    missing,
                    "the store does not do conditional writes; single_writer says that nobody else writes there"
                );
                Ok(())
            }
            Some(missing) => Err(StoreError::NoConditions {
                url: self.url().to_owned(),
                missing,
            }),
        }
    }

    /// The place of a path in the bucket.
    pub(super) fn locate(&self, path: &str) -> Result<ObjectPath, StoreError> {
        let parsed = ObjectPath::parse(path).map_err(|_| StoreError::Path {
            path: path.to_owned(),
            root: self.shared.url.clone(),
        })?;
        let prefix = self.shared.prefix.parts();
        Ok(prefix.chain(parsed.parts()).collect())
    }

    fn object_url(&self, path: &str) -> String {
        format!("{}/{path}", self.shared.url)
    }

    fn refuse_writing(&self, path: &str) -> Result<(), StoreError> {
        if self.shared.is_read_only {
            let url = self.object_url(path);
            return Err(StoreError::ReadOnly { url });
        }
        Ok(())
    }

    fn describe(&self, meta: ObjectMeta) -> Result<ObjectInfo, StoreError> {
        let is_dated = meta.e_tag.is_some() || meta.last_modified.timestamp() != 0;
        let mut info = describe(meta);
        let prefix = self.shared.prefix.as_ref();
        if !prefix.is_empty()
            && let Some(path) = info.path.strip_prefix(prefix)
        {
            info = ObjectInfo {
                path: path.trim_start_matches('/').to_owned(),
                ..info
            };
        }
        if is_dated {
            Ok(info)
        } else {
            let url = self.object_url(&info.path);
            Err(StoreError::Unidentified { url })
        }
    }
}

impl Store for BucketStore {
    fn url(&self) -> &str {
        &self.shared.url
    }

    fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        let location = self.locate(path)?;
        self.retrying("read", path, async || {
            self.shared.inner.get(&location).await?.bytes().await
        })
    }

    fn get_all(&self, paths: &[&str]) -> Vec<Result<Bytes, StoreError>> {
        let inner = &self.shared.inner;
        self.side_by_side("read", paths, &async |location: &ObjectPath| {
            inner.get(location).await?.bytes().await
        })
    }

    fn get_identified(&self, paths: &[&str]) -> Vec<Result<Identified, StoreError>> {
        let inner = &self.shared.inner;
        self.side_by_side("read", paths, &async |location: &ObjectPath| {
            let result = inner.get(location).await?;
            let mut meta = result.meta.clone();
            let by_tag = describe(meta.clone()).identity;
            meta.e_tag = None;
            // A listing may leave the tag out.
            let identities = vec![by_tag, describe(meta).identity];
            let bytes = result.bytes().await?;
            Ok(Identified { bytes, identities })
        })
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>, StoreError> {
        let location = self.locate(path)?;
        let found = self.retrying("read", path, async || {
            let result = self.shared.inner.get(&location).await?;
            let version = Version::of(&result.meta);
            Ok((result.bytes().await?, version))
        });
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn get_range(&self, path: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        let location = self.locate(path)?;
        self.retrying("read", path, || {
            self.shared.inner.get_range(&location, start..end)
        })
    }

    fn get_ranges(&self, path: &str, ranges: &[(u64, u64)]) -> Result<Vec<Bytes>, StoreError> {
        let location = self.locate(path)?;
        let ranges: Vec<_> = ranges.iter().map(|(start, end)| *start..*end).collect();
        self.retrying("read", path, || {
            let reads = ranges.iter().cloned();
            let reads = reads.map(|range| self.shared.inner.get_range(&location, range));
            futures::stream::iter(reads)
                .buffered(REQUESTS_AT_ONCE)
                .try_collect()
        })
    }

    fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StoreError> {
        let location = self.locate(path)?;
        match self.retrying("look at", path, || self.shared.inner.head(&location)) {
            Ok(meta) => self.describe(meta).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn head_all(&self, paths: &[&str]) -> Vec<Result<Option<ObjectInfo>, StoreError>> {
        let inner = &self.shared.inner;
        let found = self.side_by_side("look at", paths, &async |location: &ObjectPath| {
            inner.head(location).await
        });
        found
            .into_iter()
            .map(|found| match found {
                Ok(meta) => self.describe(meta).map(Some),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            })
            .collect()
    }

    fn can_list(&self, _: &str) -> bool {
        !self.shared.is_read_only
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        if !self.can_list(prefix) {
            let (operation, url) = ("list what it holds", self.object_url(prefix));
            return Err(StoreError::Unsupported { operation, url });
        }
        let location = self.locate(prefix)?;
        let metas: Vec<ObjectMeta> = self.retrying("list", prefix, || {
            self.shared.inner.list(Some(&location)).try_collect()
        })?;
        let infos = metas.into_iter().map(|meta| self.describe(meta));
        let mut infos: Vec<ObjectInfo> = infos.collect::<Result<_, _>>()?;
        infos.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(infos)
    }

    fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let location = self.locate(prefix)?;
        let listing = self.retrying("list", prefix, || {
            self.shared.inner.list_with_delimiter(Some(&location))
        })?;
        let folders = listing.common_prefixes.iter();
        let mut names: Vec<String> = folders
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    fn create(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.refuse_writing(path)?;
        let is_large = bytes.len() > self.shared.options.most_bytes_at_once;
        let uploads = self.shared.uploads.as_ref().filter(|_| is_large);
        if uploads.is_none() && self.conditions()?.create {
            return self.put_new(path, &bytes).map(drop);
        }
        // Large objects have names that their content decides, or are written under the lock.
        if self.head(path)?.is_some() {
            let url = self.object_url(path);
            return Err(StoreError::AlreadyExists { url });
        }
        match uploads {
            None => self.overwrite(path, &bytes),
            Some(uploads) => {
                let location = self.locate(path)?;
                let piece_bytes = self.shared.options.piece_bytes;
                uploads::upload(self, uploads, path, &location, &bytes, piece_bytes)
            }
        }
    }

    fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.refuse_writing(path)?;
        self.overwrite(path, &bytes)
    }

    fn replace_if(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        self.refuse_writing(path)?;
        let conditions = self.conditions()?;
        let changed = || StoreError::Changed {
            url: self.object_url(path),
        };
        let refused = match expected {
            None if conditions.create => self.put_new(path, &bytes),
            Some(expected) if conditions.update => self.put_version(path, &bytes, expected),
            // A single writer: looking first is all that can be done.
            _ => {
                let found = self.get_versioned(path)?;
                if found.as_ref().map(|(_, version)| version) != expected {
                    return Err(changed());
                }
                self.overwrite(path, &bytes)?;
                // Somebody else may have written since, in spite of what the user said.
                return match self.get_versioned(path)? {
                    Some((found, version)) if found == bytes => Ok(version),
                    _ => Err(changed()),
                };
            }
        };
        match refused {
            // A request that is repeated below finds its own work: the content tells.
            Err(StoreError::AlreadyExists { .. } | StoreError::Changed { .. }) => {
                match self.get_versioned(path)? {
                    Some((found, version)) if found == bytes => Ok(version),
                    _ => Err(changed()),
                }
            }
            other => other,
        }
    }

    fn conditions(&self) -> Result<Conditions, StoreError> {
        if let Some(conditions) = self.shared.conditions.get() {
            return Ok(*conditions);
        }
        self.refuse_writing("")?;
        let found = conditions::of(self)?;
        Ok(*self.shared.conditions.get_or_init(|| found))
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.refuse_writing(to)?;
        // Few stores copy on a condition. What is copied has a name that its content decides, so that a copy over another
        // changes nothing.
        if self.head(to)?.is_some() {
            let url = self.object_url(to);
            return Err(StoreError::AlreadyExists { url });
        }
        let (source, target) = (self.locate(from)?, self.locate(to)?);
        self.retrying("copy to", to, || {
            let options = CopyOptions::new().with_mode(CopyMode::Overwrite);
            self.shared.inner.copy_opts(&source, &target, options)
        })
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.refuse_writing(path)?;
        let location = self.locate(path)?;
        match self.retrying("delete", path, || self.shared.inner.delete(&location)) {
            Err(StoreError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    fn sweep(&self, prefix: &str) -> Result<(), StoreError> {
        self.locate(prefix)?;
        if let Some(found) = &self.shared.uploads {
            uploads::sweep(self, found, prefix)?;
        }
        if prefix.is_empty() {
            for left in self.list(conditions::SCRATCH_FOLDER)? {
                self.delete(&left.path)?;
            }
        }
        Ok(())
    }

    fn lock(&self, path: &str, owner: &str) -> Result<LockGuard, StoreError> {
        self.refuse_writing(path)?;
        let options = LeaseOptions::of(self.shared.options.lock_timeout);
        let lease = Lease::acquire(Arc::new(self.clone()), path, owner, &options)?;
        Ok(LockGuard::of(lease))
    }

    fn local_root(&self) -> Option<&Path> {
        None
    }
}
