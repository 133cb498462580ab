//! What can go wrong in the text kernels: options that make no sense, and a vocabulary with nothing in it.
//!
//! No text is ever an error: every kernel takes any Unicode string.

/// An error of a text kernel.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TextError {
    /// A code of [`LanguageOptions`](super::LanguageOptions) that the detector does not know.
    #[error("{detector} knows no language `{code}`; {hint}")]
    UnknownLanguageCode {
        /// Name of the detector.
        detector: &'static str,
        /// The code as given.
        code: String,
        /// What was probably meant, or what is known.
        hint: String,
    },
    /// A code of no language that a detector finds.
    #[error("`{code}` is not the ISO 639-1 code of a language that can be detected; {hint}")]
    NoLanguageCode {
        /// The code as given.
        code: String,
        /// What was probably meant, or what is known.
        hint: String,
    },
    /// A detector that this program was built without.
    #[error(
        "this program was built without `{detector}`: build it with the cargo feature `{detector}`, or set `detector: whatlang`"
    )]
    DetectorNotBuilt {
        /// Name of the detector and of the feature.
        detector: &'static str,
    },
    /// A prior for a detector that gives no probabilities.
    #[error(
        "{detector} gives no probabilities that a `prior` could weigh: leave it out, or set `detector: lingua`"
    )]
    PriorWithoutProbabilities {
        /// Name of the detector.
        detector: &'static str,
    },
    /// A prior for a language that is not allowed.
    #[error("`prior` names `{code}`, which `allow` does not hold")]
    PriorNotAllowed {
        /// The code as given.
        code: String,
    },
    /// A name that is no [`WordLanguage`](super::WordLanguage).
    #[error("unknown language `{name}` (expected one of {expected})")]
    UnknownWordLanguage {
        /// The name as given.
        name: String,
        /// The names there are, comma-separated.
        expected: String,
    },
    /// An option outside its range.
    #[error("`{option}` must be {expected}, not {found}")]
    OptionOutOfRange {
        /// The name of the option.
        option: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// `max_df` allows fewer documents than `min_df` asks for.
    #[error("`max_df` {max_df} of {documents} documents is less than `min_df` {min_df}")]
    ContradictoryDocumentFrequencies {
        /// Share of the documents a term may occur in.
        max_df: f64,
        /// Documents a term must occur in.
        min_df: u64,
        /// Documents counted.
        documents: u64,
    },
    /// No term is left: no documents, only empty ones, or every term pruned.
    #[error(
        "empty vocabulary: none of {distinct_terms} distinct terms of {documents} documents is kept"
    )]
    EmptyVocabulary {
        /// Documents counted.
        documents: u64,
        /// Distinct terms before pruning.
        distinct_terms: usize,
    },
    /// More terms than a 32-bit column index can name.
    #[error("{terms} terms are more than {} columns", u32::MAX)]
    TooManyTerms {
        /// Terms kept.
        terms: usize,
    },
    /// A vocabulary has a term twice, so that columns have no one term each.
    #[error("the vocabulary holds {term:?} twice")]
    RepeatedTerm {
        /// The term.
        term: String,
    },
    /// A vectorizer without blocks would make rows without columns.
    #[error("there must be at least one block")]
    NoBlocks,
}
