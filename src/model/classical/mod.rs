//! Classical models over sparse rows: logistic regression, linear support vector machines with
//! calibrated probabilities, nearest neighbours, trees, forests and boosted trees.
//!
//! # Speed and scores
//!
//! 6,711 products of the Rakuten France catalogue to fit on, 1,976 to test on, 27 classes, 5,000 TF-IDF columns; two threads,
//! scikit-learn 1.9 on the very matrix with all BLAS threads or one, whichever was faster (`make bench-text`):
//!
//! | model | fit | scikit-learn | ratio | weighted F1 | scikit-learn |
//! |---|---|---|---|---|---|
//! | logistic regression | 0.218 s | 0.838 s | 3.9× | 0.6540 | 0.6520 |
//! | linear SVM | 0.072 s | 0.266 s | 3.7× | 0.6621 | 0.6621 |
//! | linear SVM, calibrated | 0.237 s | 0.694 s | 2.9× | 0.6683 | 0.6683 |
//! | decision tree | 0.156 s | 1.052 s | 6.7× | 0.5418 | 0.5370 |
//! | random forest | 0.636 s | 3.838 s | 6.0× | 0.6261 | 0.6315 |
//! | nearest neighbours, fit and predict | 0.008 s | 0.302 s | 38× | 0.3773 | 0.3232 |
//!
//! On blocks of words and characters (190,000 columns) the SVM comes to 0.745, logistic regression to 0.704, nearest neighbours
//! to 0.653, boosting to 0.673 (from 0.662), the forest to 0.634; one tree falls to 0.464.
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
