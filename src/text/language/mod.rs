//! Language of a text, as an ISO 639-1 code with a confidence.
//!
//! Invariant: the code is `und` or one of the allowed languages, whatever the script of the text and whichever library judges it;
//! the same text always gets the same answer.

mod codes;
mod detector;
#[cfg(feature = "lingua")]
mod lingua_engine;
mod options;
mod whatlang_engine;

pub use codes::{ensure_language_code, iso_639_1, iso_639_3};
pub use detector::{Detection, LanguageDetector, UNDETERMINED};
pub use options::{DetectorKind, LanguageOptions};
