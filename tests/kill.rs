//! Real signals: `kill -9` at several places, and SIGTERM and SIGINT.
//!
//! The moment is caught by watching the folder. Where the program is too quick, the test tries again with more rows,
//! and fails if it never catches it.

use crate::space::{Objects, TestSpace, assert_same, objects, options, ran, send, stage};
use rayonnage::runner::{RunRecord, RunStatus};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How to stop a run.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Kill,
    Term,
    Int,
}

/// Paths below a folder of files whose name starts in some way, at a given depth.
fn files(folder: &Path, depth: usize, start: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if depth > 0 {
            found.extend(files(&entry.path(), depth - 1, start));
        } else if name.starts_with(start) && !name.contains('#') {
            found.push(name);
        }
    }
    found
}

/// Whether a stage has some parts and no manifest.
fn is_half_made(space: &TestSpace, stage: &str) -> bool {
    let folder = space.path("checkpoints").join(stage);
    let parts = files(&folder, 2, "part-").len();
    parts > 1 && files(&folder, 1, "manifest.json").is_empty()
}

/// Whether a stage has begun and not ended.
fn is_begun(space: &TestSpace, stage: &str) -> bool {
    let folder = space.path("checkpoints").join(stage);
    !files(&folder, 1, "inputs.json").is_empty() && files(&folder, 1, "manifest.json").is_empty()
}

/// Whether a publication is there in part.
fn is_half_published(space: &TestSpace) -> bool {
    let folder = space.path("out/predictions");
    !files(&folder, 2, "part-").is_empty() && files(&folder, 2, "_SUCCESS").is_empty()
}

