//! What the run did.

use super::Counted;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the run did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Night {
    /// Rejects by reason.
    pub rejects: Vec<Counted>,
    /// The first of them.
    pub first_rejects: Vec<Reject>,
    /// The stages in order.
    pub stages: Vec<StageTime>,
    /// What the checks found.
    pub checks: Vec<CheckLine>,
    /// Stages that the configuration leaves out, and why.
    pub skipped: BTreeMap<String, String>,
    /// Stages whose checkpoints the run had and that were deleted since: what they would show is left out.
    pub gone: Vec<String>,
}

/// A row that could not be used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reject {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Table and line.
    pub place: String,
    /// Reason code.
    pub reason: String,
    /// What was found.
    pub detail: String,
}

/// A stage and what it took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageTime {
    /// Name.
    pub stage: String,
    /// Kind.
    pub kind: String,
    /// What became of it in this run: `ran`, `fresh` or `failed`.
    pub state: String,
    /// How long it took when it last ran.
    pub elapsed_ms: Option<u64>,
    /// Most memory that the process held meanwhile.
    pub peak_rss_bytes: Option<u64>,
    /// How much it worked on; `None` where it does not count.
    pub done: Option<u64>,
    /// What `done` counts: `rows`, `images`, `epochs` or `fits`.
    pub unit: String,
    /// That per second.
    pub done_per_s: Option<f64>,
    /// Parts that it made.
    pub parts_made: u64,
    /// Parts that it took over.
    pub parts_taken_over: u64,
    /// Bytes of its checkpoint.
    pub bytes: u64,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckLine {
    /// Name of the check.
    pub check: String,
    /// Stage that it looks at.
    pub stage: String,
    /// `warn` or `fail`.
    pub severity: String,
    /// What it is for.
    pub description: String,
    /// Rows that break its rule.
    pub rows: u64,
    /// The first of them.
    pub first: String,
}

/// The result of a query of `sql/report`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueryTable {
    /// Name of the file, without its extension.
    pub query: String,
    /// Its title, by language of the page; `en` is always there.
    pub titles: BTreeMap<String, String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values, row by row.
    pub rows: Vec<Vec<String>>,
    /// How many rows more there are.
    pub more_rows: usize,
    /// Why there are none.
    pub error: Option<String>,
}
