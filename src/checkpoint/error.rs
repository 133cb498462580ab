//! Errors of checkpoints; each names the object it is about.

use crate::store::StoreError;
use thiserror::Error;

/// What went wrong with a checkpoint.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object is not what the manifest says it is.
    #[error("{url} is damaged: {detail}")]
    Damaged {
        /// Stage whose checkpoint it is.
        stage: String,
        /// The object.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A dataset that a stage reads is not in the checkpoint.
    #[error("the checkpoint of {stage} has no dataset {dataset:?}")]
    NoDataset {
        /// Stage whose checkpoint it is.
        stage: String,
        /// The dataset asked for.
        dataset: String,
    },
    /// A dataset lacks a column that a stage reads, or it is of another type.
    #[error("column {column:?} is absent or not of type {expected}")]
    Column {
        /// The column.
        column: String,
        /// The type that was expected.
        expected: String,
    },
    /// Rows cannot be encoded as Parquet.
    #[error("cannot encode {what} as parquet")]
    Encode {
        /// What was to be encoded.
        what: String,
        /// Why not.
        source: ::parquet::errors::ParquetError,
    },
    /// Bytes cannot be decoded as Parquet.
    #[error("cannot decode {what} as parquet")]
    Decode {
        /// What was to be decoded.
        what: String,
        /// Why not.
        source: ::parquet::errors::ParquetError,
    },
    /// Arrow refused an operation on columns.
    #[error("cannot assemble {what}")]
    Arrow {
        /// What was being made.
        what: String,
        /// Why not.
        source: arrow::error::ArrowError,
    },
}

impl CheckpointError {
    /// The stage whose checkpoint is damaged, if that is what happened.
    #[must_use]
    pub fn damaged_stage(&self) -> Option<&str> {
        match self {
            Self::Damaged { stage, .. } => Some(stage),
            _ => None,
        }
    }
}
