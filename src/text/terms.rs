//! The terms of a text: words or characters and runs of them, as scikit-learn and Keras cut them.
//!
//! Invariant: the terms of a text are the same when a vocabulary is counted and when a row is made, since both come here.

use super::{TfidfOptions, TfidfVariant};
use std::borrow::Cow;
use unicode_normalization::char::is_combining_mark;

/// What a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Analyzer {
    /// Words and runs of words.
    #[default]
    Word,
    /// Runs of characters within a word, which is padded with a space on both sides (scikit-learn's `char_wb`).
    CharWb,
}

/// Calls back with every term of a text, as often as it occurs.
pub(super) fn for_each_term(text: &str, options: &TfidfOptions, visit: &mut impl FnMut(&str)) {
    let text = lowercased(text);
    match options.analyzer {
        Analyzer::Word => word_ngrams(&words(&text, options.variant), options.ngrams, visit),
        Analyzer::CharWb => character_ngrams(&text, options.ngrams, visit),
    }
}

/// The text in lower case, as both libraries put it by default.
fn lowercased(text: &str) -> Cow<'_, str> {
    let is_lower = |c: char| {
        if c.is_ascii() {
            !c.is_ascii_uppercase()
        } else {
            c.to_lowercase().eq([c])
        }
    };
    if text.chars().all(is_lower) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

fn words(text: &str, variant: TfidfVariant) -> Vec<&str> {
    match variant {
        // The token pattern `(?u)\b\w\w+\b`: runs of word characters, at least two of them.
        TfidfVariant::Sklearn => text
            .split(|c| !is_python_word(c))
            .filter(|run| run.chars().nth(1).is_some())
            .collect(),
        TfidfVariant::Keras => text
            .split(is_keras_filtered)
            .filter(|word| !word.is_empty())
            .collect(),
    }
}

/// Tells whether Python's `\w` matches: `str.isalnum` or `_`. Unlike Rust's `is_alphanumeric` it leaves out combining marks and
/// letters in circles and squares.
fn is_python_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let is_symbol = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f149}' | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}');
    c.is_alphanumeric() && !is_combining_mark(c) && !is_symbol
}

/// Tells whether Keras' default `filters` (or its `split`) part words here: ASCII punctuation but the apostrophe, tab, line feed.
fn is_keras_filtered(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n') || (c.is_ascii_punctuation() && c != '\'')
}

fn word_ngrams(words: &[&str], (shortest, longest): (usize, usize), visit: &mut impl FnMut(&str)) {
    let mut joined = String::new();
    for length in shortest..=longest.min(words.len()) {
        for run in words.windows(length) {
            if let [word] = run {
                visit(word);
                continue;
            }
            joined.clear();
            for word in run {
                joined.push_str(word);
                joined.push(' ');
            }
            visit(&joined[..joined.len() - 1]);
        }
    }
}

fn character_ngrams(text: &str, (shortest, longest): (usize, usize), visit: &mut impl FnMut(&str)) {
    let mut padded = String::new();
    let mut starts = Vec::new();
    for word in text.split(is_python_space).filter(|word| !word.is_empty()) {
        padded.clear();
        padded.extend([" ", word, " "]);
        starts.clear();
        starts.extend(
            padded
                .char_indices()
                .map(|(start, _)| start)
                .chain([padded.len()]),
        );
        for length in shortest..=longest {
            // A word no longer than the run is counted whole, once.
            if starts.len() - 1 <= length {
                visit(&padded);
                break;
            }
            for run in starts.windows(length + 1) {
                visit(&padded[run[0]..run[length]]);
            }
        }
    }
}

/// Tells whether Python's `str.split` parts words here.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms(text: &str, options: &TfidfOptions) -> Vec<String> {
        let mut terms = Vec::new();
        for_each_term(text, options, &mut |term| terms.push(term.to_owned()));
        terms
    }

    fn keras() -> TfidfOptions {
        TfidfOptions {
            variant: TfidfVariant::Keras,
            ..TfidfOptions::default()
        }
    }

    // Python 3.11: re.findall(r"(?u)\b\w\w+\b", text.lower())
    #[test]
    fn words_are_those_of_python() {
        for (text, words) in [
            ("L'ÉTÉ à 25m² n° 5 d_x", &["été", "25m²", "d_x"][..]),
            (
                "नमस्ते ⒶⒷ Ⅷ½ 日本 e\u{301}te\u{301}",
                &["नमस", "ⅷ½", "日本", "te"],
            ),
            ("ΣΑΣ İstanbul ŒUVRE-ª", &["σας", "stanbul", "œuvre"]),
        ] {
            assert_eq!(terms(text, &TfidfOptions::default()), words, "{text}");
        }
    }

    // keras_preprocessing 1.1.2: text_to_word_sequence(text)
    #[test]
    fn keras_words_are_parted_by_its_filters_alone() {
        let text = "L'ÉTÉ: (à 25m²)\tn°5\nd_x\u{a0}y  €z";
        assert_eq!(
            terms(text, &keras()),
            ["l'été", "à", "25m²", "n°5", "d", "x\u{a0}y", "€z"]
        );
    }

    // CountVectorizer(ngram_range=(1, 3)).build_analyzer()("un deux trois quatre"), and (2, 2) of one word
    #[test]
    fn runs_of_words_come_shortest_first() {
        let options = TfidfOptions {
            ngrams: (2, 3),
            ..TfidfOptions::default()
        };
        let runs = [
            "un deux",
            "deux trois",
            "trois quatre",
            "un deux trois",
            "deux trois quatre",
        ];
        assert_eq!(terms("un, deux\ttrois quatre", &options), runs);
        assert_eq!(terms("seul", &options), [""; 0]);
    }

    // CountVectorizer(analyzer="char_wb", ngram_range=(2, 4)).build_analyzer()("été \x1cA")
    #[test]
    fn a_short_word_is_counted_whole_once() {
        let options = TfidfOptions {
            analyzer: Analyzer::CharWb,
            ngrams: (2, 4),
            ..TfidfOptions::default()
        };
        #[rustfmt::skip]
        assert_eq!(terms("été \u{1c}A", &options), [
            " é", "ét", "té", "é ", " ét", "été", "té ", " été", "été ", " a", "a ", " a ",
        ]);
    }

    proptest! {
        #[test]
        fn any_text_has_terms(text in any::<String>(), shortest in 1..4_usize, more in 0..3_usize) {
            for base in [TfidfOptions::default(), keras()] {
                for analyzer in [Analyzer::Word, Analyzer::CharWb] {
                    let options = TfidfOptions { analyzer, ngrams: (shortest, shortest + more), ..base.clone() };
                    prop_assert!(terms(&text, &options).iter().all(|term| !term.is_empty()));
                }
            }
        }
    }
}
