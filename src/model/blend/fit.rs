//! The fit of a blend: the weights and biases of least loss, for the rows that the same models know.

use super::super::batch::Embeddings;
use super::LEAST_PROBABILITY;
use nalgebra::{DMatrix, DVector};

/// Penalty on the squared distance of a weight to 1 / (models that know the row), in rows: what a few rows say is not much.
const WEIGHT_PENALTY_ROWS: f64 = 2.0;

/// Likewise on the squares of biases: that the frequency of a class is another by a factor of 1.8 (a bias of 1/√3) is nothing odd.
const BIAS_PENALTY_ROWS: f64 = 3.0;

/// A slope, in rows, that counts as none.
const FLAT: f64 = 1e-6;

/// Most Newton steps of a fit.
const MOST_STEPS: usize = 100;

/// The rows of one pattern: a model of a softmax with one coefficient for each of the known models and, where there are several,
/// one for each class.
///
/// # Shapes
///
/// Parameters are `[models + biases]`: the weights first.
pub(super) struct Problem {
    classes: usize,
    models: usize,
    /// As many as classes, or none.
    biases: usize,
    /// rows × models × classes
    logarithms: Vec<f64>,
    labels: Vec<usize>,
}

impl Problem {
    pub(super) fn new(
        classes: usize,
        models: &[Embeddings],
        labels: &[usize],
        known: &[bool],
        rows: &[usize],
    ) -> Self {
        let mut logarithms = Vec::new();
        for &row in rows {
            for (model, _) in models.iter().zip(known).filter(|(_, known)| **known) {
                let row = &model.dense().values()[row * classes..(row + 1) * classes];
                let logarithm = |p: &f32| f64::from(p.max(LEAST_PROBABILITY)).ln();
                logarithms.extend(row.iter().map(logarithm));
            }
        }
        let models = known.iter().filter(|known| **known).count();
        Self {
            classes,
            models,
            biases: if models > 1 { classes } else { 0 },
            logarithms,
            labels: rows.iter().map(|&row| labels[row]).collect(),
        }
    }

    /// The weights and biases of least penalised loss, which is convex, among those whose weights are not negative.
    ///
    /// # Source
    ///
    /// The projected Newton method (Bertsekas, 1982): weights that are 0 and would become negative stay there, all else takes
    /// Newton's direction among itself, halved until the loss falls.
    pub(super) fn minimise(&self) -> (Vec<f64>, Vec<f64>) {
        let mut weights = self.minimum();
        let biases = weights.split_off(self.models);
        (weights, biases)
    }

    pub(super) fn minimum(&self) -> Vec<f64> {
        let mut parameters = self.expected();
        let mut loss = self.loss(&parameters);
        for _ in 0..MOST_STEPS {
            let Some(direction) = self.direction(&parameters) else {
                break;
            };
            let mut step = 1.0;
            let next = loop {
                let moved = self.moved(&parameters, &direction, step);
                let found = self.loss(&moved);
                if found < loss {
                    break Some((moved, found));
                }
                step /= 2.0;
                if step < 1e-9 {
                    break None;
                }
            };
            let Some((moved, found)) = next else { break };
            (parameters, loss) = (moved, found);
        }
        parameters
    }

    /// What is taken for true before any row is seen: equal weights, no biases.
    fn expected(&self) -> Vec<f64> {
        let mut parameters = vec![1.0 / self.models as f64; self.models];
        parameters.resize(self.models + self.biases, 0.0);
        parameters
    }

    fn moved(&self, parameters: &[f64], direction: &[f64], step: f64) -> Vec<f64> {
        let both = parameters.iter().zip(direction);
        let mut moved: Vec<f64> = both.map(|(value, d)| value - step * d).collect();
        for weight in &mut moved[..self.models] {
            *weight = weight.max(0.0);
        }
        moved
    }

