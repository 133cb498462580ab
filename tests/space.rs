//! A folder of its own for each test: a small sample catalogue, the shipped `pipeline.yaml`, and room for
//! checkpoints and predictions.
//!
//! The program is run with few epochs and small images, and with nothing of the caller's `RAYONNAGE_*` environment.

use crate::weights_file::WeightsFile;
use rayonnage::cancel::CancelToken;
use rayonnage::checkpoint::{Catalog, CheckpointReader, Manifest};
use rayonnage::config::{parse, resolve, set_value};
use rayonnage::model::DeviceChoice;
use rayonnage::monitor::Monitor;
use rayonnage::runner::{
    Collected, GcOptions, Pipeline, RunError, RunOptions, RunRecord, SelectionOptions, StageRecord,
    StageStatus, collect_garbage, last_fingerprints, new_run_id, run, select,
};
use rayonnage::sample::{self, ImageShare, SampleOptions};
use rayonnage::sql::Queries;
use rayonnage::stages::{Environment, Stores, kinds};
use rayonnage::store::{self, RECORD_FILE, SharedStore};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tempfile::TempDir;

/// What makes a run of the whole pipeline quick; later settings win.
const SETTINGS: [&str; 17] = [
    "report.after_run=false",
    "rows_per_part=16",
    "decode_images.params.size=32",
    "lenet.params.image_size=32",
    "fit_pca.params.size=32",
    "fit_pca.params.components=10",
    "random_forest.params.trees=5",
    "gradient_boosting.params.iterations=2",
    "pixels_random_forest.params.trees=5",
    "pixels_gradient_boosting.params.iterations=2",
    "neural_simple.params.epochs=2",
    "neural_embedder.params.epochs=2",
    "tokenize.params.vocabulary=2000",
    "lenet.params.epochs=2",
    "mobilenet_v2.params.epochs=2",
    "mobilenet_v2.params.hidden=[16, 8]",
    "fusion.params.epochs=2",
];

/// Stages of the shipped pipeline in its quick profile.
pub const STAGES: usize = 38;

/// Stages of the shipped pipeline that fit something on the labelled rows.
pub const FITTED: [&str; 24] = [
    "split",
    "fit_tfidf",
    "fit_tfidf_blocks",
    "logistic_regression",
    "linear_svm",
    "linear_svm_blocks",
    "k_nearest_neighbours",
    "decision_tree",
    "random_forest",
    "gradient_boosting",
    "neural_simple",
    "neural_embedder",
    "fit_pca",
    "pixels_logistic_regression",
    "pixels_linear_svm",
    "pixels_k_nearest_neighbours",
    "pixels_random_forest",
    "pixels_gradient_boosting",
    "lenet",
    "mobilenet_v2",
    "mobilenet_v2_logistic",
    "fusion",
    "soft_vote",
    "blend",
];

/// Objects by path.
pub type Objects = BTreeMap<String, Vec<u8>>;

/// How the program ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; `None` where a signal ended the process.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Runs a command of the program to its end; it must not panic.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let outcome = Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!outcome.stderr.contains("panicked"), "{outcome:#?}");
        outcome
    }

    /// Asserts how the program ended and what it said on standard error.
    #[track_caller]
    pub fn expect(&self, code: i32, said: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for text in said {
            assert!(self.stderr.contains(text), "{text:?} is not in {self:#?}");
        }
        self
    }

    /// Asserts what stands on standard output.
    #[track_caller]
    pub fn printed(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.stdout.contains(text), "{text:?} is not in {self:#?}");
        }
        self
    }
}

/// The folder of one test.
#[derive(Debug)]
pub struct TestSpace {
    folder: TempDir,
    settings: Vec<String>,
    /// What this is a copy of: kept for the next one to copy.
    template: Option<Arc<TestSpace>>,
}

impl TestSpace {
    /// A sample catalogue of 150 rows, and nothing made of it yet.
    pub fn new() -> Self {
        Self::copy_of(template(&CATALOGUE, || Self::with_sample(&options(150))))
    }

    /// As [`Self::new`], with every stage made and published.
    pub fn finished() -> Self {
        Self::copy_of(template(&FINISHED, || {
            let space = Self::new();
            space.run(&[]);
            space
        }))
    }

