//! The checks of `sql/checks`: each returns the rows that break a rule, over the outputs of one stage.

use super::{StageError, StageRun};
use crate::checkpoint::{CheckpointError, CheckpointWriter, DatasetManifest, Manifest};
use crate::sql::{Check, Severity, SqlError, run as run_query};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Key of a stage's summary under which its manifest keeps what the checks found.
const SUMMARY_KEY: &str = "checks";

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Name of the check.
    pub check: String,
    /// What it does when it finds rows.
    #[serde(default = "severity_of_old_records")]
    pub severity: Severity,
    /// What it is for, as the head of its file says.
    #[serde(default)]
    pub description: String,
    /// How many rows break its rule.
    pub rows: usize,
    /// The first of them, `column=value` each; empty where there is none.
    #[serde(default)]
    pub first: String,
}

/// Records used to keep what was found only where it failed nothing.
fn severity_of_old_records() -> Severity {
    Severity::Warn
}

impl CheckResult {
    /// Whether it fails its stage.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.rows > 0 && self.severity == Severity::Fail
    }

    fn log(&self, stage: &str) {
        let Self {
            check, rows, first, ..
        } = self;
        let severity = self.severity.as_str();
        if self.is_failure() {
            tracing::error!(stage, check, severity, rows, first, "check found rows");
        } else if self.rows > 0 {
            tracing::warn!(stage, check, severity, rows, first, "check found rows");
        }
    }
}

/// Runs the checks of a stage over what it wrote, before the manifest is written; all of them, whatever the first ones find.
///
/// # Errors
///
/// Those of queries that cannot be run. What checks find is no error here: see [`verdict`].
pub fn run_checks(
    run: &StageRun<'_>,
    writer: &CheckpointWriter,
) -> Result<Vec<CheckResult>, StageError> {
    let checks = run.environment.queries.checks_of(run.id);
    let results = checks.map(|check| {
        let found = run_check(run, writer, check)?;
        let result = CheckResult {
            check: check.name.clone(),
            severity: check.severity,
            description: check.description.clone(),
            rows: found.num_rows(),
            first: describe_first(check, &found),
        };
        result.log(run.id);
        Ok(result)
    });
    results.collect()
}

/// Says whether a stage may go on after its checks.
///
/// # Errors
///
/// [`StageError::Check`] for the first one of severity `fail` that found rows.
pub fn verdict(results: &[CheckResult]) -> Result<(), StageError> {
    match results.iter().find(|result| result.is_failure()) {
        None => Ok(()),
        Some(failed) => Err(StageError::Check {
            check: failed.check.clone(),
            rows: failed.rows,
            first: failed.first.clone(),
        }),
    }
}

/// Puts what the checks found into the summary of a stage, so that it is known as long as the stage is fresh.
pub fn keep_checks(results: &[CheckResult], summary: &mut Map<String, Value>) {
    if results.is_empty() {
        return;
    }
    // Names, numbers and texts are always JSON.
    let results = serde_json::to_value(results).unwrap_or_default();
    summary.insert(SUMMARY_KEY.to_owned(), results);
}

/// Takes what the checks found out of the summary of a stage; older checkpoints hold nothing of it.
#[must_use]
pub fn take_checks(summary: &mut Map<String, Value>) -> Vec<CheckResult> {
    let kept = summary.shift_remove(SUMMARY_KEY);
    let results = kept.and_then(|kept| serde_json::from_value(kept).ok());
    results.unwrap_or_default()
}

