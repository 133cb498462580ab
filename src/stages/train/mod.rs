//! `train`: one model, fitted on the training rows.
//!
//! Writes the model and its description as files, for networks the history of the training and its learning curves, for a
//! cross-validation all that was tried, and `held_out`: the model's probabilities for the validation and test
//! rows that it can answer for.

mod blend;
mod classical;
mod classical_params;
mod ensemble;
mod fine_tuned;
mod fusion;
mod held_out;
mod loading;
mod networks;
mod optional;
mod params;
mod progress;
mod soft_vote;
mod supervision;
mod trainable;
mod training;

pub(super) use params::{CLASSICAL_FEATURES, Params};

use super::features::{FeatureInputs, Gather, LabelledRows, labelled_rows};
use super::models::{
    Asked, Combination, Combiner, Member, ModelFile, Predictor, Takes, classical_rows,
};
use super::split::{TEST, TRAIN, VALIDATION};
use super::{Environment, Input, Kind, Stage, StageError, StageOutput, StageRun};
use crate::checkpoint::CheckpointWriter;
use crate::config::{Issue, NeedRule};
use crate::model::{Embeddings, Fitted, LabelMap, event_files};
use crate::schema::{self, LABELLED};
use arrow::array::StringArray;
use bytes::Bytes;
use classical::{Classical, ClassicalParams};
use held_out::{HeldOut, Joined, RowKeys};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use trainable::Trainable;

const HISTORY_FILE: &str = "history.json";
/// Learning curves for TensorBoard, which finds them by `tfevents`. No manifest lists them, since they hold times.
const EVENTS_FOLDER: &str = "events";
const EVENTS_FILE: &str = "events.out.tfevents.rayonnage";
const CROSS_VALIDATION_FILE: &str = "cross_validation.json";

/// The stage.
pub(super) struct Train {
    params: Params,
}

impl Kind for Train {
    const NAME: &'static str = "train";
    const SUMMARY: &'static str = "Fits one model on the training rows.";
    type Params = Params;

    fn check(given: &Value, path: &str, issues: &mut Vec<Issue>) -> Params {
        Params::checked(given, path, issues)
    }

    fn needs(params: &Params) -> Vec<NeedRule> {
        params.needs()
    }

