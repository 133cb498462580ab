//! The words of the sample catalogue, in four languages.
//!
//! Invariant: every entry holds its French, English, German and Spanish wording, in this order, separated by
//! `|`. A text drawn in one language can so be told again in French, which is where the sample's translations
//! come from. Brands are invented and the same everywhere.

mod games;
mod garden;
mod home;
mod reading;
mod shop;
mod toys;
mod various;

pub(super) use games::{
    COMPUTER_GAME, CONSOLE, CONSOLE_ACCESSORY, CONSOLE_GAME, GAMING, RETRO_GAME,
};
pub(super) use garden::{DIY, GARDEN, OUTDOOR, POOL};
pub(super) use home::{BEDDING, CHILD_ROOM, HOME, LIVING_ROOM, OFFICE};
pub(super) use reading::{MAGAZINE, NEW_BOOK, POSTER, READING, USED_BOOK};
pub(super) use shop::{COLOURS, EXTRAS, GENERIC_NOUNS, SHOP_SENTENCES};
pub(super) use toys::{BOARD_GAME, BOXED_GAME, CARD, COSTUME, FIGURINE, TECH_TOY, TOYS};
pub(super) use various::{BABY, FOOD, GADGET, PETS, SOCKS, VARIOUS};

/// One meaning in four languages: `french|english|german|spanish`.
pub(super) type Wording = &'static str;

/// What one category talks about.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// The things sold.
    pub nouns: &'static [Wording],
    /// What qualifies them.
    pub traits: &'static [Wording],
    /// Invented brands, series and makers.
    pub brands: &'static [&'static str],
    /// Whole sentences; `{noun}`, `{brand}` and `{n}` are filled in.
    pub sentences: &'static [Wording],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::categories::{CATEGORIES, Group};

    fn assert_four(wordings: &[Wording]) {
        for wording in wordings {
            let parts: Vec<&str> = wording.split('|').collect();
            assert_eq!(parts.len(), 4, "{wording}");
            assert!(
                parts
                    .iter()
                    .all(|part| !part.is_empty() && part.trim() == *part),
                "{wording}"
            );
            for hole in ["{noun}", "{brand}", "{n}"] {
                let counts: Vec<usize> = parts
                    .iter()
                    .map(|part| part.matches(hole).count())
                    .collect();
                assert!(
                    counts.iter().all(|count| *count == counts[0]),
                    "{hole} in {wording}"
                );
            }
        }
    }

    #[test]
    fn every_wording_is_told_in_four_languages() {
        for category in CATEGORIES {
            let words = category.vocabulary;
            for list in [words.nouns, words.traits, words.sentences] {
                assert!(list.len() >= 3, "{}", category.code);
                assert_four(list);
            }
            assert!(words.brands.len() >= 3, "{}", category.code);
        }
        for group in [
            Group::Reading,
            Group::Gaming,
            Group::Toys,
            Group::Home,
            Group::Garden,
            Group::Various,
        ] {
            assert_four(group.nouns());
        }
        for list in [COLOURS, EXTRAS, GENERIC_NOUNS, SHOP_SENTENCES] {
            assert_four(list);
        }
    }
}
