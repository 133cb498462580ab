//! Per-image statistics for the report: share of near-white pixels and mean of each channel.
//!
//! Sums are integers, so the result does not depend on the order of summation or on the CPU.

#![expect(
    clippy::inline_always,
    reason = "compiled into each of the functions that `vectors::run` picks from"
)]

use super::planes::level;

/// Lowest value of all three channels of a near-white pixel.
const NEAR_WHITE: u8 = 240;
/// Bytes summed side by side: a multiple of 3 (channels) and of 16 (vector registers).
const LANES: usize = 48;
/// Pixels summed side by side where their channels stand apart.
const WIDE: usize = 16;
/// Blocks before the small accumulators would overflow: 255 × 255 fits `u16`, 255 × 1 fits `u8`.
const BLOCKS_PER_RUN: usize = 255;

/// Statistics of one image, over the whole source as decoded: before the margin is cut off (the
/// white border is what the report looks at) and before resizing, with alpha laid over white. Of a JPEG, pixels that share a
/// sample of chroma have it as it is: the share differs from that with interpolated chroma by up to 0.005, a mean by up to 0.4.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ImageStatistics {
    /// Share of pixels whose three channels are all at least 240.
    ///
    /// # Units
    /// 0 to 1.
    pub white_share: f32,
    /// Mean of the red channel.
    ///
    /// # Units
    /// 0 to 255.
    pub mean_red: f32,
    /// Mean of the green channel, 0 to 255.
    pub mean_green: f32,
    /// Mean of the blue channel, 0 to 255.
    pub mean_blue: f32,
}

impl ImageStatistics {
    /// Computes the statistics of RGB pixels in one pass; all zero where there are none.
    ///
    /// # Shapes
    /// `rgb`: `pixels × 3`; an incomplete last pixel is left out.
    #[must_use]
    pub fn from_rgb(rgb: &[u8]) -> Self {
        let pixels = rgb.len() / 3;
        if pixels == 0 {
            return Self::default();
        }
        let mut totals = Totals::default();
        let mut rest = rgb;
        while let Some(blocks) = blocks_with_lookahead(rest) {
            totals.add_run(&rest[..blocks * LANES + 2]);
            rest = &rest[blocks * LANES..];
        }
        for pixel in rest.as_chunks::<3>().0 {
            totals.add_pixel(*pixel);
        }
        totals.finish(pixels as u64)
    }
}

/// Number of blocks that one run may take, each followed by at least 2 more bytes.
fn blocks_with_lookahead(rgb: &[u8]) -> Option<usize> {
    let blocks = rgb.len().checked_sub(2)? / LANES;
    (blocks > 0).then_some(blocks.min(BLOCKS_PER_RUN))
}

/// Sums over pixels.
#[derive(Default)]
pub(super) struct Totals {
    channels: [u64; 3],
    white: u64,
}

impl Totals {
    /// Sums each byte position of the blocks on its own: loops of a fixed length over bytes, which
    /// the compiler turns into vector instructions (a loop over pixels it does not).
    ///
    /// # Shapes
    /// `run`: at most [`BLOCKS_PER_RUN`] blocks and 2 bytes more.
    fn add_run(&mut self, run: &[u8]) {
        let mut sums = [0_u16; LANES];
        let mut whites = [0_u8; LANES];
        for window in run.windows(LANES + 2).step_by(LANES) {
            for i in 0..LANES {
                sums[i] += u16::from(window[i]);
                // Only every third position starts a pixel; the others are dropped below.
                let darkest = window[i].min(window[i + 1]).min(window[i + 2]);
                whites[i] += u8::from(darkest >= NEAR_WHITE);
            }
        }
        for (i, &sum) in sums.iter().enumerate() {
            self.channels[i % 3] += u64::from(sum);
        }
        self.white += whites.iter().step_by(3).map(|&w| u64::from(w)).sum::<u64>();
    }

    /// Adds a row of pixels, given as luma and what chroma adds to each channel of it.
    ///
    /// # Shapes
    /// All of one length.
    #[inline(always)]
    pub(super) fn add_tinted(&mut self, luma: &[u8], tints: [&[i16]; 3]) {
        let (lumas, luma) = luma.as_chunks::<WIDE>();
        let [red, green, blue] = tints.map(|tints| tints.as_chunks::<WIDE>());
        let mut blocks = lumas.iter().zip(red.0).zip(green.0).zip(blue.0);
        while blocks.len() > 0 {
            let mut run = Run::default();
            for (((luma, red), green), blue) in blocks.by_ref().take(BLOCKS_PER_RUN) {
                run.add(luma, [red, green, blue]);
            }
            self.add(&run);
        }
        // Black pixels add nothing.
        let mut run = Run::default();
        let [red, green, blue] = [red.1, green.1, blue.1].map(padded);
        run.add(&padded(luma), [&red, &green, &blue]);
        self.add(&run);
    }

