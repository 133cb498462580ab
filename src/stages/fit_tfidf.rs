//! `fit_tfidf`: the vocabulary of the training rows, with document frequencies and idf.

use super::split::TRAIN;
use super::{Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::schema::{self, LABELLED, VOCABULARY};
use crate::text::{Analyzer, Term, TfidfOptions, TfidfVariant, Vocabulary, VocabularyCounter};
use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use bytes::Bytes;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose TF-IDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Variant {
    Sklearn,
    Keras,
}

/// What a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AnalyzerName {
    Word,
    CharWb,
}

/// Parameters of `fit_tfidf`; `tfidf` reads them from here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Params {
    variant: Variant,
    analyzer: AnalyzerName,
    /// Shortest and longest run of words or characters.
    ngrams: (usize, usize),
    /// Most terms; `null` for all.
    max_features: Option<usize>,
    /// Documents that a term must occur in.
    min_df: u64,
    /// Share of the documents that a term may occur in at most.
    max_df: f64,
    /// Whether counts weigh as `1 + ln(count)`.
    sublinear_tf: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            variant: Variant::Sklearn,
            analyzer: AnalyzerName::Word,
            ngrams: (1, 1),
            max_features: Some(5000),
            min_df: 1,
            max_df: 1.0,
            sublinear_tf: false,
        }
    }
}

impl Params {
    fn options(&self) -> TfidfOptions {
        TfidfOptions {
            variant: match self.variant {
                Variant::Sklearn => TfidfVariant::Sklearn,
                Variant::Keras => TfidfVariant::Keras,
            },
            analyzer: match self.analyzer {
                AnalyzerName::Word => Analyzer::Word,
                AnalyzerName::CharWb => Analyzer::CharWb,
            },
            ngrams: self.ngrams,
            max_features: self.max_features,
            min_df: self.min_df,
            max_df: self.max_df,
            sublinear_tf: self.sublinear_tf,
        }
    }
}

/// The stage.
pub(super) struct FitTfidf {
    params: Params,
}

impl Kind for FitTfidf {
    const NAME: &'static str = "fit_tfidf";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![one("clean_text", &[LABELLED]), one("split", &[LABELLED])]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        if let Err(error) = params.options().validate() {
            issues.push(Issue::new(path, error.to_string()));
        }
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

impl Stage for FitTfidf {
    fn version(&self) -> u32 {
        1
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let (texts, folds) = (
            &run.input("clean_text")?.reader,
            &run.input("split")?.reader,
        );
        let options = self.params.options();
        let writer = run.begin(BTreeMap::new())?;
        run.monitor.expect(texts.dataset(LABELLED)?.rows, "rows");
        let mut counter = VocabularyCounter::new(&options)?;
        let columns = texts.parts(LABELLED, Some(&["id", "tokens"]))?;
        for (texts, folds) in columns.zip(folds.parts(LABELLED, Some(&["id", "fold"]))?) {
            run.environment.check_cancelled()?;
            let (texts, folds) = (texts?, folds?);
            counter.merge(count_part(&options, &texts, &folds)?);
            run.monitor.advance(texts.num_rows() as u64);
        }
        let vocabulary = counter.finish()?;
        writer.write_part(
            VOCABULARY,
            0,
            &Digest::of(b""),
            &vocabulary_batch(&vocabulary)?,
        )?;
        let fitted = Fitted {
            params: self.params.clone(),
            documents: vocabulary.documents,
        };
        let json = serde_json::to_vec_pretty(&fitted).unwrap_or_default();
        writer.write_file(OPTIONS_FILE, Bytes::from(json), true)?;
        let mut summary = Map::new();
        summary.insert("documents".to_owned(), json!(vocabulary.documents));
        summary.insert("terms".to_owned(), json!(vocabulary.terms.len()));
        Ok(StageOutput { writer, summary })
    }
}

/// Counts the terms of the training rows of one part; the sum does not depend on which thread counts what.
pub(super) fn count_part(
    options: &TfidfOptions,
    texts: &RecordBatch,
    folds: &RecordBatch,
) -> Result<VocabularyCounter, StageError> {
    let tokens: &StringArray = schema::column(texts, "tokens")?;
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
    let empty = VocabularyCounter::new(options)?;
    let counted = (0..tokens.len())
        .into_par_iter()
        .filter(|row| fold.value(*row) == TRAIN)
        .fold(
            || empty.clone(),
            |mut counter, row| {
                counter.add(tokens.value(row));
                counter
            },
        )
        .reduce(
            || empty.clone(),
            |mut counter, other| {
                counter.merge(other);
                counter
            },
        );
    Ok(counted)
}

/// The vocabulary as a table.
pub(super) fn vocabulary_batch(vocabulary: &Vocabulary) -> Result<RecordBatch, StageError> {
    let terms = &vocabulary.terms;
    let counts = |of: fn(&Term) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(terms.iter().map(of)))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(
            terms.iter().map(|term| term.term.as_str()),
        )),
        counts(|term| term.document_frequency),
        counts(|term| term.total_count),
        Arc::new(Float64Array::from_iter_values(
            terms.iter().map(|term| term.idf),
        )),
    ];
    Ok(schema::batch(schema::vocabulary(), columns)?)
}

/// Reads the vocabulary and the options that it was fitted with.
pub(super) fn read_vocabulary(
    input: &super::Input,
) -> Result<(Vocabulary, TfidfOptions), StageError> {
    let fitted: Fitted =
        serde_json::from_slice(&input.reader.file(OPTIONS_FILE)?).map_err(|error| {
            StageError::Unusable(format!("{OPTIONS_FILE} of {}: {error}", input.stage))
        })?;
    let mut terms = Vec::new();
    for batch in input.reader.parts(VOCABULARY, None)? {
        let batch = batch?;
        let names: &StringArray = schema::column(&batch, "term")?;
        let documents: &UInt64Array = schema::column(&batch, "document_frequency")?;
        let totals: &UInt64Array = schema::column(&batch, "total_count")?;
        let idfs: &Float64Array = schema::column(&batch, "idf")?;
        for row in 0..batch.num_rows() {
            terms.push(Term {
                term: names.value(row).to_owned(),
                document_frequency: documents.value(row),
                total_count: totals.value(row),
                idf: idfs.value(row),
            });
        }
    }
    Ok((
        Vocabulary {
            documents: fitted.documents,
            terms,
        },
        fitted.params.options(),
    ))
}
