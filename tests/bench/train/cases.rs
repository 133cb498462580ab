//! The networks that are measured, and rows for them: random ones whose class can be learnt.

use rayonnage::model::backbones::{BackboneKind, Pretrained, WeightsSource};
use rayonnage::model::{
    Embeddings, FineTuning, FusionOptions, Images, Inputs, MemoryExamples, ModelError, Network,
    NetworkSpec, Runtime, SequenceRows, SparseRows, Trained,
};
use serde_json::json;
use std::error::Error;
use std::ops::Range;
use std::path::Path;

const CLASSES: usize = 27;
const WORDS: usize = 5000;
const VOCABULARY: usize = 50_000;
const LENGTH: usize = 500;
/// Words of a text, about as many as a product has.
const WORDS_OF_A_TEXT: usize = 60;
const DROPOUT: f64 = 0.2;
/// What a fusion takes of the text network.
const TEXT_COLUMNS: usize = 54;

/// A network to measure.
pub struct Case {
    /// As the script has it.
    pub name: &'static str,
    /// As the table has it.
    pub title: &'static str,
    pub batch: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Epochs that count; one more goes before.
    pub epochs: usize,
    pub learning_rate: f64,
    /// Most time of a step, as a share of PyTorch's, where there is a bar.
    pub most_ratio: Option<f64>,
    /// Of images, in pixels.
    size: usize,
}

/// All networks; on a GPU with larger batches of the large ones.
pub fn all(batch: usize, is_gpu: bool) -> Vec<Case> {
    let case = |name, title, steps, most_ratio| Case {
        name,
        title,
        batch,
        steps,
        epochs: 6,
        learning_rate: 1e-3,
        most_ratio,
        size: 0,
    };
    let images = |name, title, size, batch, steps| Case {
        batch,
        epochs: 3,
        learning_rate: 2e-5,
        size,
        ..case(name, title, steps, None)
    };
    let vgg = if is_gpu { batch } else { batch / 8 };
    let steps = if is_gpu { 8 } else { 1 };
    vec![
        case("neural_simple", "neural_simple", 100, Some(1.0)),
        case("neural_embedder", "neural_embedder", 50, Some(0.5)),
        case("dense_head", "dense_head of MobileNetV2", 20, Some(1.0)),
        case("fusion", "fusion, its head", 100, Some(1.0)),
        images("lenet", "lenet, 56 px", 56, batch, 8),
        images("lenet", "lenet, 224 px", 224, batch, 4),
        images(
            "mobilenet_v2",
            "MobileNetV2, all, 224 px",
            224,
            batch,
            steps,
        ),
        images("vgg16", "VGG16, all, 224 px", 224, vgg.max(1), steps),
    ]
}

/// A network with its rows.
pub struct Made {
    pub network: Network,
    pub examples: MemoryExamples,
    labels: Vec<usize>,
    batch: usize,
    learning_rate: f64,
    size: usize,
}

impl Case {
    /// Makes both; of a network with a backbone, from the file that the script left.
    pub fn make(&self, runtime: &Runtime, folder: &Path) -> Result<Made, Box<dyn Error>> {
        let network = self.network(runtime, folder)?;
        let mut random = Random(7);
        let rows = self.batch * self.steps;
        let labels: Vec<usize> = (0..rows).map(|_| random.below(CLASSES)).collect();
        let spec = network.spec();
        let inputs = Inputs {
            text: (self.name == "neural_simple")
                .then(|| texts(&labels, &mut random))
                .transpose()?,
            sequences: (self.name == "neural_embedder")
                .then(|| sequences(&labels, &mut random))
                .transpose()?,
            images: spec
                .image_size()
                .map(|size| images(size, &labels, &mut random))
                .transpose()?,
            embeddings: (self.name == "dense_head")
                .then(|| embeddings(BackboneKind::MobileNetV2.width(), &labels, &mut random))
                .transpose()?,
            branches: if self.name == "fusion" {
                // What the text network and the features of images come to: the fusion's own work begins there.
                let widths = [TEXT_COLUMNS, BackboneKind::MobileNetV2.width()];
                let rows = widths.map(|width| embeddings(width, &labels, &mut random));
                rows.into_iter().collect::<Result<_, _>>()?
            } else {
                Vec::new()
            },
        };
        Ok(Made {
            network,
            examples: MemoryExamples::new(labels.clone(), inputs)?,
            labels,
            batch: self.batch,
            learning_rate: self.learning_rate,
            size: self.size,
        })
    }

