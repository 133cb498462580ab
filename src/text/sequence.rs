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

/// How texts become sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceOptions {
    /// Numbers in all, [`PADDING`] and [`UNKNOWN`] included.
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
    /// [`TextError::SequenceOptions`] where there is no room for a word.
    pub fn validate(&self) -> Result<(), TextError> {
        let has_room = self.vocabulary > RESERVED as usize && self.length > 0;
        let fits = u32::try_from(self.vocabulary).is_ok();
        if has_room && fits {
            Ok(())
        } else {
            Err(TextError::SequenceOptions)
        }
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
    fn there_must_be_room_for_a_word() {
        assert!(
            SequenceOptions {
                vocabulary: 2,
                length: 5
            }
            .validate()
            .is_err()
        );
        assert!(
            SequenceOptions {
                vocabulary: 9,
                length: 0
            }
            .validate()
            .is_err()
        );
    }
}
