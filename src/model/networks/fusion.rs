//! `fusion`: what several trained models make of a row, side by side → dense → ReLU → dropout → classes.
//!
//! The models are frozen and not part of this network: it takes what they made ([`Inputs::branches`]), so any number of them
//! may stand side by side, of any kind. Invariant: a row that a branch knows nothing of has zeros in that branch's place,
//! whatever stands in the input there.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use super::layers::{dense, linear};
use super::{Classifier, Initializer, Pass};
use crate::model::batch::{Embeddings, Inputs, check};
use crate::model::{Dense, ModelError};

/// Probabilities below this are taken as it.
const LEAST_PROBABILITY: f32 = 1e-4;

/// What a branch knows of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Title and description.
    Text,
    /// The photo.
    Image,
}

/// What a fusion takes of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BranchSpec {
    /// What the model reads.
    pub modality: Modality,
    /// Number of columns.
    pub width: usize,
    /// Share of the columns, and of each frozen layer, dropped in training.
    pub dropout: f64,
    /// Widths of frozen dense layers with ReLU on these columns: layers of the model whose dropout goes on in the fusion's
    /// training.
    #[serde(default)]
    pub frozen: Vec<usize>,
    /// Width of a trained dense layer with ReLU on top.
    pub dense: Option<usize>,
    /// Number of the parameters of the model that make the columns.
    pub parameters: usize,
}

impl BranchSpec {
    /// Returns what a fusion takes of a model of which only the probabilities are known.
    #[must_use]
    pub fn probabilities(modality: Modality, classes: usize) -> Self {
        Self {
            modality,
            width: classes,
            dropout: 0.0,
            frozen: Vec::new(),
            dense: None,
            parameters: 0,
        }
    }

    /// Number of columns that the branch adds to the concatenation.
    fn outputs(&self) -> usize {
        let last = self.frozen.last().copied().unwrap_or(self.width);
        self.dense.unwrap_or(last)
    }
}

/// A branch with the weights of its frozen layers.
#[derive(Debug, Clone)]
pub struct Branch {
    pub(super) spec: BranchSpec,
    pub(super) frozen: Vec<Linear>,
}

impl Branch {
    /// Makes a branch of the probabilities of a model.
    #[must_use]
    pub fn probabilities(modality: Modality, classes: usize) -> Self {
        Self {
            spec: BranchSpec::probabilities(modality, classes),
            frozen: Vec::new(),
        }
    }

    /// Puts a trained dense layer of that width on top.
    #[must_use]
    pub fn with_dense(mut self, width: usize) -> Self {
        self.spec.dense = Some(width);
        self
    }
}

/// What a fusion reads of probabilities: how far their logarithms are above that of an even share.
///
/// # Shapes
/// `[rows, classes]` → the same
///
/// # Errors
///
/// [`ModelError::Inputs`] where the probabilities are not whole rows.
pub fn scores_of(classes: usize, probabilities: &[f32]) -> Result<Dense, ModelError> {
    let even = (classes.max(1) as f32).ln();
    let score = |p: &f32| p.max(LEAST_PROBABILITY).ln() + even;
    Dense::new(classes, probabilities.iter().map(score).collect())
}

/// How the branches are joined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FusionOptions {
    /// Width of the dense layer.
    pub hidden: usize,
    /// Share of the dense layer dropped in training.
    pub dropout: f64,
    /// Share of the rows, of those of which text and image are known, that lose one of the two in a step of training.
    pub modality_dropout: f64,
    /// Whether the dense layer is also told which branches know the row.
    pub mask: bool,
    /// Number of classes.
    pub classes: usize,
}

/// The layers.
#[derive(Module, Debug)]
pub(in crate::model) struct Fusion {
    branches: Vec<FusionBranch>,
    dense: Linear,
    output: Linear,
    dropout: f64,
    modality_dropout: f64,
    mask: bool,
}

#[derive(Module, Debug)]
struct FusionBranch {
    frozen: Vec<Linear>,
    dense: Option<Linear>,
    dropout: f64,
    width: usize,
    #[module(skip)]
    modality: Modality,
}