    fn network(&self, runtime: &Runtime, folder: &Path) -> Result<Network, Box<dyn Error>> {
        let simple = NetworkSpec::neural_simple(WORDS, CLASSES);
        let head = NetworkSpec::dense_head(BackboneKind::MobileNetV2, CLASSES);
        let network = |spec: &NetworkSpec| Network::new(spec, runtime, 3);
        Ok(match self.name {
            "neural_simple" => network(&simple)?,
            "neural_embedder" => {
                network(&NetworkSpec::neural_embedder(VOCABULARY, LENGTH, CLASSES))?
            }
            "dense_head" => network(&head)?,
            "fusion" => {
                let image = NetworkSpec::DenseHead {
                    backbone: None,
                    features: BackboneKind::MobileNetV2.width(),
                    hidden: vec![32],
                    dropout: DROPOUT,
                    drops_features: true,
                    classes: CLASSES,
                };
                let branches = vec![
                    network(&simple)?.branch()?,
                    network(&image)?.branch()?.with_dense(TEXT_COLUMNS),
                ];
                let options = FusionOptions {
                    hidden: 128,
                    dropout: DROPOUT,
                    modality_dropout: 0.0,
                    mask: false,
                    classes: CLASSES,
                };
                Network::fusion(branches, options, runtime, 3)?
            }
            "lenet" => network(&NetworkSpec::lenet(self.size, CLASSES))?,
            name => {
                let kind = BackboneKind::ALL
                    .into_iter()
                    .find(|kind| kind.name() == name);
                let kind = kind.ok_or("no such backbone")?;
                let weights = std::fs::read(folder.join("backbone.pth"))?;
                let source = WeightsSource::torchvision(kind);
                let options = FineTuning {
                    size: self.size,
                    trained: Trained::All,
                    hidden: vec![1024, 512],
                    dropout: DROPOUT,
                };
                let backbone = Pretrained::load(&source, &weights, runtime)?;
                Network::fine_tuned(backbone, &options, CLASSES, 3)?
            }
        })
    }
}

impl Made {
    /// Writes weights, rows and what else the script must know.
    pub fn write(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        let all: Vec<usize> = (0..self.labels.len()).collect();
        let inputs = self.examples.inputs(&all)?;
        let case = json!({
            "batch": self.batch,
            "learning_rate": self.learning_rate,
            "dropout": DROPOUT,
            "size": self.size,
        });
        std::fs::write(folder.join("case.json"), case.to_string())?;
        std::fs::write(folder.join("weights.safetensors"), self.network.save()?)?;
        let labels = self
            .labels
            .iter()
            .flat_map(|&label| (label as u64).to_le_bytes());
        std::fs::write(folder.join("labels"), labels.collect::<Vec<u8>>())?;
        if let Some(text) = &inputs.text {
            let columns: Vec<u32> = (0..).take(text.width()).collect();
            let mut dense = vec![0.0; text.len() * columns.len()];
            for (row, values) in dense.chunks_exact_mut(columns.len()).enumerate() {
                let (indices, stored) = text.row(row);
                for (&index, &value) in indices.iter().zip(stored) {
                    values[index as usize] = value;
                }
            }
            std::fs::write(folder.join("text"), floats(&dense))?;
        }
        if let Some(sequences) = &inputs.sequences {
            let mut words = Vec::new();
            for row in 0..sequences.len() {
                let row = sequences.row(row);
                let padded = row.iter().map(|&word| i64::from(word));
                let padded = padded.chain(std::iter::repeat(0)).take(sequences.length());
                words.extend(padded.flat_map(i64::to_le_bytes));
            }
            std::fs::write(folder.join("sequences"), words)?;
        }
        if let Some(embeddings) = &inputs.embeddings {
            let values = embeddings.dense().values();
            std::fs::write(folder.join("embeddings"), floats(values))?;
        }
        for (branch, file) in inputs.branches.iter().zip(["text", "embeddings"]) {
            std::fs::write(folder.join(file), floats(branch.dense().values()))?;
        }
        if let Some(images) = &inputs.images {
            std::fs::write(folder.join("pixels"), images.pixels())?;
        }
        Ok(())
    }

