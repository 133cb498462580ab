//! The conformance suite on real servers, and what they make of conditions on writes.

use super::bucket::Bucket;
use super::proxy::Proxy;
use super::server::Kind;
use crate::conformance::SUITE;
use crate::crash;
use bytes::Bytes;
use rayonnage::store::{Conditions, RECORD_FILE, SharedStore, Store, StoreError};
use std::sync::Arc;

/// What only a store with conditions on writes can keep.
const CONDITIONAL: [&str; 1] = ["of_several_conditional_writes_at_a_time_one_is_done"];

fn every_part(kind: Kind, left_out: &[&str]) {
    let Some(bucket) = Bucket::on(kind) else {
        return;
    };
    for (name, part) in SUITE {
        if left_out.contains(name) {
            continue;
        }
        eprintln!("{kind:?}: {name}");
        part(&bucket.store(&format!("a folder/{name}"), None));
    }
}

#[test]
fn s3_keeps_the_promises_of_a_store() {
    every_part(Kind::S3sFs, &[]);
}

#[test]
fn azure_keeps_the_promises_of_a_store() {
    every_part(Kind::Azurite, &[]);
}

#[test]
fn a_store_that_ignores_conditions_keeps_them_for_a_single_writer() {
    every_part(Kind::Garage, &CONDITIONAL);
}

#[test]
fn what_a_store_makes_of_conditions_is_tried_once_and_written_down() {
    for (kind, expected) in [
        (Kind::S3sFs, Conditions::ALL),
        (Kind::Azurite, Conditions::ALL),
        (
            Kind::Garage,
            Conditions {
                create: false,
                update: false,
            },
        ),
    ] {
        let Some(bucket) = Bucket::on(kind) else {
            continue;
        };
        let proxy = Proxy::start(bucket.address(), |_| None);
        let through = Some(proxy.address());
        let first = bucket.store("root", through);
        assert_eq!(first.conditions().unwrap(), expected, "{kind:?}");
        let tried = proxy.requests();
        let probes = |from: usize| {
            let log = proxy.log();
            let probes = log[from..]
                .iter()
                .filter(|request| request.path.contains("_scratch"));
            probes.count()
        };
        assert!(probes(0) > 3);
        // The same store does not even look; another one reads what is written down.
        first.create("object", Bytes::from_static(b"x")).unwrap();
        let second = bucket.store("root", through);
        assert_eq!(second.conditions().unwrap(), expected);
        assert_eq!(probes(tried), 0, "{kind:?}");
        let names: Vec<String> = first
            .list("")
            .unwrap()
            .into_iter()
            .map(|object| object.path)
            .collect();
        assert_eq!(
            names,
            [RECORD_FILE, "object"],
            "the object that was tried is gone"
        );
        let shared_use = second.require_conditions(false);
        if expected == Conditions::ALL {
            shared_use.unwrap();
        } else {
            assert!(matches!(shared_use, Err(StoreError::NoConditions { .. })));
            second.require_conditions(true).unwrap();
        }
    }
}

/// Larger than in memory, where a run takes less time.
const ROWS_PER_PART: usize = 40;

/// Runs tried at once: they wait for the server more than they work.
const RUNS_AT_ONCE: usize = 6;

/// A bucket for each run, since s3s-fs looks through all of a bucket to list some of it.
fn empty_bucket() -> SharedStore {
    let bucket = Bucket::on(Kind::S3sFs).expect("it was there a moment ago");
    Arc::new(bucket.store("checkpoints", None))
}

#[test]
fn a_run_on_s3_may_stop_after_every_operation() {
    if Bucket::on(Kind::S3sFs).is_some() {
        crash::every_prefix_is_carried_on(ROWS_PER_PART, RUNS_AT_ONCE, &empty_bucket);
    }
}

#[test]
fn a_run_on_s3_may_lose_every_answer() {
    if Bucket::on(Kind::S3sFs).is_some() {
        crash::every_answer_may_be_lost(ROWS_PER_PART, RUNS_AT_ONCE, &empty_bucket);
    }
}
