//! A small writer of SVG. Colours are classes of `figure.css`, so that a figure follows the page into the dark and onto paper.
//!
//! *Invariant*: text is escaped, and numbers have at most two decimals, so that equal data give equal bytes.

use std::fmt::Write as _;

/// What a figure looks like by itself, and within the page.
pub(in crate::report) const FIGURE_CSS: &str = include_str!("../page/figure.css");

/// A drawing in pixels, from the upper left corner.
#[derive(Debug, Clone)]
pub(in crate::report) struct Svg {
    width: f64,
    height: f64,
    label: String,
    body: String,
}

/// Where a text is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

impl Svg {
    /// Begins a drawing; `label` says what it shows to those who do not see it.
    pub(super) fn new(width: f64, height: f64, label: &str) -> Self {
        Self {
            width,
            height,
            label: label.to_owned(),
            body: String::new(),
        }
    }

    /// A filled rectangle; `tip` is what a pointer over it is told.
    pub(super) fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4], tip: &str) {
        let place = format!(
            "x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
            number(x),
            number(y),
            number(width.max(0.0)),
            number(height.max(0.0))
        );
        self.element("rect", class, &place, tip);
    }

    /// A filled rectangle of which only a share of the colour shows.
    pub(super) fn shade(&mut self, class: &str, place: [f64; 4], share: f64, tip: &str) {
        let [x, y, width, height] = place.map(number);
        let attributes = format!(
            "x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill-opacity=\"{}\"",
            number(share.clamp(0.0, 1.0))
        );
        self.element("rect", class, &attributes, tip);
    }

    pub(super) fn circle(&mut self, class: &str, x: f64, y: f64, radius: f64, tip: &str) {
        let place = format!(
            "cx=\"{}\" cy=\"{}\" r=\"{}\"",
            number(x),
            number(y),
            number(radius)
        );
        self.element("circle", class, &place, tip);
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let place = format!(
            "x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"",
            number(from.0),
            number(from.1),
            number(to.0),
            number(to.1)
        );
        self.element("line", class, &place, "");
    }

    /// A line through points; a break where one of them is not a number.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        let mut is_drawing = false;
        for (x, y) in points {
            if !(x.is_finite() && y.is_finite()) {
                is_drawing = false;
                continue;
            }
            let command = if is_drawing { 'L' } else { 'M' };
            let _ = write!(path, "{command}{} {}", number(*x), number(*y));
            is_drawing = true;
        }
        self.element("path", class, &format!("d=\"{path}\""), "");
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>",
            number(x),
            number(y),
            anchor.name(),
            escape(text)
        );
    }

    /// A text in the middle of something that a pointer may be over: it is not in the pointer's way.
    pub(super) fn number(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.text(&format!("through {class}"), (x, y), Anchor::Middle, text);
    }

    /// A text that reads from below to above, ending or beginning at a point.
    pub(super) fn upright(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let (x, y) = (number(x), number(y));
        let _ = write!(
            self.body,
            "<text class=\"{class}\" transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"{}\">{}</text>",
            anchor.name(),
            escape(text)
        );
    }

    fn element(&mut self, name: &str, class: &str, attributes: &str, tip: &str) {
        let _ = write!(self.body, "<{name} class=\"{class}\" {attributes}");
        if tip.is_empty() {
            self.body.push_str("/>");
        } else {
            let _ = write!(self.body, "><title>{}</title></{name}>", escape(tip));
        }
    }

    /// The drawing for the page, whose style it takes.
    pub(in crate::report) fn inline(&self) -> String {
        let (width, height) = (number(self.width), number(self.height));
        format!(
            "<svg class=\"figure\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             style=\"max-width:{width}px\" role=\"img\" aria-label=\"{}\">{}</svg>",
            escape(&self.label),
            self.body
        )
    }

    /// The drawing as a file of its own.
    pub(in crate::report) fn standalone(&self) -> String {
        let (width, height) = (number(self.width), number(self.height));
        format!(
            "<svg class=\"figure\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{}\"><style>{FIGURE_CSS}</style>\
             <rect class=\"ground\" width=\"100%\" height=\"100%\"/>{}</svg>\n",
            escape(&self.label),
            self.body
        )
    }
}

/// A number with at most two decimals.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

/// Text within SVG or HTML, also within quotes. What XML has no way to write becomes a space.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Round values from 0 up to `most` or a little beyond, about `count` of them.
pub(super) fn ticks(most: f64, count: usize) -> Vec<f64> {
    if !(most.is_finite() && most > 0.0) {
        return vec![0.0, 1.0];
    }
    let rough = most / count.max(1) as f64;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * magnitude);
    let last = (most / step - 1e-9).ceil().max(1.0) as usize;
    (0..=last).map(|place| place as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(1.0), "1");
        assert_eq!(number(0.126), "0.13");
        assert_eq!(number(-0.001), "0");
        assert_eq!(number(120.0), "120");
    }

    #[test]
    fn ticks_are_round_and_reach_the_largest_value() {
        assert_eq!(ticks(1.0, 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks(730.0, 4), [0.0, 200.0, 400.0, 600.0, 800.0]);
        assert_eq!(ticks(0.0, 4), [0.0, 1.0]);
        for most in [0.003, 0.9, 7.0, 99.0, 101.0, 84_916.0] {
            let ticks = ticks(most, 5);
            assert!(
                ticks.last().unwrap() >= &most && ticks.len() <= 8,
                "{ticks:?}"
            );
        }
    }

    #[test]
    fn text_cannot_leave_its_element() {
        let mut svg = Svg::new(10.0, 10.0, "a \"b\"");
        svg.text("label", (1.0, 2.0), Anchor::Start, "</svg><script>\u{0}");
        svg.rect("bar", [0.0, 0.0, -1.0, 2.0], "<b>&");
        let text = svg.inline();
        assert!(!text.contains("<script>") && !text.contains("<b>") && !text.contains('\u{0}'));
        assert!(text.contains("width=\"0\"") && text.contains("a &quot;b&quot;"));
        assert!(svg.standalone().contains("<style>"));
    }

    #[test]
    fn a_line_breaks_where_there_is_no_number() {
        let mut svg = Svg::new(1.0, 1.0, "");
        svg.path(
            "curve",
            &[(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 4.0)],
        );
        assert!(svg.inline().contains("d=\"M0 1M2 3L3 4\""));
    }
}
