//! `decode_images`: image files to tensors of one size, with statistics and a status for every row.
//!
//! A broken image is not a bad row: its product is predicted from its text.

use super::image_variance::Sample;
use super::row_wise::{Aligned, RowWise, process, same_names};
use super::{Environment, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::image::{
    DecodeLimits, Filter, ImageError, ImagePreparer, ImageStatistics, ImageStatus, PrepareOptions,
};
use crate::schema::{self, IMAGE_SIZE, LABELLED, UNLABELLED};
use crate::source::{SourceError, UNREADABLE};
use crate::store::{Identified, StoreError};
use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, Float32Array, Int64Array, RecordBatch, StringArray,
    UInt32Array,
};
use arrow::buffer::{Buffer, NullBuffer};
use bytes::Bytes;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters of `decode_images`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// Share of width and height cut off each side.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 0.5))]
    margin: f32,
    /// Height and width of the tensor in pixels.
    #[schemars(range(min = 1, max = 4096))]
    size: u32,
    /// Kernel of the resize.
    #[schemars(extend("enum" = Filter::ALL.map(Filter::as_str)))]
    filter: String,
    /// Share of the images, chosen by a hash of their ids, over which the variance of each pixel is computed; 0 for none.
    #[schemars(range(min = 0.0, max = 1.0))]
    variance_share: f64,
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
            variance_share: 0.25,
            max_bytes: options.limits.max_bytes,
            max_width: options.limits.max_width,
            max_height: options.limits.max_height,
            max_pixels: options.limits.max_pixels,
        }
    }
}

