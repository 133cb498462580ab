//! What lies below a checkpoint root, told by its paths.

use crate::checkpoint::layout::{
    INPUTS_FILE, LATEST_REPORT_FILE, MANIFEST_FILE, REPORTS_FOLDER, RUNS_FOLDER, parse_part_file,
};
use crate::checkpoint::manifest::FILES;
use crate::checkpoint::snapshots;
use crate::fingerprint::Fingerprint;
use crate::graph::StageId;
use crate::store::ObjectInfo;
use std::collections::BTreeMap;

/// A stage and a fingerprint of it.
pub type CheckpointId = (StageId, Fingerprint);

/// The objects of one checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundCheckpoint {
    /// What makes it complete.
    pub manifest: Option<ObjectInfo>,
    /// What it is made from.
    pub inputs: Option<ObjectInfo>,
    /// Parts, files, epoch snapshots and event files.
    pub others: Vec<ObjectInfo>,
}

impl FoundCheckpoint {
    /// Its objects in the order in which they may go.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectInfo> {
        let (first, last) = (self.manifest.iter(), self.inputs.iter());
        first.chain(&self.others).chain(last)
    }
}

/// All objects of a root, sorted out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The checkpoints, complete or not.
    pub checkpoints: BTreeMap<CheckpointId, FoundCheckpoint>,
    /// Run records, by run.
    pub records: BTreeMap<String, ObjectInfo>,
    /// Objects of reports, by run.
    pub reports: BTreeMap<String, Vec<ObjectInfo>>,
    /// Paths of what is none of these.
    pub unknown: Vec<String>,
    /// Those of them, as they were listed.
    strangers: Vec<ObjectInfo>,
}

impl Inventory {
    /// Sorts the objects of a root out.
    #[must_use]
    pub fn of(objects: Vec<ObjectInfo>) -> Self {
        let mut inventory = Self::default();
        for object in objects {
            inventory.add(object);
        }
        inventory
    }

    fn add(&mut self, object: ObjectInfo) {
        let path = object.path.clone();
        let segments: Vec<&str> = path.split('/').collect();
        match segments[..] {
            [RUNS_FOLDER, file] if file.strip_suffix(".json").is_some_and(is_run_id) => {
                let run = file.trim_end_matches(".json").to_owned();
                self.records.insert(run, object);
            }
            [REPORTS_FOLDER, run, _, ..] if is_run_id(run) => {
                self.reports.entry(run.to_owned()).or_default().push(object);
            }
            [stage, fingerprint, ref within @ ..]
                if is_stage(stage) && is_fingerprint(fingerprint) && is_ours(within) =>
            {
                let id = (stage.to_owned(), Fingerprint::from_folder(fingerprint));
                let found = self.checkpoints.entry(id).or_default();
                match within {
                    [MANIFEST_FILE] => found.manifest = Some(object),
                    [INPUTS_FILE] => found.inputs = Some(object),
                    _ => found.others.push(object),
                }
            }
            // Locks, notes of the store, the table of digests.
            [file] if file.starts_with('_') => self.strangers.push(object),
            ["_uploads" | "_scratch", ..] | [REPORTS_FOLDER, LATEST_REPORT_FILE] => {
                self.strangers.push(object);
            }
            _ => {
                self.unknown.push(path);
                self.strangers.push(object);
            }
        }
    }

    /// Every object.
    pub(super) fn all(&self) -> impl Iterator<Item = &ObjectInfo> {
        let checkpoints = self.checkpoints.values();
        checkpoints
            .flat_map(FoundCheckpoint::objects)
            .chain(self.records.values())
            .chain(self.reports.values().flatten())
            .chain(&self.strangers)
    }
}

/// Whether a name is that of a run, such as `20261123T025609829Z-e5e16f`.
#[must_use]
pub fn is_run_id(name: &str) -> bool {
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_tail = |tail: &str| tail.len() == 6 && is_lower_hex(tail);
    let Some((time, tail)) = name.split_once("Z-") else {
        return false;
    };
    time.split_once('T')
        .is_some_and(|(day, time)| digits(day, 8) && digits(time, 9) && is_tail(tail))
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a folder may be one of a stage.
fn is_stage(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(is_word)
}

fn is_fingerprint(name: &str) -> bool {
    name.len() == 32 && is_lower_hex(name)
}

/// Whether a path within a checkpoint is one that the program writes.
fn is_ours(within: &[&str]) -> bool {
    match within {
        [MANIFEST_FILE | INPUTS_FILE] | [FILES, _] | ["events", _, ..] => true,
        [snapshots::FOLDER, file] => snapshots::is_snapshot(file),
        [_, file] => parse_part_file(file).is_some(),
        _ => false,
    }
}
