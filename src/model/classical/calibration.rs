//! Decision values of linear models, and the probabilities that they mean.
//!
//! Invariant: the probabilities of a row are not negative and sum to 1, and depend on no other
//! row.

use rayon::prelude::*;

use super::csr::{Csr, LANES, gather, stride_of};
use super::error::{ClassicalError, Decoder, Encoder, invalid};

/// Rows that one task of Rayon takes.
const BLOCK_ROWS: usize = 128;

/// Below this distance from the greatest score a class has the probability 0: e⁻⁶⁰ adds nothing
/// to an f32 and keeps products with it clear of the slow denormal numbers.
const LOWEST: f32 = -60.0;

/// Weights and biases of a linear model: what gives a row its decision values.
///
/// # Shapes
///
/// `weights` is columns × stride, `biases` stride long; the stride is the number of classes
/// rounded up to whole lanes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    columns: usize,
    classes: usize,
    stride: usize,
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl Decision {
    /// Makes a table from padded weights and biases.
    pub(super) fn padded(classes: usize, weights: Vec<f32>, biases: Vec<f32>) -> Self {
        let stride = stride_of(classes);
        Self {
            columns: weights.len() / stride,
            classes,
            stride,
            weights,
            biases,
        }
    }

    /// Makes a table from the weights of each class and their biases.
    pub(super) fn of_classes(columns: usize, classes: &[(Vec<f32>, f32)]) -> Self {
        let stride = stride_of(classes.len());
        let mut weights = vec![0.0; columns * stride];
        for (class, (of_class, _)) in classes.iter().enumerate() {
            for (column, &weight) in of_class.iter().enumerate() {
                weights[column * stride + class] = weight;
            }
        }
        let mut biases: Vec<f32> = classes.iter().map(|&(_, bias)| bias).collect();
        biases.resize(stride, 0.0);
        Self::padded(classes.len(), weights, biases)
    }

    /// Returns the number of columns that it has weights for.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the number of classes.
    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the decision values, rows × classes.
    pub(super) fn values(&self, rows: Csr<'_>) -> Vec<f32> {
        self.map_rows(rows, |_| {})
    }

    /// Returns the softmax of the decision values, rows × classes.
    pub(super) fn softmax(&self, rows: Csr<'_>) -> Vec<f32> {
        self.map_rows(rows, |scores| {
            softmax(scores);
        })
    }

    fn map_rows(&self, rows: Csr<'_>, finish: impl Fn(&mut [f32]) + Sync) -> Vec<f32> {
        let mut values = vec![0.0; rows.rows() * self.classes];
        let blocks = values.par_chunks_mut(BLOCK_ROWS * self.classes);
        blocks.enumerate().for_each(|(block, values)| {
            let mut scores = vec![0.0; self.stride];
            let rows_of_block = (block * BLOCK_ROWS..).zip(values.chunks_exact_mut(self.classes));
            for (row, values) in rows_of_block {
                score_row(rows.row(row), &self.weights, &self.biases, &mut scores);
                finish(&mut scores[..self.classes]);
                values.copy_from_slice(&scores[..self.classes]);
            }
        });
        values
    }

    /// Appends the table, without its padding.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encoder.count(self.columns);
        encoder.f32s(&self.biases[..self.classes]);
        let rows = self.weights.chunks_exact(self.stride);
        let weights: Vec<f32> = rows.flat_map(|row| &row[..self.classes]).copied().collect();
        encoder.f32s(&weights);
    }

    /// Reads a table.
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, ClassicalError> {
        let columns = decoder.count()?;
        let mut biases = decoder.f32s()?;
        let compact = decoder.f32s()?;
        let classes = biases.len();
        if classes == 0 || columns.checked_mul(classes) != Some(compact.len()) {
            return Err(invalid("weights do not fit the classes"));
        }
        let finite = compact.iter().all(|weight| weight.is_finite());
        if !finite || biases.iter().any(|bias| bias.is_nan()) {
            return Err(invalid("a weight is not a finite number"));
        }
        let stride = stride_of(classes);
        biases.resize(stride, 0.0);
        let mut weights = vec![0.0; columns * stride];
        for (padded, row) in weights
            .chunks_exact_mut(stride)
            .zip(compact.chunks_exact(classes))
        {
            padded[..classes].copy_from_slice(row);
        }
        Ok(Self::padded(classes, weights, biases))
    }
}

