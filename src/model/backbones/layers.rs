//! What backbones are made of: a convolution with its batch normalisation and its activation.
//!
//! Invariant: a unit gives the same maps folded and not, to the rounding of `f32`.

use burn::module::{Module, Param};
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Tensor, activation};

use super::Padding;
use crate::model::libtorch;

/// What follows a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    Relu,
    /// At most 6.
    Relu6,
    /// `x · sigmoid(x)`, also called swish.
    Silu,
}

impl Activation {
    pub(super) fn apply(self, maps: Tensor<4>) -> Tensor<4> {
        match self {
            Self::None => maps,
            Self::Relu => activation::relu(maps),
            Self::Relu6 => maps.clamp(0.0, 6.0),
            Self::Silu => libtorch::silu(maps),
        }
    }
}

/// A convolution, its batch normalisation where it has one, and its activation.
///
/// # Shapes
///
/// `[rows, inputs, height, width]` → `[rows, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`
#[derive(Module, Debug)]
pub(super) struct Unit {
    pub(super) conv: Conv2d,
    pub(super) norm: Option<BatchNorm>,
    #[module(skip)]
    pub(super) padding: Padding,
    #[module(skip)]
    pub(super) activation: Activation,
}

impl Unit {
    pub(super) fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = maps.dims();
        let [rows, columns] = [height, width].map(|side| self.side_padding(side));
        let weight = self.conv.weight.val();
        let bias = self.conv.bias.as_ref().map(Param::val);
        let padding = [rows.amount, columns.amount];
        let options = ConvOptions::new(self.conv.stride, padding, [1, 1], self.conv.groups);
        let maps = conv2d(maps, weight, bias, options);
        let maps = match &self.norm {
            Some(norm) => norm.forward(maps),
            None => maps,
        };
        // Before the cut, where the values still lie side by side.
        let maps = self.activation.apply(maps);
        if rows.cut + columns.cut == 0 {
            return maps;
        }
        let [all, channels, height, width] = maps.dims();
        maps.slice([0..all, 0..channels, rows.cut..height, columns.cut..width])
    }

    /// Puts the batch normalisation into kernel and bias.
    pub(super) fn folded(mut self) -> Self {
        let Some(norm) = self.norm.take() else {
            return self;
        };
        let deviation = norm.running_var.value().add_scalar(norm.epsilon).sqrt();
        let scale = norm.gamma.val() / deviation;
        let mean = norm.running_mean.value();
        let offset = match self.conv.bias.take() {
            Some(bias) => bias.val() - mean,
            None => -mean,
        };
        let bias = offset * scale.clone() + norm.beta.val();
        let outputs = scale.dims()[0];
        self.conv.weight = self
            .conv
            .weight
            .map(|weight| weight * scale.reshape([outputs, 1, 1, 1]));
        self.conv.bias = Some(Param::from_tensor(bias));
        self
    }

    fn side_padding(&self, side: usize) -> SidePadding {
        let (kernel, stride) = (self.conv.kernel_size[0], self.conv.stride[0]);
        SidePadding::new(self.padding, side, kernel, stride)
    }
}

/// How one side of the maps is padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SidePadding {
    /// Pixels before and after.
    amount: usize,
    /// Outputs to drop at the beginning.
    cut: usize,
}

impl SidePadding {
    /// LibTorch pads alike on both sides. `SAME` may want less before than after: then one stride
    /// more before, and after, and the first output is dropped. That is cheaper than a padded copy
    /// of the maps, which are larger than the outputs.
    fn new(padding: Padding, side: usize, kernel: usize, stride: usize) -> Self {
        let symmetric = Self {
            amount: (kernel - 1) / 2,
            cut: 0,
        };
        if padding == Padding::Symmetric || stride == 1 {
            return symmetric;
        }
        let total = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
        let before = total / 2;
        if total.is_multiple_of(2) {
            Self {
                amount: before,
                cut: 0,
            }
        } else {
            Self {
                amount: before + stride,
                cut: 1,
            }
        }
    }
}

/// The largest value of each 2 × 2 or 3 × 3 window, two pixels apart; 3 × 3 with a border of one.
pub(super) fn max_pool(maps: Tensor<4>, kernel: usize) -> Tensor<4> {
    let padding = (kernel - 1) / 2;
    let options = MaxPoolOptions::new([kernel, kernel])
        .with_stride([2, 2])
        .with_padding([padding, padding]);
    max_pool2d(maps, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs that the outputs see: first and last of the first one, number of outputs.
    fn window(padding: SidePadding, side: usize, kernel: usize, stride: usize) -> (isize, usize) {
        let outputs = (side + 2 * padding.amount - kernel) / stride + 1;
        let first = (padding.cut * stride).cast_signed() - padding.amount.cast_signed();
        (first, outputs - padding.cut)
    }

    #[test]
    fn same_padding_is_tensorflows() {
        // Side, kernel, padding before: of TensorFlow's formula, by hand.
        let cases = [
            (224, 3, 0),
            (112, 3, 0),
            (56, 5, 1),
            (14, 5, 1),
            (7, 3, 1),
            (7, 5, 2),
            (224, 7, 2),
        ];
        for (side, kernel, before) in cases {
            let padding = SidePadding::new(Padding::Same, side, kernel, 2);
            let (first, outputs) = window(padding, side, kernel, 2);
            assert_eq!(
                (first, outputs),
                (-before, side.div_ceil(2)),
                "{side} {kernel}"
            );
        }
    }

    #[test]
    fn symmetric_padding_is_half_of_the_kernel() {
        for (kernel, amount) in [(1, 0), (3, 1), (5, 2), (7, 3)] {
            for padding in [Padding::Symmetric, Padding::Same] {
                let found = SidePadding::new(padding, 14, kernel, 1);
                assert_eq!(found, SidePadding { amount, cut: 0 });
            }
            let found = SidePadding::new(Padding::Symmetric, 14, kernel, 2);
            assert_eq!(found, SidePadding { amount, cut: 0 });
        }
    }
}
