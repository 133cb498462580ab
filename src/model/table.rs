//! Adam on a table of weights of which a batch uses few rows.
//!
//! The first layer of a network that takes words has a row of weights for each word, and a batch
//! holds few of the words. Such a table lives on the host while it is trained: a step copies the
//! rows that the batch uses to the device, reads their gradient back, and changes table and
//! moments here in one pass. Invariant: a step is a function of the table, the rows, their
//! gradient and the learning rate, bit for bit, whatever the number of threads.

use rayon::prelude::*;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
/// Keras' ε, against PyTorch's 1e-8 and Burn's 1e-5.
pub(super) const EPSILON: f32 = 1e-7;

/// First moments below this are 0: what they would add to a weight is far below its precision,
/// and numbers that go on shrinking become subnormal, which processors are slow at.
const NEGLIGIBLE: f32 = 1e-30;

/// Rows that a thread takes at a time.
const ROWS_PER_TASK: usize = 256;

/// Which rows of an embedding a step of training changes.
///
/// In both, a weight `w` with gradient `g` in step `t` (from 1, counted for the whole table, not
/// for each row) becomes
///
/// ```text
/// m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
/// w ← w − rate · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
///
/// with β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁷. They differ in the rows of words that the batch lacks.
///
/// # Source
///
/// `Dense` is Adam of Kingma and Ba (2015), algorithm 1, as PyTorch's and Burn's `Adam`. Keras' takes the form before
/// section 2.1, whose ε is not corrected by √(1 − β₂ᵗ): as if ours were 3·10⁻⁶ in the first step and 10⁻⁷ in the end.
/// `Lazy` is `LazyAdam` of TensorFlow Addons and `SparseAdam` of PyTorch.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingOptimizer {
    /// The rows of the words in the batch and of padding. In a row that the batch lacks nothing
    /// changes: its moments do not decay, and it does not move on by them. `Dense` takes a word
    /// that stands in one batch only about ten times as far.
    #[default]
    Lazy,
    /// All rows; the gradient of those that the batch lacks is 0.
    Dense,
}

/// A table of weights with Adam's moments.
///
/// # Shapes
///
/// `weights` and both moments are `[rows, width]`, row after row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    width: usize,
    weights: Vec<f32>,
    first_moments: Vec<f32>,
    second_moments: Vec<f32>,
    steps: i32,
    optimizer: EmbeddingOptimizer,
}

/// What of a step is the same for all weights.
#[derive(Clone, Copy)]
struct Rates {
    /// Learning rate and the corrections of both moments.
    rate: f32,
    epsilon: f32,
}

impl Rates {
    fn new(learning_rate: f64, steps: i32) -> Self {
        let [first, second] = [BETA_1, BETA_2].map(|beta| 1.0 - f64::from(beta).powi(steps));
        Self {
            rate: (learning_rate * second.sqrt() / first) as f32,
            epsilon: (f64::from(EPSILON) * second.sqrt()) as f32,
        }
    }
}

/// Some rows of the table and of its moments.
struct Part<'a> {
    weights: &'a mut [f32],
    first_moments: &'a mut [f32],
    second_moments: &'a mut [f32],
}

impl Part<'_> {
    fn row(&mut self, row: usize, width: usize) -> Part<'_> {
        let span = row * width..(row + 1) * width;
        Part {
            weights: &mut self.weights[span.clone()],
            first_moments: &mut self.first_moments[span.clone()],
            second_moments: &mut self.second_moments[span],
        }
    }

    fn step(self, gradient: impl Iterator<Item = f32>, rates: Rates) {
        let moments = self.first_moments.iter_mut().zip(self.second_moments);
        for ((weight, (m, v)), g) in self.weights.iter_mut().zip(moments).zip(gradient) {
            let first = BETA_1 * *m + (1.0 - BETA_1) * g;
            *m = if first.abs() < NEGLIGIBLE { 0.0 } else { first };
            *v = BETA_2 * *v + (1.0 - BETA_2) * (g * g);
            *weight -= rates.rate * *m / (v.sqrt() + rates.epsilon);
        }
    }
}

