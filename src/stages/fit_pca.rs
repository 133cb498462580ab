//! `fit_pca`: the principal components of grey training images.

use super::features::{GreyImages, same_part};
use super::sampling::{last_drawn, place};
use super::split::TRAIN;
use super::{Environment, Input, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::image::ImageStatus;
use crate::model::{MOST_DIRECTIONS, ModelError, Pca};
use crate::schema::{self, COMPONENTS, IMAGE_SIZE, LABELLED};
use arrow::array::{Array, Float64Array, RecordBatch, StringArray, UInt32Array};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters of `fit_pca`; `pca` applies them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// Height and width in pixels of the grey images; divides the size of the tensors.
    #[schemars(range(min = 1))]
    size: usize,
    /// Most components.
    #[schemars(range(min = 1))]
    components: usize,
    /// Most training images that the components are fitted on, drawn by a hash of their ids; `null` for all.
    #[schemars(range(min = 2))]
    sample: Option<usize>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            size: IMAGE_SIZE as usize,
            components: 100,
            sample: Some(1000),
        }
    }
}

/// The stage.
pub(super) struct FitPca {
    params: Params,
}

impl Kind for FitPca {
    const NAME: &'static str = "fit_pca";
    const SUMMARY: &'static str = "Finds the principal components of grey training images.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![one("decode_images", &[LABELLED]), one("split", &[LABELLED])]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        for (key, value) in [("size", params.size), ("components", params.components)] {
            if value == 0 {
                issues.push(Issue::new(format!("{path}.{key}"), "must be at least 1"));
            }
        }
        if params.sample.is_some_and(|sample| sample < 2) {
            let message = "must be at least 2, or null for all";
            issues.push(Issue::new(format!("{path}.sample"), message));
        }
        let is_large = params.size.saturating_pow(2) > MOST_DIRECTIONS;
        if is_large && params.sample.is_some_and(|sample| sample > MOST_DIRECTIONS) {
            let message = format!("must be at most {MOST_DIRECTIONS} for images of this size");
            issues.push(Issue::new(format!("{path}.sample"), message));
        }
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

/// File with mean and components.
const PCA_FILE: &str = "pca.safetensors";

impl Stage for FitPca {
    fn version(&self) -> u32 {
        1
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let seed = environment.config.seed.to_string();
        Ok(vec![("seed".to_owned(), seed)])
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let writer = run.begin(BTreeMap::new())?;
        let images = self.training_images(run)?;
        let rows = images.len();
        if rows < 2 {
            let message = format!("{rows} training rows have an image: too few for components");
            return Err(StageError::Unusable(message));
        }
        run.monitor.message(format!("components of {rows} images"));
        let stop = || run.environment.cancel.signal().is_some();
        let (columns, components) = (self.params.size.pow(2), self.params.components);
        let pca =
            Pca::fit(images.levels(), columns, components, &stop).map_err(|error| {
                match (error, run.environment.cancel.signal()) {
                    (ModelError::Interrupted, Some(signal)) => StageError::Interrupted { signal },
                    (error, _) => StageError::Model(error),
                }
            })?;
        drop(images);
        writer.write_file(PCA_FILE, Bytes::from(pca.to_bytes()?), true)?;
        writer.write_part(COMPONENTS, 0, &Digest::of(b""), &components_batch(&pca)?)?;
        let explained: f64 = pca.explained_variance_ratio().iter().sum();
        let summary = Map::from_iter([
            ("images".to_owned(), json!(rows)),
            ("components".to_owned(), json!(pca.width())),
            ("explained_variance_ratio".to_owned(), json!(explained)),
        ]);
        Ok(StageOutput { writer, summary })
    }
}

impl FitPca {
    /// The training images that the components are fitted on, in the order of the rows.
    fn training_images(&self, run: &StageRun<'_>) -> Result<GreyImages, StageError> {
        let (images, seed) = (run.input("decode_images")?, run.seed());
        let parts = training_ids(run, images)?;
        let ids = parts.iter().flatten().flatten();
        let places: Vec<u64> = ids.map(|id| place(seed, id)).collect();
        let most = places.len().min(self.params.sample.unwrap_or(usize::MAX));
        if most > MOST_DIRECTIONS && self.params.size.pow(2) > MOST_DIRECTIONS {
            let message = format!("{most} images are more than {MOST_DIRECTIONS}: set sample");
            return Err(StageError::Unusable(message));
        }
        let last = last_drawn(places, most);
        run.monitor.expect(most as u64, "images");
        let mut grey = GreyImages::new(images, LABELLED, self.params.size)?;
        let manifest = &images.reader.dataset(LABELLED)?.parts;
        for (ids, part) in parts.iter().zip(manifest) {
            run.environment.check_cancelled()?;
            let is_drawn = |id: &Option<String>| {
                id.as_ref()
                    .is_some_and(|id| last.is_some_and(|last| place(seed, id) <= last))
            };
            let keep: Vec<usize> = (0..ids.len()).filter(|row| is_drawn(&ids[*row])).collect();
            if !keep.is_empty() {
                let batch = images
                    .reader
                    .part(LABELLED, part, Some(&["id", "pixels"]))?;
                grey.push(&batch, &keep)?;
                run.monitor.advance(keep.len() as u64);
            }
        }
        Ok(grey)
    }
}

/// Of each part the ids of its rows, but for those that have no image or are not for training.
fn training_ids(
    run: &StageRun<'_>,
    images: &Input,
) -> Result<Vec<Vec<Option<String>>>, StageError> {
    let split = run.input("split")?;
    let mut parts = Vec::new();
    for (index, folds) in split
        .reader
        .parts(LABELLED, Some(&["id", "fold"]))?
        .enumerate()
    {
        let folds = folds?;
        let ids: &StringArray = schema::column(&folds, "id")?;
        let fold: &StringArray = schema::column(&folds, "fold")?;
        let batch = same_part(split, images, index, ids, &["id", "image_status"])?;
        let status: &StringArray = schema::column(&batch, "image_status")?;
        let is_wanted =
            |row: usize| fold.value(row) == TRAIN && status.value(row) == ImageStatus::Ok.as_str();
        let ids = (0..ids.len()).map(|row| is_wanted(row).then(|| ids.value(row).to_owned()));
        parts.push(ids.collect());
    }
    Ok(parts)
}

fn components_batch(pca: &Pca) -> Result<RecordBatch, StageError> {
    let numbers = (0..)
        .zip(pca.explained_variance())
        .map(|(number, _)| number);
    Ok(schema::batch(
        schema::components(),
        vec![
            Arc::new(UInt32Array::from_iter_values(numbers)),
            Arc::new(Float64Array::from(pca.explained_variance().to_vec())),
            Arc::new(Float64Array::from(pca.explained_variance_ratio())),
        ],
    )?)
}

/// Reads the components of a `fit_pca` stage.
pub(super) fn read_pca(input: &Input) -> Result<Pca, StageError> {
    Ok(Pca::from_bytes(&input.reader.file(PCA_FILE)?)?)
}
