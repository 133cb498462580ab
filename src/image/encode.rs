//! Encoders for drawn images: the sample catalogue and the tests.
//!
//! The same pixels always give the same bytes.

use image::ExtendedColorType::Rgb8;
use image::ImageEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;

use super::status::ImageError;

/// Encodes RGB pixels as a baseline JPEG.
///
/// # Shapes
/// `rgb`: `height × width × 3`, row by row.
///
/// # Errors
/// Where `rgb` has another length, `quality` is not in 1 to 100, or a side is 0 or over 65,535.
pub fn encode_jpeg(
    width: u32,
    height: u32,
    rgb: &[u8],
    quality: u8,
) -> Result<Vec<u8>, ImageError> {
    if !(1..=100).contains(&quality) {
        return Err(ImageError::Quality { quality });
    }
    let mut out = Vec::new();
    write(
        JpegEncoder::new_with_quality(&mut out, quality),
        (width, height),
        rgb,
    )?;
    Ok(out)
}

/// Encodes RGB pixels as a PNG.
///
/// # Shapes
/// `rgb`: `height × width × 3`, row by row.
///
/// # Errors
/// Where `rgb` has another length or a side is 0.
pub fn encode_png(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut out = Vec::new();
    write(PngEncoder::new(&mut out), (width, height), rgb)?;
    Ok(out)
}

fn write(
    encoder: impl ImageEncoder,
    (width, height): (u32, u32),
    rgb: &[u8],
) -> Result<(), ImageError> {
    let expected = u64::from(width) * u64::from(height) * 3;
    if expected == 0 || rgb.len() as u64 != expected {
        return Err(ImageError::PixelBytes {
            width,
            height,
            found: rgb.len(),
        });
    }
    encoder
        .write_image(rgb, width, height, Rgb8)
        .map_err(|source| ImageError::Encode {
            width,
            height,
            source,
        })
}

/// Images drawn in memory for the tests of this module.
#[cfg(test)]
pub(super) mod fixtures {
    use image::{DynamicImage, ImageFormat, RgbImage};
    use std::io::Cursor;

    /// Draws gradients and a blob: smooth like a photo, and different in each of its corners.
    pub fn draw(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let (u, v) = (x * 100 / width, y * 100 / height);
            let off_centre = u.abs_diff(30).pow(2) + v.abs_diff(60).pow(2);
            let blob = 900_u32.saturating_sub(off_centre) / 12;
            let channels = [u * 2, v * 3 / 2, (100 - u) * v / 80];
            image::Rgb(channels.map(|c| u8::try_from((c + blob).min(255)).unwrap()))
        })
    }

    /// Encodes with the encoder of the format.
    pub fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        image.into().write_to(&mut out, format).unwrap();
        out.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_same_bytes() {
        let drawn = fixtures::draw(40, 30);
        let png = encode_png(40, 30, &drawn).unwrap();
        assert_eq!(image::load_from_memory(&png).unwrap().to_rgb8(), drawn);
        assert_eq!(encode_png(40, 30, &drawn).unwrap(), png);
        let jpeg = encode_jpeg(40, 30, &drawn, 90).unwrap();
        let back = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        let worst = back
            .iter()
            .zip(drawn.iter())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(worst.unwrap() < 24, "{worst:?}");
        assert!(encode_jpeg(40, 30, &drawn, 20).unwrap().len() < jpeg.len());
    }

    #[test]
    fn mistakes_are_errors() {
        let rgb = [0; 12];
        assert!(matches!(
            encode_jpeg(2, 2, &rgb, 0),
            Err(ImageError::Quality { quality: 0 })
        ));
        assert!(matches!(
            encode_jpeg(2, 2, &rgb, 101),
            Err(ImageError::Quality { .. })
        ));
        assert!(matches!(
            encode_png(2, 3, &rgb),
            Err(ImageError::PixelBytes { found: 12, .. })
        ));
        assert!(matches!(
            encode_png(0, 0, &[]),
            Err(ImageError::PixelBytes { .. })
        ));
        let wide = vec![0; 65_536 * 3];
        assert!(matches!(
            encode_jpeg(65_536, 1, &wide, 80),
            Err(ImageError::Encode { .. })
        ));
    }
}
