//! The record of a run: what ran where, why, for how long, on how many rows, and what came out.
//!
//! `_runs/<run id>.json`. Times live here and nowhere else, so that checkpoints are the same bytes whenever and
//! wherever they are made.

use super::RunError;
use crate::checkpoint::{Manifest, RUNS_FOLDER};
use crate::config::PipelineConfig;
use crate::fingerprint::{DirtyReason, Fingerprint};
use crate::model::Runtime;
use crate::monitor::StageMonitor;
use crate::stages::{CheckResult, Environment, StageError, take_checks};
use crate::store::{Conditions, SharedStore, create_idempotent};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Every selected stage is fresh now.
    Ok,
    /// A stage failed.
    Failed,
    /// A signal stopped it.
    Interrupted,
}

impl RunStatus {
    /// As records spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The record of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunRecord {
    /// Identity of the run.
    pub run: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Version of the program.
    pub version: String,
    /// When it began, in UTC.
    pub started: String,
    /// Date of the catalogue dump, where the configuration says it.
    #[serde(default)]
    pub dump_date: Option<String>,
    /// How long it took.
    pub elapsed_ms: u64,
    /// How it ended.
    pub status: RunStatus,
    /// Exit code of the process.
    pub exit_code: u8,
    /// What went wrong.
    pub error: Option<String>,
    /// The stage that it went wrong in.
    #[serde(default)]
    pub failed_stage: Option<String>,
    /// The device that models ran on, if any did.
    pub device: Option<DeviceRecord>,
    /// Rows that all text stages together cleaned and vectorised per second, where they made any.
    pub text_rows_per_s: Option<f64>,
    /// Images decoded per second, where any were.
    pub images_per_s: Option<f64>,
    /// The stores that it wrote to, by what they are for.
    #[serde(default)]
    pub stores: BTreeMap<String, StoreRecord>,
    /// Peak resident set size of the process.
    pub peak_rss_bytes: u64,
    /// The stages in order.
    pub stages: Vec<StageRecord>,
    /// Stages that the configuration leaves out, and why.
    #[serde(default)]
    pub skipped: BTreeMap<String, String>,
}

/// A store that a run wrote to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoreRecord {
    /// Its root, without credentials.
    pub url: String,
    /// Which conditions on writes it honours; `None` where that could not be found out.
    pub conditional_writes: Option<Conditions>,
    /// Whether the configuration says that nobody else writes there.
    pub single_writer: bool,
}

impl StoreRecord {
    pub(super) fn of_all(environment: &Environment) -> BTreeMap<String, Self> {
        let stores = [
            ("checkpoints", &environment.checkpoints),
            ("sink", &environment.sink),
        ];
        let of = |(name, store): (&str, &SharedStore)| {
            let record = Self {
                url: store.url().to_owned(),
                conditional_writes: store.conditions().ok(),
                single_writer: environment.config.single_writer,
            };
            (name.to_owned(), record)
        };
        stores.into_iter().map(of).collect()
    }
}

/// The device that models ran on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// `cpu` or `cuda:N`.
    pub name: String,
    /// What it is sold as.
    #[serde(default)]
    pub model: String,
    /// Model of the CPU, and its vector instructions that LibTorch uses.
    pub cpu_type: String,
    /// Threads of one operation.
    pub threads: usize,
    /// In which numbers it multiplied: `full` is `f32`; a stage that says otherwise in its summary did so.
    #[serde(default)]
    pub precision: String,
}

impl DeviceRecord {
    pub(super) fn of(runtime: &Runtime) -> Self {
        Self {
            name: runtime.name(),
            model: runtime.model(),
            cpu_type: runtime.cpu_type().to_owned(),
            threads: runtime.threads(),
            precision: "full".to_owned(),
        }
    }
}

/// What became of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// Nothing was to be done.
    Fresh,
    /// It ran to its end.
    Ran,
    /// It failed, or was stopped.
    Failed,
}

