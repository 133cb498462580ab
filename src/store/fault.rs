//! A store that fails on purpose.
//!
//! It counts the operations that change the store and, at the chosen one, either refuses it or
//! does it and loses the answer. After that it is dead: every further change is refused, as for
//! a process that was killed. Objects may be made unreadable, too.

use super::{Conditions, LockGuard, ObjectInfo, SharedStore, Store, StoreError, Version};
use bytes::Bytes;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a [`FaultStore`] stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every operation works.
    Never,
    /// The k-th change (from 0) and all later ones are refused and not done.
    Before(usize),
    /// The k-th change is done, but its answer is an error; all later ones are refused.
    AnswerLost(usize),
}

/// Passes operations on until its fault strikes.
#[derive(Debug)]
pub struct FaultStore {
    inner: SharedStore,
    fault: Fault,
    changes: AtomicUsize,
    unreadable: Option<String>,
}

impl FaultStore {
    /// Wraps a store.
    #[must_use]
    pub fn new(inner: SharedStore, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            changes: AtomicUsize::new(0),
            unreadable: None,
        }
    }

    /// The same, with one object that is there and whose bytes cannot be had.
    #[must_use]
    pub fn unreadable(self, path: &str) -> Self {
        Self {
            unreadable: Some(path.to_owned()),
            ..self
        }
    }

    fn injected(&self, operation: &'static str, path: &str) -> StoreError {
        let url = format!("{}/{path}", self.inner.url());
        StoreError::Injected { operation, url }
    }

    fn check_readable(&self, path: &str) -> Result<(), StoreError> {
        match &self.unreadable {
            Some(unreadable) if unreadable == path => Err(self.injected("get", path)),
            _ => Ok(()),
        }
    }

    fn change<T>(
        &self,
        operation: &'static str,
        path: &str,
        change: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let index = self.changes.fetch_add(1, Ordering::SeqCst);
        let injected = || Err(self.injected(operation, path));
        match self.fault {
            Fault::Before(k) if index >= k => injected(),
            Fault::AnswerLost(k) if index > k => injected(),
            Fault::AnswerLost(k) if index == k => change().and_then(|_| injected()),
            _ => change(),
        }
    }
}

impl Store for FaultStore {
    fn url(&self) -> &str {
        self.inner.url()
    }

    fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        self.check_readable(path)?;
        self.inner.get(path)
    }

    fn get_all(&self, paths: &[&str]) -> Vec<Result<Bytes, StoreError>> {
        paths.iter().map(|path| self.get(path)).collect()
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>, StoreError> {
        self.check_readable(path)?;
        self.inner.get_versioned(path)
    }

    fn get_range(&self, path: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        self.check_readable(path)?;
        self.inner.get_range(path, start, end)
    }

    fn get_ranges(&self, path: &str, ranges: &[(u64, u64)]) -> Result<Vec<Bytes>, StoreError> {
        self.check_readable(path)?;
        self.inner.get_ranges(path, ranges)
    }

    fn head_all(&self, paths: &[&str]) -> Vec<Result<Option<ObjectInfo>, StoreError>> {
        self.inner.head_all(paths)
    }

    fn can_list(&self, prefix: &str) -> bool {
        self.inner.can_list(prefix)
    }

    fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StoreError> {
        self.inner.head(path)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.inner.list(prefix)
    }

    fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.inner.folders(prefix)
    }

    fn create(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.change("create", path, || self.inner.create(path, bytes))
    }

    fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.change("replace", path, || self.inner.replace(path, bytes))
    }

    fn replace_if(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        self.change("replace", path, || {
            self.inner.replace_if(path, bytes, expected)
        })
    }

    fn conditions(&self) -> Result<Conditions, StoreError> {
        self.inner.conditions()
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.change("copy", to, || self.inner.copy(from, to))
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.change("delete", path, || self.inner.delete(path))
    }

    fn sweep(&self, prefix: &str) -> Result<(), StoreError> {
        self.inner.sweep(prefix)
    }

    fn lock(&self, path: &str, owner: &str) -> Result<LockGuard, StoreError> {
        self.inner.lock(path, owner)
    }

    fn local_root(&self) -> Option<&Path> {
        self.inner.local_root()
    }
}
