//! Looking at a folder of the local disk directly: listing, identity of a file, sweeping.
//!
//! `object_store` would fail a whole listing for one file name that is not UTF-8; a catalogue's image folder may hold
//! anything, and such a name can stand in no table. The identity of a file is its size, modification time, change time and
//! inode: a rewrite in place shows in the change time, which no program can set.

use super::{ObjectInfo, StoreError, Version};
use bytes::Bytes;
use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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
    let mut infos = Vec::new();
    let mut odd_names = 0_u64;
    walk(root, prefix, &mut |path, metadata| match path {
        Some(path) if !is_staged(path) => infos.push(describe(path.to_owned(), metadata)),
        Some(_) => {}
        None => odd_names += 1,
    })?;
    if odd_names > 0 {
        tracing::warn!(folder = %root.join(prefix).display(), odd_names, "file names that are not UTF-8 are passed over");
    }
    infos.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(infos)
}

/// Deletes what `object_store` wrote aside below a folder and was killed before it published it, and folders without any file.
pub(super) fn sweep(root: &Path, prefix: &str) -> Result<(), StoreError> {
    let mut staged = Vec::new();
    walk(root, prefix, &mut |path, _| {
        staged.extend(path.filter(|path| is_staged(path)).map(str::to_owned));
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

/// Visits every file below a folder, with its path relative to the root where that is UTF-8.
fn walk(
    root: &Path,
    prefix: &str,
    visit: &mut dyn FnMut(Option<&str>, &Metadata),
) -> Result<(), StoreError> {
    let mut folders = vec![root.join(prefix)];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(failed("list", &folder, error)),
        };
        for entry in entries {
            let path = entry
                .map_err(|error| failed("list", &folder, error))?
                .path();
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => folders.push(path),
                Ok(metadata) => {
                    let relative = path.strip_prefix(root).ok().and_then(Path::to_str);
                    visit(relative, &metadata);
                }
                // Gone since it was listed, or a dangling link.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(failed("list", &path, error)),
            }
        }
    }
    Ok(())
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
    let identity = format!("{size_bytes:x}-{modified_ns:x}-{changed_ns:x}-{inode:x}");
    ObjectInfo {
        path,
        size_bytes,
        identity,
        modified_ns,
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