/// The record of one stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageRecord {
    /// Name of the stage.
    pub stage: String,
    /// What became of it.
    pub status: StageStatus,
    /// Identity of its inputs.
    pub fingerprint: Fingerprint,
    /// Of a fresh stage: the run that made its checkpoint, where a recent record tells.
    #[serde(default)]
    pub made_by: Option<String>,
    /// Why it ran.
    pub reason: Option<DirtyReason>,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Most memory that the whole process held meanwhile; other stages may have run beside it.
    #[serde(default)]
    pub peak_rss_bytes: u64,
    /// Rows (or epochs) that it worked on in this run.
    pub done: u64,
    /// What `done` counts.
    pub unit: String,
    /// The same per second.
    pub done_per_s: f64,
    /// Images that were decoded, or went through a network.
    pub images: u64,
    /// Images whose features were known before.
    #[serde(default)]
    pub images_reused: u64,
    /// The first epoch that it ran, where it went on from an epoch snapshot of an earlier run.
    #[serde(default)]
    pub resumed_at_epoch: Option<u64>,
    /// What it computed on, where it used LibTorch.
    #[serde(default)]
    pub device: Option<DeviceRecord>,
    /// Parts that it made.
    pub parts_made: u64,
    /// Parts of earlier runs that it took over.
    pub parts_taken_over: u64,
    /// Rows of each dataset.
    pub rows: BTreeMap<String, u64>,
    /// What it says of itself.
    pub summary: Map<String, Value>,
    /// What its checks found; of a fresh stage, when it ran.
    pub checks: Vec<CheckResult>,
}

impl StageRecord {
    pub(super) fn begin(stage: &str, fingerprint: &Fingerprint, reason: &DirtyReason) -> Self {
        Self {
            stage: stage.to_owned(),
            status: StageStatus::Failed,
            fingerprint: fingerprint.clone(),
            made_by: None,
            reason: Some(reason.clone()),
            elapsed_ms: 0,
            peak_rss_bytes: 0,
            done: 0,
            unit: "rows".to_owned(),
            done_per_s: 0.0,
            images: 0,
            images_reused: 0,
            resumed_at_epoch: None,
            device: None,
            parts_made: 0,
            parts_taken_over: 0,
            rows: BTreeMap::new(),
            summary: Map::new(),
            checks: Vec::new(),
        }
    }

    pub(super) fn fresh(
        stage: &str,
        fingerprint: &Fingerprint,
        manifest: Option<&Manifest>,
        made_by: Option<String>,
    ) -> Self {
        let mut record = Self::begin(stage, fingerprint, &DirtyReason::Forced);
        record.status = StageStatus::Fresh;
        record.reason = None;
        record.made_by = made_by;
        if let Some(manifest) = manifest {
            record.describe(manifest);
        }
        record
    }

    /// What it published, or found published: the path below the sink, and the rows.
    #[must_use]
    pub fn published(&self) -> Option<(&str, u64)> {
        let path = self.summary.get("path").and_then(Value::as_str)?;
        Some((path, self.summary.get("rows")?.as_u64()?))
    }

    fn describe(&mut self, manifest: &Manifest) {
        let rows = manifest
            .datasets
            .iter()
            .map(|(name, dataset)| (name.clone(), dataset.rows));
        self.rows = rows.collect();
        self.summary.clone_from(&manifest.summary);
        self.checks = take_checks(&mut self.summary);
    }

    pub(super) fn finish(
        &mut self,
        elapsed: Duration,
        monitor: &StageMonitor,
        result: &Result<Manifest, StageError>,
    ) {
        let (done, unit) = monitor.done();
        self.elapsed_ms = millis(elapsed);
        self.done = done;
        unit.clone_into(&mut self.unit);
        self.done_per_s = per_second(done, elapsed);
        self.images = monitor.images();
        self.images_reused = monitor.reused();
        self.resumed_at_epoch = monitor.resumed();
        (self.parts_made, self.parts_taken_over) = monitor.parts();
        if let Ok(manifest) = result {
            self.status = StageStatus::Ran;
            self.describe(manifest);
            self.tell_precision();
        }
    }

    fn tell_precision(&mut self) {
        let said = self.summary.get("precision").and_then(Value::as_str);
        if let (Some(device), Some(precision)) = (&mut self.device, said) {
            precision.clone_into(&mut device.precision);
        }
    }
}

impl RunRecord {
    pub(super) fn begin(run: &str, config: &PipelineConfig) -> Self {
        Self {
            run: run.to_owned(),
            pipeline: config.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: timestamp(SystemTime::now()),
            dump_date: config.dump_date.clone(),
            elapsed_ms: 0,
            status: RunStatus::Ok,
            exit_code: crate::exit_code::OK,
            error: None,
            failed_stage: None,
            device: None,
            text_rows_per_s: None,
            images_per_s: None,
            stores: BTreeMap::new(),
            peak_rss_bytes: 0,
            stages: Vec::new(),
            skipped: config.skipped.clone(),
        }
    }

