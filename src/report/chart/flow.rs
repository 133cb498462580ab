//! A network as boxes and arrows, from its inputs down to its answers: branches stand side by side.

use super::svg::{Anchor, Svg};

/// A box.
#[derive(Debug, Clone)]
pub(in crate::report) struct Node {
    /// First line.
    pub name: String,
    /// Second line.
    pub detail: String,
    /// Class of its style: `trained`, `frozen` or `plain`.
    pub class: &'static str,
    /// Places of the boxes that lead to it, all before it.
    pub inputs: Vec<usize>,
}

const BOX: [f64; 2] = [172.0, 36.0];
const STEP: [f64; 2] = [184.0, 54.0];

/// Draws the boxes: the longer of two ways to a box decides how low it stands, and each chain of boxes has a column of its own
/// until it meets another.
pub(in crate::report) fn flow(title: &str, nodes: &[Node]) -> Svg {
    let places = places(nodes);
    let columns = places.iter().map(|place| place.0).fold(0.0, f64::max) + 1.0;
    let rows = places.iter().map(|place| place.1).max().unwrap_or(0) + 1;
    let (width, height) = (columns * STEP[0] + 4.0, rows as f64 * STEP[1]);
    let mut svg = Svg::new(width, height, title);
    let at = |(column, row): (f64, usize)| (2.0 + column * STEP[0], row as f64 * STEP[1] + 4.0);
    for (node, place) in nodes.iter().zip(&places) {
        let (x, y) = at(*place);
        let top = (x + BOX[0] / 2.0, y);
        for input in &node.inputs {
            let (from_x, from_y) = at(places[*input]);
            let from = (from_x + BOX[0] / 2.0, from_y + BOX[1]);
            let bend = top.1 - (STEP[1] - BOX[1]) / 2.0;
            svg.path("link", &[from, (from.0, bend), (top.0, bend), top]);
        }
    }
    for (node, place) in nodes.iter().zip(&places) {
        let (x, y) = at(*place);
        let middle = x + BOX[0] / 2.0;
        let tip = format!("{} {}", node.name, node.detail);
        svg.rect(node.class, [x, y, BOX[0], BOX[1]], &tip);
        svg.text(
            "small strong",
            (middle, y + 15.0),
            Anchor::Middle,
            &short(&node.name),
        );
        svg.text(
            "small muted",
            (middle, y + 29.0),
            Anchor::Middle,
            &short(&node.detail),
        );
    }
    svg
}

fn short(text: &str) -> String {
    const MOST: usize = 26;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}

/// Column and row of each box.
fn places(nodes: &[Node]) -> Vec<(f64, usize)> {
    let mut places: Vec<(f64, usize)> = Vec::with_capacity(nodes.len());
    let mut next_column = 0.0;
    for node in nodes {
        let row = node
            .inputs
            .iter()
            .map(|input| places[*input].1 + 1)
            .max()
            .unwrap_or(0);
        let column = if node.inputs.is_empty() {
            next_column += 1.0;
            next_column - 1.0
        } else {
            let sum: f64 = node.inputs.iter().map(|input| places[*input].0).sum();
            sum / node.inputs.len() as f64
        };
        places.push((column, row));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(inputs: &[usize]) -> Node {
        Node {
            name: "dense".to_owned(),
            detail: "54".to_owned(),
            class: "plain",
            inputs: inputs.to_vec(),
        }
    }

    #[test]
    fn branches_stand_side_by_side_and_meet_below() {
        let nodes = [node(&[]), node(&[0]), node(&[]), node(&[1, 2]), node(&[3])];
        let expected = [(0.0, 0), (0.0, 1), (1.0, 0), (0.5, 2), (0.5, 3)];
        assert_eq!(places(&nodes), expected);
        let svg = flow("fusion", &nodes).inline();
        assert_eq!(svg.matches("class=\"link\"").count(), 4);
        assert_eq!(svg.matches("class=\"plain\"").count(), 5);
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(short(&"é".repeat(40)).chars().count(), 26);
    }
}
