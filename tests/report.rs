//! The report: what it says is what the checkpoints hold, and the page needs nothing but itself.

use crate::space::{Outcome, TestSpace, options, stage};
use rayonnage::report::{ReportData, StageTime};
use rayonnage::runner::RunRecord;
use rayonnage::sample::SampleOptions;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// A finished run with its report.
fn reported() -> (TestSpace, RunRecord) {
    let mut space = TestSpace::finished();
    space.set("report.after_run=true");
    let record = space.run(&[]);
    (space, record)
}

fn data(space: &TestSpace, run: &str) -> ReportData {
    serde_json::from_str(&space.read(&format!("checkpoints/_report/{run}/report.json"))).unwrap()
}

#[test]
fn what_the_report_says_is_what_the_checkpoints_hold() {
    let (space, record) = reported();
    let report = data(&space, &record.run);
    check_catalogue(&report, &record);
    check_models(&report, &record);
    check_networks(&report, &record);
    let images = report.images.as_ref().unwrap();
    let all: u64 = images.statuses.iter().map(|status| status.rows).sum();
    assert_eq!(all, report.overview.labelled + report.overview.unlabelled);
    assert!(images.variance.is_some() && !images.crops.is_empty());
    check_drift(&report);
    assert_eq!(report.night.stages.len(), record.stages.len());
    let lenet = |stage: &&StageTime| stage.stage == "lenet";
    let trained = report.night.stages.iter().find(lenet).unwrap();
    assert_eq!(trained.state, "fresh");
    assert!(trained.elapsed_ms.is_some() && trained.peak_rss_bytes.is_some());
}

fn check_catalogue(report: &ReportData, record: &RunRecord) {
    let catalogue = report.catalogue.as_ref().unwrap();
    let ingest = &stage(record, "ingest").rows;
    assert_eq!(report.overview.labelled, ingest["labelled"]);
    assert_eq!(report.overview.unlabelled, ingest["unlabelled"]);
    let rows = |rows: &mut dyn Iterator<Item = u64>| rows.sum::<u64>();
    let labelled = report.overview.labelled;
    assert_eq!(
        rows(&mut catalogue.balance.iter().map(|row| row.rows)),
        labelled
    );
    assert_eq!(
        rows(&mut catalogue.categories.iter().map(|row| row.rows)),
        labelled
    );
    assert_eq!(
        rows(&mut catalogue.languages.iter().map(|row| row.rows)),
        labelled
    );
    assert_eq!(
        rows(&mut catalogue.folds.iter().map(|row| row.rows)),
        labelled
    );
    assert_eq!(catalogue.strip.as_ref().unwrap().rows, labelled);
    for words in &catalogue.words {
        assert_eq!(words.bins.iter().sum::<u64>(), labelled);
        assert!(words.least <= words.median && words.median <= words.upper_quartile);
    }
    let names = catalogue
        .categories
        .iter()
        .find(|row| row.label == "2060")
        .unwrap();
    assert_eq!(names.name, "Chambre enfant");
}

fn check_models(report: &ReportData, record: &RunRecord) {
    let evaluated = &stage(record, "evaluate").summary;
    let chosen = stage(record, "predict").summary["model"].as_str().unwrap();
    assert_eq!(report.models.chosen, chosen);
    let f1 = evaluated["models"][chosen]["test_f1"].as_f64().unwrap();
    assert_eq!(report.overview.test_f1, Some(f1));
    let weighted = report
        .models
        .by_category
        .iter()
        .find(|row| row.label == "weighted avg");
    let place = report
        .models
        .scores
        .iter()
        .position(|score| score.model == chosen)
        .unwrap();
    assert!((weighted.unwrap().f1[place].unwrap() - f1).abs() < 1e-9);
    for matrix in &report.models.confusions {
        let expected = evaluated["models"][&matrix.model]["test_rows"]
            .as_u64()
            .unwrap();
        assert_eq!(
            matrix.rows.iter().sum::<u64>(),
            expected,
            "{}",
            matrix.model
        );
    }
    let roles: Vec<&str> = report
        .models
        .confusions
        .iter()
        .map(|matrix| matrix.role.as_str())
        .collect();
    assert_eq!(roles, ["reference", "chosen", "pixels"]);
}

