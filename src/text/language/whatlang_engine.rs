//! Languages by whatlang: alphabets and rank-ordered trigrams.
//!
//! Invariant: answers only with an allowed language, also for a script of one language, where whatlang asks no allow-list.

use super::codes::{lang_of, two_letters};
use whatlang::{Detector, Lang};

/// whatlang with an allow-list.
///
/// # Source
///
/// Crate `whatlang`. Its confidence measures the lead over the second-best language, not a probability.
#[derive(Debug, Clone)]
pub(super) struct WhatlangEngine {
    detector: Detector,
    allowed: Vec<Lang>,
}

impl WhatlangEngine {
    /// Makes one that chooses among some languages, or among all where there are none; codes that whatlang does not know are
    /// left out.
    pub(super) fn new(codes: &[String]) -> Self {
        let allowed: Vec<Lang> = codes.iter().filter_map(|code| lang_of(code)).collect();
        let detector = if allowed.is_empty() {
            Detector::new()
        } else {
            Detector::with_allowlist(allowed.clone())
        };
        Self { detector, allowed }
    }

    /// The best language with its confidence in `[0, 1]`; none for a text without letters or in a script that no allowed language
    /// uses.
    pub(super) fn best(&self, text: &str) -> Option<(&'static str, f64)> {
        self.detector
            .detect(text)
            .filter(|info| self.allows(info.lang()) && !info.confidence().is_nan())
            .map(|info| (two_letters(info.lang()), info.confidence().clamp(0.0, 1.0)))
    }

    fn allows(&self, lang: Lang) -> bool {
        self.allowed.is_empty() || self.allowed.contains(&lang)
    }
}
