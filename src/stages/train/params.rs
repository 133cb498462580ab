//! Parameters of `train`: which model, and what that model takes. Every model has keys of its own.

use super::blend::BlendParams;
use super::classical::Classical;
use super::classical_params::{
    BoostingParams, ForestParams, LogisticParams, NeighboursParams, SvmParams, TreeParams,
};
use super::fine_tuned::FineTunedParams;
use super::fusion::FusionParams;
use super::networks::{DenseHeadParams, LenetParams, NeuralEmbedderParams, NeuralSimpleParams};
use super::soft_vote::SoftVoteParams;
use crate::checkpoint::FILES;
use crate::config::{Issue, NeedRule, check};
use crate::schema::{HELD_OUT, LABELLED};
use crate::stages::{any, at_most_one, one};
use crate::suggest::suggestion;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

/// Names each model once: the variant of [`Params`], what it takes, and its name in the configuration.
macro_rules! models {
    ($($(#[doc = $doc:literal])* $name:literal => $variant:ident($params:ty),)+) => {
        /// Parameters of `train`, by model.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(tag = "model")]
        pub(in crate::stages) enum Params {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant($params),)+
        }

        /// Names of all models.
        const MODELS: &[&str] = &[$($name),+];

        impl Params {
            /// Name of the model.
            pub(super) fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            /// Checks the keys of one model and fills in its defaults; `None` for a name that there is not.
            fn check_model(name: &str, given: &Value, path: &str, issues: &mut Vec<Issue>) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant(check::<$params>(given, path, issues))),)+
                    _ => None,
                }
            }
        }

        /// Each model's name, what it is, and the schema of what it takes.
        fn model_schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, &'static str, Schema)> {
            vec![$(($name, concat!($($doc),*), generator.subschema_for::<$params>())),+]
        }
    };
}

models! {
    /// TF-IDF → dense → classes.
    "neural_simple" => NeuralSimple(NeuralSimpleParams),
    /// Embedding of words → mean → dense → classes.
    "neural_embedder" => NeuralEmbedder(NeuralEmbedderParams),
    /// Small convolutional network on images.
    "lenet" => Lenet(LenetParams),
    /// Dense layers on the features of a frozen network.
    "dense_head" => DenseHead(DenseHeadParams),
    /// A pretrained image network, trained further on the images themselves.
    "fine_tuned" => FineTuned(FineTunedParams),
    /// What several models make of a row, side by side → dense → classes.
    "fusion" => Fusion(FusionParams),
    /// Multinomial logistic regression.
    "logistic_regression" => LogisticRegression(Classical<LogisticParams>),
    /// Linear support vector machines, one against the rest, calibrated.
    "linear_svm" => LinearSvm(Classical<SvmParams>),
    /// The shares among the nearest training rows.
    "k_nearest_neighbours" => KNearestNeighbours(Classical<NeighboursParams>),
    /// One decision tree.
    "decision_tree" => DecisionTree(Classical<TreeParams>),
    /// Decision trees on rows drawn at random.
    "random_forest" => RandomForest(Classical<ForestParams>),
    /// Trees, each on what those before it left over.
    "gradient_boosting" => GradientBoosting(Classical<BoostingParams>),
    /// The weighted mean of other models' probabilities.
    "soft_vote" => SoftVote(SoftVoteParams),
    /// Other models' probabilities, with weights that are fitted.
    "blend" => Blend(BlendParams),
}

/// Kinds of stages whose rows a classical model reads: one of them, and of `embed_images` any number of stages.
pub(in crate::stages) const CLASSICAL_FEATURES: [&str; 3] = ["tfidf", "pca", "embed_images"];

fn classical_features() -> impl Iterator<Item = NeedRule> {
    let rows = |kind| match kind {
        "embed_images" => any_not_skipped(kind, &[LABELLED]),
        _ => at_most_one(kind, &[LABELLED]),
    };
    CLASSICAL_FEATURES.into_iter().map(rows)
}

/// Any number of stages of a kind: where one is skipped, so is what needs it.
fn any_not_skipped(kind: &'static str, datasets: &[&'static str]) -> NeedRule {
    NeedRule {
        may_be_skipped: false,
        ..any(kind, datasets)
    }
}

