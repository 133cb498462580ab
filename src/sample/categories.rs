//! The 27 categories of the technical report: codes, French names, proportions, and who is taken for whom.
//!
//! Invariant: the quotas of a block of [`BLOCK_ROWS`] rows add up to it, so every whole block holds the
//! categories in the same numbers.

use super::vocabulary::{self as words, Vocabulary, Wording};

/// Rows of one stratified block.
pub(super) const BLOCK_ROWS: usize = 400;

/// Categories that a customer would look for on the same shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Reading,
    Gaming,
    Toys,
    Home,
    Garden,
    Various,
}

impl Group {
    /// Returns the names that fit every category of the group.
    pub(super) fn nouns(self) -> &'static [Wording] {
        match self {
            Self::Reading => words::READING,
            Self::Gaming => words::GAMING,
            Self::Toys => words::TOYS,
            Self::Home => words::HOME,
            Self::Garden => words::GARDEN,
            Self::Various => words::VARIOUS,
        }
    }
}

/// One category.
#[derive(Debug)]
pub(super) struct Category {
    /// `prdtypecode`.
    pub code: u32,
    /// French name, as in the report.
    pub name: &'static str,
    /// Rows in a block of [`BLOCK_ROWS`].
    pub quota: usize,
    /// The shelf it stands on.
    pub group: Group,
    /// The codes it is confused with, likeliest first.
    pub neighbours: &'static [u32],
    /// Its words.
    pub vocabulary: &'static Vocabulary,
}

const fn category(
    code: u32,
    name: &'static str,
    quota: usize,
    group: Group,
    neighbours: &'static [u32],
    vocabulary: &'static Vocabulary,
) -> Category {
    Category {
        code,
        name,
        quota,
        group,
        neighbours,
        vocabulary,
    }
}

/// All categories, by code.
///
/// # Source
///
/// Names: the technical report's table of categories. Quotas: the report's chart of products per category
/// (2583 double the next, then a slow fall, then a tail), in four-hundredths.
pub(super) static CATEGORIES: &[Category] = &[
    category(
        10,
        "Livre d'occasion",
        15,
        Group::Reading,
        &[2705, 2403, 2280],
        &words::USED_BOOK,
    ),
    category(
        40,
        "Jeu Console",
        12,
        Group::Gaming,
        &[2462, 2905, 50],
        &words::CONSOLE_GAME,
    ),
    category(
        50,
        "Accessoire Console",
        8,
        Group::Gaming,
        &[2462, 40, 60],
        &words::CONSOLE_ACCESSORY,
    ),
    category(60, "Tech", 4, Group::Gaming, &[2462, 50], &words::CONSOLE),
    category(
        1140,
        "Figurine",
        12,
        Group::Toys,
        &[1280, 1180, 1160],
        &words::FIGURINE,
    ),
    category(
        1160,
        "Carte Collection",
        19,
        Group::Toys,
        &[1140, 1180],
        &words::CARD,
    ),
    category(
        1180,
        "Jeu Plateau",
        4,
        Group::Toys,
        &[1140, 1281],
        &words::BOARD_GAME,
    ),
    category(
        1280,
        "Déguisement",
        23,
        Group::Toys,
        &[1281, 1140, 1302],
        &words::COSTUME,
    ),
    category(
        1281,
        "Boite de jeu",
        10,
        Group::Toys,
        &[1280, 1180, 1140],
        &words::BOXED_GAME,
    ),
    category(
        1300,
        "Jouet Tech",
        24,
        Group::Toys,
        &[1280, 1302],
        &words::TECH_TOY,
    ),
    category(
        1301,
        "Chaussette",
        4,
        Group::Various,
        &[1320, 1302],
        &words::SOCKS,
    ),
    category(
        1302,
        "Gadget",
        11,
        Group::Various,
        &[1280, 1300],
        &words::GADGET,
    ),
    category(
        1320,
        "Bébé",
        15,
        Group::Various,
        &[1280, 2060],
        &words::BABY,
    ),
    category(
        1560,
        "Salon",
        24,
        Group::Home,
        &[2060, 1920, 2582],
        &words::LIVING_ROOM,
    ),
    category(
        1920,
        "Chambre",
        20,
        Group::Home,
        &[1560, 2060],
        &words::BEDDING,
    ),
    category(
        1940,
        "Cuisine",
        4,
        Group::Various,
        &[2220, 1320],
        &words::FOOD,
    ),
    category(
        2060,
        "Chambre enfant",
        23,
        Group::Home,
        &[1560, 1920],
        &words::CHILD_ROOM,
    ),
    category(
        2220,
        "Animaux",
        4,
        Group::Various,
        &[1302, 1320],
        &words::PETS,
    ),
    category(
        2280,
        "Affiche",
        22,
        Group::Reading,
        &[2403, 10],
        &words::POSTER,
    ),
    category(
        2403,
        "Revue",
        22,
        Group::Reading,
        &[2280, 10, 2705],
        &words::MAGAZINE,
    ),
    category(
        2462,
        "Jeu oldscool",
        7,
        Group::Gaming,
        &[40, 50, 60],
        &words::RETRO_GAME,
    ),
    category(
        2522,
        "Bureautique",
        23,
        Group::Home,
        &[2403, 1560],
        &words::OFFICE,
    ),
    category(
        2582,
        "Décoration",
        12,
        Group::Garden,
        &[1560, 2585, 2583],
        &words::OUTDOOR,
    ),
    category(
        2583,
        "Aquatique",
        49,
        Group::Garden,
        &[2582, 2585],
        &words::POOL,
    ),
    category(
        2585,
        "Soin et Bricolage",
        12,
        Group::Garden,
        &[2582, 2583],
        &words::DIY,
    ),
    category(
        2705,
        "Livre neuf",
        13,
        Group::Reading,
        &[10, 2403, 2280],
        &words::NEW_BOOK,
    ),
    category(
        2905,
        "Jeu PC",
        4,
        Group::Gaming,
        &[40, 2462],
        &words::COMPUTER_GAME,
    ),
];

