//! What `OpenLineage` 2-0-2 and its facets ask of an event, written down anew: which fields there have to be, of which type, and that
//! there are no others.
//!
//! `make check-operation` holds the events to the classes of `OpenLineage`'s own Python client, too.

use serde_json::{Map, Value};

/// Names and types; a name that ends in `?` may be missing.
type Fields = &'static [(&'static str, Kind)];

/// Key of a facet, version and name of its schema, and its fields.
type Facet = (&'static str, &'static str, Fields);

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Count,
    /// RFC 3339.
    Time,
    Uuid,
    Uri,
    OneOf(&'static [&'static str]),
    /// An object with these fields.
    Object(Fields),
    ListOf(&'static Kind),
    /// Facets by their key.
    Facets(&'static [Facet]),
}

const JOB: Kind = Kind::Object(&[("namespace", Kind::Text), ("name", Kind::Text)]);
const RUN: Kind = Kind::Object(&[("runId", Kind::Uuid)]);

const RUN_FACETS: Kind = Kind::Facets(&[
    (
        "processing_engine",
        "1-1-1/ProcessingEngineRunFacet",
        &[("version", Kind::Text), ("name?", Kind::Text)],
    ),
    (
        "nominalTime",
        "1-0-1/NominalTimeRunFacet",
        &[
            ("nominalStartTime", Kind::Time),
            ("nominalEndTime?", Kind::Time),
        ],
    ),
    (
        "errorMessage",
        "1-0-1/ErrorMessageRunFacet",
        &[
            ("message", Kind::Text),
            ("programmingLanguage", Kind::Text),
            ("stackTrace?", Kind::Text),
        ],
    ),
    (
        "parent",
        "1-1-0/ParentRunFacet",
        &[
            ("run", RUN),
            ("job", JOB),
            ("root?", Kind::Object(&[("run", RUN), ("job", JOB)])),
        ],
    ),
]);

const JOB_FACETS: Kind = Kind::Facets(&[
    (
        "jobType",
        "2-0-3/JobTypeJobFacet",
        &[
            ("processingType", Kind::OneOf(&["BATCH", "STREAMING"])),
            ("integration", Kind::Text),
            ("jobType?", Kind::Text),
        ],
    ),
    (
        "sql",
        "1-1-0/SQLJobFacet",
        &[("query", Kind::Text), ("dialect?", Kind::Text)],
    ),
]);

const DATASET_FACETS: Kind = Kind::Facets(&[
    (
        "dataSource",
        "1-0-1/DatasourceDatasetFacet",
        &[("name?", Kind::Text), ("uri?", Kind::Uri)],
    ),
    (
        "version",
        "1-0-1/DatasetVersionDatasetFacet",
        &[("datasetVersion", Kind::Text)],
    ),
    (
        "schema",
        "1-1-1/SchemaDatasetFacet",
        &[(
            "fields?",
            Kind::ListOf(&Kind::Object(&[
                ("name", Kind::Text),
                ("type?", Kind::Text),
                ("description?", Kind::Text),
            ])),
        )],
    ),
]);

const OUTPUT_FACETS: Kind = Kind::Facets(&[(
    "outputStatistics",
    "1-0-2/OutputStatisticsOutputDatasetFacet",
    &[
        ("rowCount?", Kind::Count),
        ("size?", Kind::Count),
        ("fileCount?", Kind::Count),
    ],
)]);

const EVENT: Kind = Kind::Object(&[
    (
        "eventType",
        Kind::OneOf(&["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]),
    ),
    ("eventTime", Kind::Time),
    ("producer", Kind::Uri),
    ("schemaURL", Kind::Uri),
    (
        "run",
        Kind::Object(&[("runId", Kind::Uuid), ("facets?", RUN_FACETS)]),
    ),
    (
        "job",
        Kind::Object(&[
            ("namespace", Kind::Text),
            ("name", Kind::Text),
            ("facets?", JOB_FACETS),
        ]),
    ),
    (
        "inputs?",
        Kind::ListOf(&Kind::Object(&[
            ("namespace", Kind::Text),
            ("name", Kind::Text),
            ("facets?", DATASET_FACETS),
        ])),
    ),
    (
        "outputs?",
        Kind::ListOf(&Kind::Object(&[
            ("namespace", Kind::Text),
            ("name", Kind::Text),
            ("facets?", DATASET_FACETS),
            ("outputFacets?", OUTPUT_FACETS),
        ])),
    ),
]);

/// What is wrong with an event, by path.
pub fn faults(event: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(event, EVENT, "event", &mut faults);
    let schema = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
    if event["schemaURL"] != schema {
        faults.push("event.schemaURL".to_owned());
    }
    faults
}

fn check(value: &Value, kind: Kind, path: &str, faults: &mut Vec<String>) {
    let text = value.as_str();
    let is_good = match kind {
        Kind::Text => text.is_some_and(|text| !text.is_empty()),
        Kind::Count => value.is_u64(),
        Kind::Time => text.is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok()),
        Kind::Uuid => text.is_some_and(is_uuid),
        Kind::Uri => text.is_some_and(|text| url::Url::parse(text).is_ok()),
        Kind::OneOf(known) => text.is_some_and(|text| known.contains(&text)),
        Kind::Object(fields) => return check_object(value, fields, path, faults),
        Kind::Facets(known) => return check_facets(value, known, path, faults),
        Kind::ListOf(kind) => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                check(item, *kind, &format!("{path}[{index}]"), faults);
            }
            value.is_array()
        }
    };
    if !is_good {
        faults.push(format!("{path} is {value}"));
    }
}

