//! What a store does with conditions on writes, found out by trying.
//!
//! Some S3 servers accept `If-None-Match` and `If-Match`, and overwrite regardless. So the two are tried out on an object of
//! their own when a root is opened for writing the first time, and the outcome is written down in the root.

use super::bucket::BucketStore;
use super::{Store, StoreError};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Where the outcome stands, in the root of the store.
pub const RECORD_FILE: &str = "_store.json";

/// Folder of objects that live for a moment, in the root of the store.
pub(super) const SCRATCH_FOLDER: &str = "_scratch";

/// Which conditions on writes a store honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// Creating an object only where there is none.
    pub create: bool,
    /// Replacing an object only where it is unchanged.
    pub update: bool,
}

impl Conditions {
    /// All of them, as on a disk.
    pub const ALL: Self = Self {
        create: true,
        update: true,
    };

    /// What is accepted and not honoured, for people; `None` where all is well.
    #[must_use]
    pub fn missing(self) -> Option<&'static str> {
        match (self.create, self.update) {
            (true, true) => None,
            (false, true) => Some("it overwrites where it should only create"),
            (true, false) => Some("it overwrites what somebody else changed"),
            (false, false) => Some("it ignores If-None-Match and If-Match"),
        }
    }
}

/// The outcome as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format_version: u32,
    /// The server that was tried: another one behind the same URL is tried again.
    endpoint: String,
    conditional_writes: Conditions,
}

const FORMAT_VERSION: u32 = 1;

/// Reads the outcome where one is written down for this server, or else tries and writes it down.
pub(super) fn of(store: &BucketStore) -> Result<Conditions, StoreError> {
    let known = match store.get(RECORD_FILE) {
        Ok(bytes) => serde_json::from_slice::<Record>(&bytes).ok(),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    let is_this = |record: &Record| {
        record.format_version == FORMAT_VERSION && record.endpoint == store.endpoint()
    };
    if let Some(record) = known.filter(is_this) {
        return Ok(record.conditional_writes);
    }
    let conditions = probe(store)?;
    let record = Record {
        format_version: FORMAT_VERSION,
        endpoint: store.endpoint().to_owned(),
        conditional_writes: conditions,
    };
    let json = serde_json::to_vec_pretty(&record).unwrap_or_default();
    store.overwrite(RECORD_FILE, &Bytes::from(json))?;
    Ok(conditions)
}

/// Tries both conditions, those that hold and those that do not.
fn probe(store: &BucketStore) -> Result<Conditions, StoreError> {
    let path = format!("{SCRATCH_FOLDER}/probe-{}", nonce());
    let outcome = try_out(store, &path);
    store.delete(&path)?;
    outcome
}

fn try_out(store: &BucketStore, path: &str) -> Result<Conditions, StoreError> {
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let mut conditions = Conditions {
        create: false,
        update: false,
    };
    // Nobody else knows the name: where it exists already, a lost answer was repeated.
    match store.put_new(path, &text("first")) {
        Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
        Err(StoreError::Unsupported { .. }) => return Ok(conditions),
        Err(error) => return Err(error),
    }
    let gone = || StoreError::NotFound {
        url: format!("{}/{path}", store.url()),
    };
    let (_, stale) = store.get_versioned(path)?.ok_or_else(gone)?;
    match store.put_new(path, &text("second")) {
        Ok(_) => {}
        Err(StoreError::AlreadyExists { .. }) => conditions.create = true,
        Err(error) => return Err(error),
    }
    store.overwrite(path, &text("third"))?;
    let (_, fresh) = store.get_versioned(path)?.ok_or_else(gone)?;
    match store.put_version(path, &text("fourth"), &stale) {
        Ok(_) | Err(StoreError::Unsupported { .. }) => return Ok(conditions),
        Err(StoreError::Changed { .. }) => {}
        Err(error) => return Err(error),
    }
    match store.put_version(path, &text("fifth"), &fresh) {
        Ok(_) => conditions.update = true,
        // Refused, or done and the repeated request refused: the content tells.
        Err(StoreError::Changed { .. }) => conditions.update = store.get(path)? == "fifth",
        Err(StoreError::Unsupported { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(conditions)
}

/// A name that nobody else has.
pub(super) fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // The standard library's hasher is seeded by the operating system.
    let random = |salt: u64| RandomState::new().hash_one((salt, count, std::process::id()));
    format!("{:016x}{:016x}", random(0), random(1))
}
