//! Texts as sequences of word numbers, for networks with an embedding.
//!
//! Invariant: number 0 is padding, 1 stands for every word that the vocabulary lacks, and words count from 2 by descending
//! frequency, so a smaller vocabulary is the beginning of a larger one.

use super::terms::for_each_term;
use super::{TextError, TfidfOptions, TfidfVariant, Vocabulary};
use std::collections::HashMap;

/// The number of no word: what a short sequence is filled up with.
pub const PADDING: u32 = 0;
/// The number of every word that the vocabulary lacks.
pub const UNKNOWN: u32 = 1;
/// Numbers that no word has.
const RESERVED: u32 = 2;
/// The most numbers: of an embedding of width 100 they take 4 GB. No language has as many words.
const MOST_NUMBERS: usize = 10_000_000;

/// How texts become sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceOptions {
    /// Numbers in all, [`PADDING`] and [`UNKNOWN`] included; at most 10 million.
    pub vocabulary: usize,
    /// Words kept of each text, from its start.
    pub length: usize,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self {
            vocabulary: 50_000,
            length: 500,
        }
    }
}

impl SequenceOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// [`TextError::OptionOutOfRange`], for the first of [`SequenceOptions::problems`].
    pub fn validate(&self) -> Result<(), TextError> {
        let first = self.problems().into_iter().next();
        first.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Returns all that is wrong with the options, each with the name of the field.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, TextError)> {
        let has_room = (RESERVED as usize + 1..=MOST_NUMBERS).contains(&self.vocabulary);
        let checks = [
            (
                has_room,
                "vocabulary",
                "between 3 and 10 million",
                self.vocabulary,
            ),
            (self.length > 0, "length", "at least 1", self.length),
        ];
        let faults = checks.into_iter().filter(|(holds, ..)| !holds);
        let problem = |(_, option, expected, found): (bool, &'static str, &'static str, usize)| {
            let error = TextError::OptionOutOfRange {
                option,
                expected,
                found: found.to_string(),
            };
            (option, error)
        };
        faults.map(problem).collect()
    }

    /// How the words are counted: as Keras' `Tokenizer` does, all of them.
    #[must_use]
    pub fn terms(&self) -> TfidfOptions {
        TfidfOptions {
            variant: TfidfVariant::Keras,
            max_features: Some(self.vocabulary.saturating_sub(RESERVED as usize)),
            ..TfidfOptions::default()
        }
    }
}

/// Turns texts into sequences of word numbers.
///
/// # Source
///
/// Keras' `Tokenizer(num_words, oov_token)` with `texts_to_sequences`, its numbers shifted so that padding and unknown words
/// come first.
#[derive(Debug, Clone)]
pub struct SequenceEncoder {
    numbers: HashMap<Box<str>, u32>,
    options: SequenceOptions,
}

impl SequenceEncoder {
    /// Makes an encoder of a vocabulary that was counted with [`SequenceOptions::terms`].
    ///
    /// # Errors
    ///
    /// As [`SequenceOptions::validate`].
    pub fn new(vocabulary: &Vocabulary, options: &SequenceOptions) -> Result<Self, TextError> {
        options.validate()?;
        let room = options.vocabulary - RESERVED as usize;
        let terms = vocabulary.terms.iter().take(room);
        let numbers = terms
            .zip(RESERVED..)
            .map(|(term, number)| (term.term.as_str().into(), number));
        Ok(Self {
            numbers: numbers.collect(),
            options: *options,
        })
    }

    /// Returns the numbers of a text's first words, without padding.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut sequence = Vec::new();
        for_each_term(text, &self.options.terms(), &mut |word| {
            if sequence.len() < self.options.length {
                sequence.push(self.numbers.get(word).copied().unwrap_or(UNKNOWN));
            }
        });
        sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::VocabularyCounter;

    fn encoder(texts: &[&str], options: SequenceOptions) -> SequenceEncoder {
        let mut counter = VocabularyCounter::new(&options.terms()).unwrap();
        for text in texts {
            counter.add(text);
        }
        SequenceEncoder::new(&counter.finish().unwrap(), &options).unwrap()
    }

    #[test]
    fn words_count_from_two_by_frequency() {
        let encoder = encoder(
            &["table table lampe", "table lampe vis"],
            SequenceOptions::default(),
        );
        assert_eq!(encoder.encode("lampe table vis bois"), [3, 2, 4, UNKNOWN]);
        assert!(encoder.encode("").is_empty());
    }

    #[test]
    fn room_and_length_are_limited() {
        let options = SequenceOptions {
            vocabulary: 3,
            length: 2,
        };
        let encoder = encoder(&["table table lampe"], options);
        assert_eq!(encoder.encode("table lampe table"), [2, UNKNOWN]);
    }

    #[test]
    fn there_must_be_room_for_a_word_and_not_for_too_many() {
        for (vocabulary, length, expected) in [
            (3, 1, vec![]),
            (MOST_NUMBERS, 500, vec![]),
            (2, 5, vec!["vocabulary"]),
            (MOST_NUMBERS + 1, 5, vec!["vocabulary"]),
            (0, 0, vec!["vocabulary", "length"]),
        ] {
            let options = SequenceOptions { vocabulary, length };
            let problems = options.problems();
            let names: Vec<_> = problems.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, expected, "{options:?}");
            assert_eq!(options.validate().is_err(), !names.is_empty());
        }
    }
}
