//! Which entry lies where in which shard.

use super::ranged::RangedReader;
use crate::store::{ObjectInfo, SharedStore, StoreError};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use zip::read::{ZipArchive, ZipArchiveMetadata};

/// Bytes fetched at a time while a shard is looked through.
const SCAN_BYTES: u64 = 8 << 20;

/// The entries of all shards that a pattern names.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) shards: Vec<Shard>,
    pub(super) entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) info: ObjectInfo,
    pub(super) directory: Option<Arc<ZipArchiveMetadata>>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Index of the shard.
    pub(super) shard: usize,
    pub(super) size_bytes: u64,
    pub(super) identity: String,
    pub(super) place: Place,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Of a `.tar`: where its bytes begin.
    Offset(u64),
    /// Of a `.zip`: its number in the directory, where its header begins, and how many bytes follow.
    Number {
        number: usize,
        header: u64,
        compressed: u64,
    },
}

impl Index {
    pub(super) fn read(store: &SharedStore, pattern: &str) -> Result<Self, StoreError> {
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

pub(super) fn is_zip(name: &str) -> bool {
    has_ending(name, "zip")
}

pub(super) fn has_ending(name: &str, ending: &str) -> bool {
    let found = Path::new(name).extension();
    found.is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// Whether a name fits a pattern in which `*` stands for anything.
pub(super) fn fits(name: &str, pattern: &str) -> bool {
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
