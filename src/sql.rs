//! The queries of `sql/`: plain SQL that analysts edit, run by Polars over rows of checkpoints.
//!
//! *Invariant*: a query is one `SELECT` (or `WITH … SELECT`) over the tables it is handed and
//! nothing else: no table function can read a file behind the fingerprint's back. Its text is part of
//! the fingerprint of the stage that uses it.

mod ad_hoc;
mod check;
mod report_query;

pub use ad_hoc::AdHocQuery;
pub use check::{Check, Severity};
pub use report_query::ReportQuery;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use polars::prelude::{
    CompatLevel, DataFrame, IntoLazy, IpcStreamReader, IpcStreamWriter, SerReader, SerWriter,
};
use polars::sql::SQLContext;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use thiserror::Error;

/// What went wrong with a query.
#[derive(Debug, Error)]
pub enum SqlError {
    /// A file of the folder cannot be read.
    #[error("cannot read query {path}")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The text is not one `SELECT` over checkpoints.
    #[error("{file}: {reason}")]
    Refused {
        /// The file of the query.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The head of a check is wrong.
    #[error("{file} line {line}: {reason}")]
    Head {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such query.
    #[error("there is no query {name}.sql")]
    Unknown {
        /// Name of the query.
        name: String,
    },
    /// Polars refused the query.
    #[error("{file} failed")]
    Run {
        /// The file of the query.
        file: String,
        /// The tables that it may read, with their columns.
        tables: String,
        /// Why.
        source: polars::error::PolarsError,
    },
    /// Rows could not be handed over.
    #[error("cannot hand rows over to {file}")]
    Exchange {
        /// The file of the query.
        file: String,
        /// Why not.
        source: arrow::error::ArrowError,
    },
}

impl SqlError {
    /// The column that the query names and no table has, where that is why it failed.
    #[must_use]
    pub fn missing_column(&self) -> Option<String> {
        let Self::Run { source, .. } = self else {
            return None;
        };
        // The kind of error is hidden below the plans it happened in; the words are the same in all of them.
        let message = source.to_string();
        [
            ("unable to find column \"", '"'),
            ("no column named '", '\''),
        ]
        .into_iter()
        .find_map(|(before, end)| {
            let (_, rest) = message.split_once(before)?;
            Some(rest.split_once(end)?.0.to_owned())
        })
    }
}

/// The queries and checks of a folder; shipped ones stand in for those that it lacks.
#[derive(Debug, Clone)]
pub struct Queries {
    texts: Texts,
    checks: Vec<Check>,
    report: Vec<ReportQuery>,
}

/// The text of a query, and the file that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct QueryText {
    file: String,
    text: String,
}

/// Texts by name.
type Texts = BTreeMap<String, QueryText>;

const SHIPPED: [(&str, &str); 4] = [
    ("merge_text", include_str!("../sql/merge_text.sql")),
    ("translate", include_str!("../sql/translate.sql")),
    ("pending", include_str!("../sql/pending.sql")),
    ("export", include_str!("../sql/export.sql")),
];

const SHIPPED_CHECKS: [(&str, &str); 4] = [
    (
        "products_have_text",
        include_str!("../sql/checks/products_have_text.sql"),
    ),
    (
        "labels_are_present",
        include_str!("../sql/checks/labels_are_present.sql"),
    ),
    (
        "folds_are_known",
        include_str!("../sql/checks/folds_are_known.sql"),
    ),
    (
        "predictions_are_probable",
        include_str!("../sql/checks/predictions_are_probable.sql"),
    ),
];

impl Queries {
    /// The shipped queries and checks.
    ///
    /// # Panics
    ///
    /// Never: the tests parse every shipped query.
    #[must_use]
    pub fn shipped() -> Self {
        Self::parse(
            shipped("sql", &SHIPPED),
            shipped_checks(),
            report_query::shipped(),
        )
        .expect("the shipped queries are tested")
    }

    /// Reads a folder; without it, the shipped ones. Checks are those of the folder alone, where there is one.
    ///
    /// # Errors
    ///
    /// [`SqlError::Read`] and [`SqlError::Refused`].
    pub fn load(folder: &Path) -> Result<Self, SqlError> {
        if !folder.is_dir() {
            return Ok(Self::shipped());
        }
        let mut queries = shipped("sql", &SHIPPED);
        queries.extend(read_folder(folder)?);
        let checks = folder.join("checks");
        let checks = if checks.is_dir() {
            read_folder(&checks)?
        } else {
            BTreeMap::new()
        };
        let checks = checks
            .into_iter()
            .map(|(name, query)| Check::parse(&name, &query.file, query.text, false));
        let report = report_query::load(&folder.join("report"))?;
        Self::parse(queries, checks.collect(), report)
    }

