//! `rayonnage graph`: who needs whom, and what there is to do.

use super::args::{Common, GraphArguments, GraphFormat};
use super::diagram::{Diagram, class_of};
use super::drawing::{Mark, Style, draw};
use super::output::{print, print_json, skipped};
use super::plan::planned;
use super::style::Paint;
use super::{CommandError, setup};
use crate::cancel::CancelToken;
use crate::config::PipelineConfig;
use crate::fingerprint::{DirtyReason, Fingerprint};
use crate::graph::StageId;
use crate::monitor::Monitor;
use crate::plan::Status;
use crate::runner::SelectionOptions;
use serde::Serialize;
use std::collections::BTreeMap;

/// Columns of the drawing.
const WIDTH: usize = 100;

/// The `--format json` document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    pipeline: &'a str,
    stages: Vec<DocumentStage<'a>>,
    skipped: &'a BTreeMap<StageId, String>,
}

#[derive(Debug, Serialize)]
struct DocumentStage<'a> {
    stage: &'a str,
    kind: &'a str,
    needs: Vec<DocumentNeed<'a>>,
    /// `fresh`, `dirty` or `waiting`; null with `--no-status`.
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a Fingerprint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dirty: Option<&'a DirtyReason>,
}

#[derive(Debug, Serialize)]
struct DocumentNeed<'a> {
    stage: &'a str,
    datasets: &'a [String],
}

/// Draws the graph.
pub(super) fn graph(common: &Common, arguments: &GraphArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let format = if arguments.json {
        GraphFormat::Json
    } else {
        arguments.format
    };
    if arguments.no_status {
        let (config, _) = setup::configuration(common)?;
        return show(&config, &[], format);
    }
    let pipeline = setup::pipeline(
        common,
        setup::Access::Read,
        setup::cores(),
        CancelToken::default(),
    )?;
    let (plan, _) = planned(&pipeline, &SelectionOptions::default())?;
    show(&pipeline.environment.config, &plan.stages, format)
}

fn show(
    config: &PipelineConfig,
    planned: &[(StageId, Status)],
    format: GraphFormat,
) -> Result<(), CommandError> {
    let marks = planned
        .iter()
        .map(|(stage, status)| (stage.clone(), mark_of(status)));
    let marks: BTreeMap<StageId, Mark> = marks.collect();
    let diagram = || Diagram {
        name: &config.name,
        dag: &config.dag,
        kinds: kinds(config),
        marks: &marks,
    };
    match format {
        GraphFormat::Text => {
            let drawn = draw(&config.dag, &marks, style());
            print(&format!("{drawn}{}", skipped(&config.skipped)))?;
        }
        GraphFormat::Mermaid => print(&diagram().mermaid())?,
        GraphFormat::Dot => print(&diagram().dot())?,
        GraphFormat::Json => print_json(&document(config, planned))?,
    }
    Ok(())
}

fn mark_of(status: &Status) -> Mark {
    match status {
        Status::Fresh { .. } => Mark::Fresh,
        Status::Dirty {
            reason: DirtyReason::Upstream { .. },
            ..
        } => Mark::Waiting,
        Status::Dirty { .. } => Mark::Dirty,
    }
}

fn kinds(config: &PipelineConfig) -> BTreeMap<&str, &str> {
    let stages = config.stages.iter();
    stages
        .map(|(id, stage)| (id.as_str(), stage.kind.as_str()))
        .collect()
}

fn document<'a>(config: &'a PipelineConfig, planned: &'a [(StageId, Status)]) -> Document<'a> {
    let kinds = kinds(config);
    let stage = |stage: &'a StageId| {
        let status = planned.iter().find(|(known, _)| known == stage);
        let status = status.map(|(_, status)| status);
        let needs = config.dag.needs(stage).iter().map(|need| DocumentNeed {
            stage: &need.stage,
            datasets: &need.datasets,
        });
        let (fingerprint, dirty) = match status {
            None => (None, None),
            Some(Status::Fresh { fingerprint }) => (Some(fingerprint), None),
            Some(Status::Dirty {
                fingerprint,
                reason,
            }) => (fingerprint.as_ref(), Some(reason)),
        };
        DocumentStage {
            stage,
            kind: kinds[stage.as_str()],
            needs: needs.collect(),
            status: status.map(|status| class_of(mark_of(status))),
            fingerprint,
            dirty,
        }
    };
    Document {
        pipeline: &config.name,
        stages: config.dag.order().iter().map(stage).collect(),
        skipped: &config.skipped,
    }
}

/// How the terminal wants it.
fn style() -> Style {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let locale = locale
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    Style {
        is_unicode: locale.contains("utf-8") || locale.contains("utf8"),
        has_colour: Paint::stdout().is_on(),
        width: WIDTH,
    }
}
