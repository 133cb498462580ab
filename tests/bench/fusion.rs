//! Called by `make bench-fusion`: what images add to text, by cross-validation of whole pipelines.
//!
//! In each of five folds the program is run with that fold for testing. The best text model and the best fusion are chosen by
//! their weighted F1 on the validation rows of the fold; every weight, vocabulary and epoch is chosen in there, too. Tables: the
//! gain on the rows that have an image and on all rows, with a paired bootstrap over the rows; both by what is known of a product;
//! F1 by class. Prints them, writes them as Markdown, and fails where the gain on the rows that have an image may be chance (the
//! lower bound of the bootstrap is not above 0) or the fusion loses on all rows.

// Other benches ask more of it.
#[allow(dead_code)]
mod pipeline;

use clap::Parser;
use pipeline::Pipeline;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayonnage::model::{Confusion, LabelMap};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const FOLDS: usize = 5;
const RESAMPLES: usize = 2000;

#[derive(Parser)]
struct Arguments {
    /// The catalogue
    #[arg(long)]
    data: PathBuf,
    /// Weights of a MobileNetV2
    #[arg(long)]
    weights: PathBuf,
    /// Their SHA-256
    #[arg(long)]
    sha256: String,
    /// Models that read text alone
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "linear_svm_blocks,logistic_regression,neural_simple,soft_vote"
    )]
    text: Vec<String>,
    /// Models that read both
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "blend,blend_scales,fusion_all"
    )]
    fusions: Vec<String>,
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

/// What a model answered for a row that it was not fitted on.
#[derive(Clone)]
struct Answer {
    label: String,
    predicted: String,
    modality: String,
    from_text: String,
    from_image: String,
}

impl Answer {
    /// The prediction from all that is known, or from the text or the image alone.
    fn given(&self, what: &str) -> &str {
        match what {
            "text" => &self.from_text,
            "image" => &self.from_image,
            _ => &self.predicted,
        }
    }
}

/// Answers of a model by fold and row.
type Answers = BTreeMap<(String, String), Answer>;

fn answers(pipeline: &Pipeline, model: &str) -> Result<Answers, Box<dyn Error>> {
    let names = [
        "fold",
        "id",
        "label",
        "predicted",
        "modality",
        "predicted_from_text",
        "predicted_from_image",
    ];
    let rows = pipeline.columns(model, "held_out", names)?;
    let answer = |[fold, id, label, predicted, modality, from_text, from_image]: [String; 7]| {
        let answer = Answer {
            label,
            predicted,
            modality,
            from_text,
            from_image,
        };
        ((fold, id), answer)
    };
    Ok(rows.into_iter().map(answer).collect())
}

/// One test row with both answers.
struct Row {
    text: Answer,
    fusion: Answer,
}

impl Row {
    fn has_image(&self) -> bool {
        self.fusion.modality.contains("image")
    }
}

fn f1<'a>(labels: &LabelMap, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> f64 {
    confusion(labels, pairs).weighted_f1()
}

fn confusion<'a>(labels: &LabelMap, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Confusion {
    let class = |label: &str| labels.index(label).unwrap_or_default();
    let pairs = pairs.map(|(actual, predicted)| (class(actual), class(predicted)));
    Confusion::from_pairs(labels.len(), pairs)
}

/// Weighted F1 of the text model and of the fusion.
fn both(labels: &LabelMap, rows: &[&Row]) -> [f64; 2] {
    let of = |answer: fn(&Row) -> &Answer| {
        let pairs = rows.iter().map(|row| answer(row));
        f1(
            labels,
            pairs.map(|a| (a.label.as_str(), a.predicted.as_str())),
        )
    };
    [of(|row| &row.text), of(|row| &row.fusion)]
}

/// The gain on all rows given, and the bounds of 95 % of it over rows drawn anew.
fn bootstrap(labels: &LabelMap, rows: &[&Row]) -> [f64; 3] {
    let gain = |rows: &[&Row]| {
        let [text, fusion] = both(labels, rows);
        fusion - text
    };
    let mut random = ChaCha8Rng::seed_from_u64(123);
    let mut gains: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let draw = |_| {
                let place = (u64::from(random.next_u32()) * rows.len() as u64) >> 32;
                rows[place as usize]
            };
            gain(&(0..rows.len()).map(draw).collect::<Vec<_>>())
        })
        .collect();
    gains.sort_by(f64::total_cmp);
    let at = |share: f64| gains[(share * (RESAMPLES - 1) as f64).round() as usize];
    [gain(rows), at(0.025), at(0.975)]
}

