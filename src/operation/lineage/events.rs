//! The events: who ran, how it stands, what was read and made.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use std::time::SystemTime;

const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// The program, at its version.
const PRODUCER: &str = concat!("urn:rayonnage:", env!("CARGO_PKG_VERSION"));

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventType {
    Start,
    Complete,
    Fail,
    /// It was stopped from outside.
    Abort,
}

impl EventType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }
}

/// Makes the events of one run of a pipeline and of its stages.
#[derive(Debug)]
pub(super) struct Events {
    namespace: String,
    pipeline: String,
    run: String,
    dump_date: Option<String>,
}

impl Events {
    pub(super) fn new(namespace: &str, pipeline: &str, run: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            pipeline: pipeline.to_owned(),
            run: run.to_owned(),
            dump_date: None,
        }
    }

    pub(super) fn set_dump_date(&mut self, date: Option<&str>) {
        self.dump_date = date.map(str::to_owned);
    }

    /// An event of the run of the pipeline.
    pub(super) fn of_run(
        &self,
        kind: EventType,
        time: SystemTime,
        error: Option<&str>,
        inputs: &[Value],
        outputs: &[Value],
    ) -> Value {
        let run = json!({ "runId": run_uuid(&self.run, ""), "facets": self.run_facets(error) });
        let job = json!({
            "namespace": self.namespace,
            "name": self.pipeline,
            "facets": { "jobType": job_type("PIPELINE") },
        });
        event(kind, time, &run, &job, [inputs, outputs])
    }

    /// An event of the run of a stage; `queries` are those that it runs.
    #[expect(clippy::too_many_arguments, reason = "an event is made of so much")]
    pub(super) fn of_stage(
        &self,
        kind: EventType,
        time: SystemTime,
        stage: &str,
        queries: Option<&str>,
        error: Option<&str>,
        inputs: &[Value],
        outputs: &[Value],
    ) -> Value {
        let mut facets = self.run_facets(error);
        let parent = json!({
            "run": { "runId": run_uuid(&self.run, "") },
            "job": { "namespace": self.namespace, "name": self.pipeline },
        });
        let mut above = facet("1-1-0", "ParentRunFacet", parent.clone());
        above["root"] = parent;
        facets.insert("parent".to_owned(), above);
        let mut job = json!({
            "namespace": self.namespace,
            "name": format!("{}.{stage}", self.pipeline),
            "facets": { "jobType": job_type("STAGE") },
        });
        if let Some(queries) = queries {
            let sql = json!({ "query": queries, "dialect": "polars" });
            job["facets"]["sql"] = facet("1-1-0", "SQLJobFacet", sql);
        }
        let run = json!({ "runId": run_uuid(&self.run, stage), "facets": facets });
        event(kind, time, &run, &job, [inputs, outputs])
    }

    fn run_facets(&self, error: Option<&str>) -> Map<String, Value> {
        let engine = json!({ "name": "rayonnage", "version": env!("CARGO_PKG_VERSION") });
        let engine = facet("1-1-1", "ProcessingEngineRunFacet", engine);
        let mut facets = Map::from_iter([("processing_engine".to_owned(), engine)]);
        if let Some(date) = &self.dump_date {
            let nominal = json!({ "nominalStartTime": format!("{date}T00:00:00Z") });
            let nominal = facet("1-0-1", "NominalTimeRunFacet", nominal);
            facets.insert("nominalTime".to_owned(), nominal);
        }
        if let Some(message) = error {
            let error = json!({ "message": message, "programmingLanguage": "RUST" });
            let error = facet("1-0-1", "ErrorMessageRunFacet", error);
            facets.insert("errorMessage".to_owned(), error);
        }
        facets
    }
}

fn event(
    kind: EventType,
    time: SystemTime,
    run: &Value,
    job: &Value,
    [inputs, outputs]: [&[Value]; 2],
) -> Value {
    let time = DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({
        "eventType": kind.as_str(),
        "eventTime": time,
        "run": run,
        "job": job,
        "inputs": inputs,
        "outputs": outputs,
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
    })
}

fn job_type(name: &str) -> Value {
    let fields = json!({ "processingType": "BATCH", "integration": "RAYONNAGE", "jobType": name });
    facet("2-0-3", "JobTypeJobFacet", fields)
}

/// A facet with what every facet has: who says so, and which schema it follows.
pub(super) fn facet(version: &str, name: &str, mut fields: Value) -> Value {
    let schema = format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
    fields["_producer"] = PRODUCER.into();
    fields["_schemaURL"] = schema.into();
    fields
}

/// The identity of a run for receivers: always the same for the same run and stage, and in the order of the runs' beginnings.
///
/// # Source
/// RFC 9562, version 7: 48 bits of milliseconds since 1970, here those in the run's own id, then bits that differ, here those of a
/// digest.
fn run_uuid(run: &str, stage: &str) -> String {
    let digest = blake3::hash(format!("{run}\n{stage}").as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    if let Some(millis) = millis_of(run) {
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    }
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let mut hex = format!("{:032x}", u128::from_be_bytes(bytes));
    for dash in [20, 16, 12, 8] {
        hex.insert(dash, '-');
    }
    hex
}

/// When a run began, by its id: `20261123T025609829Z-e5e16f`.
fn millis_of(run: &str) -> Option<u64> {
    let time = run.split_once("Z-")?.0;
    let time = chrono::NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%S%3f").ok()?;
    u64::try_from(time.and_utc().timestamp_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::new_run_id;

    #[test]
    fn a_run_has_one_identity_and_each_stage_another() {
        let run = "20261123T025609829Z-e5e16f";
        let uuid = run_uuid(run, "");
        assert_eq!(uuid, run_uuid(run, ""));
        assert_ne!(uuid, run_uuid(run, "split"));
        assert_ne!(uuid, run_uuid("20261123T025609829Z-e5e160", ""));
        // 2026-11-23T02:56:09.829Z
        let millis = u64::from_str_radix(&uuid.replace('-', "")[..12], 16).unwrap();
        assert_eq!(millis, 1_795_402_569_829);
        assert_eq!(&uuid[14..15], "7");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        assert!(millis_of(&new_run_id()).is_some());
        // A caller of the library may name its runs as it likes.
        assert_eq!(run_uuid("mine", "").len(), 36);
    }

    #[test]
    fn stages_are_children_of_the_run() {
        let mut events = Events::new("nights", "shop", "r");
        events.set_dump_date(Some("2026-11-20"));
        let time = SystemTime::UNIX_EPOCH;
        let run = events.of_run(EventType::Abort, time, Some("why"), &[], &[]);
        let stage = events.of_stage(
            EventType::Start,
            time,
            "translate",
            Some("SELECT 1"),
            None,
            &[],
            &[],
        );
        assert_eq!(run["eventType"], "ABORT");
        assert_eq!(run["eventTime"], "1970-01-01T00:00:00.000Z");
        assert_eq!(run["run"]["facets"]["errorMessage"]["message"], "why");
        let parent = &stage["run"]["facets"]["parent"];
        assert_eq!(parent["run"]["runId"], run["run"]["runId"]);
        assert_eq!(parent["job"]["name"], run["job"]["name"]);
        assert_eq!(stage["job"]["name"], "shop.translate");
        assert_eq!(stage["job"]["facets"]["sql"]["query"], "SELECT 1");
        let nominal = &stage["run"]["facets"]["nominalTime"]["nominalStartTime"];
        assert_eq!(nominal, "2026-11-20T00:00:00Z");
    }
}
