//! The text networks, trained here and by the peer `train_torch.py` on the same split.
//!
//! A step is what lies between the first batch of an epoch and the first look at the validation rows.

use crate::kernels::{Catalogue, count};
use crate::python::{self, Trained};
use crate::report::Row;
use rayonnage::model::{
    Batches, Confusion, DeviceChoice, EpochOrder, Examples, Inputs, MemoryExamples, MemoryRows,
    ModelError, Network, NetworkSpec, Rows, Runtime, SequenceRows, SparseRows, TrainOptions, fit,
    predict,
};
use rayonnage::text::{SequenceEncoder, SequenceOptions, TfidfOptions, TfidfVectorizer};
use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// As the peer's; it ends before.
const EPOCHS: usize = 80;

/// A network, and what it has to reach.
pub struct TextNetwork {
    /// As in the peer.
    pub name: &'static str,
    inputs: fn(&Catalogue) -> Result<Folds, Box<dyn Error>>,
    spec: fn(&Folds, usize) -> NetworkSpec,
    /// How many times as fast.
    faster: f64,
}

pub const NETWORKS: [TextNetwork; 2] = [
    TextNetwork {
        name: "neural_simple",
        inputs: tfidf,
        spec: |folds, classes| NetworkSpec::neural_simple(folds.width, classes),
        faster: 1.0,
    },
    TextNetwork {
        name: "neural_embedder",
        inputs: sequences,
        spec: |folds, classes| {
            let SequenceOptions { length, .. } = SequenceOptions::default();
            NetworkSpec::neural_embedder(folds.width, length, classes)
        },
        faster: 2.0,
    },
];

/// How much lower the weighted F1 may be.
const LOWER: f64 = 0.005;

/// The rows of the three folds, and how many columns or word numbers there are.
struct Folds {
    width: usize,
    train: Inputs,
    validation: Inputs,
    test: Inputs,
}

impl Folds {
    fn gather(
        catalogue: &Catalogue,
        width: usize,
        rows: impl Fn(&[usize]) -> Result<Inputs, ModelError>,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            width,
            train: rows(&catalogue.places("train"))?,
            validation: rows(&catalogue.places("validation"))?,
            test: rows(&catalogue.places("test"))?,
        })
    }
}

fn tfidf(catalogue: &Catalogue) -> Result<Folds, Box<dyn Error>> {
    let tokens = catalogue.clean();
    let options = TfidfOptions {
        max_features: Some(5000),
        ..TfidfOptions::default()
    };
    let vocabulary = count(&tokens, &catalogue.places("train"), &options)?;
    let vectorizer = TfidfVectorizer::new(&vocabulary, &options)?;
    Folds::gather(catalogue, vectorizer.width(), |places| {
        let mut rows = SparseRows::empty(vectorizer.width());
        for &place in places {
            let row = vectorizer.transform(&tokens[place]);
            rows.push(&row.indices, &row.values)?;
        }
        Ok(Inputs {
            text: Some(rows),
            ..Inputs::default()
        })
    })
}

fn sequences(catalogue: &Catalogue) -> Result<Folds, Box<dyn Error>> {
    let tokens = catalogue.clean();
    let options = SequenceOptions::default();
    let vocabulary = count(&tokens, &catalogue.places("train"), &options.terms())?;
    let encoder = SequenceEncoder::new(&vocabulary, &options)?;
    Folds::gather(catalogue, options.vocabulary, |places| {
        let mut rows = SequenceRows::empty(options.vocabulary, options.length);
        for &place in places {
            rows.push(&encoder.encode(&tokens[place]))?;
        }
        Ok(Inputs {
            sequences: Some(rows),
            ..Inputs::default()
        })
    })
}

/// Examples that note when they are asked.
struct Timed<'a> {
    examples: &'a MemoryExamples,
    first: Mutex<Option<Instant>>,
    batches: AtomicUsize,
}

impl<'a> Timed<'a> {
    fn new(examples: &'a MemoryExamples) -> Self {
        Self {
            examples,
            first: Mutex::new(None),
            batches: AtomicUsize::new(0),
        }
    }

