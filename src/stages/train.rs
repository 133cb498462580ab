//! `train`: one network, fitted on the training rows.
//!
//! Writes the weights, the label map and the history as files, and `held_out`: the model's probabilities for
//! the validation and test rows that it can answer for.

use super::features::{LabelledRows, labelled_rows, text_width};
use super::split::{TEST, TRAIN, VALIDATION};
use super::{Environment, Input, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::cancel::CancelToken;
use crate::checkpoint::{CheckpointWriter, FILES};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::model::{
    EarlyStopping, EpochRecord, Examples, Fitted, Inputs, LabelMap, MemoryExamples, ModelError,
    Network, NetworkSpec, Plateau, Probabilities, Rows, Runtime, TrainOptions, fit, predict,
};
use crate::schema::{self, HELD_OUT, IMAGE_SIZE, LABELLED};
use arrow::array::{ArrayRef, Float32Array, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// File with the weights.
pub(super) const WEIGHTS_FILE: &str = "weights.safetensors";
/// File with the classes in the order of the outputs, and how frequent they are.
pub(super) const LABELS_FILE: &str = "labels.json";
const HISTORY_FILE: &str = "history.json";

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModelName {
    NeuralSimple,
    Lenet,
    Fusion,
}

/// When to stop early.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct EarlyStoppingParams {
    patience: usize,
    start_epoch: usize,
}

/// When to lower the learning rate.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PlateauParams {
    factor: f64,
    patience: usize,
}

/// Parameters of `train`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Params {
    model: ModelName,
    /// Height and width in pixels that an image network reads; divides the size of the tensors.
    image_size: usize,
    /// Width of the dense layer; `null` for the report's.
    hidden: Option<usize>,
    dropout: f64,
    epochs: usize,
    batch_size: usize,
    learning_rate: f64,
    early_stopping: EarlyStoppingParams,
    plateau: PlateauParams,
    class_weights: bool,
}

impl Default for Params {
    fn default() -> Self {
        let options = TrainOptions::default();
        Self {
            model: ModelName::NeuralSimple,
            image_size: IMAGE_SIZE as usize,
            hidden: None,
            dropout: 0.2,
            epochs: options.epochs,
            batch_size: options.batch_size,
            learning_rate: options.learning_rate,
            early_stopping: EarlyStoppingParams {
                patience: 5,
                start_epoch: 8,
            },
            plateau: PlateauParams {
                factor: 0.1,
                patience: 5,
            },
            class_weights: options.class_weights,
        }
    }
}

/// What a model's consumers know of its classes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Labels {
    /// Classes in the order of the outputs.
    pub(super) labels: LabelMap,
    /// Share of each class among the training rows: the answer for a product of which nothing is known.
    pub(super) priors: Vec<f32>,
}

/// The stage.
pub(super) struct Train {
    params: Params,
}

impl Kind for Train {
    const NAME: &'static str = "train";
    type Params = Params;

