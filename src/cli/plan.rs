//! `rayonnage plan`: which stages would run, and why.

use super::args::{Common, PlanArguments};
use super::output::{Table, print, print_json, skipped};
use super::style::Paint;
use super::{CommandError, run, setup};
use crate::cancel::CancelToken;
use crate::checkpoint::Catalog;
use crate::fingerprint::{DirtyReason, Fingerprint};
use crate::graph::StageId;
use crate::monitor::Monitor;
use crate::plan::{Plan, Status, plan as make_plan};
use crate::runner::{
    Pipeline, RunError, SelectionOptions, gather_facts, last_fingerprints, select,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A stage as programs read it.
#[derive(Debug, Serialize)]
pub(super) struct StageState<'a> {
    stage: &'a str,
    kind: &'a str,
    /// `fresh` or `dirty`.
    pub(super) state: &'static str,
    /// Of its inputs, where all of them are known.
    fingerprint: Option<&'a Fingerprint>,
    /// Why it is dirty.
    reason: Option<&'a DirtyReason>,
    /// The same in words.
    pub(super) why: Option<String>,
}

impl<'a> StageState<'a> {
    pub(super) fn of(pipeline: &'a Pipeline, stage: &'a str, status: &'a Status) -> Self {
        let (fingerprint, reason) = match status {
            Status::Fresh { fingerprint } => (Some(fingerprint), None),
            Status::Dirty {
                fingerprint,
                reason,
            } => (fingerprint.as_ref(), Some(reason)),
        };
        Self {
            stage,
            kind: pipeline.kind(stage),
            state: if status.is_fresh() { "fresh" } else { "dirty" },
            fingerprint,
            reason,
            why: reason.map(ToString::to_string),
        }
    }
}

/// A plan as programs read it.
#[derive(Debug, Serialize)]
struct PlanDocument<'a> {
    stages: Vec<StageState<'a>>,
    /// How many stages would run, or may have to.
    dirty: usize,
    skipped: &'a BTreeMap<StageId, String>,
}

/// Prints which stages would run, and why.
pub(super) fn plan(common: &Common, arguments: &PlanArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let pipeline = setup::pipeline(
        common,
        setup::Access::Read,
        setup::cores(),
        CancelToken::default(),
    )?;
    let (plan, _) = planned(&pipeline, &run::selection(&arguments.selection))?;
    let states = plan.stages.iter();
    let states = states.map(|(stage, status)| StageState::of(&pipeline, stage, status));
    let document = PlanDocument {
        stages: states.collect(),
        dirty: plan.dirty_count(),
        skipped: &pipeline.environment.config.skipped,
    };
    if arguments.format.json {
        print_json(&document)?;
    } else {
        print(&text_of(&document))?;
    }
    setup::leave(pipeline);
    Ok(())
}

fn text_of(document: &PlanDocument<'_>) -> String {
    let paint = Paint::stdout();
    let mut table = Table::new(&["stage", "state", "why"]);
    for state in &document.stages {
        let why = state.why.as_deref().unwrap_or_default();
        table.row([state.stage, &paint.state(state.state), why]);
    }
    let summary = match document.dirty {
        0 => "nothing to do".to_owned(),
        dirty => format!(
            "{dirty} of {} stages would run, or may have to",
            document.stages.len()
        ),
    };
    format!("{table}\n{}{summary}\n", skipped(document.skipped))
}

/// Plans without touching anything.
pub(super) fn planned(
    pipeline: &Pipeline,
    options: &SelectionOptions,
) -> Result<(Plan, Catalog), CommandError> {
    let selection = select(pipeline, options)?;
    let store = pipeline.environment.checkpoints.clone();
    let last = last_fingerprints(&store).map_err(RunError::from)?;
    let catalog = Catalog::new(store, last);
    let facts = gather_facts(pipeline, &selection.stages)?;
    let plan = make_plan(pipeline.dag(), &facts, &selection, &catalog);
    pipeline.environment.save_digests();
    Ok((plan, catalog))
}
