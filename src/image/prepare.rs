//! Decode, crop the margin, resize: an image file → the tensor that models read.
//!
//! JPEGs of the usual kind go a way of their own ([`jpeg`](super::jpeg)): planes of luma and chroma are cropped and resized each
//! from its own resolution, and colours are computed for the pixels of the result. Every other file, and every JPEG that the
//! quick decoder does not take, is decoded to pixels by the `image` crate, cropped and resized.
//!
//! Same steps as the usual `crop` + `resize(BILINEAR)` of Pillow, antialiased when shrinking; the mean
//! absolute difference to Pillow's result is below 2 of 255.
//! Exif orientation is applied last, to the small picture: crop and filter are symmetric, so that
//! gives the same pixels as turning the large one first, up to rounding.
//!
//! # Speed
//! Images per second, 150 photos of a catalogue (500×500, progressive, 4:2:0, 26 kB), margin 0.10, size 224: the best of 15 passes of
//! each side, taken in turns on a busy virtual machine (2 cores). All decode, crop and resize; ours computes the statistics as
//! well. libjpeg-turbo 3.1 with its assembler code, resized by the crate `fast_image_resize`, was tried in a crate of its own.
//! `make bench-images` measures the three libraries again.
//!
//! | | 1 thread | 2 threads |
//! |---|---|---|
//! | here | 894 | 1007 |
//! | torchvision 0.24 | 534 | 508 |
//! | Pillow 13 | 327 | 313 |
//! | `OpenCV` 5 | 317 | 368 |
//! | libjpeg-turbo, whole picture | 628 | 616 |
//! | libjpeg-turbo, cropped while decoding | 665 | 639 |
//! | libjpeg-turbo, cropped, at 5/8 of the size | 591 | |
//! | here, to the best of the three libraries | 1.67 | 1.98 |
//!
//! By profile: entropy-coded data 46 %, transform 19 %, resize 14 %, statistics 8 %, colours 3 %. Mean absolute difference to
//! Pillow 0.38 of 255, 1.56 for the worst photo of them.
//!
//! # Invariants
//! The result depends on the bytes and the options alone; a preparer can be used for any number of
//! images, and memory does not grow with their number.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::decode::{DecodeLimits, ImageDecoder, guard};
use super::jpeg::JpegDecoder;
use super::planes::Tints;
use super::scale::Scaler;
use super::statistics::ImageStatistics;
use super::status::{ImageError, ImageFault};

/// Largest edge of a prepared image.
const MAX_SIZE: u32 = 4096;

/// Kernel of the resize, always widened when shrinking (antialiased).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// Mean of the pixels covered.
    Box,
    /// Triangle, Pillow's `BILINEAR`.
    #[default]
    Bilinear,
    /// Hamming window, Pillow's `HAMMING`.
    Hamming,
    /// Catmull-Rom, Pillow's `BICUBIC`.
    Bicubic,
    /// Lanczos with 3 lobes, Pillow's `LANCZOS`.
    Lanczos,
}

impl Filter {
    /// Every filter, in the order of declaration.
    pub const ALL: [Self; 5] = [
        Self::Box,
        Self::Bilinear,
        Self::Hamming,
        Self::Bicubic,
        Self::Lanczos,
    ];

    /// Returns the name in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Hamming => "hamming",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }

    /// Reads the name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.as_str() == text)
    }
}

/// What to make of each image.
#[derive(Debug, Clone, PartialEq)]
pub struct PrepareOptions {
    /// Share of the width cut off left and right each, and of the height off top and bottom;
    /// rounded down to whole pixels. In [0, 0.5).
    pub margin: f32,
    /// Width and height of the result, in pixels. In 1 to 4096.
    pub size: u32,
    /// Kernel of the resize.
    pub filter: Filter,
    /// How large an image may be.
    pub limits: DecodeLimits,
}

impl Default for PrepareOptions {
    fn default() -> Self {
        Self {
            margin: 0.10,
            size: 224,
            filter: Filter::default(),
            limits: DecodeLimits::default(),
        }
    }
}

impl PrepareOptions {
    fn check(&self) -> Result<(), ImageError> {
        let (margin, size, max) = (self.margin, self.size, MAX_SIZE);
        if !(0.0..0.5).contains(&margin) {
            return Err(ImageError::Margin { margin });
        }
        if !(1..=max).contains(&size) {
            return Err(ImageError::Size { size, max });
        }
        Ok(())
    }
}

/// An image as models read it, with what is known of its source.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedImage {
    /// The pixels.
    ///
    /// # Shapes
    /// `size × size × 3`, row by row, red green blue.
    pub pixels: Vec<u8>,
    /// Width of the source, upright, in pixels.
    pub width: u32,
    /// Height of the source, upright, in pixels.
    pub height: u32,
    /// Statistics of the source.
    pub statistics: ImageStatistics,
}

