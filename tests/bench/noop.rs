//! Called by `make bench-noop`: what a night costs that brings nothing new, on 85,000 products with as many image files.
//!
//! The catalogue is made of a small sample: each product again and again under numbers of its own, each image under as many names by
//! hard links. The pipeline ingests and decodes all of them, small, and has one quick model of text. Then `plan`,
//! `status` and a `run` with nothing to do are timed, in turns, and each has to take no longer than [`BAR_S`]; a night that ran
//! anything fails the bench. What the program takes to load `LibTorch` and to end again is measured by `--version`.
//!
//! Three rounds of seven of each, on two quiet cores, with files in the page cache:
//!
//! | command | medians, s | least, s |
//! |---|---|---|
//! | `--version` | 0.28 to 0.35 | 0.26 |
//! | `plan` | 0.51 to 0.56 | 0.44 |
//! | `status` | 0.46 to 0.56 | 0.45 |
//! | `run` with nothing to do | 0.45 to 0.58 | 0.44 |
//!
//! Of what is above `--version`, most is the kernel's: a look at each of the image files.

use clap::Parser;
use rayonnage::sample::{self, ImageShare, SampleOptions};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Instant;

/// Longest time of a command in seconds.
const BAR_S: f64 = 0.5;

/// Products of the sample that all others are copies of.
const DISTINCT: usize = 500;

