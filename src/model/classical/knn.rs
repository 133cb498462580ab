//! The k nearest neighbours among the training rows, by euclidean distance.
//!
//! Invariant: of training rows at the same distance the earlier one is nearer, and a row's
//! neighbours depend on no other row asked about.

use rayon::prelude::*;

use super::csr::{Csr, Sparse};
use super::error::{
    AT_LEAST_1, ClassicalError, Decoder, Encoder, OptionProblem, invalid, problems_of, refuse,
};

pub(super) const TAG: [u8; 8] = *b"rneighb\x02";

/// Rows that one task of Rayon takes: it has one array of products with all training rows.
const BLOCK_ROWS: usize = 32;

/// A squared length this near to 1 is 1: rows that were scaled to unit length stay as far from a
/// row that shares nothing with them, in spite of rounding.
const UNIT: f64 = 1e-5;

/// How far two rows are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The length of their difference. Of rows of unit length, an empty one is nearer to any row
    /// than most others are.
    Euclidean,
    /// 1 − the cosine of the angle between them; 1 where one of them is empty.
    Cosine,
}

/// What nearest neighbours are asked with. The defaults are those of scikit-learn's
/// `KNeighborsClassifier`.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighboursOptions {
    /// Number of neighbours that vote.
    pub neighbours: usize,
    /// What near means.
    pub metric: Metric,
}

impl Default for NeighboursOptions {
    fn default() -> Self {
        Self {
            neighbours: 5,
            metric: Metric::Euclidean,
        }
    }
}

impl NeighboursOptions {
    /// Returns all that is wrong with the options.
    #[must_use]
    pub fn problems(&self) -> Vec<OptionProblem> {
        problems_of([(self.neighbours > 0, "neighbours", AT_LEAST_1)])
    }

    /// Checks that the options make sense.
    pub(super) fn check(&self) -> Result<(), ClassicalError> {
        refuse(&self.problems())
    }
}

/// Training rows, by column, to find the nearest of.
///
/// # Source
///
/// The answers of scikit-learn's `KNeighborsClassifier` with uniform weights, but that of rows at
/// the same distance scikit-learn takes those that its heap happens to keep, mostly the earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestNeighbours {
    /// Row `j` holds the training rows that store column `j`.
    by_column: Sparse,
    labels: Vec<u32>,
    /// Votes of a neighbour of each class.
    votes: Vec<f32>,
    /// What makes a product with each training row an order of nearness: `offset + factor · product`.
    order: Vec<(f32, f32)>,
    neighbours: usize,
    metric: Metric,
}

impl NearestNeighbours {
    /// Keeps the training rows; `weights` are the votes of a neighbour of each class.
    ///
    /// # Errors
    ///
    /// Where rows, labels, weights or options make no sense, and
    /// [`Interrupted`](ClassicalError::Interrupted) where `cancel` says so at the start.
    pub fn fit(
        rows: Csr<'_>,
        labels: &[u32],
        classes: usize,
        weights: Option<&[f32]>,
        options: &NeighboursOptions,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Self, ClassicalError> {
        rows.check(labels, classes, weights)?;
        options.check()?;
        if cancel() {
            return Err(ClassicalError::Interrupted);
        }
        let by_column = rows.transposed();
        Ok(Self {
            order: order(&by_column, options.metric),
            by_column,
            labels: labels.to_vec(),
            votes: weights.map_or_else(|| vec![1.0; classes], <[f32]>::to_vec),
            neighbours: options.neighbours,
            metric: options.metric,
        })
    }

    /// Returns the share of each class in the votes of the nearest training rows, rows × classes.
    /// Columns that no training row stores only add to a row's distance from all.
    #[must_use]
    pub fn predict_probabilities(&self, rows: Csr<'_>) -> Vec<f32> {
        let classes = self.votes.len();
        let mut shares = vec![0.0; rows.rows() * classes];
        let blocks = shares.par_chunks_mut(BLOCK_ROWS * classes);
        blocks.enumerate().for_each(|(block, shares)| {
            let mut products = vec![0.0; self.labels.len()];
            let of_rows = (block * BLOCK_ROWS..).zip(shares.chunks_exact_mut(classes));
            for (row, shares) in of_rows {
                self.multiply(rows.row(row), &mut products);
                self.vote(&self.nearest(&products), shares);
            }
        });
        shares
    }

    /// Computes the products of a row with all training rows.
    fn multiply(&self, (columns, values): (&[u32], &[f32]), products: &mut [f32]) {
        products.fill(0.0);
        let by_column = self.by_column.as_csr();
        let known = by_column.rows();
        for (&column, &value) in columns.iter().zip(values) {
            if (column as usize) < known {
                let (rows, entries) = by_column.row(column as usize);
                for (&row, &entry) in rows.iter().zip(entries) {
                    products[row as usize] += value * entry;
                }
            }
        }
    }

    /// Returns the nearest training rows, given their products with a row.
    fn nearest(&self, products: &[f32]) -> Vec<(f32, u32)> {
        let wanted = self.neighbours.min(products.len());
        let mut nearest: Vec<(f32, u32)> = Vec::with_capacity(wanted + 1);
        let mut limit = f32::INFINITY;
        for ((&(offset, factor), &product), row) in self.order.iter().zip(products).zip(0u32..) {
            let distance = offset + factor * product;
            if nearest.len() == wanted {
                if distance >= limit {
                    continue;
                }
                nearest.pop();
            }
            let place = nearest.partition_point(|&(other, _)| other <= distance);
            nearest.insert(place, (distance, row));
            if nearest.len() == wanted {
                limit = nearest[wanted - 1].0;
            }
        }
        nearest
    }

    fn vote(&self, nearest: &[(f32, u32)], shares: &mut [f32]) {
        for &(_, row) in nearest {
            let class = self.labels[row as usize] as usize;
            shares[class] += self.votes[class];
        }
        let total: f32 = shares.iter().sum();
        for share in shares {
            *share /= total;
        }
    }

    /// Returns the number of columns that the model was fitted on.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.by_column.as_csr().rows()
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.votes.len()
    }

