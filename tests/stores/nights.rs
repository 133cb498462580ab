//! Whole nights in a bucket, with the real program: killed machines, racing publishers, faulty lines, secrets.

use super::bucket::Bucket;
use super::proxy::{Fault, Proxy, share_of_requests};
use super::server::Kind;
use crate::space::{Objects, Outcome, TestSpace, assert_same, objects_of, options, ran, stage};
use rayonnage::runner::{RunRecord, StageStatus};
use rayonnage::store::{BucketStore, SharedStore, Store};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A night whose catalogue, checkpoints and predictions lie in a bucket; the machine is a folder that nothing else is kept in.
struct Night {
    bucket: Rc<Bucket>,
    /// Folder of checkpoints and predictions.
    place: &'static str,
    machine: TestSpace,
}

impl Night {
    fn on(kind: Kind, rows: usize) -> Option<Self> {
        let bucket = Rc::new(Bucket::on(kind)?);
        let machine = machine(rows);
        bucket.upload(&machine.path("catalogue"), "dump");
        let place = "first";
        Some(Self {
            bucket,
            place,
            machine,
        })
    }

    /// Another night of the same dump, with nothing made yet.
    fn again(&self, rows: usize) -> Self {
        Self {
            bucket: Rc::clone(&self.bucket),
            place: "second",
            machine: machine(rows),
        }
    }

    /// The URL of what it makes.
    fn url(&self, folder: &str) -> String {
        self.bucket.url(&format!("{}/{folder}", self.place))
    }

    fn store(&self, folder: &str) -> BucketStore {
        self.bucket.store(&format!("{}/{folder}", self.place), None)
    }

    /// Puts another machine in the place of this one.
    fn replace_machine(&mut self, rows: usize) {
        self.machine = machine(rows);
        // The catalogue is in the bucket alone.
        std::fs::remove_dir_all(self.machine.path("catalogue")).unwrap();
    }

    fn command(&self, arguments: &[&str], through: Option<SocketAddr>) -> Command {
        let mut command = self.machine.command(arguments);
        self.bucket.reach(&mut command, through);
        command
            .env("RAYONNAGE_SOURCE", self.bucket.url("dump"))
            .env("RAYONNAGE_CHECKPOINTS", self.url("checkpoints"))
            .env("RAYONNAGE_SINK", self.url("out"));
        command
    }

    fn run(&self, arguments: &[&str], through: Option<SocketAddr>) -> Outcome {
        Outcome::of(&mut self.command(arguments, through))
    }

    fn objects(&self, folder: &str) -> Objects {
        let store: SharedStore = Arc::new(self.store(folder));
        objects_of(&store)
    }

    fn record(&self) -> RunRecord {
        let store = self.store("checkpoints");
        let last = store.list("_runs").unwrap().pop().unwrap();
        serde_json::from_slice(&store.get(&last.path).unwrap()).unwrap()
    }
}

fn machine(rows: usize) -> TestSpace {
    let mut space = TestSpace::with_sample(&options(rows));
    space.set("rows_per_part=8");
    space.set("lock_timeout_s=2");
    space
}

/// Learning curves hold times.
fn without_times(mut objects: Objects) -> Objects {
    objects.retain(|path, _| !path.contains("/events/"));
    objects
}

#[test]
fn a_night_in_a_bucket_makes_what_a_night_on_a_disk_makes() {
    for kind in [Kind::S3sFs, Kind::Azurite] {
        let Some(night) = Night::on(kind, 60) else {
            continue;
        };
        night.run(&["run"], None).expect(0, &[]);
        let record = night.record();
        let checkpoints = &record.stores["checkpoints"];
        assert_eq!(checkpoints.url, night.url("checkpoints"));
        assert!(
            checkpoints
                .conditional_writes
                .is_some_and(|all| all.create && all.update)
        );
        assert!(!checkpoints.single_writer);
        night.machine.run(&[]);
        // Where an image lies in a bucket its tag is its identity, so fingerprints differ; what is published does not.
        let published = |objects: Objects| -> Objects {
            let parts = objects
                .into_iter()
                .filter(|(path, _)| path.ends_with(".parquet"));
            let name = |path: String| path.rsplit_once('/').unwrap().1.to_owned();
            parts.map(|(path, bytes)| (name(path), bytes)).collect()
        };
        assert_same(
            &published(night.objects("out")),
            &published(night.machine.published()),
        );
        night.run(&["run"], None).expect(0, &[]);
        assert!(ran(&night.record()).is_empty());
    }
}

