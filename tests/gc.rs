//! Old checkpoints: what is deleted, what never is, and a deletion that stops at the k-th operation, for every k.

use crate::space::{Objects, TestSpace, assert_same, objects, objects_of, options, ran, stage};
use rayonnage::checkpoint::LOCK_FILE;
use rayonnage::checkpoint::gc::{Decision, Subject};
use rayonnage::runner::{GcOptions, SelectionOptions, StageStatus};
use rayonnage::store::{self, Fault, FaultStore, ObjectBackedStore, SharedStore};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Few words: other checkpoints of all that follows from `clean_text`.
const OTHER: &str = "clean_text.params.max_words=5";
const USUAL: &str = "clean_text.params.max_words=500";

/// The stages of which the other checkpoints are there.
const OTHER_STAGES: [&str; 3] = ["clean_text", "fit_tfidf", "tfidf"];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Everything made, then a part of it with another parameter, then a run with nothing to do.
fn with_garbage() -> TestSpace {
    let mut space = TestSpace::finished();
    space.set(OTHER);
    assert_eq!(ran(&space.run(&["--until", "tfidf"])), OTHER_STAGES);
    space.set(USUAL);
    assert!(ran(&space.run(&[])).is_empty());
    space
}

/// What lies in the checkpoints but for the lock and the table of digests.
fn checkpoints(space: &TestSpace) -> Objects {
    let mut found = objects(&space.path("checkpoints"));
    found.retain(|path, _| path != LOCK_FILE && path != "_digests");
    found
}

/// Bytes that the files of a folder take, each file once however many names it has, but for what any command may write.
fn disk_bytes(folder: &Path) -> u64 {
    let files = objects(folder).into_keys();
    let files = files.filter(|path| path != LOCK_FILE && path != "_digests");
    let files = files.map(|path| fs::metadata(folder.join(path)).unwrap());
    let sizes: BTreeMap<u64, u64> = files.map(|meta| (meta.ino(), meta.len())).collect();
    sizes.values().sum()
}

#[test]
fn what_no_run_that_stays_used_is_deleted_and_nothing_else() {
    let mut space = with_garbage();
    space.write("checkpoints/notes.txt", "mine");
    space.write("checkpoints/clean_text/notes.txt", "mine");
    let before = checkpoints(&space);
    // All three runs stay, and so does all that they used.
    space.rayonnage(&["gc"]).expect(0, &[]).printed(&[
        "nothing to delete",
        "3 run records",
        "2 objects of other origin",
    ]);
    let dry = space.rayonnage(&["gc", "--keep-runs", "1"]);
    dry.expect(0, &[]).printed(&[
        "complete",
        "3 run records",
        "nothing is deleted without --delete",
    ]);
    assert_same(&checkpoints(&space), &before);
    let told = json(
        &space
            .rayonnage(&["gc", "--keep-runs", "1", "--json"])
            .stdout,
    );
    let told_paths = told["garbage"].as_array().unwrap().iter();
    let told_paths = told_paths.flat_map(|group| group["paths"].as_array().unwrap());
    let told_paths: BTreeSet<&str> = told_paths.map(|path| path.as_str().unwrap()).collect();
    let disk = disk_bytes(&space.path("checkpoints"));
    space
        .rayonnage(&["gc", "--keep-runs", "1", "--delete"])
        .expect(0, &[])
        .printed(&["freed "]);
    let after = checkpoints(&space);
    let gone: BTreeSet<&str> = before
        .keys()
        .map(String::as_str)
        .filter(|path| !after.contains_key(*path))
        .collect();
    assert_eq!(gone, told_paths);
    assert!(after.iter().all(|(path, bytes)| before[path] == *bytes));
    let freed = disk - disk_bytes(&space.path("checkpoints"));
    assert_eq!(told["freed_bytes"], freed);
    for name in OTHER_STAGES {
        let folders = fs::read_dir(space.path(&format!("checkpoints/{name}"))).unwrap();
        let folders = folders.filter(|entry| entry.as_ref().unwrap().path().is_dir());
        assert_eq!(folders.count(), 1, "no empty folder of {name} is left");
    }
    assert!(after.contains_key("notes.txt") && after.contains_key("clean_text/notes.txt"));
    // What stays is whole, and what is gone can be made again.
    space
        .rayonnage(&["plan"])
        .expect(0, &[])
        .printed(&["nothing to do"]);
    assert!(ran(&space.run(&[])).is_empty());
    space.set(OTHER);
    assert_eq!(ran(&space.run(&["--until", "tfidf"])), OTHER_STAGES);
}

