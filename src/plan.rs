//! Which stages are fresh and which are dirty, and why.
//!
//! *Invariant*: [`plan`] is a function of the graph, the facts about each stage, and the manifests:
//! it reads no file, no clock and no environment itself. The runner asks [`judge`] again for each
//! stage when its turn has come and the content of all that it needs is known.

use crate::fingerprint::{Digest, DirtyReason, Fields, Fingerprint};
use crate::graph::{Dag, StageId};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one stage before anything runs.
#[derive(Debug, Clone, Default)]
pub struct StageFacts {
    /// Everything that its outputs depend on, but for the content of what it needs.
    pub fields: Fields,
    /// Whether what the stage left outside its checkpoint is still there (publication).
    pub published: Published,
}

/// Whether the sink holds what a stage published.
#[derive(Debug, Clone, Default)]
pub enum Published {
    /// The stage leaves nothing outside its checkpoint.
    #[default]
    NothingToPublish,
    /// The sink holds these publications, and they need nothing more.
    Holds {
        /// Dataset whose content names a publication.
        dataset: &'static str,
        /// Names: short content digests.
        runs: BTreeSet<String>,
    },
}

/// Content digests of the datasets of a complete checkpoint.
pub type Contents = BTreeMap<String, Digest>;

/// What can be asked of the checkpoints.
pub trait Manifests {
    /// The contents of a complete checkpoint; `None` where there is no manifest.
    ///
    /// # Errors
    ///
    /// A text that says why the manifest cannot be read.
    fn contents(&self, stage: &str, fingerprint: &Fingerprint) -> Result<Option<Contents>, String>;

    /// The fields of the checkpoint that the last run with this stage used.
    fn last_fields(&self, stage: &str) -> Option<Fields>;

    /// Whether a run with these inputs was begun.
    fn is_begun(&self, stage: &str, fingerprint: &Fingerprint) -> bool;
}

/// State of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// A complete checkpoint of exactly these inputs is there.
    Fresh {
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// It has to run, or may have to once what it needs has run.
    Dirty {
        /// Its fingerprint, where all its inputs are known.
        fingerprint: Option<Fingerprint>,
        /// Why.
        reason: DirtyReason,
    },
}

impl Status {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh { .. })
    }
}

/// The stages in order with their states.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Each selected stage, in the order in which they would run.
    pub stages: Vec<(StageId, Status)>,
}

impl Plan {
    /// How many stages have to run or may have to.
    #[must_use]
    pub fn dirty_count(&self) -> usize {
        self.stages
            .iter()
            .filter(|(_, status)| !status.is_fresh())
            .count()
    }
}

/// Which stages a run is about.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The stages to look at.
    pub stages: BTreeSet<StageId>,
    /// Those to run even if fresh.
    pub forced: BTreeSet<StageId>,
    /// The one stage that may run; the others are only looked at.
    pub only: Option<StageId>,
}

/// Completes the fields of a stage with the content of what it needs.
///
/// Returns the stage that is missing as an error where one of them has no known content.
///
/// # Errors
///
/// The name of the first needed stage without contents.
pub fn complete_fields(
    dag: &Dag,
    stage: &str,
    facts: &StageFacts,
    contents: &BTreeMap<StageId, Contents>,
) -> Result<Fields, StageId> {
    let mut fields = facts.fields.clone();
    for need in dag.needs(stage) {
        let known = contents
            .get(&need.stage)
            .ok_or_else(|| need.stage.clone())?;
        for dataset in &need.datasets {
            let digest = known.get(dataset).map_or("absent", Digest::as_str);
            fields.push(format!("needs.{}.{dataset}", need.stage), digest);
        }
    }
    Ok(fields)
}

/// Judges one stage whose inputs are all known.
#[must_use]
pub fn judge(
    stage: &str,
    fields: &Fields,
    published: &Published,
    forced: bool,
    manifests: &dyn Manifests,
) -> (Status, Option<Contents>) {
    let fingerprint = fields.fingerprint();
    let dirty = |reason| {
        let fingerprint = Some(fingerprint.clone());
        (
            Status::Dirty {
                fingerprint,
                reason,
            },
            None,
        )
    };
    if forced {
        return dirty(DirtyReason::Forced);
    }
    match manifests.contents(stage, &fingerprint) {
        Err(detail) => dirty(DirtyReason::Damaged { detail }),
        Ok(Some(contents)) => match published {
            Published::Holds { dataset, runs }
                if !contents
                    .get(*dataset)
                    .is_some_and(|digest| runs.contains(digest.short())) =>
            {
                dirty(DirtyReason::NotPublished)
            }
            _ => (Status::Fresh { fingerprint }, Some(contents)),
        },
        Ok(None) if manifests.is_begun(stage, &fingerprint) => dirty(DirtyReason::Unfinished),
        Ok(None) => match manifests.last_fields(stage) {
            None => dirty(DirtyReason::NoCheckpoint),
            Some(old) => dirty(DirtyReason::Changed {
                changes: fields.changes_since(&old),
            }),
        },
    }
}

