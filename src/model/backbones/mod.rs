//! Pretrained image networks without their classifiers: VGG16, `ResNet50`, MobileNetV2 1.0 and
//! EfficientNet-B1, each followed by global average pooling.
//!
//! Their weights come from elsewhere, so a [`WeightsSource`] says how a file names and lays out
//! its tensors and which variant of the network they were trained in; the same weights in another
//! variant give other features without any error. Invariants: a file that does not hold exactly
//! the tensors of its network is refused, and the features of an image depend on the weights, the
//! source and its pixels alone, whatever the images beside it.

mod backbone;
mod blocks;
mod efficientnet_b1;
mod file;
mod head;
mod layers;
mod loader;
mod mobilenet_v2;
mod preprocess;
mod resnet50;
mod source;
mod vgg16;

#[cfg(test)]
mod formula;
#[cfg(test)]
mod tests;

pub use backbone::Backbone;
pub use source::{BackboneKind, Layout, Padding, Preprocessing, ResNetStride, WeightsSource};
