//! Commands: what they run, what they leave alone, and what they say.

use crate::space::{
    FITTED, STAGES, TestSpace, assert_same, objects, options, part_files, ran, stage,
};
use rayonnage::checkpoint::LOCK_FILE;
use rayonnage::runner::StageStatus;
use rayonnage::store;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

const LATEST: &str = "out/predictions/latest.json";

/// Inode and modification time of every object but the locks, run records and the table of digests.
fn untouched(space: &TestSpace) -> BTreeMap<String, (u64, i64, i64)> {
    let stat = |folder: &Path, name: &str| {
        let meta = fs::metadata(folder.join(name)).unwrap();
        (meta.ino(), meta.mtime(), meta.mtime_nsec())
    };
    let mut found = BTreeMap::new();
    for root in ["checkpoints", "out"] {
        let folder = space.path(root);
        for name in objects(&folder).into_keys() {
            let is_ours =
                name.starts_with("_runs/") || name == "_digests" || name.ends_with("_lock");
            if !is_ours {
                let identity = stat(&folder, &name);
                found.insert(format!("{root}/{name}"), identity);
            }
        }
    }
    assert!(found.len() > 100);
    found
}

#[test]
fn a_run_with_nothing_to_do_does_nothing() {
    let space = TestSpace::finished();
    let before = untouched(&space);
    let record = space.run(&[]);
    assert!(record.stages.len() == STAGES && ran(&record).is_empty());
    assert!(
        record
            .stages
            .iter()
            .all(|stage| stage.status == StageStatus::Fresh)
    );
    assert_eq!(untouched(&space), before);
}

#[test]
fn commands_that_only_look_change_nothing() {
    let space = TestSpace::finished();
    let before = untouched(&space);
    for arguments in [
        &["plan"][..],
        &["status"],
        &["validate"],
        &["explain", "publish"],
        &["show", "ingest"],
    ] {
        space.rayonnage(arguments).expect(0, &[]);
    }
    assert_eq!(untouched(&space), before);
}

#[test]
fn the_record_tells_rates_and_memory() {
    let space = TestSpace::finished();
    let record = space.record();
    assert_eq!((record.exit_code, record.error.as_deref()), (0, None));
    assert!(record.text_rows_per_s.unwrap() > 0.0);
    assert!(record.images_per_s.unwrap() > 0.0);
    assert!(record.peak_rss_bytes > 10 << 20);
    assert_eq!(record.device.unwrap().name, "cpu");
    for of_stage in &record.stages {
        let name = of_stage.stage.as_str();
        let uses_libtorch = matches!(
            name,
            "embed_mobilenet_v2"
                | "neural_simple"
                | "neural_embedder"
                | "lenet"
                | "mobilenet_v2"
                | "fusion"
                | "predict"
        );
        assert_eq!(of_stage.device.is_some(), uses_libtorch, "{name}");
        if let Some(device) = &of_stage.device {
            assert_eq!(device.name, "cpu");
            assert_eq!(device.precision, "full");
            assert!(device.cpu_type.starts_with(&device.model) && !device.model.is_empty());
            assert!(device.threads > 0);
        }
    }
    assert_eq!(stage(&space.record(), "decode_images").done, 150);
}

#[test]
fn the_record_tells_the_share_of_each_language() {
    let space = TestSpace::finished();
    let record = space.record();
    let summary = &stage(&record, "detect_language").summary;
    let (rows, shares) = (&summary["languages"], &summary["language_shares"]);
    let rows: BTreeMap<String, u64> = serde_json::from_value(rows.clone()).unwrap();
    let shares: BTreeMap<String, f64> = serde_json::from_value(shares.clone()).unwrap();
    let all: u64 = rows.values().sum();
    assert_eq!(all, stage(&record, "ingest").done);
    assert!(rows["fr"] * 2 > all && rows["en"] > 0, "{rows:?}");
    assert!(rows.keys().eq(shares.keys()));
    for (language, &share) in &shares {
        let exact = rows[language] as f64 / all as f64;
        assert!((share - exact).abs() <= 5.1e-5, "{language}: {share}");
    }
}

