//! What the networks are made of: the sum of all of them, layers, initial weights.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Embedding, Linear};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use super::dense_head::DenseHead;
use super::fine_tuned::FineTuned;
use super::fusion::{Fusion, FusionOptions};
use super::lenet::LeNet;
use super::neural_embedder::{self, NeuralEmbedder};
use super::neural_simple::{self, NeuralSimple};
use super::pass::Pass;
use super::spec::NetworkSpec;
use crate::model::backbones::BackboneLayers;
use crate::model::batch::Inputs;
use crate::model::random::uniform;
use crate::model::{ModelError, Precision};

/// A module that gives the unnormalised log probabilities of classes.
pub(in crate::model) trait Classifier: Module {
    /// # Shapes
    ///
    /// `[rows, classes]`
    fn logits(&self, inputs: &Inputs, pass: &mut Pass<'_>) -> Result<Tensor<2>, ModelError>;

    /// The weights of a trained first layer of which a batch uses few rows: one for each word.
    fn table(&self) -> Option<&Param<Tensor<2>>> {
        None
    }

    /// Puts other weights, of any number of words, into the place of the table.
    #[must_use]
    fn with_table(self, _table: Tensor<2>) -> Self {
        self
    }

    /// Whether the table is an embedding.
    fn embeds(&self) -> bool {
        false
    }

    /// The rows of a table for `words` words that a batch uses, ascending, and the batch with each
    /// word replaced by the place of its row among these.
    fn renumbered(&self, inputs: Inputs, _words: usize) -> Result<(Vec<u32>, Inputs), ModelError> {
        Ok((Vec::new(), inputs))
    }
}

/// The layers of any network.
#[expect(
    clippy::large_enum_variant,
    reason = "Burn's `Module` is not implemented for `Box`"
)]
#[derive(Module, Debug)]
pub(in crate::model) enum Layers {
    NeuralSimple(NeuralSimple),
    NeuralEmbedder(NeuralEmbedder),
    LeNet(LeNet),
    DenseHead(DenseHead),
    FineTuned(FineTuned),
    Fusion(Fusion),
}

impl Layers {
    /// Makes the layers of a valid declaration.
    pub(super) fn new(spec: &NetworkSpec, initializer: &mut Initializer<'_>) -> Self {
        match *spec {
            NetworkSpec::NeuralSimple {
                features,
                hidden,
                dropout,
                classes,
            } => Self::NeuralSimple(NeuralSimple::new(
                features,
                hidden,
                dropout,
                classes,
                initializer,
            )),
            NetworkSpec::NeuralEmbedder {
                vocabulary,
                length,
                dimensions,
                hidden,
                dropout,
                classes,
            } => Self::NeuralEmbedder(NeuralEmbedder::new(
                [vocabulary, dimensions, hidden],
                length,
                dropout,
                classes,
                initializer,
            )),
            NetworkSpec::LeNet {
                size,
                dropout,
                classes,
            } => Self::LeNet(LeNet::new(size, dropout, classes, initializer)),
            NetworkSpec::DenseHead {
                features,
                ref hidden,
                dropout,
                drops_features,
                classes,
                ..
            } => {
                let dropout = (dropout, drops_features);
                let head = DenseHead::new(features, hidden, dropout, classes, initializer);
                Self::DenseHead(head)
            }
            NetworkSpec::FineTuned {
                ref source,
                size,
                trained,
                ref hidden,
                dropout,
                classes,
            } => {
                let backbone = BackboneLayers::zeros(source, initializer.device);
                let width = source.backbone.width();
                let head = DenseHead::new(width, hidden, (dropout, false), classes, initializer);
                Self::FineTuned(FineTuned::new(backbone, head, source, size, trained))
            }
            NetworkSpec::Fusion {
                ref branches,
                hidden,
                dropout,
                modality_dropout,
                mask,
                classes,
            } => {
                let options = FusionOptions {
                    hidden,
                    dropout,
                    modality_dropout,
                    mask,
                    classes,
                };
                Self::Fusion(Fusion::new(branches, Vec::new(), options, initializer))
            }
        }
    }

    /// Returns the number of parameters that a training changes.
    pub(super) fn trainable(&self) -> usize {
        match self {
            Self::Fusion(fusion) => fusion.trainable(),
            Self::FineTuned(network) => network.trainable(),
            _ => self.num_params(),
        }
    }

    /// The penultimate layer.
    ///
    /// # Shapes
    ///
    /// `[rows, penultimate width]`
    pub(super) fn features(
        &self,
        inputs: &Inputs,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        match self {
            Self::NeuralSimple(network) => network.features(inputs, pass),
            Self::NeuralEmbedder(network) => network.features(inputs, pass),
            Self::LeNet(network) => network.features(inputs, pass),
            Self::DenseHead(network) => network.features(inputs, pass),
            Self::FineTuned(network) => network.features(inputs, pass),
            Self::Fusion(network) => network.features(inputs, pass),
        }
    }

    /// Puts the layers of a backbone into a network that is fine-tuned.
    pub(super) fn with_backbone(self, backbone: BackboneLayers) -> Self {
        match self {
            Self::FineTuned(network) => Self::FineTuned(network.with_backbone(backbone)),
            other => other,
        }
    }
}

impl Classifier for Layers {
    fn logits(&self, inputs: &Inputs, pass: &mut Pass<'_>) -> Result<Tensor<2>, ModelError> {
        match self {
            Self::NeuralSimple(network) => network.logits(inputs, pass),
            Self::NeuralEmbedder(network) => network.logits(inputs, pass),
            Self::LeNet(network) => network.logits(inputs, pass),
            Self::DenseHead(network) => network.logits(inputs, pass),
            Self::FineTuned(network) => network.logits(inputs, pass),
            Self::Fusion(network) => network.logits(inputs, pass),
        }
    }

