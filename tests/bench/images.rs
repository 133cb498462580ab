//! `make bench-images`: decode, crop and resize against the Python libraries, on one machine, in turns.
//!
//! Each round measures ours, then Pillow, `OpenCV` and torchvision, on the same files, each reading them from the disk's cache; with one
//! thread and with all. Of each measurement the best round counts. Then ours is compared with Pillow's pixels. Prints a
//! table, writes it as Markdown, and fails where a bar is missed. Then come the variations of a training, against torchvision and
//! Keras' way, and the peak memory of the stage `decode_images` and of a training, on a small and a large catalogue. Ours computes the
//! statistics too, which the others do not.

mod augment;
mod memory;
mod process;
#[expect(dead_code, reason = "the text bench has rows of other kinds")]
mod report;

use clap::Parser;
use rayon::prelude::*;
use rayonnage::image::{ImagePreparer, PrepareOptions};
use report::{Report, Row};
use serde::Deserialize;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const LIBRARIES: [&str; 3] = ["pillow", "opencv", "torchvision"];
/// How many times as fast as the fastest library.
const BAR: f64 = 1.25;
/// Mean absolute difference to Pillow, of 255, over all images.
const MOST_DIFFERENT: f64 = 2.0;

#[derive(Parser)]
struct Arguments {
    /// Folder with JPEGs, in it or below
    #[arg(long)]
    data: PathBuf,
    /// The table as Markdown
    #[arg(long)]
    report: PathBuf,
    /// Most files
    #[arg(long, default_value_t = 2000)]
    limit: usize,
    /// How often everything is measured
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Threads of each side, where not one
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Images in the catalogues of which the stage's memory is measured: a few, and many
    #[arg(long, num_args = 2, default_values_t = [1000, 10_000])]
    memory_rows: Vec<usize>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Deserialize)]
struct Seconds {
    wall_s: f64,
    cpu_s: f64,
}

impl Seconds {
    const NONE: Self = Self {
        wall_s: f64::INFINITY,
        cpu_s: f64::INFINITY,
    };