/// Computes the decision values of a row: `scores`, `biases` and each row of `weights` are of one
/// length, a multiple of [`LANES`].
pub(super) fn score_row(
    row: (&[u32], &[f32]),
    weights: &[f32],
    biases: &[f32],
    scores: &mut [f32],
) {
    let stride = biases.len();
    let (biases, _) = biases.as_chunks::<LANES>();
    let (scores, _) = scores.as_chunks_mut::<LANES>();
    for (block, (scores, &biases)) in scores.iter_mut().zip(biases).enumerate() {
        *scores = gather(row, weights, stride, block * LANES, biases);
    }
}

/// Turns scores into probabilities; returns the greatest score and the sum of the exponentials of
/// the distances from it. A score of −∞ is a class that cannot be.
pub(super) fn softmax(scores: &mut [f32]) -> (f32, f32) {
    let greater = |a: f32, b: &f32| if *b > a { *b } else { a };
    let greatest = scores.iter().fold(f32::NEG_INFINITY, greater);
    for score in scores.iter_mut() {
        *score = exponential(*score - greatest);
    }
    let sum: f32 = scores.iter().sum();
    let share = 1.0 / sum;
    for score in scores.iter_mut() {
        *score *= share;
    }
    (greatest, sum)
}

/// Computes eˣ for x ≤ 0 within 2e-7 of itself, in code without branches or calls that the
/// compiler vectorises; 0 below [`LOWEST`].
///
/// # Source
///
/// The polynomial of Cephes' `expf`.
#[inline]
fn exponential(x: f32) -> f32 {
    // Adding 1.5 × 2²³ rounds to a whole number and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first of which has few bits, so that the product is exact.
    let rest = x - whole * 0.693_359_4 - whole * -2.121_944_4e-4;
    let mut sum = 1.987_569_1e-4;
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        sum = sum * rest + coefficient;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    let result = (sum * rest * rest + rest + 1.0) * power;
    if x < LOWEST { 0.0 } else { result }
}

/// Platt's sigmoid: the probability 1 / (1 + exp(slope × value + offset)) of a class.
///
/// # Source
///
/// Platt's targets (1999) fitted by the Newton method of Lin, Lin and Weng (2007): the minimum
/// that scikit-learn's `CalibratedClassifierCV(method="sigmoid")` looks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sigmoid {
    slope: f64,
    offset: f64,
}

impl Sigmoid {
    /// Fits the sigmoid to decision values of which some are `positive`.
    fn fit(values: &[f64], positive: &[bool]) -> Self {
        let positives = positive.iter().filter(|&&positive| positive).count() as f64;
        let negatives = positive.len() as f64 - positives;
        let high = (positives + 1.0) / (positives + 2.0);
        let low = 1.0 / (negatives + 2.0);
        let target = |&positive: &bool| if positive { high } else { low };
        let targets: Vec<f64> = positive.iter().map(target).collect();
        let mut sigmoid = Self {
            slope: 0.0,
            offset: ((negatives + 1.0) / (positives + 1.0)).ln(),
        };
        let mut loss = sigmoid.loss(values, &targets);
        for _ in 0..100 {
            let Some(step) = sigmoid.newton_step(values, &targets) else {
                break;
            };
            let Some(next) = sigmoid.search(step, loss, values, &targets) else {
                break;
            };
            (sigmoid, loss) = next;
        }
        sigmoid
    }

    fn loss(self, values: &[f64], targets: &[f64]) -> f64 {
        let terms = values.iter().zip(targets).map(|(&value, &target)| {
            let power = self.slope * value + self.offset;
            // ln(1 + exp(power)) without overflow, less what the target takes off.
            power.max(0.0) + (-power.abs()).exp().ln_1p() - (1.0 - target) * power
        });
        terms.sum()
    }

