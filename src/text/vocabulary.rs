//! The terms of a collection of texts, counted, pruned and given their columns.
//!
//! Invariant: a [`Vocabulary`] depends on the set of texts and the options, never on the order in which the texts came or counters
//! were merged. Ties are broken by the term for that reason, where the Python libraries go by sort implementation (scikit-learn)
//! or order of appearance (Keras).
//!
//! # Memory
//!
//! Of counting the titles of a catalogue, two threads, texts added by [`VocabularyCounter::add_all`]; 88,857 titles (17 MB) are
//! those of 9,873 real products and eight variations of them with other words. Growth of the peak over the texts themselves, with
//! `HashMap<Box<str>, _>` and a counter for each thread before:
//!
//! | titles | terms | before | now |
//! |---|---|---|---|
//! | 9,873 | `char_wb` 2 to 5 | 32 MiB | 6 MiB |
//! | 88,857 | `char_wb` 2 to 5 | 126 MiB | 36 MiB |
//! | 88,857 whole texts | words, 1 and 2 | 230 MiB | 117 MiB |
//!
//! Counting and a transform of all 88,857 titles by 30,000 columns took 31 and 7.6 CPU seconds.

use super::interner::{Interner, hash};
use super::terms::for_each_term;
use super::{TextError, TfidfOptions, TfidfVariant};
use rayon::prelude::*;
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

/// Parts of a counter by hash, so that threads can merge counters side by side and a table grows a little at a time.
const SHARDS: usize = 32;

const TOO_MANY: &str = "fewer than 2^32 texts are counted";

/// Counts the terms of texts.
///
/// Holds each distinct term once, in some 45 bytes beside its text, however many threads count.
#[derive(Debug, Clone)]
pub struct VocabularyCounter {
    options: TfidfOptions,
    documents: u64,
    shards: Vec<Shard>,
    /// Texts added to this counter itself; names the text at hand in [`Count::last_seen`].
    serial: u32,
}

/// The terms whose hashes have the same low bits.
#[derive(Debug, Clone, Default)]
struct Shard {
    terms: Interner,
    /// By number of the term.
    counts: Vec<Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    total: u64,
    documents: u32,
    /// Serial of the text it was last seen in, 0 for none of this counter's own.
    last_seen: u32,
}

impl Shard {
    fn count(&mut self, hash: u64, term: &str) -> &mut Count {
        let number = self.terms.intern(hash, term);
        if number == self.counts.len() {
            self.counts.push(Count::default());
        }
        &mut self.counts[number]
    }

    fn absorb(&mut self, other: &Self) {
        for (term, theirs) in other.terms.terms().zip(&other.counts) {
            let ours = self.count(hash(term), term);
            ours.documents += theirs.documents;
            ours.total += theirs.total;
        }
    }
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
            shards: vec![Shard::default(); SHARDS],
            serial: 0,
        })
    }

    /// Returns the number of texts counted, empty ones included.
    #[must_use]
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Counts the terms of a text.
    ///
    /// # Panics
    ///
    /// Past 2³² - 1 texts.
    pub fn add(&mut self, text: &str) {
        self.documents += 1;
        self.serial = self.serial.checked_add(1).expect(TOO_MANY);
        let (shards, serial) = (&mut self.shards, self.serial);
        for_each_term(text, &self.options, &mut |term| {
            let hash = hash(term);
            let count = shards[hash as usize % SHARDS].count(hash, term);
            count.total += 1;
            count.documents += u32::from(count.last_seen != serial);
            count.last_seen = serial;
        });
    }

    /// Counts the terms of many texts on Rayon's threads; as [`VocabularyCounter::add`] of each.
    ///
    /// # Panics
    ///
    /// As [`VocabularyCounter::add`].
    pub fn add_all(&mut self, texts: &[&str]) {
        let empty = Self {
            options: self.options.clone(),
            documents: 0,
            shards: vec![Shard::default(); SHARDS],
            serial: 0,
        };
        let share = texts.len().div_ceil(rayon::current_num_threads()).max(1);
        let counters: Vec<Self> = texts
            .par_chunks(share)
            .map(|texts| {
                let mut counter = empty.clone();
                for text in texts {
                    counter.add(text);
                }
                counter
            })
            .collect();
        self.absorb(&counters);
    }

    /// Adds the counts of another counter.
    ///
    /// # Panics
    ///
    /// Where the two were made with different options, whose counts mean different things; past 2³² - 1 texts.
    pub fn merge(&mut self, other: Self) {
        assert_eq!(self.options, other.options, "counters of different options");
        if self.documents == 0 {
            *self = other;
        } else {
            self.absorb(&[other]);
        }
    }

    fn absorb(&mut self, others: &[Self]) {
        self.documents += others.iter().map(|other| other.documents).sum::<u64>();
        assert!(u32::try_from(self.documents).is_ok(), "{TOO_MANY}");
        let merge = |(index, shard): (usize, &mut Shard)| {
            for other in others {
                shard.absorb(&other.shards[index]);
            }
        };
        self.shards.par_iter_mut().enumerate().for_each(merge);
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
            shards,
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
        let candidates = |shard| Candidate::list(shard, options.min_df, most);
        let room = options.max_features.unwrap_or(usize::MAX);
        let mut kept = first_by_count(shards.iter().flat_map(candidates), room);
        if kept.is_empty() {
            return Err(TextError::EmptyVocabulary {
                documents,
                distinct_terms: shards.iter().map(|shard| shard.terms.len()).sum(),
            });
        }
        if u32::try_from(kept.len()).is_err() {
            return Err(TextError::TooManyTerms { terms: kept.len() });
        }
        match options.variant {
            TfidfVariant::Sklearn => kept.sort_unstable_by(|a, b| a.term().cmp(b.term())),
            TfidfVariant::Keras => kept.sort_unstable_by(Candidate::by_count),
        }
        let weighted = |candidate: Candidate<'_>| {
            let count = candidate.count();
            let document_frequency = u64::from(count.documents);
            Term {
                term: candidate.term().to_owned(),
                document_frequency,
                total_count: count.total,
                idf: idf(options.variant, documents, document_frequency),
            }
        };
        Ok(Vocabulary {
            documents,
            terms: kept.into_iter().map(weighted).collect(),
        })
    }
}

