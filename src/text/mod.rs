//! Text kernels: language, join keys, HTML, cleaning, vocabulary and TF-IDF.
//!
//! Invariant: pure functions of a `&str` and an options struct. No file, configuration or clock, and no result that depends on
//! the order of a hash map or the number of threads, so callers may spread rows over Rayon as they like.

mod blocks;
mod clean;
mod counter;
mod error;
mod html;
mod interner;
mod language;
mod lexicon;
mod normalize;
mod sequence;
mod terms;
mod tfidf;
mod vocabulary;
mod words;

pub use blocks::{BlockOptions, BlockVectorizer};
pub use clean::{CleanOptions, CleanedFields, FieldStats, TextCleaner, field_stats};
pub use counter::VocabularyCounter;
pub use error::TextError;
pub use html::{decode_entities, html_text, strip_tags};
pub use language::{
    Detection, DetectorKind, LanguageDetector, LanguageOptions, UNDETERMINED, ensure_language_code,
    iso_639_1, iso_639_3,
};
pub use lexicon::{Stem, StopWords, WordLanguage};
pub use normalize::normalize_key;
pub use sequence::{PADDING, SequenceEncoder, SequenceOptions, UNKNOWN};
pub use terms::Analyzer;
pub use tfidf::{LONGEST_NGRAM, SparseRow, TfidfOptions, TfidfVariant, TfidfVectorizer};
pub use vocabulary::{Term, Vocabulary};
