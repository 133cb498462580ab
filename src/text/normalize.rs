//! The key under which two spellings of one text meet, for the translation lookup.
//!
//! Invariant: [`normalize_key`] is idempotent, so a key that was written out and read back is the same key.

use unicode_normalization::UnicodeNormalization;

/// Returns the join key of a text: NFC, every run of white space folded to one space, trimmed.
///
/// NFC, not NFKC: an `é` typed as one code point and one stored as letter + accent (macOS, some spreadsheets) must meet, but `m²`
/// and `m2`, or `½` and `1⁄2`, are different texts with different translations. Case and punctuation count for the same reason.
/// White space is Unicode's, so no-break spaces and line ends fold too.
#[must_use]
pub fn normalize_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !key.is_empty() {
            key.push(' ');
        }
        if word.is_ascii() {
            key.push_str(word);
        } else {
            key.extend(word.nfc());
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn composed_and_decomposed_accents_meet() {
        assert_eq!(normalize_key("cafe\u{301} noir"), "café noir");
        assert_eq!(normalize_key("café noir"), "café noir");
    }

    #[test]
    fn white_space_folds_and_trims() {
        assert_eq!(
            normalize_key("\u{a0} a \t\r\n b\u{202f}c \u{3000}"),
            "a b c"
        );
        assert_eq!(normalize_key(" \n "), "");
    }

    #[test]
    fn compatibility_forms_case_and_punctuation_stay_apart() {
        assert_eq!(normalize_key("10 m²"), "10 m²");
        assert_ne!(normalize_key("ﬁl"), normalize_key("fil"));
        assert_ne!(normalize_key("Sac"), normalize_key("sac"));
        assert_ne!(normalize_key("sac."), normalize_key("sac"));
    }

    proptest! {
        #[test]
        fn is_idempotent(text in any::<String>()) {
            let key = normalize_key(&text);
            prop_assert_eq!(normalize_key(&key), key);
        }

        #[test]
        fn ignores_the_form_of_its_input(text in any::<String>()) {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(normalize_key(&decomposed), normalize_key(&text));
        }
    }
}
