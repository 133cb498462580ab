//! Object stores: the one place that knows `object_store` and `tokio`.
//!
//! Everything above speaks to a [`Store`]: whole objects by relative path, created once,
//! replaced atomically, listed, copied. On a disk and in a bucket the same protocol holds,
//! because nothing above renames or appends.
//!
//! [`RecordingStore`] and [`FaultStore`] wrap any store; the crash tests are built on them.

mod bucket;
mod cache;
mod conditions;
mod endpoints;
mod error;
mod fault;
mod lease;
mod local;
mod lock;
mod object;
mod open;
mod post;
mod reach;
mod record;
mod remote;
mod runtime;
mod secrets;
mod shards;
mod uploads;

pub use bucket::{BucketOptions, BucketStore};
pub use cache::{CacheOptions, CachedStore};
pub use conditions::{Conditions, RECORD_FILE};
pub use error::StoreError;
pub use fault::{Fault, FaultStore};
pub use lock::LockGuard;
pub use object::ObjectBackedStore;
pub use open::{OpenOptions, open, open_existing, open_for_reading, open_with};
pub use post::{PostClient, PostError, Prospect};
pub use record::{Operation, RecordingStore};
pub use shards::ShardedStore;

use bytes::Bytes;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

/// What a listing tells of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Path relative to the root of the store, with `/` between its segments.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// What changes when the object does, without reading it: the store's `ETag`; on a disk
    /// a value made of size, modification time and inode.
    pub identity: String,
    /// Last modification in nanoseconds since 1970, by the store's clock.
    pub modified_ns: i64,
}

/// An object as it was read.
#[derive(Debug, Clone)]
pub struct Identified {
    /// Its bytes.
    pub bytes: Bytes,
    /// What [`ObjectInfo::identity`] may say of it in this state; empty where the store cannot tell.
    pub identities: Vec<String>,
}

/// A state of an object, for writing only where nobody changed it since.
#[derive(Debug, Clone)]
pub struct Version {
    /// The store's `ETag`; on a disk the digest of the content.
    pub(in crate::store) e_tag: Option<String>,
    /// The store's own number of the version, where it has one.
    pub(in crate::store) version: Option<String>,
}

impl PartialEq for Version {
    /// Goes by the tag where there is one: some stores tell the version of what was written, and not of what is read.
    fn eq(&self, other: &Self) -> bool {
        match (&self.e_tag, &other.e_tag) {
            (Some(tag), Some(other)) => tag == other,
            _ => self.version == other.version,
        }
    }
}

impl Eq for Version {}

/// A tree of immutable objects under one root URL.
///
/// Paths are relative to the root, `/`-separated, without `.` and `..`. Every method returns a [`StoreError`] that names
/// the URL of the object.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Store: Send + Sync + Debug {
    /// The URL of the root, without credentials.
    fn url(&self) -> &str;

    /// Reads a whole object.
    fn get(&self, path: &str) -> Result<Bytes, StoreError>;

    /// Reads whole objects, several at a time where waiting for each would take longer; answers in the order of the paths.
    fn get_all(&self, paths: &[&str]) -> Vec<Result<Bytes, StoreError>> {
        paths.iter().map(|path| self.get(path)).collect()
    }

    /// As [`Store::get_all`], with what tells the state that was read.
    fn get_identified(&self, paths: &[&str]) -> Vec<Result<Identified, StoreError>> {
        let unknown = |bytes| Identified {
            bytes,
            identities: Vec::new(),
        };
        let found = self.get_all(paths).into_iter();
        found.map(|bytes| bytes.map(unknown)).collect()
    }

    /// Reads a whole object together with its version; `None` where there is none.
    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>, StoreError>;

    /// Reads the bytes from `start` up to `end` (exclusive) of an object.
    fn get_range(&self, path: &str, start: u64, end: u64) -> Result<Bytes, StoreError>;

    /// Reads several ranges of an object, at a time where waiting for each would take longer.
    fn get_ranges(&self, path: &str, ranges: &[(u64, u64)]) -> Result<Vec<Bytes>, StoreError> {
        let read = |(start, end): &(u64, u64)| self.get_range(path, *start, *end);
        ranges.iter().map(read).collect()
    }

    /// Describes an object, or `None` where there is none.
    fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StoreError>;

    /// Describes objects, several at a time where waiting for each would take longer; answers in the order of the paths.
    fn head_all(&self, paths: &[&str]) -> Vec<Result<Option<ObjectInfo>, StoreError>> {
        paths.iter().map(|path| self.head(path)).collect()
    }

    /// Whether what lies below `prefix` can be listed: web servers only answer for an object that is named.
    fn can_list(&self, prefix: &str) -> bool {
        let _ = prefix;
        true
    }

    /// Lists every object below `prefix` (a folder), sorted by path.
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError>;

    /// Lists the names of the folders directly below `prefix`, sorted.
    fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Writes a new object, whole and durable; [`StoreError::AlreadyExists`] where there is one. In a bucket that may be its own:
    /// a request whose answer was lost is sent again. Whoever has to know goes by the content ([`create_idempotent`]).
    fn create(&self, path: &str, bytes: Bytes) -> Result<(), StoreError>;

    /// Writes an object whether or not there is one, atomically and durably.
    fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StoreError>;

    /// Writes an object only if it is still in this version, or, with `None`, only if there is none; returns its new
    /// version. [`StoreError::Changed`] where it is not.
    fn replace_if(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError>;

    /// What the store does with conditions on writes; in a bucket that is tried out once for each root, and written down.
    fn conditions(&self) -> Result<Conditions, StoreError>;

    /// Copies an object inside the store; [`StoreError::AlreadyExists`] where `to` exists.
    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError>;

    /// Deletes an object; an object that is not there is no error.
    fn delete(&self, path: &str) -> Result<(), StoreError>;

    /// Deletes what killed writers left half written below `prefix`, and on a disk folders without any file; the caller holds the
    /// lock of what lies there.
    fn sweep(&self, prefix: &str) -> Result<(), StoreError>;

    /// Takes the lock object at `path`; [`StoreError::Locked`] where somebody else holds it. `owner` is what the other
    /// side is told. On a disk nobody waits; in a bucket whoever finds a lock waits until it is known whether its holder lives.
    fn lock(&self, path: &str, owner: &str) -> Result<LockGuard, StoreError>;

    /// The folder behind a `file://` store.
    fn local_root(&self) -> Option<&Path>;
}

/// A shared store.
pub type SharedStore = Arc<dyn Store>;

/// Creates an object, or accepts one that is there with the same bytes.
///
/// Every object name in a checkpoint holds the digest of its content or stands for one set of
/// inputs, so a repeated create, after a lost answer or by a resumed run, is the same write.
///
/// # Errors
///
/// [`StoreError::Conflict`] where an object with other bytes is there.
pub fn create_idempotent(store: &dyn Store, path: &str, bytes: &Bytes) -> Result<(), StoreError> {
    match store.create(path, bytes.clone()) {
        Err(StoreError::AlreadyExists { url }) => {
            // Not by way of a cache: what counts is what others will read.
            if store
                .get_versioned(path)?
                .is_some_and(|(found, _)| found == *bytes)
            {
                Ok(())
            } else {
                Err(StoreError::Conflict { url })
            }
        }
        other => other,
    }
}
