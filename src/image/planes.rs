//! Pictures as JPEG stores them: a plane of luma, and two of chroma at their own resolution.
//!
//! # Source
//! The conversion is that of JFIF, as in libjpeg, to within 1.

#![expect(
    clippy::inline_always,
    reason = "compiled into each of the functions that `vectors::run` picks from"
)]

use image::metadata::Orientation;

use super::statistics::{ImageStatistics, Totals};
use super::vectors;

/// Samples of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane<'a> {
    /// Row by row; a row is at least as long as the picture.
    pub(super) samples: &'a [u8],
    /// Length of a row.
    pub(super) stride: u32,
}

impl<'a> Plane<'a> {
    fn row(&self, index: u32, length: usize) -> &'a [u8] {
        let start = index as usize * self.stride as usize;
        &self.samples[start..start + length]
    }
}

/// A picture in planes, borrowed from its decoder's buffers.
#[derive(Debug)]
pub(super) struct Planes<'a> {
    /// Width as stored, in pixels.
    pub(super) width: u32,
    /// Height as stored, in pixels.
    pub(super) height: u32,
    /// What is left to do to the pixels for an upright picture.
    pub(super) orientation: Orientation,
    /// One sample for each pixel.
    pub(super) luma: Plane<'a>,
    /// Blue and red difference; none where the picture is grey.
    pub(super) chroma: Option<[Plane<'a>; 2]>,
    /// Pixels for each sample of chroma, horizontally and vertically: 1 or 2.
    pub(super) samples: (u32, u32),
}

impl Planes<'_> {
    /// Computes the statistics of all pixels; those that share a sample of chroma have it as it is, without interpolation.
    pub(super) fn statistics(&self, tints: &mut Tints) -> ImageStatistics {
        vectors::run(
            #[inline(always)]
            || self.count(tints),
        )
    }

    #[inline(always)]
    fn count(&self, tints: &mut Tints) -> ImageStatistics {
        let width = self.width as usize;
        let mut totals = Totals::default();
        tints.clear(width);
        for y in 0..self.height {
            let (across, down) = self.samples;
            if let Some(chroma) = self.chroma.filter(|_| y % down == 0) {
                let length = width.div_ceil(across as usize);
                tints.fill(chroma.map(|plane| plane.row(y / down, length)), across);
            }
            let row = tints.0.each_ref().map(|row| &row[..width]);
            totals.add_tinted(self.luma.row(y, width), row);
        }
        totals.finish(u64::from(self.width) * u64::from(self.height))
    }
}

/// For each pixel of a row, what chroma adds to its red, green and blue, in sixteenths of a level.
#[derive(Debug, Default)]
pub(super) struct Tints([Vec<i16>; 3]);

impl Tints {
    /// Makes a row of neutral pixels.
    fn clear(&mut self, width: usize) {
        for row in &mut self.0 {
            row.clear();
            // An odd width has a sample of chroma for one pixel more.
            row.resize(width + 1, 0);
        }
    }

    /// Makes a row of each sample `across` times.
    #[inline(always)]
    fn fill(&mut self, [cb, cr]: [&[u8]; 2], across: u32) {
        let [r, g, b] = &mut self.0;
        let tints = cb.iter().zip(cr).map(|(&cb, &cr)| tint(cb, cr));
        if across == 2 {
            let [r, g, b] = [r, g, b].map(|row| row.as_chunks_mut::<2>().0);
            for (((r, g), b), tint) in r.iter_mut().zip(g).zip(b).zip(tints) {
                [*r, *g, *b] = tint.map(|tint| [tint; 2]);
            }
        } else {
            for (((r, g), b), tint) in r.iter_mut().zip(g).zip(b).zip(tints) {
                [*r, *g, *b] = tint;
            }
        }
    }
}

/// Converts rows of luma and chroma to pixels.
///
/// # Shapes
/// Each row `pixels`, `rgb` `pixels × 3`.
pub(super) fn to_rgb([luma, cb, cr]: [&[u8]; 3], rgb: &mut [u8]) {
    vectors::run(
        #[inline(always)]
        || {
            let from = luma.iter().zip(cb).zip(cr);
            for (pixel, ((&y, &cb), &cr)) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(from) {
                *pixel = tint(cb, cr).map(|tint| level(y, tint) as u8);
            }
        },
    );
}

/// Puts rows of channels together to pixels.
///
/// # Shapes
/// Each row `pixels`, `rgb` `pixels × 3`.
pub(super) fn interleave([red, green, blue]: [&[u8]; 3], rgb: &mut [u8]) {
    vectors::run(
        #[inline(always)]
        || {
            let from = red.iter().zip(green).zip(blue);
            for (pixel, ((&r, &g), &b)) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(from) {
                *pixel = [r, g, b];
            }
        },
    );
}

