//! How a description is dressed: paragraphs, lists, entities, comments, now and then a broken tag.
//!
//! Invariant: a [`Style`] decides everything before the first word is seen, so the same style dresses a text
//! and its translation alike.

use super::dice::Dice;

/// How sentences are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Plain,
    Lines,
    Paragraphs,
    Breaks,
    List,
}

/// Faults of hand-written HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    UnclosedBold,
    StrayClose,
    CutTag,
}

/// How one description is dressed.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent habit of a seller's editor"
)]
pub(super) struct Style {
    layout: Layout,
    accents_as_entities: bool,
    apostrophes_as_entities: bool,
    no_break_spaces: bool,
    commented: bool,
    carriage_returns: bool,
    fault: Option<Fault>,
}

impl Style {
    /// Draws a style.
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let layout = match dice.below(100) {
            0..28 => Layout::Plain,
            28..38 => Layout::Lines,
            38..62 => Layout::Paragraphs,
            62..82 => Layout::Breaks,
            _ => Layout::List,
        };
        let html = !matches!(layout, Layout::Plain | Layout::Lines);
        let faults = [Fault::UnclosedBold, Fault::StrayClose, Fault::CutTag];
        Self {
            layout,
            accents_as_entities: html && dice.permille(300),
            apostrophes_as_entities: dice.permille(250),
            no_break_spaces: html && dice.permille(250),
            commented: html && dice.permille(50),
            carriage_returns: dice.permille(50),
            fault: (html && dice.permille(60)).then(|| dice.pick(&faults)),
        }
    }

    /// Dresses `sentences`.
    pub(super) fn dress(self, sentences: &[String]) -> String {
        let sentences: Vec<String> = sentences
            .iter()
            .map(|sentence| self.encode(sentence))
            .collect();
        let mut text = match self.layout {
            Layout::Plain => sentences.join(" "),
            Layout::Lines => sentences.join("\n"),
            Layout::Paragraphs => paragraphs(&sentences),
            Layout::Breaks => sentences.join("<br />\n"),
            Layout::List => list(&sentences),
        };
        if self.commented {
            text.insert_str(0, "<!-- texte importé, ne pas modifier -->");
        }
        match self.fault {
            Some(Fault::UnclosedBold) => text.insert_str(0, "<b>"),
            Some(Fault::StrayClose) => text.push_str("</div></span>"),
            Some(Fault::CutTag) => text.push_str(" <br"),
            None => {}
        }
        if self.carriage_returns {
            text.replace('\n', "\r\n")
        } else {
            text
        }
    }

    fn encode(self, sentence: &str) -> String {
        let mut text = String::with_capacity(sentence.len() + 16);
        for letter in sentence.chars() {
            match letter {
                '\'' if self.apostrophes_as_entities => text.push_str("&#39;"),
                _ if self.accents_as_entities => match entity(letter) {
                    Some(name) => text.extend(["&", name, ";"]),
                    None => text.push(letter),
                },
                _ => text.push(letter),
            }
        }
        if self.no_break_spaces {
            text.replace(" :", "&nbsp;:").replace(", ", ",&nbsp;")
        } else {
            text
        }
    }
}

/// Four sentences to a paragraph, the first one strong.
fn paragraphs(sentences: &[String]) -> String {
    let mut text = String::new();
    for (index, chunk) in sentences.chunks(4).enumerate() {
        let body = chunk.join(" ");
        let (open, close) = if index == 0 {
            ("<p><strong>", "</strong></p>")
        } else {
            ("<p>", "</p>")
        };
        text.extend([open, body.as_str(), close]);
    }
    text
}

fn list(sentences: &[String]) -> String {
    format!("<ul><li>{}</li></ul>", sentences.join("</li><li>"))
}

fn entity(letter: char) -> Option<&'static str> {
    Some(match letter {
        'é' => "eacute",
        'è' => "egrave",
        'ê' => "ecirc",
        'à' => "agrave",
        'â' => "acirc",
        'ç' => "ccedil",
        'î' => "icirc",
        'ô' => "ocirc",
        'û' => "ucirc",
        'ù' => "ugrave",
        'ä' => "auml",
        'ö' => "ouml",
        'ü' => "uuml",
        'ß' => "szlig",
        'á' => "aacute",
        'í' => "iacute",
        'ó' => "oacute",
        'ú' => "uacute",
        'ñ' => "ntilde",
        '³' => "sup3",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: Style = Style {
        layout: Layout::List,
        accents_as_entities: true,
        apostrophes_as_entities: true,
        no_break_spaces: true,
        commented: true,
        carriage_returns: false,
        fault: Some(Fault::CutTag),
    };

    #[test]
    fn a_full_style_uses_every_habit() {
        let text = BARE.dress(&["L'été : doux, long".to_owned(), "Fin".to_owned()]);
        assert_eq!(
            text,
            "<!-- texte importé, ne pas modifier --><ul><li>L&#39;&eacute;t&eacute;&nbsp;: doux,&nbsp;long</li>\
             <li>Fin</li></ul> <br"
        );
    }

    #[test]
    fn line_breaks_follow_the_style() {
        let style = Style {
            layout: Layout::Breaks,
            carriage_returns: true,
            fault: None,
            commented: false,
            ..BARE
        };
        assert_eq!(
            style.dress(&["a".to_owned(), "b".to_owned()]),
            "a<br />\r\nb"
        );
    }

    #[test]
    fn paragraphs_hold_four_sentences() {
        let sentences: Vec<String> = (0..5).map(|number| number.to_string()).collect();
        assert_eq!(
            paragraphs(&sentences),
            "<p><strong>0 1 2 3</strong></p><p>4</p>"
        );
    }
}
