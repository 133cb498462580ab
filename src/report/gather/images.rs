//! Images: what became of them, their sizes and colours, where they vary, and what the crop leaves of them.

use super::counts::{TextCounts, quantile_of, share};
use super::variance::variance;
use crate::checkpoint::{CheckpointReader, PartManifest};
use crate::image::{DecodeLimits, Filter, ImagePreparer, PrepareOptions, Thumbnail, thumbnail};
use crate::report::ReportError;
use crate::report::attachments::Attachments;
use crate::report::data::{ChannelMeans, Counted, Crop, Images, Photo, Spread};
use crate::report::photos::attach;
use crate::report::sources::{Sources, has_dataset, texts};
use crate::schema::{self, LABELLED, UNLABELLED};
use arrow::array::{Array, Float32Array, RecordBatch, UInt32Array};
use serde_json::Value;
use std::collections::BTreeMap;

/// Photos shown before and after the crop.
const CROPS: usize = 4;
/// Side of those pictures in pixels.
const CROP_SIDE: u32 = 224;
/// Sizes that are told apart.
const SIZES: usize = 8;

/// Reads the section; `None` where no image was read.
pub(super) fn images(
    sources: &Sources<'_>,
    attachments: &mut Attachments,
) -> Result<Option<Images>, ReportError> {
    let (Some((stage, reader)), Some((_, products))) =
        (sources.main("decode_images"), sources.main("ingest"))
    else {
        return Ok(None);
    };
    let mut colours = Colours::default();
    if !colours.read(reader, products)? {
        // After a run that failed in between, its products stand beside the images of the run before.
        tracing::warn!(
            stage,
            "the images are not those of the products, and so not shown"
        );
        return Ok(None);
    }
    let mut statuses = colours.statuses.clone();
    if has_dataset(reader, UNLABELLED) {
        for part in &reader.dataset(UNLABELLED)?.parts {
            let batch = reader.columns(UNLABELLED, part, &["image_status"])?;
            texts(&batch, "image_status")?
                .iter()
                .flatten()
                .for_each(|status| statuses.add(status));
        }
    }
    let params = sources.params(stage);
    let margin = params["margin"].as_f64().unwrap_or(0.0);
    Ok(Some(Images {
        stage: stage.to_owned(),
        statuses: counted(&statuses, usize::MAX),
        sizes: counted(&colours.sizes, SIZES),
        white: colours.white(sources),
        channels: colours.channels(sources),
        variance: variance(sources, attachments)?,
        crops: crops(sources, &colours.shown, &params, attachments),
        size: params["size"].as_u64().map_or(0, |size| size as u32),
        margin,
    }))
}

fn counted(counts: &TextCounts, most: usize) -> Vec<Counted> {
    let rows = counts.by_count().into_iter().take(most);
    let counted = rows.map(|(name, rows)| Counted {
        name: name.to_owned(),
        rows,
        share: share(rows, counts.rows()),
    });
    counted.collect()
}

/// What one pass over the labelled images finds, by category.
#[derive(Default)]
struct Colours {
    statuses: TextCounts,
    sizes: TextCounts,
    white: BTreeMap<String, Vec<f32>>,
    /// Sums of the channel means and number of images.
    channels: BTreeMap<String, ([f64; 3], u64)>,
    /// A photo of each of some categories: id, title, path.
    shown: BTreeMap<String, [String; 3]>,
}

/// Columns that say something of an image, but for its pixels.
const COLUMNS: [&str; 8] = [
    "id",
    "image_status",
    "width",
    "height",
    "white_share",
    "mean_red",
    "mean_green",
    "mean_blue",
];

impl Colours {
    /// Reads part by part: part *i* of the images holds the rows of part *i* of the products, in their order. Returns whether it does.
    fn read(
        &mut self,
        reader: &CheckpointReader,
        products: &CheckpointReader,
    ) -> Result<bool, ReportError> {
        let parts = |reader: &CheckpointReader| -> Result<Vec<PartManifest>, ReportError> {
            Ok(reader.dataset(LABELLED)?.parts.clone())
        };
        let (images, rows) = (parts(reader)?, parts(products)?);
        if images.len() != rows.len() {
            return Ok(false);
        }
        for (images, rows) in images.iter().zip(&rows) {
            let columns = ["id", "title", "image", "label"];
            let rows = products.part(LABELLED, rows, Some(&columns))?;
            let images = reader.columns(LABELLED, images, &COLUMNS)?;
            if texts(&images, "id")? != texts(&rows, "id")? {
                return Ok(false);
            }
            self.add(&images, &rows)?;
        }
        Ok(true)
    }