    /// A sample catalogue of its own kind.
    pub fn with_sample(options: &SampleOptions) -> Self {
        let space = Self::empty();
        sample::write(&space.path("catalogue"), options).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(root.join("pipeline.yaml"), space.path("pipeline.yaml")).unwrap();
        copy_folder(&root.join("sql"), &space.path("sql"));
        space
    }

    fn empty() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            settings: SETTINGS
                .map(str::to_owned)
                .into_iter()
                .chain(WeightsFile::shared().settings())
                .collect(),
            template: None,
        }
    }

    fn copy_of(template: Arc<Self>) -> Self {
        let mut space = Self::empty();
        copy_folder(template.folder.path(), space.folder.path());
        space.template = Some(template);
        space
    }

    /// Adds a setting for every command from now on.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// A path below the folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The text of a file.
    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap()
    }

    /// Writes a file.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Appends to a file.
    pub fn append(&self, relative: &str, content: impl AsRef<[u8]>) {
        let mut bytes = fs::read(self.path(relative)).unwrap();
        bytes.extend(content.as_ref());
        self.write(relative, bytes);
    }

    /// The program with arguments, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(arguments);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command
    }

    /// As [`Self::command`], with the configuration as it stands in the file.
    pub fn bare_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rayonnage"));
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            let is_ours = ["RAYONNAGE_", "OPENLINEAGE_"];
            if is_ours.iter().any(|start| name_text.starts_with(start)) {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(self.folder.path())
            .env("RAYONNAGE_SOURCE", "catalogue")
            .env("RAYONNAGE_DEVICE", "cpu")
            .env("OMP_WAIT_POLICY", "passive")
            .stdin(Stdio::null())
            .args(arguments);
        command
    }

    /// Runs the program to its end; it must not panic.
    #[track_caller]
    pub fn rayonnage(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }

    /// Runs `rayonnage run`, which must succeed, and returns its record.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> RunRecord {
        let outcome = self.rayonnage(&[&["run"], arguments].concat());
        outcome.expect(0, &[]);
        self.record()
    }

    /// The record of the last run.
    #[track_caller]
    pub fn record(&self) -> RunRecord {
        let records = objects(&self.path("checkpoints/_runs"));
        let (_, last) = records.last_key_value().expect("there is a run record");
        serde_json::from_slice(last).unwrap()
    }

    /// The last checkpoint of a stage.
    #[track_caller]
    pub fn checkpoint(&self, stage: &str) -> CheckpointReader {
        let store = store::open(&self.path("checkpoints").display().to_string()).unwrap();
        let last = last_fingerprints(&store).unwrap();
        let catalog = Catalog::new(store, last);
        let fingerprint = catalog.last(stage).expect("the stage has run").clone();
        let reader = catalog.reader(stage, &fingerprint).unwrap();
        reader.expect("the checkpoint is complete")
    }

    /// Folder of the last checkpoint of a stage, relative to that of the test.
    pub fn checkpoint_folder(&self, stage: &str) -> String {
        let reader = self.checkpoint(stage);
        format!("checkpoints/{stage}/{}", reader.manifest().fingerprint)
    }

    /// What consumers see, the leavings of killed processes included.
    pub fn published(&self) -> Objects {
        let mut found = objects(&self.path("out"));
        found.retain(|path, _| !path.ends_with("_lock"));
        found
    }

    /// The store of the catalogue.
    pub fn source(&self) -> SharedStore {
        store::open(&self.path("catalogue").display().to_string()).unwrap()
    }

    /// The pipeline on any stores, one thing at a time.
    fn pipeline_on(&self, stores: Stores) -> Pipeline {
        let environment = BTreeMap::from([("RAYONNAGE_SOURCE", "unused")]);
        let lookup = |name: &str| environment.get(name).map(|value| (*value).to_owned());
        let (mut tree, issues) =
            parse(&self.read("pipeline.yaml"), "pipeline.yaml", &lookup).unwrap();
        for setting in &self.settings {
            set_value(&mut tree, setting).unwrap();
        }
        let mut config = resolve(&tree, "pipeline.yaml", &kinds(), issues).unwrap();
        let date = config.dump_date.take();
        config.dump_date = date.or(Some(sample::DUMP_DATE.to_owned()));
        let queries = Queries::load(&self.path("sql")).unwrap();
        let cancel = CancelToken::default();
        Pipeline::new(Environment::new(
            config,
            queries,
            stores,
            DeviceChoice::Cpu,
            1,
            cancel,
        ))
    }

    /// Looks for what nobody needs any more on any store, as `rayonnage gc` does.
    pub fn collect_on(
        &self,
        store: &SharedStore,
        options: &GcOptions,
    ) -> Result<Collected, RunError> {
        let pipeline = self.pipeline_on(Stores {
            checkpoints: store.clone(),
            source: self.source(),
            sink: store.clone(),
        });
        collect_garbage(&pipeline, options)
    }

    /// Runs the library on any stores, one thing at a time.
    pub fn run_on(
        &self,
        checkpoints: &SharedStore,
        sink: &SharedStore,
        options: &SelectionOptions,
    ) -> Result<RunRecord, RunError> {
        self.run_from(&self.source(), checkpoints, sink, options)
    }

    /// As [`Self::run_on`], with a source of its own.
    pub fn run_from(
        &self,
        source: &SharedStore,
        checkpoints: &SharedStore,
        sink: &SharedStore,
        options: &SelectionOptions,
    ) -> Result<RunRecord, RunError> {
        let pipeline = self.pipeline_on(Stores {
            checkpoints: checkpoints.clone(),
            source: source.clone(),
            sink: sink.clone(),
        });
        let selection = select(&pipeline, options)?;
        let options = RunOptions {
            run_id: new_run_id(),
            stages_at_once: 1,
        };
        run(&pipeline, &selection, &options, &Monitor::default())
    }
}

