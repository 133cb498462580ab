//! Stages that are left out because weights are not at hand, and what follows from that for the others.
//!
//! A stage that needs one of them is left out too, unless the kind says that it goes on with the others.

use super::needs::NeedRule;
use crate::graph::{Need, StageId};
use std::collections::BTreeMap;

/// A stage with what it needs, before any is left out.
#[derive(Debug, Clone)]
pub(super) struct Needing {
    pub(super) rules: Vec<NeedRule>,
    pub(super) needs: Vec<Need>,
}

/// What is said of a stage that is needed and left out.
pub(super) const SKIPPED: &str = ", which is skipped";

/// Takes out of `stages` those that are skipped, and those that cannot do without them; `skipped` says why. Returns those
/// that would go on without some, had not all of them been skipped: a run without them is not what anybody wants.
pub(super) fn leave_out(
    stages: &mut BTreeMap<StageId, Needing>,
    kinds: &BTreeMap<StageId, &str>,
    skipped: &mut BTreeMap<StageId, String>,
) -> Vec<StageId> {
    let mut starved = Vec::new();
    let mut is_changed = true;
    while is_changed {
        stages.retain(|stage, _| !skipped.contains_key(stage));
        is_changed = false;
        for (stage, needing) in stages.iter_mut() {
            if let Some(lacking) = drop_skipped(needing, kinds, skipped) {
                skipped.insert(stage.clone(), format!("needs {lacking}{SKIPPED}"));
                is_changed = true;
                if needing.rules.iter().any(|rule| rule.may_be_skipped) {
                    starved.push(stage.clone());
                }
            }
        }
    }
    starved
}

/// Drops the needs that are skipped; returns one that the stage cannot do without.
fn drop_skipped(
    needing: &mut Needing,
    kinds: &BTreeMap<StageId, &str>,
    skipped: &BTreeMap<StageId, String>,
) -> Option<StageId> {
    let missing: Vec<StageId> = needing
        .needs
        .iter()
        .map(|need| need.stage.clone())
        .filter(|stage| skipped.contains_key(stage))
        .collect();
    needing
        .needs
        .retain(|need| !skipped.contains_key(&need.stage));
    let left = |kind: &str| {
        let needs = needing.needs.iter();
        needs.filter(|need| kinds[&need.stage] == kind).count()
    };
    let is_vital = |stage: &&StageId| {
        let rule = needing.rules.iter().find(|rule| rule.kind == kinds[*stage]);
        rule.is_none_or(|rule| !rule.may_be_skipped || left(rule.kind) < rule.count.0)
    };
    missing.iter().find(is_vital).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: &'static str, may_be_skipped: bool) -> NeedRule {
        NeedRule {
            kind,
            datasets: Vec::new(),
            count: (1, usize::MAX),
            may_be_skipped,
        }
    }

    fn left(skipped: &str) -> (Vec<String>, Vec<String>) {
        let kinds = BTreeMap::from(
            [
                ("embed", "embed"),
                ("head", "train"),
                ("vote", "train"),
                ("text", "train"),
                ("best", "predict"),
            ]
            .map(|(stage, kind)| (stage.to_owned(), kind)),
        );
        let needing = |rules: &[NeedRule], needs: &[&str]| Needing {
            rules: rules.to_vec(),
            needs: needs
                .iter()
                .map(|stage| Need {
                    stage: (*stage).to_owned(),
                    datasets: Vec::new(),
                })
                .collect(),
        };
        let train = [rule("embed", false), rule("train", false)];
        let mut stages = BTreeMap::from([
            ("embed".to_owned(), needing(&[], &[])),
            ("head".to_owned(), needing(&train, &["embed"])),
            ("text".to_owned(), needing(&train, &[])),
            ("vote".to_owned(), needing(&train, &["head", "text"])),
            (
                "best".to_owned(),
                needing(&[rule("train", true)], &["head", "text", "vote"]),
            ),
        ]);
        let mut skipped = BTreeMap::from([(skipped.to_owned(), "no path".to_owned())]);
        assert!(leave_out(&mut stages, &kinds, &mut skipped).is_empty());
        let needs = stages.get("best").map(|best| best.needs.clone());
        let needs = needs.into_iter().flatten().map(|need| need.stage);
        (stages.into_keys().collect(), needs.collect())
    }

    #[test]
    fn what_cannot_do_without_a_skipped_stage_is_skipped_and_what_collects_goes_on() {
        let (stages, needs) = left("embed");
        assert_eq!(stages, ["best", "text"]);
        assert_eq!(needs, ["text"]);
    }

    #[test]
    fn what_collects_is_skipped_once_nothing_is_left() {
        let (stages, _) = left("text");
        assert_eq!(stages, ["best", "embed", "head"]);
        let kinds = BTreeMap::from([("a".to_owned(), "train"), ("b".to_owned(), "predict")]);
        let need = Need {
            stage: "a".to_owned(),
            datasets: Vec::new(),
        };
        let needing = Needing {
            rules: vec![rule("train", true)],
            needs: vec![need],
        };
        let mut stages = BTreeMap::from([("b".to_owned(), needing)]);
        let mut skipped = BTreeMap::from([("a".to_owned(), String::new())]);
        assert_eq!(leave_out(&mut stages, &kinds, &mut skipped), ["b"]);
        assert!(stages.is_empty());
        assert_eq!(skipped["b"], "needs a, which is skipped");
    }
}
