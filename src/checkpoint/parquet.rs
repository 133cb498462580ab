//! Record batches as Parquet bytes and back.
//!
//! *Invariant*: equal rows give equal bytes, whatever the version of the libraries says about
//! itself: `created_by` is ours, and no setting depends on the machine. Wide binary columns
//! (image tensors) get neither dictionary nor statistics: both would cost time and help nobody.

use super::CheckpointError;
use ::parquet::arrow::arrow_reader::{
    ParquetRecordBatchReaderBuilder, RowSelection, RowSelectionPolicy,
};
use ::parquet::arrow::{ArrowWriter, ProjectionMask};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;

/// Encodes rows.
///
/// # Errors
///
/// [`CheckpointError::Encode`].
pub fn encode(batch: &RecordBatch, what: &str) -> Result<Bytes, CheckpointError> {
    let failed = |source| CheckpointError::Encode {
        what: what.to_owned(),
        source,
    };
    let level = ZstdLevel::try_new(1).map_err(failed)?;
    let mut properties = WriterProperties::builder()
        .set_created_by("rayonnage".to_owned())
        .set_compression(Compression::ZSTD(level));
    for field in batch.schema().fields() {
        if matches!(field.data_type(), DataType::FixedSizeBinary(_)) {
            let column = ColumnPath::from(field.name().as_str());
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_statistics_enabled(column, EnabledStatistics::None);
        }
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build()))
        .map_err(failed)?;
    writer.write(batch).map_err(failed)?;
    Ok(Bytes::from(writer.into_inner().map_err(failed)?))
}

type Builder = ParquetRecordBatchReaderBuilder<Bytes>;

/// Opens a part; only `columns` where they are given, in the order of the file. Returns how many rows it has, too.
fn open(
    bytes: Bytes,
    columns: Option<&[&str]>,
    what: &str,
) -> Result<(Builder, usize), CheckpointError> {
    let mut builder = Builder::try_new(bytes).map_err(decoding(what))?;
    if let Some(columns) = columns {
        require_columns(builder.schema(), columns)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    let rows = builder.metadata().file_metadata().num_rows();
    Ok((builder, usize::try_from(rows).unwrap_or(0)))
}

/// Checks that a part has some columns.
pub(super) fn require_columns(schema: &Schema, columns: &[&str]) -> Result<(), CheckpointError> {
    let absent = columns
        .iter()
        .find(|column| schema.field_with_name(column).is_err());
    absent.map_or(Ok(()), |column| {
        Err(CheckpointError::Column {
            column: (*column).to_owned(),
            expected: "any".to_owned(),
        })
    })
}

fn decoding(what: &str) -> impl Fn(ParquetError) -> CheckpointError {
    move |source| CheckpointError::Decode {
        what: what.to_owned(),
        source,
    }
}

fn assembling(what: &str) -> impl Fn(ArrowError) -> CheckpointError {
    move |source| CheckpointError::Arrow {
        what: what.to_owned(),
        source,
    }
}

/// Decodes some rows, given in ascending order, `at_once` at a time; what lies between them is not unpacked, where whole pages
/// do.
///
/// # Errors
///
/// As [`decode`], also of an item; and where there are no such rows.
pub fn decode_rows(
    bytes: Bytes,
    columns: &[&str],
    rows: &[usize],
    at_once: usize,
    what: &str,
) -> Result<impl Iterator<Item = Result<RecordBatch, CheckpointError>> + use<>, CheckpointError> {
    let (builder, total) = open(bytes, Some(columns), what)?;
    let is_inside = rows.last().is_none_or(|&last| last < total);
    if !is_inside || !rows.is_sorted_by(|a, b| a < b) {
        let message = format!("rows asked for are not those of {total}");
        return Err(decoding(what)(ParquetError::General(message)));
    }
    let ranges = rows.iter().map(|&row| row..row + 1);
    let reader = builder
        .with_row_selection(RowSelection::from_consecutive_ranges(ranges, total))
        // By itself it may unpack all pages and throw rows away.
        .with_row_selection_policy(RowSelectionPolicy::Selectors)
        .with_batch_size(at_once.max(1))
        .build()
        .map_err(decoding(what))?;
    let what = what.to_owned();
    Ok(reader.map(move |batch| batch.map_err(assembling(&what))))
}

/// Decodes rows; only `columns` where they are given, in the order of the file.
///
/// # Errors
///
/// [`CheckpointError::Decode`] for bytes that are no Parquet, [`CheckpointError::Column`] for a
/// column that is not there.
pub fn decode(
    bytes: Bytes,
    columns: Option<&[&str]>,
    what: &str,
) -> Result<RecordBatch, CheckpointError> {
    let (builder, rows) = open(bytes, columns, what)?;
    let reader = builder.with_batch_size(rows.max(1)).build();
    let reader = reader.map_err(decoding(what))?;
    let schema = reader.schema();
    let assemble = assembling(what);
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(&assemble)?;
    match <[RecordBatch; 1]>::try_from(batches) {
        Ok([batch]) => Ok(batch),
        Err(batches) => concat_batches(&schema, &batches).map_err(assemble),
    }
}

/// Rows and columns of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Number of rows.
    pub rows: u64,
    /// Columns as `name: type`.
    pub schema: Vec<String>,
}