/// Prepares images one after the other. Holds buffers: make one for each thread.
#[derive(Debug)]
pub struct ImagePreparer {
    limits: DecodeLimits,
    jpeg: JpegDecoder,
    tints: Tints,
    decoder: ImageDecoder,
    scaler: Scaler,
}

impl ImagePreparer {
    /// Creates a preparer with empty buffers.
    ///
    /// # Errors
    /// Where the margin or the size is out of range.
    pub fn new(options: &PrepareOptions) -> Result<Self, ImageError> {
        options.check()?;
        let margin = f64::from(options.margin);
        Ok(Self {
            limits: options.limits.clone(),
            jpeg: JpegDecoder::default(),
            tints: Tints::default(),
            decoder: ImageDecoder::new(options.limits.clone()),
            scaler: Scaler::new(margin, options.size, options.filter),
        })
    }

    /// Prepares one image file.
    ///
    /// # Errors
    /// A value to keep for the product: `Empty`, `NotAnImage`, `Corrupt` or `TooLarge`, with what was
    /// found.
    pub fn prepare(&mut self, bytes: &[u8]) -> Result<PreparedImage, ImageFault> {
        // What goes wrong there goes wrong, or right, and is given its name, here.
        let quick = guard(|| Ok(self.prepare_jpeg(bytes))).ok().flatten();
        quick.map_or_else(
            || {
                self.jpeg.shrink();
                self.prepare_any(bytes)
            },
            Ok,
        )
    }

    /// Prepares a JPEG of the usual kind; nothing where it is anything else.
    fn prepare_jpeg(&mut self, bytes: &[u8]) -> Option<PreparedImage> {
        let source = self.jpeg.decode(bytes, &self.limits)?;
        let pixels = self.scaler.scale_planes(&source);
        let stored = (source.width, source.height);
        let statistics = source.statistics(&mut self.tints);
        Some(finish(pixels, stored, source.orientation, statistics))
    }

    fn prepare_any(&mut self, bytes: &[u8]) -> Result<PreparedImage, ImageFault> {
        let source = self.decoder.decode(bytes)?;
        let pixels = self.scaler.scale(&source);
        let stored = (source.width, source.height);
        let statistics = ImageStatistics::from_rgb(source.rgb);
        let orientation = source.orientation;
        Ok(finish(pixels, stored, orientation, statistics))
    }
}

/// Turns the picture upright.
fn finish(
    pixels: Vec<u8>,
    (width, height): (u32, u32),
    orientation: Orientation,
    statistics: ImageStatistics,
) -> PreparedImage {
    let is_on_its_side = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (width, height) = if is_on_its_side {
        (height, width)
    } else {
        (width, height)
    };
    PreparedImage {
        pixels: turn(pixels, orientation),
        width,
        height,
        statistics,
    }
}

