//! Any one of the classical models, and the options that it is fitted with.

use super::{
    BoostingOptions, ClassicalError, Csr, DecisionTree, ForestOptions, GradientBoosting, LinearSvm,
    LogisticOptions, LogisticRegression, NearestNeighbours, NeighboursOptions, OptionProblem,
    RandomForest, SvmOptions, TreeOptions, boosting, forest, knn, logistic, svm, tree,
};

/// Which classical model, and how it is fitted.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassicalOptions {
    /// Multinomial logistic regression.
    LogisticRegression(LogisticOptions),
    /// Linear support vector machines, one against the rest, calibrated.
    LinearSvm(SvmOptions),
    /// The shares among the nearest training rows.
    NearestNeighbours(NeighboursOptions),
    /// One decision tree.
    DecisionTree(TreeOptions),
    /// Trees on rows drawn at random, averaged.
    RandomForest(ForestOptions),
    /// Trees, each on what those before it left over.
    GradientBoosting(BoostingOptions),
}

/// A fitted classical model.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassicalModel {
    /// Multinomial logistic regression.
    LogisticRegression(LogisticRegression),
    /// Linear support vector machines.
    LinearSvm(LinearSvm),
    /// Nearest neighbours.
    NearestNeighbours(NearestNeighbours),
    /// One decision tree.
    DecisionTree(DecisionTree),
    /// A random forest.
    RandomForest(RandomForest),
    /// Boosted trees.
    GradientBoosting(GradientBoosting),
}

impl ClassicalOptions {
    /// Returns all that is wrong with the options.
    #[must_use]
    pub fn problems(&self) -> Vec<OptionProblem> {
        match self {
            Self::LogisticRegression(options) => options.problems(),
            Self::LinearSvm(options) => options.problems(),
            Self::NearestNeighbours(options) => options.problems(),
            Self::DecisionTree(options) => options.problems(),
            Self::RandomForest(options) => options.problems(),
            Self::GradientBoosting(options) => options.problems(),
        }
    }

    /// Fits the model. Where `balanced`, rows weigh inversely to the number of rows of their class.
    ///
    /// # Errors
    ///
    /// Where rows, labels or options make no sense, or `cancel` said so.
    pub fn fit(
        &self,
        rows: Csr<'_>,
        labels: &[u32],
        classes: usize,
        balanced: bool,
        cancel: &dyn Fn() -> bool,
    ) -> Result<ClassicalModel, ClassicalError> {
        type Model = ClassicalModel;
        let weights = balanced.then(|| balanced_weights(labels, classes));
        let weights = weights.as_deref();
        Ok(match self {
            Self::LogisticRegression(options) => Model::LogisticRegression(
                LogisticRegression::fit(rows, labels, classes, weights, options, cancel)?,
            ),
            Self::LinearSvm(options) => Model::LinearSvm(LinearSvm::fit(
                rows, labels, classes, weights, options, cancel,
            )?),
            Self::NearestNeighbours(options) => Model::NearestNeighbours(NearestNeighbours::fit(
                rows, labels, classes, weights, options, cancel,
            )?),
            Self::DecisionTree(options) => Model::DecisionTree(DecisionTree::fit(
                rows, labels, classes, weights, options, cancel,
            )?),
            Self::RandomForest(options) => Model::RandomForest(RandomForest::fit(
                rows, labels, classes, weights, options, cancel,
            )?),
            Self::GradientBoosting(options) => Model::GradientBoosting(GradientBoosting::fit(
                rows, labels, classes, weights, options, cancel,
            )?),
        })
    }
}

