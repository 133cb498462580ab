//! VGG16.

use burn::module::Module;
use burn::tensor::Tensor;

use super::layers::{Activation, Unit, max_pool};
use super::loader::{Bias, Convolution, Loader, Name};
use crate::model::{ModelError, Precision};

/// Number of convolutions and of channels of each block; a pooling follows it.
const BLOCKS: [(usize, usize); 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];

/// Thirteen convolutions 3 × 3 in five blocks.
#[derive(Module, Debug)]
pub(in crate::model) struct Vgg16 {
    convolutions: Vec<Unit>,
}

impl Vgg16 {
    pub(super) fn new(loader: &mut Loader<'_>) -> Result<Self, ModelError> {
        let mut convolutions = Vec::new();
        let (mut inputs, mut index) = (3, 0);
        for ((count, outputs), block) in BLOCKS.into_iter().zip(1..) {
            for number in 1..=count {
                let name = Name::new(
                    format!("features.{index}"),
                    format!("block{block}_conv{number}"),
                );
                let shape = Convolution {
                    inputs,
                    outputs,
                    kernel: 3,
                    stride: 1,
                    is_depthwise: false,
                    bias: Bias::Present,
                    activation: Activation::Relu,
                };
                convolutions.push(loader.unit(&name, shape)?);
                inputs = outputs;
                index += 2; // A ReLU has a number too,
            }
            index += 1; // and so has a pooling.
        }
        Ok(Self { convolutions })
    }

    pub(super) fn forward(&self, mut maps: Tensor<4>, precision: Precision) -> Tensor<4> {
        let mut convolutions = self.convolutions.iter();
        for (count, _) in BLOCKS {
            for convolution in convolutions.by_ref().take(count) {
                maps = convolution.forward(maps, precision);
            }
            maps = max_pool(maps, 2);
        }
        maps
    }
}
