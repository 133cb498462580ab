//! The same code for CPUs with wide vectors and without.
//!
//! # Invariants
//! What runs is the same Rust, compiled for other instructions: no fused operations, no other order, so the results are the same
//! bytes on every CPU.

/// Runs code compiled for AVX2 and BMI where the CPU has them, for the oldest CPUs otherwise. The closure, and
/// what it calls, has to be `#[inline(always)]`.
#[inline]
pub(super) fn run<R>(code: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(code)
}
