//! Log lines as whoever collects them reads them, and what a failed run says at its end.

use super::failing;
use crate::space::{Outcome, TestSpace, part_files, stage};
use rayonnage::checkpoint::LOCK_FILE;
use rayonnage::store;
use serde_json::{Map, Value};

type Line = Map<String, Value>;

/// Every line of standard error, each of which has to be an object with what all have.
#[track_caller]
fn lines(outcome: &Outcome) -> Vec<Line> {
    let lines = outcome.stderr.lines().map(|line| {
        let object: Line =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |name: &str| {
            let value = object.get(name).and_then(Value::as_str);
            value
                .unwrap_or_else(|| panic!("{name} is not in {line}"))
                .to_owned()
        };
        assert!(
            chrono::DateTime::parse_from_rfc3339(&text("timestamp")).is_ok(),
            "{line}"
        );
        assert!(
            ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&text("level").as_str()),
            "{line}"
        );
        assert!(!text("message").is_empty(), "{line}");
        assert!(!line.contains('\u{1b}'), "colours in {line}");
        object
    });
    lines.collect()
}

/// The lines with a message.
fn saying<'a>(lines: &'a [Line], message: &str) -> Vec<&'a Line> {
    let lines = lines.iter();
    lines.filter(|line| line["message"] == message).collect()
}

#[track_caller]
fn only<'a>(lines: &'a [Line], message: &str) -> &'a Line {
    let found = saying(lines, message);
    assert_eq!(found.len(), 1, "{message}: {lines:#?}");
    found[0]
}

fn run(space: &TestSpace, arguments: &[&str]) -> Outcome {
    let arguments = [&["run", "--log-format", "json"], arguments].concat();
    let mut command = space.command(&arguments);
    Outcome::of(command.env("RAYONNAGE_LOG", "debug"))
}

#[test]
fn every_line_of_a_run_is_an_object_with_the_run_and_those_of_a_stage_name_it() {
    let space = TestSpace::new();
    let outcome = run(&space, &["--until", "lenet"]);
    outcome.expect(0, &[]);
    let record = space.record();
    let lines = lines(&outcome);
    for line in &lines {
        assert_eq!(line["run"], record.run.as_str(), "{line:?}");
    }
    let begin = only(&lines, "run begins");
    assert_eq!(begin["pipeline"], "rakuten-catalogue");
    assert_eq!(begin["stages"], record.stages.len());
    let end = only(&lines, "run ended");
    assert_eq!(end["status"], "ok");
    assert_eq!(end["exit_code"], 0);
    assert_eq!(end["elapsed_ms"], record.elapsed_ms);
    assert_eq!(end["stages_ran"], record.stages.len());
    assert_eq!(end["peak_rss_bytes"], record.peak_rss_bytes);
    for of_stage in &record.stages {
        let ended = saying(&lines, "stage ended").into_iter();
        let mut ended = ended.filter(|line| line["stage"] == of_stage.stage.as_str());
        let line = ended.next().expect("each stage ends");
        assert_eq!(line["elapsed_ms"], of_stage.elapsed_ms);
        assert_eq!(line["done"], of_stage.done);
        assert_eq!(line["unit"], of_stage.unit.as_str());
    }
    let waited = saying(&lines, "waited for images");
    assert!(!waited.is_empty());
    assert!(waited.iter().all(|line| line["stage"] == "lenet"));
}

/// Parts are read and made by threads that the stage starts.
#[test]
fn what_a_part_is_about_is_said_with_the_stage_by_any_thread() {
    let space = TestSpace::finished();
    let folder = space.checkpoint_folder("clean_text");
    let parts = part_files(space.checkpoint("clean_text").manifest());
    assert!(parts.len() > 4);
    for part in &parts {
        space.write(&format!("{folder}/{part}"), b"PAR1, or so");
    }
    std::fs::remove_file(space.path(&format!("{folder}/manifest.json"))).unwrap();
    let outcome = run(&space, &["--until", "clean_text", "--jobs", "3"]);
    outcome.expect(0, &[]);
    let lines = lines(&outcome);
    let made_again = saying(&lines, "object is damaged and is made again");
    assert_eq!(made_again.len(), parts.len(), "{lines:#?}");
    assert!(made_again.iter().all(|line| line["stage"] == "clean_text"));
}

