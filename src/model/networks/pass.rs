//! What a pass of rows through a network is made with: of a training or of an evaluation.

use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::model::Precision;
use crate::model::random::{dropout_mask, lost_modality};

/// A pass of a training drops values, by masks that are drawn on the host, and multiplies in the training's precision; one of an evaluation
/// drops none, in full precision.
pub(in crate::model) struct Pass<'a> {
    /// What masks are drawn from; none in an evaluation.
    generator: Option<&'a mut ChaCha8Rng>,
    precision: Precision,
}

impl<'a> Pass<'a> {
    pub(in crate::model) fn evaluation() -> Self {
        Self {
            generator: None,
            precision: Precision::Full,
        }
    }

    pub(in crate::model) fn training(generator: &'a mut ChaCha8Rng, precision: Precision) -> Self {
        Self {
            generator: Some(generator),
            precision,
        }
    }

    /// In which numbers its products are computed.
    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether it is of a training.
    pub(super) fn is_training(&self) -> bool {
        self.generator.is_some()
    }

    /// Draws for a row whether it loses a modality, and whether that is the image; `None` where none ever does.
    pub(super) fn modality(&mut self, probability: f64) -> Option<(bool, bool)> {
        let generator = self.generator.as_deref_mut()?;
        (probability > 0.0).then(|| lost_modality(generator, probability))
    }

    /// Drops values with one probability.
    pub(super) fn dropout(&mut self, values: Tensor<2>, probability: f64) -> Tensor<2> {
        let Some(generator) = self.generator.as_deref_mut() else {
            return values;
        };
        if probability == 0.0 {
            return values;
        }
        let [rows, width] = values.dims();
        let mask = dropout_mask(generator, rows * width, probability);
        let device = values.device().without_autodiff();
        values * Tensor::from_data(TensorData::new(mask, [rows, width]), &device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::{Purpose, generator};
    use crate::model::{DeviceChoice, Runtime};

    /// What is left of two columns of ones.
    fn left(mut pass: Pass<'_>, rows: usize, probability: f64) -> Vec<f32> {
        let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
        let ones = Tensor::ones([rows, 2], runtime.device());
        let left = pass.dropout(ones, probability).into_data();
        left.try_into_vec().unwrap()
    }

    #[test]
    fn an_evaluation_drops_nothing() {
        assert_eq!(left(Pass::evaluation(), 3, 0.9), [1.0; 6]);
    }

    #[test]
    fn dropout_drops_its_share_and_scales_the_rest() {
        let mut random = generator(1, Purpose::Dropout, 1);
        let pass = Pass::training(&mut random, Precision::Full);
        let left = left(pass, 1000, 0.5);
        let zeros = left.iter().filter(|&&value| value == 0.0).count();
        let doubled = left.iter().filter(|&&value| value > 1.999).count();
        assert_eq!(zeros + doubled, 2000);
        assert!((900..1100).contains(&zeros), "{zeros}");
    }

    #[test]
    fn modalities_are_lost_in_their_share_and_each_as_often() {
        assert_eq!(Pass::evaluation().modality(0.9), None);
        let mut random = generator(1, Purpose::Dropout, 1);
        let mut pass = Pass::training(&mut random, Precision::Full);
        assert_eq!(pass.modality(0.0), None);
        let drawn: Vec<_> = (0..10_000).filter_map(|_| pass.modality(0.3)).collect();
        let lost = drawn.iter().filter(|(is_lost, _)| *is_lost).count();
        let images = drawn.iter().filter(|drawn| **drawn == (true, true)).count();
        assert!((2_800..3_200).contains(&lost), "{lost}");
        assert!((2 * images).abs_diff(lost) < 250, "{images} of {lost}");
    }
}
