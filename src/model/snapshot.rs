//! Epoch snapshots: all that a training needs to go on as if it had never stopped.
//!
//! Safetensors of format version 1. One entry of metadata, `snapshot`, is the [`Header`] as JSON. The tensors:
//!
//! | name | content |
//! |---|---|
//! | `weights.<parameter>` | the weights after the epoch, named and laid out as in weights files |
//! | `best.<parameter>` | those of the best epoch; absent where that is this epoch |
//! | `adam.<parameter>.<field>` | what Burn's optimiser keeps of a parameter, in Burn's layout |
//! | `table.moment_1`, `table.moment_2` | the moments of a [`Table`] |
//! | `history` | `F64` `[epochs, 10]`: the [`EpochRecord`]s and [`EpochTime`]s |
//!
//! Invariant: the epochs after a snapshot give the bytes that they give without it. So numbers are kept to the bit; the
//! schedules are functions of the history and are run through it again; and randomness is drawn anew in each epoch from
//! (seed, purpose, epoch), so that its state is the number of the epoch.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn_pack::{Bytes, DType, Reader, Scalar, Writer};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::ModelError;
use super::networks::Classifier;
use super::optimizer::Optimizer;
use super::table::Table;
use super::trainer::{EpochRecord, EpochTime};
use super::weights::{self, Path, RawTensor};

const FORMAT_VERSION: u32 = 1;
const HEADER_KEY: &str = "snapshot";
const HISTORY: &str = "history";
const COLUMNS: usize = 10;

/// What is known of a training after an epoch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Past {
    /// All epochs so far.
    pub(super) history: Vec<EpochRecord>,
    /// When they ended, and what they took.
    pub(super) times: Vec<EpochTime>,
    /// The one with the lowest validation loss, from 1; 0 before the first.
    pub(super) best_epoch: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format_version: u32,
    /// The network, the options and the number of rows.
    training: String,
    best_epoch: usize,
    /// Numbers of Burn's optimiser, as `<parameter>.<field>`.
    adam: BTreeMap<String, Scalar>,
    /// Steps that the table took, where there is one.
    table_steps: Option<i32>,
}

fn error(reason: impl Into<String>) -> ModelError {
    let reason = reason.into();
    ModelError::Snapshot { reason }
}

