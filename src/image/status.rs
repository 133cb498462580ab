//! What became of a product's image, and the errors of this module.
//!
//! A broken image is data: the product keeps its [`ImageStatus`] and is predicted from its text.
//! [`ImageError`] is for callers' mistakes (options, buffer lengths), never for a bad image.

use std::fmt;

/// What became of a product's image.
///
/// The text form ([`as_str`](Self::as_str)) is a column of published data, so it is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ImageStatus {
    /// Decoded and prepared.
    Ok,
    /// The product names no image.
    None,
    /// The product names an image that is not there.
    Absent,
    /// The file has no bytes.
    Empty,
    /// The bytes are of no image format that is read here.
    NotAnImage,
    /// The bytes are a damaged, truncated or unsupported variant of a known format.
    Corrupt,
    /// Bytes, width, height or pixels exceed the limits.
    TooLarge,
    /// The file could not be read.
    Unreadable,
}

impl ImageStatus {
    /// Every status, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::None,
        Self::Absent,
        Self::Empty,
        Self::NotAnImage,
        Self::Corrupt,
        Self::TooLarge,
        Self::Unreadable,
    ];

    /// Returns the status in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::None => "none",
            Self::Absent => "absent",
            Self::Empty => "empty",
            Self::NotAnImage => "not_an_image",
            Self::Corrupt => "corrupt",
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
        }
    }

    /// Reads the text form back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Tells whether the status counts as an image fault: an image that is there but of no use.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Ok | Self::None | Self::Absent)
    }
}

impl fmt::Display for ImageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an image could not be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFault {
    /// The status to keep for the product.
    pub status: ImageStatus,
    /// What was found, for people.
    pub detail: String,
}

impl ImageFault {
    pub(super) fn new(status: ImageStatus, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, detail }
    }
}

impl fmt::Display for ImageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

