//! Resizes a plane of 8-bit samples, antialiased when shrinking.
//!
//! Two passes, rows and then columns, each a sum of whole rows side by side, so that both run on vectors: between them, and
//! at the end, the picture is turned on its diagonal in blocks of 16×16. Weights are `f32`, and each pass rounds to 8 bits.
//!
//! # Source
//! Kernels, their support and the weights at the edges are those of Pillow's `Image.resize(box=…)` (`Resample.c`), which
//! goes columns first: of two roundings the results may differ by 1.

#![expect(
    clippy::inline_always,
    reason = "compiled into each of the functions that `vectors::run` picks from"
)]

use super::prepare::Filter;
use super::vectors;
use std::f64::consts::PI;

/// What rows of the result are a whole number of: not to leave vectors half full.
const LANES: usize = 32;
/// Edge of the blocks that are transposed.
const TILE: usize = 16;
/// Axes whose weights are kept: pictures of a catalogue are mostly of one size.
const KEEP_AXES: usize = 8;
/// Bytes of a buffer kept for the next picture.
const KEEP_BYTES: usize = 4 << 20;
/// Lifts a half, and what is a half but for the error of the sum, above it.
const HALF_UP: f32 = 1.0 / 1024.0;
/// Added to a number in 0 to 255, leaves it rounded in the lowest byte of the float: 2^23.
const ROUND: f32 = 8_388_608.0;

/// A part of an edge of a plane, to be resized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// First sample that may be looked at.
    pub(super) first: u32,
    /// Samples that may be looked at.
    pub(super) samples: u32,
    /// Where the part begins, in samples after the first.
    pub(super) start: f64,
    /// Its length in samples.
    pub(super) length: f64,
}

/// Resizes planes to squares, one after the other, into buffers of its own.
#[derive(Debug)]
pub(super) struct Resampler {
    axes: Vec<(Part, Filter, Axis)>,
    buffers: Buffers,
}

impl Resampler {
    /// Creates a resampler to squares of `size`.
    pub(super) fn new(size: u32) -> Self {
        Self {
            axes: Vec::new(),
            buffers: Buffers {
                size: size as usize,
                rows: Vec::new(),
                turned: Vec::new(),
                sums: Vec::new(),
            },
        }
    }

    /// Length of a row of the result: `size`, and samples that mean nothing.
    pub(super) fn stride(&self) -> usize {
        self.buffers.stride()
    }

    /// Resizes a part of a plane whose rows are `stride` long, to `size` rows of [`Self::stride`].
    ///
    /// # Panics
    /// Where the plane does not hold the part.
    pub(super) fn resize(
        &mut self,
        (plane, stride): (&[u8], usize),
        [columns, rows]: [Part; 2],
        filter: Filter,
        out: &mut Vec<u8>,
    ) {
        let [across, down] = self.axes([columns, rows], filter);
        let at = rows.first as usize * stride + columns.first as usize;
        let wide = (columns.samples as usize).next_multiple_of(LANES);
        self.buffers.shrink();
        vectors::run(
            #[inline(always)]
            || {
                let from = (&plane[at..], stride, columns.samples as usize);
                self.buffers.add_rows(from, &self.axes[down].2, wide);
                self.buffers.add_columns(&self.axes[across].2, wide, out);
            },
        );
    }

    /// Resizes a part of pixels whose rows are `width` long, to a plane for each channel like those of [`Self::resize`].
    ///
    /// # Panics
    /// Where the pixels do not hold the part.
    pub(super) fn resize_rgb(
        &mut self,
        (pixels, width): (&[u8], usize),
        [columns, rows]: [Part; 2],
        filter: Filter,
        out: &mut [Vec<u8>; 3],
    ) {
        let [across, down] = self.axes([columns, rows], filter);
        let at = (rows.first as usize * width + columns.first as usize) * 3;
        let wide = (columns.samples as usize).next_multiple_of(LANES);
        self.buffers.shrink();
        vectors::run(
            #[inline(always)]
            || {
                // A row of pixels is a row of three times as many samples.
                let from = (&pixels[at..], width * 3, columns.samples as usize * 3);
                self.buffers.add_rows(from, &self.axes[down].2, wide * 3);
                let mixed = std::mem::take(&mut self.buffers.rows);
                for (channel, out) in out.iter_mut().enumerate() {
                    self.buffers.rows.resize(mixed.len() / 3, 0);
                    let pixels = mixed.as_chunks::<3>().0;
                    for (sample, pixel) in self.buffers.rows.iter_mut().zip(pixels) {
                        *sample = pixel[channel];
                    }
                    self.buffers.add_columns(&self.axes[across].2, wide, out);
                }
            },
        );
    }