/// What chroma adds to red, green and blue, in sixteenths of a level: in 16 bits, with weights in 8192ths.
#[inline(always)]
fn tint(cb: u8, cr: u8) -> [i16; 3] {
    const RED: i32 = 11_485; // 1.402
    const GREEN: [i32; 2] = [2_819, 5_850]; // 0.344136, 0.714136
    const BLUE: i32 = 14_516; // 1.772
    // A difference in 128ths times a weight, less 16 bits, is in sixteenths.
    let weigh = |difference: i16, weight: i32| ((i32::from(difference) * weight) >> 16) as i16;
    let blue = (i16::from(cb) - 128) * 128;
    let red = (i16::from(cr) - 128) * 128;
    let green = -weigh(blue, GREEN[0]) - weigh(red, GREEN[1]);
    [weigh(red, RED), green, weigh(blue, BLUE)]
}

/// A channel of a pixel, 0 to 255, from its luma and its tint.
#[inline(always)]
pub(super) fn level(luma: u8, tint: i16) -> i16 {
    ((i16::from(luma) * 16 + 8 + tint) >> 4).clamp(0, 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(y: u8, cb: u8, cr: u8) -> [u8; 3] {
        tint(cb, cr).map(|tint| u8::try_from(level(y, tint)).unwrap())
    }

    #[test]
    fn colours_are_those_of_jfif() {
        let mut worst = 0.0_f64;
        for y in (0..=255).step_by(3) {
            for cb in (0..=255).step_by(5) {
                for cr in (0..=255).step_by(5) {
                    let colour = pixel(y, cb, cr);
                    let (blue, red) = (f64::from(cb) - 128.0, f64::from(cr) - 128.0);
                    let y = f64::from(y);
                    let expected = [
                        y + 1.402 * red,
                        y - 0.344_136 * blue - 0.714_136 * red,
                        y + 1.772 * blue,
                    ];
                    for (got, expected) in colour.into_iter().zip(expected) {
                        worst = worst.max((f64::from(got) - expected.clamp(0.0, 255.0)).abs());
                    }
                }
            }
        }
        assert!(worst < 0.7, "{worst}");
    }

    #[test]
    fn any_length_is_converted() {
        for pixels in [1, 15, 16, 17, 50] {
            let plane = |step: usize| (0..pixels).map(|i| (i * step) as u8).collect::<Vec<_>>();
            let [y, cb, cr] = [plane(5), plane(3), plane(7)];
            let mut rgb = vec![0; pixels * 3];
            to_rgb([&y, &cb, &cr], &mut rgb);
            for i in 0..pixels {
                assert_eq!(rgb[i * 3..i * 3 + 3], pixel(y[i], cb[i], cr[i]));
            }
            interleave([&y, &cb, &cr], &mut rgb);
            for i in 0..pixels {
                assert_eq!(rgb[i * 3..i * 3 + 3], [y[i], cb[i], cr[i]]);
            }
        }
    }

    #[test]
    fn statistics_are_those_of_the_pixels() {
        let (width, height) = (4499_u32, 5_u32);
        for samples in [(1, 1), (2, 1), (1, 2), (2, 2)] {
            let stride = 4504;
            let plane = |seed: u32, low: u8| -> Vec<u8> {
                let noise = (0..stride * 8)
                    .map(|i: u32| (i * seed).wrapping_mul(2_654_435_761).to_be_bytes()[0]);
                noise.map(|v| low.saturating_add(v % 64)).collect()
            };
            let buffers = [plane(1, 210), plane(5, 97), plane(7, 97)];
            let [luma, cb, cr] = buffers.each_ref().map(|samples| Plane { samples, stride });
            let planes = Planes {
                width,
                height,
                orientation: Orientation::NoTransforms,
                luma,
                chroma: Some([cb, cr]),
                samples,
            };
            let mut rgb = Vec::new();
            for y in 0..height {
                for x in 0..width {
                    let at = (y * stride + x) as usize;
                    let chroma = (y / samples.1 * stride + x / samples.0) as usize;
                    let [y, cb, cr] = [buffers[0][at], buffers[1][chroma], buffers[2][chroma]];
                    rgb.extend(pixel(y, cb, cr));
                }
            }
            let expected = ImageStatistics::from_rgb(&rgb);
            assert!(expected.white_share > 0.01 && expected.white_share < 0.9);
            assert_eq!(planes.statistics(&mut Tints::default()), expected);
            let grey = Planes {
                chroma: None,
                ..planes
            };
            let found = grey.statistics(&mut Tints::default());
            assert!((found.mean_red - found.mean_blue).abs() < f32::EPSILON);
            assert!(found.mean_red > 200.0);
        }
    }
}
