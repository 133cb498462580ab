//! A random forest on sparse rows.
//!
//! Each tree grows on rows drawn with replacement and tries the square root of the columns at
//! each node; the forest answers with the mean of its trees' shares. Invariant: a tree is a
//! function of rows, options and its number, so the threads that grow it do not matter.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use super::csr::Csr;
use super::error::{
    AT_LEAST_1, ClassicalError, Decoder, Encoder, OptionProblem, invalid, problems_of, refuse,
};
use super::tree::grow::{Grower, Training, below};
use super::tree::nodes::map_rows;
use super::tree::shape::{Shape, read_count};
use super::tree::{MaxFeatures, TreeOptions};

/// Kind of model and version of its format.
pub(super) const TAG: [u8; 8] = *b"RYNFRST\x01";

/// Trees for each thread between two looks at the caller's wish to stop.
const TREES_BETWEEN_LOOKS: usize = 8;

/// How a forest grows.
///
/// The default is scikit-learn's: 100 trees, rows drawn with replacement, the square root of the
/// columns at each node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForestOptions {
    /// Number of trees.
    pub trees: usize,
    /// Whether each tree draws as many rows as there are, with replacement, or takes them all.
    pub bootstrap: bool,
    /// How each tree grows; its seed is the forest's.
    pub tree: TreeOptions,
}

impl Default for ForestOptions {
    fn default() -> Self {
        Self {
            trees: 100,
            bootstrap: true,
            tree: TreeOptions {
                max_features: MaxFeatures::Sqrt,
                ..TreeOptions::default()
            },
        }
    }
}

impl ForestOptions {
    /// Returns all that is wrong with the options.
    #[must_use]
    pub fn problems(&self) -> Vec<OptionProblem> {
        let mut problems = problems_of([(self.trees > 0, "trees", AT_LEAST_1)]);
        problems.extend(self.tree.problems());
        problems
    }

    /// Checks that the options make sense.
    pub(super) fn check(&self) -> Result<(), ClassicalError> {
        refuse(&self.problems())
    }
}

/// A fitted random forest.
///
/// # Source
///
/// Breiman, *Random Forests* (2001), in the variant of scikit-learn's `RandomForestClassifier`:
/// trees vote with shares, not with classes, and a node goes on drawing columns until one varies.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomForest {
    columns: usize,
    classes: usize,
    trees: Vec<Shape>,
}

impl RandomForest {
    /// Fits a forest; `weights` are those of the classes, `cancel` is asked now and then.
    ///
    /// # Errors
    ///
    /// Rows, labels, weights or options make no sense, or `cancel` said so.
    pub fn fit(
        rows: Csr<'_>,
        labels: &[u32],
        classes: usize,
        weights: Option<&[f32]>,
        options: &ForestOptions,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Self, ClassicalError> {
        options.check()?;
        let training = Training::new(rows, labels, classes, weights)?;
        let mut trees = Vec::with_capacity(options.trees);
        let numbers: Vec<usize> = (0..options.trees).collect();
        // The caller's closure cannot be asked from other threads.
        let stride = TREES_BETWEEN_LOOKS * rayon::current_num_threads();
        for numbers in numbers.chunks(stride) {
            if cancel() {
                return Err(ClassicalError::Interrupted);
            }
            let grown = numbers.par_iter().with_max_len(1);
            let grown = grown.map(|&number| grow(&training, options, number));
            trees.extend(grown.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(Self {
            columns: rows.columns,
            classes,
            trees,
        })
    }

    /// Returns the probability of each class for each row.
    ///
    /// # Shapes
    ///
    /// rows × classes; each row sums to 1. Columns that were not there at the fit are left out.
    #[must_use]
    pub fn predict_probabilities(&self, rows: Csr<'_>) -> Vec<f32> {
        let trees = self.trees.len() as f32;
        map_rows(rows, self.columns, self.classes, |row, shares| {
            for tree in &self.trees {
                tree.add_shares(row, 1.0, shares);
            }
            for share in shares {
                *share /= trees;
            }
        })
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Encodes the forest: little-endian, with the version of the format.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(TAG);
        encoder.count(self.columns);
        encoder.count(self.classes);
        encoder.count(self.trees.len());
        for tree in &self.trees {
            tree.encode(&mut encoder);
        }
        encoder.finish()
    }

    /// Decodes a forest.
    ///
    /// # Errors
    ///
    /// The bytes are no forest of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassicalError> {
        let mut decoder = Decoder::new(bytes, TAG)?;
        let columns = read_count(&mut decoder, 0)?;
        let classes = read_count(&mut decoder, 1)?;
        let count = decoder.count()?;
        if count == 0 {
            return Err(invalid("a forest of no trees"));
        }
        // A tree takes bytes, so a false count ends with the bytes.
        let trees: Result<Vec<Shape>, _> = (0..count)
            .map(|_| Shape::decode(&mut decoder, columns, classes))
            .collect();
        let trees = trees?;
        decoder.finish()?;
        Ok(Self {
            columns,
            classes,
            trees,
        })
    }
}

/// Grows one tree of a forest.
fn grow(
    training: &Training<'_>,
    options: &ForestOptions,
    number: usize,
) -> Result<Shape, ClassicalError> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&options.tree.seed.to_le_bytes());
    seed[8..16].copy_from_slice(&(number as u64).to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(seed);
    let rows = training.rows.rows();
    let draws = if options.bootstrap {
        let mut draws = vec![0; rows];
        for _ in 0..rows {
            draws[below(&mut generator, rows)] += 1;
        }
        draws
    } else {
        vec![1; rows]
    };
    Grower::new(training, &options.tree, &draws, generator).grow(&|| false)
}

#[cfg(test)]
mod tests {
    use super::super::csr::with_one_and_four_threads;
    use super::super::error::assert_survives_damage;
    use super::super::tree::tests::{Catalogue, sums_to_one};
    use super::*;