impl Params {
    fn sample(&self) -> Sample {
        Sample {
            share: self.variance_share,
            size: self.size,
        }
    }

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
    const SUMMARY: &'static str = "Makes tensors of one size of image files.";
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
        if !(0.0..=1.0).contains(&params.variance_share) {
            let message = format!("must be from 0 to 1, is {}", params.variance_share);
            issues.push(Issue::new(format!("{path}.variance_share"), message));
        }
        if let Err(error) = ImagePreparer::new(&params.options()) {
            let key = match error {
                ImageError::Margin { .. } => ".margin",
                ImageError::Size { .. } => ".size",
                _ => "",
            };
            issues.push(Issue::new(format!("{path}{key}"), error.to_string()));
        }
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for DecodeImages {
    fn version(&self) -> u32 {
        3
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let limit = environment.config.max_image_fault_ratio.to_string();
        Ok(vec![("max_image_fault_ratio".to_owned(), limit)])
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let (options, sample) = (self.params.options(), self.params.sample());
        let input = run.input("ingest")?;
        let spec = RowWise {
            aligned: vec![Aligned {
                input,
                columns: &["id", "image", "image_identity", "image_bytes"],
            }],
            datasets: same_names(input),
            sides: sample.sides(),
            extra: Vec::new(),
            extra_of: None,
            unit: "rows",
            most_workers: usize::MAX,
        };
        let writer = process(run, &spec, &|_, batches| {
            let ids = batches[0].column(0).clone();
            let (outcomes, pixels) = decode_part(run.environment, &options, &batches[0])?;
            let has_image: Vec<bool> = outcomes.iter().map(|row| row.image.is_some()).collect();
            let decoded = has_image.iter().filter(|&&has| has).count();
            run.monitor.count_images(decoded as u64);
            let mut made = Vec::new();
            if !sample.sides().is_empty() {
                let ids = schema::column(&batches[0], "id")?;
                made.push(sample.side(ids, &has_image, &pixels)?);
            }
            made.insert(0, to_batch(ids, &outcomes, pixels, options.size)?);
            Ok(made)
        })?;
        let statuses = run.count_values(&writer, &[LABELLED, UNLABELLED], "image_status")?;
        check_ratio(&statuses, run.environment.config.max_image_fault_ratio)?;
        let mut summary = Map::from_iter([("image_status".to_owned(), json!(statuses))]);
        if sample.share > 0.0 {
            let images = sample.merge(run, &writer)?;
            summary.insert("variance_images".to_owned(), json!(images));
        }
        Ok(StageOutput { writer, summary })
    }
}

/// What became of one row's image, besides its pixels.
struct Outcome {
    status: ImageStatus,
    detail: Option<String>,
    image: Option<Picture>,
}

/// What is known of an image whose pixels are kept elsewhere.
struct Picture {
    width: u32,
    height: u32,
    statistics: ImageStatistics,
    digest: Digest,
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

/// Decodes the images of a part, each right to its place among the pixels of all: no pixel is in memory twice.
fn decode_part(
    environment: &Environment,
    options: &PrepareOptions,
    batch: &RecordBatch,
) -> Result<(Vec<Outcome>, Vec<u8>), StageError> {
    let paths: &StringArray = schema::column(batch, "image")?;
    let identities: &StringArray = schema::column(batch, "image_identity")?;
    let sizes: &Int64Array = schema::column(batch, "image_bytes")?;
    // The options were checked with the configuration; an error here would be reported once per row.
    ImagePreparer::new(options)?;
    let width = options.size as usize * options.size as usize * 3;
    let limit = i64::try_from(options.limits.max_bytes).unwrap_or(i64::MAX);
    let rows = (0..batch.num_rows()).map(|row| {
        if paths.is_null(row) {
            Err(Outcome::without_image(ImageStatus::None, None))
        } else if identities.is_null(row) {
            Err(Outcome::without_image(ImageStatus::Absent, None))
        } else if identities.value(row).starts_with(UNREADABLE) {
            Err(Outcome::without_image(ImageStatus::Unreadable, None))
        } else if sizes.value(row) > limit {
            let detail = format!("{} bytes, more than {limit}", sizes.value(row));
            Err(Outcome::without_image(ImageStatus::TooLarge, Some(detail)))
        } else {
            Ok(ImageFile {
                path: paths.value(row),
                identity: identities.value(row),
            })
        }
    });
    let rows: Vec<Result<ImageFile<'_>, Outcome>> = rows.collect();
    let mut pixels = vec![0; rows.len() * width];
    let mut outcomes = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter();
    let is_local = environment.source.local_root().is_some();
    let at_once = if is_local {
        rows.len().max(1)
    } else {
        // Few of the rows may have one.
        let images = rows.as_slice().iter().filter(|row| row.is_ok()).count();
        (rows.len() * IMAGES_AT_ONCE / images.max(1)).clamp(1, rows.len().max(1))
    };
    // The next files are fetched while these are decoded.
    let next = |rows: &mut std::vec::IntoIter<_>| -> Vec<_> { rows.take(at_once).collect() };
    let mut fetched = fetch(environment, next(&mut rows));
    for pixels in pixels.chunks_mut(width * at_once) {
        let coming = next(&mut rows);
        let (made, following) = std::thread::scope(|scope| {
            let stage = tracing::Span::current();
            let following = scope.spawn(move || stage.in_scope(|| fetch(environment, coming)));
            let made = decode_all(environment, options, fetched, pixels, width);
            (made, following.join())
        });
        outcomes.extend(made?);
        fetched = following.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
    Ok((outcomes, pixels))
}

/// Images that are fetched from another machine, then decoded, at a time.
const IMAGES_AT_ONCE: usize = 64;

/// An image file of the source, as `ingest` found it.
#[derive(Clone, Copy)]
struct ImageFile<'a> {
    path: &'a str,
    identity: &'a str,
}

/// A row with its image file and, from another machine, its bytes; or with the outcome that is known without it.
type Fetched<'a> = Result<(ImageFile<'a>, Option<Result<Identified, StoreError>>), Outcome>;

/// Fetches image files from another machine, many at a time; from a disk they are read where they are decoded.
fn fetch<'a>(
    environment: &Environment,
    rows: Vec<Result<ImageFile<'a>, Outcome>>,
) -> Vec<Fetched<'a>> {
    let source = &environment.source;
    let files = rows.iter().flatten();
    let paths: Vec<&str> = files.map(|file| file.path).collect();
    let is_local = source.local_root().is_some();
    let mut contents = if is_local || environment.cancel.signal().is_some() {
        Vec::new()
    } else {
        source.get_identified(&paths)
    }
    .into_iter();
    let mut with_bytes = |file| (file, contents.next());
    let rows = rows.into_iter();
    rows.map(|row| row.map(&mut with_bytes)).collect()
}

