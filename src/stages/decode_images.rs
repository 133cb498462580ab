//! `decode_images`: image files to tensors of one size, with statistics and a status for every row.
//!
//! A broken image is not a bad row: its product is predicted from its text.

use super::row_wise::{Aligned, RowWise, process, same_names};
use super::{Environment, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::image::{
    DecodeLimits, Filter, ImagePreparer, ImageStatus, PrepareOptions, PreparedImage,
};
use crate::schema::{self, IMAGE_SIZE, LABELLED, UNLABELLED};
use crate::source::{SourceError, UNREADABLE};
use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, Float32Array, Int64Array, RecordBatch, StringArray,
    UInt32Array,
};
use arrow::buffer::{Buffer, NullBuffer};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters of `decode_images`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Params {
    /// Share of width and height cut off each side.
    margin: f32,
    /// Height and width of the tensor in pixels.
    size: u32,
    /// Kernel of the resize.
    filter: String,
    /// Largest file in bytes.
    max_bytes: u64,
    /// Largest width in pixels.
    max_width: u32,
    /// Largest height in pixels.
    max_height: u32,
    /// Largest number of pixels.
    max_pixels: u64,
}

impl Default for Params {
    fn default() -> Self {
        let options = PrepareOptions::default();
        Self {
            margin: options.margin,
            size: IMAGE_SIZE,
            filter: options.filter.as_str().to_owned(),
            max_bytes: options.limits.max_bytes,
            max_width: options.limits.max_width,
            max_height: options.limits.max_height,
            max_pixels: options.limits.max_pixels,
        }
    }
}

impl Params {
    fn options(&self) -> PrepareOptions {
        PrepareOptions {
            margin: self.margin,
            size: self.size,
            filter: Filter::parse(&self.filter).unwrap_or_default(),
            limits: DecodeLimits {
                max_bytes: self.max_bytes,
                max_width: self.max_width,
                max_height: self.max_height,
                max_pixels: self.max_pixels,
            },
        }
    }
}

/// The stage.
pub(super) struct DecodeImages {
    params: Params,
}

impl Kind for DecodeImages {
    const NAME: &'static str = "decode_images";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![one("ingest", &[LABELLED, UNLABELLED])]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        if Filter::parse(&params.filter).is_none() {
            let known = Filter::ALL.map(Filter::as_str).join(", ");
            let message = format!("unknown filter {:?}; known: {known}", params.filter);
            issues.push(Issue::new(format!("{path}.filter"), message));
        }
        if let Err(error) = ImagePreparer::new(&params.options()) {
            issues.push(Issue::new(path, error.to_string()));
        }
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for DecodeImages {
    fn version(&self) -> u32 {
        2
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let limit = environment.config.max_image_fault_ratio.to_string();
        Ok(vec![("max_image_fault_ratio".to_owned(), limit)])
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let options = self.params.options();
        let input = run.input("ingest")?;
        let spec = RowWise {
            aligned: vec![Aligned {
                input,
                columns: &["id", "image", "image_identity", "image_bytes"],
            }],
            datasets: same_names(input),
            sides: &[],
            extra: Vec::new(),
            extra_of: None,
            unit: "rows",
        };
        let writer = process(run, &spec, &|_, batches| {
            let outcomes = decode_part(run.environment, &options, &batches[0])?;
            let decoded = outcomes.iter().filter(|row| row.image.is_some()).count();
            run.monitor.count_images(decoded as u64);
            let batch = to_batch(batches[0].column(0).clone(), outcomes, options.size)?;
            Ok(vec![batch])
        })?;
        let statuses = run.count_values(&writer, &[LABELLED, UNLABELLED], "image_status")?;
        check_ratio(&statuses, run.environment.config.max_image_fault_ratio)?;
        let summary = Map::from_iter([("image_status".to_owned(), json!(statuses))]);
        Ok(StageOutput { writer, summary })
    }
}

/// What became of one row's image.
struct Outcome {
    status: ImageStatus,
    detail: Option<String>,
    image: Option<PreparedImage>,
}

impl Outcome {
    fn without_image(status: ImageStatus, detail: Option<String>) -> Self {
        Self {
            status,
            detail,
            image: None,
        }
    }
}

