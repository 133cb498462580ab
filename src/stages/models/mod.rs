//! Trained models: how a `train` checkpoint describes one, and the model loaded and applied.
//!
//! A model has one member or several, and a way to make one answer of theirs. Invariant: a member names the stages whose rows
//! it was fitted on, and is applied to rows of those stages only.

mod file;
mod loaded;
mod predictor;

pub(super) use file::{Combination, Member, ModelFile, Reads, Takes};
pub(super) use loaded::{Answers, Combiner, LoadedMember, LoadedModel, combine};
pub(super) use predictor::{Asked, Predictor, classical_rows};
