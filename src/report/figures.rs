//! Draws the figures: from [`ReportData`] alone, in the language of the page.

use super::attachments::Attachments;
use super::chart::{
    BarRow, BoxRow, DotRow, HeatMap, Histogram, Lines, Node, Series, bars, boxes, dots, flow, heat,
    histogram, lines,
};
use super::data::{
    Catalogue, Comparison, ConfusionMatrix, Images, Layer, NetworkTable, ReportData, SharePair,
    StageTime, WordStats,
};
use super::language::Lang;

/// Longest name of a category within a figure.
const NAME: usize = 24;

/// Draws all figures and notes in the networks where theirs are.
pub(super) fn draw(data: &mut ReportData, lang: Lang, attachments: &mut Attachments) {
    if let Some(catalogue) = &data.catalogue {
        draw_catalogue(catalogue, lang, attachments);
    }
    if let Some(images) = &data.images {
        draw_images(images, lang, attachments);
    }
    for network in &mut data.models.networks {
        draw_network(network, lang, attachments);
    }
    for matrix in &data.models.confusions {
        let svg = confusion(matrix, lang);
        attachments.svg(&format!("confusion-{}", matrix.role), svg);
    }
    for comparison in data.drift.iter().flat_map(|drift| &drift.comparisons) {
        let name = format!("drift-{}", comparison.what.replace('_', "-"));
        attachments.svg(&name, drift(comparison, lang));
    }
    if !data.night.stages.is_empty() {
        attachments.svg("stages", stages(&data.night.stages, lang));
    }
}

/// Label and name of a category, cut to fit.
fn category(label: &str, name: &str) -> String {
    let text = format!("{label} {name}");
    let text = text.trim_end();
    if text.chars().count() <= NAME {
        return text.to_owned();
    }
    text.chars().take(NAME - 1).chain(['…']).collect()
}

fn draw_catalogue(catalogue: &Catalogue, lang: Lang, attachments: &mut Attachments) {
    let both = [
        lang.pick("labelled", "étiquetés"),
        lang.pick("unlabelled", "à prédire"),
    ];
    let empty = catalogue.fields.iter().map(|field| BarRow {
        label: match field.field.as_str() {
            "image file" => lang.pick("image file", "fichier image").to_owned(),
            field => field.to_owned(),
        },
        values: vec![field.labelled_share, field.unlabelled_share],
        text: format!(
            "{} · {}",
            lang.percent(field.labelled_share),
            lang.percent(field.unlabelled_share)
        ),
        tip: String::new(),
    });
    let title = lang.pick("Empty fields", "Champs vides");
    attachments.svg(
        "empty-fields",
        bars(title, &empty.collect::<Vec<_>>(), &both),
    );
    for (stats, name) in catalogue
        .words
        .iter()
        .zip(["words-title", "words-description"])
    {
        attachments.svg(name, words(stats, lang));
    }
    let languages = catalogue.languages.iter().map(|language| BarRow {
        label: language.name.clone(),
        values: vec![language.share],
        text: lang.percent(language.share),
        tip: format!("{}: {}", language.name, lang.whole(language.rows)),
    });
    let title = lang.pick("Languages", "Langues");
    attachments.svg(
        "languages",
        bars(title, &languages.collect::<Vec<_>>(), &[]),
    );
    let balance = catalogue.balance.iter().map(|row| BarRow {
        label: category(&row.label, &row.name),
        values: vec![row.rows as f64],
        text: lang.whole(row.rows),
        tip: format!("{} {}: {}", row.label, row.name, lang.percent(row.share)),
    });
    let title = lang.pick("Products of each category", "Produits par catégorie");
    attachments.svg("balance", bars(title, &balance.collect::<Vec<_>>(), &[]));
    let folds = catalogue.folds.iter().map(|fold| BarRow {
        label: fold_name(&fold.name, lang).to_owned(),
        values: vec![fold.rows as f64],
        text: format!("{} ({})", lang.whole(fold.rows), lang.percent(fold.share)),
        tip: String::new(),
    });
    let title = lang.pick("Folds", "Découpage");
    attachments.svg("folds", bars(title, &folds.collect::<Vec<_>>(), &[]));
}

fn fold_name(name: &str, lang: Lang) -> &str {
    match name {
        "train" => lang.pick("train", "entraînement"),
        "test" => "test",
        other => other,
    }
}

fn words(stats: &WordStats, lang: Lang) -> super::chart::Svg {
    let title = format!("{} {}", lang.pick("Words of", "Mots de"), stats.field);
    let data = Histogram {
        x_label: lang.pick("words", "mots").to_owned(),
        y_label: lang.pick("products", "produits").to_owned(),
        bin: stats.bin as f64,
        sets: vec![stats.bins.iter().map(|rows| *rows as f64).collect()],
        legend: Vec::new(),
        marks: vec![
            (
                stats.mean,
                format!(
                    "{} {}",
                    lang.pick("mean", "moyenne"),
                    lang.decimal(stats.mean, 1)
                ),
            ),
            (
                stats.upper_quartile as f64,
                format!("75 % ≤ {}", stats.upper_quartile),
            ),
        ],
    };
    histogram(&title, &data, &|value| lang.whole(value as u64))
}

