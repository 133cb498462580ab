//! Histograms: upright bars over ranges of a number, of one or two sets of rows.

use super::WIDTH;
use super::svg::{Anchor, Svg, ticks};

/// What is drawn.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct Histogram {
    /// What is counted along the x axis, with its unit.
    pub x_label: String,
    /// What the heights are.
    pub y_label: String,
    /// Width of a bin; the first begins at 0.
    pub bin: f64,
    /// Heights of the bins of each set; the last bin also holds what lies beyond it.
    pub sets: Vec<Vec<f64>>,
    /// Names of the sets, where there are several.
    pub legend: Vec<String>,
    /// Values that are marked, with what they are called.
    pub marks: Vec<(f64, String)>,
}

const LEFT: f64 = 52.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 36.0;
const HEIGHT: f64 = 230.0;

/// Draws bins with axes; `format` writes a height.
pub(in crate::report) fn histogram(
    title: &str,
    data: &Histogram,
    format: &dyn Fn(f64) -> String,
) -> Svg {
    let mut svg = Svg::new(WIDTH, HEIGHT, title);
    let count = data.sets.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let most = data.sets.iter().flatten().copied().fold(0.0, f64::max);
    let (width, height) = (WIDTH - LEFT - 10.0, HEIGHT - TOP - BOTTOM);
    let levels = ticks(most, 4);
    let highest = levels.last().copied().unwrap_or(1.0);
    let y_of = |value: f64| TOP + height - value / highest * height;
    for level in &levels {
        let y = y_of(*level);
        svg.line("grid", (LEFT, y), (WIDTH - 10.0, y));
        svg.text(
            "muted small",
            (LEFT - 5.0, y + 3.5),
            Anchor::End,
            &format(*level),
        );
    }
    let bin = width / count as f64;
    let sets = data.sets.len().max(1) as f64;
    for (set, heights) in data.sets.iter().enumerate() {
        for (place, value) in heights.iter().enumerate() {
            let x = LEFT + place as f64 * bin + set as f64 * bin / sets;
            let y = y_of(*value);
            let from = data.bin * place as f64;
            let is_last = place + 1 == count;
            let to = if is_last {
                "…".to_owned()
            } else {
                format!("{}", from + data.bin)
            };
            let tip = format!("{from}–{to}: {}", format(*value));
            let class = format!("s{}", set + 1);
            svg.rect(
                &class,
                [x, y, (bin / sets - 0.6).max(0.4), TOP + height - y],
                &tip,
            );
        }
    }
    let x_of = |value: f64| LEFT + (value / (data.bin * count as f64)).min(1.0) * width;
    let last = data.bin * count as f64;
    for value in ticks(last, 6).into_iter().filter(|value| *value <= last) {
        let x = x_of(value);
        svg.line("axis", (x, TOP + height), (x, TOP + height + 3.0));
        let text = format!("{value}");
        svg.text(
            "muted small",
            (x, TOP + height + 14.0),
            Anchor::Middle,
            &text,
        );
    }
    for (place, (value, name)) in data.marks.iter().enumerate() {
        let x = x_of(*value);
        let y = 12.0 + 11.0 * (place % 2) as f64;
        svg.line("rule", (x, y + 3.0), (x, TOP + height));
        let anchor = if x > WIDTH - 120.0 {
            Anchor::End
        } else {
            Anchor::Start
        };
        let x = if anchor == Anchor::End {
            x - 4.0
        } else {
            x + 4.0
        };
        svg.text("small", (x, y), anchor, name);
    }
    svg.line("axis", (LEFT, TOP + height), (WIDTH - 10.0, TOP + height));
    let middle = LEFT + width / 2.0;
    svg.text(
        "muted small",
        (middle, HEIGHT - 5.0),
        Anchor::Middle,
        &data.x_label,
    );
    svg.upright(
        "muted small",
        (11.0, TOP + height / 2.0),
        Anchor::Middle,
        &data.y_label,
    );
    for (place, name) in data.legend.iter().enumerate() {
        let x = WIDTH - 200.0 + place as f64 * 100.0;
        svg.rect(&format!("s{}", place + 1), [x, 4.0, 10.0, 10.0], "");
        svg.text("small", (x + 14.0, 13.0), Anchor::Start, name);
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bin_has_a_bar_and_the_last_is_open() {
        let data = Histogram {
            bin: 5.0,
            sets: vec![vec![1.0, 4.0, 2.0]],
            marks: vec![(7.0, "mean 7".to_owned())],
            ..Histogram::default()
        };
        let svg = histogram("words", &data, &|value| format!("{value}")).inline();
        assert_eq!(svg.matches("class=\"s1\"").count(), 3);
        assert!(svg.contains("<title>10–…: 2</title>") && svg.contains("<title>5–10: 4</title>"));
        assert!(svg.contains("mean 7"));
    }

    #[test]
    fn nothing_to_count_is_an_empty_frame() {
        let svg = histogram(
            "words",
            &Histogram {
                bin: 1.0,
                ..Histogram::default()
            },
            &|_| String::new(),
        );
        assert!(!svg.inline().contains("NaN"));
    }
}
