//! `soft_vote`: the weighted mean of other models' probabilities.
//!
//! Nothing is fitted: what the members answered for held-out rows is averaged. A member that has no answer for a row has no
//! vote on it.

use super::ensemble::Members;
use super::held_out::{HeldOut, Joined};
use crate::checkpoint::CheckpointWriter;
use crate::config::Issue;
use crate::stages::models::{Combination, Combiner, ModelFile, Takes};
use crate::stages::split::{TEST, VALIDATION};
use crate::stages::{StageError, StageRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Of `soft_vote`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(in crate::stages) struct SoftVoteParams {
    /// Weight of each model by name; of those that are not named, 1.
    #[schemars(inner(range(min = 1e-6, max = 1e6)))]
    pub(in crate::stages) weights: BTreeMap<String, f64>,
}

impl SoftVoteParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        for (name, weight) in &self.weights {
            // Sums of weights stay far from the ends of single precision.
            if !(1e-6..=1e6).contains(weight) {
                issues.push(Issue::new(
                    format!("{path}.weights.{name}"),
                    "must lie between 0.000001 and 1000000",
                ));
            }
        }
    }

    /// Writes the members, and their joint answers for the held-out rows; returns what to say of it.
    pub(super) fn join(
        &self,
        run: &StageRun<'_>,
        writer: &CheckpointWriter,
    ) -> Result<Map<String, Value>, StageError> {
        let members = Members::copy(run, writer, |_| Takes::Probabilities)?;
        let weight = |stage: &String| self.weights.get(stage).copied().unwrap_or(1.0);
        let weights: Vec<f64> = members
            .copies
            .iter()
            .map(|member| weight(&member.stage))
            .collect();
        let singles: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let file = ModelFile {
            priors: members.mean_priors(&singles),
            labels: members.labels.clone(),
            members: members.copies.clone(),
            combination: Combination::Mean {
                weights: weights.clone(),
            },
        };
        let (rows, outputs) = members.held_out(&[VALIDATION, TEST])?;
        let joined = Joined {
            combiner: &Combiner::Mean(singles),
            priors: &file.priors,
            modalities: members.modalities(),
        };
        let mut held_out = HeldOut::default();
        held_out.add(run, rows, outputs, &joined)?;
        held_out.write(writer, &file.labels)?;
        file.write(writer)?;
        let named = file.members.iter().zip(&weights);
        let named: Map<String, Value> = named
            .map(|(member, weight)| (member.stage.clone(), json!(weight)))
            .collect();
        Ok(Map::from_iter([("members".to_owned(), json!(named))]))
    }
}
