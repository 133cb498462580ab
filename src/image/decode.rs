//! Bytes of an image file → 8-bit RGB pixels, or the reason why not.
//!
//! JPEG, PNG, WebP, GIF (first frame) and BMP, recognised by content, never by name. Grey is
//! repeated over the channels, 16 bits become 8, CMYK becomes RGB (read as inverted, the way Adobe
//! writes it, also where the file does not say so), alpha is laid over white.
//!
//! # Invariants
//! - Limits are checked against the header before any pixel buffer is allocated.
//! - No bytes make it panic: a panic inside a codec becomes [`ImageStatus::Corrupt`].
//! - The result depends on the bytes alone, not on what the reused buffers held before.
//! - A damaged file is a fault, not half a picture. The codecs fill in what is missing, so a JPEG
//!   must reach its end marker (a cut one does not) and must not end in the decoder's filler.
//!   Damage that leaves the entropy-coded data readable goes unnoticed, as everywhere.

use std::io::{BufRead, Cursor};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{ColorType, ImageDecoder as _, ImageFormat, ImageReader};

use super::status::{ImageFault, ImageStatus};

/// A buffer larger than this is given back after its image, so that one huge image does not hold
/// memory for the rest of the run (5 megapixels of RGB).
const KEEP_BYTES: usize = 15 << 20;

/// How large an image may be, by its file and by its header.
///
/// Peak memory of one decoder is about `max_pixels` × 11 bytes in the worst case (16-bit RGBA; a
/// progressive JPEG needs about as much), 5 bytes a pixel for the usual JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// Largest width, in pixels.
    pub max_width: u32,
    /// Largest height, in pixels.
    pub max_height: u32,
    /// Largest product of width and height.
    pub max_pixels: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_bytes: 32 << 20,
            max_width: 16_384,
            max_height: 16_384,
            max_pixels: 64 << 20,
        }
    }
}

impl DecodeLimits {
    pub(super) fn check_bytes(&self, bytes: usize) -> Result<(), ImageFault> {
        if bytes as u64 > self.max_bytes {
            let max = self.max_bytes;
            return Err(too_large(format!("{bytes} bytes, limit {max}")));
        }
        Ok(())
    }

    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<(), ImageFault> {
        let pixels = u64::from(width) * u64::from(height);
        if width > self.max_width || height > self.max_height || pixels > self.max_pixels {
            return Err(too_large(format!(
                "{width}x{height} pixels, limits {}x{} and {} pixels",
                self.max_width, self.max_height, self.max_pixels
            )));
        }
        Ok(())
    }

    /// The codecs' own limits: a second line, against what they allocate besides the pixels.
    fn for_codec(&self) -> image::Limits {
        const SLACK_BYTES: u64 = 64 << 20;
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(self.max_width);
        limits.max_image_height = Some(self.max_height);
        limits.max_alloc = Some(
            self.max_pixels
                .saturating_mul(8)
                .saturating_add(SLACK_BYTES),
        );
        limits
    }
}

/// A decoded image, borrowed from its decoder's buffer.
#[derive(Debug)]
pub struct DecodedImage<'a> {
    /// Width as stored, in pixels.
    pub width: u32,
    /// Height as stored, in pixels.
    pub height: u32,
    /// What is left to do to the pixels for an upright picture.
    pub orientation: Orientation,
    /// The pixels as stored.
    ///
    /// # Shapes
    /// `height × width × 3`, row by row.
    pub rgb: &'a [u8],
}

/// Decodes images one after the other into buffers of its own. One for each thread.
#[derive(Debug, Default)]
pub struct ImageDecoder {
    limits: DecodeLimits,
    rgb: Vec<u8>,
    /// Samples in the codec's layout, where that is not 8-bit RGB.
    raw: Vec<u8>,
}

impl ImageDecoder {
    /// Creates a decoder with empty buffers.
    #[must_use]
    pub fn new(limits: DecodeLimits) -> Self {
        let (rgb, raw) = (Vec::new(), Vec::new());
        Self { limits, rgb, raw }
    }

