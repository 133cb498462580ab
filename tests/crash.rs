//! A run that stops at the k-th operation that changes the stores, for every k.
//!
//! One store in memory holds checkpoints and sink, so one record holds every change in order. Whatever prefix of it
//! a crash leaves, the next run does exactly the rest: nothing twice, nothing else, the same bytes.

use crate::space::{Objects, TestSpace, assert_same, objects_of, options, stage};
use rayonnage::runner::{RunError, RunRecord, SelectionOptions, StageStatus};
use rayonnage::store::{
    Fault, FaultStore, ObjectBackedStore, Operation, RecordingStore, SharedStore,
};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Stages whose parts are taken over one by one, with the dataset that stands for a part.
const ROW_WISE: [&str; 10] = [
    "detect_language",
    "translate",
    "clean_text",
    "tfidf",
    "tokenize",
    "decode_images",
    "embed_mobilenet_v2",
    "pca",
    "predict",
    "publish",
];

/// One model of each form stands for the others: classical, of text and of pixels, four networks, three that are made of models.
const MODELS: &str = "linear_svm, pixels_k_nearest_neighbours, neural_simple, neural_embedder, lenet, mobilenet_v2, fusion, soft_vote, blend";

/// So that there are several parts of everything.
const ROWS_PER_PART: usize = 16;

struct Clean {
    space: TestSpace,
    /// Every change but the run record, in order.
    operations: Vec<Operation>,
    objects: Objects,
}

fn clean_run(rows_per_part: usize) -> Clean {
    let mut space = TestSpace::with_sample(&options(60));
    space.set(&format!("rows_per_part={rows_per_part}"));
    for setting in [
        // An epoch snapshot after each epoch but the last, and so one that is too old.
        "snapshot_every_s=0",
        "neural_simple.params.epochs=4",
        "neural_embedder.params.epochs=1",
        "lenet.params.epochs=1",
        "mobilenet_v2.params.epochs=1",
        "fusion.params.epochs=1",
    ] {
        space.set(setting);
    }
    space.set("soft_vote.needs=[linear_svm, neural_simple]");
    space.set("soft_vote.params.weights={}");
    space.set("blend.needs=[linear_svm, mobilenet_v2]");
    space.set(&format!("evaluate.needs=[split, {MODELS}]"));
    let read = "ingest, evaluate, tfidf, tokenize, decode_images, pca, embed_mobilenet_v2";
    space.set(&format!("predict.needs=[{read}, {MODELS}]"));
    let (recorded, result) = run(&space, &memory());
    result.unwrap();
    let mut operations = recorded.operations();
    let record = operations.pop().unwrap();
    assert!(record.path().starts_with("_runs/"), "the record is last");
    let snapshots = operations
        .iter()
        .filter(|operation| operation.path().contains("/snapshots/"))
        .count();
    assert_eq!(snapshots, 6, "three are written and deleted");
    let objects = objects_of(&(recorded as SharedStore));
    assert!(objects.keys().all(|path| !path.contains("/snapshots/")));
    assert!(
        operations
            .iter()
            .all(|operation| !operation.path().starts_with("_runs/"))
    );
    Clean {
        space,
        operations,
        objects,
    }
}

/// All stages that what is published is made of.
fn all() -> SelectionOptions {
    SelectionOptions {
        until: Some("publish".to_owned()),
        ..SelectionOptions::default()
    }
}

fn memory() -> SharedStore {
    Arc::new(ObjectBackedStore::memory())
}

/// Runs on a store and records what changes it.
fn run(
    space: &TestSpace,
    store: &SharedStore,
) -> (Arc<RecordingStore>, Result<RunRecord, RunError>) {
    let recorded = Arc::new(RecordingStore::new(store.clone()));
    let shared: SharedStore = recorded.clone();
    let result = space.run_on(&shared, &shared, &all());
    (recorded, result)
}

/// Whether the bytes of an object hold times: learning curves, and the epoch snapshots that they are made from.
fn holds_times(path: &str) -> bool {
    path.contains("/events/") || path.contains("/snapshots/")
}

/// A path without the digest of what holds times.
fn timeless(path: &str) -> &str {
    match path.rsplit_once('-') {
        Some((timeless, _)) if holds_times(path) => timeless,
        _ => path,
    }
}

/// What a crash after some operations left to do. Epoch snapshots of a stage whose manifest is there stay where they
/// are: its checkpoint is complete, and nobody looks into it again.
fn rest_of(operations: &[Operation], done: usize) -> Vec<Operation> {
    let is_left_lying = |operation: &&Operation| {
        let stage = operation.path().split('/').next().unwrap();
        let is_deletion = matches!(operation, Operation::Delete { .. });
        is_deletion
            && operation.path().contains("/snapshots/")
            && operations[..done].iter().any(|operation| {
                let path = operation.path();
                path.starts_with(&format!("{stage}/")) && path.ends_with("/manifest.json")
            })
    };
    let rest = operations[done..].iter();
    rest.filter(|operation| !is_left_lying(operation))
        .cloned()
        .collect()
}

