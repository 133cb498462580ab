//! Images in `.tar` and `.zip` shards, seen as if they were single objects.
//!
//! A shard is a part of a path: `images/train-*.zip/image_1.jpg` is the entry `image_1.jpg` of whichever shard of that name
//! holds it. A `.zip` is known by its directory; a `.tar` has none and is read once, front to back. An entry of a `.zip` is
//! identified by its checksum, one of a `.tar` by that of its shard and its place.

use super::{Conditions, LockGuard, ObjectInfo, SharedStore, Store, StoreError, Version};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use zip::read::{ZipArchive, ZipArchiveMetadata, ZipReadOptions};

/// Bytes fetched at a time while a shard is looked through.
const SCAN_BYTES: u64 = 8 << 20;

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

/// The entries of all shards that a pattern names.
#[derive(Debug, Default)]
struct Index {
    shards: Vec<Shard>,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Shard {
    info: ObjectInfo,
    directory: Option<Arc<ZipArchiveMetadata>>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Index of the shard.
    shard: usize,
    size_bytes: u64,
    identity: String,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// Of a `.tar`: where its bytes begin.
    Offset(u64),
    /// Of a `.zip`: its number in the directory, where its header begins, and how many bytes follow.
    Number {
        number: usize,
        header: u64,
        compressed: u64,
    },
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
                self.unpack(shard, number, entry.size_bytes, &mut reader)
            }
        }
    }

    fn unpack(
        &self,
        shard: &Shard,
        number: usize,
        size: u64,
        reader: &mut RangedReader<'_>,
    ) -> Result<Bytes, StoreError> {
        let bad = |detail: String| StoreError::Shard {
            url: format!("{}/{}", self.url(), shard.info.path),
            detail,
        };
        let directory = shard.directory.as_ref();
        let directory = directory.ok_or_else(|| bad("it has no directory".to_owned()))?;
        let entry = directory
            .entry(number)
            .map_err(|error| bad(error.to_string()))?;
        let file = entry
            .with_reader(reader, ZipReadOptions::new())
            .map_err(|error| bad(error.to_string()))?;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(64 << 20));
        // No more than the directory says, whatever the compressed bytes unfold to.
        let read = file.take(size + 1).read_to_end(&mut bytes);
        let read = read.map_err(|error| bad(error.to_string()))?;
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

fn is_zip(name: &str) -> bool {
    has_ending(name, "zip")
}

fn has_ending(name: &str, ending: &str) -> bool {
    let found = Path::new(name).extension();
    found.is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(name: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        let Some(found) = rest.find(piece) else {
            return false;
        };
        rest = &rest[found + piece.len()..];
    }
    rest.ends_with(last)
}

impl Index {
    fn read(store: &SharedStore, pattern: &str) -> Result<Self, StoreError> {
        let mut index = Self::default();
        for info in shards(store, pattern)? {
            let bad = |detail: String| StoreError::Shard {
                url: format!("{}/{}", store.url(), info.path),
                detail,
            };
            let number = index.shards.len();
            let mut shard = Shard {
                info: info.clone(),
                directory: None,
            };
            if is_zip(&info.path) {
                let reader = RangedReader::new(store, &info, 64 << 10);
                let archive = ZipArchive::new(reader).map_err(|error| bad(error.to_string()))?;
                let directory = archive.metadata();
                index.add_zip(number, &directory).map_err(bad)?;
                shard.directory = Some(directory);
            } else {
                let reader = RangedReader::new(store, &info, SCAN_BYTES);
                index
                    .add_tar(number, &info, reader)
                    .map_err(|error| bad(error.to_string()))?;
            }
            index.shards.push(shard);
        }
        Ok(index)
    }

    fn add(&mut self, name: &str, entry: Entry) {
        // The first one stands, as in a search path.
        self.entries
            .entry(name.trim_start_matches("./").to_owned())
            .or_insert(entry);
    }