/// How many parts of a stage are not among those that it had before.
fn new_parts(space: &TestSpace, stage: &str, before: &BTreeSet<String>) -> usize {
    // Parts are renumbered where one was split, so they are told apart by dataset and digest alone.
    let after = nameless(space, stage);
    after.difference(before).count()
}

fn nameless(space: &TestSpace, stage: &str) -> BTreeSet<String> {
    let reader = space.checkpoint(stage);
    let names = part_files(reader.manifest()).into_iter();
    names
        .filter(|name| name.starts_with("labelled/") || name.starts_with("unlabelled/"))
        .map(|name| {
            let (dataset, file) = name.split_once('/').unwrap();
            format!("{dataset} {}", file.rsplit_once('-').unwrap().1)
        })
        .collect()
}

#[test]
fn new_unlabelled_rows_train_nothing() {
    let space = TestSpace::finished();
    let (products, texts) = (nameless(&space, "ingest"), nameless(&space, "translate"));
    for row in 9000..9004 {
        let line = format!("{row},Lampe de chevet {row},Une jolie lampe,,\n");
        space.append("catalogue/X_test_update.csv", line);
    }
    let record = space.run(&[]);
    let ran = ran(&record);
    for name in FITTED.iter().chain(&["evaluate"]) {
        assert_eq!(stage(&record, name).status, StageStatus::Fresh, "{name}");
    }
    assert_eq!(
        ran,
        [
            "ingest",
            "detect_language",
            "translate",
            "clean_text_light",
            "tfidf_blocks",
            "decode_images",
            "embed_mobilenet_v2",
            "clean_text",
            "tfidf",
            "tokenize",
            "pca",
            "predict",
            "publish",
        ]
    );
    for (name, made) in [
        ("decode_images", new_parts(&space, "ingest", &products)),
        ("clean_text", new_parts(&space, "translate", &texts)),
    ] {
        let all = nameless(&space, name).len();
        let stage = stage(&record, name);
        assert!(0 < made && made < all, "{made} of {all}");
        assert_eq!(stage.parts_made, made as u64, "{name}");
        assert_eq!(stage.parts_taken_over, (all - made) as u64, "{name}");
    }
    let latest = space.read(LATEST);
    assert!(latest.contains("\"rows\": 34"), "{latest}");
}

#[test]
fn a_changed_parameter_runs_its_dependants_only() {
    let mut space = TestSpace::finished();
    space.set("predict.params.model=linear_svm");
    space.run(&[]);
    let before = space.read(LATEST);
    space.set("clean_text.params.max_words=5");
    space
        .rayonnage(&["explain", "clean_text"])
        .expect(0, &[])
        .printed(&["clean_text is dirty: params.max_words: 500 -> 5"]);
    let plan = space.rayonnage(&["plan"]);
    plan.expect(0, &[]).printed(&[
        "params.max_words: 500 -> 5",
        "needs clean_text, which will run",
    ]);
    let record = space.run(&[]);
    let reason = stage(&record, "clean_text").reason.clone().unwrap();
    assert_eq!(reason.to_string(), "params.max_words: 500 -> 5");
    for name in [
        "ingest",
        "detect_language",
        "translate",
        "split",
        "decode_images",
        "lenet",
    ] {
        assert_eq!(stage(&record, name).status, StageStatus::Fresh, "{name}");
    }
    let dependants = [
        "clean_text",
        "fit_tfidf",
        "tfidf",
        "linear_svm",
        "tokenize",
        "neural_simple",
        "neural_embedder",
        "fusion",
        "evaluate",
    ];
    for name in dependants {
        assert_eq!(stage(&record, name).status, StageStatus::Ran, "{name}");
    }
    space
        .rayonnage(&["plan"])
        .expect(0, &[])
        .printed(&["nothing to do"]);
    // The old checkpoints are kept: changing back makes nothing anew and points consumers back.
    assert_ne!(space.read(LATEST), before);
    space.set("clean_text.params.max_words=500");
    let back = space.run(&[]);
    assert_eq!(ran(&back), ["publish"]);
    assert_eq!(stage(&back, "publish").parts_made, 0);
    assert_eq!(space.read(LATEST), before);
}