/// Runs on what a crash left, and asserts that exactly the rest is done.
fn resume(clean: &Clean, store: &SharedStore, done: usize) {
    let (recorded, result) = run(&clean.space, store);
    let record = result.unwrap_or_else(|error| panic!("resumed after {done} operations: {error}"));
    let mut rest = recorded.operations();
    assert!(rest.pop().unwrap().path().starts_with("_runs/"));
    let expected = rest_of(&clean.operations, done);
    // Learning curves are written anew by whoever comes to them, in place of those of the run that was stopped.
    let paths = |operations: &[Operation]| {
        operations
            .iter()
            .filter(|operation| !operation.path().contains("/events/"))
            .map(|operation| timeless(operation.path()).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(&rest), paths(&expected), "after {done} operations");
    let comparable = |operations: Vec<Operation>| -> Vec<Operation> {
        let operations = operations.into_iter();
        operations
            .filter(|operation| !holds_times(operation.path()))
            .collect()
    };
    assert_eq!(
        comparable(rest),
        comparable(expected),
        "after {done} operations"
    );
    let comparable = |objects: Objects| -> Objects {
        let objects = objects.into_iter();
        objects.filter(|(path, _)| !holds_times(path)).collect()
    };
    let left = objects_of(store);
    let events = |objects: &Objects| {
        let paths = objects.keys().filter(|path| path.contains("/events/"));
        paths.cloned().collect::<Vec<_>>()
    };
    assert_eq!(events(&left), events(&clean.objects));
    assert_same(&comparable(left), &comparable(clean.objects.clone()));
    assert_nothing_again(&record, &clean.operations[..done]);
}

/// Asserts that no finished stage ran and no finished part was made again.
fn assert_nothing_again(record: &RunRecord, done: &[Operation]) {
    let paths: BTreeSet<&str> = done.iter().map(Operation::path).collect();
    for of_stage in &record.stages {
        let name = of_stage.stage.as_str();
        let below = |end: &str| {
            paths
                .iter()
                .any(|path| path.starts_with(&format!("{name}/")) && path.ends_with(end))
        };
        let expected = if below("/manifest.json") {
            StageStatus::Fresh
        } else {
            StageStatus::Ran
        };
        assert_eq!(of_stage.status, expected, "{name}");
    }
    for name in ROW_WISE {
        let of_stage = stage(record, name);
        if of_stage.status == StageStatus::Fresh {
            continue;
        }
        // Side parts come before the part that they belong to and do not count, nor does what is made of all parts.
        let finished = paths
            .iter()
            .filter(|path| path.starts_with(&format!("{name}/")) && path.ends_with(".parquet"))
            .filter(|path| {
                let aside = ["/missing/", "/pending/", "/vocabulary/", "/variance_sums/"];
                !aside.iter().any(|dataset| path.contains(dataset))
            })
            .count();
        assert_eq!(of_stage.parts_taken_over, finished as u64, "{name}");
    }
}

#[test]
fn every_prefix_of_a_run_is_carried_on() {
    every_prefix_is_carried_on(ROWS_PER_PART, 1, &memory);
}

#[test]
fn every_lost_answer_is_carried_on() {
    every_answer_may_be_lost(ROWS_PER_PART, 1, &memory);
}

/// Whatever prefix of the operations of a run a crash leaves in an empty store, the next run does the rest. So many are tried at
/// once.
pub fn every_prefix_is_carried_on(
    rows_per_part: usize,
    at_once: usize,
    empty: &(dyn Fn() -> SharedStore + Sync),
) {
    let clean = clean_run(rows_per_part);
    side_by_side(at_once, clean.operations.len() + 1, &|done| {
        let store = empty();
        for operation in &clean.operations[..done] {
            operation.apply(&*store).unwrap();
        }
        resume(&clean, &store, done);
    });
}

/// Whichever answer of a run in an empty store is lost, the next run does the rest. So many are tried at once.
pub fn every_answer_may_be_lost(
    rows_per_part: usize,
    at_once: usize,
    empty: &(dyn Fn() -> SharedStore + Sync),
) {
    let clean = clean_run(rows_per_part);
    side_by_side(at_once, clean.operations.len(), &|lost| {
        let store = empty();
        let faulty: SharedStore = Arc::new(FaultStore::new(store.clone(), Fault::AnswerLost(lost)));
        let result = clean.space.run_on(&faulty, &faulty, &all());
        assert!(result.is_err(), "operation {lost} answered with an error");
        resume(&clean, &store, lost + 1);
    });
}

/// Does something for each number below a count, some at a time; stops at the first that panics.
fn side_by_side(at_once: usize, count: usize, act: &(dyn Fn(usize) + Sync)) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let result = catch_unwind(AssertUnwindSafe(|| act(number)));
                    if let Err(panic) = result {
                        next.store(count, Ordering::Relaxed);
                        resume_unwind(panic);
                    }
                }
            });
        }
    });
}

#[test]
fn a_lost_answer_to_the_run_record_loses_nothing() {
    let clean = clean_run(ROWS_PER_PART);
    let store = memory();
    let last = Fault::AnswerLost(clean.operations.len());
    let faulty: SharedStore = Arc::new(FaultStore::new(store.clone(), last));
    let result = clean.space.run_on(&faulty, &faulty, &all());
    assert!(result.is_err());
    resume(&clean, &store, clean.operations.len());
}
