//! What commands print for programs: one JSON document on standard output, with the keys that README.md names.

use crate::space::{Outcome, TestSpace, options};
use rayonnage::runner::RunRecord;
use serde_json::Value;

fn document(space: &TestSpace, arguments: &[&str], code: i32) -> Value {
    let mut command = space.bare_command(arguments);
    let outcome = Outcome::of(command.env("CLICOLOR_FORCE", "1"));
    outcome.expect(code, &[]);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:#?}"))
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The entry of a stage in a list of stages.
fn of_stage<'a>(document: &'a Value, name: &str) -> &'a Value {
    let stages = document["stages"].as_array().unwrap();
    stages.iter().find(|stage| stage["stage"] == name).unwrap()
}

#[test]
fn plan_status_and_explain() {
    let space = TestSpace::with_sample(&options(60));
    let record = document(&space, &["run", "--until", "split", "--json"], 0);
    let record: RunRecord = serde_json::from_value(record).unwrap();
    assert_eq!(record.run, space.record().run);
    assert_eq!(
        serde_json::to_value(&record).unwrap(),
        serde_json::to_value(space.record()).unwrap()
    );

    let plan = document(&space, &["plan", "--until", "detect_language", "--json"], 0);
    assert_eq!(keys(&plan), ["stages", "dirty", "skipped"]);
    assert_eq!(plan["dirty"], 1);
    let (fresh, dirty) = (
        of_stage(&plan, "ingest"),
        of_stage(&plan, "detect_language"),
    );
    let known = ["stage", "kind", "state", "fingerprint", "reason", "why"];
    assert_eq!((keys(fresh), keys(dirty)), (known.to_vec(), known.to_vec()));
    assert_eq!(
        (&fresh["state"], &fresh["reason"]),
        (&"fresh".into(), &Value::Null)
    );
    assert_eq!(fresh["fingerprint"].as_str().unwrap().len(), 32);
    assert_eq!(dirty["state"], "dirty");
    assert_eq!(dirty["reason"]["reason"], "no_checkpoint");
    assert_eq!(dirty["why"], "no checkpoint yet");
    assert!(
        plan["skipped"]["blend"]
            .as_str()
            .unwrap()
            .contains("mobilenet_v2")
    );

    let status = document(&space, &["status", "--json"], 0);
    assert_eq!(keys(&status), ["stages", "skipped", "last_run"]);
    let split = of_stage(&status, "split");
    assert_eq!(keys(split), ["stage", "kind", "state", "checkpoint"]);
    assert_eq!(
        keys(&split["checkpoint"]),
        ["fingerprint", "rows", "parts", "bytes"]
    );
    assert_eq!(split["checkpoint"]["rows"]["labelled"], 48);
    assert!(split["checkpoint"]["bytes"].as_u64() > Some(100));
    assert_eq!(of_stage(&status, "publish")["checkpoint"], Value::Null);
    let last = &status["last_run"];
    assert_eq!(
        keys(last),
        [
            "run",
            "started",
            "elapsed_ms",
            "status",
            "exit_code",
            "error"
        ]
    );
    assert_eq!(
        (&last["run"], &last["exit_code"]),
        (&record.run.into(), &0.into())
    );

    let setting = "split.params.test=0.3";
    let explained = document(&space, &["explain", "split", "--json", "--set", setting], 0);
    let known = [
        &["stage", "kind", "state", "fingerprint", "reason", "why"][..],
        &["changes", "fields"],
    ]
    .concat();
    assert_eq!(keys(&explained), known);
    let changes = explained["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    let change = [&changes[0]["name"], &changes[0]["old"], &changes[0]["new"]];
    assert_eq!(change, ["params.test", "0.2", "0.3"]);
    assert_eq!(explained["fields"][0]["name"], "kind");
}

#[test]
fn a_run_that_fails_prints_its_record() {
    let space = TestSpace::with_sample(&options(60));
    space.write(
        "sql/checks/never.sql",
        "-- stage: split\nSELECT id FROM labelled ORDER BY id\n",
    );
    let record = document(&space, &["run", "--until", "split", "--json"], 11);
    assert_eq!(
        (&record["status"], &record["exit_code"]),
        (&"failed".into(), &11.into())
    );
    assert!(
        record["error"]
            .as_str()
            .unwrap()
            .contains("check never found")
    );
    assert_eq!(of_stage(&record, "ingest")["status"], "ran");
    // One that did not begin has none.
    let outcome = Outcome::of(&mut space.bare_command(&["run", "--json", "--until", "nothing"]));
    outcome.expect(2, &["there is no stage"]);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn validate_lists_mistakes() {
    let space = TestSpace::with_sample(&options(20));
    let sound = document(&space, &["validate", "--json"], 0);
    assert_eq!(
        keys(&sound),
        ["config", "stages", "checks", "skipped", "issues"]
    );
    assert_eq!(sound["config"], "pipeline.yaml");
    assert!(
        sound["stages"]
            .as_array()
            .unwrap()
            .contains(&"ingest".into())
    );
    assert!(
        sound["checks"]
            .as_array()
            .unwrap()
            .contains(&"folds_are_known".into())
    );
    assert_eq!(sound["issues"], Value::Array(Vec::new()));
    let text = space
        .read("pipeline.yaml")
        .replacen("max_words: 500", "max_wrods: 500", 1);
    space.write("pipeline.yaml", text);
    let wrong = document(&space, &["validate", "--json"], 10);
    let issue = &wrong["issues"][0];
    assert_eq!(issue["path"], "stages.clean_text.params.max_wrods");
    assert_eq!(issue["message"], "unknown key; did you mean \"max_words\"?");
    space.write("pipeline.yaml", "stages: [");
    let broken = document(&space, &["validate", "--json"], 10);
    assert_eq!(broken["issues"][0]["path"], "");
}
