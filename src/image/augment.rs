//! Varies an image as if it had been photographed anew: flip, rotation, shift, zoom, brightness.
//!
//! Everything that moves pixels is one affine map, sampled once (bilinear), not a pass per operation: an image is blurred at most
//! once, whatever is asked for.
//!
//! Images a second of CPU (flip, rotation by 15°, shift by 0.1, zoom by 0.1, brightness by 0.2; `tests/bench/augment*`; two x86-64
//! cores with AVX2 that others used too, torchvision 0.24, `SciPy` 1.17):
//!
//! | pixels | here | torchvision, tensors | torchvision, Pillow | Keras' way: `SciPy`, Pillow |
//! |---|---|---|---|---|
//! | 56×56 | 36,800 | 2,500 | 4,900 | 2,300 |
//! | 224×224 | 2,500 | 530 | 750 | 180 |
//!
//! A pixel is three lanes of one integer, so that a mixing is two multiplications for all colours; floats for each colour took twice
//! the time. Places are found on vectors.
//!
//! # Invariants
//! The result is a function of the image and the [`Variation`] alone. What does not move pixels changes none: an identity gives
//! the same bytes, a flip and a shift by whole pixels give bytes of the source.
//!
//! # Source
//! Keras' `ImageDataGenerator` (`keras_preprocessing/image/affine_transformations.py`): how ranges are drawn, the order of the
//! maps (rotation · shift · zoom around the centre, the flip last), the fill modes. The zoom is drawn for each axis, as there.
//! Brightness multiplies and saturates, as Pillow's `ImageEnhance.Brightness` does, but before the one rounding.

#![expect(
    clippy::inline_always,
    reason = "compiled into each of the functions that `vectors::run` picks from"
)]

use super::vectors;

/// Bits of a colour in a packed pixel: three fit 64 bits, and a level with thirteen binary places fits one.
const LANE: u32 = 21;
/// Binary places of the share of a neighbour.
const PLACES: u32 = 8;
/// The share of the whole.
const WHOLE: u64 = 1 << PLACES;
/// Binary places that a level keeps between the two mixings.
const KEPT: u32 = LANE - 8 - PLACES;
/// What lies below the kept places after the first mixing.
const DROPPED: u32 = PLACES - KEPT;
/// Pixels around the source: one, so that each sample has four neighbours.
const BORDER: usize = 1;

/// What lies outside of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// The pixel at the edge: `aaaa|abcd|dddd`.
    #[default]
    Nearest,
    /// The image again, as in a mirror: `dcba|abcd|dcba`.
    Reflect,
    /// One level for all colours.
    Constant(u8),
}

/// How far images may be varied. The default varies nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct AugmentOptions {
    /// Whether half of the images change left and right.
    pub flip: bool,
    /// Largest angle, either way.
    pub rotation_degrees: f64,
    /// Largest shift along width and height, either way, as shares of the size.
    pub shift: [f64; 2],
    /// Smallest and largest zoom, drawn for each axis. Below 1 enlarges what is shown.
    pub zoom: [f64; 2],
    /// Smallest and largest factor on all colours.
    pub brightness: [f64; 2],
    /// What comes from outside of the image.
    pub fill: Fill,
}

impl Default for AugmentOptions {
    fn default() -> Self {
        Self {
            flip: false,
            rotation_degrees: 0.0,
            shift: [0.0; 2],
            zoom: [1.0; 2],
            brightness: [1.0; 2],
            fill: Fill::Nearest,
        }
    }
}

/// What is done to one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variation {
    /// Whether left and right change.
    pub flip: bool,
    /// Angle; what is shown turns counter-clockwise where it is above 0.
    pub rotation_radians: f64,
    /// How far to the right and down in the source the window moves, as shares of the size.
    pub shift: [f64; 2],
    /// Source pixels for each pixel of the result, along width and height.
    pub zoom: [f64; 2],
    /// Factor on all colours.
    pub brightness: f64,
}

impl Variation {
    /// The variation that changes nothing.
    pub const IDENTITY: Self = Self {
        flip: false,
        rotation_radians: 0.0,
        shift: [0.0; 2],
        zoom: [1.0; 2],
        brightness: 1.0,
    };

    fn moves_nothing(&self) -> bool {
        let brightness = self.brightness;
        *self
            == Self {
                brightness,
                ..Self::IDENTITY
            }
    }
}