/// Writes a snapshot of a training, which `training` identifies.
pub(super) fn save<C: Classifier>(
    training: &str,
    past: &Past,
    classifier: &C,
    best: &C,
    optimizer: &Optimizer,
) -> Result<Vec<u8>, ModelError> {
    let mut tensors = Tensors::default();
    tensors.extend("weights", weights::collect(classifier)?);
    if past.best_epoch != past.history.len() {
        tensors.extend("best", weights::collect(best)?);
    }
    let adam = tensors.push_adam(classifier, optimizer)?;
    let table_steps = optimizer.table().map(|table| tensors.push_table(table));
    tensors.push_history(past);
    let header = Header {
        format_version: FORMAT_VERSION,
        training: training.to_owned(),
        best_epoch: past.best_epoch,
        adam,
        table_steps,
    };
    let header = serde_json::to_string(&header).map_err(ModelError::SpecSyntax)?;
    let views = tensors
        .0
        .iter()
        .map(|(name, dtype, (shape, bytes))| {
            let view = TensorView::new(*dtype, shape.clone(), bytes);
            Ok((name.as_str(), view.map_err(ModelError::Weights)?))
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let metadata = HashMap::from([(HEADER_KEY.to_owned(), header)]);
    safetensors::serialize(views, Some(metadata)).map_err(ModelError::Weights)
}

/// The tensors of a snapshot that is being written.
#[derive(Default)]
struct Tensors(Vec<(String, Dtype, RawTensor)>);

impl Tensors {
    fn extend(&mut self, prefix: &str, tensors: BTreeMap<String, RawTensor>) {
        let tensors = tensors.into_iter();
        self.0
            .extend(tensors.map(|(name, raw)| (format!("{prefix}.{name}"), Dtype::F32, raw)));
    }

    /// Burn names what it keeps by ids, which are drawn anew in each process; here it is named by parameters.
    fn push_adam<C: Classifier>(
        &mut self,
        classifier: &C,
        optimizer: &Optimizer,
    ) -> Result<BTreeMap<String, Scalar>, ModelError> {
        let names: HashMap<String, String> = Parameters::of(classifier)
            .0
            .into_iter()
            .map(|(name, (id, _))| (id.to_string(), name))
            .collect();
        let renamed = |key: &str| {
            let (id, field) = key.split_once('.').unwrap_or((key, ""));
            let name = names
                .get(id)
                .ok_or_else(|| error("a moment of no weight"))?;
            Ok(format!("{name}.{field}"))
        };
        let bytes = optimizer.adam().into_bytes();
        let bytes = bytes.map_err(|failure| error(failure.to_string()))?;
        let reader = Reader::from_bytes(bytes).map_err(|failure| error(failure.to_string()))?;
        let scalars = reader.scalars().iter();
        let scalars = scalars
            .map(|(key, scalar)| Ok((renamed(key)?, *scalar)))
            .collect::<Result<_, ModelError>>()?;
        let states = reader.into_tensors();
        for state in states.map_err(|failure| error(failure.to_string()))? {
            let parts = state.into_parts();
            let (key, dtype, shape, _, bytes) =
                parts.map_err(|failure| error(failure.to_string()))?;
            if dtype != DType::F32 {
                return Err(error(format!("moments are {dtype:?}")));
            }
            let raw = (shape.to_vec(), bytes.to_vec());
            let name = format!("adam.{}", renamed(&key)?);
            self.0.push((name, Dtype::F32, raw));
        }
        Ok(scalars)
    }

    fn push_table(&mut self, table: &Table) -> i32 {
        let (moments, steps) = table.moments();
        for (name, values) in ["table.moment_1", "table.moment_2"].iter().zip(moments) {
            let shape = vec![table.rows(), table.width()];
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            let raw = (shape, bytes.collect());
            self.0.push(((*name).to_owned(), Dtype::F32, raw));
        }
        steps
    }

    fn push_history(&mut self, past: &Past) {
        let epochs = past.history.iter().zip(&past.times);
        let values = epochs.flat_map(|(epoch, time)| columns(epoch, *time));
        let bytes = values.flat_map(f64::to_le_bytes).collect();
        let raw = (vec![past.history.len(), COLUMNS], bytes);
        self.0.push((HISTORY.to_owned(), Dtype::F64, raw));
    }
}

fn columns(record: &EpochRecord, time: EpochTime) -> [f64; COLUMNS] {
    [
        record.epoch as f64,
        record.loss,
        record.accuracy,
        record.f1,
        record.validation_loss,
        record.validation_accuracy,
        record.validation_f1,
        record.learning_rate,
        time.ended_unix_s,
        time.elapsed_s,
    ]
}

fn epoch(columns: &[f64]) -> Option<(EpochRecord, EpochTime)> {
    let &[
        epoch,
        loss,
        accuracy,
        f1,
        validation_loss,
        validation_accuracy,
        validation_f1,
        learning_rate,
        ended_unix_s,
        elapsed_s,
    ] = columns
    else {
        return None;
    };
    let record = EpochRecord {
        epoch: epoch as usize,
        loss,
        accuracy,
        f1,
        validation_loss,
        validation_accuracy,
        validation_f1,
        learning_rate,
    };
    let time = EpochTime {
        ended_unix_s,
        elapsed_s,
    };
    Some((record, time))
}

/// Ids and shapes of the parameters of a module, by name.
#[derive(Default)]
struct Parameters(BTreeMap<String, (u64, Vec<usize>)>);

#[derive(Default)]
struct Collector {
    path: Path,
    found: Parameters,
}

impl Parameters {
    fn of<M: Module>(module: &M) -> Self {
        let mut collector = Collector::default();
        module.visit(&mut collector);
        collector.found
    }
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let found = (param.id.val(), param.dims().to_vec());
        self.found.0.insert(self.path.name(), found);
    }
}

/// A snapshot that is open, and belongs to the training.
pub(super) struct Snapshot<'a> {
    header: Header,
    tensors: SafeTensors<'a>,
    past: Past,
}

