//! A step of Adam in place: half the passes over memory that Burn's makes, and no new tables.

#![expect(
    deprecated,
    reason = "Burn 0.22 is the last release with LibTorch, and the project stays on it"
)]

use burn::tensor::Tensor;
use burn_tch::{LibTorch, TchTensor};

/// The numbers of a step.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct AdamFactors {
    pub(in crate::model) learning_rate: f64,
    /// Shares of the moments that are kept.
    pub(in crate::model) decays: [f64; 2],
    pub(in crate::model) epsilon: f64,
    /// Number of the step, from 1.
    pub(in crate::model) time: usize,
}

/// Weights and the first and second moments of their gradients.
pub(in crate::model) struct AdamStepped<const D: usize> {
    pub(in crate::model) weights: Tensor<D>,
    pub(in crate::model) moments: [Tensor<D>; 2],
}

/// Whether a tensor, without autodiff, is LibTorch's.
pub(in crate::model) fn is_own<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.clone().try_into_primitive::<LibTorch>().is_ok()
}

/// Takes a step.
///
/// # Panics
///
/// Where a tensor is not LibTorch's.
///
/// # Source
///
/// Kingma and Ba (2015), with ε outside the bias correction, as Keras and PyTorch have it.
pub(in crate::model) fn adam_step<const D: usize>(
    stepped: AdamStepped<D>,
    gradient: Tensor<D>,
    factors: AdamFactors,
) -> AdamStepped<D> {
    let AdamStepped {
        weights,
        moments: [first, second],
    } = stepped;
    let [mut weights, mut first, mut second, mut gradient] =
        [weights, first, second, gradient].map(|tensor| alone(own(tensor)));
    let AdamFactors {
        learning_rate,
        decays,
        epsilon,
        time,
    } = factors;
    let power = i32::try_from(time).unwrap_or(i32::MAX);
    let [first_rest, second_rest] = decays.map(|decay| 1.0 - decay.powi(power));
    let root = second_rest.sqrt();
    let size = learning_rate * root / first_rest;
    // lerp: a + (b − a) · share.
    let _ = first.lerp_(&gradient, 1.0 - decays[0]);
    let _ = gradient.square_();
    let _ = second.lerp_(&gradient, 1.0 - decays[1]);
    // The gradient's memory is free now. `tch` leaves out the factor of `addcdiv`, so it is in the divisor.
    let mut divisor = second.sqrt_out(&gradient);
    divisor += epsilon * root;
    divisor *= -1.0 / size;
    let _ = weights.addcdiv_(&first, &divisor);
    let burns = |tensor| Tensor::from_primitive::<LibTorch>(TchTensor::new(tensor));
    AdamStepped {
        weights: burns(weights),
        moments: [burns(first), burns(second)],
    }
}

fn own<const D: usize>(tensor: Tensor<D>) -> TchTensor {
    match tensor.try_into_primitive::<LibTorch>() {
        Ok(own) => own,
        Err(error) => unreachable!("a caller asks `is_own` first: {error:?}"),
    }
}

/// The tensor itself where nobody else holds its memory, as the best weights so far may, and a copy where one does.
fn alone(tensor: TchTensor) -> tch::Tensor {
    if tensor.can_mut() {
        tensor.tensor
    } else {
        tensor.tensor.copy()
    }
}
