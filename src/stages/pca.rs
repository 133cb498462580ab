//! `pca`: images to their places along the principal components of `fit_pca`.

use super::features::GreyImages;
use super::fit_pca::read_pca;
use super::row_wise::{Aligned, RowWise, process, same_names};
use super::{Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::checkpoint::{FILES, contents_of};
use crate::config::NeedRule;
use crate::model::Pca;
use crate::schema::{self, LABELLED, UNLABELLED};
use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, RecordBatch,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::sync::Arc;

/// `pca` has no parameters of its own: those of `fit_pca` hold.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {}

/// The stage.
pub(super) struct ApplyPca;

impl Kind for ApplyPca {
    const NAME: &'static str = "pca";
    const SUMMARY: &'static str = "Places images along the principal components of fit_pca.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![
            one("decode_images", &[LABELLED, UNLABELLED]),
            one("fit_pca", &[FILES]),
        ]
    }

    fn new(_: Params) -> Self {
        Self
    }
}

impl Stage for ApplyPca {
    fn version(&self) -> u32 {
        1
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let fitted = run.input("fit_pca")?;
        let pca = read_pca(fitted)?;
        let size = pca.columns().isqrt();
        let input = run.input("decode_images")?;
        let contents = contents_of(fitted.reader.manifest());
        let spec = RowWise {
            aligned: vec![Aligned {
                input,
                columns: &["id", "pixels"],
            }],
            datasets: same_names(input),
            sides: &[],
            extra: contents
                .get(FILES)
                .map(ToString::to_string)
                .into_iter()
                .collect(),
            extra_of: None,
            unit: "rows",
            most_workers: usize::MAX,
        };
        let writer = process(run, &spec, &|unit, batches| {
            let mut images = GreyImages::new(input, unit.dataset, size)?;
            Ok(vec![reduce(&pca, &mut images, &batches[0])?])
        })?;
        let summary = Map::from_iter([("width".to_owned(), json!(pca.width()))]);
        Ok(StageOutput { writer, summary })
    }
}

/// The rows of a part along the components.
fn reduce(
    pca: &Pca,
    images: &mut GreyImages,
    batch: &RecordBatch,
) -> Result<RecordBatch, StageError> {
    let pixels: &FixedSizeBinaryArray = schema::column(batch, "pixels")?;
    let present: Vec<usize> = (0..pixels.len())
        .filter(|row| pixels.is_valid(*row))
        .collect();
    images.push(batch, &present)?;
    let (rows, width) = (pixels.len(), pca.width());
    let reduced = pca.transform(images.levels())?;
    let mut values = vec![0.0; rows * width];
    for (row, reduced) in present.iter().zip(reduced.chunks_exact(width)) {
        values[row * width..(row + 1) * width].copy_from_slice(reduced);
    }
    let is_present: Vec<bool> = (0..rows).map(|row| pixels.is_valid(row)).collect();
    let length = i32::try_from(width).unwrap_or(i32::MAX);
    let features: ArrayRef = Arc::new(FixedSizeListArray::new(
        Arc::new(Field::new("item", DataType::Float32, false)),
        length,
        Arc::new(Float32Array::from(values)),
        Some(NullBuffer::from(is_present)),
    ));
    let columns = vec![batch.column(0).clone(), features];
    Ok(schema::batch(schema::reduced(width), columns)?)
}
