//! `blend`: other models' probabilities, with weights and biases fitted on rows that the models had not seen.
//!
//! Where every model answered for training rows that it had not seen (`out_of_fold`), the weights are fitted on those; else on
//! the validation rows, and then the blend's own validation score is a little too good.

use super::ensemble::Members;
use super::held_out::{HeldOut, Joined};
use super::trainable::classes_of;
use crate::checkpoint::CheckpointWriter;
use crate::config::Issue;
use crate::model::Blend;
use crate::stages::models::{Combination, Combiner, ModelFile, Takes};
use crate::stages::split::{TEST, TRAIN, VALIDATION};
use crate::stages::{StageError, StageRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Of `blend`: nothing is to be set.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct BlendParams {}

impl BlendParams {
    #[expect(
        clippy::unused_self,
        reason = "every model's parameters are checked in one way"
    )]
    pub(super) fn validate(&self, _path: &str, _issues: &mut Vec<Issue>) {}

    /// Fits the weights, and writes the members and their joint answers for the held-out rows; returns what to say of it.
    #[expect(
        clippy::unused_self,
        reason = "every model's parameters make it in one way"
    )]
    pub(super) fn join(
        &self,
        run: &StageRun<'_>,
        writer: &CheckpointWriter,
    ) -> Result<Map<String, Value>, StageError> {
        let members = Members::copy(run, writer, |_| Takes::Probabilities)?;
        let fold = if members.have_training_rows()? {
            TRAIN
        } else {
            VALIDATION
        };
        let (rows, outputs) = members.held_out(&[fold])?;
        let classes = classes_of(&rows.labels, &members.labels);
        let blend = Blend::fit(members.labels.len(), &outputs, &classes)?;
        let mut summary = Map::new();
        summary.insert("fitted_on".to_owned(), json!(fold));
        summary.insert("fitted_rows".to_owned(), json!(rows.len()));
        let names = || members.copies.iter().map(|member| &member.stage);
        let patterns = blend.patterns().iter().map(|pattern| {
            let weights = names().zip(&pattern.weights).zip(&pattern.known);
            let known = weights.filter(|(_, known)| **known);
            let weights: Map<String, Value> = known
                .map(|((name, weight), _)| (name.clone(), json!(weight)))
                .collect();
            let biases = pattern.biases.iter().enumerate();
            let biases: Map<String, Value> = biases
                .filter_map(|(class, bias)| {
                    Some((members.labels.label(class)?.to_owned(), json!(bias)))
                })
                .collect();
            json!({ "rows": pattern.rows, "weights": weights, "biases": biases })
        });
        summary.insert("patterns".to_owned(), patterns.collect());
        drop((rows, outputs));
        let file = ModelFile {
            priors: members.mean_priors(&vec![1.0; members.copies.len()]),
            labels: members.labels.clone(),
            members: members.copies.clone(),
            combination: Combination::Blend(blend.clone()),
        };
        let joined = Joined {
            combiner: &Combiner::Blend(blend),
            priors: &file.priors,
            modalities: members.modalities(),
        };
        let mut held_out = HeldOut::default();
        let (rows, outputs) = members.held_out(&[VALIDATION, TEST])?;
        held_out.add(run, rows, outputs, &joined)?;
        held_out.write(writer, &file.labels)?;
        file.write(writer)?;
        Ok(summary)
    }
}
