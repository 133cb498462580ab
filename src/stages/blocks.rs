//! The `blocks` parameter of `fit_tfidf`: which field each block of columns is made of, and how.
//!
//! Invariant: a mistake is found in each block on its own, with the path of its key (`blocks[1].ngrams`), and what is left out has
//! its default, also in the fingerprint.

use crate::config::{Issue, check};
use crate::suggest::suggestion;
use crate::text::{Analyzer, BlockOptions, LONGEST_NGRAM, TfidfOptions, TfidfVariant};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

/// Fields of a product, and the columns of `clean_text` with their tokens.
const FIELDS: [(&str, &str); 3] = [
    ("text", "tokens"),
    ("title", "title_tokens"),
    ("description", "description_tokens"),
];

/// What a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AnalyzerName {
    /// Words.
    Word,
    /// Characters within words.
    CharWb,
}

/// One block of columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Block {
    /// What it is made of: title and description as one (`text`), or one of them.
    #[schemars(extend("enum" = FIELDS.map(|(field, _)| field)))]
    pub(super) field: String,
    /// What a term is.
    analyzer: AnalyzerName,
    /// Shortest and longest run of words or characters, such as `[1, 2]`.
    #[schemars(inner(range(min = 1, max = LONGEST_NGRAM)))]
    #[serde(deserialize_with = "lengths")]
    ngrams: (usize, usize),
    /// Most terms; `null` for all.
    #[schemars(range(min = 1))]
    max_features: Option<usize>,
    /// Fewest documents that a term must occur in.
    min_df: u64,
    /// Share of the documents that a term may occur in at most.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    max_df: f64,
    /// Whether counts weigh as `1 + ln(count)`; with `variant: keras` they always do.
    sublinear_tf: bool,
    /// What the values of the block are multiplied by, beside the other blocks.
    #[schemars(range(min = 1e-6, max = 1e6))]
    weight: f64,
}

/// Reads two lengths; serde speaks of tuples.
fn lengths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(usize, usize), D::Error> {
    let given = Value::deserialize(deserializer)?;
    <(usize, usize)>::deserialize(&given).map_err(|_| {
        let message = "must be two lengths, that of the shortest run and that of the longest";
        D::Error::custom(format!("{message}, such as [1, 2], not {given}"))
    })
}

impl Default for Block {
    fn default() -> Self {
        let options = BlockOptions::default();
        Self {
            field: "text".to_owned(),
            analyzer: AnalyzerName::Word,
            ngrams: options.tfidf.ngrams,
            max_features: Some(5000),
            min_df: options.tfidf.min_df,
            max_df: options.tfidf.max_df,
            sublinear_tf: options.tfidf.sublinear_tf,
            weight: options.weight,
        }
    }
}

impl Block {
    pub(super) fn options(&self, variant: TfidfVariant) -> BlockOptions {
        BlockOptions {
            tfidf: TfidfOptions {
                variant,
                analyzer: match self.analyzer {
                    AnalyzerName::Word => Analyzer::Word,
                    AnalyzerName::CharWb => Analyzer::CharWb,
                },
                ngrams: self.ngrams,
                max_features: self.max_features,
                min_df: self.min_df,
                max_df: self.max_df,
                sublinear_tf: self.sublinear_tf,
            },
            weight: self.weight,
        }
    }

    /// The column of `clean_text` that it is made of.
    pub(super) fn column(&self) -> &'static str {
        let known = FIELDS.iter().find(|(field, _)| *field == self.field);
        known.map_or(FIELDS[0].1, |(_, column)| column)
    }

    /// The keys of a block.
    pub(super) fn keys() -> Vec<String> {
        let block = serde_json::to_value(Self::default()).unwrap_or_default();
        let keys = block.as_object().into_iter().flat_map(|block| block.keys());
        keys.cloned().collect()
    }

    fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let names = FIELDS.map(|(field, _)| field);
        if !names.contains(&self.field.as_str()) {
            let message = match suggestion(&self.field, names) {
                Some(meant) => format!("unknown field {:?}; did you mean {meant:?}?", self.field),
                None => format!(
                    "unknown field {:?}; known: {}",
                    self.field,
                    names.join(", ")
                ),
            };
            issues.push(Issue::new(format!("{path}.field"), message));
        }
        let (shortest, longest) = self.ngrams;
        let is_share = self.max_df > 0.0 && self.max_df <= 1.0;
        let lengths = format!("must be two lengths from 1 to {LONGEST_NGRAM}, the shorter first");
        for (key, holds, message) in [
            (
                "ngrams",
                shortest >= 1 && shortest <= longest && longest <= LONGEST_NGRAM,
                lengths.as_str(),
            ),
            (
                "max_features",
                self.max_features != Some(0),
                "must be at least 1, or null for all",
            ),
            ("max_df", is_share, "must be above 0 and at most 1"),
            (
                "weight",
                (1e-6..=1e6).contains(&self.weight),
                "must lie between 0.000001 and 1000000",
            ),
        ] {
            if !holds {
                issues.push(Issue::new(format!("{path}.{key}"), message));
            }
        }
    }
}

/// The blocks of a configuration. Serde stops at the first mistake and says nothing of where in a list it is, so each block is
/// checked here, and what was found waits for [`BlockList::validate`].
#[derive(Debug, Clone)]
pub(super) struct BlockList {
    pub(super) blocks: Vec<Block>,
    issues: Vec<Issue>,
}