impl ClassicalModel {
    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        match self {
            Self::LogisticRegression(model) => model.classes(),
            Self::LinearSvm(model) => model.classes(),
            Self::NearestNeighbours(model) => model.classes(),
            Self::DecisionTree(model) => model.classes(),
            Self::RandomForest(model) => model.classes(),
            Self::GradientBoosting(model) => model.classes(),
        }
    }

    /// Returns the probability of each class for each row.
    ///
    /// # Shapes
    ///
    /// rows × classes
    #[must_use]
    pub fn predict_probabilities(&self, rows: Csr<'_>) -> Vec<f32> {
        match self {
            Self::LogisticRegression(model) => model.predict_probabilities(rows),
            Self::LinearSvm(model) => model.predict_probabilities(rows),
            Self::NearestNeighbours(model) => model.predict_probabilities(rows),
            Self::DecisionTree(model) => model.predict_probabilities(rows),
            Self::RandomForest(model) => model.predict_probabilities(rows),
            Self::GradientBoosting(model) => model.predict_probabilities(rows),
        }
    }

    /// Returns whether the solver got as near to the minimum as it was asked to; `None` for models
    /// that do not solve for one.
    #[must_use]
    pub fn converged(&self) -> Option<bool> {
        match self {
            Self::LogisticRegression(model) => Some(model.converged()),
            Self::LinearSvm(model) => Some(model.converged()),
            _ => None,
        }
    }

    /// Returns the model as bytes: the same bytes for the same model.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::LogisticRegression(model) => model.to_bytes(),
            Self::LinearSvm(model) => model.to_bytes(),
            Self::NearestNeighbours(model) => model.to_bytes(),
            Self::DecisionTree(model) => model.to_bytes(),
            Self::RandomForest(model) => model.to_bytes(),
            Self::GradientBoosting(model) => model.to_bytes(),
        }
    }

    /// Reads a model of whichever kind its first bytes name.
    ///
    /// # Errors
    ///
    /// [`ClassicalError::Decode`] for bytes that are no model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassicalError> {
        let tag = bytes.first_chunk().copied().unwrap_or_default();
        Ok(match tag {
            logistic::TAG => Self::LogisticRegression(LogisticRegression::from_bytes(bytes)?),
            svm::TAG => Self::LinearSvm(LinearSvm::from_bytes(bytes)?),
            knn::TAG => Self::NearestNeighbours(NearestNeighbours::from_bytes(bytes)?),
            tree::TAG => Self::DecisionTree(DecisionTree::from_bytes(bytes)?),
            forest::TAG => Self::RandomForest(RandomForest::from_bytes(bytes)?),
            boosting::TAG => Self::GradientBoosting(GradientBoosting::from_bytes(bytes)?),
            _ => {
                let reason = "no kind of model that is known, or another version of its format";
                return Err(ClassicalError::Decode(reason.to_owned()));
            }
        })
    }
}

