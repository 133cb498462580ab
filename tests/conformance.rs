//! One suite over every store: what the rest of the program builds on.

use bytes::Bytes;
use rayonnage::store::{
    BucketOptions, BucketStore, Fault, FaultStore, ObjectBackedStore, RECORD_FILE, RecordingStore,
    SharedStore, Store, StoreError, create_idempotent,
};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Runs a test on every store there is, each empty.
fn on_every_store(test: impl Fn(&dyn Store)) {
    let folder = TempDir::new().unwrap();
    let local = |name: &str| {
        Arc::new(ObjectBackedStore::local(&folder.path().join(name)).unwrap()) as SharedStore
    };
    let memory = || Arc::new(ObjectBackedStore::memory()) as SharedStore;
    test(&*memory());
    test(&*local("plain"));
    test(&BucketStore::in_memory(bucket_options()));
    for inner in [memory(), local("recorded")] {
        test(&RecordingStore::new(inner));
    }
    for inner in [memory(), local("faulty")] {
        test(&FaultStore::new(inner, Fault::Never));
    }
}

/// Makes a test of each part of the suite, on the stores of this machine; `SUITE` is for those of others.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        /// Every part of the suite by name; each wants an empty store.
        pub const SUITE: &[(&str, fn(&dyn Store))] = &[$((stringify!($name), $name)),*];

        mod here {
            $(#[test]
            fn $name() {
                super::on_every_store(super::$name);
            })*
        }
    };
}

