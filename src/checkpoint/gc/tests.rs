//! What goes and what stays, without a store.

use super::*;

const OLD: &str = "00000000000000000000000000000001";
const NEW: &str = "00000000000000000000000000000002";
const RUNS: [&str; 3] = [
    "20261120T023000000Z-aaaaaa",
    "20261121T023000000Z-bbbbbb",
    "20261122T023000000Z-cccccc",
];

/// An object that was written at a time, as a file of its own.
fn object(path: &str, modified_ns: i64) -> ObjectInfo {
    linked(path, modified_ns, path)
}

/// An object that may be another name of the file of an identity.
fn linked(path: &str, modified_ns: i64, identity: &str) -> ObjectInfo {
    ObjectInfo {
        path: path.to_owned(),
        size_bytes: 100,
        identity: identity.to_owned(),
        modified_ns,
    }
}

fn part(index: usize) -> String {
    format!("labelled/part-{index:05}-0123456789abcdef.parquet")
}

/// A checkpoint of two parts that was written at a time.
fn checkpoint(stage: &str, fingerprint: &str, modified_ns: i64) -> Vec<ObjectInfo> {
    let names = ["inputs.json", "manifest.json", &part(0), &part(1)];
    names
        .map(|name| object(&format!("{stage}/{fingerprint}/{name}"), modified_ns))
        .to_vec()
}

fn id(stage: &str, fingerprint: &str) -> CheckpointId {
    (stage.to_owned(), Fingerprint::from_folder(fingerprint))
}

fn record(run: &str, modified_ns: i64) -> ObjectInfo {
    object(&format!("_runs/{run}.json"), modified_ns)
}

/// Needs the last two runs and a stage of the configuration.
fn needed(present: &[CheckpointId]) -> Needed {
    Needed {
        present: present.iter().cloned().collect(),
        stages: present.iter().map(|(stage, _)| stage.clone()).collect(),
        records: RUNS[1..].iter().map(|run| (*run).to_owned()).collect(),
        reports: BTreeSet::from([RUNS[2].to_owned()]),
        ..Needed::default()
    }
}

fn gone(decision: &Decision) -> Vec<&str> {
    let garbage = decision.garbage.iter();
    garbage
        .flat_map(|group| group.paths.iter().map(String::as_str))
        .collect()
}

fn reason(decision: &Decision, stage: &str, fingerprint: &str) -> Option<KeptFor> {
    let is_it = |kept: &&Kept| kept.stage == stage && kept.fingerprint.as_str() == fingerprint;
    decision
        .kept
        .iter()
        .find(is_it)
        .map(|kept| kept.kept_for.clone())
}

#[test]
fn an_old_checkpoint_goes_manifest_first_and_inputs_last() {
    let mut objects = checkpoint("tfidf", OLD, 1);
    objects.extend(checkpoint("tfidf", NEW, 2));
    objects.push(record(RUNS[2], 3));
    let decision = decide(&Inventory::of(objects), &needed(&[id("tfidf", NEW)]), false);
    let names = ["manifest.json", &part(0), &part(1), "inputs.json"];
    let expected = names.map(|name| format!("tfidf/{OLD}/{name}"));
    assert_eq!(gone(&decision), expected);
    assert_eq!(decision.freed_bytes(), 400);
    assert_eq!(reason(&decision, "tfidf", NEW), Some(KeptFor::Present));
}

#[test]
fn what_runs_that_stay_used_stays() {
    let mut objects = checkpoint("tfidf", OLD, 1);
    objects.push(record(RUNS[2], 3));
    let mut needed = needed(&[]);
    needed.of_runs = BTreeSet::from([id("tfidf", OLD)]);
    let decision = decide(&Inventory::of(objects), &needed, false);
    assert_eq!(reason(&decision, "tfidf", OLD), Some(KeptFor::Run));
    assert!(decision.garbage.is_empty());
}

