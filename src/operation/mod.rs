//! What operators see of a run besides its log and its record: metrics for Prometheus, and lineage events.
//!
//! *Invariant*: nothing here fails a run or holds it up. What cannot be written or sent is a warning.

mod exposition;
mod lineage;
mod metrics;
mod observer;

pub use observer::Operation;
