//! Looking at a folder of the local disk directly: listing, identity of a file, sweeping.
//!
//! `object_store` would fail a whole listing for one file name that is not UTF-8; a catalogue's image folder may hold
//! anything, and such a name can stand in no table. The identity of a file is its size, modification time, change time and
//! inode: a rewrite in place shows in the change time, which no program can set.

use super::{ObjectInfo, StoreError, Version};
use bytes::Bytes;
use rayon::prelude::*;
use std::fs::{DirEntry, File, Metadata};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Describes a file; `None` where there is none.
pub(super) fn head(root: &Path, path: &str) -> Result<Option<ObjectInfo>, StoreError> {
    let file = root.join(path);
    match std::fs::metadata(&file) {
        Ok(metadata) if metadata.is_file() => Ok(Some(describe(path.to_owned(), &metadata))),
        Ok(_) => Ok(None),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(failed("read", &file, error)),
    }
}

/// Lists every file below a folder, sorted by path; links are followed, dangling ones and what no path can name passed over.
pub(super) fn list(root: &Path, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
    let listed = walk(root, prefix, &|path, file| match path {
        Some(path) if is_staged(&path) => Ok(None),
        Some(path) => Ok(Some(Some(describe(path, &file.metadata()?)))),
        None => Ok(Some(None)),
    })?;
    let odd_names = listed.iter().filter(|listed| listed.is_none()).count();
    if odd_names > 0 {
        tracing::warn!(folder = %root.join(prefix).display(), odd_names, "file names that are not UTF-8 are passed over");
    }
    let mut infos: Vec<ObjectInfo> = listed.into_iter().flatten().collect();
    infos.par_sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(infos)
}

/// Deletes what `object_store` wrote aside below a folder and was killed before it published it, and folders without any file.
pub(super) fn sweep(root: &Path, prefix: &str) -> Result<(), StoreError> {
    let staged = walk(root, prefix, &|path, _| {
        Ok(path.filter(|path| is_staged(path)))
    })?;
    for path in staged {
        let file = root.join(path);
        std::fs::remove_file(&file).map_err(|error| failed("sweep", &file, error))?;
    }
    remove_empty_folders(&root.join(prefix), !prefix.is_empty());
    Ok(())
}

/// Removes the folders below one, and on request that one, which hold no file; links are not followed. One that is not
/// removed is in nobody's way.
fn remove_empty_folders(folder: &Path, itself: bool) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty_folders(&entry.path(), true);
        }
    }
    if itself {
        // It fails where there is anything inside.
        let _ = std::fs::remove_dir(folder);
    }
}

/// Reads a file with its version, which is the digest of its content; `None` where there is none.
pub(super) fn get_versioned(
    root: &Path,
    path: &str,
) -> Result<Option<(Bytes, Version)>, StoreError> {
    let file = root.join(path);
    match std::fs::read(&file) {
        Ok(bytes) => {
            let version = version_of(&bytes);
            Ok(Some((Bytes::from(bytes), version)))
        }
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(failed("read", &file, error)),
    }
}

/// Writes a file only if it is in this version. Nobody else does so in the same folder meanwhile: the folder is locked.
pub(super) fn replace_if(
    root: &Path,
    path: &str,
    bytes: &[u8],
    expected: Option<&Version>,
) -> Result<Version, StoreError> {
    let target = root.join(path);
    let folder = target.parent().unwrap_or(root);
    let doing = |error| failed("write", &target, error);
    std::fs::create_dir_all(folder).map_err(doing)?;
    let locked = File::open(folder).map_err(doing)?;
    locked.lock().map_err(doing)?;
    let found = get_versioned(root, path)?.map(|(_, version)| version);
    if found.as_ref() != expected {
        let url = target.display().to_string();
        return Err(StoreError::Changed { url });
    }
    // A name that is swept away after a crash, and that only the holder of the lock writes.
    let staged = root.join(format!("{path}#0"));
    let mut file = File::create(&staged).map_err(doing)?;
    file.write_all(bytes).map_err(doing)?;
    file.sync_all().map_err(doing)?;
    std::fs::rename(&staged, &target).map_err(doing)?;
    locked.sync_all().map_err(doing)?;
    Ok(version_of(bytes))
}

