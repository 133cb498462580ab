//! Metrics of the last run, in a file for the textfile collector of Prometheus' node exporter.
//!
//! The file is written aside and renamed, so that the collector never reads half of one. It is written whether the run ended well or not,
//! also by one that did not get the checkpoints; the time of the last success is kept from the file before.

use super::exposition::{Exposition, find};
use crate::config::PipelineConfig;
use crate::runner::{RunRecord, RunStart, StageRecord, StageStatus};
use crate::stages::CheckResult;
use chrono::NaiveDate;
use serde_json::Value;
use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LAST_SUCCESS: &str = "rayonnage_last_success_timestamp_seconds";

/// Collects what a run tells, and writes the file at its end.
#[derive(Debug)]
pub(super) struct Metrics {
    path: PathBuf,
    pipeline: String,
    dump_date: Option<String>,
    started: SystemTime,
    /// Stages that were selected.
    stages: usize,
    /// Whether all stages of the pipeline were.
    is_whole: bool,
    record: Option<RunRecord>,
}

impl Metrics {
    /// `None` where the configuration names no file.
    pub(super) fn begin(config: &PipelineConfig) -> Option<Self> {
        let path = &config.metrics.textfile;
        (!path.is_empty()).then(|| Self {
            path: path.into(),
            pipeline: config.name.clone(),
            dump_date: config.dump_date.clone(),
            started: SystemTime::now(),
            stages: 0,
            is_whole: false,
            record: None,
        })
    }

    pub(super) fn run_started(&mut self, start: &RunStart<'_>) {
        self.stages = start.stages.len();
        self.is_whole = start.is_whole();
        // That of the sample catalogue is found with its store.
        let config = &start.pipeline.environment.config;
        self.dump_date.clone_from(&config.dump_date);
    }

    pub(super) fn run_ended(&mut self, record: &RunRecord) {
        self.record = Some(record.clone());
    }

    /// Writes the file.
    pub(super) fn finish(self, exit_code: u8) {
        let before = std::fs::read_to_string(&self.path).unwrap_or_default();
        let text = self.render(exit_code, SystemTime::now(), &before);
        if let Err(error) = write_aside(&self.path, &text) {
            tracing::warn!(path = %self.path.display(), %error, "cannot write the metrics");
        }
    }

    /// The text of the file; `before` is that of the run before.
    fn render(&self, exit_code: u8, ended: SystemTime, before: &str) -> String {
        let mut out = Exposition::with_labels(&[("pipeline", &self.pipeline)]);
        let version = env!("CARGO_PKG_VERSION");
        out.family("rayonnage_build_info", "The program that ran; always 1.")
            .sample(&[("version", version)], 1.0);
        self.add_run(&mut out, exit_code, ended);
        let series = out.series(LAST_SUCCESS, &[]);
        let success = if exit_code == 0 && self.is_whole {
            Some(seconds(ended))
        } else {
            find(before, &series)
        };
        if let Some(success) = success {
            let help = "When a run of the whole pipeline last ended well.";
            out.family(LAST_SUCCESS, help).sample(&[], success);
        }
        if let Some(record) = &self.record {
            self.add_stages(&mut out, record);
            add_data(&mut out, record);
            add_checks(&mut out, record);
            add_models(&mut out, record);
        }
        out.into_text()
    }

    fn add_run(&self, out: &mut Exposition, exit_code: u8, ended: SystemTime) {
        let duration = ended.duration_since(self.started).unwrap_or_default();
        for (name, help, value) in [
            (
                "rayonnage_run_start_timestamp_seconds",
                "When the last run began.",
                Some(seconds(self.started)),
            ),
            (
                "rayonnage_run_end_timestamp_seconds",
                "When the last run ended.",
                Some(seconds(ended)),
            ),
            (
                "rayonnage_run_duration_seconds",
                "How long the last run took.",
                Some(rounded(duration)),
            ),
            (
                "rayonnage_run_exit_code",
                "Exit code of the last run: 0 where it ended well.",
                Some(f64::from(exit_code)),
            ),
            (
                "rayonnage_dump_date_timestamp_seconds",
                "Midnight, UTC, of the date of the dump.",
                self.dump_date.as_deref().and_then(midnight),
            ),
            (
                "rayonnage_run_peak_resident_memory_bytes",
                "Most memory that the process held.",
                self.of_record(|record| record.peak_rss_bytes as f64),
            ),
            (
                "rayonnage_text_rows_per_second",
                "Rows cleaned and vectorised a second, where any were.",
                self.record
                    .as_ref()
                    .and_then(|record| record.text_rows_per_s),
            ),
            (
                "rayonnage_images_per_second",
                "Images decoded a second, where any were.",
                self.record.as_ref().and_then(|record| record.images_per_s),
            ),
        ] {
            if let Some(value) = value {
                out.family(name, help).sample(&[], value);
            }
        }
    }

