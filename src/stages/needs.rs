//! Shorthands for what a kind of stage needs of others.

use crate::config::NeedRule;

/// Shorthand for a need of exactly one stage of a kind.
pub(super) fn one(kind: &'static str, datasets: &[&'static str]) -> NeedRule {
    NeedRule {
        kind,
        datasets: datasets.to_vec(),
        count: (1, 1),
        may_be_skipped: false,
    }
}

/// Shorthand for a need of any number of stages of a kind, of which some may be skipped.
pub(super) fn any(kind: &'static str, datasets: &[&'static str]) -> NeedRule {
    NeedRule {
        kind,
        datasets: datasets.to_vec(),
        count: (0, usize::MAX),
        may_be_skipped: true,
    }
}

/// Shorthand for a need of at most one stage of a kind.
pub(super) fn at_most_one(kind: &'static str, datasets: &[&'static str]) -> NeedRule {
    NeedRule {
        kind,
        datasets: datasets.to_vec(),
        count: (0, 1),
        may_be_skipped: false,
    }
}
