//! The networks of the pipeline: declarations, layers, and the [`Network`] that holds them.

mod dense_head;
mod fine_tuned;
mod fusion;
mod layers;
mod lenet;
mod network;
mod neural_embedder;
mod neural_simple;
mod pass;
mod spec;
mod summary;

pub use fine_tuned::{FineTuning, Trained};
pub use fusion::{Branch, BranchSpec, FusionOptions, Modality, scores_of};
pub(super) use layers::{Classifier, Initializer, Layers};
pub use network::{Network, ParameterCounts};
pub(super) use pass::Pass;
pub use spec::NetworkSpec;
pub use summary::LayerSummary;
