//! The language of the page: texts in English and French, and numbers as each writes them.

use serde::{Deserialize, Serialize};

/// Language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Lang {
    /// Its code, ISO 639-1.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }

    /// Reads a code back.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        [Self::En, Self::Fr]
            .into_iter()
            .find(|lang| lang.code() == code)
    }

    /// The text of this language.
    pub(super) fn pick<'a>(self, english: &'a str, french: &'a str) -> &'a str {
        match self {
            Self::En => english,
            Self::Fr => french,
        }
    }

    /// A whole number in groups of three digits.
    pub(super) fn whole(self, value: u64) -> String {
        let digits = value.to_string();
        let group = self.pick(",", "\u{202f}");
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push_str(group);
            }
            text.push(digit);
        }
        text
    }

    /// A number with some decimals.
    pub(super) fn decimal(self, value: f64, decimals: usize) -> String {
        let text = format!("{value:.decimals$}");
        match self {
            Self::En => text,
            Self::Fr => text.replace('.', ","),
        }
    }

    /// A share as a percentage: small ones with a decimal.
    pub(super) fn percent(self, share: f64) -> String {
        let percent = share * 100.0;
        let decimals = usize::from(percent > 0.0 && percent < 9.95);
        let space = self.pick("", "\u{202f}");
        format!("{}{space}%", self.decimal(percent, decimals))
    }

    /// A duration in its largest units.
    pub(super) fn duration(self, elapsed_ms: u64) -> String {
        let seconds = elapsed_ms as f64 / 1000.0;
        if seconds < 10.0 {
            return format!("{} s", self.decimal(seconds, 1));
        }
        let whole = seconds.round() as u64;
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
        match (hours, minutes) {
            (0, 0) => format!("{rest} s"),
            (0, _) => format!("{minutes} min {rest:02} s"),
            _ => format!("{hours} h {minutes:02} min"),
        }
    }

    /// A size in binary units.
    pub(super) fn bytes(self, count: u64) -> String {
        let units = match self {
            Self::En => ["B", "KiB", "MiB", "GiB", "TiB"],
            Self::Fr => ["o", "Kio", "Mio", "Gio", "Tio"],
        };
        let mut value = count as f64;
        let mut unit = 0;
        while value >= 1023.95 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        let decimals = usize::from(unit > 0 && value < 99.95);
        format!("{} {}", self.decimal(value, decimals), units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_language_does() {
        assert_eq!(Lang::En.whole(84_916), "84,916");
        assert_eq!(Lang::Fr.whole(1_084_916), "1\u{202f}084\u{202f}916");
        assert_eq!(Lang::En.whole(0), "0");
        assert_eq!(Lang::Fr.decimal(0.827, 3), "0,827");
        assert_eq!(Lang::En.percent(0.35), "35%");
        assert_eq!(Lang::Fr.percent(0.015), "1,5\u{202f}%");
        assert_eq!(Lang::En.percent(0.0), "0%");
        assert_eq!(Lang::En.percent(1.0), "100%");
    }

    #[test]
    fn durations_and_sizes_have_units() {
        assert_eq!(Lang::Fr.duration(1_240), "1,2 s");
        assert_eq!(Lang::En.duration(59_600), "1 min 00 s");
        assert_eq!(Lang::En.duration(7_260_000), "2 h 01 min");
        assert_eq!(Lang::En.bytes(1_536), "1.5 KiB");
        assert_eq!(Lang::Fr.bytes(512), "512 o");
        assert_eq!(Lang::En.bytes(3 << 30), "3.0 GiB");
    }

    #[test]
    fn codes_read_back() {
        assert_eq!(Lang::parse("fr"), Some(Lang::Fr));
        assert_eq!(Lang::parse("de"), None);
    }
}
