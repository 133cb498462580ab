//! Translation: the pending list goes to a translator, the filled table comes back, and only its rows change.

use crate::space::TestSpace;
use arrow::array::StringArray;
use rayonnage::schema::column;
use std::fs;

const LOOKUP: &str = "catalogue/translations";

/// A space that reads every table of a folder of translations; so far there is one.
fn space() -> TestSpace {
    let mut space = TestSpace::new();
    fs::create_dir(space.path(LOOKUP)).unwrap();
    fs::rename(
        space.path("catalogue/translations.csv"),
        space.path(&format!("{LOOKUP}/a.csv")),
    )
    .unwrap();
    space.set("translate.params.lookup=translations");
    space
}

/// The pending table, beside the checkpoint.
fn pending(space: &TestSpace) -> Vec<Vec<String>> {
    let bytes = space.checkpoint("translate").file("pending.csv").unwrap();
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    assert_eq!(
        reader.headers().unwrap(),
        vec!["source_lang", "source_text", "text_fr", "rows"]
    );
    reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn write(space: &TestSpace, file: &str, rows: &[[&str; 3]]) {
    let mut table = csv::Writer::from_writer(Vec::new());
    table
        .write_record(["source_lang", "source_text", "text_fr"])
        .unwrap();
    for row in rows {
        table.write_record(row).unwrap();
    }
    space.write(&format!("{LOOKUP}/{file}"), table.into_inner().unwrap());
}

fn texts(space: &TestSpace, text: &str) -> usize {
    rows(space, ["text", "title_text", "description_text"], |found| {
        found[0] == text
    })
}

/// Rows of `translate` of which something holds.
fn rows<const N: usize>(
    space: &TestSpace,
    columns: [&str; N],
    holds: impl Fn([&str; N]) -> bool,
) -> usize {
    let reader = space.checkpoint("translate");
    ["labelled", "unlabelled"]
        .iter()
        .flat_map(|dataset| {
            let parts = reader.parts(dataset, Some(&columns)).unwrap();
            parts.collect::<Vec<_>>()
        })
        .map(|batch| {
            let batch = batch.unwrap();
            let found = columns.map(|name| column::<StringArray>(&batch, name).unwrap());
            (0..batch.num_rows())
                .filter(|row| holds(found.map(|values| values.value(*row))))
                .count()
        })
        .sum()
}

#[test]
fn the_filled_table_is_picked_up_and_only_its_rows_change() {
    let space = space();
    space.run(&["--until", "clean_text"]);
    let before = pending(&space);
    assert!(before.len() >= 2, "{before:?}");
    let digests = |space: &TestSpace| {
        let reader = space.checkpoint("translate");
        let datasets = ["labelled", "unlabelled"].map(|name| reader.dataset(name).unwrap().clone());
        datasets
            .into_iter()
            .flat_map(|dataset| dataset.parts)
            .map(|part| part.digest)
            .collect::<Vec<_>>()
    };
    let old = digests(&space);

    // Filled as it came, with the column of counts, under a name of its own; one text is left for later.
    let (language, text) = (before[0][0].clone(), before[0][1].clone());
    write(
        &space,
        "b.csv",
        &[
            [&language, &text, "Traduit à la main"],
            [&before[1][0], &before[1][1], ""],
        ],
    );
    space.run(&["--until", "clean_text"]);

    let after = pending(&space);
    assert_eq!(after.len(), before.len() - 1);
    assert!(after.iter().all(|row| row[1] != text));
    let rows: usize = before[0][3].parse().unwrap();
    assert_eq!(texts(&space, "Traduit à la main"), rows);
    // Where its title ends nobody knows, so the whole of it is the title.
    let columns = ["text", "title_text", "description_text"];
    let as_title = ["Traduit à la main", "Traduit à la main", ""];
    assert_eq!(self::rows(&space, columns, |found| found == as_title), rows);
    let new = digests(&space);
    let changed = old.iter().zip(&new).filter(|(old, new)| old != new).count();
    assert!(
        (1..=rows).contains(&changed),
        "{changed} parts changed for {rows} rows"
    );
}

#[test]
fn spellings_of_one_text_are_pending_once() {
    let space = space();
    let before = pending_of(&space);
    // The marks of the second are characters of their own; the third has other white space.
    let spellings = [
        "Our caf\u{e9} table is the best for your garden and for the whole family",
        "Our cafe\u{301} table is the best for your garden and for the whole family",
        "Our caf\u{e9}  table is the best for your garden and for the whole family",
    ];
    let rows = (9001..).zip(spellings);
    let rows: Vec<String> = rows.map(|(id, text)| format!("{id},{text},,,\n")).collect();
    space.append("catalogue/X_test_update.csv", rows.concat());
    let after = pending_of(&space);
    assert_eq!(after.len(), before.len() + 1);
    let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    // The least of them by code points.
    assert_eq!(new, [&vec!["en", spellings[1], "", "3"]]);
}

/// The pending table of a run up to here.
fn pending_of(space: &TestSpace) -> Vec<Vec<String>> {
    space.run(&["--until", "translate"]);
    pending(space)
}

#[test]
fn two_translations_of_one_text_name_both_places() {
    let space = space();
    write(
        &space,
        "b.csv",
        &[["en", "same  text", "un"], ["en", " same text ", "deux"]],
    );
    let outcome = space.rayonnage(&["run", "--until", "translate"]);
    outcome.expect(
        11,
        &[
            "translations/b.csv line 2 and translations/b.csv line 3",
            "\"same text\"",
            "stage translate",
        ],
    );
}

#[test]
fn a_missing_translation_can_be_forbidden_or_dropped() {
    let mut space = space();
    space.set("translate.params.on_missing=fail");
    space
        .rayonnage(&["run", "--until", "translate"])
        .expect(11, &["texts have no translation"]);
    space.set("translate.params.on_missing=drop");
    space.run(&["--until", "translate"]);
    let dropped: usize = pending(&space)
        .iter()
        .map(|row| row[3].parse::<usize>().unwrap())
        .sum();
    assert!(dropped > 0);
    assert_eq!(texts(&space, ""), dropped);
    let columns = ["text", "title_text", "description_text"];
    assert_eq!(rows(&space, columns, |found| found == [""; 3]), dropped);
}
