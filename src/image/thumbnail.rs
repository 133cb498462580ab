//! Small pictures of image files, for pages that people look at.

use image::imageops::thumbnail as shrink;
use image::{DynamicImage, RgbImage};

use super::decode::{DecodeLimits, ImageDecoder, guard};
use super::status::ImageFault;

/// A small picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The pixels.
    ///
    /// # Shapes
    /// `height × width × 3`, row by row.
    pub rgb: Vec<u8>,
}

/// Decodes an image file, turns it upright and shrinks it until neither side is longer than `side` pixels; it is never made larger,
/// and keeps its proportions.
///
/// # Errors
/// `Empty`, `NotAnImage`, `Corrupt` or `TooLarge`, with what was found.
pub fn thumbnail(bytes: &[u8], side: u32, limits: &DecodeLimits) -> Result<Thumbnail, ImageFault> {
    let mut decoder = ImageDecoder::new(limits.clone());
    let whole = decoder.decode(bytes)?;
    let (width, height) = (whole.width, whole.height);
    let scale = (f64::from(side.max(1)) / f64::from(width.max(height))).min(1.0);
    let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let (rgb, orientation) = (whole.rgb.to_vec(), whole.orientation);
    guard(|| {
        let whole = RgbImage::from_raw(width, height, rgb).unwrap_or_default();
        let small = shrink(&whole, scaled(width), scaled(height));
        let mut small = DynamicImage::ImageRgb8(small);
        small.apply_orientation(orientation);
        let small = small.into_rgb8();
        Ok(Thumbnail {
            width: small.width(),
            height: small.height(),
            rgb: small.into_raw(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::encode::fixtures::{draw, encode};
    use super::*;
    use image::ImageFormat;

    #[test]
    fn proportions_are_kept_and_small_images_as_they_are() {
        let limits = DecodeLimits::default();
        let file = encode(draw(400, 100), ImageFormat::Jpeg);
        let found = thumbnail(&file, 96, &limits).unwrap();
        assert_eq!((found.width, found.height), (96, 24));
        assert_eq!(found.rgb.len(), 96 * 24 * 3);
        let small = encode(draw(20, 30), ImageFormat::Png);
        let found = thumbnail(&small, 96, &limits).unwrap();
        assert_eq!((found.width, found.height), (20, 30));
        assert_eq!(found.rgb, draw(20, 30).into_raw());
    }

    #[test]
    fn broken_files_are_faults() {
        let limits = DecodeLimits::default();
        assert!(thumbnail(b"", 96, &limits).is_err());
        assert!(thumbnail(b"GIF89a...", 96, &limits).is_err());
    }
}
