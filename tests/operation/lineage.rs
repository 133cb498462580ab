//! Lineage events of whole runs, in a file.

use super::failing;
use super::rules::faults;
use crate::space::{TestSpace, ran, send, stage};
use rayonnage::runner::RunStatus;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const SETTING: &str = "lineage.file=lineage.ndjson";

/// The events of the file, each of which has to be sound.
#[track_caller]
fn events(space: &TestSpace) -> Vec<Value> {
    let text = space.read("lineage.ndjson");
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let events: Vec<Value> = events.collect();
    for event in &events {
        assert_eq!(faults(event), Vec::<String>::new(), "{event:#}");
    }
    events
}

fn text<'a>(event: &'a Value, path: &str) -> &'a str {
    let found = event.pointer(path).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{path} is not in {event:#}"))
}

/// How the run of each job went: the types of its events in order.
fn courses(events: &[Value]) -> BTreeMap<&str, Vec<&str>> {
    let mut courses: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in events {
        let course = courses.entry(text(event, "/job/name")).or_default();
        course.push(text(event, "/eventType"));
    }
    courses
}

fn of<'a>(events: &'a [Value], job: &str, kind: &str) -> &'a Value {
    let mut found = events
        .iter()
        .filter(|event| text(event, "/job/name") == job && text(event, "/eventType") == kind);
    found.next().unwrap_or_else(|| panic!("no {kind} of {job}"))
}

/// Names of the datasets that an event reads or makes.
fn names(event: &Value, side: &str) -> BTreeSet<String> {
    let datasets = event[side].as_array().unwrap().iter();
    datasets
        .map(|dataset| format!("{} {}", text(dataset, "/namespace"), text(dataset, "/name")))
        .collect()
}

const PIPELINE: &str = "rakuten-catalogue";

#[test]
fn a_night_is_a_run_with_its_stages_as_children_and_what_one_makes_another_reads() {
    let mut space = TestSpace::new();
    space.set(SETTING);
    space.set("lineage.namespace=nights");
    let record = space.run(&[]);
    let events = events(&space);
    let courses = courses(&events);
    assert_eq!(courses.len(), 1 + record.stages.len());
    let whole = ["START", "COMPLETE"];
    assert!(
        courses.values().all(|course| course == &whole),
        "{courses:#?}"
    );
    assert_eq!(text(&events[0], "/job/name"), PIPELINE);
    assert_eq!(text(events.last().unwrap(), "/job/name"), PIPELINE);
    let ids = events.iter().map(|event| text(event, "/run/runId"));
    let ids: BTreeSet<&str> = ids.collect();
    assert_eq!(
        ids.len(),
        courses.len(),
        "START and COMPLETE are of one run"
    );
    let run = text(&events[0], "/run/runId");
    for event in &events {
        assert_eq!(text(event, "/job/namespace"), "nights");
        let nominal = text(event, "/run/facets/nominalTime/nominalStartTime");
        assert_eq!(nominal, "2023-01-01T00:00:00Z");
        if text(event, "/job/name") != PIPELINE {
            assert_eq!(text(event, "/run/facets/parent/run/runId"), run);
        }
    }
    hangs_together(&events);
    let statement = of(&events, "rakuten-catalogue.translate", "START");
    let statement = text(statement, "/job/facets/sql/query");
    assert!(
        statement.contains(&space.read("sql/translate.sql")),
        "{statement}"
    );
    // What consumers read comes out of the whole.
    let published = of(&events, PIPELINE, "COMPLETE");
    let sink = space.path("out").canonicalize().unwrap();
    let expected = BTreeSet::from([format!("file {}/predictions", sink.display())]);
    assert_eq!(names(published, "outputs"), expected);
    let of_stage = of(&events, "rakuten-catalogue.publish", "COMPLETE");
    assert!(names(of_stage, "outputs").is_superset(&expected));
    let statistics = &published["outputs"][0]["outputFacets"]["outputStatistics"];
    assert_eq!(statistics["rowCount"], 30);

    // Nothing to do: the run alone, which finds what is published.
    let record = space.run(&[]);
    assert!(ran(&record).is_empty());
    let again = self::events(&space);
    let new = &again[events.len()..];
    assert_eq!(new.len(), 2);
    assert_eq!(names(&new[1], "outputs"), expected);
    assert_ne!(text(&new[0], "/run/runId"), run);
}