    /// Finds the weights of two parts, or computes them.
    fn axes(&mut self, parts: [Part; 2], filter: Filter) -> [usize; 2] {
        if self.axes.len() + parts.len() > KEEP_AXES {
            self.axes.clear();
        }
        let size = self.buffers.size;
        parts.map(|part| {
            let known = |axis: &(Part, Filter, Axis)| axis.0 == part && axis.1 == filter;
            let at = self.axes.iter().position(known);
            at.unwrap_or_else(|| {
                self.axes
                    .push((part, filter, Axis::new(part, size, filter)));
                self.axes.len() - 1
            })
        })
    }
}

/// What lies between two passes.
#[derive(Debug)]
struct Buffers {
    size: usize,
    rows: Vec<u8>,
    turned: Vec<u8>,
    sums: Vec<f32>,
}

impl Buffers {
    fn stride(&self) -> usize {
        self.size.next_multiple_of(LANES)
    }

    /// Rows up to a whole number of tiles are turned with the others.
    fn high(&self) -> usize {
        self.size.next_multiple_of(TILE)
    }

    /// The first pass.
    #[inline(always)]
    fn add_rows(&mut self, from: (&[u8], usize, usize), down: &Axis, wide: usize) {
        self.rows.resize(wide * self.high(), 0);
        sum_rows(from, down, (&mut self.rows, wide), &mut self.sums);
    }

    /// The second pass, over what the first one left.
    #[inline(always)]
    fn add_columns(&mut self, across: &Axis, wide: usize, out: &mut Vec<u8>) {
        let (stride, high) = (self.stride(), self.high());
        self.turned.resize(wide * stride, 0);
        transpose(&self.rows, wide, &mut self.turned, stride);
        // What were columns are rows now; the picture lies on its diagonal.
        self.rows.resize(stride * high, 0);
        let from = (&*self.turned, stride, self.size);
        sum_rows(from, across, (&mut self.rows, stride), &mut self.sums);
        out.resize(stride * stride, 0);
        transpose(&self.rows, stride, out, stride);
        out.truncate(stride * self.size);
    }

    /// Gives the memory of a huge picture back.
    fn shrink(&mut self) {
        for buffer in [&mut self.rows, &mut self.turned] {
            buffer.truncate(KEEP_BYTES);
            buffer.shrink_to(KEEP_BYTES);
        }
    }
}

/// What each sample of the result is the sum of.
#[derive(Debug)]
struct Axis {
    /// For each, the first sample and where its weights begin; one more at the end.
    windows: Vec<(usize, usize)>,
    weights: Vec<f32>,
}

impl Axis {
    fn new(part: Part, size: usize, filter: Filter) -> Self {
        let scale = part.length / size as f64;
        // Shrinking, the kernel is as wide as what it stands for.
        let widened = scale.max(1.0);
        let support = support(filter) * widened;
        let mut axis = Self {
            windows: Vec::with_capacity(size + 1),
            weights: Vec::new(),
        };
        for place in 0..size {
            let center = part.start + (place as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as u32;
            let end = ((center + support + 0.5) as u32).min(part.samples);
            let first = first.min(end.saturating_sub(1));
            let weight = |sample: u32| kernel(filter, (f64::from(sample) - center + 0.5) / widened);
            let sum: f64 = (first..end).map(weight).sum();
            axis.windows.push((first as usize, axis.weights.len()));
            let weights = (first..end).map(|sample| (weight(sample) / sum) as f32);
            axis.weights.extend(weights);
        }
        axis.windows.push((0, axis.weights.len()));
        axis
    }

    fn windows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let pairs = self.windows.windows(2);
        pairs.map(|pair| (pair[0].0, &self.weights[pair[0].1..pair[1].1]))
    }
}

/// Makes each row of `out` from some rows of `from`, `length` samples of each.
#[inline(always)]
fn sum_rows(
    (from, stride, length): (&[u8], usize, usize),
    axis: &Axis,
    (out, out_stride): (&mut [u8], usize),
    sums: &mut Vec<f32>,
) {
    for ((first, weights), out) in axis.windows().zip(out.chunks_exact_mut(out_stride)) {
        let out = &mut out[..length];
        let rows = &from[first * stride..];
        // Written out for the usual numbers of rows, which keeps their sum in a register.
        match *weights {
            [a] => sum(rows, stride, [a], out),
            [a, b] => sum(rows, stride, [a, b], out),
            [a, b, c] => sum(rows, stride, [a, b, c], out),
            [a, b, c, d] => sum(rows, stride, [a, b, c, d], out),
            _ => sum_many(rows, stride, weights, sums, out),
        }
    }
}

