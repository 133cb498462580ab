//! Where the report's data come from: the checkpoints that a run made or found, the records of runs, and the source.
//!
//! What a checkpoint was made with (kind, parameters, needs) is read from its manifest: the present configuration may be another one.

use super::ReportError;
use crate::checkpoint::{Catalog, CheckpointReader, Manifest};
use crate::config::ColumnsConfig;
use crate::fingerprint::Fingerprint;
use crate::graph::StageId;
use crate::runner::{Pipeline, RunRecord, StageRecord, StageStatus};
use crate::schema;
use crate::stages::Environment;
use arrow::array::{RecordBatch, StringArray};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a report is made from.
pub(super) struct Sources<'a> {
    pipeline: &'a Pipeline,
    /// The run that it is of.
    pub(super) record: &'a RunRecord,
    /// Runs up to that one, newest first.
    records: &'a [RunRecord],
    /// All stages: those of the graph in its order, then those of the run that are configured no more.
    order: Vec<StageId>,
    /// Checkpoints by stage, in that order.
    readers: Vec<(StageId, CheckpointReader)>,
    /// Stages that the run brought up to date, and whose checkpoints are no longer there.
    gone: Vec<StageId>,
    /// Names of the categories, by label.
    names: BTreeMap<String, String>,
}

impl<'a> Sources<'a> {
    /// Opens the checkpoint of each stage: the one of the run, or where that did not come so far the one before.
    ///
    /// # Errors
    ///
    /// [`ReportError::Gone`] and [`ReportError::NothingRan`] where there is none at all; those of checkpoints.
    pub(super) fn open(
        pipeline: &'a Pipeline,
        records: &'a [RunRecord],
        record: &'a RunRecord,
    ) -> Result<Self, ReportError> {
        let catalog = Catalog::new(pipeline.environment.checkpoints.clone(), BTreeMap::new());
        let (mut readers, mut gone) = (Vec::new(), Vec::new());
        let order = order(pipeline, record);
        for stage in &order {
            match up_to_date(stage, record) {
                // Never another one in its place: that is not what this run showed.
                Some(fingerprint) => match catalog.reader(stage, fingerprint)? {
                    Some(reader) => readers.push((stage.clone(), reader)),
                    None => gone.push(stage.clone()),
                },
                None => {
                    for fingerprint in before(stage, record, records) {
                        if let Some(reader) = catalog.reader(stage, fingerprint)? {
                            readers.push((stage.clone(), reader));
                            break;
                        }
                    }
                }
            }
        }
        if readers.is_empty() {
            let run = record.run.clone();
            return Err(if gone.is_empty() {
                ReportError::NothingRan
            } else {
                ReportError::Gone { run }
            });
        }
        let mut sources = Self {
            pipeline,
            record,
            records,
            order,
            readers,
            gone,
            names: BTreeMap::new(),
        };
        sources.names = sources.read_names();
        Ok(sources)
    }

    pub(super) fn environment(&self) -> &'a Environment {
        &self.pipeline.environment
    }

    /// All stages in order.
    pub(super) fn order(&self) -> &[StageId] {
        &self.order
    }

    /// Stages whose checkpoints the run had and that are no longer there.
    pub(super) fn gone(&self) -> &[StageId] {
        &self.gone
    }

    /// Kind of a stage; empty where neither a checkpoint nor the configuration tells.
    pub(super) fn kind(&self, stage: &str) -> &str {
        match self.stage(stage) {
            Some(reader) => &reader.manifest().kind,
            None if self.is_configured(stage) => self.pipeline.kind(stage),
            None => "",
        }
    }

    /// Parameters that the checkpoint of a stage was made with; null where there is none.
    pub(super) fn params(&self, stage: &str) -> Value {
        let reader = self.stage(stage);
        reader.map_or(Value::Null, |reader| {
            reader.manifest().fields.json("params")
        })
    }

    /// The stages that the checkpoint of a stage was made from.
    pub(super) fn needs(&self, stage: &str) -> BTreeSet<&str> {
        let fields = self.stage(stage).into_iter();
        let fields = fields.flat_map(|reader| reader.manifest().fields.as_slice());
        fields
            .filter_map(|field| Some(field.name.strip_prefix("needs.")?.split_once('.')?.0))
            .collect()
    }

    /// Names of the columns in the source, of the products that are shown.
    pub(super) fn columns(&self) -> ColumnsConfig {
        let written = self.main("ingest").map(|(_, reader)| {
            let fields = &reader.manifest().fields;
            serde_json::from_value(fields.json("source.columns"))
        });
        match written {
            Some(Ok(columns)) => columns,
            _ => self.environment().config.source.columns.clone(),
        }
    }

    fn is_configured(&self, stage: &str) -> bool {
        self.pipeline
            .dag()
            .order()
            .iter()
            .any(|known| known == stage)
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

    /// The checkpoint that stands for a kind: that of the stage that is named like it, or else the first one; none where it is gone.
    pub(super) fn main<'b>(&'b self, kind: &'b str) -> Option<(&'b str, &'b CheckpointReader)> {
        if self.gone.iter().any(|stage| stage == kind) {
            return None;
        }
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

    /// Names of the categories, as the `publish` stage had them; where it has not run, as it would have them.
    fn read_names(&self) -> BTreeMap<String, String> {
        let published = self.main("publish").map(|(_, reader)| {
            let fields = reader.manifest().fields.as_slice().iter();
            let names = fields.filter_map(|field| {
                let label = field.name.strip_prefix("params.names.")?;
                Some((label.to_owned(), serde_json::from_str(&field.value).ok()?))
            });
            names.collect()
        });
        published.unwrap_or_else(|| configured_names(self.pipeline))
    }

    /// The record of the run in which a stage last made the checkpoint that is shown.
    pub(super) fn made(&self, stage: &str) -> Option<&StageRecord> {
        let shown = &self.stage(stage)?.manifest().fingerprint;
        let records = std::iter::once(self.record).chain(self.records);
        records
            .flat_map(|record| &record.stages)
            .filter(|record| record.status == StageStatus::Ran)
            .find(|record| record.stage == stage && record.fingerprint == *shown)
    }
}

/// The stages of the graph, then those of the run that are configured no more.
fn order(pipeline: &Pipeline, record: &RunRecord) -> Vec<StageId> {
    let mut order = pipeline.dag().order().to_vec();
    for stage in &record.stages {
        if !order.contains(&stage.stage) {
            order.push(stage.stage.clone());
        }
    }
    order
}

/// The fingerprint of a stage that a run brought up to date.
fn up_to_date<'a>(stage: &str, record: &'a RunRecord) -> Option<&'a Fingerprint> {
    let mut stages = record.stages.iter();
    let found = stages.find(|other| other.stage == stage)?;
    (found.status != StageStatus::Failed).then_some(&found.fingerprint)
}

/// Fingerprints of a stage in earlier runs, the newest first; never of a later one, which is not what this one found.
fn before<'a>(
    stage: &'a str,
    record: &'a RunRecord,
    records: &'a [RunRecord],
) -> impl Iterator<Item = &'a Fingerprint> {
    let runs = records.iter().filter(|other| other.run < record.run);
    let stages = runs.flat_map(|run| &run.stages);
    stages
        .filter(move |other| other.stage == stage)
        .map(|record| &record.fingerprint)
}

/// Names of the categories in the configuration.
fn configured_names(pipeline: &Pipeline) -> BTreeMap<String, String> {
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
