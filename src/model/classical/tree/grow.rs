//! Grows one tree, depth first.
//!
//! Invariant: a tree is a function of data, options and generator alone. The rows of a node are
//! a span of one list, in a fixed order; random numbers are drawn in preorder.
//!
//! The entries of the columns on trial are found from whichever side is shorter: by the columns
//! (already sorted, filtered by the rows of the node) near the root, by the rows (grouped by
//! column, then sorted) further down. Both give the same entries.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::super::csr::Csr;
use super::super::error::ClassicalError;
use super::TreeOptions;
use super::columns::{Columns, Entry, pack, row, value};
use super::nodes::Node;
use super::scorer::{Scorer, Split, Target};
use super::shape::Shape;

/// The position of a row that no node holds.
const NOWHERE: u32 = u32::MAX;

/// Nodes between two looks at the caller's wish to stop.
const NODES_BETWEEN_LOOKS: usize = 64;

/// What every tree of a fit reads.
#[derive(Debug)]
pub struct Training<'a> {
    /// The rows.
    pub rows: Csr<'a>,
    /// The same by columns.
    pub columns: Columns,
    /// Class of each row.
    pub labels: &'a [u32],
    /// Number of classes.
    pub classes: usize,
    /// Weight of each class.
    pub weights: Option<&'a [f32]>,
}

impl<'a> Training<'a> {
    /// Checks rows, labels and weights and turns the rows into columns.
    ///
    /// # Errors
    ///
    /// They do not fit together.
    pub fn new(
        rows: Csr<'a>,
        labels: &'a [u32],
        classes: usize,
        weights: Option<&'a [f32]>,
    ) -> Result<Self, ClassicalError> {
        rows.check(labels, classes, weights)?;
        Ok(Self {
            rows,
            columns: Columns::new(rows),
            labels,
            classes,
            weights,
        })
    }

    fn target(&self, row: usize, draws: u32) -> Target {
        let label = self.labels[row];
        let weight = self.weights.map_or(1.0, |all| all[label as usize]);
        Target {
            label,
            weight: weight * draws as f32,
        }
    }
}

/// A span of rows that waits to become a node.
struct Pending {
    start: usize,
    end: usize,
    depth: usize,
    /// The question whose right child it is.
    parent: Option<usize>,
}

/// State of a tree that grows.
pub struct Grower<'a> {
    training: &'a Training<'a>,
    options: &'a TreeOptions,
    /// Columns on trial at each node.
    trials: usize,
    generator: ChaCha8Rng,
    scorer: Scorer,
    /// The rows of all nodes; a node has a span.
    samples: Vec<u32>,
    /// Where each row is in `samples`.
    positions: Vec<u32>,
    /// The columns; those on trial are moved to the front.
    order: Vec<u32>,
    on_trial: Vec<bool>,
    grouping: Grouping,
    goes_right: Vec<bool>,
    spare: Vec<u32>,
    shape: Shape,
}

/// Buffers to group the entries of rows by column.
#[derive(Default)]
struct Grouping {
    /// Of each column its number of entries, then their end; zero between two nodes.
    ends: Vec<usize>,
    /// Columns with entries.
    columns: Vec<u32>,
    entries: Vec<Entry>,
}

impl<'a> Grower<'a> {
    /// Starts with the rows drawn at least once, each with how often.
    pub fn new(
        training: &'a Training<'a>,
        options: &'a TreeOptions,
        draws: &[u32],
        mut generator: ChaCha8Rng,
    ) -> Self {
        let columns = training.columns.len();
        let samples: Vec<u32> = (0u32..)
            .zip(draws)
            .filter_map(|(row, &draws)| (draws > 0).then_some(row))
            .collect();
        let mut positions = vec![NOWHERE; draws.len()];
        for (&row, position) in samples.iter().zip(0..) {
            positions[row as usize] = position;
        }
        let targets = draws.iter().enumerate();
        let targets = targets.map(|(row, &draws)| training.target(row, draws));
        let ranks = permutation(&mut generator, columns);
        Self {
            training,
            options,
            trials: options.max_features.count(columns),
            scorer: Scorer::new(
                targets.collect(),
                training.classes,
                options.min_leaf_rows,
                ranks,
            ),
            generator,
            samples,
            positions,
            order: (0..columns as u32).collect(),
            on_trial: vec![false; columns],
            grouping: Grouping {
                ends: vec![0; columns],
                ..Grouping::default()
            },
            goes_right: vec![false; draws.len()],
            spare: Vec::new(),
            shape: Shape::default(),
        }
    }

