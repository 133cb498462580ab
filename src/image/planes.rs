//! Pictures as JPEG stores them: a plane of luma, and two of chroma at their own resolution.
//!
//! # Source
//! The conversion is that of JFIF, as in libjpeg, to within 1.

use image::metadata::Orientation;

use super::statistics::{ImageStatistics, Totals};

/// Pixels converted side by side.
const LANES: usize = 16;
/// Pixels of a row that are converted and counted at once.
const RUN: usize = 255 * LANES;

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
    pub(super) fn statistics(&self, rows: &mut ChromaRows) -> ImageStatistics {
        let width = self.width as usize;
        let mut totals = Totals::default();
        let mut run = [[0; RUN]; 3];
        for y in 0..self.height {
            let luma = self.luma.row(y, width);
            let Some(chroma) = self.chroma else {
                totals.add_channels([luma; 3]);
                continue;
            };
            let (across, down) = self.samples;
            if y % down == 0 {
                let length = width.div_ceil(across as usize);
                for (row, plane) in rows.0.iter_mut().zip(chroma) {
                    spread(plane.row(y / down, length), across as usize, row);
                }
            }
            let [cb, cr] = rows.0.each_ref().map(|row| &row[..width]);
            for ((luma, cb), cr) in luma.chunks(RUN).zip(cb.chunks(RUN)).zip(cr.chunks(RUN)) {
                let [r, g, b] = &mut run;
                let mut channels = [r, g, b].map(|channel| &mut channel[..luma.len()]);
                to_channels(luma, [cb, cr], &mut channels);
                totals.add_channels(channels.map(|channel| &*channel));
            }
        }
        totals.finish(u64::from(self.width) * u64::from(self.height))
    }
}

/// One row of each plane of chroma, as long as a row of pixels.
#[derive(Debug, Default)]
pub(super) struct ChromaRows([Vec<u8>; 2]);

/// Repeats each sample `times` times.
fn spread(samples: &[u8], times: usize, row: &mut Vec<u8>) {
    row.clear();
    if times == 2 {
        row.resize(samples.len() * 2, 0);
        for (pair, &sample) in row.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
            *pair = [sample; 2];
        }
    } else {
        row.extend_from_slice(samples);
    }
}

/// Converts samples to channels.
///
/// # Shapes
/// All of one length.
fn to_channels(luma: &[u8], [cb, cr]: [&[u8]; 2], channels: &mut [&mut [u8]; 3]) {
    let [r, g, b] = channels;
    let (lumas, luma) = luma.as_chunks();
    let ((cbs, cb), (crs, cr)) = (cb.as_chunks(), cr.as_chunks());
    let ((rs, r), (gs, g), (bs, b)) = (r.as_chunks_mut(), g.as_chunks_mut(), b.as_chunks_mut());
    let from = lumas.iter().zip(cbs).zip(crs);
    for (((to_r, to_g), to_b), ((y, cb), cr)) in rs.iter_mut().zip(gs).zip(bs).zip(from) {
        [*to_r, *to_g, *to_b] = convert(y, cb, cr);
    }
    let [red, green, blue] = convert(&padded(luma), &padded(cb), &padded(cr));
    for (to, from) in [(r, red), (g, green), (b, blue)] {
        to.copy_from_slice(&from[..to.len()]);
    }
}

/// Converts planes of one size to pixels.
///
/// # Shapes
/// Each plane `pixels`, `rgb` `pixels × 3`.
pub(super) fn to_rgb([luma, cb, cr]: [&[u8]; 3], rgb: &mut [u8]) {
    let from = luma
        .chunks(LANES)
        .zip(cb.chunks(LANES))
        .zip(cr.chunks(LANES));
    for (to, ((y, cb), cr)) in rgb.chunks_mut(LANES * 3).zip(from) {
        let [r, g, b] = match (y.try_into(), cb.try_into(), cr.try_into()) {
            (Ok(y), Ok(cb), Ok(cr)) => convert(y, cb, cr),
            _ => convert(&padded(y), &padded(cb), &padded(cr)),
        };
        for (i, pixel) in to.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            *pixel = [r[i], g[i], b[i]];
        }
    }
}

