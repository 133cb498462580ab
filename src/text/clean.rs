//! Cleaning: from a raw field to the tokens a bag of words is made of.
//!
//! Order, each step switchable: entities decoded, tags out, lower case, everything but letters out, the first `max_words` words,
//! stop words out, stems. Letters are Unicode's, of any script, with the combining marks that follow them; a word is put in NFC,
//! so an accent typed as a code point of its own is the same word.
//! Beyond the usual Python recipe (`html.unescape`, `<[^>]+>`, `[^a-zà-öø-ÿœ\s]`, NLTK's stemmer) that keeps letters outside
//! Latin-1 and `ß`, undoes double-encoded HTML, drops the content of scripts, and counts no empty first word.
//!
//! The tokens are those of `scripts/text_reference.py` (html5lib, stopwords-iso, NLTK): see `tests/parity.rs` and `make parity`. For
//! all 346,205 words of Debian's `wfrench`, rust-stemmers' stems are those of Snowball's own program (1.2.1; 2.0 changed 94 of them,
//! 3.0 262). NLTK's port departs from it in 20, and it is NLTK that is wrong:
//!
//! | NLTK | words, with others from catalogues | stem; NLTK's |
//! |---|---|---|
//! | takes `y` at the start, before a vowel, for a vowel | yéti(s), yogi(s); yami, yeas, yugi, yuki | yog; yogi |
//! | keeps the accent of a first letter | éc, él, ès; éd, ép | ed; éd |
//! | finds `ic` in the `atrice` that it has cut off | applicatrice, fabricatrice, fornicatrice, indicatrice(s), masticatrice(s), prédicatrice(s) | indiqu; ind |
//! | cuts `ë` after a `gu` that is not all in RV | aiguë(s) | aiguë; aigu |
//! | marks `y` as a consonant before it marks the `i` after it | stégomyie | stégomyi; stégomi |
//! | keeps `ment` where RV begins with another `ment` | momentanément | momentan; momentanément |
//!
//! # Speed
//!
//! 9,873 products of the Rakuten France catalogue (3.8 MB), title and description as one text; 5,000 words fitted on 7,898 of them.
//! The Python is pandas, NLTK with a cache of stems, and scikit-learn 1.9. CPU seconds, the least of several runs in turns:
//!
//! | step | Python | here before words were interned | here |
//! |---|---|---|---|
//! | clean | 1.01 | 0.105 | 0.080 |
//! | fit TF-IDF | 0.28 | 0.092 | 0.023 |
//! | transform | 0.04 (of 1,975 rows) | 0.028 | 0.026 |
//! | all | 1.41 | 0.230 | 0.131 |
//! | rows/s and core | 7,000 | 42,900 | 75,400 |
//!
//! The Python has one thread, this code as many as its caller. Two thirds of cleaning are words: looking each one up, and the
//! stems of those that are new.
//!
//! Invariant: the result depends on the text and the options alone. Stems are cached, which no output shows. Without stems, stop
//! words and entities, cleaning what was cleaned changes nothing.

use super::lexicon::{Lexicon, Stem, StopWords};
use super::words::{Roles, is_joiner};
use super::{decode_entities, html_text, strip_tags};
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Which steps cleaning takes.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, named as in the configuration"
)]
pub struct CleanOptions {
    /// Replaces tags, comments, scripts and styles by spaces.
    pub strip_html: bool,
    /// Decodes entities such as `&eacute;` and `&#39;`.
    pub decode_entities: bool,
    /// Puts words in lower case; stop words and stems expect it.
    pub lowercase: bool,
    /// Replaces everything that is no letter, number or white space by a space; invisible joiners (soft hyphen, zero-width
    /// joiners) vanish, so that `co&shy;ton` is one word.
    pub remove_punctuation: bool,
    /// Replaces numbers by spaces (digits, fractions, superscripts, Roman numerals of any script).
    pub remove_digits: bool,
    /// Drops the stop words of a language.
    pub stop_words: Option<StopWords>,
    /// Replaces words by their stems.
    pub stem: Option<Stem>,
    /// Keeps that many words from the start, stop words included; `usize::MAX` for all.
    pub max_words: usize,
}

impl Default for CleanOptions {
    fn default() -> Self {
        Self {
            strip_html: true,
            decode_entities: true,
            lowercase: true,
            remove_punctuation: true,
            remove_digits: true,
            stop_words: Some(StopWords::French),
            stem: Some(Stem::French),
            max_words: 500,
        }
    }
}

