//! Operations of LibTorch that Burn makes of several others: one pass over memory in place of two.
//!
//! On another backend of Burn, Burn's own operations stand in.

#![expect(
    deprecated,
    reason = "Burn 0.22 is the last release with LibTorch, and the project stays on it"
)]

use burn::tensor::{Tensor, activation};
use burn_tch::{LibTorch, TchTensor};

/// `x · sigmoid(x)`.
pub(super) fn silu<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    match values.clone().try_into_primitive::<LibTorch>() {
        Ok(own) => Tensor::from_primitive::<LibTorch>(TchTensor::new(own.tensor.silu())),
        Err(_) => activation::silu(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceChoice, Runtime};
    use burn::tensor::TensorData;

    #[test]
    fn silu_is_burns() {
        let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
        let values: Vec<f32> = (-40..40_i8).map(|value| f32::from(value) / 4.0).collect();
        let data = TensorData::new(values, [8, 10]);
        let values: Tensor<2> = Tensor::from_data(data, runtime.device());
        let read = |tensor: Tensor<2>| tensor.into_data().try_into_vec::<f32>().unwrap();
        let expected = read(activation::silu(values.clone()));
        for (found, expected) in read(silu(values)).iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