impl JsonSchema for Params {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "train".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let models = model_schemas(generator);
        let names: Vec<&str> = models.iter().map(|(name, ..)| *name).collect();
        let docs: Vec<&str> = models.iter().map(|(_, doc, _)| doc.trim()).collect();
        let model = json!({
            "description": "Which model: what else it takes and needs depends on it.",
            "enum": names,
            "enumDescriptions": docs,
            "x-required": true,
        });
        let takes = models.iter().map(|(name, _, schema)| {
            let mut schema = schema.clone();
            // Names the key, so that it is none too many; what it may hold stands above.
            if let Some(keys) = schema.pointer_mut("/properties") {
                keys["model"] = true.into();
            }
            json!({
                "if": { "properties": { "model": { "const": name } }, "required": ["model"] },
                "then": schema,
            })
        });
        let takes: Vec<Value> = takes.collect();
        json_schema!({
            "description": "Parameters of `train`.",
            "type": "object",
            "properties": { "model": model },
            "allOf": takes,
        })
    }
}

impl Default for Params {
    fn default() -> Self {
        Self::NeuralSimple(NeuralSimpleParams::default())
    }
}

impl Params {
    /// Checks what the configuration gives; where it names no model, says which there are.
    pub(super) fn checked(given: &Value, path: &str, issues: &mut Vec<Issue>) -> Self {
        let key = format!("{path}.model");
        let known = || format!("one of {}", MODELS.join(", "));
        let Some(name) = given.get("model") else {
            issues.push(Issue::new(key, format!("is missing: {}", known())));
            return Self::default();
        };
        let Some(name) = name.as_str() else {
            issues.push(Issue::new(key, format!("must be {}", known())));
            return Self::default();
        };
        let mut own = given.clone();
        if let Some(own) = own.as_object_mut() {
            own.remove("model");
        }
        Self::check_model(name, &own, path, issues).unwrap_or_else(|| {
            let message = match suggestion(name, MODELS.iter().copied()) {
                Some(meant) => format!("unknown model {name:?}; did you mean {meant:?}?"),
                None => format!("unknown model {name:?}; {}", known()),
            };
            issues.push(Issue::new(key, message));
            Self::default()
        })
    }

    /// What a stage that trains this model reads.
    pub(super) fn needs(&self) -> Vec<NeedRule> {
        let trained = |datasets: &[&'static str], count| NeedRule {
            kind: "train",
            datasets: datasets.to_vec(),
            count,
            may_be_skipped: false,
        };
        let split = || one("split", &[LABELLED]);
        let images = || one("decode_images", &[LABELLED]);
        let embeddings = || one("embed_images", &[LABELLED]);
        match self {
            Self::NeuralEmbedder(_) => vec![split(), one("tokenize", &[LABELLED, FILES])],
            Self::Lenet(_) | Self::FineTuned(_) => vec![split(), images()],
            Self::DenseHead(_) => vec![split(), embeddings()],
            // What is skipped takes its models along, and so the fusion.
            Self::Fusion(_) => vec![
                split(),
                any_not_skipped("tfidf", &[LABELLED]),
                any_not_skipped("tokenize", &[LABELLED, FILES]),
                any_not_skipped("decode_images", &[LABELLED]),
                any_not_skipped("embed_images", &[LABELLED]),
                any_not_skipped("pca", &[LABELLED]),
                trained(&[FILES, HELD_OUT], (2, usize::MAX)),
            ],
            Self::SoftVote(_) | Self::Blend(_) => {
                vec![trained(&[FILES, HELD_OUT], (2, usize::MAX))]
            }
            Self::NeuralSimple(_) => vec![split(), one("tfidf", &[LABELLED])],
            _ => [split()].into_iter().chain(classical_features()).collect(),
        }
    }

    /// Whether it is a classical model, which reads any of [`CLASSICAL_FEATURES`].
    pub(in crate::stages) fn is_classical(&self) -> bool {
        !self.is_network() && !self.is_ensemble()
    }

