//! Columns of every dataset: their names, their types, and how to get at them.
//!
//! A dataset's schema is part of the contract between stages; nothing else spells out a column.

use crate::checkpoint::CheckpointError;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use std::sync::Arc;

/// Dataset of the products whose category is known.
pub const LABELLED: &str = "labelled";
/// Dataset of the products to predict.
pub const UNLABELLED: &str = "unlabelled";
/// Dataset of the bad rows.
pub const REJECTS: &str = "rejects";
/// Dataset of the texts that wait for a translator.
pub const PENDING: &str = "pending";
/// Dataset of the TF-IDF columns, or of the words of sequences.
pub const VOCABULARY: &str = "vocabulary";
/// Dataset of the principal components of images.
pub const COMPONENTS: &str = "components";
/// Dataset of a model's predictions for the rows that it was not fitted on.
pub const HELD_OUT: &str = "held_out";
/// Scores by what is known of a product.
pub const MODALITY_SCORES: &str = "modality_scores";
/// Dataset of scores per model, fold and class.
pub const SCORES: &str = "scores";
/// Dataset of confusion counts.
pub const CONFUSION: &str = "confusion";
/// Dataset of predictions.
pub const PREDICTIONS: &str = "predictions";

/// Height and width of an image tensor in pixels.
pub const IMAGE_SIZE: u32 = 224;

fn schema(columns: Vec<(&str, DataType, bool)>) -> SchemaRef {
    let fields: Vec<Field> = columns
        .into_iter()
        .map(|(name, kind, nullable)| Field::new(name, kind, nullable))
        .collect();
    Arc::new(Schema::new(fields))
}

fn list_of(kind: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", kind, false)))
}

fn fixed_list_of(kind: DataType, length: usize) -> DataType {
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    DataType::FixedSizeList(Arc::new(Field::new("item", kind, false)), length)
}

/// Products as `ingest` writes them; `label` only where it is known.
#[must_use]
pub fn products(is_labelled: bool) -> SchemaRef {
    let mut columns = vec![
        ("id", DataType::Utf8, false),
        ("product_id", DataType::Utf8, true),
        ("title", DataType::Utf8, false),
        ("description", DataType::Utf8, false),
        ("image", DataType::Utf8, true),
        ("image_identity", DataType::Utf8, true),
        ("image_bytes", DataType::Int64, true),
    ];
    if is_labelled {
        columns.push(("label", DataType::Utf8, false));
    }
    schema(columns)
}

/// Bad rows: which, where they stood, why.
#[must_use]
pub fn rejects() -> SchemaRef {
    schema(vec![
        ("row_id", DataType::Utf8, true),
        ("stage", DataType::Utf8, false),
        ("source", DataType::Utf8, false),
        ("line", DataType::Int64, false),
        ("reason", DataType::Utf8, false),
        ("detail", DataType::Utf8, false),
    ])
}

/// Language of each row: ISO 639-1 code or `und`, confidence in 0..1.
#[must_use]
pub fn languages() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("language", DataType::Utf8, false),
        ("confidence", DataType::Float64, false),
    ])
}

/// Text of each row and its two fields in the one language of the models, beside the fields as they came.
#[must_use]
pub fn translated() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("title", DataType::Utf8, false),
        ("description", DataType::Utf8, false),
        ("text", DataType::Utf8, false),
        ("title_text", DataType::Utf8, false),
        ("description_text", DataType::Utf8, false),
        ("is_translated", DataType::Boolean, false),
    ])
}

/// Distinct texts without a translation, with the number of rows that hold them.
#[must_use]
pub fn pending() -> SchemaRef {
    schema(vec![
        ("source_lang", DataType::Utf8, false),
        ("source_text", DataType::Utf8, false),
        ("rows", DataType::Int64, false),
    ])
}

/// Tokens of each row and of its two fields, joined by one space, and the sizes of the raw fields.
#[must_use]
pub fn tokens() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("tokens", DataType::Utf8, false),
        ("title_tokens", DataType::Utf8, false),
        ("description_tokens", DataType::Utf8, false),
        ("title_chars", DataType::UInt32, false),
        ("title_words", DataType::UInt32, false),
        ("description_chars", DataType::UInt32, false),
        ("description_words", DataType::UInt32, false),
    ])
}

/// Fold of each labelled row: `train`, `validation` or `test`.
#[must_use]
pub fn folds() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("fold", DataType::Utf8, false),
        ("label", DataType::Utf8, false),
    ])
}