/// A caller's mistake, or an image that could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The margin leaves nothing of the image, or is not a number.
    #[error("image margin {margin} is not in [0, 0.5)")]
    Margin {
        /// As given.
        margin: f32,
    },
    /// The edge of the prepared image is zero or unreasonable.
    #[error("image size {size} is not in 1..={max}")]
    Size {
        /// As given.
        size: u32,
        /// The largest that is accepted.
        max: u32,
    },
    /// The JPEG quality is out of range.
    #[error("jpeg quality {quality} is not in 1..=100")]
    Quality {
        /// As given.
        quality: u8,
    },
    /// The buffer does not hold `width × height` RGB pixels.
    #[error("{found} bytes given for {width}x{height} rgb pixels")]
    PixelBytes {
        /// Width as given.
        width: u32,
        /// Height as given.
        height: u32,
        /// Bytes in the buffer.
        found: usize,
    },
    /// The encoder refused the image.
    #[error("cannot encode {width}x{height} image")]
    Encode {
        /// Width of the image.
        width: u32,
        /// Height of the image.
        height: u32,
        /// What the encoder said.
        source: ::image::ImageError,
    },
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::PROGRESSIVE_JPEG;
    use super::super::decode::{DecodeLimits, ImageDecoder};
    use super::super::encode::fixtures::{draw, encode};
    use super::*;
    use image::ImageFormat::{Bmp, Gif, Jpeg, Png, WebP};
    use image::RgbImage;

    fn decode(bytes: &[u8]) -> Result<RgbImage, ImageFault> {
        let mut decoder = ImageDecoder::new(DecodeLimits::default());
        let image = decoder.decode(bytes)?;
        Ok(RgbImage::from_raw(image.width, image.height, image.rgb.to_vec()).unwrap())
    }

    fn status(bytes: &[u8]) -> ImageStatus {
        decode(bytes).map_or_else(|fault| fault.status, |_| ImageStatus::Ok)
    }

    #[test]
    fn text_form_goes_both_ways() {
        let texts = ImageStatus::ALL.map(ImageStatus::as_str);
        assert_eq!(
            texts,
            [
                "ok",
                "none",
                "absent",
                "empty",
                "not_an_image",
                "corrupt",
                "too_large",
                "unreadable"
            ]
        );
        for status in ImageStatus::ALL {
            assert_eq!(ImageStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(ImageStatus::parse("Ok"), None);
        assert_eq!(ImageStatus::parse(""), None);
    }

    #[test]
    fn absence_is_no_fault() {
        let faults = ImageStatus::ALL.into_iter().filter(|s| s.is_fault());
        assert_eq!(
            faults.collect::<Vec<_>>(),
            [
                ImageStatus::Empty,
                ImageStatus::NotAnImage,
                ImageStatus::Corrupt,
                ImageStatus::TooLarge,
                ImageStatus::Unreadable
            ]
        );
    }

    #[test]
    fn what_is_no_image_is_told_apart() {
        assert_eq!(status(b""), ImageStatus::Empty);
        for text in [
            "<html>not found</html>",
            "BM",
            "BMW 320d, boite automatique, 2019",
            "II*\0",
        ] {
            assert_eq!(status(text.as_bytes()), ImageStatus::NotAnImage, "{text}");
        }
        assert_eq!(status(b"\xFF\xD8\xFFgarbage"), ImageStatus::Corrupt);
        assert_eq!(status(b"GIF89agarbage"), ImageStatus::Corrupt);
    }

    #[test]
    fn a_cut_file_is_a_fault_at_every_length() {
        // Each with the length of what may follow the last pixel.
        for (format, tail) in [(Jpeg, 0), (Png, 16), (WebP, 8), (Gif, 8), (Bmp, 0)] {
            let bytes = encode(draw(48, 37), format);
            let full = decode(&bytes).unwrap();
            for cut in 0..bytes.len() {
                match decode(&bytes[..cut]) {
                    Ok(image) => assert!(
                        cut + tail >= bytes.len() && image == full,
                        "{format:?} {cut}"
                    ),
                    Err(fault) => {
                        let expected = match cut {
                            0 => ImageStatus::Empty,
                            1..18 => fault.status,
                            _ => ImageStatus::Corrupt,
                        };
                        assert_eq!(fault.status, expected, "{format:?} {cut}");
                    }
                }
            }
        }
        for cut in 3..PROGRESSIVE_JPEG.len() {
            assert_eq!(
                status(&PROGRESSIVE_JPEG[..cut]),
                ImageStatus::Corrupt,
                "{cut}"
            );
        }
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| {
                c >> 1 ^ (0xEDB8_8320 * (c & 1))
            })
        })
    }

    /// Small files that claim 60,000 × 60,000 pixels (VP8: its largest, in a canvas of one pixel).
    fn bombs() -> Vec<(&'static str, Vec<u8>)> {
        const SIDE: u16 = 60_000;
        let mut png = encode(draw(4, 4), Png);
        png[16..20].copy_from_slice(&u32::from(SIDE).to_be_bytes());
        png[20..24].copy_from_slice(&u32::from(SIDE).to_be_bytes());
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        let mut gif = encode(draw(4, 4), Gif);
        gif[6..10].copy_from_slice(&[SIDE.to_le_bytes(), SIDE.to_le_bytes()].concat());
        let mut frame = encode(draw(4, 4), Gif);
        let descriptor = [b',', 0, 0, 0, 0, 4, 0, 4, 0];
        let at = frame.windows(9).position(|w| w == descriptor).unwrap();
        frame[at + 5..at + 9].copy_from_slice(&[SIDE.to_le_bytes(), SIDE.to_le_bytes()].concat());
        let bmp = |side: i32| {
            let mut bmp = encode(draw(4, 4), Bmp);
            bmp[18..22].copy_from_slice(&60_000_i32.to_le_bytes());
            bmp[22..26].copy_from_slice(&side.to_le_bytes());
            bmp
        };
        let mut jpeg = encode(draw(4, 4), Jpeg);
        let sof = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        jpeg[sof + 5..sof + 9].copy_from_slice(&[SIDE.to_be_bytes(), SIDE.to_be_bytes()].concat());
        let vp8 = b"RIFF\x30\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\0\0\0\0\0\0\
            VP8 \x0A\0\0\0\x10\0\0\x9D\x01\x2A\xFF\x3F\xFF\x3F";
        vec![
            ("png", png),
            ("gif", gif),
            ("gif frame", frame),
            ("bmp", bmp(60_000)),
            ("bmp top down", bmp(-60_000)),
            ("bmp huge", bmp(2_000_000)),
            ("jpeg", jpeg),
            ("vp8", vp8.to_vec()),
        ]
    }

    #[test]
    fn bombs_are_too_large_without_allocation() {
        let mut decoder = ImageDecoder::default();
        for (name, bytes) in bombs() {
            let fault = decoder.decode(&bytes).unwrap_err();
            assert_eq!(fault.status, ImageStatus::TooLarge, "{name}: {fault}");
            let held = decoder.held_bytes();
            assert!(held < 1 << 10, "{name}: {held} bytes");
        }
    }
}