    fn parse(
        queries: Texts,
        checks: Result<Vec<Check>, SqlError>,
        report: Vec<ReportQuery>,
    ) -> Result<Self, SqlError> {
        for query in queries.values() {
            validate(&query.file, &query.text)?;
        }
        let checks = checks?;
        Ok(Self {
            texts: queries,
            checks,
            report,
        })
    }

    /// Refuses checks of the folder whose stage is none of those that are `known`.
    ///
    /// # Errors
    ///
    /// [`SqlError::Head`].
    pub fn require_stages(&self, known: &[&str]) -> Result<(), SqlError> {
        let mut checks = self.checks.iter();
        checks.try_for_each(|check| check.require_stage(known))
    }

    /// The text of a query.
    ///
    /// # Errors
    ///
    /// [`SqlError::Unknown`].
    pub fn text(&self, name: &str) -> Result<&str, SqlError> {
        Ok(&self.query(name)?.text)
    }

    fn query(&self, name: &str) -> Result<&QueryText, SqlError> {
        self.texts.get(name).ok_or_else(|| SqlError::Unknown {
            name: name.to_owned(),
        })
    }

    /// The checks that run after a stage, by name.
    pub fn checks_of<'a>(&'a self, stage: &'a str) -> impl Iterator<Item = &'a Check> {
        self.checks.iter().filter(move |check| check.stage == stage)
    }

    /// Every check.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The tables of the report, by name.
    #[must_use]
    pub fn of_report(&self) -> &[ReportQuery] {
        &self.report
    }

    /// Runs a query over tables.
    ///
    /// # Errors
    ///
    /// [`SqlError::Run`] with what Polars says.
    pub fn run(
        &self,
        name: &str,
        tables: &[(&str, &RecordBatch)],
    ) -> Result<RecordBatch, SqlError> {
        let query = self.query(name)?;
        run(&query.file, &query.text, tables)
    }
}

fn shipped(folder: &str, pairs: &[(&str, &str)]) -> Texts {
    let query = |(name, text): &(&str, &str)| {
        let query = QueryText {
            file: format!("{folder}/{name}.sql (as shipped)"),
            text: (*text).to_owned(),
        };
        ((*name).to_owned(), query)
    };
    pairs.iter().map(query).collect()
}

fn shipped_checks() -> Result<Vec<Check>, SqlError> {
    let checks = shipped("sql/checks", &SHIPPED_CHECKS).into_iter();
    let checks = checks.map(|(name, query)| Check::parse(&name, &query.file, query.text, true));
    checks.collect()
}

fn read_folder(folder: &Path) -> Result<Texts, SqlError> {
    let failed = |path: &Path, source| SqlError::Read {
        path: path.display().to_string(),
        source,
    };
    let mut texts = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let text = std::fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let file = path.display().to_string();
            texts.insert(name, QueryText { file, text });
        }
    }
    Ok(texts)
}

/// Refuses what is not one query over the tables it is handed.
fn validate(file: &str, text: &str) -> Result<(), SqlError> {
    let refuse = |reason: &str| {
        Err(SqlError::Refused {
            file: file.to_owned(),
            reason: reason.to_owned(),
        })
    };
    let code = without_comments_and_strings(text).to_lowercase();
    let code = code.trim().trim_end_matches(';');
    if code.contains(';') {
        return refuse("one query per file");
    }
    if !code.starts_with("select") && !code.starts_with("with") {
        return refuse("a query is one SELECT, or WITH … SELECT, and begins so");
    }
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    if words
        .clone()
        .any(|word| word.starts_with("read_") || word.starts_with("scan_"))
    {
        return refuse("table functions would read files that no fingerprint knows of");
    }
    // As Polars will: better now than when the stages before it have run.
    let options = ParserOptions::new().with_trailing_commas(true);
    let parser = Parser::new(&GenericDialect {}).with_options(options);
    let parsed = parser
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_statements());
    parsed.map_or_else(|error| refuse(&error.to_string()), |_| Ok(()))
}

/// Blanks comments and string literals, so that words in them mean nothing.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let mut is_string = false;
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' => is_string = !is_string,
                '-' if !is_string && rest.peek() == Some(&'-') => break,
                c if !is_string => code.push(c),
                _ => {}
            }
        }
        code.push(' ');
    }
    code
}

/// Runs one query over tables.
///
/// # Errors
///
/// [`SqlError::Run`] with what Polars says.
pub fn run(
    file: &str,
    text: &str,
    tables: &[(&str, &RecordBatch)],
) -> Result<RecordBatch, SqlError> {
    let failed = |source| SqlError::Run {
        file: file.to_owned(),
        tables: describe(tables),
        source,
    };
    let mut context = SQLContext::new();
    for (table, rows) in tables {
        context.register(table, to_polars(file, rows)?.lazy());
    }
    let frame = context
        .execute(text)
        .and_then(polars::prelude::LazyFrame::collect)
        .map_err(failed)?;
    from_polars(file, frame)
}