    fn table(&self) -> Option<&Param<Tensor<2>>> {
        match self {
            Self::NeuralSimple(network) => Some(network.table()),
            Self::NeuralEmbedder(network) => Some(network.table()),
            Self::LeNet(_) | Self::DenseHead(_) | Self::FineTuned(_) | Self::Fusion(_) => None,
        }
    }

    fn with_table(self, table: Tensor<2>) -> Self {
        match self {
            Self::NeuralSimple(network) => Self::NeuralSimple(network.with_table(table)),
            Self::NeuralEmbedder(network) => Self::NeuralEmbedder(network.with_table(table)),
            Self::LeNet(_) | Self::DenseHead(_) | Self::FineTuned(_) | Self::Fusion(_) => self,
        }
    }

    fn embeds(&self) -> bool {
        matches!(self, Self::NeuralEmbedder(_))
    }

    fn renumbered(&self, inputs: Inputs, words: usize) -> Result<(Vec<u32>, Inputs), ModelError> {
        match self {
            Self::NeuralSimple(_) => neural_simple::renumbered(inputs, words),
            Self::NeuralEmbedder(_) => neural_embedder::renumbered(inputs, words),
            Self::LeNet(_) | Self::DenseHead(_) | Self::FineTuned(_) | Self::Fusion(_) => {
                Ok((Vec::new(), inputs))
            }
        }
    }
}

/// Draws initial weights on the host, or makes zeros for weights that are loaded over.
///
/// # Source
///
/// Keras' defaults: Glorot uniform weights, zero biases.
pub(in crate::model) struct Initializer<'a> {
    generator: Option<ChaCha8Rng>,
    device: &'a Device,
}

impl<'a> Initializer<'a> {
    pub(in crate::model) fn random(generator: ChaCha8Rng, device: &'a Device) -> Self {
        Self {
            generator: Some(generator),
            device,
        }
    }

    pub(in crate::model) fn zeros(device: &'a Device) -> Self {
        Self {
            generator: None,
            device,
        }
    }

    fn weight<const D: usize>(
        &mut self,
        shape: [usize; D],
        fan_in: usize,
        fan_out: usize,
    ) -> Param<Tensor<D>> {
        let limit = (6.0 / (fan_in + fan_out) as f64).sqrt() as f32;
        self.uniform(shape, limit)
    }

    /// Values of `[-limit, limit)`.
    fn uniform<const D: usize>(&mut self, shape: [usize; D], limit: f32) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let values = match &mut self.generator {
            Some(generator) => uniform(generator, count, limit),
            None => vec![0.0; count],
        };
        Param::from_tensor(Tensor::from_data(
            TensorData::new(values, shape),
            self.device,
        ))
    }

    fn bias(&self, width: usize) -> Param<Tensor<1>> {
        Param::from_tensor(Tensor::zeros([width], self.device))
    }
}

pub(super) fn linear(inputs: usize, outputs: usize, initializer: &mut Initializer<'_>) -> Linear {
    Linear {
        weight: initializer.weight([inputs, outputs], inputs, outputs),
        bias: Some(initializer.bias(outputs)),
    }
}

pub(super) fn embedding(
    vocabulary: usize,
    dimensions: usize,
    limit: f32,
    initializer: &mut Initializer<'_>,
) -> Embedding {
    Embedding {
        weight: initializer.uniform([vocabulary, dimensions], limit),
    }
}

/// Word or column numbers on a device, to select rows by.
pub(super) fn indices(numbers: &[u32], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = numbers.iter().map(|&number| i64::from(number)).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

pub(super) fn conv2d(
    channels: [usize; 2],
    kernel: usize,
    initializer: &mut Initializer<'_>,
) -> Conv2d {
    let [inputs, outputs] = channels;
    let area = kernel * kernel;
    let shape = [outputs, inputs, kernel, kernel];
    let mut layer = Conv2dConfig::new(channels, [kernel, kernel]).init(initializer.device);
    layer.weight = initializer.weight(shape, inputs * area, outputs * area);
    layer.bias = Some(initializer.bias(outputs));
    layer
}

/// Applies a dense layer in the precision of the pass.
pub(super) fn dense(layer: &Linear, values: Tensor<2>, pass: &Pass<'_>) -> Tensor<2> {
    if pass.precision() == Precision::Full {
        return layer.forward(values);
    }
    let product = product(values, layer.weight.val(), pass);
    match &layer.bias {
        Some(bias) => product + bias.val().unsqueeze(),
        None => product,
    }
}

/// The product of matrices in the precision of the pass, as `f32`.
pub(super) fn product(values: Tensor<2>, weights: Tensor<2>, pass: &Pass<'_>) -> Tensor<2> {
    match pass.precision() {
        Precision::Full => values.matmul(weights),
        Precision::Mixed => {
            let [values, weights] = [values, weights].map(|factor| factor.cast(FloatDType::BF16));
            values.matmul(weights).cast(FloatDType::F32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::{Purpose, generator};
    use crate::model::{DeviceChoice, Runtime};

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn weights_are_glorot_uniform_and_biases_zero() {
        let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
        let random = generator(1, Purpose::Weights, 0);
        let layer = linear(100, 50, &mut Initializer::random(random, runtime.device()));
        let limit = 0.2; // √(6 / 150)
        let weights = values(layer.weight.val());
        assert!(weights.iter().all(|weight| weight.abs() <= limit));
        assert!(weights.iter().any(|weight| weight.abs() > 0.99 * limit));
        let bias = layer.bias.unwrap().val().into_data().try_into_vec::<f32>();
        assert_eq!(bias.unwrap(), [0.0; 50]);
    }
}