/// Hands the query those datasets and columns that its text names.
fn run_check(
    run: &StageRun<'_>,
    writer: &CheckpointWriter,
    check: &Check,
) -> Result<RecordBatch, StageError> {
    let reader = run.read_back(writer);
    let named = Named::of(&check.text);
    let mut tables = Vec::new();
    for (name, dataset) in &reader.manifest().datasets {
        if !named.names(name) {
            continue;
        }
        let columns = named.columns(&dataset.schema);
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
    run_query(check.file(), &check.text, &tables).map_err(|error| {
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

/// What a query names. A stage may hold pixels of every product, and a check of a status needs none of them.
struct Named<'a> {
    words: Vec<&'a str>,
    /// Whether it says `*` where columns are listed.
    all_columns: bool,
}

impl<'a> Named<'a> {
    fn of(text: &'a str) -> Self {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let mut stars = text.match_indices('*').map(|(at, _)| text[..at].trim_end());
        let all_columns = stars.any(|before| {
            let word = before.rsplit(|c: char| !c.is_alphanumeric()).next();
            let word = word.unwrap_or_default().to_lowercase();
            before.ends_with([',', '.']) || ["select", "distinct", "all"].contains(&word.as_str())
        });
        Self {
            words: words.collect(),
            all_columns,
        }
    }

    fn names(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    fn is_ordered(&self) -> bool {
        let is = |word: &str, keyword: &str| word.eq_ignore_ascii_case(keyword);
        let words: Vec<&str> = self
            .words
            .iter()
            .copied()
            .filter(|word| !word.is_empty())
            .collect();
        words
            .windows(2)
            .any(|pair| is(pair[0], "order") && is(pair[1], "by"))
    }

    /// The columns of a dataset that are read; never none, or its rows could not be counted.
    fn columns<'s>(&self, schema: &'s [String]) -> Vec<&'s str> {
        let columns = || schema.iter().filter_map(|column| column.split(':').next());
        let read: Vec<&str> = columns()
            .filter(|column| self.all_columns || self.names(column))
            .collect();
        if read.is_empty() {
            return columns().take(1).collect();
        }
        read
    }
}

/// The first row as text. Of a query without order it is the smallest: Polars may return groups in any order, and the same
/// rows have to make the same manifest.
fn describe_first(check: &Check, found: &RecordBatch) -> String {
    let rows = 0..found.num_rows();
    if Named::of(&check.text).is_ordered() {
        return rows.take(1).map(|row| describe(found, row)).collect();
    }
    rows.map(|row| describe(found, row))
        .min()
        .unwrap_or_default()
}

fn describe(found: &RecordBatch, row: usize) -> String {
    let options = FormatOptions::default().with_null("null");
    let schema = found.schema();
    let fields = schema.fields().iter().zip(found.columns());
    let values = fields.map(|(field, column)| {
        let value =
            ArrayFormatter::try_new(column, &options).map(|values| values.value(row).to_string());
        format!("{}={}", field.name(), value.unwrap_or_default())
    });
    values.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringArray};
    use std::sync::Arc;

    fn columns(text: &str) -> Vec<String> {
        let schema = ["id: Utf8", "status: Utf8", "pixels: FixedSizeBinary(3)?"];
        let schema = schema.map(str::to_owned);
        let read = Named::of(text).columns(&schema).into_iter();
        read.map(str::to_owned).collect()
    }

    #[test]
    fn a_check_reads_the_columns_that_it_names() {
        let all = ["id", "status", "pixels"];
        assert_eq!(
            columns("SELECT status FROM a WHERE id = '*'"),
            ["id", "status"]
        );
        assert_eq!(columns("SELECT COUNT(*) AS n, 2 * 3 FROM a"), ["id"]);
        assert_eq!(columns("select * from a"), all);
        assert_eq!(columns("SELECT a.*, 1 FROM a"), all);
        assert_eq!(columns("SELECT DISTINCT * FROM a"), all);
    }

    #[test]
    fn what_is_said_of_rows_without_order_does_not_depend_on_theirs() {
        let described = |values: [&str; 2], query: &str| {
            let column: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
            let found = RecordBatch::try_from_iter([("label", column)]).unwrap();
            let text = format!("-- stage: a\n{query}");
            describe_first(&Check::for_tests(&text), &found)
        };
        let unordered = "SELECT label FROM a GROUP BY label";
        assert_eq!(described(["b", "a"], unordered), "label=a");
        assert_eq!(described(["a", "b"], unordered), "label=a");
        let ordered = "SELECT label FROM a\norder  by label DESC";
        assert_eq!(described(["b", "a"], ordered), "label=b");
    }

    #[test]
    fn results_of_older_records_can_be_read() {
        let old: CheckResult = serde_json::from_str(r#"{"check": "c", "rows": 2}"#).unwrap();
        assert_eq!(
            (old.severity, old.rows, old.is_failure()),
            (Severity::Warn, 2, false)
        );
        assert_eq!((old.description.as_str(), old.first.as_str()), ("", ""));
    }

    #[test]
    fn the_first_failure_is_the_verdict_and_summaries_keep_all() {
        let result = |check: &str, severity, rows| CheckResult {
            check: check.to_owned(),
            severity,
            description: "Why.".to_owned(),
            rows,
            first: if rows > 0 {
                "id=1".to_owned()
            } else {
                String::new()
            },
        };
        let passing = [
            result("a", Severity::Warn, 3),
            result("b", Severity::Fail, 0),
        ];
        assert!(verdict(&passing).is_ok());
        let failing = [
            passing[0].clone(),
            result("c", Severity::Fail, 1),
            result("d", Severity::Fail, 2),
        ];
        let failed = verdict(&failing).unwrap_err().to_string();
        assert_eq!(failed, "check c found 1 rows; the first: id=1");
        let mut summary = Map::new();
        keep_checks(&failing, &mut summary);
        assert_eq!(summary["checks"][0]["severity"], "warn");
        assert_eq!(take_checks(&mut summary), failing);
        assert!(summary.is_empty());
        assert!(take_checks(&mut summary).is_empty());
    }
}