/// Cleans texts; shared by any number of threads.
#[derive(Debug)]
pub struct TextCleaner {
    options: CleanOptions,
    roles: Roles,
    /// Words already looked up. A call takes one and puts it back, so there are as many as there were calls at a time.
    lexicons: Mutex<Vec<Lexicon>>,
}

/// Tokens of the fields of a product and of its whole text, joined by one space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CleanedFields {
    /// Of the whole text.
    pub text: String,
    /// Of the title.
    pub title: String,
    /// Of the description.
    pub description: String,
}

impl TextCleaner {
    /// Makes a cleaner.
    #[must_use]
    pub fn new(options: &CleanOptions) -> Self {
        Self {
            options: options.clone(),
            roles: Roles::new(options),
            lexicons: Mutex::new(Vec::new()),
        }
    }

    /// Returns the tokens of a text, joined by one space.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        self.clean_marked(text, usize::MAX).tokens
    }

    /// Cleans a product's text and its two fields, each as [`TextCleaner::clean`] does, but no words twice where the text is
    /// one of the fields, or both with a space between.
    #[must_use]
    pub fn clean_fields(&self, text: &str, title: &str, description: &str) -> CleanedFields {
        let first = self.clean_marked(title, usize::MAX);
        let room = self.options.max_words - first.words;
        let second = self.clean_marked(description, room);
        let tokens = if text == title {
            first.tokens.clone()
        } else if text == description {
            second.tokens.clone()
        } else if is_joined(text, title, description) && !title.contains(['<', '&']) {
            // No tag or entity of the title can reach into the description, so its words are the same in both.
            join(&first.tokens, &second.tokens[..second.mark])
        } else {
            self.clean(text)
        };
        CleanedFields {
            text: tokens,
            title: first.tokens,
            description: second.tokens,
        }
    }

    /// Cleans a text, and says where the tokens of its first `mark` words end.
    fn clean_marked(&self, text: &str, mark: usize) -> Marked {
        if text.is_empty() {
            return Marked::default();
        }
        let text = self.plain_text(text);
        let mut lexicon = self.take_lexicon();
        let mut tokens = String::with_capacity(text.len());
        let mut words = 0;
        let mut marked = None;
        for raw in self.roles.words(&text).take(self.options.max_words) {
            if words == mark {
                marked = Some(tokens.len());
            }
            words += 1;
            let token = lexicon.token(raw, |raw, word| self.fold(raw, word));
            if !token.is_empty() {
                if !tokens.is_empty() {
                    tokens.push(' ');
                }
                tokens.push_str(token);
            }
        }
        self.lexicons
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lexicon);
        let mark = marked.unwrap_or(tokens.len());
        Marked {
            tokens,
            words,
            mark,
        }
    }

    fn plain_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match (self.options.strip_html, self.options.decode_entities) {
            (true, true) => html_text(text),
            (true, false) => strip_tags(text),
            (false, true) => decode_entities(text),
            (false, false) => Cow::Borrowed(text),
        }
    }

    fn take_lexicon(&self) -> Lexicon {
        let spare = self
            .lexicons
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        spare.unwrap_or_else(|| Lexicon::new(self.options.stop_words, self.options.stem))
    }

    /// Writes a word in its normal form: case, invisible joiners, NFC.
    fn fold(&self, raw: &str, word: &mut String) {
        if raw.is_ascii() {
            word.push_str(raw);
            if self.options.lowercase {
                word.make_ascii_lowercase();
            }
            return;
        }
        let visible = |&c: &char| !(self.options.remove_punctuation && is_joiner(c));
        if !self.options.lowercase {
            word.extend(raw.chars().filter(visible));
        } else if raw.contains('Σ') {
            // Only the whole word tells whether this sigma is a final one.
            word.push_str(
                &raw.chars()
                    .filter(visible)
                    .collect::<String>()
                    .to_lowercase(),
            );
        } else {
            word.extend(raw.chars().filter(visible).flat_map(char::to_lowercase));
        }
        if is_nfc_quick(word.chars()) != IsNormalized::Yes {
            *word = word.nfc().collect();
        }
    }
}

/// A cleaned text.
#[derive(Debug, Default)]
struct Marked {
    tokens: String,
    /// Words that it was made of, stop words included.
    words: usize,
    /// Bytes of the tokens of its first words, as many as were asked for.
    mark: usize,
}

/// Tells whether a text is two fields with a space between.
fn is_joined(text: &str, first: &str, second: &str) -> bool {
    let rest = text.strip_prefix(first);
    rest.and_then(|rest| rest.strip_prefix(' ')) == Some(second)
}