    /// What a full step takes off the parameters; `None` where nothing is left to gain.
    fn direction(&self, parameters: &[f64]) -> Option<Vec<f64>> {
        let (gradient, hessian) = self.derivatives(parameters);
        let is_free = |place: &usize| {
            *place >= self.models || parameters[*place] > 0.0 || gradient[*place] < 0.0
        };
        let free: Vec<usize> = (0..parameters.len()).filter(is_free).collect();
        if free.iter().all(|&place| gradient[place].abs() < FLAT) {
            return None;
        }
        let gradient = gradient.select_rows(&free);
        let hessian = hessian.select_rows(&free).select_columns(&free);
        let solved = hessian.cholesky()?.solve(&gradient);
        let mut direction = vec![0.0; parameters.len()];
        for (&place, value) in free.iter().zip(solved.iter()) {
            direction[place] = *value;
        }
        Some(direction)
    }

    fn rows(&self) -> impl Iterator<Item = (&[f64], usize)> {
        let rows = self.logarithms.chunks_exact(self.models * self.classes);
        rows.zip(self.labels.iter().copied())
    }

    fn logits(&self, row: &[f64], parameters: &[f64]) -> Vec<f64> {
        let (weights, biases) = parameters.split_at(self.models);
        let mut logits = biases.to_vec();
        logits.resize(self.classes, 0.0);
        for (model, weight) in row.chunks_exact(self.classes).zip(weights) {
            for (logit, logarithm) in logits.iter_mut().zip(model) {
                *logit += weight * logarithm;
            }
        }
        logits
    }

    /// The penalty of each parameter, in rows.
    fn penalties(&self) -> impl Iterator<Item = f64> {
        let weights = std::iter::repeat_n(WEIGHT_PENALTY_ROWS, self.models);
        weights.chain(std::iter::repeat_n(BIAS_PENALTY_ROWS, self.biases))
    }

    pub(super) fn loss(&self, parameters: &[f64]) -> f64 {
        let expected = self.expected();
        let distances = parameters.iter().zip(&expected).map(|(p, e)| p - e);
        let penalties = self.penalties().zip(distances);
        let mut loss: f64 = penalties.map(|(rows, d)| rows / 2.0 * d * d).sum();
        for (row, label) in self.rows() {
            let logits = self.logits(row, parameters);
            loss += log_total(&logits) - logits[label];
        }
        loss
    }

    /// Gradient and second derivatives of the loss.
    pub(super) fn derivatives(&self, parameters: &[f64]) -> (DVector<f64>, DMatrix<f64>) {
        let penalties = DVector::from_iterator(parameters.len(), self.penalties());
        let distances = DVector::from_column_slice(parameters) - DVector::from(self.expected());
        let mut gradient = distances.component_mul(&penalties);
        let mut hessian = DMatrix::from_diagonal(&penalties);
        for (row, label) in self.rows() {
            let logits = self.logits(row, parameters);
            let total = log_total(&logits);
            let p: Vec<f64> = logits.iter().map(|logit| (logit - total).exp()).collect();
            let models: Vec<&[f64]> = row.chunks_exact(self.classes).collect();
            let mean = |values: &[f64]| -> f64 { values.iter().zip(&p).map(|(v, p)| v * p).sum() };
            let means: Vec<f64> = models.iter().map(|model| mean(model)).collect();
            for (a, first) in models.iter().enumerate() {
                gradient[a] += means[a] - first[label];
                for (b, second) in models.iter().enumerate() {
                    let products: Vec<f64> =
                        first.iter().zip(*second).map(|(x, y)| x * y).collect();
                    hessian[(a, b)] += mean(&products) - means[a] * means[b];
                }
                for class in 0..self.biases {
                    let shared = p[class] * (first[class] - means[a]);
                    hessian[(a, self.models + class)] += shared;
                    hessian[(self.models + class, a)] += shared;
                }
            }
            for class in 0..self.biases {
                let place = self.models + class;
                gradient[place] += p[class] - f64::from(class == label);
                hessian[(place, place)] += p[class];
                for other in 0..self.biases {
                    hessian[(place, self.models + other)] -= p[class] * p[other];
                }
            }
        }
        (gradient, hessian)
    }
}

fn log_total(logits: &[f64]) -> f64 {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - top).exp()).sum();
    top + sum.ln()
}
