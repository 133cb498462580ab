//! Errors about earlier runs.

use crate::checkpoint::CheckpointError;
use crate::store::StoreError;
use thiserror::Error;

/// What went wrong with what earlier runs left.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// There is no run record.
    #[error("there is no run yet in {url}")]
    NoRuns {
        /// The checkpoint root.
        url: String,
    },
    /// No run is called so.
    #[error("there is no run {name:?}; the latest is {latest}")]
    UnknownRun {
        /// The name.
        name: String,
        /// The latest run.
        latest: String,
    },
    /// There are fewer runs than the name counts back.
    #[error("there is no run {name:?}: {}", there_are(*count))]
    TooFewRuns {
        /// The name.
        name: String,
        /// How many there are.
        count: usize,
    },
    /// More than one run is called so.
    #[error("{name:?} may be one of {count} runs: {}", candidates.join(", "))]
    AmbiguousRun {
        /// The beginning of a name.
        name: String,
        /// How many runs begin so.
        count: usize,
        /// The latest of them.
        candidates: Vec<String>,
    },
    /// A record cannot be read as such.
    #[error("run record {url} cannot be read")]
    Unreadable {
        /// The record.
        url: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// A run did not come to the stage that is asked for.
    #[error("run {run} has no checkpoint of {stage}")]
    NotInRun {
        /// The run.
        run: String,
        /// The stage, or a kind of stage.
        stage: String,
    },
    /// The checkpoint that a run used is not there any more.
    #[error(
        "checkpoint {stage}/{fingerprint} of run {run} is not there any more, or was never completed"
    )]
    Gone {
        /// The run.
        run: String,
        /// The stage.
        stage: String,
        /// The fingerprint.
        fingerprint: String,
    },
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

fn there_are(count: usize) -> String {
    match count {
        1 => "there is 1 run record".to_owned(),
        _ => format!("there are {count} run records"),
    }
}

impl From<StoreError> for HistoryError {
    fn from(error: StoreError) -> Self {
        Self::Checkpoint(error.into())
    }
}

impl HistoryError {
    /// Whether the command line named something that is not there.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Unreadable { .. } | Self::Checkpoint(_))
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoRuns { .. } => {
                Some("run the pipeline first, or name the checkpoints: RAYONNAGE_CHECKPOINTS")
            }
            Self::TooFewRuns { count: 0 | 1, .. } => Some(
                "two runs are compared, and there is one so far: run the pipeline again, or name other checkpoints: RAYONNAGE_CHECKPOINTS",
            ),
            Self::UnknownRun { .. } | Self::TooFewRuns { .. } => Some(
                "rayonnage runs lists them; a run is named by its id, the beginning of it, latest, or latest~1 for the one before",
            ),
            Self::NotInRun { .. } => {
                Some("compare other runs: `rayonnage runs` says which ended ok")
            }
            Self::AmbiguousRun { .. } => Some("write more of the id"),
            Self::Gone { .. } => Some(
                "gc deletes what the last runs do not need: compare later runs, or call it with a larger --keep-runs from now on",
            ),
            _ => None,
        }
    }
}