#[test]
fn the_newest_complete_checkpoint_of_a_stage_stays() {
    let unfinished = "00000000000000000000000000000003";
    let mut objects = checkpoint("tfidf", OLD, 1);
    objects.extend(checkpoint("tfidf", NEW, 2));
    objects.push(object(&format!("tfidf/{unfinished}/inputs.json"), 3));
    objects.push(record(RUNS[2], 3));
    // Runs that failed: all that they used is the one they did not finish.
    let needed = needed(&[id("tfidf", unfinished)]);
    let decision = decide(&Inventory::of(objects.clone()), &needed, false);
    assert_eq!(
        reason(&decision, "tfidf", NEW),
        Some(KeptFor::NewestOfStage)
    );
    assert_eq!(reason(&decision, "tfidf", OLD), None);
    // Of a stage that the configuration does not know, nothing stays by itself.
    let unknown = Needed {
        stages: BTreeSet::new(),
        ..needed
    };
    let decision = decide(&Inventory::of(objects), &unknown, false);
    assert_eq!(reason(&decision, "tfidf", NEW), None);
}

#[test]
fn an_unfinished_checkpoint_goes_once_it_is_of_no_use() {
    let path = |name: &str| format!("lenet/{OLD}/{name}");
    let snapshot = path("snapshots/epoch-00007-0123456789abcdef.safetensors");
    let objects = vec![
        object(&path("inputs.json"), 1),
        object(&snapshot, 1),
        record(RUNS[2], 2),
    ];
    let inventory = Inventory::of(objects);
    let mut undecided = needed(&[]);
    undecided.undecided.insert("lenet".to_owned());
    let decision = decide(&inventory, &undecided, false);
    assert_eq!(reason(&decision, "lenet", OLD), Some(KeptFor::MayGoOn));
    let present = decide(&inventory, &needed(&[id("lenet", OLD)]), false);
    assert_eq!(reason(&present, "lenet", OLD), Some(KeptFor::Present));
    let other = decide(&inventory, &needed(&[id("lenet", NEW)]), false);
    assert_eq!(gone(&other), [snapshot, path("inputs.json")]);
}

#[test]
fn what_a_killed_run_left_stays_until_there_is_a_record_after_it() {
    let mut objects = checkpoint("tfidf", OLD, 5);
    objects.push(record(RUNS[1], 4));
    let decision = decide(&Inventory::of(objects.clone()), &needed(&[]), false);
    assert_eq!(reason(&decision, "tfidf", OLD), Some(KeptFor::NoRecordYet));
    objects.push(record(RUNS[2], 6));
    let decision = decide(&Inventory::of(objects), &needed(&[]), false);
    assert_eq!(reason(&decision, "tfidf", OLD), None);
    let without_records = decide(
        &Inventory::of(checkpoint("tfidf", OLD, 5)),
        &needed(&[]),
        false,
    );
    assert!(without_records.garbage.is_empty());
}

#[test]
fn of_a_complete_checkpoint_only_what_is_no_part_of_it_goes() {
    let mut objects = checkpoint("lenet", NEW, 1);
    let within = |name: &str| format!("lenet/{NEW}/{name}");
    let snapshot = within("snapshots/epoch-00007-0123456789abcdef.safetensors");
    let others = [
        within("files/model.json"),
        within("events/train/events.out.tfevents.rayonnage"),
        within("notes.txt"),
        within("labelled/mine.parquet"),
        snapshot.clone(),
    ];
    objects.extend(others.iter().map(|path| object(path, 1)));
    objects.push(record(RUNS[2], 2));
    let inventory = Inventory::of(objects);
    let mut needed = needed(&[id("lenet", NEW)]);
    // Its manifest could not be read: nothing of it is touched.
    assert!(decide(&inventory, &needed, false).garbage.is_empty());
    needed.listed = BTreeMap::from([(id("lenet", NEW), BTreeSet::from([part(0)]))]);
    let decision = decide(&inventory, &needed, false);
    assert_eq!(gone(&decision), [within(&part(1)), snapshot]);
    assert_eq!(decision.unknown, [others[2].clone(), others[3].clone()]);
}

