//! Texts and labels: empty fields, words, languages, categories and folds.

use super::counts::{NumberCounts, TextCounts, share};
use crate::checkpoint::CheckpointReader;
use crate::image::encode_png;
use crate::model::LabelMap;
use crate::report::ReportError;
use crate::report::attachments::Attachments;
use crate::report::data::{
    Catalogue, Category, CategoryCount, Counted, FieldShare, Strip, WordStats,
};
use crate::report::photos::{Wanted, load};
use crate::report::sources::{Sources, has_dataset, texts};
use crate::schema::{self, LABELLED, UNLABELLED};
use crate::source::{Record, SourceError, read_table};
use arrow::array::{Array, UInt32Array};
use std::collections::BTreeMap;

/// Photos of each category.
const PHOTOS: usize = 4;
/// Bins of a histogram, at most.
const BINS: u64 = 40;

/// Reads the section; `None` without a checkpoint of `ingest`.
pub(super) fn catalogue(
    sources: &Sources<'_>,
    attachments: &mut Attachments,
) -> Result<Option<Catalogue>, ReportError> {
    let Some((_, reader)) = sources.main("ingest") else {
        return Ok(None);
    };
    let mut labelled = Products::default();
    labelled.read(reader, LABELLED)?;
    let mut unlabelled = Products::default();
    if has_dataset(reader, UNLABELLED) {
        unlabelled.read(reader, UNLABELLED)?;
    }
    let labels = labelled.labels.labels();
    let balance = balance(sources, &labelled.labels);
    let smallest = balance.last().map_or(0, |category| category.rows);
    let largest = balance.first().map_or(0, |category| category.rows);
    Ok(Some(Catalogue {
        fields: fields(sources, &labelled, &unlabelled),
        words: words(sources)?,
        languages: languages(sources)?,
        imbalance: largest as f64 / smallest.max(1) as f64,
        strip: strip(sources, &labels, &labelled.labels, attachments),
        categories: categories(sources, &labels, &mut labelled, attachments),
        folds: folds(sources),
        balance,
    }))
}

/// What one pass over the products finds.
#[derive(Default)]
struct Products {
    rows: u64,
    /// Empty titles, descriptions, product ids, image references, and references without a file.
    empty: [u64; 5],
    labels: TextCounts,
    wanted: BTreeMap<String, Vec<Wanted>>,
}

impl Products {
    fn read(&mut self, reader: &CheckpointReader, dataset: &str) -> Result<(), ReportError> {
        let is_labelled = dataset == LABELLED;
        let mut columns = vec![
            "id",
            "title",
            "description",
            "product_id",
            "image",
            "image_identity",
        ];
        if is_labelled {
            columns.push("label");
        }
        for batch in reader.parts(dataset, Some(&columns))? {
            let batch = batch?;
            self.rows += batch.num_rows() as u64;
            let named = [
                "title",
                "description",
                "product_id",
                "image",
                "image_identity",
            ];
            for (count, name) in self.empty.iter_mut().zip(named) {
                let values = texts(&batch, name)?;
                let empty = values
                    .iter()
                    .filter(|value| value.unwrap_or("").trim().is_empty());
                *count += empty.count() as u64;
            }
            if is_labelled {
                self.label(&batch)?;
            }
        }
        Ok(())
    }

