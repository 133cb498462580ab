//! TF-IDF: its options, and the rows of a fitted vocabulary.
//!
//! Invariant: a row depends on its text, the vocabulary and the options alone; sums run in column order, in double precision, so
//! equal inputs give equal bits whatever the number of threads.
//!
//! On 9,873 real products, three blocks of [`BlockVectorizer`](super::BlockVectorizer) and one of the merged text (word 1- and 2-grams of
//! the title, words of the description, `char_wb` 2 to 5 of the title; 63,823 columns, 3.7 million values) are those of
//! scikit-learn 1.9's `FeatureUnion` with the same vocabularies: the same places, and at most 1.2e-7 apart, which is the precision of `f32`.

use super::interner::{Interner, hash};
use super::terms::{Analyzer, for_each_term};
use super::{TextError, Vocabulary};

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

/// The longest run of words or characters that may be a term.
pub const LONGEST_NGRAM: usize = 20;

/// How terms are made, chosen and weighted.
#[derive(Debug, Clone, PartialEq)]
pub struct TfidfOptions {
    /// Whose formulas.
    pub variant: TfidfVariant,
    /// Keeps that many terms, those with the highest total count; all of them without.
    pub max_features: Option<usize>,
    /// Documents a term must occur in.
    pub min_df: u64,
    /// Share of the documents, above 0 and at most 1, a term may occur in at most.
    pub max_df: f64,
    /// Replaces a count by `1 + ln(count)`. Keras does so always.
    pub sublinear_tf: bool,
    /// Lengths of the shortest and the longest run of words or characters, at most [`LONGEST_NGRAM`].
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
            shortest >= 1 && shortest <= longest && longest <= LONGEST_NGRAM,
            "ngrams",
            "a pair of lengths from 1 to 20, the shorter first",
            format!("({shortest}, {longest})"),
        )?;
        check(
            self.max_df > 0.0 && self.max_df <= 1.0,
            "max_df",
            "above 0 and at most 1",
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
    /// Numbered as the columns are.
    columns: Interner,
    idf: Vec<f64>,
}

impl TfidfVectorizer {
    /// Makes a vectorizer of a vocabulary, with the options it was counted with.
    ///
    /// # Errors
    ///
    /// As [`TfidfOptions::validate`], [`TextError::TooManyTerms`] past 2³² - 1 of them, and [`TextError::RepeatedTerm`].
    pub fn new(vocabulary: &Vocabulary, options: &TfidfOptions) -> Result<Self, TextError> {
        options.validate()?;
        let terms = vocabulary.terms.len();
        if u32::try_from(terms).is_err() {
            return Err(TextError::TooManyTerms { terms });
        }
        let mut columns = Interner::default();
        for (column, term) in vocabulary.terms.iter().enumerate() {
            if columns.intern(hash(&term.term), &term.term) != column {
                let term = term.term.clone();
                return Err(TextError::RepeatedTerm { term });
            }
        }
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
        let mut row = SparseRow::default();
        self.append(text, 1.0, 0, &mut row);
        row
    }

