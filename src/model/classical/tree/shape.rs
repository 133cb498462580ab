//! A tree whose leaves hold the shares of the classes.
//!
//! Invariant: each leaf's shares are in ascending order of class and sum to 1; classes without a
//! row in the leaf are left out, as most leaves of a grown tree hold one class.

use super::super::error::{ClassicalError, Decoder, Encoder, invalid};
use super::nodes::{self, Node};

/// The nodes of a tree and its leaves' shares.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// The nodes, in preorder.
    pub nodes: Vec<Node>,
    /// Where the shares of each leaf end.
    ends: Vec<u32>,
    classes: Vec<u32>,
    shares: Vec<f32>,
}

impl Shape {
    /// Appends a leaf with the weight of each class in it.
    pub fn push_leaf(&mut self, totals: &[f64]) {
        self.nodes.push(Node::leaf(0.0, self.ends.len() as u32));
        let sum: f64 = totals.iter().sum();
        for (&total, class) in totals.iter().zip(0..) {
            if total > 0.0 {
                self.classes.push(class);
                self.shares.push((total / sum) as f32);
            }
        }
        self.ends.push(self.classes.len() as u32);
    }

    /// Adds the shares of a row's leaf, times `scale`; the row is given with all its zeros.
    pub fn add_shares(&self, row: &[f32], scale: f32, shares: &mut [f32]) {
        let leaf = nodes::leaf(&self.nodes, row).next as usize;
        let start = if leaf == 0 { 0 } else { self.ends[leaf - 1] };
        let span = start as usize..self.ends[leaf] as usize;
        for (&class, &share) in self.classes[span.clone()].iter().zip(&self.shares[span]) {
            shares[class as usize] += share * scale;
        }
    }

    /// Appends the tree.
    pub fn encode(&self, encoder: &mut Encoder) {
        nodes::encode(&self.nodes, encoder);
        encoder.u32s(&self.ends);
        encoder.u32s(&self.classes);
        encoder.f32s(&self.shares);
    }

    /// Reads a tree and checks it.
    ///
    /// # Errors
    ///
    /// The bytes are no tree over so many columns and classes.
    pub fn decode(
        decoder: &mut Decoder<'_>,
        columns: usize,
        classes: usize,
    ) -> Result<Self, ClassicalError> {
        let shape = Self {
            nodes: nodes::decode(decoder)?,
            ends: decoder.u32s()?,
            classes: decoder.u32s()?,
            shares: decoder.f32s()?,
        };
        nodes::check(&shape.nodes, columns, shape.ends.len())?;
        let sound = shape.ends.is_sorted()
            && shape.ends.last().copied().unwrap_or(0) as usize == shape.shares.len()
            && shape.classes.len() == shape.shares.len()
            && shape.classes.iter().all(|&c| (c as usize) < classes)
            && shape.shares.iter().all(|share| (0.0..=1.0).contains(share));
        sound
            .then_some(shape)
            .ok_or_else(|| invalid("the leaves do not fit together"))
    }
}

/// The most columns or classes of a decoded model: predicting allocates in proportion.
const MOST: usize = 1 << 24;

/// Reads a number of columns or classes.
///
/// # Errors
///
/// It is below `least` or beyond what a model can have.
pub fn read_count(decoder: &mut Decoder<'_>, least: usize) -> Result<usize, ClassicalError> {
    let count = decoder.count()?;
    if (least..=MOST).contains(&count) {
        Ok(count)
    } else {
        Err(invalid("the number of columns or classes is impossible"))
    }
}
