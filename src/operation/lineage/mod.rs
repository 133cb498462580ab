//! Lineage: what was made of what, as `OpenLineage` events for a receiver or a file.
//!
//! The run of the pipeline and, as its children, the runs of its stages each begin with START and end with COMPLETE, FAIL or
//! ABORT (stopped by a signal). A fresh stage did not run, and so has no event. A process that is killed leaves runs
//! without an end. Inputs and outputs are datasets under names that stay the same from night to night; which state of one was read
//! or made stands in its version.
//!
//! # Source
//! [OpenLineage 2-0-2](https://openlineage.io/spec/2-0-2/OpenLineage.json); names by its specification of naming. A *job* is its word for
//! what has runs, here the pipeline or a stage.

mod datasets;
mod events;
mod naming;
mod run;
mod sender;

pub(super) use run::Lineage;
