//! `rayonnage show`: a checkpoint's schema, rows or statistics, or a query over several.

mod cells;
mod query;
mod statistics;

use super::args::{Common, ShowArguments, ShowFormat};
use super::output::{bytes, print, print_json};
use super::{CommandError, setup};
use crate::checkpoint::{Catalog, CheckpointError, CheckpointReader, is_tensor};
use crate::config::PipelineConfig;
use crate::fingerprint::Fingerprint;
use crate::history::{History, HistoryError};
use crate::monitor::Monitor;
use crate::runner::{RunError, last_fingerprints, require_stage};
use crate::store::SharedStore;
use crate::suggest::suggestion;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rows that are printed as text.
const TEXT_ROWS: usize = 10;

/// The checkpoints that are looked at: those that each stage used last, or those of one run.
struct Checkpoints {
    catalog: Catalog,
    fingerprints: BTreeMap<String, Fingerprint>,
    run: Option<String>,
}

/// The `--json` document of a stage.
#[derive(Debug, Serialize)]
struct Document<'a> {
    stage: &'a str,
    kind: &'a str,
    fingerprint: &'a Fingerprint,
    datasets: BTreeMap<&'a str, DocumentDataset<'a>>,
    files: Vec<DocumentFile<'a>>,
    summary: &'a Map<String, Value>,
    /// The dataset whose rows follow.
    dataset: Option<&'a str>,
    rows: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct DocumentDataset<'a> {
    rows: u64,
    parts: usize,
    bytes: u64,
    schema: &'a [String],
}

#[derive(Debug, Serialize)]
struct DocumentFile<'a> {
    name: &'a str,
    bytes: u64,
}

/// Prints a dataset of a checkpoint, or what a query makes of several.
pub(super) fn show(common: &Common, options: &ShowArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let (config, _) = setup::configuration(common)?;
    let store = setup::checkpoints(&config, setup::Access::Read)?;
    let checkpoints = Checkpoints::open(store, options.run.as_deref())?;
    if let Some(text) = &options.sql {
        return query::run(&checkpoints, text, options);
    }
    let stage = options.stage.as_deref().unwrap_or_default();
    let reader = checkpoints.reader(&config, stage)?;
    let dataset = chosen(&reader, options)?;
    match options.format {
        _ if options.stats => {
            let dataset = dataset.ok_or_else(|| no_rows(stage))?;
            statistics::print_statistics(&reader, &dataset, options)
        }
        _ if options.json => print_document(&reader, dataset.as_deref(), options),
        ShowFormat::Text => {
            let text = describe(&reader, dataset.as_deref(), options);
            Ok(print(&text.map_err(RunError::from)?)?)
        }
        ShowFormat::Csv => {
            let dataset = dataset.ok_or_else(|| no_rows(stage))?;
            let batches = reader.parts(&dataset, None).map_err(RunError::from)?;
            cells::print_csv(batches, options.rows.unwrap_or(usize::MAX))
        }
    }
}

fn no_rows(stage: &str) -> CommandError {
    CommandError::Absent {
        message: format!("{stage} has files only, and no rows to print"),
        remedy: format!(
            "rayonnage show {stage} says which, and README.md, section \"Commands\", where they lie"
        ),
    }
}

/// The dataset that was named, or the first one.
fn chosen(
    reader: &CheckpointReader,
    options: &ShowArguments,
) -> Result<Option<String>, CommandError> {
    let manifest = reader.manifest();
    let datasets = &manifest.datasets;
    match &options.dataset {
        None => Ok(datasets.keys().next().cloned()),
        Some(name) if datasets.contains_key(name) => Ok(Some(name.clone())),
        Some(name) => {
            let known: Vec<&str> = datasets.keys().map(String::as_str).collect();
            let meant = suggestion(name, known.iter().copied());
            let meant =
                meant.map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"));
            let stage = &manifest.stage;
            Err(CommandError::Absent {
                message: format!("{stage} has no dataset {name:?}{meant}"),
                remedy: match known.as_slice() {
                    [] => format!("{stage} has files only: rayonnage show {stage} says which"),
                    known => format!("name one that it has: {}", known.join(", ")),
                },
            })
        }
    }
}

impl Checkpoints {
    fn open(store: SharedStore, run: Option<&str>) -> Result<Self, CommandError> {
        let (fingerprints, run) = match run {
            None => (last_fingerprints(&store).map_err(RunError::from)?, None),
            Some(name) => {
                let record = History::open(store.clone())?.named(&[name])?.remove(0);
                let stages = record.stages.into_iter();
                let fingerprints = stages.map(|of| (of.stage, of.fingerprint)).collect();
                (fingerprints, Some(record.run))
            }
        };
        let catalog = Catalog::new(store, BTreeMap::new());
        Ok(Self {
            catalog,
            fingerprints,
            run,
        })
    }

