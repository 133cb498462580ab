//! Checks of `sql/checks`: what they fail, where their results stand, and mistakes in their heads.

use crate::space::{TestSpace, options, ran, stage};
use rayonnage::runner::RunRecord;
use rayonnage::sql::Severity;

#[test]
fn a_check_that_finds_rows_fails_its_stage() {
    let space = TestSpace::finished();
    let check = |severity: &str| {
        format!(
            "-- stage: split\n-- severity: {severity}\n-- Nothing is held back.\nSELECT * FROM labelled WHERE fold = 'test' ORDER BY id\n"
        )
    };
    space.write("sql/checks/nothing_is_tested.sql", check("fail"));
    space.rayonnage(&["run"]).expect(
        11,
        &[
            "stage split",
            "check nothing_is_tested found",
            "fold=test",
            "remedy:",
        ],
    );
    let record = space.record();
    assert_eq!(record.exit_code, 11);
    let found = |record: &RunRecord| {
        let checks = &stage(record, "split").checks;
        let names: Vec<&str> = checks.iter().map(|found| found.check.as_str()).collect();
        assert_eq!(names, ["folds_are_known", "nothing_is_tested"]);
        assert_eq!((checks[0].rows, checks[0].first.as_str()), (0, ""));
        assert!(
            checks[0]
                .description
                .starts_with("Every labelled row is in")
        );
        assert_eq!(checks[1].description, "Nothing is held back.");
        assert!(checks[1].rows > 10);
        // `*`: columns that the query does not name.
        let first = &checks[1].first;
        assert!(
            first.starts_with("id=") && first.contains(" label="),
            "{first}"
        );
        checks[1].severity
    };
    // The check that failed the stage is in the record, too.
    assert_eq!(found(&record), Severity::Fail);
    space.write("sql/checks/nothing_is_tested.sql", check("warn"));
    let record = space.run(&[]);
    assert_eq!(ran(&record), ["split"]);
    assert_eq!(found(&record), Severity::Warn);
    // What was found is known as long as the stage is fresh.
    let record = space.run(&[]);
    assert!(ran(&record).is_empty());
    assert_eq!(found(&record), Severity::Warn);
    assert!(!stage(&record, "split").summary.contains_key("checks"));
}

#[test]
fn mistakes_in_checks_are_named_with_file_and_line() {
    let space = TestSpace::with_sample(&options(20));
    let file = "sql/checks/mine.sql";
    for (text, said) in [
        (
            "-- stage: splt\nSELECT id FROM labelled\n",
            "line 1: there is no stage \"splt\"; did you mean \"split\"?",
        ),
        (
            "-- stage: split\n-- severity: wran\nSELECT id FROM labelled\n",
            "line 2: unknown severity \"wran\"; did you mean \"warn\"?",
        ),
        (
            "SELECT id FROM labelled\n",
            "line 1: the head lacks `-- stage: NAME`",
        ),
    ] {
        space.write(file, text);
        for command in ["validate", "run"] {
            let said = format!("sql/checks/mine.sql {said}");
            space.rayonnage(&[command]).expect(10, &[&said]);
        }
    }
    // A stage of another profile is there, and so is one that is skipped.
    space.write(file, "-- stage: embed_vgg16\nSELECT id FROM labelled\n");
    space.rayonnage(&["validate"]).expect(0, &[]);
    space.write(file, "-- stage: ingest\nSELECT id, colour FROM labelled\n");
    space
        .rayonnage(&["run", "--until", "ingest"])
        .expect(11, &["sql/checks/mine.sql failed", "colour"]);
}

#[test]
fn what_no_parser_takes_is_said_before_anything_runs() {
    let space = TestSpace::with_sample(&options(20));
    for (file, text) in [
        (
            "sql/checks/mine.sql",
            "-- stage: predict\nSELECT id FROM predictions WHERE ORDER BY id\n",
        ),
        ("sql/report/mine.sql", "SELECT id FORM split WHERE\n"),
        (
            "sql/export.sql",
            "SELECT id FROM predictions WHERE ORDER BY id\n",
        ),
    ] {
        let before = std::fs::read(space.path(file)).ok();
        space.write(file, text);
        for command in ["validate", "plan", "run"] {
            space
                .rayonnage(&[command])
                .expect(10, &[file, "sql parser error", "remedy:"]);
        }
        match before {
            Some(text) => space.write(file, text),
            None => std::fs::remove_file(space.path(file)).unwrap(),
        }
    }
    space.rayonnage(&["validate"]).expect(0, &[]);
}
