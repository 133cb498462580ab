//! Layers made of the tensors of a weights file.
//!
//! A network asks for each of its layers by its names in both layouts; what the file holds besides
//! is found in the end. Kernels are laid out in LibTorch's channels-last order of memory, in which
//! its convolutions are fastest; their shapes stay PyTorch's.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, Linear, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};

use super::layers::{Activation, Norm, Unit};
use super::{Layout, WeightsSource};
use crate::model::ModelError;

/// Where tensors come from.
pub(super) trait Tensors {
    /// Takes out the tensor of that name.
    ///
    /// # Errors
    ///
    /// [`ModelError::MissingTensor`], [`ModelError::MisshapenTensor`], or that it is not readable.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError>;
}

/// The names of a layer in torchvision and in Keras.
#[derive(Debug, Clone)]
pub(super) struct Name {
    torchvision: String,
    keras: String,
}

impl Name {
    pub(super) fn new(torchvision: impl Into<String>, keras: impl Into<String>) -> Self {
        Self {
            torchvision: torchvision.into(),
            keras: keras.into(),
        }
    }
}

/// A convolution as its network declares it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Whether each output sees only the input of its number.
    pub(super) is_depthwise: bool,
    pub(super) bias: Bias,
    pub(super) activation: Activation,
}

/// Whether a convolution has a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bias {
    Absent,
    Present,
    /// In files of Keras; torchvision's have none, which is a bias of 0.
    OfKeras,
}

impl Convolution {
    /// A convolution 1 × 1 with a stride of 1 and no bias.
    pub(super) fn pointwise(inputs: usize, outputs: usize, activation: Activation) -> Self {
        Self {
            inputs,
            outputs,
            kernel: 1,
            stride: 1,
            is_depthwise: false,
            bias: Bias::Absent,
            activation,
        }
    }

    fn groups(&self) -> usize {
        if self.is_depthwise { self.inputs } else { 1 }
    }
}

/// Makes layers of tensors.
pub(super) struct Loader<'a> {
    tensors: &'a mut dyn Tensors,
    source: WeightsSource,
    device: &'a Device,
}

impl<'a> Loader<'a> {
    pub(super) fn new(
        tensors: &'a mut dyn Tensors,
        source: WeightsSource,
        device: &'a Device,
    ) -> Self {
        Self {
            tensors,
            source,
            device,
        }
    }

    pub(super) fn source(&self) -> &WeightsSource {
        &self.source
    }

    /// A convolution with its activation.
    pub(super) fn unit(&mut self, name: &Name, shape: Convolution) -> Result<Unit, ModelError> {
        Ok(Unit {
            conv: self.conv(name, shape)?,
            norm: None,
            padding: self.source.padding,
            activation: shape.activation,
        })
    }

    /// A convolution with its batch normalisation and its activation.
    pub(super) fn normed_unit(
        &mut self,
        [conv, norm]: &[Name; 2],
        shape: Convolution,
    ) -> Result<Unit, ModelError> {
        let mut unit = self.unit(conv, shape)?;
        unit.norm = Some(self.norm(norm, shape.outputs)?);
        Ok(unit)
    }

    /// A dense layer.
    pub(super) fn linear(
        &mut self,
        name: &Name,
        inputs: usize,
        outputs: usize,
    ) -> Result<Linear, ModelError> {
        let values = match self.source.layout {
            Layout::Torchvision => {
                let name = format!("{}.weight", name.torchvision);
                let values = self.tensors.take(&name, &[outputs, inputs])?;
                permuted(&values, [1, 1, outputs, inputs], [0, 1, 3, 2])
            }
            Layout::Keras => {
                let name = format!("{}/kernel", name.keras);
                self.tensors.take(&name, &[inputs, outputs])?
            }
        };
        Ok(Linear {
            weight: self.param(values, [inputs, outputs]),
            bias: Some(self.vector(name, ["bias", "bias"], outputs)?),
        })
    }

