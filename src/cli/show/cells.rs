//! Values of rows as text, CSV and JSON.

use crate::checkpoint::CheckpointError;
use crate::cli::CommandError;
use crate::cli::output::Table;
use crate::runner::RunError;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value, json};

/// Longest value that is printed whole.
const VALUE_CHARS: usize = 48;

/// The first rows, long values cut.
pub(super) fn table(batch: &RecordBatch, count: usize) -> Table {
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
    shorten(&text.unwrap_or_default(), VALUE_CHARS)
}

/// A text on one line, cut where it is too long.
pub(super) fn shorten(text: &str, chars: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(chars) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Prints a header and rows as CSV (RFC 4180): nulls as empty fields, lists in brackets, bytes in hexadecimal.
pub(super) fn print_csv(
    batches: impl Iterator<Item = Result<RecordBatch, CheckpointError>>,
    rows: usize,
) -> Result<(), CommandError> {
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    let mut left = rows;
    for (index, batch) in batches.enumerate() {
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

/// The first rows as objects.
pub(super) fn json_rows(batch: &RecordBatch, count: usize) -> Vec<Value> {
    let schema = batch.schema();
    let row = |row: usize| {
        let fields = schema.fields().iter().zip(batch.columns());
        let values = fields.map(|(field, column)| (field.name().clone(), to_json(column, row)));
        Value::Object(values.collect::<Map<_, _>>())
    };
    (0..batch.num_rows().min(count)).map(row).collect()
}

/// One value: numbers, texts, lists and structures as such, bytes by their number, all else as text.
fn to_json(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let all = |items: ArrayRef| {
        let items = (0..items.len()).map(|item| to_json(&items, item));
        Value::Array(items.collect())
    };
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => json!(column.as_string::<i64>().value(row)),
        kind if kind.is_unsigned_integer() => number(column, row, &DataType::UInt64, |array| {
            json!(array.as_primitive::<UInt64Type>().value(0))
        }),
        kind if kind.is_signed_integer() => number(column, row, &DataType::Int64, |array| {
            json!(array.as_primitive::<Int64Type>().value(0))
        }),
        // By way of its shortest text: 0.1 as f32 is not 0.10000000149011612.
        DataType::Float32 | DataType::Float16 => text(column, row)
            .parse::<f64>()
            .map_or(Value::Null, |value| json!(value)),
        DataType::Float64 => number(column, row, &DataType::Float64, |array| {
            json!(array.as_primitive::<Float64Type>().value(0))
        }),
        DataType::List(_) => all(column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => all(column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => all(column.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            let values = fields.iter().zip(columns);
            let values = values.map(|(field, column)| (field.name().clone(), to_json(column, row)));
            Value::Object(values.collect::<Map<_, _>>())
        }
        DataType::FixedSizeBinary(bytes) => json!({ "bytes": bytes }),
        DataType::Binary => json!({ "bytes": column.as_binary::<i32>().value(row).len() }),
        DataType::LargeBinary => json!({ "bytes": column.as_binary::<i64>().value(row).len() }),
        _ => json!(text(column, row)),
    }
}

fn number(
    column: &ArrayRef,
    row: usize,
    kind: &DataType,
    read: impl Fn(&ArrayRef) -> Value,
) -> Value {
    cast(&column.slice(row, 1), kind).map_or(Value::Null, |array| read(&array))
}

fn text(column: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::default();
    let text =
        ArrayFormatter::try_new(column, &options).map(|values| values.value(row).to_string());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BooleanArray, FixedSizeBinaryArray, Float32Array, Int8Array, ListArray, StringArray,
        StructArray, UInt64Array,
    };
    use arrow::datatypes::{Field, Int32Type};
    use std::sync::Arc;

    #[test]
    fn values_keep_their_types_in_json() {
        let label = Arc::new(Field::new("label", DataType::Utf8, false));
        let labels: ArrayRef = Arc::new(StringArray::from(vec!["10", "40"]));
        let lists = vec![Some(vec![Some(1), None]), None];
        let tensors = vec![Some([1_u8, 2]), None].into_iter();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("yes", Arc::new(BooleanArray::from(vec![true, false]))),
            ("small", Arc::new(Int8Array::from(vec![Some(-3), None]))),
            ("large", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
            ("share", Arc::new(Float32Array::from(vec![0.1, f32::NAN]))),
            (
                "list",
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
            ),
            ("best", Arc::new(StructArray::from(vec![(label, labels)]))),
            (
                "pixels",
                Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(tensors, 2).unwrap()),
            ),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        );
        let batch = batch.unwrap();
        let expected = json!([
            { "yes": true, "small": -3, "large": u64::MAX, "share": 0.1, "list": [1, null], "best": { "label": "10" }, "pixels": { "bytes": 2 } },
            { "yes": false, "small": null, "large": 0, "share": null, "list": null, "best": { "label": "40" }, "pixels": null },
        ]);
        assert_eq!(Value::Array(json_rows(&batch, 5)), expected);
        assert_eq!(json_rows(&batch, 1).len(), 1);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shorten("é  é\né", 5), "é é é");
        assert_eq!(shorten("éééé", 3), "ééé…");
    }
}
