//! Tests of the decision tree; the boosted trees and the forest use its rows as well.

use super::super::error::assert_survives_damage;
use super::*;

/// Owned rows of a made-up catalogue.
#[derive(Debug)]
pub struct Catalogue {
    indptr: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
    columns: usize,
    /// Class of each row.
    pub labels: Vec<u32>,
}

impl Catalogue {
    /// Rows of 3 classes × 8 words each and 16 words that mean nothing; every row has three
    /// words of its class, one of another and two without meaning.
    pub fn new(rows: usize, seed: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut catalogue = Self {
            indptr: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
            columns: 40,
            labels: Vec::new(),
        };
        for row in 0..rows {
            let class = row % 3;
            let mut words = std::collections::BTreeMap::new();
            let mut put = |first: usize, count: usize| {
                let word = first + grow::below(&mut generator, count);
                let value = 0.1 + grow::below(&mut generator, 1000) as f32 / 1000.0;
                words.insert(word as u32, value);
            };
            (0..3).for_each(|_| put(class * 8, 8));
            put((class + 1) % 3 * 8, 8);
            (0..2).for_each(|_| put(24, 16));
            catalogue.indices.extend(words.keys());
            catalogue.values.extend(words.values());
            catalogue.indptr.push(catalogue.indices.len());
            catalogue.labels.push(class as u32);
        }
        catalogue
    }

    /// Borrows the rows.
    pub fn rows(&self) -> Csr<'_> {
        Csr {
            indptr: &self.indptr,
            indices: &self.indices,
            values: &self.values,
            columns: self.columns,
        }
    }

    /// Share of the rows whose most probable class is right.
    pub fn accuracy(&self, probabilities: &[f32]) -> f64 {
        let rows = probabilities.chunks_exact(3).zip(&self.labels);
        let right = rows.filter(|(shares, label)| {
            let own = shares[**label as usize];
            shares.iter().all(|&share| share <= own)
        });
        right.count() as f64 / self.labels.len() as f64
    }
}

/// Whether every row of three sums to 1.
pub fn sums_to_one(probabilities: &[f32]) -> bool {
    let sums = probabilities
        .chunks_exact(3)
        .map(|row| row.iter().sum::<f32>());
    sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-5)
}

fn fit(catalogue: &Catalogue, options: &TreeOptions) -> DecisionTree {
    let rows = catalogue.rows();
    DecisionTree::fit(rows, &catalogue.labels, 3, None, options, &|| false).unwrap()
}

/// Rows (1, 0), (0, 2), (0, 0), (3, 0), (0, 4).
const TINY: Csr<'static> = Csr {
    indptr: &[0, 1, 2, 2, 3, 4],
    indices: &[0, 1, 0, 1],
    values: &[1.0, 2.0, 3.0, 4.0],
    columns: 2,
};

fn fit_tiny(weights: Option<&[f32]>, options: &TreeOptions) -> Vec<f32> {
    let labels = [0, 1, 2, 0, 1];
    let tree = DecisionTree::fit(TINY, &labels, 3, weights, options, &|| false);
    tree.unwrap().predict_probabilities(TINY)
}

#[test]
fn a_grown_tree_knows_its_rows() {
    let exact = fit_tiny(None, &TreeOptions::default());
    let expected = [
        [1., 0., 0.],
        [0., 1., 0.],
        [0., 0., 1.],
        [1., 0., 0.],
        [0., 1., 0.],
    ];
    assert_eq!(exact, expected.concat());
    let catalogue = Catalogue::new(300, 1);
    let tree = fit(&catalogue, &TreeOptions::default());
    let known = tree.predict_probabilities(catalogue.rows());
    assert!((catalogue.accuracy(&known) - 1.0).abs() < 1e-9);
}

