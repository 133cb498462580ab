//! The same bytes whatever the number of threads, the folder and the order in which stages happen to finish.

use crate::space::{FITTED, Objects, TestSpace, assert_same, objects, ran};

/// Every object of the checkpoints but what belongs to the run or the machine: learning curves hold times.
fn checkpoints(space: &TestSpace) -> Objects {
    let mut found = objects(&space.path("checkpoints"));
    found.retain(|path, _| !path.starts_with('_') && !path.contains("/events/"));
    found
}

#[test]
fn threads_and_folders_change_no_byte() {
    let (one, many) = (TestSpace::new(), TestSpace::new());
    one.run(&["--jobs", "1"]);
    many.run(&["--jobs", "4"]);
    assert_same(&checkpoints(&many), &checkpoints(&one));
    assert_same(&many.published(), &one.published());
}

#[test]
fn forcing_every_stage_changes_no_byte() {
    let space = TestSpace::finished();
    let (made, published) = (checkpoints(&space), space.published());
    let record = space.run(&["--force"]);
    assert_eq!(ran(&record).len(), record.stages.len());
    assert_same(&checkpoints(&space), &made);
    assert_same(&space.published(), &published);
}

#[test]
fn a_finished_folder_is_fresh_wherever_it_is_moved() {
    // `finished` is a copy: other paths, inodes and modification times.
    let space = TestSpace::finished();
    assert!(ran(&space.run(&[])).is_empty());
    assert!(space.rayonnage(&["plan"]).stdout.contains("nothing to do"));
}

#[test]
fn another_seed_is_another_fit() {
    let mut space = TestSpace::finished();
    space.set("seed=124");
    let record = space.run(&[]);
    let ran = ran(&record);
    for stage in &FITTED[3..] {
        assert!(ran.contains(stage), "{stage} is not in {ran:?}");
    }
    assert!(!ran.contains(&"ingest"), "{ran:?}");
}
