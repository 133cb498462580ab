//! What a stage is handed when it runs, and what it hands back.

use super::{Environment, StageError};
use crate::checkpoint::{CheckpointReader, CheckpointWriter};
use crate::fingerprint::{Digest, Fields};
use crate::monitor::StageMonitor;
use crate::schema;
use arrow::array::StringArray;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One stage that this one needs.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// The datasets that may be read.
    pub datasets: Vec<String>,
    /// Its checkpoint.
    pub reader: CheckpointReader,
}

/// One run of one stage.
#[derive(Debug)]
pub struct StageRun<'a> {
    /// Name of the stage.
    pub id: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Version of the kind.
    pub version: u32,
    /// Its parameters, with defaults.
    pub params: &'a Value,
    /// Texts of its queries.
    pub queries: Vec<&'a str>,
    /// Everything that its outputs depend on.
    pub fields: &'a Fields,
    /// What it needs.
    pub inputs: &'a [Input],
    /// The surroundings.
    pub environment: &'a Environment,
    /// Shows its progress.
    pub monitor: &'a StageMonitor,
    /// Whether to ignore what earlier runs left.
    pub is_forced: bool,
}

/// What a stage hands back: its outputs, ready to be committed.
#[derive(Debug)]
pub struct StageOutput {
    /// Holds the outputs.
    pub writer: CheckpointWriter,
    /// Counts and scores for people.
    pub summary: Map<String, Value>,
}

impl<'a> StageRun<'a> {
    /// The stages of a kind that this one needs, by name.
    pub fn inputs_of(&self, kind: &str) -> impl Iterator<Item = &'a Input> {
        self.inputs.iter().filter(move |input| input.kind == kind)
    }

    /// The one stage of a kind that this one needs, if it needs one.
    #[must_use]
    pub fn find(&self, kind: &str) -> Option<&'a Input> {
        self.inputs.iter().find(|input| input.kind == kind)
    }

    /// The one stage of a kind that this one needs.
    ///
    /// # Errors
    ///
    /// [`StageError::Unusable`]; the configuration is checked, so this is for library users.
    pub fn input(&self, kind: &str) -> Result<&'a Input, StageError> {
        self.find(kind).ok_or_else(|| {
            StageError::Unusable(format!("{} needs a stage of kind {kind}", self.kind))
        })
    }

    /// Begins the checkpoint; `keys` are those of the parts that can be taken over.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn begin(
        &self,
        keys: BTreeMap<String, Vec<Digest>>,
    ) -> Result<CheckpointWriter, StageError> {
        let store = self.environment.checkpoints.clone();
        let fields = self.fields.clone();
        Ok(CheckpointWriter::begin(
            store,
            self.id,
            self.kind,
            fields,
            keys,
            self.is_forced,
        )?)
    }

    /// Seed of everything random in this stage: of the pipeline's seed and the stage's name.
    #[must_use]
    pub fn seed(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.environment.config.seed.to_le_bytes());
        hasher.update(self.id.as_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(bytes)
    }
}

impl StageRun<'_> {
    /// Reads back what was written so far, before the manifest is.
    #[must_use]
    pub fn read_back(&self, writer: &CheckpointWriter) -> CheckpointReader {
        CheckpointReader::new(
            self.environment.checkpoints.clone(),
            writer.manifest(Map::new()),
        )
    }

    /// Counts how often each value of a text column occurs in the outputs; parts that were taken over count too.
    ///
    /// # Errors
    ///
    /// Those of the checkpoint.
    pub fn count_values(
        &self,
        writer: &CheckpointWriter,
        datasets: &[&str],
        column: &str,
    ) -> Result<BTreeMap<String, u64>, StageError> {
        let reader = self.read_back(writer);
        let mut counts = BTreeMap::new();
        for dataset in datasets {
            if !reader.manifest().datasets.contains_key(*dataset) {
                continue;
            }
            for batch in reader.parts(dataset, Some(&[column]))? {
                let batch = batch?;
                let values: &StringArray = schema::column(&batch, column)?;
                for value in values.iter().flatten() {
                    if let Some(count) = counts.get_mut(value) {
                        *count += 1;
                    } else {
                        counts.insert(value.to_owned(), 1);
                    }
                }
            }
        }
        Ok(counts)
    }
}

/// What LibTorch's arithmetic depends on, as the runner put it into the fingerprint.
pub(super) fn device_fields(run: &StageRun<'_>) -> Vec<String> {
    let fields = run.fields.as_slice().iter();
    fields
        .filter(|field| field.name.starts_with("device."))
        .map(|field| field.value.clone())
        .collect()
}
