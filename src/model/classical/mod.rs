//! Classical models over sparse rows: logistic regression, linear support vector machines with
//! calibrated probabilities, and nearest neighbours.
//!
//! Pure Rust, without LibTorch. Invariant: with the same rows, labels and options the same bytes
//! come out, whatever the number of threads.

mod calibration;
mod csr;
mod error;
mod knn;
mod logistic;
mod svm;

pub use csr::Csr;
pub use error::ClassicalError;
pub use knn::{NearestNeighbours, NeighboursOptions};
pub use logistic::{LogisticOptions, LogisticRegression};
pub use svm::{LinearSvm, SvmOptions};
