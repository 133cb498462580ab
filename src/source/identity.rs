//! What a file of the source is, without reading it again.
//!
//! On a disk the identity of a file is the digest of its content. A table of (path, size, modification
//! time, inode) → digest keeps unchanged files from being read again; it is a cache of facts about this
//! machine and may be deleted at any time. In a bucket the store's own entity tag is the identity, so that
//! no machine downloads an image to learn that it is unchanged.

use super::SourceError;
use super::known_digests::{KnownDigests, NOWHERE};
use crate::fingerprint::Digest;
use crate::store::{ObjectInfo, Store, StoreError};
use rayon::prelude::*;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Identity and size of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileIdentity {
    /// Digest of the content, or the store's tag of it.
    pub identity: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// Identities of the files of a folder, in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identities(Vec<(String, FileIdentity)>);

impl Identities {
    /// That of one file; `None` where there is no such file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&FileIdentity> {
        let place = self
            .0
            .binary_search_by(|(known, _)| known.as_str().cmp(path));
        place.ok().map(|place| &self.0[place].1)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FileIdentity)> {
        self.0
            .iter()
            .map(|(path, identity)| (path.as_str(), identity))
    }
}

impl FromIterator<(String, FileIdentity)> for Identities {
    fn from_iter<T: IntoIterator<Item = (String, FileIdentity)>>(files: T) -> Self {
        let mut files: Vec<_> = files.into_iter().collect();
        // Stores list in this order, so it is looked at and left.
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(files)
    }
}

/// What the identity of a file begins with that is listed but cannot be read.
pub const UNREADABLE: &str = "unreadable:";

/// A file changed within this time of being digested may change again within one tick of the file system's
/// clock, and look unchanged.
const RACY_NS: i128 = 2_000_000_000;

/// Remembers digests of local files from run to run.
#[derive(Debug, Default)]
pub struct DigestTable {
    path: Option<PathBuf>,
    known: KnownDigests,
}

impl DigestTable {
    /// Reads the table; one that is not there or is damaged is empty.
    #[must_use]
    pub fn load(path: Option<PathBuf>) -> Self {
        let text = path
            .as_deref()
            .and_then(|path| std::fs::read_to_string(path).ok());
        let known = text.map(KnownDigests::parse).unwrap_or_default();
        Self { path, known }
    }

    /// Writes the table, aside and then renamed; a failure costs only time in the next run.
    pub fn save(&self) {
        let Some(path) = self.path.as_deref().filter(|_| self.known.is_changed()) else {
            return;
        };
        if let Err(error) = self.known.write(path) {
            tracing::warn!(path = %path.display(), %error, "cannot keep the table of file digests");
        }
    }

    /// Forgets a file whose content is not what the table says: the next run reads it again.
    pub fn forget(&mut self, store: &dyn Store, path: &str) {
        self.known.remove(store.url(), path);
    }

