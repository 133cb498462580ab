//! Every kind of stage by name: a new kind is one line here.

use super::stage::{Kind, Stage};
use super::{
    clean_text, decode_images, detect_language, embed_images, evaluate, fit_pca, fit_tfidf, ingest,
    pca, predict, publish, split, tfidf, tokenize, train, translate,
};
use crate::config::{Issue, KindInfo, KindSchema, NeedRule};
use serde_json::Value;

struct Entry {
    info: KindInfo,
    schema: fn() -> KindSchema,
    build: fn(Value) -> Option<Box<dyn Stage>>,
}

fn entry<K: Kind>() -> Entry {
    fn check_params<K: Kind>(given: &Value, path: &str, issues: &mut Vec<Issue>) -> Option<Value> {
        let params = K::check(given, path, issues);
        K::validate(&params, path, issues);
        serde_json::to_value(params).ok()
    }
    fn needs<K: Kind>(params: &Value) -> Vec<NeedRule> {
        let params: Option<K::Params> = serde_json::from_value(params.clone()).ok();
        K::needs(&params.unwrap_or_default())
    }
    fn weights<K: Kind>(params: &Value) -> Option<String> {
        let params: Option<K::Params> = serde_json::from_value(params.clone()).ok();
        params.and_then(|params| K::weights(&params))
    }
    fn build<K: Kind>(params: Value) -> Option<Box<dyn Stage>> {
        serde_json::from_value(params)
            .ok()
            .map(|params| Box::new(K::new(params)) as Box<dyn Stage>)
    }
    let info = KindInfo {
        name: K::NAME,
        check_params: check_params::<K>,
        needs: needs::<K>,
        weights: weights::<K>,
    };
    Entry {
        info,
        schema: || KindSchema::of::<K::Params>(K::NAME, K::SUMMARY),
        build: build::<K>,
    }
}

fn registry() -> Vec<Entry> {
    vec![
        entry::<ingest::Ingest>(),
        entry::<detect_language::DetectLanguage>(),
        entry::<translate::Translate>(),
        entry::<clean_text::CleanText>(),
        entry::<split::Split>(),
        entry::<fit_tfidf::FitTfidf>(),
        entry::<tfidf::Tfidf>(),
        entry::<tokenize::Tokenize>(),
        entry::<decode_images::DecodeImages>(),
        entry::<embed_images::EmbedImages>(),
        entry::<fit_pca::FitPca>(),
        entry::<pca::ApplyPca>(),
        entry::<train::Train>(),
        entry::<evaluate::Evaluate>(),
        entry::<predict::Predict>(),
        entry::<publish::Publish>(),
    ]
}

/// Every kind of stage, for the configuration.
#[must_use]
pub fn kinds() -> Vec<KindInfo> {
    registry().into_iter().map(|entry| entry.info).collect()
}

/// What an editor has to know of every kind of stage.
#[must_use]
pub fn kind_schemas() -> Vec<KindSchema> {
    let entries = registry().into_iter();
    entries.map(|entry| (entry.schema)()).collect()
}

/// Builds a stage from its kind and its checked parameters; `None` for an unknown kind.
#[must_use]
pub fn build(kind: &str, params: &Value) -> Option<Box<dyn Stage>> {
    let entry = registry()
        .into_iter()
        .find(|entry| entry.info.name == kind)?;
    (entry.build)(params.clone())
}