    fn label(&mut self, batch: &arrow::array::RecordBatch) -> Result<(), ReportError> {
        let (ids, titles) = (texts(batch, "id")?, texts(batch, "title")?);
        let (images, files) = (texts(batch, "image")?, texts(batch, "image_identity")?);
        let labels = texts(batch, "label")?;
        for row in 0..batch.num_rows() {
            let label = labels.value(row);
            self.labels.add(label);
            if images.is_null(row) || files.is_null(row) {
                continue;
            }
            let wanted = self.wanted.entry(label.to_owned()).or_default();
            if wanted.len() < PHOTOS {
                wanted.push(Wanted {
                    id: ids.value(row).to_owned(),
                    title: titles.value(row).to_owned(),
                    image: images.value(row).to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn fields(sources: &Sources<'_>, labelled: &Products, unlabelled: &Products) -> Vec<FieldShare> {
    let columns = sources.columns();
    let names = [
        columns.title.as_str(),
        columns.description.as_str(),
        columns.product_id.as_str(),
        "image",
        "image file",
    ];
    let field = |(place, name): (usize, &&str)| FieldShare {
        field: (*name).to_owned(),
        labelled_empty: labelled.empty[place],
        labelled_share: share(labelled.empty[place], labelled.rows),
        unlabelled_empty: unlabelled.empty[place],
        unlabelled_share: share(unlabelled.empty[place], unlabelled.rows),
    };
    names.iter().enumerate().map(field).collect()
}

/// Numbers of words of both fields of a dataset.
pub(super) fn word_counts(
    reader: &CheckpointReader,
    dataset: &str,
) -> Result<[NumberCounts; 2], ReportError> {
    let columns = ["title_words", "description_words"];
    let mut counts = [NumberCounts::default(), NumberCounts::default()];
    for batch in reader.parts(dataset, Some(&columns))? {
        let batch = batch?;
        for (counts, name) in counts.iter_mut().zip(columns) {
            let values: &UInt32Array = schema::column(&batch, name)?;
            values.values().iter().for_each(|value| counts.add(*value));
        }
    }
    Ok(counts)
}

/// Width of bins that nearly all of the numbers fall into.
pub(super) fn bin_width(counts: &NumberCounts) -> u64 {
    let wide = counts.quantile(0.99).div_ceil(BINS).max(1);
    // 1, 2, 5, 10 and so on: people read the axis.
    let mut round = 1;
    for factor in [2, 5, 10].into_iter().cycle() {
        if round >= wide {
            break;
        }
        let decade = 10_u64.pow(round.ilog10());
        round = decade * factor;
    }
    round
}

fn words(sources: &Sources<'_>) -> Result<Vec<WordStats>, ReportError> {
    let Some((_, reader)) = sources.main("clean_text") else {
        return Ok(Vec::new());
    };
    let columns = sources.columns();
    let counts = word_counts(reader, LABELLED)?;
    let names = [&columns.title, &columns.description];
    let stats = counts.iter().zip(names).map(|(counts, name)| {
        let (mean, deviation) = counts.moments();
        let bin = bin_width(counts);
        let bins = (counts.quantile(0.99) / bin + 2).min(BINS + 2);
        WordStats {
            field: name.clone(),
            rows: counts.rows(),
            empty: counts.of(0),
            least: counts.least(),
            lower_quartile: counts.quantile(0.25),
            median: counts.quantile(0.5),
            upper_quartile: counts.quantile(0.75),
            most: counts.most(),
            mean,
            deviation,
            bins: counts.bins(bin, usize::try_from(bins).unwrap_or(1)),
            bin,
        }
    });
    Ok(stats.collect())
}

/// Languages of a dataset.
pub(super) fn language_counts(
    reader: &CheckpointReader,
    dataset: &str,
) -> Result<TextCounts, ReportError> {
    let mut counts = TextCounts::default();
    for batch in reader.parts(dataset, Some(&["language"]))? {
        texts(&batch?, "language")?
            .iter()
            .flatten()
            .for_each(|code| counts.add(code));
    }
    Ok(counts)
}

fn languages(sources: &Sources<'_>) -> Result<Vec<Counted>, ReportError> {
    let Some((_, reader)) = sources.main("detect_language") else {
        return Ok(Vec::new());
    };
    let counts = language_counts(reader, LABELLED)?;
    let counted = |(name, rows): (&str, u64)| Counted {
        name: name.to_owned(),
        rows,
        share: share(rows, counts.rows()),
    };
    Ok(counts.by_count().into_iter().map(counted).collect())
}

fn balance(sources: &Sources<'_>, counts: &TextCounts) -> Vec<CategoryCount> {
    let category = |(label, rows): (&str, u64)| CategoryCount {
        label: label.to_owned(),
        name: sources.name(label),
        rows,
        share: share(rows, counts.rows()),
    };
    counts.by_count().into_iter().map(category).collect()
}

fn categories(
    sources: &Sources<'_>,
    labels: &LabelMap,
    products: &mut Products,
    attachments: &mut Attachments,
) -> Vec<Category> {
    let source = &*sources.environment().source;
    let category = |label: &String| {
        let wanted = products.wanted.remove(label).unwrap_or_default();
        let mut photos = load(source, &wanted, attachments);
        photos.retain(|photo| !photo.picture.is_empty());
        Category {
            label: label.clone(),
            name: sources.name(label),
            rows: products.labels.of(label),
            photos,
        }
    };
    labels.labels().iter().map(category).collect()
}

fn folds(sources: &Sources<'_>) -> Vec<Counted> {
    let Some((_, reader)) = sources.main("split") else {
        return Vec::new();
    };
    let summary = &reader.manifest().summary;
    let rows = |name: &str| {
        summary
            .get(name)
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0)
    };
    let names = ["train", "validation", "test"];
    let total = names.iter().map(|name| rows(name)).sum();
    let fold = |name: &str| Counted {
        name: name.to_owned(),
        rows: rows(name),
        share: share(rows(name), total),
    };
    names.into_iter().map(fold).collect()
}

/// Reads the labels once more, in the order of their file, and draws each as a pixel. Without the source there is no strip.
fn strip(
    sources: &Sources<'_>,
    labels: &LabelMap,
    counts: &TextCounts,
    attachments: &mut Attachments,
) -> Option<Strip> {
    let environment = sources.environment();
    let source = &environment.config.source;
    let table = if source.labels.is_empty() {
        &source.products
    } else {
        &source.labels
    };
    let ingested = sources.main("ingest")?.1.manifest().fields.clone();
    let is_same = |(name, table): (&str, &String)| {
        let known = ingested.as_slice().iter().find(|field| field.name == name);
        environment.identify(table).ok() == known.map(|field| field.value.clone())
    };
    let tables = [
        ("source.products", &source.products),
        ("source.labels", &source.labels),
    ];
    if !tables
        .into_iter()
        .filter(|(_, table)| !table.is_empty())
        .all(is_same)
    {
        tracing::warn!(
            "the tables of the source are no longer those of the run: the strip of the labels is not drawn"
        );
        return None;
    }
    let mut classes: Vec<usize> = Vec::new();
    let columns = [source.columns.label.clone()];
    let read = read_table(&*environment.source, table, &columns, &mut |record| {
        if let Record::Row { values, .. } = record
            && let Some(class) = labels.index(values[0].trim())
        {
            classes.push(class);
        }
        Ok::<(), SourceError>(())
    });
    if let Err(error) = read {
        tracing::warn!(%error, "the labels cannot be drawn in the order of their file");
        return None;
    }
    let repeats = classes.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    let darkest = labels.len().saturating_sub(1).max(1);
    let levels: Vec<u8> = classes
        .iter()
        .map(|class| (class * 255 / darkest) as u8)
        .collect();
    let by_chance = |count: u64| share(count, counts.rows()).powi(2);
    Some(Strip {
        rows: classes.len() as u64,
        repeats: share(repeats, classes.len().saturating_sub(1) as u64),
        repeats_by_chance: counts
            .by_count()
            .into_iter()
            .map(|(_, count)| by_chance(count))
            .sum(),
        figure: attachments.png("strip", pixels(&levels)?),
    })
}

/// One grey pixel for each row, four times as wide as high, row by row; what is left of the last row is white.
fn pixels(levels: &[u8]) -> Option<Vec<u8>> {
    if levels.is_empty() {
        return None;
    }
    let width = ((levels.len() as f64 * 4.0).sqrt().ceil() as usize).max(1);
    let height = levels.len().div_ceil(width);
    let mut rgb = vec![255_u8; width * height * 3];
    for (pixel, level) in rgb.chunks_exact_mut(3).zip(levels) {
        pixel.fill(*level);
    }
    encode_png(
        u32::try_from(width).ok()?,
        u32::try_from(height).ok()?,
        &rgb,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_round_and_hold_nearly_all() {
        let counts = |most: u32| {
            let mut counts = NumberCounts::default();
            (0..=most).for_each(|value| counts.add(value));
            counts
        };
        let widths = [10, 60, 150, 2_068, 100_000].map(|most| bin_width(&counts(most)));
        assert_eq!(widths, [1, 2, 5, 100, 5_000]);
        assert_eq!(bin_width(&NumberCounts::default()), 1);
    }

    #[test]
    fn every_row_is_a_pixel() {
        let png = pixels(&[0, 128, 255, 7, 9]).unwrap();
        let found = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!((found.width(), found.height()), (5, 1));
        assert_eq!(found.get_pixel(3, 0).0, [7; 3]);
        assert!(pixels(&[]).is_none());
    }
}
