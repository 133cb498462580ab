//! `rayonnage diff RUN RUN`: which products changed category, and why.

use super::args::{Common, DiffArguments, DiffFormat};
use super::output::{Table, print, print_json};
use super::{CommandError, setup};
use crate::history::{Change, Difference, History, Predicted, ProductChange, Reason, difference};
use crate::monitor::Monitor;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Products that are printed as text where the command line does not say.
const TEXT_ROWS: usize = 20;

/// Pairs of categories that are printed as text.
const TRANSITIONS: usize = 20;

/// The `--json` document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    difference: &'a Difference,
    changed_rows: usize,
    added_rows: usize,
    removed_rows: usize,
    transitions: Vec<Transition<'a>>,
}

#[derive(Debug, Serialize)]
struct Transition<'a> {
    old: &'a str,
    new: &'a str,
    rows: usize,
}

/// Compares the predictions of two runs.
pub(super) fn diff(common: &Common, arguments: &DiffArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let (config, _) = setup::configuration(common)?;
    let store = setup::checkpoints(&config, setup::Access::Read)?;
    let history = History::open(store.clone())?;
    let records = history.named(&[&arguments.old, &arguments.new])?;
    let is_text = !arguments.json && arguments.format == DiffFormat::Text;
    let limit = arguments
        .limit
        .unwrap_or(if is_text { TEXT_ROWS } else { usize::MAX });
    let mut found = difference(&store, &records[0], &records[1], limit)?;
    if is_text {
        return Ok(print(&describe(&found, limit))?);
    }
    if arguments.json {
        let document = Document {
            changed_rows: found.of(Change::Changed).count(),
            added_rows: found.of(Change::Added).count(),
            removed_rows: found.of(Change::Removed).count(),
            transitions: transitions(&found),
            difference: &Difference {
                products: found.products.iter().take(limit).cloned().collect(),
                ..found.clone()
            },
        };
        return Ok(print_json(&document)?);
    }
    found.products.truncate(limit);
    print_csv(&found)
}

fn transitions(found: &Difference) -> Vec<Transition<'_>> {
    let counted = found.transitions().into_iter();
    counted
        .map(|(old, new, rows)| Transition { old, new, rows })
        .collect()
}

fn describe(found: &Difference, limit: usize) -> String {
    let count = |change| found.of(change).count();
    let changed = count(Change::Changed);
    let mut text = format!(
        "run {} -> run {}\n{} products in both, of which {changed} changed category; {} only in the new run, {} only in the old one\n{}",
        found.old.run,
        found.new.run,
        found.common_rows,
        count(Change::Added),
        count(Change::Removed),
        model(found),
    );
    if changed > 0 {
        let _ = write!(text, "\n{}", reason_table(found));
        let _ = write!(text, "\n{}", transition_table(found));
    }
    if !found.products.is_empty() && limit > 0 {
        let _ = write!(text, "\n{}", product_table(found, limit));
    }
    text
}

/// The model of both runs, and what changed in it.
fn model(found: &Difference) -> String {
    let (old, new) = (&found.old.model, &found.new.model);
    let shown = |stage: &str, digest: &str| format!("{stage}@{digest}");
    if found.is_same_model() {
        return format!("model: {}, the same\n", shown(&old.stage, &old.digest));
    }
    let mut text = format!(
        "model: {} -> {}\n",
        shown(&old.stage, &old.digest),
        shown(&new.stage, &new.digest)
    );
    for cause in &found.model_causes {
        let _ = writeln!(text, "  {}: {}", cause.stage, cause.change);
    }
    text
}

/// How many products changed for which reason.
fn reason_table(found: &Difference) -> Table {
    let mut counts: BTreeMap<(Reason, String), usize> = BTreeMap::new();
    for product in found.of(Change::Changed) {
        if let Some(reason) = product.reason {
            *counts
                .entry((reason, product.differs_in.join(", ")))
                .or_default() += 1;
        }
    }
    let mut table = Table::new(&["why", "products", "what differs in the product"]);
    for ((reason, differs_in), count) in counts {
        table.row([shown(reason).to_owned(), count.to_string(), differs_in]);
    }
    table
}