#[test]
fn a_parameter_without_effect_stops_at_its_own_stage() {
    let mut space = TestSpace::finished();
    space.set("detect_language.params.min_confidence=0.500001");
    assert_eq!(ran(&space.run(&[])), ["detect_language"]);
}

#[test]
fn a_changed_query_runs_what_uses_it() {
    let space = TestSpace::finished();
    let published = space.published();
    space.append("sql/export.sql", "-- a comment\n");
    let explained = space.rayonnage(&["explain", "publish"]);
    explained.expect(0, &[]).printed(&["sql.export"]);
    assert_eq!(ran(&space.run(&[])), ["publish"]);
    assert_same(&space.published(), &published);
}

#[test]
fn selections() {
    let space = TestSpace::new();
    space
        .rayonnage(&["plan"])
        .expect(0, &[])
        .printed(&["no checkpoint yet", &format!("{STAGES} of {STAGES} stages")]);
    assert!(!space.path("checkpoints").exists() && !space.path("out").exists());
    space
        .rayonnage(&["run", "--only", "clean_text"])
        .expect(11, &["stage clean_text needs", "remedy:"]);
    let record = space.run(&["--until", "clean_text"]);
    let text = ["ingest", "detect_language", "translate", "clean_text"];
    assert_eq!(ran(&record), text);
    assert_eq!(record.stages.len(), 4);
    assert!(!space.path("out/predictions").exists());
    assert_eq!(ran(&space.run(&["--only", "split"])), ["split"]);
    assert!(ran(&space.run(&["--only", "split"])).is_empty());
    assert_eq!(ran(&space.run(&["--only", "split", "--force"])), ["split"]);
    let again = space.run(&["--from", "translate", "--until", "clean_text"]);
    assert_eq!(ran(&again), ["translate", "clean_text"]);
    assert_eq!(ran(&space.run(&["--until", "clean_text", "--force"])), text);
    let rest = space.run(&[]);
    assert!(!ran(&rest).contains(&"clean_text") && ran(&rest).contains(&"publish"));
}

#[test]
fn mistakes_on_the_command_line() {
    let space = TestSpace::finished();
    for arguments in [
        &["run", "--from", "clean_txt"][..],
        &["plan", "--until", "clean_txt"],
        &["run", "--only", "clean_txt"],
        &["explain", "clean_txt"],
        &["show", "clean_txt"],
    ] {
        space
            .rayonnage(arguments)
            .expect(2, &["\"clean_txt\"", "clean_text"]);
    }
    for arguments in [
        &["run", "--jobs", "0"][..],
        &["run", "--only", "split", "--until", "split"],
        &["fly"],
        &[],
        &["run", "--device", "abacus"],
    ] {
        assert_eq!(space.rayonnage(arguments).code, Some(2), "{arguments:?}");
    }
    // No machine has so many; `auto` takes what there is.
    space
        .rayonnage(&["run", "--device", "cuda:4096"])
        .expect(2, &["no device cuda:4096", "CUDA device(s)"]);
    space
        .rayonnage(&["status", "--device", "auto"])
        .expect(0, &[]);
    space
        .rayonnage(&["run", "--set", "seed"])
        .expect(10, &["key.path=value"]);
}

#[test]
fn show_prints_schema_and_rows() {
    let space = TestSpace::finished();
    space.rayonnage(&["show", "ingest", "nonsense"]).expect(
        2,
        &[
            "no dataset \"nonsense\"",
            "one that it has: labelled, rejects, unlabelled",
        ],
    );
    space
        .rayonnage(&["show", "ingest", "labelled", "-n", "1"])
        .expect(0, &[])
        .printed(&[
            "labelled: 120 rows",
            "unlabelled: 30 rows",
            "product_id: Utf8?",
            "label: Utf8",
        ]);
    space
        .rayonnage(&["show", "decode_images", "unlabelled"])
        .expect(0, &[])
        .printed(&["pixels: FixedSizeBinary(3072)?", "3072 bytes"]);
    let fresh = TestSpace::new();
    fresh
        .rayonnage(&["show", "ingest"])
        .expect(2, &["no complete checkpoint"]);
}

