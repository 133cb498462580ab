//! A store that keeps a record of the operations that change it.
//!
//! Tests assert on the record (what was written, in which order, and that nothing was) instead
//! of on wall time.

use super::{Conditions, LockGuard, ObjectInfo, SharedStore, Store, StoreError, Version};
use bytes::Bytes;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// One mutating operation, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A create-only put.
    Create {
        /// The object.
        path: String,
        /// What was written.
        bytes: Bytes,
    },
    /// An atomic overwrite.
    Replace {
        /// The object.
        path: String,
        /// What was written.
        bytes: Bytes,
    },
    /// A copy inside the store.
    Copy {
        /// The source object.
        from: String,
        /// The target object.
        to: String,
    },
    /// A deletion.
    Delete {
        /// The object.
        path: String,
    },
}

impl Operation {
    /// Does the operation on another store.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn apply(&self, store: &dyn Store) -> Result<(), StoreError> {
        match self {
            Self::Create { path, bytes } => store.create(path, bytes.clone()),
            Self::Replace { path, bytes } => store.replace(path, bytes.clone()),
            Self::Copy { from, to } => store.copy(from, to),
            Self::Delete { path } => store.delete(path),
        }
    }

    /// The object that the operation changes.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Create { path, .. } | Self::Replace { path, .. } | Self::Delete { path } => path,
            Self::Copy { to, .. } => to,
        }
    }
}

/// Passes everything on and records what changed the store.
#[derive(Debug)]
pub struct RecordingStore {
    inner: SharedStore,
    operations: Mutex<Vec<Operation>>,
}

impl RecordingStore {
    /// Wraps a store.
    #[must_use]
    pub fn new(inner: SharedStore) -> Self {
        Self {
            inner,
            operations: Mutex::default(),
        }
    }

    /// The operations that succeeded so far, in order.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn record<T>(
        &self,
        result: Result<T, StoreError>,
        operation: Operation,
    ) -> Result<T, StoreError> {
        if result.is_ok() {
            self.operations
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(operation);
        }
        result
    }
}

impl Store for RecordingStore {
    fn url(&self) -> &str {
        self.inner.url()
    }

    fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        self.inner.get(path)
    }

    fn get_all(&self, paths: &[&str]) -> Vec<Result<Bytes, StoreError>> {
        self.inner.get_all(paths)
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>, StoreError> {
        self.inner.get_versioned(path)
    }

    fn get_range(&self, path: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        self.inner.get_range(path, start, end)
    }

    fn get_ranges(&self, path: &str, ranges: &[(u64, u64)]) -> Result<Vec<Bytes>, StoreError> {
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
        let result = self.inner.create(path, bytes.clone());
        self.record(
            result,
            Operation::Create {
                path: path.to_owned(),
                bytes,
            },
        )
    }

    fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let result = self.inner.replace(path, bytes.clone());
        self.record(
            result,
            Operation::Replace {
                path: path.to_owned(),
                bytes,
            },
        )
    }

    fn replace_if(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        let result = self.inner.replace_if(path, bytes.clone(), expected);
        self.record(
            result,
            Operation::Replace {
                path: path.to_owned(),
                bytes,
            },
        )
    }

    fn conditions(&self) -> Result<Conditions, StoreError> {
        self.inner.conditions()
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let result = self.inner.copy(from, to);
        self.record(
            result,
            Operation::Copy {
                from: from.to_owned(),
                to: to.to_owned(),
            },
        )
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let result = self.inner.delete(path);
        self.record(
            result,
            Operation::Delete {
                path: path.to_owned(),
            },
        )
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