#[test]
fn reports_go_with_their_checkpoints_and_records_later() {
    let space = with_garbage();
    let report = |run: &str| format!("checkpoints/_report/{run}/report.html");
    let history = json(&space.rayonnage(&["runs", "--json"]).stdout);
    let runs = history.as_array().unwrap().iter();
    let runs: Vec<String> = runs
        .map(|run| run["run"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(runs.len(), 3);
    for run in &runs {
        space.write(&report(run), "<html>");
    }
    // The latest run had nothing to do: the report that counts is an older one.
    let latest = format!("{{\"run\": \"{}\"}}", runs[2]);
    space.write("checkpoints/_report/latest.json", &latest);
    space
        .rayonnage(&["gc", "--keep-runs", "1", "--keep-records", "1", "--delete"])
        .expect(0, &[])
        .printed(&[
            "1 run record, ",
            "1 report, 6 B",
            "2 run records, 2 reports",
        ]);
    let is_there: Vec<bool> = runs
        .iter()
        .map(|run| space.path(&report(run)).exists())
        .collect();
    assert_eq!(is_there, [true, false, true]);
    assert_eq!(space.read("checkpoints/_report/latest.json"), latest);
    // The record of the run that made what is kept says what it took.
    let records = objects(&space.path("checkpoints/_runs")).into_keys();
    assert!(records.eq([&runs[2], &runs[0]].map(|run| format!("{run}.json"))));
    let kept = objects(&space.path("checkpoints/clean_text"));
    let complete = kept.keys().filter(|path| path.ends_with("manifest.json"));
    assert_eq!(complete.count(), 1);
}

#[test]
fn a_report_and_a_deletion_do_not_meet() {
    let space = with_garbage();
    let run = space.record().run;
    let store = store::open(&space.path("checkpoints").display().to_string()).unwrap();
    let guard = store.lock(LOCK_FILE, "gc").unwrap();
    space
        .rayonnage(&["report"])
        .expect(14, &["held by gc", "remedy:"]);
    // To look on is allowed.
    space.rayonnage(&["report", "--json"]).expect(0, &[]);
    drop(guard);
    let ended_or_locked = |arguments: &[&str]| {
        let outcome = space.rayonnage(arguments);
        assert!(matches!(outcome.code, Some(0 | 14)), "{outcome:#?}");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..8 {
                ended_or_locked(&["gc", "--keep-runs", "1", "--delete"]);
            }
        });
        for _ in 0..4 {
            ended_or_locked(&["report"]);
        }
    });
    space.rayonnage(&["report"]).expect(0, &[]);
    let page = format!("checkpoints/_report/{run}/report.html");
    assert!(space.read(&page).trim_end().ends_with("</html>"), "{page}");
}

