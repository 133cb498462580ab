//! Opens stores by URL.

use super::remote::connect;
use super::{BucketOptions, BucketStore, ObjectBackedStore, SharedStore, Store, StoreError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How a store that is written to is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Nobody else writes there, says the user: a store without conditional writes will do.
    pub single_writer: bool,
    /// How long the holder of a lock in a bucket may be silent before it is taken for dead.
    pub lock_timeout: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            single_writer: false,
            lock_timeout: Duration::from_mins(1),
        }
    }
}

/// Opens a store to write to, by URL: a plain path or `file://` (the folder is made), `s3://`, `az://`, `gs://`, or `memory://`.
/// In a bucket it is tried out whether conditional writes are honoured.
///
/// # Errors
///
/// [`StoreError::Url`] for a URL that cannot be used, [`StoreError::Io`] where the folder cannot be made,
/// [`StoreError::ReadOnly`] for a web server, [`StoreError::NoConditions`] for a store without conditional writes unless there
/// is a single writer.
pub fn open_with(url: &str, options: &OpenOptions) -> Result<SharedStore, StoreError> {
    let Some(store) = remote(url, options)? else {
        return Ok(Arc::new(here(url)?));
    };
    if store.is_read_only() {
        let url = store.url().to_owned();
        return Err(StoreError::ReadOnly { url });
    }
    store.require_conditions(options.single_writer)?;
    Ok(Arc::new(store))
}

/// Opens a store to write to, with the usual options.
///
/// # Errors
///
/// As [`open_with`].
pub fn open(url: &str) -> Result<SharedStore, StoreError> {
    open_with(url, &OpenOptions::default())
}

/// Opens a store for a command that writes nothing: a folder that is not there is an empty store, and is not made.
///
/// # Errors
///
/// As [`open_with`], but for conditional writes; a web server lists nothing, so it is [`StoreError::ReadOnly`] here too.
pub fn open_for_reading(url: &str) -> Result<SharedStore, StoreError> {
    match open_existing(url) {
        // Who can list nothing knows of nothing.
        Ok(store) if !store.can_list("") => {
            let url = store.url().to_owned();
            Err(StoreError::ReadOnly { url })
        }
        Err(StoreError::NotFound { .. }) => {
            let empty = ObjectBackedStore::memory().with_url(url);
            Ok(Arc::new(empty))
        }
        other => other,
    }
}

/// Opens a store that must be there already, such as a source; also `http://` and `https://`.
///
/// # Errors
///
/// As [`open_for_reading`]; [`StoreError::NotFound`] for a folder that is not there.
pub fn open_existing(url: &str) -> Result<SharedStore, StoreError> {
    if let Some(store) = remote(url, &OpenOptions::default())? {
        return Ok(Arc::new(store));
    }
    let path = url.strip_prefix("file://").unwrap_or(url);
    if !path.contains("://") && !path.is_empty() && !Path::new(path).is_dir() {
        return Err(StoreError::NotFound {
            url: format!("folder {path}"),
        });
    }
    Ok(Arc::new(here(url)?))
}

/// A store on another machine; `None` for one on this.
fn remote(url: &str, options: &OpenOptions) -> Result<Option<BucketStore>, StoreError> {
    match url.split_once("://") {
        None | Some(("file" | "memory", _)) => Ok(None),
        Some(_) => {
            let variables: Vec<(String, String)> = std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect();
            let options = BucketOptions {
                lock_timeout: options.lock_timeout,
                ..BucketOptions::default()
            };
            let connection = connect(url, &variables)?;
            Ok(Some(BucketStore::connected(connection, options)))
        }
    }
}

/// A store on this machine.
fn here(url: &str) -> Result<ObjectBackedStore, StoreError> {
    let refuse = |reason: &str| {
        Err(StoreError::Url {
            url: url.to_owned(),
            reason: reason.to_owned(),
        })
    };
    match url.split_once("://") {
        None if url.is_empty() => refuse("the path is empty"),
        None => ObjectBackedStore::local(Path::new(url)),
        Some(("file", path)) if path.starts_with('/') => ObjectBackedStore::local(Path::new(path)),
        Some(("file", _)) => refuse("a file URL needs an absolute path: file:///folder"),
        Some(_) => Ok(ObjectBackedStore::memory()),
    }
}
