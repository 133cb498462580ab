//! `clean_text`: text and fields to tokens, and the sizes of the raw fields.

use super::row_wise::{Aligned, RowWise, process, same_names};
use super::{Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule};
use crate::schema::{self, LABELLED, UNLABELLED};
use crate::text::{
    CleanOptions, CleanedFields, FieldStats, TextCleaner, WordLanguage, field_stats,
};
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::sync::Arc;

/// Language of words, as the configuration names it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Language {
    None,
    Dutch,
    English,
    French,
    German,
    Italian,
    Portuguese,
    Spanish,
}

impl Language {
    fn word_language(self) -> Option<WordLanguage> {
        match self {
            Self::None => None,
            Self::Dutch => Some(WordLanguage::Dutch),
            Self::English => Some(WordLanguage::English),
            Self::French => Some(WordLanguage::French),
            Self::German => Some(WordLanguage::German),
            Self::Italian => Some(WordLanguage::Italian),
            Self::Portuguese => Some(WordLanguage::Portuguese),
            Self::Spanish => Some(WordLanguage::Spanish),
        }
    }
}

/// Parameters of `clean_text`; every step can be switched off.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, named as in the configuration"
)]
pub(super) struct Params {
    /// Whether HTML tags are taken out.
    strip_html: bool,
    /// Whether HTML entities are decoded: `&eacute;` to `é`.
    decode_entities: bool,
    /// Whether letters become lower case.
    lowercase: bool,
    /// Whether punctuation and special characters are taken out.
    remove_punctuation: bool,
    /// Whether digits are taken out.
    remove_digits: bool,
    /// Language whose stop words are left out; `none` for no stop words.
    stop_words: Language,
    /// Language whose Snowball stemmer is applied; `none` for no stemmer.
    stem: Language,
    /// Most words kept of the text and of each field, stop words counted.
    #[schemars(range(min = 1))]
    max_words: usize,
}

impl Default for Params {
    fn default() -> Self {
        let options = CleanOptions::default();
        Self {
            strip_html: options.strip_html,
            decode_entities: options.decode_entities,
            lowercase: options.lowercase,
            remove_punctuation: options.remove_punctuation,
            remove_digits: options.remove_digits,
            stop_words: Language::French,
            stem: Language::French,
            max_words: options.max_words,
        }
    }
}

impl Params {
    fn options(&self) -> CleanOptions {
        CleanOptions {
            strip_html: self.strip_html,
            decode_entities: self.decode_entities,
            lowercase: self.lowercase,
            remove_punctuation: self.remove_punctuation,
            remove_digits: self.remove_digits,
            stop_words: self.stop_words.word_language(),
            stem: self.stem.word_language(),
            max_words: self.max_words,
        }
    }
}

/// Columns of `translate` that are read.
const COLUMNS: [&str; 6] = [
    "id",
    "text",
    "title_text",
    "description_text",
    "title",
    "description",
];

/// The stage.
pub(super) struct CleanText {
    params: Params,
}

impl Kind for CleanText {
    const NAME: &'static str = "clean_text";
    const SUMMARY: &'static str = "Makes tokens of texts and fields.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![one("translate", &[LABELLED, UNLABELLED])]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        if params.max_words == 0 {
            issues.push(Issue::new(
                format!("{path}.max_words"),
                "must be at least 1",
            ));
        }
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for CleanText {
    fn version(&self) -> u32 {
        2
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let cleaner = TextCleaner::new(&self.params.options());
        let input = run.input("translate")?;
        let spec = RowWise {
            aligned: vec![Aligned {
                input,
                columns: &COLUMNS,
            }],
            datasets: same_names(input),
            sides: &[],
            extra: Vec::new(),
            extra_of: None,
            unit: "rows",
            most_workers: usize::MAX,
        };
        let writer = process(run, &spec, &|_, batches| clean_part(&cleaner, &batches[0]))?;
        Ok(StageOutput {
            writer,
            summary: Map::new(),
        })
    }
}

fn clean_part(cleaner: &TextCleaner, batch: &RecordBatch) -> Result<Vec<RecordBatch>, StageError> {
    let column = |name: &str| schema::column::<StringArray>(batch, name);
    let (texts, titles, descriptions) = (
        column("text")?,
        column("title_text")?,
        column("description_text")?,
    );
    let rows: Vec<CleanedFields> = (0..batch.num_rows())
        .into_par_iter()
        .map(|row| {
            cleaner.clean_fields(texts.value(row), titles.value(row), descriptions.value(row))
        })
        .collect();
    let tokens = |of: fn(&CleanedFields) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let sizes = |name: &str| -> Result<[ArrayRef; 2], StageError> {
        let values = column(name)?;
        let sizes: Vec<FieldStats> = (0..values.len())
            .into_par_iter()
            .map(|row| field_stats(values.value(row)))
            .collect();
        Ok([
            Arc::new(UInt32Array::from_iter_values(
                sizes.iter().map(|size| size.chars),
            )),
            Arc::new(UInt32Array::from_iter_values(
                sizes.iter().map(|size| size.words),
            )),
        ])
    };
    let [title_chars, title_words] = sizes("title")?;
    let [description_chars, description_words] = sizes("description")?;
    let columns = vec![
        batch.column(0).clone(),
        tokens(|row| &row.text),
        tokens(|row| &row.title),
        tokens(|row| &row.description),
        title_chars,
        title_words,
        description_chars,
        description_words,
    ];
    Ok(vec![schema::batch(schema::tokens(), columns)?])
}
