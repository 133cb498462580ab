//! Gradient boosting on sparse rows: one small regression tree for each class and iteration.
//!
//! Trees split on histograms of a few bins per column, zeros as a bin of their own. The trees of
//! an iteration grow in parallel, each on the gradients of its class. Invariant: the number of
//! threads does not matter, since a sum never crosses classes and softmax never crosses rows.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::csr::Csr;
use super::error::{
    ABOVE_0, AT_LEAST_1, ClassicalError, Decoder, Encoder, OptionProblem, invalid, problems_of,
    refuse,
};
use super::tree::DEPTH;
use super::tree::columns::Columns;
use super::tree::nodes::{self, Node, map_rows};
use super::tree::shape::read_count;

mod bins;
mod grow;
mod holdout;

use bins::Bins;
use grow::{Training, Workspace};
use holdout::Holdout;

/// Kind of model and version of its format.
pub(super) const TAG: [u8; 8] = *b"RYNBOOS\x01";

/// Rows whose softmax one Rayon task takes.
const BLOCK_ROWS: usize = 512;

/// When to stop before the last iteration. The defaults are scikit-learn's.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyStopping {
    /// Share of each class's rows that is held back and measures the loss.
    pub held_share: f64,
    /// Iterations without a better loss after which to stop.
    pub patience: usize,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self {
            held_share: 0.1,
            patience: 10,
        }
    }
}

/// How to boost.
///
/// The defaults are scikit-learn's where these hold up: a penalty of 0 lets the scores of 27
/// classes diverge, and leaves of 20 rows leave out the rarer words.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostingOptions {
    /// The most iterations; each grows a tree for every class.
    pub iterations: usize,
    /// Share of each tree's values that counts.
    pub learning_rate: f32,
    /// The most leaves of a tree.
    pub max_leaves: usize,
    /// The most questions from the root to a leaf, if there is a limit.
    pub max_depth: Option<usize>,
    /// The fewest rows of a leaf.
    pub min_leaf_rows: usize,
    /// Penalty on the leaves' values.
    pub l2: f32,
    /// The most bins of a column, beside the zeros'. Few suit words, of which most of what matters
    /// is whether they are there; dense rows may want more.
    pub bins: usize,
    /// When to stop early, if at all; the iterations after the best are dropped.
    pub early_stopping: Option<EarlyStopping>,
    /// Decides which rows are held back.
    pub seed: u64,
}

impl Default for BoostingOptions {
    fn default() -> Self {
        Self {
            iterations: 100,
            learning_rate: 0.1,
            max_leaves: 31,
            max_depth: None,
            min_leaf_rows: 5,
            l2: 1.0,
            bins: 4,
            early_stopping: None,
            seed: 123,
        }
    }
}

impl BoostingOptions {
    /// Returns all that is wrong with the options.
    #[must_use]
    pub fn problems(&self) -> Vec<OptionProblem> {
        let positive = |number: f32| number.is_finite() && number > 0.0;
        let mut problems = problems_of([
            (self.iterations > 0, "iterations", AT_LEAST_1),
            (positive(self.learning_rate), "learning_rate", ABOVE_0),
            (self.max_leaves >= 2, "max_leaves", "must be at least 2"),
            (self.max_depth != Some(0), "max_depth", DEPTH),
            (self.min_leaf_rows > 0, "min_leaf_rows", AT_LEAST_1),
            (
                self.l2.is_finite() && self.l2 >= 0.0,
                "l2",
                "must be at least 0",
            ),
            (self.bins > 0, "bins", AT_LEAST_1),
        ]);
        if let Some(stop) = &self.early_stopping {
            problems.extend(problems_of([
                (
                    stop.held_share > 0.0 && stop.held_share < 1.0,
                    "early_stopping.held_share",
                    "must be above 0 and below 1",
                ),
                (stop.patience > 0, "early_stopping.patience", AT_LEAST_1),
            ]));
        }
        problems
    }

    /// Checks that the options make sense.
    pub(super) fn check(&self) -> Result<(), ClassicalError> {
        refuse(&self.problems())
    }
}

/// Fitted gradient boosting.
///
/// # Source
///
/// Friedman, *Greedy Function Approximation* (2001) with Newton steps, in the variant of
/// scikit-learn's `HistGradientBoostingClassifier`: softmax, best leaf first, a hessian of at
/// least 1e-3 in a leaf. Other than there, rows are sparse and bins few.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientBoosting {
    columns: usize,
    /// Score of each class before the first tree; −∞ for a class without rows.
    base: Vec<f32>,
    /// Trees by iteration, then class.
    trees: Vec<Vec<Node>>,
}

