//! A network of images that are read as its training goes, through the program.

use crate::space::{Objects, TestSpace, assert_same, objects, send};
use rayonnage::runner::RunStatus;
use std::process::Stdio;
use std::time::{Duration, Instant};

const AUGMENTATION: &str =
    "{flip: true, rotation: 15, shift: 0.1, zoom: 0.1, brightness: 0.2, fill: reflect}";

/// A space with some parameters of the network.
fn space(params: &[(&str, &str)]) -> TestSpace {
    let mut space = TestSpace::new();
    for (key, value) in params {
        space.set(&format!("lenet.params.{key}={value}"));
    }
    space
}

/// Trains with so many threads; returns the checkpoint's objects, but for learning curves, which hold times.
#[track_caller]
fn trained(space: &TestSpace, threads: &str) -> Objects {
    let mut command = space.command(&["run", "--until", "lenet", "--jobs", threads]);
    let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut found = objects(&space.path("checkpoints/lenet"));
    found.retain(|path, _| !path.contains("/events/"));
    found
}

/// The bytes of the weights.
fn weights(objects: &Objects) -> &[u8] {
    let mut found = objects
        .iter()
        .filter(|(path, _)| path.ends_with("weights.safetensors"));
    let weights = found.next().expect("there are weights").1;
    assert!(found.next().is_none());
    weights
}

#[test]
fn threads_change_no_byte_of_an_augmented_training() {
    // About 90 training rows: of a buffer of 20, every epoch reads all parts; of one of 4096, none but the first.
    for buffer in ["20", "4096"] {
        let params = [("augmentation", AUGMENTATION), ("shuffle_rows", buffer)];
        let one = trained(&space(&params), "1");
        assert!(one.len() > 4, "{:?}", one.keys());
        assert_same(&trained(&space(&params), "2"), &one);
    }
}

#[test]
fn augmentation_and_buffer_make_another_training_and_what_is_read_ahead_does_not() {
    let of = |params: &[(&str, &str)]| trained(&space(params), "2");
    let plain = of(&[]);
    let flipped = of(&[("augmentation", "{flip: true}")]);
    let turned = of(&[("augmentation", "{flip: true, rotation: 10}")]);
    let mixed = of(&[("shuffle_rows", "20")]);
    let all = [&plain, &flipped, &turned, &mixed].map(weights);
    for (at, one) in all.iter().enumerate() {
        for other in &all[..at] {
            assert!(one != other, "two trainings gave the same weights");
        }
    }
    for ahead in ["0", "1"] {
        let mut space = space(&[]);
        space.set(&format!("prefetch_batches={ahead}"));
        // The same checkpoint to the byte, by its fingerprint too.
        assert_same(&trained(&space, "2"), &plain);
    }
    // Options that vary nothing are no augmentation.
    let still = of(&[("augmentation", "{fill: reflect}")]);
    assert!(weights(&still) == weights(&plain));
}

#[test]
fn a_signal_ends_a_training_that_reads() {
    let space = space(&[
        ("epochs", "100000"),
        ("early_stopping.patience", "100000"),
        ("shuffle_rows", "8"),
        ("augmentation", AUGMENTATION),
    ]);
    space.run(&["--until", "decode_images"]);
    space.run(&["--until", "split"]);
    let mut child = space
        .command(&["run", "--until", "lenet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = || {
        let names = objects(&space.path("checkpoints/lenet")).into_keys();
        names.into_iter().any(|name| name.ends_with("inputs.json"))
    };
    let wait = |is_over: &mut dyn FnMut() -> bool, what: &str| {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !is_over() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait(&mut || begun(), "the training does not begin");
    // Some epochs.
    std::thread::sleep(Duration::from_millis(1500));
    send("-TERM", child.id());
    wait(
        &mut || child.try_wait().unwrap().is_some(),
        "the training does not end",
    );
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(space.record().status, RunStatus::Interrupted);
}
