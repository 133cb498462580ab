//! `make bench-train`: milliseconds of a training step of each network, against PyTorch with the same weights, rows, batch, threads and device.
//!
//! The other side runs `scripts/train_torch.py`. Both take turns, and of each the best epoch of all rounds counts; PyTorch has the better of its
//! two orders of memory. First both take a few steps without dropout on one batch, from the same weights: the losses must agree and fall. Prints a
//! table, writes it as Markdown, and fails where a bar is missed.

#[path = "train/cases.rs"]
mod cases;
mod peer;
#[expect(dead_code, reason = "other benches ask for the memory")]
mod process;

use cases::{Case, Made};
use clap::Parser;
use peer::Peer;
use rayonnage::model::{
    DeviceChoice, EpochRecord, Examples, Network, Precision, Runtime, TrainOptions, fit, predict,
};
use std::error::Error;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Farthest that a loss may lie from PyTorch's, as a share of it.
const MOST_DISTANCE: f64 = 2e-3;
/// The same where products are rounded to eight bits.
const MOST_DISTANCE_MIXED: f64 = 3e-2;
/// Steps that are compared.
const CHECKED: usize = 5;

#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
struct Arguments {
    /// The table as Markdown
    #[arg(long)]
    report: Option<PathBuf>,
    /// `cpu` or `cuda:N`, for both sides
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Threads of either side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Multiply in bfloat16, on a GPU
    #[arg(long)]
    mixed: bool,
    /// Rows of a step, where a network does not say otherwise
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// How often everything is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only the networks of these names
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure the time of all cores together, which those who use the machine too do not change as much
    #[arg(long)]
    cpu_time: bool,
    /// Report ratios without failing for them
    #[arg(long)]
    lenient: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// Seconds of a step of ours, PyTorch and PyTorch channels last, and how far the losses are.
struct Measured {
    name: &'static str,
    batch: usize,
    ours: f64,
    contiguous: f64,
    channels_last: f64,
    distance: f64,
    falls: bool,
    most_ratio: Option<f64>,
    most_distance: f64,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.ours / self.contiguous.min(self.channels_last)
    }

    fn agrees(&self) -> bool {
        self.distance < self.most_distance && self.falls
    }

