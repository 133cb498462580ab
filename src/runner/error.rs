//! Errors of a run, and the exit code of each.

use crate::checkpoint::CheckpointError;
use crate::exit_code;
use crate::stages::StageError;
use crate::store::StoreError;
use thiserror::Error;

/// Why a run failed.
#[derive(Debug, Error)]
pub enum RunError {
    /// Another run holds the checkpoints.
    #[error("the checkpoints are in use: {url} is held by {owner}")]
    Locked {
        /// The lock.
        url: String,
        /// Who holds it.
        owner: String,
    },
    /// A stage failed.
    #[error("stage {stage}")]
    Stage {
        /// The stage.
        stage: String,
        /// Why.
        source: Box<StageError>,
    },
    /// A stage needs one that is neither selected nor complete.
    #[error("stage {stage} needs {need}, which has no complete checkpoint of the present inputs")]
    NotSelected {
        /// The stage.
        stage: String,
        /// What it needs.
        need: String,
    },
    /// A stage that was named on the command line is not there.
    #[error("there is no stage {stage:?}; there are {known}")]
    UnknownStage {
        /// The name.
        stage: String,
        /// The stages there are.
        known: String,
    },
    /// A stage that was named on the command line is left out.
    #[error("stage {stage} is skipped: {reason}")]
    SkippedStage {
        /// The name.
        stage: String,
        /// Why.
        reason: String,
    },
    /// Checkpoints or records cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Checkpoint(error.into())
    }
}

impl RunError {
    pub(super) fn from_lock(error: StoreError) -> Self {
        match error {
            StoreError::Locked { url, owner } => Self::Locked { url, owner },
            error => error.into(),
        }
    }

    /// The stage that it is about.
    #[must_use]
    pub fn stage(&self) -> Option<&str> {
        match self {
            Self::Stage { stage, .. } | Self::NotSelected { stage, .. } => Some(stage),
            _ => None,
        }
    }

    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Locked { .. } => exit_code::LOCKED,
            Self::NotSelected { .. } => exit_code::STAGE_FAILED,
            Self::UnknownStage { .. } | Self::SkippedStage { .. } => exit_code::USAGE,
            Self::Checkpoint(error) => of_checkpoint(error),
            Self::Stage { source, .. } => match &**source {
                StageError::Interrupted { signal } => {
                    exit_code::SIGNAL_BASE.saturating_add(u8::try_from(*signal).unwrap_or(0))
                }
                StageError::TooManyRejects { .. } | StageError::TooManyImageFaults { .. } => {
                    exit_code::TOO_MANY_REJECTS
                }
                StageError::LostRace { .. } => exit_code::LOST_RACE,
                StageError::Panicked { .. } => exit_code::INTERNAL,
                StageError::NoDumpDate => exit_code::CONFIG,
                StageError::Store(StoreError::LockLost { .. }) => exit_code::LOCKED,
                StageError::Checkpoint(error) => of_checkpoint(error),
                _ => exit_code::STAGE_FAILED,
            },
        }
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Locked { .. } => Some("wait for the other run, or stop it; its lock goes with it".to_owned()),
            Self::NotSelected { need, .. } => Some(format!("run without --only, or with --until {need} first")),
            Self::Stage { stage, source } => match &**source {
                StageError::Interrupted { .. } => {
                    Some("run again, without --force and --from: it goes on at the first missing part, a training after its last epoch snapshot".to_owned())
                }
                StageError::TooManyRejects { .. } => Some(
                    "look at the rows named by reason; raise max_reject_ratio only if they may be left out".to_owned(),
                ),
                StageError::TooManyImageFaults { .. } => Some(
                    "look at the source images; raise max_image_fault_ratio if these products may be predicted from text alone".to_owned(),
                ),
                StageError::Checkpoint(CheckpointError::Damaged { stage, .. }) => Some(format!(
                    "the manifest of {stage} was withdrawn; run again to make what is damaged anew"
                )),
                StageError::TooFewRows { .. } => Some(
                    "look at the unlabelled table; stages.publish.params.min_rows: 0 publishes an empty one".to_owned(),
                ),
                StageError::Store(StoreError::LockLost { .. }) => Some(
                    "this machine was silent for longer than lock_timeout_s; run again where no other run is at work".to_owned(),
                ),
                StageError::LostRace { .. } => {
                    Some("nothing of this run is visible to consumers; run again if it should be".to_owned())
                }
                StageError::Check { check, .. } => {
                    Some(format!("see sql/checks/{check}.sql; finished parts of {stage} are kept"))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

fn of_checkpoint(error: &CheckpointError) -> u8 {
    match error {
        CheckpointError::Damaged { .. } => exit_code::CORRUPT_CHECKPOINT,
        _ => exit_code::STAGE_FAILED,
    }
}