impl Shape {
    /// The shape of a batch.
    #[must_use]
    pub fn of(batch: &RecordBatch) -> Self {
        Self {
            rows: batch.num_rows() as u64,
            schema: describe_schema(&batch.schema()),
        }
    }
}

/// Reads rows and columns from the footer alone.
///
/// # Errors
///
/// [`CheckpointError::Decode`].
pub fn inspect(bytes: Bytes, what: &str) -> Result<Shape, CheckpointError> {
    let failed = |source| CheckpointError::Decode {
        what: what.to_owned(),
        source,
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    Ok(Shape {
        rows,
        schema: describe_schema(builder.schema()),
    })
}

/// A schema as lines of `name: type`, as the manifest keeps it.
#[must_use]
pub fn describe_schema(schema: &Schema) -> Vec<String> {
    let describe = |field: &arrow::datatypes::FieldRef| {
        let optional = if field.is_nullable() { "?" } else { "" };
        format!("{}: {}{optional}", field.name(), field.data_type())
    };
    schema.fields().iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{FixedSizeBinaryArray, Int64Array, StringArray};
    use arrow::datatypes::Field;
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        let pixels = FixedSizeBinaryArray::try_from_sparse_iter_with_size(
            [Some([1_u8; 12]), None].into_iter(),
            12,
        )
        .unwrap();
        let schema = Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("n", DataType::Int64, true),
            Field::new("pixels", DataType::FixedSizeBinary(12), true),
        ]);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(StringArray::from(vec!["a", "é"])),
                Arc::new(Int64Array::from(vec![Some(1), None])),
                Arc::new(pixels),
            ],
        )
        .unwrap()
    }

    #[test]
    fn rows_round_trip_and_bytes_repeat() {
        let bytes = encode(&batch(), "test").unwrap();
        assert_eq!(bytes, encode(&batch(), "test").unwrap());
        assert_eq!(decode(bytes, None, "test").unwrap(), batch());
    }

    #[test]
    fn columns_are_projected_and_absent_ones_named() {
        let bytes = encode(&batch(), "test").unwrap();
        let some = decode(bytes.clone(), Some(&["id"]), "test").unwrap();
        assert_eq!(some.num_columns(), 1);
        let error = decode(bytes, Some(&["nope"]), "test").unwrap_err();
        assert!(error.to_string().contains("\"nope\""), "{error}");
    }

    #[test]
    fn some_rows_come_a_few_at_a_time() {
        let values: Vec<Option<i64>> = (0..1000).map(|n| (n % 7 > 0).then_some(n)).collect();
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("other", DataType::Int64, true),
        ]);
        let column = std::sync::Arc::new(Int64Array::from(values.clone()));
        let batch = RecordBatch::try_new(Arc::new(schema), vec![column.clone(), column]).unwrap();
        let bytes = encode(&batch, "test").unwrap();
        let rows = [0, 1, 5, 8, 500, 501, 502, 503, 999];
        let read = |rows: &[usize]| decode_rows(bytes.clone(), &["n"], rows, 4, "test");
        let mut found = Vec::new();
        for batch in read(&rows).unwrap() {
            let batch = batch.unwrap();
            assert!(batch.num_rows() <= 4 && batch.num_columns() == 1);
            let column: &Int64Array = batch.column(0).as_any().downcast_ref().unwrap();
            found.extend(column.iter());
        }
        assert_eq!(found, rows.map(|row| values[row]));
        assert_eq!(read(&[]).unwrap().count(), 0);
        for wrong in [&[1000][..], &[3, 2], &[2, 2]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn no_rows_keep_their_schema() {
        let empty = batch().slice(0, 0);
        let bytes = encode(&empty, "test").unwrap();
        assert_eq!(
            decode(bytes, None, "test").unwrap().schema(),
            empty.schema()
        );
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(decode(Bytes::from_static(b"PAR1 no"), None, "test").is_err());
    }
}
