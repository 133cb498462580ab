//! The `weights` section: files of frozen networks that stages load, by name.
//!
//! An entry without a path is no mistake: the weights are not at hand, and the stages that load them are skipped.

use super::Issue;
use super::tree::{check, name_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A file of weights, and what its network was trained with. Names are those of the model; what is `None` is as in the
/// framework's own weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WeightsConfig {
    /// Name of the network.
    pub backbone: String,
    /// Path or `file://` URL; empty where the weights are not at hand.
    pub path: String,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
    /// How the file names and lays out its tensors; empty for torchvision's way.
    pub layout: String,
    /// How the network differs from others of its name.
    pub variant: VariantConfig,
    /// What is done to the pixels before the first layer.
    pub preprocessing: Option<String>,
}

/// How a network differs from others of its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VariantConfig {
    /// Which convolution of a bottleneck has the stride.
    pub stride: Option<String>,
    /// How convolutions with a stride pad.
    pub padding: Option<String>,
    /// What batch normalisation adds to the variance.
    pub epsilon: Option<f64>,
}

/// Checks the section.
pub(super) fn resolve_weights(
    given: &Value,
    issues: &mut Vec<Issue>,
) -> BTreeMap<String, WeightsConfig> {
    let entries = match given {
        Value::Null => return BTreeMap::new(),
        Value::Object(entries) => entries,
        other => {
            let message = format!("expected a mapping, found {}", name_of(other));
            issues.push(Issue::new("weights", message));
            return BTreeMap::new();
        }
    };
    let entry = |(name, given): (&String, &Value)| {
        let path = format!("weights.{name}");
        let weights: WeightsConfig = check(given, &path, issues);
        if weights.backbone.is_empty() && issues.iter().all(|issue| issue.path != path) {
            let message = "is missing: the name of a network";
            issues.push(Issue::new(format!("{path}.backbone"), message));
        }
        (name.clone(), weights)
    };
    entries.iter().map(entry).collect()
}