fn join(first: &str, second: &str) -> String {
    let space = if first.is_empty() || second.is_empty() {
        ""
    } else {
        " "
    };
    [first, space, second].concat()
}

/// Size of a field as it stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldStats {
    /// Unicode code points.
    pub chars: u32,
    /// Runs of what is no white space.
    pub words: u32,
}

/// Counts the characters and words of a raw field, tags and entities included.
#[must_use]
pub fn field_stats(text: &str) -> FieldStats {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    FieldStats {
        chars: count(text.chars().count()),
        words: count(text.split_whitespace().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::WordLanguage;
    use proptest::prelude::*;
    use unicode_normalization::char::is_combining_mark;

    /// No stop words and no stems, so that a test sees the words.
    fn words_only() -> CleanOptions {
        CleanOptions {
            stop_words: None,
            stem: None,
            ..CleanOptions::default()
        }
    }

    fn clean(options: &CleanOptions, text: &str) -> String {
        TextCleaner::new(options).clean(text)
    }

    // Values of Python (NLTK 3.10, stop_words 2025.11):
    //     s = html.unescape(s); s = re.sub(r"<[^>]+>", " ", s).lower(); s = re.sub(r"[^a-zà-öø-ÿœ\s]", " ", s)
    //     stem, stop = SnowballStemmer("french"), set(get_stop_words("fr"))
    //     " ".join(stem.stem(w) for w in re.split(r"\s+", s)[:500] if w and w not in stop)
    #[test]
    fn the_default_gives_the_tokens_of_nltk() {
        for (text, tokens) in [
            (
                "<p>Lampe de chevet L&#39;&Eacute;TOILE, 25&nbsp;cm</p><ul><li>Abat-jour d&eacute;houssable</li><li>Ampoules fournies !</li></ul>",
                "lamp chevet étoil cm abat jour déhouss ampoul fourn",
            ),
            (
                "Jeux vidéo d'OCCASION : manettes &amp; câbles (PS4) <br/>testés, nettoyés",
                "jeux vidéo occas manet câbl p test nettoi",
            ),
            (
                "Nous vous livrons ces chaussures élégantes et confortables en magasin",
                "livron chaussur éleg confort magasin",
            ),
            (
                "Piscine gonflable octogonale 3,6m; bâche œillets renforcés, filtration incluse",
                "piscin gonflabl octogonal bâch œillet renforc filtrat inclus",
            ),
            (
                "Cœurs tressés, canapés convertibles; rééducation naturellement fabuleuse",
                "cœur tress canap convertibl rééduc naturel fabul",
            ),
        ] {
            assert_eq!(clean(&CleanOptions::default(), text), tokens, "{text}");
        }
    }

    #[test]
    fn letters_of_every_script_survive() {
        assert_eq!(
            clean(
                &words_only(),
                "Größe — ČERNÝ/Łódź, ΣΑΣ; Привет 日本語 हिन्दी"
            ),
            "größe černý łódź σας привет 日本語 हिन्दी"
        );
    }

    #[test]
    fn accents_typed_apart_and_invisible_joiners_make_no_second_word() {
        assert_eq!(
            clean(
                &words_only(),
                "E\u{301}te\u{301} co&shy;ton \u{feff}sac\u{200d}"
            ),
            "été coton sac"
        );
        assert_eq!(clean(&words_only(), "\u{301}a \u{ad} b"), "a b");
    }

    #[test]
    fn each_step_can_be_switched_off() {
        let text = "<b>Prix&nbsp;:</b> 12,50 &euro; l'UNITÉ";
        let off = CleanOptions {
            strip_html: false,
            decode_entities: false,
            lowercase: false,
            remove_punctuation: false,
            remove_digits: false,
            ..words_only()
        };
        assert_eq!(clean(&words_only(), text), "prix l unité");
        assert_eq!(
            clean(
                &CleanOptions {
                    strip_html: false,
                    ..words_only()
                },
                text
            ),
            "b prix b l unité"
        );
        assert_eq!(
            clean(
                &CleanOptions {
                    decode_entities: false,
                    ..words_only()
                },
                text
            ),
            "prix nbsp euro l unité"
        );
        assert_eq!(
            clean(
                &CleanOptions {
                    lowercase: false,
                    ..words_only()
                },
                text
            ),
            "Prix l UNITÉ"
        );
        assert_eq!(
            clean(
                &CleanOptions {
                    remove_punctuation: false,
                    ..words_only()
                },
                text
            ),
            "prix : , € l'unité"
        );
        assert_eq!(
            clean(
                &CleanOptions {
                    remove_digits: false,
                    ..words_only()
                },
                text
            ),
            "prix 12 50 l unité"
        );
        assert_eq!(clean(&off, text), text);
    }

    #[test]
    fn numbers_of_every_kind_are_digits() {
        assert_eq!(clean(&words_only(), "5kg m² ½ Ⅷ ٣ a1b"), "kg m a b");
    }

    #[test]
    fn only_the_first_words_count_stop_words_included() {
        let options = CleanOptions {
            stem: None,
            max_words: 3,
            ..CleanOptions::default()
        };
        assert_eq!(
            clean(&options, "  <p>la table</p> 12 de jardin ronde"),
            "table"
        );
        assert_eq!(
            clean(
                &CleanOptions {
                    max_words: 4,
                    ..options.clone()
                },
                "la table de jardin ronde"
            ),
            "table jardin"
        );
        assert_eq!(
            clean(
                &CleanOptions {
                    max_words: 0,
                    ..options.clone()
                },
                "la table"
            ),
            ""
        );
        let text = "table ".repeat(600);
        assert_eq!(
            clean(&CleanOptions::default(), &text).split(' ').count(),
            500
        );
        assert_eq!(
            clean(
                &CleanOptions {
                    max_words: usize::MAX,
                    ..options
                },
                &text
            )
            .split(' ')
            .count(),
            600
        );
    }

    #[test]
    fn field_stats_count_the_raw_field() {
        assert_eq!(
            field_stats("<p>L'été&nbsp;</p>\n 2 "),
            FieldStats {
                chars: 22,
                words: 2
            }
        );
        assert_eq!(field_stats(""), FieldStats::default());
    }

    prop_compose! {
        fn any_options()(
            (strip_html, decode_entities, lowercase) in any::<(bool, bool, bool)>(),
            (remove_punctuation, remove_digits) in any::<(bool, bool)>(),
            (stop, stem, max_words) in (0..8_usize, 0..8_usize, 0..40_usize),
        ) -> CleanOptions {
            CleanOptions {
                strip_html, decode_entities, lowercase, remove_punctuation, remove_digits, max_words,
                stop_words: WordLanguage::ALL.get(stop).copied(),
                stem: WordLanguage::ALL.get(stem).copied(),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn any_text_is_cleaned_to_tokens(options in any_options(), text in any::<String>()) {
            let cleaned = clean(&options, &text);
            prop_assert!(cleaned.is_empty() || cleaned.split(' ').all(|token| !token.is_empty()));
            prop_assert!(cleaned.split_whitespace().count() <= options.max_words);
        }

        #[test]
        fn fields_are_cleaned_as_if_on_their_own(
            options in any_options(),
            title in prop_oneof![any::<String>(), "[<>a-zé&; 0-9ÀÉ]{0,40}", "[a-zé ]{0,40}"],
            description in prop_oneof![Just(String::new()), any::<String>(), "[<>/a-zé&;! 0-9ÀÉ]{0,60}"],
            other in any::<String>(),
        ) {
            let joined = format!("{title} {description}");
            for text in [&joined, &title, &description, &other] {
                let expected = CleanedFields {
                    text: clean(&options, text),
                    title: clean(&options, &title),
                    description: clean(&options, &description),
                };
                prop_assert_eq!(TextCleaner::new(&options).clean_fields(text, &title, &description), expected);
            }
        }

        #[test]
        fn any_word_has_a_stem(language in 0..7_usize, word in "[a-zàâçéèêëîïôûùüœæßñãõ'-]{0,16}") {
            let stem = Some(WordLanguage::ALL[language]);
            let _ = clean(&CleanOptions { stem, remove_punctuation: false, ..CleanOptions::default() }, &word);
        }

        #[test]
        fn cleaning_what_is_clean_changes_nothing(
            options in any_options(),
            text in prop_oneof![any::<String>(), "[<>a-zé&;! 0-9ÀÉ]{0,60}", "\\PC{0,60}"],
        ) {
            // A word may turn into a tag where punctuation stays (the Kelvin sign becomes a `k`), so tags go with punctuation.
            let strip_html = options.strip_html && options.remove_punctuation;
            let options = CleanOptions { strip_html, decode_entities: false, stop_words: None, stem: None, ..options };
            let once = clean(&options, &text);
            prop_assert_eq!(clean(&options, &once), once);
        }

        #[test]
        fn what_is_kept_is_letters(text in any::<String>()) {
            let cleaned = clean(&words_only(), &text);
            prop_assert!(cleaned.chars().all(|c| c == ' ' || c.is_alphabetic() || is_combining_mark(c)), "{:?}", cleaned);
        }
    }
}