    fn add(&mut self, run: &Run) {
        for (total, sums) in self.channels.iter_mut().zip(&run.sums) {
            *total += sums.iter().map(|&sum| u64::from(sum)).sum::<u64>();
        }
        self.white += run.whites.iter().map(|&sum| u64::from(sum)).sum::<u64>();
    }

    fn add_pixel(&mut self, pixel: [u8; 3]) {
        for (total, value) in self.channels.iter_mut().zip(pixel) {
            *total += u64::from(value);
        }
        self.white += u64::from(pixel.iter().all(|&v| v >= NEAR_WHITE));
    }

    /// Divides by the number of pixels.
    pub(super) fn finish(&self, pixels: u64) -> ImageStatistics {
        let share = |sum: u64| (sum as f64 / pixels as f64) as f32;
        ImageStatistics {
            white_share: share(self.white),
            mean_red: share(self.channels[0]),
            mean_green: share(self.channels[1]),
            mean_blue: share(self.channels[2]),
        }
    }
}

/// Sums over at most [`BLOCKS_PER_RUN`] blocks of pixels side by side.
#[derive(Default)]
struct Run {
    sums: [[u16; WIDE]; 3],
    whites: [u16; WIDE],
}

impl Run {
    #[inline(always)]
    fn add(&mut self, luma: &[u8; WIDE], tints: [&[i16; WIDE]; 3]) {
        for i in 0..WIDE {
            let channels = tints.map(|tints| level(luma[i], tints[i]));
            let darkest = channels[0].min(channels[1]).min(channels[2]);
            for (sums, channel) in self.sums.iter_mut().zip(channels) {
                sums[i] += channel.cast_unsigned();
            }
            self.whites[i] += u16::from(darkest >= i16::from(NEAR_WHITE));
        }
    }
}

#[inline(always)]
fn padded<T: Copy + Default>(values: &[T]) -> [T; WIDE] {
    let mut whole = [T::default(); WIDE];
    for (to, from) in whole.iter_mut().zip(values) {
        *to = *from;
    }
    whole
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "integer sums make the results exact")]
mod tests {
    use super::*;

    #[test]
    fn counts_white_and_means_by_hand() {
        let rgb = [
            240, 240, 240, 255, 255, 239, 0, 10, 20, 255, 250, 245, 5, 5, 5, 100, 200, 50,
        ];
        let s = ImageStatistics::from_rgb(&rgb);
        assert_eq!(s.white_share, 2.0 / 6.0);
        assert_eq!(s.mean_red, 855.0 / 6.0);
        assert_eq!(s.mean_green, 960.0 / 6.0);
        assert_eq!(s.mean_blue, 799.0 / 6.0);
    }

    #[test]
    fn runs_and_rest_agree_with_a_plain_loop() {
        for pixels in [1, 15, 16, 17, 255 * 16, 255 * 16 + 1, 3 * 255 * 16 + 7] {
            let rgb: Vec<u8> = (0..pixels * 3_u32)
                .map(|i| {
                    let noise = i.wrapping_mul(2_654_435_761).to_be_bytes()[0];
                    noise | if i % 7 < 4 { 0xF0 } else { 0 }
                })
                .collect();
            let mut plain = Totals::default();
            for pixel in rgb.as_chunks::<3>().0 {
                plain.add_pixel(*pixel);
            }
            assert!(plain.white > 0 || pixels == 1);
            let plain = plain.finish(u64::from(pixels));
            assert_eq!(ImageStatistics::from_rgb(&rgb), plain, "{pixels}");
        }
    }

    #[test]
    fn all_white_does_not_overflow() {
        let s = ImageStatistics::from_rgb(&vec![255; 500 * 500 * 3]);
        assert_eq!(
            (s.white_share, s.mean_red, s.mean_blue),
            (1.0, 255.0, 255.0)
        );
        assert_eq!(ImageStatistics::from_rgb(&[]), ImageStatistics::default());
    }
}
