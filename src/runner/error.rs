//! Errors of a run, and the exit code of each.

use crate::checkpoint::CheckpointError;
use crate::exit_code;
use crate::source::SourceError;
use crate::sql::SqlError;
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
    #[error("there is no stage {stage:?}{}", unless_known(suggestion.as_deref(), known))]
    UnknownStage {
        /// The name.
        stage: String,
        /// The stage that was probably meant.
        suggestion: Option<String>,
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
    /// A run record that says what is needed cannot be read.
    #[error("run record {url} cannot be read, so what that run needs is not known: {detail}")]
    UnreadableRecord {
        /// The record.
        url: String,
        /// Why not.
        detail: String,
    },
    /// Checkpoints or records cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What was meant, or where nothing is near what there is.
fn unless_known(suggestion: Option<&str>, known: &str) -> String {
    match suggestion {
        Some(meant) => format!("; did you mean {meant:?}?"),
        None => format!("; there are {known}"),
    }
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
            Self::NotSelected { .. } | Self::UnreadableRecord { .. } => exit_code::STAGE_FAILED,
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
                _ if self.store().is_some_and(StoreError::is_misconfiguration) => exit_code::CONFIG,
                _ => exit_code::STAGE_FAILED,
            },
        }
    }

    /// The error of a store that is at the bottom of it, if one is.
    #[must_use]
    pub fn store(&self) -> Option<&StoreError> {
        let error = match self {
            Self::Stage { source, .. } => match &**source {
                StageError::Store(error) | StageError::Source(SourceError::Store(error)) => {
                    return Some(error);
                }
                StageError::Checkpoint(error) => error,
                _ => return None,
            },
            Self::Checkpoint(error) => error,
            _ => return None,
        };
        match error {
            CheckpointError::Store(error) => Some(error),
            _ => None,
        }
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Locked { .. } => Some("wait for the other run, or stop it; its lock goes with it".to_owned()),
            Self::UnreadableRecord { .. } => {
                Some("move it away, if what that run made may go".to_owned())
            }
            Self::NotSelected { stage, .. } => Some(format!("--until {stage} brings what it needs up to date, too")),
            Self::UnknownStage { .. } => Some("`rayonnage status` lists the stages of the profile".to_owned()),
            Self::SkippedStage { reason, .. } if reason.contains("weights") => {
                Some("name the file of weights in the section weights of pipeline.yaml".to_owned())
            }
            Self::SkippedStage { .. } => Some("`rayonnage plan` says why each stage is skipped".to_owned()),
            Self::Stage { stage, source } => match &**source {
                StageError::Interrupted { .. } => {
                    Some("run again, without --force and --from: it goes on at the first missing part, a training after its last epoch snapshot".to_owned())
                }
                StageError::NoDumpDate => Some(
                    "say of which day the dump is: RAYONNAGE_DATE=YYYY-MM-DD (DATE with make), or dump_date in pipeline.yaml".to_owned(),
                ),
                StageError::Source(error) => of_source(error),
                StageError::Sql(error) => of_query(error),
                StageError::WrongWeights { .. } => Some(
                    "fetch the file again, or put the SHA-256 of this one where the section weights of pipeline.yaml has the other".to_owned(),
                ),
                StageError::NoWeights { .. } => Some(
                    "the section weights of pipeline.yaml names the file; without a path, the stages that load it are skipped".to_owned(),
                ),
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
            Self::Checkpoint(_) => None,
        }
    }
}

/// What to do about a query that fails.
fn of_query(error: &SqlError) -> Option<String> {
    match error {
        SqlError::Run { file, tables, .. } if !tables.is_empty() => {
            Some(format!("correct {file}; what it may read: {tables}"))
        }
        SqlError::Run { file, .. } | SqlError::Refused { file, .. } => {
            Some(format!("correct {file}"))
        }
        _ => None,
    }
}

/// What to do about a source that cannot be read.
fn of_source(error: &SourceError) -> Option<String> {
    let remedy = match error {
        SourceError::MissingColumn { .. } => {
            "name the column that the table has instead: under source.columns, or between the braces of source.images"
        }
        SourceError::Store(StoreError::NotFound { .. }) => {
            "source in pipeline.yaml names the tables, relative to source.root; labels and unlabelled may be empty"
        }
        SourceError::Empty { .. } => "look at the dump: was it copied whole?",
        SourceError::Template { .. } => {
            "source.images takes paths with columns in braces: images/{imageid}.jpg"
        }
        _ => return None,
    };
    Some(remedy.to_owned())
}

fn of_checkpoint(error: &CheckpointError) -> u8 {
    match error {
        CheckpointError::Damaged { .. } => exit_code::CORRUPT_CHECKPOINT,
        _ => exit_code::STAGE_FAILED,
    }
}
