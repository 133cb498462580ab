//! Operations that LibTorch does better than Burn makes them of several others.
//!
//! Burn's autodiff knows the gradients of a convolution as further convolutions: of a depthwise one, by its kernels, as one for each channel. `tch` has no
//! function for LibTorch's own, but it has autograd: so `autograd` makes any function of LibTorch's tensors one operation of Burn's autodiff.
//! It goes over the outputs twice more than LibTorch alone; that normalisation, activation and pooling are in the function saves more.
//! On another backend of Burn, Burn's own operations stand in.
//!
//! A training step as a share of PyTorch's in the better of its two orders of memory (`make bench-train`, 224 pixels but where it says otherwise, two
//! cores of a busy machine, LibTorch 2.9.0 on both sides). Time: two threads, the best epoch, rows as stated. Of all cores: one thread, 16
//! rows, of VGG16 two.
//!
//! | network | rows | ms, ours | ms, PyTorch | time | of all cores | so with Burn's operations |
//! |---|---|---|---|---|---|---|
//! | `neural_simple` | 64 | 1.1 | 4.6 | 0.23 | | |
//! | `neural_embedder` | 64 | 3.6 | 64.8 | 0.06 | | |
//! | `dense_head` of MobileNetV2 | 64 | 17.2 | 19.5 | 0.88 | | |
//! | `fusion`, its head | 64 | 0.6 | 1.1 | 0.58 | | |
//! | `lenet`, 56 pixels | 64 | 41.1 | 42.0 | 0.98 | 0.85 | 1.13 |
//! | `lenet` | 64 | 416 | 508 | 0.82 | 0.85 | 1.12 |
//! | MobileNetV2, all of it | 32 | 4517 | 4823 | 0.94 | 1.10 | 2.89 |
//! | VGG16, all of it | 4 | | | | 1.06 | 1.08 |
//!
//! Where it was before channels-last order and batch normalisations in the kernels: `lenet` 1.87 and MobileNetV2 3.49 times PyTorch's.

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
