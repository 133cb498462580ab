//! The picture files: their names, and the faults some of them have.

use std::fs;
use std::path::Path;

use super::dice::Side;
use super::folder::{self, SampleError, at};
use super::options::SampleOptions;
use super::picture;
use super::plan::{ImagePlan, RowPlan};

/// Quality of the drawn JPEGs.
const JPEG_QUALITY: u8 = 85;

/// What a server sends for a picture it does not have.
const NOT_AN_IMAGE: &[u8] = b"<html><body><h1>404 Not Found</h1></body></html>\n";

/// The two numbers that name a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ids {
    /// `productid`.
    pub product: u64,
    /// `imageid`.
    pub image: u64,
}

impl Ids {
    /// Scatters row numbers over the ids; odd factors modulo a power of two map no two rows to one id.
    pub(super) fn of(side: Side, row: u64) -> Self {
        let number = 2 * row + side as u64 + 1;
        Self {
            product: number.wrapping_mul(2_654_435_761) % (1 << 32),
            image: number.wrapping_mul(1_103_515_245) % (1 << 31),
        }
    }

    fn path(self, side: Side) -> String {
        let folder = match side {
            Side::Labelled => folder::LABELLED_IMAGES,
            Side::Unlabelled => folder::UNLABELLED_IMAGES,
        };
        format!("{folder}/image_{}_product_{}.jpg", self.image, self.product)
    }
}

/// Writes what the plan wants at the place of a row's picture.
pub(super) fn write_picture(
    root: &Path,
    options: &SampleOptions,
    side: Side,
    row: u64,
    plan: &RowPlan,
) -> Result<(), SampleError> {
    let path = root.join(Ids::of(side, row).path(side));
    let encode = || {
        let rgb = picture::draw(options.seed, side, row, plan, options.image_size);
        crate::image::encode_jpeg(options.image_size, options.image_size, &rgb, JPEG_QUALITY)
            .map_err(|source| SampleError::Picture {
                path: path.clone(),
                source,
            })
    };
    let bytes = match plan.image {
        ImagePlan::Unreferenced | ImagePlan::Absent => return Ok(()),
        ImagePlan::Drawn => encode()?,
        ImagePlan::Truncated => {
            let mut bytes = encode()?;
            bytes.truncate(bytes.len() * 3 / 5);
            bytes
        }
        ImagePlan::Empty => Vec::new(),
        ImagePlan::NotAnImage => NOT_AN_IMAGE.to_vec(),
    };
    fs::write(&path, bytes).map_err(at(&path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_never_shared() {
        let sides = [Side::Labelled, Side::Unlabelled];
        let ids: Vec<Ids> = sides
            .iter()
            .flat_map(|side| (0..20_000).map(|row| Ids::of(*side, row)))
            .collect();
        assert_eq!(
            ids.iter()
                .map(|ids| ids.product)
                .collect::<BTreeSet<_>>()
                .len(),
            ids.len()
        );
        assert_eq!(
            ids.iter()
                .map(|ids| ids.image)
                .collect::<BTreeSet<_>>()
                .len(),
            ids.len()
        );
    }
}
