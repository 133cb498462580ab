//! The loader over parts in memory, with and without threads.

use super::*;
use crate::model::{Dense, Embeddings};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SIZE: usize = 2;
const SIZES: [usize; 4] = [30, 45, 0, 25];
const ROWS: usize = 100;

/// Parts whose images tell their row. Every ninth row has none.
#[derive(Debug, Default)]
struct Fake {
    varies: bool,
    /// The row that cannot be read.
    broken: Option<usize>,
    /// A part that ends too early.
    short: Option<usize>,
    read: Arc<AtomicUsize>,
    slow: bool,
}

fn has_image(row: usize) -> bool {
    !row.is_multiple_of(9)
}

impl ImageParts for Fake {
    fn size(&self) -> usize {
        SIZE
    }

    fn rows(&self) -> &[usize] {
        &SIZES
    }

    fn read(&self, part: usize) -> PartImages<'_> {
        let first: usize = SIZES[..part].iter().sum();
        let lacks = usize::from(self.short == Some(part));
        Box::new((first..first + SIZES[part] - lacks).map(move |row| {
            self.read.fetch_add(1, Ordering::SeqCst);
            if self.broken == Some(row) {
                return Err(ModelError::Interrupted);
            }
            Ok(has_image(row).then(|| vec![row as u8; SIZE * SIZE * 3]))
        }))
    }

    fn vary(&self) -> Option<Vary<'_>> {
        if !self.varies {
            return None;
        }
        Some(Box::new(move |pixels, uniform, varied| {
            if self.slow {
                // Batches that are begun first are done last.
                std::thread::sleep(Duration::from_micros(u64::from(100 - pixels[0]) * 20));
            }
            let drawn = (uniform() * 100.0) as u8;
            varied.extend(pixels.iter().map(|level| level + drawn));
        }))
    }
}

fn options(shuffle_rows: usize, prefetch_batches: usize, workers: usize) -> LoaderOptions {
    LoaderOptions {
        shuffle_rows,
        prefetch_batches,
        workers,
    }
}

fn numbered(rows: usize) -> Vec<Embeddings> {
    let numbers = (0..rows).map(|row| row as f32).collect();
    vec![Embeddings::whole(Dense::new(1, numbers).unwrap())]
}

fn streamed(parts: Fake, options: LoaderOptions) -> StreamedRows<Fake> {
    let others = Inputs {
        branches: numbered(ROWS),
        ..Inputs::default()
    };
    StreamedRows::new(parts, others, options).unwrap()
}

fn epoch(epoch: usize) -> EpochOrder {
    EpochOrder::Shuffled { seed: 1, epoch }
}

fn batches(rows: &StreamedRows<Fake>, order: EpochOrder) -> Vec<Batch> {
    let batches = rows.batches(order, 16);
    batches
        .map(|batch| batch.unwrap().checked().unwrap())
        .collect()
}

fn order(batches: &[Batch]) -> Vec<usize> {
    let rows = batches.iter().flat_map(|batch| &batch.rows);
    rows.copied().collect()
}

/// Without threads and with; a buffer of a few rows, one for the first part and one for all.
const WAYS: [(usize, usize, usize); 7] = [
    (20, 0, 1),
    (20, 1, 1),
    (20, 3, 2),
    (50, 3, 2),
    (100, 0, 1),
    (100, 3, 2),
    (0, 2, 2),
];