impl Default for BlockList {
    fn default() -> Self {
        Self {
            blocks: vec![Block::default()],
            issues: Vec::new(),
        }
    }
}

impl BlockList {
    /// Reports what is wrong with the blocks; `path` is that of the list.
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        if self.blocks.is_empty() {
            issues.push(Issue::new(path, "there must be at least one block"));
        }
        for issue in &self.issues {
            let message = issue.message.clone();
            issues.push(Issue::new(format!("{path}{}", issue.path), message));
        }
        for (number, block) in self.blocks.iter().enumerate() {
            block.validate(&format!("{path}[{number}]"), issues);
        }
    }
}

impl JsonSchema for BlockList {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BlockList".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = generator.subschema_for::<Vec<Block>>();
        schema.insert("minItems".to_owned(), 1.into());
        schema
    }
}

impl Serialize for BlockList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.blocks.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BlockList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        let given = given
            .as_array()
            .ok_or_else(|| D::Error::custom("expected a list of blocks"))?;
        let mut issues = Vec::new();
        let blocks = given.iter().enumerate().map(|(number, block)| {
            let mut found = Vec::new();
            let block = check(block, "", &mut found);
            issues.extend(found.into_iter().map(|issue| {
                let dot = if issue.path.is_empty() { "" } else { "." };
                Issue::new(format!("[{number}]{dot}{}", issue.path), issue.message)
            }));
            block
        });
        let blocks = blocks.collect();
        Ok(Self { blocks, issues })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn issues_of(blocks: Value) -> Vec<String> {
        let blocks: BlockList = serde_json::from_value(blocks).unwrap();
        let mut issues = Vec::new();
        blocks.validate("p.blocks", &mut issues);
        issues.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_with_the_path_of_its_key() {
        assert_eq!(
            issues_of(json!([])),
            ["p.blocks: there must be at least one block"]
        );
        assert_eq!(
            issues_of(json!([{}, {"field": "title", "weight": 0.5}])),
            [""; 0]
        );
        let expected = [
            "p.blocks[0].field: unknown field \"titel\"; did you mean \"title\"?",
            "p.blocks[0].weight: must lie between 0.000001 and 1000000",
            "p.blocks[1].ngrams: must be two lengths from 1 to 20, the shorter first",
            "p.blocks[1].max_features: must be at least 1, or null for all",
            "p.blocks[1].max_df: must be above 0 and at most 1",
            "p.blocks[2].field: unknown field \"colour\"; known: text, title, description",
        ];
        assert_eq!(
            issues_of(json!([
                {"field": "titel", "weight": 0},
                {"ngrams": [3, 2], "max_features": 0, "max_df": 2.0},
                {"field": "colour"},
            ])),
            expected
        );
        let issues = issues_of(json!([7, {"analyser": "word", "analyzer": "char", "min_df": -1}]));
        assert_eq!(issues.len(), 4, "{issues:?}");
        for (issue, start) in issues.iter().zip([
            "p.blocks[0]: expected a mapping, found a number",
            "p.blocks[1].analyser: unknown key; did you mean \"analyzer\"?",
            "p.blocks[1].analyzer: unknown value \"char\"",
            "p.blocks[1].min_df: expected a whole number from 0, found -1",
        ]) {
            assert!(issue.starts_with(start), "{issue:?}, not {start:?}");
        }
    }

    #[test]
    fn lengths_and_shares_have_limits() {
        for (given, expected) in [
            (json!({"ngrams": [1, 20], "max_df": 0.01}), vec![]),
            (
                json!({"ngrams": [1, 21]}),
                vec!["ngrams: must be two lengths from 1 to 20"],
            ),
            (
                json!({"ngrams": 2}),
                vec!["ngrams: must be two lengths, that of"],
            ),
            (
                json!({"ngrams": [1, 2, 3]}),
                vec!["ngrams: must be two lengths, that of"],
            ),
            (json!({"max_df": 0.0}), vec!["max_df: must be above 0"]),
        ] {
            let found = issues_of(json!([given]));
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    found.starts_with(&format!("p.blocks[0].{expected}")),
                    "{found}"
                );
            }
        }
        let three = issues_of(json!([{"ngrams": [1, 2, 3]}]));
        assert!(
            three[0].ends_with(", such as [1, 2], not [1,2,3]"),
            "{three:?}"
        );
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let given = json!([{"field": "title", "max_features": null, "weight": 2}]);
        let blocks: BlockList = serde_json::from_value(given).unwrap();
        let expected = Block {
            field: "title".to_owned(),
            max_features: None,
            weight: 2.0,
            ..Block::default()
        };
        assert_eq!(blocks.blocks, [expected]);
        assert_eq!(
            serde_json::to_value(&blocks).unwrap(),
            json!([{
                "field": "title", "analyzer": "word", "ngrams": [1, 1], "max_features": null, "min_df": 1, "max_df": 1.0,
                "sublinear_tf": false, "weight": 2.0,
            }])
        );
        assert_eq!(blocks.blocks[0].column(), "title_tokens");
        assert!(serde_json::from_value::<BlockList>(json!({})).is_err());
    }
}
