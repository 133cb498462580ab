//! The `needs` of a stage, checked against what its kind reads.
//!
//! A need is narrowed to the datasets that the kind reads, so a stage depends on no more than it uses.

use super::Issue;
use super::stages::Draft;
use crate::graph::Need;
use crate::suggest::suggestion;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Datasets between which a need may choose: the same rows but for whether they have a label.
const ROWS: [&str; 2] = ["labelled", "unlabelled"];

/// What a stage reads of stages of one kind.
#[derive(Debug, Clone)]
pub struct NeedRule {
    /// Kind of the stage that is needed.
    pub kind: &'static str,
    /// Datasets that are read of it.
    pub datasets: Vec<&'static str>,
    /// How many stages of this kind it takes: least and most.
    pub count: (usize, usize),
    /// Whether the stage goes on without those of them that are skipped.
    pub may_be_skipped: bool,
}

/// Turns `stage` and `stage.dataset` into needs with the datasets that the kind reads.
pub(super) fn resolve_needs(
    draft: &Draft<'_>,
    given: &Map<String, Value>,
    kinds_by_stage: &BTreeMap<String, &str>,
    issues: &mut Vec<Issue>,
) -> Vec<Need> {
    let path = format!("stages.{}.needs", draft.id);
    let rules = draft.rules();
    let mut needs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for need in &draft.needs {
        let (stage, dataset) = need
            .split_once('.')
            .map_or((*need, None), |(s, d)| (s, Some(d)));
        let Some(kind) = kinds_by_stage.get(stage) else {
            // A stage that is there but could not be understood has its own issue.
            if !given.contains_key(stage) {
                let names = given.keys().map(String::as_str);
                let hint =
                    suggestion(stage, names).map(|meant| format!("; did you mean {meant:?}?"));
                let message = format!("{stage:?} is not a stage{}", hint.unwrap_or_default());
                issues.push(Issue::new(&path, message));
            }
            continue;
        };
        if !draft.is_sound {
            continue;
        }
        let Some(rule) = rules.iter().find(|rule| rule.kind == *kind) else {
            let reads: Vec<&str> = rules.iter().map(|rule| rule.kind).collect();
            let reads = if reads.is_empty() {
                "nothing".to_owned()
            } else {
                reads.join(", ")
            };
            let message = format!(
                "{} does not read {kind} ({stage}); it reads {reads}",
                draft.kind.name
            );
            issues.push(Issue::new(&path, message));
            continue;
        };
        let datasets = needs.entry(stage).or_default();
        match dataset {
            None => datasets.extend(rule.datasets.iter().map(|name| (*name).to_owned())),
            Some(name) if rule.datasets.contains(&name) && ROWS.contains(&name) => {
                // The rows of the other kind are left out; what else is read is read in any case.
                let others = rule.datasets.iter().filter(|other| !ROWS.contains(other));
                datasets.extend(others.map(|other| (*other).to_owned()));
                datasets.push(name.to_owned());
            }
            Some(name) if rule.datasets.contains(&name) => {
                let message = format!(
                    "{} reads more of {stage} than {name:?}; need {stage:?} as a whole",
                    draft.kind.name
                );
                issues.push(Issue::new(&path, message));
            }
            Some(name) => {
                let message = format!(
                    "{} does not read dataset {name:?} of {stage}; it reads {}",
                    draft.kind.name,
                    rule.datasets.join(", ")
                );
                issues.push(Issue::new(&path, message));
            }
        }
    }
    let are_known = draft.needs.iter().all(|need| {
        kinds_by_stage.contains_key(need.split_once('.').map_or(*need, |(stage, _)| stage))
    });
    if are_known && draft.is_sound {
        check_counts(draft, &rules, &needs, kinds_by_stage, &path, issues);
    }
    needs
        .into_iter()
        .map(|(stage, mut datasets)| {
            datasets.sort();
            datasets.dedup();
            Need {
                stage: stage.to_owned(),
                datasets,
            }
        })
        .collect()
}

fn check_counts(
    draft: &Draft<'_>,
    rules: &[NeedRule],
    needs: &BTreeMap<&str, Vec<String>>,
    kinds_by_stage: &BTreeMap<String, &str>,
    path: &str,
    issues: &mut Vec<Issue>,
) {
    for rule in rules {
        let count = needs
            .keys()
            .filter(|stage| kinds_by_stage[**stage] == rule.kind)
            .count();
        let (least, most) = rule.count;
        let (name, kind) = (draft.kind.name, rule.kind);
        let message = if count < least {
            match (least, most) {
                (1, _) => format!("{name} needs a stage of kind {kind}"),
                (_, most) if least == most => {
                    format!("{name} needs {least} stages of kind {kind}, not {count}")
                }
                _ => format!("{name} needs at least {least} stages of kind {kind}, not {count}"),
            }
        } else if count > most {
            let stages = if most == 1 { "stage" } else { "stages" };
            format!("{name} reads {most} {stages} of kind {kind}, not {count}")
        } else {
            continue;
        };
        issues.push(Issue::new(path, message));
    }
}
