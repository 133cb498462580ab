//! The `stages` section: kinds, needs and parameters, checked against what the stage kinds say of themselves.

use super::Issue;
use super::needs::{NeedRule, resolve_needs};
use super::profile::Profile;
use super::resolved::StageConfig;
use super::skipped::{Needing, leave_out};
use super::tree::{name_of, unknown_key};
use super::weights::WeightsConfig;
use crate::graph::{Dag, GraphError, StageId};
use crate::suggest::suggestion;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the configuration has to know of a stage kind.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    /// Name of the kind.
    pub name: &'static str,
    /// Checks parameters and fills in defaults.
    pub check_params: fn(&Value, &str, &mut Vec<Issue>) -> Option<Value>,
    /// What a stage with these parameters reads.
    pub needs: fn(&Value) -> Vec<NeedRule>,
    /// Name of the weights that a stage with these parameters loads, if it loads any.
    pub weights: fn(&Value) -> Option<String>,
}

/// A stage as far as it could be understood.
pub(super) struct Draft<'a> {
    pub(super) id: StageId,
    pub(super) kind: KindInfo,
    params: Value,
    pub(super) needs: Vec<&'a str>,
    /// The profiles that it is for; empty for all.
    profiles: Vec<&'a str>,
    /// Whether all of it could be; if not, what it reads is not known for sure.
    pub(super) is_sound: bool,
}

impl Draft<'_> {
    /// What it reads.
    pub(super) fn rules(&self) -> Vec<NeedRule> {
        (self.kind.needs)(&self.params)
    }
}

/// The stages, and their graph where all of them could be understood.
#[derive(Default)]
pub(super) struct ResolvedStages {
    pub(super) stages: BTreeMap<StageId, StageConfig>,
    pub(super) dag: Option<Dag>,
    pub(super) skipped: BTreeMap<StageId, String>,
}

pub(super) fn resolve_stages(
    given: &Value,
    kinds: &[KindInfo],
    weights: &BTreeMap<String, WeightsConfig>,
    profile: &Profile<'_>,
    issues: &mut Vec<Issue>,
) -> ResolvedStages {
    let Some(given) = given.as_object().filter(|stages| !stages.is_empty()) else {
        issues.push(Issue::new("stages", "there are no stages"));
        return ResolvedStages::default();
    };
    let drafts: Vec<Draft<'_>> = given
        .iter()
        .filter_map(|(id, stage)| draft(id, stage, kinds, issues))
        .collect();
    let all_understood = drafts.len() == given.len();
    let kinds_by_stage: BTreeMap<String, &str> = drafts
        .iter()
        .map(|draft| (draft.id.clone(), draft.kind.name))
        .collect();
    let mut needing = BTreeMap::new();
    let mut skipped = BTreeMap::new();
    for draft in &drafts {
        let needs = resolve_needs(draft, given, &kinds_by_stage, issues);
        let rules = draft.rules();
        needing.insert(draft.id.clone(), Needing { rules, needs });
        skipped.extend(without_weights(draft, weights, issues));
    }
    let profiles = drafts
        .iter()
        .map(|draft| (&draft.id, draft.profiles.as_slice()));
    let others = profile.others(profiles, issues);
    let mut stages: BTreeMap<StageId, StageConfig> = drafts
        .into_iter()
        .map(|draft| {
            let stage = StageConfig {
                id: draft.id.clone(),
                kind: draft.kind.name.to_owned(),
                params: draft.params,
            };
            (draft.id, stage)
        })
        .collect();
    let mut needs = needing.values().flat_map(|stage| &stage.needs);
    let dag = if all_understood && needs.all(|need| kinds_by_stage.contains_key(&need.stage)) {
        make_dag(&needing, issues).and_then(|whole| {
            if skipped.is_empty() && others.is_empty() {
                return Some(whole);
            }
            profile.leave(&others, &mut needing, &kinds_by_stage, issues);
            skipped.retain(|stage, _| needing.contains_key(stage));
            stages.retain(|stage, _| needing.contains_key(stage));
            for stage in leave_out(&mut needing, &kinds_by_stage, &mut skipped) {
                let message = format!("nothing is left for it to read: {}", skipped[&stage]);
                issues.push(Issue::new(format!("stages.{stage}.needs"), message));
            }
            stages.retain(|stage, _| !skipped.contains_key(stage));
            make_dag(&needing, issues)
        })
    } else {
        None
    };
    ResolvedStages {
        stages,
        dag,
        skipped,
    }
}

fn make_dag(stages: &BTreeMap<StageId, Needing>, issues: &mut Vec<Issue>) -> Option<Dag> {
    let edges = stages
        .iter()
        .map(|(stage, needing)| (stage.clone(), needing.needs.clone()));
    match Dag::new(edges.collect()) {
        Ok(dag) => Some(dag),
        Err(errors) => {
            issues.extend(errors.iter().map(describe_graph_error));
            None
        }
    }
}

