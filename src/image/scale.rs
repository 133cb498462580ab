//! Crop and resize, antialiased when shrinking.
//!
//! # Invariants
//! The crop is a view, never a copy, and the filter does not look past its edge (chroma of half resolution: past the sample
//! on the edge).

use fast_image_resize as fir;
use fir::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fir::pixels::{U8, U8x3};
use fir::{FilterType, ImageBufferError, PixelTrait};

use super::decode::DecodedImage;
use super::planes::{self, Plane, Planes};

/// Fails only on a source whose pixels are not as many as its size says, which no decoder gives.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScaleError {
    /// Pixels and size do not fit.
    #[error(transparent)]
    Buffer(#[from] ImageBufferError),
    /// The crop is not inside.
    #[error(transparent)]
    Crop(#[from] fir::CropBoxError),
    /// The resizer refused.
    #[error(transparent)]
    Resize(#[from] fir::ResizeError),
}

/// Crops and resizes, with the resizer's buffers.
#[derive(Debug)]
pub(super) struct Scaler {
    margin: f64,
    size: u32,
    options: fir::ResizeOptions,
    /// For chroma that is enlarged: a box would repeat its samples.
    enlarged: fir::ResizeOptions,
    resizer: fir::Resizer,
    planes: [Vec<u8>; 3],
    columns: Vec<u8>,
}

/// A part of an edge, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    start: u32,
    length: u32,
}

impl Scaler {
    /// Creates a scaler to squares of `size`.
    pub(super) fn new(margin: f64, size: u32, filter: FilterType) -> Self {
        let algorithm = fir::ResizeAlg::Convolution(filter);
        Self {
            margin,
            size,
            options: fir::ResizeOptions::new().resize_alg(algorithm),
            enlarged: fir::ResizeOptions::new().resize_alg(if filter == FilterType::Box {
                fir::ResizeAlg::Convolution(FilterType::Bilinear)
            } else {
                algorithm
            }),
            resizer: fir::Resizer::new(),
            planes: Default::default(),
            columns: Vec::new(),
        }
    }

    /// Scales pixels.
    pub(super) fn scale(&mut self, source: &DecodedImage<'_>) -> Result<Vec<u8>, ScaleError> {
        let columns = Span::cropped(source.width, self.margin);
        let rows = Span::cropped(source.height, self.margin);
        let mut to = vec![0; self.size as usize * self.size as usize * 3];
        let from = Source::of(source.rgb, source.width, source.height);
        let whole = [columns, rows].map(|span| (0.0, f64::from(span.length)));
        self.resize::<U8x3>(
            from,
            [columns, rows],
            whole,
            (self.size, self.size, &mut to),
        )?;
        Ok(to)
    }

    /// Resizes a part, given in samples, of a window of a source. Of one kind of image for each kind of pixel: the
    /// resizer is compiled anew for each.
    fn resize<P: PixelTrait>(
        &mut self,
        source: Source<'_>,
        [columns, rows]: [Span; 2],
        [(left, width), (top, height)]: [(f64, f64); 2],
        (to_width, to_height, to): (u32, u32, &mut [u8]),
    ) -> Result<(), ScaleError> {
        let whole = TypedImageRef::<P>::from_buffer(source.width, source.height, source.samples)?;
        let (x, y) = (columns.start, rows.start);
        let from = TypedCroppedImage::new(whole, x, y, columns.length, rows.length)?;
        let mut to = TypedImage::<P>::from_buffer(to_width, to_height, to)?;
        let is_enlarged = source.is_chroma && width < f64::from(to_width);
        let options = if is_enlarged {
            &self.enlarged
        } else {
            &self.options
        };
        let options = options.crop(left, top, width, height);
        self.resizer.resize_typed(&from, &mut to, &options)?;
        Ok(())
    }

    /// Scales planes, each from its own resolution, and then computes the colours of the result alone.
    pub(super) fn scale_planes(&mut self, source: &Planes<'_>) -> Result<Vec<u8>, ScaleError> {
        let spans = [source.width, source.height].map(|edge| Span::cropped(edge, self.margin));
        let pixels = self.size as usize * self.size as usize;
        let mut buffers = std::mem::take(&mut self.planes);
        for buffer in &mut buffers {
            buffer.resize(pixels, 0);
        }
        let [luma, cb, cr] = &mut buffers;
        self.scale_plane(source.luma, spans, (1, 1), luma)?;
        let mut rgb = vec![0; pixels * 3];
        if let Some(chroma) = source.chroma {
            self.scale_plane(chroma[0], spans, source.samples, cb)?;
            self.scale_plane(chroma[1], spans, source.samples, cr)?;
            planes::to_rgb([luma, cb, cr], &mut rgb);
        } else {
            for (pixel, &level) in rgb.as_chunks_mut().0.iter_mut().zip(&*luma) {
                *pixel = [level; 3];
            }
        }
        self.planes = buffers;
        Ok(rgb)
    }

    /// Scales the part of a plane that belongs to a part of the picture.
    fn scale_plane(
        &mut self,
        plane: Plane<'_>,
        [columns, rows]: [Span; 2],
        (h, v): (u32, u32),
        to: &mut [u8],
    ) -> Result<(), ScaleError> {
        let height = plane.samples.len() as u32 / plane.stride.max(1);
        let source = Source {
            is_chroma: (h, v) != (1, 1),
            ..Source::of(plane.samples, plane.stride, height)
        };
        let (x, y) = (columns.samples(h), rows.samples(v));
        // In pixels, the part can start or end within a sample.
        let part = |span: Span, samples: Span, each: u32| {
            let start = f64::from(span.start) / f64::from(each) - f64::from(samples.start);
            (start, f64::from(span.length) / f64::from(each))
        };
        let (across, down) = (part(columns, x, h), part(rows, y, v));
        let size = self.size;
        if down.1 <= f64::from(size) {
            return self.resize::<U8>(source, [x, y], [across, down], (size, size, to));
        }
        // Columns first, which are done side by side, so that fewer rows are left to be done one by one. The resizer
        // begins with the rows.
        let mut between = std::mem::take(&mut self.columns);
        between.resize(x.length as usize * size as usize, 0);
        let width = (0.0, f64::from(x.length));
        self.resize::<U8>(
            source,
            [x, y],
            [width, down],
            (x.length, size, &mut between),
        )?;
        let source = Source::of(&between, x.length, size);
        let [x, y] = [x.length, size].map(|length| Span { start: 0, length });
        let height = (0.0, f64::from(size));
        self.resize::<U8>(source, [x, y], [across, height], (size, size, to))?;
        self.columns = between;
        Ok(())
    }
}

/// Samples of any kind, row by row.
#[derive(Clone, Copy)]
struct Source<'a> {
    samples: &'a [u8],
    width: u32,
    height: u32,
    /// One sample for several pixels.
    is_chroma: bool,
}

impl<'a> Source<'a> {
    fn of(samples: &'a [u8], width: u32, height: u32) -> Self {
        Self {
            samples,
            width,
            height,
            is_chroma: false,
        }
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

    /// The samples that these pixels have, one for each `each` of them.
    fn samples(self, each: u32) -> Self {
        let start = self.start / each;
        let length = (self.start + self.length).div_ceil(each) - start;
        Self { start, length }
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
            let span = Span { start, length }.samples(each);
            (span.start, span.length)
        };
        assert_eq!(samples(50, 400, 2), (25, 200));
        assert_eq!(samples(51, 407, 2), (25, 204));
        assert_eq!(samples(51, 408, 2), (25, 205));
        assert_eq!(samples(51, 407, 1), (51, 407));
    }
}
