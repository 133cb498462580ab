//! MobileNetV2 of width 1.0.

use burn::module::Module;
use burn::tensor::Tensor;

use super::blocks::{InvertedNames, InvertedResidual, InvertedShape};
use super::layers::{Activation, Unit};
use super::loader::{Bias, Convolution, Loader, Name};
use crate::model::{ModelError, Precision};

/// Expansion, channels, number of blocks and stride of the first one.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];
const STEM: usize = 32;
const LAST: usize = 1280;

/// A convolution 3 × 3, seventeen inverted residuals and a convolution 1 × 1.
#[derive(Module, Debug)]
pub(in crate::model) struct MobileNetV2 {
    stem: Unit,
    blocks: Vec<InvertedResidual>,
    last: Unit,
}

impl MobileNetV2 {
    pub(super) fn new(loader: &mut Loader<'_>) -> Result<Self, ModelError> {
        let names = [
            Name::new("features.0.0", "Conv1"),
            Name::new("features.0.1", "bn_Conv1"),
        ];
        let shape = Convolution {
            inputs: 3,
            outputs: STEM,
            kernel: 3,
            stride: 2,
            is_depthwise: false,
            bias: Bias::Absent,
            activation: Activation::Relu6,
        };
        let stem = loader.normed_unit(&names, shape)?;
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        for (expansion, outputs, count, stride) in STAGES {
            for block in 0..count {
                let shape = InvertedShape {
                    inputs,
                    outputs,
                    expansion,
                    kernel: 3,
                    stride: if block == 0 { stride } else { 1 },
                    activation: Activation::Relu6,
                };
                let names = names_of(blocks.len());
                blocks.push(InvertedResidual::new(shape, &names, loader)?);
                inputs = outputs;
            }
        }
        let names = [
            Name::new("features.18.0", "Conv_1"),
            Name::new("features.18.1", "Conv_1_bn"),
        ];
        let shape = Convolution::pointwise(inputs, LAST, Activation::Relu6);
        Ok(Self {
            stem,
            blocks,
            last: loader.normed_unit(&names, shape)?,
        })
    }

    pub(super) fn forward(&self, maps: Tensor<4>, precision: Precision) -> Tensor<4> {
        let maps = self.stem.forward(maps, precision);
        let maps = self
            .blocks
            .iter()
            .fold(maps, |maps, block| block.forward(maps, precision));
        self.last.forward(maps, precision)
    }

    pub(super) fn folded(self) -> Self {
        Self {
            stem: self.stem.folded(),
            blocks: self
                .blocks
                .into_iter()
                .map(InvertedResidual::folded)
                .collect(),
            last: self.last.folded(),
        }
    }
}

/// The names of the block of that number, from 0. The first one does not expand, so torchvision
/// numbers its layers from its depthwise convolution on.
fn names_of(block: usize) -> InvertedNames {
    let torchvision = format!("features.{}.conv", block + 1);
    let keras = match block {
        0 => "expanded_conv".to_owned(),
        block => format!("block_{block}"),
    };
    let names = |layers: [&str; 2], layer: &str| {
        [
            Name::new(
                format!("{torchvision}.{}", layers[0]),
                format!("{keras}_{layer}"),
            ),
            Name::new(
                format!("{torchvision}.{}", layers[1]),
                format!("{keras}_{layer}_BN"),
            ),
        ]
    };
    let is_first = block == 0;
    InvertedNames {
        expand: names(["0.0", "0.1"], "expand"),
        depthwise: names(
            if is_first {
                ["0.0", "0.1"]
            } else {
                ["1.0", "1.1"]
            },
            "depthwise",
        ),
        squeeze: None,
        project: names(if is_first { ["1", "2"] } else { ["2", "3"] }, "project"),
    }
}
