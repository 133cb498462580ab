//! The one source of randomness: a `ChaCha8` stream named by seed, purpose, side and row.
//!
//! Invariant: two draws of different purpose or row share no stream, so changing how a title is drawn moves no
//! pixel, and no row depends on the one before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The half of the catalogue a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Rows of `X_train_update.csv`.
    Labelled,
    /// Rows of `X_test_update.csv`.
    Unlabelled,
}

/// What a stream is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Categories,
    Languages,
    Descriptions,
    Images,
    Content,
    Text,
    Picture,
}

/// A deterministic stream of draws.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// Opens the stream of one row (or one block of rows).
    pub(super) fn new(seed: u64, purpose: Purpose, side: Side, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&index.to_le_bytes());
        key[16] = purpose as u8;
        key[17] = side as u8;
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Draws 32 bits.
    pub(super) fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Draws from `0..bound`.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(bound)) >> 32) as u32
    }

    /// Draws an index into a list of `len` items.
    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(u32::try_from(len).unwrap_or(u32::MAX)) as usize
    }

    /// Answers yes in `share` of a thousand draws.
    pub(super) fn permille(&mut self, share: u32) -> bool {
        self.below(1_000) < share
    }

    /// Draws a real number from `low..high`, in steps of 1/65536 of the range.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.bits() >> 16) as f32 / 65_536.0)
    }

    /// Picks one of `items`, which must not be empty.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// Picks one of `items`, the earlier the likelier: the lesser of two draws.
    pub(super) fn favour<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len()).min(self.index(items.len()))]
    }

    /// Draws an order of `0..len`.
    pub(super) fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            order.swap(last, self.index(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_by_every_field() {
        let first = |seed, purpose, side, index| Dice::new(seed, purpose, side, index).bits();
        let base = first(1, Purpose::Text, Side::Labelled, 7);
        assert_eq!(base, first(1, Purpose::Text, Side::Labelled, 7));
        assert_ne!(base, first(2, Purpose::Text, Side::Labelled, 7));
        assert_ne!(base, first(1, Purpose::Picture, Side::Labelled, 7));
        assert_ne!(base, first(1, Purpose::Text, Side::Unlabelled, 7));
        assert_ne!(base, first(1, Purpose::Text, Side::Labelled, 8));
    }

    #[test]
    fn a_permutation_holds_every_index_once() {
        let mut order = Dice::new(5, Purpose::Categories, Side::Labelled, 0).permutation(400);
        assert_ne!(order, (0..400).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..400).collect::<Vec<_>>());
    }

    #[test]
    fn earlier_items_are_favoured() {
        let mut dice = Dice::new(2, Purpose::Text, Side::Labelled, 0);
        let mut counts = [0; 3];
        for _ in 0..9_000 {
            counts[dice.favour(&[0_usize, 1, 2])] += 1;
        }
        assert!((4_700..=5_300).contains(&counts[0]), "{counts:?}");
        assert!(
            (2_700..=3_300).contains(&counts[1]) && counts[2] > 700,
            "{counts:?}"
        );
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut dice = Dice::new(9, Purpose::Text, Side::Labelled, 0);
        for _ in 0..10_000 {
            assert!(dice.below(7) < 7);
            assert!((-1.0..2.0).contains(&dice.between(-1.0, 2.0)));
        }
        assert!(!dice.permille(0) && dice.permille(1_000));
    }
}
