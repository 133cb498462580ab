//! A frozen backbone on a device: images in, features out.
//!
//! Images go through in groups of one size, however many are handed over: that bounds the memory
//! for the maps, and keeps the features of an image free of how many were beside it.

use burn::module::Module;
use burn::tensor::Tensor;

use super::efficientnet_b1::EfficientNetB1;
use super::file::File;
use super::head::{CLASSES, Head};
use super::loader::{Loader, Tensors};
use super::mobilenet_v2::MobileNetV2;
use super::preprocess::input;
use super::pretrained::{MIN_SIZE, in_groups, means};
use super::resnet50::ResNet50;
use super::vgg16::Vgg16;
use super::{BackboneKind, WeightsSource};
use crate::model::batch::{Dense, Images, check};
use crate::model::predict::read;
use crate::model::{ModelError, Precision, Runtime};

/// The layers of any backbone.
#[derive(Module, Debug)]
pub(in crate::model) enum BackboneLayers {
    Vgg16(Vgg16),
    ResNet50(ResNet50),
    MobileNetV2(MobileNetV2),
    EfficientNetB1(EfficientNetB1),
}

impl BackboneLayers {
    pub(super) fn new(loader: &mut Loader<'_>) -> Result<Self, ModelError> {
        Ok(match loader.source().backbone {
            BackboneKind::Vgg16 => Self::Vgg16(Vgg16::new(loader)?),
            BackboneKind::ResNet50 => Self::ResNet50(ResNet50::new(loader)?),
            BackboneKind::MobileNetV2 => Self::MobileNetV2(MobileNetV2::new(loader)?),
            BackboneKind::EfficientNetB1 => Self::EfficientNetB1(EfficientNetB1::new(loader)?),
        })
    }

    /// The maps of the last layer.
    ///
    /// # Shapes
    ///
    /// `[rows, 3, size, size]` → `[rows, width, ⌈size / 32⌉, ⌈size / 32⌉]`, of VGG16 rounded down
    pub(super) fn maps(&self, input: Tensor<4>, precision: Precision) -> Tensor<4> {
        match self {
            Self::Vgg16(network) => network.forward(input, precision),
            Self::ResNet50(network) => network.forward(input, precision),
            Self::MobileNetV2(network) => network.forward(input, precision),
            Self::EfficientNetB1(network) => network.forward(input, precision),
        }
    }

    /// Puts every batch normalisation into the convolution before it.
    pub(super) fn folded(self) -> Self {
        match self {
            Self::Vgg16(_) => self,
            Self::ResNet50(network) => Self::ResNet50(network.folded()),
            Self::MobileNetV2(network) => Self::MobileNetV2(network.folded()),
            Self::EfficientNetB1(network) => Self::EfficientNetB1(network.folded()),
        }
    }
}

/// A backbone whose weights do not change: batch normalisations are folded into the convolutions.
#[derive(Debug, Clone)]
pub struct Backbone {
    source: WeightsSource,
    layers: BackboneLayers,
    head: Option<Head>,
    tables: [(usize, [f32; 256]); 3],
    runtime: Runtime,
}

impl Backbone {
    /// Reads a weights file, safetensors or PyTorch's `.pth`. Whether it is the file that is meant
    /// is for the caller to check.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where the source makes no network; where the file is not readable; or
    /// the name of a tensor that is missing, unexpected or misshapen.
    pub fn load(
        source: &WeightsSource,
        bytes: &[u8],
        runtime: &Runtime,
    ) -> Result<Self, ModelError> {
        source.validate()?;
        let mut file = File::open(bytes, source.layout)?;
        let backbone = Self::from_tensors(source, &mut file, runtime)?;
        file.finish(source)?;
        Ok(backbone)
    }

    pub(super) fn from_tensors(
        source: &WeightsSource,
        tensors: &mut dyn Tensors,
        runtime: &Runtime,
    ) -> Result<Self, ModelError> {
        runtime.bind_thread();
        let mut loader = Loader::new(tensors, *source, runtime.device());
        let layers = BackboneLayers::new(&mut loader)?.folded();
        let head = source.classifier.then(|| Head::new(&mut loader));
        Ok(Self {
            source: *source,
            layers,
            head: head.transpose()?,
            tables: source.preprocessing.tables(),
            runtime: runtime.clone(),
        })
    }

    /// Returns what the weights are.
    #[must_use]
    pub fn spec(&self) -> &WeightsSource {
        &self.source
    }

    /// Returns the number of features of an image.
    #[must_use]
    pub fn width(&self) -> usize {
        self.source.backbone.width()
    }

    /// Returns the features of each row: the means of the last maps. Rows without image get the
    /// features of whatever pixels they have, so the caller best leaves them out.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the images are smaller than 32 × 32.
    pub fn features(&self, images: &Images) -> Result<Dense, ModelError> {
        self.each(images, self.width(), means)
    }

    /// Returns the unnormalised log probabilities of the classes that the network was trained
    /// with, row after row.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where the classifier was not loaded, [`ModelError::Inputs`] where the
    /// images are smaller than 32 × 32.
    pub fn logits(&self, images: &Images) -> Result<Dense, ModelError> {
        let head = self.head.as_ref().ok_or_else(|| ModelError::Spec {
            reason: "the classifier was not loaded".to_owned(),
        })?;
        self.each(images, CLASSES, |maps| head.forward(maps))
    }

    fn each(
        &self,
        images: &Images,
        width: usize,
        finish: impl Fn(Tensor<4>) -> Tensor<2>,
    ) -> Result<Dense, ModelError> {
        self.runtime.bind_thread();
        let size = images.size();
        check(size >= MIN_SIZE, || {
            format!("images are {size} pixels wide, expected {MIN_SIZE} or more")
        })?;
        let device = self.runtime.device();
        let mut values = Vec::with_capacity(images.len() * width);
        let mut failed = None;
        in_groups(images, device, |group, rows| {
            let input = input(group, size, &self.tables, device);
            match read(finish(self.layers.maps(input, Precision::Full))) {
                Ok(found) => values.extend_from_slice(&found[..rows * width]),
                Err(error) => failed = Some(error),
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Dense::new(width, values),
        }
    }
}
