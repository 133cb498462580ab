//! `fusion`: what several trained models make of a row, side by side, and a network on that.
//!
//! Of a network it takes the penultimate layer, of a classical model the probabilities. A classical model is all too sure of the
//! rows that it was fitted on, so for training rows it takes what models answered that had not seen them (`out_of_fold`);
//! the penultimate layers of networks are those of the rows that they were trained on, as in the report.

use super::ensemble::{Members, answers_for, answers_of};
use super::held_out::{HeldOut, Joined, RowKeys};
use super::history::write_training;
use super::labels::{all_labels, priors_of};
use super::trainable::{classes_of, fit_on};
use super::training::{Training, collector, require_width};
use crate::checkpoint::CheckpointWriter;
use crate::config::Issue;
use crate::model::{
    Branch, Dense, Embeddings, FusionOptions, Inputs, MemoryExamples, Network, scores_of,
};
use crate::stages::features::{FeatureInputs, Gather, labelled_rows};
use crate::stages::models::{
    Asked, Combination, Combiner, LoadedMember, ModelFile, Predictor, Takes,
};
use crate::stages::split::{TEST, TRAIN, VALIDATION};
use crate::stages::{Input, StageError, StageRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

/// Of `fusion`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct FusionParams {
    /// Width of the dense layer.
    #[schemars(range(min = 1, max = 65_536))]
    hidden: usize,
    /// Widths of trained dense layers on top of single models, by name.
    #[schemars(inner(range(min = 1, max = 65_536)))]
    pub(in crate::stages) branch_dense: BTreeMap<String, usize>,
    /// Whether the dense layer is told which models know a row.
    mask: bool,
    /// Share of the rows with text and image that lose one of the two in a step of training.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    modality_dropout: f64,
    #[serde(flatten)]
    training: Training,
}

impl Default for FusionParams {
    fn default() -> Self {
        Self {
            hidden: 128,
            branch_dense: BTreeMap::new(),
            mask: true,
            modality_dropout: 0.0,
            training: Training::default(),
        }
    }
}

impl FusionParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        require_width(&mut require, "hidden", self.hidden);
        for (name, &width) in &self.branch_dense {
            require_width(&mut require, &format!("branch_dense.{name}"), width);
        }
        require(
            (0.0..1.0).contains(&self.modality_dropout),
            "modality_dropout",
            "must be at least 0 and below 1",
        );
        self.training.validate(&mut require);
    }

    /// Trains the fusion, once the device is free, and writes it with its members and its answers for the held-out rows.
    pub(super) fn train(
        &self,
        run: &StageRun<'_>,
        writer: &CheckpointWriter,
    ) -> Result<Map<String, Value>, StageError> {
        let split = run.input("split")?;
        let labels = all_labels(split)?;
        let members = Members::copy(run, writer, |member| {
            if member.is_network() {
                Takes::Branch
            } else {
                Takes::Scores
            }
        })?;
        if members.labels != labels {
            let message = format!("the models of {} know other categories", run.id);
            return Err(StageError::Unusable(message));
        }
        let branches = Branches::load(run, members)?;
        let network = self.network(run, &branches, labels.len())?;
        let examples = |fold| -> Result<(RowKeys, MemoryExamples), StageError> {
            let (keys, branches) = branches.rows(run, split, fold)?;
            let inputs = Inputs {
                branches,
                ..Inputs::default()
            };
            let examples = MemoryExamples::new(classes_of(&keys.labels, &labels), inputs)?;
            Ok((keys, examples))
        };
        let (keys, train) = examples(TRAIN)?;
        let (_, validation) = examples(VALIDATION)?;
        let priors = priors_of(&keys.labels, &labels);
        let mut summary = Map::new();
        summary.insert("training_rows".to_owned(), json!(keys.len()));
        let options = self.training.options(run.seed());
        let precision = options.precision.on(network.runtime());
        summary.insert("precision".to_owned(), json!(precision));
        run.monitor.message("waits for the device".to_owned());
        let alone = run.environment.device_alone();
        run.environment.check_cancelled()?;
        let fitted = fit_on(run, writer, network, &options, (&train, &validation))?;
        drop((alone, train, validation));
        write_training(writer, &fitted, &mut summary)?;
        let file = "weights.safetensors".to_owned();
        writer.write_file(&file, fitted.network.save()?.into(), true)?;
        let combiner = Combiner::Fusion(Box::new(fitted.network));
        let joined = Joined {
            combiner: &combiner,
            priors: &priors,
            modalities: branches.members.modalities(),
        };
        let mut held_out = HeldOut::default();
        for fold in [VALIDATION, TEST] {
            let (keys, outputs) = branches.rows(run, split, fold)?;
            held_out.add(run, keys, outputs, &joined)?;
        }
        held_out.write(writer, &labels)?;
        let file = ModelFile {
            labels,
            priors,
            members: branches.members.copies,
            combination: Combination::Fusion { file },
        };
        file.write(writer)?;
        Ok(summary)
    }

    fn network(
        &self,
        run: &StageRun<'_>,
        branches: &Branches<'_>,
        classes: usize,
    ) -> Result<Network, StageError> {
        let mut columns = Vec::new();
        for (input, member) in branches.members.inputs.iter().zip(&branches.loaded) {
            let branch = match &member.predictor {
                Predictor::Network(network) => network.branch()?,
                Predictor::Classical(_) => {
                    Branch::probabilities(member.features.modality(), classes)
                }
            };
            columns.push(match self.branch_dense.get(&input.stage) {
                Some(&width) => branch.with_dense(width),
                None => branch,
            });
        }
        let options = FusionOptions {
            hidden: self.hidden,
            dropout: self.training.dropout,
            modality_dropout: self.modality_dropout,
            mask: self.mask,
            classes,
        };
        let runtime = run.environment.runtime()?;
        Ok(Network::fusion(columns, options, runtime, run.seed())?)
    }
}

