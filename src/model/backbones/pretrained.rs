//! A backbone as its file holds it, to be trained further; and passes through one in groups of images.

use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, FloatDType, Tensor};

use super::backbone::BackboneLayers;
use super::file::File;
use super::loader::{Loader, Tensors};
use super::preprocess::input;
use super::{Preprocessing, WeightsSource};
use crate::model::batch::Images;
use crate::model::device::is_cpu;
use crate::model::{ModelError, Precision, Runtime};

/// The smallest image that leaves a pixel after five halvings.
pub(in crate::model) const MIN_SIZE: usize = 32;
/// Images of a group on a CPU, whose caches hold the maps of few.
const ROWS_ON_CPU: usize = 8;
/// Images of a group on a GPU, which wants more work at once.
const ROWS_ON_GPU: usize = 64;

/// The layers and weights of a backbone, batch normalisations on their own.
#[derive(Debug, Clone)]
pub struct Pretrained {
    pub(super) source: WeightsSource,
    pub(super) layers: BackboneLayers,
    pub(super) runtime: Runtime,
}

impl Pretrained {
    /// Reads a weights file, as [`Backbone::load`](super::Backbone::load) does.
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
        let source = WeightsSource {
            classifier: false,
            ..*source
        };
        let mut file = File::open(bytes, source.layout)?;
        let pretrained = Self::from_tensors(&source, &mut file, runtime)?;
        file.finish(&source)?;
        Ok(pretrained)
    }

    pub(super) fn from_tensors(
        source: &WeightsSource,
        tensors: &mut dyn Tensors,
        runtime: &Runtime,
    ) -> Result<Self, ModelError> {
        runtime.bind_thread();
        let mut loader = Loader::new(tensors, *source, runtime.device());
        Ok(Self {
            source: *source,
            layers: BackboneLayers::new(&mut loader)?,
            runtime: runtime.clone(),
        })
    }

    /// Returns what the weights are.
    #[must_use]
    pub fn spec(&self) -> &WeightsSource {
        &self.source
    }

    pub(in crate::model) fn into_parts(self) -> (WeightsSource, BackboneLayers, Runtime) {
        (self.source, self.layers, self.runtime)
    }
}

/// A tensor of any name and shape.
struct Zeros;

impl Tensors for Zeros {
    fn take(&mut self, _: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        Ok(vec![0.0; shape.iter().product()])
    }
}

impl BackboneLayers {
    /// Layers that weights are put into later.
    pub(in crate::model) fn zeros(source: &WeightsSource, device: &Device) -> Self {
        match Self::new(&mut Loader::new(&mut Zeros, *source, device)) {
            Ok(layers) => layers,
            Err(error) => unreachable!("there is a tensor of every name: {error}"),
        }
    }

    /// The means of the last maps, of all images at once.
    ///
    /// # Shapes
    ///
    /// `[rows, width]`
    pub(in crate::model) fn features(
        &self,
        images: &Images,
        preprocessing: Preprocessing,
        device: &Device,
        precision: Precision,
    ) -> Tensor<2> {
        let input = input(
            images.pixels(),
            images.size(),
            &preprocessing.tables(),
            device,
        );
        means(self.maps(input, precision))
    }

    /// The same in groups of one size, which bounds the memory for maps of which no gradient is asked.
    ///
    /// # Shapes
    ///
    /// `[rows, width]`
    pub(in crate::model) fn features_in_groups(
        &self,
        images: &Images,
        preprocessing: Preprocessing,
        device: &Device,
        precision: Precision,
    ) -> Tensor<2> {
        let tables = preprocessing.tables();
        let mut all = Vec::new();
        in_groups(images, device, |group, rows| {
            let maps = self.maps(input(group, images.size(), &tables, device), precision);
            all.push(means(maps).slice(0..rows));
        });
        Tensor::cat(all, 0)
    }
}

/// The means of the maps, in `f32` whatever these are.
///
/// # Shapes
///
/// `[rows, width, height, width]` → `[rows, width]`
pub(super) fn means(maps: Tensor<4>) -> Tensor<2> {
    let means = adaptive_avg_pool2d(maps, [1, 1]).flatten(1, 3);
    means.cast(FloatDType::F32)
}

/// Hands over the pixels of all images in groups of one size, the last filled up with black images, each with its number of rows.
///
/// LibTorch picks its kernels by the number of rows, and they round differently: so what is computed of an image does not depend on how many are
/// beside it.
pub(super) fn in_groups(images: &Images, device: &Device, mut take: impl FnMut(&[u8], usize)) {
    let length = images.size() * images.size() * 3;
    let rows = if is_cpu(device) {
        ROWS_ON_CPU
    } else {
        ROWS_ON_GPU
    };
    for pixels in images.pixels().chunks(rows * length) {
        let mut group = pixels.to_vec();
        group.resize(rows * length, 0);
        take(&group, pixels.len() / length);
    }
}