impl Fusion {
    /// Makes a fusion; the frozen layers have the weights of `frozen`, or, where there are none, are to be loaded over.
    pub(super) fn new(
        branches: &[BranchSpec],
        frozen: Vec<Vec<Linear>>,
        options: FusionOptions,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let mut layers = Vec::with_capacity(branches.len());
        let mut given = frozen.into_iter();
        for spec in branches {
            let mut width = spec.width;
            let mut frozen = given.next().unwrap_or_default();
            if frozen.is_empty() {
                for &next in &spec.frozen {
                    frozen.push(linear(width, next, initializer));
                    width = next;
                }
            }
            let width = spec.frozen.last().copied().unwrap_or(spec.width);
            layers.push(FusionBranch {
                frozen: frozen.into_iter().map(Module::no_grad).collect(),
                dense: spec.dense.map(|dense| linear(width, dense, initializer)),
                dropout: spec.dropout,
                width: spec.width,
                modality: spec.modality,
            });
        }
        let mut width: usize = branches.iter().map(BranchSpec::outputs).sum();
        if options.mask {
            width += branches.len();
        }
        Self {
            branches: layers,
            dense: linear(width, options.hidden, initializer),
            output: linear(options.hidden, options.classes, initializer),
            dropout: options.dropout,
            modality_dropout: options.modality_dropout,
            mask: options.mask,
        }
    }

    /// Returns the number of parameters that a training changes.
    pub(super) fn trainable(&self) -> usize {
        let frozen = self.branches.iter().flat_map(|branch| &branch.frozen);
        self.num_params() - frozen.map(Module::num_params).sum::<usize>()
    }

    /// # Shapes
    ///
    /// `[rows, hidden]`
    pub(super) fn features(
        &self,
        inputs: &Inputs,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let (found, expected) = (inputs.branches.len(), self.branches.len());
        check(found == expected, || {
            format!("{found} branches, expected {expected}")
        })?;
        let device = device_of(&self.dense.weight);
        let presence = self.presence(&inputs.branches, pass);
        let mut columns = Vec::with_capacity(2 * expected);
        for ((branch, rows), present) in self.branches.iter().zip(&inputs.branches).zip(&presence) {
            columns.push(branch.forward(rows, present, &device, pass)?);
        }
        if self.mask {
            columns.extend(presence.iter().map(|present| mask(present, &device)));
        }
        let joined = Tensor::cat(columns, 1);
        Ok(activation::relu(dense(&self.dense, joined, pass)))
    }

    /// Which rows each branch knows something of; in training some rows lose a modality.
    fn presence(&self, branches: &[Embeddings], pass: &mut Pass<'_>) -> Vec<Vec<bool>> {
        let mut presence: Vec<Vec<bool>> = branches
            .iter()
            .map(|rows| rows.present().to_vec())
            .collect();
        let rows = presence.first().map_or(0, Vec::len);
        for row in 0..rows {
            let knows = |modality| {
                let mut all = self.branches.iter().zip(&presence);
                all.any(|(branch, present)| branch.modality == modality && present[row])
            };
            let knows_both = knows(Modality::Text) && knows(Modality::Image);
            // Drawn for every row, so that one row does not change what is drawn for the next.
            let Some((is_dropped, drops_image)) = pass.modality(self.modality_dropout) else {
                break;
            };
            if !(is_dropped && knows_both) {
                continue;
            }
            let lost = if drops_image {
                Modality::Image
            } else {
                Modality::Text
            };
            for (branch, present) in self.branches.iter().zip(&mut presence) {
                present[row] &= branch.modality != lost;
            }
        }
        presence
    }
}

impl Classifier for Fusion {
    fn logits(&self, inputs: &Inputs, pass: &mut Pass<'_>) -> Result<Tensor<2>, ModelError> {
        let hidden = self.features(inputs, pass)?;
        let hidden = pass.dropout(hidden, self.dropout);
        Ok(dense(&self.output, hidden, pass))
    }
}

impl FusionBranch {
    fn forward(
        &self,
        rows: &Embeddings,
        present: &[bool],
        device: &Device,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let (found, expected) = (rows.dense().width(), self.width);
        check(found == expected, || {
            format!("a branch of {found} columns, expected {expected}")
        })?;
        let data = TensorData::new(rows.dense().values().to_vec(), [rows.len(), expected]);
        let mut values = pass.dropout(Tensor::from_data(data, device), self.dropout);
        for layer in &self.frozen {
            values = activation::relu(dense(layer, values, pass));
            values = pass.dropout(values, self.dropout);
        }
        if let Some(layer) = &self.dense {
            values = activation::relu(dense(layer, values, pass));
        }
        if present.iter().all(|&present| present) {
            return Ok(values);
        }
        Ok(values * mask(present, device))
    }
}

fn device_of(weight: &Param<Tensor<2>>) -> Device {
    weight.device().without_autodiff()
}

/// # Shapes
///
/// `[rows, 1]`
fn mask(present: &[bool], device: &Device) -> Tensor<2> {
    let values: Vec<f32> = present.iter().map(|&present| f32::from(present)).collect();
    Tensor::from_data(TensorData::new(values, [present.len(), 1]), device)
}
