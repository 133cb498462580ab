//! Crop and resize, antialiased when shrinking.
//!
//! # Invariants
//! The crop is a view, never a copy, and the filter does not look past its edge (chroma of half resolution: past the sample
//! on the edge).

use super::decode::DecodedImage;
use super::planes::{self, Plane, Planes};
use super::prepare::Filter;
use super::resample::{Part, Resampler};

/// Crops and resizes, with the resampler's buffers.
#[derive(Debug)]
pub(super) struct Scaler {
    margin: f64,
    size: u32,
    filter: Filter,
    resampler: Resampler,
    planes: [Vec<u8>; 3],
}

/// A part of an edge, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    start: u32,
    length: u32,
}

impl Scaler {
    /// Creates a scaler to squares of `size`.
    pub(super) fn new(margin: f64, size: u32, filter: Filter) -> Self {
        Self {
            margin,
            size,
            filter,
            resampler: Resampler::new(size),
            planes: Default::default(),
        }
    }

    /// Scales pixels.
    pub(super) fn scale(&mut self, source: &DecodedImage<'_>) -> Vec<u8> {
        let parts = [source.width, source.height].map(|edge| self.span(edge).part(1));
        let from = (source.rgb, source.width as usize);
        self.resampler
            .resize_rgb(from, parts, self.filter, &mut self.planes);
        self.finish(planes::interleave)
    }

    /// Scales planes, each from its own resolution, and then computes the colours of the result alone.
    pub(super) fn scale_planes(&mut self, source: &Planes<'_>) -> Vec<u8> {
        let mut buffers = std::mem::take(&mut self.planes);
        let [luma, cb, cr] = &mut buffers;
        let spans = [source.width, source.height].map(|edge| self.span(edge));
        self.scale_plane(source.luma, spans, (1, 1), luma);
        for (plane, to) in source.chroma.iter().flatten().zip([cb, cr]) {
            self.scale_plane(*plane, spans, source.samples, to);
        }
        self.planes = buffers;
        if source.chroma.is_some() {
            return self.finish(planes::to_rgb);
        }
        self.finish(|[luma, ..], row| planes::interleave([luma; 3], row))
    }

    /// Scales the part of a plane that belongs to a part of the picture.
    fn scale_plane(
        &mut self,
        plane: Plane<'_>,
        [columns, rows]: [Span; 2],
        (h, v): (u32, u32),
        to: &mut Vec<u8>,
    ) {
        let parts = [columns.part(h), rows.part(v)];
        // A box would repeat samples that several pixels share.
        let is_enlarged = (h, v) != (1, 1) && parts[0].length < f64::from(self.size);
        let filter = match self.filter {
            Filter::Box if is_enlarged => Filter::Bilinear,
            filter => filter,
        };
        let from = (plane.samples, plane.stride as usize);
        self.resampler.resize(from, parts, filter, to);
    }

    /// Makes pixels of the rows of the planes.
    fn finish(&self, make: impl Fn([&[u8]; 3], &mut [u8])) -> Vec<u8> {
        let (size, stride) = (self.size as usize, self.resampler.stride());
        let mut pixels = vec![0; size * size * 3];
        for (y, row) in pixels.chunks_exact_mut(size * 3).enumerate() {
            let from = y * stride..y * stride + size;
            make(
                self.planes
                    .each_ref()
                    .map(|plane| plane.get(from.clone()).unwrap_or_default()),
                row,
            );
        }
        pixels
    }

    fn span(&self, edge: u32) -> Span {
        Span::cropped(edge, self.margin)
    }
}

impl Span {
    /// What is left of an edge of at least one pixel.
    fn cropped(edge: u32, margin: f64) -> Self {
        // The margin came as f32: 0.35 is 0.34999999. A thousandth of a pixel makes 35 of 100 of it.
        const TOLERANCE: f64 = 1e-3;
        let wanted = (f64::from(edge) * margin + TOLERANCE) as u32;
        let start = wanted.min(edge.saturating_sub(1) / 2);
        let length = edge - 2 * start;
        Self { start, length }
    }

    /// The samples that these pixels have, one for each `each` of them. The part can start or end within a sample.
    fn part(self, each: u32) -> Part {
        let first = self.start / each;
        let samples = (self.start + self.length).div_ceil(each) - first;
        Part {
            first,
            samples,
            start: f64::from(self.start) / f64::from(each) - f64::from(first),
            length: f64::from(self.length) / f64::from(each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margin_is_whole_pixels_and_leaves_some() {
        let crop = |edge, margin| {
            let span = Span::cropped(edge, margin);
            (span.start, span.length)
        };
        assert_eq!(crop(500, f64::from(0.10_f32)), (50, 400));
        assert_eq!(crop(509, f64::from(0.10_f32)), (50, 409));
        assert_eq!(crop(100, f64::from(0.35_f32)), (35, 30));
        assert_eq!(crop(2, f64::from(0.4999_f32)), (0, 2));
        assert_eq!(crop(1, f64::from(0.4999_f32)), (0, 1));
        for edge in 1..=16_384 {
            assert_eq!(crop(edge, f64::from(0.10_f32)).0, edge / 10);
        }
    }

    #[test]
    fn samples_cover_their_pixels() {
        let samples = |start, length, each| {
            let part = Span { start, length }.part(each);
            (part.first, part.samples)
        };
        assert_eq!(samples(50, 400, 2), (25, 200));
        assert_eq!(samples(51, 407, 2), (25, 204));
        assert_eq!(samples(51, 408, 2), (25, 205));
        assert_eq!(samples(51, 407, 1), (51, 407));
    }
}
