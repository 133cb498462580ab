//! `rayonnage show STAGE [DATASET]`: schema and first rows, or all rows as CSV.

use super::args::{Common, ShowArguments, ShowFormat};
use super::output::{Table, bytes, print};
use super::{CommandError, setup};
use crate::cancel::CancelToken;
use crate::checkpoint::{Catalog, CheckpointError, CheckpointReader};
use crate::monitor::Monitor;
use crate::runner::{RunError, last_fingerprints};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::fmt::Write as _;

/// Longest value that is printed whole.
const VALUE_CHARS: usize = 48;

/// Rows that are printed as text.
const TEXT_ROWS: usize = 10;

/// Prints a dataset of the stage's last checkpoint.
pub(super) fn show(common: &Common, options: &ShowArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let pipeline = setup::pipeline(common, setup::Access::Read, 1, CancelToken::default())?;
    let stage = options.stage.as_str();
    pipeline.require(stage)?;
    let store = pipeline.environment.checkpoints.clone();
    let last = last_fingerprints(&store).map_err(RunError::from)?;
    let catalog = Catalog::new(store, last);
    let none = || CommandError::Usage(format!("{stage} has no complete checkpoint yet"));
    let fingerprint = catalog.last(stage).ok_or_else(none)?;
    let reader = catalog
        .reader(stage, fingerprint)
        .map_err(RunError::from)?
        .ok_or_else(none)?;
    let datasets = &reader.manifest().datasets;
    if let Some(name) = options.dataset.as_ref()
        && !datasets.contains_key(name)
    {
        let known: Vec<&str> = datasets.keys().map(String::as_str).collect();
        let known = known.join(", ");
        let message = format!("{stage} has no dataset {name:?}; it has {known}");
        return Err(CommandError::Usage(message));
    }
    match options.format {
        ShowFormat::Text => print(&describe(&reader, options).map_err(RunError::from)?)?,
        ShowFormat::Csv => {
            let first = datasets.keys().next();
            let dataset = options.dataset.as_ref().or(first).ok_or_else(|| {
                CommandError::Usage(format!("{stage} has files only, and no rows to print"))
            })?;
            print_csv(&reader, dataset, options.rows.unwrap_or(usize::MAX))?;
        }
    }
    Ok(())
}

/// Prints a header and rows as CSV (RFC 4180): nulls as empty fields, lists in brackets, bytes in hexadecimal.
fn print_csv(reader: &CheckpointReader, dataset: &str, rows: usize) -> Result<(), CommandError> {
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    let mut left = rows;
    for (index, batch) in reader
        .parts(dataset, None)
        .map_err(RunError::from)?
        .enumerate()
    {
        let batch = batch.map_err(RunError::from)?;
        if index == 0 {
            let schema = batch.schema();
            let names = schema.fields().iter().map(|field| field.name());
            writer.write_record(names).map_err(std::io::Error::from)?;
        }
        let count = batch.num_rows().min(left);
        left -= count;
        let options = FormatOptions::default();
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).ok())
            .collect();
        for row in 0..count {
            let value = |values: &ArrayFormatter<'_>| values.value(row).to_string();
            let values = columns
                .iter()
                .map(|column| column.as_ref().map_or_else(String::new, value));
            writer.write_record(values).map_err(std::io::Error::from)?;
        }
        if left == 0 {
            break;
        }
    }
    writer.flush()?;
    Ok(())
}

fn describe(reader: &CheckpointReader, options: &ShowArguments) -> Result<String, CheckpointError> {
    let manifest = reader.manifest();
    let mut text = format!("{} {}\n", manifest.stage, manifest.fingerprint);
    for (name, dataset) in &manifest.datasets {
        let size: u64 = dataset.parts.iter().map(|part| part.bytes).sum();
        let parts = dataset.parts.len();
        let _ = writeln!(
            text,
            "  {name}: {} rows, {parts} parts, {}",
            dataset.rows,
            bytes(size)
        );
    }
    for file in &manifest.files {
        let _ = writeln!(text, "  files/{}: {}", file.name, bytes(file.bytes));
    }
    for (key, value) in &manifest.summary {
        let _ = writeln!(text, "  {key}: {value}");
    }
    let first = manifest.datasets.keys().next();
    let Some(name) = options.dataset.as_ref().or(first) else {
        return Ok(text);
    };
    let dataset = reader.dataset(name)?;
    let _ = write!(text, "\n{name}\n");
    for column in &dataset.schema {
        let _ = writeln!(text, "  {column}");
    }
    let Some(part) = dataset.parts.iter().find(|part| part.rows > 0) else {
        return Ok(text);
    };
    let batch = reader.part(name, part, None)?;
    let _ = write!(
        text,
        "\n{}",
        rows(&batch, options.rows.unwrap_or(TEXT_ROWS))
    );
    Ok(text)
}

fn rows(batch: &RecordBatch, count: usize) -> Table {
    let schema = batch.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut table = Table::new(&names);
    for row in 0..batch.num_rows().min(count) {
        table.row(batch.columns().iter().map(|column| value(column, row)));
    }
    table
}

fn value(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    if let DataType::FixedSizeBinary(width) = column.data_type() {
        return format!("{width} bytes");
    }
    let options = FormatOptions::default();
    let text =
        ArrayFormatter::try_new(column, &options).map(|values| values.value(row).to_string());
    let text = text
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if text.chars().count() <= VALUE_CHARS {
        return text;
    }
    text.chars().take(VALUE_CHARS).chain(['…']).collect()
}
