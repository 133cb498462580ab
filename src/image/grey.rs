//! Colours to grey.
//!
//! # Source
//!
//! The luma of ITU-R BT.601, `0.299 R + 0.587 G + 0.114 B`, rounded: the integers of Pillow's `convert("L")`.

/// Appends the grey level of each pixel, 0 to 255.
///
/// # Shapes
///
/// `pixels` is pixels × 3: red, green, blue.
pub fn push_grey(pixels: &[u8], levels: &mut Vec<u8>) {
    let (pixels, _) = pixels.as_chunks::<3>();
    levels.extend(pixels.iter().map(|rgb| {
        let [red, green, blue] = rgb.map(u32::from);
        // Shares of 2¹⁶, which sum to it: no level is above 255.
        ((19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16) as u8
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_equal_pillow() {
        // Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) of Pillow 13.
        let colours = [
            ([0, 0, 0], 0),
            ([255, 255, 255], 255),
            ([255, 0, 0], 76),
            ([0, 255, 0], 150),
            ([0, 0, 255], 29),
            ([1, 2, 3], 2),
            ([200, 100, 50], 124),
            ([17, 250, 133], 167),
        ];
        let pixels: Vec<u8> = colours.iter().flat_map(|(rgb, _)| *rgb).collect();
        let mut levels = vec![9];
        push_grey(&pixels, &mut levels);
        let expected: Vec<u8> = colours.iter().map(|(_, level)| *level).collect();
        assert_eq!(levels[0], 9);
        assert_eq!(levels[1..], expected);
    }
}