#[test]
fn records_and_reports_beyond_the_last_go() {
    let report = |run: &str| object(&format!("_report/{run}/report.html"), 1);
    let mut objects: Vec<ObjectInfo> = RUNS.iter().map(|run| record(run, 1)).collect();
    objects.extend(RUNS.iter().map(|run| report(run)));
    // A report whose record is gone goes, one of a run that has no record yet stays.
    let (older, newer) = ("20261119T023000000Z-000000", "20261123T023000000Z-000000");
    objects.extend([report(older), report(newer)]);
    objects.push(object("_report/latest.json", 1));
    objects.push(object("_report/index.html", 1));
    objects.push(object("_runs/notes.json", 1));
    let inventory = Inventory::of(objects);
    let decision = decide(&inventory, &needed(&[]), false);
    let expected = [
        format!("_runs/{}.json", RUNS[0]),
        format!("_report/{older}/report.html"),
        format!("_report/{}/report.html", RUNS[0]),
        format!("_report/{}/report.html", RUNS[1]),
    ];
    assert_eq!(gone(&decision), expected);
    assert_eq!(decision.kept_records, RUNS[1..]);
    assert_eq!(decision.kept_reports, [RUNS[2], newer]);
    assert_eq!(decision.unknown, ["_report/index.html", "_runs/notes.json"]);
    // Where nobody knows which reports are needed, all are.
    let mut unknown = needed(&[]);
    unknown.reports.clear();
    let decision = decide(&inventory, &unknown, false);
    assert_eq!(decision.kept_reports.len(), 5);
}

#[test]
fn what_is_not_recognised_stays() {
    let strange = [
        "notes.txt",
        "tfidf/backup/manifest.json",
        "tfidf/0000/inputs.json",
        "Tfidf/00000000000000000000000000000001/manifest.json",
        "_runs/20261120.json",
        "tfidf/00000000000000000000000000000001/labelled/part-1.parquet",
        "tfidf/00000000000000000000000000000001/labelled/deep/part-00000-0123456789abcdef.parquet",
    ];
    let own = [
        "_lock",
        "_digests",
        "_store.json",
        "_uploads/x.json",
        "_scratch/y",
    ];
    let objects = strange.iter().chain(&own).map(|path| object(path, 1));
    let mut objects: Vec<ObjectInfo> = objects.collect();
    objects.push(record(RUNS[2], 2));
    let decision = decide(&Inventory::of(objects), &needed(&[]), false);
    assert!(decision.garbage.is_empty());
    assert_eq!(decision.unknown, strange);
}

#[test]
fn shared_parts_give_back_nothing_until_the_last_name_goes() {
    let third = "00000000000000000000000000000003";
    let name = |fingerprint: &str, index| format!("tfidf/{fingerprint}/{}", part(index));
    let objects = vec![
        linked(&name(OLD, 0), 1, "shared with the new one"),
        linked(&name(OLD, 1), 1, "shared with the third"),
        linked(&name(third, 1), 1, "shared with the third"),
        linked(&name(third, 0), 1, "its own"),
        linked(&name(NEW, 0), 1, "shared with the new one"),
        record(RUNS[2], 2),
    ];
    let inventory = Inventory::of(objects);
    let needed = needed(&[id("tfidf", NEW)]);
    let freed = |has_links| {
        let decision = decide(&inventory, &needed, has_links);
        let freed = decision.garbage.iter().map(|group| group.freed_bytes);
        freed.collect::<Vec<_>>()
    };
    assert_eq!(freed(true), [100, 100]);
    // In a bucket equal bytes are two objects.
    assert_eq!(freed(false), [200, 200]);
}

#[test]
fn run_ids() {
    assert!(RUNS.into_iter().all(is_run_id));
    for other in [
        "",
        "latest",
        "20261120T023000000Z",
        "20261120T02300000Z-aaaaaa",
        "20261120T023000000Z-AAAAAA",
    ] {
        assert!(!is_run_id(other), "{other}");
    }
}
