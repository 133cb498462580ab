//! Multinomial logistic regression with an L2 penalty, by L-BFGS.
//!
//! Invariant: the sums over rows are taken per block of rows and the blocks in their order, the
//! gradient of a column over its rows in their order; so the bits of a model do not depend on
//! the number of threads.

use std::collections::VecDeque;

use rayon::prelude::*;

use super::calibration::{Decision, score_row, softmax};
use super::csr::{Csr, LANES, Sparse, add_then_dot, combine, dot, gather, scaled, stride_of};
use super::error::{
    ABOVE_0, AT_LEAST_1, ClassicalError, Decoder, Encoder, OptionProblem, problems_of, refuse,
};

pub(super) const TAG: [u8; 8] = *b"rlogreg\x01";
/// Rows and columns that one task of Rayon takes: part of the order of the sums.
const BLOCK_ROWS: usize = 256;
const BLOCK_COLUMNS: usize = 64;

/// What a logistic regression is fitted with. The defaults are scikit-learn's, but for
/// `max_iterations`, where its 100 rarely suffice.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticOptions {
    /// Weight of the loss against the penalty; larger fits closer.
    pub c: f64,
    /// The fit ends where no entry of the gradient of the mean loss is above this.
    pub tolerance: f64,
    /// Number of steps after which the fit ends in any case.
    pub max_iterations: usize,
    /// Number of past steps that the next one is made from.
    pub memory: usize,
}

impl Default for LogisticOptions {
    fn default() -> Self {
        Self {
            c: 1.0,
            tolerance: 1e-4,
            max_iterations: 1000,
            memory: 10,
        }
    }
}

impl LogisticOptions {
    /// Returns all that is wrong with the options.
    #[must_use]
    pub fn problems(&self) -> Vec<OptionProblem> {
        problems_of([
            (self.c.is_finite() && self.c > 0.0, "c", ABOVE_0),
            (self.tolerance > 0.0, "tolerance", ABOVE_0),
            (self.max_iterations > 0, "max_iterations", AT_LEAST_1),
            (self.memory > 0, "memory", AT_LEAST_1),
        ])
    }

    /// Checks that the options make sense.
    pub(super) fn check(&self) -> Result<(), ClassicalError> {
        refuse(&self.problems())
    }
}

/// A fitted multinomial logistic regression.
///
/// # Source
///
/// The minimum of scikit-learn's `LogisticRegression`: cross-entropy of the softmax plus
/// ‖weights‖² / 2C, intercepts free; for two classes, as there, of one logistic function.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    decision: Decision,
    iterations: usize,
    converged: bool,
}

impl LogisticRegression {
    /// Fits a model; `weights` are factors on the loss of each class. A class without rows gets
    /// no probability.
    ///
    /// # Errors
    ///
    /// Where rows, labels, weights or options make no sense, and
    /// [`Interrupted`](ClassicalError::Interrupted) where `cancel` says so between two steps.
    pub fn fit(
        rows: Csr<'_>,
        labels: &[u32],
        classes: usize,
        weights: Option<&[f32]>,
        options: &LogisticOptions,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Self, ClassicalError> {
        rows.check(labels, classes, weights)?;
        options.check()?;
        let problem = Problem::new(rows, labels, classes, weights, options.c);
        let start = vec![0.0; (rows.columns + 1) * problem.stride];
        let evaluate = |at: &[f32], gradient: &mut [f32]| problem.evaluate(at, gradient);
        let minimum = minimise(&evaluate, start, options, cancel)?;
        let (mut parameters, iterations, converged) = minimum;
        let intercepts = parameters.split_off(rows.columns * problem.stride);
        let biases = problem.biases(&intercepts);
        Ok(Self {
            decision: Decision::padded(classes, parameters, biases),
            iterations,
            converged,
        })
    }

    /// Returns the probabilities, rows × classes. Columns that the model was not fitted on are
    /// ignored.
    #[must_use]
    pub fn predict_probabilities(&self, rows: Csr<'_>) -> Vec<f32> {
        self.decision.softmax(rows)
    }

    /// Returns the number of columns that the model was fitted on.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.decision.columns()
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.decision.classes()
    }