impl GradientBoosting {
    /// Fits a model; `weights` are those of the classes, `cancel` is asked at each iteration.
    ///
    /// # Errors
    ///
    /// Rows, labels, weights or options make no sense, or `cancel` said so.
    pub fn fit(
        rows: Csr<'_>,
        labels: &[u32],
        classes: usize,
        weights: Option<&[f32]>,
        options: &BoostingOptions,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Self, ClassicalError> {
        options.check()?;
        rows.check(labels, classes, weights)?;
        let ones = vec![1.0; classes];
        let weights = weights.unwrap_or(&ones);
        let Some(stop) = &options.early_stopping else {
            return Booster::new(rows, labels, weights, options).boost(None, cancel);
        };
        let (kept, mut holdout) = Holdout::split(rows, labels, classes, stop, options.seed);
        let booster = Booster::new(kept.rows(), kept.labels(), weights, options);
        if kept.labels().len() == labels.len() {
            // Too few rows to hold any back.
            return booster.boost(None, cancel);
        }
        holdout.start(&booster.base);
        booster.boost(Some((holdout, stop.patience)), cancel)
    }

    /// Returns the probability of each class for each row.
    ///
    /// # Shapes
    ///
    /// rows × classes; each row sums to 1. Columns that were not there at the fit are left out.
    #[must_use]
    pub fn predict_probabilities(&self, rows: Csr<'_>) -> Vec<f32> {
        map_rows(rows, self.columns, self.base.len(), |row, scores| {
            scores.copy_from_slice(&self.base);
            for trees in self.trees.chunks(self.base.len()) {
                add_values(trees, row, scores);
            }
            softmax(scores);
        })
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.base.len()
    }

    /// Returns the number of iterations that were kept.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.trees.len() / self.base.len()
    }

    /// Encodes the model: little-endian, with the version of the format.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(TAG);
        encoder.count(self.columns);
        encoder.f32s(&self.base);
        let lengths = self.trees.iter().map(|tree| tree.len() as u64);
        encoder.u64s(&lengths.collect::<Vec<_>>());
        nodes::encode(&self.trees.concat(), &mut encoder);
        encoder.finish()
    }

    /// Decodes a model.
    ///
    /// # Errors
    ///
    /// The bytes are no model of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassicalError> {
        let mut decoder = Decoder::new(bytes, TAG)?;
        let columns = read_count(&mut decoder, 0)?;
        let base = decoder.f32s()?;
        let lengths = decoder.u64s()?;
        let nodes = nodes::decode(&mut decoder)?;
        decoder.finish()?;
        let is_score = |score: &f32| score.is_finite() || *score == f32::NEG_INFINITY;
        if !base.iter().all(is_score) || !base.iter().any(|score| score.is_finite()) {
            return Err(invalid("the first scores are no numbers"));
        }
        if lengths.len() % base.len() != 0 {
            return Err(invalid("an iteration lacks trees"));
        }
        let trees = cut(&nodes, &lengths, columns)?;
        Ok(Self {
            columns,
            base,
            trees,
        })
    }
}

/// Cuts decoded nodes into trees.
fn cut(nodes: &[Node], lengths: &[u64], columns: usize) -> Result<Vec<Vec<Node>>, ClassicalError> {
    let mut rest = nodes;
    let mut trees = Vec::new();
    for &length in lengths {
        let split = usize::try_from(length).ok();
        let split = split.and_then(|length| rest.split_at_checked(length));
        let (tree, after) = split.ok_or_else(|| invalid("a tree lacks nodes"))?;
        nodes::check(tree, columns, 1)?;
        if !tree.iter().all(|node| node.value.is_finite()) {
            return Err(invalid("a value of a tree is no number"));
        }
        trees.push(tree.to_vec());
        rest = after;
    }
    match rest {
        [] => Ok(trees),
        _ => Err(invalid("nodes without a tree")),
    }
}

/// Adds the values of an iteration's trees to a row's scores.
fn add_values(trees: &[Vec<Node>], row: &[f32], scores: &mut [f32]) {
    for (tree, score) in trees.iter().zip(scores) {
        *score += nodes::leaf(tree, row).value;
    }
}

/// Turns scores into probabilities.
fn softmax(scores: &mut [f32]) {
    let greatest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = (*score - greatest).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}

/// State of a fit.
struct Booster<'a> {
    training: Training<'a>,
    labels: &'a [u32],
    weights: &'a [f32],
    base: Vec<f32>,
    columns: usize,
    /// Scores of all rows, class by class.
    scores: Vec<f32>,
    workspaces: Mutex<Vec<Workspace>>,
}

