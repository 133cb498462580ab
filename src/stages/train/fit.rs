//! Fits one model on the training rows, and writes it with what it answers for the rows that it was not fitted on.

use super::classical::{Classical, ClassicalParams};
use super::held_out::{HeldOut, Joined, RowKeys};
use super::history::write_training;
use super::labels::{all_labels, priors_of, training_rows};
use super::trainable::Trainable;
use crate::checkpoint::CheckpointWriter;
use crate::model::{Embeddings, LabelMap};
use crate::stages::features::{FeatureInputs, Gather, labelled_rows};
use crate::stages::models::{
    Asked, Combination, Combiner, Member, ModelFile, Predictor, Takes, classical_rows,
};
use crate::stages::split::{TEST, VALIDATION};
use crate::stages::{StageError, StageRun};
use bytes::Bytes;
use serde_json::{Map, Value, json};

const CROSS_VALIDATION_FILE: &str = "cross_validation.json";

/// Trains a network, once the device is free.
pub(super) fn train_network<'a>(
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

/// Fits a classical model on TF-IDF, or on features of images: of one stage, or of several side by side.
pub(super) fn fit_classical<P: ClassicalParams>(
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
