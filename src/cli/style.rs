//! Colours: whether a stream gets them, and what they stand for.
//!
//! One rule for everything that is printed, help and mistakes of arguments included: colours on a terminal; none where `NO_COLOR` is set,
//! `CLICOLOR` is 0 or the terminal is dumb; everywhere where `CLICOLOR_FORCE` is set.

use anstream::AutoStream;
use anstyle::{AnsiColor, Effects, Style};
use clap::builder::Styles;

/// What clap prints.
pub(super) const HELP: Styles = Styles::styled()
    .header(Style::new().effects(Effects::BOLD))
    .usage(Style::new().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default().effects(Effects::DIMMED))
    .error(AnsiColor::Red.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::Green.on_default())
    .invalid(AnsiColor::Yellow.on_default());

/// What a piece of text says of the state of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing is to be done, or this is how to go on.
    Good,
    /// Something is to be done.
    Pending,
    /// Something went wrong.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Pending => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
        }
    }
}

/// Paints text for one stream, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint {
    is_on: bool,
}

impl Paint {
    /// For standard output.
    pub(super) fn stdout() -> Self {
        Self {
            is_on: AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        }
    }

    /// For standard error.
    pub(super) fn stderr() -> Self {
        Self {
            is_on: AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never,
        }
    }

    /// Whether there are colours at all.
    pub(super) fn is_on(self) -> bool {
        self.is_on
    }

    /// Paints a text.
    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        if !self.is_on {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }

    /// Paints the name of a state: `fresh`, `dirty` and what a run makes of stages.
    pub(super) fn state(self, state: &str) -> String {
        match state {
            "fresh" | "ran" | "ok" => self.tone(Tone::Good, state),
            "dirty" | "interrupted" => self.tone(Tone::Pending, state),
            "failed" => self.tone(Tone::Bad, state),
            _ => state.to_owned(),
        }
    }
}

/// How many columns a text takes on a screen: its characters without colours.
pub(super) fn width(text: &str) -> usize {
    let mut count = 0;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // Colours end in an `m`, and nothing else is ever painted.
            characters.by_ref().find(|&end| end == 'm');
        } else {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_painted_where_there_are_colours() {
        let on = Paint { is_on: true };
        let fresh = on.state("fresh");
        assert!(fresh.starts_with("\u{1b}[32m") && fresh.contains("fresh"));
        assert_ne!(
            on.state("failed"),
            on.state("dirty").replace("dirty", "failed")
        );
        assert_eq!(Paint { is_on: false }.state("failed"), "failed");
        assert_eq!(on.state("-"), "-");
    }

    #[test]
    fn colours_take_no_room() {
        let on = Paint { is_on: true };
        assert_eq!(width(&on.state("dirty")), 5);
        assert_eq!(width("é…"), 2);
    }
}
