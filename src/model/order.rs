//! In which order the rows of an epoch are handed out.
//!
//! Invariant: an order is a function of the parts that the rows lie in, the size of the buffer, seed
//! and epoch. It is made before a row is read, so that no thread can change it.

use super::random::{Purpose, below, generator, permutation};

/// The order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochOrder {
    /// As they lie, and each as it is.
    Sequential,
    /// Shuffled for an epoch of a training, and varied where the rows are to be.
    Shuffled {
        /// Seed of the training.
        seed: u64,
        /// The epoch, from 1.
        epoch: usize,
    },
}

/// An order of rows that lie in parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartsOrder {
    /// The parts as they are to be read.
    pub(super) parts: Vec<usize>,
    /// All rows as they are to be handed out.
    pub(super) rows: Vec<usize>,
}

impl EpochOrder {
    /// The order of rows that are all at hand.
    pub(super) fn of_all(self, rows: usize) -> Vec<usize> {
        match self {
            Self::Sequential => (0..rows).collect(),
            Self::Shuffled { seed, epoch } => {
                permutation(&mut generator(seed, Purpose::Order, epoch), rows)
            }
        }
    }

    /// The order of rows that are read part by part, when `buffer` of them can be held at a time:
    /// each row that comes in takes the place of one drawn from the buffer. A buffer for all rows gives
    /// what [`of_all`](Self::of_all) does.
    pub(super) fn through_buffer(self, sizes: &[usize], buffer: usize) -> PartsOrder {
        let rows = sizes.iter().sum();
        let Self::Shuffled { seed, epoch } = self else {
            return PartsOrder {
                parts: (0..sizes.len()).collect(),
                rows: (0..rows).collect(),
            };
        };
        if rows <= buffer {
            return PartsOrder {
                parts: (0..sizes.len()).collect(),
                rows: self.of_all(rows),
            };
        }
        let mut random = generator(seed, Purpose::Order, epoch);
        let parts = permutation(&mut random, sizes.len());
        let firsts = firsts(sizes);
        let incoming = parts
            .iter()
            .flat_map(|&part| firsts[part]..firsts[part] + sizes[part]);
        let mut held = Vec::with_capacity(buffer);
        let mut order = Vec::with_capacity(rows);
        for row in incoming {
            if held.len() < buffer.max(1) {
                held.push(row);
            } else {
                let place = below(&mut random, held.len());
                order.push(std::mem::replace(&mut held[place], row));
            }
        }
        let last = permutation(&mut random, held.len());
        order.extend(last.into_iter().map(|place| held[place]));
        PartsOrder { parts, rows: order }
    }
}

/// The number of the first row of each part.
pub(super) fn firsts(sizes: &[usize]) -> Vec<usize> {
    let first = |next: &mut usize, &size: &usize| {
        *next += size;
        Some(*next - size)
    };
    sizes.iter().scan(0, first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 5] = [40, 0, 50, 30, 80];

    fn shuffled(seed: u64, epoch: usize, buffer: usize) -> PartsOrder {
        EpochOrder::Shuffled { seed, epoch }.through_buffer(&SIZES, buffer)
    }

    #[test]
    fn every_row_comes_once_whatever_the_buffer() {
        for buffer in [0, 1, 7, 199, 200, 5000] {
            let PartsOrder {
                mut parts,
                mut rows,
            } = shuffled(1, 1, buffer);
            rows.sort_unstable();
            parts.sort_unstable();
            assert_eq!(rows, (0..200).collect::<Vec<_>>(), "{buffer}");
            assert_eq!(parts, [0, 1, 2, 3, 4]);
        }
        assert!(
            EpochOrder::Sequential
                .through_buffer(&[], 5)
                .rows
                .is_empty()
        );
    }

    #[test]
    fn orders_differ_by_seed_and_epoch_and_repeat() {
        let first = shuffled(1, 1, 60);
        assert_eq!(first, shuffled(1, 1, 60));
        assert_ne!(first.rows, shuffled(2, 1, 60).rows);
        assert_ne!(first.rows, shuffled(1, 2, 60).rows);
        let orders = (1..9).map(|epoch| shuffled(1, epoch, 60).parts);
        assert!(orders.collect::<std::collections::BTreeSet<_>>().len() > 4);
    }

    #[test]
    fn a_row_comes_when_its_part_has_been_read_and_the_buffer_was_never_larger() {
        let buffer = 60;
        let PartsOrder { parts, rows } = shuffled(3, 1, buffer);
        let firsts = firsts(&SIZES);
        assert_eq!(firsts, [0, 40, 40, 90, 120]);
        let incoming = parts
            .iter()
            .flat_map(|&part| firsts[part]..firsts[part] + SIZES[part]);
        let incoming: Vec<usize> = incoming.collect();
        for (handed_out, row) in rows.iter().enumerate() {
            let came = incoming.iter().position(|other| other == row).unwrap();
            assert!(came <= handed_out + buffer, "{row}");
        }
    }

    #[test]
    fn rows_of_different_parts_are_mixed() {
        let part_of = |row: usize| (0..5).rev().find(|&part| firsts(&SIZES)[part] <= row);
        let rows = shuffled(1, 1, 100).rows;
        for batch in rows.chunks_exact(32) {
            let parts = batch.iter().map(|&row| part_of(row));
            let distinct = parts.collect::<std::collections::BTreeSet<_>>();
            assert!(distinct.len() > 1, "{batch:?}");
        }
    }

    #[test]
    fn a_buffer_for_all_rows_gives_the_order_of_rows_in_memory() {
        let order = EpochOrder::Shuffled { seed: 5, epoch: 2 };
        assert_eq!(order.through_buffer(&SIZES, 200).rows, order.of_all(200));
        assert_eq!(
            EpochOrder::Sequential.through_buffer(&SIZES, 3).rows,
            EpochOrder::Sequential.of_all(200)
        );
    }
}
