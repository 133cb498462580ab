//! Language of a text, as an ISO 639-1 code with a confidence.
//!
//! Invariant: the code is `und` or one of the allowed languages, whatever the script of the text. Titles are short, so accuracy
//! comes from the allow-list first and the threshold second; give the detector plain text (see [`html_text`](super::html_text)),
//! since tag names read as English.

use super::TextError;
use whatlang::{Detector, Lang};

/// The code of a text whose language is not known (ISO 639-2 "undetermined").
pub const UNDETERMINED: &str = "und";

/// What the detector may answer, and from which confidence on.
#[derive(Debug, Clone, PartialEq)]
pub struct LanguageOptions {
    /// ISO 639-1 codes of the languages to choose among; empty for all that whatlang knows. With one language only, every text of
    /// its script gets it at confidence 1.
    pub allow: Vec<String>,
    /// Confidence in `[0, 1]` below which the answer is [`UNDETERMINED`].
    pub min_confidence: f64,
}

impl Default for LanguageOptions {
    fn default() -> Self {
        Self {
            allow: ["fr", "en", "de", "es", "it", "nl", "pt"]
                .map(str::to_owned)
                .to_vec(),
            min_confidence: 0.3,
        }
    }
}

/// The language of one text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// ISO 639-1 code, or [`UNDETERMINED`].
    pub code: &'static str,
    /// Confidence in `[0, 1]` in the best allowed language, also where it was too low for the code; 0 where there is none (no
    /// letters, or a script that no allowed language uses).
    pub confidence: f64,
}

/// Detects the language of texts.
///
/// # Source
///
/// whatlang (trigrams and alphabets). Its confidence measures the lead over the second-best language, not a probability.
#[derive(Debug, Clone)]
pub struct LanguageDetector {
    detector: Detector,
    allowed: Vec<Lang>,
    min_confidence: f64,
}

impl LanguageDetector {
    /// Makes a detector.
    ///
    /// # Errors
    ///
    /// [`TextError::UnknownLanguageCode`] for a code in `allow` that is not ISO 639-1 or that whatlang does not know,
    /// [`TextError::OptionOutOfRange`] for a `min_confidence` outside `[0, 1]`.
    pub fn new(options: &LanguageOptions) -> Result<Self, TextError> {
        if !(0.0..=1.0).contains(&options.min_confidence) {
            return Err(TextError::OptionOutOfRange {
                option: "min_confidence",
                expected: "between 0 and 1",
                found: options.min_confidence.to_string(),
            });
        }
        let allowed = options
            .allow
            .iter()
            .map(|code| lang_of(code))
            .collect::<Result<Vec<_>, _>>()?;
        let detector = if allowed.is_empty() {
            Detector::new()
        } else {
            Detector::with_allowlist(allowed.clone())
        };
        Ok(Self {
            detector,
            allowed,
            min_confidence: options.min_confidence,
        })
    }

    /// Returns the language of a text.
    #[must_use]
    pub fn detect(&self, text: &str) -> Detection {
        // Scripts of one language (Greek, Thai, …) pass whatlang's allow-list unasked, hence the second look.
        let (code, confidence) = self
            .detector
            .detect(text)
            .filter(|info| self.allows(info.lang()) && !info.confidence().is_nan())
            .map_or((UNDETERMINED, 0.0), |info| {
                (two_letters(info.lang()), info.confidence().clamp(0.0, 1.0))
            });
        let code = if confidence < self.min_confidence {
            UNDETERMINED
        } else {
            code
        };
        Detection { code, confidence }
    }

    fn allows(&self, lang: Lang) -> bool {
        self.allowed.is_empty() || self.allowed.contains(&lang)
    }
}

/// Returns the ISO 639-1 code of an ISO 639-3 code that whatlang uses (`fra` → `fr`).
#[must_use]
pub fn iso_639_1(three_letters: &str) -> Option<&'static str> {
    CODES
        .iter()
        .find(|(lang, _)| lang.code() == three_letters)
        .map(|&(_, code)| code)
}

