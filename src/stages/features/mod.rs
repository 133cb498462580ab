//! What models read, gathered from the checkpoints of several stages and joined row by row.
//!
//! Of labelled rows, images stay in their parts until a network asks for them; all else is held.

mod inputs;
mod labelled;
mod presence;
mod rows;
mod streamed;

pub(super) use inputs::{FeatureInputs, embedding_width, text_width};
pub(super) use labelled::{Gather, LabelledRows, LoadedRows, labelled_rows, same_part};
pub(super) use presence::Presence;
pub(super) use rows::GreyImages;
pub(super) use streamed::{Loading, model_error};
