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
    use super::*;

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
}
