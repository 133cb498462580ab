//! The terms of a text: words or characters and runs of them, as scikit-learn and Keras cut them.
//!
//! Invariant: the terms of a text are the same when a vocabulary is counted and when a row is made, since both come here.

use super::{TfidfOptions, TfidfVariant};
use std::borrow::Cow;
use std::sync::LazyLock;
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
    let traits = TraitsTable::get();
    let text = lowercased(text, traits);
    match (options.analyzer, options.variant) {
        (Analyzer::CharWb, _) => character_ngrams(&text, options.ngrams, visit),
        (Analyzer::Word, TfidfVariant::Sklearn) => word_ngrams(
            // The token pattern `(?u)\b\w\w+\b`: runs of word characters, at least two of them.
            Runs::new(&text, |c| traits.of(c).is_python_word)
                .filter(|run| run.chars().nth(1).is_some()),
            options.ngrams,
            visit,
        ),
        (Analyzer::Word, TfidfVariant::Keras) => word_ngrams(
            Runs::new(&text, |c| !is_keras_filtered(c)),
            options.ngrams,
            visit,
        ),
    }
}

/// What the cutting of words has to know of a character.
#[derive(Debug, Clone, Copy)]
struct Traits {
    is_python_word: bool,
    is_lowercase: bool,
}

/// Code points below this one, which take one byte or two in UTF-8, have their traits in a table: European scripts.
const TABLE: usize = 0x800;

static TRAITS: LazyLock<Vec<Traits>> = LazyLock::new(|| {
    (0..TABLE as u32)
        .filter_map(char::from_u32)
        .map(Traits::look_up)
        .collect()
});

/// The table, fetched once for a text.
#[derive(Clone, Copy)]
struct TraitsTable(&'static [Traits]);

impl TraitsTable {
    fn get() -> Self {
        Self(&TRAITS)
    }

    #[inline]
    fn of(self, c: char) -> Traits {
        let known = self.0.get(c as usize).copied();
        known.unwrap_or_else(|| Traits::look_up(c))
    }
}

impl Traits {
    fn look_up(c: char) -> Self {
        Self {
            is_python_word: is_python_word(c),
            is_lowercase: c.to_lowercase().eq([c]),
        }
    }
}

/// The text in lower case, as both libraries put it by default.
fn lowercased(text: &str, traits: TraitsTable) -> Cow<'_, str> {
    let is_lowercase = if text.is_ascii() {
        !text.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        text.chars().all(|c| traits.of(c).is_lowercase)
    };
    if is_lowercase {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// Runs of characters that belong to words.
struct Runs<'a, F> {
    rest: &'a str,
    belongs: F,
}

impl<'a, F: Fn(char) -> bool> Runs<'a, F> {
    fn new(rest: &'a str, belongs: F) -> Self {
        Self { rest, belongs }
    }
}

impl<'a, F: Fn(char) -> bool> Iterator for Runs<'a, F> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut chars = self.rest.char_indices();
        let (start, _) = chars.find(|&(_, c)| (self.belongs)(c))?;
        let end = chars.find(|&(_, c)| !(self.belongs)(c));
        let end = end.map_or(self.rest.len(), |(end, _)| end);
        let run = &self.rest[start..end];
        self.rest = &self.rest[end..];
        Some(run)
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

fn word_ngrams<'a>(
    words: impl Iterator<Item = &'a str>,
    (shortest, longest): (usize, usize),
    visit: &mut impl FnMut(&str),
) {
    if (shortest, longest) == (1, 1) {
        words.for_each(visit);
        return;
    }
    // Every run of words is a slice of them all, joined by single spaces.
    let mut joined = String::new();
    let mut spans = Vec::new();
    for word in words {
        let start = joined.len();
        joined.push_str(word);
        spans.push((start, joined.len()));
        joined.push(' ');
    }
    for length in shortest..=longest.min(spans.len()) {
        for run in spans.windows(length) {
            visit(&joined[run[0].0..run[length - 1].1]);
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
        if padded.is_ascii() {
            starts.extend(0..=padded.len());
        } else {
            starts.extend(padded.char_indices().map(|(start, _)| start));
            starts.push(padded.len());
        }
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
