//! `rayonnage explain STAGE`: the fields of its fingerprint, old and new.

use super::args::{Common, ExplainArguments};
use super::output::{Table, print, print_json};
use super::plan::{StageState, planned};
use super::style::Paint;
use super::{CommandError, setup};
use crate::cancel::CancelToken;
use crate::checkpoint::{Catalog, contents_of};
use crate::fingerprint::{FieldChange, Fields};
use crate::graph::StageId;
use crate::monitor::Monitor;
use crate::plan::{Contents, Manifests, Status, complete_fields};
use crate::runner::{Pipeline, SelectionOptions, gather_facts};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What a stage depends on, as programs read it.
#[derive(Debug, Serialize)]
struct ExplainDocument<'a> {
    #[serde(flatten)]
    state: StageState<'a>,
    /// What is not as in its last checkpoint.
    changes: Vec<FieldChange>,
    /// All that it depends on, in the order in which it is hashed.
    fields: Fields,
}

/// Prints what a stage depends on, and what of it has changed.
pub(super) fn explain(common: &Common, arguments: &ExplainArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let stage = arguments.stage.as_str();
    let pipeline = setup::pipeline(
        common,
        setup::Access::Read,
        setup::cores(),
        CancelToken::default(),
    )?;
    let options = SelectionOptions {
        until: Some(stage.to_owned()),
        ..SelectionOptions::default()
    };
    let (plan, catalog) = planned(&pipeline, &options)?;
    let Some((_, status)) = plan.stages.iter().find(|(name, _)| name == stage) else {
        return Err(CommandError::Usage(format!("there is no stage {stage:?}")));
    };
    let fields = known_fields(&pipeline, &catalog, &plan.stages, stage)?;
    let old = catalog.last_fields(stage);
    let changes = old.as_ref().map(|old| fields.changes_since(old));
    let document = ExplainDocument {
        state: StageState::of(&pipeline, stage, status),
        changes: changes.unwrap_or_default(),
        fields,
    };
    if arguments.format.json {
        print_json(&document)?;
    } else {
        print(&text_of(stage, status, &document))?;
    }
    Ok(())
}

fn text_of(stage: &str, status: &Status, document: &ExplainDocument<'_>) -> String {
    let painted = Paint::stdout().state(document.state.state);
    let mut text = match status {
        Status::Fresh { fingerprint } => {
            format!("{stage} is {painted} (checkpoint {fingerprint})\n")
        }
        Status::Dirty { reason, .. } => format!("{stage} is {painted}: {reason}\n"),
    };
    if !document.changes.is_empty() {
        let mut table = Table::new(&["changed", "old", "new"]);
        for change in &document.changes {
            let show = |value: &Option<String>| shorten(value.as_deref().unwrap_or("(absent)"));
            table.row([change.name.as_str(), &show(&change.old), &show(&change.new)]);
        }
        let _ = write!(text, "\n{table}");
    }
    let mut table = Table::new(&["field", "value"]);
    for field in document.fields.as_slice() {
        table.row([field.name.as_str(), &shorten(&field.value)]);
    }
    let _ = write!(text, "\n{table}");
    text
}

/// The fields as far as they are known: a need that is dirty has the content of its last checkpoint.
fn known_fields(
    pipeline: &Pipeline,
    catalog: &Catalog,
    planned: &[(StageId, Status)],
    stage: &str,
) -> Result<Fields, CommandError> {
    let mut contents: BTreeMap<StageId, Contents> = BTreeMap::new();
    for (name, status) in planned {
        let fingerprint = match status {
            Status::Fresh { fingerprint } => Some(fingerprint),
            Status::Dirty { .. } => catalog.last(name),
        };
        let manifest = fingerprint.and_then(|known| catalog.manifest(name, known).ok().flatten());
        contents.insert(
            name.clone(),
            manifest.as_ref().map(contents_of).unwrap_or_default(),
        );
    }
    let facts = gather_facts(pipeline, &BTreeSet::from([stage.to_owned()]))?;
    let fields = complete_fields(pipeline.dag(), stage, &facts[stage], &contents);
    fields
        .map_err(|need| CommandError::Usage(format!("{stage} needs {need}, which is not selected")))
}

fn shorten(value: &str) -> String {
    const LIMIT: usize = 72;
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LIMIT {
        return line;
    }
    line.chars().take(LIMIT).chain(['…']).collect()
}