    fn add_zip(&mut self, shard: usize, directory: &ZipArchiveMetadata) -> Result<(), String> {
        for number in 0..directory.len() {
            let entry = directory.entry(number).map_err(|error| error.to_string())?;
            let name = entry
                .name()
                .map_err(|error| error.to_string())?
                .into_owned();
            if !entry.is_file() {
                continue;
            }
            let made = Entry {
                shard,
                size_bytes: entry.size(),
                identity: format!("crc32-{:08x}-{:x}", entry.crc32(), entry.size()),
                place: Place::Number {
                    number,
                    header: entry.header_start(),
                    compressed: entry.compressed_size(),
                },
            };
            self.add(&name, made);
        }
        Ok(())
    }

    fn add_tar(
        &mut self,
        shard: usize,
        info: &ObjectInfo,
        reader: RangedReader<'_>,
    ) -> io::Result<()> {
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let bytes = entry.path_bytes();
            // A name that no template can make.
            let Ok(name) = std::str::from_utf8(&bytes) else {
                continue;
            };
            let offset = entry.raw_file_position();
            let made = Entry {
                shard,
                size_bytes: entry.size(),
                identity: format!("{}@{offset:x}", info.identity),
                place: Place::Offset(offset),
            };
            self.add(name, made);
        }
        Ok(())
    }
}

/// The shards that a pattern names, by name.
fn shards(store: &SharedStore, pattern: &str) -> Result<Vec<ObjectInfo>, StoreError> {
    if !pattern.contains('*') {
        return Ok(store.head(pattern)?.into_iter().collect());
    }
    let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let is_here = |path: &str| {
        let (lies_in, file) = path.rsplit_once('/').unwrap_or(("", path));
        lies_in == folder && fits(file, name)
    };
    let mut found = store.list(folder)?;
    found.retain(|info| is_here(&info.path));
    Ok(found)
}

/// An object as a file that can be read from anywhere in it, fetched in pieces.
struct RangedReader<'a> {
    store: &'a SharedStore,
    path: &'a str,
    size: u64,
    position: u64,
    piece_bytes: u64,
    piece_start: u64,
    piece: Bytes,
}

impl<'a> RangedReader<'a> {
    fn new(store: &'a SharedStore, info: &'a ObjectInfo, piece_bytes: u64) -> Self {
        Self {
            store,
            path: &info.path,
            size: info.size_bytes,
            position: 0,
            piece_bytes,
            piece_start: 0,
            piece: Bytes::new(),
        }
    }
}

impl Read for RangedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let piece_end = self.piece_start + self.piece.len() as u64;
        if self.position < self.piece_start || self.position >= piece_end {
            let end = (self.position + self.piece_bytes).min(self.size);
            let piece = self.store.get_range(self.path, self.position, end);
            self.piece = piece.map_err(io::Error::other)?;
            self.piece_start = self.position;
            if self.piece.is_empty() {
                return Ok(0);
            }
        }
        let from = usize::try_from(self.position - self.piece_start).unwrap_or(usize::MAX);
        let found = self.piece.get(from..).unwrap_or_default();
        let count = buffer.len().min(found.len());
        buffer[..count].copy_from_slice(&found[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for RangedReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(back) => self.size.checked_add_signed(back),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.position)
    }
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
mod tests {
    use super::*;
    use crate::store::ObjectBackedStore;
    use std::io::{Cursor, Write};
    use zip::CompressionMethod;
    use zip::write::{SimpleFileOptions, ZipWriter};

    fn tar_of(files: &[(&str, &[u8])]) -> Bytes {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        Bytes::from(builder.into_inner().unwrap())
    }

    fn zip_of(files: &[(&str, &[u8])], method: CompressionMethod) -> Bytes {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        Bytes::from(writer.finish().unwrap().into_inner())
    }

    fn store() -> ShardedStore {
        let inner = ObjectBackedStore::memory();
        let long = vec![7; 100_000];
        let longer_name = format!("{}.jpg", "n".repeat(180));
        let first: [(&str, &[u8]); 2] = [("a.jpg", b"one"), ("deep/b.jpg", &long)];
        let second: [(&str, &[u8]); 2] = [("c.jpg", b"three"), (&longer_name, b"four")];
        inner.create("images/x-0.tar", tar_of(&first)).unwrap();
        inner.create("images/x-1.tar", tar_of(&second)).unwrap();
        inner
            .create(
                "images/y-0.zip",
                zip_of(&first, CompressionMethod::Deflated),
            )
            .unwrap();
        inner
            .create("images/y-1.zip", zip_of(&second, CompressionMethod::Stored))
            .unwrap();
        inner
            .create("table.csv", Bytes::from_static(b"id"))
            .unwrap();
        ShardedStore::new(Arc::new(inner))
    }