    /// Opens the checkpoint of a stage.
    fn reader(
        &self,
        config: &PipelineConfig,
        stage: &str,
    ) -> Result<CheckpointReader, CommandError> {
        let Some(fingerprint) = self.fingerprints.get(stage) else {
            require_stage(config, stage)?;
            return Err(self.none(stage, None));
        };
        let reader = self.catalog.reader(stage, fingerprint);
        let reader = reader.map_err(RunError::from)?;
        reader.ok_or_else(|| self.none(stage, Some(fingerprint)))
    }

    fn none(&self, stage: &str, fingerprint: Option<&Fingerprint>) -> CommandError {
        let stage = stage.to_owned();
        match (self.run.clone(), fingerprint) {
            (None, _) => CommandError::Absent {
                message: format!("{stage} has no complete checkpoint yet"),
                remedy: format!(
                    "make it: rayonnage run --until {stage}; or name the checkpoints that are meant: RAYONNAGE_CHECKPOINTS"
                ),
            },
            (Some(run), None) => HistoryError::NotInRun { run, stage }.into(),
            (Some(run), Some(fingerprint)) => HistoryError::Gone {
                run,
                stage,
                fingerprint: fingerprint.to_string(),
            }
            .into(),
        }
    }
}

fn describe(
    reader: &CheckpointReader,
    dataset: Option<&str>,
    options: &ShowArguments,
) -> Result<String, CheckpointError> {
    let manifest = reader.manifest();
    let mut text = format!("{} {}\n", manifest.stage, manifest.fingerprint);
    for (name, dataset) in &manifest.datasets {
        let size: u64 = dataset.parts.iter().map(|part| part.bytes).sum();
        let parts = dataset.parts.len();
        let _ = writeln!(
            text,
            "  {name}: {} rows, {parts} parts, {}",
            dataset.rows,
            bytes(size)
        );
    }
    for file in &manifest.files {
        let _ = writeln!(text, "  files/{}: {}", file.name, bytes(file.bytes));
    }
    for (key, value) in &manifest.summary {
        let _ = writeln!(text, "  {key}: {value}");
    }
    let Some(name) = dataset else {
        return Ok(text);
    };
    let dataset = reader.dataset(name)?;
    let _ = write!(text, "\n{name}\n");
    for column in &dataset.schema {
        let _ = writeln!(text, "  {column}");
    }
    let Some(part) = dataset.parts.iter().find(|part| part.rows > 0) else {
        return Ok(text);
    };
    let batch = reader.part(name, part, None)?;
    let rows = cells::table(&batch, options.rows.unwrap_or(TEXT_ROWS));
    let _ = write!(text, "\n{rows}");
    Ok(text)
}

fn print_document(
    reader: &CheckpointReader,
    dataset: Option<&str>,
    options: &ShowArguments,
) -> Result<(), CommandError> {
    let manifest = reader.manifest();
    let mut rows = Vec::new();
    if let Some(name) = dataset {
        rows = first_rows(reader, name, options.rows.unwrap_or(TEXT_ROWS))?;
    }
    let datasets = manifest.datasets.iter().map(|(name, dataset)| {
        let described = DocumentDataset {
            rows: dataset.rows,
            parts: dataset.parts.len(),
            bytes: dataset.parts.iter().map(|part| part.bytes).sum(),
            schema: &dataset.schema,
        };
        (name.as_str(), described)
    });
    let files = manifest.files.iter().map(|file| DocumentFile {
        name: &file.name,
        bytes: file.bytes,
    });
    Ok(print_json(&Document {
        stage: &manifest.stage,
        kind: &manifest.kind,
        fingerprint: &manifest.fingerprint,
        datasets: datasets.collect(),
        files: files.collect(),
        summary: &manifest.summary,
        dataset,
        rows,
    })?)
}

/// The first rows without their tensors.
fn first_rows(
    reader: &CheckpointReader,
    name: &str,
    count: usize,
) -> Result<Vec<Value>, CommandError> {
    let dataset = reader.dataset(name).map_err(RunError::from)?;
    let columns: Vec<&str> = dataset
        .schema
        .iter()
        .filter_map(|line| readable(line))
        .collect();
    let mut rows = Vec::new();
    for part in &dataset.parts {
        let batch = reader.columns(name, part, &columns);
        let batch = batch.map_err(RunError::from)?;
        rows.extend(cells::json_rows(&batch, count - rows.len()));
        if rows.len() >= count {
            break;
        }
    }
    Ok(rows)
}

/// Name of a column in a line of a manifest's schema, but for tensors.
fn readable(line: &str) -> Option<&str> {
    let (name, data_type) = line.split_once(": ")?;
    (!is_tensor(data_type)).then_some(name)
}
