//! `ResNet50`.

use burn::module::Module;
use burn::tensor::{Tensor, activation};

use super::ResNetStride;
use super::layers::{Activation, Unit, max_pool};
use super::loader::{Bias, Convolution, Loader, Name};
use crate::model::{ModelError, Precision};

/// Number of bottlenecks, and of channels within them, of each stage.
const STAGES: [(usize, usize); 4] = [(3, 64), (4, 128), (6, 256), (3, 512)];
const STEM: usize = 64;
/// How many times as many channels a bottleneck has at its ends.
const EXPANSION: usize = 4;

/// A convolution 7 × 7, a pooling and sixteen bottlenecks.
#[derive(Module, Debug)]
pub(in crate::model) struct ResNet50 {
    stem: Unit,
    bottlenecks: Vec<Bottleneck>,
}

impl ResNet50 {
    pub(super) fn new(loader: &mut Loader<'_>) -> Result<Self, ModelError> {
        let names = [
            Name::new("conv1", "conv1_conv"),
            Name::new("bn1", "conv1_bn"),
        ];
        let stem = loader.normed_unit(&names, convolution(3, STEM, 7, 2, Activation::Relu))?;
        let mut bottlenecks = Vec::new();
        let mut inputs = STEM;
        for ((count, width), stage) in STAGES.into_iter().zip(0..) {
            for block in 0..count {
                let shape = BottleneckShape {
                    inputs,
                    width,
                    stride: if block == 0 && stage > 0 { 2 } else { 1 },
                    has_shortcut: block == 0,
                };
                let names = BottleneckNames {
                    torchvision: format!("layer{}.{block}", stage + 1),
                    keras: format!("conv{}_block{}", stage + 2, block + 1),
                };
                bottlenecks.push(Bottleneck::new(shape, &names, loader)?);
                inputs = width * EXPANSION;
            }
        }
        Ok(Self { stem, bottlenecks })
    }

    pub(super) fn forward(&self, maps: Tensor<4>, precision: Precision) -> Tensor<4> {
        let maps = max_pool(self.stem.forward(maps, precision), 3);
        self.bottlenecks
            .iter()
            .fold(maps, |maps, bottleneck| bottleneck.forward(maps, precision))
    }

    pub(super) fn folded(self) -> Self {
        Self {
            stem: self.stem.folded(),
            bottlenecks: self
                .bottlenecks
                .into_iter()
                .map(Bottleneck::folded)
                .collect(),
        }
    }
}

#[derive(Clone, Copy)]
struct BottleneckShape {
    inputs: usize,
    width: usize,
    stride: usize,
    has_shortcut: bool,
}

struct BottleneckNames {
    torchvision: String,
    keras: String,
}

impl BottleneckNames {
    /// Names of the convolution and the normalisation of that number, from 1.
    fn main(&self, number: usize) -> [Name; 2] {
        let Self { torchvision, keras } = self;
        [("conv", "conv"), ("bn", "bn")].map(|(in_torchvision, in_keras)| {
            Name::new(
                format!("{torchvision}.{in_torchvision}{number}"),
                format!("{keras}_{number}_{in_keras}"),
            )
        })
    }

    fn shortcut(&self) -> [Name; 2] {
        let Self { torchvision, keras } = self;
        [(0, "conv"), (1, "bn")].map(|(in_torchvision, in_keras)| {
            Name::new(
                format!("{torchvision}.downsample.{in_torchvision}"),
                format!("{keras}_0_{in_keras}"),
            )
        })
    }
}

/// 1 × 1 to few channels, 3 × 3, 1 × 1 to many channels, and the input, or a 1 × 1 of it, added.
#[derive(Module, Debug)]
struct Bottleneck {
    first: Unit,
    second: Unit,
    third: Unit,
    shortcut: Option<Unit>,
}

impl Bottleneck {
    fn new(
        shape: BottleneckShape,
        names: &BottleneckNames,
        loader: &mut Loader<'_>,
    ) -> Result<Self, ModelError> {
        let BottleneckShape {
            inputs,
            width,
            stride,
            has_shortcut,
        } = shape;
        let [first, second] = match loader.source().stride {
            ResNetStride::First => [stride, 1],
            ResNetStride::Second => [1, stride],
        };
        let outputs = width * EXPANSION;
        let (relu, none) = (Activation::Relu, Activation::None);
        let shortcut = if has_shortcut {
            let shape = convolution(inputs, outputs, 1, stride, none);
            Some(loader.normed_unit(&names.shortcut(), shape)?)
        } else {
            None
        };
        let mut main = |number, shape| loader.normed_unit(&names.main(number), shape);
        Ok(Self {
            first: main(1, convolution(inputs, width, 1, first, relu))?,
            second: main(2, convolution(width, width, 3, second, relu))?,
            third: main(3, convolution(width, outputs, 1, 1, none))?,
            shortcut,
        })
    }

    fn forward(&self, maps: Tensor<4>, precision: Precision) -> Tensor<4> {
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(maps.clone(), precision),
            None => maps.clone(),
        };
        let maps = self.first.forward(maps, precision);
        let maps = self.second.forward(maps, precision);
        activation::relu(self.third.forward(maps, precision) + shortcut)
    }

    fn folded(self) -> Self {
        Self {
            first: self.first.folded(),
            second: self.second.folded(),
            third: self.third.folded(),
            shortcut: self.shortcut.map(Unit::folded),
        }
    }
}

fn convolution(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    activation: Activation,
) -> Convolution {
    Convolution {
        inputs,
        outputs,
        kernel,
        stride,
        is_depthwise: false,
        bias: Bias::OfKeras,
        activation,
    }
}
