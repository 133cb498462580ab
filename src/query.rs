//! Queries over checkpoints by name: those that somebody types, and those of the report.
//!
//! A dataset is called `stage_dataset` or `stage.dataset`; a stage with one dataset, and a dataset that only one stage has, also
//! by that name alone. *Invariant*: of the datasets that a query names, the columns are read that it names, and no others; tensors
//! only then.

use crate::checkpoint::{CheckpointError, CheckpointReader, Manifest, is_tensor};
use crate::sql::{self, AdHocQuery, SqlError};
use crate::store::SharedStore;
use crate::suggest::suggestion;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use thiserror::Error;

/// Why a query has no rows.
#[derive(Debug, Error)]
pub enum QueryError {
    /// A table is not there, or may be one of several.
    #[error("{0}")]
    Table(String),
    /// A column is in none of the tables.
    #[error("there is no column {column:?}{}", or_rather(meant.as_deref()))]
    Column {
        /// The name.
        column: String,
        /// The column that was probably meant.
        meant: Option<String>,
        /// The columns that there are, by table.
        columns: String,
    },
    /// The query cannot be parsed, or failed.
    #[error("{source}")]
    Sql {
        /// The columns of the tables that it names, for those who misspelt one.
        columns: String,
        /// Why.
        source: Box<SqlError>,
    },
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

fn or_rather(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"))
}

/// The tables that there are: the datasets of each stage.
#[derive(Debug)]
pub struct Tables {
    store: SharedStore,
    manifests: BTreeMap<String, Manifest>,
}

impl Tables {
    /// The datasets of some checkpoints, by stage.
    #[must_use]
    pub fn new(store: SharedStore, manifests: BTreeMap<String, Manifest>) -> Self {
        Self { store, manifests }
    }

    /// Runs a query; `name` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`QueryError::Table`] for a table that is not there, [`QueryError::Sql`] for a query that is none or fails, and those of
    /// checkpoints.
    pub fn run(&self, name: &str, text: &str) -> Result<RecordBatch, QueryError> {
        let query = AdHocQuery::parse(name, text, &|stage, dataset| self.has(stage, dataset));
        let query = query.map_err(|source| QueryError::Sql {
            columns: String::new(),
            source: Box::new(source),
        })?;
        let mut columns = String::new();
        let mut all: Vec<&str> = Vec::new();
        let mut read: Vec<(&str, RecordBatch)> = Vec::new();
        for table in &query.tables {
            let (stage, dataset) = self.resolve(table)?;
            let manifest = &self.manifests[stage];
            let known: Vec<&str> = names(manifest, dataset).map(|(name, _)| name).collect();
            let _ = write!(columns, "; {table} has {}", known.join(", "));
            all.extend(known);
            let reader = CheckpointReader::new(self.store.clone(), manifest.clone());
            read.push((table.as_str(), rows(&reader, dataset, &query)?));
        }
        // Polars would take the table wherever the name stands, and the query's own one nowhere.
        for own in query.own.iter().filter(|own| self.resolve(own).is_ok()) {
            let _ = write!(
                columns,
                "; {own} is what this query defines, and no table in it: give that another name to read the table"
            );
        }
        let handed: Vec<(&str, &RecordBatch)> =
            read.iter().map(|(name, rows)| (*name, rows)).collect();
        sql::run(name, &query.text, &handed).map_err(|source| {
            let columns = columns.trim_start_matches("; ").to_owned();
            let is_new = |column: &String| !all.contains(&column.as_str());
            match source.missing_column().filter(is_new) {
                Some(column) => QueryError::Column {
                    meant: suggestion(&column, all.iter().copied()).map(str::to_owned),
                    column,
                    columns,
                },
                None => QueryError::Sql {
                    columns,
                    source: Box::new(source),
                },
            }
        })
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
    fn resolve(&self, name: &str) -> Result<(&str, &str), QueryError> {
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
                    return Err(QueryError::Table(message));
                }
            }
        }
        let message = if self.manifests.is_empty() {
            format!("there is no table {name:?}: there is no checkpoint yet")
        } else {
            format!("there is no table {name:?}; {}", self.known(name))
        };
        Err(QueryError::Table(message))
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
