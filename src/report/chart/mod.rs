//! Charts: plain data in, SVG out. Nothing here knows where the data come from.

mod bars;
mod flow;
mod heat;
mod histogram;
mod lines;
mod spread;
mod svg;

pub(super) use bars::{BarRow, bars};
pub(super) use flow::{Node, flow};
pub(super) use heat::{HeatMap, heat};
pub(super) use histogram::{Histogram, histogram};
pub(super) use lines::{Lines, Series, lines};
pub(super) use spread::{BoxRow, DotRow, boxes, dots};
pub(super) use svg::{FIGURE_CSS, Svg};

/// Width of charts in pixels: two side by side on a desk, one on a phone.
const WIDTH: f64 = 520.0;
