//! Parameters of each classical model; the defaults are those of its kernel.

use super::classical::ClassicalParams;
use super::optional::Optional;
use crate::config::Issue;
use crate::model::classical::{
    BoostingOptions, ClassicalOptions, EarlyStopping, ForestOptions, LogisticOptions, MaxFeatures,
    Metric, NeighboursOptions, SvmOptions, TreeOptions,
};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::num::NonZeroUsize;

/// Of `logistic_regression`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct LogisticParams {
    /// Weight of the loss against the penalty.
    c: f64,
    tolerance: f64,
    max_iterations: usize,
}

impl Default for LogisticParams {
    fn default() -> Self {
        let options = LogisticOptions::default();
        Self {
            c: options.c,
            tolerance: options.tolerance,
            max_iterations: options.max_iterations,
        }
    }
}

impl ClassicalParams for LogisticParams {
    fn options(&self, _: u64) -> ClassicalOptions {
        ClassicalOptions::LogisticRegression(LogisticOptions {
            c: self.c,
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
            ..LogisticOptions::default()
        })
    }
}

/// Of `linear_svm`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct SvmParams {
    /// Weight of the loss against the penalty.
    c: f64,
    tolerance: f64,
    max_iterations: usize,
    /// Folds whose held-out decision values calibrate the probabilities.
    calibration_folds: usize,
}

impl Default for SvmParams {
    fn default() -> Self {
        let options = SvmOptions::default();
        Self {
            c: options.c,
            tolerance: options.tolerance,
            max_iterations: options.max_iterations,
            calibration_folds: options.calibration_folds,
        }
    }
}

impl ClassicalParams for SvmParams {
    fn options(&self, seed: u64) -> ClassicalOptions {
        ClassicalOptions::LinearSvm(SvmOptions {
            c: self.c,
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
            calibration_folds: self.calibration_folds,
            seed,
        })
    }
}

/// Of `k_nearest_neighbours`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct NeighboursParams {
    neighbours: usize,
    metric: MetricName,
}

/// What near means.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MetricName {
    Euclidean,
    Cosine,
}

impl Default for NeighboursParams {
    fn default() -> Self {
        Self {
            neighbours: NeighboursOptions::default().neighbours,
            metric: MetricName::Euclidean,
        }
    }
}

impl ClassicalParams for NeighboursParams {
    fn options(&self, _: u64) -> ClassicalOptions {
        ClassicalOptions::NearestNeighbours(NeighboursOptions {
            neighbours: self.neighbours,
            metric: match self.metric {
                MetricName::Euclidean => Metric::Euclidean,
                MetricName::Cosine => Metric::Cosine,
            },
        })
    }
}

/// Columns that each node of a tree tries: `all`, `sqrt` or a number.
#[derive(Debug, Clone, Copy)]
struct Columns(MaxFeatures);

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            MaxFeatures::All => serializer.serialize_str("all"),
            MaxFeatures::Sqrt => serializer.serialize_str("sqrt"),
            MaxFeatures::Count(count) => count.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnsVisitor)
    }
}

struct ColumnsVisitor;

impl Visitor<'_> for ColumnsVisitor {
    type Value = Columns;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("all, sqrt or a number above 0")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Columns, E> {
        match name {
            "all" => Ok(Columns(MaxFeatures::All)),
            "sqrt" => Ok(Columns(MaxFeatures::Sqrt)),
            _ => Err(E::invalid_value(Unexpected::Str(name), &self)),
        }
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Columns, E> {
        let columns = usize::try_from(count).ok().and_then(NonZeroUsize::new);
        let columns = columns.map(|count| Columns(MaxFeatures::Count(count)));
        columns.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(count), &self))
    }
}

/// Of `decision_tree`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct TreeParams {
    max_depth: Option<usize>,
    min_split_rows: usize,
    min_leaf_rows: usize,
    max_features: Columns,
}

impl Default for TreeParams {
    fn default() -> Self {
        let options = TreeOptions::default();
        Self {
            max_depth: options.max_depth,
            min_split_rows: options.min_split_rows,
            min_leaf_rows: options.min_leaf_rows,
            max_features: Columns(options.max_features),
        }
    }
}

impl ClassicalParams for TreeParams {
    fn options(&self, seed: u64) -> ClassicalOptions {
        ClassicalOptions::DecisionTree(TreeOptions {
            max_depth: self.max_depth,
            min_split_rows: self.min_split_rows,
            min_leaf_rows: self.min_leaf_rows,
            max_features: self.max_features.0,
            seed,
        })
    }
}

/// Of `random_forest`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct ForestParams {
    trees: usize,
    /// Whether each tree draws as many rows as there are, with replacement.
    bootstrap: bool,
    max_depth: Option<usize>,
    min_split_rows: usize,
    min_leaf_rows: usize,
    max_features: Columns,
}

impl Default for ForestParams {
    fn default() -> Self {
        let options = ForestOptions::default();
        Self {
            trees: options.trees,
            bootstrap: options.bootstrap,
            max_depth: options.tree.max_depth,
            min_split_rows: options.tree.min_split_rows,
            min_leaf_rows: options.tree.min_leaf_rows,
            max_features: Columns(options.tree.max_features),
        }
    }
}

impl ClassicalParams for ForestParams {
    fn options(&self, seed: u64) -> ClassicalOptions {
        ClassicalOptions::RandomForest(ForestOptions {
            trees: self.trees,
            bootstrap: self.bootstrap,
            tree: TreeOptions {
                max_depth: self.max_depth,
                min_split_rows: self.min_split_rows,
                min_leaf_rows: self.min_leaf_rows,
                max_features: self.max_features.0,
                seed,
            },
        })
    }
}

/// Of `gradient_boosting`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct BoostingParams {
    iterations: usize,
    learning_rate: f32,
    max_leaves: usize,
    max_depth: Option<usize>,
    min_leaf_rows: usize,
    l2: f32,
    bins: usize,
    early_stopping: Optional<BoostingStop>,
}

/// When boosting stops early.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct BoostingStop {
    /// Share of the training rows that is held back to measure the loss.
    held_share: f64,
    patience: usize,
}

impl Default for BoostingStop {
    fn default() -> Self {
        let EarlyStopping {
            held_share,
            patience,
        } = EarlyStopping::default();
        Self {
            held_share,
            patience,
        }
    }
}

impl Default for BoostingParams {
    fn default() -> Self {
        let options = BoostingOptions::default();
        Self {
            iterations: options.iterations,
            learning_rate: options.learning_rate,
            max_leaves: options.max_leaves,
            max_depth: options.max_depth,
            min_leaf_rows: options.min_leaf_rows,
            l2: options.l2,
            bins: options.bins,
            early_stopping: Optional::default(),
        }
    }
}

impl ClassicalParams for BoostingParams {
    fn options(&self, seed: u64) -> ClassicalOptions {
        ClassicalOptions::GradientBoosting(BoostingOptions {
            iterations: self.iterations,
            learning_rate: self.learning_rate,
            max_leaves: self.max_leaves,
            max_depth: self.max_depth,
            min_leaf_rows: self.min_leaf_rows,
            l2: self.l2,
            bins: self.bins,
            early_stopping: self.early_stopping.as_ref().map(|stop| EarlyStopping {
                held_share: stop.held_share,
                patience: stop.patience,
            }),
            seed,
        })
    }

    fn report(&self, path: &str, issues: &mut Vec<Issue>) {
        let path = format!("{path}.early_stopping");
        self.early_stopping.report(&path, issues);
    }
}
