//! The tables of `sql/report`. One that fails says so in its place: it is no reason to have no report.

use crate::query::{QueryError, Tables};
use crate::report::data::QueryTable;
use crate::report::sources::Sources;
use crate::runner::chain;
use crate::sql::ReportQuery;
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Rows of a table that the page shows.
const ROWS: usize = 100;

/// Runs the queries over the checkpoints that the report shows.
pub(super) fn queries(sources: &Sources<'_>) -> Vec<QueryTable> {
    let environment = sources.environment();
    let tables = Tables::new(environment.checkpoints.clone(), sources.manifests());
    let queries = environment.queries.of_report().iter();
    queries
        .map(|query| table(query, tables.run(&query.name, &query.text)))
        .collect()
}

fn table(query: &ReportQuery, found: Result<RecordBatch, QueryError>) -> QueryTable {
    let mut table = QueryTable {
        query: query.name.clone(),
        titles: query.titles.clone(),
        columns: Vec::new(),
        rows: Vec::new(),
        more_rows: 0,
        error: None,
    };
    match found {
        Ok(batch) => fill(&mut table, &batch),
        Err(error) => {
            tracing::warn!(
                query = query.name,
                error = chain(&error),
                "a table of the report failed"
            );
            table.error = Some(chain(&error));
        }
    }
    table
}

fn fill(table: &mut QueryTable, batch: &RecordBatch) {
    let schema = batch.schema();
    table.columns = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let options = FormatOptions::default().with_null("");
    let columns: Vec<Option<ArrayFormatter<'_>>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).ok())
        .collect();
    let shown = batch.num_rows().min(ROWS);
    table.more_rows = batch.num_rows() - shown;
    for row in 0..shown {
        let value = |column: &Option<ArrayFormatter<'_>>| {
            column
                .as_ref()
                .map_or_else(String::new, |values| values.value(row).to_string())
        };
        table.rows.push(columns.iter().map(value).collect());
    }
}
