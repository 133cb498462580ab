//! The other side: the peer's script, and scikit-learn on our matrix, each in a process of its own.

use crate::kernels::{Measured, TextSeconds};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the peer measured of itself.
pub struct Peer {
    pub text: TextSeconds,
    /// By its names of the models.
    pub weighted_f1: BTreeMap<String, f64>,
    pub peak_mib: f64,
}

impl Peer {
    /// Keeps the better times of two runs; scores do not vary.
    pub fn best(self, other: Self) -> Self {
        Self {
            text: self.text.best(Some(other.text)),
            ..other
        }
    }
}

#[derive(Deserialize)]
struct PeerOutput {
    steps_s: BTreeMap<String, f64>,
    weighted_f1: BTreeMap<String, f64>,
    peak_rss_mib: f64,
}

/// Runs the peer on the rows of a split.
pub fn run_peer(folder: &Path, data: &Path, split: &Path) -> Result<Peer, Box<dyn Error>> {
    eprintln!("  peer");
    let mut command = python(&folder.join("text_sklearn.py"));
    command.arg(data).arg("--split").arg(split);
    let output: PeerOutput = json(command)?;
    let step = |name: &str| output.steps_s.get(name).ok_or(format!("no step {name}"));
    Ok(Peer {
        text: TextSeconds {
            clean: *step("clean")?,
            tfidf: step("tfidf_fit")? + step("tfidf_transform")?,
        },
        weighted_f1: output.weighted_f1,
        peak_mib: output.peak_rss_mib,
    })
}

/// Fits scikit-learn's model of a name on the exported matrix.
pub fn fit(
    folder: &Path,
    model: &str,
    blas_threads: Option<usize>,
) -> Result<Measured, Box<dyn Error>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/fit_sklearn.py");
    let mut command = python(&script);
    command.arg(folder).arg(model);
    if let Some(threads) = blas_threads {
        command.args(["--blas-threads", &threads.to_string()]);
    }
    json(command)
}

/// What a training of a network came to, of either side.
#[derive(Clone, Deserialize)]
pub struct Trained {
    pub params: u64,
    pub epochs: u64,
    pub ms_per_step: f64,
    /// On the test rows.
    pub weighted_f1: f64,
}

/// Trains a network of the peer on a split: its name, the most epochs, the seed.
pub fn train(
    folder: &Path,
    data: &Path,
    split: &Path,
    (network, epochs, seed): (&str, usize, u64),
) -> Result<Trained, Box<dyn Error>> {
    let mut command = python(&folder.join("train_torch.py"));
    command.arg(data).arg("--split").arg(split);
    command.args(["--model", network, "--epochs", &epochs.to_string()]);
    command.args(["--seed", &seed.to_string()]);
    json(command)
}

/// `make bench-text` sets `PYTHONPATH` to the packages that both scripts import.
fn python(script: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(script).stderr(Stdio::inherit());
    command
}

fn json<T: DeserializeOwned>(mut command: Command) -> Result<T, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
