//! Which stages a command is about.

use super::{Pipeline, RunError};
use crate::graph::StageId;
use crate::plan::Selection;
use std::collections::BTreeSet;

/// What the command line says about stages.
#[derive(Debug, Clone, Default)]
pub struct SelectionOptions {
    /// Run this stage and all that need it again, even if fresh.
    pub from: Option<StageId>,
    /// Stop after this stage: look only at it and at what it needs.
    pub until: Option<StageId>,
    /// Look only at this stage, on complete checkpoints of what it needs.
    pub only: Option<StageId>,
    /// Run every stage that is looked at again, even if fresh.
    pub force: bool,
}

/// Selects stages.
///
/// With `only`, the stages that it needs are part of the selection too: they are judged, and must be fresh.
///
/// # Errors
///
/// Those of [`Pipeline::require`].
pub fn select(pipeline: &Pipeline, options: &SelectionOptions) -> Result<Selection, RunError> {
    let dag = pipeline.dag();
    for stage in [&options.from, &options.until, &options.only]
        .into_iter()
        .flatten()
    {
        pipeline.require(stage)?;
    }
    let mut stages: BTreeSet<StageId> = dag.order().iter().cloned().collect();
    if let Some(last) = options.until.as_ref().or(options.only.as_ref()) {
        stages = dag.with_ancestors(last);
    }
    let mut forced = BTreeSet::new();
    if let Some(first) = &options.from {
        forced.extend(dag.with_dependants(first));
    }
    if options.force {
        match &options.only {
            Some(only) => forced.extend([only.clone()]),
            None => forced.extend(stages.iter().cloned()),
        }
    }
    forced.retain(|stage| stages.contains(stage));
    Ok(Selection {
        stages,
        forced,
        only: options.only.clone(),
    })
}
