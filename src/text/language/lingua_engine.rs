//! Languages by lingua: n-grams of one to five letters.
//!
//! Invariant: a probability over the allowed languages. lingua adds logarithms up in the order of a hash set, so the last bits of
//! its figures change from call to call; three decimals of them do not.

use lingua::{Language, LanguageDetectorBuilder};
use std::sync::Arc;

/// The languages whose models are built in: those of the features of `lingua` in `Cargo.toml`.
const LANGUAGES: [(Language, &str); 7] = [
    (Language::French, "fr"),
    (Language::English, "en"),
    (Language::German, "de"),
    (Language::Spanish, "es"),
    (Language::Italian, "it"),
    (Language::Dutch, "nl"),
    (Language::Portuguese, "pt"),
];

/// Steps between 0 and 1 that probabilities are rounded to.
const STEPS: f64 = 1000.0;

/// lingua with an allow-list and a prior.
///
/// # Source
///
/// Crate `lingua`, high-accuracy mode. Below 120 letters it divides the summed logarithms by the number of distinct letters, so its
/// probabilities are flatter than a likelihood: a prior weighs more here than in a naive Bayes classifier.
#[derive(Clone)]
pub(super) struct LinguaEngine {
    detector: Arc<lingua::LanguageDetector>,
    /// The allowed languages, each with its code and weight before the text is read.
    allowed: Vec<(Language, &'static str, f64)>,
}

impl LinguaEngine {
    /// Makes one that chooses among some languages, or among all where there are none; `weight` is that of a code before the text is
    /// read. Codes that lingua does not know are left out.
    pub(super) fn new(codes: &[String], weight: impl Fn(&str) -> f64) -> Self {
        let allowed: Vec<_> = LANGUAGES
            .into_iter()
            .filter(|(_, code)| codes.is_empty() || codes.iter().any(|allowed| allowed == code))
            .map(|(language, code)| (language, code, weight(code)))
            .collect();
        let languages: Vec<_> = allowed.iter().map(|(language, ..)| *language).collect();
        let detector = LanguageDetectorBuilder::from_languages(&languages).build();
        Self {
            detector: Arc::new(detector),
            allowed,
        }
    }

    /// The codes that may be allowed.
    pub(super) fn codes() -> impl Iterator<Item = &'static str> {
        LANGUAGES.into_iter().map(|(_, code)| code)
    }

    /// The most probable language with its probability; none for a text without letters or in a script that no allowed language
    /// uses. Of two equally probable ones, the first of the table.
    pub(super) fn best(&self, text: &str) -> Option<(&'static str, f64)> {
        let likelihoods = self.detector.compute_language_confidence_values(text);
        let mut total = 0.0;
        let mut best: Option<(&'static str, f64)> = None;
        for &(language, code, weight) in &self.allowed {
            let likelihood = likelihoods
                .iter()
                .find(|(known, _)| *known == language)
                .map_or(0.0, |(_, likelihood)| *likelihood);
            let posterior = weight * likelihood;
            total += posterior;
            if posterior > best.map_or(0.0, |(_, best)| best) {
                best = Some((code, posterior));
            }
        }
        best.map(|(code, posterior)| (code, (posterior / total * STEPS).round() / STEPS))
    }
}

impl std::fmt::Debug for LinguaEngine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LinguaEngine")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}