    #[test]
    fn entries_of_all_shards_of_a_pattern_are_objects() {
        let store = store();
        let long_name = format!("{}.jpg", "n".repeat(180));
        for pattern in ["images/x-*.tar", "images/y-*.zip"] {
            let path = |name: &str| format!("{pattern}/{name}");
            let listed: Vec<String> = store
                .list(pattern)
                .unwrap()
                .into_iter()
                .map(|info| info.path)
                .collect();
            assert_eq!(
                listed,
                ["a.jpg", "c.jpg", "deep/b.jpg", long_name.as_str()].map(path)
            );
            assert_eq!(store.get(&path("a.jpg")).unwrap(), "one");
            assert_eq!(store.get(&path("deep/b.jpg")).unwrap(), vec![7; 100_000]);
            assert_eq!(store.get_range(&path("c.jpg"), 1, 3).unwrap(), "hr");
            assert_eq!(store.get(&path(&long_name)).unwrap(), "four");
            assert_eq!(store.head(&path("a.jpg")).unwrap().unwrap().size_bytes, 3);
            assert_eq!(store.head(&path("no.jpg")).unwrap(), None);
            assert!(store.get(&path("no.jpg")).unwrap_err().is_not_found());
            let deep = store.list(&path("deep")).unwrap();
            assert_eq!(deep.len(), 1);
            let (a, no) = (path("a.jpg"), path("no.jpg"));
            let all = store.get_all(&[&a, &no]);
            assert_eq!(all[0].as_ref().unwrap(), "one");
            assert!(all[1].as_ref().unwrap_err().is_not_found());
        }
        assert_eq!(store.get("table.csv").unwrap(), "id");
        assert!(store.list("images/none-*.zip").unwrap().is_empty());
        assert!(store.list("images/none.tar").unwrap().is_empty());
    }

    #[test]
    fn an_unchanged_entry_of_a_changed_zip_keeps_its_identity() {
        let identity = |files: &[(&str, &[u8])]| {
            let inner = ObjectBackedStore::memory();
            inner
                .create("s.zip", zip_of(files, CompressionMethod::Deflated))
                .unwrap();
            let store = ShardedStore::new(Arc::new(inner));
            store.head("s.zip/b").unwrap().unwrap().identity
        };
        let before = identity(&[("b", b"same")]);
        assert_eq!(identity(&[("a", b"new"), ("b", b"same")]), before);
        assert_ne!(identity(&[("b", b"else")]), before);
    }

    #[test]
    fn damaged_shards_are_errors_with_their_name() {
        let inner = ObjectBackedStore::memory();
        let whole = zip_of(
            &[("a", b"some text that is compressed")],
            CompressionMethod::Stored,
        );
        inner
            .create("cut.zip", whole.slice(..whole.len() - 5))
            .unwrap();
        let mut changed = whole.to_vec();
        changed[40] ^= 1;
        inner.create("changed.zip", Bytes::from(changed)).unwrap();
        let tar = tar_of(&[("a", b"x")]);
        let mut broken = tar.to_vec();
        broken[100] ^= 1;
        inner.create("broken.tar", Bytes::from(broken)).unwrap();
        let store = ShardedStore::new(Arc::new(inner));
        for path in ["cut.zip/a", "changed.zip/a", "broken.tar/a"] {
            let error = store.get(path).unwrap_err();
            let shard = path.split('/').next().unwrap();
            assert!(matches!(error, StoreError::Shard { .. }), "{path}: {error}");
            assert!(error.to_string().contains(shard), "{error}");
        }
    }

    #[test]
    fn stars_stand_for_anything() {
        for (name, pattern, expected) in [
            ("a-1.tar", "a-*.tar", true),
            ("a-.tar", "a-*.tar", true),
            ("a.tar", "a-*.tar", false),
            ("b-1.tar", "a-*.tar", false),
            ("a-1-b-2.tar", "a-*-b-*.tar", true),
            ("a.tar", "a.tar", true),
            ("a.tar2", "a.tar", false),
        ] {
            assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
        }
    }
}