    pub(super) fn finish(
        &mut self,
        stages: Vec<StageRecord>,
        elapsed: Duration,
        failure: Option<&RunError>,
        runtime: Option<&Runtime>,
        peak_rss_bytes: u64,
    ) {
        self.elapsed_ms = millis(elapsed);
        self.stages = stages;
        self.peak_rss_bytes = peak_rss_bytes;
        self.device = runtime.map(DeviceRecord::of);
        self.text_rows_per_s = self.text_rows_per_s();
        self.images_per_s = self.images_per_s();
        if let Some(failure) = failure {
            self.exit_code = failure.exit_code();
            self.error = Some(chain(failure));
            self.failed_stage = failure.stage().map(str::to_owned);
            self.status = if self.exit_code > crate::exit_code::SIGNAL_BASE {
                RunStatus::Interrupted
            } else {
                RunStatus::Failed
            };
        }
    }

    /// How many stages ended so.
    #[must_use]
    pub fn count(&self, status: StageStatus) -> usize {
        let stages = self.stages.iter();
        stages.filter(|stage| stage.status == status).count()
    }

    /// What was published, or was there already: the path below the sink, and the rows.
    #[must_use]
    pub fn published(&self) -> Option<(&str, u64)> {
        self.stages.iter().find_map(StageRecord::published)
    }

    /// Rows cleaned over the time of cleaning, fitting and vectorising.
    fn text_rows_per_s(&self) -> Option<f64> {
        let ran = |name: &str| {
            self.stages
                .iter()
                .find(|stage| stage.stage == name && stage.status == StageStatus::Ran)
        };
        let cleaned = ran("clean_text")?.done;
        let stages = ["clean_text", "fit_tfidf", "tfidf"];
        let elapsed: u64 = stages
            .iter()
            .filter_map(|name| ran(name))
            .map(|stage| stage.elapsed_ms)
            .sum();
        (cleaned > 0).then(|| per_second(cleaned, Duration::from_millis(elapsed)))
    }

    fn images_per_s(&self) -> Option<f64> {
        let decoded = self
            .stages
            .iter()
            .find(|stage| stage.stage == "decode_images" && stage.images > 0)?;
        Some(per_second(
            decoded.images,
            Duration::from_millis(decoded.elapsed_ms),
        ))
    }

    pub(super) fn write(&self, store: &SharedStore) -> Result<(), RunError> {
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        Ok(create_idempotent(
            &**store,
            &path_of(&self.run),
            &Bytes::from(json),
        )?)
    }
}

/// Where the record of a run lies.
pub(super) fn path_of(run: &str) -> String {
    format!("{RUNS_FOLDER}/{run}.json")
}

/// An error with all its causes on one line, each once.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn per_second(count: u64, elapsed: Duration) -> f64 {
    let rate = count as f64 / elapsed.as_secs_f64().max(1e-3);
    (rate * 10.0).round() / 10.0
}

fn timestamp(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A new run's id: sorts by time, and differs between machines and processes.
#[must_use]
pub fn new_run_id() -> String {
    let now = SystemTime::now();
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seed = format!("{} {}", since.as_nanos(), std::process::id());
    let tail = &blake3::hash(seed.as_bytes()).to_hex()[..6];
    let time = DateTime::<Utc>::from(now).format("%Y%m%dT%H%M%S%3f");
    format!("{time}Z-{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeviceChoice;

    #[test]
    fn a_stage_says_in_which_numbers_it_multiplied() {
        let fingerprint = crate::fingerprint::Fields::default().fingerprint();
        let mut record = StageRecord::begin("lenet", &fingerprint, &DirtyReason::Forced);
        record.tell_precision();
        assert!(record.device.is_none(), "it did not use the device");
        let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
        record.device = Some(DeviceRecord::of(&runtime));
        let precision = |record: &StageRecord| record.device.clone().unwrap().precision;
        record.tell_precision();
        assert_eq!(precision(&record), "full");
        let said = Value::String("mixed".to_owned());
        record.summary.insert("precision".to_owned(), said);
        record.tell_precision();
        assert_eq!(precision(&record), "mixed");
    }
}
