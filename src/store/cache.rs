//! A cache on this machine's disk before a store on another: what was read or written once is not fetched again.
//!
//! Only objects whose name says their content go in. Each lies there with a digest, and one that is damaged is fetched again; so
//! the folder may be deleted, and shared by several processes, each of which keeps to the bound by what it knows. A cache that cannot be read or written costs time and nothing
//! else. When it is full, what was used longest ago goes.

use super::{Conditions, LockGuard, ObjectInfo, SharedStore, Store, StoreError, Version};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Where a cache lies and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// Its folder; made where it is not there.
    pub folder: PathBuf,
    /// Most bytes of objects in it.
    pub max_bytes: u64,
}

/// A store with a cache before it.
#[derive(Debug)]
pub struct CachedStore {
    inner: SharedStore,
    cache: Cache,
    is_immutable: fn(&str) -> bool,
}

impl CachedStore {
    /// Puts a cache before a store; `is_immutable` says of a path whether what it names never changes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where the folder cannot be made or read.
    pub fn new(
        inner: SharedStore,
        options: &CacheOptions,
        is_immutable: fn(&str) -> bool,
    ) -> Result<Self, StoreError> {
        let cache = Cache::open(options).map_err(|source| StoreError::Io {
            operation: "open the cache",
            url: options.folder.display().to_string(),
            source,
        })?;
        Ok(Self {
            inner,
            cache,
            is_immutable,
        })
    }

    /// The name of an object in the cache; `None` for one that may change.
    fn key(&self, path: &str) -> Option<String> {
        let url = format!("{}/{path}", self.inner.url());
        (self.is_immutable)(path).then(|| blake3::hash(url.as_bytes()).to_hex().to_string())
    }

    fn keep(&self, path: &str, bytes: &Bytes) {
        if let Some(key) = self.key(path) {
            self.cache.write(&key, bytes);
        }
    }
}

impl Store for CachedStore {
    fn url(&self) -> &str {
        self.inner.url()
    }

    fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        let Some(key) = self.key(path) else {
            return self.inner.get(path);
        };
        if let Some(bytes) = self.cache.read(&key) {
            return Ok(bytes);
        }
        let bytes = self.inner.get(path)?;
        self.cache.write(&key, &bytes);
        Ok(bytes)
    }

    fn get_all(&self, paths: &[&str]) -> Vec<Result<Bytes, StoreError>> {
        let kept = |path: &&str| self.key(path).and_then(|key| self.cache.read(&key));
        let found: Vec<Option<Bytes>> = paths.iter().map(kept).collect();
        let lacking = paths.iter().zip(&found).filter(|(_, kept)| kept.is_none());
        let lacking: Vec<&str> = lacking.map(|(path, _)| *path).collect();
        let mut fetched = self.inner.get_all(&lacking).into_iter();
        let found = paths.iter().zip(found).map(|(path, kept)| {
            if let Some(bytes) = kept {
                return Ok(bytes);
            }
            let bytes = fetched.next().unwrap_or_else(|| self.inner.get(path))?;
            self.keep(path, &bytes);
            Ok(bytes)
        });
        found.collect()
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
        self.inner.create(path, bytes.clone())?;
        self.keep(path, &bytes);
        Ok(())
    }

    fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.inner.replace(path, bytes.clone())?;
        self.keep(path, &bytes);
        Ok(())
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
        self.inner.copy(from, to)?;
        let kept = self.key(from).and_then(|key| self.cache.read(&key));
        let Some(bytes) = kept else { return Ok(()) };
        // What was copied may be cut, and what lies here was verified.
        let copied = self.inner.head(to)?;
        if copied.is_none_or(|copied| copied.size_bytes != bytes.len() as u64) {
            self.inner.replace(to, bytes.clone())?;
        }
        self.keep(to, &bytes);
        Ok(())
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        if let Some(key) = self.key(path) {
            self.cache.remove(&key);
        }
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

const DIGEST_BYTES: usize = blake3::OUT_LEN;

