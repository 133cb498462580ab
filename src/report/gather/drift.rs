//! Tonight's unlabelled rows beside the labelled ones: languages, lengths, what is known of them, and the categories that were
//! predicted beside those that were given.

use super::catalogue::{bin_width, language_counts, word_counts};
use super::counts::{NumberCounts, TextCounts, share, stability_index};
use crate::checkpoint::CheckpointReader;
use crate::report::ReportError;
use crate::report::data::{Comparison, Drift, SharePair};
use crate::report::sources::{Sources, has_dataset, texts};
use crate::schema::{LABELLED, PREDICTIONS, UNLABELLED};
use arrow::array::Array;

/// Bins of lengths.
const BINS: usize = 12;

/// Reads the section; `None` where there are no unlabelled rows.
pub(super) fn drift(sources: &Sources<'_>) -> Result<Option<Drift>, ReportError> {
    let Some((_, products)) = sources.main("ingest") else {
        return Ok(None);
    };
    let rows = |dataset: &str| {
        products
            .manifest()
            .datasets
            .get(dataset)
            .map_or(0, |found| found.rows)
    };
    if rows(UNLABELLED) == 0 {
        return Ok(None);
    }
    let mut comparisons = Vec::new();
    if let Some((_, reader)) = both(sources, "detect_language") {
        let old = language_counts(reader, LABELLED)?;
        let new = language_counts(reader, UNLABELLED)?;
        comparisons.push(of_texts("language", &old, &new, str::to_owned));
    }
    if let Some((_, reader)) = both(sources, "clean_text") {
        let old = word_counts(reader, LABELLED)?;
        let new = word_counts(reader, UNLABELLED)?;
        for (what, (old, new)) in ["title_words", "description_words"]
            .iter()
            .zip(old.iter().zip(&new))
        {
            comparisons.push(of_numbers(what, old, new));
        }
    }
    let photos = |dataset| photo_counts(products, dataset);
    comparisons.push(of_texts(
        "photo",
        &photos(LABELLED)?,
        &photos(UNLABELLED)?,
        str::to_owned,
    ));
    if let Some((_, reader)) = sources.main("predict") {
        let old = text_counts(products, LABELLED, "label")?;
        let new = predicted(reader, products)?;
        comparisons.push(of_texts("category", &old, &new, |label| {
            format!("{label} {}", sources.name(label))
                .trim_end()
                .to_owned()
        }));
    }
    Ok(Some(Drift {
        labelled: rows(LABELLED),
        unlabelled: rows(UNLABELLED),
        comparisons,
    }))
}

/// The checkpoint of a kind that has both sets of rows.
fn both<'a>(sources: &'a Sources<'_>, kind: &'a str) -> Option<(&'a str, &'a CheckpointReader)> {
    let found = sources.main(kind)?;
    (has_dataset(found.1, LABELLED) && has_dataset(found.1, UNLABELLED)).then_some(found)
}

fn text_counts(
    reader: &CheckpointReader,
    dataset: &str,
    column: &str,
) -> Result<TextCounts, ReportError> {
    let mut counts = TextCounts::default();
    for batch in reader.parts(dataset, Some(&[column]))? {
        texts(&batch?, column)?
            .iter()
            .flatten()
            .for_each(|text| counts.add(text));
    }
    Ok(counts)
}

/// The categories predicted for unlabelled rows: `predict` may have been asked for all rows.
fn predicted(
    reader: &CheckpointReader,
    products: &CheckpointReader,
) -> Result<TextCounts, ReportError> {
    let rows = products
        .manifest()
        .datasets
        .get(UNLABELLED)
        .map_or(0, |found| found.rows);
    let predictions = reader.dataset(PREDICTIONS)?;
    if predictions.rows == rows {
        return text_counts(reader, PREDICTIONS, "predicted");
    }
    let mut wanted = std::collections::HashSet::new();
    for batch in products.parts(UNLABELLED, Some(&["id"]))? {
        wanted.extend(texts(&batch?, "id")?.iter().flatten().map(str::to_owned));
    }
    let mut counts = TextCounts::default();
    for batch in reader.parts(PREDICTIONS, Some(&["id", "predicted"]))? {
        let batch = batch?;
        let rows = texts(&batch, "id")?
            .iter()
            .zip(texts(&batch, "predicted")?.iter());
        for (id, label) in rows {
            if id.is_some_and(|id| wanted.contains(id)) {
                counts.add(label.unwrap_or_default());
            }
        }
    }
    Ok(counts)
}

