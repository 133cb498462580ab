//! Mean and variance of each pixel over a sample of prepared images.
//!
//! The report looks at where pictures differ: their edges are alike, their middle is not. That takes one sum
//! and one sum of squares for each pixel and channel. Both are integers, so the variance is exact: it depends on which
//! images were added, and not on the order, nor on how they were divided into parts that were merged.
//!
//! # Source
//! Population variance, `E[x²] - E[x]²` in integers (no Welford: there is nothing to lose to rounding).

/// Most images that can be added: sums fit `u32`, and the formulas 64 bits.
const MOST_IMAGES: u32 = 1 << 24;

/// A caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VarianceError {
    /// The images are of other sizes.
    #[error("{found} values given, {expected} expected")]
    Length {
        /// As given.
        found: usize,
        /// Of the images before.
        expected: usize,
    },
    /// The sums would overflow.
    #[error("more than {MOST_IMAGES} images")]
    TooMany,
    /// Bytes that [`PixelVariance::to_bytes`] did not write.
    #[error("{found} bytes are no sums of {values} values")]
    Bytes {
        /// As given.
        found: usize,
        /// Values of each image.
        values: usize,
    },
}

/// Sums over images, from which mean and variance of each value follow.
///
/// # Shapes
/// `values`: of each image, `size × size × 3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelVariance {
    images: u32,
    sums: Vec<u32>,
    squares: Vec<u64>,
}

impl PixelVariance {
    /// Creates sums over no image.
    #[must_use]
    pub fn new(values: usize) -> Self {
        Self {
            images: 0,
            sums: vec![0; values],
            squares: vec![0; values],
        }
    }

    /// Adds one image.
    ///
    /// # Errors
    /// Where it has another number of values, or there are too many images.
    pub fn add(&mut self, pixels: &[u8]) -> Result<(), VarianceError> {
        self.count(1, pixels.len())?;
        for ((sum, square), &pixel) in self.sums.iter_mut().zip(&mut self.squares).zip(pixels) {
            *sum += u32::from(pixel);
            *square += u64::from(u32::from(pixel).pow(2));
        }
        Ok(())
    }

    /// Adds the images of another part.
    ///
    /// # Errors
    /// Where those have another number of values, or there are too many images.
    pub fn merge(&mut self, other: &Self) -> Result<(), VarianceError> {
        self.count(other.images, other.sums.len())?;
        for (to, from) in self.sums.iter_mut().zip(&other.sums) {
            *to += from;
        }
        for (to, from) in self.squares.iter_mut().zip(&other.squares) {
            *to += from;
        }
        Ok(())
    }

    /// Returns the number of images.
    #[must_use]
    pub fn images(&self) -> u32 {
        self.images
    }

    /// Computes the mean of each value; all 0 where there is no image.
    #[must_use]
    pub fn means(&self) -> Vec<f32> {
        let images = f64::from(self.images.max(1));
        let means = self
            .sums
            .iter()
            .map(|&sum| (f64::from(sum) / images) as f32);
        means.collect()
    }

    /// Computes the variance of each value; all 0 where there is no image.
    ///
    /// # Units
    /// 0 to 16,256.25: squared levels of 0 to 255.
    #[must_use]
    pub fn variances(&self) -> Vec<f32> {
        let images = u64::from(self.images.max(1));
        let both = self.sums.iter().zip(&self.squares);
        // At most 2^24 images × 2^24 × 2^16: exact in 64 bits.
        let scaled = both.map(|(&sum, &square)| images * square - u64::from(sum).pow(2));
        let per = (images * images) as f64;
        scaled
            .map(|variance| (variance as f64 / per) as f32)
            .collect()
    }

    /// Writes means and variances as one array that `numpy.load` reads.
    ///
    /// # Shapes
    /// `2 × size × size × 3`, `f4`: the means, then the variances.
    ///
    /// # Source
    /// `NumPy`'s `.npy` format, version 1.0.
    #[must_use]
    pub fn to_npy(&self, size: u32) -> Vec<u8> {
        // Magic, version and length of the header take 10 bytes; the header ends in a line feed at a multiple of 64.
        let shape = format!("(2, {size}, {size}, 3)");
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        let padding = (header.len() + 11).next_multiple_of(64) - header.len() - 11;
        header.extend(std::iter::repeat_n(' ', padding));
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        let values = self.means().into_iter().chain(self.variances());
        bytes.extend(values.flat_map(f32::to_le_bytes));
        bytes
    }

