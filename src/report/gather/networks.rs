//! Networks: their layers, and how their training went.

use super::models::reads;
use crate::checkpoint::CheckpointReader;
use crate::model::NetworkSpec;
use crate::report::ReportError;
use crate::report::data::{Epoch, Layer, NetworkTable};
use crate::report::sources::{Sources, has_file, json};
use serde::Deserialize;
use serde_json::Value;

const HISTORY_FILE: &str = "history.json";
const WEIGHTS_FILE: &str = "weights.safetensors";

/// Reads every network that was trained.
pub(super) fn networks(sources: &Sources<'_>) -> Result<Vec<NetworkTable>, ReportError> {
    let trained = sources
        .of_kind("train")
        .filter(|(_, reader)| has_file(reader, HISTORY_FILE));
    trained
        .map(|(stage, reader)| network(sources, stage, reader))
        .collect()
}

fn network(
    sources: &Sources<'_>,
    stage: &str,
    reader: &CheckpointReader,
) -> Result<NetworkTable, ReportError> {
    let history: Vec<Epoch> = json(stage, reader, HISTORY_FILE)?;
    let summary = &reader.manifest().summary;
    let number = |key: &str| summary.get(key).and_then(Value::as_u64).unwrap_or(0);
    let text = |key: &str| {
        summary
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let best_epoch = number("best_epoch");
    let best = history.iter().find(|epoch| epoch.epoch == best_epoch);
    let network = text("model");
    Ok(NetworkTable {
        model: stage.to_owned(),
        reads: reads(sources, stage),
        layers: layers(stage, reader)?,
        parameters: number("parameters"),
        trainable_parameters: number("trainable_parameters"),
        best_epoch,
        stopped: text("stopped"),
        accuracy: best.map(|epoch| epoch.accuracy),
        validation_accuracy: best.map(|epoch| epoch.validation_accuracy),
        is_fusion: network == "fusion",
        figures: std::collections::BTreeMap::new(),
        network,
        history,
    })
}

/// What `model.json` says of a model's members.
#[derive(Deserialize)]
struct Description {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    stage: String,
    form: String,
    file: String,
}

/// The layers, from the declaration in the weights file; of a fusion with those of its members.
fn layers(stage: &str, reader: &CheckpointReader) -> Result<Vec<Layer>, ReportError> {
    let declaration = |file: &str| -> Result<NetworkSpec, ReportError> {
        NetworkSpec::of_weights(&reader.file(file)?).map_err(|error| ReportError::Unusable {
            stage: stage.to_owned(),
            detail: format!("{file}: {error}"),
        })
    };
    if !has_file(reader, WEIGHTS_FILE) {
        return Ok(Vec::new());
    }
    let spec = declaration(WEIGHTS_FILE)?;
    let mut branches = Vec::new();
    if matches!(spec, NetworkSpec::Fusion { .. }) {
        let description: Description = json(stage, reader, "model.json")?;
        for member in description.members {
            let is_network = member.form == "network";
            let spec = is_network.then(|| declaration(&member.file)).transpose()?;
            branches.push((member.stage, spec));
        }
    }
    let layer = |layer: crate::model::LayerSummary| Layer {
        name: layer.name,
        kind: layer.kind.to_owned(),
        output: layer.output,
        parameters: layer.parameters as u64,
        trained: layer.trained as u64,
        inputs: layer.inputs,
    };
    Ok(spec.summary(&branches).into_iter().map(layer).collect())
}
