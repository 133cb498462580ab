//! Images in `.tar` and `.zip` shards, seen as if they were single objects.
//!
//! A shard is a part of a path: `images/train-*.zip/image_1.jpg` is the entry `image_1.jpg` of whichever shard of that name
//! holds it. A `.zip` is known by its directory; a `.tar` has none and is read once, front to back. An entry of a `.zip` is
//! identified by its checksum, one of a `.tar` by that of its shard and its place.

mod index;
mod ranged;

use index::{Entry, Index, Place, Shard, has_ending, is_zip};
use ranged::RangedReader;

use super::{
    Conditions, Identified, LockGuard, ObjectInfo, SharedStore, Store, StoreError, Version,
};
use bytes::Bytes;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use zip::read::ZipReadOptions;

/// Bytes fetched besides the compressed ones of an entry of a `.zip`: its header, which says again what the directory said.
const HEADER_BYTES: u64 = 512;

/// Threads that read entries for [`Store::get_all`], from a store on another machine.
const GETS_AT_ONCE: usize = 16;

/// A store whose shards are seen as folders. Only for reading: what is written goes through unchanged.
#[derive(Debug)]
pub struct ShardedStore {
    inner: SharedStore,
    /// By pattern.
    indices: Mutex<HashMap<String, Arc<Index>>>,
}

impl ShardedStore {
    /// Shows the shards of a store as folders.
    #[must_use]
    pub fn new(inner: SharedStore) -> Self {
        Self {
            inner,
            indices: Mutex::default(),
        }
    }

    fn index(&self, pattern: &str) -> Result<Arc<Index>, StoreError> {
        // Held while a shard is read, so that no two threads read it.
        let mut indices = self.indices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = indices.get(pattern) {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(Index::read(&self.inner, pattern)?);
        indices.insert(pattern.to_owned(), Arc::clone(&index));
        Ok(index)
    }

    fn find(&self, pattern: &str, name: &str) -> Result<Option<(Arc<Index>, Entry)>, StoreError> {
        let index = self.index(pattern)?;
        let entry = index.entries.get(name).cloned();
        Ok(entry.map(|entry| (index, entry)))
    }

    fn entry(&self, path: &str, pattern: &str, name: &str) -> Result<Bytes, StoreError> {
        let Some((index, entry)) = self.find(pattern, name)? else {
            let url = format!("{}/{path}", self.url());
            return Err(StoreError::NotFound { url });
        };
        let shard = &index.shards[entry.shard];
        match entry.place {
            // No store answers for no bytes.
            Place::Offset(_) if entry.size_bytes == 0 => Ok(Bytes::new()),
            Place::Offset(offset) => {
                self.inner
                    .get_range(&shard.info.path, offset, offset + entry.size_bytes)
            }
            Place::Number {
                number,
                header,
                compressed,
            } => {
                // Header and content in one request, where the name in the header is not a long one.
                let wanted = HEADER_BYTES + name.len() as u64 + compressed;
                let mut reader = RangedReader::new(&self.inner, &shard.info, wanted);
                reader.position = header;
                self.unpack(shard, path, number, entry.size_bytes, &mut reader)
            }
        }
    }

    fn unpack(
        &self,
        shard: &Shard,
        path: &str,
        number: usize,
        size: u64,
        reader: &mut RangedReader<'_>,
    ) -> Result<Bytes, StoreError> {
        let bad = |detail: String| StoreError::DamagedEntry {
            url: format!("{}/{path}", self.url()),
            detail,
        };
        let directory = shard.directory.as_ref();
        let directory = directory.ok_or_else(|| bad("it has no directory".to_owned()))?;
        let entry = directory
            .entry(number)
            .map_err(|error| bad(error.to_string()))?;
        let broken = |error: zip::result::ZipError| match error {
            // Trouble of the store, not of the entry.
            zip::result::ZipError::Io(error) => from_store(error, &bad),
            error => bad(error.to_string()),
        };
        let file = entry
            .with_reader(reader, ZipReadOptions::new())
            .map_err(broken)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(64 << 20));
        // No more than the directory says, whatever the compressed bytes unfold to.
        let read = file.take(size + 1).read_to_end(&mut bytes);
        let read = read.map_err(|error| from_store(error, &bad))?;
        if read as u64 != size {
            return Err(bad(format!(
                "entry {number} has not the size that the directory says"
            )));
        }
        Ok(Bytes::from(bytes))
    }

    fn describe(pattern: &str, name: &str, index: &Index, entry: &Entry) -> ObjectInfo {
        ObjectInfo {
            path: format!("{pattern}/{name}"),
            size_bytes: entry.size_bytes,
            identity: entry.identity.clone(),
            modified_ns: index.shards[entry.shard].info.modified_ns,
        }
    }
}

