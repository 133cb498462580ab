//! Tells of one run: keeps what is known of it between its events.

use super::datasets::Roots;
use super::events::{EventType, Events};
use super::sender::{Sender, Target};
use crate::checkpoint::Manifest;
use crate::config::PipelineConfig;
use crate::graph::StageId;
use crate::runner::{RunRecord, RunStart, RunStatus, StageRecord, chain};
use crate::stages::{Input, StageError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Tells of one run.
#[derive(Debug)]
pub(in crate::operation) struct Lineage {
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
    /// Texts of the queries of each stage that has some.
    queries: BTreeMap<StageId, String>,
    /// What each stage reads of the source.
    sources: BTreeMap<StageId, Vec<Value>>,
}

impl Known {
    /// What the stages read of the source together, each dataset once.
    fn all_sources(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        for source in self.sources.values().flatten() {
            if !all.contains(source) {
                all.push(source.clone());
            }
        }
        all
    }
}

impl Lineage {
    /// `None` where nobody is to be told, or nobody can be.
    pub(in crate::operation) fn begin(
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

    pub(in crate::operation) fn run_started(&mut self, start: &RunStart<'_>) {
        let config = &start.pipeline.environment.config;
        self.events.set_dump_date(config.dump_date.as_deref());
        let roots = Roots::of(&start.pipeline.environment);
        let queries = start.stages.iter().filter_map(|stage| {
            let texts = start.pipeline.queries(stage);
            let texts: Vec<&str> = texts.into_iter().map(|(_, text)| text).collect();
            (!texts.is_empty()).then(|| (stage.clone(), texts.join(";\n")))
        });
        let read = start.stages.iter().map(|stage| {
            let (kind, params) = (start.pipeline.kind(stage), start.pipeline.params(stage));
            let read = roots.read_of_source(&config.source, kind, params);
            (stage.clone(), read)
        });
        let known = Known {
            queries: queries.collect(),
            sources: read.collect(),
            roots,
        };
        let event = self.events.of_run(
            EventType::Start,
            start.started,
            None,
            &known.all_sources(),
            &[],
        );
        self.sender.send(&event);
        self.known = Some(known);
    }

    pub(in crate::operation) fn stage_started(&mut self, stage: &str, inputs: &[Input]) {
        let Some(known) = &self.known else { return };
        let mut read: Vec<Value> = inputs
            .iter()
            .flat_map(|input| {
                let manifest = input.reader.manifest();
                let datasets = input.datasets.iter();
                datasets.filter_map(|dataset| known.roots.input(manifest, dataset))
            })
            .collect();
        read.extend(known.sources.get(stage).into_iter().flatten().cloned());
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

    pub(in crate::operation) fn stage_ended(
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

    pub(in crate::operation) fn run_ended(&mut self, record: &RunRecord) {
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
            &known.all_sources(),
            published.as_slice(),
        );
        self.sender.send_last(&event);
    }

    /// Waits a little for what is on its way.
    pub(in crate::operation) fn finish(self) {
        self.sender.finish();
    }
}
