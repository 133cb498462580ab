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
use std::sync::Arc;

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

struct Clean {
    space: TestSpace,
    /// Every change but the run record, in order.
    operations: Vec<Operation>,
    objects: Objects,
}

fn clean_run() -> Clean {
    let mut space = TestSpace::with_sample(&options(60));
    for setting in [
        "neural_simple.params.epochs=1",
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
    let objects = objects_of(&(recorded as SharedStore));
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

/// Runs on what a crash left, and asserts that exactly the rest is done.
fn resume(clean: &Clean, store: &SharedStore, done: usize) {
    let (recorded, result) = run(&clean.space, store);
    let record = result.unwrap_or_else(|error| panic!("resumed after {done} operations: {error}"));
    let mut rest = recorded.operations();
    assert!(rest.pop().unwrap().path().starts_with("_runs/"));
    let paths = |operations: &[Operation]| {
        operations
            .iter()
            .map(|operation| operation.path().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        paths(&rest),
        paths(&clean.operations[done..]),
        "after {done} operations"
    );
    assert_eq!(rest, clean.operations[done..], "after {done} operations");
    assert_same(&objects_of(store), &clean.objects);
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
    let clean = clean_run();
    for done in 0..=clean.operations.len() {
        let store = memory();
        for operation in &clean.operations[..done] {
            operation.apply(&*store).unwrap();
        }
        resume(&clean, &store, done);
    }
}

#[test]
fn every_lost_answer_is_carried_on() {
    let clean = clean_run();
    for lost in 0..clean.operations.len() {
        let store = memory();
        let faulty: SharedStore = Arc::new(FaultStore::new(store.clone(), Fault::AnswerLost(lost)));
        let result = clean.space.run_on(&faulty, &faulty, &all());
        assert!(result.is_err(), "operation {lost} answered with an error");
        resume(&clean, &store, lost + 1);
    }
}

#[test]
fn a_lost_answer_to_the_run_record_loses_nothing() {
    let clean = clean_run();
    let store = memory();
    let last = Fault::AnswerLost(clean.operations.len());
    let faulty: SharedStore = Arc::new(FaultStore::new(store.clone(), last));
    let result = clean.space.run_on(&faulty, &faulty, &all());
    assert!(result.is_err());
    resume(&clean, &store, clean.operations.len());
}
