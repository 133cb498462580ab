//! The stage: its needs, its parameters, and which way its model is fitted.

use super::Params;
use super::fit::{fit_classical, train_network};
use crate::config::{Issue, NeedRule};
use crate::stages::{Environment, Kind, Stage, StageError, StageOutput, StageRun};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The stage.
pub(in crate::stages) struct Train {
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
