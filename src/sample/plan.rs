//! What each row is to be: category, language, whether it has a description, and the state of its picture.
//!
//! Invariant: shares are kept block by block of 400 rows, not left to chance, so a catalogue of any size beyond
//! one block has every category, language and fault in proportion, and a row's plan depends on nothing after it.

use super::categories::{BLOCK_ROWS, CATEGORIES, Category, find};
use super::dice::{Dice, Purpose, Side};
use super::options::ImageShare;

/// Rows of a block in each language: 81 %, 14 %, 3 % and 2 %.
const LANGUAGE_ROWS: [(Language, usize); 4] = [
    (Language::French, 324),
    (Language::English, 56),
    (Language::German, 12),
    (Language::Spanish, 8),
];

/// Rows of a block without a description: 35 %.
const UNDESCRIBED_ROWS: usize = 140;

/// Rows that show something else than their label says, in thousandths.
const WRONG_LABEL_PERMILLE: u32 = 25;

/// A language of the catalogue, in the order of a wording's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    French,
    English,
    German,
    Spanish,
}

impl Language {
    /// Returns the ISO 639-1 code.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
            Self::German => "de",
            Self::Spanish => "es",
        }
    }
}

/// The state of a row's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImagePlan {
    /// The row names no picture.
    Unreferenced,
    /// The row names a picture that is not there.
    Absent,
    /// The file ends early.
    Truncated,
    /// The file has no bytes.
    Empty,
    /// The file holds text.
    NotAnImage,
    /// The file is sound.
    Drawn,
}

const CORRUPT: [ImagePlan; 3] = [
    ImagePlan::Truncated,
    ImagePlan::Empty,
    ImagePlan::NotAnImage,
];

/// What one row is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowPlan {
    /// The category its label says.
    pub label: &'static Category,
    /// The category its text and picture show; mostly the label's.
    pub shown: &'static Category,
    pub language: Language,
    pub described: bool,
    pub image: ImagePlan,
}

/// Plans the rows of block `block`, [`BLOCK_ROWS`] of them.
pub(super) fn plan_block(seed: u64, side: Side, block: u64, share: ImageShare) -> Vec<RowPlan> {
    let order = |purpose| Dice::new(seed, purpose, side, block).permutation(BLOCK_ROWS);
    let categories = order(Purpose::Categories);
    let languages = order(Purpose::Languages);
    let descriptions = order(Purpose::Descriptions);
    let images = order(Purpose::Images);
    (0..BLOCK_ROWS)
        .map(|row| {
            let label = category_at(categories[row]);
            let mut dice = Dice::new(
                seed,
                Purpose::Content,
                side,
                block * BLOCK_ROWS as u64 + row as u64,
            );
            RowPlan {
                label,
                shown: shown_for(label, &mut dice),
                language: language_at(languages[row]),
                described: descriptions[row] >= UNDESCRIBED_ROWS,
                image: image_at(images[row], block, share),
            }
        })
        .collect()
}

/// Picks a category that `category` is confused with, the first of them half of the time.
pub(super) fn neighbour(category: &'static Category, dice: &mut Dice) -> &'static Category {
    let codes = category.neighbours;
    let code = if dice.permille(500) {
        codes[0]
    } else {
        dice.pick(codes)
    };
    find(code).unwrap_or(category)
}

fn shown_for(label: &'static Category, dice: &mut Dice) -> &'static Category {
    if dice.permille(WRONG_LABEL_PERMILLE) {
        neighbour(label, dice)
    } else {
        label
    }
}

fn category_at(slot: usize) -> &'static Category {
    let mut end = 0;
    CATEGORIES
        .iter()
        .find(|category| {
            end += category.quota;
            slot < end
        })
        .unwrap_or(&CATEGORIES[0])
}

fn language_at(slot: usize) -> Language {
    let mut end = 0;
    let found = LANGUAGE_ROWS.iter().find(|(_, rows)| {
        end += rows;
        slot < end
    });
    found.map_or(Language::French, |(language, _)| *language)
}

fn image_at(slot: usize, block: u64, share: ImageShare) -> ImagePlan {
    let (_, unreferenced) = rows_in_block(share.unreferenced_permille, block);
    let (_, absent) = rows_in_block(share.absent_permille, block);
    let (corrupt_before, corrupt) = rows_in_block(share.corrupt_permille, block);
    let slot = slot as u64;
    if slot < unreferenced {
        ImagePlan::Unreferenced
    } else if slot < unreferenced + absent {
        ImagePlan::Absent
    } else if slot < unreferenced + absent + corrupt {
        let turn = corrupt_before + slot - unreferenced - absent;
        CORRUPT[usize::try_from(turn % 3).unwrap_or(0)]
    } else {
        ImagePlan::Drawn
    }
}

/// Counts the rows of a share before block `block` and within it; what does not divide is carried over.
fn rows_in_block(permille: u16, block: u64) -> (u64, u64) {
    let up_to = |block: u64| block * BLOCK_ROWS as u64 * u64::from(permille) / 1_000;
    (up_to(block), up_to(block + 1) - up_to(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(side: Side, blocks: u64) -> Vec<RowPlan> {
        (0..blocks)
            .flat_map(|block| plan_block(123, side, block, ImageShare::default()))
            .collect()
    }

    #[test]
    fn every_block_keeps_the_shares() {
        for block in 0..3 {
            let rows = plan_block(7, Side::Labelled, block, ImageShare::default());
            for category in CATEGORIES {
                let count = rows
                    .iter()
                    .filter(|row| row.label.code == category.code)
                    .count();
                assert_eq!(count, category.quota, "{}", category.code);
            }
            for (language, expected) in LANGUAGE_ROWS {
                assert_eq!(
                    rows.iter().filter(|row| row.language == language).count(),
                    expected
                );
            }
            assert_eq!(
                rows.iter().filter(|row| !row.described).count(),
                UNDESCRIBED_ROWS
            );
            assert_eq!(
                rows.iter()
                    .filter(|row| row.image == ImagePlan::Unreferenced)
                    .count(),
                20
            );
            assert_eq!(
                rows.iter()
                    .filter(|row| row.image == ImagePlan::Absent)
                    .count(),
                4
            );
        }
    }

    #[test]
    fn two_blocks_hold_every_kind_of_corrupt_image() {
        let rows = rows(Side::Labelled, 2);
        for kind in CORRUPT {
            assert!(rows.iter().any(|row| row.image == kind), "{kind:?}");
        }
        assert_eq!(
            rows.iter()
                .filter(|row| CORRUPT.contains(&row.image))
                .count(),
            4
        );
    }

    #[test]
    fn a_few_labels_are_wrong_and_lead_to_a_neighbour() {
        let rows = rows(Side::Labelled, 10);
        let wrong: Vec<_> = rows
            .iter()
            .filter(|row| row.label.code != row.shown.code)
            .collect();
        assert!((60..=140).contains(&wrong.len()), "{}", wrong.len());
        assert!(
            wrong
                .iter()
                .all(|row| row.label.neighbours.contains(&row.shown.code))
        );
    }

    #[test]
    fn shares_that_do_not_divide_are_carried_over() {
        let total: u64 = (0..1_000).map(|block| rows_in_block(1, block).1).sum();
        assert_eq!(total, 400);
    }

    #[test]
    fn the_sides_differ() {
        let codes = |side| {
            rows(side, 1)
                .iter()
                .map(|row| row.label.code)
                .collect::<Vec<_>>()
        };
        assert_ne!(codes(Side::Labelled), codes(Side::Unlabelled));
    }
}
