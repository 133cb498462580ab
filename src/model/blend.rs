//! A blend: probabilities of several models, each to the power of a weight that is fitted.
//!
//! Models that read text and models that read images err on different products, so the product of what they say is better than
//! either; the weights say how much each is to be believed, and how far it is over- or underconfident. Rows of which the same
//! models know something share their weights. Invariant: a row that no model knows is left as it is, and one that a single model
//! knows has that model's ranking.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::ModelError;
use super::batch::{Embeddings, check};
use super::predict::log_sum_exp;

/// Probabilities below this are taken as it: no model may forbid a class alone.
const LEAST_PROBABILITY: f32 = 1e-6;

/// Penalty on the squared distance of a weight to 1 / (models that know the row), in rows: what a few rows say is not much.
const PENALTY_ROWS: f64 = 2.0;

/// A slope, in rows, that counts as none.
const FLAT: f64 = 1e-6;

/// Most Newton steps of a fit.
const MOST_STEPS: usize = 100;

/// Weights of models, by which of them know a row.
///
/// # Source
///
/// The logarithmic opinion pool (Genest and Zidek, 1986), with weights of maximum likelihood as in Hinton's products of experts
/// (2002); they need not add up to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    patterns: Vec<Pattern>,
}

/// The weights where some models know a row and others do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// Which models know the row.
    pub known: Vec<bool>,
    /// Weight of each; 0 of those that do not.
    pub weights: Vec<f64>,
    /// Number of rows that it was fitted on.
    pub rows: usize,
}

impl Blend {
    /// Fits the weights on rows that the models had not seen.
    ///
    /// # Shapes
    ///
    /// `models`: of each `[rows, classes]`; `labels`: `[rows]`, each below `classes`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the models have other numbers of rows or classes.
    pub fn fit(
        classes: usize,
        models: &[Embeddings],
        labels: &[usize],
    ) -> Result<Self, ModelError> {
        check_models(classes, models, labels.len())?;
        let inside = labels.iter().all(|&label| label < classes);
        check(inside, || format!("a label is not below {classes}"))?;
        let mut patterns: Vec<(Vec<bool>, Vec<usize>)> = Vec::new();
        for row in 0..labels.len() {
            let known = known_of(models, row);
            match patterns.iter_mut().find(|(pattern, _)| *pattern == known) {
                Some((_, rows)) => rows.push(row),
                None => patterns.push((known, vec![row])),
            }
        }
        patterns.sort();
        let fitted = patterns
            .into_iter()
            .filter(|(known, _)| known.contains(&true));
        let patterns = fitted.map(|(known, rows)| {
            let problem = Problem::new(classes, models, labels, &known, &rows);
            let found = problem.minimise();
            let mut found = found.into_iter();
            let weights = known.iter().map(|&known| {
                let weight = if known { found.next() } else { None };
                weight.unwrap_or(0.0)
            });
            Pattern {
                weights: weights.collect(),
                known,
                rows: rows.len(),
            }
        });
        Ok(Self {
            patterns: patterns.collect(),
        })
    }

    /// Returns the weights.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Returns the probabilities of the classes. Where no row was known to the same models in the fit, these have equal weights;
    /// a row that no model knows is 0.
    ///
    /// # Shapes
    ///
    /// `models`: of each `[rows, classes]` → `[rows, classes]`
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the models have other numbers of rows or classes than each other.
    pub fn apply(&self, classes: usize, models: &[Embeddings]) -> Result<Vec<f32>, ModelError> {
        let rows = models.first().map_or(0, Embeddings::len);
        check_models(classes, models, rows)?;
        let mut values = Vec::with_capacity(rows * classes);
        for row in 0..rows {
            let known = known_of(models, row);
            let count = known.iter().filter(|&&known| known).count();
            if count == 0 {
                values.resize(values.len() + classes, 0.0);
                continue;
            }
            let fitted = self.patterns.iter().find(|pattern| pattern.known == known);
            let mut logits = vec![0.0_f32; classes];
            for (place, model) in models.iter().enumerate().filter(|(place, _)| known[*place]) {
                let even = 1.0 / count as f64;
                let weight = fitted.map_or(even, |pattern| pattern.weights[place]) as f32;
                let row = &model.dense().values()[row * classes..(row + 1) * classes];
                for (logit, &probability) in logits.iter_mut().zip(row) {
                    *logit += weight * probability.max(LEAST_PROBABILITY).ln();
                }
            }
            let total = log_sum_exp(&logits);
            values.extend(
                logits
                    .iter()
                    .map(|&logit| (f64::from(logit) - total).exp() as f32),
            );
        }
        Ok(values)
    }
}

