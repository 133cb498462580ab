//! Every operation of a store with every fault on the line: it ends as if there had been none.

use super::bucket::Bucket;
use super::proxy::{Fault, Proxy, Request};
use super::server::Kind;
use crate::conformance::bucket_options;
use bytes::Bytes;
use rayonnage::store::{BucketStore, Store, StoreError, create_idempotent};
use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const FAULTS: [Fault; 8] = [
    Fault::Drop,
    Fault::AnswerLost,
    Fault::Delay(Duration::from_millis(50)),
    Fault::Status(500),
    Fault::Status(503),
    Fault::Truncate,
    Fault::ResetAfter(10),
    Fault::ResetAfter(400),
];

/// The same fault for the first request of each method and path, and none for those that follow.
fn once_each(fault: Fault) -> impl Fn(&Request) -> Option<Fault> + Send + Sync {
    let seen: Mutex<HashSet<(String, String)>> = Mutex::default();
    move |request| {
        let new = (request.method.clone(), request.path.clone());
        seen.lock().unwrap().insert(new).then_some(fault)
    }
}

/// What is done to a store, and must come out.
type Operation = (&'static str, fn(&BucketStore));

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// What was there before: `old` and `folder/a`, `folder/b`.
fn prepare(store: &BucketStore) {
    for path in ["old", "folder/a", "folder/b"] {
        store.create(path, text("old")).unwrap();
    }
}

const OPERATIONS: [Operation; 17] = [
    ("get", |store| assert_eq!(store.get("old").unwrap(), "old")),
    ("get_all", |store| {
        let found = store.get_all(&["old", "folder/a", "none"]);
        assert_eq!(found[0].as_ref().unwrap(), "old");
        assert_eq!(found[1].as_ref().unwrap(), "old");
        assert!(found[2].as_ref().unwrap_err().is_not_found());
    }),
    ("get_range", |store| {
        assert_eq!(store.get_range("old", 1, 3).unwrap(), "ld");
    }),
    ("head", |store| {
        assert_eq!(store.head("old").unwrap().unwrap().size_bytes, 3);
        assert_eq!(store.head("none").unwrap(), None);
    }),
    ("list", |store| {
        assert_eq!(store.list("folder").unwrap().len(), 2);
    }),
    ("folders", |store| {
        assert_eq!(store.folders("").unwrap(), ["folder"]);
    }),
    ("create", |store| {
        // A request whose answer is lost is sent again, and may find its own object: the content tells.
        create_idempotent(store, "new", &text("new")).unwrap();
    }),
    ("create again", |store| {
        let again = store.create("old", text("new"));
        assert!(
            matches!(again, Err(StoreError::AlreadyExists { .. })),
            "{again:?}"
        );
    }),
    ("replace", |store| {
        store.replace("old", text("new")).unwrap();
    }),
    ("replace_if", |store| {
        let (_, version) = store.get_versioned("old").unwrap().unwrap();
        let newer = store
            .replace_if("old", text("new"), Some(&version))
            .unwrap();
        let stale = store.replace_if("old", text("other"), Some(&version));
        assert!(
            matches!(stale, Err(StoreError::Changed { .. })),
            "{stale:?}"
        );
        store
            .replace_if("old", text("newest"), Some(&newer))
            .unwrap();
    }),
    ("copy", |store| store.copy("old", "copy").unwrap()),
    ("get_ranges", |store| {
        assert_eq!(
            store.get_ranges("old", &[(1, 3), (0, 1)]).unwrap(),
            ["ld", "o"]
        );
    }),
    ("head_all", |store| {
        let found = store.head_all(&["old", "none"]);
        assert!(found[0].as_ref().unwrap().is_some() && found[1].as_ref().unwrap().is_none());
    }),
    ("lock", |store| {
        let lock = store.lock("_lock", "me").unwrap();
        lock.check().unwrap();
        lock.check().unwrap();
        drop(lock);
        store.lock("_lock", "me again").unwrap();
    }),
    ("sweep", |store| store.sweep("").unwrap()),
    ("delete", |store| store.delete("old").unwrap()),
    ("upload in pieces", |store| {
        let large: Bytes = (0..11_u32 << 20).map(|at| (at % 251) as u8).collect();
        store.create("large", large.clone()).unwrap();
        assert_eq!(store.get("large").unwrap(), large);
    }),
];

/// What lies in a store, but for what it keeps of itself.
fn contents(store: &BucketStore) -> Vec<(String, Bytes)> {
    let paths = store
        .list("")
        .unwrap()
        .into_iter()
        .map(|object| object.path);
    let of_all = paths.filter(|path| !path.starts_with('_'));
    of_all
        .map(|path| (path.clone(), store.get(&path).unwrap()))
        .collect()
}

fn every_operation_survives_every_fault(kind: Kind) {
    let Some(bucket) = Bucket::on(kind) else {
        return;
    };
    for (name, operation) in OPERATIONS {
        let undisturbed = bucket.store(&format!("{name}/none"), None);
        prepare(&undisturbed);
        operation(&undisturbed);
        let expected = contents(&undisturbed);
        for (number, fault) in FAULTS.into_iter().enumerate() {
            let folder = format!("{name}/{number}");
            let quiet = bucket.store(&folder, None);
            prepare(&quiet);
            let proxy = Proxy::start(bucket.address(), once_each(fault));
            let disturbed = bucket.store(&folder, Some(proxy.address()));
            // The endpoint differs, so conditions are tried here: through faults, too.
            operation(&disturbed);
            assert!(proxy.faults() > 0, "{name} {fault:?}");
            assert_eq!(contents(&quiet), expected, "{kind:?} {name} {fault:?}");
        }
    }
}

#[test]
fn every_operation_on_s3_survives_every_fault() {
    every_operation_survives_every_fault(Kind::S3sFs);
}

#[test]
fn every_operation_on_azure_survives_every_fault() {
    every_operation_survives_every_fault(Kind::Azurite);
}

#[test]
fn a_server_that_is_not_there_is_named_and_given_up() {
    let Some(bucket) = Bucket::on(Kind::S3sFs) else {
        return;
    };
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let started = Instant::now();
    let error = bucket
        .store("root", Some(nobody))
        .get("object")
        .unwrap_err();
    assert!(
        error.to_string().contains(&bucket.url("root/object")),
        "{error}"
    );
    let waited = started.elapsed();
    assert!(
        waited > Duration::from_secs(5) && waited < Duration::from_secs(35),
        "{waited:?}"
    );
}

#[test]
fn a_refusal_is_final() {
    let Some(bucket) = Bucket::on(Kind::S3sFs) else {
        return;
    };
    let refusing = Proxy::start(bucket.address(), |_| Some(Fault::Status(403)));
    let store = bucket.store("root", Some(refusing.address()));
    let error = store.get("object").unwrap_err().to_string();
    assert!(error.contains(&bucket.url("root/object")), "{error}");
    assert_eq!(refusing.requests(), 1);
}

#[test]
fn pieces_of_an_upload_that_was_never_completed_are_swept() {
    let Some(bucket) = Bucket::on(Kind::S3sFs) else {
        return;
    };
    // The writer dies when it would complete: whatever it tries then, nobody hears.
    let cut = Proxy::start(bucket.address(), |request| {
        let is_end = request.method == "POST" && request.path.contains("uploadId=");
        let is_abort = request.method == "DELETE" && request.path.contains("uploadId=");
        (is_end || is_abort).then_some(Fault::Status(400))
    });
    let dying = bucket.store("root", Some(cut.address()));
    let large = Bytes::from(vec![7; bucket_options().most_bytes_at_once + 1]);
    dying.create("stage/abc/large", large.clone()).unwrap_err();
    let next = bucket.store("root", None);
    let notes = || next.list("_uploads").unwrap().len();
    assert_eq!(notes(), 1);
    next.sweep("stage/other").unwrap();
    assert_eq!(notes(), 1, "that of another checkpoint is left alone");
    let watching = Proxy::start(bucket.address(), |_| None);
    bucket
        .store("root", Some(watching.address()))
        .sweep("stage/abc")
        .unwrap();
    assert_eq!(notes(), 0);
    let aborted = watching
        .log()
        .into_iter()
        .filter(|request| request.method == "DELETE" && request.path.contains("uploadId="));
    assert_eq!(
        aborted.map(|request| request.status).collect::<Vec<_>>(),
        [Some(204)]
    );
    next.create("stage/abc/large", large.clone()).unwrap();
    assert_eq!(next.get("stage/abc/large").unwrap(), large);
}