fn check_object(value: &Value, fields: &[(&str, Kind)], path: &str, faults: &mut Vec<String>) {
    let empty = Map::new();
    let object = value.as_object().unwrap_or(&empty);
    for (name, kind) in fields {
        let (name, is_optional) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (*name, false),
        };
        match object.get(name) {
            Some(value) => check(value, *kind, &format!("{path}.{name}"), faults),
            None if is_optional => {}
            None => faults.push(format!("{path} lacks {name}")),
        }
    }
    for name in object.keys() {
        if !fields
            .iter()
            .any(|(known, _)| known.trim_end_matches('?') == name)
        {
            faults.push(format!("{path}.{name} is unknown"));
        }
    }
}

fn check_facets(value: &Value, known: &[Facet], path: &str, faults: &mut Vec<String>) {
    let Some(facets) = value.as_object() else {
        faults.push(format!("{path} is {value}"));
        return;
    };
    for (key, facet) in facets {
        let path = format!("{path}.{key}");
        let Some((_, schema, fields)) = known.iter().find(|(known, ..)| known == key) else {
            faults.push(format!("{path} is unknown"));
            continue;
        };
        let (version, name) = schema.split_once('/').unwrap();
        let schema =
            format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
        let mut own = facet.clone();
        let object = own.as_object_mut().expect("a facet is an object");
        if object.remove("_schemaURL") != Some(Value::String(schema)) {
            faults.push(format!("{path}._schemaURL"));
        }
        let producer = object.remove("_producer").unwrap_or_default();
        check(&producer, Kind::Uri, &format!("{path}._producer"), faults);
        check_object(&own, fields, &path, faults);
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[test]
fn rules_find_what_is_wrong() {
    let producer = "urn:x:1";
    let good = serde_json::json!({
        "eventType": "START",
        "eventTime": "2026-11-20T00:00:00Z",
        "producer": producer,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": { "runId": "019ab000-0000-7000-8000-000000000000", "facets": { "nominalTime": {
            "_producer": producer,
            "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet",
            "nominalStartTime": "2026-11-20T00:00:00Z",
        } } },
        "job": { "namespace": "a", "name": "b" },
        "outputs": [{ "namespace": "file", "name": "/x" }],
    });
    assert_eq!(faults(&good), Vec::<String>::new());
    for (path, bad) in [
        ("/eventType", Value::from("BEGIN")),
        ("/eventTime", "yesterday".into()),
        ("/run/runId", "1".into()),
        ("/run/facets/nominalTime/_producer", Value::Null),
        ("/run/facets/nominalTime/_schemaURL", "https://x".into()),
        (
            "/run/facets/nominalTime/nominalStartTime",
            "2026-11-20".into(),
        ),
        ("/job", serde_json::json!({ "name": "b" })),
        ("/job/name", serde_json::json!("")),
        (
            "/outputs/0",
            serde_json::json!({ "namespace": "file", "name": "/x", "rows": 1 }),
        ),
        ("/outputs", serde_json::json!({})),
    ] {
        let mut event = good.clone();
        *event.pointer_mut(path).unwrap() = bad;
        assert_eq!(faults(&event).len(), 1, "{path}: {:?}", faults(&event));
    }
}
