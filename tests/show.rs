//! What is looked at: rows, statistics and queries over checkpoints, older runs, and the graph.

use crate::space::{Outcome, STAGES, TestSpace};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Lines of a query's result as CSV, without its header.
#[track_caller]
fn query(space: &TestSpace, text: &str) -> Vec<String> {
    let outcome = space.rayonnage(&["show", "--format", "csv", "--sql", text]);
    let lines = outcome.expect(0, &[]).stdout.lines();
    lines.skip(1).map(str::to_owned).collect()
}

#[test]
fn rows_come_as_json() {
    let space = TestSpace::finished();
    let shown = json(
        &space
            .rayonnage(&["show", "decode_images", "unlabelled", "--json", "-n", "20"])
            .stdout,
    );
    assert_eq!(
        (&shown["stage"], &shown["datasets"]["unlabelled"]["rows"]),
        (&"decode_images".into(), &30.into())
    );
    let rows = shown["rows"].as_array().unwrap();
    // More rows than the first part has; tensors are left out.
    assert_eq!(rows.len(), 20);
    assert!(
        rows.iter()
            .all(|row| row["image_status"].is_string() && row.get("pixels").is_none())
    );
    assert!(rows.iter().any(|row| row["white_share"].is_f64()));
    let files = json(&space.rayonnage(&["show", "evaluate", "--json"]).stdout);
    assert_eq!(files["files"][0]["name"], "scores.json");
}

