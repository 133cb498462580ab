//! Our side: the text kernels and the classical models, called as the stages call them.

use crate::npy;
use crate::pipeline::Pipeline;
use crate::process::cpu_seconds;
use crate::report::Row;
use rayon::prelude::*;
use rayonnage::model::Confusion;
use rayonnage::model::classical::{
    ClassicalError, Csr, DecisionTree, ForestOptions, LinearSvm, LogisticOptions,
    LogisticRegression, NearestNeighbours, NeighboursOptions, RandomForest, SvmOptions,
    TreeOptions,
};
use rayonnage::text::{
    CleanOptions, SparseRow, TextCleaner, TextError, TfidfOptions, TfidfVectorizer, Vocabulary,
    VocabularyCounter,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

/// Columns of the matrix, as in the peer.
const FEATURES: usize = 5000;

/// The labelled rows.
pub struct Catalogue {
    texts: Vec<String>,
    folds: Vec<String>,
    /// Numbers of the labels in their order.
    labels: Vec<u32>,
    classes: usize,
}

impl Catalogue {
    /// Reads the rows from the checkpoints of `ingest` and `split`.
    pub fn read(pipeline: &Pipeline) -> Result<Self, Box<dyn Error>> {
        let names = ["id", "title", "description", "label"];
        let rows = pipeline.columns("ingest", "labelled", names)?;
        let split = pipeline.columns("split", "labelled", ["id", "fold"])?;
        if !rows
            .iter()
            .map(|row| &row[0])
            .eq(split.iter().map(|row| &row[0]))
        {
            return Err("ingest and split hold different rows".into());
        }
        let mut numbers: BTreeMap<String, u32> =
            rows.iter().map(|row| (row[3].clone(), 0)).collect();
        for (number, slot) in (0..).zip(numbers.values_mut()) {
            *slot = number;
        }
        let merged = |row: &[String; 4]| format!("{} {}", row[1], row[2]);
        Ok(Self {
            texts: rows.iter().map(merged).collect(),
            folds: split.into_iter().map(|[_, fold]| fold).collect(),
            labels: rows.iter().map(|row| numbers[&row[3]]).collect(),
            classes: numbers.len(),
        })
    }

    pub fn rows(&self) -> usize {
        self.texts.len()
    }

    pub fn train_rows(&self) -> usize {
        self.places("train").len()
    }

    pub fn test_rows(&self) -> usize {
        self.places("test").len()
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Classes of the rows of a fold.
    pub fn labels_of(&self, fold: &str) -> Vec<usize> {
        let places = self.places(fold).into_iter();
        places.map(|row| self.labels[row] as usize).collect()
    }

    /// Tokens of each row.
    pub fn clean(&self) -> Vec<String> {
        let cleaner = TextCleaner::new(&CleanOptions::default());
        let texts = self.texts.par_iter();
        texts.map(|text| cleaner.clean(text)).collect()
    }

    pub fn places(&self, fold: &str) -> Vec<usize> {
        let folds = self.folds.iter().enumerate();
        folds
            .filter(|(_, other)| *other == fold)
            .map(|(at, _)| at)
            .collect()
    }
}

/// Time of the text steps.
#[derive(Clone, Copy)]
pub struct TextSeconds {
    pub clean: f64,
    /// Fitted on the training rows; training and test rows transformed.
    pub tfidf: f64,
}

impl TextSeconds {
    pub fn best(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self {
            clean: self.clean.min(other.clean),
            tfidf: self.tfidf.min(other.tfidf),
        })
    }
}

/// One fold as a matrix.
struct Fold {
    indptr: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
    labels: Vec<u32>,
}

impl Fold {
    fn new(rows: Vec<SparseRow>, labels: Vec<u32>) -> Self {
        let mut fold = Self {
            indptr: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
            labels,
        };
        for row in rows {
            fold.indices.extend(row.indices);
            fold.values.extend(row.values);
            fold.indptr.push(fold.indices.len());
        }
        fold
    }

    fn csr(&self, columns: usize) -> Csr<'_> {
        Csr {
            indptr: &self.indptr,
            indices: &self.indices,
            values: &self.values,
            columns,
        }
    }
}

/// What the models are fitted and tested on.
pub struct Features {
    train: Fold,
    test: Fold,
    columns: usize,
    classes: usize,
}

