//! The checks of `sql/checks`: each returns the rows that break a rule, over the outputs of one stage.

use super::{StageError, StageRun};
use crate::checkpoint::{CheckpointError, CheckpointWriter, DatasetManifest, Manifest};
use crate::sql::{Check, Severity, SqlError, run as run_query};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::{Deserialize, Serialize};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Name of the check.
    pub check: String,
    /// How many rows break its rule.
    pub rows: usize,
}

/// Runs the checks of a stage over what it wrote, before the manifest is written.
///
/// # Errors
///
/// [`StageError::Check`] for a check of severity `fail` that found rows.
pub fn run_checks(
    run: &StageRun<'_>,
    writer: &CheckpointWriter,
) -> Result<Vec<CheckResult>, StageError> {
    let mut results = Vec::new();
    for check in run.environment.queries.checks_of(run.id) {
        let found = run_check(run, writer, check)?;
        let rows = found.num_rows();
        if rows > 0 && check.severity == Severity::Fail {
            let (check, first) = (check.name.clone(), describe_first(&found));
            return Err(StageError::Check { check, rows, first });
        }
        if rows > 0 {
            let first = describe_first(&found);
            tracing::warn!(
                stage = run.id,
                check = check.name,
                rows,
                first,
                "check found rows"
            );
        }
        results.push(CheckResult {
            check: check.name.clone(),
            rows,
        });
    }
    Ok(results)
}

/// Hands the query those datasets and columns that its text names.
fn run_check(
    run: &StageRun<'_>,
    writer: &CheckpointWriter,
    check: &Check,
) -> Result<RecordBatch, StageError> {
    let reader = run.read_back(writer);
    let words: Vec<&str> = check
        .text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let mut tables = Vec::new();
    for (name, dataset) in &reader.manifest().datasets {
        if !words.contains(&name.as_str()) {
            continue;
        }
        let columns: Vec<&str> = dataset
            .schema
            .iter()
            .filter_map(|column| column.split(':').next())
            .filter(|column| words.contains(column))
            .collect();
        let batches = reader
            .parts(name, Some(&columns))?
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(first) = batches.first() {
            let rows = concat_batches(&first.schema(), &batches).map_err(|source| {
                CheckpointError::Arrow {
                    what: format!("rows for check {}", check.name),
                    source,
                }
            })?;
            tables.push((name.clone(), rows));
        }
    }
    let tables: Vec<(&str, &RecordBatch)> = tables
        .iter()
        .map(|(name, rows)| (name.as_str(), rows))
        .collect();
    run_query(&check.file, &check.text, &tables).map_err(|error| {
        match error {
            // Only what the query names was handed over; what it may name helps more.
            SqlError::Run { file, source, .. } => SqlError::Run {
                file,
                tables: describe_all(reader.manifest()),
                source,
            },
            error => error,
        }
        .into()
    })
}

/// All datasets of a stage with their columns.
fn describe_all(manifest: &Manifest) -> String {
    let dataset = |(name, dataset): (&String, &DatasetManifest)| {
        let columns = dataset.schema.iter();
        let columns: Vec<&str> = columns
            .filter_map(|column| column.split(':').next())
            .collect();
        format!("{name} ({})", columns.join(", "))
    };
    let datasets = manifest.datasets.iter();
    datasets.map(dataset).collect::<Vec<_>>().join(", ")
}

fn describe_first(found: &RecordBatch) -> String {
    let options = FormatOptions::default().with_null("null");
    let schema = found.schema();
    let values = schema
        .fields()
        .iter()
        .zip(found.columns())
        .map(|(field, column)| {
            let value =
                ArrayFormatter::try_new(column, &options).map(|values| values.value(0).to_string());
            format!("{}={}", field.name(), value.unwrap_or_default())
        });
    values.collect::<Vec<_>>().join(" ")
}
