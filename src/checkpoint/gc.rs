//! What nobody needs any more of a checkpoint root: what is there, and what is needed → what goes.
//!
//! *Invariant*: what is not recognised stays, and nothing of a checkpoint that is needed goes but what its manifest does not
//! list. A checkpoint goes manifest first and `inputs.json` last, so whatever a crash leaves of it is an unfinished checkpoint,
//! which is never read as a complete one. Deciding is pure; [`delete`] does what was decided.

mod deletion;
mod inventory;

pub use deletion::delete;
pub use inventory::{CheckpointId, FoundCheckpoint, Inventory, is_run_id};

use super::layout::parse_part_file;
use crate::fingerprint::Fingerprint;
use crate::graph::StageId;
use crate::store::ObjectInfo;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Why a checkpoint stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptFor {
    /// It is what the present configuration and source make.
    Present,
    /// One of the latest runs used it.
    Run,
    /// None of those that stay is complete, and of the complete ones of a stage it is the newest.
    NewestOfStage,
    /// It is unfinished, and whether the next run goes on with it is not known before another stage has run.
    MayGoOn,
    /// It was written to after the last run record: a run that was killed left it.
    NoRecordYet,
}

/// What is needed.
#[derive(Debug, Clone, Default)]
pub struct Needed {
    /// Checkpoints of the present configuration, complete or not.
    pub present: BTreeSet<CheckpointId>,
    /// Checkpoints that the runs that stay used.
    pub of_runs: BTreeSet<CheckpointId>,
    /// The stages of the configuration, those that are skipped included.
    pub stages: BTreeSet<StageId>,
    /// Stages whose present fingerprint is not known, since something that they need has to run.
    pub undecided: BTreeSet<StageId>,
    /// Runs whose records stay.
    pub records: BTreeSet<String>,
    /// Runs whose reports stay.
    pub reports: BTreeSet<String>,
    /// What the manifests of complete checkpoints list, as `dataset/file`. Of others, every part stays.
    pub listed: BTreeMap<CheckpointId, BTreeSet<String>>,
}

/// A checkpoint that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The stage.
    pub stage: StageId,
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// Whether it has a manifest.
    pub is_complete: bool,
    /// Why it stays.
    pub kept_for: KeptFor,
    /// Bytes of its objects.
    pub bytes: u64,
}

/// What goes together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Subject {
    /// A whole checkpoint.
    Checkpoint {
        /// The stage.
        stage: StageId,
        /// The fingerprint.
        fingerprint: Fingerprint,
        /// Whether it has a manifest.
        is_complete: bool,
    },
    /// What lies in a complete checkpoint that stays, and is no part of it.
    Leftovers {
        /// The stage.
        stage: StageId,
        /// The fingerprint.
        fingerprint: Fingerprint,
    },
    /// The record of a run.
    Record {
        /// The run.
        run: String,
    },
    /// The report of a run.
    Report {
        /// The run.
        run: String,
    },
}

/// Objects that go, in the order in which they do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Garbage {
    /// What they are of.
    #[serde(flatten)]
    pub subject: Subject,
    /// How many objects.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that this gives back: an object that shares its bytes with one that stays gives back nothing.
    pub freed_bytes: u64,
    /// Their paths; the first goes before the others, the last after them.
    pub paths: Vec<String>,
}

/// What goes and what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What goes.
    pub garbage: Vec<Garbage>,
    /// The checkpoints that stay.
    pub kept: Vec<Kept>,
    /// The runs whose records stay.
    pub kept_records: Vec<String>,
    /// The runs whose reports stay.
    pub kept_reports: Vec<String>,
    /// Objects that are no business of this program.
    pub unknown: Vec<String>,
}

impl Decision {
    /// Bytes that all of it gives back.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.garbage.iter().map(|garbage| garbage.freed_bytes).sum()
    }
}

