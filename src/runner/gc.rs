//! Finds out what of a checkpoint root is still needed, and has the rest deleted.
//!
//! *Invariant*: what is needed is found out and the rest deleted under one lock, so that no run can begin to use what is about
//! to go. Where it cannot be found out, nothing goes.

use super::{Pipeline, RunError, SelectionOptions, gather_facts, last_fingerprints, select};
use crate::checkpoint::gc::{CheckpointId, Decision, Inventory, Needed, decide, delete};
use crate::checkpoint::{Catalog, LATEST_REPORT_FILE, Manifest, REPORTS_FOLDER};
use crate::fingerprint::Fingerprint;
use crate::plan::{Status, plan};
use crate::store::SharedStore;
use serde::Deserialize;
use std::collections::BTreeSet;

/// What a collection keeps.
#[derive(Debug, Clone, Copy)]
pub struct GcOptions {
    /// How many of the latest runs keep the checkpoints that they used, and their reports.
    pub keep_runs: usize,
    /// How many of the latest run records stay; at least as many as `keep_runs`.
    pub keep_records: usize,
    /// Whether what nobody needs is deleted, or only said.
    pub delete: bool,
}

/// What a collection found, and what it did.
#[derive(Debug, Clone)]
pub struct Collected {
    /// What goes and what stays.
    pub decision: Decision,
    /// How many groups of [`Decision::garbage`] are gone, from the first; `None` where nothing was to be deleted.
    pub deleted: Option<usize>,
}

/// What a run record says of what it needs. Only this is read, so that records of other versions serve, too.
#[derive(Debug, Deserialize)]
struct Used {
    stages: Vec<UsedStage>,
}

#[derive(Debug, Deserialize)]
struct UsedStage {
    stage: String,
    fingerprint: Fingerprint,
    /// The run whose record says what it took to make a fresh one.
    #[serde(default)]
    made_by: Option<String>,
}

/// What is read of the note about the latest report.
#[derive(Debug, Deserialize)]
struct LatestReport {
    run: String,
}

/// Finds out what nobody needs, and deletes it on request.
///
/// # Errors
///
/// [`RunError::Locked`] where a run holds the checkpoints and something is to be deleted; [`RunError::UnreadableRecord`];
/// those of planning and of the store.
pub fn collect_garbage(pipeline: &Pipeline, options: &GcOptions) -> Result<Collected, RunError> {
    let store = pipeline.environment.checkpoints.clone();
    if !options.delete {
        let decision = decision(pipeline, &store, options)?;
        let deleted = None;
        return Ok(Collected { decision, deleted });
    }
    let lock = pipeline.lock("gc")?;
    let decision = decision(pipeline, &store, options)?;
    let is_stopped = || pipeline.environment.check_cancelled().is_err();
    let gone = delete(&*store, &decision.garbage, &lock, &is_stopped)?;
    Ok(Collected {
        decision,
        deleted: Some(gone),
    })
}

fn decision(
    pipeline: &Pipeline,
    store: &SharedStore,
    options: &GcOptions,
) -> Result<Decision, RunError> {
    let inventory = Inventory::of(store.list("")?);
    let needed = needed(pipeline, store, &inventory, options)?;
    // On a disk a part that was taken over is a second name of one file.
    Ok(decide(&inventory, &needed, store.local_root().is_some()))
}

fn needed(
    pipeline: &Pipeline,
    store: &SharedStore,
    inventory: &Inventory,
    options: &GcOptions,
) -> Result<Needed, RunError> {
    let skipped = &pipeline.environment.config.skipped;
    let mut needed = Needed {
        stages: pipeline
            .dag()
            .order()
            .iter()
            .chain(skipped.keys())
            .cloned()
            .collect(),
        undecided: skipped.keys().cloned().collect(),
        ..Needed::default()
    };
    let catalog = Catalog::new(store.clone(), last_fingerprints(store)?);
    add_present(pipeline, &catalog, &mut needed)?;
    let records = inventory.records.keys().rev();
    let latest: Vec<&str> = records.map(String::as_str).collect();
    let count = |count: usize| count.min(latest.len());
    let makers;
    (needed.of_runs, makers) = used_by(store, &latest[..count(options.keep_runs)])?;
    let names = |count: usize| latest[..count].iter().map(|run| (*run).to_owned());
    needed.records = names(count(options.keep_records.max(options.keep_runs))).collect();
    needed.records.extend(makers);
    needed.reports = names(count(options.keep_runs)).collect();
    // A run with nothing to do makes no report: the latest one may be of an older run.
    needed.reports.extend(latest_report(store)?);
    add_listed(&catalog, inventory, &mut needed);
    Ok(needed)
}

