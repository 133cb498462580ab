//! The products behind the pairs of categories that the chosen model confuses most.

use crate::report::ReportError;
use crate::report::attachments::Attachments;
use crate::report::data::{MistakenPair, Mistakes, Models};
use crate::report::photos::{Wanted, load};
use crate::report::sources::{Sources, texts};
use crate::schema::{HELD_OUT, LABELLED};
use arrow::array::Array;
use std::collections::BTreeMap;

/// Products shown of each pair.
const PRODUCTS: usize = 4;

/// Reads the section; `None` where no model was chosen or it makes no mistake.
pub(super) fn mistakes(
    sources: &Sources<'_>,
    models: &Models,
    attachments: &mut Attachments,
) -> Result<Option<Mistakes>, ReportError> {
    let chosen = models
        .confusions
        .iter()
        .find(|matrix| matrix.role == "chosen");
    let (Some(matrix), Some(reader)) = (chosen, sources.stage(&models.chosen)) else {
        return Ok(None);
    };
    if matrix.pairs.is_empty() {
        return Ok(None);
    }
    let mut found: BTreeMap<(&str, &str), Vec<String>> = matrix
        .pairs
        .iter()
        .map(|pair| {
            (
                (pair.actual.label.as_str(), pair.predicted.label.as_str()),
                Vec::new(),
            )
        })
        .collect();
    for batch in reader.parts(HELD_OUT, Some(&["id", "fold", "label", "predicted"]))? {
        let batch = batch?;
        let [ids, folds] = [texts(&batch, "id")?, texts(&batch, "fold")?];
        let [labels, predicted] = [texts(&batch, "label")?, texts(&batch, "predicted")?];
        for row in (0..batch.num_rows()).filter(|row| folds.value(*row) == "test") {
            let pair = (labels.value(row), predicted.value(row));
            let known = found.iter_mut().find(|(known, _)| **known == pair);
            if let Some((_, ids_of)) = known {
                ids_of.push(ids.value(row).to_owned());
            }
        }
    }
    let products = products(sources, found.values().flatten())?;
    let source = &*sources.environment().source;
    let pairs = matrix.pairs.iter().map(|pair| {
        let ids = &found[&(pair.actual.label.as_str(), pair.predicted.label.as_str())];
        let mut wanted: Vec<Wanted> = ids
            .iter()
            .filter_map(|id| products.get(id))
            .cloned()
            .collect();
        // Those with a photo first: there is more to see.
        wanted.sort_by_key(|product| product.image.is_empty());
        wanted.truncate(PRODUCTS);
        MistakenPair {
            pair: pair.clone(),
            products: load(source, &wanted, attachments),
        }
    });
    Ok(Some(Mistakes {
        model: models.chosen.clone(),
        pairs: pairs.collect(),
    }))
}

/// Title and photo of some products.
fn products<'a>(
    sources: &Sources<'_>,
    ids: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, Wanted>, ReportError> {
    let wanted: std::collections::BTreeSet<&String> = ids.collect();
    let mut products = BTreeMap::new();
    let Some((_, reader)) = sources.main("ingest") else {
        return Ok(products);
    };
    let columns = ["id", "title", "image", "image_identity"];
    for batch in reader.parts(LABELLED, Some(&columns))? {
        let batch = batch?;
        let [ids, titles] = [texts(&batch, "id")?, texts(&batch, "title")?];
        let [images, files] = [texts(&batch, "image")?, texts(&batch, "image_identity")?];
        for row in 0..batch.num_rows() {
            let id = ids.value(row).to_owned();
            if !wanted.contains(&id) {
                continue;
            }
            let has_photo = !images.is_null(row) && !files.is_null(row);
            let image = if has_photo { images.value(row) } else { "" };
            let product = Wanted {
                id: id.clone(),
                title: titles.value(row).to_owned(),
                image: image.to_owned(),
            };
            products.insert(id, product);
        }
    }
    Ok(products)
}