    /// Returns the model as bytes: tag, neighbours, whether the metric is the cosine, votes, labels, training rows by column;
    /// numbers little-endian, arrays with their length before them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(TAG);
        encoder.count(self.neighbours);
        encoder.count(usize::from(self.metric == Metric::Cosine));
        encoder.f32s(&self.votes);
        encoder.u32s(&self.labels);
        self.by_column.encode(&mut encoder);
        encoder.finish()
    }

    /// Reads a model back.
    ///
    /// # Errors
    ///
    /// [`ClassicalError::Decode`] where the bytes are not from [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassicalError> {
        let mut decoder = Decoder::new(bytes, TAG)?;
        let neighbours = decoder.count()?;
        let metric = if decoder.flag()? {
            Metric::Cosine
        } else {
            Metric::Euclidean
        };
        let votes = decoder.f32s()?;
        let labels = decoder.u32s()?;
        let by_column = Sparse::decode(&mut decoder)?;
        decoder.finish()?;
        let below = |&label: &u32| (label as usize) < votes.len();
        let counts = |vote: &f32| vote.is_finite() && *vote > 0.0;
        let fits = neighbours > 0
            && !labels.is_empty()
            && labels.len() == by_column.as_csr().columns
            && labels.iter().all(below)
            && votes.iter().all(counts);
        if !fits {
            return Err(invalid("training rows, labels and votes do not fit"));
        }
        Ok(Self {
            order: order(&by_column, metric),
            by_column,
            labels,
            votes,
            neighbours,
            metric,
        })
    }
}

/// Returns what makes a product with each training row an order of nearness. What is the same for all
/// training rows, such as the length of the row asked about, is left out.
fn order(by_column: &Sparse, metric: Metric) -> Vec<(f32, f32)> {
    let of_row = |square: f32| match metric {
        Metric::Euclidean => (square, -2.0),
        Metric::Cosine if square > 0.0 => (0.0, -1.0 / square.sqrt()),
        Metric::Cosine => (0.0, 0.0),
    };
    squares(by_column).into_iter().map(of_row).collect()
}

