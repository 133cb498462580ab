//! Stop words and stems, and the memory of what became of each word.
//!
//! Invariant: a lexicon answers the same whether it has met a word before or not, and holds no more than a fixed number of words.

use super::TextError;
use super::interner::{Interner, hash};
use rust_stemmers::{Algorithm, Stemmer};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;

/// A language whose stop words and stems are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are their own names")]
pub enum WordLanguage {
    Dutch,
    English,
    French,
    German,
    Italian,
    Portuguese,
    Spanish,
}

/// The language of a stop-word list.
///
/// # Source
///
/// stopwords-iso (crate `stop-words`). Python's `stop_words` has shorter lists for the same languages, so tokens differ by the
/// words that only one of them lists (French: 691 against 348).
pub type StopWords = WordLanguage;

/// The language of a Snowball stemmer.
///
/// # Source
///
/// rust-stemmers, the Snowball algorithms that NLTK ports too.
pub type Stem = WordLanguage;

impl WordLanguage {
    /// All of them, by name.
    pub const ALL: [Self; 7] = [
        Self::Dutch,
        Self::English,
        Self::French,
        Self::German,
        Self::Italian,
        Self::Portuguese,
        Self::Spanish,
    ];

    /// Returns the name, as in `french`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dutch => "dutch",
            Self::English => "english",
            Self::French => "french",
            Self::German => "german",
            Self::Italian => "italian",
            Self::Portuguese => "portuguese",
            Self::Spanish => "spanish",
        }
    }

    /// Returns the stop words, which may hold apostrophes and hyphens.
    #[must_use]
    pub fn stop_words(self) -> &'static [&'static str] {
        let code = match self {
            Self::Dutch => "nl",
            Self::English => "en",
            Self::French => "fr",
            Self::German => "de",
            Self::Italian => "it",
            Self::Portuguese => "pt",
            Self::Spanish => "es",
        };
        stop_words::lookup(code).unwrap_or_default()
    }

    fn stemmer(self) -> Stemmer {
        Stemmer::create(match self {
            Self::Dutch => Algorithm::Dutch,
            Self::English => Algorithm::English,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Italian => Algorithm::Italian,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Spanish => Algorithm::Spanish,
        })
    }
}

impl fmt::Display for WordLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WordLanguage {
    type Err = TextError;

    fn from_str(name: &str) -> Result<Self, TextError> {
        Self::ALL
            .into_iter()
            .find(|language| language.as_str() == name)
            .ok_or_else(|| TextError::UnknownWordLanguage {
                name: name.to_owned(),
                expected: Self::ALL.map(Self::as_str).join(", "),
            })
    }
}

/// What becomes of each word: nothing for a stop word, its stem otherwise.
pub(super) struct Lexicon {
    stop_words: HashSet<String>,
    stemmer: Option<Stemmer>,
    /// Words met before, as they stand in texts.
    words: Interner,
    /// By number of the word, where its token stands in `tokens`.
    spans: Vec<(u32, u32)>,
    tokens: String,
    /// The last word that was not worth remembering, and its token.
    folded: String,
    token: String,
}

/// Words a lexicon holds, so that memory stays flat however long the catalogue; the frequent ones come early.
const LEXICON_WORDS: usize = 1 << 18;

/// Bytes of the longest word worth remembering.
const LEXICON_WORD_BYTES: usize = 40;

impl Lexicon {
    pub(super) fn new(stop_words: Option<StopWords>, stem: Option<Stem>) -> Self {
        let stop_words = stop_words.map_or(&[][..], StopWords::stop_words);
        Self {
            stop_words: stop_words.iter().map(|word| word.nfc().collect()).collect(),
            stemmer: stem.map(Stem::stemmer),
            words: Interner::default(),
            spans: Vec::new(),
            tokens: String::new(),
            folded: String::new(),
            token: String::new(),
        }
    }

    /// Returns what stands for a word, empty where it goes. `fold` writes the normal form of a word, and has to be the same at
    /// every call: of a word met before it is not asked again.
    pub(super) fn token(&mut self, raw: &str, fold: impl FnOnce(&str, &mut String)) -> &str {
        let hash = hash(raw);
        if let Some(number) = self.words.get_hashed(hash, raw) {
            let (start, end) = self.spans[number as usize];
            return &self.tokens[start as usize..end as usize];
        }
        self.folded.clear();
        fold(raw, &mut self.folded);
        self.token.clear();
        if !self.stop_words.contains(&self.folded) {
            match &self.stemmer {
                Some(stemmer) => self.token.push_str(&stemmer.stem(&self.folded)),
                None => self.token.push_str(&self.folded),
            }
        }
        if raw.len() <= LEXICON_WORD_BYTES && self.words.len() < LEXICON_WORDS {
            let start = self.tokens.len();
            let end = start + self.token.len();
            if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) {
                self.words.intern(hash, raw);
                self.spans.push((start, end));
                self.tokens.push_str(&self.token);
            }
        }
        &self.token
    }
}

impl fmt::Debug for Lexicon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lexicon")
            .field("words", &self.words.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(lexicon: &mut Lexicon, word: &str) -> String {
        let fold = |raw: &str, word: &mut String| word.push_str(raw);
        lexicon.token(word, fold).to_owned()
    }

    #[test]
    fn every_language_has_stop_words_and_stems() {
        for (language, stop_word, word, stem) in [
            (WordLanguage::Dutch, "de", "tafels", "tafel"),
            (WordLanguage::English, "the", "tables", "tabl"),
            (WordLanguage::French, "les", "tables", "tabl"),
            (WordLanguage::German, "die", "tische", "tisch"),
            (WordLanguage::Italian, "il", "tavolo", "tavol"),
            (WordLanguage::Portuguese, "as", "cadeiras", "cadeir"),
            (WordLanguage::Spanish, "las", "mesas", "mes"),
        ] {
            let mut lexicon = Lexicon::new(Some(language), Some(language));
            assert_eq!(token(&mut lexicon, stop_word), "", "{language}");
            assert_eq!(token(&mut lexicon, word), stem, "{language}");
            assert_eq!(language.as_str().parse(), Ok(language));
        }
        let error = "klingon".parse::<WordLanguage>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("unknown language `klingon` (expected one of dutch, english,"),
            "{error}"
        );
    }

    #[test]
    fn without_stems_or_stop_words_a_word_stays() {
        assert_eq!(token(&mut Lexicon::new(None, None), "les"), "les");
        assert_eq!(
            token(&mut Lexicon::new(Some(StopWords::French), None), "tables"),
            "tables"
        );
        assert_eq!(
            token(&mut Lexicon::new(None, Some(Stem::French)), "tables"),
            "tabl"
        );
    }

    #[test]
    fn memory_is_bounded_and_shows_in_no_answer() {
        let mut lexicon = Lexicon::new(None, Some(Stem::French));
        let long = "a".repeat(LEXICON_WORD_BYTES) + "tables";
        let words: Vec<String> = (0..LEXICON_WORDS + 10).map(word).chain([long]).collect();
        for _ in 0..2 {
            for word in &words {
                let fresh = Stem::French.stemmer().stem(word).into_owned();
                assert_eq!(token(&mut lexicon, word), fresh);
            }
            assert_eq!(lexicon.words.len(), LEXICON_WORDS);
        }
    }

    /// A word for a number, each its own.
    fn word(mut number: usize) -> String {
        let mut word = String::from("xq");
        while number > 0 {
            word.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
            number /= 26;
        }
        word
    }
}
