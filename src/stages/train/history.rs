//! How a training went: written beside the model, and said in the summary.

use crate::checkpoint::CheckpointWriter;
use crate::model::{Fitted, event_files};
use crate::stages::StageError;
use bytes::Bytes;
use serde_json::{Map, Value, json};

const HISTORY_FILE: &str = "history.json";
/// Learning curves for TensorBoard, which finds them by `tfevents`. No manifest lists them, since they hold times.
const EVENTS_FOLDER: &str = "events";
const EVENTS_FILE: &str = "events.out.tfevents.rayonnage";

/// Writes how a training went, and says it in the summary.
pub(super) fn write_training(
    writer: &CheckpointWriter,
    fitted: &Fitted,
    summary: &mut Map<String, Value>,
) -> Result<(), StageError> {
    let json = Bytes::from(format!("{:#}\n", json!(fitted.history)));
    writer.write_file(HISTORY_FILE, json, false)?;
    for (name, events) in event_files(&fitted.history, &fitted.times) {
        let folder = format!("{EVENTS_FOLDER}/{name}");
        writer.write_unlisted(&folder, EVENTS_FILE, Bytes::from(events))?;
    }
    let parameters = fitted.network.parameters();
    summary.insert("parameters".to_owned(), json!(parameters.total));
    summary.insert(
        "trainable_parameters".to_owned(),
        json!(parameters.trainable),
    );
    summary.insert("epochs".to_owned(), json!(fitted.history.len()));
    summary.insert("best_epoch".to_owned(), json!(fitted.best_epoch));
    summary.insert("stopped".to_owned(), json!(fitted.stopped));
    Ok(())
}
