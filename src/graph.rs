//! The graph of stages: who needs which datasets of whom.
//!
//! *Invariant*: a [`Dag`] has no cycle, no unknown stage and no duplicate; its order is
//! topological and, among stages that could stand anywhere, that of the configuration. Pure.

use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Name of a stage in the configuration.
pub type StageId = String;

/// One thing that a stage needs: a stage, or one dataset of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The stage that is needed.
    pub stage: StageId,
    /// The datasets of it that are read; sorted.
    pub datasets: Vec<String>,
}

/// What is wrong with a graph.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GraphError {
    /// A stage needs one that is not there.
    #[error("stage {stage:?} needs {need:?}, which is not a stage")]
    UnknownNeed {
        /// The stage.
        stage: StageId,
        /// What it asks for.
        need: StageId,
    },
    /// Stages need each other in a circle.
    #[error("stages need each other in a circle: {}", path.join(" -> "))]
    Cycle {
        /// The circle, its first stage repeated at the end.
        path: Vec<StageId>,
    },
}

/// Stages in an order in which each comes after all that it needs.
#[derive(Debug, Clone, Default)]
pub struct Dag {
    order: Vec<StageId>,
    needs: BTreeMap<StageId, Vec<Need>>,
}

impl Dag {
    /// Orders stages.
    ///
    /// # Errors
    ///
    /// Every unknown need, or else one cycle.
    pub fn new(stages: Vec<(StageId, Vec<Need>)>) -> Result<Self, Vec<GraphError>> {
        let names: BTreeSet<&StageId> = stages.iter().map(|(stage, _)| stage).collect();
        let unknown: Vec<GraphError> = stages
            .iter()
            .flat_map(|(stage, needs)| needs.iter().map(move |need| (stage, need)))
            .filter(|(_, need)| !names.contains(&need.stage))
            .map(|(stage, need)| GraphError::UnknownNeed {
                stage: stage.clone(),
                need: need.stage.clone(),
            })
            .collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let given: Vec<StageId> = stages.iter().map(|(stage, _)| stage.clone()).collect();
        let needs: BTreeMap<StageId, Vec<Need>> = stages.into_iter().collect();
        let mut visit = Visit {
            needs: &needs,
            order: Vec::new(),
            done: BTreeSet::new(),
            path: Vec::new(),
        };
        for stage in &given {
            visit.stage(stage).map_err(|cycle| vec![cycle])?;
        }
        let order = visit.order;
        Ok(Self { order, needs })
    }

    /// The stages, each after all that it needs.
    #[must_use]
    pub fn order(&self) -> &[StageId] {
        &self.order
    }

    /// What a stage needs.
    #[must_use]
    pub fn needs(&self, stage: &str) -> &[Need] {
        self.needs.get(stage).map_or(&[], Vec::as_slice)
    }

    /// The stages that a stage needs, less those that another one of them needs too, directly or through others: what a drawing
    /// has to show of them for all to follow.
    #[must_use]
    pub fn direct_needs(&self, stage: &str) -> Vec<&StageId> {
        let needs = || self.needs(stage).iter().map(|need| &need.stage);
        let implied: BTreeSet<StageId> = needs()
            .flat_map(|need| {
                let mut ancestors = self.with_ancestors(need);
                ancestors.remove(need);
                ancestors
            })
            .collect();
        needs().filter(|need| !implied.contains(*need)).collect()
    }

    /// The stage, and all that it needs directly or through others.
    #[must_use]
    pub fn with_ancestors(&self, stage: &str) -> BTreeSet<StageId> {
        let mut found = BTreeSet::from([stage.to_owned()]);
        for candidate in self.order.iter().rev() {
            if found.contains(candidate) {
                found.extend(self.needs(candidate).iter().map(|need| need.stage.clone()));
            }
        }
        found
    }

    /// The stage, and all that need it directly or through others.
    #[must_use]
    pub fn with_dependants(&self, stage: &str) -> BTreeSet<StageId> {
        let mut found = BTreeSet::from([stage.to_owned()]);
        for candidate in &self.order {
            if self
                .needs(candidate)
                .iter()
                .any(|need| found.contains(&need.stage))
            {
                found.insert(candidate.clone());
            }
        }
        found
    }
}

/// Depth-first walk that appends a stage after all that it needs.
struct Visit<'a> {
    needs: &'a BTreeMap<StageId, Vec<Need>>,
    order: Vec<StageId>,
    done: BTreeSet<StageId>,
    path: Vec<StageId>,
}

impl Visit<'_> {
    fn stage(&mut self, stage: &StageId) -> Result<(), GraphError> {
        if self.done.contains(stage) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|above| above == stage) {
            let mut path = self.path[start..].to_vec();
            path.push(stage.clone());
            return Err(GraphError::Cycle { path });
        }
        self.path.push(stage.clone());
        for need in &self.needs[stage] {
            self.stage(&need.stage)?;
        }
        self.path.pop();
        self.done.insert(stage.clone());
        self.order.push(stage.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, needs: &[&str]) -> (StageId, Vec<Need>) {
        let needs = needs
            .iter()
            .map(|need| Need {
                stage: (*need).to_owned(),
                datasets: Vec::new(),
            })
            .collect();
        (name.to_owned(), needs)
    }

    #[test]
    fn order_follows_needs_then_the_configuration() {
        let dag = Dag::new(vec![
            stage("c", &["b"]),
            stage("a", &[]),
            stage("b", &[]),
            stage("d", &["a"]),
        ]);
        assert_eq!(dag.unwrap().order(), ["b", "c", "a", "d"]);
    }

    #[test]
    fn a_cycle_is_named() {
        let error = Dag::new(vec![
            stage("a", &["b"]),
            stage("b", &["c"]),
            stage("c", &["b"]),
        ])
        .unwrap_err();
        assert_eq!(
            error[0].to_string(),
            "stages need each other in a circle: b -> c -> b"
        );
    }

    #[test]
    fn every_unknown_need_is_reported() {
        let error = Dag::new(vec![stage("a", &["x"]), stage("b", &["y"])]).unwrap_err();
        assert_eq!(error.len(), 2);
    }

    #[test]
    fn ancestors_and_dependants() {
        let dag = Dag::new(vec![
            stage("a", &[]),
            stage("b", &["a"]),
            stage("c", &["b"]),
            stage("d", &["a"]),
        ])
        .unwrap();
        let set = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(dag.with_ancestors("c"), set(&["a", "b", "c"]));
        assert_eq!(dag.with_dependants("b"), set(&["b", "c"]));
    }

    #[test]
    fn needs_that_others_imply_are_not_direct() {
        let dag = Dag::new(vec![
            stage("a", &[]),
            stage("b", &["a"]),
            stage("c", &["a", "b"]),
            stage("d", &["a", "c", "b"]),
            stage("e", &["b", "d"]),
            stage("f", &["d", "g"]),
            stage("g", &["a"]),
        ])
        .unwrap();
        assert_eq!(dag.direct_needs("a"), Vec::<&str>::new());
        assert_eq!(dag.direct_needs("d"), ["c"]);
        assert_eq!(dag.direct_needs("e"), ["d"]);
        assert_eq!(dag.direct_needs("f"), ["d", "g"]);
    }
}
