//! A decision tree (CART) on sparse rows.
//!
//! Splits by Gini impurity until a leaf is pure or nothing can be split, as scikit-learn's
//! `DecisionTreeClassifier`; a leaf answers with the shares of its rows. Invariant: the same
//! rows, options and seed give the same tree.

use std::num::NonZeroUsize;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::csr::Csr;
use super::error::{
    AT_LEAST_1, ClassicalError, Decoder, Encoder, OptionProblem, problems_of, refuse,
};

pub(super) mod columns;
pub(super) mod grow;
pub(super) mod nodes;
mod scorer;
pub(super) mod shape;

use grow::{Grower, Training};
use nodes::map_rows;
use shape::Shape;

/// Kind of model and version of its format.
pub(super) const TAG: [u8; 8] = *b"RYNTREE\x01";

/// What the option `max_depth` must be.
pub(super) const DEPTH: &str = "must be at least 1, or null for no limit";

/// How many columns each node of a tree tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxFeatures {
    /// All.
    All,
    /// The square root of their number, rounded down.
    Sqrt,
    /// So many, or all where there are fewer.
    Count(NonZeroUsize),
}

impl MaxFeatures {
    fn count(self, columns: usize) -> usize {
        match self {
            Self::All => columns,
            Self::Sqrt => columns.isqrt().max(1).min(columns),
            Self::Count(count) => count.get().min(columns),
        }
    }
}

/// How a tree grows.
///
/// The default is scikit-learn's: to pure leaves, all columns at every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeOptions {
    /// The most questions from the root to a leaf, if there is a limit.
    pub max_depth: Option<usize>,
    /// The fewest rows that are still split.
    pub min_split_rows: usize,
    /// The fewest rows of a leaf.
    pub min_leaf_rows: usize,
    /// How many columns each node tries.
    pub max_features: MaxFeatures,
    /// Decides which columns are tried, and between columns that split equally well.
    pub seed: u64,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self {
            max_depth: None,
            min_split_rows: 2,
            min_leaf_rows: 1,
            max_features: MaxFeatures::All,
            seed: 123,
        }
    }
}

impl TreeOptions {
    /// Returns all that is wrong with the options.
    #[must_use]
    pub fn problems(&self) -> Vec<OptionProblem> {
        problems_of([
            (self.max_depth != Some(0), "max_depth", DEPTH),
            (
                self.min_split_rows >= 2,
                "min_split_rows",
                "must be at least 2",
            ),
            (self.min_leaf_rows > 0, "min_leaf_rows", AT_LEAST_1),
        ])
    }

    /// Checks that the options make sense.
    pub(super) fn check(&self) -> Result<(), ClassicalError> {
        refuse(&self.problems())
    }
}

/// A fitted decision tree.
///
/// # Source
///
/// Breiman, Friedman, Olshen, Stone, *Classification and Regression Trees* (1984), in the variant
/// of scikit-learn's `DecisionTreeClassifier`: thresholds half way between two values, values
/// within 1e-7 taken for one, splits that gain nothing allowed. Columns that split equally well
/// are drawn by other random numbers, so trees differ in such places.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionTree {
    columns: usize,
    classes: usize,
    shape: Shape,
}

impl DecisionTree {
    /// Fits a tree; `weights` are those of the classes, `cancel` is asked now and then.
    ///
    /// # Errors
    ///
    /// Rows, labels, weights or options make no sense, or `cancel` said so.
    pub fn fit(
        rows: Csr<'_>,
        labels: &[u32],
        classes: usize,
        weights: Option<&[f32]>,
        options: &TreeOptions,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Self, ClassicalError> {
        options.check()?;
        let training = Training::new(rows, labels, classes, weights)?;
        let draws = vec![1; rows.rows()];
        let generator = ChaCha8Rng::seed_from_u64(options.seed);
        let shape = Grower::new(&training, options, &draws, generator).grow(cancel)?;
        Ok(Self {
            columns: rows.columns,
            classes,
            shape,
        })
    }

    /// Returns the probability of each class for each row.
    ///
    /// # Shapes
    ///
    /// rows × classes; each row sums to 1. Columns that were not there at the fit are left out.
    #[must_use]
    pub fn predict_probabilities(&self, rows: Csr<'_>) -> Vec<f32> {
        map_rows(rows, self.columns, self.classes, |row, shares| {
            self.shape.add_shares(row, 1.0, shares);
        })
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Encodes the tree: little-endian, with the version of the format.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(TAG);
        encoder.count(self.columns);
        encoder.count(self.classes);
        self.shape.encode(&mut encoder);
        encoder.finish()
    }

    /// Decodes a tree.
    ///
    /// # Errors
    ///
    /// The bytes are no tree of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassicalError> {
        let mut decoder = Decoder::new(bytes, TAG)?;
        let columns = shape::read_count(&mut decoder, 0)?;
        let classes = shape::read_count(&mut decoder, 1)?;
        let shape = Shape::decode(&mut decoder, columns, classes)?;
        decoder.finish()?;
        Ok(Self {
            columns,
            classes,
            shape,
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
