//! Where things lie below the checkpoint root.
//!
//! ```text
//! <stage>/<fingerprint>/inputs.json                               first: what it is made from
//! <stage>/<fingerprint>/<dataset>/part-00000-<digest>.parquet     whole parts, in any order
//! <stage>/<fingerprint>/files/<name>                              weights and the like
//! <stage>/<fingerprint>/snapshots/epoch-00007-<digest>.safetensors   while it trains
//! <stage>/<fingerprint>/events/<run>/events.out.tfevents.rayonnage   learning curves, for TensorBoard
//! <stage>/<fingerprint>/manifest.json                             last: complete
//! _runs/<run id>.json                                             run records
//! _report/<run id>/…                                              reports
//! _lock                                                           held by the one writer
//! ```

use crate::fingerprint::{Digest, Fingerprint};

/// Folder of the run records.
pub const RUNS_FOLDER: &str = "_runs";
/// Folder of the reports, one folder for each run.
pub const REPORTS_FOLDER: &str = "_report";
/// File in that folder that says which run the latest report is of.
pub const LATEST_REPORT_FILE: &str = "latest.json";
/// Written first: what a checkpoint is made from.
pub(super) const INPUTS_FILE: &str = "inputs.json";
/// Written last: the checkpoint is complete.
pub(super) const MANIFEST_FILE: &str = "manifest.json";
/// The lock of the root.
pub const LOCK_FILE: &str = "_lock";

/// Folder of all checkpoints of a stage.
#[must_use]
pub fn stage_folder(stage: &str) -> String {
    stage.to_owned()
}

pub(super) fn checkpoint_folder(stage: &str, fingerprint: &Fingerprint) -> String {
    format!("{stage}/{fingerprint}")
}

pub(super) fn inputs_path(stage: &str, fingerprint: &Fingerprint) -> String {
    format!("{stage}/{fingerprint}/{INPUTS_FILE}")
}

pub(super) fn manifest_path(stage: &str, fingerprint: &Fingerprint) -> String {
    format!("{stage}/{fingerprint}/{MANIFEST_FILE}")
}

/// Name of a part: its place in the dataset and the digest of its bytes.
pub(super) fn part_file(index: usize, digest: &Digest) -> String {
    format!("part-{index:05}-{}.parquet", digest.short())
}

/// Reads a part's name back into index and short digest.
pub(super) fn parse_part_file(file: &str) -> Option<(usize, &str)> {
    let rest = file.strip_prefix("part-")?.strip_suffix(".parquet")?;
    let (index, digest) = rest.split_once('-')?;
    Some((index.parse().ok()?, digest))
}

/// Whether the name of an object in a checkpoint root says its content, so that it never changes.
#[must_use]
pub fn is_named_by_content(path: &str) -> bool {
    path.rsplit_once('/')
        .is_some_and(|(_, file)| parse_part_file(file).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_names_round_trip() {
        let digest = Digest::of(b"x");
        let file = part_file(7, &digest);
        assert_eq!(parse_part_file(&file), Some((7, digest.short())));
        assert_eq!(parse_part_file("part-7.parquet"), None);
        assert_eq!(parse_part_file("manifest.json"), None);
        assert!(is_named_by_content(&format!("tfidf/abc/labelled/{file}")));
        assert!(!is_named_by_content("tfidf/abc/manifest.json"));
    }
}