/// Weights of the classes, inverse to their numbers of rows, so that the rows' mean weight is 1.
///
/// # Source
///
/// scikit-learn's `class_weight="balanced"`.
fn balanced_weights(labels: &[u32], classes: usize) -> Vec<f32> {
    let mut counts = vec![0_usize; classes];
    for &label in labels {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    let occurring = counts.iter().filter(|&&count| count > 0).count();
    let weight = |count| labels.len() as f64 / (occurring * count) as f64;
    let weights = counts.into_iter().map(|count| match count {
        0 => 1.0,
        count => weight(count) as f32,
    });
    weights.collect()
}

#[cfg(test)]
mod tests {
    use super::super::{EarlyStopping, MaxFeatures};
    use super::*;

    const INDPTR: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    const INDICES: [u32; 8] = [0, 1, 2, 0, 1, 2, 0, 1];
    const LABELS: [u32; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

    fn rows() -> Csr<'static> {
        Csr {
            indptr: &INDPTR,
            indices: &INDICES,
            values: &[1.0, 2.0, 1.5, 1.1, 0.9, 1.0, 1.3, 0.7],
            columns: 3,
        }
    }

    fn all() -> Vec<ClassicalOptions> {
        let boosting = BoostingOptions {
            min_leaf_rows: 1,
            ..BoostingOptions::default()
        };
        let tree = TreeOptions {
            max_features: MaxFeatures::All,
            ..TreeOptions::default()
        };
        vec![
            ClassicalOptions::LogisticRegression(LogisticOptions::default()),
            ClassicalOptions::LinearSvm(SvmOptions {
                calibration_folds: 2,
                ..SvmOptions::default()
            }),
            ClassicalOptions::NearestNeighbours(NeighboursOptions {
                neighbours: 1,
                ..NeighboursOptions::default()
            }),
            ClassicalOptions::DecisionTree(tree.clone()),
            ClassicalOptions::RandomForest(ForestOptions {
                trees: 20,
                bootstrap: false,
                tree,
            }),
            ClassicalOptions::GradientBoosting(boosting),
        ]
    }

    #[test]
    fn every_model_fits_predicts_and_survives_its_bytes() {
        for options in all() {
            let model = options.fit(rows(), &LABELS, 3, false, &|| false).unwrap();
            let probabilities = model.predict_probabilities(rows());
            for (row, label) in probabilities.chunks_exact(3).zip(LABELS) {
                let best = (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
                assert_eq!(best, label as usize, "{options:?}: {row:?}");
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{options:?}");
            }
            let read = ClassicalModel::from_bytes(&model.to_bytes()).unwrap();
            assert_eq!(read.to_bytes(), model.to_bytes());
            assert_eq!(read.predict_probabilities(rows()), probabilities);
            assert_eq!(read.classes(), 3);
        }
    }

    #[test]
    fn every_wrong_option_is_found_and_refused() {
        let stop = EarlyStopping {
            held_share: 1.0,
            patience: 0,
        };
        let boosting = BoostingOptions {
            max_depth: Some(0),
            bins: 0,
            early_stopping: Some(stop),
            ..BoostingOptions::default()
        };
        let tree = TreeOptions {
            max_depth: Some(0),
            min_split_rows: 1,
            ..TreeOptions::default()
        };
        let logistic = LogisticOptions {
            c: 0.0,
            max_iterations: 0,
            ..LogisticOptions::default()
        };
        let svm = SvmOptions {
            tolerance: f64::NAN,
            max_iterations: 0,
            calibration_folds: 1,
            ..SvmOptions::default()
        };
        let forest = ForestOptions {
            trees: 0,
            tree: tree.clone(),
            ..ForestOptions::default()
        };
        let stopping = ["early_stopping.held_share", "early_stopping.patience"];
        for (options, expected) in [
            (
                ClassicalOptions::GradientBoosting(boosting),
                vec!["max_depth", "bins", stopping[0], stopping[1]],
            ),
            (
                ClassicalOptions::DecisionTree(tree),
                vec!["max_depth", "min_split_rows"],
            ),
            (
                ClassicalOptions::RandomForest(forest),
                vec!["trees", "max_depth", "min_split_rows"],
            ),
            (
                ClassicalOptions::LogisticRegression(logistic),
                vec!["c", "max_iterations"],
            ),
            (
                ClassicalOptions::LinearSvm(svm),
                vec!["tolerance", "max_iterations", "calibration_folds"],
            ),
        ] {
            let names: Vec<_> = options.problems().iter().map(|(name, _)| *name).collect();
            assert_eq!(names, expected);
            let error = options.fit(rows(), &LABELS, 3, false, &|| false);
            let message = error.unwrap_err().to_string();
            assert!(names.iter().all(|name| message.contains(name)), "{message}");
        }
    }

    #[test]
    fn bytes_of_no_kind_are_refused() {
        for bytes in [&b""[..], b"RYN", b"RYNNONE\x01rest", b"RYNTREE\x02"] {
            let error = ClassicalModel::from_bytes(bytes).unwrap_err();
            assert!(matches!(error, ClassicalError::Decode(_)), "{bytes:?}");
        }
    }

    #[test]
    fn balanced_classes_have_equal_weight_in_sum() {
        let weights = balanced_weights(&[0, 0, 0, 2], 3);
        assert_eq!(weights, [4.0 / 6.0, 1.0, 2.0]);
    }

    #[test]
    fn a_wish_to_stop_is_heard() {
        for options in all() {
            let outcome = options.fit(rows(), &LABELS, 3, true, &|| true);
            assert_eq!(outcome, Err(ClassicalError::Interrupted), "{options:?}");
        }
    }
}