/// What scikit-learn 1.9.1 answers with `max_depth=2`, whatever its `random_state`.
#[test]
fn two_questions_give_the_peers_shares() {
    let rows = Csr {
        indptr: &[0, 2, 3, 4, 6, 8, 9, 10, 12],
        indices: &[0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1],
        values: &[-1.0, 0.5, 0.7, 2.0, 3.0, 0.1, -0.5, 0.9, 0.2, 2.5, 1.0, 0.3],
        columns: 2,
    };
    let mixed = [0.75, 0.0, 0.25];
    let (one, two) = ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]);
    let expected = [mixed, mixed, one, one, mixed, two, one, mixed].concat();
    for seed in 0..8 {
        let options = TreeOptions {
            max_depth: Some(2),
            seed,
            ..TreeOptions::default()
        };
        let labels = [0, 0, 1, 1, 2, 2, 1, 0];
        let tree = DecisionTree::fit(rows, &labels, 3, None, &options, &|| false).unwrap();
        assert_eq!(tree.predict_probabilities(rows), expected);
    }
}

#[test]
fn limits_and_weights_shape_the_leaves() {
    let stump = TreeOptions {
        min_split_rows: 6,
        ..TreeOptions::default()
    };
    let shares = fit_tiny(None, &stump);
    assert_eq!(shares[..3], [0.4, 0.4, 0.2]);
    let shares = fit_tiny(Some(&[1.0, 1.0, 4.0]), &stump);
    assert_eq!(shares[..3], [0.25, 0.25, 0.5]);
    let coarse = TreeOptions {
        min_leaf_rows: 3,
        ..TreeOptions::default()
    };
    assert_eq!(fit_tiny(None, &coarse), fit_tiny(None, &stump));
}

#[test]
fn unseen_rows_are_told_apart_whatever_the_number_of_columns_on_trial() {
    let (known, unseen) = (Catalogue::new(600, 1), Catalogue::new(300, 2));
    for max_features in [MaxFeatures::All, MaxFeatures::Sqrt] {
        let options = TreeOptions {
            max_features,
            ..TreeOptions::default()
        };
        let shares = fit(&known, &options).predict_probabilities(unseen.rows());
        let accuracy = unseen.accuracy(&shares);
        assert!(accuracy > 0.7, "{max_features:?}: {accuracy}");
        assert!(sums_to_one(&shares));
    }
}

#[test]
fn the_seed_decides() {
    let catalogue = Catalogue::new(200, 1);
    let with = |seed| {
        let options = TreeOptions {
            max_features: MaxFeatures::Sqrt,
            seed,
            ..TreeOptions::default()
        };
        fit(&catalogue, &options).to_bytes()
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn bytes_come_back_and_damage_is_an_error_or_another_tree() {
    let catalogue = Catalogue::new(60, 1);
    let tree = fit(&catalogue, &TreeOptions::default());
    let bytes = tree.to_bytes();
    assert_eq!(DecisionTree::from_bytes(&bytes).unwrap(), tree);
    assert_survives_damage(&bytes, |bytes| {
        let tree = DecisionTree::from_bytes(bytes)?;
        if (tree.columns, tree.classes) == (catalogue.columns, 3) {
            let _ = tree.predict_probabilities(catalogue.rows());
        }
        Ok(tree)
    });
}

#[test]
fn refusals() {
    let fit = |labels: &[u32], options: &TreeOptions, cancel: bool| {
        DecisionTree::fit(TINY, labels, 3, None, options, &|| cancel).err()
    };
    let (labels, options) = ([0, 1, 2, 0, 1], TreeOptions::default());
    assert_eq!(
        fit(&labels, &options, true),
        Some(ClassicalError::Interrupted)
    );
    assert_eq!(
        fit(&[0, 1, 3, 0, 1], &options, false),
        Some(ClassicalError::Labels)
    );
    let none = TreeOptions {
        min_leaf_rows: 0,
        ..options
    };
    let refused = fit(&labels, &none, false);
    assert!(matches!(refused, Some(ClassicalError::Options(_))));
}
