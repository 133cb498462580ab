//! Neural networks: their declarations, training, prediction, weights files and scores.
//!
//! The only module that knows Burn. What goes in ([`Rows`], [`Examples`]) and what comes out
//! ([`Probabilities`], [`Fitted`], the bytes of [`Network::save`]) is plain Rust. Invariant: with
//! the same inputs, options, device kind, CPU type and LibTorch thread count, the same bytes
//! come out; every random number is drawn on the host from a seed, a purpose and an epoch.

pub mod backbones;
mod batch;
mod blend;
pub mod classical;
mod device;
mod error;
mod events;
mod labels;
mod libtorch;
mod loader;
mod metrics;
mod networks;
mod normalization;
mod optimizer;
mod order;
mod pca;
mod precision;
mod predict;
mod random;
mod schedule;
mod sequence;
mod snapshot;
mod sparse;
mod table;
mod trainer;
mod weights;

pub use batch::{
    Batch, Batches, Dense, Embeddings, Examples, Images, Inputs, Labelled, MemoryExamples,
    MemoryRows, Rows,
};
pub use blend::{Blend, Pattern};
pub use device::{DeviceChoice, Runtime};
pub use error::ModelError;
pub use events::event_files;
pub use labels::LabelMap;
pub use loader::{ImageParts, LoaderOptions, PartImages, StreamedRows, Uniform, Vary};
pub use metrics::{ClassScores, Confusion};
pub use networks::{
    Branch, BranchSpec, FineTuning, FusionOptions, LayerSummary, Modality, Network, NetworkSpec,
    ParameterCounts, Trained, scores_of,
};
pub use normalization::Normalization;
pub use order::EpochOrder;
pub use pca::{MOST_DIRECTIONS, Pca};
pub use precision::Precision;
pub use predict::{Probabilities, predict};
pub use schedule::{EarlyStopping, Plateau};
pub use sequence::SequenceRows;
pub use sparse::SparseRows;
pub use table::EmbeddingOptimizer;
pub use trainer::{
    EpochRecord, EpochTime, Fitted, Stopped, Supervisor, TrainOptions, fit, fit_supervised,
};
