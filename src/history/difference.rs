//! Which products changed category between two runs, and why.
//!
//! Predictions of both runs are held in memory, a label and a number for each product; of everything else one part at a time.

use super::HistoryError;
use super::causes::{Cause, causes};
use super::rows::{Group, Wanted, differing, texts};
use super::side::{Predicted, Predictions, Side};
use crate::checkpoint::Catalog;
use crate::runner::RunRecord;
use crate::schema::{LABELLED, UNLABELLED};
use crate::store::SharedStore;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Longest title that is told whole.
const TITLE_CHARS: usize = 60;

/// What is compared of each kind of stage. The features of a model are made of `tokens` and `pixels`; the others say where a
/// difference comes from.
const COMPARED: [(&str, &[Group]); 5] = [
    (
        "ingest",
        &[
            ("title", &["title"]),
            ("description", &["description"]),
            ("image file", &["image", "image_identity"]),
        ],
    ),
    ("detect_language", &[("language", &["language"])]),
    (
        "translate",
        &[("translation", &["title_text", "description_text"])],
    ),
    (
        "clean_text",
        &[(TOKENS, &["tokens", "title_tokens", "description_tokens"])],
    ),
    (
        "decode_images",
        &[(PIXELS, &["image_status", "pixels_digest"])],
    ),
];

const TOKENS: &str = "tokens";
const PIXELS: &str = "pixels";

/// Why a product changed category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// What the model reads of it changed.
    Features,
    /// Another model was asked, or the same one fitted anew.
    Model,
    /// Both.
    FeaturesAndModel,
    /// Neither: the predictions were made on another device.
    Neither,
}

/// Whether a product is in both runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Its category changed.
    Changed,
    /// It is predicted in the new run only.
    Added,
    /// It is predicted in the old run only.
    Removed,
}

/// A product whose category changed, or that one run does not predict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProductChange {
    /// What happened to it.
    pub change: Change,
    /// Whether it is a labelled product.
    pub dataset: &'static str,
    /// Its id.
    pub id: String,
    /// The beginning of its title.
    pub title: Option<String>,
    /// Its category in the old run.
    pub old: Option<Predicted>,
    /// In the new one.
    pub new: Option<Predicted>,
    /// Why that changed.
    pub reason: Option<Reason>,
    /// What of the product changed.
    pub differs_in: Vec<&'static str>,
}

/// What differs between the predictions of two runs.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The one run.
    pub old: Side,
    /// The other one.
    pub new: Side,
    /// Rows that both predicted.
    pub common_rows: usize,
    /// What changed in the model's own inputs and further up; empty where it is the same model.
    pub model_causes: Vec<Cause>,
    /// The products: those that changed, then those that are new, then those that are gone; each by id.
    pub products: Vec<ProductChange>,
    /// Names of the categories by label.
    pub names: BTreeMap<String, String>,
}

impl Difference {
    /// Whether both runs asked the same model.
    #[must_use]
    pub fn is_same_model(&self) -> bool {
        self.old.model == self.new.model
    }

    /// The products of one sort.
    pub fn of(&self, change: Change) -> impl Iterator<Item = &ProductChange> {
        self.products
            .iter()
            .filter(move |product| product.change == change)
    }

    /// How many products changed from one label to another, the most frequent pair first.
    #[must_use]
    pub fn transitions(&self) -> Vec<(&str, &str, usize)> {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for product in self.of(Change::Changed) {
            if let (Some(old), Some(new)) = (&product.old, &product.new) {
                *counts.entry((&old.label, &new.label)).or_default() += 1;
            }
        }
        let mut transitions: Vec<_> = counts
            .into_iter()
            .map(|((old, new), count)| (old, new, count))
            .collect();
        transitions.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
        transitions
    }
}

/// Compares the predictions of two runs; `titles` says of how many products the title is read.
///
/// # Errors
///
/// [`HistoryError::NotInRun`] for a run that did not predict, [`HistoryError::Gone`] where a checkpoint was deleted since, and
/// those of checkpoints.
pub fn difference(
    store: &SharedStore,
    old: &RunRecord,
    new: &RunRecord,
    titles: usize,
) -> Result<Difference, HistoryError> {
    let catalog = Catalog::new(store.clone(), BTreeMap::new());
    let (old, new) = (Side::open(&catalog, old)?, Side::open(&catalog, new)?);
    let (before, after) = (old.predictions(store)?, new.predictions(store)?);
    let mut names = old.names();
    names.extend(new.names());
    let is_same_model = old.model == new.model;
    let mut difference = Difference {
        common_rows: after.keys().filter(|key| before.contains_key(*key)).count(),
        model_causes: if is_same_model {
            Vec::new()
        } else {
            causes(&old, &new, &new.model.stage)
        },
        products: products(&before, &after),
        names,
        old,
        new,
    };
    explain(store, &mut difference, &before, &after)?;
    add_titles(store, &mut difference, titles, &before, &after)?;
    Ok(difference)
}