/// A weighted sum of a few rows.
#[inline(always)]
fn sum<const ROWS: usize>(from: &[u8], stride: usize, weights: [f32; ROWS], out: &mut [u8]) {
    let length = out.len();
    let rows: [&[u8]; ROWS] = std::array::from_fn(|row| &from[row * stride..][..length]);
    for (x, out) in out.iter_mut().enumerate() {
        let mut sum = 0.0;
        for (row, weight) in rows.iter().zip(weights) {
            sum += f32::from(row[x]) * weight;
        }
        *out = round(sum);
    }
}

/// A weighted sum of any number of rows.
#[inline(always)]
fn sum_many(from: &[u8], stride: usize, weights: &[f32], sums: &mut Vec<f32>, out: &mut [u8]) {
    sums.clear();
    sums.resize(out.len(), 0.0);
    for (row, weight) in weights.iter().enumerate() {
        for (sum, &sample) in sums.iter_mut().zip(&from[row * stride..]) {
            *sum += f32::from(sample) * weight;
        }
    }
    for (out, &sum) in out.iter_mut().zip(&*sums) {
        *out = round(sum);
    }
}

#[inline(always)]
fn round(sum: f32) -> u8 {
    let sum = sum + HALF_UP;
    let sum = if sum > 0.0 { sum } else { 0.0 };
    let sum = if sum < 255.0 { sum } else { 255.0 };
    (sum + ROUND).to_bits() as u8
}

/// Turns a picture on its diagonal.
///
/// # Shapes
/// Both strides, and the rows of each, are whole tiles.
#[inline(always)]
fn transpose(from: &[u8], from_stride: usize, to: &mut [u8], to_stride: usize) {
    for (y, rows) in from.chunks_exact(from_stride * TILE).enumerate() {
        for x in 0..from_stride / TILE {
            let mut tile = [[0; TILE]; TILE];
            for (tile, row) in tile.iter_mut().zip(rows.chunks_exact(from_stride)) {
                *tile = row.as_chunks().0[x];
            }
            let tile = transpose_tile(tile);
            let rows = to[x * TILE * to_stride..].chunks_mut(to_stride);
            for (tile, row) in tile.iter().zip(rows) {
                row.as_chunks_mut().0[y] = *tile;
            }
        }
    }
}

/// Four times, each row is interleaved with the one eight rows below.
#[inline(always)]
fn transpose_tile(mut tile: [[u8; TILE]; TILE]) -> [[u8; TILE]; TILE] {
    for _ in 0..4 {
        let before = tile;
        for i in 0..TILE / 2 {
            let (above, below) = (before[i], before[i + TILE / 2]);
            for k in 0..TILE / 2 {
                tile[2 * i][2 * k] = above[k];
                tile[2 * i][2 * k + 1] = below[k];
                tile[2 * i + 1][2 * k] = above[k + TILE / 2];
                tile[2 * i + 1][2 * k + 1] = below[k + TILE / 2];
            }
        }
    }
    tile
}

/// How far a kernel reaches.
fn support(filter: Filter) -> f64 {
    match filter {
        Filter::Box => 0.5,
        Filter::Bilinear | Filter::Hamming => 1.0,
        Filter::Bicubic => 2.0,
        Filter::Lanczos => 3.0,
    }
}

fn kernel(filter: Filter, x: f64) -> f64 {
    let sinc = |x: f64| {
        if x == 0.0 {
            1.0
        } else {
            (x * PI).sin() / (x * PI)
        }
    };
    let distance = x.abs();
    if distance > support(filter) {
        return 0.0;
    }
    match filter {
        // Half open, so that a sample between two belongs to one.
        Filter::Box => f64::from(u8::from(x > -0.5)),
        Filter::Bilinear => 1.0 - distance,
        Filter::Hamming => sinc(x) * (0.54 + 0.46 * (x * PI).cos()),
        // Keys, a = -1/2.
        Filter::Bicubic if distance < 1.0 => (1.5 * distance - 2.5) * distance * distance + 1.0,
        Filter::Bicubic => ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0,
        Filter::Lanczos => sinc(x) * sinc(x / 3.0),
    }
}