    fn best(self, other: Self) -> Self {
        Self {
            wall_s: self.wall_s.min(other.wall_s),
            cpu_s: self.cpu_s.min(other.cpu_s),
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut files = Vec::new();
    jpegs(&arguments.data, &mut files)?;
    files.sort();
    files.truncate(arguments.limit);
    if files.is_empty() {
        return Err(format!("no *.jpg in {}", arguments.data.display()).into());
    }
    let work = tempfile::tempdir()?;
    let list = work.path().join("files.txt");
    fs::write(&list, files.join("\n"))?;
    let mut report = Report::new(format!(
        "{} JPEGs; images a second; best of {}",
        files.len(),
        arguments.rounds
    ));
    for threads in [1, arguments.threads] {
        measure(&files, &list, threads, arguments.rounds, &mut report)?;
    }
    let is_alike = compare(&files, &list, &work.path().join("pillow.rgb"), &mut report)?;
    report.push(Row::memory(
        "peak memory of ours",
        process::peak_mib(),
        None,
    ));
    for threads in [1, arguments.threads] {
        augment::measure(threads, arguments.rounds, &mut report)?;
    }
    let is_bounded = memory::measure(&arguments.memory_rows, &mut report)?;
    print!("{report}");
    report.write(&arguments.report)?;
    Ok(if report.is_short() || !is_alike || !is_bounded {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The files of a folder and of those below it.
fn jpegs(folder: &Path, found: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            jpegs(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "jpg") {
            found.push(path.to_str().ok_or("a path is not UTF-8")?.to_owned());
        }
    }
    Ok(())
}

/// All sides with one number of threads.
fn measure(
    files: &[String],
    list: &Path,
    threads: usize,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let mut ours = Seconds::NONE;
    let mut theirs = [Seconds::NONE; LIBRARIES.len()];
    for round in 1..=rounds {
        eprintln!("{threads} threads, round {round} of {rounds}");
        ours = ours.best(
            pool.install(|| prepare_all(files))
                .map_err(|error| error.to_string())?,
        );
        for (name, best) in LIBRARIES.iter().zip(&mut theirs) {
            *best = best.best(library(name, list, threads)?);
        }
    }
    let rate = |seconds: f64| files.len() as f64 / seconds;
    let fastest = |of: fn(&Seconds) -> f64| theirs.iter().map(of).fold(f64::INFINITY, f64::min);
    for (name, library) in LIBRARIES.iter().zip(&theirs) {
        let wall = format!("{threads} threads, wall: {name}");
        report.push(Row::rate(
            &wall,
            rate(ours.wall_s),
            Some(rate(library.wall_s)),
            None,
        ));
        let cpu = format!("{threads} threads, second of CPU: {name}");
        report.push(Row::rate(
            &cpu,
            rate(ours.cpu_s),
            Some(rate(library.cpu_s)),
            None,
        ));
    }
    let wall = format!("{threads} threads, wall: the best of them");
    let best = Some(rate(fastest(|library| library.wall_s)));
    report.push(Row::rate(&wall, rate(ours.wall_s), best, Some(BAR)));
    let cpu = format!("{threads} threads, second of CPU: the best of them");
    let best = Some(rate(fastest(|library| library.cpu_s)));
    report.push(Row::rate(&cpu, rate(ours.cpu_s), best, Some(BAR)));
    Ok(())
}

fn prepare_all(files: &[String]) -> Result<Seconds, Box<dyn Error + Send + Sync>> {
    let options = PrepareOptions::default();
    ImagePreparer::new(&options)?;
    let (start, cpu_s) = (Instant::now(), process::cpu_seconds());
    files.par_iter().try_for_each_init(
        || ImagePreparer::new(&options),
        |preparer, path| -> Result<(), Box<dyn Error + Send + Sync>> {
            let preparer = preparer.as_mut().map_err(|error| error.to_string())?;
            let image = preparer.prepare(&fs::read(path)?);
            image
                .map(drop)
                .map_err(|fault| format!("{path}: {fault}").into())
        },
    )?;
    Ok(Seconds {
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s: process::cpu_seconds() - cpu_s,
    })
}

fn python() -> Command {
    python_script("images_python.py")
}

/// `make bench-images` sets `PYTHONPATH` to the packages that the scripts import.
fn python_script(name: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bench")
        .join(name);
    let mut command = Command::new("python3");
    // What `make` sets for the program would slow the libraries down.
    command.env_remove("MALLOC_MMAP_THRESHOLD_");
    command.arg(script).stderr(Stdio::inherit());
    command
}

fn library(name: &str, list: &Path, threads: usize) -> Result<Seconds, Box<dyn Error>> {
    let mut command = python();
    command.arg(name).arg(list).arg(threads.to_string());
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The difference to what Pillow makes of the same files; tells whether it is below the bar.
fn compare(
    files: &[String],
    list: &Path,
    pixels: &Path,
    report: &mut Report,
) -> Result<bool, Box<dyn Error>> {
    let mut command = python();
    command.arg("pillow").arg(list).arg("1").arg(pixels);
    let status = command.status()?;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    let theirs = fs::read(pixels)?;
    let mut preparer = ImagePreparer::new(&PrepareOptions::default())?;
    let (mut sum, mut worst) = (0.0, 0.0_f64);
    for (path, theirs) in files.iter().zip(theirs.chunks(theirs.len() / files.len())) {
        let image = preparer.prepare(&fs::read(path)?);
        let ours = image.map_err(|fault| format!("{path}: {fault}"))?.pixels;
        if ours.len() != theirs.len() {
            return Err(format!("{path}: {} and {} values", ours.len(), theirs.len()).into());
        }
        let differences = ours
            .iter()
            .zip(theirs)
            .map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = differences.sum::<u64>() as f64 / ours.len() as f64;
        sum += mean;
        worst = worst.max(mean);
    }
    let mean = sum / files.len() as f64;
    let shown = format!("{mean:.3} of 255, bar {MOST_DIFFERENT}");
    report.push(Row::note("mean difference to Pillow", shown, String::new()));
    let shown = format!("{worst:.3} of 255");
    report.push(Row::note(
        "mean difference of the worst image",
        shown,
        String::new(),
    ));
    Ok(mean <= MOST_DIFFERENT)
}