/// Tables with their columns: `products (id, title)`.
fn describe(tables: &[(&str, &RecordBatch)]) -> String {
    let table = |(name, rows): &(&str, &RecordBatch)| {
        let schema = rows.schema();
        let columns: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        format!("{name} ({})", columns.join(", "))
    };
    tables.iter().map(table).collect::<Vec<_>>().join(", ")
}

fn to_polars(file: &str, rows: &RecordBatch) -> Result<DataFrame, SqlError> {
    let failed = |source| SqlError::Exchange {
        file: file.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &rows.schema()).map_err(failed)?;
    writer
        .write(rows)
        .and_then(|()| writer.finish())
        .map_err(failed)?;
    drop(writer);
    let reader = IpcStreamReader::new(Cursor::new(bytes));
    reader.finish().map_err(|source| SqlError::Run {
        file: file.to_owned(),
        tables: describe(&[("it", rows)]),
        source,
    })
}

fn from_polars(file: &str, mut frame: DataFrame) -> Result<RecordBatch, SqlError> {
    let failed = |source| SqlError::Exchange {
        file: file.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes)
        .with_compat_level(CompatLevel::oldest())
        .finish(&mut frame)
        .map_err(|source| SqlError::Run {
            file: file.to_owned(),
            tables: String::new(),
            source,
        })?;
    let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(failed)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    concat_batches(&schema, &batches).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    fn strings(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn merge_text_joins_what_is_there() {
        let products = table(vec![
            ("id", strings(&["1", "2", "3"])),
            ("title", strings(&["a", "", "c"])),
            ("description", strings(&["x", "y", ""])),
        ]);
        let merged = Queries::shipped()
            .run("merge_text", &[("products", &products)])
            .unwrap();
        let expected = table(vec![
            ("id", strings(&["1", "2", "3"])),
            ("text", strings(&["a x", "y", "c"])),
        ]);
        let merged = schema::conform(&merged, &expected.schema()).unwrap();
        assert_eq!(merged.columns(), expected.columns());
    }

    #[test]
    fn pending_counts_and_orders() {
        let missing = table(vec![
            ("source_lang", strings(&["de", "en", "en", "en", "de"])),
            ("source_text", strings(&["z", "b  c", "a", "b c", "y"])),
            ("text_key", strings(&["z", "b c", "a", "b c", "y"])),
        ]);
        let pending = Queries::shipped()
            .run("pending", &[("missing", &missing)])
            .unwrap();
        let pending = schema::conform(&pending, &schema::pending()).unwrap();
        let rows: &Int64Array = schema::column(&pending, "rows").unwrap();
        assert_eq!(rows.values(), &[2, 1, 1, 1]);
        let texts: &StringArray = schema::column(&pending, "source_text").unwrap();
        let texts: Vec<_> = texts.iter().flatten().collect();
        assert_eq!(texts, ["b  c", "y", "z", "a"]);
        let languages: &StringArray = schema::column(&pending, "source_lang").unwrap();
        let languages: Vec<_> = languages.iter().flatten().collect();
        assert_eq!(languages, ["en", "de", "de", "en"]);
    }

    #[test]
    fn no_rows_keep_their_columns() {
        let missing = table(vec![
            ("source_lang", strings(&[])),
            ("source_text", strings(&[])),
            ("text_key", strings(&[])),
        ]);
        let pending = Queries::shipped()
            .run("pending", &[("missing", &missing)])
            .unwrap();
        assert_eq!(
            schema::conform(&pending, &schema::pending())
                .unwrap()
                .num_rows(),
            0
        );
    }

    #[test]
    fn only_one_select_over_checkpoints() {
        for bad in [
            "DELETE FROM a",
            "SELECT 1; SELECT 2",
            "SELECT * FROM read_csv('x')",
            "",
        ] {
            assert!(validate("q", bad).is_err(), "{bad}");
        }
        for good in [
            "-- read_csv; here\nSELECT 'a;b' FROM t;",
            "WITH a AS (SELECT 1) SELECT * FROM a",
        ] {
            assert!(validate("q", good).is_ok(), "{good}");
        }
    }

    #[test]
    fn shipped_checks_say_what_they_are_for() {
        let shipped = Queries::shipped();
        assert_eq!(shipped.checks_of("ingest").count(), 2);
        for check in shipped.checks() {
            assert!(check.description.ends_with('.'), "{check:?}");
        }
    }
}
