//! The detector: a library's best answer, and the threshold.
//!
//! Titles are short, so accuracy comes from the choice of the library and the allow-list first, the prior and the threshold second;
//! give the detector plain text (see [`html_text`](crate::text::html_text)), since tag names read as English.

#[cfg(feature = "lingua")]
use super::lingua_engine::LinguaEngine;
use super::options::{DetectorKind, LanguageOptions};
use super::whatlang_engine::WhatlangEngine;
use crate::text::TextError;

/// The code of a text whose language is not known (ISO 639-2 "undetermined").
pub const UNDETERMINED: &str = "und";

/// The language of one text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// ISO 639-1 code, or [`UNDETERMINED`].
    pub code: &'static str,
    /// Confidence in `[0, 1]` in the best allowed language, also where it was too low for the code; 0 where there is none (no
    /// letters, or a script that no allowed language uses). whatlang: the lead over the second-best language. lingua: a
    /// probability, in thousandths.
    pub confidence: f64,
}

/// Detects the language of texts.
#[derive(Debug, Clone)]
pub struct LanguageDetector {
    engine: Engine,
    min_confidence: f64,
}

#[derive(Debug, Clone)]
enum Engine {
    Whatlang(WhatlangEngine),
    #[cfg(feature = "lingua")]
    Lingua(LinguaEngine),
}

impl LanguageDetector {
    /// Makes a detector.
    ///
    /// # Errors
    ///
    /// The first of [`LanguageOptions::problems`].
    pub fn new(options: &LanguageOptions) -> Result<Self, TextError> {
        if let Some((_, error)) = options.problems().into_iter().next() {
            return Err(error);
        }
        let engine = match options.detector {
            #[cfg(feature = "lingua")]
            DetectorKind::Lingua => Engine::Lingua(LinguaEngine::new(&options.allow, |code| {
                options.prior.get(code).copied().unwrap_or(1.0)
            })),
            // Without the feature, `problems` has refused lingua.
            _ => Engine::Whatlang(WhatlangEngine::new(&options.allow)),
        };
        let min_confidence = options
            .min_confidence
            .unwrap_or(options.detector.default_min_confidence());
        Ok(Self {
            engine,
            min_confidence,
        })
    }

