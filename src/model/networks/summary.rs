//! The layers of a network as a table, as Keras' `summary()` has them: kind, output shape, parameters, and from which
//! layers each reads.
//!
//! Made from the declaration alone, so that a weights file need not be loaded for it. *Invariant*: the parameters of the rows
//! add up to those of the network ([`Network::parameters`](super::Network::parameters)).

use serde::Serialize;

use super::fine_tuned::Trained;
use super::fusion::BranchSpec;
use super::{NetworkSpec, lenet};
use crate::model::ModelError;
use crate::model::backbones::BackboneKind;
use crate::model::weights::WeightsFile;

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Name, unique within the network.
    pub name: String,
    /// Kind, by Keras' name.
    pub kind: &'static str,
    /// Shape of the output without the axis of the rows.
    pub output: Vec<usize>,
    /// Number of parameters.
    pub parameters: usize,
    /// Of these, how many a training changes.
    pub trained: usize,
    /// Places of the layers that it reads.
    pub inputs: Vec<usize>,
}

impl NetworkSpec {
    /// Reads the declaration that a weights file holds.
    ///
    /// # Errors
    ///
    /// Of a file that is no weights file, or has no declaration.
    pub fn of_weights(bytes: &[u8]) -> Result<Self, ModelError> {
        WeightsFile::open(bytes)?.spec()
    }

    /// Lists the layers in order. `branches` are, of a fusion, the names of its models in the order of its declaration with the
    /// declarations of those that are networks; others need none.
    #[must_use]
    pub fn summary(&self, branches: &[(String, Option<NetworkSpec>)]) -> Vec<LayerSummary> {
        let mut table = Table::default();
        table.network(self, branches);
        table.layers
    }
}

#[derive(Default)]
struct Table {
    layers: Vec<LayerSummary>,
    /// What stands before each name.
    prefix: String,
    /// Whether the layers added now are changed by a training.
    is_frozen: bool,
}

impl Table {
    /// Adds a layer on top of the last one.
    fn push(&mut self, name: &str, kind: &'static str, output: &[usize], parameters: usize) {
        let inputs = self.layers.len().checked_sub(1).into_iter().collect();
        self.push_on(name, kind, output, parameters, inputs);
    }

    fn push_on(
        &mut self,
        name: &str,
        kind: &'static str,
        output: &[usize],
        parameters: usize,
        inputs: Vec<usize>,
    ) {
        self.layers.push(LayerSummary {
            name: format!("{}{name}", self.prefix),
            kind,
            output: output.to_vec(),
            parameters,
            trained: if self.is_frozen { 0 } else { parameters },
            inputs,
        });
    }

    fn input(&mut self, output: &[usize]) {
        self.push_on("input", "InputLayer", output, 0, Vec::new());
    }

    fn dense(&mut self, name: &str, from: usize, to: usize) {
        self.push(name, "Dense", &[to], (from + 1) * to);
    }

    fn dropout(&mut self, name: &str, share: f64, width: usize) {
        if share > 0.0 {
            self.push(name, "Dropout", &[width], 0);
        }
    }

    fn network(&mut self, spec: &NetworkSpec, branches: &[(String, Option<NetworkSpec>)]) {
        if let NetworkSpec::Fusion {
            branches: specs,
            hidden,
            dropout,
            mask,
            classes,
            ..
        } = spec
        {
            let columns = self.branches(specs, branches, *mask);
            self.dense("dense", columns, *hidden);
            self.dropout("dropout", *dropout, *hidden);
            self.dense("output", *hidden, *classes);
        } else {
            self.body(spec);
            self.dense("output", spec.penultimate_width(), spec.classes());
        }
    }

