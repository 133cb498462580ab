//! Record batches as Parquet bytes and back.
//!
//! *Invariant*: equal rows give equal bytes, whatever the version of the libraries says about
//! itself: `created_by` is ours, and no setting depends on the machine. Wide binary columns
//! (image tensors) get neither dictionary nor statistics: both would cost time and help nobody.

use super::CheckpointError;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::arrow::{ArrowWriter, ProjectionMask};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema};
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
    let failed = |source| CheckpointError::Decode {
        what: what.to_owned(),
        source,
    };
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?;
    if let Some(columns) = columns {
        for column in columns {
            if builder.schema().field_with_name(column).is_err() {
                let expected = "any".to_owned();
                return Err(CheckpointError::Column {
                    column: (*column).to_owned(),
                    expected,
                });
            }
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows())
        .unwrap_or(0)
        .max(1);
    let reader = builder.with_batch_size(rows).build().map_err(failed)?;
    let schema = reader.schema();
    let assemble = |source| CheckpointError::Arrow {
        what: what.to_owned(),
        source,
    };
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(assemble)?;
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