    /// Decodes one image file.
    ///
    /// # Errors
    /// `Empty`, `NotAnImage`, `Corrupt` or `TooLarge`, with what was found.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<DecodedImage<'_>, ImageFault> {
        self.rgb.clear();
        self.raw.clear();
        self.rgb.shrink_to(KEEP_BYTES);
        self.raw.shrink_to(KEEP_BYTES);
        self.limits.check_bytes(bytes.len())?;
        let format = recognise(bytes, &self.limits)?;
        let (width, height, orientation) = guard(|| self.read(format, bytes))?;
        let rgb = self.rgb.as_slice();
        if format == ImageFormat::Jpeg && ends_in_filler(rgb, width) {
            return Err(corrupt("jpeg data breaks off within the picture"));
        }
        Ok(DecodedImage {
            width,
            height,
            orientation,
            rgb,
        })
    }

    /// Bytes that the buffers hold on to.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.rgb.capacity() + self.raw.capacity()
    }

    fn read(
        &mut self,
        format: ImageFormat,
        bytes: &[u8],
    ) -> Result<(u32, u32, Orientation), ImageFault> {
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.limits(self.limits.for_codec());
        let mut decoder = reader.into_decoder().map_err(codec_fault)?;
        let (width, height) = decoder.dimensions();
        self.limits.check_size(width, height)?;
        let orientation = if has_metadata(format, bytes)? {
            // Metadata that cannot be read says nothing about the pixels.
            decoder.orientation().unwrap_or(Orientation::NoTransforms)
        } else {
            Orientation::NoTransforms
        };
        let color = decoder.color_type();
        let pixels = width as usize * height as usize;
        // Zeroed each time: some codecs leave out what a damaged file does not say.
        self.rgb.resize(pixels * 3, 0);
        if color == ColorType::Rgb8 {
            decoder.read_image(&mut self.rgb).map_err(codec_fault)?;
        } else {
            let raw_bytes = pixels * usize::from(color.bytes_per_pixel());
            self.raw.resize(raw_bytes, 0);
            decoder.read_image(&mut self.raw).map_err(codec_fault)?;
            to_rgb(color, &self.raw, &mut self.rgb)?;
        }
        Ok((width, height, orientation))
    }
}

fn too_large(detail: impl Into<String>) -> ImageFault {
    ImageFault::new(ImageStatus::TooLarge, detail)
}

fn corrupt(detail: impl Into<String>) -> ImageFault {
    ImageFault::new(ImageStatus::Corrupt, detail)
}

fn codec_fault(error: image::ImageError) -> ImageFault {
    match error {
        image::ImageError::Limits(e) => too_large(e.to_string()),
        e => corrupt(e.to_string()),
    }
}

/// Runs a codec; its panic is a corrupt image.
pub(super) fn guard<T>(run: impl FnOnce() -> Result<T, ImageFault>) -> Result<T, ImageFault> {
    // Unwind safety: the buffers are cleared before the next use.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let said = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Err(corrupt(format!(
            "decoder panicked: {}",
            said.unwrap_or("no message")
        )))
    })
}

/// Finds the format from the content, and rejects what the codecs would accept too late.
fn recognise(bytes: &[u8], limits: &DecodeLimits) -> Result<ImageFormat, ImageFault> {
    if bytes.is_empty() {
        return Err(ImageFault::new(ImageStatus::Empty, "0 bytes"));
    }
    let not_an_image = |detail: &str| ImageFault::new(ImageStatus::NotAnImage, detail);
    let format = image::guess_format(bytes).map_err(|_| not_an_image("no known format"))?;
    match format {
        ImageFormat::Bmp if !has_bmp_header(bytes) => {
            Err(not_an_image("starts with BM but is no bitmap"))
        }
        ImageFormat::Bmp => check_bmp(bytes, limits).map(|()| format),
        ImageFormat::WebP => {
            check_webp(bytes.get(12..).unwrap_or_default(), limits, 0).map(|()| format)
        }
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif => Ok(format),
        other => Err(not_an_image(&format!("{other:?} is not read"))),
    }
}

