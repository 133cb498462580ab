//! What backbones are made of: a convolution with its batch normalisation and its activation.
//!
//! Invariant: a unit gives the same maps folded and not, to the rounding of `f32`.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::Padding;
use crate::model::Precision;
pub(super) use crate::model::libtorch::Activation;
use crate::model::libtorch::{Filters, Scaling, Sweep, convolve, max_pool2d};

/// A batch normalisation in inference mode: scale and shift may be trained, the moving statistics stay.
///
/// That is how networks are usually fine-tuned: batches of few classes or of augmented images would spoil the statistics.
#[derive(Module, Debug)]
pub(super) struct Norm {
    pub(super) weight: Param<Tensor<1>>,
    pub(super) bias: Param<Tensor<1>>,
    pub(super) running_mean: Param<Tensor<1>>,
    pub(super) running_var: Param<Tensor<1>>,
    pub(super) epsilon: f64,
}

impl Norm {
    fn scaling(&self) -> Scaling {
        let variance = value(&self.running_var).add_scalar(self.epsilon);
        Scaling {
            scale: value(&self.weight),
            shift: value(&self.bias),
            mean: value(&self.running_mean),
            deviation: variance.sqrt(),
        }
    }
}

/// The tensor of a parameter; of a frozen one without autodiff, so that nothing is recorded that no gradient is asked of.
fn value<const D: usize>(param: &Param<Tensor<D>>) -> Tensor<D> {
    let value = param.val();
    if value.is_require_grad() {
        value
    } else {
        value.without_autodiff()
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
    pub(super) norm: Option<Norm>,
    #[module(skip)]
    pub(super) padding: Padding,
    #[module(skip)]
    pub(super) activation: Activation,
}

impl Unit {
    pub(super) fn forward(&self, maps: Tensor<4>, precision: Precision) -> Tensor<4> {
        let [_, _, height, width] = maps.dims();
        let [rows, columns] = [height, width].map(|side| self.side_padding(side));
        let sweep = Sweep {
            stride: self.conv.stride,
            padding: [rows.amount, columns.amount],
            groups: self.conv.groups,
            activation: self.activation,
            pool: None,
            precision,
        };
        // The activation comes before the cut, where the values still lie side by side.
        let maps = convolve(maps, self.filters(), sweep);
        if rows.cut + columns.cut == 0 {
            return maps;
        }
        let [all, channels, height, width] = maps.dims();
        maps.slice([0..all, 0..channels, rows.cut..height, columns.cut..width])
    }

    fn filters(&self) -> Filters {
        Filters {
            kernel: value(&self.conv.weight),
            bias: self.conv.bias.as_ref().map(value),
            norm: self.norm.as_ref().map(Norm::scaling),
        }
    }

    /// Puts the batch normalisation into kernel and bias.
    pub(super) fn folded(mut self) -> Self {
        let (kernel, bias) = self.filters().folded();
        self.norm = None;
        self.conv.weight = Param::from_tensor(kernel);
        self.conv.bias = bias.map(Param::from_tensor);
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
    max_pool2d(maps, kernel, 2, (kernel - 1) / 2)
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