    fn weights(params: &Params) -> Option<String> {
        params.weights().map(str::to_owned)
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        params.validate(path, issues);
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for Train {
    fn version(&self) -> u32 {
        4
    }

    fn uses_device(&self) -> bool {
        self.params.is_network()
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let seed = environment.config.seed.to_string();
        let mut fields = vec![("seed".to_owned(), seed)];
        if let Params::FineTuned(params) = &self.params {
            fields.extend(params.fields(environment)?);
        }
        Ok(fields)
    }

    fn check_inputs(&self, environment: &Environment) -> Result<(), StageError> {
        match &self.params {
            Params::FineTuned(params) => params.check_inputs(environment),
            _ => Ok(()),
        }
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let writer = run.begin(BTreeMap::new())?;
        let summary = match &self.params {
            Params::NeuralSimple(params) => {
                train_network(run, &writer, |classes| params.trainable(run, classes))
            }
            Params::NeuralEmbedder(params) => {
                train_network(run, &writer, |classes| params.trainable(run, classes))
            }
            Params::Lenet(params) => {
                train_network(run, &writer, |classes| params.trainable(run, classes))
            }
            Params::DenseHead(params) => {
                train_network(run, &writer, |classes| params.trainable(run, classes))
            }
            Params::FineTuned(params) => {
                train_network(run, &writer, |classes| params.trainable(run, classes))
            }
            Params::Fusion(params) => params.train(run, &writer),
            Params::LogisticRegression(params) => fit_classical(run, &writer, params),
            Params::LinearSvm(params) => fit_classical(run, &writer, params),
            Params::KNearestNeighbours(params) => fit_classical(run, &writer, params),
            Params::DecisionTree(params) => fit_classical(run, &writer, params),
            Params::RandomForest(params) => fit_classical(run, &writer, params),
            Params::GradientBoosting(params) => fit_classical(run, &writer, params),
            Params::SoftVote(params) => params.join(run, &writer),
            Params::Blend(params) => params.join(run, &writer),
        };
        let mut summary = summary?;
        summary.insert("model".to_owned(), json!(self.params.name()));
        Ok(StageOutput { writer, summary })
    }
}

/// Trains a network, once the device is free.
fn train_network<'a>(
    run: &StageRun<'a>,
    writer: &CheckpointWriter,
    make: impl FnOnce(usize) -> Result<Trainable<'a>, StageError>,
) -> Result<Map<String, Value>, StageError> {
    let split = run.input("split")?;
    let labels = all_labels(split)?;
    run.monitor.message("waits for the device".to_owned());
    let alone = run.environment.device_alone();
    run.environment.check_cancelled()?;
    run.monitor.message("reads its rows".to_owned());
    let trainable = make(labels.len())?;
    let features = trainable.features.clone();
    let train = training_rows(run, split, &features)?;
    let validation = labelled_rows(split, &features, &[VALIDATION], Gather::Known)?;
    if validation.ids.is_empty() {
        let message = format!("{} has no validation rows", run.id);
        return Err(StageError::Unusable(message));
    }
    let mut summary = Map::new();
    summary.insert("training_rows".to_owned(), json!(train.ids.len()));
    summary.insert("precision".to_owned(), json!(trainable.precision()));
    let priors = priors_of(&train.labels, &labels);
    let fitted = trainable.fit(run, writer, &labels, train, validation)?;
    drop(alone);
    write_training(writer, &fitted, &mut summary)?;
    let predictor = Predictor::Network(Box::new(fitted.network));
    let held_out = HeldOut::default();
    finish(
        run,
        writer,
        &predictor,
        &features,
        (labels, priors),
        held_out,
    )?;
    Ok(summary)
}

/// Writes how a training went, and says it in the summary.
fn write_training(
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

/// Fits a classical model on TF-IDF, or on features of images: of one stage, or of several side by side.
fn fit_classical<P: ClassicalParams>(
    run: &StageRun<'_>,
    writer: &CheckpointWriter,
    params: &Classical<P>,
) -> Result<Map<String, Value>, StageError> {
    let split = run.input("split")?;
    let labels = all_labels(split)?;
    let features = FeatureInputs {
        text: run.find("tfidf"),
        embeddings: run
            .inputs_of("pca")
            .chain(run.inputs_of("embed_images"))
            .collect(),
        normalization: params.normalization,
        ..FeatureInputs::default()
    };
    let train = training_rows(run, split, &features)?;
    let mut classes: Vec<u32> = train
        .labels
        .iter()
        .filter_map(|label| labels.index(label))
        .map(|class| class as u32)
        .collect();
    let priors = priors_of(&train.labels, &labels);
    let mut keys = RowKeys::of(&train);
    let known = train.presence();
    let mut rows = classical_rows(train.inputs)?;
    let drawn = params.drawn(&keys.ids, &classes, run.seed());
    if drawn.len() < classes.len() {
        rows = rows.select(&drawn);
        classes = drawn.iter().map(|row| classes[*row]).collect();
        keys = keys.select(&drawn);
    }
    let fitted = params.fit(run, &rows, &classes, labels.len())?;
    let mut summary = Map::new();
    summary.insert("training_rows".to_owned(), json!(rows.len()));
    summary.insert("columns".to_owned(), json!(rows.width()));
    drop(rows);
    let mut held_out = HeldOut::default();
    if let Some(unseen) = fitted.out_of_fold {
        let mut output = Embeddings::empty(labels.len())?;
        for (row, values) in drawn.iter().zip(unseen.chunks_exact(labels.len())) {
            output.push(known.any(*row).then_some(values))?;
        }
        let joined = Joined {
            combiner: &Combiner::Mean(vec![1.0]),
            priors: &priors,
            modalities: vec![features.modality()],
        };
        held_out.add(run, keys, vec![output], &joined)?;
    }
    if let Some(converged) = fitted.model.converged() {
        summary.insert("converged".to_owned(), json!(converged));
    }
    if let Some(chosen) = fitted.chosen {
        let json = Bytes::from(format!("{:#}\n", json!(fitted.candidates)));
        writer.write_file(CROSS_VALIDATION_FILE, json, false)?;
        let candidate = &fitted.candidates[chosen];
        summary.insert("cross_validation".to_owned(), candidate.summary());
    }
    let predictor = Predictor::Classical(fitted.model);
    finish(
        run,
        writer,
        &predictor,
        &features,
        (labels, priors),
        held_out,
    )?;
    Ok(summary)
}

/// Writes a fitted model, and what it answers for the rows that it was not fitted on.
fn finish(
    run: &StageRun<'_>,
    writer: &CheckpointWriter,
    predictor: &Predictor,
    features: &FeatureInputs<'_>,
    (labels, priors): (LabelMap, Vec<f32>),
    mut held_out: HeldOut,
) -> Result<(), StageError> {
    let split = run.input("split")?;
    let joined = Joined {
        combiner: &Combiner::Mean(vec![1.0]),
        priors: &priors,
        modalities: vec![features.modality()],
    };
    for fold in [VALIDATION, TEST] {
        run.environment.check_cancelled()?;
        let rows = labelled_rows(split, features, &[fold], Gather::Known)?;
        let keys = RowKeys::of(&rows);
        let output =
            predictor.output(run, Asked::Labelled(Box::new(rows)), Takes::Probabilities)?;
        held_out.add(run, keys, vec![output], &joined)?;
    }
    held_out.write(writer, &labels)?;
    let member = Member::write(predictor, run, writer, features)?;
    let file = ModelFile {
        labels,
        priors,
        members: vec![member],
        combination: Combination::Mean { weights: vec![1.0] },
    };
    file.write(writer)
}

/// The training rows, of which there must be some.
fn training_rows(
    run: &StageRun<'_>,
    split: &Input,
    features: &FeatureInputs<'_>,
) -> Result<LabelledRows, StageError> {
    let rows = labelled_rows(split, features, &[TRAIN], Gather::Known)?;
    if rows.ids.is_empty() {
        let message = format!("{} has no training rows", run.id);
        return Err(StageError::Unusable(message));
    }
    Ok(rows)
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

/// Share of each class among rows with these labels.
fn priors_of(rows: &[String], labels: &LabelMap) -> Vec<f32> {
    let mut counts = vec![0_u32; labels.len()];
    for label in rows {
        if let Some(index) = labels.index(label) {
            counts[index] += 1;
        }
    }
    let total = rows.len().max(1) as f32;
    counts
        .into_iter()
        .map(|count| count as f32 / total)
        .collect()
}
