//! Large objects go up in pieces, and pieces that a killed writer left are swept away.
//!
//! Stores keep the pieces of an upload until it is completed or aborted, unseen and paid for, and only some of them list
//! uploads. So an upload is noted in an object of its own before its first piece, which is deleted after the last; whoever
//! sweeps aborts what is noted.

use super::bucket::BucketStore;
use super::remote::Uploads;
use super::{Store, StoreError};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{MultipartId, PutPayload};
use serde::{Deserialize, Serialize};

/// Folder of the notes, in the root of the store.
pub(super) const FOLDER: &str = "_uploads";

/// Pieces under way at a time.
const PIECES_AT_ONCE: usize = 4;

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    path: String,
    id: MultipartId,
}

/// Uploads an object in pieces of `piece_bytes`.
pub(super) fn upload(
    store: &BucketStore,
    uploads: &Uploads,
    path: &str,
    location: &ObjectPath,
    bytes: &Bytes,
    piece_bytes: usize,
) -> Result<(), StoreError> {
    let id = store.retrying("begin the upload of", path, || {
        uploads.0.create_multipart(location)
    })?;
    let note = format!("{FOLDER}/{}.json", super::conditions::nonce());
    let json = serde_json::to_vec(&Note {
        path: path.to_owned(),
        id: id.clone(),
    });
    let noted = store.overwrite(&note, &Bytes::from(json.unwrap_or_default()));
    let result = noted.and_then(|()| send(store, uploads, path, location, bytes, piece_bytes, &id));
    if result.is_err() {
        // Whoever sweeps tries again.
        let aborted = store.wait(
            "abort the upload of",
            path,
            uploads.0.abort_multipart(location, &id),
        );
        if aborted.is_err() {
            return result;
        }
    }
    let forgotten = store.delete(&note);
    result.and(forgotten)
}

fn send(
    store: &BucketStore,
    uploads: &Uploads,
    path: &str,
    location: &ObjectPath,
    bytes: &Bytes,
    piece_bytes: usize,
    id: &MultipartId,
) -> Result<(), StoreError> {
    let count = bytes.len().div_ceil(piece_bytes);
    let piece = |index: usize| {
        let end = bytes.len().min((index + 1) * piece_bytes);
        let payload = PutPayload::from_bytes(bytes.slice(index * piece_bytes..end));
        uploads.0.put_part(location, id, index, payload)
    };
    let pieces = futures::stream::iter(0..count).map(piece);
    let parts = pieces.buffered(PIECES_AT_ONCE).try_collect();
    let parts: Vec<_> = store.wait("write", path, parts)?;
    let completed = store.wait(
        "write",
        path,
        uploads.0.complete_multipart(location, id, parts),
    );
    match completed {
        Ok(_) => Ok(()),
        // The answer may be lost and the object there: the name was free before, so it is this one.
        Err(error) => match store.head(path)? {
            Some(found) if found.size_bytes == bytes.len() as u64 => Ok(()),
            _ => Err(error),
        },
    }
}

/// Aborts the noted uploads below a prefix.
pub(super) fn sweep(
    store: &BucketStore,
    uploads: &Uploads,
    prefix: &str,
) -> Result<(), StoreError> {
    for note in store.list(FOLDER)? {
        let bytes = match store.get(&note.path) {
            Err(error) if error.is_not_found() => continue,
            other => other?,
        };
        let Ok(Note { path, id }) = serde_json::from_slice(&bytes) else {
            store.delete(&note.path)?;
            continue;
        };
        let is_below = prefix.is_empty() || path.starts_with(&format!("{prefix}/"));
        if !is_below {
            continue;
        }
        let location = store.locate(&path)?;
        match store.wait(
            "abort the upload of",
            &path,
            uploads.0.abort_multipart(&location, &id),
        ) {
            Ok(()) => tracing::info!(path, "swept an upload that was never completed"),
            // Completed after all, or swept by the store itself.
            Err(error) if error.is_not_found() => {}
            Err(error) if store.head(&path)?.is_none() => {
                tracing::warn!(path, %error, "cannot sweep an upload that was never completed");
                continue;
            }
            Err(_) => {}
        }
        store.delete(&note.path)?;
    }
    Ok(())
}
