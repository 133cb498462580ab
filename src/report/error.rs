//! What keeps a report from being made.

use crate::checkpoint::CheckpointError;
use crate::runner::RunError;
use crate::sql::SqlError;
use crate::store::StoreError;
use thiserror::Error;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A store cannot be read, or not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run or a deletion holds the checkpoints.
    #[error(transparent)]
    Locked(Box<RunError>),
    /// A query of `sql/report` failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A checkpoint holds something else than it should.
    #[error("the checkpoint of {stage} cannot be shown: {detail}")]
    Unusable {
        /// The stage.
        stage: String,
        /// What is wrong.
        detail: String,
    },
    /// The checkpoints of the run were deleted since.
    #[error("the checkpoints of run {run} are no longer there")]
    Gone {
        /// The run.
        run: String,
    },
    /// There is no run to report on.
    #[error("no run has left anything to report on")]
    NothingRan,
    /// A file of JSON beside a dataset cannot be read.
    #[error("{file} of {stage} is not what was expected")]
    File {
        /// The stage.
        stage: String,
        /// The file.
        file: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// The template of the page and the data do not fit.
    #[error("the page cannot be filled in")]
    Page(#[from] minijinja::Error),
}
