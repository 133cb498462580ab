//! `rayonnage plan`, `status` and `validate`.

use super::args::{Common, SelectionArguments};
use super::output::{Table, bytes, print, skipped};
use super::{CommandError, run, setup};
use crate::cancel::CancelToken;
use crate::checkpoint::Catalog;
use crate::monitor::Monitor;
use crate::plan::{Plan, Status, plan as make_plan};
use crate::runner::{
    Pipeline, RunError, SelectionOptions, gather_facts, last_fingerprints, latest_record, select,
};
use std::fmt::Write as _;

/// Prints which stages would run, and why.
pub(super) fn plan(common: &Common, arguments: &SelectionArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let pipeline = setup::pipeline(
        common,
        setup::Access::Read,
        setup::cores(),
        CancelToken::default(),
    )?;
    let (plan, _) = planned(&pipeline, &run::selection(arguments))?;
    let mut table = Table::new(&["stage", "state", "why"]);
    for (stage, status) in &plan.stages {
        match status {
            Status::Fresh { .. } => table.row([stage.as_str(), "fresh", ""]),
            Status::Dirty { reason, .. } => {
                table.row([stage.as_str(), "dirty", &reason.to_string()]);
            }
        }
    }
    let summary = match plan.dirty_count() {
        0 => "nothing to do".to_owned(),
        dirty => format!(
            "{dirty} of {} stages would run, or may have to",
            plan.stages.len()
        ),
    };
    let skipped = skipped(&pipeline.environment.config.skipped);
    print(&format!("{table}\n{skipped}{summary}\n"))?;
    setup::leave(pipeline);
    Ok(())
}

/// Plans without touching anything.
pub(super) fn planned(
    pipeline: &Pipeline,
    options: &SelectionOptions,
) -> Result<(Plan, Catalog), CommandError> {
    let selection = select(pipeline, options)?;
    let store = pipeline.environment.checkpoints.clone();
    let last = last_fingerprints(&store).map_err(RunError::from)?;
    let catalog = Catalog::new(store, last);
    let facts = gather_facts(pipeline, &selection.stages)?;
    let plan = make_plan(pipeline.dag(), &facts, &selection, &catalog);
    pipeline.environment.save_digests();
    Ok((plan, catalog))
}

/// Prints what there is of each stage.
pub(super) fn status(common: &Common) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let pipeline = setup::pipeline(
        common,
        setup::Access::Read,
        setup::cores(),
        CancelToken::default(),
    )?;
    let (plan, catalog) = planned(&pipeline, &SelectionOptions::default())?;
    let mut table = Table::new(&["stage", "state", "rows", "size", "parts", "checkpoint"]);
    for (stage, status) in &plan.stages {
        let state = if status.is_fresh() { "fresh" } else { "dirty" };
        let fingerprint = match status {
            Status::Fresh { fingerprint } => Some(fingerprint),
            Status::Dirty { .. } => catalog.last(stage),
        };
        let manifest = fingerprint.and_then(|known| catalog.manifest(stage, known).ok().flatten());
        let Some(manifest) = manifest else {
            table.row([stage.as_str(), state, "-", "-", "-", "-"]);
            continue;
        };
        let parts = || {
            manifest
                .datasets
                .values()
                .flat_map(|dataset| &dataset.parts)
        };
        let files: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let rows: Vec<String> = manifest
            .datasets
            .iter()
            .map(|(name, dataset)| format!("{name} {}", dataset.rows))
            .collect();
        table.row([
            stage.as_str(),
            state,
            &rows.join(", "),
            &bytes(files + parts().map(|part| part.bytes).sum::<u64>()),
            &parts().count().to_string(),
            manifest.fingerprint.as_str().get(..12).unwrap_or_default(),
        ]);
    }
    let mut text = table.to_string();
    let skipped = skipped(&pipeline.environment.config.skipped);
    if !skipped.is_empty() {
        let _ = write!(text, "\n{skipped}");
    }
    let last = latest_record(catalog.store()).map_err(RunError::from)?;
    if let Some(record) = last {
        let _ = write!(
            text,
            "\nlast run {} began {}, exit code {}",
            record.run, record.started, record.exit_code
        );
        if let Some(error) = record.error {
            let _ = write!(text, ": {error}");
        }
        text.push('\n');
    }
    print(&text)?;
    setup::leave(pipeline);
    Ok(())
}

/// Checks the configuration and the queries.
pub(super) fn validate(common: &Common) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let (config, queries) = setup::configuration(common)?;
    for check in queries.checks() {
        if !config.skipped.contains_key(&check.stage) && !config.stages.contains_key(&check.stage) {
            tracing::warn!(
                check = check.name,
                stage = check.stage,
                "check of a stage that is not there"
            );
        }
    }
    print(&format!(
        "{}{}: {} stages, {} checks, no mistakes\n",
        skipped(&config.skipped),
        common.config.display(),
        config.stages.len(),
        queries.checks().len()
    ))?;
    Ok(())
}
