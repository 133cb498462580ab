//! `lenet`: LeNet-5 on colour images, two convolutions with pooling and three dense layers.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, FloatDType, Tensor, TensorData, activation};

use super::layers::{Initializer, conv2d, dense, linear};
use super::pass::Pass;
use crate::model::batch::{Images, Inputs, check};
use crate::model::libtorch::{Activation, Filters, Sweep, convolve};
use crate::model::{ModelError, Precision};

pub(super) const FILTERS_1: usize = 6;
pub(super) const FILTERS_2: usize = 16;
pub(super) const KERNEL: usize = 5;
pub(super) const DENSE_1: usize = 120;
/// Width of the penultimate layer.
pub(super) const DENSE_2: usize = 54;
/// The smallest image that leaves a pixel after both convolutions and poolings.
pub(super) const MIN_SIZE: usize = 16;

/// The layers.
#[derive(Module, Debug)]
pub(in crate::model) struct LeNet {
    conv_1: Conv2d,
    conv_2: Conv2d,
    dense_1: Linear,
    dense_2: Linear,
    output: Linear,
    dropout: f64,
    size: usize,
}

impl LeNet {
    pub(super) fn new(
        size: usize,
        dropout: f64,
        classes: usize,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let map_side = pooled(pooled(size));
        Self {
            conv_1: conv2d([3, FILTERS_1], KERNEL, initializer),
            conv_2: conv2d([FILTERS_1, FILTERS_2], KERNEL, initializer),
            dense_1: linear(FILTERS_2 * map_side * map_side, DENSE_1, initializer),
            dense_2: linear(DENSE_1, DENSE_2, initializer),
            output: linear(DENSE_2, classes, initializer),
            dropout,
            size,
        }
    }

    /// # Shapes
    ///
    /// `[rows, 54]`
    pub(super) fn features(
        &self,
        inputs: &Inputs,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let images = self.images(inputs)?;
        let pixels = tensor(images, &self.conv_1.weight.device().without_autodiff());
        let maps = pooled_maps(&self.conv_1, pixels, pass.precision());
        let maps = pooled_maps(&self.conv_2, maps, pass.precision());
        let maps = maps.flatten::<2>(1, 3).cast(FloatDType::F32);
        let hidden = activation::relu(dense(&self.dense_1, maps, pass));
        let hidden = pass.dropout(hidden, self.dropout);
        Ok(activation::relu(dense(&self.dense_2, hidden, pass)))
    }

    /// # Shapes
    ///
    /// `[rows, classes]`
    pub(super) fn logits(
        &self,
        inputs: &Inputs,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let features = self.features(inputs, pass)?;
        Ok(dense(&self.output, features, pass))
    }

    fn images<'a>(&self, inputs: &'a Inputs) -> Result<&'a Images, ModelError> {
        let images = inputs.images.as_ref().ok_or_else(|| ModelError::Inputs {
            reason: "lenet takes images, and there are none".to_owned(),
        })?;
        check(images.size() == self.size, || {
            let expected = self.size;
            format!(
                "images are {} pixels wide, expected {expected}",
                images.size()
            )
        })?;
        Ok(images)
    }
}

/// Side of an image after a convolution and a pooling.
pub(super) fn pooled(side: usize) -> usize {
    (side + 1 - KERNEL) / 2
}

/// A convolution with ReLU, and a pooling 2 × 2.
fn pooled_maps(conv: &Conv2d, maps: Tensor<4>, precision: Precision) -> Tensor<4> {
    let filters = Filters {
        kernel: conv.weight.val(),
        bias: conv.bias.as_ref().map(Param::val),
        norm: None,
    };
    let sweep = Sweep {
        stride: [1, 1],
        padding: [0, 0],
        groups: 1,
        activation: Activation::Relu,
        pool: Some(2),
        precision,
    };
    convolve(maps, filters, sweep)
}

/// Colours in `[0, 1]`, in LibTorch's channels-last order of memory, in which a step takes a fifth to a third less.
///
/// # Shapes
///
/// `[rows, 3, size, size]`
fn tensor(images: &Images, device: &Device) -> Tensor<4> {
    let pixels = images.pixels().iter();
    let values: Vec<f32> = pixels.map(|&value| f32::from(value) / 255.0).collect();
    let shape = [images.len(), images.size(), images.size(), 3];
    Tensor::<4>::from_data(TensorData::new(values, shape), device).permute([0, 3, 1, 2])
}
