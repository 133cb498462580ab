//! The text format in which Prometheus reads metrics: families of samples, each with help and type.
//!
//! # Source
//! "Exposition formats" of the Prometheus documentation, version 0.0.4. All families here are gauges: a run that has ended counts
//! nothing up.

use std::fmt::Write as _;

/// Families in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    /// Labels that every sample has.
    labels: Vec<(String, String)>,
}

/// The samples of one metric.
pub(super) struct Family<'a> {
    exposition: &'a mut Exposition,
    name: &'static str,
    help: &'static str,
    is_begun: bool,
}

impl Exposition {
    /// Every sample is going to have these labels.
    pub(super) fn with_labels(labels: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            text: String::new(),
            labels: labels.iter().map(owned).collect(),
        }
    }

    /// A metric, which appears with its first sample.
    pub(super) fn family(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        Family {
            exposition: self,
            name,
            help,
            is_begun: false,
        }
    }

    /// Name and labels of a sample, as its line begins.
    pub(super) fn series(&self, name: &str, labels: &[(&str, &str)]) -> String {
        let common = self.labels.iter();
        let common = common.map(|(name, value)| (name.as_str(), value.as_str()));
        let labels = common.chain(labels.iter().copied());
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}=\"{}\"", escape_label(value)))
            .collect();
        format!("{name}{{{}}}", labels.join(","))
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Adds a sample.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        let text = &mut self.exposition.text;
        if !self.is_begun {
            let help = escape_help(self.help);
            let _ = writeln!(text, "# HELP {} {help}", self.name);
            let _ = writeln!(text, "# TYPE {} gauge", self.name);
            self.is_begun = true;
        }
        let series = self.exposition.series(self.name, labels);
        let _ = writeln!(self.exposition.text, "{series} {}", number(value));
        self
    }
}

/// A number as the format has it.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

fn escape_label(value: &str) -> String {
    escape_help(value).replace('"', "\\\"")
}

fn escape_help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

/// The value of a sample in a text, by name and labels as [`Exposition::series`] has them.
pub(super) fn find(text: &str, series: &str) -> Option<f64> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_appear_with_their_first_sample_and_values_are_escaped() {
        let mut exposition = Exposition::with_labels(&[("pipeline", "a \"b\"\\c\nd")]);
        exposition.family("empty", "Nothing.");
        exposition
            .family("x_rows", "Rows of \\ and\nmore.")
            .sample(&[("stage", "s")], 3.0)
            .sample(&[("stage", "é")], 0.25)
            .sample(&[], f64::NAN);
        let labels = r#"pipeline="a \"b\"\\c\nd""#;
        let series = exposition.series("x_rows", &[("stage", "é")]);
        let text = exposition.into_text();
        let expected = format!(
            "# HELP x_rows Rows of \\\\ and\\nmore.\n# TYPE x_rows gauge\nx_rows{{{labels},stage=\"s\"}} 3\n\
             x_rows{{{labels},stage=\"é\"}} 0.25\nx_rows{{{labels}}} NaN\n"
        );
        assert_eq!(text, expected);
        assert_eq!(find(&text, &series), Some(0.25));
        assert_eq!(find(&text, "y_rows{}"), None);
    }

    #[test]
    fn numbers_are_never_rounded_nor_in_words() {
        for (value, shown) in [
            (1_763_877_605.125, "1763877605.125"),
            (0.0, "0"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (2e-7, "0.0000002"),
        ] {
            assert_eq!(number(value), shown);
        }
    }
}
