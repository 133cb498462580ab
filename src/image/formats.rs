//! What cameras, shops and drawing programs write beside plain RGB: each kind read as Pillow reads it.

use super::decode::tests::CMYK_JPEG;
use super::encode::fixtures::{draw, encode};
use super::jpeg::fixtures;
use super::{DecodeLimits, ImageDecoder, ImagePreparer, PrepareOptions};
use image::ImageFormat::{Bmp, Png, WebP};
use image::{DynamicImage, GrayImage};

/// 4×2 pixels of four colours, two bits each; the second is transparent.
const PALETTE_PNG: &[u8] =
    b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x04\0\0\0\x02\x02\x03\0\0\0\x02\xC6\x95\xF0\0\0\0\x0CPLTE\xFF\0\0\0\xFF\0\0\0\
    \xFF\x0A\x14\x1E\x22\x88\x29\x04\0\0\0\x02tRNS\xFF\0\xE5\xB7\x30\x4A\0\0\0\x0CIDAT\x78\xDA\x63\x90\x66\x78\x02\0\
    \x01\x39\x01\0\x7B\x99\x42\x37\0\0\0\0IEND\xAE\x42\x60\x82";

/// 2×2 pixels of 200 30 40, and then of blue.
const MOVING_GIF: &[u8] =
    b"GIF89a\x02\0\x02\0\x81\0\0\xC8\x1E\x28\0\0\0\0\0\0\0\0\0\x21\xF9\x04\0\x0A\0\0\0\x2C\0\0\0\0\x02\0\x02\0\0\x08\x06\
    \0\x01\x08\x04\x10\x10\0\x21\xF9\x04\x01\x0A\0\x01\0\x2C\0\0\0\0\x02\0\x02\0\x81\0\0\xFF\0\0\0\0\0\0\0\0\0\x08\x06\
    \0\x01\x08\x04\x10\x10\0\x3B";

fn pixels(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = ImageDecoder::new(DecodeLimits::default());
    decoder.decode(bytes).unwrap().rgb.to_vec()
}

#[test]
fn a_palette_is_looked_up_and_its_transparency_laid_over_white() {
    let row = [[255, 0, 0], [255; 3], [0, 0, 255], [10, 20, 30]];
    let back = [row[3], row[2], row[1], row[0]];
    assert_eq!(
        pixels(PALETTE_PNG),
        [row, back].as_flattened().as_flattened()
    );
}

#[test]
fn of_a_moving_picture_the_first_frame_is_read() {
    assert_eq!(pixels(MOVING_GIF), [200, 30, 40].repeat(4));
}

#[test]
fn grey_of_few_bits_is_spread_over_the_range() {
    let ramp = GrayImage::from_fn(8, 2, |x, y| image::Luma([[0, 255][((x + y) % 2) as usize]]));
    let expected: Vec<u8> = ramp.iter().flat_map(|&level| [level; 3]).collect();
    for format in [Png, Bmp, WebP] {
        let bytes = encode(DynamicImage::from(ramp.clone()), format);
        assert_eq!(pixels(&bytes), expected, "{format:?}");
    }
}

/// The last byte of Adobe's segment: 0 is CMYK, 2 is YCCK.
#[test]
fn ycck_is_read_as_pillow_reads_it() {
    let mut bytes = CMYK_JPEG.to_vec();
    let adobe = bytes.windows(5).position(|word| word == b"Adobe").unwrap();
    assert_eq!(bytes[adobe + 11], 0);
    bytes[adobe + 11] = 2;
    let found = pixels(&bytes);
    for (found, expected) in found.iter().zip(YCCK.repeat(64)) {
        assert!(found.abs_diff(expected) <= 1, "{:?}", &found);
    }
}

/// What Pillow makes of those bytes.
const YCCK: [u8; 3] = [85, 235, 140];

#[test]
fn kinds_that_the_quick_decoder_leaves_alone_are_prepared_as_by_pillow() {
    let options = PrepareOptions {
        size: fixtures::PREPARED_SIZE,
        ..PrepareOptions::default()
    };
    let mut preparer = ImagePreparer::new(&options).unwrap();
    for fixture in [&fixtures::RGB, &fixtures::QUARTER] {
        let image = preparer.prepare(fixture.jpeg).unwrap();
        let differences = image.pixels.iter().zip(fixture.prepared);
        let sum: u32 = differences.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        let mean = f64::from(sum) / image.pixels.len() as f64;
        assert!(mean < 0.5, "{}: {mean}", fixture.name);
    }
}

#[test]
fn bottom_up_and_top_down_bitmaps_are_alike() {
    let drawn = draw(20, 10);
    let mut bytes = encode(drawn.clone(), Bmp);
    assert_eq!(pixels(&bytes), *drawn.as_raw());
    // A negative height: the first row comes first.
    let start = u32::from_le_bytes(bytes[10..14].try_into().unwrap()) as usize;
    let height = i32::from_le_bytes(bytes[22..26].try_into().unwrap());
    assert_eq!((height, (bytes.len() - start) % 10), (10, 0));
    bytes[22..26].copy_from_slice(&(-height).to_le_bytes());
    let stride = (bytes.len() - start) / 10;
    let rows: Vec<u8> = bytes[start..].rchunks(stride).flatten().copied().collect();
    bytes.truncate(start);
    bytes.extend(rows);
    assert_eq!(pixels(&bytes), *drawn.as_raw());
}
