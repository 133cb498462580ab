//! Classical models on TF-IDF or features of images: the choice of their parameters by cross-validation, and the fit.

use super::optional::Optional;
use crate::config::{Issue, check};
use crate::model::classical::{
    ClassicalError, ClassicalModel, ClassicalOptions, FoldScore, MOST_FOLDS, OptionProblem,
    cross_validate, out_of_fold,
};
use crate::model::{Normalization, SparseRows};
use crate::stages::sampling::stratified;
use crate::stages::{StageError, StageRun};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a classical model is fitted with, beside what all of them take.
pub(in crate::stages) trait ClassicalParams:
    Default + Clone + Serialize + DeserializeOwned + JsonSchema
{
    /// The options of the kernel.
    fn options(&self, seed: u64) -> ClassicalOptions;

    /// Reports mistakes that were found when the parameters were read.
    fn report(&self, _path: &str, _issues: &mut Vec<Issue>) {}
}

/// Parameters of a classical model.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default, bound = "P: ClassicalParams")]
#[serde(bound = "P: ClassicalParams")]
pub(in crate::stages) struct Classical<P> {
    #[serde(flatten)]
    model: P,
    /// How the features that each stage made of an image are scaled; `null` for not at all.
    pub(super) normalization: Option<Normalization>,
    /// Whether rows weigh inversely to the number of rows of their class.
    class_weights: bool,
    /// Most training rows that the model is fitted and cross-validated on, of each class its share; `null` for all.
    #[schemars(range(min = 2))]
    sample: Option<usize>,
    /// Values to try by cross-validation on the training rows, such as `{ folds: 3, grid: { c: [0.3, 1, 3] } }`; `null` for not.
    #[schemars(schema_with = "cross_validation_of::<P>")]
    cv: Optional<CrossValidation>,
    /// In how many folds the training rows are answered for by models that did not see them, for fusions and blends; `null`
    /// for not at all.
    #[schemars(range(min = 2, max = MOST_FOLDS))]
    out_of_fold: Option<usize>,
}

/// A cross-validation over all combinations of some values.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
struct CrossValidation {
    /// Folds of the training rows.
    #[schemars(range(min = 2, max = MOST_FOLDS))]
    folds: usize,
    /// Values to try of each parameter; all combinations are tried, 1000 at most.
    grid: BTreeMap<String, Vec<Value>>,
}

impl Default for CrossValidation {
    fn default() -> Self {
        Self {
            folds: 3,
            grid: BTreeMap::new(),
        }
    }
}

/// The schema of a cross-validation over the parameters of a model.
fn cross_validation_of<P: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let params = generator.subschema_for::<P>();
    let own = params.get("properties").and_then(Value::as_object);
    let values = own.into_iter().flatten().map(|(key, schema)| {
        let mut one = schema.clone();
        let words = one.as_object_mut();
        let description = words.and_then(|words| {
            words.remove("default");
            words.remove("description")
        });
        let values = json!({
            "description": description,
            "type": "array",
            "minItems": 1,
            "items": one,
        });
        (key.clone(), values)
    });
    let values: Map<String, Value> = values.collect();
    let mut schema = generator.subschema_for::<Option<CrossValidation>>();
    schema.insert("default".to_owned(), Value::Null);
    if let Some(grid) = schema.pointer_mut("/properties/grid") {
        grid["additionalProperties"] = Value::Bool(false);
        grid["properties"] = Value::Object(values);
    }
    schema
}

/// The most combinations of a grid: each is fitted once for every fold.
const MOST_COMBINATIONS: usize = 1000;

/// What one combination of values came to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Candidate {
    params: Map<String, Value>,
    folds: Vec<FoldScore>,
    /// Mean over the folds of the weighted F1.
    mean_weighted_f1: f64,
    /// Mean over the folds of the weighted precision.
    mean_weighted_precision: f64,
    /// Mean over the folds of the weighted recall.
    mean_weighted_recall: f64,
    /// Mean over the folds of the accuracy.
    mean_accuracy: f64,
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
    /// What models that had not seen them answered for the rows: rows × classes.
    pub(super) out_of_fold: Option<Vec<f32>>,
}