impl<'a> Snapshot<'a> {
    /// Opens a snapshot of the training that `training` identifies.
    pub(super) fn open(bytes: &'a [u8], training: &str) -> Result<Self, ModelError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(ModelError::Weights)?;
        let entries = metadata.metadata().as_ref();
        let header = entries.and_then(|entries| entries.get(HEADER_KEY));
        let header = header.ok_or_else(|| error("it is none"))?;
        let header: Header = serde_json::from_str(header).map_err(ModelError::SpecSyntax)?;
        if header.format_version != FORMAT_VERSION {
            let found = header.format_version;
            return Err(error(format!("it is of format version {found}")));
        }
        if header.training != training {
            return Err(error("it is of another network, options or rows"));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(ModelError::Weights)?;
        let past = read_past(&tensors, header.best_epoch)?;
        Ok(Self {
            header,
            tensors,
            past,
        })
    }

    pub(super) fn past(&self) -> &Past {
        &self.past
    }

    /// Fills a network with the weights after the last epoch, and one with those of the best.
    pub(super) fn weights<C: Classifier>(&self, classifier: C) -> Result<(C, C), ModelError> {
        let best = if self.past.best_epoch == self.past.history.len() {
            "weights."
        } else {
            "best."
        };
        let best = weights::fill(classifier.clone(), self.below(best))?;
        Ok((weights::fill(classifier, self.below("weights."))?, best))
    }

    fn below(&self, prefix: &str) -> BTreeMap<String, TensorView<'a>> {
        let tensors = self.tensors.tensors().into_iter();
        tensors
            .filter_map(|(name, view)| Some((name.strip_prefix(prefix)?.to_owned(), view)))
            .collect()
    }

    /// Puts the moments into a new optimiser of the network.
    pub(super) fn optimizer<C: Classifier>(
        &self,
        classifier: &C,
        optimizer: Optimizer,
    ) -> Result<Optimizer, ModelError> {
        let adam = self.adam(classifier)?;
        let table = match (optimizer.table().cloned(), self.header.table_steps) {
            (None, None) => None,
            (Some(table), Some(steps)) => {
                let first = self.table_moment("table.moment_1")?;
                let moments = [first, self.table_moment("table.moment_2")?];
                let table = table.with_moments(moments, steps);
                Some(table.ok_or_else(|| error("its table has another size"))?)
            }
            _ => return Err(error("it is of a network with another first layer")),
        };
        optimizer.with_state(adam, table)
    }

    /// The moments as Burn reads them, for the ids of this network.
    fn adam<C: Classifier>(&self, classifier: &C) -> Result<Bytes, ModelError> {
        let parameters = Parameters::of(classifier).0;
        // Names of parameters hold dots too; the longest one that fits is meant.
        let keyed = |key: &str| {
            let ends = key.match_indices('.').map(|(at, _)| at).rev();
            let found = ends.into_iter().find_map(|at| {
                let (id, shape) = parameters.get(&key[..at])?;
                Some((format!("{id}{}", &key[at..]), *id, shape))
            });
            found.ok_or_else(|| error(format!("it holds {key}, which the network has not")))
        };
        let mut states = Vec::new();
        for (key, view) in self.below("adam.") {
            let (renamed, id, shape) = keyed(&key)?;
            if view.dtype() != Dtype::F32 || view.shape() != shape {
                return Err(error(format!("{key} has another shape than its weight")));
            }
            let bytes = Bytes::from_bytes_vec(view.data().to_vec());
            let state = burn_pack::Tensor::new(renamed, DType::F32, shape.clone(), Some(id), bytes);
            states.push(state);
        }
        let mut writer = Writer::new(states);
        for (key, scalar) in &self.header.adam {
            writer = writer.with_scalar(&keyed(key)?.0, *scalar);
        }
        writer
            .into_bytes()
            .map_err(|failure| error(failure.to_string()))
    }

    fn table_moment(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let view = self.tensors.tensor(name).map_err(ModelError::Weights)?;
        if view.dtype() != Dtype::F32 {
            return Err(error(format!("{name} is {:?}", view.dtype())));
        }
        let (words, _) = view.data().as_chunks::<4>();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
    }
}

fn read_past(tensors: &SafeTensors<'_>, best_epoch: usize) -> Result<Past, ModelError> {
    let view = tensors.tensor(HISTORY).map_err(ModelError::Weights)?;
    let (words, _) = view.data().as_chunks::<8>();
    let values: Vec<f64> = words.iter().map(|word| f64::from_le_bytes(*word)).collect();
    let epochs = values.chunks(COLUMNS).map(epoch);
    let epochs: Option<Vec<_>> = epochs.collect();
    let is_history = |epochs: &Vec<(EpochRecord, EpochTime)>| {
        let numbers = epochs.iter().map(|(record, _)| record.epoch);
        numbers.eq(1..=epochs.len()) && (1..=epochs.len()).contains(&best_epoch)
    };
    let epochs = epochs.filter(is_history);
    let epochs = epochs.ok_or_else(|| error("its history is none"))?;
    let (history, times) = epochs.into_iter().unzip();
    Ok(Past {
        history,
        times,
        best_epoch,
    })
}
