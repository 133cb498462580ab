//! The classifiers of 1000 classes that the backbones were trained with.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Tensor, activation};

use super::loader::{Loader, Name};
use super::{BackboneKind, Layout};
use crate::model::ModelError;

pub(super) const CLASSES: usize = 1000;
/// Width and height of the maps that the classifier of VGG16 takes.
const VGG_SIDE: usize = 7;
const VGG_HIDDEN: usize = 4096;

/// Dense layers with ReLU between them: VGG16's three on maps of 7 × 7, the others' one on
/// features.
#[derive(Module, Debug)]
pub(super) struct Head {
    dense: Vec<Linear>,
    takes_maps: bool,
}

impl Head {
    pub(super) fn new(loader: &mut Loader<'_>) -> Result<Self, ModelError> {
        let kind = loader.source().backbone;
        let name = match kind {
            BackboneKind::Vgg16 => return Self::vgg16(loader),
            BackboneKind::ResNet50 => "fc",
            BackboneKind::MobileNetV2 | BackboneKind::EfficientNetB1 => "classifier.1",
        };
        let name = Name::new(name, "predictions");
        Ok(Self {
            dense: vec![loader.linear(&name, kind.width(), CLASSES)?],
            takes_maps: false,
        })
    }

    fn vgg16(loader: &mut Loader<'_>) -> Result<Self, ModelError> {
        let channels = BackboneKind::Vgg16.width();
        let inputs = channels * VGG_SIDE * VGG_SIDE;
        let layers = [
            ("classifier.0", "fc1", inputs, VGG_HIDDEN),
            ("classifier.3", "fc2", VGG_HIDDEN, VGG_HIDDEN),
            ("classifier.6", "predictions", VGG_HIDDEN, CLASSES),
        ];
        let mut dense = Vec::new();
        for (torchvision, keras, inputs, outputs) in layers {
            dense.push(loader.linear(&Name::new(torchvision, keras), inputs, outputs)?);
        }
        if loader.source().layout == Layout::Keras {
            // Keras flattens maps pixel by pixel, PyTorch channel by channel.
            let first = &mut dense[0];
            let weight = first.weight.val();
            let weight = weight.reshape([VGG_SIDE, VGG_SIDE, channels, VGG_HIDDEN]);
            let weight = weight.permute([2, 0, 1, 3]);
            first.weight = Param::from_tensor(weight.reshape([inputs, VGG_HIDDEN]));
        }
        Ok(Self {
            dense,
            takes_maps: true,
        })
    }

    /// # Shapes
    ///
    /// Maps `[rows, channels, height, width]` → `[rows, 1000]`
    pub(super) fn forward(&self, maps: Tensor<4>) -> Tensor<2> {
        let side = if self.takes_maps { VGG_SIDE } else { 1 };
        let maps = adaptive_avg_pool2d(maps, [side, side]);
        let mut values = maps.flatten::<2>(1, 3);
        for (layer, number) in self.dense.iter().zip(1..) {
            values = layer.forward(values);
            if number < self.dense.len() {
                values = activation::relu(values);
            }
        }
        values
    }
}