fn padded(samples: &[u8]) -> [u8; LANES] {
    let mut whole = [0; LANES];
    for (to, from) in whole.iter_mut().zip(samples) {
        *to = *from;
    }
    whole
}

/// Converts pixels side by side, in 16 bits: sixteenths of a level, and weights in 8192ths.
#[inline]
fn convert(y: &[u8; LANES], cb: &[u8; LANES], cr: &[u8; LANES]) -> [[u8; LANES]; 3] {
    const RED: i32 = 11_485; // 1.402
    const GREEN: [i32; 2] = [2_819, 5_850]; // 0.344136, 0.714136
    const BLUE: i32 = 14_516; // 1.772
    // A difference in 128ths times a weight, less 16 bits, is in sixteenths.
    let weigh = |difference: i16, weight: i32| ((i32::from(difference) * weight) >> 16) as i16;
    let narrow = |value: i16| (value >> 4).clamp(0, 255) as u8;
    let mut out = [[0; LANES]; 3];
    for i in 0..LANES {
        let level = i16::from(y[i]) * 16 + 8;
        let blue = (i16::from(cb[i]) - 128) * 128;
        let red = (i16::from(cr[i]) - 128) * 128;
        out[0][i] = narrow(level + weigh(red, RED));
        out[1][i] = narrow(level - weigh(blue, GREEN[0]) - weigh(red, GREEN[1]));
        out[2][i] = narrow(level + weigh(blue, BLUE));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_jfif() {
        let mut worst = 0.0_f64;
        for y in (0..=255).step_by(3) {
            for cb in (0..=255).step_by(5) {
                for cr in (0..=255).step_by(5) {
                    let [r, g, b] = convert(&[y; LANES], &[cb; LANES], &[cr; LANES]);
                    let (blue, red) = (f64::from(cb) - 128.0, f64::from(cr) - 128.0);
                    let y = f64::from(y);
                    let expected = [
                        y + 1.402 * red,
                        y - 0.344_136 * blue - 0.714_136 * red,
                        y + 1.772 * blue,
                    ];
                    for (got, expected) in [r, g, b].iter().zip(expected) {
                        assert_eq!(*got, [got[0]; LANES]);
                        worst = worst.max((f64::from(got[0]) - expected.clamp(0.0, 255.0)).abs());
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
            let mut channels = [vec![0; pixels], vec![0; pixels], vec![0; pixels]];
            to_channels(
                &y,
                [&cb, &cr],
                &mut channels.each_mut().map(Vec::as_mut_slice),
            );
            for i in 0..pixels {
                let [r, g, b] = convert(&[y[i]; LANES], &[cb[i]; LANES], &[cr[i]; LANES]);
                assert_eq!(rgb[i * 3..i * 3 + 3], [r[0], g[0], b[0]]);
                assert_eq!(
                    channels.each_ref().map(|channel| channel[i]),
                    [r[0], g[0], b[0]]
                );
            }
        }
    }

    #[test]
    fn statistics_are_those_of_the_pixels() {
        let (width, height) = (4500_u32, 5_u32);
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
                    rgb.extend(convert(&[y; LANES], &[cb; LANES], &[cr; LANES]).map(|c| c[0]));
                }
            }
            let expected = ImageStatistics::from_rgb(&rgb);
            assert!(expected.white_share > 0.01 && expected.white_share < 0.9);
            assert_eq!(planes.statistics(&mut ChromaRows::default()), expected);
            let grey = Planes {
                chroma: None,
                ..planes
            };
            let found = grey.statistics(&mut ChromaRows::default());
            assert!((found.mean_red - found.mean_blue).abs() < f32::EPSILON);
            assert!(found.mean_red > 200.0);
        }
    }
}
