//! Weights files as others write them: safetensors, and PyTorch's `.pth`.
//!
//! A `.pth` is read without running any code that it may hold. HDF5 (`.h5`) is not read: what of it
//! is needed is a matter of a few lines of Python, and of safetensors.

use std::collections::BTreeMap;
use std::io::Write;

use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tempfile::NamedTempFile;

use super::loader::Tensors;
use super::{BackboneKind, Layout, WeightsSource};
use crate::model::ModelError;

const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// A tensor that was not read yet.
enum Entry<'a> {
    Safetensors(TensorView<'a>),
    Pytorch(pytorch_reader::Tensor),
}

impl Entry<'_> {
    fn shape(&self) -> &[usize] {
        match self {
            Self::Safetensors(view) => view.shape(),
            Self::Pytorch(tensor) => tensor.shape(),
        }
    }

    fn is_f32(&self) -> bool {
        match self {
            Self::Safetensors(view) => view.dtype() == Dtype::F32,
            Self::Pytorch(tensor) => tensor.dtype() == DType::F32,
        }
    }

    /// Type and shape.
    fn describe(&self) -> String {
        match self {
            Self::Safetensors(view) => format!("{:?} {:?}", view.dtype(), view.shape()),
            Self::Pytorch(tensor) => format!("{:?} {:?}", tensor.dtype(), tensor.shape()),
        }
    }

    fn read(&self) -> Result<Vec<f32>, ModelError> {
        let read;
        let bytes = match self {
            Self::Safetensors(view) => view.data(),
            Self::Pytorch(tensor) => {
                read = tensor.read().map_err(ModelError::ScratchFile)?;
                &read
            }
        };
        let words = bytes.as_chunks::<4>().0;
        Ok(match self {
            Self::Safetensors(_) => words.iter().map(|word| f32::from_le_bytes(*word)).collect(),
            Self::Pytorch(_) => words.iter().map(|word| f32::from_ne_bytes(*word)).collect(),
        })
    }
}

/// The tensors of a file by name.
pub(super) struct File<'a> {
    entries: BTreeMap<String, Entry<'a>>,
    /// Where a `.pth` lies while its tensors are read.
    _scratch: Option<NamedTempFile>,
}

impl<'a> File<'a> {
    /// Opens a file of either format, whichever it is.
    ///
    /// # Errors
    ///
    /// [`ModelError::Weights`] and [`ModelError::Pytorch`] where it is not readable,
    /// [`ModelError::UnexpectedTensor`] where two tensors have one name.
    pub(super) fn open(bytes: &'a [u8], layout: Layout) -> Result<Self, ModelError> {
        if bytes.starts_with(HDF5) {
            return Err(ModelError::Hdf5);
        }
        let (tensors, scratch) = if is_safetensors(bytes) {
            (safetensors(bytes)?, None)
        } else {
            let (tensors, scratch) = pytorch(bytes)?;
            (tensors, Some(scratch))
        };
        let mut entries = BTreeMap::new();
        for (name, entry) in tensors {
            let canonical = match layout {
                Layout::Torchvision => name.clone(),
                Layout::Keras => keras_name(&name),
            };
            if entries.insert(canonical, entry).is_some() {
                return Err(ModelError::UnexpectedTensor { name });
            }
        }
        Ok(Self {
            entries,
            _scratch: scratch,
        })
    }

    /// Checks that all tensors were taken, but for those of layers that are not loaded.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnexpectedTensor`]
    pub(super) fn finish(self, source: &WeightsSource) -> Result<(), ModelError> {
        let mut names = self.entries.into_keys();
        match names.find(|name| !is_ignored(source, name)) {
            Some(name) => Err(ModelError::UnexpectedTensor { name }),
            None => Ok(()),
        }
    }
}

impl Tensors for File<'_> {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let Some(entry) = self.entries.remove(name) else {
            return Err(ModelError::MissingTensor {
                name: name.to_owned(),
            });
        };
        if !entry.is_f32() || entry.shape() != shape {
            return Err(ModelError::MisshapenTensor {
                name: name.to_owned(),
                found: entry.describe(),
                expected: format!("F32 {shape:?}"),
            });
        }
        entry.read()
    }
}

/// Whether a file begins with the length of a header and a JSON object.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        // Too short for anything: safetensors' error is the clearer one.
        return true;
    };
    u64::from_le_bytes(*length) <= rest.len() as u64 && rest.starts_with(b"{")
}

fn safetensors(bytes: &[u8]) -> Result<Vec<(String, Entry<'_>)>, ModelError> {
    let file = SafeTensors::deserialize(bytes).map_err(ModelError::Weights)?;
    let tensors = file.tensors().into_iter();
    Ok(tensors
        .map(|(name, view)| (name, Entry::Safetensors(view)))
        .collect())
}