/// Words of sequences in the order of their numbers.
#[must_use]
pub fn words() -> SchemaRef {
    schema(term_columns())
}

/// TF-IDF columns in order, with the number of their block from 0.
#[must_use]
pub fn vocabulary() -> SchemaRef {
    let mut columns = vec![("block", DataType::UInt32, false)];
    columns.extend(term_columns());
    schema(columns)
}

fn term_columns() -> Vec<(&'static str, DataType, bool)> {
    vec![
        ("term", DataType::Utf8, false),
        ("document_frequency", DataType::UInt64, false),
        ("total_count", DataType::UInt64, false),
        ("idf", DataType::Float64, false),
    ]
}

/// Sparse rows: ascending column indices and their values.
#[must_use]
pub fn sparse_rows() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("indices", list_of(DataType::UInt32), false),
        ("values", list_of(DataType::Float32), false),
    ])
}

/// Word numbers of each row in order, without padding.
#[must_use]
pub fn sequences() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("sequence", list_of(DataType::UInt32), false),
    ])
}

/// Image tensors (`size`×`size`×3, u8, RGB, rows first) with the source's size in pixels and its
/// statistics and the BLAKE3 digest of the tensor; all null where the status is not `ok`.
#[must_use]
pub fn images(size: u32) -> SchemaRef {
    let bytes = i32::try_from(size * size * 3).unwrap_or(i32::MAX);
    schema(vec![
        ("id", DataType::Utf8, false),
        ("image_status", DataType::Utf8, false),
        ("image_detail", DataType::Utf8, true),
        ("width", DataType::UInt32, true),
        ("height", DataType::UInt32, true),
        ("white_share", DataType::Float32, true),
        ("mean_red", DataType::Float32, true),
        ("mean_green", DataType::Float32, true),
        ("mean_blue", DataType::Float32, true),
        ("pixels_digest", DataType::Utf8, true),
        ("pixels", DataType::FixedSizeBinary(bytes), true),
    ])
}

/// Sums over the sampled images of a part: how many they are, and what
/// [`PixelVariance::to_bytes`](crate::image::PixelVariance::to_bytes) makes of their sums.
#[must_use]
pub fn variance_sums() -> SchemaRef {
    schema(vec![
        ("images", DataType::UInt32, false),
        ("sums", DataType::Binary, false),
    ])
}

/// Features of images, null where there is none, with the digest of what they were made from: the network, its weights and
/// the tensor.
#[must_use]
pub fn embeddings(width: usize) -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("digest", DataType::Utf8, true),
        ("features", fixed_list_of(DataType::Float32, width), true),
    ])
}

/// Images along principal components, null where there is none.
#[must_use]
pub fn reduced(width: usize) -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("features", fixed_list_of(DataType::Float32, width), true),
    ])
}

/// Principal components, the one of most variance first: the variance of pixels of 0 to 1 along each, and its share in that of
/// all pixels.
#[must_use]
pub fn components() -> SchemaRef {
    schema(vec![
        ("component", DataType::UInt32, false),
        ("explained_variance", DataType::Float64, false),
        ("explained_variance_ratio", DataType::Float64, false),
    ])
}

/// Predictions of a model for rows that it was not fitted on; of the fold `train`, where there are any, those of models that
/// were fitted on the other rows of it. Of a row that is not known, nothing was there that the model could read, and the
/// probabilities are the shares of the classes among the training rows. Where text and image are read and known, the prediction
/// from either alone stands beside.
#[must_use]
pub fn held_out() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("fold", DataType::Utf8, false),
        ("label", DataType::Utf8, false),
        ("predicted", DataType::Utf8, false),
        ("is_known", DataType::Boolean, false),
        ("modality", DataType::Utf8, false),
        ("predicted_from_text", DataType::Utf8, true),
        ("predicted_from_image", DataType::Utf8, true),
        ("probabilities", list_of(DataType::Float32), false),
    ])
}

/// Scores per model, fold and class; the rows of all classes together have the labels `weighted avg`,
/// `macro avg` and `accuracy`.
#[must_use]
pub fn scores() -> SchemaRef {
    schema(vec![
        ("model", DataType::Utf8, false),
        ("fold", DataType::Utf8, false),
        ("label", DataType::Utf8, false),
        ("precision", DataType::Float64, false),
        ("recall", DataType::Float64, false),
        ("f1", DataType::Float64, false),
        ("support", DataType::UInt64, false),
    ])
}