static CATALOGUE: Mutex<Weak<TestSpace>> = Mutex::new(Weak::new());
static FINISHED: Mutex<Weak<TestSpace>> = Mutex::new(Weak::new());

/// A space that tests share as a template for as long as one of them holds it.
fn template(shared: &Mutex<Weak<TestSpace>>, make: impl FnOnce() -> TestSpace) -> Arc<TestSpace> {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = shared.upgrade() {
        return made;
    }
    let new = Arc::new(make());
    *shared = Arc::downgrade(&new);
    new
}

/// A sample catalogue of some rows with small pictures.
pub fn options(rows: usize) -> SampleOptions {
    SampleOptions {
        rows,
        image_size: 64,
        images: ImageShare {
            unreferenced_permille: 50,
            absent_permille: 20,
            corrupt_permille: 20,
        },
        ..SampleOptions::default()
    }
}

/// The record of a stage.
#[track_caller]
pub fn stage<'a>(record: &'a RunRecord, name: &str) -> &'a StageRecord {
    let found = record.stages.iter().find(|stage| stage.stage == name);
    found.unwrap_or_else(|| panic!("{name} is not in {record:#?}"))
}

/// The stages that ran, in order.
pub fn ran(record: &RunRecord) -> Vec<&str> {
    let ran = record.stages.iter();
    ran.filter(|stage| stage.status == StageStatus::Ran)
        .map(|stage| stage.stage.as_str())
        .collect()
}

/// Every part of a manifest, as dataset and file.
pub fn part_files(manifest: &Manifest) -> Vec<String> {
    let datasets = manifest.datasets.iter();
    datasets
        .flat_map(|(name, dataset)| {
            dataset
                .parts
                .iter()
                .map(move |part| format!("{name}/{}", part.file))
        })
        .collect()
}

/// Every file below a folder, by its path relative to it; none where there is no such folder.
pub fn objects(folder: &Path) -> Objects {
    fn walk(root: &Path, folder: &Path, found: &mut Objects) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = Objects::new();
    walk(folder, folder, &mut found);
    found
}

/// Every object of a store but the run records.
pub fn objects_of(store: &SharedStore) -> Objects {
    let listed = store.list("").unwrap().into_iter();
    let is_of_the_store = |path: &str| path.ends_with("_lock") || path == RECORD_FILE;
    listed
        .filter(|object| !object.path.starts_with("_runs/") && !is_of_the_store(&object.path))
        .map(|object| {
            let bytes = store.get(&object.path).unwrap().to_vec();
            (object.path, bytes)
        })
        .collect()
}

/// Asserts that two sets of objects are the same, and names those that are not.
#[track_caller]
pub fn assert_same(found: &Objects, expected: &Objects) {
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    let differing: Vec<&String> = found
        .iter()
        .filter(|(path, bytes)| expected[*path] != **bytes)
        .map(|(path, _)| path)
        .collect();
    assert!(differing.is_empty(), "different bytes: {differing:?}");
}

/// Sends a signal, `-TERM` or the like, to a process.
pub fn send(signal: &str, process: u32) {
    let status = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