/// Tells a bitmap from a text that starts with `BM`, by the length of its second header.
fn has_bmp_header(bytes: &[u8]) -> bool {
    let length = le_u32(bytes, 14);
    length.is_some_and(|n| matches!(n, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// The codec calls a side over 65,535 a format error; to us it is too large.
fn check_bmp(bytes: &[u8], limits: &DecodeLimits) -> Result<(), ImageFault> {
    let (Some(40..), Some(width), Some(height)) =
        (le_u32(bytes, 14), le_u32(bytes, 18), le_u32(bytes, 22))
    else {
        return Ok(());
    };
    // A negative height means that rows are stored top down.
    limits.check_size(width, height.cast_signed().unsigned_abs())
}

/// Checks the sizes in nested VP8 frames, which the codec allocates before it compares them with
/// the canvas. `chunks` starts at a chunk header.
fn check_webp(mut chunks: &[u8], limits: &DecodeLimits, depth: u8) -> Result<(), ImageFault> {
    while let (Some(name), Some(length)) = (chunks.get(..4), le_u32(chunks, 4)) {
        let length = length as usize;
        let body = &chunks[8..];
        let body = &body[..length.min(body.len())];
        match name {
            b"VP8 " => {
                if let Some(size) = le_u32(body, 6) {
                    limits.check_size(size & 0x3FFF, size >> 16 & 0x3FFF)?;
                }
            }
            b"ANMF" if depth == 0 => {
                check_webp(body.get(16..).unwrap_or_default(), limits, depth + 1)?;
            }
            _ => {}
        }
        // Bodies are padded to an even length.
        chunks = chunks.get(8 + length + length % 2..).unwrap_or_default();
    }
    Ok(())
}

fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_le_bytes)
}

/// Tells whether to ask the codec for an orientation. For a JPEG that would parse its headers once
/// more, so only those with an Exif segment are asked; on the way, a cut JPEG is found out.
fn has_metadata(format: ImageFormat, bytes: &[u8]) -> Result<bool, ImageFault> {
    if format == ImageFormat::Jpeg {
        return walk_jpeg(bytes).ok_or_else(|| corrupt("jpeg ends before its end marker"));
    }
    Ok(true)
}

/// Walks the markers of a JPEG to its end marker, and tells whether there was an APP1 segment
/// (Exif) among them; `None` where the bytes end first. Segments are skipped by their length, so the
/// end marker of an embedded thumbnail does not count.
fn walk_jpeg(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes.get(2..)?;
    let mut exif = false;
    loop {
        rest.skip_until(0xFF).ok()?;
        let fill = rest.iter().take_while(|&&b| b == 0xFF).count();
        let marker = *rest.get(fill)?;
        rest = &rest[fill + 1..];
        match marker {
            0xD9 => return Some(exif),
            // A stuffed zero, TEM, restart markers, SOI: nothing follows.
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            _ => {
                exif |= marker == 0xE1;
                let length = u16::from_be_bytes(*rest.first_chunk()?);
                rest = rest.get(usize::from(length)..)?;
            }
        }
    }
}

/// Tells whether the picture ends in rows of the value that the JPEG decoder writes where the data
/// cannot be decoded any further (it reports no error). A picture that is grey all over does not: the
/// row of blocks in which the data broke off is always written. The price is that a sound JPEG
/// with a bar of exactly this grey at its lower edge counts as corrupt.
fn ends_in_filler(rgb: &[u8], width: u32) -> bool {
    const FILLER: u8 = 128;
    let mut rows = rgb.chunks_exact((width as usize * 3).max(1)).rev();
    let filled = rows
        .by_ref()
        .take_while(|row| row.iter().all(|&v| v == FILLER));
    let filled = filled.count();
    filled > 0 && filled * width as usize * 3 < rgb.len()
}

fn to_rgb(color: ColorType, raw: &[u8], rgb: &mut [u8]) -> Result<(), ImageFault> {
    match color {
        ColorType::L8 => convert(raw, rgb, |[l]| [l; 3]),
        ColorType::La8 => convert(raw, rgb, |[l, a]| [over_white(l, a); 3]),
        ColorType::Rgba8 => convert(raw, rgb, |[r, g, b, a]| [r, g, b].map(|c| over_white(c, a))),
        ColorType::L16 => convert(raw, rgb, |s: [u8; 2]| [narrow(s, 0); 3]),
        ColorType::La16 => convert(raw, rgb, |s: [u8; 4]| {
            [over_white(narrow(s, 0), narrow(s, 1)); 3]
        }),
        ColorType::Rgb16 => convert(raw, rgb, |s: [u8; 6]| [0, 1, 2].map(|i| narrow(s, i))),
        ColorType::Rgba16 => convert(raw, rgb, |s: [u8; 8]| {
            [0, 1, 2].map(|i| over_white(narrow(s, i), narrow(s, 3)))
        }),
        other => return Err(corrupt(format!("unsupported color type {other:?}"))),
    }
    Ok(())
}

fn convert<const N: usize>(raw: &[u8], rgb: &mut [u8], pixel: impl Fn([u8; N]) -> [u8; 3]) {
    for (to, from) in rgb.as_chunks_mut().0.iter_mut().zip(raw.as_chunks().0) {
        *to = pixel(*from);
    }
}

fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Rounds the `i`-th 16-bit sample of a pixel to 8 bits.
fn narrow<const N: usize>(samples: [u8; N], i: usize) -> u8 {
    let wide = u16::from_ne_bytes([samples[2 * i], samples[2 * i + 1]]);
    ((u32::from(wide) + 128) / 257) as u8
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::encode::fixtures::{draw, encode};
    use super::*;
    use ImageFormat::{Bmp, Gif, Jpeg, Png, WebP};
    use image::{DynamicImage, RgbImage};

    /// Written by Pillow from one colour, C 200 M 100 Y 50 K 20, which Pillow reads as 51 143 189.
    pub const CMYK_JPEG: &[u8] =
        b"\xFF\xD8\xFF\xEE\x00\x0EAdobe\x00d\x00\x00\x00\x00\x00\xFF\xDB\x00C\x00\x03\x02\x02\
        \x03\x02\x02\x03\x03\x03\x03\x04\x03\x03\x04\x05\x08\x05\x05\x04\x04\x05\x0A\x07\x07\
        \x06\x08\x0C\x0A\x0C\x0C\x0B\x0A\x0B\x0B\x0D\x0E\x12\x10\x0D\x0E\x11\x0E\x0B\x0B\x10\
        \x16\x10\x11\x13\x14\x15\x15\x15\x0C\x0F\x17\x18\x16\x14\x18\x12\x14\x15\x14\xFF\xC0\
        \x00\x14\x08\x00\x08\x00\x08\x04C\x11\x00M\x11\x00Y\x11\x00K\x11\x00\xFF\xC4\x00\x16\
        \x00\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x07\x09\xFF\
        \xC4\x00\x14\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
        \xFF\xDA\x00\x0E\x04C\x00M\x00Y\x00K\x00\x00?\x00\x1E)\x06kG_\xFF\xD9";
    /// A progressive JPEG of 16×16 written by Pillow.
    pub const PROGRESSIVE_JPEG: &[u8] =
        b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xFF\xDB\x00C\x00\
        \x1B\x12\x14\x17\x14\x11\x1B\x17\x16\x17\x1E\x1C\x1B (B+(%%(Q:=0B`Ued_U][jx\x99\x81jq\
        \x90s[]\x85\xB5\x86\x90\x9E\xA3\xAB\xAD\xABg\x80\xBC\xC9\xBA\xA6\xC7\x99\xA8\xAB\xA4\
        \xFF\xDB\x00C\x01\x1C\x1E\x1E(#(N++N\xA4n]n\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\
        \xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\
        \xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xA4\xFF\xC2\
        \x00\x11\x08\x00\x10\x00\x10\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xFF\xC4\x00\x15\
        \x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x04\xFF\xC4\
        \x00\x14\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xFF\
        \xDA\x00\x0C\x03\x01\x00\x02\x10\x03\x10\x00\x00\x01\x91\x95\xCF\xFF\xC4\x00\x16\x10\
        \x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\xFF\xDA\
        \x00\x08\x01\x01\x00\x01\x05\x02R)\x14\x8AO\xFF\xC4\x00\x15\x11\x01\x01\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\xFF\xDA\x00\x08\x01\x03\x01\x01?\
        \x014\xBF\xFF\xC4\x00\x15\x11\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
        \x00\x00\x00\x01\xFF\xDA\x00\x08\x01\x02\x01\x01?\x01\x8F\xFF\xC4\x00\x14\x10\x01\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00 \xFF\xDA\x00\x08\x01\x01\x00\
        \x06?\x02\x1F\xFF\xC4\x00\x14\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
        \x00\x00\x00 \xFF\xDA\x00\x08\x01\x01\x00\x01?!\x00\x1F\xFF\xDA\x00\x0C\x03\x01\x00\
        \x02\x00\x03\x00\x00\x00\x10k\xFF\xC4\x00\x14\x11\x01\x00\x00\x00\x00\x00\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\xFF\xDA\x00\x08\x01\x03\x01\x01?\x10\x1F\xFF\xC4\x00\
        \x15\x11\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xFF\
        \xDA\x00\x08\x01\x02\x01\x01?\x10\xA7\xFF\xC4\x00\x15\x10\x01\x01\x00\x00\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00a\xFF\xDA\x00\x08\x01\x01\x00\x01?\x10\x9Ai\
        \xA6\xFF\xD9";

    fn decode(bytes: &[u8]) -> Result<RgbImage, ImageFault> {
        let mut decoder = ImageDecoder::default();
        let image = decoder.decode(bytes)?;
        Ok(RgbImage::from_raw(image.width, image.height, image.rgb.to_vec()).unwrap())
    }

    fn worst(a: &[u8], b: &[u8]) -> u8 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    /// One file of each format.
    fn files() -> Vec<(ImageFormat, Vec<u8>)> {
        [Jpeg, Png, WebP, Gif, Bmp]
            .map(|f| (f, encode(draw(48, 37), f)))
            .into()
    }

    #[test]
    fn reads_every_format_by_content() {
        for (format, bytes) in files() {
            let (got, drawn) = (decode(&bytes).unwrap(), draw(48, 37));
            let sum: u32 = got
                .iter()
                .zip(drawn.iter())
                .map(|(a, b)| u32::from(a.abs_diff(*b)))
                .sum();
            // GIF has 256 colours, JPEG loses detail; the others keep every pixel.
            let allowed = if matches!(format, Gif | Jpeg) { 8 } else { 0 };
            assert!(sum <= allowed * 48 * 37 * 3, "{format:?}: {sum}");
        }
    }

    #[test]
    fn grey_alpha_and_16_bits_become_rgb() {
        let grey = DynamicImage::from(draw(20, 10)).to_luma8();
        let tripled = DynamicImage::from(grey.clone()).to_rgb8();
        for format in [Png, Bmp, Jpeg] {
            let allowed = if format == Jpeg { 16 } else { 0 };
            let got = decode(&encode(grey.clone(), format)).unwrap();
            assert!(worst(&got, &tripled) <= allowed, "{format:?}");
        }
        let wide = DynamicImage::from(draw(20, 10)).to_rgb16();
        assert_eq!(decode(&encode(wide, Png)).unwrap(), draw(20, 10));
        let wide_grey = DynamicImage::from(grey).to_luma16();
        assert_eq!(decode(&encode(wide_grey, Png)).unwrap(), tripled);
    }

    #[test]
    fn alpha_is_laid_over_white() {
        let rgba = image::RgbaImage::from_fn(3, 1, |x, _| {
            image::Rgba([100, 0, 200, [0, 51, 255][x as usize]])
        });
        let expected = [255, 255, 255, 224, 204, 244, 100, 0, 200];
        for format in [Png, WebP] {
            let got = decode(&encode(rgba.clone(), format)).unwrap();
            assert_eq!(got.as_raw(), &expected, "{format:?}");
        }
        let wide = DynamicImage::from(rgba.clone()).to_rgba16();
        assert_eq!(decode(&encode(wide, Png)).unwrap().as_raw(), &expected);
        let grey = image::GrayAlphaImage::from_pixel(1, 1, image::LumaA([100, 51]));
        assert_eq!(
            decode(&encode(grey.clone(), Png)).unwrap().as_raw(),
            &[224; 3]
        );
        let wide_grey = DynamicImage::from(grey).to_luma_alpha16();
        assert_eq!(decode(&encode(wide_grey, Png)).unwrap().as_raw(), &[224; 3]);
        let gif = decode(&encode(image::RgbaImage::new(2, 2), Gif)).unwrap();
        assert_eq!(gif.as_raw(), &[255; 12]);
    }

    #[test]
    fn cmyk_and_progressive_as_pillow_reads_them() {
        let cmyk = decode(CMYK_JPEG).unwrap();
        assert!(worst(&cmyk, &[51, 143, 189].repeat(64)) <= 1);
        let progressive = decode(PROGRESSIVE_JPEG).unwrap();
        let corners = [(0, 0), (15, 0), (0, 15), (15, 15)].map(|(x, y)| progressive[(x, y)].0);
        let pillow = [4, 5, 0, 195, 13, 113, 34, 213, 129, 225, 222, 241];
        assert!(worst(corners.as_flattened(), &pillow) <= 3, "{corners:?}");
    }

    #[test]
    fn an_end_marker_does_not_hide_a_broken_scan() {
        let mut bytes = encode(draw(200, 200), Jpeg);
        let middle = bytes.len() / 2;
        // Sixteen 1-bits are no code of any table; the decoder fills the rest with grey.
        bytes[middle..middle + 8].copy_from_slice(&[0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0]);
        let fault = decode(&bytes).unwrap_err();
        assert_eq!(fault.status, ImageStatus::Corrupt);
        assert_eq!(fault.detail, "jpeg data breaks off within the picture");
        let grey = encode(RgbImage::from_pixel(64, 64, image::Rgb([128; 3])), Jpeg);
        assert_eq!(decode(&grey).unwrap().as_raw(), &[128; 64 * 64 * 3]);
    }

    #[test]
    fn limits_are_inclusive() {
        let with = |change: fn(&mut DecodeLimits)| {
            let mut limits = DecodeLimits::default();
            change(&mut limits);
            let bytes = crate::image::encode_png(12, 10, &draw(12, 10)).unwrap();
            let decoded = ImageDecoder::new(limits).decode(&bytes).map(|_| ());
            decoded.map_or_else(|fault| fault.status, |()| ImageStatus::Ok)
        };
        assert_eq!(with(|l| l.max_width = 12), ImageStatus::Ok);
        assert_eq!(with(|l| l.max_width = 11), ImageStatus::TooLarge);
        assert_eq!(with(|l| l.max_height = 10), ImageStatus::Ok);
        assert_eq!(with(|l| l.max_height = 9), ImageStatus::TooLarge);
        assert_eq!(with(|l| l.max_pixels = 120), ImageStatus::Ok);
        assert_eq!(with(|l| l.max_pixels = 119), ImageStatus::TooLarge);
        assert_eq!(with(|l| l.max_bytes = 40), ImageStatus::TooLarge);
    }

    #[test]
    fn a_panic_in_a_codec_is_a_corrupt_image() {
        let fault = guard::<()>(|| panic!("index {} out of bounds", 7)).unwrap_err();
        assert_eq!(fault.status, ImageStatus::Corrupt);
        assert_eq!(fault.detail, "decoder panicked: index 7 out of bounds");
    }

    #[test]
    fn earlier_images_leave_no_trace() {
        let mut decoder = ImageDecoder::default();
        let mut files = files();
        files.push((
            Png,
            encode(DynamicImage::from(draw(90, 80)).to_luma16(), Png),
        ));
        for (_, first) in &files {
            for (format, second) in &files {
                let _ = decoder.decode(first).unwrap();
                let got = decoder.decode(second).unwrap();
                assert_eq!(got.rgb, decode(second).unwrap().as_raw(), "{format:?}");
            }
        }
        // A huge image's memory is not kept.
        decoder.rgb.reserve(2 * KEEP_BYTES);
        let _ = decoder.decode(&files[0].1).unwrap();
        assert!(decoder.rgb.capacity() <= KEEP_BYTES);
    }
}
