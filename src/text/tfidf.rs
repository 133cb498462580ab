//! TF-IDF rows of a fitted vocabulary.
//!
//! Invariant: a row depends on its text, the vocabulary and the options alone; sums run in column order, in double precision, so
//! equal inputs give equal bits whatever the number of threads.

use super::vocabulary::for_each_term;
use super::{TextError, TfidfOptions, TfidfVariant, Vocabulary};
use std::collections::HashMap;

/// One row of a sparse matrix.
///
/// # Shapes
///
/// `indices` and `values` have the same length, the number of columns that are not zero; both are empty for a text without a known
/// term.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SparseRow {
    /// Columns, ascending.
    pub indices: Vec<u32>,
    /// Their values.
    pub values: Vec<f32>,
}

/// Turns texts into TF-IDF rows; shared by any number of threads.
///
/// # Source
///
/// scikit-learn's `TfidfVectorizer.transform` (`norm="l2"`) or Keras' `Tokenizer.texts_to_matrix(mode="tfidf")`, see
/// [`TfidfVariant`].
#[derive(Debug, Clone)]
pub struct TfidfVectorizer {
    options: TfidfOptions,
    columns: HashMap<Box<str>, u32>,
    idf: Vec<f64>,
}

impl TfidfVectorizer {
    /// Makes a vectorizer of a vocabulary, with the options it was counted with.
    ///
    /// # Errors
    ///
    /// As [`TfidfOptions::validate`], and [`TextError::TooManyTerms`] past 2³² - 1 of them.
    pub fn new(vocabulary: &Vocabulary, options: &TfidfOptions) -> Result<Self, TextError> {
        options.validate()?;
        let terms = vocabulary.terms.len();
        let last = u32::try_from(terms).map_err(|_| TextError::TooManyTerms { terms })?;
        let columns = vocabulary
            .terms
            .iter()
            .map(|term| term.term.as_str().into())
            .zip(0..last)
            .collect();
        let idf = vocabulary.terms.iter().map(|term| term.idf).collect();
        Ok(Self {
            options: options.clone(),
            columns,
            idf,
        })
    }

    /// Returns the number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.idf.len()
    }

    /// Returns the row of a text.
    #[must_use]
    pub fn transform(&self, text: &str) -> SparseRow {
        let mut columns = Vec::new();
        for_each_term(text, &self.options, &mut |term| {
            columns.extend(self.columns.get(term))
        });
        columns.sort_unstable();
        let weighted: Vec<(u32, f64)> = columns
            .chunk_by(|a, b| a == b)
            .map(|run| (run[0], self.weight(run[0], run.len())))
            .collect();
        let length = match self.options.variant {
            TfidfVariant::Sklearn => weighted
                .iter()
                .map(|(_, value)| value * value)
                .sum::<f64>()
                .sqrt(),
            TfidfVariant::Keras => 1.0,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rows are stored in single precision"
        )]
        weighted
            .into_iter()
            .map(|(column, value)| (column, (value / length) as f32))
            .collect()
    }

    fn weight(&self, column: u32, count: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "no text has 2^53 words")]
        let count = count as f64;
        let logarithmic = self.options.sublinear_tf || self.options.variant == TfidfVariant::Keras;
        let frequency = if logarithmic { 1.0 + count.ln() } else { count };
        frequency * self.idf[column as usize]
    }
}

impl FromIterator<(u32, f32)> for SparseRow {
    fn from_iter<I: IntoIterator<Item = (u32, f32)>>(entries: I) -> Self {
        let (indices, values) = entries.into_iter().unzip();
        Self { indices, values }
    }
}
