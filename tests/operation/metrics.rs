//! The metrics file, as Prometheus and its linter look at it.

use super::failing;
use crate::space::{TestSpace, stage};
use rayonnage::checkpoint::LOCK_FILE;
use rayonnage::store;
use std::collections::{BTreeMap, BTreeSet};

const SETTING: &str = "metrics.textfile=night.prom";

/// Samples by name and labels.
struct Samples(BTreeMap<(String, BTreeMap<String, String>), f64>);

impl Samples {
    /// Reads a file line by line, and holds it to the rules of the format and to those of `promtool check metrics`.
    #[track_caller]
    fn read(text: &str) -> Self {
        let mut found = BTreeMap::new();
        let mut families = BTreeSet::new();
        let mut family = String::new();
        let mut lines = text.lines();
        assert!(text.ends_with('\n'));
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("help says something");
                assert!(help.ends_with('.') && help.len() > 10, "{line}");
                assert_eq!(lines.next(), Some(format!("# TYPE {name} gauge").as_str()));
                assert!(
                    families.insert(name.to_owned()),
                    "{name} stands there twice"
                );
                name.clone_into(&mut family);
                lint_name(name);
                continue;
            }
            let (name, labels, value) = sample(line);
            assert_eq!(name, family, "{line}");
            assert_eq!(labels["pipeline"], "rakuten-catalogue", "{line}");
            let old = found.insert((name, labels), value);
            assert!(old.is_none(), "twice: {line}");
        }
        Self(found)
    }

    /// The sample with these labels beside that of the pipeline.
    fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().chain(&[("pipeline", "rakuten-catalogue")]);
        let labels = labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.0.get(&(name.to_owned(), labels.collect())).copied()
    }

    fn names(&self) -> BTreeSet<&str> {
        self.0.keys().map(|(name, _)| name.as_str()).collect()
    }
}

/// Base units, no type in the name, and the suffixes of counters and histograms are theirs.
fn lint_name(name: &str) {
    assert!(name.starts_with("rayonnage_"), "{name}");
    assert!(
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
        "{name}"
    );
    let words: Vec<&str> = name.split('_').collect();
    for unit in [
        "ms",
        "milliseconds",
        "minutes",
        "hours",
        "kb",
        "mib",
        "megabytes",
        "percent",
        "gauge",
        "counter",
    ] {
        assert!(!words.contains(&unit), "{name}");
    }
    for suffix in ["_total", "_count", "_sum", "_bucket"] {
        assert!(!name.ends_with(suffix), "{name}");
    }
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (name, rest) = line
        .split_once('{')
        .unwrap_or_else(|| panic!("no sample: {line}"));
    let (labels, value) = rest.rsplit_once("} ").unwrap();
    let mut found = BTreeMap::new();
    // No value of the sample holds a comma or a quote.
    for label in labels.split(',') {
        let (name, value) = label.split_once('=').unwrap();
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap();
        assert!(
            found.insert(name.to_owned(), value.to_owned()).is_none(),
            "{line}"
        );
    }
    (name.to_owned(), found, value.parse().unwrap())
}

