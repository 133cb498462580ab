//! How a number spreads within each of many groups: box plots, and dots of three channels.

use super::WIDTH;
use super::svg::{Anchor, Svg, ticks};

/// The five numbers of a group.
#[derive(Debug, Clone)]
pub(in crate::report) struct BoxRow {
    /// What the group is.
    pub label: String,
    /// Least value, lower quartile, median, upper quartile and largest value.
    pub numbers: [f64; 5],
    /// What a pointer is told.
    pub tip: String,
}

/// The means of a group in red, green and blue.
#[derive(Debug, Clone)]
pub(in crate::report) struct DotRow {
    /// What the group is.
    pub label: String,
    /// The means.
    pub channels: [f64; 3],
    /// What a pointer is told.
    pub tip: String,
}

const ROW: f64 = 17.0;
const LEFT: f64 = 172.0;
const RIGHT: f64 = 16.0;

fn frame(
    title: &str,
    labels: &[&str],
    (least, most): (f64, f64),
    format: &dyn Fn(f64) -> String,
) -> Svg {
    let height = labels.len() as f64 * ROW;
    let mut svg = Svg::new(WIDTH, height + 22.0, title);
    for step in ticks(most - least, 4) {
        let x = x_of(step, most - least);
        svg.line("grid", (x, 0.0), (x, height));
        svg.text(
            "muted small",
            (x, height + 14.0),
            Anchor::Middle,
            &format(least + step),
        );
    }
    for (place, label) in labels.iter().enumerate() {
        let y = place as f64 * ROW + ROW / 2.0 + 4.0;
        svg.text("", (LEFT - 8.0, y), Anchor::End, label);
    }
    svg
}

fn x_of(value: f64, most: f64) -> f64 {
    LEFT + value / most * (WIDTH - LEFT - RIGHT)
}

/// Draws a box for each group, on a scale from 0 to `most`, which is a round number.
pub(in crate::report) fn boxes(
    title: &str,
    rows: &[BoxRow],
    most: f64,
    format: &dyn Fn(f64) -> String,
) -> Svg {
    let labels: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let mut svg = frame(title, &labels, (0.0, most), format);
    for (place, row) in rows.iter().enumerate() {
        let y = place as f64 * ROW + ROW / 2.0;
        let [least, lower, median, upper, largest] = row.numbers.map(|value| x_of(value, most));
        svg.line("whisker", (least, y), (largest, y));
        for end in [least, largest] {
            svg.line("whisker", (end, y - 3.0), (end, y + 3.0));
        }
        svg.rect("box", [lower, y - 5.0, upper - lower, 10.0], &row.tip);
        svg.line("median", (median, y - 5.0), (median, y + 5.0));
    }
    svg
}

/// Draws a red, a green and a blue dot for each group, on a scale from `least` to `most`, which are round numbers.
pub(in crate::report) fn dots(
    title: &str,
    rows: &[DotRow],
    (least, most): (f64, f64),
    format: &dyn Fn(f64) -> String,
) -> Svg {
    let labels: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let mut svg = frame(title, &labels, (least, most), format);
    for (place, row) in rows.iter().enumerate() {
        let y = place as f64 * ROW + ROW / 2.0;
        let dots = row.channels.iter().zip(["red", "green", "blue"]);
        let xs = row.channels.map(|value| x_of(value - least, most - least));
        let ends = xs
            .iter()
            .fold((f64::MAX, 0.0), |(low, high): (f64, f64), x| {
                (low.min(*x), high.max(*x))
            });
        svg.line("grid", (ends.0, y), (ends.1, y));
        for (value, class) in dots {
            svg.circle(class, x_of(*value - least, most - least), y, 4.0, &row.tip);
        }
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_lies_between_its_quartiles() {
        let row = BoxRow {
            label: "Socks".to_owned(),
            numbers: [0.0, 0.25, 0.5, 0.75, 1.0],
            tip: "n = 4".to_owned(),
        };
        let svg = boxes("white", &[row], 1.0, &|value| format!("{value}")).inline();
        assert!(
            svg.contains("<rect class=\"box\" x=\"255\" y=\"3.5\" width=\"166\""),
            "{svg}"
        );
        assert!(svg.contains("x1=\"338\""), "the median: {svg}");
    }

    #[test]
    fn each_channel_has_its_dot() {
        let row = DotRow {
            label: "Socks".to_owned(),
            channels: [0.0, 125.0, 250.0],
            tip: String::new(),
        };
        let svg = dots("means", &[row], (0.0, 250.0), &|value| format!("{value}")).inline();
        for (class, x) in [("red", "172"), ("green", "338"), ("blue", "504")] {
            assert!(
                svg.contains(&format!("<circle class=\"{class}\" cx=\"{x}\"")),
                "{svg}"
            );
        }
    }
}
