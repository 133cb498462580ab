//! What earlier runs left: their records by name, and what differs between two of them.
//!
//! *Invariant*: it only reads, and goes by run records, manifests and rows of checkpoints; the present configuration plays no part.

mod causes;
mod comparison;
mod difference;
mod error;
mod records;
mod rows;
mod side;
mod summary;

pub use causes::Cause;
pub use comparison::{Comparison, ModelChange, RowsChange, StageChange, StageTime, compare};
pub use difference::{Change, Difference, ProductChange, Reason, difference};
pub use error::HistoryError;
pub use records::History;
pub use side::{ModelSide, Predicted, Side};
pub use summary::{ModelScores, RunSummary, scores_of};