#[test]
fn the_file_tells_of_a_night_what_its_record_tells() {
    let mut space = TestSpace::finished();
    space.set(SETTING);
    // With new rows, so that something runs.
    space.append(
        "catalogue/X_test_update.csv",
        "9000,Lampe,Une jolie lampe,,\n9001,,,,\nbroken\n",
    );
    space.set("max_reject_ratio=0.1");
    let record = space.run(&[]);
    let samples = Samples::read(&space.read("night.prom"));
    let ingest = stage(&record, "ingest");
    let rejects = ingest.summary["rejects"]["field_count"].as_f64();
    assert_eq!(
        samples.get(
            "rayonnage_rejected_rows",
            &[("stage", "ingest"), ("reason", "field_count")]
        ),
        rejects
    );
    assert!(rejects > Some(0.0));
    let images = &stage(&record, "decode_images").summary["image_status"];
    for status in ["ok", "none", "absent", "corrupt"] {
        let labels = [("stage", "decode_images"), ("status", status)];
        assert_eq!(
            samples.get("rayonnage_images", &labels),
            images[status].as_f64(),
            "{status}"
        );
        assert!(images[status].as_f64() > Some(0.0), "{status}");
    }
    for of_stage in &record.stages {
        for (dataset, rows) in &of_stage.rows {
            let labels = [("stage", of_stage.stage.as_str()), ("dataset", dataset)];
            assert_eq!(
                samples.get("rayonnage_dataset_rows", &labels),
                Some(*rows as f64)
            );
        }
        let duration = samples.get(
            "rayonnage_stage_duration_seconds",
            &[("stage", &of_stage.stage)],
        );
        let expected = of_stage
            .reason
            .is_some()
            .then(|| of_stage.elapsed_ms as f64 / 1000.0);
        assert_eq!(duration, expected, "{}", of_stage.stage);
        for check in &of_stage.checks {
            let labels = [
                ("stage", of_stage.stage.as_str()),
                ("check", &check.check),
                ("severity", check.severity.as_str()),
            ];
            assert_eq!(
                samples.get("rayonnage_check_rows", &labels),
                Some(check.rows as f64)
            );
        }
    }
    let evaluate = &stage(&record, "evaluate").summary;
    let best = evaluate["best"].as_str().unwrap();
    for (model, scores) in evaluate["models"].as_object().unwrap() {
        for (fold, key) in [("test", "test_f1"), ("validation", "selection_f1")] {
            let labels = [
                ("stage", "evaluate"),
                ("model", model.as_str()),
                ("fold", fold),
            ];
            let score = samples.get("rayonnage_model_weighted_f1", &labels);
            assert_eq!(score, scores[key].as_f64());
            let of_best = samples.get("rayonnage_best_model_weighted_f1", &labels);
            assert_eq!(of_best, score.filter(|_| model == best));
        }
    }
    let state = |state| {
        samples
            .get("rayonnage_run_stages", &[("state", state)])
            .unwrap() as usize
    };
    assert!(state("ran") > 5 && state("fresh") > 5);
    assert_eq!(state("ran") + state("fresh"), record.stages.len());
    assert_eq!((state("failed"), state("not_reached")), (0, 0));
    assert_eq!(samples.get("rayonnage_published_rows", &[]), Some(32.0));
    assert_eq!(samples.get("rayonnage_run_exit_code", &[]), Some(0.0));
    assert_eq!(
        samples.get("rayonnage_run_peak_resident_memory_bytes", &[]),
        Some(record.peak_rss_bytes as f64)
    );
    assert_eq!(
        samples.get("rayonnage_images_per_second", &[]),
        record.images_per_s
    );
    assert_eq!(
        samples.get("rayonnage_text_rows_per_second", &[]),
        record.text_rows_per_s
    );
    assert_eq!(
        samples.get("rayonnage_last_success_timestamp_seconds", &[]),
        samples.get("rayonnage_run_end_timestamp_seconds", &[])
    );
    assert_eq!(samples.names().len(), 19, "{:#?}", samples.names());
}

#[test]
fn the_file_is_written_whatever_becomes_of_the_run() {
    let mut space = TestSpace::finished();
    space.set(SETTING);
    space.run(&[]);
    let first = Samples::read(&space.read("night.prom"));
    let success = first.get("rayonnage_last_success_timestamp_seconds", &[]);
    assert!(success.is_some());
    let again = |code: i32| {
        let samples = Samples::read(&space.read("night.prom"));
        assert_eq!(
            samples.get("rayonnage_run_exit_code", &[]),
            Some(f64::from(code))
        );
        assert_eq!(
            samples.get("rayonnage_last_success_timestamp_seconds", &[]),
            success
        );
        samples
    };
    // A part of the pipeline is no night.
    space.run(&["--until", "split"]);
    again(0);
    let checkpoints = store::open(&space.path("checkpoints").display().to_string()).unwrap();
    let guard = checkpoints.lock(LOCK_FILE, "the other run").unwrap();
    space.rayonnage(&["run"]).expect(14, &[]);
    drop(guard);
    assert_eq!(
        again(14).get("rayonnage_run_stages", &[("state", "ran")]),
        None
    );
    std::fs::rename(space.path("catalogue"), space.path("elsewhere")).unwrap();
    space.rayonnage(&["run"]).expect(11, &[]);
    again(11);
    std::fs::rename(space.path("elsewhere"), space.path("catalogue")).unwrap();
    space.write("sql/checks/nothing_is_tested.sql", super::FAILING_CHECK);
    space.rayonnage(&["run"]).expect(11, &[]);
    let failed = again(11);
    let state = |state| {
        failed
            .get("rayonnage_run_stages", &[("state", state)])
            .unwrap() as usize
    };
    assert_eq!(state("failed"), 1);
    assert!(state("not_reached") > 1);
    let labels = [
        ("stage", "split"),
        ("check", "nothing_is_tested"),
        ("severity", "fail"),
    ];
    assert!(failed.get("rayonnage_check_rows", &labels) > Some(0.0));
    let left: Vec<String> = std::fs::read_dir(space.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".prom"))
        .collect();
    assert_eq!(left, ["night.prom"]);
}

#[test]
fn metrics_that_cannot_be_written_fail_no_run() {
    let space = failing();
    let run = |path: &str, until: &str| {
        let setting = format!("metrics.textfile={path}");
        space.rayonnage(&["run", "--until", until, "--set", &setting])
    };
    run("nowhere/night.prom", "ingest")
        .expect(0, &["cannot write the metrics", "nowhere/night.prom"]);
    run("night.txt", "ingest").expect(10, &["metrics.textfile: must end in .prom"]);
}