    fn needs(params: &Params) -> Vec<NeedRule> {
        let mut needs = vec![one("split", &[LABELLED])];
        if params.model != ModelName::Lenet {
            needs.push(one("tfidf", &[LABELLED]));
        }
        if params.model != ModelName::NeuralSimple {
            needs.push(one("decode_images", &[LABELLED]));
        }
        if params.model == ModelName::Fusion {
            needs.push(NeedRule {
                kind: Self::NAME,
                datasets: vec![FILES],
                count: (2, 2),
            });
        }
        needs
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        let mut require = |ok: bool, key: &str, message: &str| {
            if !ok {
                issues.push(Issue::new(format!("{path}.{key}"), message));
            }
        };
        require(
            (0.0..1.0).contains(&params.dropout),
            "dropout",
            "must be at least 0 and below 1",
        );
        require(params.epochs > 0, "epochs", "must be at least 1");
        require(params.batch_size > 0, "batch_size", "must be at least 1");
        require(
            params.learning_rate > 0.0,
            "learning_rate",
            "must be above 0",
        );
        require(params.image_size >= 16, "image_size", "must be at least 16");
        require(
            params
                .hidden
                .is_none_or(|width| (1..=65_536).contains(&width)),
            "hidden",
            "must lie between 1 and 65536",
        );
        let factor = params.plateau.factor;
        require(
            factor > 0.0 && factor < 1.0,
            "plateau.factor",
            "must be above 0 and below 1",
        );
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for Train {
    fn version(&self) -> u32 {
        1
    }

    fn uses_device(&self) -> bool {
        true
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        Ok(vec![(
            "seed".to_owned(),
            environment.config.seed.to_string(),
        )])
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let split = run.input("split")?;
        let text = run.find("tfidf");
        let labels = all_labels(split)?;
        let writer = run.begin(BTreeMap::new())?;
        let runtime = run.environment.runtime()?;
        run.monitor.message("waits for the device".to_owned());
        let _alone = run.environment.device_alone();
        run.environment.check_cancelled()?;
        let network = self.network(run, runtime, labels.len(), text)?;
        let images = run.find("decode_images").zip(network.spec().image_size());
        let gather = |fold: &str| labelled_rows(split, text, images, &[fold]);
        let train = gather(TRAIN)?;
        let validation = gather(VALIDATION)?;
        let parameters = network.parameters();
        let priors = priors(&train, &labels);
        let (rows, validation_rows) = (train.ids.len(), validation.ids.len());
        if rows == 0 || validation_rows == 0 {
            return Err(StageError::Unusable(format!(
                "{} has {rows} training and {validation_rows} validation rows",
                run.id
            )));
        }
        let cancel = &run.environment.cancel;
        let train = Cancellable {
            examples: examples(train, &labels)?,
            cancel,
        };
        let validation = Cancellable {
            examples: examples(validation, &labels)?,
            cancel,
        };
        let fitted = self.fit(run, network, &train, &validation)?;
        drop(train);
        write_held_out(
            run,
            &writer,
            &fitted.network,
            &labels,
            (split, text, images),
        )?;
        let json = |value: serde_json::Value| Bytes::from(format!("{value:#}\n"));
        writer.write_file(WEIGHTS_FILE, Bytes::from(fitted.network.save()?), true)?;
        let labels = Labels { labels, priors };
        writer.write_file(LABELS_FILE, json(json!(labels)), true)?;
        writer.write_file(HISTORY_FILE, json(json!(fitted.history)), false)?;
        let mut summary = Map::new();
        summary.insert("model".to_owned(), json!(fitted.network.spec().name()));
        summary.insert("parameters".to_owned(), json!(parameters.total));
        summary.insert(
            "trainable_parameters".to_owned(),
            json!(parameters.trainable),
        );
        summary.insert("training_rows".to_owned(), json!(rows));
        summary.insert("epochs".to_owned(), json!(fitted.history.len()));
        summary.insert("best_epoch".to_owned(), json!(fitted.best_epoch));
        summary.insert("stopped".to_owned(), json!(fitted.stopped));
        Ok(StageOutput { writer, summary })
    }
}

impl Train {
    fn network(
        &self,
        run: &StageRun<'_>,
        runtime: &Runtime,
        classes: usize,
        text: Option<&Input>,
    ) -> Result<Network, StageError> {
        let (dropout, size) = (self.params.dropout, self.params.image_size);
        let spec = match (self.params.model, text) {
            (ModelName::NeuralSimple, Some(text)) => {
                let (features, hidden) = (text_width(text)?, self.params.hidden.unwrap_or(54));
                NetworkSpec::NeuralSimple {
                    features,
                    hidden,
                    dropout,
                    classes,
                }
            }
            (ModelName::Lenet, _) => NetworkSpec::LeNet {
                size,
                dropout,
                classes,
            },
            (ModelName::Fusion, _) => return self.fusion(run, runtime),
            (ModelName::NeuralSimple, None) => {
                return Err(StageError::Unusable(
                    "neural_simple needs a stage of kind tfidf".to_owned(),
                ));
            }
        };
        Ok(Network::new(&spec, runtime, run.seed())?)
    }

    /// Joins the two trained networks that this stage needs.
    fn fusion(&self, run: &StageRun<'_>, runtime: &Runtime) -> Result<Network, StageError> {
        let mut text = None;
        let mut image = None;
        for input in run.inputs_of(Self::NAME) {
            let network = Network::load(&input.reader.file(WEIGHTS_FILE)?, runtime)?;
            match (network.spec().takes_text(), network.spec().takes_images()) {
                (true, false) => text = Some(network),
                (false, true) => image = Some(network),
                _ => {}
            }
        }
        let (Some(text), Some(image)) = (text, image) else {
            return Err(StageError::Unusable(
                "a fusion needs one network that reads text and one that reads images".to_owned(),
            ));
        };
        let hidden = self.params.hidden.unwrap_or(128);
        Ok(Network::fusion(
            text,
            image,
            hidden,
            self.params.dropout,
            run.seed(),
        )?)
    }

    fn fit(
        &self,
        run: &StageRun<'_>,
        network: Network,
        train: &dyn Examples,
        validation: &dyn Examples,
    ) -> Result<Fitted, StageError> {
        let params = &self.params;
        let options = TrainOptions {
            epochs: params.epochs,
            batch_size: params.batch_size,
            learning_rate: params.learning_rate,
            seed: run.seed(),
            early_stopping: Some(EarlyStopping {
                patience: params.early_stopping.patience,
                start_epoch: params.early_stopping.start_epoch,
            }),
            plateau: Some(Plateau {
                factor: params.plateau.factor,
                patience: params.plateau.patience,
            }),
            class_weights: params.class_weights,
            ..TrainOptions::default()
        };
        run.monitor.expect(params.epochs as u64, "epochs");
        let mut observer = |record: &EpochRecord| {
            run.monitor.advance(1);
            run.monitor.message(describe(record));
            match run.environment.cancel.signal() {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        };
        fit(network, train, validation, &options, &mut observer).map_err(|error| {
            match (error, run.environment.cancel.signal()) {
                (ModelError::Interrupted, Some(signal)) => StageError::Interrupted { signal },
                (error, _) => StageError::Model(error),
            }
        })
    }
}

fn describe(record: &EpochRecord) -> String {
    format!(
        "epoch {} loss {:.3} val_loss {:.3} val_f1 {:.3}",
        record.epoch, record.loss, record.validation_loss, record.validation_f1
    )
}

/// The classes: all labels there are, so that every model has the same.
fn all_labels(split: &Input) -> Result<LabelMap, StageError> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for batch in split.reader.parts(LABELLED, Some(&["label"]))? {
        let batch = batch?;
        let labels: &StringArray = schema::column(&batch, "label")?;
        found.extend(labels.iter().flatten().map(str::to_owned));
    }
    if found.len() < 2 {
        let message = format!("there are {} categories to tell apart", found.len());
        return Err(StageError::Unusable(message));
    }
    Ok(LabelMap::new(found))
}

fn priors(rows: &LabelledRows, labels: &LabelMap) -> Vec<f32> {
    let mut counts = vec![0_u32; labels.len()];
    for label in &rows.labels {
        if let Some(index) = labels.index(label) {
            counts[index] += 1;
        }
    }
    let total = rows.labels.len().max(1) as f32;
    counts
        .into_iter()
        .map(|count| count as f32 / total)
        .collect()
}

/// Examples that end a training between two batches once the run should stop.
struct Cancellable<'a> {
    examples: MemoryExamples,
    cancel: &'a CancelToken,
}

impl Rows for Cancellable<'_> {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn inputs(&self, rows: &[usize]) -> Result<Inputs, ModelError> {
        match self.cancel.signal() {
            Some(_) => Err(ModelError::Interrupted),
            None => self.examples.inputs(rows),
        }
    }
}

