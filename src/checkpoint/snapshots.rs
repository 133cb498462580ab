//! Epoch snapshots of a stage that trains: what lies in its unfinished checkpoint so that the next run goes on from there.
//!
//! `snapshots/epoch-00007-<digest>.safetensors`, the last two. They are no part of the checkpoint: no manifest lists them,
//! and they are deleted once it is complete. Invariant: the bytes of a snapshot that is handed out are those that were
//! written, whole; the one before it is there until the next but one is; and whatever is the matter with one, the one before
//! it serves.

use super::CheckpointError;
use super::stored::read_whole;
use super::writer::put_or_mend;
use crate::fingerprint::Digest;
use crate::store::SharedStore;
use bytes::Bytes;

/// Folder of a checkpoint's snapshots.
pub(super) const FOLDER: &str = "snapshots";

/// Snapshots that are kept: should the newest be damaged, the one before it serves.
const KEPT: usize = 2;

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    epoch: usize,
    path: String,
    short_digest: String,
}

/// The snapshots of one checkpoint, oldest first.
#[derive(Debug)]
pub(super) struct Snapshots {
    store: SharedStore,
    folder: String,
    entries: Vec<Entry>,
    /// Those that the store did not hand out.
    unread: Vec<Entry>,
}

impl Snapshots {
    /// Finds the snapshots in the folder of a checkpoint.
    pub(super) fn find(store: SharedStore, checkpoint: &str) -> Result<Self, CheckpointError> {
        let folder = format!("{checkpoint}/{FOLDER}");
        let mut entries: Vec<Entry> = store
            .list(&folder)?
            .into_iter()
            .filter_map(|object| entry(object.path))
            .collect();
        entries.sort_by_key(|entry| entry.epoch);
        Ok(Self {
            store,
            folder,
            entries,
            unread: Vec::new(),
        })
    }

    /// Reads the newest one that is whole and that the store hands out. Those that are damaged are deleted; those that cannot be
    /// read stay where they are: they may be good, and the next run may have more luck.
    pub(super) fn newest(&mut self) -> Option<Bytes> {
        while let Some(entry) = self.entries.last() {
            match read_whole(&self.store, &entry.path, &entry.short_digest) {
                Ok(Some(bytes)) => {
                    // A run that was killed between a write and the deletion after it left one too many.
                    warn(self.delete_old());
                    return Some(bytes);
                }
                Ok(None) => warn(self.delete_newest()),
                Err(error) => {
                    let object = &entry.path;
                    tracing::warn!(object, %error, "cannot read an epoch snapshot; the one before it serves");
                    self.unread.extend(self.entries.pop());
                }
            }
        }
        None
    }

    /// Deletes the newest one.
    pub(super) fn delete_newest(&mut self) -> Result<(), CheckpointError> {
        if let Some(entry) = self.entries.pop() {
            self.store.delete(&entry.path)?;
        }
        Ok(())
    }

    /// Writes the one of an epoch, then deletes what is too old.
    pub(super) fn save(&mut self, epoch: usize, bytes: Bytes) -> Result<(), CheckpointError> {
        let short_digest = Digest::of(&bytes).short().to_owned();
        let path = format!(
            "{}/epoch-{epoch:05}-{short_digest}.safetensors",
            self.folder
        );
        put_or_mend(&self.store, &path, bytes)?;
        self.entries.push(Entry {
            epoch,
            path,
            short_digest,
        });
        self.delete_old()
    }

    fn delete_old(&mut self) -> Result<(), CheckpointError> {
        let old = self.entries.len().saturating_sub(KEPT);
        for entry in self.entries.drain(..old) {
            self.store.delete(&entry.path)?;
        }
        Ok(())
    }

    /// Deletes all.
    pub(super) fn delete_all(mut self) -> Result<(), CheckpointError> {
        for entry in self.entries.drain(..).chain(self.unread.drain(..)) {
            self.store.delete(&entry.path)?;
        }
        Ok(())
    }
}

/// A snapshot that is left over takes space and does no harm.
fn warn(deleted: Result<(), CheckpointError>) {
    if let Err(error) = deleted {
        tracing::warn!(%error, "cannot delete an epoch snapshot");
    }
}

fn entry(path: String) -> Option<Entry> {
    let (_, file) = path.rsplit_once('/')?;
    let (epoch, digest) = parse_file(file)?;
    Some(Entry {
        epoch,
        short_digest: digest.to_owned(),
        path,
    })
}

/// Reads the name of a snapshot back into epoch and short digest.
fn parse_file(file: &str) -> Option<(usize, &str)> {
    let rest = file.strip_prefix("epoch-")?.strip_suffix(".safetensors")?;
    let (epoch, digest) = rest.split_once('-')?;
    Some((epoch.parse().ok()?, digest))
}

