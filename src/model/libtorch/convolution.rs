//! Convolutions with what follows them, and poolings.
//!
//! On another backend of Burn, Burn's own operations stand in; the tests compare the two, values and gradients.

use burn::tensor::module::{conv2d, max_pool2d as burns_max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{FloatDType, Tensor, activation};

use super::autograd::{Operand, apply};
use super::silu;
use crate::model::Precision;

/// What follows a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Activation {
    None,
    Relu,
    /// At most 6.
    Relu6,
    /// `x · sigmoid(x)`, also called swish.
    Silu,
}

impl Activation {
    fn apply(self, maps: Tensor<4>) -> Tensor<4> {
        match self {
            Self::None => maps,
            Self::Relu => activation::relu(maps),
            Self::Relu6 => maps.clamp(0.0, 6.0),
            Self::Silu => silu(maps),
        }
    }

    fn apply_own(self, mut maps: tch::Tensor) -> tch::Tensor {
        match self {
            Self::None => maps,
            Self::Relu => maps.relu_(),
            Self::Relu6 => maps.relu6_(),
            Self::Silu => maps.silu(),
        }
    }
}

/// How a convolution goes over its maps.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Sweep {
    /// Rows and columns from one output to the next.
    pub(in crate::model) stride: [usize; 2],
    /// Rows and columns of zeros on either side.
    pub(in crate::model) padding: [usize; 2],
    pub(in crate::model) groups: usize,
    pub(in crate::model) activation: Activation,
    /// Side of the windows of a pooling of the outputs, which lie side by side. As one operation with the convolution it saves the gradients a pass
    /// over the maps before it.
    pub(in crate::model) pool: Option<usize>,
    pub(in crate::model) precision: Precision,
}

/// What a convolution multiplies and adds.
///
/// # Shapes
///
/// Kernel `[outputs, inputs of a group, height, width]`, bias `[outputs]`.
#[derive(Debug, Clone)]
pub(in crate::model) struct Filters {
    pub(in crate::model) kernel: Tensor<4>,
    pub(in crate::model) bias: Option<Tensor<1>>,
    pub(in crate::model) norm: Option<Scaling>,
}

/// A batch normalisation in inference mode, by channel: `(x − mean) / deviation · scale + shift`.
#[derive(Debug, Clone)]
pub(in crate::model) struct Scaling {
    pub(in crate::model) scale: Tensor<1>,
    pub(in crate::model) shift: Tensor<1>,
    pub(in crate::model) mean: Tensor<1>,
    pub(in crate::model) deviation: Tensor<1>,
}

impl Filters {
    /// Puts the normalisation into kernel and bias.
    pub(in crate::model) fn folded(self) -> (Tensor<4>, Option<Tensor<1>>) {
        let Some(norm) = self.norm else {
            return (self.kernel, self.bias);
        };
        let scale = norm.scale / norm.deviation;
        let offset = match self.bias {
            Some(bias) => bias - norm.mean,
            None => -norm.mean,
        };
        let bias = offset * scale.clone() + norm.shift;
        let outputs = scale.dims()[0];
        (self.kernel * scale.reshape([outputs, 1, 1, 1]), Some(bias))
    }
}

/// A convolution, the normalisation of its outputs where there is one, the activation, and the pooling where there is one.
///
/// # Shapes
///
/// `[rows, inputs, height, width]` → `[rows, outputs, rows, columns]`
pub(in crate::model) fn convolve(maps: Tensor<4>, filters: Filters, sweep: Sweep) -> Tensor<4> {
    match convolve_own(&maps, &filters, sweep) {
        Some(maps) => maps,
        None => convolve_burns(maps, filters, sweep),
    }
}

pub(super) fn convolve_burns(maps: Tensor<4>, filters: Filters, sweep: Sweep) -> Tensor<4> {
    let (mut maps, (mut kernel, mut bias)) = (maps, filters.folded());
    if sweep.precision == Precision::Mixed {
        maps = maps.cast(FloatDType::BF16);
        kernel = kernel.cast(FloatDType::BF16);
        bias = bias.map(|bias| bias.cast(FloatDType::BF16));
    }
    let options = ConvOptions::new(sweep.stride, sweep.padding, [1, 1], sweep.groups);
    let maps = sweep.activation.apply(conv2d(maps, kernel, bias, options));
    match sweep.pool {
        Some(side) => pool_burns(maps, side, side, 0),
        None => maps,
    }
}

