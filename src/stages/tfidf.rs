//! `tfidf`: tokens to sparse rows, the blocks of `fit_tfidf` side by side.

use super::fit_tfidf::read_blocks;
use super::row_wise::{Aligned, RowWise, process, same_names};
use super::{Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::checkpoint::{FILES, contents_of};
use crate::config::NeedRule;
use crate::schema::{self, LABELLED, UNLABELLED, VOCABULARY};
use crate::text::{BlockVectorizer, SparseRow};
use arrow::array::{ArrayRef, Float32Array, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::sync::Arc;

/// `tfidf` has no parameters of its own: those of `fit_tfidf` hold.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {}

/// The stage.
pub(super) struct Tfidf;

impl Kind for Tfidf {
    const NAME: &'static str = "tfidf";
    const SUMMARY: &'static str = "Makes sparse rows of tokens, with the terms of fit_tfidf.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![
            one("clean_text", &[LABELLED, UNLABELLED]),
            one("fit_tfidf", &[VOCABULARY, FILES]),
        ]
    }

    fn new(_: Params) -> Self {
        Self
    }
}

impl Stage for Tfidf {
    fn version(&self) -> u32 {
        1
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let fitted = run.input("fit_tfidf")?;
        let blocks = read_blocks(fitted)?;
        let pairs = blocks
            .iter()
            .map(|block| (&block.vocabulary, &block.options));
        let vectorizer = BlockVectorizer::new(pairs)?;
        let read: Vec<&str> = blocks.into_iter().map(|block| block.column).collect();
        let mut columns = vec!["id"];
        columns.extend(&read);
        columns.sort_unstable();
        columns.dedup();
        let input = run.input("clean_text")?;
        let contents = contents_of(fitted.reader.manifest());
        let spec = RowWise {
            aligned: vec![Aligned {
                input,
                columns: &columns,
            }],
            datasets: same_names(input),
            sides: &[],
            extra: contents.values().map(ToString::to_string).collect(),
            extra_of: None,
            unit: "rows",
            most_workers: usize::MAX,
        };
        let writer = process(run, &spec, &|_, batches| {
            let batch = &batches[0];
            let texts = read
                .iter()
                .map(|name| schema::column::<StringArray>(batch, name))
                .collect::<Result<Vec<_>, _>>()?;
            let rows: Vec<SparseRow> = (0..batch.num_rows())
                .into_par_iter()
                .map(|row| vectorizer.transform(texts.iter().map(|texts| texts.value(row))))
                .collect();
            let ids: &StringArray = schema::column(batch, "id")?;
            Ok(vec![to_batch(Arc::new(ids.clone()), &rows)?])
        })?;
        let widths: Vec<usize> = vectorizer.widths().collect();
        let summary = Map::from_iter([
            ("columns".to_owned(), json!(vectorizer.width())),
            ("blocks".to_owned(), json!(widths)),
        ]);
        Ok(StageOutput { writer, summary })
    }
}

fn to_batch(ids: ArrayRef, rows: &[SparseRow]) -> Result<RecordBatch, StageError> {
    let lengths = || OffsetBuffer::from_lengths(rows.iter().map(|row| row.indices.len()));
    let list = |kind: DataType, values: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new("item", kind, false));
        Arc::new(ListArray::new(field, lengths(), values, None))
    };
    let indices =
        UInt32Array::from_iter_values(rows.iter().flat_map(|row| row.indices.iter().copied()));
    let values =
        Float32Array::from_iter_values(rows.iter().flat_map(|row| row.values.iter().copied()));
    let columns = vec![
        ids,
        list(DataType::UInt32, Arc::new(indices)),
        list(DataType::Float32, Arc::new(values)),
    ];
    Ok(schema::batch(schema::sparse_rows(), columns)?)
}
