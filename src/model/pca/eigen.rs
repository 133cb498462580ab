//! The largest eigenvalues of a symmetric matrix, with their eigenvectors, by nalgebra, on one thread.
//!
//! All eigenvectors of 1,000 rows take about 1 s, of 3,000 about a minute. faer is four times as fast and takes four times as long to
//! build.

use nalgebra::{DMatrix, SymmetricEigen};

/// An eigenvalue and its eigenvector, of length 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EigenPair {
    pub(super) value: f64,
    pub(super) vector: Vec<f64>,
}

/// Returns the `count` largest eigenvalues of a symmetric matrix in descending order, with eigenvectors that are orthogonal
/// to each other.
///
/// # Shapes
///
/// `matrix` is size × size, both triangles filled.
pub(super) fn largest(matrix: Vec<f64>, size: usize, count: usize) -> Vec<EigenPair> {
    let found = SymmetricEigen::new(DMatrix::from_vec(size, size, matrix));
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|a, b| found.eigenvalues[*b].total_cmp(&found.eigenvalues[*a]));
    let pair = |place: usize| EigenPair {
        value: found.eigenvalues[place],
        vector: found.eigenvectors.column(place).iter().copied().collect(),
    };
    order.into_iter().take(count).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_fit_the_matrix() {
        // The second difference: eigenvalues 2 - 2 cos(π k / (n + 1)).
        let size = 40;
        let entry = |row: usize, column: usize| match row.abs_diff(column) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let matrix: Vec<f64> = (0..size * size)
            .map(|place| entry(place / size, place % size))
            .collect();
        let pairs = largest(matrix, size, 7);
        assert_eq!(pairs.len(), 7);
        for (place, pair) in pairs.iter().enumerate() {
            let angle = std::f64::consts::PI * (size - place) as f64 / (size + 1) as f64;
            assert!((pair.value - (2.0 - 2.0 * angle.cos())).abs() < 1e-12);
            for row in 0..size {
                let product: f64 = (0..size)
                    .map(|column| entry(row, column) * pair.vector[column])
                    .sum();
                assert!((product - pair.value * pair.vector[row]).abs() < 1e-12);
            }
        }
        assert_eq!(largest(vec![3.0], 1, 5).len(), 1);
    }
}