    /// When the first batch was asked for since the last call.
    fn take_first(&self) -> Option<Instant> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.take()
    }
}

impl Rows for Timed<'_> {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(Instant::now);
        let batches = self.examples.batches(order, batch_size);
        Box::new(batches.inspect(|_| {
            self.batches.fetch_add(1, Ordering::Relaxed);
        }))
    }
}

impl Examples for Timed<'_> {
    fn labels(&self) -> &[usize] {
        self.examples.labels()
    }
}

impl TextNetwork {
    /// Trains with a seed and answers for the test rows.
    pub fn train(&self, catalogue: &Catalogue, seed: u64) -> Result<Trained, Box<dyn Error>> {
        let folds = (self.inputs)(catalogue)?;
        let classes = catalogue.classes();
        let spec = (self.spec)(&folds, classes);
        let labels = |fold: &str| catalogue.labels_of(fold);
        let train = MemoryExamples::new(labels("train"), folds.train)?;
        let validation = MemoryExamples::new(labels("validation"), folds.validation)?;
        let runtime = Runtime::open(DeviceChoice::Cpu, Some(rayon::current_num_threads()))?;
        let network = Network::new(&spec, &runtime, seed)?;
        let params = network.parameters().total as u64;
        let options = TrainOptions {
            epochs: EPOCHS,
            seed,
            ..TrainOptions::default()
        };
        let (train, validation) = (Timed::new(&train), Timed::new(&validation));
        let mut spent = Duration::ZERO;
        let fitted = fit(network, &train, &validation, &options, &mut |_| {
            if let (Some(from), Some(to)) = (train.take_first(), validation.take_first()) {
                spent += to - from;
            }
            ControlFlow::Continue(())
        })?;
        let rows = catalogue.places("test").len();
        let answers = predict(&fitted.network, &MemoryRows::new(rows, folds.test)?, 1024)?;
        let pairs = labels("test").into_iter().zip(answers.predicted());
        Ok(Trained {
            params,
            epochs: fitted.history.len() as u64,
            ms_per_step: spent.as_secs_f64() * 1e3 / train.batches.load(Ordering::Relaxed) as f64,
            weighted_f1: Confusion::from_pairs(classes, pairs).weighted_f1(),
        })
    }

    /// Both sides in turns, once for each seed; the rows of the table.
    pub fn compare(
        &self,
        catalogue: &Catalogue,
        (peers, data, split): (&Path, &Path, &Path),
        seeds: &[u64],
    ) -> Result<Vec<Row>, Box<dyn Error>> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for &seed in seeds {
            eprintln!("  {}, seed {seed}", self.name);
            ours.push(self.train(catalogue, seed)?);
            theirs.push(python::train(
                peers,
                data,
                split,
                (self.name, EPOCHS, seed),
            )?);
        }
        let name = self.name;
        let params = |trained: &[Trained]| trained[0].params.to_string();
        let mean = |trained: &[Trained], of: fn(&Trained) -> f64| {
            trained.iter().map(of).sum::<f64>() / trained.len() as f64
        };
        let least = |trained: &[Trained]| {
            let steps = trained.iter().map(|trained| trained.ms_per_step);
            steps.fold(f64::INFINITY, f64::min) / 1e3
        };
        let f1 = |trained: &[Trained]| mean(trained, |trained| trained.weighted_f1);
        let epochs = |trained: &[Trained]| mean(trained, |trained| trained.epochs as f64);
        let note = |what: &str| format!("{name}: {what}");
        Ok(vec![
            Row::note(&note("parameters"), params(&ours), params(&theirs)),
            Row::note(
                &note("epochs, mean"),
                format!("{:.1}", epochs(&ours)),
                format!("{:.1}", epochs(&theirs)),
            ),
            Row::milliseconds(
                &note("a step"),
                least(&ours),
                least(&theirs),
                Some(self.faster),
            ),
            Row::score(
                &note("weighted F1, mean"),
                f1(&ours),
                f1(&theirs),
                Some(LOWER),
            ),
        ])
    }
}
