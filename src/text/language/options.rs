//! Options of the detector, and all that can be wrong with them.
//!
//! Invariant: options without a problem make a detector.

use super::codes::{codes, meant};
#[cfg(feature = "lingua")]
use super::lingua_engine::LinguaEngine;
use crate::text::TextError;
use std::collections::BTreeMap;

/// The library that tells languages apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectorKind {
    /// whatlang: fast, 70 languages, weak on a few words.
    Whatlang,
    /// lingua: slower, better on a few words; there only with the cargo feature `lingua`.
    Lingua,
}

impl DetectorKind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Whatlang, Self::Lingua];

    /// Returns the name of the library.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whatlang => "whatlang",
            Self::Lingua => "lingua",
        }
    }

    /// Returns the confidence below which an answer is [`UNDETERMINED`](super::UNDETERMINED) where the options name none.
    #[must_use]
    pub const fn default_min_confidence(self) -> f64 {
        match self {
            Self::Whatlang => 0.2,
            Self::Lingua => 0.3,
        }
    }

    /// Returns the ISO 639-1 codes of the languages that it knows in this program: none where it is not built in.
    #[must_use]
    pub fn codes(self) -> Vec<&'static str> {
        match self {
            Self::Whatlang => codes().collect(),
            #[cfg(feature = "lingua")]
            Self::Lingua => LinguaEngine::codes().collect(),
            #[cfg(not(feature = "lingua"))]
            Self::Lingua => Vec::new(),
        }
    }

    /// The error of a code that it does not know.
    fn unknown(self, code: &str) -> TextError {
        let known = self.codes();
        let hint = match meant(code, &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if Self::Whatlang.codes().contains(&code) => {
                format!("whatlang does; known here: {}", known.join(", "))
            }
            None => format!("known (ISO 639-1): {}", known.join(", ")),
        };
        TextError::UnknownLanguageCode {
            detector: self.as_str(),
            code: code.to_owned(),
            hint,
        }
    }
}

/// What the detector may answer, and from which confidence on.
#[derive(Debug, Clone, PartialEq)]
pub struct LanguageOptions {
    /// The library.
    pub detector: DetectorKind,
    /// ISO 639-1 codes of the languages to choose among; empty for all that the library knows. With one language only, whatlang
    /// gives it to every text of its script, lingua to those with words typical of it.
    pub allow: Vec<String>,
    /// Confidence in `[0, 1]` below which the answer is [`UNDETERMINED`](super::UNDETERMINED); `None` for
    /// [the library's own](DetectorKind::default_min_confidence).
    pub min_confidence: Option<f64>,
    /// How much more often than others a language is met, by ISO 639-1 code: 1 for those not named. lingua only, whose
    /// probabilities it multiplies (Bayes' rule).
    pub prior: BTreeMap<String, f64>,
}

impl Default for LanguageOptions {
    fn default() -> Self {
        Self {
            detector: DetectorKind::Lingua,
            allow: ["fr", "en", "de", "es", "it", "nl", "pt"]
                .map(str::to_owned)
                .to_vec(),
            min_confidence: None,
            prior: BTreeMap::new(),
        }
    }
}

impl LanguageOptions {
    /// Returns all that is wrong with the options, each with the name of the field.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, TextError)> {
        let known = self.detector.codes();
        if known.is_empty() {
            let error = TextError::DetectorNotBuilt {
                detector: self.detector.as_str(),
            };
            return vec![("detector", error)];
        }
        let mut problems = Vec::new();
        let is_known = |code: &str| known.contains(&code);
        for code in self.allow.iter().filter(|code| !is_known(code)) {
            problems.push(("allow", self.detector.unknown(code)));
        }
        let min_confidence = self.min_confidence.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&min_confidence) {
            let error = out_of_range("min_confidence", "between 0 and 1", min_confidence);
            problems.push(("min_confidence", error));
        }
        // A code may lack in `allow` because it is misspelt there, which was said.
        let allow_is_known = self.allow.iter().all(|code| is_known(code));
        for (code, &weight) in &self.prior {
            let problem = self.prior_problem(code, weight);
            let is_said = |error: &TextError| {
                !allow_is_known && matches!(error, TextError::PriorNotAllowed { .. })
            };
            let problem = problem.filter(|error| !is_said(error));
            problems.extend(problem.map(|error| ("prior", error)));
        }
        problems
    }

    fn prior_problem(&self, code: &str, weight: f64) -> Option<TextError> {
        if self.detector == DetectorKind::Whatlang {
            return Some(TextError::PriorWithoutProbabilities {
                detector: self.detector.as_str(),
            });
        }
        if !self.detector.codes().contains(&code) {
            return Some(self.detector.unknown(code));
        }
        if !self.allow.is_empty() && !self.allow.iter().any(|allowed| allowed == code) {
            return Some(TextError::PriorNotAllowed {
                code: code.to_owned(),
            });
        }
        let is_weight = weight > 0.0 && weight <= MAX_WEIGHT;
        (!is_weight).then(|| out_of_range("prior", "more than 0 and at most 1000", weight))
    }
}

