//! A network: its declaration, its layers, the device they are on.

use burn::module::Module;

use super::fine_tuned::FineTuning;
use super::layers::{Initializer, Layers};
use super::spec::NetworkSpec;
use crate::model::backbones::{BackboneKind, Pretrained};
use crate::model::random::{Purpose, generator};
use crate::model::{ModelError, Runtime, weights};

/// Numbers of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterCounts {
    /// All of them.
    pub total: usize,
    /// Those that a training changes.
    pub trainable: usize,
}

/// A network on a device.
///
/// Two networks of one declaration and seed hold the same weights, on any device.
#[derive(Debug, Clone)]
pub struct Network {
    spec: NetworkSpec,
    layers: Layers,
    runtime: Runtime,
}

impl Network {
    /// Makes an untrained network.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where the declaration makes no network.
    pub fn new(spec: &NetworkSpec, runtime: &Runtime, seed: u64) -> Result<Self, ModelError> {
        spec.validate()?;
        if let NetworkSpec::FineTuned { .. } = spec {
            let reason = "a fine-tuned network begins with the weights of its backbone".to_owned();
            return Err(ModelError::Spec { reason });
        }
        let random = generator(seed, Purpose::Weights, 0);
        let layers = Layers::new(spec, &mut Initializer::random(random, runtime.device()));
        Ok(Self {
            spec: spec.clone(),
            layers,
            runtime: runtime.clone(),
        })
    }

    /// Makes a fusion of a trained text network and a trained image network, which it freezes; its
    /// head is untrained.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where one network does not take text, the other not images, or their
    /// classes are not as many.
    pub fn fusion(
        text: Self,
        image: Self,
        hidden: usize,
        dropout: f64,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let (classes, others) = (text.spec.classes(), image.spec.classes());
        if classes != others {
            let reason =
                format!("the text branch has {classes} classes, the image branch {others}");
            return Err(ModelError::Spec { reason });
        }
        let spec = NetworkSpec::Fusion {
            text: Box::new(text.spec),
            image: Box::new(image.spec),
            hidden,
            dropout,
            classes,
        };
        spec.validate()?;
        let runtime = text.runtime;
        let branches = [text.layers, image.layers]
            .map(|layers| layers.without_output().fork(runtime.device()));
        let random = generator(seed, Purpose::Weights, 0);
        let mut initializer = Initializer::random(random, runtime.device());
        let layers = Layers::fusion(&spec, branches.into(), &mut initializer);
        Ok(Self {
            spec,
            layers,
            runtime,
        })
    }

    /// Makes a network that begins with a backbone as it was trained elsewhere, and an untrained
    /// head.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where a width is 0, a dropout not in `[0, 1)`, or the images too small.
    pub fn fine_tuned(
        backbone: Pretrained,
        options: &FineTuning,
        classes: usize,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let (source, backbone, runtime) = backbone.into_parts();
        let spec = NetworkSpec::FineTuned {
            source,
            size: options.size,
            trained: options.trained,
            hidden: options.hidden.clone(),
            dropout: options.dropout,
            classes,
        };
        spec.validate()?;
        let random = generator(seed, Purpose::Weights, 0);
        let mut initializer = Initializer::random(random, runtime.device());
        let layers = Layers::new(&spec, &mut initializer).with_backbone(backbone);
        Ok(Self {
            spec,
            layers,
            runtime,
        })
    }

    /// Returns the declaration.
    #[must_use]
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// Returns the device with what decides its arithmetic.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Returns how many parameters there are. The branches of a fusion count without their output
    /// layers, which it does not have; a head of a backbone counts with it.
    #[must_use]
    pub fn parameters(&self) -> ParameterCounts {
        let frozen = match &self.spec {
            NetworkSpec::DenseHead { backbone, .. } => backbone.map_or(0, BackboneKind::parameters),
            _ => 0,
        };
        ParameterCounts {
            total: self.layers.num_params() + frozen,
            trainable: self.layers.trainable(),
        }
    }

    /// Returns the width of the layer before the classes.
    #[must_use]
    pub fn penultimate_width(&self) -> usize {
        self.spec.penultimate_width()
    }

    /// Returns the network as a safetensors file: the declaration as JSON in its metadata, tensors
    /// by their PyTorch names and in PyTorch's layout (dense weights are `[outputs, inputs]`). The
    /// same weights give the same bytes.
    ///
    /// # Errors
    ///
    /// [`ModelError::ReadBack`] where weights cannot be copied from the device.
    pub fn save(&self) -> Result<Vec<u8>, ModelError> {
        weights::save(&self.spec, &self.layers)
    }

    /// Reads a network that [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// Of the weights, the declaration in them, or a tensor that is missing, unexpected or
    /// misshapen.
    pub fn load(bytes: &[u8], runtime: &Runtime) -> Result<Self, ModelError> {
        let file = weights::WeightsFile::open(bytes)?;
        let spec = file.spec()?;
        spec.validate()?;
        let layers = Layers::new(&spec, &mut Initializer::zeros(runtime.device()));
        Ok(Self {
            layers: file.fill(layers)?,
            spec,
            runtime: runtime.clone(),
        })
    }