#[derive(Parser)]
struct Arguments {
    /// Products, 80 % of which are labelled
    #[arg(long, default_value_t = 85_000)]
    rows: usize,
    /// How often each command is timed
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The table as Markdown
    #[arg(long)]
    report: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

const PIPELINE: &str = r#"
name: noop
checkpoints: checkpoints
dump_date: 2026-01-01
source:
  root: catalogue
  products: X_train_update.csv
  labels: Y_train_CVw08PX.csv
  unlabelled: X_test_update.csv
  images:
    labelled: images/image_train/image_{imageid}_product_{productid}.jpg
    unlabelled: images/image_test/image_{imageid}_product_{productid}.jpg
  columns: { id: "", title: designation, description: description, product_id: productid, label: prdtypecode }
sink: { root: out }
report: { after_run: false }
stages:
  ingest: { kind: ingest }
  detect_language: { kind: detect_language, needs: [ingest], params: { detector: whatlang } }
  translate: { kind: translate, needs: [ingest, detect_language], params: { lookup: translations.csv } }
  clean_text: { kind: clean_text, needs: [translate] }
  split: { kind: split, needs: [ingest] }
  fit_tfidf: { kind: fit_tfidf, needs: [clean_text, split] }
  tfidf: { kind: tfidf, needs: [clean_text, fit_tfidf] }
  decode_images: { kind: decode_images, needs: [ingest], params: { size: 32, variance_share: 0 } }
  neural_simple: { kind: train, needs: [split, tfidf], params: { model: neural_simple, epochs: 1 } }
  evaluate: { kind: evaluate, needs: [split, neural_simple] }
  predict: { kind: predict, needs: [ingest, evaluate, tfidf, neural_simple] }
  publish: { kind: publish, needs: [predict, ingest, detect_language, evaluate] }
"#;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let images = make_catalogue(folder.path(), arguments.rows)?;
    fs::write(folder.path().join("pipeline.yaml"), PIPELINE)?;
    eprintln!("catalogue: {:.0} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let ran = rayonnage(folder.path(), &["run"])?.stdout;
    assert!(ran.contains("12 stages ran, 0 fresh"), "{ran}");
    eprintln!("first run: {:.0} s", started.elapsed().as_secs_f64());
    // Files that were digested a moment ago are not trusted yet; from now on all are known.
    rayonnage(folder.path(), &["run"])?;

    let commands: [(&str, &str, f64); 4] = [
        ("--version", "rayonnage ", f64::INFINITY),
        ("plan", "nothing to do", BAR_S),
        ("status", "exit code 0", BAR_S),
        ("run", " 0 stages ran, 12 fresh", BAR_S),
    ];
    let mut times = commands.map(|_| Vec::new());
    for _ in 0..arguments.rounds.max(1) {
        for ((command, says, _), times) in commands.iter().zip(&mut times) {
            let outcome = rayonnage(folder.path(), &[command])?;
            assert!(
                outcome.stdout.contains(says),
                "{command}: {}",
                outcome.stdout
            );
            times.push(outcome.seconds);
        }
    }
    let mut text = format!(
        "{} products, {images} image files; medians of {}\n\n| command | s | bar |\n|---|---|---|\n",
        arguments.rows, arguments.rounds
    );
    let mut is_short = false;
    for ((command, _, bar), times) in commands.iter().zip(times) {
        let median = median(times);
        let shown = if bar.is_finite() {
            format!("≤ {bar} s")
        } else {
            String::new()
        };
        writeln!(text, "| `{command}` | {median:.3} | {shown} |")?;
        is_short |= median > *bar;
    }
    print!("{text}");
    if let Some(path) = arguments.report {
        fs::write(path, text)?;
    }
    Ok(if is_short {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What a command said, and how long it took.
struct Outcome {
    stdout: String,
    seconds: f64,
}

fn rayonnage(folder: &Path, arguments: &[&str]) -> Result<Outcome, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rayonnage"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("OMP_WAIT_POLICY", "passive")
        .env("RAYONNAGE_LOG", "warn");
    let started = Instant::now();
    let Output {
        status,
        stdout,
        stderr,
    } = command.output()?;
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr);
        return Err(format!("{arguments:?} ended with {status}: {said}").into());
    }
    let stdout = String::from_utf8(stdout)?;
    Ok(Outcome { stdout, seconds })
}

/// Writes the catalogue, and returns how many image files it has.
fn make_catalogue(folder: &Path, rows: usize) -> Result<usize, Box<dyn Error>> {
    let (base, made) = (folder.join("sample"), folder.join("catalogue"));
    let sound = ImageShare {
        unreferenced_permille: 0,
        absent_permille: 0,
        corrupt_permille: 0,
    };
    sample::write(
        &base,
        &SampleOptions {
            rows: DISTINCT,
            images: sound,
            image_size: 64,
            ..SampleOptions::default()
        },
    )?;
    let products = read(&base.join("X_train_update.csv"))?;
    let labels = read(&base.join("Y_train_CVw08PX.csv"))?;
    let files = fs::read_dir(base.join("images/image_train"))?;
    let mut files: Vec<PathBuf> = files
        .map(|file| Ok(file?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    files.sort();
    let labelled = rows / 5 * 4;
    let header = ["", "designation", "description", "productid", "imageid"];
    let mut tables = [
        ("X_train_update.csv", "image_train"),
        ("X_test_update.csv", "image_test"),
    ]
    .map(|(table, images)| -> Result<_, Box<dyn Error>> {
        let images = made.join("images").join(images);
        fs::create_dir_all(&images)?;
        let mut writer = csv::Writer::from_path(made.join(table))?;
        writer.write_record(header)?;
        Ok((writer, images))
    });
    let mut label_table = csv::Writer::from_path(made.join("Y_train_CVw08PX.csv"))?;
    label_table.write_record(["", "prdtypecode"])?;
    for row in 0..rows {
        let (product, number) = (&products[row % products.len()], row.to_string());
        let (product_id, image_id) = ((1_000_000 + row).to_string(), (2_000_000 + row).to_string());
        let title = format!("{} {row}", &product[1]);
        let (writer, images) = tables[usize::from(row >= labelled)]
            .as_mut()
            .map_err(|error| error.to_string())?;
        writer.write_record([&number, &title, &product[2], &product_id, &image_id])?;
        if row < labelled {
            label_table.write_record([&number, &labels[row % labels.len()][1]])?;
        }
        let name = format!("image_{image_id}_product_{product_id}.jpg");
        fs::hard_link(&files[row % files.len()], images.join(name))?;
    }
    for table in tables {
        table?.0.flush()?;
    }
    label_table.flush()?;
    fs::copy(base.join("translations.csv"), made.join("translations.csv"))?;
    Ok(rows)
}

fn read(path: &Path) -> Result<Vec<csv::StringRecord>, csv::Error> {
    csv::Reader::from_path(path)?.records().collect()
}
