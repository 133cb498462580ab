//! The stages that a model reads, and rows gathered from their parts.

use super::rows::{FeatureRows, ImageRows, image_size, sequence_rows, text_rows};
use crate::model::{Inputs, Modality, Normalization, SequenceRows, SparseRows};
use crate::stages::models::Reads;
use crate::stages::tokenize::SequenceSize;
use crate::stages::{Input, StageError, StageRun};
use arrow::array::RecordBatch;
use std::collections::BTreeMap;

const TEXT_COLUMNS: &[&str] = &["id", "indices", "values"];
const SEQUENCE_COLUMNS: &[&str] = &["id", "sequence"];
const IMAGE_COLUMNS: &[&str] = &["id", "pixels"];
const EMBEDDING_COLUMNS: &[&str] = &["id", "features"];

/// The stages whose rows a model reads.
#[derive(Debug, Clone, Default)]
pub(in crate::stages) struct FeatureInputs<'a> {
    /// Of kind `tfidf`.
    pub(in crate::stages) text: Option<&'a Input>,
    /// Of kind `tokenize`.
    pub(in crate::stages) sequences: Option<&'a Input>,
    /// Of kind `decode_images`, and the height and width in pixels that the model reads.
    pub(in crate::stages) images: Option<(&'a Input, usize)>,
    /// Of kind `embed_images` or `pca`: the features of each row stand side by side, in this order.
    pub(in crate::stages) embeddings: Vec<&'a Input>,
    /// How the features of each of them are scaled.
    pub(in crate::stages) normalization: Option<Normalization>,
}

impl<'a> FeatureInputs<'a> {
    /// Finds the stages that a model was fitted on among those that this stage needs.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`] where one is not among them.
    pub(in crate::stages) fn find(
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
    pub(in crate::stages) fn modality(&self) -> Modality {
        self.reads().modality()
    }

    /// Their names.
    pub(in crate::stages) fn reads(&self) -> Reads {
        Reads {
            text: self.text.map(|input| input.stage.clone()),
            sequences: self.sequences.map(|input| input.stage.clone()),
            images: self.images.map(|(input, _)| input.stage.clone()),
            embeddings: names(&self.embeddings).map(str::to_owned).collect(),
            normalization: self.normalization,
        }
    }

    /// The stages with the columns that are read of them.
    pub(in crate::stages) fn inputs(
        &self,
    ) -> impl Iterator<Item = (&'a Input, &'static [&'static str])> + '_ {
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
    pub(super) fn without_images(&self) -> Self {
        Self {
            images: None,
            ..self.clone()
        }
    }

    /// Begins to gather rows of a dataset.
    pub(in crate::stages) fn gather(&self, dataset: &str) -> Result<Gathered<'a>, StageError> {
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

pub(super) fn names<'i>(inputs: &'i [&Input]) -> impl Iterator<Item = &'i str> {
    inputs.iter().map(|input| input.stage.as_str())
}

/// Rows gathered from the parts of several stages.
pub(in crate::stages) struct Gathered<'a> {
    text: Option<(&'a Input, SparseRows)>,
    sequences: Option<(&'a Input, SequenceRows)>,
    images: Option<(&'a Input, ImageRows)>,
    embeddings: Option<(Vec<&'a Input>, FeatureRows)>,
}

impl Gathered<'_> {
    /// Adds rows of one part, given by stage.
    pub(in crate::stages) fn push(
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
    pub(in crate::stages) fn finish(self) -> Result<Inputs, StageError> {
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

/// Number of columns that a `tfidf` stage wrote.
pub(in crate::stages) fn text_width(input: &Input) -> Result<usize, StageError> {
    summary_number(input, "columns")
}

/// Number of features that an `embed_images` or a `pca` stage wrote of each image.
pub(in crate::stages) fn embedding_width(input: &Input) -> Result<usize, StageError> {
    summary_number(input, "width")
}

fn summary_number(input: &Input, key: &str) -> Result<usize, StageError> {
    let number = input.reader.manifest().summary.get(key);
    let unusable = || StageError::Unusable(format!("{} has no {key}", input.stage));
    let number = number.and_then(serde_json::Value::as_u64);
    Ok(usize::try_from(number.ok_or_else(unusable)?).unwrap_or(usize::MAX))
}