#[test]
fn parts_that_others_share_give_nothing_back() {
    let space = TestSpace::finished();
    for row in 9000..9004 {
        let line = format!("{row},Lampe de chevet {row},Une jolie lampe,,\n");
        space.append("catalogue/X_test_update.csv", line);
    }
    let record = space.run(&["--until", "decode_images"]);
    assert!(stage(&record, "decode_images").parts_taken_over > 0);
    let told = json(
        &space
            .rayonnage(&["gc", "--keep-runs", "1", "--json"])
            .stdout,
    );
    let of = |key: &str| {
        let groups = told["garbage"].as_array().unwrap().iter();
        let images = groups.filter(|group| group["stage"] == "decode_images");
        images
            .map(|group| group[key].as_u64().unwrap())
            .sum::<u64>()
    };
    assert!(
        0 < of("freed_bytes") && of("freed_bytes") < of("bytes"),
        "{told:#}"
    );
    let disk = disk_bytes(&space.path("checkpoints"));
    space
        .rayonnage(&["gc", "--keep-runs", "1", "--delete"])
        .expect(0, &[]);
    let freed = disk - disk_bytes(&space.path("checkpoints"));
    assert_eq!(told["freed_bytes"], freed);
    // Nothing else holds the models: the last complete checkpoint of each stage stays.
    let record = space.run(&[]);
    assert!(!ran(&record).contains(&"linear_svm") && ran(&record).contains(&"predict"));
}

#[test]
fn nothing_is_deleted_while_a_run_holds_the_checkpoints_or_where_needs_are_not_known() {
    let space = with_garbage();
    let before = checkpoints(&space);
    let store = store::open(&space.path("checkpoints").display().to_string()).unwrap();
    let guard = store.lock(LOCK_FILE, "the other run").unwrap();
    space
        .rayonnage(&["gc", "--keep-runs", "1", "--delete"])
        .expect(14, &["held by the other run", "remedy:"]);
    space.rayonnage(&["gc", "--keep-runs", "1"]).expect(0, &[]);
    drop(guard);
    // Written by nobody knows whom; it sorts before all others.
    let odd = "checkpoints/_runs/20000101T000000000Z-000000.json";
    space.write(odd, "{");
    space
        .rayonnage(&["gc", "--keep-runs", "4", "--delete"])
        .expect(
            11,
            &["20000101T000000000Z-000000.json cannot be read", "remedy:"],
        );
    space
        .rayonnage(&["gc", "--keep-runs", "0"])
        .expect(2, &["--keep-runs"]);
    fs::remove_file(space.path(odd)).unwrap();
    space
        .rayonnage(&["gc", "--delete", "--set", "source.root=nowhere"])
        .expect(11, &["nowhere"]);
    assert_same(&checkpoints(&space), &before);
}

/// Text alone, so that a run takes no time.
fn until(name: &str) -> SelectionOptions {
    SelectionOptions {
        until: Some(name.to_owned()),
        ..SelectionOptions::default()
    }
}

const DELETE: GcOptions = GcOptions {
    keep_runs: 1,
    keep_records: 1,
    delete: true,
};

fn memory() -> SharedStore {
    Arc::new(ObjectBackedStore::memory())
}

/// A copy of a store, the run records last, as they were written.
fn copy_of(store: &SharedStore) -> SharedStore {
    let copy = memory();
    let mut listed = store.list("").unwrap();
    listed.sort_by_key(|object| object.path.starts_with("_runs/"));
    for object in listed {
        let bytes = store.get(&object.path).unwrap();
        copy.create(&object.path, bytes).unwrap();
    }
    copy
}

/// Two complete sets of checkpoints, of which one goes, and an unfinished one.
struct Old {
    usual: TestSpace,
    other: TestSpace,
    store: SharedStore,
}

impl Old {
    fn new() -> Self {
        let mut other = TestSpace::with_sample(&options(60));
        let usual = TestSpace::with_sample(&options(60));
        other.set(OTHER);
        let store = memory();
        other.run_on(&store, &store, &until("clean_text")).unwrap();
        // Stops in the middle of `tfidf`, and leaves no record.
        let stopped = (0..).find_map(|k| {
            let copy = copy_of(&store);
            let faulty: SharedStore = Arc::new(FaultStore::new(copy.clone(), Fault::Before(k)));
            other.run_on(&faulty, &faulty, &until("tfidf")).unwrap_err();
            let listed = copy.list("tfidf").unwrap();
            (listed.len() > 2).then_some(copy)
        });
        let store = stopped.unwrap();
        usual.run_on(&store, &store, &until("tfidf")).unwrap();
        Self {
            usual,
            other,
            store,
        }
    }
}

