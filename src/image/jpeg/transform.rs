//! Coefficients of a block → its 64 samples.
//!
//! The inverse cosine transform in `f32`, rows before columns. Rows are sums over the coefficients that are there (a
//! photo for the web has about seven in 64), columns are the butterflies of Arai, Agui and Nakajima over eight
//! columns side by side: loops of a fixed length, which the compiler turns into vector instructions.
//!
//! # Source
//! Without fused operations the result is the same on every CPU; it differs from the integer transform of libjpeg (`islow`) by at
//! most 1.

#![expect(
    clippy::inline_always,
    reason = "called for each coefficient or pixel, from loops that are compiled once for each use"
)]

use std::array::from_fn;
use std::f32::consts::SQRT_2;
use std::sync::LazyLock;

/// Place in the block, row by row, of the coefficients in the order in which they are stored.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Added to a number in 0 to 255, leaves it rounded in the lowest byte of the float: 2^23.
const ROUND: f32 = 8_388_608.0;

/// For each frequency, [`cosine`] at each place.
static COSINES: LazyLock<[[f64; 8]; 8]> =
    LazyLock::new(|| from_fn(|u| from_fn(|x| cosine(u as u8, x as u8))));

/// For each frequency, [`column_scale`].
static SCALES: LazyLock<[f64; 8]> = LazyLock::new(|| from_fn(|v| column_scale(v as u8)));

/// Makes the samples positive, and rounds a half up as libjpeg does: a level alone is often just between two values.
const SHIFT: f32 = 128.0 + 1.0 / 1024.0;

type Lanes = [f32; 8];

/// What one unit of each coefficient adds to its row, for one quantisation table.
pub(super) struct Transform {
    rows: Box<[Lanes; 64]>,
    /// What one unit of the first coefficient adds to each sample, where it is alone.
    flat: f32,
}

impl Transform {
    /// Prepares the transform for a quantisation table in zigzag order.
    pub(super) fn new(table: &[u16; 64]) -> Self {
        let mut rows = Box::new([[0.0; 8]; 64]);
        for ((row, &place), &step) in rows.iter_mut().zip(&ZIGZAG).zip(table) {
            let scale = f64::from(step) * SCALES[usize::from(place / 8)];
            for (value, cosine) in row.iter_mut().zip(&COSINES[usize::from(place % 8)]) {
                *value = (scale * cosine) as f32;
            }
        }
        let flat = f32::from(table[0]) / 8.0;
        Self { rows, flat }
    }

    /// Transforms one block into eight rows of `out`, each `stride` after the other.
    ///
    /// Only the coefficients whose bit is in `mask` are looked at.
    #[inline(always)]
    pub(super) fn block(&self, coefficients: &[i16; 64], mask: u64, out: &mut [u8], stride: usize) {
        if mask <= 1 {
            let level = f32::from(coefficients[0]) * self.flat * mask as f32;
            let row = to_bytes(&[level; 8]);
            return write(out, stride, &[row; 8]);
        }
        let mut block = [[0.0; 8]; 8];
        let mut rest = mask;
        while rest != 0 {
            let k = rest.trailing_zeros() as usize & 63;
            rest &= rest - 1;
            let value = f32::from(coefficients[k]);
            let row = &mut block[usize::from(ZIGZAG[k] >> 3) & 7];
            for (sum, part) in row.iter_mut().zip(&self.rows[k]) {
                *sum += value * part;
            }
        }
        let samples = columns(&block);
        let mut rows = [[0; 8]; 8];
        for (row, samples) in rows.iter_mut().zip(&samples) {
            *row = to_bytes(samples);
        }
        write(out, stride, &rows);
    }
}

/// Level shift, clamp and round.
#[inline(always)]
fn to_bytes(row: &Lanes) -> [u8; 8] {
    let mut bytes = [0; 8];
    for (byte, &value) in bytes.iter_mut().zip(row) {
        let value = value + SHIFT;
        let value = if value > 0.0 { value } else { 0.0 };
        let value = if value < 255.0 { value } else { 255.0 };
        *byte = (value + ROUND).to_bits() as u8;
    }
    bytes
}

#[inline(always)]
fn write(out: &mut [u8], stride: usize, rows: &[[u8; 8]; 8]) {
    for (to, row) in out.chunks_mut(stride).zip(rows) {
        if let Some(to) = to.first_chunk_mut() {
            *to = *row;
        }
    }
}

#[inline(always)]
fn zip(a: Lanes, b: Lanes, with: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut out = [0.0; 8];
    for i in 0..8 {
        out[i] = with(a[i], b[i]);
    }
    out
}

