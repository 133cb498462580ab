//! The runner: brings every selected stage up to date, independent ones side by side.
//!
//! A stage is *waiting* until all that it needs is *done*; then it is judged again with the contents now known, and
//! is *fresh* (done at once) or *running*. It ends *done* or *failed*; what needs a failed stage never starts. One run
//! at a time holds the lock of the checkpoint root.

mod error;
mod execution;
mod facts;
mod gc;
mod log;
mod memory;
mod observer;
mod recent;
mod record;
mod run;
mod selection;
mod work;

pub use error::RunError;
pub use facts::{Pipeline, gather_facts, require_stage};
pub use gc::{Collected, GcOptions, collect_garbage};
pub use observer::{Ended, Observer, RunStart, Unobserved};
pub use recent::{last_fingerprints, latest_record};
pub use record::{
    DeviceRecord, RunRecord, RunStatus, StageRecord, StageStatus, StoreRecord, chain, new_run_id,
};
pub use run::{RunOptions, run, run_observed};
pub use selection::{SelectionOptions, select};