    /// Grows the tree.
    ///
    /// # Errors
    ///
    /// `cancel` said so.
    pub fn grow(mut self, cancel: &dyn Fn() -> bool) -> Result<Shape, ClassicalError> {
        let mut pending = vec![Pending {
            start: 0,
            end: self.samples.len(),
            depth: 0,
            parent: None,
        }];
        while let Some(node) = pending.pop() {
            let number = self.shape.nodes.len();
            if number.is_multiple_of(NODES_BETWEEN_LOOKS) && cancel() {
                return Err(ClassicalError::Interrupted);
            }
            if let Some(parent) = node.parent {
                self.shape.nodes[parent].next = number as u32;
            }
            self.scorer.enter(&self.samples[node.start..node.end]);
            let Some(middle) = self.split(&node) else {
                self.shape.push_leaf(&self.scorer.totals);
                continue;
            };
            // The last one in is the next one out, and the left child is the next node.
            pending.push(Pending {
                start: middle,
                parent: Some(number),
                depth: node.depth + 1,
                ..node
            });
            pending.push(Pending {
                end: middle,
                parent: None,
                depth: node.depth + 1,
                ..node
            });
        }
        Ok(self.shape)
    }

    /// Splits a node, if it can be: appends the question and returns where the right rows start.
    fn split(&mut self, node: &Pending) -> Option<usize> {
        let rows = node.end - node.start;
        let too_small = rows < self.options.min_split_rows || rows < 2 * self.options.min_leaf_rows;
        let too_deep = self
            .options
            .max_depth
            .is_some_and(|most| node.depth >= most);
        if too_small || too_deep || self.scorer.is_pure() {
            return None;
        }
        self.try_columns(node.start, node.end);
        let (split, entries) = self.scorer.best()?;
        mark_right(split, entries, node, &self.samples, &mut self.goes_right);
        let question = Node::question(split.column as u32, split.threshold);
        self.shape.nodes.push(question);
        Some(self.partition(node.start, node.end))
    }

    /// Offers the columns on trial to the scorer.
    fn try_columns(&mut self, start: usize, end: usize) {
        let trials = self.trials;
        for place in 0..trials {
            if trials < self.order.len() {
                let drawn = place + below(&mut self.generator, self.order.len() - place);
                self.order.swap(place, drawn);
            }
            self.on_trial[self.order[place] as usize] = true;
        }
        let varied = if self.by_columns_is_shorter(start, end) {
            self.sweep_columns(start, end)
        } else {
            self.group_rows(start, end);
            self.sweep_groups()
        };
        for place in 0..trials {
            self.on_trial[self.order[place] as usize] = false;
        }
        if !varied {
            self.try_another(start, end);
        }
    }

    /// Whether the columns on trial hold fewer entries than the rows of the node.
    fn by_columns_is_shorter(&self, start: usize, end: usize) -> bool {
        let columns = &self.training.columns;
        let by_columns: usize = if self.trials == columns.len() {
            columns.entries()
        } else {
            let trial = self.order[..self.trials].iter();
            trial
                .map(|&column| columns.column(column as usize).len())
                .sum()
        };
        let indptr = self.training.rows.indptr;
        let rows = self.samples[start..end].iter();
        let mut by_rows = rows.map(|&row| indptr[row as usize + 1] - indptr[row as usize]);
        // Grouping and sorting takes about three times as long as filtering.
        let mut sum = 0;
        by_rows.any(|entries| {
            sum += entries;
            3 * sum > by_columns
        })
    }

    /// Tries the columns on trial through the columns; says whether any has two values.
    fn sweep_columns(&mut self, start: usize, end: usize) -> bool {
        let mut varied = false;
        let inside = start as u32..end as u32;
        let mut entries = std::mem::take(&mut self.grouping.entries);
        for &column in &self.order[..self.trials] {
            let all = self.training.columns.column(column as usize).iter();
            entries.clear();
            entries.extend(all.filter(|&&entry| inside.contains(&self.positions[row(entry)])));
            if self.scorer.varies(&entries) {
                varied = true;
                self.scorer.sweep(column as usize, &entries);
            }
        }
        self.grouping.entries = entries;
        varied
    }