    fn conv(&mut self, name: &Name, shape: Convolution) -> Result<Conv2d, ModelError> {
        let side = [shape.kernel, shape.kernel];
        let channels = [shape.inputs, shape.outputs];
        // Replaced below, so not drawn.
        let mut layer = Conv2dConfig::new(channels, side)
            .with_stride([shape.stride, shape.stride])
            .with_groups(shape.groups())
            .with_padding(PaddingConfig2d::Valid)
            .with_bias(false)
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        layer.weight = Param::from_tensor(self.kernel(name, shape)?);
        layer.bias = match (shape.bias, self.source.layout) {
            (Bias::Absent, _) => None,
            (Bias::OfKeras, Layout::Torchvision) => {
                let zeros = Tensor::zeros([shape.outputs], self.device);
                Some(Param::from_tensor(zeros))
            }
            (Bias::Present | Bias::OfKeras, _) => {
                Some(self.vector(name, ["bias", "bias"], shape.outputs)?)
            }
        };
        Ok(layer)
    }

    /// # Shapes
    ///
    /// `[outputs, inputs of a group, kernel, kernel]`
    fn kernel(&mut self, name: &Name, shape: Convolution) -> Result<Tensor<4>, ModelError> {
        let (kernel, outputs) = (shape.kernel, shape.outputs);
        let inputs = shape.inputs / shape.groups();
        let values = match self.source.layout {
            Layout::Torchvision => {
                let name = format!("{}.weight", name.torchvision);
                let found = [outputs, inputs, kernel, kernel];
                permuted(&self.tensors.take(&name, &found)?, found, [0, 2, 3, 1])
            }
            Layout::Keras => {
                let name = format!("{}/kernel", name.keras);
                // A depthwise kernel's channels are its inputs, each with one output.
                let (found, axes) = if shape.is_depthwise {
                    ([kernel, kernel, outputs, 1], [2, 0, 1, 3])
                } else {
                    ([kernel, kernel, inputs, outputs], [3, 0, 1, 2])
                };
                permuted(&self.tensors.take(&name, &found)?, found, axes)
            }
        };
        let data = TensorData::new(values, [outputs, kernel, kernel, inputs]);
        Ok(Tensor::<4>::from_data(data, self.device).permute([0, 3, 1, 2]))
    }

    fn norm(&mut self, name: &Name, width: usize) -> Result<Norm, ModelError> {
        Ok(Norm {
            weight: self.vector(name, ["weight", "gamma"], width)?,
            bias: self.vector(name, ["bias", "beta"], width)?,
            running_mean: self
                .vector(name, ["running_mean", "moving_mean"], width)?
                .no_grad(),
            running_var: self
                .vector(name, ["running_var", "moving_variance"], width)?
                .no_grad(),
            epsilon: self.source.epsilon,
        })
    }

    /// A tensor of one dimension by its name in torchvision's and in Keras' layer.
    fn vector(
        &mut self,
        name: &Name,
        [torchvision, keras]: [&str; 2],
        width: usize,
    ) -> Result<Param<Tensor<1>>, ModelError> {
        let name = match self.source.layout {
            Layout::Torchvision => format!("{}.{torchvision}", name.torchvision),
            Layout::Keras => format!("{}/{keras}", name.keras),
        };
        let values = self.tensors.take(&name, &[width])?;
        Ok(self.param(values, [width]))
    }

    fn param<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(
            TensorData::new(values, shape),
            self.device,
        ))
    }
}

/// Values in another order of their axes: axis `axes[n]` of the given ones becomes axis `n`.
pub(super) fn permuted(values: &[f32], shape: [usize; 4], axes: [usize; 4]) -> Vec<f32> {
    let mut strides = [1; 4];
    for axis in (0..3).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    let [a, b, c, d] = axes;
    let mut permuted = Vec::with_capacity(values.len());
    for i in 0..shape[a] {
        for j in 0..shape[b] {
            for k in 0..shape[c] {
                let start = i * strides[a] + j * strides[b] + k * strides[c];
                permuted.extend((0..shape[d]).map(|l| values[start + l * strides[d]]));
            }
        }
    }
    permuted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_permuted() {
        let values: Vec<f32> = (0..24u8).map(f32::from).collect();
        let found = permuted(&values, [1, 2, 3, 4], [3, 0, 2, 1]);
        // Element [l, 0, k, j] of the result is [0, j, k, l] of the values.
        let mut expected = Vec::new();
        for l in 0..4u8 {
            for k in 0..3u8 {
                expected.extend([0u8, 1].map(|j| f32::from(j * 12 + k * 4 + l)));
            }
        }
        assert_eq!(found, expected);
        assert_eq!(permuted(&values, [1, 2, 3, 4], [0, 1, 2, 3]), values);
    }
}
