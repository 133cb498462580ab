//! Titles and descriptions, and their French translations.
//!
//! A text is drawn as a list of meanings first and told in a language after, so the translation of a foreign
//! text is the same meanings told in French. Difficulty comes from titles that name only the shelf or nothing
//! at all, from words of confusable neighbours and from descriptions that only talk about delivery.

use super::categories::Category;
use super::dice::{Dice, Purpose, Side};
use super::markup::Style;
use super::plan::{Language, RowPlan, neighbour};
use super::vocabulary::{COLOURS, EXTRAS, GENERIC_NOUNS, SHOP_SENTENCES, Wording};

/// Words of a description at the given thousandths of all descriptions: a log-normal law (median 80, sigma 0.9),
/// tabled so that no machine's logarithm decides a length.
const LENGTH_QUANTILES: [(u32, u32); 11] = [
    (0, 5),
    (10, 10),
    (50, 18),
    (100, 25),
    (250, 44),
    (500, 80),
    (750, 147),
    (900, 253),
    (950, 351),
    (990, 649),
    (999, 1290),
];

/// Words of the longest descriptions.
const LONGEST_WORDS: u32 = 2_000;

/// A noun and a quality, as sellers list them.
const FEATURE: Wording = "{noun} : {trait}.|{noun}: {trait}.|{noun}: {trait}.|{noun}: {trait}.";

/// The texts of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub title: String,
    /// Empty where the row has no description.
    pub description: String,
    /// Present for some of the foreign rows.
    pub translation: Option<Translation>,
}

/// An entry of the translation table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Translation {
    pub source_text: String,
    pub french: String,
}

/// Draws the texts of row `row`.
pub(super) fn draw(seed: u64, side: Side, row: u64, plan: &RowPlan) -> Listing {
    let mut dice = Dice::new(seed, Purpose::Text, side, row);
    let title = Title::draw(&mut dice, plan.shown);
    let description = plan
        .described
        .then(|| Description::draw(&mut dice, plan.shown));
    let tell = |language| {
        let text = description
            .as_ref()
            .map(|description| description.tell(language));
        (title.tell(language), text.unwrap_or_default())
    };
    let (told_title, told_description) = tell(plan.language);
    let translation = match dice.below(100) {
        _ if plan.language == Language::French => None,
        0..45 => {
            let (french_title, french_description) = tell(Language::French);
            Some(Translation {
                source_text: join(&told_title, &told_description),
                french: join(&french_title, &french_description),
            })
        }
        45..70 => Some(Translation {
            source_text: told_title.clone(),
            french: title.tell(Language::French),
        }),
        _ => None,
    };
    Listing {
        title: told_title,
        description: told_description,
        translation,
    }
}

/// Joins the two fields as the table's readers do.
fn join(title: &str, description: &str) -> String {
    if description.is_empty() {
        title.to_owned()
    } else {
        format!("{title} {description}")
    }
}

/// A part of a title.
#[derive(Debug, Clone)]
enum Piece {
    Told(Wording),
    Same(String),
}

/// How much a title gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Own,
    Group,
    Neighbour,
    Generic,
}

impl Head {
    fn draw(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..76 => Self::Own,
            76..86 => Self::Group,
            86..91 => Self::Neighbour,
            _ => Self::Generic,
        }
    }

    fn noun(self, dice: &mut Dice, category: &'static Category) -> Wording {
        match self {
            Self::Own => dice.favour(category.vocabulary.nouns),
            Self::Group => dice.pick(category.group.nouns()),
            Self::Neighbour => {
                let other = neighbour(category, dice);
                dice.favour(other.vocabulary.nouns)
            }
            Self::Generic => dice.pick(GENERIC_NOUNS),
        }
    }

    /// Thousandths of titles with a quality and with a brand of their category.
    fn hints(self) -> (u32, u32) {
        match self {
            Self::Own => (720, 500),
            Self::Group => (400, 250),
            Self::Neighbour => (500, 350),
            Self::Generic => (250, 150),
        }
    }
}

#[derive(Debug)]
struct Title {
    pieces: Vec<Piece>,
    separator: &'static str,
    upper_case: bool,
    entities: bool,
}

impl Title {
    fn draw(dice: &mut Dice, category: &'static Category) -> Self {
        let head = Head::draw(dice);
        let (quality, brand) = head.hints();
        let mut pieces = vec![Piece::Told(head.noun(dice, category))];
        if dice.permille(quality) {
            pieces.push(Piece::Told(dice.favour(category.vocabulary.traits)));
        }
        if dice.permille(brand) {
            let at = dice.index(2);
            pieces.insert(
                at,
                Piece::Same(dice.favour(category.vocabulary.brands).to_owned()),
            );
        }
        add_extras(dice, &mut pieces);
        let separator = dice.pick(&[" ", " ", " - ", ", "]);
        Self {
            pieces,
            separator,
            upper_case: dice.permille(50),
            entities: dice.permille(80),
        }
    }

