//! Eigenpairs of matrices of every kind.

use super::*;

const NEVER: &dyn Fn() -> bool = &|| false;

/// Checks that the pairs are eigenpairs, orthonormal and in order.
fn assert_pairs(matrix: &[f64], size: usize, pairs: &[EigenPair]) {
    let norm = (0..size)
        .map(|row| {
            matrix[row * size..(row + 1) * size]
                .iter()
                .map(|x| x.abs())
                .sum::<f64>()
        })
        .fold(f64::MIN_POSITIVE, f64::max);
    for (place, pair) in pairs.iter().enumerate() {
        for (row, x) in pair.vector.iter().enumerate() {
            let product = dot(&matrix[row * size..(row + 1) * size], &pair.vector);
            let off = (product - pair.value * x).abs();
            assert!(
                off < 1e-13 * norm * size as f64 + 1e-100,
                "pair {place}, row {row}: off by {off}"
            );
        }
        for (other_place, other) in pairs[..=place].iter().enumerate() {
            let expected = if other_place == place { 1.0 } else { 0.0 };
            let found = dot(&pair.vector, &other.vector);
            assert!(
                (found - expected).abs() < 1e-12,
                "{other_place} · {place} = {found}"
            );
        }
    }
    let descending = pairs
        .windows(2)
        .all(|two| two[0].value >= two[1].value - 1e-14 * norm);
    assert!(
        descending,
        "{:?}",
        pairs.iter().map(|pair| pair.value).collect::<Vec<_>>()
    );
}

fn symmetric(size: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let entry = &entry;
    (0..size)
        .flat_map(|row| (0..size).map(move |column| entry(row.max(column), row.min(column))))
        .collect()
}

#[test]
fn random_matrices_of_any_size() {
    for size in [1, 2, 3, 5, 17, 64, 150] {
        let noise = start(size * size, 3);
        let matrix = symmetric(size, |row, column| noise[row * size + column]);
        let pairs = largest(matrix.clone(), size, size, NEVER).unwrap();
        assert_eq!(pairs.len(), size);
        assert_pairs(&matrix, size, &pairs);
        let trace: f64 = (0..size).map(|place| matrix[place * size + place]).sum();
        let sum: f64 = pairs.iter().map(|pair| pair.value).sum();
        assert!((trace - sum).abs() < 1e-11 * size as f64, "{trace} {sum}");
        let few = largest(matrix, size, 3, NEVER).unwrap();
        assert_eq!(few.len(), size.min(3));
        assert!(
            few.iter()
                .zip(&pairs)
                .all(|(few, all)| (few.value - all.value).abs() < 1e-12)
        );
    }
}

#[test]
fn known_eigenvalues() {
    // The second difference: 2 - 2 cos(π k / (n + 1)).
    let size = 40;
    let matrix = symmetric(size, |row, column| match row - column {
        0 => 2.0,
        1 => -1.0,
        _ => 0.0,
    });
    let pairs = largest(matrix.clone(), size, size, NEVER).unwrap();
    assert_pairs(&matrix, size, &pairs);
    for (place, pair) in pairs.iter().enumerate() {
        let angle = std::f64::consts::PI * (size - place) as f64 / (size + 1) as f64;
        assert!((pair.value - (2.0 - 2.0 * angle.cos())).abs() < 1e-13);
    }
}

#[test]
fn equal_eigenvalues_and_matrices_of_low_rank() {
    for size in [2, 9, 60] {
        let identity = symmetric(size, |row, column| f64::from(u8::from(row == column)));
        assert_pairs(
            &identity,
            size,
            &largest(identity.clone(), size, size, NEVER).unwrap(),
        );
        let zeros = vec![0.0; size * size];
        assert_pairs(
            &zeros,
            size,
            &largest(zeros.clone(), size, size, NEVER).unwrap(),
        );
        let ones = vec![1e9; size * size];
        let pairs = largest(ones.clone(), size, size, NEVER).unwrap();
        assert_pairs(&ones, size, &pairs);
        assert!((pairs[0].value / 1e9 - size as f64).abs() < 1e-11 * size as f64);
        // Blocks of ones: as often as there are blocks the same eigenvalue.
        let blocks = symmetric(size, |row, column| {
            f64::from(u8::from(row / 3 == column / 3))
        });
        assert_pairs(
            &blocks,
            size,
            &largest(blocks.clone(), size, size, NEVER).unwrap(),
        );
    }
}

#[test]
fn eigenvalues_of_very_different_size() {
    let size = 50;
    let noise = start(size * size, 7);
    let scale = |place: usize| 10f64.powf(-(place as f64) / 5.0);
    let matrix = symmetric(size, |row, column| {
        noise[row * size + column] * scale(row) * scale(column)
    });
    assert_pairs(
        &matrix,
        size,
        &largest(matrix.clone(), size, size, NEVER).unwrap(),
    );
}

#[test]
fn threads_do_not_change_a_bit() {
    let size = 120;
    let noise = start(size * size, 1);
    let matrix = symmetric(size, |row, column| noise[row * size + column]);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap()
            .install(|| largest(matrix.clone(), size, 20, NEVER).unwrap())
    };
    assert_eq!(on(1), on(4));
}

#[test]
fn a_wish_to_stop_is_heard() {
    assert_eq!(largest(vec![1.0; 9], 3, 1, &|| true), None);
}
