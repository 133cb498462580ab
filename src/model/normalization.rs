//! Features of images, scaled for a linear model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the features of an image are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// To length 1, so that an image whose features are large does not outweigh the next.
    ///
    /// # Source
    ///
    /// scikit-learn's `Normalizer(norm="l2")`. For features of convolutional networks before a linear model: Sharif Razavian,
    /// Azizpour, Sullivan and Carlsson, *CNN Features off-the-shelf* (2014).
    L2,
}

impl Normalization {
    /// Scales the features of one image; those that are all 0 stay.
    pub fn apply(self, features: &mut [f32]) {
        match self {
            Self::L2 => to_length_1(features),
        }
    }
}

fn to_length_1(features: &mut [f32]) {
    let squares: f64 = features.iter().map(|value| f64::from(*value).powi(2)).sum();
    if squares > 0.0 {
        let length = squares.sqrt();
        for value in features {
            *value = (f64::from(*value) / length) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_length_1_and_keep_their_direction() {
        // Squares of the first and the last are too small and too large for 32 bits.
        for size in [1e-30, 1.0, 1e30] {
            let mut features = [3.0 * size, -4.0 * size, 0.0];
            Normalization::L2.apply(&mut features);
            for (found, expected) in features.iter().zip([0.6, -0.8, 0.0]) {
                assert!((found - expected).abs() < 1e-6, "{features:?}");
            }
        }
    }

    #[test]
    fn what_is_all_0_stays() {
        let mut features = [0.0; 3];
        Normalization::L2.apply(&mut features);
        assert!(features.iter().all(|value| *value == 0.0), "{features:?}");
    }
}
