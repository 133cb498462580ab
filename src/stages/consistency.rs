//! Checks of what can be said only of stages together: names of stages in parameters, and features that a
//! model reads.

use super::fit_pca::FitPca;
use super::train::{CLASSICAL_FEATURES, Params, Train};
use super::weights::Weights;
use super::{Kind, predict};
use crate::config::{Issue, PipelineConfig, StageConfig};
use crate::suggest::suggestion;
use serde_json::Value;
use std::collections::BTreeSet;

/// Kinds of stages that models read rows of.
const FEATURES: [&str; 5] = [TFIDF, "tokenize", "decode_images", "embed_images", "pca"];
const TFIDF: &str = "tfidf";

/// Checks what can be said only of stages together.
#[must_use]
pub fn check_stages(config: &PipelineConfig) -> Vec<Issue> {
    let mut issues = Vec::new();
    for stage in config.stages.values() {
        check_one_split(config, stage, &mut issues);
        if stage.kind == TFIDF {
            check_one_cleaning(config, stage, &mut issues);
        } else if stage.kind == predict::Predict::NAME {
            check_predicted_model(config, stage, &mut issues);
        } else if stage.kind == FitPca::NAME {
            check_image_size(config, stage, "size", &mut issues);
        } else if stage.kind == Train::NAME {
            check_image_size(config, stage, "image_size", &mut issues);
            check_classical_inputs(config, stage, &mut issues);
            check_members(config, stage, &mut issues);
            check_branches(config, stage, &mut issues);
            check_weights(config, stage, &mut issues);
        }
    }
    for (name, weights) in &config.weights {
        let checked = Weights::of(weights, &format!("weights.{name}"));
        issues.extend(checked.err().unwrap_or_default());
    }
    issues
}

/// Text of a parameter.
fn text<'a>(stage: &'a StageConfig, key: &str) -> Option<&'a str> {
    stage.params.get(key)?.as_str()
}

/// The stages of a kind that a stage needs.
fn needed<'a>(
    config: &'a PipelineConfig,
    stage: &StageConfig,
    kind: &'a str,
) -> impl Iterator<Item = &'a StageConfig> {
    let needs = config.dag.needs(&stage.id).iter();
    needs
        .filter_map(|need| config.stages.get(&need.stage))
        .filter(move |stage| stage.kind == kind)
}

/// The stages whose rows the model of a `train` stage reads, by way of the models in it too.
fn reads<'a>(config: &'a PipelineConfig, stage: &StageConfig) -> BTreeSet<&'a str> {
    let own = FEATURES
        .into_iter()
        .flat_map(|kind| needed(config, stage, kind))
        .map(|feature| feature.id.as_str());
    let inner = needed(config, stage, Train::NAME).flat_map(|model| reads(config, model));
    own.chain(inner).collect()
}

/// The stages of a kind that a stage needs, directly or by way of others.
fn ancestors<'a>(
    config: &'a PipelineConfig,
    stage: &StageConfig,
    kind: &str,
    found: &mut BTreeSet<&'a str>,
) {
    let needs = config.dag.needs(&stage.id).iter();
    for needed in needs.filter_map(|need| config.stages.get(&need.stage)) {
        if needed.kind == kind {
            found.insert(&needed.id);
        } else {
            ancestors(config, needed, kind, found);
        }
    }
}

/// What one split holds back another may train on.
fn check_one_split(config: &PipelineConfig, stage: &StageConfig, issues: &mut Vec<Issue>) {
    let mut splits = BTreeSet::new();
    ancestors(config, stage, "split", &mut splits);
    if splits.len() > 1 {
        let splits: Vec<&str> = splits.into_iter().collect();
        let message = format!(
            "rows that one split holds back are trained on in another: {}; need stages of one split",
            splits.join(" and ")
        );
        issues.push(Issue::new(format!("stages.{}.needs", stage.id), message));
    }
}

/// Terms are looked up in a text that was cleaned as those that they were counted in.
fn check_one_cleaning(config: &PipelineConfig, stage: &StageConfig, issues: &mut Vec<Issue>) {
    for applied in needed(config, stage, "clean_text") {
        for fitted in needed(config, stage, "fit_tfidf") {
            for counted in needed(config, fitted, "clean_text") {
                if counted.id != applied.id {
                    let (applied, fitted, counted) = (&applied.id, &fitted.id, &counted.id);
                    let message =
                        format!("{fitted} counted the terms of {counted}, not of {applied}");
                    issues.push(Issue::new(format!("stages.{}.needs", stage.id), message));
                }
            }
        }
    }
}

/// The parameters of a `train` stage.
fn trained(stage: &StageConfig) -> Option<Params> {
    serde_json::from_value(stage.params.clone()).ok()
}

/// What is made of models is made of such as are not made of models themselves.
fn check_members(config: &PipelineConfig, stage: &StageConfig, issues: &mut Vec<Issue>) {
    let is_ensemble =
        |stage: &StageConfig| trained(stage).is_some_and(|params| params.is_ensemble());
    if !is_ensemble(stage) {
        return;
    }
    for member in needed(config, stage, Train::NAME).filter(|member| is_ensemble(member)) {
        let message = format!("{} is itself made of models: name those instead", member.id);
        issues.push(Issue::new(format!("stages.{}.needs", stage.id), message));
    }
}

