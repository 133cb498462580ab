//! Random numbers on the host, by purpose: initial weights, the order of the rows, dropout, augmentation.
//!
//! Invariant: a generator is a function of (seed, purpose, epoch), and of the row where it is for one, alone. So an epoch draws the
//! same numbers whether or not the ones before it ran in this process, on any device, with any
//! number of threads, and whatever else the process draws (LibTorch's generator is one for all).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What random numbers are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The initial weights.
    Weights = 1,
    /// The order of the training rows.
    Order = 2,
    /// Dropout masks.
    Dropout = 3,
    /// What is done to the image of a row.
    Augmentation = 4,
}

/// Returns the generator of a purpose in an epoch (0: before the first).
pub(super) fn generator(seed: u64, purpose: Purpose, epoch: usize) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = purpose as u8;
    bytes[16..24].copy_from_slice(&(epoch as u64).to_le_bytes());
    ChaCha8Rng::from_seed(bytes)
}

/// Returns the generator of a purpose in an epoch for one row, so that neither the order of the
/// rows nor who draws for them changes what a row gets.
pub(super) fn row_generator(seed: u64, purpose: Purpose, epoch: usize, row: usize) -> ChaCha8Rng {
    let mut bytes = generator(seed, purpose, epoch).get_seed();
    bytes[24..].copy_from_slice(&(row as u64).to_le_bytes());
    // Row 0 is not the epoch's own generator.
    bytes[9] = 1;
    ChaCha8Rng::from_seed(bytes)
}

/// Draws a number from `[0, 1)`.
pub(super) fn unit(generator: &mut ChaCha8Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Draws values uniformly from `[-limit, limit)`.
pub(super) fn uniform(generator: &mut ChaCha8Rng, count: usize, limit: f32) -> Vec<f32> {
    (0..count)
        .map(|_| {
            // 24 bits: every multiple of 2⁻²⁴ below 1 is an f32.
            let unit = (generator.next_u32() >> 8) as f32 / (1 << 24) as f32;
            limit.mul_add(2.0 * unit, -limit)
        })
        .collect()
}

/// Returns `0..count` in random order (Fisher and Yates).
pub(super) fn permutation(generator: &mut ChaCha8Rng, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, below(generator, last + 1));
    }
    order
}

/// Draws a number below `bound` by multiplication; the bias is below `bound` / 2⁶⁴.
pub(super) fn below(generator: &mut ChaCha8Rng, bound: usize) -> usize {
    ((u128::from(generator.next_u64()) * bound as u128) >> 64) as usize
}

/// Draws a dropout mask: 0 with the given probability, else 1 / (1 − probability).
pub(super) fn dropout_mask(generator: &mut ChaCha8Rng, count: usize, probability: f64) -> Vec<f32> {
    let dropped_below = (probability * 2f64.powi(32)) as u32;
    let kept = (1.0 / (1.0 - probability)) as f32;
    (0..count)
        .map(|_| {
            if generator.next_u32() < dropped_below {
                0.0
            } else {
                kept
            }
        })
        .collect()
}

/// Draws whether a row loses one of two modalities, and which.
pub(super) fn lost_modality(generator: &mut ChaCha8Rng, probability: f64) -> (bool, bool) {
    let lost_below = (probability * 2f64.powi(32)) as u32;
    (
        generator.next_u32() < lost_below,
        generator.next_u32() & 1 == 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_differ_by_seed_purpose_and_epoch() {
        let first = |seed, purpose, epoch| generator(seed, purpose, epoch).next_u64();
        let reference = first(123, Purpose::Order, 1);
        assert_eq!(reference, first(123, Purpose::Order, 1));
        assert_ne!(reference, first(124, Purpose::Order, 1));
        assert_ne!(reference, first(123, Purpose::Dropout, 1));
        assert_ne!(reference, first(123, Purpose::Order, 2));
    }

    #[test]
    fn rows_have_generators_of_their_own() {
        let first = |epoch, row| row_generator(123, Purpose::Augmentation, epoch, row).next_u64();
        let own = generator(123, Purpose::Augmentation, 1).next_u64();
        let found = [
            own,
            first(1, 0),
            first(1, 1),
            first(2, 0),
            first(1, 1 << 40),
        ];
        let distinct: std::collections::BTreeSet<_> = found.iter().collect();
        assert_eq!(distinct.len(), found.len());
        assert_eq!(first(1, 1), found[2]);
        let mut random = row_generator(1, Purpose::Augmentation, 1, 1);
        let mean = (0..10_000).map(|_| unit(&mut random)).sum::<f64>() / 1e4;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_permutation_holds_every_row_once_and_is_not_the_identity() {
        let order = permutation(&mut generator(1, Purpose::Order, 1), 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert!(
            order
                .iter()
                .enumerate()
                .filter(|&(i, &row)| i == row)
                .count()
                < 10
        );
        assert!(permutation(&mut generator(1, Purpose::Order, 1), 0).is_empty());
    }

    #[test]
    fn uniform_values_stay_in_range_around_zero() {
        let values = uniform(&mut generator(1, Purpose::Weights, 0), 100_000, 0.5);
        assert!(values.iter().all(|value| (-0.5..0.5).contains(value)));
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / 1e5;
        let square = values
            .iter()
            .map(|&value| f64::from(value).powi(2))
            .sum::<f64>()
            / 1e5;
        assert!(mean.abs() < 0.003, "{mean}");
        assert!((square - 1.0 / 12.0).abs() < 0.001, "{square}");
    }

    #[test]
    fn a_dropout_mask_drops_its_share_and_keeps_the_expectation() {
        let mask = dropout_mask(&mut generator(1, Purpose::Dropout, 1), 100_000, 0.2);
        let dropped = mask.iter().filter(|&&value| value == 0.0).count();
        assert!((19_500..20_500).contains(&dropped), "{dropped}");
        assert!(
            mask.iter()
                .all(|&value| value == 0.0 || (value - 1.25).abs() < 1e-6)
        );
    }
}
