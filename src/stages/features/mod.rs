//! What models read, gathered from the checkpoints of several stages and joined row by row.
//!
//! Of labelled rows, images stay in their parts until a network asks for them; all else is held.

mod rows;
mod streamed;

use super::models::Reads;
use super::tokenize::SequenceSize;
use super::{Input, StageError, StageRun};
use crate::cancel::CancelToken;
use crate::image::ImageStatus;
use crate::model::{
    Batches, EpochOrder, Inputs, MemoryRows, Modality, ModelError, Normalization, Rows,
    SequenceRows, SparseRows, StreamedRows,
};
use crate::schema::{self, LABELLED};
use arrow::array::{Array, RecordBatch, StringArray};
pub(super) use rows::GreyImages;
use rows::{FeatureRows, ImageRows, have_features, image_size, sequence_rows, text_rows};
use std::collections::BTreeMap;
use streamed::LabelledImages;
pub(super) use streamed::{Loading, model_error};

const TEXT_COLUMNS: &[&str] = &["id", "indices", "values"];
const SEQUENCE_COLUMNS: &[&str] = &["id", "sequence"];
const IMAGE_COLUMNS: &[&str] = &["id", "pixels"];
const EMBEDDING_COLUMNS: &[&str] = &["id", "features"];

/// The stages whose rows a model reads.
#[derive(Debug, Clone, Default)]
pub(super) struct FeatureInputs<'a> {
    /// Of kind `tfidf`.
    pub(super) text: Option<&'a Input>,
    /// Of kind `tokenize`.
    pub(super) sequences: Option<&'a Input>,
    /// Of kind `decode_images`, and the height and width in pixels that the model reads.
    pub(super) images: Option<(&'a Input, usize)>,
    /// Of kind `embed_images` or `pca`: the features of each row stand side by side, in this order.
    pub(super) embeddings: Vec<&'a Input>,
    /// How the features of each of them are scaled.
    pub(super) normalization: Option<Normalization>,
}

impl<'a> FeatureInputs<'a> {
    /// Finds the stages that a model was fitted on among those that this stage needs.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where one is not among them.
    pub(super) fn find(
        run: &StageRun<'a>,
        reads: &Reads,
        image_size: Option<usize>,
    ) -> Result<Self, StageError> {
        let find = |name: &String| {
            let found = run.inputs.iter().find(|input| input.stage == *name);
            found.ok_or_else(|| {
                let id = run.id;
                StageError::Unusable(format!("a model reads {name}, which {id} does not need"))
            })
        };
        let images = reads.images.as_ref().map(find).transpose()?;
        Ok(Self {
            text: reads.text.as_ref().map(find).transpose()?,
            sequences: reads.sequences.as_ref().map(find).transpose()?,
            images: images.zip(image_size),
            embeddings: reads
                .embeddings
                .iter()
                .map(find)
                .collect::<Result<_, _>>()?,
            normalization: reads.normalization,
        })
    }

    /// What they tell of a product.
    pub(super) fn modality(&self) -> Modality {
        self.reads().modality()
    }

    /// Their names.
    pub(super) fn reads(&self) -> Reads {
        Reads {
            text: self.text.map(|input| input.stage.clone()),
            sequences: self.sequences.map(|input| input.stage.clone()),
            images: self.images.map(|(input, _)| input.stage.clone()),
            embeddings: names(&self.embeddings).map(str::to_owned).collect(),
            normalization: self.normalization,
        }
    }

    /// The stages with the columns that are read of them.
    pub(super) fn inputs(&self) -> impl Iterator<Item = (&'a Input, &'static [&'static str])> + '_ {
        let text = self.text.map(|input| (input, TEXT_COLUMNS));
        let sequences = self.sequences.map(|input| (input, SEQUENCE_COLUMNS));
        let images = self.images.map(|(input, _)| (input, IMAGE_COLUMNS));
        let embeddings = self.embeddings.iter();
        let embeddings = embeddings.map(|input| (*input, EMBEDDING_COLUMNS));
        text.into_iter()
            .chain(sequences)
            .chain(images)
            .chain(embeddings)
    }

    /// The same, without images.
    fn without_images(&self) -> Self {
        Self {
            images: None,
            ..self.clone()
        }
    }

    /// Begins to gather rows of a dataset.
    pub(super) fn gather(&self, dataset: &str) -> Result<Gathered<'a>, StageError> {
        let text = |input| Ok::<_, StageError>((input, SparseRows::empty(text_width(input)?)));
        let sequences = |input| {
            let size = SequenceSize::read(input)?;
            let rows = SequenceRows::empty(size.vocabulary, size.length);
            Ok::<_, StageError>((input, rows))
        };
        let images = |(input, size)| {
            let rows = ImageRows::new(image_size(input, dataset)?, size)?;
            Ok::<_, StageError>((input, rows))
        };
        let embeddings = if self.embeddings.is_empty() {
            None
        } else {
            let widths = self.embeddings.iter().map(|input| embedding_width(input));
            let width = widths.sum::<Result<usize, StageError>>()?;
            let rows = FeatureRows::new(width, self.normalization)?;
            Some((self.embeddings.clone(), rows))
        };
        Ok(Gathered {
            text: self.text.map(text).transpose()?,
            sequences: self.sequences.map(sequences).transpose()?,
            images: self.images.map(images).transpose()?,
            embeddings,
        })
    }
}

fn names<'i>(inputs: &'i [&Input]) -> impl Iterator<Item = &'i str> {
    inputs.iter().map(|input| input.stage.as_str())
}