/// Returns the ISO 639-3 code that whatlang uses for an ISO 639-1 code (`fr` → `fra`, `zh` → `cmn`).
#[must_use]
pub fn iso_639_3(two_letters: &str) -> Option<&'static str> {
    lang_of(two_letters).ok().map(|lang| lang.code())
}

fn lang_of(code: &str) -> Result<Lang, TextError> {
    CODES
        .iter()
        .find(|&&(_, two_letters)| two_letters == code)
        .map(|&(lang, _)| lang)
        .ok_or_else(|| TextError::UnknownLanguageCode {
            code: code.to_owned(),
        })
}

fn two_letters(lang: Lang) -> &'static str {
    CODES
        .iter()
        .find(|&&(known, _)| known == lang)
        .map_or(UNDETERMINED, |&(_, code)| code)
}

/// Every language of whatlang with its ISO 639-1 code; the frequent ones first, since the table is searched from the top. Macro
/// languages stand for the member whatlang means: `zh` Mandarin, `fa` Iranian Persian.
#[rustfmt::skip]
const CODES: [(Lang, &str); 70] = [
    (Lang::Fra, "fr"), (Lang::Eng, "en"), (Lang::Deu, "de"), (Lang::Spa, "es"), (Lang::Ita, "it"), (Lang::Nld, "nl"),
    (Lang::Por, "pt"), (Lang::Afr, "af"), (Lang::Aka, "ak"), (Lang::Amh, "am"), (Lang::Ara, "ar"), (Lang::Aze, "az"),
    (Lang::Bel, "be"), (Lang::Ben, "bn"), (Lang::Bul, "bg"), (Lang::Cat, "ca"), (Lang::Ces, "cs"), (Lang::Cmn, "zh"),
    (Lang::Cym, "cy"), (Lang::Dan, "da"), (Lang::Ell, "el"), (Lang::Epo, "eo"), (Lang::Est, "et"), (Lang::Fin, "fi"),
    (Lang::Guj, "gu"), (Lang::Heb, "he"), (Lang::Hin, "hi"), (Lang::Hrv, "hr"), (Lang::Hun, "hu"), (Lang::Hye, "hy"),
    (Lang::Ind, "id"), (Lang::Jav, "jv"), (Lang::Jpn, "ja"), (Lang::Kan, "kn"), (Lang::Kat, "ka"), (Lang::Khm, "km"),
    (Lang::Kor, "ko"), (Lang::Lat, "la"), (Lang::Lav, "lv"), (Lang::Lit, "lt"), (Lang::Mal, "ml"), (Lang::Mar, "mr"),
    (Lang::Mkd, "mk"), (Lang::Mya, "my"), (Lang::Nep, "ne"), (Lang::Nob, "nb"), (Lang::Ori, "or"), (Lang::Pan, "pa"),
    (Lang::Pes, "fa"), (Lang::Pol, "pl"), (Lang::Ron, "ro"), (Lang::Rus, "ru"), (Lang::Sin, "si"), (Lang::Slk, "sk"),
    (Lang::Slv, "sl"), (Lang::Sna, "sn"), (Lang::Srp, "sr"), (Lang::Swe, "sv"), (Lang::Tam, "ta"), (Lang::Tel, "te"),
    (Lang::Tgl, "tl"), (Lang::Tha, "th"), (Lang::Tuk, "tk"), (Lang::Tur, "tr"), (Lang::Ukr, "uk"), (Lang::Urd, "ur"),
    (Lang::Uzb, "uz"), (Lang::Vie, "vi"), (Lang::Yid, "yi"), (Lang::Zul, "zu"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn detector(allow: &[&str], min_confidence: f64) -> LanguageDetector {
        let allow = allow.iter().map(|&code| code.to_owned()).collect();
        LanguageDetector::new(&LanguageOptions {
            allow,
            min_confidence,
        })
        .unwrap()
    }

    #[test]
    fn tells_the_default_languages_apart() {
        let detector = LanguageDetector::new(&LanguageOptions::default()).unwrap();
        for (code, text) in [
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
        ] {
            let found = detector.detect(text);
            assert_eq!(found.code, code, "{text}: {found:?}");
            assert!(found.confidence >= 0.5 && found.confidence <= 1.0);
        }
    }

    #[test]
    fn below_the_threshold_is_undetermined_with_its_confidence() {
        let text = "Lot table";
        let sure = detector(&["fr", "en"], 0.0).detect(text);
        assert_ne!(sure.code, UNDETERMINED);
        assert!(sure.confidence < 1.0, "{sure:?}");
        let unsure = detector(&["fr", "en"], 1.0).detect(text);
        assert_eq!(
            unsure,
            Detection {
                code: UNDETERMINED,
                confidence: sure.confidence
            }
        );
    }

    #[test]
    fn without_letters_is_undetermined() {
        let detector = detector(&["fr", "en"], 0.0);
        for text in ["", "  ", "12 / 30, 4 €", "🛒"] {
            assert_eq!(
                detector.detect(text),
                Detection {
                    code: UNDETERMINED,
                    confidence: 0.0
                },
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_script_outside_the_allow_list_is_undetermined() {
        let detector = detector(&["fr", "en"], 0.0);
        for text in [
            "Η γρήγορη αλεπού πηδά",
            "これは日本語の文章です",
            "Мы хотим видеть дальше",
        ] {
            assert_eq!(detector.detect(text).code, UNDETERMINED, "{text}");
        }
        assert_eq!(
            super::tests::detector(&[], 0.0)
                .detect("Η γρήγορη αλεπού πηδά")
                .code,
            "el"
        );
    }

    #[test]
    fn wrong_options_are_errors_that_name_them() {
        for code in ["xx", "fra", "FR", ""] {
            let allow = vec!["fr".to_owned(), code.to_owned()];
            let error = LanguageDetector::new(&LanguageOptions {
                allow,
                min_confidence: 0.5,
            })
            .unwrap_err();
            assert_eq!(
                error,
                TextError::UnknownLanguageCode {
                    code: code.to_owned()
                }
            );
            assert!(error.to_string().contains(&format!("`{code}`")));
        }
        for min_confidence in [-0.1, 1.1, f64::NAN] {
            let options = LanguageOptions {
                min_confidence,
                ..LanguageOptions::default()
            };
            assert!(matches!(
                LanguageDetector::new(&options),
                Err(TextError::OptionOutOfRange { .. })
            ));
        }
    }

    #[test]
    fn every_language_has_one_code_both_ways() {
        let codes: BTreeSet<_> = CODES.iter().map(|&(_, code)| code).collect();
        assert_eq!(codes.len(), Lang::all().len());
        for lang in Lang::all() {
            let code = iso_639_1(lang.code()).unwrap();
            assert_eq!(code.len(), 2);
            assert_eq!(iso_639_3(code), Some(lang.code()));
        }
        assert_eq!(
            (iso_639_1("fra"), iso_639_3("de")),
            (Some("fr"), Some("deu"))
        );
        assert_eq!(
            (iso_639_1("fr"), iso_639_3("fra"), iso_639_3(UNDETERMINED)),
            (None, None, None)
        );
    }

    proptest! {
        #[test]
        fn any_text_gets_an_allowed_code(text in any::<String>()) {
            let found = detector(&["fr", "de"], 0.3).detect(&text);
            prop_assert!(["fr", "de", UNDETERMINED].contains(&found.code));
            prop_assert!((0.0..=1.0).contains(&found.confidence));
            prop_assert_eq!(found.code == UNDETERMINED, found.confidence < 0.3);
        }
    }
}