impl Features {
    /// Cleans every row; fits TF-IDF on the training rows and applies it to training and test rows.
    pub fn make(catalogue: &Catalogue) -> Result<(Self, TextSeconds), Box<dyn Error>> {
        let start = Instant::now();
        let tokens = catalogue.clean();
        let clean = start.elapsed().as_secs_f64();

        let (train, test) = (catalogue.places("train"), catalogue.places("test"));
        let start = Instant::now();
        let options = TfidfOptions {
            max_features: Some(FEATURES),
            ..TfidfOptions::default()
        };
        let vocabulary = count(&tokens, &train, &options)?;
        let vectorizer = TfidfVectorizer::new(&vocabulary, &options)?;
        let fold = |places: &[usize]| {
            let rows = places
                .par_iter()
                .map(|&row| vectorizer.transform(&tokens[row]));
            let labels = places.iter().map(|&row| catalogue.labels[row]).collect();
            Fold::new(rows.collect(), labels)
        };
        let features = Self {
            train: fold(&train),
            test: fold(&test),
            columns: vectorizer.width(),
            classes: catalogue.classes,
        };
        let tfidf = start.elapsed().as_secs_f64();
        Ok((features, TextSeconds { clean, tfidf }))
    }

    /// Writes the matrices and labels for `fit_sklearn.py`.
    pub fn export(&self, folder: &Path) -> std::io::Result<()> {
        npy::write(&folder.join("columns.npy"), &[self.columns as u64])?;
        for (name, fold) in [("train", &self.train), ("test", &self.test)] {
            let path = |part: &str| folder.join(format!("{name}_{part}.npy"));
            let indptr: Vec<u64> = fold.indptr.iter().map(|&at| at as u64).collect();
            npy::write(&path("indptr"), &indptr)?;
            npy::write(&path("indices"), &fold.indices)?;
            npy::write(&path("values"), &fold.values)?;
            npy::write(&path("labels"), &fold.labels)?;
        }
        Ok(())
    }
}

/// Counts the terms of some rows.
pub fn count(
    tokens: &[String],
    rows: &[usize],
    options: &TfidfOptions,
) -> Result<Vocabulary, TextError> {
    let empty = VocabularyCounter::new(options)?;
    let counted = rows
        .par_iter()
        .fold(
            || empty.clone(),
            |mut counter, &row| {
                counter.add(&tokens[row]);
                counter
            },
        )
        .reduce(
            || empty.clone(),
            |mut counter, other| {
                counter.merge(other);
                counter
            },
        );
    counted.finish()
}

/// Time and score of a model, of either side.
#[derive(Clone, Copy, Deserialize)]
pub struct Measured {
    pub fit_s: f64,
    /// Of all threads together: what a busy machine changes least.
    pub fit_cpu_s: f64,
    pub predict_s: f64,
    /// On the test rows.
    pub weighted_f1: f64,
}

impl Measured {
    pub fn best(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self {
            fit_s: self.fit_s.min(other.fit_s),
            fit_cpu_s: self.fit_cpu_s.min(other.fit_cpu_s),
            predict_s: self.predict_s.min(other.predict_s),
            ..self
        })
    }
}

