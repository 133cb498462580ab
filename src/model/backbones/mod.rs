//! Pretrained image networks without their classifiers: VGG16, `ResNet50`, MobileNetV2 1.0 and
//! EfficientNet-B1, each followed by global average pooling.
//!
//! Their weights come from elsewhere, so a [`WeightsSource`] says how a file names and lays out
//! its tensors and which variant of the network they were trained in; the same weights in another
//! variant give other features without any error. Invariants: a file that does not hold exactly
//! the tensors of its network is refused, and the features of an image depend on the weights, the
//! source and its pixels alone, whatever the images beside it.
//!
//! Images per second (`make bench-backbones`: 64 images, batches of 32, two cores of a shared machine, LibTorch 2.9.0 on both
//! sides), with PyTorch in the better of its two orders of memory:
//!
//! | backbone | ours | PyTorch | ratio | features differ by |
//! |---|---|---|---|---|
//! | VGG16 | 5.0 | 5.1 | 1.00 | 3.7e-7 |
//! | `ResNet50` | 17.1 | 12.8 | 1.33 | 3.5e-7 |
//! | MobileNetV2 | 105.7 | 53.0 | 1.99 | 2.4e-7 |
//! | EfficientNet-B1 | 40.3 | 27.0 | 1.49 | 1.4e-7 |
//!
//! What made it: batch normalisations folded into the convolutions; groups of 8 images, whose maps stay in the caches, whatever the
//! batch; `SiLU` in one pass (Burn makes two of it: EfficientNet-B1 was at 0.74 of PyTorch with those).

mod backbone;
mod blocks;
mod efficientnet_b1;
mod file;
mod head;
mod layers;
mod loader;
mod mobilenet_v2;
mod preprocess;
mod pretrained;
mod resnet50;
mod source;
mod vgg16;

#[cfg(test)]
mod formula;
#[cfg(test)]
mod tests;

pub use backbone::Backbone;
pub(super) use backbone::BackboneLayers;
pub(super) use pretrained::MIN_SIZE;
pub use pretrained::Pretrained;
pub use source::{BackboneKind, Layout, Padding, Preprocessing, ResNetStride, WeightsSource};
