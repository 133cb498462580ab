//! Damage: what was done to an object × which object × what the next runs make of it.
//!
//! The next run reads the damaged object. It notices and mends it (exit code 0), or it names it, ends with exit code
//! 12 and leaves the mending to the run after it. It never panics, and in the end the published bytes are the same.

use crate::space::{Objects, TestSpace, assert_same, objects, ran, stage};
use rayonnage::exit_code::CORRUPT_CHECKPOINT;
use rayonnage::runner::SelectionOptions;
use rayonnage::store;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What is done to an object.
#[derive(Debug, Clone, Copy)]
enum Action {
    Truncate,
    Flip,
    /// One bit alone: JSON often stays JSON.
    Bit,
    Delete,
    Empty,
}

/// What the next run does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It names the object and ends with exit code 12: others rely on what it held.
    Names,
    /// It goes on: the object can be made again, or done without. One wrong bit may yet point to an object that is
    /// not what it should be.
    Mends,
}

const ACTIONS: [Action; 5] = [
    Action::Truncate,
    Action::Flip,
    Action::Bit,
    Action::Delete,
    Action::Empty,
];

fn damage(path: &Path, action: Action) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    match action {
        Action::Truncate => bytes.truncate(middle),
        Action::Flip => bytes[middle] ^= 0xFF,
        Action::Bit => bytes[middle] ^= 1,
        Action::Delete => return fs::remove_file(path).unwrap(),
        Action::Empty => bytes.clear(),
    }
    fs::write(path, bytes).unwrap();
}

fn from(stage: &str) -> SelectionOptions {
    SelectionOptions {
        from: Some(stage.to_owned()),
        ..SelectionOptions::default()
    }
}

/// Damages one object in every way; each time runs, and once more after exit code 12.
#[track_caller]
fn every_damage(place: &dyn Fn(&TestSpace) -> String, options: &SelectionOptions, answer: Answer) {
    let published = TestSpace::finished().published();
    for action in ACTIONS {
        let space = TestSpace::finished();
        let object = place(&space);
        damage(&space.path(&object), action);
        let what = format!("{action:?} of {object}");
        let first = assert_recovers(&space, options, &published, &what);
        match (answer, first) {
            (Answer::Names, Some(said)) => {
                let name = object.split_once('/').unwrap().1;
                assert!(said.contains(name), "{what}: {said}");
            }
            (Answer::Names, None) => panic!("{what} went unnoticed"),
            (Answer::Mends, Some(said)) => assert!(matches!(action, Action::Bit), "{what}: {said}"),
            (Answer::Mends, None) => {}
        }
    }
}

/// Asserts that the next runs end well; returns what the first one said, if it did not.
#[track_caller]
fn assert_recovers(
    space: &TestSpace,
    options: &SelectionOptions,
    published: &Objects,
    what: &str,
) -> Option<String> {
    let open = |folder: &str| store::open(&space.path(folder).display().to_string()).unwrap();
    let (checkpoints, sink) = (open("checkpoints"), open("out"));
    let mut said = None;
    if let Err(error) = space.run_on(&checkpoints, &sink, options) {
        assert_eq!(error.exit_code(), CORRUPT_CHECKPOINT, "{what}: {error:?}");
        assert!(error.remedy().is_some(), "{what}: {error:?}");
        said = space.record().error;
        let second = space.run_on(&checkpoints, &sink, options);
        assert!(second.is_ok(), "{what}: {error:?}, then {second:?}");
    }
    assert_same(&space.published(), published);
    // Whatever happened, nothing is left to do and nothing damaged is left to find.
    let last = space.run_on(&checkpoints, &sink, &SelectionOptions::default());
    let last = last.unwrap_or_else(|error| panic!("{what}, last run: {error:?}"));
    assert!(ran(&last).is_empty(), "{what}: {:?}", ran(&last));
    said
}

/// First part of a dataset of a stage.
fn first_part(space: &TestSpace, stage: &str, dataset: &str) -> String {
    let folder = space.checkpoint_folder(stage);
    let reader = space.checkpoint(stage);
    let file = &reader.dataset(dataset).unwrap().parts[0].file;
    format!("{folder}/{dataset}/{file}")
}

#[test]
fn a_part_that_a_stage_reads() {
    every_damage(
        &|space| first_part(space, "clean_text", "labelled"),
        &from("fit_tfidf"),
        Answer::Names,
    );
}

#[test]
fn the_program_says_what_is_damaged_and_what_to_do() {
    let space = TestSpace::finished();
    let part = first_part(&space, "clean_text", "labelled");
    damage(&space.path(&part), Action::Flip);
    let name = part.strip_prefix("checkpoints/").unwrap();
    let damaged = space.rayonnage(&["run", "--from", "fit_tfidf"]);
    damaged.expect(
        12,
        &[
            "stage fit_tfidf",
            name,
            "is damaged",
            "the manifest of clean_text was withdrawn",
        ],
    );
    space
        .rayonnage(&["run", "--from", "fit_tfidf"])
        .expect(0, &[]);
}