    fn tell(&self, language: Language) -> String {
        let parts: Vec<&str> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Told(wording) => told(wording, language),
                Piece::Same(text) => text,
            })
            .collect();
        let text = capitalised(&parts.join(self.separator));
        let text = if self.upper_case {
            text.to_uppercase()
        } else {
            text
        };
        if self.entities {
            text.replace('\'', "&#39;")
        } else {
            text
        }
    }
}

/// Adds what says nothing of the category: colour, size, reference, praise.
fn add_extras(dice: &mut Dice, pieces: &mut Vec<Piece>) {
    if dice.permille(400) {
        pieces.push(Piece::Told(dice.pick(COLOURS)));
    }
    if dice.permille(300) {
        pieces.push(Piece::Same(format!(
            "{} x {} cm",
            5 + dice.below(200),
            5 + dice.below(120)
        )));
    }
    if dice.permille(250) {
        pieces.push(Piece::Same(format!("Ref. {}", 1_000 + dice.below(900_000))));
    }
    let extras = match dice.below(100) {
        0..30 => 0,
        30..65 => 1,
        65..95 => 2,
        _ => 5,
    };
    for _ in 0..extras {
        pieces.push(Piece::Told(dice.pick(EXTRAS)));
    }
}

/// A sentence with what fills its holes.
#[derive(Debug)]
struct Sentence {
    wording: Wording,
    noun: Wording,
    quality: Wording,
    brand: &'static str,
    number: u32,
}

impl Sentence {
    /// Fills the holes of `wording` with words of `category`, the noun being given.
    fn new(dice: &mut Dice, wording: Wording, category: &'static Category, noun: Wording) -> Self {
        let words = category.vocabulary;
        let (quality, brand) = (dice.favour(words.traits), dice.favour(words.brands));
        Self {
            wording,
            noun,
            quality,
            brand,
            number: 2 + dice.below(300),
        }
    }

    /// Draws a sentence of a row about `category`; a dull row's tell nothing of it.
    fn draw(dice: &mut Dice, category: &'static Category, dull: bool) -> Self {
        let kind = if dull { 99 } else { dice.below(100) };
        let own_noun = dice.favour(category.vocabulary.nouns);
        match kind {
            0..24 => {
                let wording = dice.favour(category.vocabulary.sentences);
                Self::new(dice, wording, category, own_noun)
            }
            24..38 => Self::new(dice, FEATURE, category, own_noun),
            38..46 => {
                let noun = dice.pick(category.group.nouns());
                let other = neighbour(category, dice);
                Self::new(dice, FEATURE, other, noun)
            }
            46..52 => {
                let other = neighbour(category, dice);
                let wording = dice.favour(other.vocabulary.sentences);
                Self::new(dice, wording, other, own_noun)
            }
            _ => {
                let wording = dice.pick(SHOP_SENTENCES);
                Self::new(dice, wording, category, own_noun)
            }
        }
    }

    fn tell(&self, language: Language) -> String {
        let text = told(self.wording, language)
            .replace("{noun}", told(self.noun, language))
            .replace("{trait}", told(self.quality, language))
            .replace("{brand}", self.brand)
            .replace("{n}", &self.number.to_string());
        capitalised(&text)
    }
}

#[derive(Debug)]
struct Description {
    sentences: Vec<Sentence>,
    style: Style,
}

impl Description {
    fn draw(dice: &mut Dice, category: &'static Category) -> Self {
        let style = Style::draw(dice);
        let dull = dice.permille(180);
        let target = length_words(dice);
        let mut words = 0;
        let mut sentences = Vec::new();
        while words < target {
            let sentence = Sentence::draw(dice, category, dull);
            words += sentence.tell(Language::French).split_whitespace().count();
            sentences.push(sentence);
        }
        Self { sentences, style }
    }

    fn tell(&self, language: Language) -> String {
        let told: Vec<String> = self
            .sentences
            .iter()
            .map(|sentence| sentence.tell(language))
            .collect();
        self.style.dress(&told)
    }
}

/// Draws a number of words.
fn length_words(dice: &mut Dice) -> usize {
    let at = dice.below(1_000_000);
    let upper = LENGTH_QUANTILES
        .iter()
        .position(|(permille, _)| at < permille * 1_000);
    let (low, high) = match upper {
        Some(index) => (
            LENGTH_QUANTILES[index.max(1) - 1],
            LENGTH_QUANTILES[index.max(1)],
        ),
        None => (
            LENGTH_QUANTILES[LENGTH_QUANTILES.len() - 1],
            (1_000, LONGEST_WORDS),
        ),
    };
    let (from, to) = (u64::from(low.0) * 1_000, u64::from(high.0) * 1_000);
    let rise = u64::from(high.1 - low.1) * (u64::from(at) - from) / (to - from);
    low.1 as usize + usize::try_from(rise).unwrap_or(0)
}