    fn of_record(&self, value: impl Fn(&RunRecord) -> f64) -> Option<f64> {
        self.record.as_ref().map(value)
    }

    fn add_stages(&self, out: &mut Exposition, record: &RunRecord) {
        let count = |status| record.count(status);
        let mut family = out.family(
            "rayonnage_run_stages",
            "Stages of the last run, by what became of them.",
        );
        for (state, count) in [
            ("ran", count(StageStatus::Ran)),
            ("fresh", count(StageStatus::Fresh)),
            ("failed", count(StageStatus::Failed)),
            (
                "not_reached",
                self.stages.saturating_sub(record.stages.len()),
            ),
            ("skipped", record.skipped.len()),
        ] {
            family.sample(&[("state", state)], count as f64);
        }
        let mut family = out.family(
            "rayonnage_stage_duration_seconds",
            "How long each stage took that was not fresh.",
        );
        let at_work = record.stages.iter();
        for stage in at_work.filter(|stage| stage.status != StageStatus::Fresh) {
            let duration = Duration::from_millis(stage.elapsed_ms);
            family.sample(&[("stage", &stage.stage)], rounded(duration));
        }
    }
}

/// Rows, rejects, images, and what was published.
fn add_data(out: &mut Exposition, record: &RunRecord) {
    let mut family = out.family(
        "rayonnage_dataset_rows",
        "Rows of each dataset of the stages that are complete.",
    );
    for stage in &record.stages {
        for (dataset, rows) in &stage.rows {
            let labels = [("stage", stage.stage.as_str()), ("dataset", dataset)];
            family.sample(&labels, *rows as f64);
        }
    }
    for (name, help, key, label) in [
        (
            "rayonnage_rejected_rows",
            "Bad rows of the source that were put aside, by reason.",
            "rejects",
            "reason",
        ),
        (
            "rayonnage_images",
            "Rows by what became of their image.",
            "image_status",
            "status",
        ),
    ] {
        let mut family = out.family(name, help);
        for stage in &record.stages {
            for (value, rows) in counts(stage, key) {
                let labels = [("stage", stage.stage.as_str()), (label, value)];
                family.sample(&labels, rows);
            }
        }
    }
    if let Some((_, rows)) = record.published() {
        let help = "Rows of the publication that the last run made or found.";
        out.family("rayonnage_published_rows", help)
            .sample(&[], rows as f64);
    }
}

/// Numbers by name in the summary of a stage.
fn counts<'a>(stage: &'a StageRecord, key: &str) -> impl Iterator<Item = (&'a str, f64)> {
    let counts = stage.summary.get(key).and_then(Value::as_object);
    let counts = counts.into_iter().flatten();
    counts.filter_map(|(name, count)| Some((name.as_str(), count.as_f64()?)))
}

fn add_checks(out: &mut Exposition, record: &RunRecord) {
    let mut family = out.family(
        "rayonnage_check_rows",
        "Rows that break the rule of each check.",
    );
    for stage in &record.stages {
        for CheckResult {
            check,
            severity,
            rows,
            ..
        } in &stage.checks
        {
            let labels = [
                ("stage", stage.stage.as_str()),
                ("check", check),
                ("severity", severity.as_str()),
            ];
            family.sample(&labels, *rows as f64);
        }
    }
}