/// Plans the selected stages.
#[must_use]
pub fn plan(
    dag: &Dag,
    facts: &BTreeMap<StageId, StageFacts>,
    selection: &Selection,
    manifests: &dyn Manifests,
) -> Plan {
    let mut contents: BTreeMap<StageId, Contents> = BTreeMap::new();
    let mut plan = Plan::default();
    for stage in dag
        .order()
        .iter()
        .filter(|stage| selection.stages.contains(*stage))
    {
        let Some(stage_facts) = facts.get(stage) else {
            continue;
        };
        let status = match complete_fields(dag, stage, stage_facts, &contents) {
            Err(_) if selection.forced.contains(stage) => Status::Dirty {
                fingerprint: None,
                reason: DirtyReason::Forced,
            },
            Err(upstream) => {
                let reason = DirtyReason::Upstream { stage: upstream };
                Status::Dirty {
                    fingerprint: None,
                    reason,
                }
            }
            Ok(fields) => {
                let forced = selection.forced.contains(stage);
                let (status, known) =
                    judge(stage, &fields, &stage_facts.published, forced, manifests);
                if let Some(known) = known {
                    contents.insert(stage.clone(), known);
                }
                status
            }
        };
        plan.stages.push((stage.clone(), status));
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Need;

    #[derive(Default)]
    struct Fake {
        complete: BTreeMap<(String, String), Contents>,
        last: BTreeMap<String, Fields>,
    }

    impl Manifests for Fake {
        fn contents(
            &self,
            stage: &str,
            fingerprint: &Fingerprint,
        ) -> Result<Option<Contents>, String> {
            let key = (stage.to_owned(), fingerprint.as_str().to_owned());
            Ok(self.complete.get(&key).cloned())
        }
        fn last_fields(&self, stage: &str) -> Option<Fields> {
            self.last.get(stage).cloned()
        }
        fn is_begun(&self, _: &str, _: &Fingerprint) -> bool {
            false
        }
    }

    fn two_stages() -> (Dag, BTreeMap<StageId, StageFacts>, Selection) {
        let need = Need {
            stage: "a".into(),
            datasets: vec!["rows".into()],
        };
        let dag = Dag::new(vec![("a".into(), vec![]), ("b".into(), vec![need])]).unwrap();
        let mut facts: BTreeMap<StageId, StageFacts> = BTreeMap::new();
        for stage in ["a", "b"] {
            let mut fields = Fields::default();
            fields.push("params.n", 1);
            facts.insert(
                stage.into(),
                StageFacts {
                    fields,
                    ..StageFacts::default()
                },
            );
        }
        let selection = Selection {
            stages: facts.keys().cloned().collect(),
            ..Selection::default()
        };
        (dag, facts, selection)
    }

    /// Commits stage `a` with a content, and `b` as a consumer of that content.
    fn commit(fake: &mut Fake, facts: &BTreeMap<StageId, StageFacts>, content: &str) {
        let digest = Digest::of(content.as_bytes());
        let a = facts["a"].fields.clone();
        let mut b = facts["b"].fields.clone();
        b.push("needs.a.rows", &digest);
        let key =
            |stage: &str, fields: &Fields| (stage.to_owned(), fields.fingerprint().to_string());
        fake.complete
            .insert(key("a", &a), Contents::from([("rows".into(), digest)]));
        fake.complete.insert(key("b", &b), Contents::new());
        fake.last = BTreeMap::from([("a".into(), a), ("b".into(), b)]);
    }

    #[test]
    fn nothing_yet_then_all_fresh() {
        let (dag, facts, selection) = two_stages();
        let mut fake = Fake::default();
        let first = plan(&dag, &facts, &selection, &fake);
        assert_eq!(first.dirty_count(), 2);
        assert!(
            matches!(&first.stages[1].1, Status::Dirty { reason: DirtyReason::Upstream { stage }, .. } if stage == "a")
        );
        commit(&mut fake, &facts, "x");
        assert_eq!(plan(&dag, &facts, &selection, &fake).dirty_count(), 0);
    }

    #[test]
    fn a_changed_parameter_is_named() {
        let (dag, mut facts, selection) = two_stages();
        let mut fake = Fake::default();
        commit(&mut fake, &facts, "x");
        let mut fields = Fields::default();
        fields.push("params.n", 2);
        facts.get_mut("b").unwrap().fields = fields;
        let planned = plan(&dag, &facts, &selection, &fake);
        assert!(planned.stages[0].1.is_fresh());
        let Status::Dirty {
            reason: DirtyReason::Changed { changes },
            ..
        } = &planned.stages[1].1
        else {
            panic!("{planned:?}")
        };
        assert_eq!(changes[0].to_string(), "params.n: 1 -> 2");
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn a_lost_publication_is_dirty() {
        let (dag, mut facts, selection) = two_stages();
        let mut fake = Fake::default();
        commit(&mut fake, &facts, "x");
        facts.get_mut("b").unwrap().published = Published::Holds {
            dataset: "rows",
            runs: BTreeSet::new(),
        };
        let planned = plan(&dag, &facts, &selection, &fake);
        assert!(matches!(
            planned.stages[1].1,
            Status::Dirty {
                reason: DirtyReason::NotPublished,
                ..
            }
        ));
    }
}
