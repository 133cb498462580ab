//! Tokens and TF-IDF values are those of the Python libraries: `fixtures/text_clean.json` and `text_tfidf.json`, which
//! `make text-fixture` makes again from the sample catalogue and from texts that have gone wrong somewhere. `make parity` compares
//! every row of a whole catalogue.

use crate::space::TestSpace;
use rayonnage::text::{
    Analyzer, CleanOptions, TextCleaner, TfidfOptions, TfidfVariant, TfidfVectorizer,
    VocabularyCounter,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Clean {
    texts: Vec<Text>,
    stems: Vec<Stem>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "text")]
    raw: String,
    /// With NLTK's stems.
    tokens: String,
    /// With those of Snowball's own program, where a word is among the few that NLTK gets wrong.
    snowball: Option<String>,
}

/// A word that NLTK gets wrong.
#[derive(Deserialize)]
struct Stem {
    word: String,
    nltk: String,
    snowball: String,
}

fn clean_fixture() -> Clean {
    serde_json::from_str(include_str!("fixtures/text_clean.json")).unwrap()
}

#[test]
fn what_make_parity_sets_is_valid() {
    let cases = include_str!("../scripts/text-parity-cases.json");
    let cases: BTreeMap<String, Map<String, Value>> = serde_json::from_str(cases).unwrap();
    assert_eq!(cases.len(), 4);
    let space = TestSpace::new();
    for params in cases.values() {
        assert_eq!(params["blocks"].as_array().unwrap().len(), 1);
        let settings: Vec<String> = params
            .iter()
            .map(|(key, value)| format!("--set=fit_tfidf.params.{key}={value}"))
            .collect();
        let settings = settings.iter().map(String::as_str);
        let arguments: Vec<&str> = std::iter::once("validate").chain(settings).collect();
        space.rayonnage(&arguments).expect(0, &[]);
    }
}

#[test]
fn tokens_are_those_of_the_python_reference() {
    let cleaner = TextCleaner::new(&CleanOptions::default());
    let texts = clean_fixture().texts;
    let departures = texts.iter().filter(|text| text.snowball.is_some()).count();
    for Text {
        raw,
        tokens,
        snowball,
    } in &texts
    {
        let expected = snowball.as_ref().unwrap_or(tokens);
        assert_eq!(&cleaner.clean(raw), expected, "{raw:?}");
    }
    assert!(texts.len() > 250, "{}", texts.len());
    assert!(departures * 20 < texts.len(), "{departures}");
}

#[test]
fn stems_are_those_of_snowball_where_nltk_departs_from_it() {
    let options = CleanOptions {
        stop_words: None,
        ..CleanOptions::default()
    };
    let cleaner = TextCleaner::new(&options);
    let stems = clean_fixture().stems;
    for Stem {
        word,
        nltk,
        snowball,
    } in &stems
    {
        assert_eq!(&cleaner.clean(word), snowball, "{word}");
        assert_ne!(nltk, snowball, "{word}");
    }
    assert!(stems.len() > 10, "{}", stems.len());
}

#[derive(Deserialize)]
struct Tfidf {
    fitted_on: Vec<String>,
    documents: Vec<String>,
    cases: Vec<Case>,
}

/// Terms and rows for the options of a `fit_tfidf` stage.
#[derive(Deserialize)]
struct Case {
    name: String,
    options: Value,
    terms: Vec<String>,
    /// Columns and values of each document.
    rows: Vec<Vec<(u32, f64)>>,
}

fn tfidf_options(given: &Value) -> TfidfOptions {
    let count = |value: &Value| value.as_u64().map(|count| count as usize);
    TfidfOptions {
        variant: match given["variant"].as_str() {
            Some("keras") => TfidfVariant::Keras,
            _ => TfidfVariant::Sklearn,
        },
        analyzer: match given["analyzer"].as_str() {
            Some("char_wb") => Analyzer::CharWb,
            _ => Analyzer::Word,
        },
        ngrams: serde_json::from_value(given["ngrams"].clone()).unwrap(),
        max_features: count(&given["max_features"]),
        min_df: given["min_df"].as_u64().unwrap(),
        max_df: given["max_df"].as_f64().unwrap(),
        sublinear_tf: given["sublinear_tf"].as_bool().unwrap(),
    }
}

#[test]
fn tfidf_values_are_those_of_scikit_learn_and_keras() {
    let fixture: Tfidf = serde_json::from_str(include_str!("fixtures/text_tfidf.json")).unwrap();
    assert!(fixture.cases.len() > 5);
    for case in &fixture.cases {
        let name = &case.name;
        let options = tfidf_options(&case.options);
        let mut counter = VocabularyCounter::new(&options).unwrap();
        for text in &fixture.fitted_on {
            counter.add(text);
        }
        let vocabulary = counter.finish().unwrap();
        let terms: Vec<&str> = vocabulary.terms.iter().map(|term| &*term.term).collect();
        assert_eq!(terms, case.terms, "{name}");
        let vectorizer = TfidfVectorizer::new(&vocabulary, &options).unwrap();
        assert_eq!(case.rows.len(), fixture.documents.len());
        let mut values = 0;
        for (text, expected) in fixture.documents.iter().zip(&case.rows) {
            let row = vectorizer.transform(text);
            let columns: Vec<u32> = expected.iter().map(|(column, _)| *column).collect();
            assert_eq!(row.indices, columns, "{name}: {text}");
            for (value, (column, wanted)) in row.values.iter().zip(expected) {
                let apart = (f64::from(*value) - wanted).abs();
                assert!(apart < 1e-6, "{name}, {column}: {value}, not {wanted}");
                values += 1;
            }
        }
        assert!(values > 50, "{name}: {values}");
    }
}