impl AugmentOptions {
    /// Draws what is done to one image. `uniform` gives numbers in `[0, 1)`, of which seven are taken whatever the options are:
    /// another rotation draws no other flip.
    pub fn draw(&self, mut uniform: impl FnMut() -> f64) -> Variation {
        let mut between = |low: f64, high: f64| low + (high - low) * uniform();
        let flip = between(0.0, 1.0) < 0.5;
        let angle = self.rotation_degrees.to_radians();
        Variation {
            flip: self.flip && flip,
            rotation_radians: between(-angle, angle),
            shift: self.shift.map(|most| between(-most, most)),
            zoom: [0; 2].map(|_| between(self.zoom[0], self.zoom[1])),
            brightness: between(self.brightness[0], self.brightness[1]),
        }
    }
}

/// Applies variations to images of one size, with buffers of its own.
#[derive(Debug)]
pub struct Augmenter {
    size: usize,
    fill: Fill,
    /// The source with a border, packed.
    source: Vec<u64>,
    samples: Vec<Sample>,
}

/// Where a pixel of the result comes from.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    /// The upper left of four neighbours in the source.
    at: u32,
    /// How far right and down of it, in shares of [`WHOLE`].
    shares: [u16; 2],
}

impl Augmenter {
    /// Creates one for images of `size`×`size` pixels.
    ///
    /// # Panics
    /// Where `size` is above 32,768: places are told apart by the digits of an `f32`.
    #[must_use]
    pub fn new(size: usize, fill: Fill) -> Self {
        assert!(size <= 1 << 15, "{size} pixels");
        let stride = size + 2 * BORDER;
        let outside = match fill {
            Fill::Constant(level) => pack([level; 3]),
            Fill::Nearest | Fill::Reflect => 0,
        };
        Self {
            size,
            fill,
            source: vec![outside; stride * stride],
            samples: vec![Sample::default(); size],
        }
    }

    /// Appends a varied image.
    ///
    /// # Shapes
    /// `pixels`, and what is appended, is size × size × 3: rows from the top, red, green, blue.
    ///
    /// # Panics
    /// Where there are not so many pixels.
    pub fn push(&mut self, pixels: &[u8], variation: &Variation, varied: &mut Vec<u8>) {
        assert_eq!(pixels.len(), self.size * self.size * 3, "pixels");
        let levels = levels(variation.brightness);
        if variation.moves_nothing() {
            varied.extend(pixels.iter().map(|&level| levels[usize::from(level)]));
            return;
        }
        let map = Map::new(variation, self.size);
        let start = varied.len();
        varied.resize(start + pixels.len(), 0);
        let varied = &mut varied[start..];
        vectors::run(
            #[inline(always)]
            || {
                self.load(pixels);
                for (y, row) in varied.chunks_exact_mut(self.size * 3).enumerate() {
                    self.locate(&map, y);
                    self.sample(&levels, row);
                }
            },
        );
    }

    fn stride(&self) -> usize {
        self.size + 2 * BORDER
    }

    /// Copies the source into its frame, whose border stays.
    #[inline(always)]
    fn load(&mut self, pixels: &[u8]) {
        let (size, stride) = (self.size, self.stride());
        let rows = self.source.chunks_exact_mut(stride).skip(BORDER);
        for (row, pixels) in rows.zip(pixels.chunks_exact(size * 3)) {
            let row = &mut row[BORDER..=size];
            for (packed, pixel) in row.iter_mut().zip(pixels.as_chunks::<3>().0) {
                *packed = pack(*pixel);
            }
        }
    }

    /// Finds where the pixels of a row come from.
    #[inline(always)]
    fn locate(&mut self, map: &Map, y: usize) {
        let size = self.size as f32;
        let last = size - 1.0;
        match self.fill {
            Fill::Nearest => self.locate_within(map, y, |at| at.max(0.0).min(last)),
            // Past the edge all is of one level, so the first pixel outside tells it all.
            Fill::Constant(_) => self.locate_within(map, y, |at| at.max(-1.0).min(size)),
            Fill::Reflect => {
                let period = 2.0 * size;
                self.locate_within(map, y, |at| {
                    let at = at - period * ((at + 0.5) / period).floor();
                    at.min(period - 1.0 - at).max(0.0).min(last)
                });
            }
        }
    }

