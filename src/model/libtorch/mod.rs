//! Operations of LibTorch that Burn makes of several others: one pass over memory in place of two.
//!
//! On another backend of Burn, Burn's own operations stand in.

mod adam;
mod autograd;
mod convolution;

use burn::tensor::{Tensor, activation};

pub(super) use adam::{AdamFactors, AdamStepped, adam_step, is_own};
use autograd::{Operand, apply};
pub(super) use convolution::{Activation, Filters, Scaling, Sweep, convolve, max_pool2d};

/// `x · sigmoid(x)`.
pub(super) fn silu<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    match Operand::new(values.clone()) {
        Some(own) => apply([own], |[values]| values.silu()),
        None => activation::silu(values),
    }
}

#[cfg(test)]
mod tests;
