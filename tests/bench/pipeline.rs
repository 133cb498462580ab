//! The program, as its users run it: stages up to one, and what they wrote.

use rayonnage::model::{Confusion, LabelMap};
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The shipped pipeline on a catalogue, with checkpoints of its own.
pub struct Pipeline {
    catalogue: PathBuf,
    checkpoints: PathBuf,
    settings: Vec<String>,
}

impl Pipeline {
    /// Settings are those of `--set`, for every command.
    pub fn new(catalogue: &Path, checkpoints: &Path, settings: &[String]) -> Self {
        Self {
            catalogue: catalogue.to_owned(),
            checkpoints: checkpoints.to_owned(),
            settings: settings.to_vec(),
        }
    }

    /// Runs a stage and what it needs; settings are those of `--set`.
    pub fn run(&self, until: &str, settings: &[&str]) -> Result<(), Box<dyn Error>> {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let mut command = self.command(&["run", "--until", until]);
        command.args(settings);
        succeeds(command.stdout(Stdio::null()))
    }

    /// Writes a dataset of a stage's last checkpoint as CSV.
    pub fn export(&self, stage: &str, dataset: &str, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut command = self.command(&["show", stage, dataset, "--format", "csv"]);
        succeeds(command.stdout(File::create(path)?))
    }

    /// Reads columns of a dataset of a stage's last checkpoint.
    pub fn columns<const N: usize>(
        &self,
        stage: &str,
        dataset: &str,
        names: [&str; N],
    ) -> Result<Vec<[String; N]>, Box<dyn Error>> {
        let path = self.checkpoints.join(format!("{stage}.{dataset}.csv"));
        self.export(stage, dataset, &path)?;
        let mut reader = csv::Reader::from_path(&path)?;
        let header = reader.headers()?.clone();
        let place = |name: &str| header.iter().position(|other| other == name);
        let places = names.map(|name| place(name).ok_or(format!("{stage} has no column {name}")));
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record?;
            let mut row = [const { String::new() }; N];
            for (value, place) in row.iter_mut().zip(&places) {
                record[*place.as_ref().map_err(Clone::clone)?].clone_into(value);
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// Weighted F1 of a `train` stage on the test rows.
    pub fn test_f1(&self, stage: &str) -> Result<f64, Box<dyn Error>> {
        let rows = self.columns(stage, "held_out", ["fold", "label", "predicted"])?;
        let test = rows.iter().filter(|row| row[0] == "test");
        let labels = LabelMap::new(rows.iter().flat_map(|row| [&row[1], &row[2]]).cloned());
        let class = |label: &str| labels.index(label).unwrap_or_default();
        let pairs = test.map(|row| (class(&row[1]), class(&row[2])));
        Ok(Confusion::from_pairs(labels.len(), pairs).weighted_f1())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rayonnage"));
        let settings = self.settings.iter().flat_map(|setting| ["--set", setting]);
        command
            .args(arguments)
            .args(settings)
            .env("RAYONNAGE_SOURCE", &self.catalogue)
            .env("RAYONNAGE_CHECKPOINTS", &self.checkpoints)
            // Asked for, and without effect on what is measured.
            .env("RAYONNAGE_DATE", "2000-01-01")
            .env("RAYONNAGE_LOG", "warn");
        command
    }
}

fn succeeds(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}