/// A term that may get a column.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    shard: &'a Shard,
    number: u32,
}

impl<'a> Candidate<'a> {
    /// The terms of a shard that occur in at least `least` documents and at most `most`.
    fn list(shard: &'a Shard, least: u64, most: f64) -> impl Iterator<Item = Self> {
        (0..).zip(&shard.counts).filter_map(move |(number, count)| {
            let documents = u64::from(count.documents);
            let is_kept = documents >= least && as_f64(documents) <= most;
            is_kept.then_some(Self { shard, number })
        })
    }

    fn term(&self) -> &'a str {
        self.shard.terms.term(self.number as usize)
    }

    fn count(&self) -> Count {
        self.shard.counts[self.number as usize]
    }

    /// The most frequent first, and of equal ones the first by name.
    fn by_count(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.count().total, other.count().total);
        theirs
            .cmp(&ours)
            .then_with(|| self.term().cmp(other.term()))
    }
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
    use crate::text::Analyzer;
    use proptest::prelude::*;

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

    #[test]
    #[should_panic(expected = "counters of different options")]
    fn counters_of_different_options_do_not_merge() {
        let keras = TfidfOptions {
            variant: TfidfVariant::Keras,
            ..TfidfOptions::default()
        };
        VocabularyCounter::new(&TfidfOptions::default())
            .unwrap()
            .merge(VocabularyCounter::new(&keras).unwrap());
    }

    fn any_options() -> impl Strategy<Value = TfidfOptions> {
        let variant = prop_oneof![Just(TfidfVariant::Sklearn), Just(TfidfVariant::Keras)];
        let analyzer = prop_oneof![Just(Analyzer::Word), Just(Analyzer::CharWb)];
        (
            variant,
            analyzer,
            1..4_usize,
            0..3_usize,
            proptest::option::of(1..6_usize),
        )
            .prop_map(
                |(variant, analyzer, shortest, more, max_features)| TfidfOptions {
                    variant,
                    analyzer,
                    ngrams: (shortest, shortest + more),
                    max_features,
                    ..TfidfOptions::default()
                },
            )
    }

    /// Few words, so that ties are common, and a merge has terms of both sides.
    fn documents() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(prop_oneof!["([a-c]{1,2} ){0,8}", any::<String>()], 0..8)
    }

    proptest! {
        #[test]
        fn order_and_merges_do_not_matter(
            (texts, shuffled) in documents().prop_flat_map(|texts| (Just(texts.clone()), Just(texts).prop_shuffle())),
            steps in proptest::collection::vec(0..4, 8),
            options in any_options(),
        ) {
            let whole = fit(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &options);
            let empty = || VocabularyCounter::new(&options).unwrap();
            let (mut left, mut right) = (empty(), empty());
            for (text, step) in shuffled.iter().zip(steps) {
                match step {
                    0 => left.add(text),
                    1 => right.add(text),
                    2 => {
                        left.add(text);
                        left.merge(std::mem::replace(&mut right, empty()));
                    }
                    _ => {
                        left.add(text);
                        right.merge(std::mem::replace(&mut left, empty()));
                    }
                }
            }
            left.merge(right);
            prop_assert_eq!(left.finish(), whole.clone());
            let mut at_once = empty();
            let (first, second) = shuffled.split_at(shuffled.len() / 2);
            for texts in [first, second] {
                at_once.add_all(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            }
            prop_assert_eq!(at_once.finish(), whole);
        }
    }
}