    fn is_fast(&self) -> bool {
        self.most_ratio.is_none_or(|most| self.ratio() <= most)
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let runtime = Runtime::open(
        arguments.device.parse::<DeviceChoice>()?,
        Some(arguments.threads),
    )?;
    let mut all = Vec::new();
    for case in cases::all(arguments.batch, runtime.kind() == "cuda") {
        if arguments.only.is_empty() || arguments.only.iter().any(|only| only == case.name) {
            all.push(measure(&case, &runtime, &arguments)?);
        }
    }
    let table = table(&all, &runtime, &arguments);
    println!("{table}");
    if let Some(path) = &arguments.report {
        std::fs::write(path, &table)?;
    }
    let is_passed = all
        .iter()
        .all(|row| row.agrees() && (arguments.lenient || row.is_fast()));
    Ok(if is_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The other side, told what this one is told.
fn started(case: &Case, folder: &Path, arguments: &Arguments) -> Result<Peer, Box<dyn Error>> {
    let mut given = vec![
        case.name.to_owned(),
        folder.display().to_string(),
        format!("--threads={}", arguments.threads),
        format!("--device={}", arguments.device),
    ];
    if arguments.mixed {
        given.push("--mixed".to_owned());
    }
    if arguments.cpu_time {
        given.push("--cpu-time".to_owned());
    }
    Peer::start("scripts/train_torch.py", &given)
}

fn measure(
    case: &Case,
    runtime: &Runtime,
    arguments: &Arguments,
) -> Result<Measured, Box<dyn Error>> {
    eprintln!("  {}", case.name);
    let work = tempfile::tempdir()?;
    let folder = work.path();
    let mut peer = started(case, folder, arguments)?;
    let made = case.make(runtime, folder)?;
    made.write(folder)?;
    peer.ask("load")?;
    let options = options(case, arguments);
    let batch = made.batch(0..case.batch)?;
    let found = losses(made.without_dropout()?, &batch, &options)?;
    let expected: Vec<f64> = serde_json::from_str(&peer.ask(&format!("check {CHECKED}"))?)?;
    let mut best = [f64::INFINITY; 3];
    for _ in 0..arguments.rounds {
        let time = format!("time {} {}", case.steps, case.epochs);
        let seconds = [
            seconds(&made, case, &options, arguments.cpu_time)?,
            peer.ask(&format!("{time} contiguous"))?.parse()?,
            peer.ask(&format!("{time} channels_last"))?.parse()?,
        ];
        for (best, seconds) in best.iter_mut().zip(seconds) {
            *best = best.min(seconds);
        }
    }
    peer.finish()?;
    eprintln!("    losses {found:?}\n    PyTorch {expected:?}\n    seconds {best:?}");
    let distances = found.iter().zip(&expected);
    let distances = distances.map(|(found, expected)| (found / expected - 1.0).abs());
    Ok(Measured {
        name: case.title,
        batch: case.batch,
        ours: best[0],
        contiguous: best[1],
        channels_last: best[2],
        distance: distances.fold(0.0, f64::max),
        falls: found.last() < found.first(),
        most_ratio: case.most_ratio,
        most_distance: if arguments.mixed {
            MOST_DISTANCE_MIXED
        } else {
            MOST_DISTANCE
        },
    })
}

fn options(case: &Case, arguments: &Arguments) -> TrainOptions {
    TrainOptions {
        batch_size: case.batch,
        learning_rate: case.learning_rate,
        early_stopping: None,
        plateau: None,
        precision: if arguments.mixed {
            Precision::Mixed
        } else {
            Precision::Full
        },
        ..TrainOptions::default()
    }
}

/// The losses of a few steps, each an epoch of one batch.
fn losses(
    network: Network,
    batch: &dyn Examples,
    options: &TrainOptions,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let options = TrainOptions {
        epochs: CHECKED,
        ..options.clone()
    };
    let fitted = fit(network, batch, batch, &options, &mut |_| {
        ControlFlow::Continue(())
    })?;
    Ok(fitted.history.iter().map(|epoch| epoch.loss).collect())
}

/// The seconds of a step in the best epoch after the first one, less those of the one row to validate with.
fn seconds(
    made: &Made,
    case: &Case,
    options: &TrainOptions,
    is_cpu_time: bool,
) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let now = || {
        if is_cpu_time {
            process::cpu_seconds()
        } else {
            start.elapsed().as_secs_f64()
        }
    };
    let validation = made.batch(0..1)?;
    let mut validating = f64::INFINITY;
    for _ in 0..3 {
        let before = now();
        predict(&made.network, &validation, 1)?;
        validating = validating.min(now() - before);
    }
    let options = TrainOptions {
        epochs: case.epochs + 1,
        ..options.clone()
    };
    let mut ends = Vec::new();
    let mut observer = |_: &EpochRecord| {
        ends.push(now());
        ControlFlow::Continue(())
    };
    let network = made.network.clone();
    fit(
        network,
        &made.examples,
        &validation,
        &options,
        &mut observer,
    )?;
    let epochs = ends.windows(2).map(|ends| ends[1] - ends[0]);
    let best = epochs.fold(f64::INFINITY, f64::min);
    Ok((best - validating) / case.steps as f64)
}

fn table(all: &[Measured], runtime: &Runtime, arguments: &Arguments) -> String {
    let precision = if arguments.mixed { "bfloat16" } else { "f32" };
    let clock = if arguments.cpu_time {
        "all cores for"
    } else {
        "time for"
    };
    let mut table = format!(
        "Milliseconds of {clock} a training step, {precision}, {}, {} threads, the best epoch of {} rounds.\n\n\
         | network | batch | ours | PyTorch | channels last | ours / PyTorch | losses differ by |\n\
         |---|---|---|---|---|---|---|\n",
        runtime.name(),
        runtime.threads(),
        arguments.rounds,
    );
    for row in all {
        let _ = writeln!(
            table,
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2}{} | {:.1e}{} |",
            row.name,
            row.batch,
            row.ours * 1e3,
            row.contiguous * 1e3,
            row.channels_last * 1e3,
            row.ratio(),
            if row.is_fast() { "" } else { " (missed)" },
            row.distance,
            if row.agrees() { "" } else { " (missed)" },
        );
    }
    table
}
