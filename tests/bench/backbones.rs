//! `make bench-backbones`: frozen features of each backbone, images per second, against PyTorch on the same weights, images, batch
//! and threads.
//!
//! The other side runs `torch_features.py`, which makes network and images. Both take turns, and of each the best round counts.
//! The features must be the same within 1e-4. Prints a table, writes it as Markdown, and fails where a bar is missed.

mod peer;

use clap::Parser;
use peer::Peer;
use rayonnage::model::backbones::{Backbone, BackboneKind, WeightsSource};
use rayonnage::model::{DeviceChoice, Images, Runtime};
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const SIZE: usize = 224;
/// Farthest that features may lie from PyTorch's, as a share of their length.
const MOST_DISTANCE: f64 = 1e-4;
/// Least images per second, as a share of PyTorch's.
const LEAST_SPEED: f64 = 1.0;

#[derive(Parser)]
struct Arguments {
    /// The table as Markdown
    #[arg(long)]
    report: Option<PathBuf>,
    /// Images of a round
    #[arg(long, default_value_t = 64)]
    images: usize,
    /// Images handed over at once
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Threads of either side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// How often everything is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only the backbone of that name
    #[arg(long)]
    only: Option<String>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the script is told.
fn started(name: &str, folder: &Path, arguments: &Arguments) -> Result<Peer, Box<dyn Error>> {
    let numbers = [
        ("--images", arguments.images),
        ("--batch", arguments.batch),
        ("--threads", arguments.threads),
    ];
    let mut given = vec![name.to_owned(), folder.display().to_string()];
    given.extend(numbers.map(|(option, number)| format!("{option}={number}")));
    Peer::start("tests/bench/torch_features.py", &given)
}

/// Images per second of ours, PyTorch and PyTorch channels last, and how far the features are.
struct Measured {
    kind: BackboneKind,
    ours: f64,
    contiguous: f64,
    channels_last: f64,
    distance: f64,
}

impl Measured {
    fn passes(&self) -> bool {
        self.distance < MOST_DISTANCE && self.ours >= LEAST_SPEED * self.contiguous
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let work = tempfile::tempdir()?;
    let runtime = Runtime::open(DeviceChoice::Cpu, Some(arguments.threads))?;
    let mut all = Vec::new();
    for kind in BackboneKind::ALL {
        let is_wanted = arguments
            .only
            .as_ref()
            .is_none_or(|only| only == kind.name());
        if is_wanted {
            all.push(measure(kind, work.path(), &runtime, &arguments)?);
        }
    }
    let table = table(&all, &arguments);
    println!("{table}");
    if let Some(path) = &arguments.report {
        std::fs::write(path, &table)?;
    }
    let is_passed = all.iter().all(Measured::passes);
    Ok(if is_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn measure(
    kind: BackboneKind,
    work: &Path,
    runtime: &Runtime,
    arguments: &Arguments,
) -> Result<Measured, Box<dyn Error>> {
    eprintln!("  {}", kind.name());
    let mut peer = started(kind.name(), work, arguments)?;
    let weights = std::fs::read(work.join(format!("{}.pth", kind.name())))?;
    let backbone = Backbone::load(&WeightsSource::torchvision(kind), &weights, runtime)?;
    let batches = batches(&std::fs::read(work.join("pixels"))?, arguments.batch)?;
    let mut found = Vec::new();
    let mut best = [f64::INFINITY; 3];
    for _ in 0..arguments.rounds {
        backbone.features(&batches[0])?;
        let start = Instant::now();
        found = pass(&backbone, &batches)?;
        let seconds = [
            start.elapsed().as_secs_f64(),
            peer.ask("contiguous")?.parse()?,
            peer.ask("channels_last")?.parse()?,
        ];
        for (best, seconds) in best.iter_mut().zip(seconds) {
            *best = best.min(seconds);
        }
    }
    peer.finish()?;
    let expected = std::fs::read(work.join(format!("{}.features", kind.name())))?;
    let rates = best.map(|seconds| arguments.images as f64 / seconds);
    Ok(Measured {
        kind,
        ours: rates[0],
        contiguous: rates[1],
        channels_last: rates[2],
        distance: distance(&found, &expected, kind.width()),
    })
}

fn batches(pixels: &[u8], batch: usize) -> Result<Vec<Images>, Box<dyn Error>> {
    let length = SIZE * SIZE * 3;
    let chunks = pixels.chunks(batch * length);
    chunks
        .map(|chunk| {
            let present = vec![true; chunk.len() / length];
            Ok(Images::new(SIZE, chunk.to_vec(), present)?)
        })
        .collect()
}

fn pass(backbone: &Backbone, batches: &[Images]) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut found = Vec::new();
    for images in batches {
        found.extend_from_slice(backbone.features(images)?.values());
    }
    Ok(found)
}

/// The largest distance of a row from the one expected, relative to its length.
fn distance(found: &[f32], expected: &[u8], width: usize) -> f64 {
    let expected: Vec<f32> = expected
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| f32::from_le_bytes(*word))
        .collect();
    assert_eq!(found.len(), expected.len(), "as many features");
    let rows = found.chunks(width).zip(expected.chunks(width));
    rows.map(|(found, expected)| {
        let mut sums = [0.0; 2];
        for (&found, &expected) in found.iter().zip(expected) {
            sums[0] += f64::from(found - expected).powi(2);
            sums[1] += f64::from(expected).powi(2);
        }
        (sums[0] / sums[1]).sqrt()
    })
    .fold(0.0, f64::max)
}

fn table(all: &[Measured], arguments: &Arguments) -> String {
    let Arguments {
        images,
        batch,
        threads,
        ..
    } = arguments;
    let mut table = format!(
        "Frozen features on the CPU, images/s: {images} images, batches of {batch}, {threads} threads.\n\n\
         | backbone | ours | PyTorch | × | PyTorch, channels last | × | farthest features |\n\
         |---|---|---|---|---|---|---|\n"
    );
    for row in all {
        let _ = writeln!(
            table,
            "| {} | {:.1} | {:.1} | {:.2} | {:.1} | {:.2} | {:.1e}{} |",
            row.kind.name(),
            row.ours,
            row.contiguous,
            row.ours / row.contiguous,
            row.channels_last,
            row.ours / row.channels_last,
            row.distance,
            if row.passes() { "" } else { " (missed)" },
        );
    }
    table
}
