//! The report: one self-contained page on a run, its figures beside it.
//!
//! `gather` reads checkpoints, records and source into [`ReportData`]; `figures` draws, `page` fills the templates in, and
//! [`write`] puts the files below `_report/<run>/` of the checkpoints. It is made after the run, and can be made again from what the
//! run left.
//!
//! *Invariant*: what is shown was read from the checkpoints that the run made or found, and nothing is computed twice: scores are
//! those of `evaluate`.
//!
//! Charts are own code rather than a plotting library's: a page that is read in the dark, on paper and on a phone wants its colours from
//! the style sheet, and values that a pointer can ask for, and plotters fixes both in the file.

mod attachments;
mod chart;
mod data;
mod error;
mod figures;
mod gather;
mod language;
mod page;
mod photos;
mod sources;
mod write;

pub use data::*;
pub use error::ReportError;
pub use language::Lang;
pub use write::{Report, ReportFiles, latest, lock, make};