/// Rows with and without a photo that is there.
fn photo_counts(reader: &CheckpointReader, dataset: &str) -> Result<TextCounts, ReportError> {
    let mut counts = TextCounts::default();
    for batch in reader.parts(dataset, Some(&["image_identity"]))? {
        let batch = batch?;
        let files = texts(&batch, "image_identity")?;
        let without = files.null_count() as u64;
        for (name, rows) in [("with", files.len() as u64 - without), ("without", without)] {
            if rows > 0 {
                counts.add_many(name, rows);
            }
        }
    }
    Ok(counts)
}

fn of_texts(
    what: &str,
    old: &TextCounts,
    new: &TextCounts,
    name: impl Fn(&str) -> String,
) -> Comparison {
    let mut values: Vec<&str> = old.by_count().into_iter().map(|(value, _)| value).collect();
    let only_new = new.by_count().into_iter().map(|(value, _)| value);
    let only_new: Vec<&str> = only_new.filter(|value| old.of(value) == 0).collect();
    values.extend(only_new);
    let pair = |value: &&str| SharePair {
        name: name(value),
        labelled: old.share(value),
        unlabelled: new.share(value),
    };
    comparison(what, values.iter().map(pair).collect())
}

fn of_numbers(what: &str, old: &NumberCounts, new: &NumberCounts) -> Comparison {
    let most = |counts: &NumberCounts| counts.quantile(0.99);
    let wide = if most(old) >= most(new) { old } else { new };
    let width = bin_width(wide) * (most(wide) / bin_width(wide)).div_ceil(BINS as u64).max(1);
    let (before, after) = (old.bins(width, BINS), new.bins(width, BINS));
    let pair = |(place, (before, after)): (usize, (&u64, &u64))| {
        let from = width * place as u64;
        let name = if place + 1 == BINS {
            format!("≥ {from}")
        } else if width == 1 {
            from.to_string()
        } else {
            format!("{from}–{}", from + width - 1)
        };
        SharePair {
            name,
            labelled: share(*before, old.rows()),
            unlabelled: share(*after, new.rows()),
        }
    };
    comparison(
        what,
        before.iter().zip(&after).enumerate().map(pair).collect(),
    )
}

fn comparison(what: &str, shares: Vec<SharePair>) -> Comparison {
    let pairs: Vec<(f64, f64)> = shares
        .iter()
        .map(|pair| (pair.labelled, pair.unlabelled))
        .collect();
    Comparison {
        what: what.to_owned(),
        stability_index: stability_index(&pairs),
        figure: format!("figures/drift-{}.svg", what.replace('_', "-")),
        shares,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_either_side_are_compared() {
        let (mut old, mut new) = (TextCounts::default(), TextCounts::default());
        old.add_many("fr", 3);
        old.add_many("en", 1);
        new.add_many("fr", 1);
        new.add_many("de", 1);
        let found = of_texts("language", &old, &new, str::to_owned);
        let rows: Vec<(&str, f64, f64)> = found
            .shares
            .iter()
            .map(|pair| (pair.name.as_str(), pair.labelled, pair.unlabelled))
            .collect();
        assert_eq!(
            rows,
            [("fr", 0.75, 0.5), ("en", 0.25, 0.0), ("de", 0.0, 0.5)]
        );
        assert!(found.stability_index > 0.25);
    }

    #[test]
    fn lengths_fall_into_the_same_bins() {
        let counts = |values: &[u32]| {
            let mut counts = NumberCounts::default();
            for value in values {
                counts.add(*value);
            }
            counts
        };
        let found = of_numbers("title_words", &counts(&[1, 2, 3, 200]), &counts(&[1, 1]));
        assert_eq!(found.shares.len(), BINS);
        let sums = found.shares.iter().fold((0.0, 0.0), |sums, pair| {
            (sums.0 + pair.labelled, sums.1 + pair.unlabelled)
        });
        assert!((sums.0 - 1.0).abs() < 1e-12 && (sums.1 - 1.0).abs() < 1e-12);
    }
}
