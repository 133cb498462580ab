//! Trainings on images that are read as they go.

use super::*;
use crate::model::random::uniform;
use crate::model::{
    DeviceChoice, ImageParts, Images, LoaderOptions, NetworkSpec, PartImages, Runtime,
    StreamedRows, Vary,
};
use crate::model::{Inputs, Labelled, MemoryExamples};

pub(super) const SIZE: usize = 16;
/// Rows of each part.
const PARTS: [usize; 3] = [30, 7, 43];
pub(super) const ROWS: usize = 80;

/// Noise, brighter in one half by class.
pub(super) fn images(size: usize) -> (Vec<usize>, Images) {
    let labels: Vec<usize> = (0..ROWS).map(|row| row * 7 % 2).collect();
    let mut random = generator(1, Purpose::Order, 0);
    let mut pixels = Vec::new();
    let present: Vec<bool> = (0..ROWS).map(|row| row % 11 > 0).collect();
    for (&label, &present) in labels.iter().zip(&present) {
        let noise = uniform(&mut random, size * size * 3, 40.0);
        pixels.extend(noise.iter().enumerate().map(|(at, noise)| {
            let is_bright = at / 3 % size / (size / 2) == label;
            let level = noise + if is_bright { 150.0 } else { 90.0 };
            if present { level as u8 } else { 0 }
        }));
    }
    (labels, Images::new(size, pixels, present).unwrap())
}

/// The images in parts; turned upside down at random where they are varied.
pub(super) struct Parts {
    images: Images,
    varies: bool,
}

impl ImageParts for Parts {
    fn size(&self) -> usize {
        SIZE
    }

    fn rows(&self) -> &[usize] {
        &PARTS
    }

    fn read(&self, part: usize) -> PartImages<'_> {
        let first: usize = PARTS[..part].iter().sum();
        Box::new((first..first + PARTS[part]).map(|row| {
            let image = self.images.select(&[row]);
            Ok(image.present()[0].then(|| image.pixels().to_vec()))
        }))
    }

    fn vary(&self) -> Option<Vary<'_>> {
        let turned: Vary<'_> = Box::new(|pixels, uniform, varied| {
            if uniform() < 0.5 {
                varied.extend(pixels.chunks_exact(3).rev().flatten());
            } else {
                varied.extend_from_slice(pixels);
            }
        });
        self.varies.then_some(turned)
    }
}

pub(super) fn streamed(
    shuffle_rows: usize,
    prefetch_batches: usize,
    varies: bool,
) -> Labelled<StreamedRows<Parts>> {
    let (labels, images) = images(SIZE);
    let options = LoaderOptions {
        shuffle_rows,
        prefetch_batches,
        workers: 2,
    };
    let rows = StreamedRows::new(Parts { images, varies }, Inputs::default(), options).unwrap();
    Labelled::of(rows, labels)
}

/// Weights and history of a small LeNet.
fn fitted(train: &dyn Examples, validation: &dyn Examples) -> (Vec<u8>, Vec<EpochRecord>) {
    let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
    let network = Network::new(&NetworkSpec::lenet(SIZE, 2), &runtime, 1).unwrap();
    let options = TrainOptions {
        epochs: 3,
        batch_size: 16,
        ..TrainOptions::default()
    };
    let fitted = fit(network, train, validation, &options, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    (fitted.network.save().unwrap(), fitted.history)
}

#[test]
fn streamed_rows_give_the_weights_of_rows_in_memory() {
    let (labels, images) = images(SIZE);
    let inputs = Inputs {
        images: Some(images),
        ..Inputs::default()
    };
    let memory = MemoryExamples::new(labels, inputs).unwrap();
    let expected = fitted(&memory, &memory);
    let whole = streamed(ROWS, 3, false);
    assert!(fitted(&whole, &whole) == expected);
    // Validation comes as it lies, whatever the buffer.
    let small = streamed(20, 2, false);
    assert!(fitted(&whole, &small) == expected);
    // Rows that come in another order are another training.
    let mixed = fitted(&small, &small);
    assert!(mixed.0 != expected.0);
    assert!(fitted(&streamed(20, 0, false), &whole) == mixed);
}

#[test]
fn a_varied_training_repeats_and_validation_is_never_varied() {
    let still = streamed(20, 2, false);
    let varied = streamed(20, 2, true);
    let found = fitted(&varied, &still);
    assert!(fitted(&still, &still).0 != found.0);
    assert!(fitted(&streamed(20, 0, true), &varied) == found);
}