/// The transform of eight columns side by side, but for the factors of [`column_scale`].
#[inline(always)]
fn columns(rows: &[Lanes; 8]) -> [Lanes; 8] {
    let add = |a, b| zip(a, b, |a, b| a + b);
    let sub = |a, b| zip(a, b, |a, b| a - b);
    let [r0, r1, r2, r3, r4, r5, r6, r7] = *rows;
    let (e10, e11) = (add(r0, r4), sub(r0, r4));
    let e13 = add(r2, r6);
    let e12 = zip(sub(r2, r6), e13, |d, s| d * SQRT_2 - s);
    let (e0, e3) = (add(e10, e13), sub(e10, e13));
    let (e1, e2) = (add(e11, e12), sub(e11, e12));
    let (z13, z10) = (add(r5, r3), sub(r5, r3));
    let (z11, z12) = (add(r1, r7), sub(r1, r7));
    let o7 = add(z11, z13);
    let z5 = zip(z10, z12, |a, b| (a + b) * 1.847_759_1);
    let o10 = zip(z5, z12, |s, z| s - z * 1.082_392_2);
    let o12 = zip(z5, z10, |s, z| s - z * 2.613_126);
    let o6 = sub(o12, o7);
    let o5 = zip(zip(z11, z13, |a, b| (a - b) * SQRT_2), o6, |a, b| a - b);
    let o4 = sub(o10, o5);
    [
        add(e0, o7),
        add(e1, o6),
        add(e2, o5),
        add(e3, o4),
        sub(e3, o4),
        sub(e2, o5),
        sub(e1, o6),
        sub(e0, o7),
    ]
}

/// Weight of frequency `u` at place `x`, of the orthonormal transform.
fn cosine(u: u8, x: u8) -> f64 {
    let angle = f64::from((2 * x + 1) * u) * std::f64::consts::PI / 16.0;
    let scale = if u == 0 { 0.5_f64.sqrt() } else { 1.0 };
    angle.cos() * scale / 2.0
}

/// What [`columns`] leaves out for frequency `v`.
fn column_scale(v: u8) -> f64 {
    let angle = f64::from(v) * std::f64::consts::PI / 16.0;
    let scale = if v == 0 {
        1.0
    } else {
        angle.cos() * 2.0_f64.sqrt()
    };
    scale / 8.0_f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, in `f64`.
    fn plain(coefficients: &[i16; 64], table: &[u16; 64]) -> [u8; 64] {
        let mut samples = [0; 64];
        for (place, sample) in (0_u8..).zip(&mut samples) {
            let (y, x) = (place / 8, place % 8);
            let mut sum = 128.0;
            for k in 0..64 {
                let (v, u) = (ZIGZAG[k] / 8, ZIGZAG[k] % 8);
                let value = f64::from(coefficients[k]) * f64::from(table[k]);
                sum += value * cosine(v, y) * cosine(u, x);
            }
            *sample = sum.round().clamp(0.0, 255.0) as u8;
        }
        samples
    }

    fn noise(seed: u32) -> impl Iterator<Item = u32> {
        (0..).scan(seed, |state: &mut u32, _: u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(*state >> 16)
        })
    }

    #[test]
    fn equals_the_definition() {
        let mut random = noise(7);
        let mut next = |below: u32| random.next().unwrap() % below;
        for coefficients_there in [0, 1, 2, 7, 30, 64] {
            for _ in 0..50 {
                let table: [u16; 64] = std::array::from_fn(|_| 1 + next(40) as u16);
                let mut coefficients = [i16::MAX; 64];
                let mut mask = 0_u64;
                for _ in 0..coefficients_there {
                    mask |= 1 << next(64);
                }
                let mut seen = [0; 64];
                for k in 0..64 {
                    if mask >> k & 1 == 1 {
                        coefficients[k] = next(41) as i16 - 20;
                        seen[k] = coefficients[k];
                    }
                }
                let mut out = [77; 8 * 20];
                Transform::new(&table).block(&coefficients, mask, &mut out, 20);
                let expected = plain(&seen, &table);
                for (row, expected) in out.chunks(20).zip(expected.chunks(8)) {
                    let worst = row.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
                    assert!(worst.max().unwrap() <= 1, "{row:?} {expected:?}");
                    assert_eq!(row[8..], [77; 12]);
                }
            }
        }
    }

    #[test]
    fn halves_are_rounded_up() {
        let mut coefficients = [0; 64];
        for (level, expected) in [(1, 129), (3, 130), (-1, 128), (-3, 127)] {
            coefficients[0] = level;
            let mut out = [0; 64];
            Transform::new(&[4; 64]).block(&coefficients, 1, &mut out, 8);
            assert_eq!(out, [expected; 64]);
        }
    }

    #[test]
    fn extremes_are_clamped() {
        let mut out = [0; 64];
        let transform = Transform::new(&[u16::MAX; 64]);
        for value in [i16::MAX, i16::MIN] {
            let mut coefficients = [0; 64];
            coefficients[0] = value;
            let expected = if value > 0 { 255 } else { 0 };
            for mask in [1, 3] {
                transform.block(&coefficients, mask, &mut out, 8);
                assert_eq!(out, [expected; 64]);
            }
        }
        Transform::new(&[u16::MAX; 64]).block(&[i16::MAX; 64], u64::MAX, &mut out, 8);
    }
}