    #[inline(always)]
    fn locate_within(&mut self, map: &Map, y: usize, within: impl Fn(f32) -> f32) {
        let stride = self.stride() as u32;
        let [across, down] = map.row(y);
        for (x, sample) in (0..=u16::MAX).zip(&mut self.samples) {
            let x = f32::from(x);
            // In shares, and not below 0 with the border: what is cut off when they become whole is less than one of them.
            let [x, y] = [across, down].map(|line| {
                let at = within(line.start + line.step * x) + BORDER as f32;
                ((at * WHOLE as f32 + 0.5) as i32).cast_unsigned()
            });
            let share = |at: u32| (at & (WHOLE as u32 - 1)) as u16;
            *sample = Sample {
                at: (y >> PLACES) * stride + (x >> PLACES),
                shares: [share(x), share(y)],
            };
        }
    }

    /// Mixes the four neighbours of each pixel of a row.
    #[inline(always)]
    fn sample(&self, levels: &[u8; 256], row: &mut [u8]) {
        let stride = self.stride();
        for (sample, pixel) in self.samples.iter().zip(row.as_chunks_mut::<3>().0) {
            let at = sample.at as usize;
            let [x, y] = sample.shares.map(u64::from);
            let upper = (mixed(self.neighbours(at), x) >> DROPPED) & every(KEPT_MASK);
            let lower = (mixed(self.neighbours(at + stride), x) >> DROPPED) & every(KEPT_MASK);
            let sum = mixed([upper, lower], y) + every(1 << (PLACES + KEPT - 1));
            *pixel = unpack(sum >> (PLACES + KEPT)).map(|level| levels[usize::from(level)]);
        }
    }

    /// Two pixels side by side. Past the end of the source, where nothing is taken of them, the last ones.
    #[inline(always)]
    fn neighbours(&self, at: usize) -> [u64; 2] {
        let at = at.min(self.source.len() - 2);
        [self.source[at], self.source[at + 1]]
    }
}

const KEPT_MASK: u64 = (1 << (8 + KEPT)) - 1;

/// A number in each lane.
const fn every(number: u64) -> u64 {
    number | number << LANE | number << (2 * LANE)
}

#[inline(always)]
fn pack([red, green, blue]: [u8; 3]) -> u64 {
    u64::from(red) | u64::from(green) << LANE | u64::from(blue) << (2 * LANE)
}

#[inline(always)]
fn unpack(pixel: u64) -> [u8; 3] {
    [0, LANE, 2 * LANE].map(|lane| (pixel >> lane) as u8)
}

/// The share of the second, and the rest of the first; each lane [`PLACES`] higher.
#[inline(always)]
fn mixed([first, second]: [u64; 2], share: u64) -> u64 {
    first * (WHOLE - share) + second * share
}

/// What becomes of each level: times a factor, at most 255.
fn levels(factor: f64) -> [u8; 256] {
    std::array::from_fn(|level| (level as f64 * factor).round().clamp(0.0, 255.0) as u8)
}

/// From places in the result to places in the source: both in pixels from the centre of the first one.
#[derive(Debug)]
struct Map {
    /// Place in the source of the first pixel.
    origin: [f64; 2],
    /// How far the place in the source moves with a step right in the result.
    right: [f64; 2],
    /// And with a step down.
    down: [f64; 2],
}

/// Places of a row of the result along one axis of the source.
#[derive(Debug, Clone, Copy)]
struct Line {
    start: f32,
    step: f32,
}

impl Map {
    fn new(variation: &Variation, size: usize) -> Self {
        let (sin, cos) = variation.rotation_radians.sin_cos();
        let [zoom_x, zoom_y] = variation.zoom;
        let zoom_x = if variation.flip { -zoom_x } else { zoom_x };
        let right = [cos * zoom_x, sin * zoom_x];
        let down = [-sin * zoom_y, cos * zoom_y];
        let centre = (size as f64 - 1.0) / 2.0;
        let [x, y] = variation.shift.map(|share| share * size as f64);
        let moved = [cos * x - sin * y, sin * x + cos * y];
        let origin =
            |axis: usize| centre + moved[axis] - centre * right[axis] - centre * down[axis];
        Self {
            origin: [origin(0), origin(1)],
            right,
            down,
        }
    }

    fn row(&self, y: usize) -> [Line; 2] {
        [0, 1].map(|axis| Line {
            start: (self.origin[axis] + self.down[axis] * y as f64) as f32,
            step: self.right[axis] as f32,
        })
    }
}

#[cfg(test)]
mod tests;