/// Why a stage is skipped, where the weights that it loads are not at hand.
fn without_weights(
    draft: &Draft<'_>,
    weights: &BTreeMap<String, WeightsConfig>,
    issues: &mut Vec<Issue>,
) -> Option<(StageId, String)> {
    let name = (draft.kind.weights)(&draft.params).filter(|_| draft.is_sound)?;
    let Some(entry) = weights.get(&name) else {
        let message = match suggestion(&name, weights.keys().map(String::as_str)) {
            Some(meant) => format!("there are no weights {name:?}; did you mean {meant:?}?"),
            None => format!("there are no weights {name:?} under `weights`"),
        };
        let path = format!("stages.{}.params.weights", draft.id);
        issues.push(Issue::new(path, message));
        return None;
    };
    let reason = || format!("no weights: weights.{name}.path is empty");
    entry.path.is_empty().then(|| (draft.id.clone(), reason()))
}

fn describe_graph_error(error: &GraphError) -> Issue {
    let path = match error {
        GraphError::UnknownNeed { stage, .. } => format!("stages.{stage}.needs"),
        GraphError::Cycle { path } => format!("stages.{}.needs", path[0]),
    };
    Issue::new(path, error.to_string())
}

fn draft<'a>(
    id: &'a str,
    stage: &'a Value,
    kinds: &[KindInfo],
    issues: &mut Vec<Issue>,
) -> Option<Draft<'a>> {
    const KEYS: [&str; 4] = ["kind", "needs", "params", "profiles"];
    let path = format!("stages.{id}");
    let before = issues.len();
    let named_well = id.starts_with(|first: char| first.is_ascii_lowercase())
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !named_well {
        let message =
            "a stage name is lower-case letters, digits and `_`, and begins with a letter";
        issues.push(Issue::new(&path, message));
    }
    let Some(map) = stage.as_object() else {
        let message = format!(
            "expected a mapping with kind, needs and params, found {}",
            name_of(stage)
        );
        issues.push(Issue::new(path, message));
        return None;
    };
    for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        issues.push(Issue::new(format!("{path}.{key}"), unknown_key(key, &KEYS)));
    }
    let kind = find_kind(map, &path, kinds, issues);
    let needs = list_of_strings(map, "needs", &path, issues);
    let profiles = list_of_strings(map, "profiles", &path, issues);
    let kind = kind?;
    let none = Value::Null;
    let params = map.get("params").unwrap_or(&none);
    let params = (kind.check_params)(params, &format!("{path}.params"), issues);
    Some(Draft {
        id: id.to_owned(),
        kind,
        params: params.unwrap_or(Value::Null),
        needs,
        profiles,
        is_sound: issues.len() == before,
    })
}

fn find_kind(
    map: &Map<String, Value>,
    path: &str,
    kinds: &[KindInfo],
    issues: &mut Vec<Issue>,
) -> Option<KindInfo> {
    let path = format!("{path}.kind");
    let Some(name) = map.get("kind").and_then(Value::as_str) else {
        issues.push(Issue::new(path, "is missing: every stage has a kind"));
        return None;
    };
    let found = kinds.iter().find(|kind| kind.name == name).copied();
    if found.is_none() {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        let message = match suggestion(name, names.iter().copied()) {
            Some(meant) => format!("unknown kind {name:?}; did you mean {meant:?}?"),
            None => format!("unknown kind {name:?}; known: {}", names.join(", ")),
        };
        issues.push(Issue::new(path, message));
    }
    found
}

fn list_of_strings<'a>(
    map: &'a Map<String, Value>,
    key: &str,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Vec<&'a str> {
    match map.get(key) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect()
        }
        Some(other) => {
            let message = match other {
                Value::Array(_) => "expected a list of names".to_owned(),
                other => format!("expected a list of names, found {}", name_of(other)),
            };
            issues.push(Issue::new(format!("{path}.{key}"), message));
            Vec::new()
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "`KindInfo` wants functions that may fail"
)]
mod tests {
    use super::*;
    use crate::config::{ConfigError, PipelineConfig, resolve};

    fn kinds() -> Vec<KindInfo> {
        fn keep(params: &Value, path: &str, issues: &mut Vec<Issue>) -> Option<Value> {
            if params.get("bad").is_some() {
                issues.push(Issue::new(format!("{path}.bad"), "unknown key"));
            }
            Some(params.clone())
        }
        vec![
            KindInfo {
                name: "ingest",
                check_params: keep,
                needs: |_| vec![],
                weights: |_| None,
            },
            KindInfo {
                name: "clean_text",
                check_params: keep,
                needs: |_| {
                    vec![NeedRule {
                        kind: "ingest",
                        datasets: vec!["labelled", "unlabelled"],
                        count: (1, 1),
                        may_be_skipped: false,
                    }]
                },
                weights: |_| None,
            },
        ]
    }