    /// The same weights in a network that drops nothing: the declaration in the file is another one.
    pub fn without_dropout(&self) -> Result<Network, Box<dyn Error>> {
        let mut file = self.network.save()?;
        let (found, wanted) = (br#"dropout\":0.2"#, br#"dropout\":0.0"#);
        let places: Vec<usize> = (0..file.len() - found.len())
            .filter(|&at| file[at..].starts_with(found))
            .collect();
        for place in places {
            file[place..place + wanted.len()].copy_from_slice(wanted);
        }
        let network = Network::load(&file, self.network.runtime())?;
        let spec = serde_json::to_string(network.spec())?;
        assert!(!spec.contains("0.2"), "{spec} drops nothing");
        Ok(network)
    }

    /// Some of the rows.
    pub fn batch(&self, rows: Range<usize>) -> Result<MemoryExamples, ModelError> {
        let rows: Vec<usize> = rows.collect();
        MemoryExamples::new(
            self.labels[..rows.len()].to_vec(),
            self.examples.inputs(&rows)?,
        )
    }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn texts(labels: &[usize], random: &mut Random) -> Result<SparseRows, ModelError> {
    let mut rows = SparseRows::empty(WORDS);
    for &label in labels {
        let mut words = random.words(label, WORDS);
        words.sort_unstable();
        words.dedup();
        let value = 1.0 / (words.len() as f32).sqrt();
        rows.push(&words, &vec![value; words.len()])?;
    }
    Ok(rows)
}

fn sequences(labels: &[usize], random: &mut Random) -> Result<SequenceRows, ModelError> {
    let mut rows = SequenceRows::empty(VOCABULARY, LENGTH);
    for &label in labels {
        rows.push(&random.words(label, VOCABULARY))?;
    }
    Ok(rows)
}

fn embeddings(
    width: usize,
    labels: &[usize],
    random: &mut Random,
) -> Result<Embeddings, ModelError> {
    let mut rows = Embeddings::empty(width)?;
    for &label in labels {
        let features: Vec<f32> = (0..width)
            .map(|at| random.unit() + f32::from(u8::from(at % CLASSES == label)))
            .collect();
        rows.push(Some(&features))?;
    }
    Ok(rows)
}

/// Noise, brighter in stripes whose distance the class decides.
fn images(size: usize, labels: &[usize], random: &mut Random) -> Result<Images, ModelError> {
    let mut pixels = Vec::with_capacity(labels.len() * size * size * 3);
    for &label in labels {
        for _ in 0..size {
            for x in 0..size {
                let light = if x % (label + 2) == 0 { 127 } else { 0 };
                pixels.extend((0..3).map(|_| light + random.below(128) as u8));
            }
        }
    }
    Images::new(size, pixels, vec![true; labels.len()])
}

/// Numbers that are as good as random, the same on any machine.
///
/// # Source
///
/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// In `[0, 1)`.
    fn unit(&mut self) -> f32 {
        self.below(1 << 24) as f32 / (1 << 24) as f32
    }

    /// Words of a text: common ones more often, as Zipf has it, and a few of the class.
    fn words(&mut self, label: usize, vocabulary: usize) -> Vec<u32> {
        (0..WORDS_OF_A_TEXT)
            .map(|place| {
                if place % 8 == 0 {
                    return (2 + label * 16 + self.below(16)) as u32;
                }
                let rank = (vocabulary as f32).powf(self.unit());
                2 + (rank as u32).min(vocabulary as u32 - 3)
            })
            .collect()
    }
}