impl<P: ClassicalParams> Classical<P> {
    /// Checks what types cannot say, for every combination of the grid.
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        self.model.report(path, issues);
        let problems = self.model.options(0).problems();
        let issue = |(key, reason): &OptionProblem| Issue::new(format!("{path}.{key}"), *reason);
        issues.extend(problems.iter().map(issue));
        if self.sample.is_some_and(|sample| sample < 2) {
            let message = "must be at least 2, or null for all rows";
            issues.push(Issue::new(format!("{path}.sample"), message));
        }
        if self
            .out_of_fold
            .is_some_and(|folds| !(2..=MOST_FOLDS).contains(&folds))
        {
            let message = format!("must lie between 2 and {MOST_FOLDS}, or be null");
            issues.push(Issue::new(format!("{path}.out_of_fold"), message));
        }
        let path = format!("{path}.cv");
        self.cv.report(&path, issues);
        let Some(cv) = self.cv.as_ref() else { return };
        if !(2..=MOST_FOLDS).contains(&cv.folds) {
            let message = format!("must lie between 2 and {MOST_FOLDS}");
            issues.push(Issue::new(format!("{path}.folds"), message));
        }
        let path = format!("{path}.grid");
        if cv.validate_grid::<P>(&path, issues) {
            self.validate_combinations(&problems, &path, issues);
        }
    }

    /// Checks every combination of the grid; what is wrong without it, too, was said.
    fn validate_combinations(&self, said: &[OptionProblem], path: &str, issues: &mut Vec<Issue>) {
        for (params, chosen) in self.combinations() {
            for problem in params.options(0).problems() {
                let issue = match value_of(&chosen, problem.0) {
                    Some(value) => {
                        let message = format!("{}, not {value}", problem.1);
                        Issue::new(format!("{path}.{}", problem.0), message)
                    }
                    None if said.contains(&problem) => continue,
                    None => {
                        let (key, reason) = problem;
                        let with = Value::Object(chosen.clone());
                        Issue::new(path, format!("with {with}, {key} {reason}"))
                    }
                };
                if !issues.contains(&issue) {
                    issues.push(issue);
                }
            }
        }
    }

    /// All combinations of the grid's values in the place of the parameters' own, with those values.
    fn combinations(&self) -> Vec<(P, Map<String, Value>)> {
        let mut all = vec![Map::new()];
        for (key, values) in self.cv.as_ref().iter().flat_map(|cv| &cv.grid) {
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

    /// The rows that the model is fitted on, of each class its share.
    pub(super) fn drawn(&self, ids: &[String], classes: &[u32], seed: u64) -> Vec<usize> {
        stratified(ids, classes, self.sample.unwrap_or(usize::MAX), seed)
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
        let tried = if self.cv.as_ref().is_some() {
            combinations.len()
        } else {
            0
        };
        let crossed = self.out_of_fold.is_some() && labels.len() > 1;
        let unit = if tried == 0 && !crossed {
            "fit"
        } else {
            "fits"
        };
        run.monitor
            .expect((tried + usize::from(crossed)) as u64 + 1, unit);
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
        // A handful of rows makes fewer folds, and one row none: that is no reason to fail.
        let crossed = self.out_of_fold.filter(|_| crossed).map(|folds| {
            let folds = (&options, folds.min(labels.len()));
            out_of_fold(rows, labels, classes, self.class_weights, folds, &stop)
        });
        let out_of_fold = crossed.transpose().map_err(heard)?;
        if out_of_fold.is_some() {
            run.monitor.advance(1);
        }
        Ok(FittedClassical {
            model,
            candidates,
            chosen,
            out_of_fold,
        })
    }
}

impl CrossValidation {
    /// Checks the values of each key on their own; returns whether they can be combined.
    fn validate_grid<P: ClassicalParams>(&self, path: &str, issues: &mut Vec<Issue>) -> bool {
        let before = issues.len();
        for (key, values) in &self.grid {
            if values.is_empty() {
                issues.push(Issue::new(format!("{path}.{key}"), "there are no values"));
            }
            for value in values {
                let params: P = check(&json!({ key: value }), path, issues);
                params.report(path, issues);
            }
        }
        let counts = self.grid.values().map(Vec::len);
        let combinations = counts.fold(1, usize::saturating_mul);
        if combinations > MOST_COMBINATIONS {
            let message = format!("has {combinations} combinations, more than {MOST_COMBINATIONS}");
            issues.push(Issue::new(path, message));
        }
        issues.len() == before
    }
}

/// The value that a combination has for an option, which may be one of an option's own.
fn value_of<'a>(chosen: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let mut keys = key.split('.');
    let value = chosen.get(keys.next()?)?;
    keys.try_fold(value, |value, key| value.get(key))
}

impl Candidate {
    fn new(params: Map<String, Value>, folds: Vec<FoldScore>) -> Self {
        let count = folds.len().max(1) as f64;
        let mean = |score: fn(&FoldScore) -> f64| folds.iter().map(score).sum::<f64>() / count;
        let mean_weighted_f1 = mean(|fold| fold.weighted_f1);
        let square = |fold: &FoldScore| (fold.weighted_f1 - mean_weighted_f1).powi(2);
        let variance = folds.iter().map(square).sum::<f64>() / count;
        Self {
            params,
            mean_weighted_f1,
            mean_weighted_precision: mean(|fold| fold.weighted_precision),
            mean_weighted_recall: mean(|fold| fold.weighted_recall),
            mean_accuracy: mean(|fold| fold.accuracy),
            deviation: variance.sqrt(),
            folds,
        }
    }

    /// What people want to know of the one that was chosen.
    pub(super) fn summary(&self) -> Value {
        json!({
            "params": self.params,
            "mean_accuracy": self.mean_accuracy,
            "mean_weighted_precision": self.mean_weighted_precision,
            "mean_weighted_recall": self.mean_weighted_recall,
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
