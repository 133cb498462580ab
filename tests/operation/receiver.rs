//! Lineage events over the wire: what a receiver gets, and that none of its moods costs a run.

use super::rules::faults;
use crate::space::{Outcome, TestSpace};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a receiver does with an event.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Answers(u16),
    /// Takes it, and says nothing.
    Hangs,
}

/// A request as it came.
#[derive(Debug, Clone)]
struct Request {
    path: String,
    content_type: String,
    authorization: Option<String>,
    event: Value,
}

/// Takes events on this machine.
struct Receiver {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// `mood` is that for the n-th request, from 0.
    fn start(mood: impl Fn(usize) -> Mood + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            // Connections that hang stay open as long as this thread.
            let mut hanging = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let Some(request) = read(&stream) else {
                    continue;
                };
                let mut kept = kept.lock().unwrap();
                let mood = mood(kept.len());
                kept.push(request);
                match mood {
                    Mood::Answers(status) => answer(stream, status),
                    Mood::Hangs => hanging.push(stream),
                }
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    assert!(first.starts_with("POST "), "{first}");
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let mut body = vec![0; header("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        path,
        content_type: header("content-type").unwrap_or_default(),
        authorization: header("authorization"),
        event: serde_json::from_slice(&body).unwrap(),
    })
}

fn answer(mut stream: TcpStream, status: u16) {
    let head =
        format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    // The other side may have given up.
    let _ = stream.write_all(head.as_bytes());
}

/// Runs two stages with a receiver; they have to end well.
#[track_caller]
fn run(space: &TestSpace, url: &str, variables: &[(&str, &str)]) -> (Outcome, Duration) {
    let mut command = space.command(&[
        "run",
        "--force",
        "--until",
        "split",
        "--set",
        "lineage.timeout_s=0.5",
    ]);
    command
        .env("OPENLINEAGE_URL", url)
        .envs(variables.iter().copied());
    let started = Instant::now();
    let outcome = Outcome::of(&mut command);
    outcome.expect(0, &[]);
    (outcome, started.elapsed())
}

/// Types of the events of a run of two stages.
const COURSE: [&str; 6] = [
    "START", "START", "COMPLETE", "START", "COMPLETE", "COMPLETE",
];

fn course(requests: &[Request]) -> Vec<&str> {
    let types = requests
        .iter()
        .map(|request| request.event["eventType"].as_str().unwrap());
    types.collect()
}

#[test]
fn a_receiver_gets_every_event_in_order_with_the_key() {
    let space = TestSpace::new();
    let receiver = Receiver::start(|_| Mood::Answers(201));
    let variables = [
        ("OPENLINEAGE_API_KEY", "a-secret-key"),
        ("OPENLINEAGE_NAMESPACE", "nights"),
    ];
    let (outcome, _) = run(&space, &receiver.url(), &variables);
    let requests = receiver.requests();
    assert_eq!(course(&requests), COURSE);
    for request in &requests {
        assert_eq!(faults(&request.event), Vec::<String>::new());
        assert_eq!(request.path, "/api/v1/lineage");
        assert_eq!(request.content_type, "application/json");
        assert_eq!(
            request.authorization.as_deref(),
            Some("Bearer a-secret-key")
        );
        assert_eq!(request.event["job"]["namespace"], "nights");
        assert!(!request.event.to_string().contains("a-secret-key"));
    }
    assert!(!outcome.stderr.contains("WARN"), "{outcome:#?}");
    // Without a key, elsewhere.
    run(
        &space,
        &receiver.url(),
        &[("OPENLINEAGE_ENDPOINT", "events?from=us")],
    );
    let last = receiver.requests().pop().unwrap();
    assert_eq!(
        (last.path.as_str(), last.authorization),
        ("/events?from=us", None)
    );
    // Not at all.
    let before = receiver.requests().len();
    run(&space, &receiver.url(), &[("OPENLINEAGE_DISABLED", "True")]);
    assert_eq!(receiver.requests().len(), before);
}

#[test]
fn an_event_that_fails_once_is_sent_again_and_one_that_is_refused_is_not() {
    let space = TestSpace::new();
    let receiver = Receiver::start(|request| Mood::Answers(if request == 1 { 503 } else { 200 }));
    let (outcome, _) = run(&space, &receiver.url(), &[]);
    let requests = receiver.requests();
    assert_eq!(requests.len(), COURSE.len() + 1);
    assert_eq!(requests[1].event, requests[2].event);
    assert!(!outcome.stderr.contains("WARN"), "{outcome:#?}");
    let receiver = Receiver::start(|request| Mood::Answers(if request == 1 { 422 } else { 200 }));
    let (outcome, _) = run(&space, &receiver.url(), &[]);
    assert_eq!(course(&receiver.requests()), COURSE);
    outcome.expect(
        0,
        &[
            "a lineage event was not taken",
            "it answered 422",
            "sent=5",
            "lost=1",
        ],
    );
}

#[test]
fn receivers_that_fail_hang_or_are_not_there_cost_no_run_and_little_time() {
    let space = TestSpace::new();
    let failing = Receiver::start(|_| Mood::Answers(500));
    let (outcome, _) = run(&space, &failing.url(), &[]);
    outcome.expect(
        0,
        &["it answered 500", "lineage events did not arrive", "lost=6"],
    );
    // The first event three times; then it rests, until the last one.
    let requests = failing.requests();
    assert_eq!(
        course(&requests),
        [
            "START", "START", "START", "COMPLETE", "COMPLETE", "COMPLETE"
        ]
    );

    let hanging = Receiver::start(|_| Mood::Hangs);
    let (outcome, elapsed) = run(&space, &hanging.url(), &[]);
    outcome.expect(0, &["no answer in time", "lost=6"]);
    assert_eq!(course(&hanging.requests()), ["START", "COMPLETE"]);
    assert!(elapsed < Duration::from_mins(1), "{elapsed:?}");

    // A port that nobody listens at any more.
    let gone = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let (outcome, _) = run(
        &space,
        &format!("http://{gone}"),
        &[("OPENLINEAGE_API_KEY", "a-secret-key")],
    );
    outcome.expect(0, &["cannot post to http://127.0.0.1", "efused", "lost=6"]);
    assert!(!outcome.stderr.contains("a-secret-key"));

    for bad in ["ftp://host", "http://me:word@host", "nonsense"] {
        let (outcome, _) = run(&space, bad, &[]);
        outcome.expect(0, &["lineage events are not sent"]);
        assert!(!outcome.stderr.contains("word"), "{outcome:#?}");
    }
    space
        .rayonnage(&["run", "--set", "lineage.url=host:5000"])
        .expect(10, &["lineage.url: must begin with http:// or https://"]);
}