#[test]
fn another_machine_goes_on_where_a_killed_one_stopped() {
    let Some(mut night) = Night::on(Kind::S3sFs, 200) else {
        return;
    };
    let half_made = |night: &Night| {
        let made = night.store("checkpoints").list("clean_text").unwrap();
        let parts = made
            .iter()
            .filter(|object| object.path.ends_with(".parquet"))
            .count();
        let is_whole = made
            .iter()
            .any(|object| object.path.ends_with("/manifest.json"));
        (parts > 2 && !is_whole).then_some(parts as u64)
    };
    let mut child = night
        .command(&["run", "--jobs", "1"], None)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(3);
    while half_made(&night).is_none() {
        assert!(child.try_wait().unwrap().is_none(), "the run was too quick");
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let left = half_made(&night).expect("killed while it made clean_text");
    night.replace_machine(200);
    let outcome = night.run(&["run"], None);
    outcome.expect(0, &["takes over a lock whose holder is silent"]);
    let record = night.record();
    for before in ["ingest", "detect_language", "translate"] {
        assert_eq!(
            stage(&record, before).status,
            StageStatus::Fresh,
            "{before}"
        );
    }
    let clean_text = stage(&record, "clean_text");
    assert_eq!(clean_text.status, StageStatus::Ran);
    assert!(clean_text.parts_taken_over >= left, "{clean_text:#?}");
    let whole = night.again(200);
    whole.run(&["run"], None).expect(0, &[]);
    assert_same(
        &without_times(night.objects("checkpoints")),
        &without_times(whole.objects("checkpoints")),
    );
    assert_same(&night.objects("out"), &whole.objects("out"));
}

#[test]
fn a_dump_that_is_not_there_is_named_and_not_its_date() {
    for kind in [Kind::S3sFs, Kind::Azurite] {
        let Some(night) = Night::on(kind, 20) else {
            continue;
        };
        let nowhere = night.bucket.url("nowhere");
        let (scheme, _) = nowhere.split_once("://").unwrap();
        let no_bucket = format!("{scheme}://no-such-bucket/dump");
        for source in [&nowhere, &no_bucket] {
            let mut command = night.command(&["plan"], None);
            command
                .env("RAYONNAGE_SOURCE", source)
                .env("RAYONNAGE_DATE", "");
            let outcome = Outcome::of(&mut command);
            outcome.expect(
                11,
                &[&format!("{source}/"), "RAYONNAGE_SOURCE", "DUMP with make"],
            );
            assert!(!outcome.stderr.contains("dump_date"), "{outcome:#?}");
        }
    }
}

#[test]
fn a_machine_without_what_is_cached_fetches_no_part_twice() {
    let Some(night) = Night::on(Kind::S3sFs, 60) else {
        return;
    };
    night.run(&["run"], None).expect(0, &[]);
    let proxy = Proxy::start(night.bucket.address(), |_| None);
    let made_again = ["/evaluate/", "/predict/", "/publish/"];
    let parts_fetched = |from: usize| {
        let log = proxy.log();
        let parts = log[from..].iter().filter(|request| request.method == "GET");
        let parts = parts.filter(|request| request.path.contains("/checkpoints/"));
        let mut parts: Vec<String> = parts
            .filter(|request| request.path.contains("/part-"))
            // What is made again is compared with what is there.
            .filter(|request| !made_again.iter().any(|stage| request.path.contains(stage)))
            .map(|request| request.path.clone())
            .collect();
        let count = parts.len();
        parts.sort();
        parts.dedup();
        (count, parts.len())
    };
    let through = Some(proxy.address());
    let again = ["run", "--from", "evaluate"];
    // What this machine wrote lies in its cache.
    night.run(&again, through).expect(0, &[]);
    assert_eq!(parts_fetched(0).0, 0);
    std::fs::remove_dir_all(night.machine.path("cache")).unwrap();
    let from = proxy.requests();
    night.run(&again, through).expect(0, &[]);
    let (fetched, different) = parts_fetched(from);
    assert!(different > 0);
    assert_eq!(fetched, different, "no part is fetched twice");
    assert_eq!(proxy.faults(), 0);
}

#[test]
fn one_of_two_publishers_wins_and_the_other_says_so() {
    let Some(night) = Night::on(Kind::Azurite, 60) else {
        return;
    };
    let sink = night.store("out");
    let other = sink.lock("predictions/_lock", "the other run").unwrap();
    let outcome = night.run(&["run"], None);
    outcome.expect(15, &["the other run"]);
    assert!(night.objects("out").is_empty(), "nothing of it is visible");
    drop(other);
    night.run(&["run"], None).expect(0, &[]);
    assert_eq!(ran(&night.record()), ["publish"]);
}

#[test]
fn of_publishers_that_race_whoever_does_not_win_leaves_nothing_visible() {
    let Some(night) = Night::on(Kind::Azurite, 60) else {
        return;
    };
    let mut other = night.again(60);
    // The same date, and other content.
    other.machine.set("publish.params.names={}");
    let sink = night.url("out");
    let command = |night: &Night, arguments: &[&str]| {
        let mut command = night.command(arguments, None);
        command.env("RAYONNAGE_SINK", &sink);
        command
    };
    for night in [&night, &other] {
        Outcome::of(&mut command(night, &["run", "--until", "predict"])).expect(0, &[]);
    }
    let racing = [&night, &other].map(|night| {
        let mut command = command(night, &["run"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    });
    let codes = racing.map(|mut child| child.wait().unwrap().code().unwrap());
    assert!(codes.contains(&0), "{codes:?}");
    assert!(codes.iter().all(|code| [0, 15].contains(code)), "{codes:?}");
    let published = night.objects("out");
    let complete = published.keys().filter(|path| path.ends_with("/_SUCCESS"));
    let winners = codes.iter().filter(|code| **code == 0).count();
    assert_eq!(complete.count(), winners, "{codes:?}");
    let latest: serde_json::Value =
        serde_json::from_slice(&published["predictions/latest.json"]).unwrap();
    let path = latest["path"].as_str().unwrap();
    assert!(published.contains_key(&format!("{path}/_SUCCESS")));
}

#[test]
fn two_runs_on_one_checkpoint_root_keep_out_of_each_others_way() {
    let Some(night) = Night::on(Kind::Azurite, 60) else {
        return;
    };
    let checkpoints = night.store("checkpoints");
    let other = checkpoints.lock("_lock", "the other run").unwrap();
    night.run(&["run"], None).expect(14, &["the other run"]);
    drop(other);
}

#[test]
fn a_store_that_ignores_conditions_wants_a_single_writer() {
    let Some(mut night) = Night::on(Kind::Garage, 60) else {
        return;
    };
    let refused = night.run(&["run"], None);
    refused.expect(10, &["does not do conditional writes", "single_writer"]);
    night.machine.set("single_writer=true");
    night.run(&["run"], None).expect(0, &["single_writer"]);
    let record = night.record();
    let checkpoints = &record.stores["checkpoints"];
    assert!(checkpoints.single_writer);
    assert!(
        checkpoints
            .conditional_writes
            .is_some_and(|none| !none.create && !none.update)
    );
    night.run(&["run"], None).expect(0, &[]);
    assert!(ran(&night.record()).is_empty());
}

#[test]
fn a_night_on_a_line_that_fails_three_times_in_ten_ends_with_the_same_bytes() {
    let Some(night) = Night::on(Kind::S3sFs, 60) else {
        return;
    };
    let faults = [
        Fault::Drop,
        Fault::AnswerLost,
        Fault::Delay(Duration::from_millis(20)),
        Fault::Status(500),
        Fault::Status(503),
        Fault::Truncate,
        Fault::ResetAfter(100),
    ];
    let proxy = Proxy::start(
        night.bucket.address(),
        share_of_requests(7, 0.3, 4, &faults),
    );
    night.run(&["run"], Some(proxy.address())).expect(0, &[]);
    let share = proxy.faults() as f64 / proxy.requests() as f64;
    assert!(share > 0.2, "{share} of {} requests", proxy.requests());
    let quiet = night.again(60);
    quiet.run(&["run"], None).expect(0, &[]);
    for folder in ["checkpoints", "out"] {
        assert_same(
            &without_times(night.objects(folder)),
            &without_times(quiet.objects(folder)),
        );
    }
}

#[test]
fn secrets_appear_nowhere() {
    for kind in [Kind::S3sFs, Kind::Azurite] {
        let Some(night) = Night::on(kind, 60) else {
            continue;
        };
        let secret = night.bucket.secret().to_owned();
        let wrong = "c3BpbGxlZA-marked-0123456789".to_owned();
        let commands: [&[&str]; 8] = [
            &["run"],
            &["plan"],
            &["status"],
            &["explain", "tfidf"],
            &["show", "ingest", "labelled"],
            &["validate"],
            &["run", "--force"],
            &["--help"],
        ];
        let check = |outcome: &Outcome, what: &str| {
            for text in [&outcome.stdout, &outcome.stderr] {
                assert!(!text.contains(&secret), "{what} shows the key");
                assert!(!text.contains(&wrong), "{what} shows the wrong key");
            }
        };
        let mut succeeded = 0;
        for arguments in commands {
            let mut command = night.command(arguments, None);
            command.env("RAYONNAGE_LOG", "trace");
            let outcome = Outcome::of(&mut command);
            succeeded += usize::from(outcome.code == Some(0));
            check(&outcome, &format!("{arguments:?}"));
        }
        assert!(succeeded >= 6, "{succeeded} of the commands succeed");
        let dead = Proxy::start(night.bucket.address(), |_| Some(Fault::Status(403)));
        for arguments in commands {
            let mut command = night.command(arguments, None);
            command
                .env("AWS_SECRET_ACCESS_KEY", &wrong)
                .env("AZURE_STORAGE_ACCOUNT_KEY", &wrong)
                .env("RAYONNAGE_LOG", "trace");
            check(
                &Outcome::of(&mut command),
                &format!("{arguments:?} with a wrong key"),
            );
            let refused = night.run(arguments, Some(dead.address()));
            check(&refused, &format!("{arguments:?} refused"));
        }
        let mut seen = 0;
        for folder in ["checkpoints", "out"] {
            let store = night.store(folder);
            for object in store.list("").unwrap() {
                let bytes = store.get(&object.path).unwrap();
                let holds = |text: &str| {
                    bytes
                        .windows(text.len())
                        .any(|part| part == text.as_bytes())
                };
                assert!(!holds(&secret) && !holds(&wrong), "{}", object.path);
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
        for (path, bytes) in crate::space::objects(&night.machine.path("")) {
            let holds = |text: &str| {
                bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
            };
            assert!(!holds(&secret) && !holds(&wrong), "{path} on the machine");
        }
    }
}
