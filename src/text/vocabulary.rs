//! The terms of a collection of texts, counted, pruned and given their columns.
//!
//! Invariant: a [`Vocabulary`] depends on the set of texts and the options, never on the order in which the texts came or counters
//! were merged. Ties are broken by the term for that reason, where the Python libraries go by sort implementation (scikit-learn)
//! or order of appearance (Keras).

use super::{TextError, TfidfOptions, TfidfVariant};
use std::cmp::Ordering;

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

/// A term that may get a column. Small and borrowed: there are many more of them than columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) term: &'a str,
    pub(super) document_frequency: u64,
    pub(super) total_count: u64,
}

impl Candidate<'_> {
    /// The most frequent first, and of equal ones the first by name.
    fn by_count(&self, other: &Self) -> Ordering {
        other
            .total_count
            .cmp(&self.total_count)
            .then_with(|| self.term.cmp(other.term))
    }
}

/// Prunes the terms of some documents, gives them their columns and weighs them.
pub(super) fn choose<'a>(
    candidates: impl Iterator<Item = Candidate<'a>>,
    documents: u64,
    options: &TfidfOptions,
) -> Result<Vocabulary, TextError> {
    let most = options.max_df * as_f64(documents);
    if documents > 0 && most < as_f64(options.min_df) {
        return Err(TextError::ContradictoryDocumentFrequencies {
            max_df: options.max_df,
            min_df: options.min_df,
            documents,
        });
    }
    let mut distinct_terms = 0;
    let candidates = candidates
        .inspect(|_| distinct_terms += 1)
        .filter(|candidate| {
            let frequency = candidate.document_frequency;
            frequency >= options.min_df && as_f64(frequency) <= most
        });
    let mut kept = first_by_count(candidates, options.max_features.unwrap_or(usize::MAX));
    if kept.is_empty() {
        return Err(TextError::EmptyVocabulary {
            documents,
            distinct_terms,
        });
    }
    if u32::try_from(kept.len()).is_err() {
        return Err(TextError::TooManyTerms { terms: kept.len() });
    }
    match options.variant {
        TfidfVariant::Sklearn => kept.sort_unstable_by_key(|candidate| candidate.term),
        TfidfVariant::Keras => kept.sort_unstable_by(Candidate::by_count),
    }
    let weighted = |candidate: Candidate<'_>| Term {
        term: candidate.term.to_owned(),
        document_frequency: candidate.document_frequency,
        total_count: candidate.total_count,
        idf: idf(options.variant, documents, candidate.document_frequency),
    };
    Ok(Vocabulary {
        documents,
        terms: kept.into_iter().map(weighted).collect(),
    })
}

/// The first of some candidates by count, in any order; holds few more at any time.
fn first_by_count<'a>(
    candidates: impl Iterator<Item = Candidate<'a>>,
    room: usize,
) -> Vec<Candidate<'a>> {
    let mut first = Vec::new();
    let cut = |first: &mut Vec<Candidate<'a>>| {
        if first.len() > room {
            first.select_nth_unstable_by(room, Candidate::by_count);
            first.truncate(room);
        }
    };
    for candidate in candidates {
        first.push(candidate);
        if first.len() >= room.saturating_mul(2).max(4096) {
            cut(&mut first);
        }
    }
    cut(&mut first);
    first
}

fn idf(variant: TfidfVariant, documents: u64, document_frequency: u64) -> f64 {
    let (n, df) = (as_f64(documents), as_f64(document_frequency));
    match variant {
        TfidfVariant::Sklearn => ((1.0 + n) / (1.0 + df)).ln() + 1.0,
        TfidfVariant::Keras => (1.0 + n / (1.0 + df)).ln(),
    }
}

fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Analyzer, VocabularyCounter};

    const DOCUMENTS: [&str; 6] = [
        "Table basse en bois, table ronde et chaise",
        "Chaise de jardin en bois massif",
        "lampe LED : l'été au jardin, n° 5 d_x",
        "table de jardin",
        "",
        "Ötzi à la ΣΑΣ नमस्ते chaise chaise chaise",
    ];

    fn fit(documents: &[&str], options: &TfidfOptions) -> Result<Vocabulary, TextError> {
        let mut counter = VocabularyCounter::new(options)?;
        for document in documents {
            counter.add(document);
        }
        counter.finish()
    }

    fn names(vocabulary: &Vocabulary) -> Vec<&str> {
        vocabulary
            .terms
            .iter()
            .map(|term| term.term.as_str())
            .collect()
    }

    /// Documents and total count of a term.
    fn counts(vocabulary: &Vocabulary, name: &str) -> (u64, u64) {
        let term = vocabulary
            .terms
            .iter()
            .find(|term| term.term == name)
            .unwrap();
        (term.document_frequency, term.total_count)
    }

    // scikit-learn 1.9: v = TfidfVectorizer(); v.fit(DOCUMENTS); v.get_feature_names_out(), v.idf_
    #[test]
    fn words_and_idf_are_those_of_scikit_learn() {
        let vocabulary = fit(&DOCUMENTS, &TfidfOptions::default()).unwrap();
        #[rustfmt::skip]
        assert_eq!(names(&vocabulary), [
            "au", "basse", "bois", "chaise", "d_x", "de", "en", "et", "jardin", "la", "lampe", "led", "massif", "ronde", "table",
            "été", "ötzi", "σας", "नमस",
        ]);
        assert_eq!(vocabulary.documents, 6);
        assert_eq!(counts(&vocabulary, "chaise"), (3, 5));
        assert_eq!(counts(&vocabulary, "table"), (2, 3));
        for (name, idf) in [
            ("au", 2.252_762_968_495),
            ("bois", 1.847_297_860_387),
            ("chaise", 1.559_615_787_935),
        ] {
            let term = vocabulary
                .terms
                .iter()
                .find(|term| term.term == name)
                .unwrap();
            assert!((term.idf - idf).abs() < 1e-12, "{name}: {}", term.idf);
        }
    }

    // TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_df=0.5), (2, 3) with min_df=2, and max_features=4 with min_df=2
    #[test]
    fn runs_and_pruning_are_those_of_scikit_learn() {
        let base = TfidfOptions {
            min_df: 2,
            ..TfidfOptions::default()
        };
        let fit = |options| fit(&DOCUMENTS, &options).unwrap();
        let mixed = fit(TfidfOptions {
            ngrams: (1, 2),
            max_df: 0.5,
            ..base.clone()
        });
        assert_eq!(
            names(&mixed),
            [
                "bois",
                "chaise",
                "de",
                "de jardin",
                "en",
                "en bois",
                "jardin",
                "table"
            ]
        );
        let rarer = fit(TfidfOptions {
            ngrams: (1, 2),
            max_df: 0.4,
            ..base.clone()
        });
        assert_eq!(
            names(&rarer),
            ["bois", "de", "de jardin", "en", "en bois", "table"]
        );
        assert_eq!(
            names(&fit(TfidfOptions {
                ngrams: (2, 3),
                ..base.clone()
            })),
            ["de jardin", "en bois"]
        );
        let few = fit(TfidfOptions {
            max_features: Some(4),
            ..base
        });
        assert_eq!(names(&few), ["bois", "chaise", "jardin", "table"]);
    }

    // TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)) and (2, 5) with max_features=2
    #[test]
    fn character_runs_are_those_of_scikit_learn() {
        let documents = ["bois bas", "a bois", "été b"];
        let base = TfidfOptions {
            analyzer: Analyzer::CharWb,
            ngrams: (3, 4),
            ..TfidfOptions::default()
        };
        #[rustfmt::skip]
        assert_eq!(names(&fit(&documents, &base).unwrap()), [
            " a ", " b ", " ba", " bas", " bo", " boi", " ét", " été", "as ", "bas", "bas ", "boi", "bois", "is ", "ois", "ois ",
            "té ", "été", "été ",
        ]);
        let few = TfidfOptions {
            ngrams: (2, 5),
            max_features: Some(2),
            ..base
        };
        let few = fit(&documents, &few).unwrap();
        assert_eq!(names(&few), [" b", "s "]);
        assert_eq!(counts(&few, " b"), (3, 4));
        assert!((few.terms[0].idf - 1.0).abs() < 1e-12);
    }

    #[test]
    fn of_equal_counts_the_first_by_name_are_kept() {
        let options = TfidfOptions {
            max_features: Some(3),
            ..TfidfOptions::default()
        };
        let vocabulary = fit(&["deux un", "trois deux", "cinq quatre six"], &options).unwrap();
        assert_eq!(names(&vocabulary), ["cinq", "deux", "quatre"]);
    }

    // keras_preprocessing 1.1.2: t = Tokenizer(); t.fit_on_texts(DOCUMENTS); t.word_counts, t.word_docs. Words of equal count stand
    // in order of appearance there: table before jardin, en before bois before de.
    #[test]
    fn keras_orders_by_count_and_keeps_short_words() {
        let options = TfidfOptions {
            variant: TfidfVariant::Keras,
            ..TfidfOptions::default()
        };
        let vocabulary = fit(&DOCUMENTS, &options).unwrap();
        assert_eq!(
            names(&vocabulary)[..6],
            ["chaise", "jardin", "table", "bois", "de", "en"]
        );
        for name in ["l'été", "n°", "5", "d", "x", "à", "नमस्ते"] {
            assert_eq!(counts(&vocabulary, name), (1, 1), "{name}");
        }
        assert!((vocabulary.terms[1].idf - 2.5_f64.ln()).abs() < 1e-12);
        let few = TfidfOptions {
            max_features: Some(2),
            ..options
        };
        assert_eq!(names(&fit(&DOCUMENTS, &few).unwrap()), ["chaise", "jardin"]);
    }

    #[test]
    fn nothing_left_is_an_error() {
        let options = TfidfOptions::default();
        assert_eq!(
            fit(&[], &options),
            Err(TextError::EmptyVocabulary {
                documents: 0,
                distinct_terms: 0
            })
        );
        assert_eq!(
            fit(&["", "a !"], &options),
            Err(TextError::EmptyVocabulary {
                documents: 2,
                distinct_terms: 0
            })
        );
        let rare = TfidfOptions {
            min_df: 2,
            ..options
        };
        assert_eq!(
            fit(&["un", "deux"], &rare),
            Err(TextError::EmptyVocabulary {
                documents: 2,
                distinct_terms: 2
            })
        );
        let contradictory = TfidfOptions {
            max_df: 0.5,
            ..rare
        };
        assert!(matches!(
            fit(&["un", "un"], &contradictory),
            Err(TextError::ContradictoryDocumentFrequencies { documents: 2, .. })
        ));
    }
}
