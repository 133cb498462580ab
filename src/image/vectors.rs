//! The same code for CPUs with wide vectors and without.
//!
//! # Invariants
//! What runs is the same Rust, compiled for other instructions: no fused operations, no other order, so the results are the same
//! bytes on every CPU.

use fearless_simd::{Level, Simd};

/// Runs code compiled for AVX2 and BMI where the CPU has them, for the oldest CPUs otherwise. The closure, and
/// what it calls, has to be `#[inline(always)]`.
#[inline]
pub(super) fn run<R>(code: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(wide) = Level::new().as_avx2() {
        return wide.vectorize(code);
    }
    code()
}