    pub(in crate::model) fn layers(&self) -> &Layers {
        &self.layers
    }

    pub(in crate::model) fn with_layers(self, layers: Layers) -> Self {
        Self { layers, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeviceChoice;

    fn runtime() -> Runtime {
        Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap()
    }

    fn counts(spec: &NetworkSpec) -> ParameterCounts {
        Network::new(spec, &runtime(), 1).unwrap().parameters()
    }

    #[test]
    fn neural_simple_has_the_parameters_of_the_report() {
        let found = counts(&NetworkSpec::neural_simple(5000, 27));
        assert_eq!((found.total, found.trainable), (271_539, 271_539));
    }

    #[test]
    fn neural_embedder_has_the_parameters_of_the_report() {
        let found = counts(&NetworkSpec::neural_embedder(50_000, 500, 27));
        assert_eq!((found.total, found.trainable), (5_006_939, 5_006_939));
    }

    #[test]
    fn lenet_has_the_parameters_of_its_layers() {
        // Sides: 224 − 4 = 220, half 110, − 4 = 106, half 53; so 16 · 53² inputs of the first
        // dense layer.
        let conv = (3 * 25 + 1) * 6 + (6 * 25 + 1) * 16;
        let dense = (16 * 53 * 53 + 1) * 120 + (120 + 1) * 54 + (54 + 1) * 27;
        assert_eq!(counts(&NetworkSpec::lenet(224, 27)).total, conv + dense);
        assert_eq!(conv + dense, 5_404_291);
        // LeNet's own 32: 28, 14, 10, 5.
        let small = conv + (16 * 25 + 1) * 120 + (120 + 1) * 54 + (54 + 1) * 27;
        assert_eq!(counts(&NetworkSpec::lenet(32, 27)).total, small);
    }

    #[test]
    fn heads_of_backbones_have_the_parameters_of_the_report() {
        for (backbone, total, trainable) in [
            (BackboneKind::Vgg16, 15_778_651, 1_063_963),
            (BackboneKind::ResNet50, 26_224_539, 2_636_827),
            (BackboneKind::MobileNetV2, 4_108_379, 1_850_395),
        ] {
            let found = counts(&NetworkSpec::dense_head(backbone, 27));
            assert_eq!((found.total, found.trainable), (total, trainable));
        }
    }

    #[test]
    fn a_head_answers_from_features_of_its_width_alone() {
        use crate::model::{Embeddings, Inputs, MemoryRows, predict};
        let spec = NetworkSpec::DenseHead {
            backbone: None,
            features: 3,
            hidden: vec![5, 4],
            dropout: 0.5,
            classes: 2,
        };
        let network = Network::new(&spec, &runtime(), 1).unwrap();
        let answer = |network: &Network, width| {
            let mut rows = Embeddings::empty(width).unwrap();
            rows.push(Some(&vec![1.5; width])).unwrap();
            rows.push(None).unwrap();
            let inputs = Inputs {
                embeddings: Some(rows),
                ..Inputs::default()
            };
            predict(network, &MemoryRows::new(2, inputs).unwrap(), 8).map(|found| found.values)
        };
        let found = answer(&network, 3).unwrap();
        assert_ne!(found[..2], found[2..]);
        // No bias is set yet: nothing in, nothing out.
        assert_eq!(found[2..], [0.5, 0.5]);
        assert!(answer(&network, 4).is_err());
        let loaded = Network::load(&network.save().unwrap(), &runtime()).unwrap();
        assert_eq!(loaded.spec(), &spec);
        assert_eq!(answer(&loaded, 3).unwrap(), found);
    }

    #[test]
    fn a_fusion_has_the_parameters_of_its_branches_without_output_and_trains_its_head() {
        let text = NetworkSpec::neural_simple(5000, 27);
        let image = NetworkSpec::lenet(32, 27);
        let output = (54 + 1) * 27;
        let branches = counts(&text).total + counts(&image).total - 2 * output;
        let found = counts(&NetworkSpec::Fusion {
            text: Box::new(text),
            image: Box::new(image),
            hidden: 128,
            dropout: 0.2,
            classes: 27,
        });
        assert_eq!(found.trainable, 13_952 + 3_483);
        assert_eq!(found.total, branches + found.trainable);
    }

    #[test]
    fn one_seed_makes_one_network() {
        let spec = NetworkSpec::neural_simple(7, 3);
        let bytes = |seed| {
            Network::new(&spec, &runtime(), seed)
                .unwrap()
                .save()
                .unwrap()
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn branches_of_a_fusion_must_fit() {
        let network = |spec| Network::new(&spec, &runtime(), 1).unwrap();
        let text = network(NetworkSpec::neural_simple(7, 3));
        let image = network(NetworkSpec::lenet(16, 3));
        let other = network(NetworkSpec::lenet(16, 4));
        assert!(Network::fusion(text.clone(), image.clone(), 8, 0.1, 1).is_ok());
        assert!(Network::fusion(text.clone(), other, 8, 0.1, 1).is_err());
        assert!(Network::fusion(image, text, 8, 0.1, 1).is_err());
    }
}
