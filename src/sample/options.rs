//! What a caller may choose about the sample catalogue.

/// Size and seed of a sample catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleOptions {
    /// Rows in all: 80 % are labelled (rounded down), the rest unlabelled.
    pub rows: usize,
    /// Seed of everything drawn.
    pub seed: u64,
    /// How many rows lack a sound picture.
    pub images: ImageShare,
    /// Width and height of the pictures, from 16 to 2048 pixels.
    pub image_size: u32,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self {
            rows: 1_000,
            seed: 123,
            images: ImageShare::default(),
            image_size: 192,
        }
    }
}

impl SampleOptions {
    /// Returns the number of labelled rows.
    #[must_use]
    pub fn labelled_rows(&self) -> usize {
        self.rows / 5 * 4 + self.rows % 5 * 4 / 5
    }

    /// Returns the number of unlabelled rows.
    #[must_use]
    pub fn unlabelled_rows(&self) -> usize {
        self.rows - self.labelled_rows()
    }

    /// Names the first option out of its range.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let images = self.images;
        let parts = [
            images.unreferenced_permille,
            images.absent_permille,
            images.corrupt_permille,
        ];
        if !(16..=2048).contains(&self.image_size) {
            return Some("image_size must lie between 16 and 2048");
        }
        if parts.iter().map(|part| u32::from(*part)).sum::<u32>() > 1_000 {
            return Some(
                "the shares of rows without a sound picture must not exceed 1000 permille",
            );
        }
        None
    }
}

/// Rows without a sound picture, in thousandths of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageShare {
    /// Rows without `productid` and `imageid`.
    pub unreferenced_permille: u16,
    /// Rows whose picture file is not there.
    pub absent_permille: u16,
    /// Rows whose picture is truncated, empty or no picture, in turn.
    pub corrupt_permille: u16,
}

impl Default for ImageShare {
    fn default() -> Self {
        Self {
            unreferenced_permille: 50,
            absent_permille: 10,
            corrupt_permille: 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_rows_of_five_are_labelled() {
        for (rows, labelled) in [(0, 0), (1, 0), (4, 3), (5, 4), (1_000, 800), (1_003, 802)] {
            let options = SampleOptions {
                rows,
                ..SampleOptions::default()
            };
            assert_eq!(options.labelled_rows(), labelled, "{rows}");
            assert_eq!(options.unlabelled_rows(), rows - labelled, "{rows}");
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let sound = SampleOptions::default();
        assert_eq!(sound.fault(), None);
        assert!(
            SampleOptions {
                image_size: 8,
                ..sound.clone()
            }
            .fault()
            .is_some()
        );
        let images = ImageShare {
            absent_permille: 990,
            ..ImageShare::default()
        };
        assert!(SampleOptions { images, ..sound }.fault().is_some());
    }
}