/// What the name of a file begins with that is being written.
const STAGED: &str = ".staged-";

/// One that is older was left by a process that was killed.
const LEFT_AFTER: Duration = Duration::from_hours(1);

/// Files by key, each its digest and then the object.
#[derive(Debug)]
struct Cache {
    folder: PathBuf,
    max_bytes: u64,
    used: Mutex<Used>,
}

/// What lies in the cache, by the order of its last use.
#[derive(Debug, Default)]
struct Used {
    bytes: u64,
    clock: u64,
    entries: HashMap<String, (u64, u64)>,
    by_use: BTreeMap<u64, String>,
}

impl Used {
    fn note(&mut self, key: &str, size: u64) {
        self.forget(key);
        self.clock += 1;
        self.bytes += size;
        self.entries.insert(key.to_owned(), (self.clock, size));
        self.by_use.insert(self.clock, key.to_owned());
    }

    fn forget(&mut self, key: &str) {
        if let Some((clock, size)) = self.entries.remove(key) {
            self.by_use.remove(&clock);
            self.bytes -= size;
        }
    }
}

impl Cache {
    fn open(options: &CacheOptions) -> io::Result<Self> {
        fs::create_dir_all(&options.folder)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&options.folder)? {
            let entry = entry?;
            let (Ok(metadata), Ok(name)) = (entry.metadata(), entry.file_name().into_string())
            else {
                continue;
            };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if name.len() == 2 * DIGEST_BYTES && metadata.is_file() {
                found.push((used, name, metadata.len()));
            } else if name.starts_with(STAGED) && used.elapsed().is_ok_and(|age| age > LEFT_AFTER) {
                // Of a process that was killed.
                drop(fs::remove_file(entry.path()));
            }
        }
        found.sort();
        let mut used = Used::default();
        for (_, name, size) in found {
            used.note(&name, size);
        }
        let cache = Self {
            folder: options.folder.clone(),
            max_bytes: options.max_bytes,
            used: Mutex::new(used),
        };
        cache.make_room();
        Ok(cache)
    }

    fn read(&self, key: &str) -> Option<Bytes> {
        let path = self.folder.join(key);
        let bytes = Bytes::from(fs::read(&path).ok()?);
        let is_whole = bytes.len() >= DIGEST_BYTES
            && blake3::hash(&bytes[DIGEST_BYTES..]).as_bytes() == &bytes[..DIGEST_BYTES];
        if !is_whole {
            tracing::warn!(file = %path.display(), "file of the cache is damaged and is fetched again");
            self.remove(key);
            return None;
        }
        // Tells the next process what was used last.
        let touched = File::options().append(true).open(&path);
        drop(touched.and_then(|file| file.set_modified(SystemTime::now())));
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.note(key, bytes.len() as u64);
        Some(bytes.slice(DIGEST_BYTES..))
    }

    fn write(&self, key: &str, bytes: &[u8]) {
        let size = (bytes.len() + DIGEST_BYTES) as u64;
        if size > self.max_bytes {
            return;
        }
        // Counted before it is written: several are at a time.
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.note(key, size);
        }
        self.make_room();
        if let Err(error) = self.try_write(key, bytes) {
            tracing::warn!(folder = %self.folder.display(), %error, "cannot write to the cache");
            self.remove(key);
        }
    }

    fn try_write(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(STAGED)
            .tempfile_in(&self.folder)?;
        file.write_all(blake3::hash(bytes).as_bytes())?;
        file.write_all(bytes)?;
        file.persist(self.folder.join(key))?;
        Ok(())
    }

    fn remove(&self, key: &str) {
        // One that is not there is as good.
        drop(fs::remove_file(self.folder.join(key)));
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget(key);
    }

    fn make_room(&self) {
        loop {
            let oldest = {
                let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
                if used.bytes <= self.max_bytes {
                    return;
                }
                used.by_use.values().next().cloned()
            };
            let Some(key) = oldest else { return };
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ObjectBackedStore;
    use std::sync::Arc;
    use tempfile::TempDir;

    fn cached(inner: &SharedStore, folder: &TempDir, max_bytes: u64) -> CachedStore {
        let options = CacheOptions {
            folder: folder.path().to_owned(),
            max_bytes,
        };
        CachedStore::new(Arc::clone(inner), &options, |path| path.starts_with("part")).unwrap()
    }

    fn files(folder: &TempDir) -> u64 {
        let sizes = fs::read_dir(folder.path()).unwrap();
        sizes
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum()
    }

    #[test]
    fn what_was_read_or_written_is_not_fetched_again() {
        let inner: SharedStore = Arc::new(ObjectBackedStore::memory());
        let folder = TempDir::new().unwrap();
        inner.create("part-1", Bytes::from_static(b"one")).unwrap();
        let store = cached(&inner, &folder, 1000);
        assert_eq!(store.get("part-1").unwrap(), "one");
        store.create("part-2", Bytes::from_static(b"two")).unwrap();
        store.copy("part-2", "part-3").unwrap();
        for path in ["part-1", "part-2", "part-3"] {
            inner.delete(path).unwrap();
        }
        // Another process with the same folder.
        let again = cached(&inner, &folder, 1000);
        assert_eq!(again.get("part-1").unwrap(), "one");
        assert_eq!(again.get("part-2").unwrap(), "two");
        assert_eq!(again.get("part-3").unwrap(), "two");
        inner.create("part-4", Bytes::from_static(b"four")).unwrap();
        let all = again.get_all(&["part-2", "part-4", "part-5"]);
        assert_eq!(all[0].as_ref().unwrap(), "two");
        assert_eq!(all[1].as_ref().unwrap(), "four");
        assert!(all[2].as_ref().unwrap_err().is_not_found());
        again.delete("part-1").unwrap();
        assert!(again.get("part-1").unwrap_err().is_not_found());
    }

    #[test]
    fn what_may_change_is_always_fetched() {
        let inner: SharedStore = Arc::new(ObjectBackedStore::memory());
        let folder = TempDir::new().unwrap();
        let store = cached(&inner, &folder, 1000);
        store.replace("latest", Bytes::from_static(b"one")).unwrap();
        assert_eq!(store.get("latest").unwrap(), "one");
        inner.replace("latest", Bytes::from_static(b"two")).unwrap();
        assert_eq!(store.get("latest").unwrap(), "two");
        assert_eq!(files(&folder), 0);
    }

    #[test]
    fn it_stays_within_its_bytes_and_drops_what_was_used_longest_ago() {
        let inner: SharedStore = Arc::new(ObjectBackedStore::memory());
        let folder = TempDir::new().unwrap();
        let most = 3 * (100 + DIGEST_BYTES as u64);
        let store = cached(&inner, &folder, most);
        let object = Bytes::from(vec![7; 100]);
        for index in 0..3 {
            store
                .create(&format!("part-{index}"), object.clone())
                .unwrap();
        }
        store.get("part-0").unwrap();
        store.create("part-3", object.clone()).unwrap();
        assert!(files(&folder) <= most);
        for index in 0..4 {
            inner.delete(&format!("part-{index}")).unwrap();
        }
        assert!(store.get("part-1").is_err(), "used longest ago");
        assert_eq!(store.get("part-0").unwrap(), object);
        assert_eq!(store.get("part-3").unwrap(), object);
        let too_large = Bytes::from(vec![7; 1000]);
        store.create("part-large", too_large.clone()).unwrap();
        assert_eq!(store.get("part-large").unwrap(), too_large);
        assert!(files(&folder) <= most);
    }

    #[test]
    fn damage_in_the_cache_is_fetched_again() {
        let inner: SharedStore = Arc::new(ObjectBackedStore::memory());
        let folder = TempDir::new().unwrap();
        let store = cached(&inner, &folder, 1000);
        store.create("part-1", Bytes::from_static(b"one")).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }
        assert_eq!(store.get("part-1").unwrap(), "one");
    }
}
