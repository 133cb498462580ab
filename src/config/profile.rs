//! Profiles: named sets of stages, of which one is run. A stage that names no profile is in all of them.
//!
//! Invariant: a stage of the profile never needs one that the profile lacks, but where its kind goes on with the others.

use super::Issue;
use super::skipped::{Needing, SKIPPED, leave_out};
use crate::graph::StageId;
use crate::suggest::suggestion;
use std::collections::{BTreeMap, BTreeSet};

/// Which stages there are: one of some profiles.
pub(super) struct Profile<'a> {
    pub(super) name: &'a str,
    pub(super) known: &'a [String],
}

impl Profile<'_> {
    /// The stages that are of other profiles alone.
    pub(super) fn others<'s>(
        &self,
        stages: impl Iterator<Item = (&'s StageId, &'s [&'s str])>,
        issues: &mut Vec<Issue>,
    ) -> BTreeSet<StageId> {
        if !(self.name.is_empty() && self.known.is_empty()) {
            self.check(self.name, "profile", issues);
        }
        let mut others = BTreeSet::new();
        for (stage, profiles) in stages {
            for name in profiles {
                self.check(name, &format!("stages.{stage}.profiles"), issues);
            }
            if !profiles.is_empty() && !profiles.contains(&self.name) {
                others.insert(stage.clone());
            }
        }
        others
    }

    /// Takes stages of other profiles out; what cannot do without one of them is a mistake.
    pub(super) fn leave(
        &self,
        others: &BTreeSet<StageId>,
        needing: &mut BTreeMap<StageId, Needing>,
        kinds: &BTreeMap<StageId, &str>,
        issues: &mut Vec<Issue>,
    ) {
        let out = others.iter().map(|stage| (stage.clone(), String::new()));
        let mut left: BTreeMap<StageId, String> = out.collect();
        leave_out(needing, kinds, &mut left);
        for (stage, reason) in left.iter().filter(|(stage, _)| !others.contains(*stage)) {
            let reason = reason.strip_suffix(SKIPPED).unwrap_or(reason);
            let profile = self.name;
            let message = format!(
                "{reason}, which the profile {profile} lacks: say for which `profiles` it is"
            );
            issues.push(Issue::new(format!("stages.{stage}.needs"), message));
        }
    }

    fn check(&self, name: &str, path: &str, issues: &mut Vec<Issue>) {
        if self.known.iter().any(|known| known == name) {
            return;
        }
        let message = match suggestion(name, self.known.iter().map(String::as_str)) {
            Some(meant) => format!("unknown profile {name:?}; did you mean {meant:?}?"),
            None if self.known.is_empty() => {
                format!("unknown profile {name:?}: there are none under `profiles`")
            }
            None => {
                let known = self.known.join(", ");
                format!("unknown profile {name:?}; known: {known}")
            }
        };
        issues.push(Issue::new(path, message));
    }
}
