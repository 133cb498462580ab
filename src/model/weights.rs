//! Weights files: safetensors that PyTorch reads as a `state_dict`.
//!
//! One entry of metadata, `network`, holds the declaration as JSON. Tensors are `F32`, named by
//! their path (`dense.weight`), and laid out as PyTorch's: a dense layer's weight is
//! `[outputs, inputs]`, the transpose of Burn's. Invariant: the same declaration and weights give
//! the same bytes, and a file that does not hold exactly the tensors of its network is refused.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::ModelError;
use super::networks::{Layers, NetworkSpec};

const SPEC_KEY: &str = "network";

/// Writes a network as safetensors.
pub(super) fn save(spec: &NetworkSpec, layers: &Layers) -> Result<Vec<u8>, ModelError> {
    let tensors = collect(layers)?;
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            Ok((name.as_str(), view.map_err(ModelError::Weights)?))
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let spec = serde_json::to_string(spec).map_err(ModelError::SpecSyntax)?;
    // A single entry, because the order of several would be a hash map's.
    let metadata = HashMap::from([(SPEC_KEY.to_owned(), spec)]);
    safetensors::serialize(views, Some(metadata)).map_err(ModelError::Weights)
}

/// Shape and little-endian bytes of a tensor in PyTorch's layout.
pub(super) type RawTensor = (Vec<usize>, Vec<u8>);

/// Copies every parameter of a module from the device, by name.
pub(super) fn collect<M: Module>(module: &M) -> Result<BTreeMap<String, RawTensor>, ModelError> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    match collector.failed {
        Some(reason) => Err(ModelError::ReadBack { reason }),
        None => Ok(collector.tensors),
    }
}

/// Fills a module with tensors, which are exactly those of its parameters.
pub(super) fn fill<M: Module>(
    module: M,
    tensors: BTreeMap<String, TensorView<'_>>,
) -> Result<M, ModelError> {
    let mut filler = Filler {
        path: Path::default(),
        tensors,
        error: None,
    };
    let module = module.map(&mut filler);
    if let Some(error) = filler.error {
        return Err(error);
    }
    match filler.tensors.into_keys().next() {
        Some(name) => Err(ModelError::UnexpectedTensor { name }),
        None => Ok(module),
    }
}

/// A weights file that is open.
pub(super) struct WeightsFile<'a> {
    spec: Option<String>,
    tensors: SafeTensors<'a>,
}

impl<'a> WeightsFile<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(ModelError::Weights)?;
        let entries = header.metadata().as_ref();
        Ok(Self {
            spec: entries.and_then(|entries| entries.get(SPEC_KEY).cloned()),
            tensors: SafeTensors::deserialize(bytes).map_err(ModelError::Weights)?,
        })
    }

    /// Returns the declaration of the network.
    pub(super) fn spec(&self) -> Result<NetworkSpec, ModelError> {
        let text = self.spec.as_ref().ok_or(ModelError::NoSpec)?;
        serde_json::from_str(text).map_err(ModelError::SpecSyntax)
    }

    /// Fills layers with the tensors.
    pub(super) fn fill(&self, layers: Layers) -> Result<Layers, ModelError> {
        fill(layers, self.tensors.tensors().into_iter().collect())
    }
}

/// Where in a module a traversal is.
#[derive(Default)]
pub(super) struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    pub(super) fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    /// The name of the parameter here. Names of enum variants are no part of it.
    pub(super) fn name(&self) -> String {
        let parts = self.names.iter().zip(&self.containers);
        let parts: Vec<&str> = parts
            .filter(|(_, container)| !container.starts_with("Enum:"))
            .map(|(name, _)| name.as_str())
            .collect();
        parts.join(".")
    }

    /// Whether Burn's layout of the parameter here is the transpose of PyTorch's.
    fn is_transposed(&self, rank: usize) -> bool {
        rank == 2
            && self
                .containers
                .last()
                .is_some_and(|last| last == "Struct:Linear")
    }
}

/// Collects shape and little-endian bytes of every parameter, by name.
#[derive(Default)]
struct Collector {
    path: Path,
    tensors: BTreeMap<String, RawTensor>,
    failed: Option<String>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut shape = param.dims().to_vec();
        match param.val().into_data().try_into_vec::<f32>() {
            Ok(mut values) => {
                if self.path.is_transposed(D) {
                    values = transposed(&values, shape[0], shape[1]);
                    shape.reverse();
                }
                let bytes = values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                self.tensors.insert(self.path.name(), (shape, bytes));
            }
            Err(error) => self.failed = Some(error.to_string()),
        }
    }
}

/// Replaces every parameter by the tensor of its name, and takes that out.
struct Filler<'a> {
    path: Path,
    tensors: BTreeMap<String, TensorView<'a>>,
    error: Option<ModelError>,
}

impl Filler<'_> {
    /// Values in Burn's layout for a parameter of that shape in Burn's layout.
    fn take(&mut self, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let name = self.path.name();
        let is_transposed = self.path.is_transposed(shape.len());
        let mut expected = shape.to_vec();
        if is_transposed {
            expected.reverse();
        }
        let Some(view) = self.tensors.remove(&name) else {
            return Err(ModelError::MissingTensor { name });
        };
        if view.dtype() != Dtype::F32 || view.shape() != expected {
            return Err(ModelError::MisshapenTensor {
                name,
                found: format!("{:?} {:?}", view.dtype(), view.shape()),
                expected: format!("{:?} {expected:?}", Dtype::F32),
            });
        }
        let (words, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        Ok(if is_transposed {
            transposed(&values, expected[0], expected[1])
        } else {
            values
        })
    }
}