/// Scores of `evaluate`.
fn add_models(out: &mut Exposition, record: &RunRecord) {
    let evaluations = || {
        record.stages.iter().filter_map(|stage| {
            let models = stage.summary.get("models")?.as_object()?;
            Some((stage, models))
        })
    };
    let mut family = out.family(
        "rayonnage_model_weighted_f1",
        "Weighted F1 of each model, 0 to 1: on the test rows that it answers for, and on all validation rows.",
    );
    for (stage, models) in evaluations() {
        for (model, scores) in models {
            for (fold, key) in [("test", "test_f1"), ("validation", "selection_f1")] {
                if let Some(score) = scores.get(key).and_then(Value::as_f64) {
                    let labels = [("stage", &*stage.stage), ("model", model), ("fold", fold)];
                    family.sample(&labels, score);
                }
            }
        }
    }
    let mut family = out.family(
        "rayonnage_best_model_weighted_f1",
        "Weighted F1 of the model that is best on the validation rows.",
    );
    for (stage, models) in evaluations() {
        let Some(best) = stage.summary.get("best").and_then(Value::as_str) else {
            continue;
        };
        for (fold, key) in [("test", "test_f1"), ("validation", "selection_f1")] {
            let scores = models.get(best).and_then(|scores| scores.get(key));
            if let Some(score) = scores.and_then(Value::as_f64) {
                let labels = [("stage", &*stage.stage), ("model", best), ("fold", fold)];
                family.sample(&labels, score);
            }
        }
    }
}

/// Seconds since 1970, in thousandths.
fn seconds(time: SystemTime) -> f64 {
    rounded(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn rounded(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1000.0
}

fn midnight(date: &str) -> Option<f64> {
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp() as f64)
}

fn write_aside(path: &Path, text: &str) -> std::io::Result<()> {
    // Not `.prom`: the collector would read it.
    let aside = path.with_extension(format!("prom.{}", std::process::id()));
    let written = File::create(&aside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            // The collector is another user, and a service may have a strict mask.
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&aside, path));
    if written.is_err() {
        // What is left is of no use, and may not be there at all.
        let _ = std::fs::remove_file(&aside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(is_whole: bool) -> Metrics {
        Metrics {
            path: PathBuf::new(),
            pipeline: "p".to_owned(),
            dump_date: Some("2026-11-20".to_owned()),
            started: UNIX_EPOCH + Duration::from_millis(1_500),
            stages: 3,
            is_whole,
            record: None,
        }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_last_success_outlives_failures_and_parts_of_the_pipeline() {
        let success = r#"rayonnage_last_success_timestamp_seconds{pipeline="p"}"#;
        let first = metrics(true).render(0, at(10), "");
        assert_eq!(find(&first, success), Some(10.0));
        let failed = metrics(true).render(11, at(20), &first);
        assert_eq!(find(&failed, success), Some(10.0));
        let partly = metrics(false).render(0, at(30), &failed);
        assert_eq!(find(&partly, success), Some(10.0));
        let again = metrics(true).render(0, at(40), &partly);
        assert_eq!(find(&again, success), Some(40.0));
        assert_eq!(find(&metrics(true).render(11, at(20), ""), success), None);
    }

    #[test]
    fn a_run_without_record_tells_when_and_how_it_ended() {
        let text = metrics(true).render(14, at(10), "");
        for (name, value) in [
            ("rayonnage_run_start_timestamp_seconds", 1.5),
            ("rayonnage_run_end_timestamp_seconds", 10.0),
            ("rayonnage_run_duration_seconds", 8.5),
            ("rayonnage_run_exit_code", 14.0),
            ("rayonnage_dump_date_timestamp_seconds", 1_795_132_800.0),
        ] {
            assert_eq!(
                find(&text, &format!("{name}{{pipeline=\"p\"}}")),
                Some(value),
                "{name}"
            );
        }
        assert!(!text.contains("rayonnage_run_stages"), "{text}");
    }

    #[test]
    fn the_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.prom");
        write_aside(&path, "one\n").unwrap();
        write_aside(&path, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        assert!(write_aside(&folder.path().join("no/a.prom"), "x").is_err());
        std::fs::create_dir(folder.path().join("b.prom")).unwrap();
        assert!(write_aside(&folder.path().join("b.prom"), "x").is_err());
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "nothing is left aside");
    }
}