fn check_models(classes: usize, models: &[Embeddings], rows: usize) -> Result<(), ModelError> {
    for model in models {
        let (width, found) = (model.dense().width(), model.len());
        check(width == classes && found == rows, || {
            format!("a model of {found} rows and {width} classes, expected {rows} and {classes}")
        })?;
    }
    Ok(())
}

fn known_of(models: &[Embeddings], row: usize) -> Vec<bool> {
    models.iter().map(|model| model.present()[row]).collect()
}

/// The rows of one pattern: a model of a softmax with one coefficient for each of the known models.
struct Problem {
    classes: usize,
    models: usize,
    /// rows × models × classes
    logarithms: Vec<f64>,
    labels: Vec<usize>,
}

impl Problem {
    fn new(
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
        Self {
            classes,
            models: known.iter().filter(|known| **known).count(),
            logarithms,
            labels: rows.iter().map(|&row| labels[row]).collect(),
        }
    }

    /// The weights of least penalised loss, which is convex, among those that are not negative.
    ///
    /// # Source
    ///
    /// The projected Newton method (Bertsekas, 1982): weights that are 0 and would become negative stay there, the others take
    /// Newton's direction among themselves, halved until the loss falls.
    fn minimise(&self) -> Vec<f64> {
        let even = 1.0 / self.models as f64;
        let mut weights = vec![even; self.models];
        let mut loss = self.loss(&weights);
        for _ in 0..MOST_STEPS {
            let Some(direction) = self.direction(&weights) else {
                break;
            };
            let mut step = 1.0;
            let next = loop {
                let moved: Vec<f64> = weights
                    .iter()
                    .zip(&direction)
                    .map(|(weight, direction)| (weight - step * direction).max(0.0))
                    .collect();
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
            (weights, loss) = (moved, found);
        }
        weights
    }

    /// What a full step takes off the weights; `None` where nothing is left to gain.
    fn direction(&self, weights: &[f64]) -> Option<Vec<f64>> {
        let (gradient, hessian) = self.derivatives(weights);
        let is_free = |place: &usize| weights[*place] > 0.0 || gradient[*place] < 0.0;
        let free: Vec<usize> = (0..self.models).filter(is_free).collect();
        if free.iter().all(|&place| gradient[place].abs() < FLAT) {
            return None;
        }
        let gradient = gradient.select_rows(&free);
        let hessian = hessian.select_rows(&free).select_columns(&free);
        let solved = hessian.cholesky()?.solve(&gradient);
        let mut direction = vec![0.0; self.models];
        for (&place, value) in free.iter().zip(solved.iter()) {
            direction[place] = *value;
        }
        Some(direction)
    }

    fn rows(&self) -> impl Iterator<Item = (&[f64], usize)> {
        let rows = self.logarithms.chunks_exact(self.models * self.classes);
        rows.zip(self.labels.iter().copied())
    }

    fn probabilities(&self, row: &[f64], weights: &[f64]) -> (Vec<f64>, f64) {
        let mut logits = vec![0.0; self.classes];
        for (model, weight) in row.chunks_exact(self.classes).zip(weights) {
            for (logit, logarithm) in logits.iter_mut().zip(model) {
                *logit += weight * logarithm;
            }
        }
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = top
            + logits
                .iter()
                .map(|logit| (logit - top).exp())
                .sum::<f64>()
                .ln();
        (
            logits.iter().map(|logit| (logit - total).exp()).collect(),
            total,
        )
    }

    fn penalty(&self, weights: &[f64]) -> f64 {
        let even = 1.0 / self.models as f64;
        let squares = weights.iter().map(|weight| (weight - even).powi(2));
        PENALTY_ROWS / 2.0 * squares.sum::<f64>()
    }

    fn loss(&self, weights: &[f64]) -> f64 {
        let mut loss = self.penalty(weights);
        for (row, label) in self.rows() {
            let own = row.chunks_exact(self.classes).zip(weights);
            let own: f64 = own.map(|(model, weight)| weight * model[label]).sum();
            loss += self.probabilities(row, weights).1 - own;
        }
        loss
    }

    /// Gradient and second derivatives of the loss.
    fn derivatives(&self, weights: &[f64]) -> (DVector<f64>, DMatrix<f64>) {
        let even = 1.0 / self.models as f64;
        let mut gradient = DVector::from_column_slice(weights);
        gradient.apply(|weight| *weight = PENALTY_ROWS * (*weight - even));
        let mut hessian = DMatrix::identity(self.models, self.models) * PENALTY_ROWS;
        for (row, label) in self.rows() {
            let (probabilities, _) = self.probabilities(row, weights);
            let models: Vec<&[f64]> = row.chunks_exact(self.classes).collect();
            let mean = |values: &[f64]| -> f64 {
                values.iter().zip(&probabilities).map(|(v, p)| v * p).sum()
            };
            let means: Vec<f64> = models.iter().map(|model| mean(model)).collect();
            for (a, first) in models.iter().enumerate() {
                gradient[a] += means[a] - first[label];
                for (b, second) in models.iter().enumerate() {
                    let products: Vec<f64> =
                        first.iter().zip(*second).map(|(x, y)| x * y).collect();
                    hessian[(a, b)] += mean(&products) - means[a] * means[b];
                }
            }
        }
        (gradient, hessian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::{Purpose, generator, uniform};

    const CLASSES: usize = 4;

    fn predicted(classes: usize, values: &[f32]) -> Vec<usize> {
        values
            .chunks_exact(classes)
            .map(crate::model::predict::argmax)
            .collect()
    }

    /// A model that tells one bit of the class, and of some rows nothing.
    fn model(labels: &[usize], bit: usize, absent: usize, sharpness: f32, seed: u64) -> Embeddings {
        let noise = uniform(
            &mut generator(seed, Purpose::Weights, 0),
            labels.len() * CLASSES,
            1.0,
        );
        let mut rows = Embeddings::empty(CLASSES).unwrap();
        for (row, (label, noise)) in labels.iter().zip(noise.chunks_exact(CLASSES)).enumerate() {
            let told = |class: usize| f32::from((class >> bit) & 1 == (label >> bit) & 1);
            let logits: Vec<f32> = (0..CLASSES)
                .map(|class| sharpness * (told(class) + noise[class]))
                .collect();
            let total = log_sum_exp(&logits);
            let values: Vec<f32> = logits
                .iter()
                .map(|logit| (f64::from(*logit) - total).exp() as f32)
                .collect();
            rows.push((absent == 0 || row % absent != 0).then_some(&values[..]))
                .unwrap();
        }
        rows
    }

    fn labels(count: usize) -> Vec<usize> {
        (0..count).map(|row| row * 7 % CLASSES).collect()
    }

    fn share(found: &[usize], labels: &[usize]) -> f64 {
        let right = found.iter().zip(labels).filter(|(a, b)| a == b).count();
        right as f64 / labels.len() as f64
    }

    #[test]
    fn a_blend_of_two_halves_beats_each() {
        let labels = labels(400);
        let models = [model(&labels, 0, 0, 2.0, 1), model(&labels, 1, 5, 8.0, 2)];
        let blend = Blend::fit(CLASSES, &models, &labels).unwrap();
        assert_eq!(blend.patterns().len(), 2);
        let values = blend.apply(CLASSES, &models).unwrap();
        let alone = models
            .each_ref()
            .map(|model| share(&predicted(CLASSES, model.dense().values()), &labels));
        let together = share(&predicted(CLASSES, &values), &labels);
        assert!(
            together > alone[0] + 0.2 && together > alone[1] + 0.2,
            "{together} {alone:?}"
        );
        // The second is four times as sure of itself, and no better.
        let both = blend
            .patterns()
            .iter()
            .find(|pattern| pattern.known[1])
            .unwrap();
        assert!(both.weights[0] > 2.0 * both.weights[1], "{both:?}");
        for row in values.chunks_exact(CLASSES) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn the_weights_are_where_the_loss_is_flat_and_lowest() {
        let labels = labels(120);
        let models = [model(&labels, 0, 0, 2.0, 3), model(&labels, 1, 0, 3.0, 4)];
        let known = [true, true];
        let rows: Vec<usize> = (0..labels.len()).collect();
        let problem = Problem::new(CLASSES, &models, &labels, &known, &rows);
        let weights = problem.minimise();
        let (gradient, _) = problem.derivatives(&weights);
        assert!(
            gradient.iter().all(|slope| slope.abs() < 1e-3),
            "{gradient:?}"
        );
        for place in 0..2 {
            // Derivatives against differences, away from the minimum.
            let mut moved = weights.clone();
            moved[place] += 0.3;
            let (gradient, hessian) = problem.derivatives(&moved);
            let at = |delta: f64| {
                let mut moved = moved.clone();
                moved[place] += delta;
                moved
            };
            let slope = (problem.loss(&at(1e-5)) - problem.loss(&at(-1e-5))) / 2e-5;
            assert!(
                (slope - gradient[place]).abs() < 1e-4,
                "{slope} {gradient:?}"
            );
            let bent = (problem.derivatives(&at(1e-5)).0[place]
                - problem.derivatives(&at(-1e-5)).0[place])
                / 2e-5;
            assert!(
                (bent - hessian[(place, place)]).abs() < 1e-3,
                "{bent} {hessian:?}"
            );
            assert!(problem.loss(&moved) > problem.loss(&weights));
        }
    }

    #[test]
    fn a_model_that_knows_nothing_right_gets_no_weight_and_the_others_the_best_without_it() {
        let labels = labels(300);
        let wrong: Vec<usize> = labels.iter().map(|label| CLASSES - 1 - label).collect();
        for seed in 0..10 {
            let models = [
                model(&labels, 0, 0, 1.5, seed),
                model(&labels, 0, 0, 4.0, seed + 20),
                model(&wrong, 1, 0, 4.0, seed + 40),
                model(&wrong, 0, 0, 2.0, seed + 60),
            ];
            let known = [true; 4];
            let rows: Vec<usize> = (0..labels.len()).collect();
            let problem = Problem::new(CLASSES, &models, &labels, &known, &rows);
            let weights = problem.minimise();
            let (gradient, _) = problem.derivatives(&weights);
            for (weight, slope) in weights.iter().zip(gradient.iter()) {
                let is_best = if *weight > 0.0 {
                    slope.abs() < 1e-4
                } else {
                    *slope >= 0.0
                };
                assert!(is_best && *weight >= 0.0, "{weights:?} {gradient:?}");
            }
            assert!(weights[2] < 0.05 && weights[3] < 0.05, "{weights:?}");
            assert!(weights.contains(&0.0), "{weights:?} has none at the bound");
        }
    }

    #[test]
    fn rows_known_to_others_than_in_the_fit_and_to_nobody() {
        let labels = labels(50);
        let models = [model(&labels, 0, 0, 2.0, 1), model(&labels, 1, 0, 2.0, 2)];
        let blend = Blend::fit(CLASSES, &models, &labels).unwrap();
        let mut some = [
            Embeddings::empty(CLASSES).unwrap(),
            Embeddings::empty(CLASSES).unwrap(),
        ];
        some[0].push(None).unwrap();
        some[1].push(Some(&[0.1, 0.2, 0.6, 0.1])).unwrap();
        some[0].push(None).unwrap();
        some[1].push(None).unwrap();
        let values = blend.apply(CLASSES, &some).unwrap();
        assert!((values[2] - 0.6).abs() < 1e-6);
        assert_eq!(values[CLASSES..], [0.0; CLASSES]);
    }

    #[test]
    fn models_must_agree_on_rows_and_classes() {
        let labels = labels(10);
        let models = [model(&labels, 0, 0, 2.0, 1)];
        assert!(Blend::fit(CLASSES, &models, &labels[1..]).is_err());
        assert!(Blend::fit(CLASSES + 1, &models, &labels).is_err());
        assert!(Blend::fit(CLASSES, &models, &[CLASSES; 10]).is_err());
        let blend = Blend::fit(CLASSES, &models, &labels).unwrap();
        assert!(blend.apply(CLASSES + 1, &models).is_err());
    }
}