/// A prior above this is an allow-list of one.
const MAX_WEIGHT: f64 = 1000.0;

fn out_of_range(option: &'static str, expected: &'static str, found: f64) -> TextError {
    TextError::OptionOutOfRange {
        option,
        expected,
        found: found.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::LanguageDetector;

    fn options(detector: DetectorKind, allow: &[&str]) -> LanguageOptions {
        LanguageOptions {
            detector,
            allow: allow.iter().map(|&code| code.to_owned()).collect(),
            ..LanguageOptions::default()
        }
    }

    fn built_in() -> impl Iterator<Item = DetectorKind> {
        DetectorKind::ALL
            .into_iter()
            .filter(|kind| !kind.codes().is_empty())
    }

    #[test]
    fn wrong_codes_are_errors_that_say_what_was_meant() {
        for kind in built_in() {
            for (code, said) in [
                ("fra", "did you mean `fr`?"),
                ("FR", "did you mean `fr`?"),
                ("german", "did you mean `de`?"),
                ("xx", "known (ISO 639-1): fr, en"),
                ("", "known (ISO 639-1): fr, en"),
            ] {
                let error = LanguageDetector::new(&options(kind, &["fr", code])).unwrap_err();
                let text = error.to_string();
                let start = format!("{} knows no language `{code}`; ", kind.as_str());
                assert!(text.starts_with(&start) && text.contains(said), "{text}");
            }
        }
    }

    #[test]
    fn every_wrong_option_is_found() {
        for kind in built_in() {
            for min_confidence in [-0.1, 1.1, f64::NAN] {
                let wrong = LanguageOptions {
                    min_confidence: Some(min_confidence),
                    ..options(kind, &["fr", "yy", "zz"])
                };
                let fields: Vec<_> = wrong.problems().iter().map(|(field, _)| *field).collect();
                assert_eq!(fields, ["allow", "allow", "min_confidence"]);
                assert!(LanguageDetector::new(&wrong).is_err());
            }
        }
        let prior = BTreeMap::from([("fr".to_owned(), 2.0)]);
        let wrong = LanguageOptions {
            prior,
            ..options(DetectorKind::Whatlang, &["fr", "en"])
        };
        let [("prior", error)] = &wrong.problems()[..] else {
            panic!("{:?}", wrong.problems());
        };
        assert!(error.to_string().contains("whatlang"), "{error}");
    }

    #[cfg(feature = "lingua")]
    #[test]
    fn wrong_priors_are_errors() {
        for (code, weight, said) in [
            ("fr", 0.0, "`prior` must be more than 0"),
            ("fr", f64::INFINITY, "`prior` must be more than 0"),
            ("fr", f64::NAN, "`prior` must be more than 0"),
            ("de", 2.0, "`de`, which `allow` does not hold"),
            ("FR", 2.0, "did you mean `fr`?"),
        ] {
            let problems = with_prior(code, weight).problems();
            let [("prior", error)] = &problems[..] else {
                panic!("{problems:?}");
            };
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[cfg(feature = "lingua")]
    #[test]
    fn a_prior_is_not_held_against_a_misspelt_list() {
        let wrong = LanguageOptions {
            allow: vec!["FR".to_owned()],
            prior: [("fr", 4.0), ("en", 0.0), ("xx", 1.0)]
                .map(|(code, weight)| (code.to_owned(), weight))
                .into(),
            ..LanguageOptions::default()
        };
        let fields: Vec<_> = wrong.problems().iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["allow", "prior"], "{:?}", wrong.problems());
    }

    #[cfg(feature = "lingua")]
    #[test]
    fn a_language_of_whatlang_alone_is_an_error_that_says_so() {
        let error =
            LanguageDetector::new(&options(DetectorKind::Lingua, &["fr", "ja"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "lingua knows no language `ja`; whatlang does; known here: fr, en, de, es, it, nl, pt"
        );
    }

    #[cfg(feature = "lingua")]
    fn with_prior(code: &str, weight: f64) -> LanguageOptions {
        LanguageOptions {
            prior: BTreeMap::from([(code.to_owned(), weight)]),
            ..options(DetectorKind::Lingua, &["fr", "en"])
        }
    }

    #[cfg(not(feature = "lingua"))]
    #[test]
    fn without_the_feature_lingua_is_an_error_that_names_it() {
        let error = LanguageDetector::new(&LanguageOptions::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("feature `lingua`") && text.contains("`detector: whatlang`"));
    }
}
