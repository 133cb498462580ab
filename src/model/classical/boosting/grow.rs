//! Grows one regression tree on gradients, best leaf first.
//!
//! Invariant: a histogram holds only bins with entries; what it lacks of a node's sums is the
//! bin of the zeros. Of two children the smaller is summed from its rows and the larger is the
//! parent's histogram less that. All sums run in the order of the rows.

use super::super::tree::columns::{Columns, row, value};
use super::super::tree::nodes::Node;
use super::BoostingOptions;
use super::bins::{Bins, Feature};

/// The least sum of hessians of a leaf, as in scikit-learn.
const LEAST_HESSIAN: f64 = 1e-3;

/// Sums over rows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    hessian: f64,
    rows: u32,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.rows += other.rows;
    }

    fn less(self, other: &Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }

    /// Twice what the loss falls by with the best value for these rows.
    fn score(&self, l2: f64) -> f64 {
        self.gradient * self.gradient / (self.hessian + l2)
    }
}

#[derive(Debug, Clone, Copy)]
struct Split {
    column: u32,
    threshold: f32,
    gain: f64,
    left: Sums,
}

/// A node of the tree that grows.
#[derive(Debug)]
struct Branch {
    start: usize,
    end: usize,
    depth: usize,
    sums: Sums,
    split: Option<Split>,
    histogram: Vec<Sums>,
    question: Option<Question>,
}

/// A split that was made.
#[derive(Debug, Clone, Copy)]
struct Question {
    column: u32,
    threshold: f32,
    children: [usize; 2],
}

/// What every tree of a fit reads.
#[derive(Debug)]
pub struct Training<'a> {
    /// The rows by bins.
    pub bins: Bins,
    /// The rows by columns.
    pub columns: Columns,
    /// How to grow.
    pub options: &'a BoostingOptions,
}

/// Buffers that one tree after the other uses.
#[derive(Debug)]
pub struct Workspace {
    /// Gradient and hessian of each row.
    pub gradients: Vec<[f32; 2]>,
    /// All rows; a branch has a span.
    samples: Vec<u32>,
    spare: Vec<u32>,
    goes_right: Vec<bool>,
    /// Histograms out of use, with whatever is in them.
    histograms: Vec<Vec<Sums>>,
}

impl Workspace {
    /// Makes buffers for so many rows.
    pub fn new(rows: usize) -> Self {
        Self {
            gradients: vec![[0.0; 2]; rows],
            samples: Vec::with_capacity(rows),
            spare: Vec::with_capacity(rows),
            goes_right: vec![false; rows],
            histograms: Vec::new(),
        }
    }

    /// Grows a tree on the gradients and adds its values to the rows' scores.
    pub fn grow(&mut self, training: &Training<'_>, scores: &mut [f32]) -> Vec<Node> {
        self.samples.clear();
        self.samples.extend(0..scores.len() as u32);
        let mut branches = vec![self.root(training)];
        let most = training.options.max_leaves;
        let mut leaves = 1;
        while leaves < most {
            let Some(chosen) = best(&branches) else {
                break;
            };
            leaves += 1;
            self.split(training, &mut branches, chosen, leaves < most);
        }
        let values = |branch: &Branch| leaf_value(&branch.sums, training.options);
        for branch in branches.iter().filter(|branch| branch.question.is_none()) {
            for &row in &self.samples[branch.start..branch.end] {
                scores[row as usize] += values(branch);
            }
        }
        let nodes = flatten(&branches, values);
        self.histograms
            .extend(branches.into_iter().map(|branch| branch.histogram));
        self.histograms.retain(|cells| !cells.is_empty());
        nodes
    }

    fn root(&mut self, training: &Training<'_>) -> Branch {
        let mut sums = Sums::default();
        for &[gradient, hessian] in &self.gradients {
            sums.gradient += f64::from(gradient);
            sums.hessian += f64::from(hessian);
            sums.rows += 1;
        }
        let mut root = Branch {
            start: 0,
            end: self.samples.len(),
            depth: 0,
            sums,
            split: None,
            histogram: Vec::new(),
            question: None,
        };
        if root.may_split(training.options) {
            root.histogram = self.sum(training, root.start, root.end);
            root.split = find_split(training, &root);
        }
        root
    }

    /// Splits a branch; the children look for splits of their own only if they `may_go_on`.
    fn split(
        &mut self,
        training: &Training<'_>,
        branches: &mut Vec<Branch>,
        chosen: usize,
        may_go_on: bool,
    ) {
        let parent = &mut branches[chosen];
        let Some(split) = parent.split.take() else {
            return;
        };
        let mut histogram = std::mem::take(&mut parent.histogram);
        let middle = self.partition(training, parent, split);
        let child = |start, end, sums| Branch {
            start,
            end,
            depth: parent.depth + 1,
            sums,
            split: None,
            histogram: Vec::new(),
            question: None,
        };
        let mut small = child(parent.start, middle, split.left);
        let mut large = child(middle, parent.end, parent.sums.less(&split.left));
        let is_left_small = small.sums.rows <= large.sums.rows;
        if !is_left_small {
            std::mem::swap(&mut small, &mut large);
        }
        let may_split = |branch: &Branch| may_go_on && branch.may_split(training.options);
        if may_split(&large) {
            let summed = self.sum(training, small.start, small.end);
            for (cell, less) in histogram.iter_mut().zip(&summed) {
                *cell = cell.less(less);
            }
            large.histogram = std::mem::take(&mut histogram);
            large.split = find_split(training, &large);
            small.histogram = summed;
            if may_split(&small) {
                small.split = find_split(training, &small);
            }
        }
        for branch in [&mut small, &mut large] {
            if branch.split.is_none() {
                self.histograms.push(std::mem::take(&mut branch.histogram));
            }
        }
        self.histograms.push(histogram);
        self.histograms.retain(|cells| !cells.is_empty());
        let first = branches.len();
        branches[chosen].question = Some(Question {
            column: split.column,
            threshold: split.threshold,
            children: [first, first + 1],
        });
        if is_left_small {
            branches.extend([small, large]);
        } else {
            branches.extend([large, small]);
        }
    }