fn version_of(bytes: &[u8]) -> Version {
    Version {
        e_tag: Some(blake3::hash(bytes).to_hex().to_string()),
        version: None,
    }
}

/// A file that was found in a folder.
struct Found<'a> {
    entry: &'a DirEntry,
    /// It is a link, and this is what it leads to.
    target: Option<Metadata>,
}

impl Found<'_> {
    /// Describes the file; asked of the open folder, which saves the system the way there.
    fn metadata(&self) -> Result<Metadata, Error> {
        self.target
            .clone()
            .map_or_else(|| self.entry.metadata(), Ok)
    }
}

/// What is made of each file of a folder, by its path where that is UTF-8; `None` where it is of no interest.
type Visit<'a, T> = dyn Fn(Option<String>, &Found<'_>) -> Result<Option<T>, Error> + Sync + 'a;

/// What was found under one name.
enum Entry<T> {
    Folder(PathBuf),
    File(T),
    Nothing,
}

/// Visits every file below a folder, in no order.
fn walk<T: Send>(root: &Path, prefix: &str, visit: &Visit<'_, T>) -> Result<Vec<T>, StoreError> {
    let mut made = Vec::new();
    let mut folders = vec![root.join(prefix)];
    while let Some(folder) = folders.pop() {
        let mut entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(failed("list", &folder, error)),
        };
        let relative = folder.strip_prefix(root).ok().and_then(Path::to_str);
        let look = |entry: Result<DirEntry, Error>| {
            let entry = entry.map_err(|error| failed("list", &folder, error))?;
            match visit_entry(relative, &entry, visit) {
                // Gone since it was listed, or a dangling link.
                Err(error) if is_absent(&error) => Ok(Entry::Nothing),
                Err(error) => Err(failed("list", &entry.path(), error)),
                found => Ok(found.unwrap_or(Entry::Nothing)),
            }
        };
        let first: Vec<_> = entries.by_ref().take(FEW_ENTRIES).collect();
        let found: Vec<Entry<T>> = if first.len() < FEW_ENTRIES {
            first.into_iter().map(look).collect::<Result<_, _>>()?
        } else {
            // A catalogue has a folder with all its images, and each has to be asked for: by all cores, while one goes on reading.
            let all = first.into_iter().chain(entries).par_bridge();
            all.map(look).collect::<Result<_, _>>()?
        };
        for entry in found {
            match entry {
                Entry::Folder(folder) => folders.push(folder),
                Entry::File(file) => made.push(file),
                Entry::Nothing => {}
            }
        }
    }
    Ok(made)
}

/// So few are looked at sooner than handed to other threads.
const FEW_ENTRIES: usize = 256;

fn visit_entry<T>(
    folder: Option<&str>,
    entry: &DirEntry,
    visit: &Visit<'_, T>,
) -> Result<Entry<T>, Error> {
    let kind = entry.file_type()?;
    let target = kind.is_symlink().then(|| std::fs::metadata(entry.path()));
    let target = target.transpose()?;
    if kind.is_dir() || target.as_ref().is_some_and(Metadata::is_dir) {
        return Ok(Entry::Folder(entry.path()));
    }
    let name = entry.file_name();
    let path = folder
        .zip(name.to_str())
        .map(|(folder, name)| match folder {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        });
    let made = visit(path, &Found { entry, target })?;
    Ok(made.map_or(Entry::Nothing, Entry::File))
}

fn is_absent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn failed(operation: &'static str, path: &Path, source: Error) -> StoreError {
    StoreError::Io {
        operation,
        url: path.display().to_string(),
        source,
    }
}

