//! `tokenize`: tokens to sequences of word numbers; the vocabulary is that of the training rows.

use super::fit_tfidf::{count_part, words_batch};
use super::row_wise::{Aligned, RowWise, process, same_names};
use super::{Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::schema::{self, LABELLED, UNLABELLED, VOCABULARY};
use crate::text::{SequenceEncoder, SequenceOptions, Vocabulary, VocabularyCounter};
use arrow::array::{Array, ArrayRef, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use bytes::Bytes;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::sync::Arc;

/// Parameters of `tokenize`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// Word numbers in all, those of padding and of unknown words included.
    #[schemars(range(min = 3, max = 10_000_000))]
    vocabulary: usize,
    /// Words kept of each text.
    #[schemars(range(min = 1))]
    length: usize,
}

impl Default for Params {
    fn default() -> Self {
        let options = SequenceOptions::default();
        Self {
            vocabulary: options.vocabulary,
            length: options.length,
        }
    }
}

/// File with what the sequences do not show: they are stored without padding.
const SIZE_FILE: &str = "sequences.json";

/// How many word numbers there are, and how many positions a sequence has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct SequenceSize {
    pub(super) vocabulary: usize,
    pub(super) length: usize,
}

impl SequenceSize {
    /// Reads what a `tokenize` stage left.
    pub(super) fn read(input: &super::Input) -> Result<Self, StageError> {
        serde_json::from_slice(&input.reader.file(SIZE_FILE)?).map_err(|error| {
            StageError::Unusable(format!("{SIZE_FILE} of {}: {error}", input.stage))
        })
    }
}

/// The stage.
pub(super) struct Tokenize {
    options: SequenceOptions,
}

impl Kind for Tokenize {
    const NAME: &'static str = "tokenize";
    const SUMMARY: &'static str = "Makes sequences of word numbers of tokens.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![
            one("clean_text", &[LABELLED, UNLABELLED]),
            one("split", &[LABELLED]),
        ]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        let options = SequenceOptions {
            vocabulary: params.vocabulary,
            length: params.length,
        };
        for (key, error) in options.problems() {
            issues.push(Issue::new(format!("{path}.{key}"), error.to_string()));
        }
    }

    fn new(params: Params) -> Self {
        Self {
            options: SequenceOptions {
                vocabulary: params.vocabulary,
                length: params.length,
            },
        }
    }
}

impl Stage for Tokenize {
    fn version(&self) -> u32 {
        2
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let (input, split) = (run.input("clean_text")?, run.input("split")?);
        let vocabulary = self.count(run, input, split)?;
        let batch = words_batch(&vocabulary)?;
        let encoder = SequenceEncoder::new(&vocabulary, &self.options)?;
        let words = vocabulary.terms.iter().map(|term| term.term.as_str());
        let spec = RowWise {
            aligned: vec![Aligned {
                input,
                columns: &["id", "tokens"],
            }],
            datasets: same_names(input),
            sides: &[],
            extra: vec![Digest::of_strings(words).to_string()],
            extra_of: None,
            unit: "rows",
            most_workers: usize::MAX,
        };
        let writer = process(run, &spec, &|_, batches| {
            let tokens: &StringArray = schema::column(&batches[0], "tokens")?;
            let sequences: Vec<Vec<u32>> = (0..tokens.len())
                .into_par_iter()
                .map(|row| encoder.encode(tokens.value(row)))
                .collect();
            Ok(vec![to_batch(batches[0].column(0).clone(), &sequences)?])
        })?;
        writer.write_part(VOCABULARY, 0, &Digest::of(b""), &batch)?;
        let size = SequenceSize {
            vocabulary: self.options.vocabulary,
            length: self.options.length,
        };
        let json = serde_json::to_vec_pretty(&size).unwrap_or_default();
        writer.write_file(SIZE_FILE, Bytes::from(json), true)?;
        let mut summary = Map::new();
        summary.insert("words".to_owned(), json!(vocabulary.terms.len()));
        summary.insert("vocabulary".to_owned(), json!(self.options.vocabulary));
        summary.insert("length".to_owned(), json!(self.options.length));
        Ok(StageOutput { writer, summary })
    }
}

impl Tokenize {
    fn count(
        &self,
        run: &StageRun<'_>,
        input: &super::Input,
        split: &super::Input,
    ) -> Result<Vocabulary, StageError> {
        let terms = self.options.terms();
        let mut counter = VocabularyCounter::new(&terms)?;
        let texts = input.reader.parts(LABELLED, Some(&["id", "tokens"]))?;
        for (texts, folds) in texts.zip(split.reader.parts(LABELLED, Some(&["id", "fold"]))?) {
            run.environment.check_cancelled()?;
            count_part(&mut counter, "tokens", &texts?, &folds?)?;
        }
        Ok(counter.finish()?)
    }
}

fn to_batch(ids: ArrayRef, sequences: &[Vec<u32>]) -> Result<RecordBatch, StageError> {
    let offsets = OffsetBuffer::from_lengths(sequences.iter().map(Vec::len));
    let numbers = UInt32Array::from_iter_values(sequences.iter().flatten().copied());
    let item = Arc::new(Field::new("item", DataType::UInt32, false));
    let list: ArrayRef = Arc::new(ListArray::new(item, offsets, Arc::new(numbers), None));
    Ok(schema::batch(schema::sequences(), vec![ids, list])?)
}
