//! The publication of predictions below the sink.
//!
//! ```text
//! predictions/dt=YYYY-MM-DD/run=<id>/part-00000-<digest>.parquet
//! predictions/dt=YYYY-MM-DD/run=<id>/_manifest.json                 schema, rows, digests, model, scores
//! predictions/dt=YYYY-MM-DD/run=<id>/_SUCCESS                       complete
//! predictions/latest.json                                           moves last, never to an older date
//! predictions/_lock                                                 held while publishing
//! ```
//!
//! *Invariant*: a consumer that goes by `latest.json` or `_SUCCESS` never sees half a night. The id is a digest of the manifest,
//! and with it of the rows: publishing the same content for the same date again writes nothing, and what a killed run left of it
//! fits.

use super::{Environment, StageError};
use crate::checkpoint::{CheckpointReader, FILES, Manifest, contents_of};
use crate::store::{LockGuard, Store, StoreError, create_idempotent};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// File with the manifest of a publication, in the checkpoint and in the sink.
pub(super) const MANIFEST: &str = "_manifest.json";

const FOLDER: &str = "predictions";
const LATEST: &str = "predictions/latest.json";
const LOCK: &str = "predictions/_lock";
/// End of the path of what says that a publication is complete.
const SUCCESS: &str = "/_SUCCESS";

/// What `latest.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Latest {
    date: String,
    run: String,
    path: String,
    rows: u64,
}

/// Identity of a publication: of the content files of its checkpoint.
fn id_of(manifest: &Manifest) -> String {
    contents_of(manifest)
        .get(FILES)
        .map(|digest| digest.short().to_owned())
        .unwrap_or_default()
}

/// Folder of a publication below the sink.
pub(super) fn path(date: &str, manifest: &Manifest) -> String {
    format!("{FOLDER}/dt={date}/run={}", id_of(manifest))
}

/// The publications of a date that need nothing more: complete, and what `latest.json` points to unless it points to a
/// newer date.
pub(super) fn held(sink: &dyn Store, date: &str) -> Result<BTreeSet<String>, StageError> {
    let mut runs = BTreeSet::new();
    let Some(latest) = read_latest(sink)?.filter(|latest| latest.date.as_str() >= date) else {
        return Ok(runs);
    };
    let folder = format!("{FOLDER}/dt={date}");
    for name in sink.folders(&folder)? {
        let Some(run) = name.strip_prefix("run=") else {
            continue;
        };
        let is_superseded =
            latest.date == date && (latest.run != run || latest.path != format!("{folder}/{name}"));
        if !is_superseded && is_whole(sink, &format!("{folder}/{name}"))? {
            runs.insert(run.to_owned());
        }
    }
    Ok(runs)
}

/// Brings the exported parts of a checkpoint to the sink, and points `latest.json` at them.
pub(super) fn deliver(
    environment: &Environment,
    reader: &CheckpointReader,
    dataset: &str,
    date: &str,
) -> Result<(), StageError> {
    let sink = &*environment.sink;
    let lock = lock(sink, &format!("process {}", std::process::id()))?;
    let path = path(date, reader.manifest());
    let rows = reader.dataset(dataset)?.rows;
    sink.sweep(FOLDER)?;
    push(environment, reader, dataset, &path, &lock)?;
    let (date, run) = (date.to_owned(), id_of(reader.manifest()));
    let latest = Latest {
        date,
        run,
        path,
        rows,
    };
    let moved = lock
        .check()
        .map_err(lost_race)
        .and_then(|()| move_latest(sink, &latest));
    if let Err(StageError::LostRace { .. }) = &moved {
        // Whoever goes by it alone must not see this one.
        sink.delete(&format!("{}{SUCCESS}", latest.path))?;
    }
    if !moved? {
        tracing::warn!(
            date = latest.date,
            "latest.json stays where it is: it points to a newer date"
        );
    }
    drop_old_dates(sink, environment.config.sink.retain, &latest)
}

/// What of `_manifest.json` tells whether a publication is whole.
#[derive(Debug, Deserialize)]
struct Listing {
    parts: Vec<ListedPart>,
}

#[derive(Debug, Deserialize)]
struct ListedPart {
    file: String,
    bytes: u64,
    #[serde(default)]
    digest: String,
}

/// The publication that `latest.json` points to: what it holds already is copied inside the store.
struct Earlier {
    path: String,
    parts: Vec<ListedPart>,
}

