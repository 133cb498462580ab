//! Checkpoints: the committed outputs of one stage at one fingerprint.
//!
//! *Invariant*: an object is written whole, once, under a name that its content or its inputs
//! decide; the manifest is written last. So a reader that goes by manifests never sees half a
//! stage, a writer that is killed leaves only whole parts, and the next one takes them over.

mod catalog;
mod columns;
mod error;
pub mod gc;
mod layout;
mod manifest;
pub mod parquet;
mod reader;
mod snapshots;
mod statistics;
mod stored;
mod writer;

pub use catalog::Catalog;
pub use error::CheckpointError;
pub use layout::{
    LATEST_REPORT_FILE, LOCK_FILE, REPORTS_FOLDER, RUNS_FOLDER, is_named_by_content, stage_folder,
};
pub use manifest::{
    DatasetManifest, FILES, FileManifest, Inputs, Manifest, PartManifest, contents_of,
};
pub use reader::CheckpointReader;
pub use statistics::{ColumnStats, ColumnStatsBuilder, LengthStats, is_tensor};
pub use stored::StoredPart;
pub use writer::CheckpointWriter;