suite! {
    conditional_writes_go_by_the_version_that_was_read,
    of_several_conditional_writes_at_a_time_one_is_done,
    several_objects_and_ranges_are_read_in_their_order,
    large_objects_are_whole,
    create_is_create_only,
    creating_the_same_bytes_again_is_no_conflict,
    replace_writes_whether_or_not_there_is_one,
    what_is_not_there_is_not_found,
    ranges_are_half_open,
    empty_objects_are_objects,
    heads_tell_size_and_change_of_identity,
    listings_are_recursive_sorted_and_by_whole_folders,
    copies_are_create_only_and_leave_the_source,
    deleted_objects_are_gone,
    paths_that_leave_the_root_are_refused,
    a_lock_is_held_by_one_and_freed_with_its_guard,
    sweeping_takes_no_object,
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// The objects below a prefix, without what a bucket keeps of itself.
fn paths(store: &dyn Store, prefix: &str) -> Vec<String> {
    let listed = store.list(prefix).unwrap();
    let paths = listed.into_iter().map(|object| object.path);
    paths.filter(|path| path != RECORD_FILE).collect()
}

/// Short times, and pieces that small objects are made of.
pub fn bucket_options() -> BucketOptions {
    BucketOptions {
        most_bytes_at_once: 6 << 20,
        piece_bytes: 5 << 20,
        lock_timeout: Duration::from_secs(2),
    }
}

fn create_is_create_only(store: &dyn Store) {
    store.create("a/b.txt", bytes("one")).unwrap();
    let again = store.create("a/b.txt", bytes("two"));
    let Err(StoreError::AlreadyExists { url }) = again else {
        panic!("{again:?} on {store:?}")
    };
    assert!(
        url.starts_with(store.url()) && url.ends_with("a/b.txt"),
        "{url}"
    );
    assert_eq!(store.get("a/b.txt").unwrap(), "one");
}

fn creating_the_same_bytes_again_is_no_conflict(store: &dyn Store) {
    create_idempotent(store, "a", &bytes("one")).unwrap();
    create_idempotent(store, "a", &bytes("one")).unwrap();
    let other = create_idempotent(store, "a", &bytes("two"));
    assert!(matches!(other, Err(StoreError::Conflict { .. })));
    assert_eq!(store.get("a").unwrap(), "one");
}

fn replace_writes_whether_or_not_there_is_one(store: &dyn Store) {
    store.replace("a/b", bytes("one")).unwrap();
    store.replace("a/b", bytes("other")).unwrap();
    assert_eq!(store.get("a/b").unwrap(), "other");
    assert_eq!(paths(store, ""), ["a/b"], "nothing is left beside it");
}

fn conditional_writes_go_by_the_version_that_was_read(store: &dyn Store) {
    assert!(store.get_versioned("a").unwrap().is_none());
    let first = store.replace_if("a", bytes("one"), None).unwrap();
    let (content, read) = store.get_versioned("a").unwrap().unwrap();
    assert_eq!((content, &read), (bytes("one"), &first));
    let second = store.replace_if("a", bytes("two"), Some(&first)).unwrap();
    for stale in [Some(&first), None] {
        let refused = store.replace_if("a", bytes("three"), stale);
        assert!(
            matches!(refused, Err(StoreError::Changed { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(store.get("a").unwrap(), "two");
    store.delete("a").unwrap();
    let gone = store.replace_if("a", bytes("four"), Some(&second));
    assert!(matches!(gone, Err(StoreError::Changed { .. })), "{gone:?}");
    assert_eq!(paths(store, ""), [""; 0]);
}

fn of_several_conditional_writes_at_a_time_one_is_done(store: &dyn Store) {
    for round in 0..3 {
        let before = store
            .get_versioned("a")
            .unwrap()
            .map(|(_, version)| version);
        let write = |writer: usize| {
            let content = format!("{round} {writer}");
            store.replace_if("a", bytes(&content), before.as_ref())
        };
        let done = std::thread::scope(|scope| {
            let writing: Vec<_> = (0..4)
                .map(|writer| scope.spawn(move || write(writer)))
                .collect();
            let results = writing.into_iter().map(|thread| thread.join().unwrap());
            results.flatten().count()
        });
        assert_eq!(done, 1, "round {round}");
    }
}

fn several_objects_and_ranges_are_read_in_their_order(store: &dyn Store) {
    let names: Vec<String> = (0..40).map(|index| format!("many/{index}")).collect();
    for name in &names {
        store.create(name, bytes(name)).unwrap();
    }
    let mut wanted: Vec<&str> = names.iter().map(String::as_str).rev().collect();
    wanted.insert(7, "many/none");
    for (path, found) in wanted.iter().zip(store.get_all(&wanted)) {
        match found {
            Ok(content) => assert_eq!(content, *path),
            Err(error) => assert!(error.is_not_found() && *path == "many/none", "{error}"),
        }
    }
    for (path, found) in wanted.iter().zip(store.head_all(&wanted)) {
        let size = found.unwrap().map(|info| info.size_bytes);
        assert_eq!(size, (*path != "many/none").then_some(path.len() as u64));
    }
    let ranges = store.get_ranges("many/12", &[(5, 7), (0, 4)]).unwrap();
    assert_eq!(ranges, ["12", "many"]);
}

fn large_objects_are_whole(store: &dyn Store) {
    let large: Bytes = (0..13_u32 << 20).map(|at| (at % 251) as u8).collect();
    store.create("large", large.clone()).unwrap();
    assert_eq!(store.get("large").unwrap(), large);
    let again = store.create("large", bytes("small"));
    assert!(
        matches!(again, Err(StoreError::AlreadyExists { .. })),
        "{again:?}"
    );
    create_idempotent(store, "large", &large).unwrap();
    store.copy("large", "copy").unwrap();
    assert_eq!(
        store.head("copy").unwrap().unwrap().size_bytes,
        large.len() as u64
    );
    assert_eq!(
        paths(store, ""),
        ["copy", "large"],
        "nothing of the upload is left"
    );
}

fn what_is_not_there_is_not_found(store: &dyn Store) {
    let url = match store.get("no/such") {
        Err(StoreError::NotFound { url }) => url,
        other => panic!("{other:?}"),
    };
    assert!(url.ends_with("no/such"), "{url}");
    assert!(store.get_range("no/such", 0, 1).unwrap_err().is_not_found());
    assert_eq!(store.head("no/such").unwrap(), None);
    assert!(paths(store, "no").is_empty());
    assert!(store.folders("no").unwrap().is_empty());
    assert!(store.copy("no/such", "b").unwrap_err().is_not_found());
    store.delete("no/such").unwrap();
}

fn ranges_are_half_open(store: &dyn Store) {
    store.create("a", bytes("0123456789")).unwrap();
    assert_eq!(store.get_range("a", 0, 10).unwrap(), "0123456789");
    assert_eq!(store.get_range("a", 3, 5).unwrap(), "34");
}

fn empty_objects_are_objects(store: &dyn Store) {
    store.create("_SUCCESS", Bytes::new()).unwrap();
    assert_eq!(store.get("_SUCCESS").unwrap(), "");
    assert_eq!(store.head("_SUCCESS").unwrap().unwrap().size_bytes, 0);
}

fn heads_tell_size_and_change_of_identity(store: &dyn Store) {
    store.create("a/b", bytes("one")).unwrap();
    let before = store.head("a/b").unwrap().unwrap();
    assert_eq!((before.path.as_str(), before.size_bytes), ("a/b", 3));
    assert!(before.modified_ns > 0);
    assert_eq!(store.head("a/b").unwrap().unwrap(), before);
    // Not every server tells tags in listings: what was listed is compared with what is listed.
    let listed = store.list("a").unwrap().remove(0);
    assert_eq!((listed.path.as_str(), listed.size_bytes), ("a/b", 3));
    assert_eq!(store.list("a").unwrap(), std::slice::from_ref(&listed));
    store.replace("a/b", bytes("other")).unwrap();
    let after = store.head("a/b").unwrap().unwrap();
    assert_ne!(after.identity, before.identity);
    assert_ne!(store.list("a").unwrap().remove(0).identity, listed.identity);
    assert_eq!(after.size_bytes, 5);
}

fn listings_are_recursive_sorted_and_by_whole_folders(store: &dyn Store) {
    for path in ["b/2", "b/10", "b/c/1", "bc/1", "a"] {
        store.create(path, bytes(path)).unwrap();
    }
    assert_eq!(paths(store, ""), ["a", "b/10", "b/2", "b/c/1", "bc/1"]);
    assert_eq!(paths(store, "b"), ["b/10", "b/2", "b/c/1"]);
    assert_eq!(store.folders("").unwrap(), ["b", "bc"]);
    assert_eq!(store.folders("b").unwrap(), ["c"]);
    assert!(store.folders("a").unwrap().is_empty());
}

fn copies_are_create_only_and_leave_the_source(store: &dyn Store) {
    store.create("a", bytes("one")).unwrap();
    store.create("taken", bytes("two")).unwrap();
    store.copy("a", "deep/er/b").unwrap();
    assert_eq!(store.get("deep/er/b").unwrap(), "one");
    let taken = store.copy("a", "taken");
    assert!(
        matches!(taken, Err(StoreError::AlreadyExists { .. })),
        "{taken:?}"
    );
    assert_eq!(store.get("taken").unwrap(), "two");
    // Not a link: what becomes of the source does not reach the copy.
    store.replace("a", bytes("three")).unwrap();
    assert_eq!(store.get("deep/er/b").unwrap(), "one");
}

fn deleted_objects_are_gone(store: &dyn Store) {
    store.create("a/b", bytes("one")).unwrap();
    store.delete("a/b").unwrap();
    assert!(store.get("a/b").unwrap_err().is_not_found());
    assert!(paths(store, "").is_empty());
    store.create("a/b", bytes("two")).unwrap();
    assert_eq!(store.get("a/b").unwrap(), "two");
}

fn paths_that_leave_the_root_are_refused(store: &dyn Store) {
    for path in ["../x", "a/../../x", "a/..", ".", "./x", "a//b", "a/./b"] {
        let refused = |result: Result<(), StoreError>, operation: &str| {
            assert!(
                matches!(result, Err(StoreError::Path { .. })),
                "{operation} {path}: {result:?}"
            );
        };
        refused(store.get(path).map(drop), "get");
        refused(store.get_range(path, 0, 1).map(drop), "get_range");
        refused(store.head(path).map(drop), "head");
        refused(store.list(path).map(drop), "list");
        refused(store.folders(path).map(drop), "folders");
        refused(store.create(path, bytes("x")), "create");
        refused(store.replace(path, bytes("x")), "replace");
        refused(store.copy(path, "b"), "copy from");
        refused(store.copy("b", path), "copy to");
        refused(store.delete(path), "delete");
        refused(store.sweep(path), "sweep");
        refused(store.lock(path, "me").map(drop), "lock");
    }
    assert!(paths(store, "").is_empty());
}

fn a_lock_is_held_by_one_and_freed_with_its_guard(store: &dyn Store) {
    let guard = store.lock("deep/_lock", "run one").unwrap();
    match store.lock("deep/_lock", "run two") {
        Err(StoreError::Locked { url, .. }) => assert!(url.ends_with("deep/_lock"), "{url}"),
        other => panic!("{other:?}"),
    }
    let other = store.lock("_lock", "run two").unwrap();
    drop(guard);
    store.lock("deep/_lock", "run two").unwrap();
    drop(other);
}

#[test]
fn the_holder_of_a_lock_on_a_disk_is_named() {
    let folder = TempDir::new().unwrap();
    let open = || ObjectBackedStore::local(folder.path()).unwrap();
    let _guard = open().lock("_lock", "run one").unwrap();
    // Another handle of the same folder, as another process has.
    match open().lock("_lock", "run two") {
        Err(StoreError::Locked { owner, .. }) => assert_eq!(owner, "run one"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_killed_process_was_writing_is_no_object_and_is_swept() {
    let folder = TempDir::new().unwrap();
    let store = ObjectBackedStore::local(folder.path()).unwrap();
    let left = ["a/c#1", "a/deep/er#12"].map(|name| folder.path().join(name));
    store.create("a/b", bytes("one")).unwrap();
    store.create("a/deep/b", bytes("one")).unwrap();
    for path in &left {
        std::fs::write(path, "on").unwrap();
    }
    assert_eq!(paths(&store, ""), ["a/b", "a/deep/b"]);
    store.create("a/c", bytes("two")).unwrap();
    assert_eq!(store.get("a/c").unwrap(), "two");
    store.sweep("a").unwrap();
    assert!(left.iter().all(|path| !path.exists()));
    assert_eq!(paths(&store, ""), ["a/b", "a/c", "a/deep/b"]);
}

fn sweeping_takes_no_object(store: &dyn Store) {
    store.create("a/b", bytes("one")).unwrap();
    store.sweep("a").unwrap();
    store.sweep("no/such").unwrap();
    assert_eq!(paths(store, ""), ["a/b"]);
}