impl Earlier {
    /// Reads what there is besides the publication at `path` itself.
    fn read(sink: &dyn Store, path: &str) -> Result<Self, StageError> {
        let latest = read_latest(sink)?.filter(|latest| latest.path != path);
        let earlier = latest.map(|latest| latest.path).unwrap_or_default();
        let listed = match sink.get(&format!("{earlier}/{MANIFEST}")) {
            _ if earlier.is_empty() => None,
            Err(_) => None,
            Ok(bytes) => serde_json::from_slice::<Listing>(&bytes).ok(),
        };
        Ok(Self {
            path: earlier,
            parts: listed.map(|listing| listing.parts).unwrap_or_default(),
        })
    }

    /// Copies a part from there; says whether it is in its place now.
    fn bring(
        &self,
        sink: &dyn Store,
        file: &str,
        digest: &str,
        target: &str,
    ) -> Result<bool, StageError> {
        let is_it = |part: &&ListedPart| part.file == file && part.digest == digest;
        let Some(part) = self.parts.iter().find(is_it) else {
            return Ok(false);
        };
        let source = format!("{}/{file}", self.path);
        let found = sink.head(&source)?;
        if found.is_none_or(|found| found.size_bytes != part.bytes) {
            return Ok(false);
        }
        match sink.copy(&source, target) {
            Ok(()) => Ok(true),
            // Half of an earlier attempt: its bytes are compared.
            Err(StoreError::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Deletes the publications of all but the newest complete dates, and what lies incomplete before the oldest of them. What
/// `latest.json` points to stays, and one of an older date that was made just now until the next.
fn drop_old_dates(sink: &dyn Store, retain: usize, made: &Latest) -> Result<(), StageError> {
    if retain == 0 {
        return Ok(());
    }
    let latest = read_latest(sink)?.map(|latest| latest.date);
    let folders = sink.folders(FOLDER)?;
    let mut is_complete = Vec::new();
    for folder in folders.iter().filter(|name| name.starts_with("dt=")) {
        let objects = sink.list(&format!("{FOLDER}/{folder}"))?;
        let has_success = objects.iter().any(|object| object.path.ends_with(SUCCESS));
        is_complete.push((folder, objects, has_success));
    }
    let complete = is_complete.iter().filter(|(.., complete)| *complete);
    let complete: Vec<&String> = complete.map(|(folder, ..)| *folder).collect();
    let Some(oldest) = complete.iter().rev().take(retain).next_back() else {
        return Ok(());
    };
    let oldest = (*oldest).clone();
    for (folder, mut objects, _) in is_complete {
        let date = folder.trim_start_matches("dt=");
        let is_spared = date == made.date || Some(date) == latest.as_deref();
        if *folder >= oldest || is_spared {
            continue;
        }
        // What says that a publication is complete goes first.
        objects.sort_by_key(|object| !object.path.ends_with(SUCCESS));
        for object in objects {
            sink.delete(&object.path)?;
        }
        tracing::info!(folder, "publications of an old date are deleted");
    }
    Ok(())
}

/// Whether a publication is complete and every part is there in its size.
fn is_whole(sink: &dyn Store, path: &str) -> Result<bool, StageError> {
    if sink.head(&format!("{path}/_SUCCESS"))?.is_none() {
        return Ok(false);
    }
    let manifest = match sink.get(&format!("{path}/{MANIFEST}")) {
        Err(error) if error.is_not_found() => return Ok(false),
        other => other?,
    };
    let Ok(listing) = serde_json::from_slice::<Listing>(&manifest) else {
        return Ok(false);
    };
    for part in listing.parts {
        let found = sink.head(&format!("{path}/{}", part.file))?;
        if found.is_none_or(|found| found.size_bytes != part.bytes) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Creates an object of a publication; one that is there with other bytes is damaged, and is mended.
fn put(sink: &dyn Store, path: &str, bytes: &Bytes) -> Result<(), StageError> {
    match create_idempotent(sink, path, bytes) {
        Err(StoreError::Conflict { url }) => {
            tracing::warn!(
                object = url,
                "published object is damaged and is written again"
            );
            Ok(sink.replace(path, bytes.clone())?)
        }
        other => Ok(other?),
    }
}

/// Another publisher was there first.
fn lost_race(error: StoreError) -> StageError {
    match error {
        StoreError::Locked { url, owner } => StageError::LostRace {
            detail: format!("{url} is held by {owner}"),
        },
        error @ (StoreError::LockLost { .. } | StoreError::Changed { .. }) => {
            StageError::LostRace {
                detail: error.to_string(),
            }
        }
        error => error.into(),
    }
}

fn lock(sink: &dyn Store, owner: &str) -> Result<LockGuard, StageError> {
    sink.lock(LOCK, owner).map_err(lost_race)
}

/// Copies what the checkpoint holds, `_SUCCESS` last.
fn push(
    environment: &Environment,
    reader: &CheckpointReader,
    dataset: &str,
    path: &str,
    lock: &LockGuard,
) -> Result<(), StageError> {
    let sink = &*environment.sink;
    if is_whole(sink, path)? {
        return Ok(());
    }
    let earlier = Earlier::read(sink, path)?;
    for part in &reader.dataset(dataset)?.parts {
        environment.check_cancelled()?;
        let target = format!("{path}/{}", part.file);
        if earlier.bring(sink, &part.file, part.digest.as_str(), &target)? {
            continue;
        }
        let bytes = reader.part_bytes(dataset, part)?;
        put(sink, &target, &bytes)?;
    }
    put(sink, &format!("{path}/{MANIFEST}"), &reader.file(MANIFEST)?)?;
    // From here on it is visible.
    lock.check().map_err(lost_race)?;
    put(sink, &format!("{path}/_SUCCESS"), &Bytes::new())?;
    Ok(())
}

fn read_latest(sink: &dyn Store) -> Result<Option<Latest>, StageError> {
    match sink.get(LATEST) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(latest) => Ok(Some(latest)),
            // Damaged: it must still not move to an older date than what is there.
            Err(_) => newest(sink),
        },
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Stands in for a damaged `latest.json`: the newest date with a complete publication, which no publication equals.
fn newest(sink: &dyn Store) -> Result<Option<Latest>, StageError> {
    for folder in sink.folders(FOLDER)?.iter().rev() {
        let Some(date) = folder.strip_prefix("dt=") else {
            continue;
        };
        for name in sink.folders(&format!("{FOLDER}/{folder}"))? {
            if sink
                .head(&format!("{FOLDER}/{folder}/{name}/_SUCCESS"))?
                .is_some()
            {
                let (date, run, path) = (date.to_owned(), String::new(), String::new());
                return Ok(Some(Latest {
                    date,
                    run,
                    path,
                    rows: 0,
                }));
            }
        }
    }
    Ok(None)
}

/// Points `latest.json` at a publication unless somebody moves it meanwhile; says whether it points there now.
fn move_latest(sink: &dyn Store, latest: &Latest) -> Result<bool, StageError> {
    let found = sink.get_versioned(LATEST)?;
    match read_latest(sink)? {
        Some(current) if current == *latest => Ok(true),
        Some(current) if current.date > latest.date => Ok(false),
        _ => {
            let json = format!("{:#}\n", json!(latest));
            let version = found.as_ref().map(|(_, version)| version);
            sink.replace_if(LATEST, Bytes::from(json), version)
                .map_err(lost_race)?;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ObjectBackedStore;

    fn latest(date: &str, run: &str) -> Latest {
        Latest {
            date: date.into(),
            run: run.into(),
            path: "p".into(),
            rows: 1,
        }
    }

    #[test]
    fn latest_never_moves_to_an_older_date() {
        let sink = ObjectBackedStore::memory();
        assert!(move_latest(&sink, &latest("2026-11-20", "a")).unwrap());
        assert!(!move_latest(&sink, &latest("2026-11-19", "b")).unwrap());
        assert_eq!(read_latest(&sink).unwrap(), Some(latest("2026-11-20", "a")));
        assert!(move_latest(&sink, &latest("2026-11-20", "c")).unwrap());
        assert!(move_latest(&sink, &latest("2026-11-21", "d")).unwrap());
        assert_eq!(read_latest(&sink).unwrap(), Some(latest("2026-11-21", "d")));
    }

    #[test]
    fn a_damaged_latest_is_replaced() {
        let sink = ObjectBackedStore::memory();
        sink.replace(LATEST, Bytes::from_static(b"{")).unwrap();
        assert!(move_latest(&sink, &latest("2026-11-20", "a")).unwrap());
    }

    #[test]
    fn the_second_publisher_has_lost_the_race() {
        let sink = ObjectBackedStore::memory();
        let first = lock(&sink, "one").unwrap();
        assert!(matches!(
            lock(&sink, "two"),
            Err(StageError::LostRace { .. })
        ));
        drop(first);
        assert!(lock(&sink, "two").is_ok());
    }
}
