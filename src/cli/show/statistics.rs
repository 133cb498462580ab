//! `show --stats`: statistics of each column.

use super::cells::shorten;
use super::readable;
use crate::checkpoint::{CheckpointError, CheckpointReader, ColumnStats, ColumnStatsBuilder};
use crate::cli::CommandError;
use crate::cli::args::ShowArguments;
use crate::cli::output::{Table, print, print_json};
use crate::runner::RunError;
use serde::Serialize;

/// Longest value that is printed whole.
const VALUE_CHARS: usize = 24;

/// The `--json` document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    stage: &'a str,
    fingerprint: &'a str,
    dataset: &'a str,
    rows: u64,
    columns: &'a [ColumnStats],
}

/// Reads a dataset part by part, and prints statistics of its columns but the tensors.
pub(super) fn print_statistics(
    reader: &CheckpointReader,
    dataset: &str,
    options: &ShowArguments,
) -> Result<(), CommandError> {
    let manifest = reader.manifest();
    let described = reader.dataset(dataset).map_err(RunError::from)?;
    let lines = described.schema.iter();
    let columns: Vec<&str> = lines.filter_map(|line| readable(line)).collect();
    let stats = gather(reader, dataset, &columns).map_err(RunError::from)?;
    if options.json {
        return Ok(print_json(&Document {
            stage: &manifest.stage,
            fingerprint: manifest.fingerprint.as_str(),
            dataset,
            rows: described.rows,
            columns: &stats,
        })?);
    }
    let mut text = format!(
        "{} {}\n{dataset}: {} rows\n\n{}",
        manifest.stage,
        manifest.fingerprint,
        described.rows,
        table(&stats)
    );
    if stats.iter().any(|stats| stats.is_distinct_estimated) {
        text.push_str("\n~: estimated, good to about 1 %\n");
    }
    let left_out = described.schema.len() - columns.len();
    if left_out > 0 {
        text.push_str("\nleft out: tensors\n");
    }
    Ok(print(&text)?)
}

fn gather(
    reader: &CheckpointReader,
    dataset: &str,
    columns: &[&str],
) -> Result<Vec<ColumnStats>, CheckpointError> {
    let mut builders: Vec<ColumnStatsBuilder> = columns
        .iter()
        .map(|column| ColumnStatsBuilder::new(column))
        .collect();
    for part in &reader.dataset(dataset)?.parts {
        let batch = reader.columns(dataset, part, columns)?;
        // In the order of the file, which is that of the schema.
        for (builder, column) in builders.iter_mut().zip(batch.columns()) {
            builder.add(column)?;
        }
    }
    Ok(builders
        .into_iter()
        .map(ColumnStatsBuilder::finish)
        .collect())
}

fn table(stats: &[ColumnStats]) -> Table {
    let mut table = Table::new(&[
        "column", "type", "nulls", "distinct", "min", "max", "mean", "length",
    ]);
    let cut = |value: &Option<String>| {
        value
            .as_deref()
            .map_or_else(|| "-".to_owned(), |value| shorten(value, VALUE_CHARS))
    };
    for column in stats {
        let distinct = column.distinct.map(|count| {
            if column.is_distinct_estimated {
                format!("~{count}")
            } else {
                count.to_string()
            }
        });
        let lengths = column
            .lengths
            .map(|it| format!("{} to {}, mean {:.1}", it.min, it.max, it.mean));
        table.row([
            column.column.clone(),
            shorten(&column.data_type, VALUE_CHARS),
            column.nulls.to_string(),
            distinct.unwrap_or_else(|| "-".to_owned()),
            cut(&column.min),
            cut(&column.max),
            column
                .mean
                .map_or_else(|| "-".to_owned(), |mean| format!("{mean:.4}")),
            lengths.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}
