//! The text of an HTML fragment: tags, comments, scripts and styles out, entities decoded.
//!
//! Invariant: markup never swallows text. What no `>` ever closes is text, and where the tokenizer runs into the end of the
//! string inside a tag or comment (an unclosed quote, `<!--` without `-->`) the string is read again by the plain rule
//! "`<` up to the next `>`". Every tag becomes a space, block or inline: a bag of words loses nothing by it.

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Error, Span, State, Tokenizer};
use std::borrow::Cow;

/// Returns the text of an HTML fragment, tags out and entities decoded.
///
/// Catalogues hold HTML that was escaped once more (`&lt;br&gt;`, `&amp;eacute;`), so what the first pass brought to light goes
/// through a second one. `3 < 5` stays as it is.
#[must_use]
pub fn html_text(text: &str) -> Cow<'_, str> {
    if !may_hold_markup(text) {
        return Cow::Borrowed(text);
    }
    let once = tokenize(text);
    Cow::Owned(if may_hold_markup(&once) {
        tokenize(&once)
    } else {
        once
    })
}

/// Returns a text with its tags, comments, scripts and styles replaced by spaces and its entities as they were.
#[must_use]
pub fn strip_tags(text: &str) -> Cow<'_, str> {
    if !holds_tag_start(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(tokenize(&text.replace('&', "&amp;")))
}

/// Returns a text with its entities decoded, those encoded twice (`&amp;eacute;`) once more, and its tags as they were.
#[must_use]
pub fn decode_entities(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let once = decode_once(text);
    Cow::Owned(if once.contains('&') {
        decode_once(&once)
    } else {
        once
    })
}

fn decode_once(text: &str) -> String {
    let escaped = escape_less_than(text);
    run(&escaped).unwrap_or_else(|Unclosed| text.to_owned())
}

fn may_hold_markup(text: &str) -> bool {
    text.contains('&') || holds_tag_start(text)
}

/// Tells whether some `<` may open a tag, a comment or a declaration.
fn holds_tag_start(text: &str) -> bool {
    text.as_bytes()
        .windows(2)
        .any(|pair| pair[0] == b'<' && opens_markup(pair[1]))
}

fn opens_markup(next: u8) -> bool {
    next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?')
}

/// One pass: tags to spaces, entities decoded.
fn tokenize(text: &str) -> String {
    // Nothing after the last `>` can be closed any more; escaped, the tokenizer takes it for the text it is.
    let (head, tail) = text.split_at(text.rfind('>').map_or(0, |last| last + 1));
    let closed = if holds_tag_start(tail) {
        Cow::Owned(head.to_owned() + &escape_less_than(tail))
    } else {
        Cow::Borrowed(text)
    };
    run(&closed).unwrap_or_else(|Unclosed| decode_once(&strip_plainly(text)))
}

/// The input ended inside a tag or comment, so that part of it is missing from the output.
struct Unclosed;

fn run(text: &str) -> Result<String, Unclosed> {
    let mut sink = TextSink {
        text: String::with_capacity(text.len()),
        ..TextSink::default()
    };
    // The emitter owns its callback, hence the loan.
    let mut tokenizer = Tokenizer::new_with_emitter(text, CallbackEmitter::new(&mut sink));
    while let Some(Ok(content)) = tokenizer.next() {
        tokenizer.set_state(match content {
            RawContent::Script => State::ScriptData,
            RawContent::Style => State::RawText,
        });
    }
    drop(tokenizer);
    if sink.unclosed {
        Err(Unclosed)
    } else {
        Ok(sink.text)
    }
}

/// An element whose content is no markup and no text; the tokenizer has to be told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum RawContent {
    Script,
    Style,
}

#[derive(Debug, Default)]
struct TextSink {
    text: String,
    open: Option<RawContent>,
    unclosed: bool,
}

impl Callback<RawContent, ()> for &mut TextSink {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _: Span<()>) -> Option<RawContent> {
        match event {
            CallbackEvent::String { value } if self.open.is_none() => {
                self.text.push_str(&String::from_utf8_lossy(value));
            }
            CallbackEvent::OpenStartTag { name } => {
                self.text.push(' ');
                self.open = match name {
                    b"script" => Some(RawContent::Script),
                    b"style" => Some(RawContent::Style),
                    _ => None,
                };
            }
            CallbackEvent::CloseStartTag { .. } => return self.open,
            CallbackEvent::EndTag { .. } => {
                self.text.push(' ');
                self.open = None;
            }
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } => self.text.push(' '),
            CallbackEvent::Error(Error::EofInTag | Error::EofInComment) => self.unclosed = true,
            _ => {}
        }
        None
    }
}

