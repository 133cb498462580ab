//! ISO 639-1 codes of the languages that whatlang knows, and what a wrong code was meant to be.
//!
//! Invariant: one code for each language, both ways.

use crate::suggest::suggestion;
use crate::text::TextError;
use whatlang::Lang;

/// Returns the ISO 639-1 code of an ISO 639-3 code that whatlang uses (`fra` → `fr`).
#[must_use]
pub fn iso_639_1(three_letters: &str) -> Option<&'static str> {
    code_where(|lang| lang.code() == three_letters)
}

/// Returns the ISO 639-3 code that whatlang uses for an ISO 639-1 code (`fr` → `fra`, `zh` → `cmn`).
#[must_use]
pub fn iso_639_3(two_letters: &str) -> Option<&'static str> {
    lang_of(two_letters).map(|lang| lang.code())
}

/// Checks that a code is the ISO 639-1 code of a language that a detector may find.
///
/// # Errors
///
/// [`TextError::NoLanguageCode`], with what was probably meant.
pub fn ensure_language_code(code: &str) -> Result<(), TextError> {
    if lang_of(code).is_some() {
        return Ok(());
    }
    let known: Vec<_> = codes().collect();
    let hint = match meant(code, &known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known: {}", known.join(", ")),
    };
    Err(TextError::NoLanguageCode {
        code: code.to_owned(),
        hint,
    })
}

/// The codes of all languages, the frequent ones first.
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    CODES.into_iter().map(|(_, code)| code)
}

/// whatlang's language of a code.
pub(super) fn lang_of(code: &str) -> Option<Lang> {
    CODES
        .iter()
        .find(|&&(_, two_letters)| two_letters == code)
        .map(|&(lang, _)| lang)
}

/// The code of a language of whatlang.
pub(super) fn two_letters(lang: Lang) -> &'static str {
    code_where(|known| known == lang).unwrap_or(super::UNDETERMINED)
}

fn code_where(is_meant: impl Fn(Lang) -> bool) -> Option<&'static str> {
    CODES
        .iter()
        .find(|&&(lang, _)| is_meant(lang))
        .map(|&(_, code)| code)
}

/// The known code that a wrong one was probably meant to be: another case, the ISO 639-3 code, the English name, or a slip.
pub(super) fn meant(wrong: &str, known: &[&'static str]) -> Option<&'static str> {
    let wrong = wrong.trim().to_lowercase();
    let by_name = || code_where(|lang| lang.eng_name().to_lowercase() == wrong);
    let same = iso_639_1(&wrong).or_else(by_name);
    known
        .iter()
        .copied()
        .find(|&code| code == wrong || same == Some(code))
        .or_else(|| suggestion(&wrong, known.iter().copied()))
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
    use std::collections::BTreeSet;

    #[test]
    fn every_language_has_one_code_both_ways() {
        let all: BTreeSet<_> = codes().collect();
        assert_eq!(all.len(), Lang::all().len());
        for &lang in Lang::all() {
            let code = iso_639_1(lang.code()).unwrap();
            assert_eq!(code.len(), 2);
            assert_eq!(iso_639_3(code), Some(lang.code()));
            assert_eq!(lang_of(two_letters(lang)), Some(lang));
        }
        assert_eq!(
            (iso_639_1("fra"), iso_639_3("de")),
            (Some("fr"), Some("deu"))
        );
        assert_eq!(
            (iso_639_1("fr"), iso_639_3("fra"), iso_639_3("und")),
            (None, None, None)
        );
    }

    #[test]
    fn what_is_no_code_is_an_error_that_says_what_was_meant() {
        assert_eq!(ensure_language_code("zu"), Ok(()));
        for (code, hint) in [
            ("french", "did you mean `fr`?"),
            ("FR", "did you mean `fr`?"),
            ("", "known: fr, en, de"),
            ("und", "known: fr, en, de"),
        ] {
            let error = ensure_language_code(code).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn a_wrong_code_was_meant_to_be_a_known_one() {
        let known = ["fr", "en", "de"];
        for (wrong, expected) in [
            ("FR", Some("fr")),
            (" en ", Some("en")),
            ("fra", Some("fr")),
            ("deu", Some("de")),
            ("German", Some("de")),
            ("ef", Some("en")),
            ("pl", None),
            ("xx", None),
            ("", None),
        ] {
            assert_eq!(meant(wrong, &known), expected, "{wrong:?}");
        }
    }
}