    /// Returns the number of steps of the fit.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Returns whether the fit reached its tolerance.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Returns the model as bytes: tag, steps, converged, columns, intercepts, weights; numbers
    /// little-endian, arrays with their length before them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(TAG);
        encoder.count(self.iterations);
        encoder.count(usize::from(self.converged));
        self.decision.encode(&mut encoder);
        encoder.finish()
    }

    /// Reads a model back.
    ///
    /// # Errors
    ///
    /// [`ClassicalError::Decode`] where the bytes are not from [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassicalError> {
        let mut decoder = Decoder::new(bytes, TAG)?;
        let iterations = decoder.count()?;
        let converged = decoder.flag()?;
        let decision = Decision::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(Self {
            decision,
            iterations,
            converged,
        })
    }
}

/// The function to minimise: mean weighted cross-entropy plus `penalty` / 2 × ‖weights‖².
///
/// # Shapes
///
/// Parameters: (columns + 1) × stride, the last row the intercepts.
struct Problem<'a> {
    rows: Csr<'a>,
    by_column: Sparse,
    labels: &'a [u32],
    class_weights: Vec<f32>,
    stride: usize,
    /// 0 for a class with rows, −∞ for one without and for padding.
    offsets: Vec<f32>,
    /// One over the total weight of the rows.
    scale: f64,
    penalty: f64,
}

impl<'a> Problem<'a> {
    fn new(
        rows: Csr<'a>,
        labels: &'a [u32],
        classes: usize,
        weights: Option<&[f32]>,
        c: f64,
    ) -> Self {
        let stride = stride_of(classes);
        let class_weights = weights.map_or_else(|| vec![1.0; classes], <[f32]>::to_vec);
        let mut offsets = vec![f32::NEG_INFINITY; stride];
        let mut total = 0.0;
        for &label in labels {
            offsets[label as usize] = 0.0;
            total += f64::from(class_weights[label as usize]);
        }
        // scikit-learn fits two classes by one vector w, here w/2 and −w/2: half its penalty.
        let halves = if classes == 2 { 2.0 } else { 1.0 };
        Self {
            rows,
            by_column: rows.transposed(),
            labels,
            class_weights,
            stride,
            offsets,
            scale: 1.0 / total,
            penalty: halves / (c * total),
        }
    }

    fn biases(&self, intercepts: &[f32]) -> Vec<f32> {
        let pairs = intercepts.iter().zip(&self.offsets);
        pairs
            .map(|(&intercept, &offset)| intercept + offset)
            .collect()
    }

    /// Computes the function and its gradient.
    fn evaluate(&self, parameters: &[f32], gradient: &mut [f32]) -> f64 {
        let (weights, intercepts) = parameters.split_at(self.rows.columns * self.stride);
        let biases = self.biases(intercepts);
        let mut residuals = vec![0.0; self.rows.rows() * self.stride];
        let blocks = residuals.par_chunks_mut(BLOCK_ROWS * self.stride);
        let sums: Vec<(f64, Vec<f64>)> = blocks
            .enumerate()
            .map(|(block, residuals)| self.forward(block * BLOCK_ROWS, weights, &biases, residuals))
            .collect();
        let (of_weights, of_intercepts) = gradient.split_at_mut(weights.len());
        let mut loss = 0.0;
        let mut totals = vec![0.0; self.stride];
        for (of_block, residuals) in sums {
            loss += of_block;
            for (total, residual) in totals.iter_mut().zip(residuals) {
                *total += residual;
            }
        }
        for (slope, total) in of_intercepts.iter_mut().zip(totals) {
            *slope = (total * self.scale) as f32;
        }
        self.backward(weights, &residuals, of_weights);
        loss * self.scale + self.penalty / 2.0 * dot(weights, weights)
    }

    /// Writes the residuals (probability less truth, times weight) of a block of rows; returns
    /// their loss and the sums of their residuals.
    fn forward(
        &self,
        first: usize,
        weights: &[f32],
        biases: &[f32],
        residuals: &mut [f32],
    ) -> (f64, Vec<f64>) {
        let mut loss = 0.0;
        let mut sums = vec![0.0; self.stride];
        for (row, scores) in (first..).zip(residuals.chunks_exact_mut(self.stride)) {
            score_row(self.rows.row(row), weights, biases, scores);
            let label = self.labels[row] as usize;
            let weight = self.class_weights[label];
            let own = scores[label];
            let (greatest, sum) = softmax(scores);
            loss += f64::from(weight) * (f64::from(greatest - own) + f64::from(sum).ln());
            scores[label] -= 1.0;
            for (total, score) in sums.iter_mut().zip(scores) {
                *score *= weight;
                *total += f64::from(*score);
            }
        }
        (loss, sums)
    }