/// The error of the store where it stands behind one of reading, or else that of the entry.
fn from_store(error: io::Error, bad: &dyn Fn(String) -> StoreError) -> StoreError {
    let text = error.to_string();
    match error.downcast::<StoreError>() {
        Ok(error) => error,
        Err(_) => bad(text),
    }
}

/// Splits a path at the shard in it: the pattern that names shards, and the rest.
fn split(path: &str) -> Option<(&str, &str)> {
    let mut end = 0;
    for segment in path.split('/') {
        end += segment.len();
        if is_shard(segment) {
            return Some((&path[..end], path[end..].trim_start_matches('/')));
        }
        end += 1;
    }
    None
}

fn is_shard(name: &str) -> bool {
    has_ending(name, "tar") || is_zip(name)
}

impl Store for ShardedStore {
    fn url(&self) -> &str {
        self.inner.url()
    }

    fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        match split(path) {
            Some((pattern, name)) if !name.is_empty() => self.entry(path, pattern, name),
            _ => self.inner.get(path),
        }
    }

    fn get_all(&self, paths: &[&str]) -> Vec<Result<Bytes, StoreError>> {
        if paths.iter().all(|path| split(path).is_none()) {
            return self.inner.get_all(paths);
        }
        let chunk = paths.len().div_ceil(GETS_AT_ONCE).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = paths
                .chunks(chunk)
                .map(|paths| {
                    scope.spawn(move || paths.iter().map(|path| self.get(path)).collect::<Vec<_>>())
                })
                .collect();
            let results = threads.into_iter().zip(paths.chunks(chunk));
            results
                .flat_map(|(thread, paths)| {
                    thread
                        .join()
                        .unwrap_or_else(|_| paths.iter().map(|path| self.get(path)).collect())
                })
                .collect()
        })
    }

    fn get_identified(&self, paths: &[&str]) -> Vec<Result<Identified, StoreError>> {
        if paths.iter().all(|path| split(path).is_none()) {
            return self.inner.get_identified(paths);
        }
        let found = paths.iter().zip(self.get_all(paths));
        let identified = |(path, bytes): (&&str, Result<Bytes, StoreError>)| {
            let identity = self.head(path)?.map(|info| info.identity);
            Ok(Identified {
                bytes: bytes?,
                identities: identity.into_iter().collect(),
            })
        };
        found.map(identified).collect()
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>, StoreError> {
        self.inner.get_versioned(path)
    }

    fn get_range(&self, path: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        match split(path) {
            Some((pattern, name)) if !name.is_empty() => {
                let bytes = self.entry(path, pattern, name)?;
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(place(start)..place(end)))
            }
            _ => self.inner.get_range(path, start, end),
        }
    }

    fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StoreError> {
        match split(path) {
            Some((pattern, name)) if !name.is_empty() => {
                let found = self.find(pattern, name)?;
                Ok(found.map(|(index, entry)| Self::describe(pattern, name, &index, &entry)))
            }
            _ => self.inner.head(path),
        }
    }

    fn get_ranges(&self, path: &str, ranges: &[(u64, u64)]) -> Result<Vec<Bytes>, StoreError> {
        if split(path).is_none() {
            return self.inner.get_ranges(path, ranges);
        }
        let read = |(start, end): &(u64, u64)| self.get_range(path, *start, *end);
        ranges.iter().map(read).collect()
    }

    fn head_all(&self, paths: &[&str]) -> Vec<Result<Option<ObjectInfo>, StoreError>> {
        if paths.iter().all(|path| split(path).is_none()) {
            return self.inner.head_all(paths);
        }
        paths.iter().map(|path| self.head(path)).collect()
    }

    fn can_list(&self, prefix: &str) -> bool {
        // Of a shard that is named, the directory says what it holds.
        let is_named = split(prefix).is_some_and(|(pattern, _)| !pattern.contains('*'));
        is_named || self.inner.can_list(prefix)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let Some((pattern, below)) = split(prefix) else {
            return self.inner.list(prefix);
        };
        let index = self.index(pattern)?;
        let is_below = |name: &str| {
            below.is_empty()
                || name
                    .strip_prefix(below)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let entries = index.entries.iter().filter(|(name, _)| is_below(name));
        Ok(entries
            .map(|(name, entry)| Self::describe(pattern, name, &index, entry))
            .collect())
    }

    fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.inner.folders(prefix)
    }

    fn create(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.inner.create(path, bytes)
    }

    fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.inner.replace(path, bytes)
    }

    fn replace_if(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        self.inner.replace_if(path, bytes, expected)
    }

    fn conditions(&self) -> Result<Conditions, StoreError> {
        self.inner.conditions()
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.inner.copy(from, to)
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.inner.delete(path)
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

#[cfg(test)]
mod tests;
