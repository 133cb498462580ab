//! Counts the terms of texts, on as many threads as there are.
//!
//! Invariant: the counts depend on the set of texts and the options, never on who counted which of them.
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
use super::vocabulary::{Candidate, choose};
use super::{TextError, TfidfOptions, Vocabulary};
use rayon::prelude::*;

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
        let candidates = self.shards.iter().flat_map(|shard| {
            let counts = shard.terms.terms().zip(&shard.counts);
            counts.map(|(term, count)| Candidate {
                term,
                document_frequency: u64::from(count.documents),
                total_count: count.total,
            })
        });
        choose(candidates, self.documents, &self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Analyzer, TfidfVariant};
    use proptest::prelude::*;

    fn fit(documents: &[&str], options: &TfidfOptions) -> Result<Vocabulary, TextError> {
        let mut counter = VocabularyCounter::new(options)?;
        for document in documents {
            counter.add(document);
        }
        assert_eq!(counter.documents(), documents.len() as u64);
        counter.finish()
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
