//! Classical models over sparse rows: logistic regression, linear support vector machines with
//! calibrated probabilities, nearest neighbours, trees, forests and boosted trees.
//!
//! Pure Rust, without LibTorch. Invariant: with the same rows, labels and options the same bytes
//! come out, whatever the number of threads.

mod boosting;
mod calibration;
mod cross_validation;
mod csr;
mod error;
mod forest;
mod knn;
mod logistic;
mod model;
mod svm;
mod tree;

pub use boosting::{BoostingOptions, EarlyStopping, GradientBoosting};
pub use cross_validation::{FoldScore, MOST_FOLDS, cross_validate};
pub use csr::Csr;
pub use error::{ClassicalError, OptionProblem};
pub use forest::{ForestOptions, RandomForest};
pub use knn::{Metric, NearestNeighbours, NeighboursOptions};
pub use logistic::{LogisticOptions, LogisticRegression};
pub use model::{ClassicalModel, ClassicalOptions};
pub use svm::{LinearSvm, SvmOptions};
pub use tree::{DecisionTree, MaxFeatures, TreeOptions};
