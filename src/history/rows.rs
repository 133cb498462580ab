//! Rows of one stage in two runs: which of some products differ, and in what.
//!
//! Memory: a digest for each product and group of columns, and one part at a time. Parts that both runs have are not read.

use super::HistoryError;
use crate::checkpoint::CheckpointReader;
use crate::schema;
use arrow::array::{Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A product in two runs, with the number of the part that it lies in: part *i* of a stage holds the rows of part *i* of every
/// stage that goes along with it.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub(super) id: &'a str,
    pub(super) old_part: usize,
    pub(super) new_part: usize,
}

/// Columns that are compared as one, under the name that is told.
pub(super) type Group = (&'static str, &'static [&'static str]);

type Digests<'a> = HashMap<&'a str, Vec<blake3::Hash>>;

/// The groups in which each product differs; products that do not differ are left out.
pub(super) fn differing<'a>(
    old: &CheckpointReader,
    new: &CheckpointReader,
    dataset: &str,
    groups: &[Group],
    wanted: &[Wanted<'a>],
) -> Result<HashMap<&'a str, Vec<&'static str>>, HistoryError> {
    let digest_of = |reader: &CheckpointReader, part: usize| {
        let parts = &reader.dataset(dataset).ok()?.parts;
        Some(parts.get(part)?.digest.clone())
    };
    let mut unsettled: Vec<&Wanted<'a>> = Vec::new();
    for product in wanted {
        let before = digest_of(old, product.old_part);
        if before.is_none() || before != digest_of(new, product.new_part) {
            unsettled.push(product);
        }
    }
    let before = digests(
        old,
        dataset,
        groups,
        unsettled.iter().map(|it| (it.id, it.old_part)),
    )?;
    let after = digests(
        new,
        dataset,
        groups,
        unsettled.iter().map(|it| (it.id, it.new_part)),
    )?;
    let mut found = HashMap::new();
    for product in unsettled {
        let (before, after) = (before.get(product.id), after.get(product.id));
        let differs = |index: usize| match (before, after) {
            (Some(before), Some(after)) => before[index] != after[index],
            (None, None) => false,
            _ => true,
        };
        let names = groups.iter().enumerate();
        let names: Vec<&str> = names
            .filter(|(index, _)| differs(*index))
            .map(|(_, (name, _))| *name)
            .collect();
        if !names.is_empty() {
            found.insert(product.id, names);
        }
    }
    Ok(found)
}

/// Digests of the groups of some rows.
fn digests<'a>(
    reader: &CheckpointReader,
    dataset: &str,
    groups: &[Group],
    rows: impl Iterator<Item = (&'a str, usize)>,
) -> Result<Digests<'a>, HistoryError> {
    let columns: BTreeSet<&str> = groups
        .iter()
        .flat_map(|(_, columns)| *columns)
        .copied()
        .collect();
    let mut found = HashMap::new();
    each_row(reader, dataset, &columns, rows, &mut |id, batch, row| {
        let hashes = groups
            .iter()
            .map(|(_, columns)| hash_row(batch, columns, row));
        found.insert(id, hashes.collect());
    })?;
    Ok(found)
}

/// One text column of some rows.
pub(super) fn texts<'a>(
    reader: &CheckpointReader,
    dataset: &str,
    column: &str,
    rows: impl Iterator<Item = (&'a str, usize)>,
    shorten: &dyn Fn(&str) -> String,
) -> Result<HashMap<&'a str, String>, HistoryError> {
    let mut found = HashMap::new();
    each_row(
        reader,
        dataset,
        &BTreeSet::from([column]),
        rows,
        &mut |id, batch, row| {
            if let Ok(values) = schema::column::<StringArray>(batch, column) {
                found.insert(id, shorten(values.value(row)));
            }
        },
    )?;
    Ok(found)
}

/// Shows some rows, reading each part that holds some once. A dataset that the checkpoint does not have has no rows.
fn each_row<'a>(
    reader: &CheckpointReader,
    dataset: &str,
    columns: &BTreeSet<&str>,
    rows: impl Iterator<Item = (&'a str, usize)>,
    show: &mut dyn FnMut(&'a str, &RecordBatch, usize),
) -> Result<(), HistoryError> {
    let mut by_part: BTreeMap<usize, BTreeSet<&'a str>> = BTreeMap::new();
    for (id, part) in rows {
        by_part.entry(part).or_default().insert(id);
    }
    let columns: Vec<&str> = std::iter::once("id")
        .chain(columns.iter().copied())
        .collect();
    for (index, ids) in by_part {
        let parts = reader.dataset(dataset).map(|found| found.parts.as_slice());
        let Some(part) = parts.unwrap_or_default().get(index) else {
            continue;
        };
        let batch = reader.columns(dataset, part, &columns)?;
        let found: &StringArray = schema::column(&batch, "id")?;
        for (row, id) in found.iter().enumerate() {
            if let Some(id) = id.and_then(|id| ids.get(id)) {
                show(id, &batch, row);
            }
        }
    }
    Ok(())
}

fn hash_row(batch: &RecordBatch, columns: &[&str], row: usize) -> blake3::Hash {
    let options = FormatOptions::default();
    let mut hasher = blake3::Hasher::new();
    for column in columns {
        let array = batch
            .column_by_name(column)
            .filter(|array| !array.is_null(row));
        let text = array.and_then(|array| {
            let values = ArrayFormatter::try_new(array, &options).ok()?;
            Some(values.value(row).to_string())
        });
        // The length keeps neighbours apart, and a null from an empty text.
        let length = text.as_ref().map_or(u64::MAX, |text| text.len() as u64);
        hasher.update(&length.to_le_bytes());
        hasher.update(text.unwrap_or_default().as_bytes());
    }
    hasher.finalize()
}