fn draw_images(images: &Images, lang: Lang, attachments: &mut Attachments) {
    let white = images.white.iter().map(|row| BoxRow {
        label: category(&row.label, &row.name),
        numbers: row.numbers,
        tip: format!(
            "{} {}: {} {}, n = {}",
            row.label,
            row.name,
            lang.pick("median", "médiane"),
            lang.percent(row.numbers[2]),
            row.images
        ),
    });
    let title = lang.pick("White share by category", "Taux de blanc par catégorie");
    let percent = |value: f64| lang.percent(value);
    attachments.svg(
        "white",
        boxes(title, &white.collect::<Vec<_>>(), 1.0, &percent),
    );
    let channels = images.channels.iter().map(|row| DotRow {
        label: category(&row.label, &row.name),
        channels: row.means,
        tip: {
            let [red, green, blue] = row.means.map(|mean| lang.decimal(mean, 0));
            format!("{} {}: R {red}, G {green}, B {blue}", row.label, row.name)
        },
    });
    let title = lang.pick(
        "Channel means by category",
        "Moyenne des canaux par catégorie",
    );
    let level = |value: f64| lang.decimal(value, 0);
    let darkest = images
        .channels
        .iter()
        .flat_map(|row| row.means)
        .fold(250.0, f64::min);
    let range = ((darkest / 50.0).floor() * 50.0, 250.0);
    attachments.svg(
        "channels",
        dots(title, &channels.collect::<Vec<_>>(), range, &level),
    );
}

fn draw_network(network: &mut NetworkTable, lang: Lang, attachments: &mut Attachments) {
    let curves = [
        ("loss", lang.pick("loss", "perte")),
        ("accuracy", lang.pick("accuracy", "accuracy")),
    ];
    for (what, y_label) in curves {
        let values = |is_validation: bool| {
            let value = |epoch: &super::data::Epoch| match (what, is_validation) {
                ("loss", false) => epoch.loss,
                ("loss", true) => epoch.validation_loss,
                (_, false) => epoch.accuracy,
                (_, true) => epoch.validation_accuracy,
            };
            let points = network.history.iter();
            points
                .map(|epoch| (epoch.epoch as f64, value(epoch)))
                .collect()
        };
        let series = |name: &str, is_validation: bool| Series {
            name: name.to_owned(),
            color: if is_validation { 2 } else { 1 },
            is_dashed: is_validation,
            points: values(is_validation),
        };
        let data = Lines {
            y_label: y_label.to_owned(),
            x_label: lang.pick("epoch", "époque").to_owned(),
            series: vec![
                series(lang.pick("training", "entraînement"), false),
                series("validation", true),
            ],
            mark: Some((
                network.best_epoch as f64,
                lang.pick("kept", "retenue").to_owned(),
            )),
        };
        let title = format!("{}: {y_label}", network.model);
        let decimals = if what == "loss" { 1 } else { 2 };
        let svg = lines(&title, &data, &|value| lang.decimal(value, decimals));
        let path = attachments.svg(&format!("curve-{}-{what}", network.model), svg);
        network.figures.insert(what.to_owned(), path);
    }
    if network.is_fusion && !network.layers.is_empty() {
        let title = format!("{}: {}", network.model, lang.pick("layers", "couches"));
        let svg = flow(&title, &nodes(&network.layers, lang));
        let path = attachments.svg(&format!("network-{}", network.model), svg);
        network.figures.insert("drawing".to_owned(), path);
    }
}

/// The boxes of a drawing: layers that hold no parameters and change no shape are left out.
fn nodes(layers: &[Layer], lang: Lang) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    // Where each layer is drawn: that of the layer before it, where it is left out.
    let mut place_of: Vec<usize> = Vec::with_capacity(layers.len());
    for layer in layers {
        if layer.kind == "Dropout"
            && let [input] = layer.inputs[..]
        {
            place_of.push(place_of[input]);
            continue;
        }
        let shape: Vec<String> = layer.output.iter().map(ToString::to_string).collect();
        let shape = shape.join("×");
        let detail = if layer.parameters > 0 {
            format!("{shape} · {}", lang.whole(layer.parameters))
        } else {
            shape
        };
        let class = match (layer.parameters, layer.trained) {
            (0, _) => "plain",
            (_, 0) => "frozen",
            _ => "trained",
        };
        nodes.push(Node {
            name: layer.name.clone(),
            detail,
            class,
            inputs: layer.inputs.iter().map(|input| place_of[*input]).collect(),
        });
        place_of.push(nodes.len() - 1);
    }
    nodes
}