/// By LibTorch; `None` on another backend.
pub(super) fn convolve_own(maps: &Tensor<4>, filters: &Filters, sweep: Sweep) -> Option<Tensor<4>> {
    let operand = |tensor: &Tensor<1>| Operand::new(tensor.clone());
    let maps = Operand::new(maps.clone())?;
    let kernel = Operand::new(filters.kernel.clone())?;
    let norm = match &filters.norm {
        Some(Scaling {
            scale,
            shift,
            mean,
            deviation,
        }) => Some((
            operand(scale)?,
            operand(shift)?,
            operand(mean)?,
            operand(deviation)?,
        )),
        None => None,
    };
    let bias = match &filters.bias {
        Some(bias) => Some(operand(bias)?),
        None => None,
    };
    Some(match (bias, norm) {
        (None, None) => apply([maps, kernel], |[maps, kernel]| {
            sweep.run(maps, &in_order_of(maps, kernel), None)
        }),
        (Some(bias), None) => apply([maps, kernel, bias], |[maps, kernel, bias]| {
            sweep.run(maps, &in_order_of(maps, kernel), Some(bias))
        }),
        (None, Some((scale, shift, mean, deviation))) => apply(
            [maps, kernel, scale, shift, mean, deviation],
            |[maps, kernel, scale, shift, mean, deviation]| {
                let scale = scale / deviation;
                let bias = shift - mean * &scale;
                let kernel = in_order_of(maps, kernel) * column(&scale);
                sweep.run(maps, &kernel, Some(&bias))
            },
        ),
        (Some(bias), Some((scale, shift, mean, deviation))) => apply(
            [maps, kernel, bias, scale, shift, mean, deviation],
            |[maps, kernel, bias, scale, shift, mean, deviation]| {
                let scale = scale / deviation;
                let bias = (bias - mean) * &scale + shift;
                let kernel = in_order_of(maps, kernel) * column(&scale);
                sweep.run(maps, &kernel, Some(&bias))
            },
        ),
    })
}

/// A kernel in the order of memory of the maps, whichever one it was loaded in: LibTorch sums in that order, and sums round.
///
/// The way by a flat view gives strides that the shape alone decides; where a side is 1, several would do, and LibTorch takes them for one order
/// or the other.
fn in_order_of(maps: &tch::Tensor, kernel: &tch::Tensor) -> tch::Tensor {
    let canonical = |kernel: &tch::Tensor| {
        let shape = kernel.size();
        kernel.contiguous().reshape([-1]).reshape(shape)
    };
    if maps.is_contiguous() {
        return canonical(kernel);
    }
    canonical(&kernel.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])
}

/// One number for each filter.
fn column(values: &tch::Tensor) -> tch::Tensor {
    values.reshape([-1, 1, 1, 1])
}

impl Sweep {
    fn run(
        self,
        maps: &tch::Tensor,
        kernel: &tch::Tensor,
        bias: Option<&tch::Tensor>,
    ) -> tch::Tensor {
        let kind = match self.precision {
            Precision::Full => maps.kind(),
            Precision::Mixed => tch::Kind::BFloat16,
        };
        let own = |sizes: [usize; 2]| sizes.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        let maps = maps.to_kind(kind).convolution(
            &kernel.to_kind(kind),
            bias.map(|bias| bias.to_kind(kind)),
            own(self.stride),
            own(self.padding),
            [1, 1],
            false,
            [0, 0],
            i64::try_from(self.groups).unwrap_or(i64::MAX),
        );
        let maps = self.activation.apply_own(maps);
        match self.pool {
            Some(side) => pool_own(&maps, side, side, 0),
            None => maps,
        }
    }
}

/// The largest value of each window.
///
/// # Shapes
///
/// `[rows, channels, height, width]` → `[rows, channels, rows, columns]`
pub(in crate::model) fn max_pool2d(
    maps: Tensor<4>,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    match Operand::new(maps.clone()) {
        Some(operand) => apply([operand], |[maps]| pool_own(maps, kernel, stride, padding)),
        None => pool_burns(maps, kernel, stride, padding),
    }
}

fn pool_own(maps: &tch::Tensor, kernel: usize, stride: usize, padding: usize) -> tch::Tensor {
    let own = |size: usize| [i64::try_from(size).unwrap_or(i64::MAX); 2];
    maps.max_pool2d(own(kernel), own(stride), own(padding), [1, 1], false)
}

fn pool_burns(maps: Tensor<4>, kernel: usize, stride: usize, padding: usize) -> Tensor<4> {
    let options = MaxPoolOptions::new([kernel, kernel])
        .with_stride([stride, stride])
        .with_padding([padding, padding]);
    burns_max_pool2d(maps, options)
}