    /// Identifies one file.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn file(&mut self, store: &dyn Store, path: &str) -> Result<FileIdentity, SourceError> {
        let info = store.head(path)?.ok_or_else(|| StoreError::NotFound {
            url: format!("{}/{path}", store.url()),
        })?;
        let identified = self.identify(store, vec![info], false)?;
        identified
            .into_iter()
            .next()
            .map(|(_, identity)| identity)
            .ok_or_else(|| {
                SourceError::Store(StoreError::NotFound {
                    url: format!("{}/{path}", store.url()),
                })
            })
    }

    /// Identifies every file below a folder; one that cannot be read gets an identity that begins with [`UNREADABLE`].
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn folder(&mut self, store: &dyn Store, folder: &str) -> Result<Identities, SourceError> {
        let infos = store.list(folder)?;
        Ok(self.identify(store, infos, true)?.into_iter().collect())
    }

    fn identify(
        &mut self,
        store: &dyn Store,
        infos: Vec<ObjectInfo>,
        may_be_unreadable: bool,
    ) -> Result<Vec<(String, FileIdentity)>, SourceError> {
        if store.local_root().is_none() {
            return Ok(infos.into_iter().map(by_tag).collect());
        }
        let root = store.url();
        let found: Vec<(ObjectInfo, String, bool)> = infos
            .into_par_iter()
            .map_with(NOWHERE, |near, info| {
                if let Some(digest) = self.known.find(root, &info.path, &info.identity, near) {
                    let digest = digest.to_owned();
                    return Ok((info, digest, false));
                }
                match digest_of(store, &info) {
                    Ok(digest) => Ok((info, digest.as_str().to_owned(), true)),
                    Err(error) if may_be_unreadable => {
                        tracing::warn!(path = info.path, %error, "file cannot be read");
                        let identity = format!("{UNREADABLE}{}", info.identity);
                        Ok((info, identity, false))
                    }
                    Err(error) => Err(error),
                }
            })
            .collect::<Result<_, StoreError>>()?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_nanos());
        let now = i128::try_from(now).unwrap_or(0);
        let mut identities = Vec::with_capacity(found.len());
        for (info, digest, is_new) in found {
            if is_new && now - i128::from(info.modified_ns) > RACY_NS {
                let url = format!("{root}/{}", info.path);
                self.known
                    .insert(url, info.identity.clone(), digest.clone());
            }
            let identity = FileIdentity {
                identity: digest,
                size_bytes: info.size_bytes,
            };
            identities.push((info.path, identity));
        }
        Ok(identities)
    }
}

/// Digests a file by ranges, so that memory does not grow with its size.
fn digest_of(store: &dyn Store, info: &ObjectInfo) -> Result<Digest, StoreError> {
    const RANGE_BYTES: u64 = 8 << 20;
    if info.size_bytes <= RANGE_BYTES {
        return Ok(Digest::of(&store.get(&info.path)?));
    }
    let mut hasher = blake3::Hasher::new();
    let mut start = 0;
    while start < info.size_bytes {
        let end = (start + RANGE_BYTES).min(info.size_bytes);
        hasher.update(&store.get_range(&info.path, start, end)?);
        start = end;
    }
    Ok(Digest::finish(&hasher))
}

fn by_tag(info: ObjectInfo) -> (String, FileIdentity) {
    (
        info.path,
        FileIdentity {
            identity: info.identity,
            size_bytes: info.size_bytes,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ObjectBackedStore;
    use std::fs::File;
    use std::path::Path;
    use std::time::Duration;

    fn age(path: &Path, seconds: u64) {
        let when = SystemTime::now() - Duration::from_secs(seconds);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(when)
            .unwrap();
    }

    #[test]
    fn unchanged_files_are_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/x.jpg");
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(&file, b"one").unwrap();
        age(&file, 60);
        let store = ObjectBackedStore::local(folder.path()).unwrap();
        let table = folder.path().join("table");
        let mut first = DigestTable::load(Some(table.clone()));
        let identities = first.folder(&store, "a").unwrap();
        assert_eq!(
            identities.get("a/x.jpg").unwrap().identity,
            Digest::of(b"one").as_str()
        );
        first.save();

        let mut again = DigestTable::load(Some(table.clone()));
        assert_eq!(again.folder(&store, "a").unwrap(), identities);
        assert!(!again.known.is_changed());

        std::fs::write(&file, b"two").unwrap();
        let mut changed = DigestTable::load(Some(table));
        let identities = changed.folder(&store, "a").unwrap();
        assert_eq!(
            identities.get("a/x.jpg").unwrap().identity,
            Digest::of(b"two").as_str()
        );
        // Written a moment ago: not trusted to stay as it is.
        assert!(!changed.known.is_changed());
    }

    #[test]
    fn in_a_bucket_the_tag_is_the_identity() {
        let store = ObjectBackedStore::memory();
        store
            .create("a/x", bytes::Bytes::from_static(b"x"))
            .unwrap();
        let identity = DigestTable::default().file(&store, "a/x").unwrap();
        assert_ne!(identity.identity, Digest::of(b"x").as_str());
        assert_eq!(identity.size_bytes, 1);
    }
}