fn check_networks(report: &ReportData, record: &RunRecord) {
    for network in &report.models.networks {
        let summary = &stage(record, &network.model).summary;
        let number = |key: &str| summary[key].as_u64().unwrap();
        let sums = network.layers.iter().fold((0, 0), |(all, trained), layer| {
            (all + layer.parameters, trained + layer.trained)
        });
        assert_eq!(
            sums,
            (number("parameters"), number("trainable_parameters")),
            "{}",
            network.model
        );
        assert_eq!(network.history.len() as u64, number("epochs"));
    }
    let networks: BTreeSet<&str> = report
        .models
        .networks
        .iter()
        .map(|network| network.model.as_str())
        .collect();
    assert!(networks.is_superset(&BTreeSet::from([
        "neural_simple",
        "neural_embedder",
        "lenet",
        "fusion"
    ])));
}

fn check_drift(report: &ReportData) {
    let drift = report.drift.as_ref().unwrap();
    for comparison in &drift.comparisons {
        let sums = comparison.shares.iter().fold((0.0, 0.0), |sums, pair| {
            (sums.0 + pair.labelled, sums.1 + pair.unlabelled)
        });
        let is_whole = (sums.0 - 1.0).abs() < 1e-9 && (sums.1 - 1.0).abs() < 1e-9;
        assert!(is_whole, "{} {sums:?}", comparison.what);
    }
}

#[test]
fn every_figure_is_a_file_too_and_the_page_asks_for_nothing() {
    let (space, record) = reported();
    let folder = format!("checkpoints/_report/{}", record.run);
    let page = space.read(&format!("{folder}/report.html"));
    let json: Value = serde_json::from_str(&space.read(&format!("{folder}/report.json"))).unwrap();
    let mut named = BTreeSet::new();
    collect(&json, &mut named);
    assert!(named.len() > 20, "{named:?}");
    for file in &named {
        let bytes = fs::read(space.path(&format!("{folder}/{file}"))).unwrap();
        assert!(bytes.len() > 100, "{file}");
    }
    let svgs = fs::read_dir(space.path(&format!("{folder}/figures"))).unwrap();
    let svgs = svgs.filter(|file| file.as_ref().unwrap().path().extension().unwrap() == "svg");
    let in_page = page.matches("<svg class=\"figure\"").count();
    assert!(svgs.count() == in_page && in_page > 15, "{in_page} figures");
    // What a browser could fetch: nothing but what the page holds.
    let without_names = page.replace("http://www.w3.org/2000/svg", "");
    for address in [
        "http://",
        "https://",
        "src=\"/",
        "url(",
        "@import",
        "<script",
        "<link rel=\"style",
    ] {
        assert!(!without_names.contains(address), "{address}");
    }
    for source in page.split(" src=\"").skip(1) {
        assert!(source.starts_with("data:image/"), "{}", &source[..40]);
    }
}

/// Files that the data name.
fn collect(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with("figures/") || text.starts_with("photos/") => {
            named.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, named)),
        Value::Object(values) => values.values().for_each(|value| collect(value, named)),
        _ => {}
    }
}

#[test]
fn a_run_with_nothing_new_keeps_the_report_it_has() {
    let (mut space, record) = reported();
    let outcome = space.rayonnage(&["run"]);
    let page = format!("_report/{}/report.html", record.run);
    outcome.expect(0, &[]).printed(&[&page]);
    assert_eq!(reports(&space), BTreeSet::from([record.run.clone()]));
    // A table of one's own is on it the next night.
    space.write(
        "sql/report/own.sql",
        "-- title: My own\nSELECT COUNT(*) AS products FROM ingest_labelled\n",
    );
    let own = space.run(&[]);
    let page = space.read(&format!("checkpoints/_report/{}/report.html", own.run));
    assert!(page.contains("My own"));
    // In another language it is another page.
    space.set("report.lang=fr");
    let french = space.run(&[]);
    assert!(reports(&space).contains(&french.run));
    let page = space.read(&format!("checkpoints/_report/{}/report.html", french.run));
    assert!(page.contains("<html lang=\"fr\">") && page.contains("Matrice de confusion"));
    assert!(!page.contains("Confusion matrix"));
    // A page that somebody deleted is made again.
    fs::remove_file(space.path(&format!("checkpoints/_report/{}/report.html", french.run)))
        .unwrap();
    let again = space.run(&[]);
    assert!(
        space
            .path(&format!("checkpoints/_report/{}/report.html", again.run))
            .is_file()
    );
    space.set("report.after_run=false");
    let silent = space.rayonnage(&["run"]);
    assert!(!silent.expect(0, &[]).stdout.contains("report:"));
}