/// Returns the squared length of each training row.
fn squares(by_column: &Sparse) -> Vec<f32> {
    let columns = by_column.as_csr();
    let mut squares = vec![0.0; columns.columns];
    for (&row, &value) in columns.indices.iter().zip(columns.values) {
        squares[row as usize] += f64::from(value).powi(2);
    }
    let rounded = |square: f64| {
        if (square - 1.0).abs() < UNIT {
            1.0
        } else {
            square
        }
    };
    squares
        .into_iter()
        .map(|square| rounded(square) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::csr::{assert_close, many, small, with_one_and_four_threads};
    use super::super::error::assert_survives_damage;
    use super::*;

    fn fit(neighbours: usize, weights: Option<&[f32]>) -> NearestNeighbours {
        let (rows, labels) = small();
        let options = NeighboursOptions {
            neighbours,
            ..NeighboursOptions::default()
        };
        NearestNeighbours::fit(rows.as_csr(), &labels, 3, weights, &options, &|| false).unwrap()
    }

    #[test]
    fn shares_are_those_of_scikit_learn() {
        let (rows, _) = small();
        let shares = fit(5, None).predict_probabilities(rows.as_csr());
        let expected = [
            0.6, 0.2, 0.2, 0.2, 0.8, 0.0, 0.0, 0.4, 0.6, 0.6, 0.0, 0.4, 0.2, 0.6, 0.2, 0.2, 0.2,
            0.6, 0.8, 0.2, 0.0, 0.6, 0.4, 0.0, 0.2, 0.4, 0.4, 0.2, 0.8, 0.0, 0.2, 0.4, 0.4, 0.4,
            0.2, 0.4,
        ];
        assert_close(&shares, &expected, 1e-6);
        let weighted = fit(5, Some(&[1.0, 1.0, 3.0])).predict_probabilities(rows.as_csr());
        let (first, votes) = (&expected[..3], [1.0, 1.0, 3.0]);
        let total: f32 = first
            .iter()
            .zip(votes)
            .map(|(share, vote)| share * vote)
            .sum();
        assert_close(&weighted[2..3], &[first[2] * 3.0 / total], 1e-6);
    }

    #[test]
    fn of_rows_at_the_same_distance_the_earlier_is_nearer() {
        let rows = Csr {
            indptr: &[0, 1, 2, 3, 4],
            indices: &[0, 0, 1, 1],
            values: &[1.0; 4],
            columns: 2,
        };
        let options = NeighboursOptions {
            neighbours: 3,
            ..NeighboursOptions::default()
        };
        let model =
            NearestNeighbours::fit(rows, &[0, 1, 2, 3], 4, None, &options, &|| false).unwrap();
        let third = 1.0 / 3.0;
        let asked = Csr {
            indptr: &[0, 1, 2],
            indices: &[1, 7],
            values: &[1.0, 1.0],
            columns: 8,
        };
        let expected = [third, 0.0, third, third, third, third, third, 0.0];
        assert_eq!(model.predict_probabilities(asked), expected);
    }

    #[test]
    fn an_empty_row_is_near_by_length_and_far_by_angle() {
        // Class 0 is empty; class 1 shares little with what is asked, class 2 nothing.
        let rows = Csr {
            indptr: &[0, 0, 2, 3],
            indices: &[0, 1, 2],
            values: &[0.3, 0.954, 1.0],
            columns: 3,
        };
        let asked = Csr {
            indptr: &[0, 1],
            indices: &[0],
            values: &[1.0],
            columns: 3,
        };
        for (metric, class) in [(Metric::Euclidean, 0), (Metric::Cosine, 1)] {
            let options = NeighboursOptions {
                neighbours: 1,
                metric,
            };
            let fitted =
                NearestNeighbours::fit(rows, &[0, 1, 2], 3, None, &options, &|| false).unwrap();
            for model in [
                NearestNeighbours::from_bytes(&fitted.to_bytes()).unwrap(),
                fitted,
            ] {
                let mut expected = [0.0; 3];
                expected[class] = 1.0;
                assert_eq!(model.predict_probabilities(asked), expected, "{metric:?}");
            }
        }
    }

    #[test]
    fn more_neighbours_than_rows_are_all_rows() {
        let (rows, _) = small();
        let shares = fit(50, None).predict_probabilities(rows.as_csr());
        assert_close(&shares, &[1.0 / 3.0; 36], 1e-6);
    }

    #[test]
    fn a_model_does_not_depend_on_threads_and_comes_back_from_its_bytes() {
        let model = fit(5, None);
        let (rows, _) = many();
        let (one, four) = with_one_and_four_threads(|| model.predict_probabilities(rows.as_csr()));
        assert_eq!(one, four);
        let bytes = model.to_bytes();
        assert_eq!(NearestNeighbours::from_bytes(&bytes), Ok(model));
        assert_survives_damage(&bytes, NearestNeighbours::from_bytes);
    }
}
