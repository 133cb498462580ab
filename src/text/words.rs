//! The words of a text as they stand in it: what each character is to the words around it.
//!
//! Invariant: a word begins with a character that is kept, and ends before the next separator; white space always separates.

use super::CleanOptions;
use unicode_normalization::char::is_combining_mark;

/// What characters are to the words around them, under some options.
#[derive(Debug)]
pub(super) struct Roles {
    options: CleanOptions,
    /// Of the characters that take one byte or two in UTF-8: nearly all of a text.
    table: Vec<Role>,
}

impl Roles {
    pub(super) fn new(options: &CleanOptions) -> Self {
        let table = ('\0'..='\u{7ff}').map(|c| look_up(c, options)).collect();
        Self {
            options: options.clone(),
            table,
        }
    }

    /// The words of a text.
    pub(super) fn words<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        Words {
            rest: text,
            roles: self,
        }
    }

    #[inline]
    fn of(&self, c: char) -> Role {
        let known = self.table.get(c as usize).copied();
        known.unwrap_or_else(|| look_up(c, &self.options))
    }
}

struct Words<'a> {
    rest: &'a str,
    roles: &'a Roles,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut chars = self.rest.char_indices();
        let (start, _) = chars.find(|&(_, c)| self.roles.of(c) == Role::Kept)?;
        let end = chars.find(|&(_, c)| self.roles.of(c) == Role::Separator);
        let end = end.map_or(self.rest.len(), |(end, _)| end);
        let word = &self.rest[start..end];
        self.rest = &self.rest[end..];
        Some(word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    /// Belongs to a word.
    Kept,
    /// Belongs to the word it follows, if any: combining marks and invisible joiners.
    Follower,
    /// Stands between words.
    Separator,
}

/// What a character is to the words around it. ASCII first: it is most of a text.
fn look_up(c: char, options: &CleanOptions) -> Role {
    let kept = if c.is_ascii_alphabetic() {
        true
    } else if c.is_whitespace() {
        false
    } else if c.is_numeric() {
        !options.remove_digits
    } else if !options.remove_punctuation {
        true
    } else if c.is_ascii() {
        false
    } else if is_combining_mark(c) || is_joiner(c) {
        return Role::Follower;
    } else {
        c.is_alphabetic()
    };
    if kept { Role::Kept } else { Role::Separator }
}

/// Characters that show nothing and part nothing: soft hyphen, zero-width (non-)joiner, word joiner, byte-order mark.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_and_joiners_belong_to_the_word_before() {
        let roles = Roles::new(&CleanOptions::default());
        let text = "\u{301}e\u{301}te\u{301}! co\u{ad}ton 3D, नमस्ते";
        let words: Vec<&str> = roles.words(text).collect();
        assert_eq!(words, ["e\u{301}te\u{301}", "co\u{ad}ton", "D", "नमस्ते"]);
    }

    proptest! {
        #[test]
        fn the_table_says_what_is_looked_up(c in any::<char>(), punctuation in any::<bool>(), digits in any::<bool>()) {
            let options = CleanOptions {
                remove_punctuation: punctuation,
                remove_digits: digits,
                ..CleanOptions::default()
            };
            let roles = Roles::new(&options);
            for c in [c, char::from(c as u8)] {
                prop_assert_eq!(roles.of(c), look_up(c, &options));
            }
        }
    }
}
