//! The sums of products that principal components are made of.
//!
//! Invariant: sums of bytes are exact; sums of floats have a fixed order, and no one asks what the processor can do. So the
//! bits depend neither on the number of threads nor on the machine.

use std::ops::Range;

use rayon::prelude::*;

/// Entries of rows of bytes that are multiplied at a time. So a lane adds up 256 products of at most 255², which an `f32` holds
/// exactly; integers are no faster with what every processor has.
const EXACT_ENTRIES: usize = 256 * LANES;
/// Rows that are multiplied by one at a time.
const GROUP: usize = 4;
/// Entries that are added up as `f32` before an `f64` takes them over: part of the order of the sums.
const BLOCK_ENTRIES: usize = 512;
/// Numbers that are added up side by side: part of the order of the sums.
const LANES: usize = 8;
/// Rows that one task of Rayon takes.
const TASK_ROWS: usize = 16;

/// Returns the product of each row with each row; `None` where `cancel` says so.
///
/// # Shapes
///
/// `rows` is n × `width`, the result n × n.
pub(super) fn gram(
    rows: &[u8],
    width: usize,
    cancel: &(dyn Fn() -> bool + Sync),
) -> Option<Vec<u64>> {
    let count = rows.len() / width;
    let mut products = vec![0; count * count];
    // Blocks of rows, each with all rows up to its last one: the rest is the mirror image.
    products
        .par_chunks_mut(TASK_ROWS * count)
        .enumerate()
        .try_for_each(|(task, products)| {
            let first = task * TASK_ROWS;
            let last = first + products.len() / count;
            let mut left = vec![[0.0; EXACT_ENTRIES]; TASK_ROWS];
            let mut other = [0.0; EXACT_ENTRIES];
            for start in (0..width).step_by(EXACT_ENTRIES) {
                if cancel() {
                    return None;
                }
                let row = |place: usize| {
                    let range = start..width.min(start + EXACT_ENTRIES);
                    &rows[place * width..][range]
                };
                for (place, left) in (first..last).zip(&mut left) {
                    widen(row(place), left);
                }
                for column in 0..last {
                    widen(row(column), &mut other);
                    let groups = left
                        .chunks_exact(GROUP)
                        .zip(products.chunks_mut(GROUP * count));
                    for (left, products) in groups {
                        let found = byte_products(left, &other);
                        for (products, found) in products.chunks_exact_mut(count).zip(found) {
                            products[column] += found;
                        }
                    }
                }
            }
            Some(())
        })?;
    for row in 0..count {
        for column in row + 1..count {
            products[row * count + column] = products[column * count + row];
        }
    }
    Some(products)
}

/// Makes numbers of bytes, and zeros of what is beyond.
fn widen(bytes: &[u8], numbers: &mut [f32; EXACT_ENTRIES]) {
    let (begin, end) = numbers.split_at_mut(bytes.len());
    for (to, byte) in begin.iter_mut().zip(bytes) {
        *to = f32::from(*byte);
    }
    end.fill(0.0);
}

/// The products of four rows of bytes with another.
fn byte_products(rows: &[[f32; EXACT_ENTRIES]], other: &[f32; EXACT_ENTRIES]) -> [u64; GROUP] {
    let rows: [&[[f32; LANES]]; GROUP] = std::array::from_fn(|row| rows[row].as_chunks().0);
    let sums = lane_products(rows, other.as_chunks().0);
    sums.map(|sums| sums.iter().map(|sum| *sum as u64).sum())
}