/// Answers rows × classes scores, of which the greatest counts.
type Scores = Box<dyn Fn(Csr<'_>) -> Vec<f32>>;

/// A classical model, and what it has to reach.
pub struct Model {
    /// As in `fit_sklearn.py`.
    pub name: &'static str,
    /// As in the peer.
    pub peer: &'static str,
    fit: fn(Csr<'_>, &[u32], usize) -> Result<Scores, ClassicalError>,
    /// How many times as fast.
    faster: Option<f64>,
    /// How much lower the weighted F1 may be.
    lower: f64,
    /// Whether the fit is nothing without the prediction, as where neighbours are looked up.
    is_lazy: bool,
}

/// Those that scikit-learn has on sparse rows too.
pub const MODELS: [Model; 6] = [
    Model {
        name: "logistic regression",
        peer: "lr",
        fit: |rows, labels, classes| {
            let options = LogisticOptions::default();
            let model = LogisticRegression::fit(rows, labels, classes, None, &options, &never)?;
            Ok(Box::new(move |rows| model.predict_probabilities(rows)))
        },
        faster: Some(3.0),
        lower: 0.003,
        is_lazy: false,
    },
    Model {
        name: "linear SVM",
        peer: "svc",
        fit: |rows, labels, classes| svm(rows, labels, classes, 0),
        faster: Some(2.0),
        lower: 0.003,
        is_lazy: false,
    },
    Model {
        name: "linear SVM, calibrated",
        peer: "",
        fit: |rows, labels, classes| svm(rows, labels, classes, 3),
        faster: None,
        lower: 0.003,
        is_lazy: false,
    },
    Model {
        name: "decision tree",
        peer: "dt",
        fit: |rows, labels, classes| {
            let options = TreeOptions::default();
            let model = DecisionTree::fit(rows, labels, classes, None, &options, &never)?;
            Ok(Box::new(move |rows| model.predict_probabilities(rows)))
        },
        faster: Some(1.0),
        lower: 0.01,
        is_lazy: false,
    },
    Model {
        name: "random forest",
        peer: "rf",
        fit: |rows, labels, classes| {
            let options = ForestOptions::default();
            let model = RandomForest::fit(rows, labels, classes, None, &options, &never)?;
            Ok(Box::new(move |rows| model.predict_probabilities(rows)))
        },
        faster: Some(3.0),
        lower: 0.01,
        is_lazy: false,
    },
    Model {
        name: "nearest neighbours",
        peer: "knn",
        fit: |rows, labels, classes| {
            let options = NeighboursOptions::default();
            let model = NearestNeighbours::fit(rows, labels, classes, None, &options, &never)?;
            Ok(Box::new(move |rows| model.predict_probabilities(rows)))
        },
        faster: Some(1.0),
        lower: 0.01,
        is_lazy: true,
    },
];

fn never() -> bool {
    false
}

/// Without calibration the answer is that of the decision values, as `LinearSVC`'s.
fn svm(
    rows: Csr<'_>,
    labels: &[u32],
    classes: usize,
    calibration_folds: usize,
) -> Result<Scores, ClassicalError> {
    let options = SvmOptions {
        calibration_folds,
        ..SvmOptions::default()
    };
    let model = LinearSvm::fit(rows, labels, classes, None, &options, &never)?;
    Ok(Box::new(move |rows| match calibration_folds {
        0 => model.decision_values(rows),
        _ => model.predict_probabilities(rows),
    }))
}

impl Model {
    /// Fits on the training rows, answers for the test rows.
    pub fn measure(&self, features: &Features) -> Result<Measured, ClassicalError> {
        let Features {
            train,
            test,
            columns,
            classes,
        } = features;
        let (start, cpu_s) = (Instant::now(), cpu_seconds());
        let scores = (self.fit)(train.csr(*columns), &train.labels, *classes)?;
        let (fit_s, fit_cpu_s) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu_s);
        let start = Instant::now();
        let answers = scores(test.csr(*columns));
        let predict_s = start.elapsed().as_secs_f64();
        let predicted = answers.chunks_exact(*classes).map(greatest);
        let truths = test.labels.iter().map(|&label| label as usize);
        let confusion = Confusion::from_pairs(*classes, truths.zip(predicted));
        Ok(Measured {
            fit_s,
            fit_cpu_s,
            predict_s,
            weighted_f1: confusion.weighted_f1(),
        })
    }

    /// The rows of the table; theirs with all BLAS threads and with one.
    pub fn rows(&self, ours: &Measured, theirs: [&Measured; 2]) -> Vec<Row> {
        let Self { name, faster, .. } = self;
        let mut rows = if self.is_lazy {
            let whole = |measured: &Measured| measured.fit_s + measured.predict_s;
            let step = format!("{name}: fit and predict");
            vec![Row::seconds(&step, whole(ours), theirs.map(whole), *faster)]
        } else {
            let fit = theirs.map(|measured| measured.fit_s);
            let cpu = theirs.map(|measured| measured.fit_cpu_s);
            let predict = theirs.map(|measured| measured.predict_s);
            vec![
                Row::seconds(&format!("{name}: fit"), ours.fit_s, fit, *faster),
                Row::seconds(&format!("{name}: fit, CPU"), ours.fit_cpu_s, cpu, None),
                Row::seconds(&format!("{name}: predict"), ours.predict_s, predict, None),
            ]
        };
        let step = format!("{name}: weighted F1");
        let (ours, theirs) = (ours.weighted_f1, theirs[0].weighted_f1);
        rows.push(Row::score(&step, ours, theirs, Some(self.lower)));
        rows
    }
}

/// The first of the greatest.
fn greatest(scores: &[f32]) -> usize {
    let places = 0..scores.len();
    places
        .reduce(|best, at| if scores[at] > scores[best] { at } else { best })
        .unwrap_or(0)
}
