//! `rayonnage runs`: what earlier runs did, one of them, or two side by side.

use super::args::{Common, RunsArguments};
use super::output::{self, Table, bytes, print, print_json, seconds};
use super::style::{Paint, Tone};
use super::{CommandError, setup};
use crate::history::{Comparison, History, ModelScores, RunSummary, StageTime, compare};
use crate::monitor::Monitor;
use crate::runner::{RunRecord, RunStatus, StageStatus};
use serde::Serialize;
use std::fmt::Write as _;

/// A run of the list; of one whose record cannot be read only the id and why.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Listed {
    Read(Box<RunSummary>),
    Unreadable { run: String, unreadable: String },
}

/// Prints the list of runs, one run, or two side by side.
pub(super) fn runs(common: &Common, arguments: &RunsArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let (config, _) = setup::configuration(common)?;
    let store = setup::checkpoints(&config, setup::Access::Read)?;
    let history = History::open(store)?;
    let names: Vec<&str> = arguments.runs.iter().map(String::as_str).collect();
    let records = history.named(&names)?;
    match &records[..] {
        [] => list(&history, arguments),
        [record] if arguments.json => Ok(print_json(record)?),
        [record] => Ok(print(&describe(record))?),
        [old, new, ..] => {
            let compared = compare(old, new);
            if arguments.json {
                return Ok(print_json(&compared)?);
            }
            Ok(print(&side_by_side(&compared))?)
        }
    }
}

fn list(history: &History, arguments: &RunsArguments) -> Result<(), CommandError> {
    let newest = history.newest(arguments.limit);
    let listed = newest.into_iter().map(|(run, record)| match record {
        Ok(record) => Listed::Read(Box::new(RunSummary::of(&record))),
        Err(error) => Listed::Unreadable {
            run: run.to_owned(),
            unreadable: error.to_string(),
        },
    });
    let listed: Vec<Listed> = listed.collect();
    if arguments.json {
        return Ok(print_json(&listed)?);
    }
    if listed.is_empty() {
        return Ok(print("no run yet\n")?);
    }
    let mut table = Table::new(&[
        "run",
        "status",
        "time",
        "ran",
        "fresh",
        "products",
        "published",
        "best model",
        "weighted F1",
    ]);
    for run in &listed {
        match run {
            Listed::Read(summary) => table.row(row_of(summary)),
            Listed::Unreadable { run, .. } => table.row([run.as_str(), "record cannot be read"]),
        }
    }
    let more = history.runs().count().saturating_sub(listed.len());
    let more = match more {
        0 => String::new(),
        more => format!("{more} earlier; see --limit\n"),
    };
    Ok(print(&format!("{table}{more}"))?)
}

fn row_of(summary: &RunSummary) -> [String; 9] {
    [
        summary.run.clone(),
        status_of(summary),
        seconds(summary.elapsed_ms),
        summary.stages_ran.to_string(),
        summary.stages_fresh.to_string(),
        or_dash(summary.product_rows),
        or_dash(summary.published_rows),
        summary.best_model.clone().unwrap_or_else(|| "-".to_owned()),
        summary
            .best_test_f1
            .map_or_else(|| "-".to_owned(), |f1| format!("{f1:.4}")),
    ]
}

