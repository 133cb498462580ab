//! The terms of a collection of texts, counted, pruned and given their columns.
//!
//! Invariant: a [`Vocabulary`] depends on the set of texts and the options, never on the order in which the texts came or counters
//! were merged. Ties are broken by the term for that reason, where the Python libraries go by sort implementation (scikit-learn)
//! or order of appearance (Keras).

use super::TextError;
use std::borrow::Cow;
use std::collections::HashMap;
use unicode_normalization::char::is_combining_mark;

/// Whose TF-IDF it is: tokens, idf, order of the columns and scale of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TfidfVariant {
    /// scikit-learn's `TfidfVectorizer`: words of two characters and more, `ln((1 + n) / (1 + df)) + 1`, columns in code-point
    /// order, rows of Euclidean length 1.
    #[default]
    Sklearn,
    /// Keras' `Tokenizer.texts_to_matrix(mode="tfidf")`: words of any length, term frequency `1 + ln(count)`,
    /// `ln(1 + n / (1 + df))`, columns by descending count, rows as they are. Columns count from 0: Keras' column 0, which no word
    /// has, is left out, so `max_features` is its `num_words - 1`.
    Keras,
}

/// What a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Analyzer {
    /// Words and runs of words.
    #[default]
    Word,
    /// Runs of characters within a word, which is padded with a space on both sides (scikit-learn's `char_wb`).
    CharWb,
}

/// How terms are made, chosen and weighted.
#[derive(Debug, Clone, PartialEq)]
pub struct TfidfOptions {
    /// Whose formulas.
    pub variant: TfidfVariant,
    /// Keeps that many terms, those with the highest total count; all of them without.
    pub max_features: Option<usize>,
    /// Documents a term must occur in.
    pub min_df: u64,
    /// Share of the documents, in `[0, 1]`, a term may occur in at most.
    pub max_df: f64,
    /// Replaces a count by `1 + ln(count)`. Keras does so always.
    pub sublinear_tf: bool,
    /// Lengths of the shortest and the longest run of words or characters.
    pub ngrams: (usize, usize),
    /// What a term is.
    pub analyzer: Analyzer,
}

impl Default for TfidfOptions {
    fn default() -> Self {
        Self {
            variant: TfidfVariant::Sklearn,
            max_features: None,
            min_df: 1,
            max_df: 1.0,
            sublinear_tf: false,
            ngrams: (1, 1),
            analyzer: Analyzer::Word,
        }
    }
}

impl TfidfOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// [`TextError::OptionOutOfRange`], for the first option that is.
    pub fn validate(&self) -> Result<(), TextError> {
        let check = |holds, option, expected, found| {
            if holds {
                Ok(())
            } else {
                Err(TextError::OptionOutOfRange {
                    option,
                    expected,
                    found,
                })
            }
        };
        let (shortest, longest) = self.ngrams;
        check(
            shortest >= 1 && shortest <= longest,
            "ngrams",
            "a pair of lengths from 1 up, the shorter first",
            format!("({shortest}, {longest})"),
        )?;
        check(
            (0.0..=1.0).contains(&self.max_df),
            "max_df",
            "between 0 and 1",
            self.max_df.to_string(),
        )?;
        check(
            self.max_features != Some(0),
            "max_features",
            "at least 1",
            "0".to_owned(),
        )
    }
}

/// A term of a vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The term; the words of a run are joined by one space.
    pub term: String,
    /// Documents it occurs in.
    pub document_frequency: u64,
    /// Times it occurs.
    pub total_count: u64,
    /// Inverse document frequency of the options' variant.
    pub idf: f64,
}

/// The terms of a collection of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    /// Documents counted, empty ones included.
    pub documents: u64,
    /// The terms, in column order: the term at index `i` is column `i`.
    pub terms: Vec<Term>,
}

/// Counts the terms of texts.
#[derive(Debug, Clone)]
pub struct VocabularyCounter {
    options: TfidfOptions,
    documents: u64,
    counts: HashMap<Box<str>, Count>,
    /// Texts added to this counter itself; names the text at hand in [`Count::last_seen`].
    serial: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    documents: u64,
    total: u64,
    /// Serial of the text it was last seen in, 0 for none of this counter's own.
    last_seen: u64,
}

impl VocabularyCounter {
    /// Makes an empty counter.
    ///
    /// # Errors
    ///
    /// As [`TfidfOptions::validate`].
    pub fn new(options: &TfidfOptions) -> Result<Self, TextError> {
        options.validate()?;
        Ok(Self {
            options: options.clone(),
            documents: 0,
            counts: HashMap::new(),
            serial: 0,
        })
    }

    /// Counts the terms of a text.
    pub fn add(&mut self, text: &str) {
        self.documents += 1;
        self.serial += 1;
        let (counts, serial) = (&mut self.counts, self.serial);
        for_each_term(text, &self.options, &mut |term| {
            let count = match counts.get_mut(term) {
                Some(count) => count,
                None => counts.entry(term.into()).or_default(),
            };
            count.total += 1;
            count.documents += u64::from(count.last_seen != serial);
            count.last_seen = serial;
        });
    }

    /// Adds the counts of another counter.
    ///
    /// # Panics
    ///
    /// Where the two were made with different options, whose counts mean different things.
    pub fn merge(&mut self, other: Self) {
        assert_eq!(self.options, other.options, "counters of different options");
        self.documents += other.documents;
        for (term, theirs) in other.counts {
            let ours = self.counts.entry(term).or_default();
            ours.documents += theirs.documents;
            ours.total += theirs.total;
        }
    }