impl Table {
    /// Makes a table of weights that were never stepped.
    pub(super) fn new(width: usize, weights: Vec<f32>, optimizer: EmbeddingOptimizer) -> Self {
        let zeros = vec![0.0; weights.len()];
        Self {
            width,
            first_moments: zeros.clone(),
            second_moments: zeros,
            weights,
            steps: 0,
            optimizer,
        }
    }

    /// Returns both moments, and how many steps were taken.
    pub(super) fn moments(&self) -> ([&[f32]; 2], i32) {
        ([&self.first_moments, &self.second_moments], self.steps)
    }

    /// Goes on from moments that [`moments`](Self::moments) returned; `None` where they are not
    /// as many as the weights.
    pub(super) fn with_moments(self, moments: [Vec<f32>; 2], steps: i32) -> Option<Self> {
        let [first_moments, second_moments] = moments;
        let fits = |moments: &[f32]| moments.len() == self.weights.len();
        (fits(&first_moments) && fits(&second_moments)).then_some(Self {
            first_moments,
            second_moments,
            steps,
            ..self
        })
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn rows(&self) -> usize {
        self.weights.len() / self.width
    }

    pub(super) fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Returns the weights of the rows named, in that order.
    pub(super) fn gather(&self, rows: &[u32]) -> Vec<f32> {
        let mut gathered = Vec::with_capacity(rows.len() * self.width);
        for &row in rows {
            let start = row as usize * self.width;
            gathered.extend_from_slice(&self.weights[start..start + self.width]);
        }
        gathered
    }

    /// Takes a step.
    ///
    /// # Shapes
    ///
    /// `rows` ascend; `gradient` is `[rows, width]`.
    pub(super) fn step(&mut self, learning_rate: f64, rows: &[u32], gradient: &[f32]) {
        self.steps = self.steps.saturating_add(1);
        let rates = Rates::new(learning_rate, self.steps);
        match self.optimizer {
            EmbeddingOptimizer::Lazy => self.step_rows(rows, gradient, rates),
            EmbeddingOptimizer::Dense => self.step_all(rows, gradient, rates),
        }
    }

    fn step_rows(&mut self, rows: &[u32], gradient: &[f32], rates: Rates) {
        let width = self.width;
        let mut table = Part {
            weights: &mut self.weights,
            first_moments: &mut self.first_moments,
            second_moments: &mut self.second_moments,
        };
        for (&row, gradient) in rows.iter().zip(gradient.chunks_exact(width)) {
            let row = table.row(row as usize, width);
            row.step(gradient.iter().copied(), rates);
        }
    }

    fn step_all(&mut self, rows: &[u32], gradient: &[f32], rates: Rates) {
        let width = self.width;
        let size = width * ROWS_PER_TASK;
        self.weights
            .par_chunks_mut(size)
            .zip(self.first_moments.par_chunks_mut(size))
            .zip(self.second_moments.par_chunks_mut(size))
            .enumerate()
            .for_each(|(task, ((weights, first_moments), second_moments))| {
                let count = weights.len() / width;
                let mut part = Part {
                    weights,
                    first_moments,
                    second_moments,
                };
                let before = task * ROWS_PER_TASK;
                let mut next = rows.partition_point(|&row| (row as usize) < before);
                for row in 0..count {
                    let is_used = rows.get(next).is_some_and(|&r| r as usize == before + row);
                    let row = part.row(row, width);
                    if is_used {
                        let gradient = &gradient[next * width..(next + 1) * width];
                        row.step(gradient.iter().copied(), rates);
                        next += 1;
                    } else {
                        row.step(std::iter::repeat_n(0.0, width), rates);
                    }
                }
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::{Purpose, generator, uniform};

    const ROWS: usize = 600;
    const WIDTH: usize = 3;

    fn values(count: usize, seed: u64) -> Vec<f32> {
        uniform(&mut generator(seed, Purpose::Weights, 0), count, 1.0)
    }

    fn table(optimizer: EmbeddingOptimizer) -> Table {
        Table::new(WIDTH, values(ROWS * WIDTH, 1), optimizer)
    }

    /// Adam by its formula, in double precision, on a weight that has these gradients.
    fn adam(weight: f32, rate: f64, gradients: &[f64]) -> f64 {
        let (mut weight, mut m, mut v) = (f64::from(weight), 0.0, 0.0);
        for (gradient, t) in gradients.iter().zip(1..) {
            m = 0.9 * m + 0.1 * gradient;
            v = 0.999 * v + 0.001 * gradient * gradient;
            let (m, v) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            weight -= rate * m / (v.sqrt() + 1e-7);
        }
        weight
    }

    #[test]
    fn dense_steps_are_adam_on_every_weight() {
        let mut table = table(EmbeddingOptimizer::Dense);
        let before = table.weights.clone();
        let batches: [&[u32]; 4] = [&[0, 5, 599], &[5], &[0, 255, 256], &[0]];
        let mut gradients = vec![[0.0; 4]; ROWS * WIDTH];
        for (step, rows) in batches.iter().enumerate() {
            let gradient = values(rows.len() * WIDTH, step as u64 + 2);
            for (at, &value) in gradient.iter().enumerate() {
                let weight = rows[at / WIDTH] as usize * WIDTH + at % WIDTH;
                gradients[weight][step] = f64::from(value);
            }
            table.step(0.01, rows, &gradient);
        }
        for ((found, before), gradients) in table.weights.iter().zip(&before).zip(&gradients) {
            let expected = adam(*before, 0.01, gradients);
            assert!(
                (f64::from(*found) - expected).abs() < 1e-6,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn from_zero_moments_lazy_and_dense_take_one_step_alike() {
        let mut tables = [EmbeddingOptimizer::Lazy, EmbeddingOptimizer::Dense].map(table);
        let gradient = values(3 * WIDTH, 2);
        for table in &mut tables {
            table.step(0.01, &[0, 7, 300], &gradient);
        }
        let [lazy, dense] = tables;
        assert_eq!(lazy.weights, dense.weights);
        assert_eq!(lazy.first_moments, dense.first_moments);
        assert_eq!(lazy.second_moments, dense.second_moments);
        assert_ne!(
            lazy.gather(&[7]),
            table(EmbeddingOptimizer::Lazy).gather(&[7])
        );
    }

    #[test]
    fn lazy_steps_leave_other_rows_as_they_are_and_count_for_all() {
        let mut table = table(EmbeddingOptimizer::Lazy);
        let before = table.clone();
        table.step(0.01, &[0, 7], &values(2 * WIDTH, 2));
        let after_first = table.clone();
        let gradient = values(2 * WIDTH, 3);
        table.step(0.01, &[0, 9], &gradient);
        for row in 1..ROWS as u32 {
            let expected = if row == 7 { &after_first } else { &before };
            let is_same = table.gather(&[row]) == expected.gather(&[row]);
            assert_eq!(is_same, row != 9, "{row}");
        }
        let moments = 7 * WIDTH..8 * WIDTH;
        assert_eq!(
            table.first_moments[moments.clone()],
            after_first.first_moments[moments]
        );
        // Row 9 meets its first gradient in step 2, and the moments are corrected for two steps.
        let g = f64::from(gradient[WIDTH]);
        let (m, v) = (0.1 * g / (1.0 - 0.81), 0.001 * g * g / (1.0 - 0.998_001));
        let expected = f64::from(before.weights[9 * WIDTH]) - 0.01 * m / (v.sqrt() + 1e-7);
        assert!((f64::from(table.weights[9 * WIDTH]) - expected).abs() < 1e-6);
    }

    #[test]
    fn dense_steps_move_a_row_on_that_lazy_ones_leave() {
        let [lazy, dense] =
            [EmbeddingOptimizer::Lazy, EmbeddingOptimizer::Dense].map(|optimizer| {
                let mut table = table(optimizer);
                table.step(0.01, &[7], &[1.0; WIDTH]);
                table.step(0.01, &[0], &[1.0; WIDTH]);
                table.gather(&[7])
            });
        assert!(dense.iter().zip(&lazy).all(|(dense, lazy)| dense < lazy));
    }

    #[test]
    fn moments_shrink_to_zero_and_not_to_subnormal_numbers() {
        let mut table = table(EmbeddingOptimizer::Dense);
        table.step(0.01, &[7], &[1e-3; WIDTH]);
        for _ in 0..1000 {
            table.step(0.01, &[], &[]);
        }
        assert!(table.first_moments.iter().all(|&moment| moment == 0.0));
    }
}