    /// Writes the sums, to be kept for each part: the number of images, the sums, the sums of squares, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + self.sums.len() * 12);
        bytes.extend(self.images.to_le_bytes());
        bytes.extend(self.sums.iter().flat_map(|sum| sum.to_le_bytes()));
        bytes.extend(self.squares.iter().flat_map(|square| square.to_le_bytes()));
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// Where the length is another, or the sums are of no images at all.
    pub fn from_bytes(bytes: &[u8], values: usize) -> Result<Self, VarianceError> {
        let wrong = || VarianceError::Bytes {
            found: bytes.len(),
            values,
        };
        let (images, rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
        let (sums, squares) = rest.split_at_checked(values * 4).ok_or_else(wrong)?;
        if squares.len() != values * 8 {
            return Err(wrong());
        }
        let images = u32::from_le_bytes(*images);
        let sums = sums
            .as_chunks()
            .0
            .iter()
            .map(|sum| u32::from_le_bytes(*sum));
        let squares = squares
            .as_chunks()
            .0
            .iter()
            .map(|square| u64::from_le_bytes(*square));
        let read = Self {
            images,
            sums: sums.collect(),
            squares: squares.collect(),
        };
        if read.is_possible() {
            Ok(read)
        } else {
            Err(wrong())
        }
    }

    /// Tells whether there are pixels with these sums, as far as the formulas rely on it.
    fn is_possible(&self) -> bool {
        let images = u64::from(self.images);
        let mut both = self.sums.iter().zip(&self.squares);
        self.images <= MOST_IMAGES
            && both.all(|(&sum, &square)| {
                let sum = u64::from(sum);
                sum <= images * 255 && square <= sum * 255 && sum.pow(2) <= images * square
            })
    }

    fn count(&mut self, images: u32, found: usize) -> Result<(), VarianceError> {
        let expected = self.sums.len();
        if found != expected {
            return Err(VarianceError::Length { found, expected });
        }
        let images = self
            .images
            .checked_add(images)
            .filter(|&images| images <= MOST_IMAGES);
        self.images = images.ok_or(VarianceError::TooMany)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn over(images: &[Vec<u8>], values: usize) -> PixelVariance {
        let mut sums = PixelVariance::new(values);
        for image in images {
            sums.add(image).unwrap();
        }
        sums
    }

    #[test]
    fn by_hand() {
        let sums = over(
            &[
                vec![0, 10, 255],
                vec![255, 10, 255],
                vec![0, 13, 255],
                vec![255, 7, 255],
            ],
            3,
        );
        assert_eq!(sums.images(), 4);
        assert_eq!(sums.means(), [127.5, 10.0, 255.0]);
        assert_eq!(sums.variances(), [16_256.25, 4.5, 0.0]);
        let none = PixelVariance::new(2);
        assert_eq!(
            (none.means(), none.variances()),
            (vec![0.0; 2], vec![0.0; 2])
        );
    }

    #[test]
    fn npy_is_as_numpy_writes_it() {
        let pixels = [vec![0, 1, 2], vec![4, 1, 0]];
        let bytes = over(&pixels, 3).to_npy(1);
        // numpy.save of float32 [[[[2, 1, 1]]], [[[4, 0, 1]]]].
        let mut header = b"\x93NUMPY\x01\x00v\x00".to_vec();
        header.extend(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 1, 3), }");
        header.resize(127, b' ');
        header.push(b'\n');
        let values = [2.0_f32, 1.0, 1.0, 4.0, 0.0, 1.0].map(f32::to_le_bytes);
        assert_eq!(bytes, [&header, values.as_flattened()].concat());
    }

    #[test]
    fn nothing_is_lost_at_the_limit() {
        let half = PixelVariance {
            images: MOST_IMAGES / 2,
            sums: vec![255 * (MOST_IMAGES / 2), 0],
            squares: vec![255 * 255 * u64::from(MOST_IMAGES / 2), 0],
        };
        let mut all = half.clone();
        let swapped = PixelVariance {
            sums: half.sums.iter().rev().copied().collect(),
            squares: half.squares.iter().rev().copied().collect(),
            ..half
        };
        all.merge(&swapped).unwrap();
        assert_eq!(all.variances(), [16_256.25; 2]);
        let before = all.clone();
        assert_eq!(all.add(&[1, 2]), Err(VarianceError::TooMany));
        assert_eq!(all, before);
    }

    #[test]
    fn mistakes_are_errors() {
        let mut sums = PixelVariance::new(3);
        let length = VarianceError::Length {
            found: 2,
            expected: 3,
        };
        assert_eq!(sums.add(&[1, 2]), Err(length.clone()));
        assert_eq!(sums.merge(&PixelVariance::new(2)), Err(length));
        sums.add(&[1, 2, 3]).unwrap();
        let bytes = sums.to_bytes();
        assert!(PixelVariance::from_bytes(&bytes, 2).is_err());
        assert!(PixelVariance::from_bytes(&bytes[..39], 3).is_err());
        assert!(PixelVariance::from_bytes(&[], 0).is_err());
        let mut impossible = bytes.clone();
        impossible[8] = 200;
        assert!(PixelVariance::from_bytes(&impossible, 3).is_err());
        assert_eq!(PixelVariance::from_bytes(&bytes, 3), Ok(sums));
    }

    proptest! {
        #[test]
        fn equals_two_passes_however_it_is_parted(
            images in prop::collection::vec(prop::collection::vec(any::<u8>(), 5), 1..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let all = over(&images, 5);
            let (first, second) = images.split_at(cut.index(images.len()));
            let mut merged = over(second, 5);
            let first = PixelVariance::from_bytes(&over(first, 5).to_bytes(), 5).unwrap();
            merged.merge(&first).unwrap();
            prop_assert_eq!(&merged, &all);
            let count = images.len() as f64;
            for place in 0..5 {
                let values = || images.iter().map(|image| f64::from(image[place]));
                let mean = values().sum::<f64>() / count;
                let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
                prop_assert!((f64::from(all.means()[place]) - mean).abs() < 1e-4);
                prop_assert!((f64::from(all.variances()[place]) - variance).abs() < 1e-2);
            }
        }
    }
}
