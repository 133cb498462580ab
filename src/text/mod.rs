//! Text kernels: language, join keys, HTML, cleaning, vocabulary and TF-IDF.
//!
//! Invariant: pure functions of a `&str` and an options struct. No file, configuration, clock or thread, and no result that
//! depends on the order of a hash map, so callers may spread rows over Rayon as they like.

mod clean;
mod error;
mod html;
mod language;
mod lexicon;
mod normalize;
mod sequence;
mod terms;
mod tfidf;
mod vocabulary;

pub use clean::{CleanOptions, FieldStats, TextCleaner, field_stats};
pub use error::TextError;
pub use html::{decode_entities, html_text, strip_tags};
pub use language::{
    Detection, DetectorKind, LanguageDetector, LanguageOptions, UNDETERMINED, iso_639_1, iso_639_3,
};
pub use lexicon::{Stem, StopWords, WordLanguage};
pub use normalize::normalize_key;
pub use sequence::{PADDING, SequenceEncoder, SequenceOptions, UNKNOWN};
pub use terms::Analyzer;
pub use tfidf::{SparseRow, TfidfOptions, TfidfVariant, TfidfVectorizer};
pub use vocabulary::{Term, Vocabulary, VocabularyCounter};
