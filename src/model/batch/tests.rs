//! Rows and their batches.

use super::*;

fn sparse() -> SparseRows {
    SparseRows::new(6, vec![0, 2, 2, 3], vec![1, 4, 4], vec![0.5, 2.0, 3.0]).unwrap()
}

fn sequences(rows: u32) -> SequenceRows {
    let mut sequences = SequenceRows::empty(9, 3);
    for row in 0..rows {
        sequences.push(&[row + 2, 1]).unwrap();
    }
    sequences
}

fn embeddings() -> Embeddings {
    let mut rows = Embeddings::empty(2).unwrap();
    for features in [Some(&[1.0, 2.0][..]), None, Some(&[5.0, 6.0])] {
        rows.push(features).unwrap();
    }
    rows
}

#[test]
fn values_that_are_not_whole_rows_are_refused() {
    assert!(Images::new(2, vec![0; 13], vec![true]).is_err());
    assert!(Dense::new(3, vec![0.0; 4]).is_err());
    assert!(Embeddings::empty(0).is_err());
    assert!(embeddings().push(Some(&[1.0])).is_err());
}

#[test]
fn modalities_must_agree_on_the_rows() {
    let inputs = Inputs {
        text: Some(sparse()),
        images: Some(Images::new(1, vec![0; 6], vec![true, false]).unwrap()),
        ..Inputs::default()
    };
    assert!(MemoryExamples::new(vec![0, 1, 0], inputs).is_err());
    let inputs = Inputs {
        text: Some(sparse()),
        sequences: Some(sequences(2)),
        ..Inputs::default()
    };
    assert!(MemoryExamples::new(vec![0, 1, 0], inputs).is_err());
}

#[test]
fn memory_rows_give_every_modality_of_the_rows_asked_for() {
    let inputs = Inputs {
        text: Some(sparse()),
        sequences: Some(sequences(3)),
        images: Some(Images::new(1, (0..9).collect(), vec![true, false, true]).unwrap()),
        embeddings: Some(embeddings()),
        branches: vec![embeddings()],
    };
    let rows = MemoryRows::new(3, inputs).unwrap();
    let batch = rows.inputs(&[2, 1]).unwrap();
    assert_eq!(batch.text.unwrap().row(0).0, [4]);
    assert_eq!(batch.sequences.unwrap().row(0), [4, 1]);
    let images = batch.images.unwrap();
    assert_eq!(images.pixels(), [6, 7, 8, 3, 4, 5]);
    assert_eq!(images.present(), [true, false]);
    let embeddings = batch.embeddings.unwrap();
    assert_eq!(embeddings.dense().values(), [5.0, 6.0, 0.0, 0.0]);
    assert_eq!(embeddings.present(), [true, false]);
    assert_eq!(batch.branches[0].dense().values(), [5.0, 6.0, 0.0, 0.0]);
    assert!(rows.inputs(&[3]).is_err());
}
#[test]
fn batches_hold_every_row_once_in_the_order_asked_for() {
    let inputs = Inputs {
        branches: vec![Embeddings::whole(
            Dense::new(1, (0..7u8).map(f32::from).collect()).unwrap(),
        )],
        ..Inputs::default()
    };
    let rows = MemoryRows::new(7, inputs).unwrap();
    let batches = |order| -> Vec<Batch> {
        let batches = rows.batches(order, 3);
        batches
            .map(|batch| batch.unwrap().checked().unwrap())
            .collect()
    };
    let sequential = batches(EpochOrder::Sequential);
    let numbers = sequential.iter().map(|batch| batch.rows.clone());
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        [vec![0, 1, 2], vec![3, 4, 5], vec![6]]
    );
    let shuffled = batches(EpochOrder::Shuffled { seed: 1, epoch: 1 });
    for batch in &shuffled {
        let values = batch.inputs.branches[0].dense().values();
        let expected: Vec<f32> = batch.rows.iter().map(|&row| row as f32).collect();
        assert_eq!(values, expected);
    }
    let mut all: Vec<usize> = shuffled.into_iter().flat_map(|batch| batch.rows).collect();
    assert_ne!(all, (0..7).collect::<Vec<_>>());
    all.sort_unstable();
    assert_eq!(all, (0..7).collect::<Vec<_>>());
}