    /// Returns Newton's step and the slope of the loss along it; nothing at the minimum.
    fn newton_step(self, values: &[f64], targets: &[f64]) -> Option<(f64, f64, f64)> {
        let (mut g1, mut g2) = (0.0, 0.0);
        // Keeps the matrix regular where all values are the same.
        let (mut h11, mut h12, mut h22) = (1e-12, 0.0, 1e-12);
        for (&value, &target) in values.iter().zip(targets) {
            let probability = self.probability(value);
            let curve = probability * (1.0 - probability);
            h11 += value * value * curve;
            h12 += value * curve;
            h22 += curve;
            g1 += value * (target - probability);
            g2 += target - probability;
        }
        if g1.abs() < 1e-7 && g2.abs() < 1e-7 {
            return None;
        }
        let determinant = h11 * h22 - h12 * h12;
        let d1 = -(h22 * g1 - h12 * g2) / determinant;
        let d2 = -(h11 * g2 - h12 * g1) / determinant;
        let regular = d1.is_finite() && d2.is_finite();
        regular.then_some((d1, d2, g1 * d1 + g2 * d2))
    }

    /// Halves a step until the loss goes down.
    fn search(
        self,
        (d1, d2, along): (f64, f64, f64),
        loss: f64,
        values: &[f64],
        targets: &[f64],
    ) -> Option<(Self, f64)> {
        let mut step = 1.0;
        while step > 1e-10 {
            let next = Self {
                slope: self.slope + step * d1,
                offset: self.offset + step * d2,
            };
            let next_loss = next.loss(values, targets);
            if next_loss < loss + 1e-4 * step * along {
                return Some((next, next_loss));
            }
            step /= 2.0;
        }
        None
    }

    fn probability(self, value: f64) -> f64 {
        1.0 / (1.0 + (self.slope * value + self.offset).exp())
    }
}

/// A sigmoid per class.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Calibration {
    sigmoids: Vec<Sigmoid>,
}

impl Calibration {
    /// Returns the calibration that only squeezes values between 0 and 1, in their order.
    pub(super) fn none(classes: usize) -> Self {
        let sigmoid = Sigmoid {
            slope: -1.0,
            offset: 0.0,
        };
        Self {
            sigmoids: vec![sigmoid; classes],
        }
    }

    /// Fits a sigmoid per class to decision values (rows × classes) of rows that the models did
    /// not see.
    pub(super) fn fit(values: &[f32], labels: &[u32], classes: usize) -> Self {
        let fit = |class: usize| {
            let of_class = values.iter().skip(class).step_by(classes);
            let of_class: Vec<f64> = of_class.map(|&value| f64::from(value)).collect();
            let positive: Vec<bool> = labels
                .iter()
                .map(|&label| label as usize == class)
                .collect();
            Sigmoid::fit(&of_class, &positive)
        };
        Self {
            sigmoids: (0..classes).into_par_iter().map(fit).collect(),
        }
    }

    /// Replaces decision values (rows × classes) by probabilities, normalised over the classes.
    pub(super) fn apply(&self, values: &mut [f32]) {
        let classes = self.sigmoids.len();
        let rows = values
            .par_chunks_exact_mut(classes)
            .with_min_len(BLOCK_ROWS);
        rows.for_each(|row| {
            let raw: Vec<f64> = (row.iter().zip(&self.sigmoids))
                .map(|(&value, sigmoid)| sigmoid.probability(f64::from(value)))
                .collect();
            let sum: f64 = raw.iter().sum();
            for (value, probability) in row.iter_mut().zip(raw) {
                // As scikit-learn: where no class is likely at all, each is as likely.
                let uniform = 1.0 / classes as f64;
                let shared = if sum > 0.0 {
                    probability / sum
                } else {
                    uniform
                };
                *value = shared as f32;
            }
        });
    }

