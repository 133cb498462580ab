//! `rayonnage gc`: what of the checkpoints nobody needs any more, and its deletion.

use super::args::{Common, GcArguments};
use super::output::{Table, bytes, print, print_json};
use super::{CommandError, run, setup};
use crate::cancel::CancelToken;
use crate::checkpoint::gc::{Decision, Garbage, Kept, KeptFor, Subject};
use crate::monitor::Monitor;
use crate::runner::{Collected, GcOptions, collect_garbage};
use serde::Serialize;
use std::fmt::Write as _;

/// The `--json` document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    decision: &'a Decision,
    freed_bytes: u64,
    /// How many groups of `garbage` are gone, from the first; null where `--delete` was not given.
    deleted: Option<usize>,
}

/// Says what would be deleted, or deletes it.
pub(super) fn gc(common: &Common, arguments: &GcArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let cancel = CancelToken::default();
    let access = if arguments.delete {
        run::listen(&cancel)?;
        setup::Access::Collect
    } else {
        setup::Access::Read
    };
    let pipeline = setup::pipeline(common, access, setup::cores(), cancel.clone())?;
    let options = GcOptions {
        keep_runs: usize::from(arguments.keep_runs),
        keep_records: usize::from(arguments.keep_records),
        delete: arguments.delete,
    };
    let collected = collect_garbage(&pipeline, &options)?;
    if arguments.json {
        print_json(&Document {
            decision: &collected.decision,
            freed_bytes: freed_bytes(&collected),
            deleted: collected.deleted,
        })?;
    } else {
        print(&describe(&collected))?;
    }
    match (cancel.signal(), collected.deleted) {
        (Some(signal), Some(gone)) if gone < collected.decision.garbage.len() => {
            Err(CommandError::Interrupted { signal })
        }
        _ => Ok(()),
    }
}

/// Bytes given back, or that would be.
fn freed_bytes(collected: &Collected) -> u64 {
    let garbage = &collected.decision.garbage;
    let count = collected.deleted.unwrap_or(garbage.len());
    let gone = garbage[..count].iter();
    gone.map(|group| group.freed_bytes).sum()
}

fn describe(collected: &Collected) -> String {
    let decision = &collected.decision;
    let mut text = String::new();
    let table = checkpoint_table(&decision.garbage);
    if !table.is_empty() {
        let _ = writeln!(text, "{table}");
    }
    let records = |group: &&Garbage| matches!(group.subject, Subject::Record { .. });
    let reports = |group: &&Garbage| matches!(group.subject, Subject::Report { .. });
    let garbage = || decision.garbage.iter();
    text.push_str(&sum(garbage().filter(records), "run record"));
    text.push_str(&sum(garbage().filter(reports), "report"));
    text.push_str(&kept(decision));
    if !decision.unknown.is_empty() {
        let (count, first) = (decision.unknown.len(), &decision.unknown[0]);
        let count = counted(count, "object");
        let _ = writeln!(text, "left alone: {count} of other origin, such as {first}");
    }
    text.push_str(&conclusion(collected));
    text
}

/// How many there are of something, and their bytes; empty where there is none.
fn sum<'a>(groups: impl Iterator<Item = &'a Garbage>, what: &str) -> String {
    let sizes: Vec<u64> = groups.map(|group| group.bytes).collect();
    match sizes.len() {
        0 => String::new(),
        count => format!("{}, {}\n", counted(count, what), bytes(sizes.iter().sum())),
    }
}

/// The checkpoints that go; empty where none does.
fn checkpoint_table(garbage: &[Garbage]) -> String {
    let header = ["stage", "checkpoint", "state", "objects", "size", "frees"];
    let mut table = Table::new(&header);
    let mut is_empty = true;
    for group in garbage {
        let (stage, fingerprint, completeness) = match &group.subject {
            Subject::Checkpoint {
                stage,
                fingerprint,
                is_complete,
            } => (stage, fingerprint, state_of(*is_complete)),
            Subject::Leftovers { stage, fingerprint } => (stage, fingerprint, "leftovers"),
            Subject::Record { .. } | Subject::Report { .. } => continue,
        };
        is_empty = false;
        table.row([
            stage.as_str(),
            fingerprint.as_str().get(..12).unwrap_or_default(),
            completeness,
            &group.objects.to_string(),
            &bytes(group.bytes),
            &bytes(group.freed_bytes),
        ]);
    }
    if is_empty {
        return String::new();
    }
    table.to_string()
}

fn state_of(is_complete: bool) -> &'static str {
    if is_complete {
        "complete"
    } else {
        "unfinished"
    }
}

/// What stays, by reason.
fn kept(decision: &Decision) -> String {
    const REASONS: [(KeptFor, &str); 5] = [
        (KeptFor::Present, "of the present configuration"),
        (KeptFor::Run, "used by the latest runs"),
        (KeptFor::NewestOfStage, "the newest of their stages"),
        (KeptFor::MayGoOn, "perhaps gone on with"),
        (KeptFor::NoRecordYet, "newer than the last run record"),
    ];
    let count = |reason: &KeptFor| {
        let is_for = |kept: &&Kept| kept.kept_for == *reason;
        decision.kept.iter().filter(is_for).count()
    };
    let reasons = REASONS.iter().map(|(reason, text)| (count(reason), text));
    let reasons: Vec<String> = reasons
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| format!("{count} {text}"))
        .collect();
    let reasons = if reasons.is_empty() {
        String::new()
    } else {
        format!(" ({})", reasons.join(", "))
    };
    format!(
        "kept: {}{reasons}, {}, {}\n",
        counted(decision.kept.len(), "checkpoint"),
        counted(decision.kept_records.len(), "run record"),
        counted(decision.kept_reports.len(), "report"),
    )
}

fn conclusion(collected: &Collected) -> String {
    let garbage = &collected.decision.garbage;
    let freed = bytes(freed_bytes(collected));
    match collected.deleted {
        _ if garbage.is_empty() => "nothing to delete\n".to_owned(),
        None => format!("would free {freed}; nothing is deleted without --delete\n"),
        Some(gone) if gone < garbage.len() => format!("stopped; freed at least {freed}\n"),
        Some(_) => format!("freed {freed}\n"),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