/// Scores of each model by what is known of a product. `modality` is that of the rows, or `all`; `given` is what the model was
/// shown of them: all that is known, or the text or the image alone, where both are.
#[must_use]
pub fn modality_scores() -> SchemaRef {
    schema(vec![
        ("model", DataType::Utf8, false),
        ("fold", DataType::Utf8, false),
        ("modality", DataType::Utf8, false),
        ("given", DataType::Utf8, false),
        ("rows", DataType::UInt64, false),
        ("accuracy", DataType::Float64, false),
        ("weighted_f1", DataType::Float64, false),
    ])
}

/// How often rows of one class were predicted as another; pairs that never occur are left out.
#[must_use]
pub fn confusion() -> SchemaRef {
    schema(vec![
        ("model", DataType::Utf8, false),
        ("fold", DataType::Utf8, false),
        ("actual", DataType::Utf8, false),
        ("predicted", DataType::Utf8, false),
        ("rows", DataType::UInt64, false),
    ])
}

/// Columns of one of the three likeliest categories.
#[must_use]
pub fn ranked_fields() -> Fields {
    Fields::from(vec![
        Field::new("label", DataType::Utf8, false),
        Field::new("probability", DataType::Float32, false),
    ])
}

/// Predictions as `predict` writes them.
#[must_use]
pub fn predictions() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("predicted", DataType::Utf8, false),
        ("confidence", DataType::Float32, false),
        ("top3", list_of(DataType::Struct(ranked_fields())), false),
        ("modality", DataType::Utf8, false),
        ("model", DataType::Utf8, false),
    ])
}

/// Predictions as they are published: the contract with their consumers.
#[must_use]
pub fn published() -> SchemaRef {
    schema(vec![
        ("id", DataType::Utf8, false),
        ("product_id", DataType::Utf8, true),
        ("predicted", DataType::Utf8, false),
        ("predicted_name", DataType::Utf8, true),
        ("confidence", DataType::Float32, false),
        ("top3", list_of(DataType::Struct(ranked_fields())), false),
        ("modality", DataType::Utf8, false),
        ("language", DataType::Utf8, false),
        ("model", DataType::Utf8, false),
    ])
}

/// Gets a column as its array type.
///
/// # Errors
///
/// [`CheckpointError::Column`] where it is absent or of another type.
pub fn column<'a, A: Array + 'static>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a A, CheckpointError> {
    let found = batch
        .column_by_name(name)
        .and_then(|array| array.as_any().downcast_ref::<A>());
    found.ok_or_else(|| {
        let expected = std::any::type_name::<A>()
            .rsplit("::")
            .next()
            .unwrap_or_default();
        CheckpointError::Column {
            column: name.to_owned(),
            expected: expected.to_owned(),
        }
    })
}

/// Assembles a batch of a schema.
///
/// # Errors
///
/// [`CheckpointError::Arrow`] where lengths or types do not fit.
pub fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch, CheckpointError> {
    RecordBatch::try_new(schema, columns).map_err(|source| CheckpointError::Arrow {
        what: "a part".to_owned(),
        source,
    })
}

/// Brings the result of a query into a schema as [`conform`] does, and keeps what columns it has beyond.
///
/// # Errors
///
/// As [`conform`].
pub fn conform_open(
    given: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, CheckpointError> {
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| (**field).clone())
        .collect();
    for field in given.schema().fields() {
        if schema.field_with_name(field.name()).is_err() {
            let kind = match field.data_type() {
                DataType::LargeUtf8 => DataType::Utf8,
                other => other.clone(),
            };
            fields.push(Field::new(field.name(), kind, true));
        }
    }
    conform(given, &Arc::new(Schema::new(fields)))
}

/// Brings the result of a query into a schema: columns by name, cast to their types.
///
/// # Errors
///
/// [`CheckpointError::Column`] for a column that is not there, [`CheckpointError::Arrow`] for values that
/// do not fit, such as a null where none may be.
pub fn conform(given: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, CheckpointError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = schema.fields().iter().map(|field| {
        let array = given
            .column_by_name(field.name())
            .ok_or_else(|| CheckpointError::Column {
                column: field.name().clone(),
                expected: field.data_type().to_string(),
            })?;
        cast_with_options(array, field.data_type(), &options).map_err(|source| {
            CheckpointError::Arrow {
                what: format!("column {}", field.name()),
                source,
            }
        })
    });
    batch(schema.clone(), columns.collect::<Result<_, _>>()?)
}