    /// All layers but the last one, and no dropout of the penultimate one where that is the output of a branch.
    fn body(&mut self, spec: &NetworkSpec) {
        match spec {
            NetworkSpec::NeuralSimple {
                features,
                hidden,
                dropout,
                ..
            } => {
                self.input(&[*features]);
                self.dense("dense", *features, *hidden);
                self.dropout("dropout", *dropout, *hidden);
            }
            NetworkSpec::NeuralEmbedder {
                vocabulary,
                length,
                dimensions,
                hidden,
                dropout,
                ..
            } => {
                self.input(&[*length]);
                let words = vocabulary * dimensions;
                self.push("embedding", "Embedding", &[*length, *dimensions], words);
                self.push("average", "GlobalAveragePooling1D", &[*dimensions], 0);
                self.dropout("dropout_1", *dropout, *dimensions);
                self.dense("dense", *dimensions, *hidden);
                self.dropout("dropout_2", *dropout, *hidden);
            }
            NetworkSpec::LeNet { size, dropout, .. } => {
                self.input(&[*size, *size, 3]);
                self.lenet(*size, *dropout);
            }
            NetworkSpec::DenseHead {
                backbone,
                features,
                hidden,
                dropout,
                drops_features,
                ..
            } => {
                match backbone {
                    Some(backbone) => self.backbone(*backbone, true),
                    None => self.input(&[*features]),
                }
                self.head(*features, hidden, *dropout, *drops_features);
            }
            NetworkSpec::FineTuned {
                source,
                trained,
                hidden,
                dropout,
                ..
            } => {
                let kind = source.backbone;
                self.backbone(kind, *trained == Trained::Head);
                self.head(kind.width(), hidden, *dropout, false);
            }
            NetworkSpec::Fusion { .. } => {}
        }
    }

    fn lenet(&mut self, mut side: usize, dropout: f64) {
        let mut channels = 3;
        for (name, pool, filters) in [
            ("conv_1", "pool_1", lenet::FILTERS_1),
            ("conv_2", "pool_2", lenet::FILTERS_2),
        ] {
            let parameters = (channels * lenet::KERNEL * lenet::KERNEL + 1) * filters;
            let full = side + 1 - lenet::KERNEL;
            self.push(name, "Conv2D", &[full, full, filters], parameters);
            side = lenet::pooled(side);
            self.push(pool, "MaxPooling2D", &[side, side, filters], 0);
            channels = filters;
        }
        let flat = channels * side * side;
        self.push("flatten", "Flatten", &[flat], 0);
        self.dense("dense_1", flat, lenet::DENSE_1);
        self.dropout("dropout", dropout, lenet::DENSE_1);
        self.dense("dense_2", lenet::DENSE_1, lenet::DENSE_2);
    }

    /// Image → frozen or trained backbone → average of each feature map.
    fn backbone(&mut self, kind: BackboneKind, is_frozen: bool) {
        self.input(&[224, 224, 3]);
        let was_frozen = self.is_frozen;
        self.is_frozen |= is_frozen;
        let (width, parameters) = (kind.width(), kind.parameters());
        self.push(kind.name(), "Functional", &[7, 7, width], parameters);
        if let Some(layer) = self.layers.last_mut() {
            layer.trained = layer.trained.min(kind.trainable());
        }
        self.is_frozen = was_frozen;
        self.push("average", "GlobalAveragePooling2D", &[width], 0);
    }

    fn head(&mut self, features: usize, hidden: &[usize], dropout: f64, drops_features: bool) {
        if drops_features {
            self.dropout("dropout", dropout, features);
        }
        let mut width = features;
        for (place, &next) in hidden.iter().enumerate() {
            self.dense(&format!("dense_{}", place + 1), width, next);
            self.dropout(&format!("dropout_{}", place + 1), dropout, next);
            width = next;
        }
    }

    /// The models of a fusion side by side and their concatenation; returns its width.
    fn branches(
        &mut self,
        specs: &[BranchSpec],
        names: &[(String, Option<NetworkSpec>)],
        mask: bool,
    ) -> usize {
        let mut ends = Vec::new();
        let mut columns = 0;
        for (place, branch) in specs.iter().enumerate() {
            let name = names.get(place).map_or("branch", |(name, _)| name.as_str());
            self.prefix = format!("{name}/");
            self.is_frozen = true;
            match names.get(place).and_then(|(_, spec)| spec.as_ref()) {
                Some(spec) => self.body(spec),
                None => self.push_on(
                    "answers",
                    "InputLayer",
                    &[branch.width],
                    branch.parameters,
                    Vec::new(),
                ),
            }
            self.is_frozen = false;
            columns += self.top(branch);
            ends.push(self.layers.len() - 1);
        }
        self.prefix.clear();
        if mask {
            columns += specs.len();
        }
        self.push_on("concatenate", "Concatenate", &[columns], 0, ends);
        columns
    }