impl ModuleMapper for Filler<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        let shape = param.dims();
        match self.take(&shape) {
            Ok(values) => {
                let device = param.device();
                param.map(|_| Tensor::from_data(TensorData::new(values, shape), &device))
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}

fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = Vec::with_capacity(values.len());
    for column in 0..columns {
        transposed.extend((0..rows).map(|row| values[row * columns + column]));
    }
    transposed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Branch, DeviceChoice, FusionOptions, Modality, Network, Runtime};

    fn runtime() -> Runtime {
        Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap()
    }

    fn network() -> Network {
        let text = Network::new(&NetworkSpec::neural_simple(3, 2), &runtime(), 1).unwrap();
        let branches = vec![
            text.branch().unwrap(),
            Branch::probabilities(Modality::Image, 2).with_dense(5),
        ];
        let options = FusionOptions {
            hidden: 4,
            dropout: 0.1,
            modality_dropout: 0.0,
            mask: true,
            classes: 2,
        };
        Network::fusion(branches, options, &runtime(), 3).unwrap()
    }

    fn lenet() -> Network {
        Network::new(&NetworkSpec::lenet(16, 2), &runtime(), 2).unwrap()
    }

    /// Serializes the tensors of a file after a change to them.
    fn changed(change: impl FnOnce(&mut BTreeMap<String, RawTensor>)) -> Vec<u8> {
        let network = network();
        let mut tensors = collect(network.layers()).unwrap();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, (shape, bytes))| {
            (
                name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        let spec = serde_json::to_string(network.spec()).unwrap();
        let metadata = HashMap::from([(SPEC_KEY.to_owned(), spec)]);
        safetensors::serialize(views, Some(metadata)).unwrap()
    }

    #[test]
    fn tensors_have_the_names_and_shapes_of_pytorch() {
        let names = |network: &Network| {
            let bytes = network.save().unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let mut found: Vec<_> = file
                .iter()
                .map(|(name, view)| (name.to_owned(), view.shape().to_vec()))
                .collect();
            found.sort();
            found
        };
        let expected = [
            ("conv_1.bias", vec![6]),
            ("conv_1.weight", vec![6, 3, 5, 5]),
            ("conv_2.bias", vec![16]),
            ("conv_2.weight", vec![16, 6, 5, 5]),
            ("dense_1.bias", vec![120]),
            ("dense_1.weight", vec![120, 16]),
            ("dense_2.bias", vec![54]),
            ("dense_2.weight", vec![54, 120]),
            ("output.bias", vec![2]),
            ("output.weight", vec![2, 54]),
        ]
        .map(|(name, shape)| (name.to_owned(), shape));
        assert_eq!(names(&lenet()), expected);
        // 54 of the text, 5 of the image, and a column each that says whether there is one.
        let expected = [
            ("branches.1.dense.bias", vec![5]),
            ("branches.1.dense.weight", vec![5, 2]),
            ("dense.bias", vec![4]),
            ("dense.weight", vec![4, 61]),
            ("output.bias", vec![2]),
            ("output.weight", vec![2, 4]),
        ]
        .map(|(name, shape)| (name.to_owned(), shape));
        assert_eq!(names(&network()), expected);
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let bytes = network().save().unwrap();
        let loaded = Network::load(&bytes, &runtime()).unwrap();
        assert_eq!(loaded.spec(), network().spec());
        assert_eq!(loaded.save().unwrap(), bytes);
        assert_eq!(loaded.parameters(), network().parameters());
    }

    #[test]
    fn files_that_do_not_hold_the_network_are_refused() {
        let load = |bytes: &[u8]| Network::load(bytes, &runtime()).unwrap_err();
        let bytes = changed(|_| ());
        assert_eq!(bytes, network().save().unwrap());
        assert!(matches!(
            load(&bytes[..bytes.len() - 1]),
            ModelError::Weights(_)
        ));
        assert!(matches!(load(b"nothing"), ModelError::Weights(_)));
        let plain = safetensors::serialize(Vec::<(&str, TensorView<'_>)>::new(), None).unwrap();
        assert!(matches!(load(&plain), ModelError::NoSpec));

        let name = "dense.weight";
        let missing = changed(|tensors| drop(tensors.remove(name)));
        assert!(matches!(load(&missing), ModelError::MissingTensor { name: n } if n == name));
        let extra = changed(|tensors| {
            tensors.insert("extra".to_owned(), (vec![1], vec![0; 4]));
        });
        let error = load(&extra);
        assert!(matches!(error, ModelError::UnexpectedTensor { name } if name == "extra"));
        let misshapen = changed(|tensors| {
            tensors.get_mut(name).unwrap().0 = vec![61, 4];
        });
        assert_eq!(
            load(&misshapen).to_string(),
            "tensor dense.weight is F32 [61, 4], expected F32 [4, 61]"
        );
    }

    #[test]
    fn a_transposed_matrix_is_transposed() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(transposed(&values, 2, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