impl<'a> Booster<'a> {
    fn new(
        rows: Csr<'_>,
        labels: &'a [u32],
        weights: &'a [f32],
        options: &'a BoostingOptions,
    ) -> Self {
        let columns = Columns::new(rows);
        let base = base_scores(labels, weights);
        Self {
            training: Training {
                bins: Bins::new(rows, &columns, options.bins, options.min_leaf_rows),
                columns,
                options,
            },
            labels,
            weights,
            columns: rows.columns,
            scores: base
                .iter()
                .flat_map(|&score| std::iter::repeat_n(score, labels.len()))
                .collect(),
            base,
            workspaces: Mutex::default(),
        }
    }

    fn boost(
        mut self,
        mut watch: Option<(Holdout, usize)>,
        cancel: &dyn Fn() -> bool,
    ) -> Result<GradientBoosting, ClassicalError> {
        let mut trees = Vec::new();
        for _ in 0..self.training.options.iterations {
            if cancel() {
                return Err(ClassicalError::Interrupted);
            }
            let grown = self.iterate();
            let is_over = watch.as_mut().is_some_and(|(holdout, patience)| {
                holdout.watch(self.columns, &grown);
                holdout.iterations_since_best() >= *patience
            });
            trees.extend(grown);
            if is_over {
                break;
            }
        }
        if let Some((holdout, _)) = watch {
            trees.truncate(holdout.best_iterations() * self.base.len());
        }
        Ok(GradientBoosting {
            columns: self.columns,
            base: self.base,
            trees,
        })
    }

    /// Grows a tree for each class and adds its values to the scores.
    fn iterate(&mut self) -> Vec<Vec<Node>> {
        let rows = self.labels.len();
        let norms = log_sum_exp(&self.scores, rows);
        let (training, workspaces) = (&self.training, &self.workspaces);
        let (labels, weights, base) = (self.labels, self.weights, &self.base);
        let grown = self.scores.par_chunks_mut(rows).with_max_len(1).enumerate();
        grown
            .map(|(class, scores)| {
                if base[class] == f32::NEG_INFINITY {
                    return vec![Node::leaf(0.0, 0)];
                }
                let lock = || workspaces.lock().unwrap_or_else(PoisonError::into_inner);
                let workspace = lock().pop();
                let mut workspace = workspace.unwrap_or_else(|| Workspace::new(rows));
                for (row, gradients) in workspace.gradients.iter_mut().enumerate() {
                    let label = labels[row] as usize;
                    let probability = (scores[row] - norms[row]).exp();
                    let target = f32::from(u8::from(label == class));
                    let hessian = probability * (1.0 - probability);
                    *gradients = [
                        weights[label] * (probability - target),
                        weights[label] * hessian.max(0.0),
                    ];
                }
                let tree = workspace.grow(training, scores);
                lock().push(workspace);
                tree
            })
            .collect()
    }
}

/// Returns the logarithm of each class's share of the weight.
fn base_scores(labels: &[u32], weights: &[f32]) -> Vec<f32> {
    let mut counts = vec![0_usize; weights.len()];
    for &label in labels {
        counts[label as usize] += 1;
    }
    let totals: Vec<f64> = counts
        .iter()
        .zip(weights)
        .map(|(&count, &weight)| count as f64 * f64::from(weight))
        .collect();
    let sum: f64 = totals.iter().sum();
    totals
        .iter()
        .map(|total| (total / sum).ln() as f32)
        .collect()
}

/// Returns the logarithm of the sum of the exponentials of each row's scores.
fn log_sum_exp(scores: &[f32], rows: usize) -> Vec<f32> {
    let mut norms = vec![0.0; rows];
    let blocks = norms.par_chunks_mut(BLOCK_ROWS).enumerate();
    blocks.for_each(|(block, norms)| {
        let first = block * BLOCK_ROWS;
        let span = first..first + norms.len();
        let mut greatest = vec![f32::NEG_INFINITY; norms.len()];
        for scores in scores.chunks_exact(rows) {
            for (greatest, &score) in greatest.iter_mut().zip(&scores[span.clone()]) {
                *greatest = greatest.max(score);
            }
        }
        for scores in scores.chunks_exact(rows) {
            let pairs = greatest.iter().zip(&scores[span.clone()]);
            for (norm, (greatest, score)) in norms.iter_mut().zip(pairs) {
                *norm += (score - greatest).exp();
            }
        }
        for (norm, greatest) in norms.iter_mut().zip(greatest) {
            *norm = norm.ln() + greatest;
        }
    });
    norms
}

#[cfg(test)]
mod tests;