fn decode_part(
    environment: &Environment,
    options: &PrepareOptions,
    batch: &RecordBatch,
) -> Result<Vec<Outcome>, StageError> {
    let paths: &StringArray = schema::column(batch, "image")?;
    let identities: &StringArray = schema::column(batch, "image_identity")?;
    let sizes: &Int64Array = schema::column(batch, "image_bytes")?;
    // The options were checked with the configuration; an error here would be reported once per row.
    ImagePreparer::new(options)?;
    (0..batch.num_rows())
        .into_par_iter()
        .map_init(
            || ImagePreparer::new(options),
            |preparer, row| {
                environment.check_cancelled()?;
                if paths.is_null(row) {
                    return Ok(Outcome::without_image(ImageStatus::None, None));
                }
                if identities.is_null(row) {
                    return Ok(Outcome::without_image(ImageStatus::Absent, None));
                }
                let limit = i64::try_from(options.limits.max_bytes).unwrap_or(i64::MAX);
                if sizes.value(row) > limit {
                    let detail = format!("{} bytes, more than {limit}", sizes.value(row));
                    return Ok(Outcome::without_image(ImageStatus::TooLarge, Some(detail)));
                }
                match preparer {
                    Ok(preparer) => decode(
                        environment,
                        preparer,
                        paths.value(row),
                        identities.value(row),
                    ),
                    Err(error) => Err(StageError::Unusable(error.to_string())),
                }
            },
        )
        .collect()
}

fn decode(
    environment: &Environment,
    preparer: &mut ImagePreparer,
    path: &str,
    identity: &str,
) -> Result<Outcome, StageError> {
    let source = &environment.source;
    if identity.starts_with(UNREADABLE) {
        return Ok(Outcome::without_image(ImageStatus::Unreadable, None));
    }
    // A file that could be read a moment ago and cannot now is trouble of the night, not a property of the image:
    // the stage fails, and the next run tries again.
    let bytes = source.get(path)?;
    // On a disk the identity is the digest: what is decoded is what was identified.
    if source.local_root().is_some() && Digest::of(&bytes).as_str() != identity {
        environment.forget(path);
        return Err(SourceError::Changed {
            url: format!("{}/{path}", source.url()),
        }
        .into());
    }
    Ok(match preparer.prepare(&bytes) {
        Ok(image) => Outcome {
            status: ImageStatus::Ok,
            detail: None,
            image: Some(image),
        },
        Err(fault) => Outcome::without_image(fault.status, Some(fault.detail)),
    })
}

fn to_batch(ids: ArrayRef, outcomes: Vec<Outcome>, size: u32) -> Result<RecordBatch, StageError> {
    let width = size as usize * size as usize * 3;
    let sizes = |of: fn(&PreparedImage) -> u32| -> ArrayRef {
        Arc::new(
            outcomes
                .iter()
                .map(|row| row.image.as_ref().map(of))
                .collect::<UInt32Array>(),
        )
    };
    let means = |of: fn(&PreparedImage) -> f32| -> ArrayRef {
        Arc::new(
            outcomes
                .iter()
                .map(|row| row.image.as_ref().map(of))
                .collect::<Float32Array>(),
        )
    };
    let digests = outcomes.par_iter().map(|row| {
        let digest = |image: &PreparedImage| Digest::of(&image.pixels).as_str().to_owned();
        row.image.as_ref().map(digest)
    });
    let digests: ArrayRef = Arc::new(StringArray::from(digests.collect::<Vec<_>>()));
    let mut columns = vec![
        ids,
        Arc::new(
            outcomes
                .iter()
                .map(|row| Some(row.status.as_str()))
                .collect::<StringArray>(),
        ),
        Arc::new(
            outcomes
                .iter()
                .map(|row| row.detail.as_deref())
                .collect::<StringArray>(),
        ),
        sizes(|image| image.width),
        sizes(|image| image.height),
        means(|image| image.statistics.white_share),
        means(|image| image.statistics.mean_red),
        means(|image| image.statistics.mean_green),
        means(|image| image.statistics.mean_blue),
        digests,
    ];
    let valid: Vec<bool> = outcomes.iter().map(|row| row.image.is_some()).collect();
    let mut pixels = vec![0_u8; outcomes.len() * width];
    for (row, outcome) in pixels.chunks_exact_mut(width).zip(outcomes) {
        if let Some(image) = outcome.image {
            row.copy_from_slice(&image.pixels);
        }
    }
    let bytes = i32::try_from(width).unwrap_or(i32::MAX);
    let pixels = FixedSizeBinaryArray::new(
        bytes,
        Buffer::from_vec(pixels),
        Some(NullBuffer::from(valid)),
    );
    columns.push(Arc::new(pixels));
    Ok(schema::batch(schema::images(size), columns)?)
}

fn check_ratio(statuses: &BTreeMap<String, u64>, limit: f64) -> Result<(), StageError> {
    let parsed = |status: &str| ImageStatus::parse(status).unwrap_or(ImageStatus::Unreadable);
    let faults: Vec<(&String, &u64)> = statuses
        .iter()
        .filter(|(status, _)| parsed(status).is_fault())
        .collect();
    let broken: u64 = faults.iter().map(|(_, count)| **count).sum();
    let there = broken + statuses.get(ImageStatus::Ok.as_str()).copied().unwrap_or(0);
    if broken as f64 <= limit * there as f64 {
        return Ok(());
    }
    let reasons: Vec<String> = faults
        .iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    let (faults, images, reasons) = (broken, there, reasons.join(", "));
    Err(StageError::TooManyImageFaults {
        faults,
        images,
        limit,
        reasons,
    })
}