/// Returns the product of each row of a matrix with each row of `right`.
///
/// # Shapes
///
/// The matrix has `count` rows, and `fill` writes some columns of a row of it; `right` is k × `width`, the result
/// `count` × k.
pub(super) fn products(
    (count, width): (usize, usize),
    fill: impl Fn(usize, Range<usize>, &mut [f32]) + Sync,
    right: &[f32],
) -> Vec<f32> {
    let others = right.len() / width;
    if others == 0 {
        return Vec::new();
    }
    let mut products = vec![0.0; count * others];
    products
        .par_chunks_mut(TASK_ROWS * others)
        .enumerate()
        .for_each(|(task, products)| {
            let mut sums = vec![[0.0_f64; TASK_ROWS]; others];
            let mut left = vec![[0.0_f32; BLOCK_ENTRIES]; TASK_ROWS];
            for start in (0..width).step_by(BLOCK_ENTRIES) {
                let range = start..width.min(start + BLOCK_ENTRIES);
                let rows = products.len() / others;
                for (row, left) in left[..rows].iter_mut().enumerate() {
                    let place = task * TASK_ROWS + row;
                    fill(place, range.clone(), &mut left[..range.len()]);
                }
                for (other, sums) in right.chunks_exact(width).zip(&mut sums) {
                    let other = &other[range.clone()];
                    for (left, sums) in left.chunks_exact(GROUP).zip(sums.chunks_exact_mut(GROUP)) {
                        for (sum, part) in sums.iter_mut().zip(float_products(left, other)) {
                            *sum += f64::from(part);
                        }
                    }
                }
            }
            for (row, products) in products.chunks_exact_mut(others).enumerate() {
                for (product, sums) in products.iter_mut().zip(&sums) {
                    *product = sums[row] as f32;
                }
            }
        });
    products
}

/// The products of four rows with another, as far as that goes.
fn float_products(rows: &[[f32; BLOCK_ENTRIES]], other: &[f32]) -> [f32; GROUP] {
    let rows: [&[f32]; GROUP] = std::array::from_fn(|row| &rows[row][..other.len()]);
    let (chunks, rest) = other.as_chunks::<LANES>();
    let sums = lane_products(rows.map(|row| row.as_chunks().0), chunks);
    std::array::from_fn(|row| {
        let rest = rows[row][other.len() - rest.len()..].iter().zip(rest);
        sums[row].iter().sum::<f32>() + rest.map(|(a, b)| a * b).sum::<f32>()
    })
}

/// The sums of every lane. Not inlined: beside the sums over lanes the compiler would turn lanes into rows, at half the speed.
#[inline(never)]
fn lane_products(
    [a, b, c, d]: [&[[f32; LANES]]; GROUP],
    other: &[[f32; LANES]],
) -> [[f32; LANES]; GROUP] {
    let mut sums = [[0.0; LANES]; GROUP];
    for ((((other, a), b), c), d) in other.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sums, row) in sums.iter_mut().zip([a, b, c, d]) {
            for ((sum, a), b) in sums.iter_mut().zip(row).zip(other) {
                *sum += a * b;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_products_are_exact() {
        for (count, width) in [(1, 1), (5, 3), (70, 33), (3, 2 * EXACT_ENTRIES + 5)] {
            let mut rows: Vec<u8> = (0..count * width)
                .map(|place| (place * 151 % 256) as u8)
                .collect();
            rows[..width].fill(255);
            let found = gram(&rows, width, &|| false).unwrap();
            for (place, found) in found.iter().enumerate() {
                let [a, b] =
                    [place / count, place % count].map(|row| &rows[row * width..][..width]);
                let exact = a.iter().zip(b).map(|(a, b)| u64::from(*a) * u64::from(*b));
                assert_eq!(*found, exact.sum::<u64>(), "{count} × {width}, {place}");
            }
        }
        assert_eq!(gram(&[1, 2], 1, &|| true), None);
    }

    #[test]
    fn float_products_of_every_row_with_every_other() {
        for (count, width, others) in [(1, 1, 1), (21, 13, 5), (16, 1500, 3), (3, 512, 2)] {
            let value = |place: usize| (place * 37 % 101) as f32 / 50.0 - 1.0;
            let right: Vec<f32> = (0..others * width).map(|place| value(place + 7)).collect();
            let fill = |row: usize, range: Range<usize>, to: &mut [f32]| {
                for (to, column) in to.iter_mut().zip(range) {
                    *to = value(row * width + column);
                }
            };
            let found = products((count, width), fill, &right);
            assert_eq!(found.len(), count * others);
            for (place, found) in found.iter().enumerate() {
                let (row, other) = (place / others, place % others);
                let exact: f64 = (0..width)
                    .map(|at| {
                        f64::from(value(row * width + at)) * f64::from(right[other * width + at])
                    })
                    .sum();
                assert!(
                    (f64::from(*found) - exact).abs() < 1e-5 * width as f64,
                    "{found} {exact}"
                );
            }
        }
    }
}