    /// Sums the gradients of a span of rows by bin.
    fn sum(&mut self, training: &Training<'_>, start: usize, end: usize) -> Vec<Sums> {
        let mut cells = self.histograms.pop().unwrap_or_default();
        cells.clear();
        cells.resize(training.bins.len(), Sums::default());
        for &row in &self.samples[start..end] {
            let [gradient, hessian] = self.gradients[row as usize].map(f64::from);
            for &bin in training.bins.row(row as usize) {
                let cell = &mut cells[bin as usize];
                cell.gradient += gradient;
                cell.hessian += hessian;
                cell.rows += 1;
            }
        }
        cells
    }

    /// Brings the rows that go left to the front of the branch, both sides in order.
    fn partition(&mut self, training: &Training<'_>, branch: &Branch, split: Split) -> usize {
        let entries = training.columns.column(split.column as usize);
        let first_right = entries.partition_point(|&entry| value(entry) <= split.threshold);
        let (left, right) = entries.split_at(first_right);
        // The zeros are on one side; the rows of the other are marked.
        let zeros_right = 0.0 > split.threshold;
        let marked = if zeros_right { left } else { right };
        for &entry in marked {
            self.goes_right[row(entry)] = true;
        }
        self.spare.clear();
        let mut middle = branch.start;
        for place in branch.start..branch.end {
            let row = self.samples[place];
            if self.goes_right[row as usize] == zeros_right {
                self.samples[middle] = row;
                middle += 1;
            } else {
                self.spare.push(row);
            }
        }
        self.samples[middle..branch.end].copy_from_slice(&self.spare);
        for &entry in marked {
            self.goes_right[row(entry)] = false;
        }
        middle
    }
}

impl Branch {
    fn may_split(&self, options: &BoostingOptions) -> bool {
        self.sums.rows as usize >= 2 * options.min_leaf_rows
            && self.sums.hessian >= 2.0 * LEAST_HESSIAN
            && options.max_depth.is_none_or(|most| self.depth < most)
    }
}

/// Returns the branch whose split gains most, the first of equals.
fn best(branches: &[Branch]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (number, branch) in branches.iter().enumerate() {
        if let Some(split) = branch.split
            && best.is_none_or(|(_, gain)| split.gain > gain)
        {
            best = Some((number, split.gain));
        }
    }
    best.map(|(number, _)| number)
}

/// Returns the split of a branch that gains most, the first of equals.
fn find_split(training: &Training<'_>, branch: &Branch) -> Option<Split> {
    let least = training.options.min_leaf_rows as u32;
    let l2 = f64::from(training.options.l2);
    let mut best: Option<(f64, &Feature, usize, Sums)> = None;
    let mut best_score = branch.sums.score(l2);
    for feature in &training.bins.features {
        let cells = &branch.histogram[feature.span()];
        if cells.iter().map(|cell| cell.rows).sum::<u32>() < least {
            continue;
        }
        let mut entries = Sums::default();
        for cell in cells {
            entries.add(cell);
        }
        let zeros = branch.sums.less(&entries);
        let mut left = Sums::default();
        for place in 0..cells.len() {
            left.add(match place.cmp(&feature.negatives) {
                std::cmp::Ordering::Less => &cells[place],
                std::cmp::Ordering::Equal => &zeros,
                std::cmp::Ordering::Greater => &cells[place - 1],
            });
            let right = branch.sums.less(&left);
            if right.rows < least {
                break;
            }
            let least_hessian = left.hessian.min(right.hessian);
            if left.rows < least || least_hessian < LEAST_HESSIAN {
                continue;
            }
            let score = left.score(l2) + right.score(l2);
            if score > best_score {
                best_score = score;
                best = Some((score, feature, place, left));
            }
        }
    }
    let (score, feature, place, left) = best?;
    Some(Split {
        column: feature.column,
        threshold: training.bins.thresholds[feature.start + place],
        gain: score - branch.sums.score(l2),
        left,
    })
}

/// Returns the value of a leaf: a Newton step, shortened by the learning rate.
fn leaf_value(sums: &Sums, options: &BoostingOptions) -> f32 {
    let hessian = sums.hessian + f64::from(options.l2);
    (-f64::from(options.learning_rate) * sums.gradient / hessian.max(f64::MIN_POSITIVE)) as f32
}

/// Puts branches into preorder.
fn flatten(branches: &[Branch], value: impl Fn(&Branch) -> f32) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::with_capacity(branches.len());
    let mut pending: Vec<(usize, Option<usize>)> = vec![(0, None)];
    while let Some((branch, parent)) = pending.pop() {
        let number = nodes.len();
        if let Some(parent) = parent {
            nodes[parent].next = number as u32;
        }
        let branch = &branches[branch];
        if let Some(question) = branch.question {
            nodes.push(Node::question(question.column, question.threshold));
            pending.push((question.children[1], Some(number)));
            pending.push((question.children[0], None));
        } else {
            nodes.push(Node::leaf(value(branch), 0));
        }
    }
    nodes
}
