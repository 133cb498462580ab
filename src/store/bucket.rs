//! [`Store`] on another machine: a bucket or a container, or a web server that is only read.
//!
//! What a killed process or a lost answer may leave is settled by looking: a write that failed in an unclear way is read back,
//! and done again where it did not arrive.

use super::conditions::{self, Conditions};
use super::lease::{Lease, LeaseOptions};
use super::object::describe;
use super::remote::{Connection, Uploads};
use super::runtime::runtime;
use super::secrets::Secrets;
use super::{LockGuard, ObjectInfo, Store, StoreError, Version, uploads};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyMode, CopyOptions, Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
};
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Requests under way at a time where several objects or ranges are wanted.
const REQUESTS_AT_ONCE: usize = 32;

/// How often an unclear failure is settled and tried again, above the retries of each request: those are not for an answer that
/// broke off in its middle.
const ATTEMPTS: u32 = 5;

/// A server that is silent for so long, through all retries of a request, is not asked again.
const PATIENCE: Duration = Duration::from_secs(15);

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

    /// Waits for a request and names the object in its error.
    pub(super) fn wait<T>(
        &self,
        operation: &'static str,
        path: &str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let result = runtime().block_on(request);
        result.map_err(|error| self.name(operation, path, &error))
    }

    fn name(&self, operation: &'static str, path: &str, error: &Error) -> StoreError {
        let url = self.object_url(path);
        match error {
            Error::NotFound { .. } => StoreError::NotFound { url },
            Error::AlreadyExists { .. } => StoreError::AlreadyExists { url },
            Error::Precondition { .. } => StoreError::Changed { url },
            Error::NotSupported { .. } | Error::NotImplemented { .. } => {
                StoreError::Unsupported { operation, url }
            }
            error => StoreError::Remote {
                operation,
                url,
                detail: self.shared.secrets.hide(&whole_message(error)),
            },
        }
    }

    /// Does a request that may be repeated, a few times where its failure may pass.
    pub(super) fn retrying<T, F: Future<Output = Result<T, Error>>>(
        &self,
        operation: &'static str,
        path: &str,
        mut request: impl FnMut() -> F,
    ) -> Result<T, StoreError> {
        let (started, mut attempt) = (Instant::now(), 1);
        loop {
            match runtime().block_on(request()) {
                Err(error) if may_pass(&error) && is_worth_more(started, attempt) => pause(attempt),
                result => return result.map_err(|error| self.name(operation, path, &error)),
            }
            attempt += 1;
        }
    }

    /// Does a request for each of several objects, some at a time.
    fn side_by_side<T>(
        &self,
        operation: &'static str,
        paths: &[&str],
        request: &impl AsyncFn(&ObjectPath) -> Result<T, Error>,
    ) -> Vec<Result<T, StoreError>> {
        let one = async |path: &str| {
            let location = self.locate(path)?;
            let (started, mut attempt) = (Instant::now(), 1);
            loop {
                match request(&location).await {
                    Err(error) if may_pass(&error) && is_worth_more(started, attempt) => {
                        tokio::time::sleep(pause_after(attempt)).await;
                    }
                    result => {
                        return result.map_err(|error| self.name(operation, path, &error));
                    }
                }
                attempt += 1;
            }
        };
        let all = futures::stream::iter(paths).map(|path| one(path));
        runtime().block_on(all.buffered(REQUESTS_AT_ONCE).collect())
    }

    /// Writes an object whether or not there is one.
    pub(super) fn overwrite(&self, path: &str, bytes: &Bytes) -> Result<(), StoreError> {
        let location = self.locate(path)?;
        self.retrying("write", path, || {
            let payload = PutPayload::from_bytes(bytes.clone());
            self.shared.inner.put(&location, payload)
        })
        .map(drop)
    }

    /// Writes an object on the condition that there is none, whatever the store makes of the condition.
    pub(super) fn put_new(&self, path: &str, bytes: &Bytes) -> Result<Version, StoreError> {
        let location = self.locate(path)?;
        self.settling(path, bytes, |payload| {
            self.shared
                .inner
                .put_opts(&location, payload, PutMode::Create.into())
        })
    }

    /// Writes an object on the condition that it is unchanged, whatever the store makes of the condition.
    pub(super) fn put_version(
        &self,
        path: &str,
        bytes: &Bytes,
        expected: &Version,
    ) -> Result<Version, StoreError> {
        let location = self.locate(path)?;
        let refused = self.settling(path, bytes, |payload| {
            let mode = PutMode::Update(expected.clone().into());
            self.shared.inner.put_opts(&location, payload, mode.into())
        });
        match refused {
            Err(StoreError::AlreadyExists { url } | StoreError::NotFound { url }) => {
                Err(StoreError::Changed { url })
            }
            other => other,
        }
    }

    /// Does a conditional write. One that failed in an unclear way is read back: it may have been done and its answer lost.
    fn settling<F: Future<Output = Result<object_store::PutResult, Error>>>(
        &self,
        path: &str,
        bytes: &Bytes,
        write: impl Fn(PutPayload) -> F,
    ) -> Result<Version, StoreError> {
        let (started, mut attempt) = (Instant::now(), 1);
        loop {
            let error = match runtime().block_on(write(PutPayload::from_bytes(bytes.clone()))) {
                Ok(written) => {
                    return Ok(Version {
                        e_tag: written.e_tag,
                        version: written.version,
                    });
                }
                Err(error) => error,
            };
            if !may_pass(&error) || !is_worth_more(started, attempt) {
                return Err(self.name("write", path, &error));
            }
            if let Some((found, version)) = self.get_versioned(path)?
                && found == *bytes
            {
                return Ok(version);
            }
            pause(attempt);
            attempt += 1;
        }
    }

    fn refuse_writing(&self, path: &str) -> Result<(), StoreError> {
        if self.shared.is_read_only {
            let url = self.object_url(path);
            return Err(StoreError::ReadOnly { url });
        }
        Ok(())
    }

    fn describe(&self, meta: ObjectMeta) -> ObjectInfo {
        let mut info = describe(meta);
        let prefix = self.shared.prefix.as_ref();
        if !prefix.is_empty()
            && let Some(path) = info.path.strip_prefix(prefix)
        {
            info.path = path.trim_start_matches('/').to_owned();
        }
        info
    }
}

/// The message of an error with what caused it, each once.
fn whole_message(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

/// Whether a failure may be one of the network or of a busy server.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Generic { .. })
}

fn is_worth_more(started: Instant, attempt: u32) -> bool {
    attempt < ATTEMPTS && started.elapsed() < PATIENCE
}

fn pause(attempt: u32) {
    std::thread::sleep(pause_after(attempt));
}

fn pause_after(attempt: u32) -> Duration {
    Duration::from_millis(100) * 2_u32.pow(attempt)
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
            Ok(meta) => Ok(Some(self.describe(meta))),
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
                Ok(meta) => Ok(Some(self.describe(meta))),
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
        let mut infos: Vec<ObjectInfo> =
            metas.into_iter().map(|meta| self.describe(meta)).collect();
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
                let written = self.get_versioned(path)?;
                return written.map(|(_, version)| version).ok_or_else(changed);
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
        match &self.shared.uploads {
            Some(found) => uploads::sweep(self, found, prefix),
            None => Ok(()),
        }
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