#[test]
fn statistics_are_those_of_the_rows() {
    let space = TestSpace::finished();
    let shown = json(
        &space
            .rayonnage(&["show", "ingest", "labelled", "--stats", "--json"])
            .stdout,
    );
    let column = |name: &str| {
        let columns = shown["columns"].as_array().unwrap().iter();
        columns
            .clone()
            .find(|column| column["column"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (
            &shown["rows"],
            &column("id")["distinct"],
            &column("id")["nulls"]
        ),
        (&120.into(), &120.into(), &0.into())
    );
    let one = |text: &str| -> f64 { query(&space, text)[0].parse().unwrap() };
    let rows = "FROM ingest_labelled";
    let distinct = one(&format!("SELECT COUNT(DISTINCT label) {rows}"));
    assert_eq!(column("label")["distinct"].as_f64(), Some(distinct));
    let nulls = one(&format!("SELECT COUNT(*) {rows} WHERE image_bytes IS NULL"));
    assert_eq!(column("image_bytes")["nulls"].as_f64(), Some(nulls));
    assert!(nulls > 0.0);
    let mean = one(&format!("SELECT AVG(image_bytes) {rows}"));
    assert!((column("image_bytes")["mean"].as_f64().unwrap() - mean).abs() < 1e-6);
    let longest = one(&format!("SELECT MAX(CHAR_LENGTH(title)) {rows}"));
    assert_eq!(column("title")["lengths"]["max"].as_f64(), Some(longest));
    space
        .rayonnage(&["show", "decode_images", "--stats"])
        .expect(0, &[])
        .printed(&["white_share", "left out: tensors"]);
    space
        .rayonnage(&["show", "tfidf", "--stats"])
        .expect(0, &[])
        .printed(&["indices", " to "]);
    space
        .rayonnage(&["show", "ingest", "--stats", "-n", "3"])
        .expect(2, &[]);
}

#[test]
fn queries_name_datasets() {
    let space = TestSpace::finished();
    let count = ["120"];
    for table in [
        "ingest_labelled",
        "ingest.labelled",
        "\"ingest.labelled\"",
        "split",
        "split_labelled",
    ] {
        assert_eq!(
            query(&space, &format!("SELECT COUNT(*) FROM {table}")),
            count,
            "{table}"
        );
    }
    assert_eq!(query(&space, "SELECT COUNT(*) FROM predictions"), ["30"]);
    // Rejects there are none, but columns.
    let joined = query(
        &space,
        "WITH test AS (SELECT id FROM split WHERE fold = 'test')
         SELECT ingest.labelled.label, COUNT(*) AS rows FROM ingest.labelled JOIN test ON ingest.labelled.id = test.id
         GROUP BY ingest.labelled.label ORDER BY rows DESC, label",
    );
    let rows: usize = joined
        .iter()
        .map(|line| line.split_once(',').unwrap().1.parse::<usize>().unwrap())
        .sum();
    let folds = query(&space, "SELECT COUNT(*) FROM split WHERE fold = 'test'");
    assert!(
        joined.len() > 3 && rows.to_string() == folds[0],
        "{joined:?}"
    );
    // A name that the query gives itself is not that of the table, also where there is one.
    let own = "WITH split AS (SELECT id FROM predictions) SELECT COUNT(*) FROM split";
    assert_eq!(query(&space, own), ["30"]);
    let own = "WITH split AS (SELECT id FROM split WHERE fold = 'test') SELECT COUNT(*) FROM split";
    space
        .rayonnage(&["show", "--sql", own])
        .expect(2, &["split", "give that another name"]);
    // All columns but the tensors, which must be named.
    let all = space.rayonnage(&[
        "show",
        "--json",
        "--sql",
        "SELECT * FROM decode_images.unlabelled ORDER BY id LIMIT 2",
    ]);
    let all = json(&all.stdout);
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert!(
        all[0].get("pixels_digest").is_some() && all[0].get("pixels").is_none(),
        "{all}"
    );
    let pixels = query(&space, "SELECT COUNT(pixels) FROM decode_images_unlabelled");
    let known = query(
        &space,
        "SELECT COUNT(pixels_digest) FROM decode_images_unlabelled",
    );
    assert_eq!(pixels, known);
    let text = space.rayonnage(&[
        "show",
        "--sql",
        "SELECT id, title FROM ingest_labelled ORDER BY id",
    ]);
    text.expect(0, &[]).printed(&["50 of 120 rows"]);
}

#[test]
fn queries_that_cannot_be_run_say_what_there_is() {
    let space = TestSpace::finished();
    let failed = |text: &str| -> Outcome { space.rayonnage(&["show", "--sql", text]) };
    failed("SELECT id FROM ingest_labeled").expect(
        2,
        &[
            "no table \"ingest_labeled\"",
            "did you mean \"ingest_labelled\"?",
            "evaluate (confusion, modality_scores, scores)",
        ],
    );
    failed("SELECT id FROM labelled").expect(
        2,
        &["may be one of", "clean_text.labelled", "split.labelled"],
    );
    failed("SELECT id FROM ingest").expect(
        2,
        &["may be one of ingest.labelled, ingest.rejects, ingest.unlabelled"],
    );
    failed("SELECT titel FROM ingest_labelled")
        .expect(2, &["titel", "ingest_labelled has id, product_id, title"]);
    failed("SELECT id FROM").expect(2, &["--sql"]);
    failed("DROP TABLE split").expect(2, &["a query is one SELECT"]);
    failed("SELECT * FROM read_csv('/etc/passwd')").expect(2, &["table functions"]);
    space.rayonnage(&["show"]).expect(2, &["STAGE"]);
    let none = TestSpace::new();
    none.rayonnage(&["show", "--sql", "SELECT 1 FROM split"])
        .expect(2, &["there is no checkpoint yet"]);
}

#[test]
fn an_older_run_is_looked_at_by_its_name() {
    let mut space = TestSpace::finished();
    space.set("clean_text.params.max_words=1");
    space.run(&["--until", "clean_text"]);
    let longest = |run: &[&str]| {
        let text = "SELECT MAX(CHAR_LENGTH(tokens)) FROM clean_text.labelled";
        let shown = space.rayonnage(&[&["show", "--json", "--sql", text], run].concat());
        let shown = json(&shown.expect(0, &[]).stdout);
        shown[0]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .as_u64()
            .unwrap()
    };
    assert!(longest(&[]) < longest(&["--run", "latest~1"]));
    assert_eq!(longest(&[]), longest(&["--run", "latest"]));
    space
        .rayonnage(&["show", "evaluate", "--run", "latest~1"])
        .expect(0, &[])
        .printed(&["scores.json"]);
    space
        .rayonnage(&["show", "evaluate", "--run", "latest"])
        .expect(2, &["has no checkpoint of evaluate"]);
    space
        .rayonnage(&["show", "clean_txt", "--run", "latest"])
        .expect(2, &["\"clean_txt\"", "clean_text"]);
}

#[test]
fn the_graph_is_drawn_with_what_there_is_to_do() {
    let mut space = TestSpace::finished();
    let drawn = |space: &TestSpace, arguments: &[&str]| {
        let mut command = space.command(&[&["graph"], arguments].concat());
        let outcome = Outcome::of(
            command
                .env_remove("LC_ALL")
                .env_remove("LC_CTYPE")
                .env("LANG", "fr_FR.UTF-8"),
        );
        outcome.expect(0, &[]);
        outcome.stdout
    };
    let fresh = drawn(&space, &[]);
    let lines: Vec<&str> = fresh.lines().collect();
    assert_eq!(lines[0], "✔ ingest");
    assert!(lines.contains(&"│     ├─✔ fit_tfidf  + split"), "{fresh}");
    assert!(
        lines.contains(&"└─✔ predict") && lines.contains(&"  └─✔ publish"),
        "{fresh}"
    );
    assert!(
        fresh.ends_with(&format!("\n✔ {STAGES} fresh\n")) && !fresh.contains('\u{1b}'),
        "{fresh}"
    );
    assert!(
        lines.iter().all(|line| line.chars().count() <= 100),
        "{fresh}"
    );
    space.set("clean_text.params.max_words=5");
    let dirty = drawn(&space, &[]);
    assert!(
        dirty.contains("● clean_text\n")
            && dirty.contains("○ tfidf\n")
            && dirty.contains("✔ split\n"),
        "{dirty}"
    );
    let mermaid = drawn(&space, &["--format", "mermaid"]);
    assert!(
        mermaid.starts_with("flowchart LR\n") && mermaid.contains("class s_clean_text dirty\n"),
        "{mermaid}"
    );
    let dot = drawn(&space, &["--format", "dot"]);
    assert!(
        dot.contains("\"clean_text\" [label=\"clean_text\", class=\"clean_text dirty\""),
        "{dot}"
    );
    let document = json(&drawn(&space, &["--json"]));
    let stages = document["stages"].as_array().unwrap();
    assert_eq!(stages.len(), STAGES);
    let clean = stages
        .iter()
        .find(|stage| stage["stage"] == "clean_text")
        .unwrap();
    assert_eq!(
        (&clean["status"], &clean["dirty"]["changes"][0]["new"]),
        (&"dirty".into(), &"5".into())
    );
    assert_eq!(
        clean["needs"][0]["datasets"],
        serde_json::json!(["labelled", "unlabelled"])
    );
    // The configuration alone: nothing is opened.
    let plain = drawn(&space, &["--no-status", "--set", "source.root=nowhere"]);
    assert!(
        plain.starts_with("ingest\n├─split\n") && plain.contains("└─predict\n"),
        "{plain}"
    );
    let mut ascii = space.command(&["graph", "--no-status"]);
    let ascii = Outcome::of(ascii.env("LC_ALL", "C"));
    assert!(ascii.stdout.is_ascii() && ascii.stdout.starts_with("ingest\n|-split\n"));
}
