//! The queries of `sql/report`: each is a table of the report. Adding one is dropping a file in.
//!
//! ```sql
//! -- title: Predictions that the model is least sure of
//! -- title.fr: Prédictions dont le modèle est le moins sûr
//! SELECT id, predicted, confidence FROM predict_predictions ORDER BY confidence, id LIMIT 15
//! ```
//!
//! Nothing is made of them but that table, so they are in no fingerprint.

use super::{SqlError, read_folder, validate};
use std::collections::BTreeMap;
use std::path::Path;

/// The title of a page in any language that has none of its own.
const TITLE: &str = "-- title";

/// A table of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportQuery {
    /// File name without `.sql`.
    pub name: String,
    /// What stands above the table, by language of the page; `en` is always there.
    pub titles: BTreeMap<String, String>,
    /// The query, over datasets by name.
    pub text: String,
}

const SHIPPED: [(&str, &str); 2] = [
    (
        "frequent_terms",
        include_str!("../../sql/report/frequent_terms.sql"),
    ),
    (
        "least_confident",
        include_str!("../../sql/report/least_confident.sql"),
    ),
];

/// The shipped ones.
pub(super) fn shipped() -> Vec<ReportQuery> {
    let queries = SHIPPED.iter();
    queries
        .map(|(name, text)| ReportQuery::new((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// Those of a folder, by name; none where it is not there.
pub(super) fn load(folder: &Path) -> Result<Vec<ReportQuery>, SqlError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let queries = read_folder(folder)?.into_iter().map(|(name, query)| {
        validate(&query.file, &query.text)?;
        Ok(ReportQuery::new(name, query.text))
    });
    queries.collect()
}

impl ReportQuery {
    /// The titles are those of the head, or the name in words.
    fn new(name: String, text: String) -> Self {
        let title = |line: &str| {
            let (language, title) = line.strip_prefix(TITLE)?.split_once(':')?;
            let language = match language {
                "" => "en",
                language => language.strip_prefix('.')?,
            };
            Some((language.to_owned(), title.trim().to_owned()))
        };
        let mut titles: BTreeMap<String, String> = text.lines().filter_map(title).collect();
        let words = || name.replace('_', " ");
        titles.entry("en".to_owned()).or_insert_with(words);
        Self { name, titles, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_queries_have_titles_and_are_queries() {
        for query in shipped() {
            validate(&query.name, &query.text).unwrap();
            assert_ne!(query.titles["en"], query.name.replace('_', " "));
            assert_ne!(query.titles["fr"], query.titles["en"]);
        }
    }

    #[test]
    fn a_folder_is_read_by_name_and_what_is_no_query_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(&folder.path().join("none")).unwrap(), []);
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("b_c.sql", "SELECT 1 AS one");
        write(
            "a.sql",
            "-- title: First\n-- title.fr: Premier: un\nSELECT 2 AS two",
        );
        write("notes.txt", "no query");
        let queries = load(folder.path()).unwrap();
        let titles: Vec<&str> = queries.iter().map(|q| q.titles["en"].as_str()).collect();
        assert_eq!(titles, ["First", "b c"]);
        assert_eq!(queries[0].titles["fr"], "Premier: un");
        write("bad.sql", "DROP TABLE products");
        assert!(load(folder.path()).unwrap_err().to_string().contains("bad"));
    }
}