    /// Appends the sigmoids.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        let numbers = self.sigmoids.iter().flat_map(|s| [s.slope, s.offset]);
        encoder.f64s(&numbers.collect::<Vec<_>>());
    }

    /// Reads the sigmoids of so many classes.
    pub(super) fn decode(
        decoder: &mut Decoder<'_>,
        classes: usize,
    ) -> Result<Self, ClassicalError> {
        let numbers = decoder.f64s()?;
        let (pairs, rest) = numbers.as_chunks::<2>();
        let finite = numbers.iter().all(|number| number.is_finite());
        if pairs.len() != classes || !rest.is_empty() || !finite {
            return Err(invalid("sigmoids do not fit the classes"));
        }
        let sigmoid = |&[slope, offset]: &[f64; 2]| Sigmoid { slope, offset };
        Ok(Self {
            sigmoids: pairs.iter().map(sigmoid).collect(),
        })
    }
}

/// Returns the fold of each row, so that each fold has about the same share of each class.
///
/// # Source
///
/// scikit-learn's `StratifiedKFold` without shuffling, row for row.
pub(super) fn stratified_folds(labels: &[u32], classes: usize, folds: usize) -> Vec<usize> {
    // Classes by first appearance, then their labels in that order dealt out to the folds.
    let mut counts = vec![0usize; classes];
    let mut order = Vec::new();
    for &label in labels {
        if counts[label as usize] == 0 {
            order.push(label as usize);
        }
        counts[label as usize] += 1;
    }
    let mut quota = vec![vec![0usize; folds]; classes];
    let sorted = order
        .iter()
        .flat_map(|&class| std::iter::repeat_n(class, counts[class]));
    for (place, class) in sorted.enumerate() {
        quota[class][place % folds] += 1;
    }
    let mut current = vec![0usize; classes];
    let fold_of = |&label: &u32| {
        let (fold, quota) = (&mut current[label as usize], &mut quota[label as usize]);
        while quota[*fold] == 0 {
            *fold += 1;
        }
        quota[*fold] -= 1;
        *fold
    };
    labels.iter().map(fold_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_its_bound() {
        for step in 0..60_000 {
            let x = -(step as f32) / 1000.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exponential(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "{x}: {error}");
        }
        let ends = [0.0, -60.5, f32::NEG_INFINITY].map(exponential);
        assert_eq!(ends.to_vec(), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_score_of_minus_infinity_gets_no_probability() {
        let mut scores = [1.0, f32::NEG_INFINITY, 1.0];
        assert_eq!(softmax(&mut scores), (1.0, 2.0));
        assert_eq!(scores.to_vec(), [0.5, 0.0, 0.5]);
    }

    #[test]
    fn probabilities_are_normalised_sigmoids() {
        let calibration = Calibration::none(2);
        let mut values = [0.0, 0.0, 2.0, -2.0, -1000.0, -1000.0];
        calibration.apply(&mut values);
        assert_eq!(values[..2], [0.5, 0.5]);
        assert!((values[2] - 0.880_797).abs() < 1e-6);
        assert_eq!(values[4..], [0.5, 0.5]);
    }

    #[test]
    fn values_that_say_nothing_give_the_smoothed_share() {
        let positive = [true, false, false, false];
        let sigmoid = Sigmoid::fit(&[1.0; 4], &positive);
        let mean = (2.0 / 3.0 + 3.0 * 0.2) / 4.0;
        assert!((sigmoid.probability(1.0) - mean).abs() < 1e-6);
    }

    #[test]
    fn a_sigmoid_is_that_of_scikit_learn() {
        let values = [-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5];
        let positive = [false, false, true, false, false, true, true, true];
        let sigmoid = Sigmoid::fit(&values, &positive);
        assert!((sigmoid.slope + 0.866_403).abs() < 1e-4, "{sigmoid:?}");
        assert!((sigmoid.offset + 0.216_601).abs() < 1e-4, "{sigmoid:?}");
    }

    #[test]
    fn folds_are_those_of_scikit_learn() {
        let labels = [2, 0, 0, 1, 2, 2, 0, 1, 0, 2, 2, 0, 1, 0, 2];
        let expected = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2];
        assert_eq!(stratified_folds(&labels, 4, 3), expected);
    }
}