/// Sends a signal at the moment; `None` where the run ended before.
fn stop_at(
    space: &TestSpace,
    signal: Signal,
    moment: &dyn Fn(&TestSpace) -> bool,
) -> Option<ExitStatus> {
    let mut child = space
        .command(&["run", "--jobs", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the run does not end");
        if moment(space) {
            match signal {
                Signal::Kill => child.kill().unwrap(),
                Signal::Term => send("-TERM", child.id()),
                Signal::Int => send("-INT", child.id()),
            }
            break;
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    let status = child.wait().unwrap();
    (!status.success()).then_some(status)
}

/// A space whose run was stopped at the moment, one like it whose run was not, and how the stopped one ended.
#[track_caller]
fn stopped(
    signal: Signal,
    moment: &dyn Fn(&TestSpace) -> bool,
) -> (TestSpace, TestSpace, ExitStatus) {
    stopped_with(&[], signal, moment)
}

/// As [`stopped`], with settings.
#[track_caller]
fn stopped_with(
    settings: &[&str],
    signal: Signal,
    moment: &dyn Fn(&TestSpace) -> bool,
) -> (TestSpace, TestSpace, ExitStatus) {
    for rows in [200, 400, 800, 1600] {
        let make = || {
            let mut space = TestSpace::with_sample(&options(rows));
            space.set("rows_per_part=8");
            for setting in settings {
                space.set(setting);
            }
            space
        };
        let space = make();
        if let Some(status) = stop_at(&space, signal, moment)
            && moment(&space)
        {
            let whole = make();
            whole.run(&["--jobs", "1"]);
            return (space, whole, status);
        }
    }
    panic!("the run was always too quick for {signal:?}");
}

/// Runs again, and asserts that the outcome is that of the run which was not stopped.
#[track_caller]
fn assert_resumes(space: &TestSpace, whole: &TestSpace) -> RunRecord {
    let record = space.run(&["--jobs", "1"]);
    assert_same(&space.published(), &whole.published());
    let left = objects(&space.path("checkpoints")).into_keys();
    let left: Vec<String> = left.filter(|name| name.contains('#')).collect();
    assert!(left.is_empty(), "half-written files are left: {left:?}");
    assert!(
        ran(&space.run(&["--jobs", "1"])).is_empty(),
        "nothing is left to do"
    );
    record
}

#[test]
fn killed_in_decode_images() {
    let (space, whole, status) =
        stopped(Signal::Kill, &|space| is_half_made(space, "decode_images"));
    assert_eq!(status.signal(), Some(9));
    // Besides them, the sums of each part, which do not count.
    let finished = objects(&space.path("checkpoints/decode_images")).into_keys();
    let finished = finished
        .filter(|path| path.contains("labelled/part-") && !path.contains('#'))
        .count();
    let record = assert_resumes(&space, &whole);
    let images = stage(&record, "decode_images");
    assert_eq!(images.parts_taken_over, finished as u64);
    assert!(images.parts_made > 0);
    let [resumed, made] =
        [&space, &whole].map(|space| objects(&space.path("checkpoints/decode_images")));
    assert!(made.keys().any(|path| path.ends_with("pixel_variance.npy")));
    assert_same(&resumed, &made);
    let ran = ran(&record);
    assert!(!ran.contains(&"ingest"), "{ran:?}");
}

#[test]
fn killed_in_embed_images() {
    let (space, whole, status) = stopped(Signal::Kill, &|space| {
        is_half_made(space, "embed_mobilenet_v2")
    });
    assert_eq!(status.signal(), Some(9));
    let finished = files(&space.path("checkpoints/embed_mobilenet_v2"), 2, "part-").len() as u64;
    let record = assert_resumes(&space, &whole);
    let embedded = stage(&record, "embed_mobilenet_v2");
    assert_eq!(embedded.parts_taken_over, finished);
    assert!(embedded.parts_made > 0);
    let all = stage(&whole.record(), "embed_mobilenet_v2").clone();
    assert!(embedded.images < all.images, "{embedded:?} of {all:?}");
}

#[test]
fn killed_in_train() {
    let (space, whole, status) = stopped(Signal::Kill, &|space| is_begun(space, "lenet"));
    assert_eq!(status.signal(), Some(9));
    let record = assert_resumes(&space, &whole);
    let ran = ran(&record);
    assert!(
        ran.contains(&"lenet") && !ran.contains(&"decode_images"),
        "{ran:?}"
    );
}

/// Many short epochs, each with its snapshot.
const EPOCHS: [&str; 3] = [
    "snapshot_every_s=0",
    "lenet.params.epochs=40",
    "lenet.params.early_stopping.patience=40",
];

/// Epoch snapshots of a training that is under way. By their names: the program deletes old ones meanwhile.
fn snapshots(space: &TestSpace, stage: &str) -> Vec<PathBuf> {
    let folder = space.path("checkpoints").join(stage);
    if !files(&folder, 1, "manifest.json").is_empty() {
        return Vec::new();
    }
    let fingerprints = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = fingerprints
        .map(|fingerprint| fingerprint.path().join("snapshots"))
        .flat_map(|folder| {
            let names = files(&folder, 0, "epoch-").into_iter();
            names.map(move |name| folder.join(name))
        })
        .collect();
    found.sort();
    found
}

/// Asserts that a training that was killed went on in an epoch, and ended as one that was not.
#[track_caller]
fn assert_trains_on(space: &TestSpace, whole: &TestSpace, epoch: u64) {
    let record = assert_resumes(space, whole);
    let [resumed, made] = [&record, &whole.record()].map(|record| stage(record, "lenet").clone());
    assert_eq!(resumed.resumed_at_epoch, Some(epoch), "{resumed:?}");
    assert_eq!(resumed.done + epoch - 1, made.done, "only the others ran");
    assert_eq!(made.resumed_at_epoch, None);
    assert_eq!(resumed.summary, made.summary);
    let [resumed, made] = [space, whole].map(|space| objects(&space.path("checkpoints/lenet")));
    // Learning curves hold times. The snapshots are gone.
    let (curves, resumed): (Objects, Objects) = resumed
        .into_iter()
        .partition(|(path, _)| path.contains("/events/"));
    let (whole_curves, made): (Objects, Objects) = made
        .into_iter()
        .partition(|(path, _)| path.contains("/events/"));
    assert_same(&resumed, &made);
    assert!(
        resumed
            .keys()
            .any(|path| path.ends_with("weights.safetensors"))
    );
    let sizes = |curves: Objects| -> Vec<(String, usize)> {
        let curves = curves.into_iter();
        curves.map(|(path, bytes)| (path, bytes.len())).collect()
    };
    assert_eq!(sizes(curves), sizes(whole_curves), "all epochs are in them");
}

/// Number of an epoch by the name of its snapshot.
fn epoch_of(snapshot: &Path) -> u64 {
    let name = snapshot.file_name().unwrap().to_str().unwrap();
    name["epoch-".len()..][..5].parse().unwrap()
}

#[test]
fn killed_between_epochs() {
    let (space, whole, status) = stopped_with(&EPOCHS, Signal::Kill, &|space| {
        snapshots(space, "lenet").len() > 1
    });
    assert_eq!(status.signal(), Some(9));
    let newest = epoch_of(snapshots(&space, "lenet").last().unwrap());
    assert_trains_on(&space, &whole, newest + 1);
}

#[test]
fn killed_between_epochs_and_the_last_snapshot_is_torn() {
    let (space, whole, _) = stopped_with(&EPOCHS, Signal::Kill, &|space| {
        snapshots(space, "lenet").len() > 1
    });
    let left = snapshots(&space, "lenet");
    let [.., before, newest] = &left[..] else {
        panic!("{left:?}");
    };
    let bytes = fs::read(newest).unwrap();
    fs::write(newest, &bytes[..bytes.len() / 2]).unwrap();
    assert_trains_on(&space, &whole, epoch_of(before) + 1);
}

#[test]
fn a_forced_run_trains_from_the_beginning() {
    let (space, whole, _) = stopped_with(&EPOCHS, Signal::Kill, &|space| {
        !snapshots(space, "lenet").is_empty()
    });
    let record = space.run(&["--jobs", "1", "--from", "lenet"]);
    let forced = stage(&record, "lenet");
    assert_eq!(forced.resumed_at_epoch, None);
    assert_eq!(forced.done, stage(&whole.record(), "lenet").done);
    assert_same(&space.published(), &whole.published());
}

#[test]
fn killed_in_ingest() {
    let (space, whole, status) = stopped(Signal::Kill, &|space| is_half_made(space, "ingest"));
    assert_eq!(status.signal(), Some(9));
    let record = assert_resumes(&space, &whole);
    assert_eq!(ran(&record).len(), record.stages.len());
}

#[test]
fn killed_in_publish() {
    let (space, whole, status) = stopped(Signal::Kill, &is_half_published);
    assert_eq!(status.signal(), Some(9));
    assert!(
        !space.path("out/predictions/latest.json").exists(),
        "consumers do not see half a publication"
    );
    let record = assert_resumes(&space, &whole);
    assert_eq!(ran(&record), ["publish"]);
    let publish = stage(&record, "publish");
    assert_eq!(publish.parts_made, 0, "the exported parts are taken over");
    assert!(publish.parts_taken_over > 0);
}

#[track_caller]
fn assert_interrupted(signal: Signal, code: i32, stage_name: &str) {
    let (space, whole, status) = stopped(signal, &|space| {
        is_half_made(space, stage_name) || is_begun(space, stage_name)
    });
    assert_eq!(status.code(), Some(code), "{status:?}");
    let record = space.record();
    assert_eq!(record.status, RunStatus::Interrupted);
    assert_eq!(i32::from(record.exit_code), code);
    assert!(record.error.unwrap().contains("interrupted by signal"));
    assert_eq!(record.stages.last().unwrap().stage, stage_name);
    assert_resumes(&space, &whole);
}

#[test]
fn terminated_in_decode_images() {
    assert_interrupted(Signal::Term, 143, "decode_images");
}

#[test]
fn interrupted_in_train() {
    assert_interrupted(Signal::Int, 130, "lenet");
}
