//! `show --sql`: one query over checkpoints by name, and its rows.

use super::{Checkpoints, cells};
use crate::checkpoint::Manifest;
use crate::cli::CommandError;
use crate::cli::args::{ShowArguments, ShowFormat};
use crate::cli::output::{print, print_json};
use crate::fingerprint::Fingerprint;
use crate::query::Tables;
use crate::runner::RunError;
use arrow::array::RecordBatch;
use std::collections::BTreeMap;

/// Rows that are printed as text where the command line does not say.
const TEXT_ROWS: usize = 50;

/// Runs a query and prints its rows.
pub(super) fn run(
    checkpoints: &Checkpoints,
    text: &str,
    options: &ShowArguments,
) -> Result<(), CommandError> {
    let tables = Tables::new(checkpoints.catalog.store().clone(), manifests(checkpoints)?);
    print_rows(tables.run("--sql", text)?, options)
}

fn manifests(checkpoints: &Checkpoints) -> Result<BTreeMap<String, Manifest>, CommandError> {
    let ids = checkpoints.fingerprints.iter();
    let ids: Vec<(&str, &Fingerprint)> =
        ids.map(|(stage, found)| (stage.as_str(), found)).collect();
    let mut manifests = BTreeMap::new();
    for ((stage, _), manifest) in ids.iter().zip(checkpoints.catalog.manifests(&ids)) {
        if let Some(manifest) = manifest.map_err(RunError::from)? {
            manifests.insert((*stage).to_owned(), manifest);
        }
    }
    Ok(manifests)
}

fn print_rows(found: RecordBatch, options: &ShowArguments) -> Result<(), CommandError> {
    let limit = |default: usize| options.rows.unwrap_or(default);
    if options.json {
        return Ok(print_json(&cells::json_rows(&found, limit(usize::MAX)))?);
    }
    if options.format == ShowFormat::Csv {
        return cells::print_csv(std::iter::once(Ok(found)), limit(usize::MAX));
    }
    let (shown, all) = (found.num_rows().min(limit(TEXT_ROWS)), found.num_rows());
    let table = cells::table(&found, shown);
    let more = match all - shown {
        0 => String::new(),
        _ => format!("{shown} of {all} rows; see -n, --format csv\n"),
    };
    Ok(print(&format!("{table}{more}"))?)
}