fn reports(space: &TestSpace) -> BTreeSet<String> {
    let entries = fs::read_dir(space.path("checkpoints/_report")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "latest.json").collect()
}

#[test]
fn the_command_makes_it_again_or_elsewhere() {
    let space = TestSpace::finished();
    let run = space.record().run;
    let json = space.rayonnage(&["report", "--json"]);
    let printed: ReportData = serde_json::from_str(&json.expect(0, &[]).stdout).unwrap();
    assert_eq!(printed.overview.run, run);
    let file = space.path("elsewhere.html");
    let file = file.to_str().unwrap();
    space
        .rayonnage(&["report", "--lang", "fr", "--out", file])
        .expect(0, &[]);
    assert!(
        fs::read_to_string(file)
            .unwrap()
            .contains("Rapport de la nuit")
    );
    assert!(
        !space.path("checkpoints/_report").exists(),
        "it was only to look"
    );
    space
        .rayonnage(&["report", "--run", &run[..12]])
        .expect(0, &[])
        .printed(&["report.html"]);
    assert!(
        space
            .path(&format!("checkpoints/_report/{run}/report.html"))
            .is_file()
    );
    space
        .rayonnage(&["report", "--run", "1999"])
        .expect(2, &["there is no run \"1999\""]);
    space
        .rayonnage(&["report", "--lang", "de"])
        .expect(2, &["must be en or fr"]);
}

#[test]
fn without_any_run_there_is_no_report() {
    let space = TestSpace::new();
    space
        .rayonnage(&["report"])
        .expect(2, &["there is no run yet in"]);
}

#[test]
fn a_source_that_is_gone_costs_the_photos_alone() {
    let space = TestSpace::finished();
    for kind in ["image_train", "image_test"] {
        fs::remove_dir_all(space.path(&format!("catalogue/images/{kind}"))).unwrap();
    }
    fs::remove_file(space.path("catalogue/Y_train_CVw08PX.csv")).unwrap();
    let json = space.rayonnage(&["report", "--json"]);
    let report: ReportData = serde_json::from_str(&json.expect(0, &[]).stdout).unwrap();
    let catalogue = report.catalogue.unwrap();
    assert!(catalogue.strip.is_none());
    assert!(
        catalogue
            .categories
            .iter()
            .all(|category| category.photos.is_empty())
    );
    let mistakes = report.mistakes.unwrap();
    let products = mistakes.pairs.iter().flat_map(|pair| &pair.products);
    assert!(products.clone().count() > 0);
    assert!(
        products
            .clone()
            .all(|product| product.picture.is_empty() && !product.title.is_empty())
    );
}

#[test]
fn a_pipeline_without_images_has_a_report_without_them() {
    let mut space = TestSpace::with_sample(&SampleOptions { ..options(120) });
    space.set("profile=text");
    space.set("report.after_run=true");
    let record = space.run(&[]);
    let report = data(&space, &record.run);
    assert!(report.images.is_none());
    let page = space.read(&format!("checkpoints/_report/{}/report.html", record.run));
    assert!(page.contains("id=\"models\"") && !page.contains("id=\"images\""));
}

#[test]
fn a_run_that_failed_half_way_can_be_reported_on() {
    let mut space = TestSpace::new();
    space.set("report.after_run=true");
    space.run(&["--until", "clean_text"]);
    space.write(
        "sql/checks/nothing.sql",
        "-- stage: split\nSELECT id FROM labelled ORDER BY id\n",
    );
    let failed: Outcome = space.rayonnage(&["run", "--until", "split"]);
    failed.expect(11, &["nothing"]);
    // It has a page already, which is the latest now.
    let run = space.record().run;
    let path = format!("checkpoints/_report/{run}/report.html");
    failed.printed(&[&path]);
    let page = space.read(&path);
    assert!(page.contains("The run failed") && page.contains("of the run before"));
    assert!(space.read("checkpoints/_report/latest.json").contains(&run));
    let report = data(&space, &run);
    assert_eq!(report.overview.status, "failed");
    assert!(report.overview.error.is_some() && report.models.scores.is_empty());
    assert!(report.catalogue.is_some());
    // Where nothing ever ran there is nothing to show.
    let mut space = TestSpace::new();
    space.set("report.after_run=true");
    fs::remove_file(space.path("catalogue/X_test_update.csv")).unwrap();
    let failed = space.rayonnage(&["run"]);
    assert!(!failed.stderr.contains("the report"), "{failed:#?}");
    assert!(!space.path("checkpoints/_report").exists());
}

