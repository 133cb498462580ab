//! Errors of the source; each names the file it is about.

use crate::store::StoreError;
use thiserror::Error;

/// Why the source cannot be read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table lacks a column.
    #[error("{table} has no column {column:?}; it has {}{}", present.join(", "), hint(suggestion.as_deref()))]
    MissingColumn {
        /// The table.
        table: String,
        /// The column that the configuration names.
        column: String,
        /// The columns that it has, quoted.
        present: Vec<String>,
        /// The column that was probably meant.
        suggestion: Option<String>,
    },
    /// A table is of no known format.
    #[error("{table} is of no known format; known: .csv, .ndjson, .jsonl, .parquet")]
    UnknownFormat {
        /// The table.
        table: String,
    },
    /// A table holds nothing, not even column names.
    #[error("{table} is empty")]
    Empty {
        /// The table.
        table: String,
    },
    /// A table cannot be read as what it should be.
    #[error("{table} cannot be read: {detail}")]
    Unreadable {
        /// The table.
        table: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A path template names no column, or is not closed.
    #[error("image path {template:?}: {detail}")]
    Template {
        /// The template.
        template: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A file changed while the run was reading it.
    #[error("{url} changed while it was being read; run again")]
    Changed {
        /// The file.
        url: String,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion
        .map(|meant| format!("; did you mean {meant:?}?"))
        .unwrap_or_default()
}