#[test]
fn show_prints_whole_datasets_as_csv() {
    let space = TestSpace::finished();
    let records = |arguments: &[&str]| {
        let arguments = [&["show", "--format", "csv"], arguments].concat();
        let outcome = space.rayonnage(&arguments);
        outcome.expect(0, &[]);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(outcome.stdout.as_bytes());
        let records: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        records
    };
    // As many parts as the dataset has, one header.
    let folds = records(&["split"]);
    assert_eq!(folds.len(), 1 + 120);
    assert_eq!(folds[0], ["id", "fold", "label"]);
    let known = ["train", "validation", "test"];
    assert!(folds[1..].iter().all(|row| known.contains(&&*row[1])));
    // Values are whole, line ends and commas included, where the text cuts them.
    let texts = records(&["ingest", "labelled"]);
    let description = texts[0].iter().position(|name| name == "description");
    let longest = texts.iter().map(|row| row[description.unwrap()].len());
    assert!(longest.max() > Some(200));
    assert!(records(&["tfidf"])[1][1].starts_with('['));
    assert_eq!(records(&["ingest", "unlabelled", "-n", "3"]).len(), 1 + 3);
}

#[test]
fn status_counts_rows_and_parts() {
    let space = TestSpace::finished();
    space.rayonnage(&["status"]).expect(0, &[]).printed(&[
        "labelled 120",
        "unlabelled 30",
        "fresh",
        "exit code 0",
    ]);
    let fresh = TestSpace::new();
    fresh
        .rayonnage(&["status"])
        .expect(0, &[])
        .printed(&["dirty"]);
}

#[test]
fn the_sample_is_written_once() {
    let space = TestSpace::with_sample(&options(20));
    let write = |rows: &str| space.rayonnage(&["sample", "made", "--rows", rows]);
    write("30")
        .expect(0, &[])
        .printed(&["wrote a sample catalogue", "24 labelled and 6 unlabelled"]);
    let made = objects(&space.path("made"));
    write("30")
        .expect(0, &[])
        .printed(&["found a sample catalogue", "24 labelled and 6 unlabelled"]);
    assert_same(&objects(&space.path("made")), &made);
    write("25")
        .expect(0, &[])
        .printed(&["wrote a sample catalogue", "20 labelled"]);
    space
        .rayonnage(&["sample", "sql"])
        .expect(11, &["sql is not empty"]);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let space = TestSpace::finished();
    for arguments in [&["status"][..], &["show", "ingest"], &["run"]] {
        let mut child = space
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("error"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_second_run_finds_the_checkpoints_locked() {
    let space = TestSpace::finished();
    let checkpoints = store::open(&space.path("checkpoints").display().to_string()).unwrap();
    let guard = checkpoints.lock(LOCK_FILE, "the other run").unwrap();
    space
        .rayonnage(&["run"])
        .expect(14, &["held by the other run", "remedy:"]);
    // Looking needs no lock.
    space
        .rayonnage(&["plan"])
        .expect(0, &[])
        .printed(&["nothing to do"]);
    drop(guard);
    assert!(ran(&space.run(&[])).is_empty());
}

/// Standard error that takes nothing: a full disk under the log.
#[test]
fn a_log_that_cannot_be_written_costs_no_run() {
    let space = TestSpace::new();
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let mut command = space.command(&["run", "--until", "split"]);
    let status = command
        .env("RAYONNAGE_LOG", "debug")
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let mut command = space.command(&["validate", "--set", "seed=many"]);
    assert_eq!(command.stderr(full()).status().unwrap().code(), Some(10));
}