    /// Checks what types cannot say.
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        match self {
            Self::NeuralSimple(params) => params.validate(path, issues),
            Self::NeuralEmbedder(params) => params.validate(path, issues),
            Self::Lenet(params) => params.validate(path, issues),
            Self::DenseHead(params) => params.validate(path, issues),
            Self::FineTuned(params) => params.validate(path, issues),
            Self::Fusion(params) => params.validate(path, issues),
            Self::LogisticRegression(params) => params.validate(path, issues),
            Self::LinearSvm(params) => params.validate(path, issues),
            Self::KNearestNeighbours(params) => params.validate(path, issues),
            Self::DecisionTree(params) => params.validate(path, issues),
            Self::RandomForest(params) => params.validate(path, issues),
            Self::GradientBoosting(params) => params.validate(path, issues),
            Self::SoftVote(params) => params.validate(path, issues),
            Self::Blend(params) => params.validate(path, issues),
        }
    }

    /// Whether it is made of other models.
    pub(in crate::stages) fn is_ensemble(&self) -> bool {
        matches!(self, Self::SoftVote(_) | Self::Blend(_) | Self::Fusion(_))
    }

    /// Name of the weights that it loads, if it loads any.
    pub(super) fn weights(&self) -> Option<&str> {
        match self {
            Self::FineTuned(params) => Some(params.weights.as_str()),
            _ => None,
        }
        .filter(|name| !name.is_empty())
    }

    /// Whether the training runs in LibTorch.
    pub(super) fn is_network(&self) -> bool {
        matches!(
            self,
            Self::NeuralSimple(_)
                | Self::NeuralEmbedder(_)
                | Self::Lenet(_)
                | Self::DenseHead(_)
                | Self::FineTuned(_)
                | Self::Fusion(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn issues_of(given: &Value) -> Vec<String> {
        let mut issues = Vec::new();
        let params = Params::checked(given, "p", &mut issues);
        params.validate("p", &mut issues);
        issues.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_model_checks_with_its_defaults_and_survives_json() {
        for name in MODELS {
            let mut given = json!({ "model": name });
            if *name == "fine_tuned" {
                // No network begins at random there.
                assert!(issues_of(&given)[0].starts_with("p.weights: is missing"));
                given["weights"] = json!("mobilenet_v2");
            }
            assert_eq!(issues_of(&given), Vec::<String>::new(), "{name}");
            let params = Params::checked(&given, "p", &mut Vec::new());
            assert_eq!(params.name(), *name);
            let value = serde_json::to_value(&params).unwrap();
            let read: Params = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), value, "{name}");
        }
    }

    #[test]
    fn a_model_takes_its_own_keys_only() {
        let found = issues_of(&json!({"model": "linear_svm", "epochs": 3}));
        assert!(
            found[0].starts_with("p.epochs: unknown key; known here: "),
            "{found:?}"
        );
        assert!(found[0].contains("calibration_folds"), "{found:?}");
        assert!(issues_of(&json!({"model": "neural_simple", "epochs": 3})).is_empty());
    }

    #[test]
    fn a_model_must_be_named() {
        assert!(issues_of(&json!({}))[0].starts_with("p.model: is missing: one of neural_simple,"));
        assert_eq!(
            issues_of(&json!({"model": "linear_svn"})),
            ["p.model: unknown model \"linear_svn\"; did you mean \"linear_svm\"?"]
        );
        assert!(issues_of(&json!({"model": 3}))[0].starts_with("p.model: must be one of"));
    }

    #[test]
    fn a_mapping_that_is_given_in_part_has_defaults_for_the_rest() {
        let given =
            json!({"model": "gradient_boosting", "cv": {}, "early_stopping": {"patience": 3}});
        assert_eq!(issues_of(&given), [""; 0]);
        let params = Params::checked(&given, "p", &mut Vec::new());
        let value = serde_json::to_value(&params).unwrap();
        assert_eq!(value["cv"], json!({"folds": 3, "grid": {}}));
        assert_eq!(
            value["early_stopping"],
            json!({"held_share": 0.1, "patience": 3})
        );
        let forest = Params::checked(&json!({"model": "random_forest"}), "p", &mut Vec::new());
        assert_eq!(
            serde_json::to_value(&forest).unwrap()["max_features"],
            "sqrt"
        );
    }

    #[test]
    fn a_grid_has_a_limit_and_every_mistake_is_said() {
        let many: Vec<f64> = (1..=40).map(f64::from).collect();
        let grid = json!({"c": many, "tolerance": many});
        assert_eq!(
            issues_of(&json!({"model": "linear_svm", "cv": {"grid": grid}})),
            ["p.cv.grid: has 1600 combinations, more than 1000"]
        );
        assert_eq!(
            issues_of(&json!({"model": "linear_svm", "c": 0, "tolerance": 0, "cv": {"folds": 1}}))
                .len(),
            3
        );
    }

    /// Holds that each of some parameters has one mistake, and what is said of it.
    fn assert_mistakes(cases: &[(Value, &str)]) {
        for (given, expected) in cases {
            let found = issues_of(given);
            assert!(
                found.len() == 1 && found[0].starts_with(expected),
                "{given}: {found:?}"
            );
        }
    }

    #[test]
    fn values_that_make_no_sense_are_refused_with_their_key() {
        assert_mistakes(&[
            (
                json!({"model": "linear_svm", "c": 0}),
                "p.c: must be above 0",
            ),
            (
                json!({"model": "linear_svm", "sample": 1}),
                "p.sample: must be at least 2, or null for all rows",
            ),
            (
                json!({"model": "linear_svm", "c": "much"}),
                "p.c: expected a number, found",
            ),
            (
                json!({"model": "neural_simple", "dropout": 1}),
                "p.dropout: must be",
            ),
            (
                json!({"model": "lenet", "image_size": 8}),
                "p.image_size: must be",
            ),
            (
                json!({"model": "random_forest", "max_features": "some"}),
                "p.max_features: ",
            ),
            (
                json!({"model": "soft_vote", "weights": {"a": 0}}),
                "p.weights.a: must lie between",
            ),
            (
                json!({"model": "linear_svm", "calibration_folds": 100_000}),
                "p.calibration_folds: must lie between 2 and 100, or be 0",
            ),
            (
                json!({"model": "logistic_regression", "max_iterations": 0}),
                "p.max_iterations: must be at least 1",
            ),
            (
                json!({"model": "decision_tree", "max_depth": 0}),
                "p.max_depth: must be at least 1, or null for no limit",
            ),
            (
                json!({"model": "decision_tree", "max_features": 0}),
                "p.max_features: expected all, sqrt or a number above 0, found 0",
            ),
            (
                json!({"model": "gradient_boosting", "early_stopping": true}),
                "p.early_stopping: expected a mapping, found a truth value",
            ),
            (
                json!({"model": "gradient_boosting", "early_stopping": {"pateince": 3}}),
                "p.early_stopping.pateince: unknown key; did you mean \"patience\"?",
            ),
            (
                json!({"model": "gradient_boosting", "early_stopping": {"held_share": 1}}),
                "p.early_stopping.held_share: must be above 0 and below 1",
            ),
            (
                json!({"model": "neural_simple", "early_stopping": true}),
                "p.early_stopping: expected a mapping with patience and start_epoch, found true",
            ),
        ]);
    }

    #[test]
    fn mistakes_of_a_cross_validation_have_their_key_too() {
        assert_mistakes(&[
            (
                json!({"model": "linear_svm", "cv": {"folds": 1}}),
                "p.cv.folds: must lie between 2 and 100",
            ),
            (
                json!({"model": "linear_svm", "cv": {"grid": {"d": [1]}}}),
                "p.cv.grid.d: unknown key; did you mean \"c\"?",
            ),
            (
                json!({"model": "linear_svm", "cv": {"grid": {"c": [1, "x"]}}}),
                "p.cv.grid.c: expected a number, found",
            ),
            (
                json!({"model": "linear_svm", "cv": {"grid": {"c": []}}}),
                "p.cv.grid.c: there are no values",
            ),
            (
                json!({"model": "linear_svm", "cv": {"grid": {"c": [1, -1]}}}),
                "p.cv.grid.c: must be above 0, not -1",
            ),
            (
                json!({"model": "linear_svm", "cv": {"fold": 3}}),
                "p.cv.fold: unknown key; did you mean \"folds\"?",
            ),
            (
                json!({"model": "linear_svm", "cv": {"folds": "three"}}),
                "p.cv.folds: expected a whole number",
            ),
            (
                json!({"model": "linear_svm", "cv": 3}),
                "p.cv: expected a mapping, found a number",
            ),
            (
                json!({"model": "linear_svm", "cv": {"folds": 100_000}}),
                "p.cv.folds: must lie between 2 and 100",
            ),
            (
                json!({"model": "linear_svm", "c": -1, "cv": {"grid": {"tolerance": [0.1, 0.2]}}}),
                "p.c: must be above 0",
            ),
            (
                json!({"model": "linear_svm", "cv": {"grid": {"c": [-1], "tolerance": [0.1, 0.2]}}}),
                "p.cv.grid.c: must be above 0, not -1",
            ),
            (
                json!({"model": "gradient_boosting", "cv": {"grid": {"early_stopping": [null, {"patience": 0}]}}}),
                "p.cv.grid.early_stopping.patience: must be at least 1, not 0",
            ),
            (
                json!({"model": "gradient_boosting", "cv": {"grid": {"early_stopping": [{"held": 0}]}}}),
                "p.cv.grid.early_stopping.held: unknown key",
            ),
        ]);
    }
}