/// Decides what goes. Where `has_links`, objects of one identity are one file under several names.
#[must_use]
pub fn decide(inventory: &Inventory, needed: &Needed, has_links: bool) -> Decision {
    let mut decision = Decision::default();
    let mut going: Vec<(Subject, Vec<&ObjectInfo>)> = Vec::new();
    let reasons = reasons(inventory, needed);
    for (id, found) in &inventory.checkpoints {
        let (stage, fingerprint) = id.clone();
        let is_complete = found.manifest.is_some();
        if let Some(kept_for) = reasons.get(id) {
            let bytes = found.objects().map(|object| object.size_bytes).sum();
            let leftovers = leftovers(found, needed.listed.get(id));
            if !leftovers.is_empty() {
                let (stage, fingerprint) = id.clone();
                going.push((Subject::Leftovers { stage, fingerprint }, leftovers));
            }
            decision.kept.push(Kept {
                stage,
                fingerprint,
                is_complete,
                kept_for: kept_for.clone(),
                bytes,
            });
        } else {
            let subject = Subject::Checkpoint {
                stage,
                fingerprint,
                is_complete,
            };
            going.push((subject, found.objects().collect()));
        }
    }
    for (run, record) in &inventory.records {
        if needed.records.contains(run) {
            decision.kept_records.push(run.clone());
        } else {
            let run = run.clone();
            going.push((Subject::Record { run }, vec![record]));
        }
    }
    for (run, report) in &inventory.reports {
        // One that is newer than all that stay is of a run that is about to leave its record.
        if needed.reports.contains(run) || needed.reports.last().is_none_or(|last| run > last) {
            decision.kept_reports.push(run.clone());
        } else {
            let run = run.clone();
            going.push((Subject::Report { run }, report.iter().collect()));
        }
    }
    decision.unknown.clone_from(&inventory.unknown);
    decision.garbage = weigh(inventory, going, has_links);
    decision
}

/// Why each checkpoint that stays does.
fn reasons(inventory: &Inventory, needed: &Needed) -> BTreeMap<CheckpointId, KeptFor> {
    let last_record_ns = inventory
        .records
        .values()
        .map(|info| info.modified_ns)
        .max();
    let reason = |(id, found): (&CheckpointId, &FoundCheckpoint)| {
        let written_ns = found.objects().map(|object| object.modified_ns).max();
        let reason = if needed.present.contains(id) {
            KeptFor::Present
        } else if needed.of_runs.contains(id) {
            KeptFor::Run
        } else if found.manifest.is_none() && needed.undecided.contains(&id.0) {
            KeptFor::MayGoOn
        } else if written_ns > last_record_ns || last_record_ns.is_none() {
            KeptFor::NoRecordYet
        } else {
            return None;
        };
        Some((id.clone(), reason))
    };
    let mut reasons: BTreeMap<CheckpointId, KeptFor> =
        inventory.checkpoints.iter().filter_map(reason).collect();
    for stage in &needed.stages {
        let complete = || {
            let all = inventory.checkpoints.iter();
            all.filter(|(id, found)| id.0 == *stage && found.manifest.is_some())
        };
        if complete().any(|(id, _)| reasons.contains_key(id)) {
            continue;
        }
        let written_ns = |found: &FoundCheckpoint| found.manifest.as_ref().map(|it| it.modified_ns);
        if let Some((id, _)) = complete().max_by_key(|(id, found)| (written_ns(found), *id)) {
            reasons.insert(id.clone(), KeptFor::NewestOfStage);
        }
    }
    reasons
}

/// What lies in a complete checkpoint and is no part of it: epoch snapshots, and parts that its manifest does not list.
fn leftovers<'a>(
    found: &'a FoundCheckpoint,
    listed: Option<&BTreeSet<String>>,
) -> Vec<&'a ObjectInfo> {
    let (Some(listed), Some(_)) = (listed, &found.manifest) else {
        return Vec::new();
    };
    let is_left = |object: &&ObjectInfo| {
        let mut segments = object.path.splitn(3, '/').skip(2);
        let within = segments.next().unwrap_or_default();
        let is_part = within
            .rsplit_once('/')
            .is_some_and(|(_, file)| parse_part_file(file).is_some());
        (is_part && !listed.contains(within)) || within.starts_with("snapshots/")
    };
    found.others.iter().filter(is_left).collect()
}

/// Counts what each group gives back. Of a file with several names the group with the first of them tells, if all names go.
fn weigh(
    inventory: &Inventory,
    going: Vec<(Subject, Vec<&ObjectInfo>)>,
    has_links: bool,
) -> Vec<Garbage> {
    let goes: BTreeSet<&str> = going
        .iter()
        .flat_map(|(_, objects)| objects.iter().map(|object| object.path.as_str()))
        .collect();
    let stays = inventory
        .all()
        .filter(|object| !goes.contains(object.path.as_str()));
    let mut held: BTreeSet<&str> = stays.map(|object| object.identity.as_str()).collect();
    let mut garbage = Vec::with_capacity(going.len());
    for (subject, objects) in going {
        let mut freed_bytes = 0;
        for object in &objects {
            if !has_links || held.insert(&object.identity) {
                freed_bytes += object.size_bytes;
            }
        }
        garbage.push(Garbage {
            subject,
            objects: objects.len(),
            bytes: objects.iter().map(|object| object.size_bytes).sum(),
            freed_bytes,
            paths: objects.iter().map(|object| object.path.clone()).collect(),
        });
    }
    garbage
}

#[cfg(test)]
mod tests;
