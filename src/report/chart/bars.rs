//! Horizontal bars, one or two to a row.

use super::WIDTH;
use super::svg::{Anchor, Svg};

/// One row: a name, and a bar for each value.
#[derive(Debug, Clone)]
pub(in crate::report) struct BarRow {
    /// What the row is.
    pub label: String,
    /// Lengths of the bars, one or two, not negative.
    pub values: Vec<f64>,
    /// What is written behind the bars.
    pub text: String,
    /// What a pointer is told.
    pub tip: String,
}

const BAR: f64 = 12.0;
const GAP: f64 = 6.0;

/// Draws rows below each other, all to one scale.
pub(in crate::report) fn bars(title: &str, rows: &[BarRow], legend: &[&str]) -> Svg {
    let bars_in_row = rows.iter().map(|row| row.values.len()).max().unwrap_or(1);
    let row_height = BAR * bars_in_row as f64 + GAP;
    let longest = |text: &dyn Fn(&BarRow) -> usize| rows.iter().map(text).max().unwrap_or(0) as f64;
    let left = (longest(&|row| row.label.chars().count()) * 7.5 + 10.0).clamp(40.0, 200.0);
    let right = longest(&|row| row.text.chars().count()) * 7.6 + 12.0;
    let top = if legend.is_empty() { 2.0 } else { 22.0 };
    let most = rows.iter().flat_map(|row| &row.values).copied();
    let most = most.fold(0.0, f64::max);
    let scale = (WIDTH - left - right).max(60.0) / if most > 0.0 { most } else { 1.0 };
    let mut svg = Svg::new(WIDTH, top + rows.len() as f64 * row_height + 2.0, title);
    let mut x = left;
    for (place, name) in legend.iter().enumerate() {
        svg.rect(&format!("s{}", place + 1), [x, 4.0, 10.0, 10.0], "");
        svg.text("small", (x + 14.0, 13.0), Anchor::Start, name);
        x += 30.0 + name.chars().count() as f64 * 6.0;
    }
    for (place, row) in rows.iter().enumerate() {
        let y = top + place as f64 * row_height;
        let middle = y + BAR * bars_in_row as f64 / 2.0 + 4.0;
        svg.text("", (left - 6.0, middle), Anchor::End, &row.label);
        let mut end = left;
        for (bar, value) in row.values.iter().enumerate() {
            let width = value * scale;
            let class = format!("s{}", bar + 1);
            svg.rect(
                &class,
                [left, y + bar as f64 * BAR, width.max(0.5), BAR - 1.0],
                &row.tip,
            );
            end = f64::max(end, left + width);
        }
        svg.text("muted", (end + 6.0, middle), Anchor::Start, &row.text);
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_that_of_the_largest_value() {
        let row = |label: &str, value: f64| BarRow {
            label: label.to_owned(),
            values: vec![value],
            text: String::new(),
            tip: format!("{label} tip"),
        };
        let svg = bars("t", &[row("a", 10.0), row("b", 5.0), row("c", 0.0)], &[]).inline();
        let widths: Vec<f64> = svg
            .split("width=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(widths.len(), 3, "{svg}");
        assert!(
            (widths[0] - 2.0 * widths[1]).abs() < 0.1 && widths[2] < 1.0,
            "{widths:?}"
        );
        assert!(svg.contains("<title>b tip</title>"));
    }

    #[test]
    fn no_rows_draw_nothing_and_do_not_panic() {
        assert!(bars("t", &[], &["one", "two"]).inline().contains("two"));
    }
}
