//! What is known of each row: its text, its image, both or neither.

use crate::model::{Inputs, Modality, SequenceRows, SparseRows};

/// What is known of each row.
pub(in crate::stages) struct Presence {
    text: Vec<bool>,
    pub(super) image: Vec<bool>,
}

impl Presence {
    /// Nothing is known of so many rows.
    pub(in crate::stages) fn none(rows: usize) -> Self {
        Self {
            text: vec![false; rows],
            image: vec![false; rows],
        }
    }

    /// What inputs tell of so many rows; a text of unknown words only tells nothing.
    pub(in crate::stages) fn of(rows: usize, inputs: &Inputs) -> Self {
        let absent = || vec![false; rows];
        let (sequences, images) = (inputs.sequences.as_ref(), inputs.images.as_ref());
        let embeddings = inputs.embeddings.as_ref();
        let text = inputs.text.as_ref().map(SparseRows::presence);
        let text = text.or_else(|| sequences.map(SequenceRows::presence));
        let image = images.map(|images| images.present().to_vec());
        let image = image.or_else(|| embeddings.map(|rows| rows.present().to_vec()));
        Self {
            text: text.unwrap_or_else(absent),
            image: image.unwrap_or_else(absent),
        }
    }

    /// Adds what a model that reads one modality knows of each row.
    pub(in crate::stages) fn add(&mut self, modality: Modality, known: &[bool]) {
        let mine = match modality {
            Modality::Text => &mut self.text,
            Modality::Image => &mut self.image,
        };
        for (mine, known) in mine.iter_mut().zip(known) {
            *mine |= known;
        }
    }

    /// Whether text and image of a row are known.
    pub(in crate::stages) fn both(&self, row: usize) -> bool {
        self.text[row] && self.image[row]
    }

    /// Whether anything is known of a row.
    pub(in crate::stages) fn any(&self, row: usize) -> bool {
        self.text[row] || self.image[row]
    }

    /// The modalities of a row, as predictions name them.
    pub(in crate::stages) fn modality(&self, row: usize) -> &'static str {
        match (self.text[row], self.image[row]) {
            (true, true) => "text+image",
            (true, false) => "text",
            (false, true) => "image",
            (false, false) => "none",
        }
    }
}