fn confusion(matrix: &ConfusionMatrix, lang: Lang) -> super::chart::Svg {
    let count = matrix.labels.len();
    let total = |row: usize| {
        matrix.rows[row * count..(row + 1) * count]
            .iter()
            .sum::<u64>()
    };
    let mut shares = Vec::with_capacity(count * count);
    let mut tips = Vec::with_capacity(count * count);
    for row in 0..count {
        let rows = total(row);
        for column in 0..count {
            let found = matrix.rows[row * count + column];
            let share = if rows == 0 {
                0.0
            } else {
                found as f64 / rows as f64
            };
            shares.push(share);
            let (actual, predicted) = (&matrix.labels[row], &matrix.labels[column]);
            tips.push(format!(
                "{actual} → {predicted}: {found} / {rows} ({})",
                lang.percent(share)
            ));
        }
    }
    let sides = [
        lang.pick("actual", "réalité").to_owned(),
        lang.pick("predicted", "prédiction").to_owned(),
    ];
    let title = format!(
        "{} {}",
        lang.pick("Confusion matrix of", "Matrice de confusion de"),
        matrix.model
    );
    let labels = matrix.labels.clone();
    heat(
        &title,
        &HeatMap {
            labels,
            shares,
            tips,
            sides,
        },
    )
}

fn drift(comparison: &Comparison, lang: Lang) -> super::chart::Svg {
    let name = |pair: &SharePair| match (comparison.what.as_str(), pair.name.as_str()) {
        ("photo", "with") => lang.pick("with", "avec").to_owned(),
        ("photo", "without") => lang.pick("without", "sans").to_owned(),
        (_, name) => name.to_owned(),
    };
    let rows = comparison.shares.iter().map(|pair| BarRow {
        label: category(&name(pair), ""),
        values: vec![pair.labelled, pair.unlabelled],
        text: format!(
            "{} · {}",
            lang.percent(pair.labelled),
            lang.percent(pair.unlabelled)
        ),
        tip: name(pair),
    });
    let legend = [
        lang.pick("labelled", "étiquetés"),
        lang.pick("unlabelled", "à prédire"),
    ];
    let title = match comparison.what.as_str() {
        "language" => lang.pick("Languages", "Langues"),
        "title_words" => lang.pick("Words of the title", "Mots du titre"),
        "description_words" => lang.pick("Words of the description", "Mots de la description"),
        "photo" => lang.pick(
            "Products with and without a photo",
            "Produits avec et sans photo",
        ),
        _ => lang.pick(
            "Categories: given, and predicted",
            "Catégories : données, et prédites",
        ),
    };
    bars(title, &rows.collect::<Vec<_>>(), &legend)
}

/// The stages that took longest.
fn stages(stages: &[StageTime], lang: Lang) -> super::chart::Svg {
    const SHOWN: usize = 20;
    let timed = stages
        .iter()
        .filter_map(|stage| Some((stage, stage.elapsed_ms?)));
    let mut timed: Vec<(&StageTime, u64)> = timed.collect();
    timed.sort_by_key(|(_, elapsed_ms)| std::cmp::Reverse(*elapsed_ms));
    let rows = timed
        .into_iter()
        .take(SHOWN)
        .map(|(stage, elapsed_ms)| BarRow {
            label: category(&stage.stage, ""),
            values: vec![elapsed_ms as f64],
            text: lang.duration(elapsed_ms),
            tip: stage.stage.clone(),
        });
    let title = lang.pick("Time of each stage", "Durée de chaque étape");
    bars(title, &rows.collect::<Vec<_>>(), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(kind: &str, parameters: u64, inputs: &[usize]) -> Layer {
        Layer {
            name: kind.to_lowercase(),
            kind: kind.to_owned(),
            output: vec![54],
            parameters,
            trained: if parameters > 10 { parameters } else { 0 },
            inputs: inputs.to_vec(),
        }
    }

    #[test]
    fn dropout_is_left_out_of_the_drawing_and_the_chain_stays_whole() {
        let layers = [
            layer("InputLayer", 0, &[]),
            layer("Dense", 5, &[0]),
            layer("Dropout", 0, &[1]),
            layer("Dense", 50, &[2]),
        ];
        let nodes = nodes(&layers, Lang::En);
        let drawn: Vec<(&str, &[usize])> = nodes
            .iter()
            .map(|node| (node.class, node.inputs.as_slice()))
            .collect();
        assert_eq!(
            drawn,
            [
                ("plain", &[][..]),
                ("frozen", &[0][..]),
                ("trained", &[1][..])
            ]
        );
    }

    #[test]
    fn long_names_are_cut_and_missing_ones_leave_no_space() {
        assert_eq!(category("10", ""), "10");
        assert_eq!(
            category("2585", "Soin et Bricolage de jardin")
                .chars()
                .count(),
            NAME
        );
    }
}