/// The products that changed, came or went, in order.
fn products(before: &Predictions, after: &Predictions) -> Vec<ProductChange> {
    let product = |change,
                   (dataset, id): &(&'static str, String),
                   old: Option<&Predicted>,
                   new: Option<&Predicted>| ProductChange {
        change,
        dataset,
        id: id.clone(),
        title: None,
        old: old.cloned(),
        new: new.cloned(),
        reason: None,
        differs_in: Vec::new(),
    };
    let changed = after
        .iter()
        .filter_map(|(key, (new, _))| match before.get(key) {
            None => Some(product(Change::Added, key, None, Some(new))),
            Some((old, _)) if old.label != new.label => {
                Some(product(Change::Changed, key, Some(old), Some(new)))
            }
            Some(_) => None,
        });
    let removed = before.iter().filter(|(key, _)| !after.contains_key(*key));
    let removed = removed.map(|(key, (old, _))| product(Change::Removed, key, Some(old), None));
    let mut products: Vec<ProductChange> = changed.chain(removed).collect();
    // Numbers in their own order, too: shorter ones come first.
    products.sort_by(|a, b| {
        let key = |it: &ProductChange| (it.change, it.dataset, it.id.len());
        key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
    });
    products
}

/// A group of columns that differs, with its place among all that are compared.
type Differing = (usize, usize, &'static str);

/// Says of each product that changed what differs in it.
fn explain(
    store: &SharedStore,
    difference: &mut Difference,
    before: &Predictions,
    after: &Predictions,
) -> Result<(), HistoryError> {
    let mut differs_in: HashMap<(&str, String), BTreeSet<Differing>> = HashMap::new();
    if difference.of(Change::Changed).next().is_some() {
        difference.old.require_ancestors()?;
        difference.new.require_ancestors()?;
    }
    for dataset in [LABELLED, UNLABELLED] {
        let changed = difference
            .of(Change::Changed)
            .filter(|product| product.dataset == dataset);
        let wanted: Vec<Wanted<'_>> = changed
            .map(|product| {
                let key = (dataset, product.id.clone());
                Wanted {
                    id: &product.id,
                    old_part: before[&key].1,
                    new_part: after[&key].1,
                }
            })
            .collect();
        if wanted.is_empty() {
            continue;
        }
        for (order, stage, groups) in compared_stages(difference) {
            let readers = (
                difference.old.reader(store, stage)?,
                difference.new.reader(store, stage)?,
            );
            for (id, names) in differing(&readers.0, &readers.1, dataset, groups, &wanted)? {
                let known = differs_in.entry((dataset, id.to_owned())).or_default();
                known.extend(names.into_iter().map(|name| {
                    let place = groups.iter().position(|(known, _)| *known == name);
                    (order, place.unwrap_or_default(), name)
                }));
            }
        }
    }
    let is_same_model = difference.is_same_model();
    for product in difference
        .products
        .iter_mut()
        .filter(|product| product.change == Change::Changed)
    {
        let differs_in = differs_in.remove(&(product.dataset, product.id.clone()));
        product.differs_in = differs_in
            .unwrap_or_default()
            .into_iter()
            .map(|(.., name)| name)
            .collect();
        let features = product
            .differs_in
            .iter()
            .any(|name| [TOKENS, PIXELS].contains(name));
        product.reason = Some(match (features, is_same_model) {
            (true, true) => Reason::Features,
            (true, false) => Reason::FeaturesAndModel,
            (false, false) => Reason::Model,
            (false, true) => Reason::Neither,
        });
    }
    Ok(())
}

/// The stages whose rows are compared: what either model reads products by, where both runs have it at different fingerprints.
fn compared_stages(difference: &Difference) -> Vec<(usize, &str, &'static [Group])> {
    let (old, new) = (&difference.old, &difference.new);
    let mut stages = old.ancestors(&old.model.stage);
    stages.extend(new.ancestors(&new.model.stage));
    let mut compared = Vec::new();
    for stage in stages {
        let (Some(before), Some(after)) = (old.manifest(stage), new.manifest(stage)) else {
            continue;
        };
        let kind = COMPARED.iter().position(|(kind, _)| *kind == after.kind);
        if let Some(order) = kind.filter(|_| before.fingerprint != after.fingerprint) {
            compared.push((order, stage, COMPARED[order].1));
        }
    }
    compared
}

/// Reads the titles of the first products.
fn add_titles(
    store: &SharedStore,
    difference: &mut Difference,
    count: usize,
    before: &Predictions,
    after: &Predictions,
) -> Result<(), HistoryError> {
    let shorten = |title: &str| {
        let line = title.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(TITLE_CHARS) {
            None => line,
            Some((end, _)) => format!("{}…", &line[..end]),
        }
    };
    let mut titles: HashMap<(&str, bool, String), String> = HashMap::new();
    for dataset in [LABELLED, UNLABELLED] {
        for is_removed in [false, true] {
            let (side, predictions) = if is_removed {
                (&difference.old, before)
            } else {
                (&difference.new, after)
            };
            let is_it = |product: &&ProductChange| {
                product.dataset == dataset && (product.change == Change::Removed) == is_removed
            };
            let listed = difference.products.iter().take(count).filter(is_it);
            let rows: Vec<(&str, usize)> = listed
                .map(|product| {
                    (
                        product.id.as_str(),
                        predictions[&(dataset, product.id.clone())].1,
                    )
                })
                .collect();
            let Some(ingest) = side
                .needed(&side.stage, "ingest")
                .filter(|_| !rows.is_empty())
            else {
                continue;
            };
            let reader = side.reader(store, ingest)?;
            for (id, title) in texts(&reader, dataset, "title", rows.into_iter(), &shorten)? {
                titles.insert((dataset, is_removed, id.to_owned()), title);
            }
        }
    }
    for product in &mut difference.products {
        let key = (
            product.dataset,
            product.change == Change::Removed,
            product.id.clone(),
        );
        product.title = titles.remove(&key);
    }
    Ok(())
}