#[test]
fn an_epoch_holds_every_row_once_with_its_own_image_and_features() {
    for (buffer, ahead, workers) in WAYS {
        let rows = streamed(Fake::default(), options(buffer, ahead, workers));
        assert_eq!(rows.len(), ROWS);
        for order_of in [EpochOrder::Sequential, epoch(1), epoch(2)] {
            let found = batches(&rows, order_of);
            let sizes: Vec<usize> = found.iter().map(|batch| batch.rows.len()).collect();
            assert_eq!(sizes, [16, 16, 16, 16, 16, 16, 4]);
            for batch in &found {
                let images = batch.inputs.images.as_ref().unwrap();
                let features = batch.inputs.branches[0].dense();
                for (place, &row) in batch.rows.iter().enumerate() {
                    assert!((features.values()[place] - row as f32).abs() < 0.5);
                    assert_eq!(images.present()[place], has_image(row));
                    let level = if has_image(row) { row as u8 } else { 0 };
                    assert_eq!(images.pixels()[place * 12..][..12], [level; 12], "{row}");
                }
            }
            let mut all = order(&found);
            assert_eq!(all.is_sorted(), order_of == EpochOrder::Sequential);
            all.sort_unstable();
            assert_eq!(all, (0..ROWS).collect::<Vec<_>>());
        }
    }
}

#[test]
fn threads_change_no_batch_and_epochs_do() {
    let slow = || Fake {
        varies: true,
        slow: true,
        ..Fake::default()
    };
    for buffer in [20, 100] {
        let alone = streamed(slow(), options(buffer, 0, 1));
        let expected = batches(&alone, epoch(1));
        for (ahead, workers) in [(1, 1), (4, 1), (4, 2), (2, 4)] {
            let rows = streamed(slow(), options(buffer, ahead, workers));
            assert_eq!(batches(&rows, epoch(1)), expected, "{ahead} {workers}");
        }
        assert_ne!(order(&batches(&alone, epoch(2))), order(&expected));
    }
}

#[test]
fn what_is_drawn_for_a_row_depends_on_its_epoch_alone() {
    let drawn = |buffer, order: EpochOrder, batch_size| {
        let fake = Fake {
            varies: true,
            ..Fake::default()
        };
        let rows = streamed(fake, options(buffer, 0, 1));
        let mut drawn = vec![None; ROWS];
        for batch in rows.batches(order, batch_size) {
            let batch = batch.unwrap();
            let images = batch.inputs.images.unwrap();
            for (place, &row) in batch.rows.iter().enumerate() {
                let level = images.pixels()[place * 12];
                drawn[row] = has_image(row).then(|| usize::from(level) - row);
            }
        }
        drawn
    };
    let first = drawn(20, epoch(1), 16);
    // Other orders, batches and buffers.
    assert_eq!(drawn(100, epoch(1), 7), first);
    assert_ne!(drawn(20, epoch(2), 16), first);
    let distinct: std::collections::BTreeSet<_> = first.iter().flatten().collect();
    assert!(distinct.len() > 30, "{first:?}");
    // What is not a training is not varied.
    let still = drawn(20, EpochOrder::Sequential, 16);
    assert!(still.iter().flatten().all(|&drawn| drawn == 0));
}

#[test]
fn images_are_kept_where_the_buffer_is_for_all_and_else_read_again() {
    for (buffer, reads) in [(100, 100), (99, 300)] {
        let fake = Fake::default();
        let read = Arc::clone(&fake.read);
        let rows = streamed(fake, options(buffer, 2, 1));
        for number in 1..=3 {
            batches(&rows, epoch(number));
        }
        assert_eq!(read.load(Ordering::SeqCst), reads);
    }
}

#[test]
fn of_rows_that_come_as_they_lie_the_first_parts_are_kept_as_far_as_they_fit() {
    // Of parts of 30, 45, 0 and 25 rows: how many rows are read in the first pass, and in each one after it.
    for (buffer, again) in [(0, 100), (29, 100), (30, 70), (74, 70), (99, 25), (100, 0)] {
        let fake = Fake::default();
        let read = Arc::clone(&fake.read);
        let rows = streamed(fake, options(buffer, 2, 1));
        let first = batches(&rows, EpochOrder::Sequential);
        assert_eq!(read.load(Ordering::SeqCst), ROWS, "{buffer}");
        for pass in 1..3 {
            assert_eq!(batches(&rows, EpochOrder::Sequential), first);
            let found = read.load(Ordering::SeqCst);
            assert_eq!(found, ROWS + pass * again, "{buffer}");
        }
    }
}