/// Finds a category by its code.
pub(super) fn find(code: u32) -> Option<&'static Category> {
    CATEGORIES.iter().find(|category| category.code == code)
}

/// Returns the codes of all categories, in ascending order.
pub fn category_codes() -> impl Iterator<Item = u32> {
    CATEGORIES.iter().map(|category| category.code)
}

/// Returns the French name the technical report gives a category.
#[must_use]
pub fn category_name(code: u32) -> Option<&'static str> {
    find(code).map(|category| category.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_fill_a_block_as_in_the_report() {
        assert_eq!(CATEGORIES.len(), 27);
        assert_eq!(
            CATEGORIES
                .iter()
                .map(|category| category.quota)
                .sum::<usize>(),
            BLOCK_ROWS
        );
        assert!(CATEGORIES.iter().all(|category| category.quota >= 4));
        let mut quotas: Vec<usize> = CATEGORIES.iter().map(|category| category.quota).collect();
        quotas.sort_unstable();
        assert_eq!(quotas[26], find(2583).map_or(0, |aquatic| aquatic.quota));
        assert!(quotas[26] >= 2 * quotas[25]);
    }

    #[test]
    fn codes_ascend_and_neighbours_exist() {
        assert!(category_codes().is_sorted_by(|a, b| a < b));
        for category in CATEGORIES {
            assert!(!category.neighbours.is_empty());
            for code in category.neighbours {
                assert!(find(*code).is_some() && *code != category.code, "{code}");
            }
        }
        assert_eq!(category_name(2583), Some("Aquatique"));
        assert_eq!(category_name(11), None);
    }

    #[test]
    fn confusable_categories_share_a_group() {
        for codes in [
            &[10, 2705, 2403, 2280][..],
            &[40, 2462, 60, 50, 2905],
            &[1280, 1281, 1140, 1180],
        ] {
            let groups: Vec<_> = codes
                .iter()
                .filter_map(|code| find(*code))
                .map(|found| found.group)
                .collect();
            assert_eq!(groups.len(), codes.len());
            assert!(groups.iter().all(|group| *group == groups[0]), "{codes:?}");
        }
    }
}
