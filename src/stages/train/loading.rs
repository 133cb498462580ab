//! Parameters of networks that read images: how the images are read, and how they are varied in training.

use super::optional::Optional;
use super::training::collector;
use crate::config::Issue;
use crate::image::{AugmentOptions, Fill};
use crate::stages::StageRun;
use crate::stages::features::Loading;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How images are read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct LoadingParams {
    /// Images held in memory to be shuffled; where there are no more, all are read once and kept.
    #[schemars(range(min = 1))]
    shuffle_rows: usize,
    /// How the images of training rows are varied anew in each epoch; `null` for not.
    augmentation: Optional<AugmentationParams>,
}

impl Default for LoadingParams {
    fn default() -> Self {
        Self {
            shuffle_rows: 4096,
            augmentation: Optional::default(),
        }
    }
}

impl LoadingParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        let holds = self.shuffle_rows > 0;
        require(holds, "shuffle_rows", "must be at least 1");
        let path = format!("{path}.augmentation");
        drop(require);
        self.augmentation.report(&path, issues);
        if let Some(augmentation) = self.augmentation.as_ref() {
            augmentation.validate(&path, issues);
        }
    }

    /// How a training reads them.
    pub(super) fn loading(&self, run: &StageRun<'_>) -> Loading {
        let augmentation = self.augmentation.as_ref();
        Loading::new(run, self.shuffle_rows)
            .augmented(augmentation.map(AugmentationParams::options))
    }
}

/// How images are varied: each number is how far, either way, and 0 not at all.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
struct AugmentationParams {
    /// Whether half of them change left and right.
    flip: bool,
    /// Degrees that they are turned by at most.
    #[schemars(range(min = 0.0, max = 180.0))]
    rotation: f64,
    /// Share of width and height that they are moved by at most.
    #[schemars(range(min = 0.0, max = 1.0))]
    shift: f64,
    /// Share of the size that they are larger or smaller by at most.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    zoom: f64,
    /// Share that they are lighter or darker by at most.
    #[schemars(range(min = 0.0, max = 1.0))]
    brightness: f64,
    /// What comes from outside of the image.
    fill: FillMode,
    /// The level of all colours outside, for `fill: constant` alone.
    fill_value: u8,
}

/// What comes from outside of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FillMode {
    /// The pixel at the border.
    #[default]
    Nearest,
    /// The image, mirrored at its border.
    Reflect,
    /// One colour, `fill_value`.
    Constant,
}

impl AugmentationParams {
    fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        let holds = (0.0..=180.0).contains(&self.rotation);
        require(holds, "rotation", "must lie between 0 and 180 degrees");
        for (key, share) in [("shift", self.shift), ("brightness", self.brightness)] {
            require(
                (0.0..=1.0).contains(&share),
                key,
                "must lie between 0 and 1",
            );
        }
        let holds = (0.0..1.0).contains(&self.zoom);
        require(holds, "zoom", "must be at least 0 and below 1");
        let holds = self.fill == FillMode::Constant || self.fill_value == 0;
        require(holds, "fill_value", "is for fill: constant alone");
    }

    fn options(&self) -> AugmentOptions {
        let around_one = |share: f64| [1.0 - share, 1.0 + share];
        AugmentOptions {
            flip: self.flip,
            rotation_degrees: self.rotation,
            shift: [self.shift; 2],
            zoom: around_one(self.zoom),
            brightness: around_one(self.brightness),
            fill: match self.fill {
                FillMode::Nearest => Fill::Nearest,
                FillMode::Reflect => Fill::Reflect,
                FillMode::Constant => Fill::Constant(self.fill_value),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn checked(given: &Value) -> (LoadingParams, Vec<String>) {
        let mut issues = Vec::new();
        let params: LoadingParams = crate::config::check(given, "p", &mut issues);
        params.validate("p", &mut issues);
        (params, issues.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_augmentation_that_is_given_in_part_varies_nothing_else() {
        let (params, issues) = checked(&json!({"augmentation": {"flip": true, "zoom": 0.25}}));
        assert_eq!(issues, [""; 0]);
        let expected = AugmentOptions {
            flip: true,
            zoom: [0.75, 1.25],
            ..AugmentOptions::default()
        };
        let augmentation = params.augmentation.as_ref().unwrap();
        assert_eq!(augmentation.options(), expected);
        // What is left out is in the fingerprint too.
        let value = serde_json::to_value(&params).unwrap();
        assert_eq!(value["augmentation"]["fill"], "nearest");
        assert_eq!(
            serde_json::to_value(LoadingParams::default()).unwrap()["augmentation"],
            Value::Null
        );
    }

    #[test]
    fn every_option_reaches_the_kernel() {
        let given = json!({"augmentation": {
            "flip": true, "rotation": 15, "shift": 0.1, "zoom": 0.5, "brightness": 0.25,
            "fill": "constant", "fill_value": 255,
        }});
        let (params, issues) = checked(&given);
        assert_eq!(issues, [""; 0]);
        let expected = AugmentOptions {
            flip: true,
            rotation_degrees: 15.0,
            shift: [0.1; 2],
            zoom: [0.5, 1.5],
            brightness: [0.75, 1.25],
            fill: Fill::Constant(255),
        };
        assert_eq!(params.augmentation.as_ref().unwrap().options(), expected);
    }

    #[test]
    fn mistakes_have_their_key() {
        for (given, expected) in [
            (
                json!({"shuffle_rows": 0}),
                "p.shuffle_rows: must be at least 1",
            ),
            (
                json!({"augmentation": 3}),
                "p.augmentation: expected a mapping",
            ),
            (
                json!({"augmentation": {"rotation": 181}}),
                "p.augmentation.rotation: must lie",
            ),
            (
                json!({"augmentation": {"shift": -0.1}}),
                "p.augmentation.shift: must lie",
            ),
            (
                json!({"augmentation": {"zoom": 1}}),
                "p.augmentation.zoom: must be at least 0 and below 1",
            ),
            (
                json!({"augmentation": {"brightness": 1.5}}),
                "p.augmentation.brightness: must lie",
            ),
            (
                json!({"augmentation": {"flop": true}}),
                "p.augmentation.flop: unknown key; did you mean \"flip\"?",
            ),
            (
                json!({"augmentation": {"fill": "wrap"}}),
                "p.augmentation.fill: ",
            ),
            (
                json!({"augmentation": {"fill_value": 3}}),
                "p.augmentation.fill_value: is for fill: constant alone",
            ),
        ] {
            let (_, found) = checked(&given);
            assert!(
                found.len() == 1 && found[0].starts_with(expected),
                "{given}: {found:?}"
            );
        }
    }
}
