//! Parquet tables: the wanted columns, cast to text.

use super::SourceError;
use super::table::{BadRecord, Record, locate};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::Bytes;

pub(super) fn read<E: From<SourceError>>(
    bytes: Bytes,
    table: &str,
    columns: &[String],
    visit: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let unreadable = |detail: String| SourceError::Unreadable {
        table: table.to_owned(),
        detail,
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    let present: Vec<String> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    locate(table, &present, columns)?;
    let mask =
        ProjectionMask::columns(builder.parquet_schema(), columns.iter().map(String::as_str));
    let reader = builder
        .with_projection(mask)
        .build()
        .map_err(|error| unreadable(error.to_string()))?;
    let mut line = 0;
    for batch in reader {
        let batch = batch.map_err(|error| unreadable(error.to_string()))?;
        let texts = to_texts(&batch, columns).map_err(&unreadable)?;
        for row in 0..batch.num_rows() {
            line += 1;
            let value = |column: &StringArray| {
                if column.is_null(row) {
                    String::new()
                } else {
                    column.value(row).to_owned()
                }
            };
            let values: Vec<String> = texts.iter().map(value).collect();
            let is_bad = values.iter().any(|value| value.contains('\0'));
            let detail = "a field holds a NUL byte".to_owned();
            visit(if is_bad {
                Record::Bad(BadRecord {
                    line,
                    reason: "nul_byte",
                    detail,
                })
            } else {
                Record::Row { line, values }
            })?;
        }
    }
    Ok(())
}

fn to_texts(batch: &RecordBatch, columns: &[String]) -> Result<Vec<StringArray>, String> {
    let to_text = |column: &String| {
        let array = batch
            .column_by_name(column)
            .ok_or_else(|| format!("no column {column:?}"))?;
        let text = cast(array, &DataType::Utf8).map_err(|error| error.to_string())?;
        let text = text.as_any().downcast_ref::<StringArray>().cloned();
        text.ok_or_else(|| format!("column {column:?} cannot be read as text"))
    };
    columns.iter().map(to_text).collect()
}