/// The models of a fusion, loaded.
struct Branches<'a> {
    members: Members<'a>,
    loaded: Vec<LoadedMember<'a>>,
}

impl<'a> Branches<'a> {
    fn load(run: &StageRun<'a>, members: Members<'a>) -> Result<Self, StageError> {
        let mut loaded = Vec::with_capacity(members.inputs.len());
        for (input, copied) in members.inputs.iter().zip(&members.copies) {
            let file = ModelFile::read(input)?;
            let member = file.single(&input.stage)?;
            let predictor = Predictor::read(member, &input.reader, run)?;
            let features = FeatureInputs::find(run, &member.reads, predictor.image_size())?;
            loaded.push(LoadedMember {
                predictor,
                features,
                takes: copied.takes,
            });
        }
        Ok(Self { members, loaded })
    }

    /// What the models make of the rows of a fold.
    fn rows(
        &self,
        run: &StageRun<'_>,
        split: &Input,
        fold: &str,
    ) -> Result<(RowKeys, Vec<Embeddings>), StageError> {
        let mut all: Option<RowKeys> = None;
        let mut outputs = Vec::with_capacity(self.loaded.len());
        for (input, member) in self.members.inputs.iter().zip(&self.loaded) {
            run.environment.check_cancelled()?;
            let rows = labelled_rows(split, &member.features, &[fold], Gather::All)?;
            let keys = RowKeys::of(&rows);
            let is_unseen = fold == TRAIN && matches!(member.predictor, Predictor::Classical(_));
            outputs.push(if is_unseen {
                out_of_fold(input, &keys, self.members.labels.len())?
            } else {
                let rows = Asked::Labelled(Box::new(rows));
                member.predictor.output(run, rows, member.takes)?
            });
            match &all {
                None => all = Some(keys),
                Some(all) if *all == keys => {}
                Some(_) => {
                    return Err(StageError::Misaligned {
                        left: split.stage.clone(),
                        right: input.stage.clone(),
                        part: 0,
                    });
                }
            }
        }
        Ok((all.unwrap_or_default(), outputs))
    }
}

/// What models that had not seen the training rows answered for them.
fn out_of_fold(input: &Input, keys: &RowKeys, classes: usize) -> Result<Embeddings, StageError> {
    if !answers_for(input, TRAIN)? {
        let stage = &input.stage;
        let message = format!(
            "{stage} has no answers for training rows that it had not seen: set stages.{stage}.params.out_of_fold"
        );
        return Err(StageError::Unusable(message));
    }
    let (found, answers) = answers_of(&[input], &[TRAIN], classes)?;
    let places: HashMap<&str, usize> = found.ids.iter().map(String::as_str).zip(0..).collect();
    let values = answers[0].dense().values();
    let mut rows = Embeddings::empty(classes)?;
    for id in &keys.ids {
        let place = places.get(id.as_str());
        let known = place.filter(|place| answers[0].present()[**place]);
        let scores = known
            .map(|place| scores_of(classes, &values[place * classes..(place + 1) * classes]))
            .transpose()?;
        rows.push(scores.as_ref().map(Dense::values))?;
    }
    Ok(rows)
}
