//! A network: its declaration, its layers, the device they are on.

use burn::module::Module;

use super::fine_tuned::FineTuning;
use super::fusion::{Branch, BranchSpec, Fusion, FusionOptions};
use super::layers::{Initializer, Layers};
use super::pass::Pass;
use super::spec::NetworkSpec;
use crate::model::backbones::{BackboneKind, Pretrained};
use crate::model::batch::{Embeddings, Rows};
use crate::model::predict::{in_batches, read};
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

    /// Makes an untrained fusion of trained models.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where the branches make no fusion.
    pub fn fusion(
        branches: Vec<Branch>,
        options: FusionOptions,
        runtime: &Runtime,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let (branches, frozen): (Vec<_>, Vec<_>) = branches
            .into_iter()
            .map(|branch| (branch.spec, branch.frozen))
            .unzip();
        let FusionOptions {
            hidden,
            dropout,
            modality_dropout,
            mask,
            classes,
        } = options;
        let spec = NetworkSpec::Fusion {
            branches: branches.clone(),
            hidden,
            dropout,
            modality_dropout,
            mask,
            classes,
        };
        spec.validate()?;
        let random = generator(seed, Purpose::Weights, 0);
        let mut initializer = Initializer::random(random, runtime.device());
        let fusion = Fusion::new(&branches, frozen, options, &mut initializer);
        Ok(Self {
            spec,
            layers: Layers::Fusion(fusion),
            runtime: runtime.clone(),
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

    /// Returns what a fusion takes of this network; [`branch_rows`](Self::branch_rows) computes it. A head that drops
    /// features goes on doing so in the fusion: that takes the features, and the head's layers, frozen. Of others it takes the
    /// penultimate layer.
    ///
    /// # Errors
    ///
    /// [`ModelError::Spec`] where the network is itself a fusion.
    pub fn branch(&self) -> Result<Branch, ModelError> {
        let Some(modality) = self.spec.modality() else {
            let reason = "a fusion cannot be a branch of another".to_owned();
            return Err(ModelError::Spec { reason });
        };
        let mut branch = BranchSpec {
            modality,
            width: self.penultimate_width(),
            dropout: self.spec.penultimate_dropout(),
            frozen: Vec::new(),
            dense: None,
            parameters: self.parameters().total - self.spec.output_parameters(),
        };
        let mut frozen = Vec::new();
        if let (Layers::DenseHead(head), Some(features)) = (&self.layers, self.dropped_features()) {
            branch.width = features;
            frozen = head.dense().to_vec();
            branch.frozen = frozen.iter().map(|layer| layer.weight.dims()[1]).collect();
            branch.parameters -= frozen.iter().map(Module::num_params).sum::<usize>();
        }
        Ok(Branch {
            spec: branch,
            frozen,
        })
    }

    /// The number of features, where the network is a head that drops some of them.
    fn dropped_features(&self) -> Option<usize> {
        match self.spec {
            NetworkSpec::DenseHead {
                features,
                drops_features: true,
                ..
            } => Some(features),
            _ => None,
        }
    }

    /// Computes what a fusion takes of this network for all rows, and which of them it knows something of.
    ///
    /// # Shapes
    ///
    /// `[rows, width of the branch]`
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the rows do not fit the network, and what [`Rows::batches`] returns.
    pub fn branch_rows(
        &self,
        rows: &dyn Rows,
        batch_size: usize,
    ) -> Result<Embeddings, ModelError> {
        self.runtime.bind_thread();
        let takes_features = self.dropped_features();
        let width = takes_features.unwrap_or_else(|| self.penultimate_width());
        let mut all = Embeddings::empty(width)?;
        in_batches(rows, batch_size, |inputs, rows| {
            let known = inputs.presence().unwrap_or_else(|| vec![false; rows.len()]);
            let values = match (&inputs.embeddings, takes_features) {
                (Some(features), Some(_)) => features.dense().values().to_vec(),
                _ => read(self.layers.features(inputs, &mut Pass::evaluation())?)?,
            };
            for (row, known) in values.chunks_exact(width).zip(known) {
                all.push(known.then_some(row))?;
            }
            Ok(())
        })?;
        Ok(all)
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

    /// Returns how many parameters there are. A fusion counts with its branches, but for their output
    /// layers, of which it makes no use; a head of a backbone counts with it.
    #[must_use]
    pub fn parameters(&self) -> ParameterCounts {
        let frozen = match &self.spec {
            NetworkSpec::DenseHead { backbone, .. } => backbone.map_or(0, BackboneKind::parameters),
            NetworkSpec::Fusion { branches, .. } => {
                branches.iter().map(|branch| branch.parameters).sum()
            }
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
            drops_features: false,
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

    fn options(hidden: usize, classes: usize) -> FusionOptions {
        FusionOptions {
            hidden,
            dropout: 0.2,
            modality_dropout: 0.0,
            mask: false,
            classes,
        }
    }

    #[test]
    fn the_fusion_of_the_report_has_its_parameters() {
        let network = |spec| Network::new(&spec, &runtime(), 1).unwrap();
        let text = network(NetworkSpec::neural_simple(5000, 27));
        let head = |drops_features| NetworkSpec::DenseHead {
            backbone: Some(BackboneKind::Vgg16),
            features: BackboneKind::Vgg16.width(),
            hidden: vec![32],
            dropout: 0.2,
            drops_features,
            classes: 27,
        };
        for drops_features in [true, false] {
            let image = network(head(drops_features));
            let branches = vec![
                text.branch().unwrap(),
                image.branch().unwrap().with_dense(54),
            ];
            let fusion = Network::fusion(branches, options(128, 27), &runtime(), 1).unwrap();
            let found = fusion.parameters();
            assert_eq!((found.total, found.trainable), (15_020_375, 19_217));
        }
    }

    #[test]
    fn a_fusion_takes_the_features_of_a_head_that_drops_them_and_keeps_its_layers() {
        use crate::model::{Inputs, MemoryRows};
        let spec = NetworkSpec::DenseHead {
            backbone: None,
            features: 3,
            hidden: vec![4],
            dropout: 0.5,
            drops_features: true,
            classes: 2,
        };
        let head = Network::new(&spec, &runtime(), 1).unwrap();
        let mut features = Embeddings::empty(3).unwrap();
        features.push(Some(&[1.0, 2.0, 3.0])).unwrap();
        features.push(None).unwrap();
        let inputs = Inputs {
            embeddings: Some(features.clone()),
            ..Inputs::default()
        };
        let rows = MemoryRows::new(2, inputs).unwrap();
        assert_eq!(head.branch_rows(&rows, 8).unwrap(), features);
        let branches = vec![head.branch().unwrap()];
        let fusion = Network::fusion(branches, options(5, 2), &runtime(), 7).unwrap();
        let bytes = fusion.save().unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let own = head.save().unwrap();
        let own = safetensors::SafeTensors::deserialize(&own).unwrap();
        assert_eq!(
            file.tensor("branches.0.frozen.0.weight").unwrap().data(),
            own.tensor("dense.0.weight").unwrap().data()
        );
        // 4 · 5 + 5 and 5 · 2 + 2.
        assert_eq!(fusion.parameters().trainable, 37);
        let loaded = Network::load(&bytes, &runtime()).unwrap();
        assert_eq!(loaded.parameters(), fusion.parameters());
        assert_eq!(loaded.save().unwrap(), bytes);
    }

    #[test]
    fn a_row_that_a_branch_does_not_know_is_zero_there() {
        use crate::model::{Inputs, MemoryRows, Modality, predict};
        let branches = [Modality::Text, Modality::Image].map(|modality| {
            let branch = Branch::probabilities(modality, 2);
            branch.with_dense(3)
        });
        for mask in [false, true] {
            let options = FusionOptions {
                mask,
                ..options(5, 2)
            };
            let fusion = Network::fusion(branches.to_vec(), options, &runtime(), 7).unwrap();
            let answer = |image: Option<&[f32]>| {
                let mut rows = [Embeddings::empty(2).unwrap(), Embeddings::empty(2).unwrap()];
                rows[0].push(Some(&[0.5, -0.5])).unwrap();
                rows[1].push(image).unwrap();
                let inputs = Inputs {
                    branches: rows.to_vec(),
                    ..Inputs::default()
                };
                let rows = MemoryRows::new(1, inputs).unwrap();
                predict(&fusion, &rows, 4).unwrap().values
            };
            // Biases are 0 still, so that a branch of zeros adds nothing: only a mask tells one from the other.
            assert_eq!(answer(None) == answer(Some(&[0.0, 0.0])), !mask);
            assert_ne!(answer(None), answer(Some(&[1.0, -1.0])));
        }
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
    fn a_fusion_is_no_branch() {
        let branch = Branch::probabilities(crate::model::Modality::Text, 2);
        let fusion = Network::fusion(vec![branch], options(5, 2), &runtime(), 7).unwrap();
        assert!(fusion.branch().is_err());
        assert!(Network::fusion(Vec::new(), options(5, 2), &runtime(), 7).is_err());
    }
}