/// A model that is named must be needed, and what a model reads that may be chosen must be needed too.
fn check_predicted_model(config: &PipelineConfig, stage: &StageConfig, issues: &mut Vec<Issue>) {
    let id = &stage.id;
    let named = text(stage, "model").unwrap_or(predict::BEST);
    if let Some(reason) = config.skipped.get(named) {
        let message = format!("{named} is skipped: {reason}");
        issues.push(Issue::new(format!("stages.{id}.params.model"), message));
        return;
    }
    let models: Vec<&StageConfig> = needed(config, stage, Train::NAME).collect();
    if named != predict::BEST && models.iter().all(|model| model.id != named) {
        let known = models.iter().map(|model| model.id.as_str());
        let message = match suggestion(named, known.chain([predict::BEST])) {
            Some(meant) => {
                format!("{named:?} is no model that {id} needs; did you mean {meant:?}?")
            }
            None => format!("{named:?} is no model that {id} needs; or `best`"),
        };
        issues.push(Issue::new(format!("stages.{id}.params.model"), message));
        return;
    }
    let candidates = models
        .into_iter()
        .filter(|model| named == predict::BEST || model.id == named);
    for model in candidates {
        check_reads(config, stage, model, issues);
    }
}

/// What a model reads must be needed by a stage that asks it.
fn check_reads(
    config: &PipelineConfig,
    stage: &StageConfig,
    model: &StageConfig,
    issues: &mut Vec<Issue>,
) {
    let needs = config.dag.needs(&stage.id);
    for feature in reads(config, model) {
        if needs.iter().all(|need| need.stage != feature) {
            let message = format!("lacks {feature}, which {} reads", model.id);
            issues.push(Issue::new(format!("stages.{}.needs", stage.id), message));
        }
    }
}

/// A fusion asks its models on the rows that they were trained on, and of classical ones it wants answers for training rows that
/// they had not seen.
fn check_branches(config: &PipelineConfig, stage: &StageConfig, issues: &mut Vec<Issue>) {
    let Some(Params::Fusion(_)) = trained(stage) else {
        return;
    };
    for branch in needed(config, stage, Train::NAME) {
        check_reads(config, stage, branch, issues);
        let is_classical = trained(branch).is_some_and(|params| params.is_classical());
        if is_classical && branch.params.get("out_of_fold").is_none_or(Value::is_null) {
            let path = format!("stages.{}.params.out_of_fold", branch.id);
            let message = format!(
                "{} is trained on its answers for rows that it had not seen: set a number of folds, such as 5",
                stage.id
            );
            issues.push(Issue::new(path, message));
        }
    }
}

/// The models that are given weights, or layers, must be there.
fn check_weights(config: &PipelineConfig, stage: &StageConfig, issues: &mut Vec<Issue>) {
    let of_key = |key: &'static str| {
        let named = stage.params.get(key).and_then(Value::as_object);
        named
            .into_iter()
            .flat_map(move |named| named.keys().map(move |name| (key, name)))
    };
    for (key, name) in of_key("weights").chain(of_key("branch_dense")) {
        if needed(config, stage, Train::NAME).all(|model| model.id != *name) {
            let path = format!("stages.{}.params.{key}.{name}", stage.id);
            let known = needed(config, stage, Train::NAME).map(|model| model.id.as_str());
            let meant = suggestion(name, known).map(|meant| format!("; did you mean {meant:?}?"));
            let hint = meant.unwrap_or_default();
            let message = format!("is no model that {} needs{hint}", stage.id);
            issues.push(Issue::new(path, message));
        }
    }
}

/// A classical model reads rows of one kind: texts, or what was made of images.
fn check_classical_inputs(config: &PipelineConfig, stage: &StageConfig, issues: &mut Vec<Issue>) {
    if !trained(stage).is_some_and(|params| params.is_classical()) {
        return;
    }
    let needs = |kind: &&str| needed(config, stage, kind).next().is_some();
    let count = CLASSICAL_FEATURES.iter().filter(|kind| needs(kind)).count();
    if count != 1 {
        let kinds = CLASSICAL_FEATURES.join(", ");
        let message = format!("a classical model reads one of the kinds {kinds}, not {count}");
        issues.push(Issue::new(format!("stages.{}.needs", stage.id), message));
    }
    let normalization = stage.params.get("normalization");
    if normalization.is_some_and(|given| !given.is_null()) && needs(&"tfidf") {
        let path = format!("stages.{}.params.normalization", stage.id);
        let message = "is of features of images, and this model reads a text";
        issues.push(Issue::new(path, message));
    }
}

/// The size at which a stage reads images must divide that of the tensors it is handed.
fn check_image_size(
    config: &PipelineConfig,
    stage: &StageConfig,
    key: &str,
    issues: &mut Vec<Issue>,
) {
    let size = |stage: &StageConfig, key: &str| stage.params.get(key)?.as_u64();
    for images in needed(config, stage, "decode_images") {
        if let (Some(stored), Some(read)) = (size(images, "size"), size(stage, key))
            && (read == 0 || !stored.is_multiple_of(read))
        {
            let path = format!("stages.{}.params.{key}", stage.id);
            let message = format!("{read} does not divide the size {stored} of {}", images.id);
            issues.push(Issue::new(path, message));
        }
    }
}
