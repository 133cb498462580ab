//! The variations of a training against the Python libraries, on images in memory.

use crate::process::cpu_seconds;
use crate::report::{Report, Row};
use crate::{Seconds, python_script};
use rayon::prelude::*;
use rayonnage::image::{AugmentOptions, Augmenter, Fill};
use std::error::Error;
use std::time::Instant;

/// On tensors; on Pillow's images; and what Keras' `ImageDataGenerator` does.
const LIBRARIES: [&str; 3] = ["torchvision", "torchvision-pillow", "keras"];
/// How many times as fast as the fastest of them.
const BAR: f64 = 1.25;
/// Pixels of an image, and how many images are varied.
const SIZES: [(usize, usize); 2] = [(56, 20_000), (224, 2000)];

/// All sides with one number of threads.
pub fn measure(threads: usize, rounds: usize, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    for (size, images) in SIZES {
        let mut ours = Seconds::NONE;
        let mut theirs = [Seconds::NONE; LIBRARIES.len()];
        for round in 1..=rounds {
            eprintln!("variations of {size} pixels, {threads} threads, round {round} of {rounds}");
            ours = ours.best(pool.install(|| vary(size, images)));
            for (name, best) in LIBRARIES.iter().zip(&mut theirs) {
                *best = best.best(library(name, size, threads)?);
            }
        }
        let rate = |seconds: Seconds| images as f64 / seconds.wall_s;
        for (name, library) in LIBRARIES.iter().zip(&theirs) {
            // Those below vary a tenth of the images.
            let step = format!("vary {size}×{size}, {threads} threads: {name}");
            let theirs = Some(rate(*library) / 10.0);
            report.push(Row::rate(&step, rate(ours), theirs, Some(BAR)));
        }
    }
    Ok(())
}

fn vary(size: usize, images: usize) -> Seconds {
    let options = AugmentOptions {
        flip: true,
        rotation_degrees: 15.0,
        shift: [0.1; 2],
        zoom: [0.9, 1.1],
        brightness: [0.8, 1.2],
        fill: Fill::Nearest,
    };
    let pixels: Vec<u8> = (0..size * size * 3)
        .map(|at| (at * 7919 % 251) as u8)
        .collect();
    let (start, cpu_s) = (Instant::now(), cpu_seconds());
    (0..images as u64).into_par_iter().for_each_init(
        || (Augmenter::new(size, options.fill), Vec::new()),
        |(augmenter, varied), image| {
            // Any numbers that are spread evenly do.
            let mut state = image;
            let variation = options.draw(|| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1_u64 << 53) as f64
            });
            varied.clear();
            augmenter.push(&pixels, &variation, varied);
        },
    );
    Seconds {
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s: cpu_seconds() - cpu_s,
    }
}

fn library(name: &str, size: usize, threads: usize) -> Result<Seconds, Box<dyn Error>> {
    let images = SIZES
        .iter()
        .find(|(of, _)| *of == size)
        .map_or(0, |(_, images)| images / 10);
    let mut command = python_script("augment_python.py");
    command.arg(name);
    command.args([size, threads, images].map(|number| number.to_string()));
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