/// Decodes fetched images side by side, each right to its place.
fn decode_all(
    environment: &Environment,
    options: &PrepareOptions,
    fetched: Vec<Fetched<'_>>,
    pixels: &mut [u8],
    width: usize,
) -> Result<Vec<Outcome>, StageError> {
    pixels
        .par_chunks_exact_mut(width)
        .zip(fetched)
        .map_init(
            || ImagePreparer::new(options),
            |preparer, (pixels, row)| {
                environment.check_cancelled()?;
                let (file, bytes) = match row {
                    Ok(found) => found,
                    Err(outcome) => return Ok(outcome),
                };
                let bytes = match bytes {
                    None => environment.source.get(file.path),
                    Some(Err(error)) => Err(error),
                    Some(Ok(found)) => {
                        let identities = &found.identities;
                        let is_it = |identity: &String| identity == file.identity;
                        if !identities.is_empty() && !identities.iter().any(is_it) {
                            return Err(changed(environment, file.path).into());
                        }
                        Ok(found.bytes)
                    }
                };
                let bytes = match bytes {
                    Err(StoreError::DamagedEntry { detail, .. }) => {
                        let corrupt = ImageStatus::Corrupt;
                        return Ok(Outcome::without_image(corrupt, Some(detail)));
                    }
                    Err(StoreError::Denied { .. }) => {
                        return Ok(Outcome::without_image(ImageStatus::Unreadable, None));
                    }
                    // A file that could be read a moment ago and cannot now is trouble of the night, not a property of
                    // the image: the stage fails, and the next run tries again.
                    other => other?,
                };
                match preparer {
                    Ok(preparer) => decode(environment, preparer, file, &bytes, pixels),
                    Err(error) => Err(StageError::Unusable(error.to_string())),
                }
            },
        )
        .collect()
}

fn decode(
    environment: &Environment,
    preparer: &mut ImagePreparer,
    ImageFile { path, identity }: ImageFile<'_>,
    bytes: &Bytes,
    pixels: &mut [u8],
) -> Result<Outcome, StageError> {
    let source = &environment.source;
    // On a disk the identity is the digest: what is decoded is what was identified.
    if source.local_root().is_some() && Digest::of(bytes).as_str() != identity {
        environment.forget(path);
        return Err(changed(environment, path).into());
    }
    Ok(match preparer.prepare(bytes) {
        Ok(image) => {
            pixels.copy_from_slice(&image.pixels);
            Outcome {
                status: ImageStatus::Ok,
                detail: None,
                image: Some(Picture {
                    width: image.width,
                    height: image.height,
                    statistics: image.statistics,
                    digest: Digest::of(&image.pixels),
                }),
            }
        }
        Err(fault) => Outcome::without_image(fault.status, Some(fault.detail)),
    })
}

/// An image is not the one that `ingest` found.
fn changed(environment: &Environment, path: &str) -> SourceError {
    SourceError::Changed {
        url: format!("{}/{path}", environment.source.url()),
    }
}

fn to_batch(
    ids: ArrayRef,
    outcomes: &[Outcome],
    pixels: Vec<u8>,
    size: u32,
) -> Result<RecordBatch, StageError> {
    let width = size as usize * size as usize * 3;
    let sizes = |of: fn(&Picture) -> u32| -> ArrayRef {
        Arc::new(
            outcomes
                .iter()
                .map(|row| row.image.as_ref().map(of))
                .collect::<UInt32Array>(),
        )
    };
    let means = |of: fn(&Picture) -> f32| -> ArrayRef {
        Arc::new(
            outcomes
                .iter()
                .map(|row| row.image.as_ref().map(of))
                .collect::<Float32Array>(),
        )
    };
    let digests = outcomes
        .iter()
        .map(|row| row.image.as_ref().map(|image| image.digest.as_str()));
    let digests: ArrayRef = Arc::new(digests.collect::<StringArray>());
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
