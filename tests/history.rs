//! Earlier runs: by name, side by side, and why products changed category between them.

use crate::space::{TestSpace, objects};
use serde_json::Value;
use std::collections::BTreeMap;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Records of a CSV text by the names in its header.
fn records(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

/// What a run predicts for each unlabelled product.
fn predictions(space: &TestSpace) -> BTreeMap<String, String> {
    let shown = space.rayonnage(&["show", "predict", "--format", "csv"]);
    let rows = records(&shown.expect(0, &[]).stdout).into_iter();
    rows.map(|mut row| (row.remove("id").unwrap(), row.remove("predicted").unwrap()))
        .collect()
}

#[test]
fn runs_are_listed_and_told_of() {
    let mut space = TestSpace::finished();
    space.run(&[]);
    let stages = space.record().stages.len();
    space.set("max_reject_ratio=0.5");
    space.set("predict.params.model=decision_tree");
    space.append(
        "catalogue/X_test_update.csv",
        "9000,Lampe de chevet,Une lampe,,\n",
    );
    space.run(&["--until", "predict"]);
    space.write(
        "sql/checks/no.sql",
        "-- stage: publish\nSELECT id FROM published\n",
    );
    space.rayonnage(&["run"]).expect(11, &["check no found"]);
    let listed = json(&space.rayonnage(&["runs", "--json"]).stdout);
    let of = |key: &str| -> Vec<Value> {
        let runs = listed.as_array().unwrap().iter();
        runs.map(|run| run[key].clone()).collect()
    };
    assert_eq!(of("status"), ["failed", "ok", "ok", "ok"]);
    assert_eq!(of("exit_code"), [11, 0, 0, 0]);
    assert_eq!(of("stages_fresh")[2], stages);
    assert_eq!(of("stages_ran")[3], stages);
    assert_eq!(of("product_rows"), [151, 151, 150, 150]);
    assert_eq!(
        of("published_rows"),
        [Value::Null, Value::Null, 30.into(), 30.into()]
    );
    assert!(
        of("best_test_f1")
            .iter()
            .all(|f1| f1.as_f64().unwrap() > 0.0)
    );
    let text = space.rayonnage(&["runs", "--limit", "3"]);
    text.expect(0, &[])
        .printed(&["failed, 11", "weighted F1", "1 earlier"]);
    let ids: Vec<String> = of("run")
        .iter()
        .map(|run| run.as_str().unwrap().to_owned())
        .collect();
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert!(
        lines[1].starts_with(&ids[0]) && lines[3].starts_with(&ids[2]),
        "{}",
        text.stdout
    );
    // One of them, however it is called.
    for name in [ids[0].as_str(), "latest", &ids[0][..ids[0].len() - 2]] {
        space.rayonnage(&["runs", name]).expect(0, &[]).printed(&[
            &ids[0],
            "failed, 11",
            "error: stage publish: check no found",
            "needs.ingest.unlabelled",
        ]);
    }
    let record = json(&space.rayonnage(&["runs", "latest~3", "--json"]).stdout);
    assert_eq!(record["run"], ids[3].as_str());
    space
        .rayonnage(&["runs", "latest~4"])
        .expect(2, &["there are 4 run records", "remedy:"]);
    space
        .rayonnage(&["runs", "2"])
        .expect(2, &["may be one of 4 runs", &ids[0]]);
    space
        .rayonnage(&["runs", "latest", "latest", "latest"])
        .expect(2, &[]);
    // A record that cannot be read costs only itself.
    space.write(&format!("checkpoints/_runs/{}.json", ids[1]), "{");
    space
        .rayonnage(&["runs"])
        .expect(0, &[])
        .printed(&["record cannot be read", &ids[3]]);
    space
        .rayonnage(&["runs", "latest~1"])
        .expect(11, &[&ids[1], "cannot be read"]);
}

#[test]
fn two_runs_stand_side_by_side() {
    let mut space = TestSpace::finished();
    space.append(
        "catalogue/X_test_update.csv",
        "9000,Lampe de chevet,Une lampe,,\n",
    );
    space.set("decision_tree.params.max_depth=1");
    space.run(&[]);
    let compared = json(
        &space
            .rayonnage(&["runs", "latest~1", "latest", "--json"])
            .stdout,
    );
    let find = |list: &str, key: &str, name: &str| {
        let found = compared[list].as_array().unwrap().iter();
        found.clone().find(|it| it[key] == name).unwrap().clone()
    };
    let tree = find("models", "model", "decision_tree");
    assert!(
        tree["new"]["selection_f1"].as_f64() < tree["old"]["selection_f1"].as_f64(),
        "{tree}"
    );
    let svm = find("models", "model", "linear_svm");
    assert_eq!(svm["new"], svm["old"]);
    assert_eq!(
        find("stages", "stage", "linear_svm")["same_checkpoint"],
        true
    );
    assert_eq!(
        find("stages", "stage", "linear_svm")["new"]["status"],
        "fresh"
    );
    assert_eq!(
        find("stages", "stage", "decision_tree")["same_checkpoint"],
        false
    );
    let products = compared["datasets"].as_array().unwrap().iter();
    let products = products
        .clone()
        .find(|it| it["stage"] == "ingest" && it["dataset"] == "unlabelled");
    assert_eq!(products.unwrap()["new_rows"], 31);
    space
        .rayonnage(&["runs", "latest~1", "latest"])
        .expect(0, &[])
        .printed(&[
            "peak memory",
            "decision_tree",
            "ingest.unlabelled",
            "+1",
            "more datasets with as many rows",
        ]);
}

#[test]
fn there_may_be_no_run() {
    let space = TestSpace::new();
    space
        .rayonnage(&["runs"])
        .expect(0, &[])
        .printed(&["no run yet"]);
    assert_eq!(
        json(&space.rayonnage(&["runs", "--json"]).stdout),
        Value::Array(vec![])
    );
    space
        .rayonnage(&["runs", "latest"])
        .expect(2, &["there is no run yet", "remedy:"]);
    space
        .rayonnage(&["diff", "latest~1", "latest"])
        .expect(2, &["there is no run yet"]);
    assert!(!space.path("checkpoints").exists());
}

/// Lets two products change places in all but their ids: what is predicted of them changes places, too.
fn swap(space: &TestSpace, a: &str, b: &str) {
    let table = "catalogue/X_test_update.csv";
    let text = space.read(table);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let mut rows: Vec<Vec<String>> = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let place = |id: &str| rows.iter().position(|row| row[0] == id).unwrap();
    let (a, b) = (place(a), place(b));
    let id = rows[a][0].clone();
    rows[a][0] = std::mem::replace(&mut rows[b][0], id);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    space.write(table, writer.into_inner().unwrap());
}

#[test]
fn a_changed_product_changes_category_by_its_features() {
    let space = TestSpace::finished();
    let before = predictions(&space);
    let (a, label) = before.first_key_value().unwrap();
    let (b, other) = before
        .iter()
        .find(|(_, predicted)| *predicted != label)
        .unwrap();
    swap(&space, a, b);
    space.append(
        "catalogue/X_test_update.csv",
        "9000,Lampe de chevet,Une lampe,,\n",
    );
    space.run(&[]);
    let shown = space.rayonnage(&["diff", "latest~1", "latest", "--format", "csv"]);
    let rows = records(&shown.expect(0, &[]).stdout);
    let found: Vec<[&str; 5]> = rows
        .iter()
        .map(|row| {
            ["change", "id", "old_label", "new_label", "reason"].map(|key| row[key].as_str())
        })
        .collect();
    let mut expected = [
        ["changed", a, label, other, "features"],
        ["changed", b, other, label, "features"],
    ];
    expected.sort_by_key(|row| (row[1].len(), row[1]));
    assert_eq!(found[..2], expected);
    assert_eq!(
        (found.len(), found[2][..3].to_vec()),
        (3, vec!["added", "9000", ""])
    );
    assert!(
        rows[0]["differs_in"].contains("title") && rows[0]["differs_in"].contains("tokens"),
        "{rows:?}"
    );
    assert_eq!(rows[2]["title"], "Lampe de chevet");
    space.rayonnage(&["diff"]).expect(0, &[]).printed(&[
        "30 products in both, of which 2 changed category; 1 only in the new run, 0 only in the old one",
        ", the same",
        "features (title",
        "Lampe de chevet",
    ]);
    // The other way round.
    let back = json(
        &space
            .rayonnage(&["diff", "latest", "latest~1", "--json", "--limit", "1"])
            .stdout,
    );
    assert_eq!(
        (&back["removed_rows"], &back["changed_rows"]),
        (&1.into(), &2.into())
    );
    assert_eq!(back["products"].as_array().unwrap().len(), 1);
    assert_eq!(back["transitions"].as_array().unwrap().len(), 2);
}

#[test]
fn another_model_is_told_with_what_changed_in_it() {
    let mut space = TestSpace::finished();
    space.set("predict.params.model=decision_tree");
    space.run(&[]);
    let before = predictions(&space);
    space.set("decision_tree.params.max_depth=1");
    space.run(&[]);
    let after = predictions(&space);
    let changed = before
        .iter()
        .filter(|(id, label)| after[*id] != **label)
        .count();
    assert!(changed > 0);
    let found = json(
        &space
            .rayonnage(&["diff", "latest~1", "latest", "--json"])
            .stdout,
    );
    assert_eq!(found["changed_rows"], changed);
    let products = found["products"].as_array().unwrap();
    assert!(
        products
            .iter()
            .all(|product| product["reason"] == "model" && product["title"].is_string())
    );
    let causes = found["model_causes"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert_eq!(
        (&causes[0]["stage"], &causes[0]["change"]["name"]),
        (&"decision_tree".into(), &"params.max_depth".into())
    );
    // Another model, and names of categories.
    space.set("predict.params.model=linear_svm");
    space.run(&[]);
    space
        .rayonnage(&["diff"])
        .expect(0, &[])
        .printed(&["model: decision_tree@", "-> linear_svm@"]);
    let names = json(&space.rayonnage(&["diff", "--json"]).stdout);
    assert_eq!(names["names"]["2280"], "Affiche");
    // A cause further up is followed to where it is.
    space.set("clean_text.params.max_words=2");
    space.run(&[]);
    space.rayonnage(&["diff"]).expect(0, &[]).printed(&[
        "  clean_text: params.max_words: 500 -> 2",
        "features and model (tokens)",
    ]);
    // The same run twice differs in nothing.
    space
        .rayonnage(&["diff", "latest", "latest"])
        .expect(0, &[])
        .printed(&["30 products in both, of which 0 changed category"]);
}

#[test]
fn a_run_whose_checkpoints_are_gone_cannot_be_compared() {
    let mut space = TestSpace::finished();
    space.set("predict.params.model=decision_tree");
    space.run(&[]);
    // Without what the model was made from nobody knows what changed in it.
    let manifest = format!("{}/manifest.json", space.checkpoint_folder("tfidf"));
    let text = space.read(&manifest);
    std::fs::remove_file(space.path(&manifest)).unwrap();
    space
        .rayonnage(&["diff"])
        .expect(2, &["checkpoint tfidf/", "is not there any more"]);
    space.write(&manifest, text);
    space
        .rayonnage(&["gc", "--keep-runs", "1", "--keep-records", "9", "--delete"])
        .expect(0, &[]);
    assert_eq!(objects(&space.path("checkpoints/_runs")).len(), 2);
    space.rayonnage(&["diff", "latest~1", "latest"]).expect(
        2,
        &[
            "checkpoint predict/",
            "is not there any more",
            "--keep-runs",
        ],
    );
    space
        .rayonnage(&["show", "predict", "--run", "latest~1"])
        .expect(2, &["is not there any more"]);
    space.run(&["--until", "split"]);
    space
        .rayonnage(&["diff"])
        .expect(2, &["has no checkpoint of predict"]);
}
