//! Where the report's data come from: the checkpoints that a run made or found, the records of runs, and the source.

use super::ReportError;
use crate::checkpoint::{Catalog, CheckpointReader, Manifest};
use crate::fingerprint::Fingerprint;
use crate::graph::StageId;
use crate::runner::{Pipeline, RunRecord, StageRecord, StageStatus};
use crate::schema;
use crate::stages::Environment;
use arrow::array::{RecordBatch, StringArray};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Everything that a report is made from.
pub(super) struct Sources<'a> {
    pub(super) pipeline: &'a Pipeline,
    /// The run that it is of.
    pub(super) record: &'a RunRecord,
    /// The latest runs, that one included, newest first.
    records: &'a [RunRecord],
    /// Checkpoints by stage, in the order of the graph.
    readers: Vec<(StageId, CheckpointReader)>,
    /// Names of the categories, by label.
    names: BTreeMap<String, String>,
}

impl<'a> Sources<'a> {
    /// Opens the checkpoint of each stage: the one of the run, or where that did not come so far the one before.
    pub(super) fn open(
        pipeline: &'a Pipeline,
        records: &'a [RunRecord],
        record: &'a RunRecord,
    ) -> Result<Self, ReportError> {
        let catalog = Catalog::new(pipeline.environment.checkpoints.clone(), BTreeMap::new());
        let mut readers = Vec::new();
        for stage in pipeline.dag().order() {
            for fingerprint in fingerprints(stage, record, records) {
                if let Some(reader) = catalog.reader(stage, fingerprint)? {
                    readers.push((stage.clone(), reader));
                    break;
                }
            }
        }
        if readers.is_empty() {
            return Err(ReportError::NothingRan);
        }
        Ok(Self {
            pipeline,
            record,
            records,
            names: names(pipeline),
            readers,
        })
    }

    pub(super) fn environment(&self) -> &'a Environment {
        &self.pipeline.environment
    }

    /// The checkpoint of a stage.
    pub(super) fn stage(&self, stage: &str) -> Option<&CheckpointReader> {
        let found = self.readers.iter().find(|(name, _)| name == stage);
        found.map(|(_, reader)| reader)
    }

    /// All checkpoints of a kind, in the order of the graph.
    pub(super) fn of_kind<'b>(
        &'b self,
        kind: &'b str,
    ) -> impl Iterator<Item = (&'b str, &'b CheckpointReader)> {
        let stages = self
            .readers
            .iter()
            .map(|(stage, reader)| (stage.as_str(), reader));
        stages.filter(move |(_, reader)| reader.manifest().kind == kind)
    }

    /// The checkpoint that stands for a kind: that of the stage that is named like it, or else the first one.
    pub(super) fn main<'b>(&'b self, kind: &'b str) -> Option<(&'b str, &'b CheckpointReader)> {
        let named = self.of_kind(kind).find(|(stage, _)| *stage == kind);
        named.or_else(|| self.of_kind(kind).next())
    }

    /// What every checkpoint consists of.
    pub(super) fn manifests(&self) -> BTreeMap<String, Manifest> {
        let readers = self.readers.iter();
        readers
            .map(|(stage, reader)| (stage.clone(), reader.manifest().clone()))
            .collect()
    }

    /// Name of a category; empty where it has none.
    pub(super) fn name(&self, label: &str) -> String {
        self.names.get(label).cloned().unwrap_or_default()
    }

    /// The record of the run in which a stage last made the checkpoint that is shown.
    pub(super) fn made(&self, stage: &str) -> Option<&StageRecord> {
        let shown = &self.stage(stage)?.manifest().fingerprint;
        let stages = self.records.iter().flat_map(|record| &record.stages);
        stages
            .filter(|record| record.status == StageStatus::Ran)
            .find(|record| record.stage == stage && record.fingerprint == *shown)
    }
}

/// Fingerprints of a stage, the likeliest first.
fn fingerprints<'a>(
    stage: &'a str,
    record: &'a RunRecord,
    records: &'a [RunRecord],
) -> impl Iterator<Item = &'a Fingerprint> {
    // Never of a later run: that is not what this one made.
    let before = records.iter().filter(|other| other.run < record.run);
    let runs = std::iter::once(record).chain(before);
    let stages = runs.flat_map(|run| &run.stages);
    stages
        .filter(move |other| other.stage == stage)
        .map(|record| &record.fingerprint)
}

/// Names of the categories, as the `publish` stage has them.
fn names(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let stages = pipeline.environment.config.stages.values();
    let publish = stages.filter(|stage| stage.kind == "publish");
    let names = publish.filter_map(|stage| stage.params["names"].as_object());
    let texts = names.flatten();
    texts
        .filter_map(|(label, name)| Some((label.clone(), name.as_str()?.to_owned())))
        .collect()
}

/// Reads a JSON file of a checkpoint.
pub(super) fn json<T: DeserializeOwned>(
    stage: &str,
    reader: &CheckpointReader,
    file: &str,
) -> Result<T, ReportError> {
    serde_json::from_slice(&reader.file(file)?).map_err(|source| ReportError::File {
        stage: stage.to_owned(),
        file: file.to_owned(),
        source,
    })
}

/// Whether a checkpoint has a file.
pub(super) fn has_file(reader: &CheckpointReader, file: &str) -> bool {
    reader
        .manifest()
        .files
        .iter()
        .any(|listed| listed.name == file)
}

/// Whether a checkpoint has a dataset.
pub(super) fn has_dataset(reader: &CheckpointReader, dataset: &str) -> bool {
    reader.manifest().datasets.contains_key(dataset)
}

/// A column of texts.
pub(super) fn texts<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a StringArray, ReportError> {
    Ok(schema::column(batch, name)?)
}
