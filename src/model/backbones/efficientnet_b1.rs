//! EfficientNet-B1: EfficientNet-B0 with each stage 1.1 times as deep, rounded up.

use burn::module::Module;
use burn::tensor::Tensor;

use super::blocks::{InvertedNames, InvertedResidual, InvertedShape};
use super::layers::{Activation, Unit};
use super::loader::{Bias, Convolution, Loader, Name};
use crate::model::{ModelError, Precision};

/// How a stage is made.
struct Stage {
    expansion: usize,
    kernel: usize,
    /// Of its first block.
    stride: usize,
    channels: usize,
    blocks: usize,
}

const fn stage(
    expansion: usize,
    kernel: usize,
    stride: usize,
    channels: usize,
    blocks: usize,
) -> Stage {
    Stage {
        expansion,
        kernel,
        stride,
        channels,
        blocks,
    }
}

const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 16, 2),
    stage(6, 3, 2, 24, 3),
    stage(6, 5, 2, 40, 3),
    stage(6, 3, 2, 80, 4),
    stage(6, 5, 1, 112, 4),
    stage(6, 5, 2, 192, 5),
    stage(6, 3, 1, 320, 2),
];
const STEM: usize = 32;
const LAST: usize = 1280;

/// A convolution 3 × 3, twenty-three inverted residuals and a convolution 1 × 1.
#[derive(Module, Debug)]
pub(in crate::model) struct EfficientNetB1 {
    stem: Unit,
    blocks: Vec<InvertedResidual>,
    last: Unit,
}

impl EfficientNetB1 {
    pub(super) fn new(loader: &mut Loader<'_>) -> Result<Self, ModelError> {
        let names = [
            Name::new("features.0.0", "stem_conv"),
            Name::new("features.0.1", "stem_bn"),
        ];
        let shape = Convolution {
            inputs: 3,
            outputs: STEM,
            kernel: 3,
            stride: 2,
            is_depthwise: false,
            bias: Bias::Absent,
            activation: Activation::Silu,
        };
        let stem = loader.normed_unit(&names, shape)?;
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        for (stage, number) in STAGES.into_iter().zip(1..) {
            for block in 0..stage.blocks {
                let shape = InvertedShape {
                    inputs,
                    outputs: stage.channels,
                    expansion: stage.expansion,
                    kernel: stage.kernel,
                    stride: if block == 0 { stage.stride } else { 1 },
                    activation: Activation::Silu,
                };
                let names = names_of(number, block, stage.expansion > 1);
                blocks.push(InvertedResidual::new(shape, &names, loader)?);
                inputs = stage.channels;
            }
        }
        let names = [
            Name::new("features.8.0", "top_conv"),
            Name::new("features.8.1", "top_bn"),
        ];
        let shape = Convolution::pointwise(inputs, LAST, Activation::Silu);
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

/// The names of a block: of stages from 1, and blocks from 0 (a letter in Keras).
fn names_of(stage: usize, block: usize, expands: bool) -> InvertedNames {
    let torchvision = format!("features.{stage}.{block}.block");
    let letter = char::from(b'a' + block as u8);
    let keras = format!("block{stage}{letter}");
    // torchvision numbers the layers that there are.
    let offset = usize::from(expands);
    let name = |layer: &str, in_keras: &str| {
        Name::new(
            format!("{torchvision}.{layer}"),
            format!("{keras}_{in_keras}"),
        )
    };
    let names = |layer: usize, [conv, norm]: [&str; 2]| {
        [
            name(&format!("{layer}.0"), conv),
            name(&format!("{layer}.1"), norm),
        ]
    };
    let squeeze = offset + 1;
    InvertedNames {
        expand: names(0, ["expand_conv", "expand_bn"]),
        depthwise: names(offset, ["dwconv", "bn"]),
        squeeze: Some([
            name(&format!("{squeeze}.fc1"), "se_reduce"),
            name(&format!("{squeeze}.fc2"), "se_expand"),
        ]),
        project: names(offset + 2, ["project_conv", "project_bn"]),
    }
}
