//! What is known of the stages before anything runs.

use super::RunError;
use crate::checkpoint::LOCK_FILE;
use crate::config::PipelineConfig;
use crate::fingerprint::Fields;
use crate::graph::{Dag, StageId};
use crate::plan::StageFacts;
use crate::stages::{Environment, Stage, StageError, build};
use crate::store::LockGuard;
use crate::suggest::suggestion;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A configured pipeline with its stages built, in its surroundings.
pub struct Pipeline {
    /// The surroundings.
    pub environment: Environment,
    stages: BTreeMap<StageId, Box<dyn Stage>>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Pipeline")
            .field("stages", &self.stages.keys())
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Builds the stages of a configuration.
    ///
    /// # Panics
    ///
    /// For a kind or parameters that the configuration did not check.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        let built = environment.config.stages.iter().map(|(id, stage)| {
            let built = build(&stage.kind, &stage.params).expect("the configuration is checked");
            (id.clone(), built)
        });
        let stages = built.collect();
        Self {
            environment,
            stages,
        }
    }

    /// The graph of the stages.
    #[must_use]
    pub fn dag(&self) -> &Dag {
        &self.environment.config.dag
    }

    /// Checks that a stage that somebody named is there.
    ///
    /// # Errors
    ///
    /// [`RunError::SkippedStage`], [`RunError::UnknownStage`].
    pub fn require(&self, stage: &str) -> Result<(), RunError> {
        require_stage(&self.environment.config, stage)
    }

    /// Takes the checkpoints for the one that writes there; `who` is what others are told who come meanwhile.
    ///
    /// # Errors
    ///
    /// [`RunError::Locked`] where another one holds them; those of the store.
    pub fn lock(&self, who: &str) -> Result<LockGuard, RunError> {
        let owner = format!("{who} (process {})", std::process::id());
        let store = &self.environment.checkpoints;
        store.lock(LOCK_FILE, &owner).map_err(RunError::from_lock)
    }

    /// Kind of a stage.
    #[must_use]
    pub fn kind(&self, stage: &str) -> &str {
        &self.environment.config.stages[stage].kind
    }

    /// Parameters of a stage, with defaults.
    #[must_use]
    pub fn params(&self, stage: &str) -> &Value {
        &self.environment.config.stages[stage].params
    }

    /// The queries that a stage runs, checks not among them: name and text.
    #[must_use]
    pub fn queries(&self, stage: &str) -> Vec<(&str, &str)> {
        let names = self.stage(stage).queries().iter();
        names
            .filter_map(|name| Some((*name, self.environment.queries.text(name).ok()?)))
            .collect()
    }

    pub(super) fn stage(&self, stage: &str) -> &dyn Stage {
        &*self.stages[stage]
    }
}

/// Checks that a stage that somebody named is in a configuration.
///
/// # Errors
///
/// [`RunError::SkippedStage`], [`RunError::UnknownStage`].
pub fn require_stage(config: &PipelineConfig, stage: &str) -> Result<(), RunError> {
    let known = config.dag.order();
    if known.iter().any(|known| known == stage) {
        return Ok(());
    }
    let stage = stage.to_owned();
    Err(match config.skipped.get(&stage) {
        Some(reason) => RunError::SkippedStage {
            reason: reason.clone(),
            stage,
        },
        None => RunError::UnknownStage {
            suggestion: similar(config, &stage),
            known: known.join(", "),
            stage,
        },
    })
}

/// The stage that a misspelt name was probably meant to be.
fn similar(config: &PipelineConfig, name: &str) -> Option<String> {
    let known = config.dag.order().iter().chain(config.skipped.keys());
    suggestion(name, known.map(String::as_str)).map(str::to_owned)
}

/// Gathers the facts about some stages.
///
/// # Errors
///
/// [`RunError::Stage`] for a stage whose source files cannot be identified.
pub fn gather_facts(
    pipeline: &Pipeline,
    stages: &BTreeSet<StageId>,
) -> Result<BTreeMap<StageId, StageFacts>, RunError> {
    let facts = stages.iter().map(|stage| {
        let facts = facts_of(pipeline, stage);
        let failed = |source| RunError::Stage {
            stage: stage.clone(),
            source: Box::new(source),
        };
        facts.map(|facts| (stage.clone(), facts)).map_err(failed)
    });
    facts.collect()
}

fn facts_of(pipeline: &Pipeline, id: &str) -> Result<StageFacts, StageError> {
    let environment = &pipeline.environment;
    let stage = pipeline.stage(id);
    let mut fields = Fields::default();
    fields.push("kind", pipeline.kind(id));
    fields.push("version", stage.version());
    fields.push_json("params", pipeline.params(id));
    for query in stage.queries() {
        fields.push(format!("sql.{query}"), environment.queries.text(query)?);
    }
    for check in environment.queries.checks_of(id) {
        fields.push(format!("sql.checks.{}", check.name), &check.text);
    }
    if stage.uses_device() {
        let runtime = environment.runtime()?;
        fields.push("device.kind", runtime.kind());
        fields.push("device.cpu_type", runtime.cpu_type());
        fields.push("device.threads", runtime.threads());
    }
    for (name, value) in stage.external_fields(environment)? {
        fields.push(name, value);
    }
    Ok(StageFacts {
        fields,
        published: stage.published(environment)?,
    })
}
