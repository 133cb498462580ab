//! `fit_tfidf`: the vocabularies of the training rows, one for each block of columns, with document frequencies and idf.

use super::blocks::{Block, BlockList};
use super::split::TRAIN;
use super::{Input, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule, check};
use crate::fingerprint::Digest;
use crate::schema::{self, LABELLED, VOCABULARY};
use crate::text::{BlockOptions, Term, TextError, TfidfVariant, Vocabulary, VocabularyCounter};
use arrow::array::{
    Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose TF-IDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Variant {
    /// As scikit-learn's `TfidfVectorizer`.
    Sklearn,
    /// As Keras' `Tokenizer`.
    Keras,
}

/// Parameters of `fit_tfidf`; `tfidf` reads them from here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// Whose formulas and columns.
    variant: Variant,
    /// Blocks of columns, side by side in this order.
    blocks: BlockList,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            variant: Variant::Sklearn,
            blocks: BlockList::default(),
        }
    }
}

impl Params {
    fn options(&self, block: &Block) -> BlockOptions {
        block.options(match self.variant {
            Variant::Sklearn => TfidfVariant::Sklearn,
            Variant::Keras => TfidfVariant::Keras,
        })
    }
}

/// The stage.
pub(super) struct FitTfidf {
    params: Params,
}

impl Kind for FitTfidf {
    const NAME: &'static str = "fit_tfidf";
    const SUMMARY: &'static str = "Counts the terms of the training rows.";
    type Params = Params;

    fn check(given: &Value, path: &str, issues: &mut Vec<Issue>) -> Params {
        let mut given = given.clone();
        for key in Block::keys() {
            let value = given.as_object_mut().and_then(|given| given.remove(&key));
            if let Some(value) = value {
                let message = format!("belongs into a block: `blocks: [{{{key}: {value}}}]`");
                issues.push(Issue::new(format!("{path}.{key}"), message));
            }
        }
        check(&given, path, issues)
    }

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![one("clean_text", &[LABELLED]), one("split", &[LABELLED])]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        params.blocks.validate(&format!("{path}.blocks"), issues);
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

/// File with what the vocabulary's table cannot hold.
const OPTIONS_FILE: &str = "tfidf.json";

/// What `tfidf` has to know beside the terms.
#[derive(Debug, Serialize, Deserialize)]
struct Fitted {
    params: Params,
    documents: u64,
}

/// A fitted block: the column of `clean_text` that it reads, its terms, and how they were made.
pub(super) struct FittedBlock {
    pub(super) column: &'static str,
    pub(super) vocabulary: Vocabulary,
    pub(super) options: BlockOptions,
}

impl Stage for FitTfidf {
    fn version(&self) -> u32 {
        2
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let writer = run.begin(BTreeMap::new())?;
        let blocks = &self.params.blocks.blocks;
        let rows = run.input("clean_text")?.reader.dataset(LABELLED)?.rows;
        run.monitor.expect(rows * blocks.len() as u64, "rows");
        let mut documents = 0;
        let mut widths = Vec::new();
        // One after the other: the terms to choose from are held for one block at a time.
        for (block, number) in blocks.iter().zip(0_u32..) {
            let vocabulary = self.fit(run, block, number)?;
            documents = vocabulary.documents;
            widths.push(vocabulary.terms.len());
            let batch = vocabulary_batch(&vocabulary, number)?;
            writer.write_part(VOCABULARY, number as usize, &Digest::of(b""), &batch)?;
        }
        let terms: usize = widths.iter().sum();
        if terms == 0 {
            return Err(StageError::Unusable(format!(
                "no block of {} has a term: the training rows have no text",
                run.id
            )));
        }
        let fitted = Fitted {
            params: self.params.clone(),
            documents,
        };
        let json = serde_json::to_vec_pretty(&fitted).unwrap_or_default();
        writer.write_file(OPTIONS_FILE, Bytes::from(json), true)?;
        let mut summary = Map::new();
        summary.insert("documents".to_owned(), json!(documents));
        summary.insert("terms".to_owned(), json!(terms));
        summary.insert("blocks".to_owned(), json!(widths));
        Ok(StageOutput { writer, summary })
    }
}

impl FitTfidf {
    /// Fits one block. A field that no training row fills is a block without columns.
    fn fit(
        &self,
        run: &StageRun<'_>,
        block: &Block,
        number: u32,
    ) -> Result<Vocabulary, StageError> {
        let (texts, folds) = (
            &run.input("clean_text")?.reader,
            &run.input("split")?.reader,
        );
        let column = block.column();
        let columns = ["id", column];
        let mut counter = VocabularyCounter::new(&self.params.options(block).tfidf)?;
        let texts = texts.parts(LABELLED, Some(&columns))?;
        for (texts, folds) in texts.zip(folds.parts(LABELLED, Some(&["id", "fold"]))?) {
            run.environment.check_cancelled()?;
            let (texts, folds) = (texts?, folds?);
            count_part(&mut counter, column, &texts, &folds)?;
            run.monitor.advance(texts.num_rows() as u64);
        }
        let documents = counter.documents();
        match counter.finish() {
            Err(TextError::EmptyVocabulary {
                distinct_terms: 0, ..
            }) => {
                tracing::warn!(stage = run.id, field = block.field, "a block has no terms");
                Ok(Vocabulary {
                    documents,
                    terms: Vec::new(),
                })
            }
            finished => finished.map_err(|error| {
                StageError::Unusable(format!("block {number} ({}): {error}", block.field))
            }),
        }
    }
}

/// Counts the terms of the training rows of one part.
pub(super) fn count_part(
    counter: &mut VocabularyCounter,
    column: &str,
    texts: &RecordBatch,
    folds: &RecordBatch,
) -> Result<(), StageError> {
    let tokens: &StringArray = schema::column(texts, column)?;
    let fold: &StringArray = schema::column(folds, "fold")?;
    let ids: &StringArray = schema::column(texts, "id")?;
    if ids != schema::column::<StringArray>(folds, "id")? {
        let (left, right) = ("clean_text".to_owned(), "split".to_owned());
        return Err(StageError::Misaligned {
            left,
            right,
            part: 0,
        });
    }
    let rows = (0..tokens.len()).filter(|row| fold.value(*row) == TRAIN);
    let texts: Vec<&str> = rows.map(|row| tokens.value(row)).collect();
    counter.add_all(&texts);
    Ok(())
}

/// The words of sequences as a table.
pub(super) fn words_batch(vocabulary: &Vocabulary) -> Result<RecordBatch, StageError> {
    Ok(schema::batch(schema::words(), term_columns(vocabulary))?)
}

/// The vocabulary of a block as a table.
fn vocabulary_batch(vocabulary: &Vocabulary, block: u32) -> Result<RecordBatch, StageError> {
    let block = UInt32Array::from_value(block, vocabulary.terms.len());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(block)];
    columns.extend(term_columns(vocabulary));
    Ok(schema::batch(schema::vocabulary(), columns)?)
}