/// Every dataset that a stage reads is of the source, or was made by another stage.
#[track_caller]
fn hangs_together(events: &[Value]) {
    let sources = names(&events[0], "inputs");
    assert_eq!(sources.len(), 6, "{sources:?}");
    for (stage, files) in [
        (
            "ingest",
            &[
                "X_train_update.csv",
                "Y_train_CVw08PX.csv",
                "X_test_update.csv",
            ][..],
        ),
        ("decode_images", &["image_train", "image_test"]),
        ("translate", &["translations.csv"]),
    ] {
        let started = of(events, &format!("rakuten-catalogue.{stage}"), "START");
        let read = names(started, "inputs");
        for file in files {
            let is_file = |name: &&String| name.ends_with(&format!("/{file}"));
            assert!(
                read.iter()
                    .filter(|name| sources.contains(*name))
                    .any(|name| is_file(&name)),
                "{file}: {read:?}"
            );
        }
    }
    let ended = events
        .iter()
        .filter(|event| text(event, "/eventType") == "COMPLETE");
    let mut known: BTreeSet<String> = ended.flat_map(|event| names(event, "outputs")).collect();
    known.extend(sources);
    for event in events {
        let read = names(event, "inputs");
        assert!(read.is_subset(&known), "{read:?} of {event:#}");
    }
}

#[test]
fn datasets_are_named_and_described() {
    let mut space = TestSpace::new();
    space.set(SETTING);
    let record = space.run(&["--until", "clean_text"]);
    let events = events(&space);
    let ended = of(&events, "rakuten-catalogue.clean_text", "COMPLETE");
    let root = space.path("checkpoints").canonicalize().unwrap();
    let labelled = format!("{}/clean_text/labelled", root.display());
    let outputs = ended["outputs"].as_array().unwrap();
    let mut found = outputs
        .iter()
        .filter(|output| text(output, "/name") == labelled);
    let output = found.next().unwrap_or_else(|| panic!("{ended:#}"));
    assert_eq!(text(output, "/namespace"), "file");
    let statistics = &output["outputFacets"]["outputStatistics"];
    let rows = stage(&record, "clean_text").rows["labelled"];
    assert_eq!(statistics["rowCount"], rows);
    assert!(statistics["size"].as_u64() > Some(1000));
    let manifest = space.checkpoint("clean_text").manifest().clone();
    let dataset = &manifest.datasets["labelled"];
    let version = text(output, "/facets/version/datasetVersion");
    assert_eq!(version, dataset.content.as_str());
    let columns = output["facets"]["schema"]["fields"].as_array().unwrap();
    assert_eq!(columns.len(), dataset.schema.len());
    let id = serde_json::json!({ "name": "id", "type": "Utf8" });
    assert_eq!(columns[0], id);
}

#[test]
fn failures_and_signals_end_runs_and_say_why() {
    let mut space = failing();
    space.set(SETTING);
    space.rayonnage(&["run"]).expect(11, &[]);
    let events = events(&space);
    let courses = courses(&events);
    assert_eq!(courses["rakuten-catalogue"], ["START", "FAIL"]);
    assert_eq!(courses["rakuten-catalogue.split"], ["START", "FAIL"]);
    assert_eq!(courses["rakuten-catalogue.ingest"], ["START", "COMPLETE"]);
    for job in ["rakuten-catalogue", "rakuten-catalogue.split"] {
        let failed = of(&events, job, "FAIL");
        let message = text(failed, "/run/facets/errorMessage/message");
        assert!(
            message.contains("check nothing_is_tested found"),
            "{message}"
        );
        assert!(failed["outputs"].as_array().unwrap().is_empty());
    }
    // What was begun is ended, and nothing else is.
    assert!(
        courses.values().all(|course| course.len() == 2),
        "{courses:#?}"
    );
}

#[test]
fn a_signal_aborts() {
    let mut space = TestSpace::new();
    space.set(SETTING);
    // So long that the signal comes in time.
    space.set("neural_simple.params.epochs=5000");
    space.set("neural_simple.params.early_stopping.patience=5000");
    let mut child = space
        .command(&["run", "--until", "neural_simple"])
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    let file = space.path("lineage.ndjson");
    let has_begun = || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("catalogue.neural_simple\""))
    };
    while !has_begun() {
        assert!(Instant::now() < deadline, "the training does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    send("-TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(space.record().status, RunStatus::Interrupted);
    let events = events(&space);
    let courses = courses(&events);
    assert_eq!(courses["rakuten-catalogue"], ["START", "ABORT"]);
    assert_eq!(
        courses["rakuten-catalogue.neural_simple"],
        ["START", "ABORT"]
    );
}
