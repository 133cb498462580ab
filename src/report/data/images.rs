//! The images of the catalogue.

use super::{Counted, Photo};
use serde::{Deserialize, Serialize};

/// The images.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Images {
    /// The stage that read them.
    pub stage: String,
    /// Rows by what became of their image.
    pub statuses: Vec<Counted>,
    /// Sizes of the images, the most frequent first.
    pub sizes: Vec<Counted>,
    /// Share of near-white pixels by category.
    pub white: Vec<Spread>,
    /// Means of the three channels by category.
    pub channels: Vec<ChannelMeans>,
    /// Variance of each pixel.
    pub variance: Option<Variance>,
    /// Photos before and after the crop.
    pub crops: Vec<Crop>,
    /// Share of the width, and of the height, that is cut off each side.
    pub margin: f64,
    /// Width and height of the tensors in pixels.
    pub size: u32,
}

/// How a number spreads within a category.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spread {
    /// Label, as in the source.
    pub label: String,
    /// Name, where the configuration gives one.
    pub name: String,
    /// Images.
    pub images: u64,
    /// Least value, lower quartile, median, upper quartile and largest value, 0 to 1.
    pub numbers: [f64; 5],
}

/// Means of the channels of a category's images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChannelMeans {
    /// Label, as in the source.
    pub label: String,
    /// Name, where the configuration gives one.
    pub name: String,
    /// Images.
    pub images: u64,
    /// Mean of red, green and blue, 0 to 255.
    pub means: [f64; 3],
}

/// Variance of each pixel over a sample of the images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Variance {
    /// Share cut off each side of the photos before.
    pub margin: f64,
    /// Images of the sample.
    pub images: u64,
    /// Mean variance of the outermost tenth of the pixels, of levels of 0 to 255.
    pub border: f64,
    /// Mean variance of the pixels in the middle.
    pub middle: f64,
    /// Largest variance.
    pub most: f64,
    /// File of the figure.
    pub figure: String,
}

/// A photo before and after the crop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Crop {
    /// The whole photo.
    pub before: Photo,
    /// What models see of it.
    pub after: Photo,
}