/// The whole checkpoints that go.
fn going(decision: &Decision) -> Vec<&str> {
    let subjects = decision.garbage.iter().map(|group| &group.subject);
    subjects
        .filter_map(|subject| match subject {
            Subject::Checkpoint { stage, .. } => Some(stage.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_deletion_may_stop_at_any_operation() {
    let old = Old::new();
    let clean = copy_of(&old.store);
    let collected = old.usual.collect_on(&clean, &DELETE).unwrap();
    assert_eq!(
        going(&collected.decision),
        ["clean_text", "fit_tfidf", "tfidf"]
    );
    let operations: usize = collected
        .decision
        .garbage
        .iter()
        .map(|group| group.objects)
        .sum();
    assert!(operations > 12, "{operations}");
    let expected = objects_of(&clean);
    for k in 0..operations {
        for fault in [Fault::Before(k), Fault::AnswerLost(k)] {
            let store = copy_of(&old.store);
            let faulty: SharedStore = Arc::new(FaultStore::new(store.clone(), fault));
            old.usual.collect_on(&faulty, &DELETE).unwrap_err();
            assert_whole(&old, &store, &format!("{fault:?}"));
            old.usual.collect_on(&store, &DELETE).unwrap();
            assert_same(&objects_of(&store), &expected);
        }
    }
}

/// What stays is fresh, and what goes is made again as it was.
fn assert_whole(old: &Old, store: &SharedStore, fault: &str) {
    let store = copy_of(store);
    let usual = old.usual.run_on(&store, &store, &until("tfidf")).unwrap();
    assert!(
        usual
            .stages
            .iter()
            .all(|stage| stage.status == StageStatus::Fresh),
        "{fault}"
    );
    let other = old
        .other
        .run_on(&store, &store, &until("clean_text"))
        .unwrap();
    let made = objects_of(&store);
    let folder = format!("clean_text/{}/", stage(&other, "clean_text").fingerprint);
    let of = |objects: &Objects| -> Objects {
        let objects = objects.iter().filter(|(path, _)| path.starts_with(&folder));
        objects
            .map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect()
    };
    assert!(of(&made).len() > 5);
    assert_same(&of(&made), &of(&objects_of(&old.store)));
}

#[test]
fn what_a_stopped_run_left_is_gone_on_with() {
    let old = Old::new();
    // For the other settings the unfinished checkpoint is the present one; the run that left it has no record.
    let store = copy_of(&old.store);
    let collected = old.other.collect_on(&store, &DELETE).unwrap();
    assert!(going(&collected.decision).is_empty(), "{collected:#?}");
    let record = old.other.run_on(&store, &store, &until("tfidf")).unwrap();
    assert_eq!(ran(&record), ["tfidf"]);
    assert!(stage(&record, "tfidf").parts_taken_over > 0);
}

#[test]
fn one_deletion_at_a_time_holds_the_lock() {
    let old = Old::new();
    let guard = old.store.lock(LOCK_FILE, "a run").unwrap();
    let before = objects_of(&old.store);
    let error = old.usual.collect_on(&old.store, &DELETE).unwrap_err();
    assert_eq!(error.exit_code(), 14);
    let dry = GcOptions {
        delete: false,
        ..DELETE
    };
    assert!(
        old.usual
            .collect_on(&old.store, &dry)
            .unwrap()
            .deleted
            .is_none()
    );
    assert_same(&objects_of(&old.store), &before);
    drop(guard);
    let collected = old.usual.collect_on(&old.store, &DELETE).unwrap();
    assert_eq!(collected.deleted, Some(collected.decision.garbage.len()));
}