/// Whether a file is called as a snapshot is.
pub(super) fn is_snapshot(file: &str) -> bool {
    parse_file(file).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Fault, FaultStore, ObjectBackedStore, Store};
    use std::sync::Arc;

    fn store() -> SharedStore {
        Arc::new(ObjectBackedStore::memory())
    }

    fn find(store: &SharedStore) -> Snapshots {
        Snapshots::find(store.clone(), "net/abc").unwrap()
    }

    fn saved(epochs: &[usize]) -> SharedStore {
        let store = store();
        let mut snapshots = find(&store);
        for &epoch in epochs {
            let bytes = Bytes::from(format!("state {epoch}"));
            snapshots.save(epoch, bytes).unwrap();
        }
        store
    }

    fn newest(snapshots: &mut Snapshots) -> Option<String> {
        let bytes = snapshots.newest();
        bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn names(store: &dyn Store) -> Vec<String> {
        let objects = store.list("net/abc/snapshots").unwrap().into_iter();
        objects.map(|object| object.path).collect()
    }

    #[test]
    fn the_last_two_are_kept_and_the_newest_is_read() {
        let store = saved(&[8, 9, 10, 100_001]);
        assert_eq!(names(&*store).len(), 2);
        assert_eq!(newest(&mut find(&store)).unwrap(), "state 100001");
        find(&store).delete_all().unwrap();
        assert!(names(&*store).is_empty());
        assert_eq!(newest(&mut find(&store)), None);
    }

    #[test]
    fn what_is_damaged_or_of_no_use_gives_way_to_the_one_before() {
        let store = saved(&[3, 4]);
        let last = names(&*store).pop().unwrap();
        store.replace(&last, Bytes::from_static(b"state")).unwrap();
        let mut snapshots = find(&store);
        assert_eq!(newest(&mut snapshots).unwrap(), "state 3");
        assert_eq!(names(&*store).len(), 1, "the damaged one is deleted");
        snapshots.delete_newest().unwrap();
        assert_eq!(newest(&mut snapshots), None);
        assert!(names(&*store).is_empty());
    }

    #[test]
    fn one_that_cannot_be_read_gives_way_to_the_one_before_and_stays() {
        let store = saved(&[3, 4]);
        let before = names(&*store);
        let faulty: SharedStore =
            Arc::new(FaultStore::new(store.clone(), Fault::Never).unreadable(&before[1]));
        let mut snapshots = find(&faulty);
        assert_eq!(newest(&mut snapshots).unwrap(), "state 3");
        assert_eq!(names(&*store), before);
        // The training goes on from there, and passes the epoch of the one that is hidden.
        snapshots.save(4, Bytes::from_static(b"again 4")).unwrap();
        assert_eq!(newest(&mut snapshots).unwrap(), "again 4");
        snapshots.delete_all().unwrap();
        assert!(names(&*store).is_empty());
    }

    #[test]
    fn what_cannot_be_deleted_hides_no_snapshot() {
        let store = saved(&[3, 4]);
        let last = names(&*store).pop().unwrap();
        store.replace(&last, Bytes::from_static(b"torn")).unwrap();
        let refusing = FaultStore::new(store.clone(), Fault::Before(0));
        let refusing: SharedStore = Arc::new(refusing);
        assert_eq!(newest(&mut find(&refusing)).unwrap(), "state 3");
    }

    #[test]
    fn a_snapshot_may_be_written_again_and_one_too_many_is_deleted() {
        let store = saved(&[3, 4]);
        let mut snapshots = find(&store);
        let again = Bytes::from_static(b"state 5");
        let path = format!(
            "net/abc/snapshots/epoch-00005-{}.safetensors",
            Digest::of(&again).short()
        );
        store.create(&path, again.clone()).unwrap();
        assert_eq!(newest(&mut find(&store)).unwrap(), "state 5");
        assert_eq!(names(&*store).len(), 2, "epoch 3 is deleted");
        store.replace(&path, Bytes::from_static(b"torn")).unwrap();
        snapshots.save(5, again).unwrap();
        assert_eq!(newest(&mut find(&store)).unwrap(), "state 5");
    }

    #[test]
    fn other_names_are_passed_over() {
        let store = store();
        for name in [
            "epoch-x-1.safetensors",
            "notes.txt",
            "epoch-00001.safetensors",
        ] {
            let path = format!("net/abc/snapshots/{name}");
            store.create(&path, Bytes::from_static(b"x")).unwrap();
        }
        assert_eq!(newest(&mut find(&store)), None);
        assert_eq!(names(&*store).len(), 3);
    }
}
