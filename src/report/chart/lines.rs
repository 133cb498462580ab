//! Lines over a number: learning curves.

use super::svg::{Anchor, Svg, ticks};

/// One line.
#[derive(Debug, Clone)]
pub(in crate::report) struct Series {
    /// What it is.
    pub name: String,
    /// Which of the four colours it has, from 1.
    pub color: usize,
    /// Whether it is dashed.
    pub is_dashed: bool,
    /// Its points, by x.
    pub points: Vec<(f64, f64)>,
}

/// What is drawn.
#[derive(Debug, Clone)]
pub(in crate::report) struct Lines {
    /// What the heights are.
    pub y_label: String,
    /// What the places are.
    pub x_label: String,
    /// The lines.
    pub series: Vec<Series>,
    /// A place that is marked, with what it is called.
    pub mark: Option<(f64, String)>,
}

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 42.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 34.0;

/// Draws lines with axes from 0.
pub(in crate::report) fn lines(title: &str, data: &Lines, format: &dyn Fn(f64) -> String) -> Svg {
    let mut svg = Svg::new(WIDTH, HEIGHT, title);
    let points = || data.series.iter().flat_map(|series| &series.points);
    let finite = |most: f64, value: f64| {
        if value.is_finite() {
            most.max(value)
        } else {
            most
        }
    };
    let most_y = points().map(|point| point.1).fold(0.0, finite);
    let most_x = points().map(|point| point.0).fold(1.0, finite);
    let levels = ticks(most_y, 4);
    let highest = levels.last().copied().unwrap_or(1.0);
    let (width, height) = (WIDTH - LEFT - 12.0, HEIGHT - TOP - BOTTOM);
    let x_of = |x: f64| LEFT + (x - 1.0) / (most_x - 1.0).max(1.0) * width;
    let y_of = |y: f64| TOP + height - y / highest * height;
    for level in &levels {
        let y = y_of(*level);
        svg.line("grid", (LEFT, y), (WIDTH - 12.0, y));
        svg.text(
            "muted small",
            (LEFT - 5.0, y + 3.5),
            Anchor::End,
            &format(*level),
        );
    }
    for value in ticks(most_x, 5).into_iter().map(|value| value.max(1.0)) {
        if value <= most_x && value.fract() == 0.0 {
            let text = format!("{value}");
            svg.text(
                "muted small",
                (x_of(value), TOP + height + 14.0),
                Anchor::Middle,
                &text,
            );
        }
    }
    if let Some((place, name)) = &data.mark {
        let x = x_of(*place);
        svg.line("rule", (x, TOP), (x, TOP + height));
        let anchor = if x > WIDTH * 0.6 {
            Anchor::End
        } else {
            Anchor::Start
        };
        let beside = if anchor == Anchor::End {
            x - 4.0
        } else {
            x + 4.0
        };
        svg.text("small muted", (beside, TOP + 9.0), anchor, name);
    }
    let mut x = LEFT;
    for series in &data.series {
        let dashed = if series.is_dashed { " dashed" } else { "" };
        let class = format!("l{}{dashed}", series.color);
        let at: Vec<(f64, f64)> = series
            .points
            .iter()
            .map(|(x, y)| (x_of(*x), y_of(*y)))
            .collect();
        svg.path(&class, &at);
        if let [(x, y)] = at.as_slice() {
            svg.circle(&format!("s{}", series.color), *x, *y, 2.5, "");
        }
        svg.path(&class, &[(x, 10.0), (x + 18.0, 10.0)]);
        svg.text("small", (x + 22.0, 13.5), Anchor::Start, &series.name);
        x += 34.0 + series.name.chars().count() as f64 * 5.6;
    }
    svg.line("axis", (LEFT, TOP + height), (WIDTH - 12.0, TOP + height));
    let middle = LEFT + width / 2.0;
    svg.text(
        "muted small",
        (middle, HEIGHT - 4.0),
        Anchor::Middle,
        &data.x_label,
    );
    svg.upright(
        "muted small",
        (10.0, TOP + height / 2.0),
        Anchor::Middle,
        &data.y_label,
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(points: Vec<(f64, f64)>) -> String {
        let series = Series {
            name: "loss".to_owned(),
            color: 2,
            is_dashed: true,
            points,
        };
        let data = Lines {
            y_label: String::new(),
            x_label: "epoch".to_owned(),
            series: vec![series],
            mark: Some((1.0, "best".to_owned())),
        };
        lines("curves", &data, &|value| format!("{value}")).inline()
    }

    #[test]
    fn a_curve_runs_from_the_first_epoch_to_the_last() {
        let svg = drawn(vec![(1.0, 4.0), (2.0, 2.0), (3.0, 1.0)]);
        assert!(
            svg.contains("class=\"l2 dashed\" d=\"M42 26L195 106L348 146\""),
            "{svg}"
        );
    }

    #[test]
    fn one_epoch_and_a_loss_that_is_no_number_can_be_drawn() {
        assert!(drawn(vec![(1.0, 0.5)]).contains("<circle"));
        let svg = drawn(vec![(1.0, f64::NAN), (2.0, f64::INFINITY)]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