    /// Appends the row of a text, times a factor, to one whose columns all lie before `offset`.
    pub(super) fn append(&self, text: &str, factor: f64, offset: u32, row: &mut SparseRow) {
        let mut columns = Vec::new();
        for_each_term(text, &self.options, &mut |term| {
            columns.extend(self.columns.get(term));
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
        for (column, value) in weighted {
            row.indices.push(offset + column);
            row.values.push((value / length * factor) as f32);
        }
    }

    fn weight(&self, column: u32, count: usize) -> f64 {
        let count = count as f64;
        let logarithmic = self.options.sublinear_tf || self.options.variant == TfidfVariant::Keras;
        let frequency = if logarithmic { 1.0 + count.ln() } else { count };
        frequency * self.idf[column as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::VocabularyCounter;
    use proptest::prelude::*;

    const DOCUMENTS: [&str; 6] = [
        "Table basse en bois, table ronde et chaise",
        "Chaise de jardin en bois massif",
        "lampe LED : l'été au jardin, n° 5 d_x",
        "table de jardin",
        "",
        "Ötzi à la ΣΑΣ नमस्ते chaise chaise chaise",
    ];
    const QUERY: &str = "la chaise de table, chaise en bois inconnu chaise";

    fn fit(documents: &[&str], options: &TfidfOptions) -> (Vocabulary, TfidfVectorizer) {
        let mut counter = VocabularyCounter::new(options).unwrap();
        for document in documents {
            counter.add(document);
        }
        let vocabulary = counter.finish().unwrap();
        let vectorizer = TfidfVectorizer::new(&vocabulary, options).unwrap();
        (vocabulary, vectorizer)
    }

    fn assert_row(row: &SparseRow, expected: &[(u32, f64)]) {
        assert_eq!(
            row.indices,
            expected
                .iter()
                .map(|&(column, _)| column)
                .collect::<Vec<_>>()
        );
        for (&value, &(column, wanted)) in row.values.iter().zip(expected) {
            assert!(
                (f64::from(value) - wanted).abs() < 1e-6,
                "column {column}: {value}, not {wanted}"
            );
        }
    }

    // scikit-learn 1.9: r = TfidfVectorizer(…).fit(DOCUMENTS).transform([QUERY]); r.sort_indices(); r.indices, r.data
    #[test]
    fn rows_are_those_of_scikit_learn() {
        let base = TfidfOptions::default();
        let row = |options: TfidfOptions| fit(&DOCUMENTS, &options).1.transform(QUERY);
        assert_row(
            &row(base.clone()),
            &[
                (2, 0.289_857_933_300_809_7),
                (3, 0.734_153_953_310_283_7),
                (5, 0.289_857_933_300_809_7),
                (6, 0.289_857_933_300_809_7),
                (9, 0.353_479_117_952_342_94),
                (14, 0.289_857_933_300_809_7),
            ],
        );
        let sublinear = TfidfOptions {
            max_features: Some(4),
            min_df: 2,
            sublinear_tf: true,
            ..base.clone()
        };
        let expected = [
            (0, 0.441_113_302_375_889_4),
            (1, 0.781_561_327_685_853_6),
            (3, 0.441_113_302_375_889_4),
        ];
        assert_row(&row(sublinear), &expected);
        assert_row(
            &row(TfidfOptions {
                ngrams: (2, 3),
                min_df: 2,
                ..base
            }),
            &[(1, 1.0)],
        );
    }

    // TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit(["bois bas", "a bois", "été b"])
    //     .transform(["bas bois\u00a0a bo"])
    #[test]
    fn character_rows_are_those_of_scikit_learn() {
        let options = TfidfOptions {
            analyzer: Analyzer::CharWb,
            ngrams: (3, 4),
            ..TfidfOptions::default()
        };
        let (_, vectorizer) = fit(&["bois bas", "a bois", "été b"], &options);
        let (common, rare) = (0.221_547_916_966_269_27, 0.291_308_886_716_223_1);
        let expected = [
            (0, rare),
            (2, rare),
            (3, rare),
            (4, 2.0 * common),
            (5, common),
            (8, rare),
            (9, rare),
            (10, rare),
            (11, common),
            (12, common),
            (13, common),
            (14, common),
            (15, common),
        ];
        assert_row(&vectorizer.transform("bas bois\u{a0}a bo"), &expected);
    }

    // keras_preprocessing 1.1.2: t = Tokenizer(num_words=8); t.fit_on_texts(DOCUMENTS); t.texts_to_matrix([QUERY], mode="tfidf"),
    // by word: chaise 1.9229, table 1.0986, en 1.0986, bois 1.0986, de 1.0986
    #[test]
    fn rows_are_those_of_keras() {
        let options = TfidfOptions {
            variant: TfidfVariant::Keras,
            max_features: Some(6),
            ..TfidfOptions::default()
        };
        let (vocabulary, vectorizer) = fit(&DOCUMENTS, &options);
        let names: Vec<_> = vocabulary
            .terms
            .iter()
            .map(|term| term.term.as_str())
            .collect();
        assert_eq!(names, ["chaise", "jardin", "table", "bois", "de", "en"]);
        let rare = 1.098_612_288_668_109_8;
        let expected = [
            (0, 1.922_938_989_903_798),
            (2, rare),
            (3, rare),
            (4, rare),
            (5, rare),
        ];
        assert_row(&vectorizer.transform(QUERY), &expected);
    }

    #[test]
    fn a_text_without_known_terms_is_an_empty_row() {
        let (_, vectorizer) = fit(&DOCUMENTS, &TfidfOptions::default());
        assert_eq!(
            vectorizer.transform("rien de rien"),
            vectorizer.transform("de")
        );
        assert_eq!(vectorizer.transform("inconnu"), SparseRow::default());
        assert_eq!(vectorizer.width(), 19);
    }

    #[test]
    fn options_out_of_range_are_errors_that_name_them() {
        let good = TfidfOptions::default();
        for (name, options) in [
            (
                "ngrams",
                TfidfOptions {
                    ngrams: (0, 1),
                    ..good.clone()
                },
            ),
            (
                "ngrams",
                TfidfOptions {
                    ngrams: (2, 1),
                    ..good.clone()
                },
            ),
            (
                "ngrams",
                TfidfOptions {
                    ngrams: (1, LONGEST_NGRAM + 1),
                    ..good.clone()
                },
            ),
            (
                "max_df",
                TfidfOptions {
                    max_df: 0.0,
                    ..good.clone()
                },
            ),
            (
                "max_df",
                TfidfOptions {
                    max_df: 1.5,
                    ..good.clone()
                },
            ),
            (
                "max_df",
                TfidfOptions {
                    max_df: f64::NAN,
                    ..good.clone()
                },
            ),
            (
                "max_features",
                TfidfOptions {
                    max_features: Some(0),
                    ..good
                },
            ),
        ] {
            let error = VocabularyCounter::new(&options).unwrap_err();
            assert!(
                matches!(error, TextError::OptionOutOfRange { option, .. } if option == name),
                "{error}"
            );
        }
    }

    #[test]
    fn options_are_checked() {
        let (vocabulary, _) = fit(&DOCUMENTS, &TfidfOptions::default());
        let options = TfidfOptions {
            ngrams: (0, 0),
            ..TfidfOptions::default()
        };
        assert!(TfidfVectorizer::new(&vocabulary, &options).is_err());
    }

    proptest! {
        #[test]
        fn any_text_has_a_row_of_length_one(text in prop_oneof![any::<String>(), "((table|de|bois|x) ){0,9}"]) {
            for (analyzer, ngrams) in [(Analyzer::Word, (1, 2)), (Analyzer::CharWb, (1, 3))] {
                let options = TfidfOptions { ngrams, analyzer, ..TfidfOptions::default() };
                let (_, vectorizer) = fit(&DOCUMENTS, &options);
                let row = vectorizer.transform(&text);
                prop_assert_eq!(row.indices.len(), row.values.len());
                prop_assert!(row.indices.is_sorted_by(|a, b| a < b));
                prop_assert!(row.indices.iter().all(|&column| (column as usize) < vectorizer.width()));
                let length: f64 = row.values.iter().map(|&value| f64::from(value).powi(2)).sum();
                prop_assert!(row.indices.is_empty() || (length - 1.0).abs() < 1e-5);
            }
        }

        #[test]
        fn a_fitted_text_has_every_term_it_was_counted_with(text in any::<String>()) {
            let options = TfidfOptions { analyzer: Analyzer::CharWb, ngrams: (1, 2), ..TfidfOptions::default() };
            prop_assume!(!text.trim().is_empty());
            let mut counter = VocabularyCounter::new(&options).unwrap();
            counter.add(&text);
            if let Ok(vocabulary) = counter.finish() {
                let row = TfidfVectorizer::new(&vocabulary, &options).unwrap().transform(&text);
                prop_assert_eq!(row.indices.len(), vocabulary.terms.len());
            }
        }
    }
}