fn shown(reason: Reason) -> &'static str {
    match reason {
        Reason::Features => "features",
        Reason::Model => "model",
        Reason::FeaturesAndModel => "features and model",
        Reason::Neither => "neither (device)",
    }
}

fn transition_table(found: &Difference) -> String {
    let mut table = Table::new(&["category", "new category", "products"]);
    let transitions = found.transitions();
    for (old, new, count) in transitions.iter().take(TRANSITIONS) {
        table.row([
            category(found, old),
            category(found, new),
            count.to_string(),
        ]);
    }
    match transitions.len().saturating_sub(TRANSITIONS) {
        0 => table.to_string(),
        more => format!("{table}{more} more pairs; --json has all\n"),
    }
}

/// A label with its name.
fn category(found: &Difference, label: &str) -> String {
    match found.names.get(label) {
        Some(name) => format!("{label} {name}"),
        None => label.to_owned(),
    }
}

fn product_table(found: &Difference, limit: usize) -> String {
    let mut table = Table::new(&["id", "category", "new category", "why", "title"]);
    for product in found.products.iter().take(limit) {
        let side = |predicted: &Option<Predicted>| match predicted {
            Some(predicted) => format!(
                "{} {:.2}",
                category(found, &predicted.label),
                predicted.confidence
            ),
            None => "-".to_owned(),
        };
        table.row([
            product.id.clone(),
            side(&product.old),
            side(&product.new),
            why(product),
            product.title.clone().unwrap_or_default(),
        ]);
    }
    match found.products.len().saturating_sub(limit) {
        0 => table.to_string(),
        more => format!("{table}{more} more products; see --limit, --format csv\n"),
    }
}

fn why(product: &ProductChange) -> String {
    match (product.change, product.reason) {
        (Change::Added, _) => "new".to_owned(),
        (Change::Removed, _) => "gone".to_owned(),
        (Change::Changed, None) => String::new(),
        (Change::Changed, Some(reason)) if product.differs_in.is_empty() => {
            shown(reason).to_owned()
        }
        (Change::Changed, Some(reason)) => {
            format!("{} ({})", shown(reason), product.differs_in.join(", "))
        }
    }
}

fn print_csv(found: &Difference) -> Result<(), CommandError> {
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    let header = [
        "change",
        "dataset",
        "id",
        "title",
        "old_label",
        "old_name",
        "old_confidence",
        "new_label",
        "new_name",
        "new_confidence",
        "reason",
        "differs_in",
    ];
    writer.write_record(header).map_err(std::io::Error::from)?;
    for product in &found.products {
        let side = |predicted: &Option<Predicted>| match predicted {
            None => Default::default(),
            Some(predicted) => [
                predicted.label.clone(),
                found
                    .names
                    .get(&predicted.label)
                    .cloned()
                    .unwrap_or_default(),
                predicted.confidence.to_string(),
            ],
        };
        let change = match product.change {
            Change::Changed => "changed",
            Change::Added => "added",
            Change::Removed => "removed",
        };
        let reason = product.reason.map(|reason| match reason {
            Reason::Features => "features",
            Reason::Model => "model",
            Reason::FeaturesAndModel => "features_and_model",
            Reason::Neither => "neither",
        });
        let mut record = vec![
            change.to_owned(),
            product.dataset.to_owned(),
            product.id.clone(),
        ];
        record.push(product.title.clone().unwrap_or_default());
        record.extend(side(&product.old));
        record.extend(side(&product.new));
        record.push(reason.unwrap_or_default().to_owned());
        record.push(product.differs_in.join(", "));
        writer.write_record(&record).map_err(std::io::Error::from)?;
    }
    writer.flush()?;
    Ok(())
}