/// Returns the part of `wording` told in `language`.
fn told(wording: Wording, language: Language) -> &'static str {
    wording.split('|').nth(language as usize).unwrap_or(wording)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::categories::BLOCK_ROWS;
    use crate::sample::options::ImageShare;
    use crate::sample::plan::plan_block;

    fn listings(blocks: u64) -> Vec<(RowPlan, Listing)> {
        (0..blocks)
            .flat_map(|block| {
                let plans = plan_block(123, Side::Labelled, block, ImageShare::default());
                plans.into_iter().enumerate().map(move |(row, plan)| {
                    let row = block * BLOCK_ROWS as u64 + row as u64;
                    (plan, draw(123, Side::Labelled, row, &plan))
                })
            })
            .collect()
    }

    #[test]
    fn a_row_is_the_same_each_time_and_unlike_the_next() {
        let (first, again) = (listings(1), listings(1));
        assert!(first.iter().zip(&again).all(|(a, b)| a.1 == b.1));
        assert_ne!(first[0].1.title, first[1].1.title);
    }

    #[test]
    fn descriptions_follow_the_plan_and_the_report() {
        let rows = listings(5);
        assert!(
            rows.iter()
                .all(|(plan, listing)| plan.described != listing.description.is_empty())
        );
        let words: usize = rows
            .iter()
            .map(|(_, listing)| listing.description.split_whitespace().count())
            .sum();
        let mean = words / rows.len();
        assert!((65..=95).contains(&mean), "{mean}");
        let longest = rows
            .iter()
            .map(|(_, listing)| listing.description.split_whitespace().count())
            .max();
        assert!((600..=2_200).contains(&longest.unwrap_or(0)), "{longest:?}");
    }

    #[test]
    fn titles_have_about_a_dozen_words() {
        let rows = listings(2);
        let words: usize = rows
            .iter()
            .map(|(_, listing)| listing.title.split_whitespace().count())
            .sum();
        assert!(
            (8..=13).contains(&(words / rows.len())),
            "{}",
            words / rows.len()
        );
        assert!(rows.iter().all(|(_, listing)| !listing.title.is_empty()));
    }

    #[test]
    fn lengths_cover_the_table() {
        let mut dice = Dice::new(1, Purpose::Text, Side::Labelled, 0);
        let mut lengths: Vec<usize> = (0..20_000).map(|_| length_words(&mut dice)).collect();
        lengths.sort_unstable();
        assert!(lengths[0] >= 5 && lengths[0] <= 7);
        assert!((76..=84).contains(&lengths[10_000]), "{}", lengths[10_000]);
        assert!(lengths[19_999] > 1_290 && lengths[19_999] <= 2_000);
    }

    #[test]
    fn some_foreign_texts_are_translated_and_some_pending() {
        let rows = listings(5);
        let foreign: Vec<_> = rows
            .iter()
            .filter(|(plan, _)| plan.language != Language::French)
            .collect();
        let full = |(_, listing): &&&(RowPlan, Listing)| {
            let joined = join(&listing.title, &listing.description);
            listing
                .translation
                .as_ref()
                .is_some_and(|entry| entry.source_text == joined)
        };
        let translated = foreign
            .iter()
            .filter(|(_, listing)| listing.translation.is_some())
            .count();
        let fully = foreign.iter().filter(full).count();
        assert_eq!(foreign.len(), 380);
        assert!((230..=300).contains(&translated), "{translated}");
        assert!(fully >= 130 && fully < translated, "{fully}");
        let french = rows
            .iter()
            .filter(|(plan, _)| plan.language == Language::French);
        assert!(
            french
                .map(|(_, listing)| &listing.translation)
                .all(Option::is_none)
        );
    }

    #[test]
    fn a_translation_tells_the_same_in_french() {
        let dice = &mut Dice::new(3, Purpose::Text, Side::Labelled, 0);
        let words = crate::sample::categories::CATEGORIES[0].vocabulary;
        let noun = words.nouns[0];
        let sentence = Sentence::new(
            dice,
            FEATURE,
            &crate::sample::categories::CATEGORIES[0],
            noun,
        );
        assert!(
            sentence
                .tell(Language::French)
                .starts_with("Roman d'occasion : ")
        );
        assert!(
            sentence
                .tell(Language::German)
                .starts_with("Gebrauchter Roman: ")
        );
    }

    #[test]
    fn descriptions_hold_html_entities_and_line_breaks() {
        let text: String = listings(5)
            .into_iter()
            .map(|(_, listing)| listing.description)
            .collect();
        for sign in [
            "<p>", "<br />", "<ul><li>", "&eacute;", "&#39;", "&nbsp;", "<!--", "\r\n", "\n",
            " <br",
        ] {
            assert!(text.contains(sign), "{sign}");
        }
        assert!(!text.contains('{') && !text.contains('|'));
    }
}
