//! What can go wrong in `model`.

use std::error::Error;

/// An error of [`model`](crate::model).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A device was written in a way that is not understood.
    #[error("unknown device {found:?}: expected auto, cpu, cuda or cuda:N")]
    UnknownDevice {
        /// What was written.
        found: String,
    },
    /// A CUDA device was asked for where there is none of that number.
    #[error("no device {wanted}: LibTorch sees {available} CUDA device(s)")]
    NoCuda {
        /// The device asked for.
        wanted: String,
        /// Number of CUDA devices that LibTorch sees.
        available: usize,
    },
    /// A network cannot be built from its declaration.
    #[error("network cannot be built: {reason}")]
    Spec {
        /// What is wrong with the declaration.
        reason: String,
    },
    /// A weights file is not readable as safetensors.
    #[error("weights are not readable")]
    Weights(#[source] safetensors::SafeTensorError),
    /// A weights file is not readable as PyTorch's.
    #[error("weights are not readable as safetensors or PyTorch's .pth")]
    Pytorch(#[source] Box<pytorch_reader::PytorchError>),
    /// A weights file is HDF5, which is not read.
    #[error("weights are HDF5 (.h5), which is not read: convert them to safetensors")]
    Hdf5,
    /// A weights file could not be put into a temporary file, or not be read from there.
    #[error("weights cannot be read by way of a temporary file")]
    ScratchFile(#[source] std::io::Error),
    /// A weights file does not say which network it holds.
    #[error("weights do not name their network")]
    NoSpec,
    /// The declaration of the network in a weights file is not readable.
    #[error("declaration of the network in the weights is not readable")]
    SpecSyntax(#[source] serde_json::Error),
    /// A tensor of the network is not in the weights file.
    #[error("weights lack tensor {name}")]
    MissingTensor {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor of the weights file is not in the network.
    #[error("weights hold tensor {name}, which the network has not")]
    UnexpectedTensor {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor of the weights file has another shape or type than the network's.
    #[error("tensor {name} is {found}, expected {expected}")]
    MisshapenTensor {
        /// Name of the tensor.
        name: String,
        /// Type and shape in the file.
        found: String,
        /// Type and shape in the network.
        expected: String,
    },
    /// Values could not be read back from the device.
    #[error("values cannot be read back from the device: {reason}")]
    ReadBack {
        /// Burn's own words.
        reason: String,
    },
    /// Inputs do not fit together or do not fit the network.
    #[error("inputs do not fit: {reason}")]
    Inputs {
        /// What does not fit.
        reason: String,
    },
    /// The source of the examples failed.
    #[error("examples cannot be read")]
    Source(#[source] Box<dyn Error + Send + Sync>),
    /// Options of a training make no sense.
    #[error("training options: {reason}")]
    Options {
        /// What makes no sense.
        reason: String,
    },
    /// There are no rows to train on, or none to validate with.
    #[error("no {fold} rows")]
    Empty {
        /// `training` or `validation`.
        fold: &'static str,
    },
    /// A class index is not one of the network's classes.
    #[error("class {class} of row {row}: the network has {classes} classes")]
    Class {
        /// Row of the examples.
        row: usize,
        /// Class of that row.
        class: usize,
        /// Number of classes of the network.
        classes: usize,
    },
    /// The loss is no longer a number.
    #[error("training diverged in epoch {epoch}: the loss is not a finite number")]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
    },
    /// An epoch snapshot is not one of this training.
    #[error("the epoch snapshot cannot be gone on from: {reason}")]
    Snapshot {
        /// What does not fit.
        reason: String,
    },
    /// The observer asked to stop, or the source of the examples was interrupted.
    #[error("interrupted")]
    Interrupted,
}
