//! `train`: one model, fitted on the training rows.
//!
//! Writes the model and its description as files, for networks the history of the training and its learning curves, for a
//! cross-validation all that was tried, and `held_out`: the model's probabilities for the validation and test
//! rows that it can answer for.

mod blend;
mod classical;
mod classical_params;
mod ensemble;
mod fine_tuned;
mod fit;
mod fusion;
mod held_out;
mod history;
mod labels;
mod loading;
mod networks;
mod optional;
mod params;
mod progress;
mod soft_vote;
mod stage;
mod supervision;
mod trainable;
mod training;

pub(super) use params::{CLASSICAL_FEATURES, Params};
pub(super) use stage::Train;