fn turn(pixels: Vec<u8>, orientation: Orientation) -> Vec<u8> {
    if orientation == Orientation::NoTransforms {
        return pixels;
    }
    let size = (pixels.len() / 3).isqrt() as u32;
    let square = RgbImage::from_raw(size, size, pixels).unwrap_or_default();
    let mut image = DynamicImage::ImageRgb8(square);
    image.apply_orientation(orientation);
    image.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::encode::encode_png;
    use super::super::encode::fixtures::{draw, encode};
    use super::super::jpeg::fixtures;
    use super::*;
    use image::ImageFormat::{self, Bmp, Gif, Jpeg, Png, WebP};
    use proptest::prelude::*;

    fn prepare(bytes: &[u8], size: u32) -> PreparedImage {
        let options = PrepareOptions {
            size,
            ..PrepareOptions::default()
        };
        ImagePreparer::new(&options)
            .unwrap()
            .prepare(bytes)
            .unwrap()
    }

    fn worst(a: &[u8], b: &[u8]) -> u8 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    /// A picture without smooth areas, so that any other kernel, crop or phase shows.
    fn pattern(width: u32, height: u32) -> Vec<u8> {
        let image = RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([x * 7 + y * 13, x * x + y * 5, x * y * 3].map(|v| v.to_le_bytes()[0]))
        });
        encode_png(width, height, &image).unwrap()
    }

    #[test]
    fn equals_pillow() {
        // Pillow: crop((w // 10, h // 10, w - w // 10, h - h // 10)).resize((s, s), BILINEAR)
        let shrunk: [u8; 48] = [
            118, 83, 103, 165, 141, 137, 177, 129, 134, 105, 125, 129, 179, 111, 138, 151, 136,
            131, 81, 125, 131, 89, 127, 129, 100, 140, 135, 79, 131, 133, 120, 128, 130, 167, 128,
            128, 91, 159, 131, 139, 124, 130, 184, 127, 128, 148, 133, 124,
        ];
        assert!(worst(&prepare(&pattern(37, 29), 4).pixels, &shrunk) <= 1);
        let enlarged: [u8; 48] = [
            0, 0, 0, 4, 1, 0, 10, 2, 0, 14, 4, 0, 3, 1, 0, 7, 2, 1, 13, 3, 1, 17, 5, 2, 10, 4, 0,
            14, 5, 2, 20, 6, 3, 24, 8, 5, 13, 5, 0, 17, 6, 2, 23, 7, 4, 27, 9, 6,
        ];
        assert!(worst(&prepare(&pattern(3, 2), 4).pixels, &enlarged) <= 1);
        let small: [u8; 27] = [
            128, 128, 127, 128, 131, 127, 128, 131, 126, 128, 128, 125, 127, 126, 126, 127, 126,
            126, 127, 127, 128, 128, 130, 128, 128, 130, 124,
        ];
        assert!(worst(&prepare(&pattern(203, 101), 3).pixels, &small) <= 1);
    }

    fn mean(a: &[u8], b: &[u8]) -> f64 {
        assert_eq!(a.len(), b.len());
        let differences = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)));
        f64::from(differences.sum::<u32>()) / a.len() as f64
    }

    #[test]
    fn jpegs_equal_pillow() {
        for fixture in fixtures::READ.iter().chain([&fixtures::RGB]) {
            let image = prepare(fixture.jpeg, fixtures::PREPARED_SIZE);
            let off = worst(&image.pixels, fixture.prepared);
            let mean = mean(&image.pixels, fixture.prepared);
            // Beside saturated edges the samples of a JPEG overshoot. Pillow clamps each pixel to the range of a channel and
            // then takes their mean, here their mean is clamped: at the white edge of the blue box that makes 10.
            let (most, most_off) = if fixture.has_colour_planes() {
                (1.0, 10)
            } else {
                (0.1, 1)
            };
            assert!(
                mean < most && off <= most_off,
                "{}: {mean}, {off}",
                fixture.name
            );
        }
    }

    /// What the two ways make of one file is as good as equal, whatever the margin, the size and the filter.
    #[test]
    fn both_decoders_prepare_alike() {
        for fixture in &fixtures::READ {
            for (margin, size, filter) in [
                (0.0, 224, Filter::Bilinear),
                (0.1, 32, Filter::Lanczos),
                (0.3, 50, Filter::Box),
                (0.13, 300, Filter::Bicubic),
            ] {
                let options = PrepareOptions {
                    margin,
                    size,
                    filter,
                    ..PrepareOptions::default()
                };
                let mut preparer = ImagePreparer::new(&options).unwrap();
                let quick = preparer.prepare_jpeg(fixture.jpeg).unwrap();
                let other = preparer.prepare_any(fixture.jpeg).unwrap();
                let mean = mean(&quick.pixels, &other.pixels);
                // A box is compared with interpolated chroma, which in the other direction is a little wider than a box.
                let most = if filter == Filter::Box { 2.5 } else { 1.5 };
                assert!(mean < most, "{}, {filter:?}: {mean}", fixture.name);
                let (a, b) = (quick.statistics, other.statistics);
                assert!((a.white_share - b.white_share).abs() < 0.003, "{a:?} {b:?}");
                for (a, b) in [
                    (a.mean_red, b.mean_red),
                    (a.mean_green, b.mean_green),
                    (a.mean_blue, b.mean_blue),
                ] {
                    // Chroma that pixels share is repeated here, and interpolated there.
                    let most = if fixture.name.ends_with("444") {
                        0.05
                    } else {
                        0.35
                    };
                    assert!((a - b).abs() < most, "{}: {a} {b}", fixture.name);
                }
                assert_eq!((quick.width, quick.height), (other.width, other.height));
            }
        }
    }

    #[test]
    fn margin_cuts_a_border_off() {
        let framed = RgbImage::from_fn(100, 50, |x, y| {
            let inside = (10..90).contains(&x) && (5..45).contains(&y);
            image::Rgb(if inside { [10, 200, 30] } else { [255; 3] })
        });
        let image = prepare(&encode_png(100, 50, &framed).unwrap(), 16);
        assert_eq!(image.pixels, [10, 200, 30].repeat(256));
        assert_eq!((image.width, image.height), (100, 50));
        assert!((image.statistics.white_share - 0.36).abs() < 1e-6);
    }

    #[test]
    fn tiny_images_work() {
        for (width, height) in [(1, 1), (1, 300), (300, 1), (2, 2), (9, 1)] {
            let flat = RgbImage::from_pixel(width, height, image::Rgb([9, 80, 240]));
            let image = prepare(&encode_png(width, height, &flat).unwrap(), 224);
            assert_eq!(image.pixels, [9, 80, 240].repeat(224 * 224));
            assert_eq!((image.width, image.height), (width, height));
        }
    }

    /// Inserts an Exif segment that holds nothing but the orientation.
    fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut exif =
            b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
        [&jpeg[..2], &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn orientation_equals_turning_the_source_first() {
        for fixture in fixtures::READ.iter().chain([&fixtures::RGB]) {
            for orientation in 1..=8 {
                let image = prepare(&with_exif(fixture.jpeg, orientation), 24);
                let mut turned = image::load_from_memory(fixture.jpeg).unwrap();
                turned.apply_orientation(Orientation::from_exif(orientation).unwrap());
                let expected = prepare(&encode(turned, Png), 24);
                // The expected picture comes through the other decoder: as far off as in the tests above.
                let off = worst(&image.pixels, &expected.pixels);
                let mean = mean(&image.pixels, &expected.pixels);
                let (most, most_off) = if fixture.has_colour_planes() {
                    (1.0, 10)
                } else {
                    (0.1, 1)
                };
                assert!(
                    mean < most && off <= most_off,
                    "{} {orientation}: {mean}, {off}",
                    fixture.name
                );
                let upright = prepare(fixture.jpeg, 24).pixels;
                let square = RgbImage::from_raw(24, 24, upright).unwrap();
                let mut small = DynamicImage::from(square);
                small.apply_orientation(Orientation::from_exif(orientation).unwrap());
                assert_eq!(image.pixels, small.into_bytes());
                assert_eq!(
                    (image.width, image.height),
                    (expected.width, expected.height)
                );
                let (wide, high) = fixtures::SIZE;
                assert_eq!(image.width, if orientation < 5 { wide } else { high });
            }
        }
        // 6: the top left corner of the file is the top right one of the picture.
        let jpeg = encode(draw(60, 40), Jpeg);
        let plain = prepare(&jpeg, 16).pixels;
        let turned = prepare(&with_exif(&jpeg, 6), 16).pixels;
        assert_eq!(plain[..3], turned[45..48]);
        assert!(worst(&plain[..3], &turned[..3]) > 20);
    }

    #[test]
    fn filters_differ_and_have_names() {
        let bytes = pattern(37, 29);
        let mut results = Vec::new();
        for filter in Filter::ALL {
            assert_eq!(Filter::parse(filter.as_str()), Some(filter));
            let options = PrepareOptions {
                filter,
                size: 8,
                ..PrepareOptions::default()
            };
            let image = ImagePreparer::new(&options).unwrap().prepare(&bytes);
            results.push(image.unwrap().pixels);
        }
        assert_eq!(Filter::parse("Bilinear"), None);
        results.sort();
        results.dedup();
        assert_eq!(results.len(), Filter::ALL.len());
    }

    #[test]
    fn bad_options_are_errors() {
        let new = |margin, size| {
            let limits = DecodeLimits::default();
            let filter = Filter::Bilinear;
            ImagePreparer::new(&PrepareOptions {
                margin,
                size,
                filter,
                limits,
            })
        };
        assert!(new(0.0, 1).is_ok());
        for margin in [0.5, -0.01, f32::NAN, f32::INFINITY] {
            assert!(matches!(new(margin, 224), Err(ImageError::Margin { .. })));
        }
        for size in [0, MAX_SIZE + 1] {
            assert!(matches!(new(0.1, size), Err(ImageError::Size { .. })));
        }
    }

    const FORMATS: [ImageFormat; 5] = [Jpeg, Png, WebP, Gif, Bmp];

    fn check_any(bytes: &[u8]) -> Result<(), TestCaseError> {
        let options = PrepareOptions {
            size: 8,
            limits: DecodeLimits {
                max_pixels: 1 << 20,
                ..DecodeLimits::default()
            },
            ..PrepareOptions::default()
        };
        let mut preparer = ImagePreparer::new(&options).unwrap();
        match preparer.prepare(bytes) {
            Ok(image) => prop_assert_eq!(image.pixels.len(), 8 * 8 * 3),
            Err(fault) => prop_assert!(fault.status.is_fault() && !fault.detail.is_empty()),
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(
            format in 0..6_usize,
            keep in 0..80_usize,
            tail in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let start = FORMATS.get(format).map(|f| encode(draw(9, 7), *f)).unwrap_or_default();
            check_any(&[&start[..keep.min(start.len())], &tail].concat())?;
        }

        #[test]
        fn damaged_files_never_panic(
            format in 0..5_usize,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        ) {
            let mut bytes = encode(draw(33, 21), FORMATS[format]);
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            check_any(&bytes)?;
        }
    }
}
