//! The `weights` section: files of frozen networks that stages load, by name.
//!
//! An entry without a path is no mistake: the weights are not at hand, and the stages that load them are skipped.

use super::Issue;
use super::tree::{check, name_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A file of weights, and what its network was trained with. Names are those of the model; what is `None` is as in the
/// framework's own weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub struct WeightsConfig {
    /// Name of the network.
    #[schemars(extend("x-required" = true, "enum" = ["vgg16", "resnet50", "mobilenet_v2", "efficientnet_b1"]))]
    pub backbone: String,
    /// The file, `.safetensors` or PyTorch's `.pth`, by path or URL; empty where the weights are not at hand: what loads them
    /// is skipped.
    pub path: String,
    /// SHA-256 of the file in hexadecimal; must be there where there is a path.
    #[schemars(regex(pattern = "^([0-9a-fA-F]{64})?$"))]
    pub sha256: String,
    /// How the file names and lays out its tensors; empty for torchvision's way.
    #[schemars(extend("enum" = ["", "torchvision", "keras"]))]
    pub layout: String,
    /// How the network differs from others of its name; `null` is as in the layout's own weights.
    pub variant: VariantConfig,
    /// What is done to the pixels before the first layer: `torch` (mean and deviation), `caffe` (BGR, less the means) or `tf`
    /// (−1 to 1); `null` for what the layout's own weights were trained with.
    #[schemars(extend("enum" = ["torch", "caffe", "tf", null]))]
    pub preprocessing: Option<String>,
}

/// How a network differs from others of its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub struct VariantConfig {
    /// Which convolution of a bottleneck of `resnet50` has the stride: the first (1×1) or the second (3×3).
    #[schemars(extend("enum" = ["first", "second", null]))]
    pub stride: Option<String>,
    /// How convolutions with a stride pad: `symmetric`, or `same` as TensorFlow.
    #[schemars(extend("enum" = ["symmetric", "same", null]))]
    pub padding: Option<String>,
    /// What batch normalisation adds to the variance.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
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