    /// Prunes the terms, gives them their columns and weighs them.
    ///
    /// # Errors
    ///
    /// [`TextError::EmptyVocabulary`] where no term is left, [`TextError::ContradictoryDocumentFrequencies`] where `max_df` allows
    /// fewer documents than `min_df`, [`TextError::TooManyTerms`] past 2³² - 1 of them.
    ///
    /// # Source
    ///
    /// scikit-learn's `CountVectorizer._limit_features` and `TfidfTransformer.fit` (`smooth_idf=True`); Keras'
    /// `Tokenizer.fit_on_texts` and `sequences_to_matrix`. Keras does not prune by document frequency; here it may.
    pub fn finish(self) -> Result<Vocabulary, TextError> {
        let Self {
            options,
            documents,
            counts,
            ..
        } = self;
        let most = options.max_df * as_f64(documents);
        if documents > 0 && most < as_f64(options.min_df) {
            let (max_df, min_df) = (options.max_df, options.min_df);
            return Err(TextError::ContradictoryDocumentFrequencies {
                max_df,
                min_df,
                documents,
            });
        }
        let distinct_terms = counts.len();
        let mut kept: Vec<_> = counts
            .into_iter()
            .filter(|(_, count)| {
                count.documents >= options.min_df && as_f64(count.documents) <= most
            })
            .collect();
        kept.sort_unstable_by(|(a, x), (b, y)| y.total.cmp(&x.total).then_with(|| a.cmp(b)));
        kept.truncate(options.max_features.unwrap_or(usize::MAX));
        if kept.is_empty() {
            return Err(TextError::EmptyVocabulary {
                documents,
                distinct_terms,
            });
        }
        if u32::try_from(kept.len()).is_err() {
            return Err(TextError::TooManyTerms { terms: kept.len() });
        }
        if options.variant == TfidfVariant::Sklearn {
            kept.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
        let weighted = |(term, count): (Box<str>, Count)| Term {
            term: term.into(),
            document_frequency: count.documents,
            total_count: count.total,
            idf: idf(options.variant, documents, count.documents),
        };
        Ok(Vocabulary {
            documents,
            terms: kept.into_iter().map(weighted).collect(),
        })
    }
}

fn idf(variant: TfidfVariant, documents: u64, document_frequency: u64) -> f64 {
    let (n, df) = (as_f64(documents), as_f64(document_frequency));
    match variant {
        TfidfVariant::Sklearn => ((1.0 + n) / (1.0 + df)).ln() + 1.0,
        TfidfVariant::Keras => (1.0 + n / (1.0 + df)).ln(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of documents stay far below 2^53"
)]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Calls back with every term of a text, as often as it occurs.
pub(super) fn for_each_term(text: &str, options: &TfidfOptions, visit: &mut impl FnMut(&str)) {
    let text = lowercased(text);
    match options.analyzer {
        Analyzer::Word => word_ngrams(&words(&text, options.variant), options.ngrams, visit),
        Analyzer::CharWb => character_ngrams(&text, options.ngrams, visit),
    }
}

/// The text in lower case, as both libraries put it by default.
fn lowercased(text: &str) -> Cow<'_, str> {
    let is_lower = |c: char| {
        if c.is_ascii() {
            !c.is_ascii_uppercase()
        } else {
            c.to_lowercase().eq([c])
        }
    };
    if text.chars().all(is_lower) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

fn words(text: &str, variant: TfidfVariant) -> Vec<&str> {
    match variant {
        // The token pattern `(?u)\b\w\w+\b`: runs of word characters, at least two of them.
        TfidfVariant::Sklearn => text
            .split(|c| !is_python_word(c))
            .filter(|run| run.chars().nth(1).is_some())
            .collect(),
        TfidfVariant::Keras => text
            .split(is_keras_filtered)
            .filter(|word| !word.is_empty())
            .collect(),
    }
}

/// Tells whether Python's `\w` matches: `str.isalnum` or `_`. Unlike Rust's `is_alphanumeric` it leaves out combining marks and
/// letters in circles and squares.
fn is_python_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let is_symbol = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f149}' | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}');
    c.is_alphanumeric() && !is_combining_mark(c) && !is_symbol
}

/// Tells whether Keras' default `filters` (or its `split`) part words here: ASCII punctuation but the apostrophe, tab, line feed.
fn is_keras_filtered(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n') || (c.is_ascii_punctuation() && c != '\'')
}

fn word_ngrams(words: &[&str], (shortest, longest): (usize, usize), visit: &mut impl FnMut(&str)) {
    let mut joined = String::new();
    for length in shortest..=longest.min(words.len()) {
        for run in words.windows(length) {
            if let [word] = run {
                visit(word);
                continue;
            }
            joined.clear();
            for word in run {
                joined.push_str(word);
                joined.push(' ');
            }
            visit(&joined[..joined.len() - 1]);
        }
    }
}

fn character_ngrams(text: &str, (shortest, longest): (usize, usize), visit: &mut impl FnMut(&str)) {
    let mut padded = String::new();
    let mut starts = Vec::new();
    for word in text.split(is_python_space).filter(|word| !word.is_empty()) {
        padded.clear();
        padded.extend([" ", word, " "]);
        starts.clear();
        starts.extend(
            padded
                .char_indices()
                .map(|(start, _)| start)
                .chain([padded.len()]),
        );
        for length in shortest..=longest {
            // A word no longer than the run is counted whole, once.
            if starts.len() - 1 <= length {
                visit(&padded);
                break;
            }
            for run in starts.windows(length + 1) {
                visit(&padded[run[0]..run[length]]);
            }
        }
    }
}

/// Tells whether Python's `str.split` parts words here.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}