    /// Groups the entries of the node's rows in the columns on trial by column.
    fn group_rows(&mut self, start: usize, end: usize) {
        let Grouping {
            ends,
            columns,
            entries,
        } = &mut self.grouping;
        let samples = &self.samples[start..end];
        columns.clear();
        for &row in samples {
            let (indices, values) = self.training.rows.row(row as usize);
            for (&column, &value) in indices.iter().zip(values) {
                if self.on_trial[column as usize] && value != 0.0 {
                    let end = &mut ends[column as usize];
                    if *end == 0 {
                        columns.push(column);
                    }
                    *end += 1;
                }
            }
        }
        let mut total = 0;
        for &column in &*columns {
            let end = &mut ends[column as usize];
            (*end, total) = (total, total + *end);
        }
        entries.clear();
        entries.resize(total, 0);
        for &row in samples {
            let (indices, values) = self.training.rows.row(row as usize);
            for (&column, &value) in indices.iter().zip(values) {
                if self.on_trial[column as usize] && value != 0.0 {
                    let end = &mut ends[column as usize];
                    entries[*end] = pack(value, row);
                    *end += 1;
                }
            }
        }
    }

    /// Sorts and tries each group, and clears the groups; says whether any has two values.
    fn sweep_groups(&mut self) -> bool {
        let mut varied = false;
        let mut start = 0;
        for &column in &self.grouping.columns {
            let end = std::mem::take(&mut self.grouping.ends[column as usize]);
            let group = &mut self.grouping.entries[start..end];
            group.sort_unstable();
            if self.scorer.varies(group) {
                varied = true;
                self.scorer.sweep(column as usize, group);
            }
            start = end;
        }
        varied
    }

    /// Where no column on trial varies: goes on drawing columns until one does, as the peer. That
    /// is a random one of those that vary, and what no row of the node has does not.
    fn try_another(&mut self, start: usize, end: usize) {
        if self.trials >= self.order.len() {
            return;
        }
        let mut present = std::mem::take(&mut self.spare);
        present.clear();
        for &row in &self.samples[start..end] {
            for &column in self.training.rows.row(row as usize).0 {
                if !std::mem::replace(&mut self.on_trial[column as usize], true) {
                    present.push(column);
                }
            }
        }
        for &column in &present {
            self.on_trial[column as usize] = false;
        }
        while !present.is_empty() {
            let drawn = below(&mut self.generator, present.len());
            let column = present.swap_remove(drawn) as usize;
            self.on_trial[column] = true;
            self.group_rows(start, end);
            let varied = self.sweep_groups();
            self.on_trial[column] = false;
            if varied {
                break;
            }
        }
        self.spare = present;
    }

    /// Brings the rows that go left to the front of the span, both sides in order.
    fn partition(&mut self, start: usize, end: usize) -> usize {
        self.spare.clear();
        let mut middle = start;
        for place in start..end {
            let row = self.samples[place];
            if self.goes_right[row as usize] {
                self.spare.push(row);
            } else {
                self.samples[middle] = row;
                middle += 1;
            }
        }
        self.samples[middle..end].copy_from_slice(&self.spare);
        for place in start..end {
            self.positions[self.samples[place] as usize] = place as u32;
        }
        middle
    }
}

/// Says of each row of a node whether it goes right; rows without an entry have a zero.
fn mark_right(
    split: Split,
    entries: &[Entry],
    node: &Pending,
    samples: &[u32],
    goes_right: &mut [bool],
) {
    for &row in &samples[node.start..node.end] {
        goes_right[row as usize] = 0.0 > split.threshold;
    }
    for &entry in entries {
        goes_right[row(entry)] = value(entry) > split.threshold;
    }
}

/// Draws a number below `bound` by multiplication; the bias is below `bound` / 2³².
pub fn below(generator: &mut ChaCha8Rng, bound: usize) -> usize {
    ((u64::from(generator.next_u32()) * bound as u64) >> 32) as usize
}

/// Returns `0..count` in random order (Fisher and Yates).
fn permutation(generator: &mut ChaCha8Rng, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    for last in (1..count).rev() {
        order.swap(last, below(generator, last + 1));
    }
    order
}
