//! Heat maps of square matrices: which category was taken for which.

use super::svg::{Anchor, Svg};

/// What is drawn.
#[derive(Debug, Clone)]
pub(in crate::report) struct HeatMap {
    /// Short names of the categories.
    pub labels: Vec<String>,
    /// Share of each row of the matrix in each column, 0 to 1, row by row.
    pub shares: Vec<f64>,
    /// What a pointer over each cell is told.
    pub tips: Vec<String>,
    /// What the rows and the columns are.
    pub sides: [String; 2],
}

const LEFT: f64 = 54.0;
const TOP: f64 = 54.0;
const SIZE: f64 = 600.0;

/// Draws a cell for each share: right answers in one colour, wrong ones in another; the shares of wrong ones are drawn stronger
/// than they are, since they are small. In it stands the share in percent, where it is one at least.
pub(in crate::report) fn heat(title: &str, map: &HeatMap) -> Svg {
    let count = map.labels.len().max(1);
    let cell = (SIZE - LEFT) / count as f64;
    let mut svg = Svg::new(SIZE, TOP + cell * count as f64 + 2.0, title);
    let class = if count > 20 { "small" } else { "" };
    for (place, label) in map.labels.iter().enumerate() {
        let at = (place as f64 + 0.5) * cell;
        svg.text(class, (LEFT - 4.0, TOP + at + 3.5), Anchor::End, label);
        svg.upright(class, (LEFT + at + 3.5, TOP - 4.0), Anchor::Start, label);
    }
    for row in 0..map.labels.len() {
        for column in 0..map.labels.len() {
            let at = row * map.labels.len() + column;
            let share = map.shares.get(at).copied().unwrap_or(0.0);
            if share <= 0.0 {
                continue;
            }
            let is_right = row == column;
            let (class, strength) = if is_right {
                ("cell", share)
            } else {
                ("cell wrong", (share * 3.0).min(1.0))
            };
            let place = [
                LEFT + column as f64 * cell,
                TOP + row as f64 * cell,
                cell - 0.5,
                cell - 0.5,
            ];
            let tip = map.tips.get(at).map_or("", String::as_str);
            svg.shade(class, place, strength.max(0.04), tip);
            let percent = (share * 100.0).round() as u64;
            if percent > 0 {
                let class = match (strength > 0.55, count > 20) {
                    (true, true) => "tiny inverse",
                    (true, false) => "inverse",
                    (false, true) => "tiny",
                    (false, false) => "",
                };
                let size = if count > 20 { 8.0 } else { 12.0 };
                let baseline = place[1] + f64::midpoint(cell, size * 0.7);
                let middle = (place[0] + cell / 2.0, baseline);
                svg.number(class, middle, &percent.to_string());
            }
        }
    }
    svg.rect(
        "frame",
        [LEFT, TOP, cell * count as f64, cell * count as f64],
        "",
    );
    svg.text(
        "muted small",
        (LEFT, 10.0),
        Anchor::Start,
        &format!("{} →", map.sides[1]),
    );
    let below = TOP + cell * count as f64;
    svg.upright(
        "muted small",
        (10.0, below),
        Anchor::Start,
        &format!("← {}", map.sides[0]),
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_drawn_where_there_is_something() {
        let map = HeatMap {
            labels: vec!["a".to_owned(), "b".to_owned()],
            shares: vec![0.75, 0.25, 0.0, 1.0],
            tips: ["aa", "ab", "ba", "bb"].map(str::to_owned).to_vec(),
            sides: ["actual".to_owned(), "predicted".to_owned()],
        };
        let svg = heat("confusion", &map).inline();
        assert_eq!(svg.matches("class=\"cell\"").count(), 2);
        assert_eq!(svg.matches("class=\"cell wrong\"").count(), 1);
        assert!(
            svg.contains("fill-opacity=\"0.75\"><title>ab</title>"),
            "{svg}"
        );
        assert!(!svg.contains("<title>ba</title>"));
        for percent in ["75", "25", "100"] {
            assert!(svg.contains(&format!(">{percent}</text>")), "{svg}");
        }
    }
}