fn or_dash(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn status_of(summary: &RunSummary) -> String {
    let paint = Paint::stdout();
    match summary.status {
        RunStatus::Ok => paint.tone(Tone::Good, "ok"),
        RunStatus::Failed => paint.tone(Tone::Bad, &format!("failed, {}", summary.exit_code)),
        RunStatus::Interrupted => {
            paint.tone(Tone::Pending, &format!("stopped, {}", summary.exit_code))
        }
    }
}

/// One run in detail.
fn describe(record: &RunRecord) -> String {
    let summary = RunSummary::of(record);
    let mut text = format!(
        "run {} of {} began {}\n{}, {}, peak memory {}, version {}\n",
        record.run,
        record.pipeline,
        record.started,
        status_of(&summary),
        seconds(record.elapsed_ms),
        bytes(record.peak_rss_bytes),
        record.version,
    );
    if let Some(error) = &record.error {
        let _ = writeln!(text, "error: {error}");
    }
    if let Some(device) = &record.device {
        let _ = writeln!(
            text,
            "device: {} ({}), {} threads",
            device.name, device.cpu_type, device.threads
        );
    }
    let _ = writeln!(text, "\n{}", stage_table(record));
    text.push_str(&output::model_table(record));
    text.push_str(&output::skipped(&record.skipped));
    for stage in &record.stages {
        for check in stage.checks.iter().filter(|check| check.rows > 0) {
            let _ = writeln!(
                text,
                "check {} of {}: {} rows",
                check.check, stage.stage, check.rows
            );
        }
    }
    text
}

fn stage_table(record: &RunRecord) -> Table {
    let paint = Paint::stdout();
    let mut table = Table::new(&["stage", "state", "time", "rows", "checkpoint", "why"]);
    for stage in &record.stages {
        let rows = stage
            .rows
            .iter()
            .map(|(name, rows)| format!("{name} {rows}"));
        let rows = rows.collect::<Vec<_>>().join(", ");
        let (state, time) = state_of(Some(&StageTime {
            status: stage.status,
            elapsed_ms: stage.elapsed_ms,
        }));
        table.row([
            stage.stage.as_str(),
            &paint.state(state),
            &time,
            if rows.is_empty() { "-" } else { &rows },
            stage.fingerprint.as_str().get(..12).unwrap_or_default(),
            &stage
                .reason
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ]);
    }
    table
}

fn state_of(time: Option<&StageTime>) -> (&'static str, String) {
    match time {
        None => ("-", "-".to_owned()),
        Some(time) => match time.status {
            StageStatus::Fresh => ("fresh", "-".to_owned()),
            StageStatus::Ran => ("ran", seconds(time.elapsed_ms)),
            StageStatus::Failed => ("failed", seconds(time.elapsed_ms)),
        },
    }
}

/// Two runs side by side.
fn side_by_side(compared: &Comparison) -> String {
    let mut text = format!("{}\n", summary_table(&compared.old, &compared.new));
    if !compared.models.is_empty() {
        let _ = writeln!(text, "{}", score_table(compared));
    }
    let _ = writeln!(text, "{}", time_table(compared));
    text.push_str(&rows_table(compared));
    text
}

fn summary_table(old: &RunSummary, new: &RunSummary) -> Table {
    let mut table = Table::new(&["", &old.run, &new.run, "change"]);
    let mut row = |name: &str, of: &dyn Fn(&RunSummary) -> String, change: String| {
        table.row([name.to_owned(), of(old), of(new), change]);
    };
    row("status", &status_of, String::new());
    row(
        "time",
        &|it| seconds(it.elapsed_ms),
        signed_seconds(old.elapsed_ms, new.elapsed_ms),
    );
    let memory = change_of(old.peak_rss_bytes, new.peak_rss_bytes, bytes);
    row("peak memory", &|it| bytes(it.peak_rss_bytes), memory);
    row(
        "stages that ran",
        &|it| it.stages_ran.to_string(),
        String::new(),
    );
    let both = |of: fn(&RunSummary) -> Option<u64>| {
        let (old, new) = (of(old)?, of(new)?);
        Some(change_of(old, new, |count| count.to_string()))
    };
    row(
        "products",
        &|it| or_dash(it.product_rows),
        both(|it| it.product_rows).unwrap_or_default(),
    );
    row(
        "published",
        &|it| or_dash(it.published_rows),
        both(|it| it.published_rows).unwrap_or_default(),
    );
    let best = |it: &RunSummary| it.best_model.clone().unwrap_or_else(|| "-".to_owned());
    row("best model", &best, String::new());
    table
}

type Score = fn(&ModelScores) -> f64;

/// How much more or less; empty where it is the same.
fn change_of(old: u64, new: u64, shown: impl Fn(u64) -> String) -> String {
    match old.cmp(&new) {
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Less => format!("+{}", shown(new - old)),
        std::cmp::Ordering::Greater => format!("-{}", shown(old - new)),
    }
}

fn signed_seconds(old_ms: u64, new_ms: u64) -> String {
    change_of(old_ms, new_ms, seconds)
}

fn score_table(compared: &Comparison) -> Table {
    let mut table = Table::new(&[
        "model",
        "weighted F1 (test), old",
        "new",
        "change",
        "weighted F1 (validation, all rows), old",
        "new",
        "change",
    ]);
    let both: [Score; 2] = [|scores| scores.test_f1, |scores| scores.selection_f1];
    for model in &compared.models {
        let mut cells = vec![model.model.clone()];
        for score in both {
            let (old, new) = (model.old.as_ref().map(score), model.new.as_ref().map(score));
            let shown = |score: Option<f64>| {
                score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"))
            };
            let change = old.zip(new).map(|(old, new)| new - old);
            let change = change.filter(|change| change.abs() >= 5e-5);
            let change = change.map(|change| format!("{change:+.4}"));
            cells.extend([shown(old), shown(new), change.unwrap_or_default()]);
        }
        table.row(cells);
    }
    table
}

/// Times of the stages of which either run had something to do.
fn time_table(compared: &Comparison) -> Table {
    let mut table = Table::new(&["stage", "time, old", "new", "change", "checkpoint"]);
    let had_work =
        |time: &Option<StageTime>| time.is_some_and(|time| time.status != StageStatus::Fresh);
    for stage in &compared.stages {
        if !had_work(&stage.old)
            && !had_work(&stage.new)
            && stage.old.is_some()
            && stage.new.is_some()
        {
            continue;
        }
        let shown = |time: &Option<StageTime>| match state_of(time.as_ref()) {
            ("failed", time) => format!("{time}, failed"),
            ("ran", time) => time,
            (state, _) => state.to_owned(),
        };
        let change = stage
            .old
            .zip(stage.new)
            .filter(|(old, new)| old.status == StageStatus::Ran && new.status == StageStatus::Ran);
        let change = change.map(|(old, new)| signed_seconds(old.elapsed_ms, new.elapsed_ms));
        let checkpoint = if stage.same_checkpoint {
            "same"
        } else {
            "other"
        };
        table.row([
            stage.stage.clone(),
            shown(&stage.old),
            shown(&stage.new),
            change.unwrap_or_default(),
            checkpoint.to_owned(),
        ]);
    }
    table
}

/// The datasets whose rows are not as many, and how many are.
fn rows_table(compared: &Comparison) -> String {
    let mut table = Table::new(&["dataset", "rows, old", "new", "change"]);
    let mut differing = 0;
    for dataset in &compared.datasets {
        let (old, new) = (dataset.old_rows, dataset.new_rows);
        if old == new {
            continue;
        }
        differing += 1;
        let change = old
            .zip(new)
            .map(|(old, new)| change_of(old, new, |count| count.to_string()));
        table.row([
            format!("{}.{}", dataset.stage, dataset.dataset),
            or_dash(old),
            or_dash(new),
            change.unwrap_or_default(),
        ]);
    }
    let same = compared.datasets.len() - differing;
    match (differing, same) {
        (0, same) => format!("{same} datasets, all with as many rows\n"),
        (_, same) => format!("{table}{same} more datasets with as many rows\n"),
    }
}