#[test]
fn a_run_that_fails_says_so_in_objects_alone() {
    let space = failing();
    let outcome = run(&space, &[]);
    outcome.expect(11, &[]);
    let record = space.record();
    assert_eq!(record.failed_stage.as_deref(), Some("split"));
    let lines = lines(&outcome);
    assert!(lines.iter().all(|line| line["run"] == record.run.as_str()));
    let end = only(&lines, "run ended");
    assert_eq!(end["status"], "failed");
    assert_eq!(end["failed_stage"], "split");
    let check = only(&lines, "check found rows");
    assert_eq!(check["level"], "ERROR");
    assert_eq!(check["check"], "nothing_is_tested");
    assert_eq!(check["rows"], stage(&record, "split").checks[1].rows);
    let failed = only(&lines, "stage failed");
    assert_eq!(failed["stage"], "split");
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "ERROR");
    assert_eq!(last["message"], "command failed");
    assert_eq!(last["exit_code"], 11);
    assert_eq!(last["error"], "stage split");
    let causes = last["causes"].as_array().unwrap();
    assert!(
        causes[0]
            .as_str()
            .unwrap()
            .contains("nothing_is_tested found")
    );
    assert!(last["remedy"].as_str().unwrap().contains("sql/checks/"));
    assert!(
        last["summary"]
            .as_str()
            .unwrap()
            .contains("failed (exit 11) at stage split")
    );
}

#[test]
fn mistakes_in_the_configuration_are_objects_too() {
    let space = TestSpace::new();
    let outcome = run(&space, &["--set", "seed=many"]);
    outcome.expect(10, &[]);
    let lines = lines(&outcome);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0]["error"]
            .as_str()
            .unwrap()
            .contains("seed: expected")
    );
    assert!(lines[0]["run"].is_string());
}

#[test]
fn a_failed_run_says_on_its_last_line_how_to_go_on() {
    let space = failing();
    let outcome = space.rayonnage(&["run", "--force", "--until", "clean_text"]);
    outcome.expect(0, &[]);
    let outcome = space.rayonnage(&["run", "--from", "translate", "--until", "evaluate"]);
    outcome.expect(11, &["\n  remedy: "]);
    let record = space.record();
    let last = outcome.stderr.lines().last().unwrap();
    let start = format!("run {} failed (exit 11) at stage split after ", record.run);
    assert!(last.starts_with(&start), "{last}");
    let resume = " fresh, resume with: rayonnage run ";
    assert!(
        last.contains(resume) && last.ends_with(" --until evaluate"),
        "{last}"
    );
    assert!(!last.contains("--from"), "{last}");
    // The command works as it stands.
    space.write(
        "sql/checks/nothing_is_tested.sql",
        super::FAILING_CHECK.replace("'test'", "'none'"),
    );
    let command = last.split_once("resume with: rayonnage ").unwrap().1;
    let status = std::process::Command::new("sh")
        .args([
            "-c",
            &format!("exec \"$0\" {command} >resumed.txt 2>&1"),
            env!("CARGO_BIN_EXE_rayonnage"),
        ])
        .current_dir(space.path(""))
        .env("RAYONNAGE_SOURCE", "catalogue")
        .env("RAYONNAGE_DEVICE", "cpu")
        .status()
        .unwrap();
    assert!(status.success(), "{}", space.read("resumed.txt"));
}

#[test]
fn a_run_that_cannot_begin_has_a_summary_too() {
    let space = TestSpace::new();
    let checkpoints = store::open(&space.path("checkpoints").display().to_string()).unwrap();
    let guard = checkpoints.lock(LOCK_FILE, "the other run").unwrap();
    let outcome = space.rayonnage(&["run"]);
    outcome.expect(
        14,
        &[
            "held by the other run",
            " failed (exit 14) after ",
            ": nothing ran, resume with: ",
        ],
    );
    drop(guard);
    let outcome = space.rayonnage(&["run", "--until", "nonsense"]);
    outcome.expect(2, &[" failed (exit 2) after "]);
    assert!(!outcome.stderr.contains("resume with"), "{outcome:#?}");
}
