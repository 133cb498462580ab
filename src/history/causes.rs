//! Why a stage's outputs are not those of another run: what changed in its own inputs, or further up.

use super::side::Side;
use crate::fingerprint::FieldChange;
use serde::Serialize;
use std::collections::BTreeSet;

/// What changed, and in which stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The stage.
    pub stage: String,
    /// What changed in it.
    pub change: FieldChange,
}

/// How a field is called that says what a stage needs of another one.
const NEED: &str = "needs.";

/// Follows changed needs up to the stages whose own inputs changed.
pub(super) fn causes(old: &Side, new: &Side, stage: &str) -> Vec<Cause> {
    let mut found = Vec::new();
    follow(old, new, stage, &mut BTreeSet::new(), &mut found);
    found
}

fn follow(
    old: &Side,
    new: &Side,
    stage: &str,
    visited: &mut BTreeSet<String>,
    found: &mut Vec<Cause>,
) {
    if !visited.insert(stage.to_owned()) {
        return;
    }
    let (Some(before), Some(after)) = (old.manifest(stage), new.manifest(stage)) else {
        return;
    };
    for change in after.fields.changes_since(&before.fields) {
        let need =
            needed_stage(&change.name).filter(|_| change.old.is_some() && change.new.is_some());
        match need {
            Some(need) => follow(old, new, need, visited, found),
            None => found.push(Cause {
                stage: stage.to_owned(),
                change,
            }),
        }
    }
}

/// The stage that a field is about, where it is a need.
pub(super) fn needed_stage(field: &str) -> Option<&str> {
    let (stage, _) = field.strip_prefix(NEED)?.split_once('.')?;
    Some(stage)
}