/// The model of the best weighted F1 on the validation rows; a row without answer is a wrong one.
fn best<'a>(
    models: &'a [String],
    answers: &BTreeMap<String, Answers>,
    labels: &LabelMap,
) -> Result<&'a String, Box<dyn Error>> {
    let score = |model: &String| {
        let rows = answers[model]
            .iter()
            .filter(|((fold, _), _)| fold == "validation");
        f1(
            labels,
            rows.map(|(_, a)| (a.label.as_str(), a.predicted.as_str())),
        )
    };
    let best = models.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
    best.ok_or_else(|| "no model was named".into())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            for what in missed {
                eprintln!("bench-fusion: {what}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bench-fusion: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the tables; returns what does not hold of what they have to show.
fn run(arguments: &Arguments) -> Result<Vec<String>, Box<dyn Error>> {
    let kept = tempfile::tempdir()?;
    let checkpoints = arguments.checkpoints.as_deref().unwrap_or(kept.path());
    std::fs::create_dir_all(checkpoints)?;
    let mut settings = vec![
        "profile=report".to_owned(),
        format!(
            "weights.mobilenet_v2.path={}",
            absolute(&arguments.weights)?
        ),
        format!("weights.mobilenet_v2.sha256={}", arguments.sha256),
    ];
    settings.extend(arguments.settings.iter().cloned());
    let mut rows: Vec<Vec<Row>> = Vec::new();
    let mut chosen = Vec::new();
    for fold in 0..FOLDS {
        let mut settings = settings.clone();
        settings.push(format!("split.params.test_fold={fold}"));
        let pipeline = Pipeline::new(&arguments.data, checkpoints, &settings);
        let mut found = BTreeMap::new();
        for model in arguments.text.iter().chain(&arguments.fusions) {
            eprintln!("fold {} of {FOLDS}: {model}", fold + 1);
            pipeline.run(model, &[])?;
            found.insert(model.clone(), answers(&pipeline, model)?);
        }
        let labels = labels_of(found.values());
        let text = best(&arguments.text, &found, &labels)?;
        let fusion = best(&arguments.fusions, &found, &labels)?;
        chosen.push((text.clone(), fusion.clone()));
        let tested = found[text].iter().filter(|((of, _), _)| of == "test");
        let mut paired = Vec::new();
        for (key, text) in tested {
            let fusion = found[fusion].get(key).ok_or("a fusion lacks a row")?;
            paired.push(Row {
                text: text.clone(),
                fusion: fusion.clone(),
            });
        }
        rows.push(paired);
    }
    let (tables, missed) = tables(&rows, &chosen);
    println!("{tables}");
    if let Some(path) = &arguments.report {
        std::fs::write(path, &tables)?;
    }
    Ok(missed)
}

fn absolute(path: &Path) -> Result<String, Box<dyn Error>> {
    Ok(path.canonicalize()?.display().to_string())
}

fn labels_of<'a>(answers: impl Iterator<Item = &'a Answers>) -> LabelMap {
    let all = answers.flat_map(BTreeMap::values);
    LabelMap::new(all.flat_map(|answer| [answer.label.clone(), answer.predicted.clone()]))
}

fn tables(folds: &[Vec<Row>], chosen: &[(String, String)]) -> (String, Vec<String>) {
    let all: Vec<&Row> = folds.iter().flatten().collect();
    let with_image: Vec<&Row> = all.iter().copied().filter(|row| row.has_image()).collect();
    let labels = LabelMap::new(all.iter().flat_map(|row| {
        [&row.text, &row.fusion]
            .into_iter()
            .flat_map(|answer| [answer.label.clone(), answer.predicted.clone()])
    }));
    let mut text = String::from("## Text and fusion, by fold\n\n");
    text.push_str("| fold | best text | best fusion | rows with image | text | fusion | gain | all rows | text | fusion | gain |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|---|---|\n");
    let mut gains = [0.0; 2];
    for (number, (rows, (best_text, best_fusion))) in folds.iter().zip(chosen).enumerate() {
        let all: Vec<&Row> = rows.iter().collect();
        let images: Vec<&Row> = rows.iter().filter(|row| row.has_image()).collect();
        let ([a, b], [c, d]) = (both(&labels, &images), both(&labels, &all));
        gains[0] += (b - a) / folds.len() as f64;
        gains[1] += (d - c) / folds.len() as f64;
        let _ = writeln!(
            text,
            "| {} | {best_text} | {best_fusion} | {} | {a:.3} | {b:.3} | {:+.3} | {} | {c:.3} | {d:.3} | {:+.3} |",
            number + 1,
            images.len(),
            b - a,
            all.len(),
            d - c,
        );
    }
    let _ = writeln!(
        text,
        "\nMean gain over the folds: {:+.4} on rows with an image, {:+.4} on all rows.\n",
        gains[0], gains[1]
    );
    text.push_str(
        "| rows | | text | fusion | gain | 95 % of the bootstrap |\n|---|---|---|---|---|---|\n",
    );
    let mut lowest = Vec::new();
    for (name, rows) in [("with an image", &with_image), ("all", &all)] {
        let [a, b] = both(&labels, rows);
        let [gain, low, high] = bootstrap(&labels, rows);
        lowest.push(low);
        let count = rows.len();
        let _ = writeln!(
            text,
            "| {name} | {count} | {a:.4} | {b:.4} | {gain:+.4} | {low:+.4} to {high:+.4} |"
        );
    }
    text.push_str(&modalities(&all, &labels));
    text.push_str(&by_class(&labels, &with_image, &all));
    (text, missed(lowest[0], gains[1]))
}

/// What does not hold: of the lower bound of the gain on rows with an image, and of the mean gain on all rows.
fn missed(low_with_image: f64, gain_on_all: f64) -> Vec<String> {
    let mut missed = Vec::new();
    if low_with_image.is_nan() || low_with_image <= 0.0 {
        missed.push(format!(
            "the gain on rows with an image may be chance: its lower bound is {low_with_image:+.4}"
        ));
    }
    if gain_on_all.is_nan() || gain_on_all < 0.0 {
        missed.push(format!(
            "the fusion is worse than the text model on all rows: {gain_on_all:+.4}"
        ));
    }
    missed
}

/// The fusion by what is known of a product, and what it finds from either modality alone.
fn modalities(all: &[&Row], labels: &LabelMap) -> String {
    let mut text = String::from(
        "\n## The fusion by what is known of a product\n\n| rows | given | | F1 | text model |\n|---|---|---|---|---|\n",
    );
    let mut known: Vec<&str> = all.iter().map(|row| row.fusion.modality.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    for modality in known {
        let rows: Vec<&Row> = all
            .iter()
            .copied()
            .filter(|row| row.fusion.modality == modality)
            .collect();
        let [alone, _] = both(labels, &rows);
        for given in ["all", "text", "image"] {
            let shown: Vec<(&str, &str)> = rows
                .iter()
                .map(|row| (row.fusion.label.as_str(), row.fusion.given(given)))
                .filter(|(_, answer)| !answer.is_empty())
                .collect();
            if !shown.is_empty() {
                let count = shown.len();
                let score = f1(labels, shown.into_iter());
                let _ = writeln!(
                    text,
                    "| {modality} | {given} | {count} | {score:.3} | {alone:.3} |"
                );
            }
        }
    }
    text
}

/// F1 of each class, as the report has it.
fn by_class(labels: &LabelMap, with_image: &[&Row], all: &[&Row]) -> String {
    let mut text = String::from(
        "\n## F1 by class\n\n| class | rows with image | text | fusion | gain | all rows | text | fusion | gain |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let scores = |rows: &[&Row], answer: fn(&Row) -> &Answer| {
        let pairs = rows.iter().map(|row| answer(row));
        confusion(
            labels,
            pairs.map(|a| (a.label.as_str(), a.predicted.as_str())),
        )
        .per_class()
    };
    let [text_images, fusion_images] = [
        scores(with_image, |row| &row.text),
        scores(with_image, |row| &row.fusion),
    ];
    let [text_all, fusion_all] = [scores(all, |row| &row.text), scores(all, |row| &row.fusion)];
    for (class, label) in labels.labels().iter().enumerate() {
        let (a, b) = (&text_images[class], &fusion_images[class]);
        let (c, d) = (&text_all[class], &fusion_all[class]);
        let _ = writeln!(
            text,
            "| {label} | {} | {:.3} | {:.3} | {:+.3} | {} | {:.3} | {:.3} | {:+.3} |",
            a.support,
            a.f1,
            b.f1,
            b.f1 - a.f1,
            c.support,
            c.f1,
            d.f1,
            d.f1 - c.f1,
        );
    }
    text
}
