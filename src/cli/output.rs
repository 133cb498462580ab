//! What commands print on standard output.

use super::style::{self, Paint};
use crate::exit_code;
use crate::graph::StageId;
use crate::runner::{Pipeline, RunRecord, StageRecord, StageStatus};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::iter::repeat_n;

/// Prints a text; a closed pipe is an error that the caller knows how to take.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Prints one JSON document.
pub(super) fn print_json(value: &impl serde::Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Rows of text in columns as wide as their widest value.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(|name| (*name).to_owned()).collect()],
        }
    }

    pub(super) fn row<S: Into<String>>(&mut self, values: impl IntoIterator<Item = S>) {
        self.rows.push(values.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| style::width(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(repeat_n(' ', width - style::width(cell) + 2));
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A size in binary units.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration.
pub(super) fn seconds(elapsed_ms: u64) -> String {
    format!("{:.1} s", elapsed_ms as f64 / 1000.0)
}

/// Prints what a run did and what came out.
pub(super) fn print_record(
    record: &RunRecord,
    pipeline: &Pipeline,
    report: Option<&str>,
) -> std::io::Result<()> {
    let ran = |status: StageStatus| {
        record
            .stages
            .iter()
            .filter(|stage| stage.status == status)
            .count()
    };
    let paint = Paint::stdout();
    let mut text = String::new();
    if ran(StageStatus::Ran) > 0 {
        let _ = writeln!(text, "{}", stage_table(record, paint));
    }
    text.push_str(&model_table(record));
    text.push_str(&skipped(&record.skipped));
    if let Some(rate) = record.text_rows_per_s {
        let _ = writeln!(text, "text: {rate:.0} rows/s");
    }
    if let Some(rate) = record.images_per_s {
        let _ = writeln!(text, "images: {rate:.0} images/s");
    }
    for stage in &record.stages {
        if let (Some(path), Some(rows)) = (stage.summary.get("path"), stage.summary.get("rows")) {
            let sink = pipeline
                .environment
                .sink
                .url()
                .trim_start_matches("file://");
            let path = path.as_str().unwrap_or_default();
            let _ = writeln!(text, "predictions: {rows} rows in {sink}/{path}/");
        }
    }
    text.push_str(report.unwrap_or_default());
    let root = pipeline
        .environment
        .checkpoints
        .url()
        .trim_start_matches("file://");
    let _ = writeln!(text, "record: {root}/_runs/{}.json", record.run);
    let _ = writeln!(
        text,
        "run {} {}: {} stages ran, {} fresh, {}, peak memory {}",
        record.run,
        paint.state("ok"),
        ran(StageStatus::Ran),
        ran(StageStatus::Fresh),
        seconds(record.elapsed_ms),
        bytes(record.peak_rss_bytes),
    );
    print(&text)
}

/// What became of a run that failed, on one line; `resume` is the command that goes on.
pub(super) fn failure_line(
    run: &str,
    exit_code: u8,
    record: Option<&RunRecord>,
    elapsed_ms: u64,
    resume: &str,
) -> String {
    let ended = match exit_code.checked_sub(exit_code::SIGNAL_BASE) {
        Some(signal) if signal > 0 => format!("stopped by signal {signal}"),
        _ => "failed".to_owned(),
    };
    let stage = record.and_then(|record| record.failed_stage.as_deref());
    let at = stage.map_or_else(String::new, |stage| format!(" at stage {stage}"));
    let elapsed = seconds(elapsed_ms);
    let done = match record {
        None => "nothing ran".to_owned(),
        Some(record) => {
            let (ran, fresh) = (
                record.count(StageStatus::Ran),
                record.count(StageStatus::Fresh),
            );
            format!("{ran} stages ran, {fresh} fresh")
        }
    };
    let is_mistake = [exit_code::USAGE, exit_code::CONFIG].contains(&exit_code);
    let then = if is_mistake {
        String::new()
    } else {
        format!(", resume with: {resume}")
    };
    format!("run {run} {ended} (exit {exit_code}){at} after {elapsed}: {done}{then}\n")
}

/// The stages that are left out, a line each.
pub(super) fn skipped(stages: &BTreeMap<StageId, String>) -> String {
    let mut text = String::new();
    for (stage, reason) in stages {
        let _ = writeln!(text, "skipped: {stage} ({reason})");
    }
    text
}

fn stage_table(record: &RunRecord, paint: Paint) -> Table {
    let mut table = Table::new(&["stage", "state", "time", "work", "parts made", "taken over"]);
    for stage in &record.stages {
        let is_fresh = stage.status == StageStatus::Fresh;
        let dash = || "-".to_owned();
        let work = || match (stage.images_reused, stage.resumed_at_epoch) {
            (0, None) => format!("{} {}", stage.done, stage.unit),
            (0, Some(epoch)) => format!("{} {}, from epoch {epoch}", stage.done, stage.unit),
            (known, _) => format!("{} {}, {known} images known", stage.done, stage.unit),
        };
        table.row([
            stage.stage.clone(),
            paint.state(if is_fresh { "fresh" } else { "ran" }),
            if is_fresh {
                dash()
            } else {
                seconds(stage.elapsed_ms)
            },
            if is_fresh || stage.done == 0 {
                dash()
            } else {
                work()
            },
            if is_fresh {
                dash()
            } else {
                stage.parts_made.to_string()
            },
            if is_fresh {
                dash()
            } else {
                stage.parts_taken_over.to_string()
            },
        ]);
    }
    table
}

/// Scores of the models, the best one marked: on the test rows that a model answers for, and on all validation rows,
/// where a row without an answer is a wrong one.
pub(super) fn model_table(record: &RunRecord) -> String {
    let scores = |stage: &'_ StageRecord| {
        Some((
            stage.summary.get("models")?.clone(),
            stage.summary.get("best").cloned(),
        ))
    };
    let Some((Value::Object(models), best)) = record.stages.iter().find_map(scores) else {
        return String::new();
    };
    let mut table = Table::new(&[
        "model",
        "weighted F1 (test)",
        "test rows",
        "weighted F1 (validation, all rows)",
        "",
    ]);
    for (name, scores) in &models {
        let score = |key: &str| format!("{:.4}", scores[key].as_f64().unwrap_or_default());
        let is_best = best.as_ref().and_then(Value::as_str) == Some(name);
        table.row([
            name.clone(),
            score("test_f1"),
            scores["test_rows"].to_string(),
            score("selection_f1"),
            if is_best {
                "best".to_owned()
            } else {
                String::new()
            },
        ]);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_needed() {
        let mut table = Table::new(&["a", "long name"]);
        table.row(["wide value", "é"]);
        assert_eq!(table.to_string(), "a           long name\nwide value  é\n");
    }

    #[test]
    fn colours_do_not_widen_columns() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["\u{1b}[32mfresh\u{1b}[0m", "x"]);
        assert_eq!(table.to_string(), "a      b\n\u{1b}[32mfresh\u{1b}[0m  x\n");
    }

    #[test]
    fn a_run_that_failed_says_how_to_go_on() {
        assert_eq!(
            failure_line("r", 14, None, 1234, "rayonnage run"),
            "run r failed (exit 14) after 1.2 s: nothing ran, resume with: rayonnage run\n"
        );
        assert_eq!(
            failure_line("r", 143, None, 0, "x"),
            "run r stopped by signal 15 (exit 143) after 0.0 s: nothing ran, resume with: x\n"
        );
        assert_eq!(
            failure_line("r", 10, None, 0, "x"),
            "run r failed (exit 10) after 0.0 s: nothing ran\n"
        );
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
    }
}