    /// Computes the gradient of the weights, column by column.
    fn backward(&self, weights: &[f32], residuals: &[f32], gradient: &mut [f32]) {
        let columns = self.by_column.as_csr();
        let (scale, penalty) = (self.scale as f32, self.penalty as f32);
        let blocks = gradient.par_chunks_mut(BLOCK_COLUMNS * self.stride);
        blocks.enumerate().for_each(|(block, gradient)| {
            let rows = gradient.chunks_exact_mut(self.stride);
            for (column, slopes) in (block * BLOCK_COLUMNS..).zip(rows) {
                let weights = &weights[column * self.stride..][..self.stride];
                let lanes = slopes.chunks_exact_mut(LANES);
                for (lane, slopes) in (0..).step_by(LANES).zip(lanes) {
                    let of_column = columns.row(column);
                    let sums = gather(of_column, residuals, self.stride, lane, [0.0; LANES]);
                    for ((slope, sum), weight) in slopes.iter_mut().zip(sums).zip(&weights[lane..])
                    {
                        *slope = sum * scale + weight * penalty;
                    }
                }
            }
        });
    }
}

/// A step of the past, the change of the gradient over it, and the product of the two.
struct Pair {
    step: Vec<f32>,
    change: Vec<f32>,
    product: f64,
}

/// Returns the direction of the next step: the two-loop recursion of L-BFGS.
fn direction(past: &VecDeque<Pair>, gradient: &[f32]) -> Vec<f32> {
    let mut direction = scaled(-1.0, gradient);
    let Some(last) = past.back() else {
        return direction;
    };
    let mut factors = vec![0.0; past.len()];
    let mut product = dot(&direction, &last.step);
    for place in (0..past.len()).rev() {
        let pair = &past[place];
        factors[place] = product / pair.product;
        let next = place
            .checked_sub(1)
            .map_or(&last.change, |place| &past[place].step);
        product = add_then_dot(-factors[place], &pair.change, &mut direction, next);
    }
    // The first guess at the inverse Hessian, a multiple of the identity.
    let curvature = last.product / dot(&last.change, &last.change);
    direction = scaled(curvature, &direction);
    product = dot(&direction, &past[0].change);
    for (place, pair) in past.iter().enumerate() {
        let factor = factors[place] - product / pair.product;
        let next = past.get(place + 1).unwrap_or(last);
        product = add_then_dot(factor, &pair.step, &mut direction, &next.change);
    }
    direction
}

type Evaluate<'a> = dyn Fn(&[f32], &mut [f32]) -> f64 + 'a;

/// A point with its value and gradient.
struct Point {
    at: Vec<f32>,
    value: f64,
    gradient: Vec<f32>,
}

impl Point {
    fn new(evaluate: &Evaluate<'_>, at: Vec<f32>) -> Self {
        let mut gradient = vec![0.0; at.len()];
        Self {
            value: evaluate(&at, &mut gradient),
            at,
            gradient,
        }
    }
}

/// Minimises a smooth convex function from `start` on; returns the minimum, the number of steps and
/// whether the gradient reached the tolerance.
fn minimise(
    evaluate: &Evaluate<'_>,
    start: Vec<f32>,
    options: &LogisticOptions,
    cancel: &dyn Fn() -> bool,
) -> Result<(Vec<f32>, usize, bool), ClassicalError> {
    let mut point = Point::new(evaluate, start);
    let mut past = VecDeque::new();
    let mut iterations = 0;
    let unfinished = |gradient: &[f32]| {
        let steepest = gradient.iter().fold(0.0f32, |most, g| most.max(g.abs()));
        f64::from(steepest) > options.tolerance
    };
    while unfinished(&point.gradient) && iterations < options.max_iterations {
        if cancel() {
            return Err(ClassicalError::Interrupted);
        }
        let direction = direction(&past, &point.gradient);
        let Some(next) = line_search(evaluate, &point, &direction, past.is_empty()) else {
            // Rounding hides any further descent, unless the memory misled.
            if past.is_empty() {
                break;
            }
            past.clear();
            continue;
        };
        let step = combine(&next.at, -1.0, &point.at);
        let change = combine(&next.gradient, -1.0, &point.gradient);
        let product = dot(&step, &change);
        if product > f64::from(f32::MIN_POSITIVE) {
            past.push_back(Pair {
                step,
                change,
                product,
            });
        }
        past.drain(..past.len().saturating_sub(options.memory));
        point = next;
        iterations += 1;
    }
    let converged = !unfinished(&point.gradient);
    Ok((point.at, iterations, converged))
}

