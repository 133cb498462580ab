//! Called by `make bench-report`: the tables of the technical report that the system comes from, with what the pipeline's `report`
//! profile comes to on a catalogue beside the report's numbers.
//!
//! The report's catalogue has 84,916 products with a photo each; numbers on another one compare the models with each other, not
//! with the report. Fails where a text model that the report has is missing.

// Other benches ask more of it.
#[allow(dead_code)]
mod pipeline;

use clap::Parser;
use pipeline::Pipeline;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// F1 by class on the test rows, as the report has it.
const REPORT: &str = include_str!("technical_report.csv");

/// Accuracy on the training and the validation rows in the report.
const IMAGE_NETWORKS: [(&str, Option<[f64; 2]>); 5] = [
    ("vgg16", Some([0.50, 0.49])),
    ("resnet50", Some([0.16, 0.18])),
    ("mobilenet_v2", Some([0.87, 0.47])),
    ("efficientnet_b1", None),
    ("lenet", None),
];

/// Parameters, and those that are trained, in the report.
const PARAMETERS: [(&str, [u64; 2]); 6] = [
    ("neural_simple", [271_539, 271_539]),
    ("neural_embedder", [5_006_939, 5_006_939]),
    ("vgg16", [15_778_651, 1_063_963]),
    ("resnet50", [26_224_539, 2_636_827]),
    ("mobilenet_v2", [4_108_379, 1_850_395]),
    ("fusion_vgg16", [15_020_375, 19_217]),
];

#[derive(Parser)]
struct Arguments {
    /// The catalogue
    #[arg(long)]
    data: PathBuf,
    /// Where checkpoints are kept between two calls; nowhere, if left out
    #[arg(long)]
    checkpoints: Option<PathBuf>,
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

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let kept = tempfile::tempdir()?;
    let checkpoints = arguments.checkpoints.as_deref().unwrap_or(kept.path());
    fs::create_dir_all(checkpoints)?;
    let mut settings = vec!["profile=report".to_owned()];
    settings.extend(arguments.settings.iter().cloned());
    let pipeline = Pipeline::new(&arguments.data, checkpoints, &settings);
    pipeline.run("evaluate", &[])?;
    let tables = [
        by_class(&pipeline)?,
        image_networks(checkpoints),
        parameters(checkpoints),
    ]
    .join("\n");
    println!("{tables}");
    if let Some(path) = &arguments.report {
        fs::write(path, &tables)?;
    }
    Ok(())
}

/// F1 of each class on the test rows by model.
fn by_class(pipeline: &Pipeline) -> Result<String, Box<dyn Error>> {
    let names = ["model", "fold", "label", "f1"];
    let mut ours: BTreeMap<(String, String), String> = BTreeMap::new();
    for [model, fold, label, f1] in pipeline.columns("evaluate", "scores", names)? {
        if fold == "test" {
            ours.insert((model, label), f1);
        }
    }
    let mut report = csv::Reader::from_reader(REPORT.as_bytes());
    let models: Vec<String> = report
        .headers()?
        .iter()
        .skip(1)
        .map(str::to_owned)
        .collect();
    // The report's fusion is that of VGG16, where there are weights for it.
    let ours_of = |model: &str| {
        let others = ["fusion_vgg16", "fusion_mobilenet_v2", "fusion"];
        let has = |model: &str| ours.keys().any(|(other, _)| other == model);
        let found = others
            .into_iter()
            .find(|other| model == "fusion" && has(other));
        found.unwrap_or(model).to_owned()
    };
    let mut text = String::from("## F1 by class on the test rows: report, ours\n\n| class |");
    for model in &models {
        let _ = write!(text, " {} |", ours_of(model));
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(models.len()));
    for record in report.records() {
        let record = record?;
        let class = &record[0];
        let _ = write!(text, "| {class} |");
        for (model, theirs) in models.iter().zip(record.iter().skip(1)) {
            let key = (ours_of(model), class.to_owned());
            let own = ours.get(&key).and_then(|f1| f1.parse::<f64>().ok());
            if own.is_none() && class == "weighted avg" {
                return Err(format!("{} has no scores", key.0).into());
            }
            let own = own.map_or("–".to_owned(), |f1| format!("{f1:.3}"));
            let _ = write!(text, " {theirs}, {own} |");
        }
        text.push('\n');
    }
    Ok(text)
}

/// Accuracy on the training and validation rows, of the best epoch.
fn image_networks(checkpoints: &Path) -> String {
    let mut text = String::from(
        "## Image networks: accuracy, validation accuracy\n\n| network | report | ours |\n|---|---|---|\n",
    );
    for (name, report) in IMAGE_NETWORKS {
        let shown = |[a, b]: [f64; 2]| format!("{a:.2}, {b:.2}");
        let report = report.map_or("–".to_owned(), shown);
        let own = last_epochs(checkpoints, name).map_or("skipped: no weights".to_owned(), shown);
        let _ = writeln!(text, "| {name} | {report} | {own} |");
    }
    text
}

fn parameters(checkpoints: &Path) -> String {
    let mut text =
        String::from("## Parameters, trained ones\n\n| network | report | ours |\n|---|---|---|\n");
    for (name, [total, trained]) in PARAMETERS {
        let own = manifest(checkpoints, name).and_then(|manifest| {
            let number = |key| manifest["summary"][key].as_u64();
            Some(format!(
                "{}, {}",
                number("parameters")?,
                number("trainable_parameters")?
            ))
        });
        let own = own.unwrap_or_else(|| "skipped: no weights".to_owned());
        let _ = writeln!(text, "| {name} | {total}, {trained} | {own} |");
    }
    text
}

/// The manifest of a stage's newest checkpoint.
fn manifest(checkpoints: &Path, stage: &str) -> Option<Value> {
    serde_json::from_slice(&fs::read(folder(checkpoints, stage)?.join("manifest.json")).ok()?).ok()
}

fn folder(checkpoints: &Path, stage: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(checkpoints.join(stage)).ok()?;
    let committed = entries.flatten().filter_map(|entry| {
        let time = fs::metadata(entry.path().join("manifest.json")).ok()?;
        Some((time.modified().ok()?, entry.path()))
    });
    committed.max().map(|(_, path)| path)
}

fn last_epochs(checkpoints: &Path, stage: &str) -> Option<[f64; 2]> {
    let best = manifest(checkpoints, stage)?["summary"]["best_epoch"].as_u64()?;
    let files = fs::read_dir(folder(checkpoints, stage)?.join("files")).ok()?;
    let history = files
        .flatten()
        .find(|file| file.file_name().to_string_lossy().starts_with("history"))?;
    let history: Value = serde_json::from_slice(&fs::read(history.path()).ok()?).ok()?;
    let epoch = history.get(usize::try_from(best).ok()?.checked_sub(1)?)?;
    Some([
        epoch["accuracy"].as_f64()?,
        epoch["validation_accuracy"].as_f64()?,
    ])
}