#[test]
fn rows_in_memory_come_in_the_same_order() {
    let rows = streamed(Fake::default(), options(100, 2, 2));
    let memory = MemoryRows::new(ROWS, Inputs::default()).unwrap();
    let expected = memory
        .batches(epoch(3), 16)
        .map(|batch| batch.unwrap().rows);
    let found = batches(&rows, epoch(3)).into_iter().map(|batch| batch.rows);
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn an_error_in_the_middle_is_the_last_item() {
    for (buffer, ahead, workers) in WAYS {
        let broken = Fake {
            broken: Some(60),
            ..Fake::default()
        };
        let rows = streamed(broken, options(buffer, ahead, workers));
        let found: Vec<_> = rows.batches(EpochOrder::Sequential, 16).collect();
        let (last, before) = found.split_last().unwrap();
        assert!(matches!(last, Err(ModelError::Interrupted)), "{last:?}");
        assert!(before.iter().all(Result::is_ok));
        // 60 rows before the broken one are three whole batches, of which none is given where all are read first.
        let expected = if buffer < ROWS { 3 } else { 0 };
        assert_eq!(before.len(), expected);
    }
}

#[test]
fn a_part_that_ends_too_early_is_an_error() {
    let short = Fake {
        short: Some(1),
        ..Fake::default()
    };
    let rows = streamed(short, options(20, 2, 1));
    let last = rows.batches(EpochOrder::Sequential, 16).last().unwrap();
    let error = last.unwrap_err().to_string();
    assert_eq!(error, "inputs do not fit: a part lacks row 74");
}

#[test]
fn no_more_is_read_than_the_queue_and_the_buffer_hold() {
    let fake = Fake::default();
    let read = Arc::clone(&fake.read);
    let rows = streamed(fake, options(10, 2, 1));
    let mut batches = rows.batches(epoch(1), 8);
    batches.next().unwrap().unwrap();
    let settled = || {
        let mut before = read.load(Ordering::SeqCst);
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let now = read.load(Ordering::SeqCst);
            if now == before {
                return now;
            }
            before = now;
        }
    };
    // The batch that was taken, two in the queue, one that waits for a place; and the buffer.
    let most = 4 * 8 + 10 + 1;
    let found = settled();
    assert!((24..=most).contains(&found), "{found}");
    batches.next().unwrap().unwrap();
    assert!(settled() <= most + 8);
    // Nobody reads on once the batches are dropped.
    drop(batches);
    assert_eq!(settled(), read.load(Ordering::SeqCst));
    assert!(read.load(Ordering::SeqCst) < ROWS);
}

#[test]
fn a_panic_in_a_thread_is_the_callers() {
    #[derive(Debug)]
    struct Panics;
    impl ImageParts for Panics {
        fn size(&self) -> usize {
            1
        }
        fn rows(&self) -> &[usize] {
            &[3]
        }
        fn read(&self, _: usize) -> PartImages<'_> {
            panic!("of the reader")
        }
    }
    let rows = StreamedRows::new(Panics, Inputs::default(), options(1, 2, 1)).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        rows.batches(EpochOrder::Sequential, 2).count()
    }));
    assert_eq!(
        *caught.unwrap_err().downcast_ref::<&str>().unwrap(),
        "of the reader"
    );
}

#[test]
fn other_modalities_must_have_the_rows_of_the_parts() {
    let wrong = Inputs {
        branches: numbered(99),
        ..Inputs::default()
    };
    assert!(StreamedRows::new(Fake::default(), wrong, options(1, 1, 1)).is_err());
    let images = Inputs {
        images: Some(Images::new(1, vec![0; 300], vec![true; 100]).unwrap()),
        ..Inputs::default()
    };
    assert!(StreamedRows::new(Fake::default(), images, options(1, 1, 1)).is_err());
}
