//! Weights that are a function of a tensor's name, for tests: `scripts/make-backbone-fixture.py`
//! fills PyTorch's and Keras' networks by the same one.

use super::loader::Tensors;
use super::{BackboneKind, Pretrained, WeightsSource};
use crate::model::{ModelError, Runtime};

/// Tensors by formula. Every tensor asked for is there.
pub(super) struct Formula {
    /// Mean of the scales of batch normalisations: keeps activations away from 0 and from 6.
    gain: f64,
    /// Name and shape of what was taken.
    pub(super) taken: Vec<(String, Vec<usize>)>,
}

impl Formula {
    pub(super) fn new(kind: BackboneKind) -> Self {
        Self {
            gain: match kind {
                BackboneKind::EfficientNetB1 => 1.3,
                _ => 0.9,
            },
            taken: Vec::new(),
        }
    }

    /// Values of the tensor of that name.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Vec<f32> {
        let last = name.rsplit(['.', '/']).next().unwrap_or(name);
        let count: usize = shape.iter().product();
        let (center, spread) = match (last, shape.len()) {
            ("kernel", rank) => (0.0, he(fan_in_of_keras(shape, rank))),
            ("weight", 1) | ("gamma", _) => (self.gain, 0.2),
            ("weight", _) => (0.0, he(shape[1..].iter().product())),
            ("running_var" | "moving_variance", _) => (1.0, 0.3),
            _ => (0.0, 0.1),
        };
        let start = fnv(name);
        (0..count as u32)
            .map(|index| (center + spread * symmetric(start.wrapping_add(index))) as f32)
            .collect()
    }
}

impl Tensors for Formula {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.taken.push((name.to_owned(), shape.to_vec()));
        Ok(self.values(name, shape))
    }
}

/// Inputs that an output sees; a depthwise kernel is `[height, width, channels, 1]`.
fn fan_in_of_keras(shape: &[usize], rank: usize) -> usize {
    if rank == 4 && shape[3] == 1 {
        shape[0] * shape[1]
    } else {
        shape[..rank - 1].iter().product()
    }
}

/// He's uniform limit.
fn he(fan_in: usize) -> f64 {
    (6.0 / fan_in as f64).sqrt()
}

/// FNV-1a.
fn fnv(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// A number of [-1, 1): `MurmurHash3`'s finalizer.
fn symmetric(mut bits: u32) -> f64 {
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x85eb_ca6b);
    bits ^= bits >> 13;
    bits = bits.wrapping_mul(0xc2b2_ae35);
    bits ^= bits >> 16;
    f64::from(bits) / 2_147_483_648.0 - 1.0
}

/// A pixel of test image 0 or 1.
pub(super) fn pixel(image: usize, [x, y, channel]: [usize; 3]) -> u8 {
    let value = match image {
        0 => 3 * x + 5 * y + 7 * channel * (x / 16 + y / 16) + x * y / 64,
        _ => x * x / 8 + 2 * y * (channel + 1) + (x / 32) * (y / 32) * 16,
    };
    value as u8
}

impl Pretrained {
    /// A backbone of formula weights.
    pub(in crate::model) fn of_formula(source: &WeightsSource, runtime: &Runtime) -> Self {
        let mut formula = Formula::new(source.backbone);
        Self::from_tensors(source, &mut formula, runtime).expect("every tensor is there")
    }
}
