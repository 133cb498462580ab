//! In which numbers a training multiplies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Runtime;

/// In which numbers the products of dense layers and convolutions are computed in training. Weights, losses and the optimiser are
/// `f32` in either way, and so is all of evaluation and prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// `f32`.
    #[default]
    Full,
    /// `bfloat16` on a GPU, which multiplies them several times as fast; on the CPU this is [`Full`](Self::Full). The exponent of `bfloat16` is that
    /// of `f32`, so losses need no scaling.
    Mixed,
}

impl Precision {
    /// Returns what it comes to on a device.
    #[must_use]
    pub fn on(self, runtime: &Runtime) -> Self {
        if runtime.multiplies_bfloat16() {
            self
        } else {
            Self::Full
        }
    }
}

#[cfg(test)]
mod tests;
