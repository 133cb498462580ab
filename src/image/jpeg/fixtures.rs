//! Drawn JPEGs of every kind that is read here, and what Pillow makes of them. `scripts/make-image-fixture.py` makes both.

/// Width and height of each.
pub const SIZE: (u32, u32) = (187, 141);

/// Width and height of what Pillow makes of them.
pub const PREPARED_SIZE: u32 = 24;

/// A file and Pillow's crop and resize of it.
pub struct Fixture {
    pub name: &'static str,
    pub jpeg: &'static [u8],
    pub prepared: &'static [u8],
}

impl Fixture {
    /// Tells whether luma and chroma stand apart.
    pub fn has_colour_planes(&self) -> bool {
        !self.name.ends_with("grey") && !self.name.ends_with("rgb")
    }
}

macro_rules! fixture {
    ($name:literal) => {
        Fixture {
            name: $name,
            jpeg: include_bytes!(concat!("../../../tests/fixtures/images/", $name, ".jpg")),
            prepared: include_bytes!(concat!("../../../tests/fixtures/images/", $name, ".rgb")),
        }
    };
}

/// Kinds that the decoder of this module reads.
pub const READ: [Fixture; 11] = [
    fixture!("progressive-420"),
    fixture!("progressive-422"),
    fixture!("progressive-440"),
    fixture!("progressive-444"),
    fixture!("progressive-restarts"),
    fixture!("progressive-grey"),
    fixture!("baseline-420"),
    fixture!("baseline-422-restarts"),
    fixture!("baseline-440"),
    fixture!("baseline-444"),
    fixture!("baseline-grey"),
];

/// A kind that it leaves to the `image` crate's decoder: chroma of a quarter of the width.
pub const QUARTER: Fixture = fixture!("baseline-411");

/// A kind that it leaves to the `image` crate's decoder: channels that are red, green and blue.
pub const RGB: Fixture = fixture!("baseline-rgb");