    /// A kind that reads so many stages of `clean_text`.
    fn reader(name: &'static str, needs: fn(&Value) -> Vec<NeedRule>) -> KindInfo {
        KindInfo {
            name,
            check_params: |params, _, _| Some(params.clone()),
            needs,
            weights: |_| None,
        }
    }

    fn clean_texts(count: (usize, usize)) -> Vec<NeedRule> {
        vec![NeedRule {
            kind: "clean_text",
            datasets: vec!["labelled"],
            count,
            may_be_skipped: false,
        }]
    }

    #[test]
    fn wrong_numbers_of_stages_are_said_with_both_numbers() {
        let mut kinds = kinds();
        kinds.push(reader("pair", |_| clean_texts((2, 2))));
        kinds.push(reader("group", |_| clean_texts((2, usize::MAX))));
        kinds.push(reader("single", |_| clean_texts((0, 1))));
        for (stage, expected) in [
            (
                "{kind: group, needs: [a]}",
                "group needs at least 2 stages of kind clean_text, not 1",
            ),
            (
                "{kind: pair, needs: [a]}",
                "pair needs 2 stages of kind clean_text, not 1",
            ),
            (
                "{kind: pair, needs: [a, b, c]}",
                "pair reads 2 stages of kind clean_text, not 3",
            ),
            (
                "{kind: single, needs: [a, b]}",
                "single reads 1 stage of kind clean_text, not 2",
            ),
        ] {
            let cleaned = ["a", "b", "c"]
                .map(|id| format!("  {id}: {{kind: clean_text, needs: [ingest]}}\n"))
                .concat();
            let text = format!("{TOP}stages:\n  ingest: {{kind: ingest}}\n{cleaned}  x: {stage}\n");
            let (tree, issues) = crate::config::parse(&text, "p.yaml", &|_| None).unwrap();
            let error = resolve(&tree, "p.yaml", &kinds, issues)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&format!("stages.x.needs: {expected}")),
                "{error}"
            );
        }
    }

    fn resolve_text(text: &str) -> Result<PipelineConfig, ConfigError> {
        let (tree, issues) = crate::config::parse(text, "p.yaml", &|_| None).unwrap();
        resolve(&tree, "p.yaml", &kinds(), issues)
    }

    const TOP: &str = "source: {root: data, products: p.csv}\n";

    #[test]
    fn needs_are_narrowed_to_what_the_kind_reads() {
        let config = resolve_text(&format!(
            "{TOP}stages:\n  ingest: {{kind: ingest}}\n  a: {{kind: clean_text, needs: [ingest]}}\n  b: {{kind: clean_text, needs: [ingest.labelled]}}\n"
        ))
        .unwrap();
        assert_eq!(
            config.dag.needs("a")[0].datasets,
            ["labelled", "unlabelled"]
        );
        assert_eq!(config.dag.needs("b")[0].datasets, ["labelled"]);
    }

    #[test]
    fn every_mistake_at_once() {
        let error = resolve_text(
            "seed: -1\nsauce: {}\ndump_date: 2026-02-30\nrows_per_part: 0\nprefetch_batches: 257\nsource: {root: '${NOPE}', products: p.csv}\nstages:\n  ingest: {kind: ingets}\n  b: {kind: clean_text, needs: [ingst], params: {bad: 1}}\n  c: {kind: clean_text, neds: [ingest]}\n",
        )
        .unwrap_err();
        let text = error.to_string();
        for expected in [
            "seed: expected a whole number from 0, found -1",
            "sauce: unknown key; did you mean \"source\"?",
            "source.root: environment variable NOPE is not set",
            "rows_per_part: must lie between",
            "prefetch_batches: must be at most 256",
            "dump_date: must be a date",
            "stages.ingest.kind: unknown kind \"ingets\"; did you mean \"ingest\"?",
            "stages.b.params.bad: unknown key",
            "stages.c.neds: unknown key; did you mean \"needs\"?",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
        }
    }

    #[test]
    fn unknown_stage_and_missing_need_are_named() {
        let error = resolve_text(&format!(
            "{TOP}stages:\n  ingest: {{kind: ingest}}\n  b: {{kind: clean_text, needs: [ingst]}}\n  c: {{kind: clean_text}}\n"
        ))
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("stages.b.needs: \"ingst\" is not a stage; did you mean \"ingest\"?"),
            "{error}"
        );
        assert!(
            error.contains("stages.c.needs: clean_text needs a stage of kind ingest"),
            "{error}"
        );
    }
}