    /// Returns the language of a text.
    #[must_use]
    pub fn detect(&self, text: &str) -> Detection {
        let best = match &self.engine {
            Engine::Whatlang(engine) => engine.best(text),
            #[cfg(feature = "lingua")]
            Engine::Lingua(engine) => engine.best(text),
        };
        let (code, confidence) = best.unwrap_or((UNDETERMINED, 0.0));
        let code = if confidence < self.min_confidence {
            UNDETERMINED
        } else {
            code
        };
        Detection { code, confidence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rayon::prelude::*;

    /// The detectors that are built in.
    fn built_in() -> impl Iterator<Item = DetectorKind> {
        DetectorKind::ALL
            .into_iter()
            .filter(|kind| !kind.codes().is_empty())
    }

    fn options(detector: DetectorKind, allow: &[&str]) -> LanguageOptions {
        LanguageOptions {
            detector,
            allow: allow.iter().map(|&code| code.to_owned()).collect(),
            ..LanguageOptions::default()
        }
    }

    fn detector(kind: DetectorKind, allow: &[&str], min_confidence: f64) -> LanguageDetector {
        LanguageDetector::new(&LanguageOptions {
            min_confidence: Some(min_confidence),
            ..options(kind, allow)
        })
        .unwrap()
    }

    const SENTENCES: [(&str, &str); 7] = [
        (
            "fr",
            "Lampe de chevet en bois pour la chambre des enfants, livrée avec son ampoule",
        ),
        (
            "en",
            "Wooden bedside lamp for the children's bedroom, delivered with its light bulb",
        ),
        (
            "de",
            "Nachttischlampe aus Holz für das Kinderzimmer, wird mit der Glühbirne geliefert",
        ),
        (
            "es",
            "Lámpara de noche de madera para la habitación de los niños, con su bombilla",
        ),
        (
            "it",
            "Lampada da comodino in legno per la camera dei bambini, con la sua lampadina",
        ),
        (
            "nl",
            "Houten nachtlamp voor de slaapkamer van de kinderen, geleverd met een gloeilamp",
        ),
        (
            "pt",
            "Candeeiro de madeira para o quarto das crianças, entregue com a sua lâmpada",
        ),
    ];

    #[test]
    fn tells_the_default_languages_apart() {
        for kind in built_in() {
            let allow = LanguageOptions::default().allow;
            let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
            let detector = LanguageDetector::new(&options(kind, &allow)).unwrap();
            for (code, text) in SENTENCES {
                let found = detector.detect(text);
                assert_eq!(found.code, code, "{kind:?} {text}: {found:?}");
                assert!(found.confidence >= 0.5 && found.confidence <= 1.0);
            }
        }
    }

    #[test]
    fn only_allowed_languages_are_answers() {
        for kind in built_in() {
            let detector = detector(kind, &["en", "it"], 0.0);
            for (code, text) in SENTENCES {
                let found = detector.detect(text).code;
                assert!(["en", "it"].contains(&found), "{kind:?} {text}: {found}");
                assert!(found == code || !["en", "it"].contains(&code));
            }
        }
    }

    #[test]
    fn below_the_threshold_is_undetermined_with_its_confidence() {
        for kind in built_in() {
            let text = "Lot table";
            let sure = detector(kind, &["fr", "en"], 0.0).detect(text);
            assert_ne!(sure.code, UNDETERMINED);
            assert!(sure.confidence < 1.0, "{sure:?}");
            let same = detector(kind, &["fr", "en"], sure.confidence).detect(text);
            assert_eq!(same, sure);
            let unsure = detector(kind, &["fr", "en"], sure.confidence + 1e-4).detect(text);
            let code = UNDETERMINED;
            assert_eq!(unsure, Detection { code, ..sure });
        }
    }

    #[test]
    fn each_detector_has_a_threshold_of_its_own() {
        for kind in built_in() {
            let own = LanguageDetector::new(&options(kind, &["fr"])).unwrap();
            assert!((own.min_confidence - kind.default_min_confidence()).abs() < 1e-12);
        }
        let [whatlang, lingua] = DetectorKind::ALL.map(DetectorKind::default_min_confidence);
        assert!(whatlang < lingua && lingua < 1.0);
    }

    #[test]
    fn without_letters_is_undetermined() {
        for kind in built_in() {
            let detector = detector(kind, &["fr", "en"], 0.0);
            for text in ["", "  ", "12 / 30, 4 €", "🛒"] {
                let expected = Detection {
                    code: UNDETERMINED,
                    confidence: 0.0,
                };
                assert_eq!(detector.detect(text), expected, "{kind:?} {text:?}");
            }
        }
    }

    #[test]
    fn a_script_outside_the_allow_list_is_undetermined() {
        for kind in built_in() {
            let detector = detector(kind, &["fr", "en"], 0.0);
            for text in [
                "Η γρήγορη αλεπού πηδά",
                "これは日本語の文章です",
                "Мы хотим видеть дальше",
            ] {
                assert_eq!(detector.detect(text).code, UNDETERMINED, "{kind:?} {text}");
            }
        }
        let all = detector(DetectorKind::Whatlang, &[], 0.0);
        assert_eq!(all.detect("Η γρήγορη αλεπού πηδά").code, "el");
    }

    #[test]
    fn the_same_text_gets_the_same_bits_on_any_thread() {
        let texts: Vec<String> = (0..400)
            .map(|i| format!("{} {}", SENTENCES[i % 7].1, SENTENCES[i / 7 % 7].1))
            .enumerate()
            .map(|(i, text)| text.chars().take(5 + i / 3).collect())
            .collect();
        for kind in built_in() {
            let (one, other) = (
                detector(kind, &["fr", "en", "es"], 0.4),
                detector(kind, &["es", "fr", "en"], 0.4),
            );
            let alone: Vec<_> = texts.iter().map(|text| one.detect(text)).collect();
            let together: Vec<_> = texts.par_iter().map(|text| other.detect(text)).collect();
            let bits = |found: &Detection| (found.code, found.confidence.to_bits());
            assert!(alone.iter().map(bits).eq(together.iter().map(bits)));
            let is_graded = |found: &&Detection| (0.5..0.95).contains(&found.confidence);
            assert!(alone.iter().filter(is_graded).count() > 10, "{kind:?}");
        }
    }

    #[cfg(feature = "lingua")]
    mod lingua {
        use super::*;

        fn with_prior(prior: &[(&str, f64)]) -> LanguageOptions {
            LanguageOptions {
                min_confidence: Some(0.0),
                prior: prior.iter().map(|&(c, w)| (c.to_owned(), w)).collect(),
                ..options(DetectorKind::Lingua, &["fr", "en"])
            }
        }

        #[test]
        fn a_prior_multiplies_the_probabilities() {
            let detect = |prior: &[(&str, f64)]| {
                let detector = LanguageDetector::new(&with_prior(prior)).unwrap();
                detector.detect("Lot table")
            };
            let plain = detect(&[]);
            let french = match plain.code {
                "fr" => plain.confidence,
                _ => 1.0 - plain.confidence,
            };
            let odds = 5.0 * french / (1.0 - french);
            let weighted = detect(&[("fr", 5.0)]);
            let expected = odds / (1.0 + odds);
            assert_eq!(weighted.code, if expected > 0.5 { "fr" } else { "en" });
            let expected = expected.max(1.0 - expected);
            assert!(
                (weighted.confidence - expected).abs() < 0.004,
                "{weighted:?}"
            );
            assert_eq!(detect(&[("fr", 7.0), ("en", 7.0)]), plain);
        }

        #[test]
        fn a_prior_does_not_move_a_long_text() {
            let detector = LanguageDetector::new(&with_prior(&[("fr", 20.0)])).unwrap();
            let text = format!("{0}. {0}, and more of the same in the box", SENTENCES[1].1);
            assert_eq!(detector.detect(&text).code, "en");
        }

        /// What it is there for: titles of a few words.
        #[test]
        fn lingua_knows_short_titles_that_whatlang_does_not() {
            let allow = LanguageOptions::default().allow;
            let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
            let of = |kind| {
                let detector = detector(kind, &allow, 0.0);
                let titles = [
                    ("fr", "Lampe de poche"),
                    ("en", "Wall clock for the kitchen"),
                    ("de", "Kinderbett mit Matratze"),
                    ("es", "Juguete para perros"),
                    ("it", "Libro per ragazzi"),
                    ("fr", "Coussin pour chaise"),
                    ("en", "Toy box"),
                    ("fr", "Jouet en peluche"),
                ];
                let is_right = |(code, title): &(&str, &str)| detector.detect(title).code == *code;
                titles.iter().filter(|title| is_right(title)).count()
            };
            let found = DetectorKind::ALL.map(of);
            assert!(found[0] < found[1] && found[1] >= 7, "{found:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_an_allowed_code(text in any::<String>()) {
            for kind in built_in() {
                let found = detector(kind, &["fr", "de"], 0.3).detect(&text);
                prop_assert!(["fr", "de", UNDETERMINED].contains(&found.code));
                prop_assert!((0.0..=1.0).contains(&found.confidence));
                prop_assert_eq!(found.code == UNDETERMINED, found.confidence < 0.3);
            }
        }
    }
}
