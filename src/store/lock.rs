//! Locks: one writer per checkpoint root.
//!
//! On a disk it is an operating-system lock on an open file, which the kernel frees when the
//! process dies, however it dies; the file stays and tells who holds or held it. In memory it is
//! a name in a set. In a bucket it is a [`Lease`].

use super::StoreError;
use super::lease::Lease;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Holds a lock until it is dropped.
#[derive(Debug)]
pub struct LockGuard {
    held: Held,
}

impl LockGuard {
    pub(super) fn of(lease: Lease) -> Self {
        Self {
            held: Held::Lease(Box::new(lease)),
        }
    }

    /// Makes sure that the lock is still held: in a bucket, a process that was asleep for long may have been taken for dead.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`].
    pub fn check(&self) -> Result<(), StoreError> {
        match &self.held {
            Held::Lease(lease) => lease.check(),
            Held::File { .. } | Held::Name { .. } => Ok(()),
        }
    }
}

#[derive(Debug)]
enum Held {
    File {
        _file: File,
    },
    Lease(Box<Lease>),
    Name {
        names: Arc<Mutex<BTreeSet<String>>>,
        name: String,
    },
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::Name { names, name } = self {
            names
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(name);
        }
    }
}

/// Takes an operating-system lock on the file at `path`.
pub(super) fn lock_file(path: &Path, url: &str, owner: &str) -> Result<LockGuard, StoreError> {
    let failed = |source| StoreError::Io {
        operation: "lock",
        url: url.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Best effort: the holder may be writing its name right now.
            let _ = file.read_to_string(&mut holder);
            let owner = if holder.is_empty() {
                "another process".to_owned()
            } else {
                holder
            };
            return Err(StoreError::Locked {
                url: url.to_owned(),
                owner,
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.write_all(owner.as_bytes()).map_err(failed)?;
    Ok(LockGuard {
        held: Held::File { _file: file },
    })
}

/// Takes a name in a set that the users of one in-memory store share.
pub(super) fn lock_name(
    names: &Arc<Mutex<BTreeSet<String>>>,
    name: &str,
    url: &str,
) -> Result<LockGuard, StoreError> {
    let mut set = names.lock().unwrap_or_else(PoisonError::into_inner);
    if !set.insert(name.to_owned()) {
        let owner = "another user of this store".to_owned();
        return Err(StoreError::Locked {
            url: url.to_owned(),
            owner,
        });
    }
    drop(set);
    let held = Held::Name {
        names: Arc::clone(names),
        name: name.to_owned(),
    };
    Ok(LockGuard { held })
}
