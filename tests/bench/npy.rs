//! Arrays of one dimension as `.npy` files of `NumPy`, version 1.0.

use std::fs;
use std::io;
use std::path::Path;

/// A number as it stands in a file: little-endian.
pub trait Number: Copy {
    /// Name of the type in `NumPy`.
    const TYPE: &'static str;
    /// Appends the bytes.
    fn write(self, bytes: &mut Vec<u8>);
}

macro_rules! number {
    ($($type:ty: $name:literal),*) => {$(
        impl Number for $type {
            const TYPE: &'static str = $name;
            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }
        }
    )*};
}
number!(u64: "<u8", u32: "<u4", f32: "<f4");

/// Writes an array.
pub fn write<T: Number>(path: &Path, values: &[T]) -> io::Result<()> {
    let shape = values.len();
    let mut header = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({shape},), }}",
        T::TYPE
    );
    // The data begins at a multiple of 64 bytes; magic, version and length take 10.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for &value in values {
        value.write(&mut bytes);
    }
    fs::write(path, bytes)
}
