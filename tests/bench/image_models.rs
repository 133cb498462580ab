//! Called by `make bench-images`: models of images on a catalogue, by the program as its users run it.
//!
//! Two tables: classical models on principal components of grey pixels, scored by stratified 3-fold cross-validation beside what
//! the report has for its catalogue; and the weighted F1 on the test rows that have an image, of a head on a frozen MobileNetV2
//! (where there are weights), of LeNet from scratch, and of pixels and SVM. Prints them, writes them as Markdown, and fails where the
//! frozen network is not far ahead.

// The text bench asks more of it.
#[allow(dead_code)]
mod pipeline;

use clap::Parser;
use pipeline::Pipeline;
use serde::Deserialize;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The classical models, with accuracy and weighted precision, recall and F1 of the report.
const CLASSICAL: [(&str, [f64; 4]); 5] = [
    ("pixels_logistic_regression", [0.18, 0.16, 0.18, 0.16]),
    ("pixels_random_forest", [0.12, 0.04, 0.12, 0.04]),
    ("pixels_k_nearest_neighbours", [0.18, 0.16, 0.18, 0.16]),
    ("pixels_linear_svm", [0.18, 0.17, 0.18, 0.17]),
    ("pixels_gradient_boosting", [0.09, 0.08, 0.09, 0.06]),
];

/// What the frozen network has to be ahead of the others, in weighted F1.
const AHEAD: f64 = 0.1;

#[derive(Parser)]
struct Arguments {
    /// The catalogue
    #[arg(long)]
    data: PathBuf,
    /// Weights of a MobileNetV2
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Their SHA-256
    #[arg(long, requires = "weights")]
    sha256: Option<String>,
    /// Further settings, as of `rayonnage run --set`
    #[arg(long = "set")]
    settings: Vec<String>,
    /// The tables as Markdown
    #[arg(long)]
    report: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// One combination of a cross-validation, as its file has it.
#[derive(Deserialize)]
struct Candidate {
    folds: Vec<Fold>,
}

#[derive(Deserialize)]
struct Fold {
    weighted_f1: f64,
    weighted_precision: f64,
    weighted_recall: f64,
    accuracy: f64,
    rows: u64,
}

fn main() -> ExitCode {
    match bench(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut settings = arguments.settings.clone();
    if let Some(weights) = &arguments.weights {
        settings.push(format!("weights.mobilenet_v2.path={}", weights.display()));
        let sha256 = arguments.sha256.as_deref().unwrap_or_default();
        settings.push(format!("weights.mobilenet_v2.sha256={sha256}"));
    }
    let pipeline = Pipeline::new(&arguments.data, folder.path(), &settings);
    let mut text = classical(&pipeline, folder.path())?;
    let (transfer, is_ahead) = transfer(&pipeline, arguments.weights.is_some())?;
    text.push_str(&transfer);
    println!("{text}");
    if let Some(report) = &arguments.report {
        std::fs::write(report, &text)?;
    }
    Ok(if is_ahead {
        ExitCode::SUCCESS
    } else {
        eprintln!("the frozen network is not {AHEAD} ahead");
        ExitCode::FAILURE
    })
}

fn classical(pipeline: &Pipeline, checkpoints: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = "Classical models on principal components of grey pixels, stratified 3-fold; in brackets the report's:\n\n\
                    | model | images | accuracy | precision, weighted | recall, weighted | F1, weighted |\n\
                    |---|---|---|---|---|---|\n"
        .to_owned();
    for (stage, report) in CLASSICAL {
        eprintln!("  {stage}");
        pipeline.run(stage, &[])?;
        let folds = folds(&checkpoints.join(stage))?;
        let mean = |of: fn(&Fold) -> f64| folds.iter().map(of).sum::<f64>() / folds.len() as f64;
        let found = [
            mean(|fold| fold.accuracy),
            mean(|fold| fold.weighted_precision),
            mean(|fold| fold.weighted_recall),
            mean(|fold| fold.weighted_f1),
        ];
        let images: u64 = folds.iter().map(|fold| fold.rows).sum();
        write!(text, "| {stage} | {images} |")?;
        for (found, report) in found.iter().zip(report) {
            write!(text, " {found:.3} ({report:.2}) |")?;
        }
        text.push('\n');
    }
    Ok(text)
}

/// The folds of the one cross-validation of a stage.
fn folds(stage: &Path) -> Result<Vec<Fold>, Box<dyn Error>> {
    for entry in std::fs::read_dir(stage)? {
        let path = entry?.path().join("files/cross_validation.json");
        if path.exists() {
            let candidates: Vec<Candidate> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
            let first = candidates.into_iter().next().ok_or("nothing was tried")?;
            return Ok(first.folds);
        }
    }
    Err("there was no cross-validation".into())
}

/// The table, and whether the frozen network is far ahead of the others, if there is one.
fn transfer(pipeline: &Pipeline, has_weights: bool) -> Result<(String, bool), Box<dyn Error>> {
    let mut text = "\nTest rows with an image, trained on the training rows with one (pixels: on a sample of them):\n\n\
                    | model | test rows | weighted F1 |\n|---|---|---|\n"
        .to_owned();
    let mut row = |name: &str, stage: &str| -> Result<f64, Box<dyn Error>> {
        let rows = pipeline.columns(stage, "held_out", ["fold"])?;
        let count = rows.iter().filter(|row| row[0] == "test").count();
        let score = pipeline.test_f1(stage)?;
        writeln!(text, "| {name} | {count} | {score:.4} |")?;
        Ok(score)
    };
    let svm = row(
        "pixels, principal components, linear SVM",
        "pixels_linear_svm",
    )?;
    eprintln!("  lenet");
    pipeline.run("lenet", &[])?;
    let lenet = row("LeNet from scratch", "lenet")?;
    if !has_weights {
        text.push_str("\nNo weights are given (WEIGHTS=…), so no frozen network is compared.\n");
        return Ok((text, true));
    }
    eprintln!("  mobilenet_v2");
    pipeline.run("mobilenet_v2", &[])?;
    let head = row("MobileNetV2, frozen, with a dense head", "mobilenet_v2")?;
    eprintln!("  mobilenet_v2, linear SVM");
    let on_features = [
        "pixels_linear_svm.needs=[split, embed_mobilenet_v2]",
        "pixels_linear_svm.params.sample=null",
        "pixels_linear_svm.params.cv=null",
        "pixels_linear_svm.params.c=0.001",
    ];
    pipeline.run("pixels_linear_svm", &on_features)?;
    row(
        "MobileNetV2, frozen, with a linear SVM",
        "pixels_linear_svm",
    )?;
    Ok((text, head >= lenet.max(svm) + AHEAD))
}
