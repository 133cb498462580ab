//! Lineage: what was made of what, as `OpenLineage` events for a receiver or a file.
//!
//! The run of the pipeline and, as its children, the runs of its stages each begin with START and end with COMPLETE, FAIL or
//! ABORT (stopped by a signal). A fresh stage did not run, and so has no event. A process that is killed leaves runs
//! without an end. Inputs and outputs are datasets under names that stay the same from night to night; which state of one was read
//! or made stands in its version.
//!
//! # Source
//! [OpenLineage 2-0-2](https://openlineage.io/spec/2-0-2/OpenLineage.json); names by its specification of naming. A *job* is its word for
//! what has runs, here the pipeline or a stage.

mod datasets;
mod events;
mod naming;
mod sender;

use crate::checkpoint::Manifest;
use crate::config::PipelineConfig;
use crate::graph::StageId;
use crate::runner::{RunRecord, RunStart, RunStatus, StageRecord, chain};
use crate::stages::{Input, StageError};
use datasets::Roots;
use events::{EventType, Events};
use sender::{Sender, Target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Tells of one run.
#[derive(Debug)]
pub(super) struct Lineage {
    sender: Sender,
    events: Events,
    known: Option<Known>,
    /// The datasets that each stage at work reads.
    inputs: BTreeMap<StageId, Vec<Value>>,
    /// What was published, as `publish` described it.
    published: Option<Value>,
}

/// What is known of the pipeline once its run has begun.
#[derive(Debug)]
struct Known {
    roots: Roots,
    kinds: BTreeMap<StageId, String>,
    /// Texts of the queries of each stage that has some.
    queries: BTreeMap<StageId, String>,
    sources: Vec<Value>,
}

impl Lineage {
    /// `None` where nobody is to be told, or nobody can be.
    pub(super) fn begin(
        config: &PipelineConfig,
        run: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let disabled = lookup("OPENLINEAGE_DISABLED").unwrap_or_default();
        if disabled.trim().eq_ignore_ascii_case("true") {
            return None;
        }
        let target = Target::of(&config.lineage, lookup);
        let sender = match Sender::start(target) {
            Ok(sender) => sender?,
            Err(error) => {
                tracing::warn!(%error, "lineage events are not sent");
                return None;
            }
        };
        let given = &config.lineage.namespace;
        let namespace = (!given.is_empty()).then(|| given.clone());
        let namespace = namespace
            .or_else(|| lookup("OPENLINEAGE_NAMESPACE"))
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| "default".to_owned());
        Some(Self {
            sender,
            events: Events::new(&namespace, &config.name, run),
            known: None,
            inputs: BTreeMap::new(),
            published: None,
        })
    }

    pub(super) fn run_started(&mut self, start: &RunStart<'_>) {
        let config = &start.pipeline.environment.config;
        self.events.set_dump_date(config.dump_date.as_deref());
        let roots = Roots::of(&start.pipeline.environment);
        let queries = start.stages.iter().filter_map(|stage| {
            let texts = start.pipeline.queries(stage);
            let texts: Vec<&str> = texts.into_iter().map(|(_, text)| text).collect();
            (!texts.is_empty()).then(|| (stage.clone(), texts.join(";\n")))
        });
        let kinds = config.stages.iter();
        let known = Known {
            kinds: kinds
                .map(|(id, stage)| (id.clone(), stage.kind.clone()))
                .collect(),
            queries: queries.collect(),
            sources: roots.sources(&config.source),
            roots,
        };
        let event = self
            .events
            .of_run(EventType::Start, start.started, None, &known.sources, &[]);
        self.sender.send(&event);
        self.known = Some(known);
    }

    pub(super) fn stage_started(&mut self, stage: &str, inputs: &[Input]) {
        let Some(known) = &self.known else { return };
        let mut read: Vec<Value> = inputs
            .iter()
            .flat_map(|input| {
                let manifest = input.reader.manifest();
                let datasets = input.datasets.iter();
                datasets.filter_map(|dataset| known.roots.input(manifest, dataset))
            })
            .collect();
        if known.kinds.get(stage).is_some_and(|kind| kind == "ingest") {
            read.extend(known.sources.iter().cloned());
        }
        let event = self.events.of_stage(
            EventType::Start,
            SystemTime::now(),
            stage,
            known.queries.get(stage).map(String::as_str),
            None,
            &read,
            &[],
        );
        self.sender.send(&event);
        self.inputs.insert(stage.to_owned(), read);
    }

    pub(super) fn stage_ended(
        &mut self,
        record: &StageRecord,
        made: Result<&Manifest, &StageError>,
    ) {
        let Some(known) = &self.known else { return };
        let mut outputs = Vec::new();
        if let Ok(manifest) = made {
            outputs = known.roots.outputs(manifest);
            if let Some(published) = known.roots.published(record, Some(manifest)) {
                outputs.push(published.clone());
                self.published = Some(published);
            }
        }
        let kind = match made {
            Ok(_) => EventType::Complete,
            Err(StageError::Interrupted { .. }) => EventType::Abort,
            Err(_) => EventType::Fail,
        };
        let error = made.err().map(|error| chain(error));
        let stage = record.stage.as_str();
        let event = self.events.of_stage(
            kind,
            SystemTime::now(),
            stage,
            known.queries.get(stage).map(String::as_str),
            error.as_deref(),
            &self.inputs.remove(stage).unwrap_or_default(),
            &outputs,
        );
        self.sender.send(&event);
    }

    pub(super) fn run_ended(&mut self, record: &RunRecord) {
        let Some(known) = &self.known else { return };
        let kind = match record.status {
            RunStatus::Ok => EventType::Complete,
            RunStatus::Failed => EventType::Fail,
            RunStatus::Interrupted => EventType::Abort,
        };
        let published = self.published.take().or_else(|| {
            // It was there already.
            let mut stages = record.stages.iter();
            stages.find_map(|stage| known.roots.published(stage, None))
        });
        let event = self.events.of_run(
            kind,
            SystemTime::now(),
            record.error.as_deref(),
            &known.sources,
            published.as_slice(),
        );
        self.sender.send_last(&event);
    }

    /// Waits a little for what is on its way.
    pub(super) fn finish(self) {
        self.sender.finish();
    }
}
