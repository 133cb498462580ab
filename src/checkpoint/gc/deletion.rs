//! Deletes what was decided to go.

use super::{Garbage, Subject};
use crate::checkpoint::layout::{REPORTS_FOLDER, RUNS_FOLDER};
use crate::store::{LockGuard, Store, StoreError};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Requests at a time where each is a wait.
const AT_ONCE: usize = 16;

/// Deletes groups of objects, one group after the other, under the lock of the root. Stops between two objects where
/// `is_stopped` says so, and returns how many groups are gone.
///
/// # Errors
///
/// Those of the store: what is deleted by then stays deleted, and nothing else has changed.
pub fn delete(
    store: &dyn Store,
    garbage: &[Garbage],
    lock: &LockGuard,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<usize, StoreError> {
    let mut folders = BTreeSet::new();
    let mut gone = 0;
    for group in garbage {
        // In a bucket a process that slept for long may have been taken for dead: then the root is somebody else's.
        lock.check()?;
        if is_stopped() || !delete_group(store, &group.paths, is_stopped)? {
            break;
        }
        gone += 1;
        folders.insert(match &group.subject {
            Subject::Checkpoint { stage, .. } | Subject::Leftovers { stage, .. } => stage.as_str(),
            Subject::Record { .. } => RUNS_FOLDER,
            Subject::Report { .. } => REPORTS_FOLDER,
        });
    }
    for folder in folders {
        store.sweep(folder)?;
    }
    Ok(gone)
}

/// Deletes the first object, then those between, then the last; says whether it came to the end.
fn delete_group(
    store: &dyn Store,
    paths: &[String],
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<bool, StoreError> {
    let Some((first, rest)) = paths.split_first() else {
        return Ok(true);
    };
    store.delete(first)?;
    let Some((last, between)) = rest.split_last() else {
        return Ok(true);
    };
    delete_side_by_side(store, between, is_stopped)?;
    if is_stopped() {
        return Ok(false);
    }
    store.delete(last)?;
    Ok(true)
}

fn delete_side_by_side(
    store: &dyn Store,
    paths: &[String],
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<(), StoreError> {
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<StoreError>> = Mutex::new(None);
    let failed = || failure.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            if is_stopped() || failed().is_some() {
                return;
            }
            if let Err(error) = store.delete(path) {
                failed().get_or_insert(error);
            }
        }
    };
    // On a disk threads would only wait for each other.
    let threads = if store.local_root().is_some() {
        1
    } else {
        AT_ONCE
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(paths.len()) {
            scope.spawn(work);
        }
        work();
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