/// Finds a point along a direction that meets the weak Wolfe conditions: lower by 1e-4 of what the
/// slope promises, and with a slope at most 0.9 of the first one. Brackets, then divides.
fn line_search(
    evaluate: &Evaluate<'_>,
    from: &Point,
    direction: &[f32],
    first: bool,
) -> Option<Point> {
    let slope = dot(&from.gradient, direction);
    if slope >= 0.0 || slope.is_nan() {
        return None;
    }
    let length = dot(direction, direction).sqrt();
    let mut factor = if first { (1.0 / length).min(1.0) } else { 1.0 };
    let (mut low, mut high) = (0.0, f64::INFINITY);
    for _ in 0..25 {
        let point = Point::new(evaluate, combine(&from.at, factor, direction));
        let rise = point.value - from.value;
        if rise.is_nan() || rise > 1e-4 * factor * slope {
            high = factor;
        } else if dot(&point.gradient, direction) < 0.9 * slope {
            low = factor;
        } else {
            return Some(point);
        }
        factor = if high.is_infinite() {
            3.0 * low
        } else if low > 0.0 || rise.is_nan() {
            f64::midpoint(low, high)
        } else {
            // The minimum of the parabola through what is known.
            let curve = rise - factor * slope;
            let lowest = -slope * high * high / (2.0 * curve);
            lowest.clamp(0.1 * high, 0.9 * high)
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::csr::{assert_close, many, small, with_one_and_four_threads};
    use super::super::error::assert_survives_damage;
    use super::*;

    fn fit(labels: &[u32], classes: usize, weights: Option<&[f32]>) -> LogisticRegression {
        let options = LogisticOptions {
            tolerance: 1e-6,
            ..LogisticOptions::default()
        };
        let rows = small().0;
        let rows = rows.as_csr();
        LogisticRegression::fit(rows, labels, classes, weights, &options, &|| false).unwrap()
    }

    #[test]
    fn probabilities_are_those_of_scikit_learn() {
        let (rows, labels) = small();
        let found = |model: LogisticRegression| model.predict_probabilities(rows.as_csr());
        assert_close(
            &found(fit(&labels, 3, None))[..6],
            &[
                0.582_344, 0.203_824, 0.213_832, 0.273_866, 0.555_697, 0.170_437,
            ],
            1e-4,
        );
        let weighted = found(fit(&labels, 3, Some(&[1.0, 4.0, 1.0])));
        assert_close(&weighted[..3], &[0.479_097, 0.348_574, 0.172_329], 1e-4);
        let two: Vec<u32> = labels.iter().map(|&label| label.min(1)).collect();
        assert_close(
            &found(fit(&two, 2, None))[..4],
            &[0.514_735, 0.485_265, 0.304_939, 0.695_061],
            1e-4,
        );
        // A class without rows changes nothing.
        let apart: Vec<u32> = labels.iter().map(|&label| label * 2).collect();
        let five = found(fit(&apart, 5, None));
        assert_close(
            &five[..5],
            &[0.582_344, 0.0, 0.203_824, 0.0, 0.213_832],
            1e-4,
        );
    }

    #[test]
    fn a_model_does_not_depend_on_threads_and_comes_back_from_its_bytes() {
        let (rows, labels) = many();
        let (one, four) = with_one_and_four_threads(|| {
            let options = LogisticOptions::default();
            LogisticRegression::fit(rows.as_csr(), &labels, 3, None, &options, &|| false)
        });
        assert_eq!(one, four);
        let one = fit(&labels[..12], 3, None).to_bytes();
        assert_survives_damage(&one, LogisticRegression::from_bytes);
        assert!(LogisticRegression::from_bytes(&one).unwrap().converged());
    }

    #[test]
    fn a_fit_stops_when_asked_to() {
        let (rows, labels) = small();
        let options = LogisticOptions::default();
        let stopped = LogisticRegression::fit(rows.as_csr(), &labels, 3, None, &options, &|| true);
        assert_eq!(stopped, Err(ClassicalError::Interrupted));
    }
}