#[test]
fn a_part_that_a_stage_would_take_over() {
    // The manifest is withdrawn, as after exit code 12: the damaged part is not taken over but made again.
    let published = TestSpace::finished().published();
    for action in ACTIONS {
        let space = TestSpace::finished();
        let part = first_part(&space, "clean_text", "labelled");
        let manifest = format!("{}/manifest.json", space.checkpoint_folder("clean_text"));
        let (part_path, manifest_path) = (space.path(&part), space.path(&manifest));
        let (part_bytes, manifest_bytes) = (
            fs::read(&part_path).unwrap(),
            fs::read(&manifest_path).unwrap(),
        );
        damage(&part_path, action);
        fs::remove_file(&manifest_path).unwrap();
        let record = space.run(&[]);
        assert_eq!(ran(&record), ["clean_text"], "{action:?}");
        assert_eq!(stage(&record, "clean_text").parts_made, 1, "{action:?}");
        assert_eq!(fs::read(&part_path).unwrap(), part_bytes, "{action:?}");
        assert_eq!(
            fs::read(&manifest_path).unwrap(),
            manifest_bytes,
            "{action:?}"
        );
        assert_same(&space.published(), &published);
    }
}

#[test]
fn a_manifest() {
    every_damage(
        &|space| format!("{}/manifest.json", space.checkpoint_folder("tfidf")),
        &from("predict"),
        Answer::Mends,
    );
}

#[test]
fn what_a_checkpoint_was_made_from() {
    every_damage(
        &|space| format!("{}/inputs.json", space.checkpoint_folder("translate")),
        &from("translate"),
        Answer::Mends,
    );
}

#[test]
fn what_an_unfinished_checkpoint_is_made_from() {
    let published = TestSpace::finished().published();
    for action in ACTIONS {
        let space = TestSpace::finished();
        let folder = space.checkpoint_folder("translate");
        let inputs = format!("{folder}/inputs.json");
        fs::remove_file(space.path(&format!("{folder}/manifest.json"))).unwrap();
        damage(&space.path(&inputs), action);
        let what = format!("{action:?} of {inputs}");
        let said = assert_recovers(&space, &SelectionOptions::default(), &published, &what);
        assert_eq!(said, None, "{what}");
    }
}

#[test]
fn weights() {
    every_damage(
        &|space| {
            let folder = space.checkpoint_folder("neural_simple");
            format!("{folder}/files/weights.safetensors")
        },
        &from("fusion"),
        Answer::Names,
    );
}

#[test]
fn a_run_record() {
    every_damage(
        &|space| {
            let records = objects(&space.path("checkpoints/_runs"));
            format!("checkpoints/_runs/{}", records.keys().next().unwrap())
        },
        &SelectionOptions::default(),
        Answer::Mends,
    );
}

#[test]
fn every_command_bears_a_damaged_run_record() {
    for action in ACTIONS {
        let space = TestSpace::finished();
        let records = objects(&space.path("checkpoints/_runs"));
        let record = records.keys().next().unwrap();
        damage(&space.path(&format!("checkpoints/_runs/{record}")), action);
        space.rayonnage(&["status"]).expect(0, &[]);
        space
            .rayonnage(&["explain", "tfidf"])
            .expect(0, &[])
            .printed(&["tfidf is fresh"]);
    }
}

#[test]
fn the_pointer_of_the_sink() {
    every_damage(
        &|_| "out/predictions/latest.json".to_owned(),
        &SelectionOptions::default(),
        Answer::Mends,
    );
}

#[test]
fn the_table_of_digests() {
    let published = TestSpace::finished().published();
    for action in ACTIONS {
        let space = TestSpace::finished();
        // Files are remembered only once they are older than the clock is coarse.
        space.write("checkpoints/_digests", "1-2-3\tnot a digest\tfile:///x\n");
        damage(&space.path("checkpoints/_digests"), action);
        let what = format!("{action:?}");
        let said = assert_recovers(&space, &SelectionOptions::default(), &published, &what);
        assert_eq!(said, None, "{what}");
    }
}

#[test]
fn a_wrong_digest_in_the_table_of_digests() {
    let published = TestSpace::finished().published();
    for file in ["X_train_update.csv", ".jpg"] {
        let space = TestSpace::finished();
        // Files are remembered only once they are older than the clock is coarse.
        let old = SystemTime::now() - Duration::from_mins(1);
        for name in objects(&space.path("catalogue")).keys() {
            let path = space.path("catalogue").join(name);
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
        space.run(&[]);
        let mut lines: Vec<String> = space
            .read("checkpoints/_digests")
            .lines()
            .map(str::to_owned)
            .collect();
        assert!(lines.len() > 100);
        let line = lines.iter_mut().find(|line| line.ends_with(file)).unwrap();
        let (stat, rest) = line.split_once('\t').unwrap();
        let (digest, url) = rest.split_once('\t').unwrap();
        let other = if digest.starts_with('0') { "1" } else { "0" };
        *line = format!("{stat}\t{other}{}\t{url}", &digest[1..]);
        space.write("checkpoints/_digests", lines.join("\n") + "\n");
        let first = space.rayonnage(&["run"]);
        if first.code != Some(0) {
            let second = space.rayonnage(&["run"]);
            assert_eq!(second.code, Some(0), "{file}: {first:#?}, then {second:#?}");
        }
        assert_same(&space.published(), &published);
    }
}
