//! Parameters of each classical model; the defaults are those of its kernel.

use super::classical::ClassicalParams;
use super::optional::Optional;
use crate::config::Issue;
use crate::model::classical::{
    BoostingOptions, ClassicalOptions, EarlyStopping, ForestOptions, LogisticOptions, MaxFeatures,
    Metric, NeighboursOptions, SvmOptions, TreeOptions,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroUsize;

/// Of `logistic_regression`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct LogisticParams {
    /// Weight of the loss against the penalty.
    #[schemars(extend("exclusiveMinimum" = 0))]
    c: f64,
    /// Size of the gradient at which the solver ends.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tolerance: f64,
    /// Most iterations of the solver; the run record says whether it converged.
    #[schemars(range(min = 1))]
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct SvmParams {
    /// Weight of the loss against the penalty.
    #[schemars(extend("exclusiveMinimum" = 0))]
    c: f64,
    /// Change at which the solver ends.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tolerance: f64,
    /// Most iterations of the solver; the run record says whether it converged.
    #[schemars(range(min = 1))]
    max_iterations: usize,
    /// Folds whose held-out decision values calibrate the probabilities, 2 to 100; 0 for none.
    #[schemars(extend("maximum" = 100, "not" = {"const": 1}))]
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct NeighboursParams {
    /// How many of the nearest training rows vote.
    #[schemars(range(min = 1))]
    neighbours: usize,
    /// What near means.
    metric: MetricName,
}

/// What near means.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MetricName {
    /// Straight distance; empty texts are near to everything.
    Euclidean,
    /// Angle between rows.
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

impl JsonSchema for Columns {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "enum": ["all", "sqrt"] },
                { "type": "integer", "minimum": 1 },
            ]
        })
    }
}

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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct TreeParams {
    /// Most levels of the tree; `null` for no limit.
    #[schemars(range(min = 1))]
    max_depth: Option<usize>,
    /// Fewest rows of a node that is split.
    #[schemars(range(min = 2))]
    min_split_rows: usize,
    /// Fewest rows of a leaf.
    #[schemars(range(min = 1))]
    min_leaf_rows: usize,
    /// Columns tried at each node: `all`, `sqrt` or a number.
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct ForestParams {
    /// How many trees.
    #[schemars(range(min = 1))]
    trees: usize,
    /// Whether each tree draws as many rows as there are, with replacement.
    bootstrap: bool,
    /// Most levels of a tree; `null` for no limit.
    #[schemars(range(min = 1))]
    max_depth: Option<usize>,
    /// Fewest rows of a node that is split.
    #[schemars(range(min = 2))]
    min_split_rows: usize,
    /// Fewest rows of a leaf.
    #[schemars(range(min = 1))]
    min_leaf_rows: usize,
    /// Columns tried at each node: `all`, `sqrt` or a number.
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct BoostingParams {
    /// Most iterations, each a tree for each class.
    #[schemars(range(min = 1))]
    iterations: usize,
    /// What each tree is multiplied by.
    #[schemars(extend("exclusiveMinimum" = 0))]
    learning_rate: f32,
    /// Most leaves of a tree.
    #[schemars(range(min = 2))]
    max_leaves: usize,
    /// Most levels of a tree; `null` for no limit.
    #[schemars(range(min = 1))]
    max_depth: Option<usize>,
    /// Fewest rows of a leaf.
    #[schemars(range(min = 1))]
    min_leaf_rows: usize,
    /// Penalty on the values of the leaves.
    #[schemars(range(min = 0.0))]
    l2: f32,
    /// Bins of each column's values above 0.
    #[schemars(range(min = 1))]
    bins: usize,
    /// Stops where held-back rows get no better, such as `{ held_share: 0.1, patience: 10 }`; `null` for not.
    early_stopping: Optional<BoostingStop>,
}

/// When boosting stops early.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
struct BoostingStop {
    /// Share of the training rows that is held back to measure the loss.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    held_share: f64,
    /// Iterations without a better loss, after which it stops.
    #[schemars(range(min = 1))]
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