impl Examples for Cancellable<'_> {
    fn labels(&self) -> &[usize] {
        self.examples.labels()
    }
}

fn examples(rows: LabelledRows, labels: &LabelMap) -> Result<MemoryExamples, StageError> {
    let classes = rows
        .labels
        .iter()
        .map(|label| labels.index(label).unwrap_or_default());
    Ok(MemoryExamples::new(classes.collect(), rows.inputs)?)
}

/// Writes the probabilities of the rows that the model was not fitted on.
fn write_held_out(
    run: &StageRun<'_>,
    writer: &CheckpointWriter,
    network: &Network,
    labels: &LabelMap,
    (split, text, images): (&Input, Option<&Input>, Option<(&Input, usize)>),
) -> Result<(), StageError> {
    for (index, fold) in [VALIDATION, TEST].into_iter().enumerate() {
        run.environment.check_cancelled()?;
        let rows = labelled_rows(split, text, images, &[fold])?;
        let (ids, folds, actual) = (rows.ids.clone(), rows.folds.clone(), rows.labels.clone());
        let probabilities = predict(network, &examples(rows, labels)?, 256)?;
        let predicted = probabilities.predicted();
        let names = predicted.iter().map(|class| labels.label(*class));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(ids)),
            Arc::new(StringArray::from(folds)),
            Arc::new(StringArray::from(actual)),
            Arc::new(names.collect::<StringArray>()),
            probability_lists(&probabilities),
        ];
        let batch = schema::batch(schema::held_out(), columns)?;
        writer.write_part(HELD_OUT, index, &Digest::of(b""), &batch)?;
    }
    Ok(())
}

fn probability_lists(probabilities: &Probabilities) -> ArrayRef {
    let lengths = OffsetBuffer::from_lengths(probabilities.rows().map(<[f32]>::len));
    let field = Arc::new(Field::new("item", DataType::Float32, false));
    let values = Arc::new(Float32Array::from(probabilities.values.clone()));
    Arc::new(ListArray::new(field, lengths, values, None))
}