/// Whether a file is one that `object_store` writes aside before it publishes it: `name#1`.
fn is_staged(path: &str) -> bool {
    let suffix = path.rsplit_once('#').map(|(_, suffix)| suffix);
    suffix.is_some_and(|suffix| {
        !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn describe(path: String, metadata: &Metadata) -> ObjectInfo {
    let modified_ns = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
    let changed_ns = metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec();
    let (size_bytes, inode) = (metadata.len(), metadata.ino());
    let mut identity = String::with_capacity(4 * 17);
    for number in [
        size_bytes,
        modified_ns.cast_unsigned(),
        changed_ns.cast_unsigned(),
        inode,
    ] {
        if !identity.is_empty() {
            identity.push('-');
        }
        push_hex(&mut identity, number);
    }
    ObjectInfo {
        path,
        size_bytes,
        identity,
        modified_ns,
    }
}

/// Appends a number as `{:x}` has it, without the formatter's detours: a listing has four of them for each file.
fn push_hex(text: &mut String, number: u64) {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let value = (number >> (4 * digit)) & 0xf;
        text.push(char::from(b"0123456789abcdef"[value as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn odd_names_and_dangling_links_cost_nobody_the_listing() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        for name in [&b"a.jpg"[..], b"caf\xe9.jpg", b"b.jpg#1"] {
            std::fs::write(images.join(OsStr::from_bytes(name)), b"x").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", images.join("dangling.jpg")).unwrap();
        let listed: Vec<String> = list(folder.path(), "images")
            .unwrap()
            .into_iter()
            .map(|info| info.path)
            .collect();
        assert_eq!(listed, ["images/a.jpg"]);
        sweep(folder.path(), "images").unwrap();
        assert!(!images.join("b.jpg#1").exists());
        assert!(images.join("a.jpg").exists());
    }

    #[test]
    fn large_folders_are_listed_as_small_ones() {
        let folder = tempfile::tempdir().unwrap();
        let count = 3 * FEW_ENTRIES;
        for file in 0..count {
            let name = format!("{file}.jpg");
            std::fs::write(folder.path().join(&name), name.as_bytes()).unwrap();
        }
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/x.jpg"), b"x").unwrap();
        std::os::unix::fs::symlink("inner", folder.path().join("linked")).unwrap();
        std::os::unix::fs::symlink("7.jpg", folder.path().join("link.jpg")).unwrap();
        let listed = list(folder.path(), "").unwrap();
        assert_eq!(listed.len(), count + 3);
        assert!(listed.is_sorted_by(|a, b| a.path < b.path));
        for info in &listed {
            assert_eq!(
                head(folder.path(), &info.path).unwrap().as_ref(),
                Some(info)
            );
        }
        let below: Vec<String> = list(folder.path(), "linked")
            .unwrap()
            .into_iter()
            .map(|info| info.path)
            .collect();
        assert_eq!(below, ["linked/x.jpg"]);
    }

    #[test]
    fn numbers_are_written_as_the_formatter_has_them() {
        for number in [
            0,
            1,
            0xf,
            0x10,
            0xabc,
            u64::MAX,
            1 << 63,
            0x0123_4567_89ab_cdef,
        ] {
            let mut text = String::new();
            push_hex(&mut text, number);
            assert_eq!(text, format!("{number:x}"));
        }
        // Before 1970, too: identities that were written down by the formatter still hold.
        let mut text = String::new();
        push_hex(&mut text, (-5_i64).cast_unsigned());
        assert_eq!(text, format!("{:x}", -5_i64));
    }

    #[test]
    fn heads_and_listings_agree() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x"), b"one").unwrap();
        let info = head(folder.path(), "x").unwrap().unwrap();
        assert_eq!(
            list(folder.path(), "").unwrap(),
            std::slice::from_ref(&info)
        );
        assert_eq!(info.size_bytes, 3);
        assert_eq!(head(folder.path(), "x/y").unwrap(), None);
    }
}
