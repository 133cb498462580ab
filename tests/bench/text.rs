//! `make bench-text`: the text kernels against the Python libraries, on one machine, in turns.
//!
//! 1. The program splits the catalogue; texts, labels and folds come from its checkpoints.
//! 2. Cleaning and TF-IDF: the peer `text_sklearn.py` (where there is one) on the same split, then ours.
//! 3. Each classical model: ours, then scikit-learn's on the very matrix that ours was fitted on.
//!
//! 4. With `--recipes`: each classical model by the shipped pipeline, on the report's recipe and on blocks.
//! 5. With `--networks`: both text networks and the peer `train_torch.py`, three seeds each.
//!
//! Every measurement of steps 2 and 3 is taken once a round and its best counts. Prints a table, writes it as Markdown, and fails
//! where a bar is missed.

mod kernels;
mod networks;
mod npy;
mod pipeline;
mod process;
mod python;
mod recipes;
mod report;

use clap::Parser;
use kernels::{Catalogue, Features, MODELS, Measured};
use networks::NETWORKS;
use pipeline::Pipeline;
use report::{Report, Row};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
struct Arguments {
    /// Folder with a catalogue
    #[arg(long)]
    data: PathBuf,
    /// Folder with the peer
    #[arg(long)]
    peers: Option<PathBuf>,
    /// The table as Markdown
    #[arg(long)]
    report: PathBuf,
    /// How often everything is measured
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Threads of ours; scikit-learn takes all cores where it can
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Also compare the report's recipe with blocks
    #[arg(long)]
    recipes: bool,
    /// Also train the networks, here and in PyTorch
    #[arg(long, requires = "peers")]
    networks: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// Of each measurement the best so far.
#[derive(Default)]
struct Best {
    peer: Option<python::Peer>,
    text: Option<kernels::TextSeconds>,
    ours: Vec<Option<Measured>>,
    /// With all BLAS threads, and with one.
    theirs: Vec<[Option<Measured>; 2]>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    rayon::ThreadPoolBuilder::new()
        .num_threads(arguments.threads)
        .build_global()?;
    let work = tempfile::tempdir()?;
    let pipeline = Pipeline::new(&arguments.data, &work.path().join("checkpoints"), &[]);
    pipeline.run("split", &[])?;
    let split = work.path().join("split.csv");
    pipeline.export("split", "labelled", &split)?;
    let catalogue = Catalogue::read(&pipeline)?;

    let mut best = Best {
        ours: vec![None; MODELS.len()],
        theirs: vec![[None; 2]; MODELS.len()],
        ..Best::default()
    };
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        if let Some(folder) = &arguments.peers {
            let peer = python::run_peer(folder, &arguments.data, &split)?;
            best.peer = Some(match best.peer.take() {
                Some(before) => before.best(peer),
                None => peer,
            });
        }
        let (features, seconds) = Features::make(&catalogue)?;
        best.text = Some(seconds.best(best.text));
        features.export(work.path())?;
        for (at, model) in MODELS.iter().enumerate() {
            eprintln!("  {}", model.name);
            best.ours[at] = Some(model.measure(&features)?.best(best.ours[at]));
            for (slot, blas_threads) in best.theirs[at].iter_mut().zip([None, Some(1)]) {
                let measured = python::fit(work.path(), model.name, blas_threads)?;
                *slot = Some(measured.best(*slot));
            }
        }
    }

    let mut report = table(&catalogue, &best, &arguments);
    if arguments.recipes {
        for row in recipes::compare(&pipeline)? {
            report.push(row);
        }
    }
    if let (true, Some(peers)) = (arguments.networks, &arguments.peers) {
        for network in &NETWORKS {
            let paths = (peers.as_path(), arguments.data.as_path(), split.as_path());
            let rows = network.compare(&catalogue, paths, &[123, 124, 125])?;
            for row in rows {
                report.push(row);
            }
        }
    }
    print!("{report}");
    report.write(&arguments.report)?;
    Ok(if report.is_short() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn table(catalogue: &Catalogue, best: &Best, arguments: &Arguments) -> Report {
    let mut report = Report::new(format!(
        "{} rows, {} to train on, {} to test on; {} threads; best of {}",
        catalogue.rows(),
        catalogue.train_rows(),
        catalogue.test_rows(),
        arguments.threads,
        arguments.rounds,
    ));
    if let Some(seconds) = best.text {
        let rows = catalogue.rows() as f64;
        let peer = best.peer.as_ref();
        let rate = |step: &str, ours: f64, theirs: Option<f64>, bar| {
            Row::rate(step, rows / ours, theirs.map(|seconds| rows / seconds), bar)
        };
        report.push(rate(
            "clean",
            seconds.clean,
            peer.map(|peer| peer.text.clean),
            None,
        ));
        report.push(rate(
            "TF-IDF",
            seconds.tfidf,
            peer.map(|peer| peer.text.tfidf),
            None,
        ));
        let whole = peer.map(|peer| peer.text.clean + peer.text.tfidf);
        report.push(rate(
            "clean + TF-IDF",
            seconds.clean + seconds.tfidf,
            whole,
            Some(10.0),
        ));
    }
    for ((model, ours), theirs) in MODELS.iter().zip(&best.ours).zip(&best.theirs) {
        if let (Some(ours), [Some(all), Some(one)]) = (ours, theirs) {
            model
                .rows(ours, [all, one])
                .into_iter()
                .for_each(|row| report.push(row));
        }
        let own = best
            .peer
            .as_ref()
            .and_then(|peer| peer.weighted_f1.get(model.peer));
        if let (Some(ours), Some(own)) = (ours, own) {
            let step = format!("{}: weighted F1, the peer on its own matrix", model.name);
            report.push(Row::score(&step, ours.weighted_f1, *own, None));
        }
    }
    let peer = best.peer.as_ref().map(|peer| peer.peak_mib);
    report.push(Row::memory("peak memory", process::peak_mib(), peer));
    report
}
