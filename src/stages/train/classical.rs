//! Classical models on TF-IDF: the choice of their parameters by cross-validation, and the fit.

use crate::config::{Issue, check};
use crate::model::SparseRows;
use crate::model::classical::{
    ClassicalError, ClassicalModel, ClassicalOptions, FoldScore, cross_validate,
};
use crate::stages::{StageError, StageRun};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a classical model is fitted with, beside what all of them take.
pub(in crate::stages) trait ClassicalParams:
    Default + Clone + Serialize + DeserializeOwned
{
    /// The options of the kernel.
    fn options(&self, seed: u64) -> ClassicalOptions;
}

/// Parameters of a classical model.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(bound = "P: ClassicalParams")]
pub(in crate::stages) struct Classical<P> {
    #[serde(flatten)]
    model: P,
    /// Whether rows weigh inversely to the number of rows of their class.
    class_weights: bool,
    /// Values to try, by cross-validation on the training rows.
    cv: Option<CrossValidation>,
}

/// A cross-validation over all combinations of some values.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CrossValidation {
    #[serde(default = "three")]
    folds: usize,
    /// Values to try of each parameter.
    #[serde(default)]
    grid: BTreeMap<String, Vec<Value>>,
}

fn three() -> usize {
    3
}

/// What one combination of values came to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Candidate {
    params: Map<String, Value>,
    folds: Vec<FoldScore>,
    /// Mean over the folds of the weighted F1.
    mean_weighted_f1: f64,
    /// Standard deviation over the folds of the weighted F1.
    deviation: f64,
}

/// A fitted model and how its options were chosen.
pub(super) struct FittedClassical {
    pub(super) model: ClassicalModel,
    /// All that was tried, where there was a cross-validation.
    pub(super) candidates: Vec<Candidate>,
    /// The one that was chosen.
    pub(super) chosen: Option<usize>,
}

impl<P: ClassicalParams> Classical<P> {
    /// Checks what types cannot say, for every combination of the grid.
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        if let Err(error) = self.model.options(0).validate() {
            issues.push(Issue::new(path, error.to_string()));
        }
        let Some(cv) = &self.cv else { return };
        if cv.folds < 2 {
            issues.push(Issue::new(format!("{path}.cv.folds"), "must be at least 2"));
        }
        let before = issues.len();
        let path = format!("{path}.cv.grid");
        for (key, values) in &cv.grid {
            if values.is_empty() {
                issues.push(Issue::new(format!("{path}.{key}"), "there are no values"));
            }
            for value in values {
                let _: P = check(&json!({ key: value }), &path, issues);
            }
        }
        if issues.len() > before {
            return;
        }
        for (params, _) in self.combinations() {
            if let Err(error) = params.options(0).validate() {
                issues.push(Issue::new(&path, error.to_string()));
            }
        }
    }

    /// All combinations of the grid's values in the place of the parameters' own, with those values.
    fn combinations(&self) -> Vec<(P, Map<String, Value>)> {
        let mut all = vec![Map::new()];
        for (key, values) in self.cv.iter().flat_map(|cv| &cv.grid) {
            let with = |chosen: &Map<String, Value>, value: &Value| {
                let mut chosen = chosen.clone();
                chosen.insert(key.clone(), value.clone());
                chosen
            };
            all = all
                .iter()
                .flat_map(|chosen| values.iter().map(move |value| with(chosen, value)))
                .collect();
        }
        let own = serde_json::to_value(&self.model).unwrap_or_default();
        let place = |chosen: Map<String, Value>| {
            let mut params = own.clone();
            params.as_object_mut()?.extend(chosen.clone());
            Some((serde_json::from_value(params).ok()?, chosen))
        };
        all.into_iter().filter_map(place).collect()
    }

    /// Chooses the options by cross-validation, where there is one, and fits the model on all rows.
    pub(super) fn fit(
        &self,
        run: &StageRun<'_>,
        rows: &SparseRows,
        labels: &[u32],
        classes: usize,
    ) -> Result<FittedClassical, StageError> {
        let seed = run.seed();
        let stop = || run.environment.cancel.signal().is_some();
        let heard = |error| match (error, run.environment.cancel.signal()) {
            (ClassicalError::Interrupted, Some(signal)) => StageError::Interrupted { signal },
            (error, _) => StageError::Classical(error),
        };
        let combinations = self.combinations();
        let mut candidates = Vec::new();
        let tried = if self.cv.is_some() {
            combinations.len()
        } else {
            0
        };
        let unit = if tried == 0 { "fit" } else { "fits" };
        run.monitor.expect(tried as u64 + 1, unit);
        for (params, chosen) in &combinations[..tried] {
            let folds = self.cv.as_ref().map_or(0, |cv| cv.folds);
            let options = params.options(seed);
            let scores = cross_validate(
                rows,
                labels,
                classes,
                self.class_weights,
                (&options, folds),
                &stop,
            )
            .map_err(heard)?;
            let candidate = Candidate::new(chosen.clone(), scores);
            run.monitor.advance(1);
            run.monitor.message(format!(
                "{} F1 {:.3}",
                Value::Object(chosen.clone()),
                candidate.mean_weighted_f1
            ));
            candidates.push(candidate);
        }
        let chosen = best(&candidates);
        let params = chosen.map_or(&self.model, |chosen| &combinations[chosen].0);
        let options = params.options(seed);
        let model = options
            .fit(rows.csr(), labels, classes, self.class_weights, &stop)
            .map_err(heard)?;
        run.monitor.advance(1);
        Ok(FittedClassical {
            model,
            candidates,
            chosen,
        })
    }
}

impl Candidate {
    fn new(params: Map<String, Value>, folds: Vec<FoldScore>) -> Self {
        let count = folds.len().max(1) as f64;
        let mean = folds.iter().map(|fold| fold.weighted_f1).sum::<f64>() / count;
        let square = |fold: &FoldScore| (fold.weighted_f1 - mean).powi(2);
        let variance = folds.iter().map(square).sum::<f64>() / count;
        Self {
            params,
            folds,
            mean_weighted_f1: mean,
            deviation: variance.sqrt(),
        }
    }

    /// What people want to know of the one that was chosen.
    pub(super) fn summary(&self) -> Value {
        json!({
            "params": self.params,
            "mean_weighted_f1": self.mean_weighted_f1,
            "deviation": self.deviation,
        })
    }
}

/// The candidate with the best mean; the first of equals.
fn best(candidates: &[Candidate]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, candidate) in candidates.iter().enumerate() {
        let is_better =
            |best: usize| candidate.mean_weighted_f1 > candidates[best].mean_weighted_f1;
        if best.is_none_or(is_better) {
            best = Some(index);
        }
    }
    best
}
