//! A blend: probabilities of several models, each to the power of a weight that is fitted, times a fitted factor for each class.
//!
//! Models that read text and models that read images err on different products, so the product of what they say is better than
//! either; the weights say how much each is to be believed, and how far it is over- or underconfident. Rows of which the same
//! models know something share their weights, and have classes of their own frequencies (who adds a photo sells other things):
//! hence the factors. Invariant: a row that no model knows is left as it is, and one that a single model knows has that model's
//! ranking.

mod fit;

use fit::Problem;
use serde::{Deserialize, Serialize};

use super::ModelError;
use super::batch::{Embeddings, check};
use super::predict::log_sum_exp;

/// Probabilities below this are taken as it: no model may forbid a class alone.
const LEAST_PROBABILITY: f32 = 1e-6;

/// Weights of models, by which of them know a row.
///
/// # Source
///
/// The logarithmic opinion pool (Genest and Zidek, 1986), with weights of maximum likelihood as in Hinton's products of experts
/// (2002); they need not add up to 1. The logarithms of the factors are the biases of vector scaling (Guo, Pleiss, Sun and
/// Weinberger, *On Calibration of Modern Neural Networks*, 2017).
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
    /// Logarithm of the factor of each class; none where a single model knows the row.
    pub biases: Vec<f64>,
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
            let (weights, biases) = problem.minimise();
            let mut weights = weights.into_iter();
            let weights = known.iter().map(|&known| {
                let weight = if known { weights.next() } else { None };
                weight.unwrap_or(0.0)
            });
            Pattern {
                weights: weights.collect(),
                biases,
                known,
                rows: rows.len(),
            }
        });
        Ok(Self {
            patterns: patterns.collect(),
        })
    }

    /// Returns the weights and biases.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Returns the probabilities of the classes. Where no row was known to the same models in the fit, these have equal weights
    /// and no biases; a row that no model knows is 0.
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
            let biases = fitted.map_or(&[][..], |pattern| &pattern.biases);
            let biases = biases.iter().map(|&bias| bias as f32);
            let mut logits: Vec<f32> = biases.chain(std::iter::repeat(0.0)).take(classes).collect();
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
        let best = problem.minimum();
        assert_eq!(best.len(), 2 + CLASSES);
        let (gradient, _) = problem.derivatives(&best);
        assert!(
            gradient.iter().all(|slope| slope.abs() < 1e-3),
            "{gradient:?}"
        );
        for place in 0..best.len() {
            // Derivatives against differences, away from the minimum.
            let mut moved = best.clone();
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
            let slopes = |delta| problem.derivatives(&at(delta)).0;
            let bending = (slopes(1e-5) - slopes(-1e-5)) / 2e-5;
            assert!(
                (bending - hessian.column(place)).abs().max() < 1e-3,
                "{place} {hessian:?}"
            );
            assert!(problem.loss(&moved) > problem.loss(&best));
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
            let (weights, _) = problem.minimise();
            let (gradient, _) = problem.derivatives(&problem.minimum());
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
    fn classes_that_are_rarer_where_several_models_know_a_row_are_named_less_often_there() {
        // The second model knows rows of the first three classes alone, and does not know that.
        let labels = labels(400);
        let mut models = [model(&labels, 0, 0, 1.0, 1), model(&labels, 1, 0, 1.0, 2)];
        let mut second = Embeddings::empty(CLASSES).unwrap();
        let values = models[1].dense().values().chunks_exact(CLASSES);
        for (&label, values) in labels.iter().zip(values) {
            second.push((label < 3).then_some(values)).unwrap();
        }
        models[1] = second;
        let mut blend = Blend::fit(CLASSES, &models, &labels).unwrap();
        let place = blend.patterns.iter().position(|pattern| pattern.known[1]);
        let place = place.unwrap();
        let biases = blend.patterns[place].biases.clone();
        assert!(biases[3] < -1.0, "{biases:?}");
        assert!(biases[..3].iter().all(|bias| *bias > biases[3] + 1.0));
        // The ranking of the first model stays where it is alone.
        assert!(blend.patterns[1 - place].biases.is_empty());
        let wrongly_named = |blend: &Blend| {
            let named = predicted(CLASSES, &blend.apply(CLASSES, &models).unwrap());
            let pairs = named.iter().zip(&labels);
            pairs
                .filter(|(named, label)| **label < 3 && **named == 3)
                .count()
        };
        let with = wrongly_named(&blend);
        blend.patterns[place].biases.clear();
        let without = wrongly_named(&blend);
        assert!(2 * with < without, "{with} {without}");
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
