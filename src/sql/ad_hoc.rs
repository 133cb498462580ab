//! A query that somebody types: which tables and columns it names, before anything is read.
//!
//! `stage.dataset` may be written as it is: Polars knows no schemas, so it becomes one quoted name.

use super::{SqlError, validate};
use polars::sql::extract_table_identifiers;
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer, Word};
use std::collections::BTreeSet;

/// A query that somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdHocQuery {
    /// What Polars is asked.
    pub text: String,
    /// The tables that it reads, as it calls them.
    pub tables: Vec<String>,
    /// Names that it gives itself (`WITH name AS`): no table of that name is handed to it.
    pub own: Vec<String>,
    /// Every word that may name a column.
    words: BTreeSet<String>,
    /// Whether it asks for columns without naming them.
    has_wildcard: bool,
}

impl AdHocQuery {
    /// Looks a query through, which errors call `name`; `is_dataset` says whether a stage has a dataset.
    ///
    /// # Errors
    ///
    /// [`SqlError::Refused`] for what is not one `SELECT` over tables, [`SqlError::Run`] for what Polars cannot parse.
    pub fn parse(
        name: &str,
        text: &str,
        is_dataset: &dyn Fn(&str, &str) -> bool,
    ) -> Result<Self, SqlError> {
        validate(name, text)?;
        let refused = |reason: String| SqlError::Refused {
            file: name.to_owned(),
            reason,
        };
        let tokens = Tokenizer::new(&GenericDialect {}, text)
            .with_unescape(false)
            .tokenize()
            .map_err(|error| refused(error.to_string()))?;
        let tokens = join_schemas(tokens, is_dataset);
        let text: String = tokens.iter().map(ToString::to_string).collect();
        let tables =
            extract_table_identifiers(&text, true, true).map_err(|source| SqlError::Run {
                file: name.to_owned(),
                tables: String::new(),
                source,
            })?;
        let tokens: Vec<Token> = tokens
            .into_iter()
            .filter(|token| !matches!(token, Token::Whitespace(_)))
            .collect();
        let own = common_tables(&tokens);
        let (own, tables) = tables
            .into_iter()
            .partition(|name| own.contains(name.as_str()));
        Ok(Self {
            text,
            tables,
            own,
            words: tokens
                .iter()
                .filter_map(word)
                .map(|word| word.value.clone())
                .collect(),
            has_wildcard: has_wildcard(&tokens),
        })
    }

    /// Whether a column is to be read; `is_large` says of one that a wildcard does not mean it.
    #[must_use]
    pub fn reads(&self, column: &str, is_large: bool) -> bool {
        self.words.contains(column) || (self.has_wildcard && !is_large)
    }
}

fn word(token: &Token) -> Option<&Word> {
    match token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

/// Makes one name of `stage.dataset`.
fn join_schemas(tokens: Vec<Token>, is_dataset: &dyn Fn(&str, &str) -> bool) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let name = match (&joined[..], &token) {
            ([.., Token::Word(stage), Token::Period], Token::Word(dataset))
                if is_dataset(&stage.value, &dataset.value) =>
            {
                Some(format!("{}.{}", stage.value, dataset.value))
            }
            _ => None,
        };
        match name {
            None => joined.push(token),
            Some(value) => {
                joined.truncate(joined.len() - 2);
                joined.push(Token::Word(Word {
                    value,
                    quote_style: Some('"'),
                    keyword: Keyword::NoKeyword,
                }));
            }
        }
    }
    joined
}

/// The names that the query gives itself: `WITH name AS (`.
fn common_tables(tokens: &[Token]) -> BTreeSet<&str> {
    let named = tokens.windows(3).filter_map(|window| match window {
        [Token::Word(name), Token::Word(word), Token::LParen] if word.keyword == Keyword::AS => {
            Some(name.value.as_str())
        }
        _ => None,
    });
    named.collect()
}

/// Whether columns are asked for without their names: by `*` where it is no product and no `COUNT(*)`, by `COLUMNS('…')`, or by
/// a natural join.
fn has_wildcard(tokens: &[Token]) -> bool {
    let before = |pair: &[Token]| match pair {
        [Token::Comma | Token::Period, Token::Mul] => true,
        [Token::Word(word), Token::Mul] => matches!(
            word.keyword,
            Keyword::SELECT | Keyword::DISTINCT | Keyword::ALL
        ),
        [Token::Word(word), _] => {
            matches!(word.keyword, Keyword::COLUMNS | Keyword::NATURAL)
        }
        _ => false,
    };
    tokens.windows(2).any(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> AdHocQuery {
        AdHocQuery::parse("--sql", text, &|stage, dataset| {
            (stage, dataset) == ("ingest", "labelled")
        })
        .unwrap()
    }

    #[test]
    fn tables_are_found_however_they_are_written() {
        for (text, tables) in [
            ("SELECT id FROM ingest.labelled", vec!["ingest.labelled"]),
            (
                "select id from \"ingest.labelled\"",
                vec!["ingest.labelled"],
            ),
            (
                "SELECT a.id FROM ingest_labelled a JOIN split b ON a.id = b.id",
                vec!["ingest_labelled", "split"],
            ),
            (
                "WITH x AS (SELECT id FROM split) SELECT * FROM x",
                vec!["split"],
            ),
            (
                "SELECT id FROM split WHERE id IN (SELECT id FROM predictions)",
                vec!["split", "predictions"],
            ),
            (
                "SELECT id FROM a UNION ALL SELECT id FROM b",
                vec!["a", "b"],
            ),
            (
                "SELECT 'FROM nowhere' AS x FROM split -- FROM elsewhere",
                vec!["split"],
            ),
        ] {
            let mut found = parse(text).tables;
            found.sort();
            let mut tables = tables;
            tables.sort_unstable();
            assert_eq!(found, tables, "{text}");
        }
    }

    #[test]
    fn schemas_become_names_and_all_else_stays_as_it_is() {
        let text = "SELECT ingest.labelled.id, 'it''s ingest.labelled' FROM ingest.labelled WHERE a.b > 1.5";
        let expected = "SELECT \"ingest.labelled\".id, 'it''s ingest.labelled' FROM \"ingest.labelled\" WHERE a.b > 1.5";
        assert_eq!(parse(text).text, expected);
    }

    #[test]
    fn only_columns_that_are_named_are_read() {
        let query =
            parse("SELECT id, max(width * height) FROM split GROUP BY id HAVING count(*) > 1");
        for column in ["id", "width", "height"] {
            assert!(query.reads(column, true), "{column}");
        }
        assert!(!query.reads("pixels", true) && !query.reads("label", false));
        let hidden = parse("SELECT id, 'label' FROM split -- pixels");
        assert!(!hidden.reads("label", false) && !hidden.reads("pixels", true));
        for text in [
            "SELECT * FROM split",
            "SELECT id, * FROM split",
            "SELECT DISTINCT * FROM split",
            "SELECT s.* FROM split s",
            "SELECT COLUMNS('^w') FROM split",
            "SELECT id FROM split NATURAL JOIN ingest",
        ] {
            let query = parse(text);
            assert!(
                query.reads("label", false) && !query.reads("pixels", true),
                "{text}"
            );
        }
    }

    #[test]
    fn only_one_query_is_asked() {
        for bad in [
            "DROP TABLE split",
            "SELECT 1; SELECT 2",
            "SELECT * FROM read_csv('x')",
            "SELECT id FROM",
            "SELECT 'x",
        ] {
            assert!(
                AdHocQuery::parse("--sql", bad, &|_, _| false).is_err(),
                "{bad}"
            );
        }
    }
}
