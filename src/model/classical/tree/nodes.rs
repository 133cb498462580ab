//! Fitted trees as flat lists of nodes, and the walk of rows through them.
//!
//! Invariant: nodes are in preorder, so the left child is the next node and every link leads
//! forward: a walk ends whatever the row is.

use rayon::prelude::*;

use super::super::csr::Csr;
use super::super::error::{ClassicalError, Decoder, Encoder, invalid};

/// The feature of a node that is a leaf.
const LEAF: u32 = u32::MAX;

/// Rows that one Rayon task walks.
const BLOCK_ROWS: usize = 64;

/// A node: a question or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    feature: u32,
    /// Of a question, the greatest value that goes left; of a leaf, its value.
    pub value: f32,
    /// Of a question, the right child; of a leaf, its number.
    pub next: u32,
}

impl Node {
    /// Makes a question whose right child is not known yet.
    pub fn question(feature: u32, threshold: f32) -> Self {
        Self {
            feature,
            value: threshold,
            next: 0,
        }
    }

    /// Makes a leaf.
    pub fn leaf(value: f32, number: u32) -> Self {
        Self {
            feature: LEAF,
            value,
            next: number,
        }
    }

    /// Whether the node is a leaf.
    pub fn is_leaf(self) -> bool {
        self.feature == LEAF
    }
}

/// Appends nodes, field by field.
pub fn encode(nodes: &[Node], encoder: &mut Encoder) {
    let fields = |field: fn(&Node) -> u32| nodes.iter().map(field).collect::<Vec<_>>();
    encoder.u32s(&fields(|node| node.feature));
    encoder.u32s(&fields(|node| node.value.to_bits()));
    encoder.u32s(&fields(|node| node.next));
}

/// Reads nodes; [`check`] says whether they are trees.
///
/// # Errors
///
/// The bytes are no nodes.
pub fn decode(decoder: &mut Decoder<'_>) -> Result<Vec<Node>, ClassicalError> {
    let (features, values, nexts) = (decoder.u32s()?, decoder.f32s()?, decoder.u32s()?);
    if values.len() != features.len() || nexts.len() != features.len() {
        return Err(invalid("the fields of the nodes differ in number"));
    }
    let fields = features.into_iter().zip(values).zip(nexts);
    Ok(fields
        .map(|((feature, value), next)| Node {
            feature,
            value,
            next,
        })
        .collect())
}

/// Walks a row, given with all its zeros, to its leaf.
pub fn leaf(nodes: &[Node], row: &[f32]) -> Node {
    let mut at = 0;
    loop {
        let node = nodes[at];
        if node.is_leaf() {
            return node;
        }
        at = if row[node.feature as usize] <= node.value {
            at + 1
        } else {
            node.next as usize
        };
    }
}

/// Checks decoded nodes: every walk stays inside, goes forward and ends at a numbered leaf.
///
/// # Errors
///
/// It does not.
pub fn check(nodes: &[Node], columns: usize, leaves: usize) -> Result<(), ClassicalError> {
    let sound = |(at, node): (usize, &Node)| {
        let next = node.next as usize;
        if node.is_leaf() {
            next < leaves
        } else {
            (node.feature as usize) < columns && next > at + 1 && next < nodes.len()
        }
    };
    if !nodes.is_empty() && nodes.iter().enumerate().all(sound) {
        Ok(())
    } else {
        Err(invalid("the nodes are no tree"))
    }
}

/// Writes `width` numbers for each row, in parallel; a row is handed over with all its zeros.
///
/// # Shapes
///
/// Returns rows × `width`. Columns of a row past `columns` are left out.
pub fn map_rows<F>(rows: Csr<'_>, columns: usize, width: usize, write: F) -> Vec<f32>
where
    F: Fn(&[f32], &mut [f32]) + Sync,
{
    let mut written = vec![0.0; rows.rows() * width];
    written
        .par_chunks_mut(BLOCK_ROWS * width)
        .enumerate()
        .for_each_init(
            || vec![0.0; columns],
            |dense, (block, written)| {
                for (offset, written) in written.chunks_exact_mut(width).enumerate() {
                    let (indices, values) = rows.row(block * BLOCK_ROWS + offset);
                    for (&column, &value) in indices.iter().zip(values) {
                        if let Some(cell) = dense.get_mut(column as usize) {
                            *cell = value;
                        }
                    }
                    write(dense, written);
                    for &column in indices {
                        if let Some(cell) = dense.get_mut(column as usize) {
                            *cell = 0.0;
                        }
                    }
                }
            },
        );
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Column 1 above 0.5 → leaf 1, else leaf 0.
    fn stump() -> Vec<Node> {
        let mut root = Node::question(1, 0.5);
        root.next = 2;
        vec![root, Node::leaf(-1.0, 0), Node::leaf(1.0, 1)]
    }

    #[test]
    fn a_value_at_the_threshold_goes_left() {
        assert_eq!(leaf(&stump(), &[9.0, 0.5]).next, 0);
        assert_eq!(leaf(&stump(), &[0.0, 0.500_001]).next, 1);
    }

    #[test]
    fn rows_are_mapped_in_order_and_unknown_columns_ignored() {
        let rows = 3 * BLOCK_ROWS + 1;
        let indptr: Vec<usize> = (0..=rows).map(|row| 2 * row).collect();
        let indices: Vec<u32> = (0..rows).flat_map(|_| [1, 7]).collect();
        let values: Vec<f32> = (0..rows).flat_map(|row| [row as f32, 1.0]).collect();
        let csr = Csr {
            indptr: &indptr,
            indices: &indices,
            values: &values,
            columns: 8,
        };
        let mapped = map_rows(csr, 2, 2, |row, out| out.copy_from_slice(row));
        let expected: Vec<f32> = (0..rows).flat_map(|row| [0.0, row as f32]).collect();
        assert_eq!(mapped, expected);
    }

    #[test]
    fn nodes_that_loop_or_lead_outside_are_refused() {
        let sound = stump();
        assert!(check(&sound, 2, 2).is_ok());
        assert!(check(&sound, 1, 2).is_err(), "column");
        assert!(check(&sound, 2, 1).is_err(), "leaf");
        assert!(check(&[], 2, 2).is_err(), "none");
        for next in [0, 1, 3] {
            let mut nodes = stump();
            nodes[0].next = next;
            assert!(check(&nodes, 2, 2).is_err(), "link to {next}");
        }
        assert!(check(&sound[..1], 2, 2).is_err(), "cut");
    }
}
