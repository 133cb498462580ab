//! The inverted residual, which MobileNetV2 and `EfficientNet` are made of.

use burn::module::Module;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Tensor, activation};

use super::layers::{Activation, Unit};
use super::loader::{Bias, Convolution, Loader, Name};
use crate::model::{ModelError, Precision};

/// How an inverted residual is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct InvertedShape {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// How many times as many channels the depthwise convolution has.
    pub(super) expansion: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) activation: Activation,
}

/// The names of its layers, convolution and batch normalisation each.
pub(super) struct InvertedNames {
    /// Not of meaning where the expansion is 1.
    pub(super) expand: [Name; 2],
    pub(super) depthwise: [Name; 2],
    /// The two dense layers of the squeeze-and-excitation, where there is one.
    pub(super) squeeze: Option<[Name; 2]>,
    pub(super) project: [Name; 2],
}

/// 1 × 1 to more channels, depthwise, squeeze-and-excitation, 1 × 1 to few channels; with the
/// input added where the shapes are the same.
#[derive(Module, Debug)]
pub(super) struct InvertedResidual {
    expand: Option<Unit>,
    depthwise: Unit,
    squeeze: Option<Squeeze>,
    project: Unit,
    is_residual: bool,
}

impl InvertedResidual {
    pub(super) fn new(
        shape: InvertedShape,
        names: &InvertedNames,
        loader: &mut Loader<'_>,
    ) -> Result<Self, ModelError> {
        let InvertedShape {
            inputs,
            outputs,
            activation,
            ..
        } = shape;
        let hidden = inputs * shape.expansion;
        let expand = if shape.expansion == 1 {
            None
        } else {
            let expand = Convolution::pointwise(inputs, hidden, activation);
            Some(loader.normed_unit(&names.expand, expand)?)
        };
        let depthwise = Convolution {
            inputs: hidden,
            outputs: hidden,
            kernel: shape.kernel,
            stride: shape.stride,
            is_depthwise: true,
            bias: Bias::Absent,
            activation,
        };
        let project = Convolution::pointwise(hidden, outputs, Activation::None);
        Ok(Self {
            expand,
            depthwise: loader.normed_unit(&names.depthwise, depthwise)?,
            squeeze: match &names.squeeze {
                Some(names) => Some(Squeeze::new(hidden, inputs / 4, activation, names, loader)?),
                None => None,
            },
            project: loader.normed_unit(&names.project, project)?,
            is_residual: shape.stride == 1 && inputs == outputs,
        })
    }

    pub(super) fn forward(&self, maps: Tensor<4>, precision: Precision) -> Tensor<4> {
        let input = self.is_residual.then(|| maps.clone());
        let maps = match &self.expand {
            Some(expand) => expand.forward(maps, precision),
            None => maps,
        };
        let maps = self.depthwise.forward(maps, precision);
        let maps = match &self.squeeze {
            Some(squeeze) => squeeze.forward(maps, precision),
            None => maps,
        };
        let maps = self.project.forward(maps, precision);
        match input {
            Some(input) => maps + input,
            None => maps,
        }
    }

    pub(super) fn folded(self) -> Self {
        Self {
            expand: self.expand.map(Unit::folded),
            depthwise: self.depthwise.folded(),
            project: self.project.folded(),
            ..self
        }
    }
}

/// Squeeze-and-excitation: each channel times a number in 0…1 that the means of all decide.
///
/// # Source
///
/// Hu, Shen and Sun (2018).
#[derive(Module, Debug)]
struct Squeeze {
    reduce: Unit,
    expand: Unit,
}

impl Squeeze {
    fn new(
        channels: usize,
        squeezed: usize,
        activation: Activation,
        [reduce, expand]: &[Name; 2],
        loader: &mut Loader<'_>,
    ) -> Result<Self, ModelError> {
        let pointwise = |inputs, outputs, activation| Convolution {
            bias: Bias::Present,
            ..Convolution::pointwise(inputs, outputs, activation)
        };
        Ok(Self {
            reduce: loader.unit(reduce, pointwise(channels, squeezed, activation))?,
            expand: loader.unit(expand, pointwise(squeezed, channels, Activation::None))?,
        })
    }

    fn forward(&self, maps: Tensor<4>, precision: Precision) -> Tensor<4> {
        let means = adaptive_avg_pool2d(maps.clone(), [1, 1]);
        let gates = self.reduce.forward(means, precision);
        let gates = self.expand.forward(gates, precision);
        maps * activation::sigmoid(gates)
    }
}
