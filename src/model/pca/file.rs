//! Principal components as a safetensors file: `mean`, `components`, `explained_variance` and `total_variance`.
//!
//! Invariant: the same components give the same bytes, and a file whose tensors do not fit together is refused.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::Pca;
use crate::model::ModelError;
use crate::model::batch::check;

impl Pca {
    /// Writes the components.
    ///
    /// # Shapes
    ///
    /// `mean`: `F32 [columns]`; `components`: `F32 [components, columns]`; `explained_variance`: `F64 [components]`;
    /// `total_variance`: `F64 [1]`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Weights`] where safetensors refuses.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let floats = |values: &[f32]| {
            values
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let doubles = |values: &[f64]| {
            values
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let (width, columns) = (self.width(), self.columns());
        let tensors = [
            ("mean", Dtype::F32, vec![columns], floats(&self.mean)),
            (
                "components",
                Dtype::F32,
                vec![width, columns],
                floats(&self.components),
            ),
            (
                "explained_variance",
                Dtype::F64,
                vec![width],
                doubles(&self.explained_variance),
            ),
            (
                "total_variance",
                Dtype::F64,
                vec![1],
                doubles(&[self.total_variance]),
            ),
        ];
        let views = tensors
            .iter()
            .map(|(name, kind, shape, bytes)| {
                Ok((*name, TensorView::new(*kind, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(ModelError::Weights)?;
        safetensors::serialize(views, None).map_err(ModelError::Weights)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, lacks a tensor, or its tensors do not fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let file = SafeTensors::deserialize(bytes).map_err(ModelError::Weights)?;
        let total: Vec<f64> = numbers(&file, "total_variance", Dtype::F64, f64::from_le_bytes)?;
        let read = Self {
            mean: numbers(&file, "mean", Dtype::F32, f32::from_le_bytes)?,
            components: numbers(&file, "components", Dtype::F32, f32::from_le_bytes)?,
            explained_variance: numbers(
                &file,
                "explained_variance",
                Dtype::F64,
                f64::from_le_bytes,
            )?,
            total_variance: total.first().copied().unwrap_or(f64::NAN),
        };
        check(read.total_variance > 0.0, || "no variance".to_owned())?;
        let (width, columns, found) = (read.width(), read.columns(), read.components.len());
        check(
            columns > 0 && width.checked_mul(columns) == Some(found),
            || format!("{found} entries are not {width} components of {columns} columns"),
        )?;
        Ok(read)
    }
}

/// Numbers of a tensor.
fn numbers<T, const BYTES: usize>(
    file: &SafeTensors<'_>,
    name: &str,
    kind: Dtype,
    number: fn([u8; BYTES]) -> T,
) -> Result<Vec<T>, ModelError> {
    let view = file.tensor(name).map_err(|_| ModelError::MissingTensor {
        name: name.to_owned(),
    })?;
    if view.dtype() != kind {
        return Err(ModelError::MisshapenTensor {
            name: name.to_owned(),
            found: format!("{:?} {:?}", view.dtype(), view.shape()),
            expected: format!("{kind:?}"),
        });
    }
    let (numbers, _) = view.data().as_chunks::<BYTES>();
    Ok(numbers.iter().map(|bytes| number(*bytes)).collect())
}