    /// The dense layer that a fusion trains on top of a branch, where it does; returns the width of the branch.
    fn top(&mut self, branch: &BranchSpec) -> usize {
        let width = branch.frozen.last().copied().unwrap_or(branch.width);
        if let Some(dense) = branch.dense {
            self.dense("fusion_dense", width, dense);
        }
        branch.dense.unwrap_or(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Branch, DeviceChoice, FusionOptions, Modality, Network, Runtime};

    fn runtime() -> Runtime {
        Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap()
    }

    fn totals(layers: &[LayerSummary]) -> (usize, usize) {
        let rows = layers.iter();
        rows.fold((0, 0), |(all, trained), row| {
            (all + row.parameters, trained + row.trained)
        })
    }

    /// The rows add up to what the network says of itself.
    #[track_caller]
    fn check(network: &Network, branches: &[(String, Option<NetworkSpec>)]) -> Vec<LayerSummary> {
        let layers = network.spec().summary(branches);
        let counts = network.parameters();
        assert_eq!(
            totals(&layers),
            (counts.total, counts.trainable),
            "{layers:#?}"
        );
        layers
    }

    #[test]
    fn layers_add_up_to_the_network() {
        for spec in [
            NetworkSpec::neural_simple(5000, 27),
            NetworkSpec::neural_embedder(500, 50, 27),
            NetworkSpec::lenet(56, 27),
            NetworkSpec::dense_head(BackboneKind::MobileNetV2, 27),
            NetworkSpec::dense_head(BackboneKind::Vgg16, 27),
        ] {
            check(&Network::new(&spec, &runtime(), 1).unwrap(), &[]);
        }
    }

    #[test]
    fn kinds_and_shapes_are_those_of_the_report() {
        let layers = NetworkSpec::dense_head(BackboneKind::Vgg16, 27).summary(&[]);
        let rows: Vec<(&str, usize, usize)> = layers
            .iter()
            .map(|row| {
                (
                    row.kind,
                    row.output.last().copied().unwrap(),
                    row.parameters,
                )
            })
            .collect();
        let expected = [
            ("InputLayer", 3, 0),
            ("Functional", 512, 14_714_688),
            ("GlobalAveragePooling2D", 512, 0),
            ("Dense", 1024, 525_312),
            ("Dropout", 1024, 0),
            ("Dense", 512, 524_800),
            ("Dropout", 512, 0),
            ("Dense", 27, 13_851),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn the_reports_fusion_is_drawn_with_its_branches() {
        let runtime = runtime();
        let image = NetworkSpec::DenseHead {
            backbone: Some(BackboneKind::Vgg16),
            features: 512,
            hidden: vec![32],
            dropout: 0.2,
            drops_features: true,
            classes: 27,
        };
        let text = NetworkSpec::neural_simple(5000, 27);
        let branch =
            |spec: &NetworkSpec| Network::new(spec, &runtime, 1).unwrap().branch().unwrap();
        let branches = vec![branch(&image).with_dense(54), branch(&text)];
        let options = FusionOptions {
            hidden: 128,
            dropout: 0.2,
            modality_dropout: 0.0,
            mask: false,
            classes: 27,
        };
        let fusion = Network::fusion(branches, options, &runtime, 1).unwrap();
        let names = [
            ("image".to_owned(), Some(image)),
            ("text".to_owned(), Some(text)),
        ];
        let layers = check(&fusion, &names);
        assert_eq!(totals(&layers), (15_020_375, 19_217));
        let concatenate = layers.iter().find(|row| row.kind == "Concatenate").unwrap();
        assert_eq!(concatenate.output, [108]);
        assert_eq!(concatenate.inputs.len(), 2);
    }

    #[test]
    fn a_branch_of_answers_is_one_row() {
        let branches = vec![
            Branch::probabilities(Modality::Text, 3),
            Branch::probabilities(Modality::Image, 3),
        ];
        let options = FusionOptions {
            hidden: 4,
            dropout: 0.0,
            modality_dropout: 0.0,
            mask: true,
            classes: 3,
        };
        let fusion = Network::fusion(branches, options, &runtime(), 1).unwrap();
        let names = [("svm".to_owned(), None), ("trees".to_owned(), None)];
        let layers = check(&fusion, &names);
        assert_eq!(layers[0].name, "svm/answers");
        assert_eq!(layers[2].output, [8]);
    }
}