/// The run that the latest report is of, if there is one.
fn latest_report(store: &SharedStore) -> Result<Option<String>, RunError> {
    let path = format!("{REPORTS_FOLDER}/{LATEST_REPORT_FILE}");
    match store.get(&path) {
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
        // What cannot be read points at no report.
        Ok(bytes) => Ok(serde_json::from_slice::<LatestReport>(&bytes)
            .ok()
            .map(|latest| latest.run)),
    }
}

/// What the present configuration and source make: the stages are planned as a run would.
fn add_present(
    pipeline: &Pipeline,
    catalog: &Catalog,
    needed: &mut Needed,
) -> Result<(), RunError> {
    let selection = select(pipeline, &SelectionOptions::default())?;
    let facts = gather_facts(pipeline, &selection.stages)?;
    let plan = plan(pipeline.dag(), &facts, &selection, catalog);
    pipeline.environment.save_digests();
    for (stage, status) in plan.stages {
        match status {
            Status::Fresh { fingerprint }
            | Status::Dirty {
                fingerprint: Some(fingerprint),
                ..
            } => {
                needed.present.insert((stage, fingerprint));
            }
            Status::Dirty { .. } => {
                needed.undecided.insert(stage);
            }
        }
    }
    Ok(())
}

/// The checkpoints that runs used, and the runs that made them.
fn used_by(
    store: &SharedStore,
    runs: &[&str],
) -> Result<(BTreeSet<CheckpointId>, BTreeSet<String>), RunError> {
    let paths: Vec<String> = runs.iter().map(|run| super::record::path_of(run)).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (mut used, mut makers) = (BTreeSet::new(), BTreeSet::new());
    for (path, bytes) in paths.iter().zip(store.get_all(&paths)) {
        let record: Used = serde_json::from_slice(&bytes?).map_err(|error| {
            let url = format!("{}/{path}", store.url());
            let detail = error.to_string();
            RunError::UnreadableRecord { url, detail }
        })?;
        for of_stage in record.stages {
            makers.extend(of_stage.made_by);
            used.insert((of_stage.stage, of_stage.fingerprint));
        }
    }
    Ok((used, makers))
}

/// Reads what the manifests of needed checkpoints list. One that cannot be read is a matter for the next run, and keeps all
/// that lies beside it.
fn add_listed(catalog: &Catalog, inventory: &Inventory, needed: &mut Needed) {
    let complete = |id: &&CheckpointId| {
        let found = inventory.checkpoints.get(*id);
        found.is_some_and(|found| found.manifest.is_some())
    };
    let ids: BTreeSet<&CheckpointId> = needed.present.union(&needed.of_runs).collect();
    let ids: Vec<CheckpointId> = ids.into_iter().filter(complete).cloned().collect();
    let asked: Vec<(&str, &Fingerprint)> = ids.iter().map(|(a, b)| (a.as_str(), b)).collect();
    let manifests = catalog.manifests(&asked);
    for (id, manifest) in ids.iter().zip(manifests) {
        if let Ok(Some(manifest)) = manifest {
            needed.listed.insert(id.clone(), listed(&manifest));
        }
    }
}

fn listed(manifest: &Manifest) -> BTreeSet<String> {
    let datasets = manifest.datasets.iter();
    let parts = datasets.flat_map(|(name, dataset)| {
        let parts = dataset.parts.iter();
        parts.map(move |part| format!("{name}/{}", part.file))
    });
    parts.collect()
}