/// Rows gathered from the parts of several stages.
pub(super) struct Gathered<'a> {
    text: Option<(&'a Input, SparseRows)>,
    sequences: Option<(&'a Input, SequenceRows)>,
    images: Option<(&'a Input, ImageRows)>,
    embeddings: Option<(Vec<&'a Input>, FeatureRows)>,
}

impl Gathered<'_> {
    /// Adds rows of one part, given by stage.
    pub(super) fn push(
        &mut self,
        batches: &BTreeMap<&str, &RecordBatch>,
        keep: &[usize],
    ) -> Result<(), StageError> {
        let of = |input: &Input| {
            batches.get(input.stage.as_str()).copied().ok_or_else(|| {
                StageError::Unusable(format!("rows of {} were not read", input.stage))
            })
        };
        if let Some((input, rows)) = &mut self.text {
            text_rows(of(input)?, keep, rows)?;
        }
        if let Some((input, rows)) = &mut self.sequences {
            sequence_rows(of(input)?, keep, rows)?;
        }
        if let Some((input, rows)) = &mut self.images {
            rows.push(of(input)?, keep)?;
        }
        if let Some((inputs, rows)) = &mut self.embeddings {
            let batches = inputs.iter().map(|input| of(input));
            rows.push(&batches.collect::<Result<Vec<_>, _>>()?, keep)?;
        }
        Ok(())
    }

    /// What was gathered.
    pub(super) fn finish(self) -> Result<Inputs, StageError> {
        let images = self.images.map(|(_, rows)| rows.finish()).transpose()?;
        Ok(Inputs {
            text: self.text.map(|(_, rows)| rows),
            sequences: self.sequences.map(|(_, rows)| rows),
            images,
            embeddings: self.embeddings.map(|(_, rows)| rows.finish()),
            branches: Vec::new(),
        })
    }
}

/// What is known of each row.
pub(super) struct Presence {
    text: Vec<bool>,
    image: Vec<bool>,
}

impl Presence {
    /// Nothing is known of so many rows.
    pub(super) fn none(rows: usize) -> Self {
        Self {
            text: vec![false; rows],
            image: vec![false; rows],
        }
    }

    /// What inputs tell of so many rows; a text of unknown words only tells nothing.
    pub(super) fn of(rows: usize, inputs: &Inputs) -> Self {
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
    pub(super) fn add(&mut self, modality: Modality, known: &[bool]) {
        let mine = match modality {
            Modality::Text => &mut self.text,
            Modality::Image => &mut self.image,
        };
        for (mine, known) in mine.iter_mut().zip(known) {
            *mine |= known;
        }
    }

    /// Whether text and image of a row are known.
    pub(super) fn both(&self, row: usize) -> bool {
        self.text[row] && self.image[row]
    }

    /// Whether anything is known of a row.
    pub(super) fn any(&self, row: usize) -> bool {
        self.text[row] || self.image[row]
    }

    /// The modalities of a row, as predictions name them.
    pub(super) fn modality(&self, row: usize) -> &'static str {
        match (self.text[row], self.image[row]) {
            (true, true) => "text+image",
            (true, false) => "text",
            (false, true) => "image",
            (false, false) => "none",
        }
    }
}

/// Number of columns that a `tfidf` stage wrote.
pub(super) fn text_width(input: &Input) -> Result<usize, StageError> {
    summary_number(input, "columns")
}

/// Number of features that an `embed_images` or a `pca` stage wrote of each image.
pub(super) fn embedding_width(input: &Input) -> Result<usize, StageError> {
    summary_number(input, "width")
}

fn summary_number(input: &Input, key: &str) -> Result<usize, StageError> {
    let number = input.reader.manifest().summary.get(key);
    let unusable = || StageError::Unusable(format!("{} has no {key}", input.stage));
    let number = number.and_then(serde_json::Value::as_u64);
    Ok(usize::try_from(number.ok_or_else(unusable)?).unwrap_or(usize::MAX))
}

/// Labelled rows with what a model reads of them.
pub(super) struct LabelledRows {
    pub(super) ids: Vec<String>,
    pub(super) folds: Vec<String>,
    pub(super) labels: Vec<String>,
    /// All but the images.
    pub(super) inputs: Inputs,
    images: Option<LabelledImages>,
}

impl LabelledRows {
    /// What is known of each row.
    pub(super) fn presence(&self) -> Presence {
        let mut presence = Presence::of(self.ids.len(), &self.inputs);
        if let Some(images) = &self.images {
            presence.image.copy_from_slice(images.present());
        }
        presence
    }

    /// The rows as a network takes them: between two batches, a signal ends it.
    pub(super) fn into_rows(self, loading: &Loading) -> Result<LoadedRows, StageError> {
        let rows: Box<dyn Rows> = match self.images {
            None => Box::new(MemoryRows::new(self.ids.len(), self.inputs)?),
            Some(images) => Box::new(StreamedRows::new(
                loading.of(images),
                self.inputs,
                loading.options(),
            )?),
        };
        let cancel = loading.cancel().clone();
        Ok(LoadedRows { rows, cancel })
    }
}

/// Rows for a network, which end between two batches once the run should stop.
pub(super) struct LoadedRows {
    rows: Box<dyn Rows>,
    cancel: CancelToken,
}

impl Rows for LoadedRows {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_> {
        let batches = self.rows.batches(order, batch_size);
        Box::new(batches.map(|batch| match self.cancel.signal() {
            Some(_) => Err(ModelError::Interrupted),
            None => batch,
        }))
    }
}

/// Which labelled rows are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gather {
    /// For a model that reads images alone, only rows that have an image.
    Known,
    /// All of them.
    All,
}

/// Gathers the labelled rows of some folds.
pub(super) fn labelled_rows(
    split: &Input,
    features: &FeatureInputs<'_>,
    folds: &[&str],
    which: Gather,
) -> Result<LabelledRows, StageError> {
    let held = features.without_images();
    let mut gathered = held.gather(LABELLED)?;
    let images = features.images;
    let mut images = images
        .map(|(input, size)| LabelledImages::new(input, size))
        .transpose()?;
    let (mut ids, mut found_folds, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (index, part) in split.reader.dataset(LABELLED)?.parts.iter().enumerate() {
        let batch = split.reader.part(LABELLED, part, None)?;
        let batch_ids: &StringArray = schema::column(&batch, "id")?;
        let batch_folds: &StringArray = schema::column(&batch, "fold")?;
        let batch_labels: &StringArray = schema::column(&batch, "label")?;
        let mut keep: Vec<usize> = (0..batch_ids.len())
            .filter(|row| folds.contains(&batch_folds.value(*row)))
            .collect();
        let mut batches = Vec::new();
        for (input, columns) in held.inputs() {
            let batch = same_part(split, input, index, batch_ids, columns)?;
            batches.push((input.stage.as_str(), batch));
        }
        let batches: BTreeMap<&str, &RecordBatch> = batches
            .iter()
            .map(|(stage, batch)| (*stage, batch))
            .collect();
        let has_image = match (features.images, features.embeddings.as_slice()) {
            (Some((input, _)), _) => Some(decoded(split, input, index, batch_ids)?),
            (None, []) => None,
            (None, inputs) => {
                let of_stages: Vec<_> = names(inputs).map(|stage| batches[stage]).collect();
                Some(have_features(&of_stages)?)
            }
        };
        let keeps_all = which == Gather::All || features.modality() == Modality::Text;
        if let (false, Some(has_image)) = (keeps_all, &has_image) {
            keep.retain(|row| has_image[*row]);
        }
        gathered.push(&batches, &keep)?;
        if let (Some(images), Some(has_image)) = (&mut images, &has_image) {
            images.push(index, &keep, has_image);
        }
        ids.extend(keep.iter().map(|row| batch_ids.value(*row).to_owned()));
        found_folds.extend(keep.iter().map(|row| batch_folds.value(*row).to_owned()));
        labels.extend(keep.iter().map(|row| batch_labels.value(*row).to_owned()));
    }
    Ok(LabelledRows {
        ids,
        folds: found_folds,
        labels,
        inputs: gathered.finish()?,
        images,
    })
}

/// Which rows of a part of `decode_images` have an image, without a look at its pixels.
fn decoded(
    split: &Input,
    images: &Input,
    index: usize,
    ids: &StringArray,
) -> Result<Vec<bool>, StageError> {
    let batch = same_part(split, images, index, ids, &["id", "image_status"])?;
    let status: &StringArray = schema::column(&batch, "image_status")?;
    let is_ok = |row| status.value(row) == ImageStatus::Ok.as_str();
    Ok((0..ids.len()).map(is_ok).collect())
}

/// Reads a part of another stage and checks that it holds the same rows.
pub(super) fn same_part(
    split: &Input,
    other: &Input,
    index: usize,
    ids: &StringArray,
    columns: &[&str],
) -> Result<RecordBatch, StageError> {
    let misaligned = || StageError::Misaligned {
        left: split.stage.clone(),
        right: other.stage.clone(),
        part: index,
    };
    let parts = &other.reader.dataset(LABELLED)?.parts;
    let part = parts.get(index).ok_or_else(misaligned)?;
    let batch = other.reader.part(LABELLED, part, Some(columns))?;
    if schema::column::<StringArray>(&batch, "id")? != ids {
        return Err(misaligned());
    }
    Ok(batch)
}
