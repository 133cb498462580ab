//! Where a backbone's weights come from, as far as the network must know.
//!
//! Invariant: a [`WeightsSource`] that passes [`validate`](WeightsSource::validate) makes a
//! network.

use serde::{Deserialize, Serialize};

use crate::model::ModelError;

/// A pretrained image network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackboneKind {
    /// Thirteen convolutions 3 × 3 and five poolings.
    ///
    /// # Source
    ///
    /// Simonyan and Zisserman (2015), configuration D.
    Vgg16,
    /// Sixteen residual bottlenecks of three convolutions.
    ///
    /// # Source
    ///
    /// He, Zhang, Ren and Sun (2015).
    #[serde(rename = "resnet50")]
    ResNet50,
    /// Seventeen inverted residuals with depthwise convolutions, width 1.0.
    ///
    /// # Source
    ///
    /// Sandler, Howard, Zhu, Zhmoginov and Chen (2018).
    #[serde(rename = "mobilenet_v2")]
    MobileNetV2,
    /// Twenty-three inverted residuals with squeeze-and-excitation.
    ///
    /// # Source
    ///
    /// Tan and Le (2019): EfficientNet-B0 with depth 1.1.
    #[serde(rename = "efficientnet_b1")]
    EfficientNetB1,
}

impl BackboneKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Vgg16,
        Self::ResNet50,
        Self::MobileNetV2,
        Self::EfficientNetB1,
    ];

    /// Returns the name as in `pipeline.yaml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vgg16 => "vgg16",
            Self::ResNet50 => "resnet50",
            Self::MobileNetV2 => "mobilenet_v2",
            Self::EfficientNetB1 => "efficientnet_b1",
        }
    }

    /// Returns the number of features of an image.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::Vgg16 => 512,
            Self::ResNet50 => 2048,
            Self::MobileNetV2 | Self::EfficientNetB1 => 1280,
        }
    }

    /// Returns the number of parameters without classifier, moving statistics included.
    ///
    /// They are Keras' counts, but for EfficientNet-B1: Keras counts 6,575,239, since it keeps mean,
    /// variance and count of its input normalisation (7 numbers) as weights. torchvision has as
    /// many as here, but for `ResNet50`: its convolutions have no biases (26,560 fewer).
    #[must_use]
    pub fn parameters(self) -> usize {
        match self {
            Self::Vgg16 => 14_714_688,
            Self::ResNet50 => 23_587_712,
            Self::MobileNetV2 => 2_257_984,
            Self::EfficientNetB1 => 6_575_232,
        }
    }

    /// Returns how many of them a training changes: all but the moving statistics. They are Keras' counts.
    #[must_use]
    pub fn trainable(self) -> usize {
        match self {
            Self::Vgg16 => 14_714_688,
            Self::ResNet50 => 23_534_592,
            Self::MobileNetV2 => 2_223_872,
            Self::EfficientNetB1 => 6_513_184,
        }
    }
}

/// How a file names and lays out its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Names and shapes of torchvision's `state_dict`: `features.0.weight`, kernels
    /// `[outputs, inputs, height, width]`.
    #[default]
    Torchvision,
    /// Names and shapes of `keras.applications`: `block1_conv1/kernel`, kernels
    /// `[height, width, inputs, outputs]`. `block1_conv1/block1_conv1/kernel:0` and
    /// `depthwise_kernel`, as older files have them, are understood too.
    Keras,
}

/// Which convolution of a bottleneck that halves the image has the stride of 2. Only of meaning
/// for [`BackboneKind::ResNet50`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResNetStride {
    /// The first one, 1 × 1: the paper's, Keras', Caffe's.
    First,
    /// The second one, 3 × 3: torchvision's ("v1.5").
    #[default]
    Second,
}

/// How convolutions with a stride of 2 pad. All others pad alike on both sides in either way.
///
/// `ResNet50` pads symmetrically in Keras too. VGG16 has no such convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Half of the kernel on each side: torchvision's.
    #[default]
    Symmetric,
    /// As little as leaves ⌈side / 2⌉ pixels, the odd one below and right: TensorFlow's `SAME`.
    Same,
}

/// What is done to pixels of 0 to 255 before the first layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preprocessing {
    /// `(pixel / 255 − mean) / deviation` of `ImageNet`'s channels.
    #[default]
    Torch,
    /// Blue, green, red, each less its `ImageNet` mean.
    Caffe,
    /// `pixel / 127.5 − 1`.
    Tf,
}

/// What a weights file holds, and what its network was trained with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsSource {
    /// The network.
    pub backbone: BackboneKind,
    /// Names and shapes of the tensors.
    pub layout: Layout,
    /// Where the bottlenecks of `ResNet50` have their stride.
    pub stride: ResNetStride,
    /// How convolutions with a stride of 2 pad.
    pub padding: Padding,
    /// What batch normalisation adds to the variance. VGG16 has none.
    pub epsilon: f64,
    /// What is done to the pixels.
    pub preprocessing: Preprocessing,
    /// Whether the classifier of 1000 classes is loaded too.
    pub classifier: bool,
}

impl WeightsSource {
    /// Returns the source of torchvision's own weights, without classifier.
    #[must_use]
    pub fn torchvision(backbone: BackboneKind) -> Self {
        Self {
            backbone,
            layout: Layout::Torchvision,
            stride: ResNetStride::Second,
            padding: Padding::Symmetric,
            epsilon: 1e-5,
            preprocessing: Preprocessing::Torch,
            classifier: false,
        }
    }

    /// Returns the source of Keras' own weights, without classifier.
    ///
    /// EfficientNet-B1 of Keras does in its first layers what [`Preprocessing::Torch`] does; the
    /// tensors of these layers (`normalization/…`) are not read.
    #[must_use]
    pub fn keras(backbone: BackboneKind) -> Self {
        let (padding, epsilon, preprocessing) = match backbone {
            BackboneKind::Vgg16 => (Padding::Symmetric, 1e-3, Preprocessing::Caffe),
            BackboneKind::ResNet50 => (Padding::Symmetric, 1.001e-5, Preprocessing::Caffe),
            BackboneKind::MobileNetV2 => (Padding::Same, 1e-3, Preprocessing::Tf),
            BackboneKind::EfficientNetB1 => (Padding::Same, 1e-3, Preprocessing::Torch),
        };
        Self {
            backbone,
            layout: Layout::Keras,
            stride: ResNetStride::First,
            padding,
            epsilon,
            preprocessing,
            classifier: false,
        }
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where epsilon is not between 0 and 1.
    pub fn validate(&self) -> Result<(), ModelError> {
        if self.epsilon > 0.0 && self.epsilon < 1.0 {
            return Ok(());
        }
        Err(ModelError::Spec {
            reason: format!("epsilon is {}, expected between 0 and 1", self.epsilon),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_written_by_their_names() {
        for kind in BackboneKind::ALL {
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(text, format!("{:?}", kind.name()));
        }
    }

    #[test]
    fn an_epsilon_that_is_no_small_number_is_refused() {
        for epsilon in [0.0, -1e-5, 1.0, f64::NAN, f64::INFINITY] {
            let source = WeightsSource {
                epsilon,
                ..WeightsSource::torchvision(BackboneKind::ResNet50)
            };
            assert!(source.validate().is_err(), "{epsilon}");
        }
        for kind in BackboneKind::ALL {
            WeightsSource::keras(kind).validate().unwrap();
        }
    }
}