    fn fit(catalogue: &Catalogue, trees: usize) -> RandomForest {
        let options = ForestOptions {
            trees,
            ..ForestOptions::default()
        };
        let rows = catalogue.rows();
        RandomForest::fit(rows, &catalogue.labels, 3, None, &options, &|| false).unwrap()
    }

    #[test]
    fn a_forest_knows_more_than_a_tree() {
        let (known, unseen) = (Catalogue::new(400, 1), Catalogue::new(400, 2));
        let accuracy = |trees| {
            let shares = fit(&known, trees).predict_probabilities(unseen.rows());
            assert!(sums_to_one(&shares));
            unseen.accuracy(&shares)
        };
        let (one, many) = (accuracy(1), accuracy(60));
        assert!(many > 0.95 && many > one + 0.05, "{one} → {many}");
    }

    #[test]
    fn threads_do_not_matter_and_trees_differ() {
        let catalogue = Catalogue::new(200, 1);
        let (one, four) = with_one_and_four_threads(|| fit(&catalogue, 20));
        assert_eq!(one, four);
        assert_ne!(one.trees[0], one.trees[1]);
    }

    #[test]
    fn without_bootstrap_and_with_all_columns_every_tree_knows_its_rows() {
        let catalogue = Catalogue::new(200, 1);
        let options = ForestOptions {
            trees: 3,
            bootstrap: false,
            tree: TreeOptions::default(),
        };
        let rows = catalogue.rows();
        let forest = RandomForest::fit(rows, &catalogue.labels, 3, None, &options, &|| false);
        let shares = forest.unwrap().predict_probabilities(rows);
        let certain = |share: &f32| share.min(1.0 - share) < 1e-6;
        assert!(shares.iter().all(certain));
        assert!((catalogue.accuracy(&shares) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn bytes_come_back_and_damage_is_an_error_or_another_forest() {
        let catalogue = Catalogue::new(30, 1);
        let forest = fit(&catalogue, 2);
        let bytes = forest.to_bytes();
        assert_eq!(RandomForest::from_bytes(&bytes).unwrap(), forest);
        assert_survives_damage(&bytes, |bytes| {
            let forest = RandomForest::from_bytes(bytes)?;
            if (forest.columns, forest.classes) == (40, 3) {
                let _ = forest.predict_probabilities(catalogue.rows());
            }
            Ok(forest)
        });
    }

    #[test]
    fn no_trees_and_a_wish_to_stop_are_errors() {
        let catalogue = Catalogue::new(30, 1);
        let fit = |trees, cancel: bool| {
            let options = ForestOptions {
                trees,
                ..ForestOptions::default()
            };
            let rows = catalogue.rows();
            RandomForest::fit(rows, &catalogue.labels, 3, None, &options, &|| cancel).err()
        };
        assert!(matches!(fit(0, false), Some(ClassicalError::Options(_))));
        assert_eq!(fit(2, true), Some(ClassicalError::Interrupted));
    }
}