#[test]
fn a_report_never_shows_what_its_run_did_not_have() {
    let mut space = TestSpace::finished();
    space.set("clean_text.params.max_words=5");
    let old = space.run(&["--until", "tfidf"]).run;
    space.set("clean_text.params.max_words=500");
    space.set("report.after_run=true");
    space.set("decode_images.params.margin=0.2");
    let latest = space.run(&[]);
    space.set("dump_date=2031-01-01");
    space
        .rayonnage(&["gc", "--keep-runs", "1", "--delete"])
        .expect(0, &[]);
    space.rayonnage(&["report", "--run", &old]).expect(0, &[]);
    let report = data(&space, &old);
    assert_eq!(report.night.gone, ["clean_text", "fit_tfidf", "tfidf"]);
    assert_ne!(report.overview.dump_date.as_deref(), Some("2031-01-01"));
    assert!(report.catalogue.unwrap().words.is_empty());
    let page = space.read(&format!("checkpoints/_report/{old}/report.html"));
    assert!(page.contains("Deleted since"));
    // The latest report stays that of the latest run, and says with what parameters it was made.
    let note = space.read("checkpoints/_report/latest.json");
    assert!(note.contains(&latest.run), "{note}");
    space.set("decode_images.params.margin=0.1");
    space.rayonnage(&["report"]).expect(0, &[]);
    let images = data(&space, &latest.run).images.unwrap();
    assert!((images.margin - 0.2).abs() < 1e-6, "{}", images.margin);
    for entry in fs::read_dir(space.path("checkpoints")).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_str().unwrap().starts_with('_') {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    space.rayonnage(&["report"]).expect(
        11,
        &["the checkpoints of run", "are no longer there", "remedy:"],
    );
}

#[test]
fn what_a_stage_took_is_told_however_long_ago_it_ran() {
    let mut space = TestSpace::finished();
    let first = space.record().run;
    let record =
        fs::read_to_string(space.path(&format!("checkpoints/_runs/{first}.json"))).unwrap();
    // Thirty nights without news, of which all but the last are not even kept.
    let second = space.run(&[]);
    assert!(
        second
            .stages
            .iter()
            .all(|stage| stage.made_by.as_deref() == Some(&first))
    );
    for night in 0..30 {
        let run = format!("2099010{}T0000{:02}000Z-abcdef", 1 + night / 10, night);
        let copy = space.read(&format!("checkpoints/_runs/{}.json", second.run));
        space.write(
            &format!("checkpoints/_runs/{run}.json"),
            copy.replace(&second.run, &run),
        );
    }
    space.set("report.after_run=true");
    let report = space.rayonnage(&["report", "--json"]);
    let report: ReportData = serde_json::from_str(&report.expect(0, &[]).stdout).unwrap();
    let made: RunRecord = serde_json::from_str(&record).unwrap();
    for time in &report.night.stages {
        let expected = stage(&made, &time.stage).elapsed_ms;
        assert_eq!(time.elapsed_ms, Some(expected), "{}", time.stage);
    }
}

#[test]
fn what_a_supplier_writes_cannot_run_in_the_page() {
    let mut space = TestSpace::with_sample(&options(120));
    let bad = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    let path = space.path("catalogue/X_train_update.csv");
    let mut table = csv::Reader::from_path(&path).unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(table.headers().unwrap()).unwrap();
    for record in table.records() {
        let record = record.unwrap();
        let mut columns: Vec<&str> = record.iter().collect();
        // The title is the second column.
        columns[1] = bad;
        writer.write_record(columns).unwrap();
    }
    fs::write(path, writer.into_inner().unwrap()).unwrap();
    space.set("report.after_run=true");
    let record = space.run(&[]);
    let page = space.read(&format!("checkpoints/_report/{}/report.html", record.run));
    assert!(page.contains("&lt;script&gt;"), "no such title is shown");
    assert!(!page.contains("<script") && !page.contains("<img src=x"));
}
