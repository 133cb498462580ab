//! What stands at the top of the page.

use crate::report::data::{Catalogue, Models, Overview};
use crate::report::sources::Sources;
use crate::runner::RunStatus;
use crate::schema::{LABELLED, REJECTS, UNLABELLED};
use serde_json::Value;

/// Reads the section.
pub(super) fn overview(
    sources: &Sources<'_>,
    catalogue: Option<&Catalogue>,
    models: &Models,
) -> Overview {
    let record = sources.record;
    let rows = |dataset: &str| {
        let ingest = sources.main("ingest");
        ingest
            .and_then(|(_, reader)| Some(reader.manifest().datasets.get(dataset)?.rows))
            .unwrap_or(0)
    };
    let published = sources
        .main("publish")
        .map(|(_, reader)| &reader.manifest().summary);
    let categories = catalogue.map_or(0, |catalogue| catalogue.categories.len());
    let chosen = models
        .scores
        .iter()
        .find(|score| score.model == models.chosen);
    let status = match record.status {
        RunStatus::Ok => "ok",
        RunStatus::Failed => "failed",
        RunStatus::Interrupted => "interrupted",
    };
    Overview {
        pipeline: record.pipeline.clone(),
        version: record.version.clone(),
        run: record.run.clone(),
        started: record.started.clone(),
        status: status.to_owned(),
        error: record.error.clone(),
        dump_date: record.dump_date.clone(),
        labelled: rows(LABELLED),
        unlabelled: rows(UNLABELLED),
        categories,
        model: (!models.chosen.is_empty()).then(|| models.chosen.clone()),
        test_f1: chosen.map(|score| score.test_f1),
        chance: (categories > 0).then(|| 1.0 / categories as f64),
        published: published.and_then(|summary| summary.get("rows")?.as_u64()),
        published_at: published
            .and_then(|summary| summary.get("path").and_then(Value::as_str))
            .map(str::to_owned),
        rejects: rows(REJECTS),
        elapsed_ms: record.elapsed_ms,
        peak_rss_bytes: record.peak_rss_bytes,
        device: record.device.as_ref().map(|device| {
            let model = if device.model.is_empty() {
                &device.cpu_type
            } else {
                &device.model
            };
            format!("{} ({model})", device.name)
        }),
    }
}
