//! Image kernels: bytes of an image file in, a fixed-size RGB tensor with statistics out.
//!
//! The only module that knows codecs. Everything here is a pure function of the bytes and the
//! options: no files, no clock, no threads. A bad image is a value ([`ImageFault`]), never a panic.

mod augment;
mod decode;
mod encode;
mod grey;
mod jpeg;
mod pixel_variance;
mod planes;
mod prepare;
mod resample;
mod scale;
mod statistics;
mod status;
mod thumbnail;
mod vectors;

pub use augment::{AugmentOptions, Augmenter, Fill, Variation};
pub use decode::{DecodeLimits, DecodedImage, ImageDecoder};
pub use encode::{encode_jpeg, encode_png};
pub use grey::push_grey;
pub use pixel_variance::{PixelVariance, VarianceError};
pub use prepare::{Filter, ImagePreparer, PrepareOptions, PreparedImage};
pub use statistics::ImageStatistics;
pub use status::{ImageError, ImageFault, ImageStatus};
pub use thumbnail::{Thumbnail, thumbnail};

#[cfg(test)]
mod formats;
#[cfg(test)]
mod fuzz;
