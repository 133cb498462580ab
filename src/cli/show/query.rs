//! `show --sql`: one query over checkpoints by name.
//!
//! A dataset is called `stage_dataset` or `stage.dataset`; a stage with one dataset, and a dataset that only one stage has, also
//! by that name alone. Of the datasets that a query names the columns are read that it names, tensors only then.

use super::{Checkpoints, cells};
use crate::checkpoint::{CheckpointError, CheckpointReader, Manifest, is_tensor};
use crate::cli::CommandError;
use crate::cli::args::{ShowArguments, ShowFormat};
use crate::cli::output::{print, print_json};
use crate::fingerprint::Fingerprint;
use crate::runner::RunError;
use crate::sql::{self, AdHocQuery, SqlError};
use crate::suggest::suggestion;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rows that are printed as text where the command line does not say.
const TEXT_ROWS: usize = 50;

/// The tables that there are: the datasets of each stage.
struct Tables {
    manifests: BTreeMap<String, Manifest>,
}

/// Runs a query and prints its rows.
pub(super) fn run(
    checkpoints: &Checkpoints,
    text: &str,
    options: &ShowArguments,
) -> Result<(), CommandError> {
    let tables = Tables::open(checkpoints)?;
    let query = AdHocQuery::parse(text, &|stage, dataset| tables.has(stage, dataset));
    let query = query.map_err(|source| CommandError::Query {
        columns: String::new(),
        source,
    })?;
    let mut columns = String::new();
    let mut read: Vec<(&str, RecordBatch)> = Vec::new();
    for name in &query.tables {
        let (stage, dataset) = tables.resolve(name)?;
        let manifest = &tables.manifests[stage];
        let known: Vec<&str> = names(manifest, dataset).map(|(name, _)| name).collect();
        let _ = write!(columns, "; {name} has {}", known.join(", "));
        let store = checkpoints.catalog.store().clone();
        let reader = CheckpointReader::new(store, manifest.clone());
        let rows = rows(&reader, dataset, &query).map_err(RunError::from)?;
        read.push((name.as_str(), rows));
    }
    let handed: Vec<(&str, &RecordBatch)> = read.iter().map(|(name, rows)| (*name, rows)).collect();
    let failed = |source: SqlError| CommandError::Query {
        columns: columns.trim_start_matches("; ").to_owned(),
        source,
    };
    let found = sql::run("--sql", &query.text, &handed).map_err(failed)?;
    print_rows(found, options)
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

impl Tables {
    fn open(checkpoints: &Checkpoints) -> Result<Self, CommandError> {
        let ids = checkpoints.fingerprints.iter();
        let ids: Vec<(&str, &Fingerprint)> =
            ids.map(|(stage, found)| (stage.as_str(), found)).collect();
        let mut manifests = BTreeMap::new();
        for ((stage, _), manifest) in ids.iter().zip(checkpoints.catalog.manifests(&ids)) {
            if let Some(manifest) = manifest.map_err(RunError::from)? {
                manifests.insert((*stage).to_owned(), manifest);
            }
        }
        Ok(Self { manifests })
    }

    fn has(&self, stage: &str, dataset: &str) -> bool {
        let found = self.manifests.get(stage);
        found.is_some_and(|manifest| manifest.datasets.contains_key(dataset))
    }

    /// Every dataset with its stage.
    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.manifests.iter().flat_map(|(stage, manifest)| {
            let datasets = manifest.datasets.keys();
            datasets.map(move |dataset| (stage.as_str(), dataset.as_str()))
        })
    }

    /// The dataset that a query calls so.
    fn resolve(&self, name: &str) -> Result<(&str, &str), CommandError> {
        let called: [fn(&str, &str) -> String; 4] = [
            |stage, dataset| format!("{stage}.{dataset}"),
            |stage, dataset| format!("{stage}_{dataset}"),
            |stage, _| stage.to_owned(),
            |_, dataset| dataset.to_owned(),
        ];
        for call in called {
            let is_called = |(stage, dataset): &(&str, &str)| call(stage, dataset) == name;
            let found: Vec<(&str, &str)> = self.all().filter(is_called).collect();
            match found[..] {
                [] => {}
                [only] => return Ok(only),
                _ => {
                    let names: Vec<String> = found
                        .iter()
                        .map(|(stage, dataset)| called[0](stage, dataset))
                        .collect();
                    let names = names.join(", ");
                    let message = format!("table {name:?} may be one of {names}");
                    return Err(CommandError::Usage(message));
                }
            }
        }
        let message = if self.manifests.is_empty() {
            format!("there is no table {name:?}: there is no checkpoint yet")
        } else {
            format!("there is no table {name:?}; {}", self.known(name))
        };
        Err(CommandError::Usage(message))
    }

    /// What a name may have been meant to be, and what there is.
    fn known(&self, name: &str) -> String {
        let names = self.all().flat_map(|(stage, dataset)| {
            let joined = [format!("{stage}_{dataset}"), format!("{stage}.{dataset}")];
            joined
                .into_iter()
                .chain([stage.to_owned(), dataset.to_owned()])
        });
        let names: Vec<String> = names.collect();
        let meant = suggestion(name, names.iter().map(String::as_str));
        let meant = meant.map(|meant| format!("did you mean {meant:?}? "));
        let stages = self
            .manifests
            .iter()
            .filter(|(_, manifest)| !manifest.datasets.is_empty());
        let stages = stages.map(|(stage, manifest)| {
            let datasets: Vec<&str> = manifest.datasets.keys().map(String::as_str).collect();
            format!("{stage} ({})", datasets.join(", "))
        });
        let stages: Vec<String> = stages.collect();
        format!(
            "{}stages and their datasets are {}",
            meant.unwrap_or_default(),
            stages.join(", ")
        )
    }
}

/// Columns of a dataset with their types.
fn names<'a>(manifest: &'a Manifest, dataset: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let schema = manifest
        .datasets
        .get(dataset)
        .map(|dataset| dataset.schema.as_slice());
    let lines = schema.unwrap_or_default().iter();
    lines.filter_map(|line| line.split_once(": "))
}

/// Reads the columns of a dataset that a query names, and at least one, since rows may be counted by any.
fn rows(
    reader: &CheckpointReader,
    dataset: &str,
    query: &AdHocQuery,
) -> Result<RecordBatch, CheckpointError> {
    let all: Vec<(&str, &str)> = names(reader.manifest(), dataset).collect();
    let named = all
        .iter()
        .filter(|(name, data_type)| query.reads(name, is_tensor(data_type)));
    let mut columns: Vec<&str> = named.map(|(name, _)| *name).collect();
    if columns.is_empty() {
        columns.extend(all.first().map(|(name, _)| *name));
    }
    let parts = reader.dataset(dataset)?.parts.iter();
    let batches = parts.map(|part| reader.columns(dataset, part, &columns));
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    let assembling = |source| CheckpointError::Arrow {
        what: format!("rows of {dataset}"),
        source,
    };
    let Some(first) = batches.first() else {
        // No part says no schema either.
        return Ok(RecordBatch::new_empty(
            arrow::datatypes::Schema::empty().into(),
        ));
    };
    concat_batches(&first.schema(), &batches).map_err(assembling)
}
