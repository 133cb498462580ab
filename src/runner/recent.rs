//! What the latest run records say of the checkpoints.

use super::record::{RunRecord, StageStatus};
use crate::checkpoint::gc::CheckpointId;
use crate::checkpoint::{Catalog, CheckpointError, RUNS_FOLDER};
use crate::fingerprint::Fingerprint;
use crate::graph::StageId;
use crate::store::SharedStore;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the latest runs say of the checkpoints that they used.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The fingerprint that the latest run with each stage made or found; of one that never got so far, what it failed at.
    pub(super) fingerprints: BTreeMap<StageId, Fingerprint>,
    /// The run that made a checkpoint, by stage and fingerprint.
    pub(super) makers: BTreeMap<CheckpointId, String>,
}

impl Recent {
    /// Reads them; a record that cannot be read is passed over.
    pub(super) fn read(store: &SharedStore) -> Result<Self, CheckpointError> {
        let mut recent = Self::default();
        for bytes in Catalog::recent_records(store)? {
            let Ok(record) = serde_json::from_slice::<Used>(&bytes) else {
                continue;
            };
            for used in record.stages {
                let made_by = match used.status {
                    StageStatus::Ran => Some(record.run.clone()),
                    StageStatus::Fresh | StageStatus::Failed => used.made_by,
                };
                let id = (used.stage, used.fingerprint);
                if let Some(run) = made_by {
                    recent.makers.insert(id.clone(), run);
                }
                // What a stage failed at has no complete checkpoint: the one before is what there is to look at.
                if used.status == StageStatus::Failed {
                    recent.fingerprints.entry(id.0).or_insert(id.1);
                } else {
                    recent.fingerprints.insert(id.0, id.1);
                }
            }
        }
        Ok(recent)
    }
}

/// The little of a record that planning needs. Every command reads the latest twenty, whose summaries are long.
#[derive(Deserialize)]
struct Used {
    run: String,
    stages: Vec<UsedStage>,
}

/// See [`StageRecord`].
#[derive(Deserialize)]
struct UsedStage {
    stage: StageId,
    status: StageStatus,
    fingerprint: Fingerprint,
    #[serde(default)]
    made_by: Option<String>,
}

/// The fingerprint that the latest run with each stage used.
///
/// # Errors
///
/// Those of the store; a record that cannot be read is passed over.
pub fn last_fingerprints(
    store: &SharedStore,
) -> Result<BTreeMap<StageId, Fingerprint>, CheckpointError> {
    Ok(Recent::read(store)?.fingerprints)
}

/// The record of the latest run, if there was one.
///
/// # Errors
///
/// Those of the store.
pub fn latest_record(store: &SharedStore) -> Result<Option<RunRecord>, CheckpointError> {
    for info in store.list(RUNS_FOLDER)?.iter().rev() {
        if let Ok(record) = serde_json::from_slice(&store.get(&info.path)?) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}
