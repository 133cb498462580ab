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
//! On blocks of words and characters of a hardly cleaned text (`fit_tfidf_blocks` of the shipped pipeline), against the report's
//! 5,000 stemmed words, weighted F1: SVM 0.748 (0.673), logistic regression 0.737 (0.669), nearest neighbours 0.645 (0.381),
//! boosting 0.679 (0.658), forest 0.628 (0.628), one tree 0.471 (0.535), `neural_simple` 0.738 (0.671); `c` chosen by
//! cross-validation on each side.
//!
//! # Why own solvers
//!
//! Libraries on 7,898 of the same rows; CPU seconds of the fit (of the neighbours: of the prediction), weighted F1, peak memory.
//! `>` is where a fit was ended without a result:
//!
//! | model | library | CPU s | F1 | MiB | here: CPU s, F1, MiB |
//! |---|---|---|---|---|---|
//! | logistic regression | linfa-logistic 0.8.1, dense rows | 48 | 0.6589 | 167 | 0.40, 0.6605, 22 |
//! | | liblinear 1.0.0 of 2019, one against the rest, probabilities broken | 0.70 | 0.6572 | 14 | |
//! | linear SVM | liblinear 1.0.0, no probabilities | 0.33 | 0.6658 | 14 | 0.25, 0.6658, 7; calibrated 0.76, 0.6676, 9 |
//! | | linfa-svm 0.8.1, a dense kernel matrix for each class | > 39, 1 class of 27 | | > 314 | |
//! | decision tree | smartcore 0.7.0, dense rows | > 78 | | 463 | 0.29, 0.5250, 7 |
//! | | linfa-trees 0.8.1, dense rows | > 23 | | 750 | |
//! | random forest | smartcore 0.7.0, dense rows, no probabilities | > 48 | | 469 | 2.1, 0.6248, 19 |
//! | nearest neighbours | smartcore 0.7.0, linfa-nn 0.8.1, dense rows | > 24 | | 298, 147 | 0.02, 0.3568, 6 |
//! | boosting | forust-ml 0.8.0: dense rows, two classes | | | | 11.9, 0.6619, 26 |
//!
//! perpetual 2.3.0 does not build with stable Rust; lightgbm3 1.0.11 wants cmake and libclang, and was not measured: for boosting
//! it is the library to try. liblinear's solver holds up in speed; its last release, its C++ and the lack of probabilities speak
//! against it.
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
pub use cross_validation::{FoldScore, MOST_FOLDS, cross_validate, out_of_fold};
pub use csr::Csr;
pub use error::{ClassicalError, OptionProblem};
pub use forest::{ForestOptions, RandomForest};
pub use knn::{Metric, NearestNeighbours, NeighboursOptions};
pub use logistic::{LogisticOptions, LogisticRegression};
pub use model::{ClassicalModel, ClassicalOptions};
pub use svm::{LinearSvm, SvmOptions};
pub use tree::{DecisionTree, MaxFeatures, TreeOptions};