fn term_columns(vocabulary: &Vocabulary) -> Vec<ArrayRef> {
    let terms = &vocabulary.terms;
    let counts = |of: fn(&Term) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(terms.iter().map(of)))
    };
    vec![
        Arc::new(StringArray::from_iter_values(
            terms.iter().map(|term| term.term.as_str()),
        )),
        counts(|term| term.document_frequency),
        counts(|term| term.total_count),
        Arc::new(Float64Array::from_iter_values(
            terms.iter().map(|term| term.idf),
        )),
    ]
}

/// Reads the blocks of a `fit_tfidf` stage.
pub(super) fn read_blocks(input: &Input) -> Result<Vec<FittedBlock>, StageError> {
    let unusable = |problem: String| {
        StageError::Unusable(format!("{OPTIONS_FILE} of {}: {problem}", input.stage))
    };
    let fitted: Fitted = serde_json::from_slice(&input.reader.file(OPTIONS_FILE)?)
        .map_err(|error| unusable(error.to_string()))?;
    let params = &fitted.params;
    let mut blocks: Vec<FittedBlock> = params
        .blocks
        .blocks
        .iter()
        .map(|block| FittedBlock {
            column: block.column(),
            vocabulary: Vocabulary {
                documents: fitted.documents,
                terms: Vec::new(),
            },
            options: params.options(block),
        })
        .collect();
    for batch in input.reader.parts(VOCABULARY, None)? {
        let batch = batch?;
        let numbers: &UInt32Array = schema::column(&batch, "block")?;
        let names: &StringArray = schema::column(&batch, "term")?;
        let documents: &UInt64Array = schema::column(&batch, "document_frequency")?;
        let totals: &UInt64Array = schema::column(&batch, "total_count")?;
        let idfs: &Float64Array = schema::column(&batch, "idf")?;
        for row in 0..batch.num_rows() {
            let number = numbers.value(row);
            let block = blocks
                .get_mut(number as usize)
                .ok_or_else(|| unusable(format!("there is no block {number}")))?;
            block.vocabulary.terms.push(Term {
                term: names.value(row).to_owned(),
                document_frequency: documents.value(row),
                total_count: totals.value(row),
                idf: idfs.value(row),
            });
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_blocks_beside_them_is_told_where_it_belongs() {
        let mut issues = Vec::new();
        let given =
            json!({"variant": "keras", "max_features": 5000, "field": "title", "blokcs": []});
        let params = FitTfidf::check(&given, "p", &mut issues);
        assert_eq!(params.variant, Variant::Keras);
        let mut found: Vec<_> = issues.iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(
            found,
            [
                "p.blokcs: unknown key; did you mean \"blocks\"?",
                "p.field: belongs into a block: `blocks: [{field: \"title\"}]`",
                "p.max_features: belongs into a block: `blocks: [{max_features: 5000}]`",
            ]
        );
    }
}
