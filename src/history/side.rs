//! One of two runs that are compared: what it predicted, by which model, and from what.

use super::HistoryError;
use super::causes::needed_stage;
use crate::checkpoint::{Catalog, CheckpointReader, Manifest};
use crate::fingerprint::{Field, Fingerprint};
use crate::runner::{RunRecord, StageRecord};
use crate::schema::{self, LABELLED, PREDICTIONS, UNLABELLED};
use crate::store::SharedStore;
use arrow::array::{Float32Array, StringArray};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One of the two runs.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// The run.
    pub run: String,
    /// The stage that predicted.
    pub stage: String,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// How many rows it predicted.
    pub rows: u64,
    /// The model that it asked.
    pub model: ModelSide,
    #[serde(skip)]
    fingerprints: BTreeMap<String, Fingerprint>,
    #[serde(skip)]
    manifests: BTreeMap<String, Manifest>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelSide {
    /// The stage that trained it.
    pub stage: String,
    /// Digest of what it consists of.
    pub digest: String,
}

/// A predicted category.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predicted {
    /// The label.
    pub label: String,
    /// Its probability.
    pub confidence: f32,
}

/// Each prediction by dataset and id, with the number of the part that it lies in.
pub(super) type Predictions = HashMap<(&'static str, String), (Predicted, usize)>;

impl Side {
    pub(super) fn open(catalog: &Catalog, record: &RunRecord) -> Result<Self, HistoryError> {
        // Only the stage that predicts says which model it asked.
        let is_it = |stage: &&StageRecord| stage.summary.contains_key("model_digest");
        let predict = record
            .stages
            .iter()
            .find(is_it)
            .ok_or_else(|| HistoryError::NotInRun {
                run: record.run.clone(),
                stage: "predict".to_owned(),
            })?;
        let stages = record.stages.iter();
        let ids: Vec<(&str, &Fingerprint)> = stages
            .map(|of| (of.stage.as_str(), &of.fingerprint))
            .collect();
        let mut manifests = BTreeMap::new();
        for ((stage, _), manifest) in ids.iter().zip(catalog.manifests(&ids)) {
            if let Some(manifest) = manifest? {
                manifests.insert((*stage).to_owned(), manifest);
            }
        }
        let summary = |key: &str| {
            let value = predict.summary.get(key).and_then(|value| value.as_str());
            value.unwrap_or_default().to_owned()
        };
        let mut side = Self {
            run: record.run.clone(),
            stage: predict.stage.clone(),
            fingerprint: predict.fingerprint.clone(),
            rows: 0,
            model: ModelSide {
                stage: summary("model"),
                digest: summary("model_digest"),
            },
            fingerprints: ids
                .iter()
                .map(|(stage, found)| ((*stage).to_owned(), (*found).clone()))
                .collect(),
            manifests,
        };
        let manifest = side.manifest(&side.stage);
        let manifest = manifest.ok_or_else(|| side.gone(&side.stage))?;
        side.rows = manifest
            .datasets
            .get(PREDICTIONS)
            .map_or(0, |dataset| dataset.rows);
        Ok(side)
    }

    /// The manifest of a stage, where it is still there.
    pub(super) fn manifest(&self, stage: &str) -> Option<&Manifest> {
        self.manifests.get(stage)
    }

    pub(super) fn reader(
        &self,
        store: &SharedStore,
        stage: &str,
    ) -> Result<CheckpointReader, HistoryError> {
        let manifest = self.manifest(stage).ok_or_else(|| self.gone(stage))?;
        Ok(CheckpointReader::new(store.clone(), manifest.clone()))
    }

    fn gone(&self, stage: &str) -> HistoryError {
        let fingerprint = self.fingerprints.get(stage);
        HistoryError::Gone {
            run: self.run.clone(),
            stage: stage.to_owned(),
            fingerprint: fingerprint.map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// The stages that a stage is made from, directly or through others, and itself.
    pub(super) fn ancestors(&self, stage: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<&str> = self
            .manifests
            .get_key_value(stage)
            .map(|(name, _)| name.as_str())
            .into_iter()
            .collect();
        while let Some(stage) = waiting.pop() {
            if found.insert(stage) {
                waiting.extend(self.needs(stage));
            }
        }
        found
    }

    fn needs(&self, stage: &str) -> impl Iterator<Item = &str> {
        let fields = self
            .manifest(stage)
            .map(|manifest| manifest.fields.as_slice());
        let needed = fields.unwrap_or_default().iter();
        needed.filter_map(|field| needed_stage(&field.name))
    }

    /// Makes sure that everything is still there that the model is made from.
    pub(super) fn require_ancestors(&self) -> Result<(), HistoryError> {
        let ancestors = self.ancestors(&self.model.stage);
        let needed = ancestors.iter().flat_map(|stage| self.needs(stage));
        let needed = needed.chain([self.model.stage.as_str()]);
        match needed
            .into_iter()
            .find(|stage| self.manifest(stage).is_none())
        {
            None => Ok(()),
            Some(stage) => Err(self.gone(stage)),
        }
    }

    /// The needed stage of a kind.
    pub(super) fn needed(&self, stage: &str, kind: &str) -> Option<&str> {
        let is_it = |need: &&str| self.manifest(need).is_some_and(|found| found.kind == kind);
        self.needs(stage).find(is_it)
    }

    /// Where the parts of the predictions come from: the datasets in order, each with the number of its parts.
    fn predicted_datasets(&self) -> Result<Vec<(&'static str, usize)>, HistoryError> {
        // Without its manifest a stage does not tell its kind: then the first that is gone may have been it.
        let ingest = self.needed(&self.stage, "ingest");
        let ingest = ingest
            .and_then(|stage| self.manifest(stage))
            .ok_or_else(|| {
                let gone = self
                    .needs(&self.stage)
                    .find(|need| self.manifest(need).is_none());
                self.gone(gone.unwrap_or("ingest"))
            })?;
        let fields = self.manifests[&self.stage].fields.as_slice();
        let reads = |dataset: &str| {
            let name = format!("needs.{}.{dataset}", ingest.stage);
            fields.iter().any(|field| field.name == name)
        };
        let names = [LABELLED, UNLABELLED]
            .into_iter()
            .filter(|name| reads(name));
        let parts = |name: &str| {
            ingest
                .datasets
                .get(name)
                .map_or(0, |dataset| dataset.parts.len())
        };
        Ok(names.map(|name| (name, parts(name))).collect())
    }

    /// Every prediction by dataset and id.
    pub(super) fn predictions(&self, store: &SharedStore) -> Result<Predictions, HistoryError> {
        let reader = self.reader(store, &self.stage)?;
        let datasets = self.predicted_datasets()?;
        let places = datasets
            .iter()
            .flat_map(|(name, parts)| (0..*parts).map(move |part| (*name, part)));
        let columns = ["id", "predicted", "confidence"];
        let mut found = Predictions::new();
        for (batch, (dataset, part)) in reader.parts(PREDICTIONS, Some(&columns))?.zip(places) {
            let batch = batch?;
            let ids: &StringArray = schema::column(&batch, "id")?;
            let labels: &StringArray = schema::column(&batch, "predicted")?;
            let confidence: &Float32Array = schema::column(&batch, "confidence")?;
            for row in 0..batch.num_rows() {
                let predicted = Predicted {
                    label: labels.value(row).to_owned(),
                    confidence: confidence.value(row),
                };
                found.insert((dataset, ids.value(row).to_owned()), (predicted, part));
            }
        }
        Ok(found)
    }

    /// Names of the categories, as `publish` was told them.
    pub(super) fn names(&self) -> BTreeMap<String, String> {
        let publish = self
            .manifests
            .values()
            .find(|manifest| manifest.kind == "publish");
        let fields = publish.map(|manifest| manifest.fields.as_slice());
        let name = |field: &Field| {
            let label = field.name.strip_prefix("params.names.")?;
            Some((label.to_owned(), serde_json::from_str(&field.value).ok()?))
        };
        fields.unwrap_or_default().iter().filter_map(name).collect()
    }
}
