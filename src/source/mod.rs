//! The source catalogue: tables of any of three formats, and the identity of every file.
//!
//! *Invariant*: reading a table loses no row: each record is either values or a [`BadRecord`] with its line and
//! reason. Nothing is read outside the source root.

mod chunked;
mod csv;
mod error;
mod identity;
mod known_digests;
mod ndjson;
mod parquet;
mod table;
mod template;

pub use error::SourceError;
pub use identity::{DigestTable, FileIdentity, Identities, UNREADABLE};
pub use table::{BadRecord, Record, read_table};
pub use template::{PathTemplate, stays_inside};