/// The reader of `.pth` reads from a path alone, and weights may come from a store.
fn pytorch<'a>(bytes: &[u8]) -> Result<(Vec<(String, Entry<'a>)>, NamedTempFile), ModelError> {
    let mut scratch = NamedTempFile::new().map_err(ModelError::ScratchFile)?;
    scratch.write_all(bytes).map_err(ModelError::ScratchFile)?;
    let reader =
        PytorchReader::new(scratch.path()).map_err(|error| ModelError::Pytorch(Box::new(error)))?;
    let mut tensors: Vec<_> = reader.into_tensors().into_iter().collect();
    tensors.sort_by(|(left, _), (right, _)| left.cmp(right));
    let entries = tensors
        .into_iter()
        .map(|(name, tensor)| (name, Entry::Pytorch(tensor)));
    Ok((entries.collect(), scratch))
}

/// The name of a Keras tensor as newer files have it: layer, slash, weight.
fn keras_name(name: &str) -> String {
    let name = name.strip_suffix(":0").unwrap_or(name);
    let (Some((layer, _)), Some((_, weight))) = (name.split_once('/'), name.rsplit_once('/'))
    else {
        return name.to_owned();
    };
    let weight = match weight {
        "depthwise_kernel" => "kernel",
        weight => weight,
    };
    format!("{layer}/{weight}")
}

/// Whether a tensor that the network does not take may be in its file.
fn is_ignored(source: &WeightsSource, name: &str) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    match source.layout {
        Layout::Torchvision => {
            let is_classifier = match source.backbone {
                BackboneKind::ResNet50 => starts(&["fc."]),
                _ => starts(&["classifier."]),
            };
            name.ends_with(".num_batches_tracked") || (is_classifier && !source.classifier)
        }
        Layout::Keras => {
            let is_classifier = match source.backbone {
                BackboneKind::Vgg16 => starts(&["fc1/", "fc2/", "predictions/"]),
                _ => starts(&["predictions/"]),
            };
            let is_input = source.backbone == BackboneKind::EfficientNetB1
                && starts(&["normalization/", "rescaling/"]);
            is_input || (is_classifier && !source.classifier)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_keras_are_layer_and_weight() {
        for name in [
            "block_1_depthwise/kernel",
            "block_1_depthwise/depthwise_kernel:0",
            "block_1_depthwise/block_1_depthwise/depthwise_kernel:0",
        ] {
            assert_eq!(keras_name(name), "block_1_depthwise/kernel");
        }
        assert_eq!(keras_name("bn_Conv1/gamma:0"), "bn_Conv1/gamma");
        assert_eq!(keras_name("top_level"), "top_level");
    }

    #[test]
    fn both_formats_of_pytorch_are_read() {
        let files: [&[u8]; 2] = [
            include_bytes!("../../../tests/fixtures/weights.pth"),
            include_bytes!("../../../tests/fixtures/weights-legacy.pth"),
        ];
        for bytes in files {
            let mut file = File::open(bytes, Layout::Torchvision).unwrap();
            let error = file.take("layer.bias", &[2]).unwrap_err();
            assert!(matches!(error, ModelError::MissingTensor { name } if name == "layer.bias"));
            let values = file.take("layer.weight", &[2, 3]).unwrap();
            assert_eq!(values, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
            let error = file.take("layer.num_batches_tracked", &[]).unwrap_err();
            assert!(
                matches!(error, ModelError::MisshapenTensor { found, .. } if found == "I64 []")
            );
            let source = WeightsSource::torchvision(BackboneKind::MobileNetV2);
            file.finish(&source).unwrap();
        }
    }

    #[test]
    fn a_pytorch_file_that_was_cut_is_an_error() {
        let bytes = include_bytes!("../../../tests/fixtures/weights.pth");
        for length in [100, bytes.len() / 2, bytes.len() - 30] {
            let file = File::open(&bytes[..length], Layout::Torchvision);
            assert!(
                matches!(file.err(), Some(ModelError::Pytorch(_))),
                "{length}"
            );
        }
    }

    #[test]
    fn files_that_are_no_weights_are_errors() {
        for bytes in [
            &b""[..],
            b"{}",
            b"PK\x03\x04nothing",
            &[0x80, 2, 0x7d],
            &[b'x'; 600],
        ] {
            assert!(File::open(bytes, Layout::Torchvision).is_err(), "{bytes:?}");
        }
        let error = File::open(b"\x89HDF\r\n\x1a\nrest", Layout::Keras).err();
        assert!(matches!(error, Some(ModelError::Hdf5)));
    }
}