fn escape_less_than(text: &str) -> Cow<'_, str> {
    if text.contains('<') {
        Cow::Owned(text.replace('<', "&lt;"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Replaces everything from a `<` that may open markup to the next `>` by a space.
fn strip_plainly(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let opens = rest
            .as_bytes()
            .get(start + 1)
            .is_some_and(|&next| opens_markup(next));
        let end = if opens {
            rest[start..].find('>').map(|length| start + length + 1)
        } else {
            None
        };
        if opens && end.is_none() {
            break;
        }
        plain.push_str(&rest[..start]);
        plain.push(if opens { ' ' } else { '<' });
        rest = &rest[end.unwrap_or(start + 1)..];
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        html_text(text)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn tags_become_spaces() {
        assert_eq!(
            html_text("<p>Un<br />deux</p><ul><li>trois<li>quatre</ul>"),
            " Un deux   trois quatre "
        );
        assert_eq!(words(r#"a<img alt="x > y" src=z>b"#), ["a", "b"]);
        assert_eq!(
            words("a</P >b<!DOCTYPE html>c<?php d ?>e"),
            ["a", "b", "c", "e"]
        );
    }

    #[test]
    fn comments_scripts_and_styles_go_with_their_content() {
        assert_eq!(words("a<!-- <b>no</b> -->b"), ["a", "b"]);
        assert_eq!(
            words("a<script>if (x < y && z > 1) { t = '<b>no'; }</script>b"),
            ["a", "b"]
        );
        assert_eq!(
            words("a<STYLE media=all>p > b { c: d }</STYLE>b<p>c"),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn entities_are_decoded() {
        assert_eq!(
            html_text("l&#39;&eacute;t&eacute; &#xE0;&nbsp;5&euro; &laquo;R&D&raquo;"),
            "l'été à\u{a0}5€ «R&D»"
        );
        assert_eq!(
            html_text("&eacute sans point-virgule"),
            "é sans point-virgule"
        );
        assert_eq!(
            html_text("&inconnu; & &#0; &#1114112;"),
            "&inconnu; & \u{fffd} \u{fffd}"
        );
    }

    #[test]
    fn what_was_escaped_once_more_is_undone_once_more() {
        assert_eq!(html_text("caf&amp;eacute;"), "café");
        assert_eq!(words("a&lt;br /&gt;b"), ["a", "b"]);
        assert_eq!(html_text("&amp;amp;eacute;"), "&eacute;");
    }

    #[test]
    fn a_lone_less_than_swallows_nothing() {
        assert_eq!(html_text("3 < 5 et 7 > 2"), "3 < 5 et 7 > 2");
        assert_eq!(html_text("1<2 <p>x</p> <3"), "1<2  x  <3");
        assert_eq!(html_text("prix <b plus bas"), "prix <b plus bas");
        assert_eq!(html_text("caf&eacute; <!-- suite"), "café <!-- suite");
    }

    #[test]
    fn broken_markup_swallows_nothing() {
        assert_eq!(
            words(r#"<p class="x>un</p> deux <b>trois</b>"#),
            ["un", "deux", "trois"]
        );
        assert_eq!(
            words("<!-- un > deux &eacute; < trois"),
            ["deux", "é", "<", "trois"]
        );
        assert_eq!(words("un</p"), ["un</p"]);
        assert_eq!(words("<p>un <a href='b>deux"), ["un", "deux"]);
    }

    #[test]
    fn each_half_can_go_alone() {
        assert_eq!(
            strip_tags("<p>caf&eacute; &amp; &lt;b&gt;</p> 1 < 2"),
            " caf&eacute; &amp; &lt;b&gt;  1 < 2"
        );
        assert_eq!(
            decode_entities("<p title='&eacute;'>caf&eacute; &lt;"),
            "<p title='é'>café <"
        );
        assert_eq!(decode_entities("<!-- caf&amp;eacute;"), "<!-- café");
    }

    #[test]
    fn plain_text_is_not_copied() {
        for text in ["", "table 3 < 5 > 2", "é"] {
            assert!(matches!(html_text(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(strip_tags(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(decode_entities(text), Cow::Borrowed(same) if same == text));
        }
    }

    /// Strings of the characters that make markup, so that broken tags, comments and entities are common.
    fn markup() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("<"),
            Just(">"),
            Just("</"),
            Just("<b"),
            Just("<!--"),
            Just("-->"),
            Just("\""),
            Just("'"),
            Just("="),
            Just(" "),
            Just("a"),
            Just("é"),
            Just("&"),
            Just("amp;"),
            Just("#"),
            Just("233;"),
            Just("<script>"),
            Just("</script>"),
            Just("\0"),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_text_passes(text in prop_oneof![any::<String>(), markup()]) {
            let _ = (html_text(&text), strip_tags(&text), decode_entities(&text));
        }

        #[test]
        fn without_tags_every_letter_survives(text in "([a-zé>=\"' 0-9.]|<[ 0-9]){0,40}") {
            prop_assert_eq!(html_text(&text), text.as_str());
        }

        #[test]
        fn escaping_then_reading_gives_the_text_back(text in "[a-zé<>\"' 0-9.]{0,40}") {
            // Twice, since one level of double encoding is undone.
            let escaped = text.replace('<', "&amp;lt;").replace('>', "&amp;gt;");
            prop_assert_eq!(html_text(&escaped), text.as_str());
        }

        #[test]
        fn text_before_and_after_markup_survives(text in markup()) {
            let text = text.replace("<script>", "<s>");
            let whole = format!("avant {text} apres");
            let read = html_text(&whole);
            prop_assert!(read.starts_with("avant ") && read.ends_with(" apres"), "{:?}", read);
        }
    }
}