    fn add(&mut self, images: &RecordBatch, rows: &RecordBatch) -> Result<(), ReportError> {
        let statuses = texts(images, "image_status")?;
        let widths: &UInt32Array = schema::column(images, "width")?;
        let heights: &UInt32Array = schema::column(images, "height")?;
        let white: &Float32Array = schema::column(images, "white_share")?;
        let means = ["mean_red", "mean_green", "mean_blue"]
            .map(|name| schema::column::<Float32Array>(images, name));
        let [red, green, blue] = means;
        let channels = [red?, green?, blue?];
        let labels = texts(rows, "label")?;
        let [ids, titles, paths] = [
            texts(rows, "id")?,
            texts(rows, "title")?,
            texts(rows, "image")?,
        ];
        for row in 0..images.num_rows() {
            self.statuses.add(statuses.value(row));
            if white.is_null(row) {
                continue;
            }
            let label = labels.value(row);
            self.sizes
                .add(&format!("{}×{}", widths.value(row), heights.value(row)));
            self.white
                .entry(label.to_owned())
                .or_default()
                .push(white.value(row));
            let (sums, images) = self.channels.entry(label.to_owned()).or_default();
            for (sum, channel) in sums.iter_mut().zip(channels) {
                *sum += f64::from(channel.value(row));
            }
            *images += 1;
            if self.shown.len() < CROPS && !self.shown.contains_key(label) {
                let photo = [ids, titles, paths].map(|column| column.value(row).to_owned());
                self.shown.insert(label.to_owned(), photo);
            }
        }
        Ok(())
    }

    /// The five numbers of each category, by median.
    fn white(&mut self, sources: &Sources<'_>) -> Vec<Spread> {
        let spread = |(label, shares): (&String, &mut Vec<f32>)| {
            shares.sort_by(f32::total_cmp);
            Spread {
                label: label.clone(),
                name: sources.name(label),
                images: shares.len() as u64,
                numbers: [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile_of(shares, share)),
            }
        };
        let mut all: Vec<Spread> = self.white.iter_mut().map(spread).collect();
        all.sort_by(|a, b| b.numbers[2].total_cmp(&a.numbers[2]));
        all
    }

    /// The means of each category, the brightest first.
    fn channels(&self, sources: &Sources<'_>) -> Vec<ChannelMeans> {
        let means = |(label, (sums, images)): (&String, &([f64; 3], u64))| ChannelMeans {
            label: label.clone(),
            name: sources.name(label),
            images: *images,
            means: sums.map(|sum| sum / (*images).max(1) as f64),
        };
        let mut all: Vec<ChannelMeans> = self.channels.iter().map(means).collect();
        let level = |row: &ChannelMeans| row.means.iter().sum::<f64>();
        all.sort_by(|a, b| level(b).total_cmp(&level(a)));
        all
    }
}

/// Some photos, whole and as models see them.
fn crops(
    sources: &Sources<'_>,
    shown: &BTreeMap<String, [String; 3]>,
    params: &Value,
    attachments: &mut Attachments,
) -> Vec<Crop> {
    let source = &sources.environment().source;
    let mut crops = Vec::new();
    for [id, title, path] in shown.values() {
        let Ok(bytes) = source.get(path) else {
            continue;
        };
        let mut photo = |picture: Option<Thumbnail>| {
            let picture = picture?;
            Some(Photo {
                id: id.clone(),
                title: title.clone(),
                picture: attach(&picture, attachments)?,
                width: picture.width,
                height: picture.height,
            })
        };
        let limits = DecodeLimits::default();
        let before = photo(thumbnail(&bytes, CROP_SIDE, &limits).ok());
        let after = photo(prepared(&bytes, params));
        if let (Some(before), Some(after)) = (before, after) {
            crops.push(Crop { before, after });
        }
    }
    crops
}

/// The tensor of an image, at the size of the page.
fn prepared(bytes: &[u8], params: &Value) -> Option<Thumbnail> {
    let options = PrepareOptions {
        margin: params["margin"].as_f64()? as f32,
        size: params["size"].as_u64()?.min(u64::from(CROP_SIDE)) as u32,
        filter: Filter::parse(params["filter"].as_str()?)?,
        limits: DecodeLimits::default(),
    };
    let size = options.size;
    let prepared = ImagePreparer::new(&options).ok()?.prepare(bytes).ok()?;
    Some(Thumbnail {
        width: size,
        height: size,
        rgb: prepared.pixels,
    })
}
