//! The proxy itself: every fault as a raw client sees it, and whether the server did the work.

use super::http::{Framing, Head, pass_body};
use super::proxy::{Fault, Proxy, Request, share_of_requests};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const BODY: usize = 100_000;

/// A server of a few paths, which writes down whole requests: head and body.
struct Upstream {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    crowd: Arc<Crowd>,
}

/// How many requests for `/slow` are served at once.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Upstream {
    fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = Arc::clone(&requests);
        let crowd: Arc<Crowd> = Arc::default();
        let counted = Arc::clone(&crowd);
        // Ends with the tests' process.
        thread::spawn(move || {
            for client in socket.incoming() {
                let (written, counted) = (Arc::clone(&written), Arc::clone(&counted));
                thread::spawn(move || serve(&client.unwrap(), &written, &counted));
            }
        });
        Self {
            address,
            requests,
            crowd,
        }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut client: &TcpStream, written: &Mutex<Vec<String>>, crowd: &Crowd) {
    let mut from = BufReader::new(client);
    while let Ok(Some(head)) = Head::read(&mut from) {
        if head.says("expect", "100-continue") {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let mut request = head.bytes();
        if pass_body(head.request_framing(), &mut from, &mut request).is_err() {
            return;
        }
        written
            .lock()
            .unwrap()
            .push(String::from_utf8(request).unwrap());
        if head.word(1) == "/slow" {
            let now = crowd.now.fetch_add(1, Ordering::SeqCst) + 1;
            crowd.most.fetch_max(now, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
            crowd.now.fetch_sub(1, Ordering::SeqCst);
        }
        let body = "b".repeat(BODY);
        let answer = match head.word(1) {
            "/chunks" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\ntrailer: t\r\n\r\n".to_owned(),
            "/to-the-end" => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}"),
            "/none" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            "/unchanged" => format!("HTTP/1.1 304 Not Modified\r\ncontent-length: {BODY}\r\n\r\n"),
            _ if head.word(0) == "HEAD" => format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n"),
            _ => format!("HTTP/1.1 200 OK\r\nETag: \"e\"\r\ncontent-length: {BODY}\r\n\r\n{body}"),
        };
        client.write_all(answer.as_bytes()).unwrap();
        if head.says("connection", "close") || head.word(1) == "/to-the-end" {
            return;
        }
    }
}

/// What came back before the connection ended.
fn raw(address: SocketAddr, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..read]);
    }
    answer
}

fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    raw(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nconnection: close\r\n\r\n"),
    )
}

/// The length of the head with the empty line, and of the body.
fn lengths(answer: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(answer);
    let head = text.find("\r\n\r\n").map_or(answer.len(), |end| end + 4);
    (head, answer.len() - head)
}

/// A proxy with one fault for all.
fn with(upstream: &Upstream, fault: Fault) -> Proxy {
    Proxy::start(upstream.address, move |_| Some(fault))
}

#[test]
fn without_faults_requests_and_answers_pass_unchanged() {
    let upstream = Upstream::start();
    let proxy = Proxy::start(upstream.address, |_| None);
    let put = "PUT /o/a?x=%2F HTTP/1.1\r\nHoSt: bucket.test:1\r\nX-Odd:  two  spaces \r\nconnection: close\r\n";
    let length = format!("{put}content-length: 5\r\n\r\nhello");
    let chunks =
        format!("{put}Transfer-Encoding: chunked\r\n\r\n3;s=1\r\nabc\r\n0\r\nx-trailer: 1\r\n\r\n");
    assert_eq!(
        raw(proxy.address(), &length),
        raw(upstream.address, &length)
    );
    assert_eq!(
        raw(proxy.address(), &chunks),
        raw(upstream.address, &chunks)
    );
    for path in ["/length", "/chunks", "/to-the-end", "/none", "/unchanged"] {
        assert_eq!(
            get(proxy.address(), path),
            get(upstream.address, path).as_slice(),
            "{path}"
        );
    }
    let head = "HEAD /length HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    assert_eq!(lengths(&raw(proxy.address(), head)).1, 0);
    let seen = upstream.requests();
    assert_eq!((&seen[0], &seen[2]), (&length, &chunks));
    assert_eq!((&seen[1], &seen[3]), (&length, &chunks));
    let log = proxy.log();
    assert_eq!(
        (log[0].method.as_str(), log[0].path.as_str(), log[0].status),
        ("PUT", "/o/a?x=%2F", Some(200))
    );
    assert_eq!((log.len(), proxy.requests(), proxy.faults()), (8, 8, 0));
}

#[test]
fn one_connection_serves_many_requests_and_continues_what_expects_it() {
    let upstream = Upstream::start();
    let proxy = Proxy::start(upstream.address, |request| {
        (request.index == 1).then_some(Fault::Status(503))
    });
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut from = BufReader::new(stream.try_clone().unwrap());
    let mut ask = |request: &str, body: &str| {
        stream.write_all(request.as_bytes()).unwrap();
        if !body.is_empty() {
            assert_eq!(Head::read(&mut from).unwrap().unwrap().status(), 100);
            stream.write_all(body.as_bytes()).unwrap();
        }
        let head = Head::read(&mut from).unwrap().unwrap();
        let mut answer = Vec::new();
        pass_body(
            head.answer_framing(request.split(' ').next().unwrap()),
            &mut from,
            &mut answer,
        )
        .unwrap();
        (head.status(), answer.len())
    };
    let expecting =
        "PUT /length HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    assert_eq!(ask(expecting, "body"), (200, BODY));
    assert_eq!(ask(expecting, "lost"), (503, 0));
    assert_eq!(
        ask("HEAD /length HTTP/1.1\r\nhost: h\r\n\r\n", ""),
        (200, 0)
    );
    assert_eq!(ask("GET /none HTTP/1.1\r\nhost: h\r\n\r\n", ""), (204, 0));
    assert_eq!(
        ask("GET /length HTTP/1.1\r\nhost: h\r\n\r\n", ""),
        (200, BODY)
    );
    assert_eq!(upstream.requests()[0], format!("{expecting}body"));
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn a_dropped_request_never_reaches_the_server() {
    let upstream = Upstream::start();
    let proxy = with(&upstream, Fault::Drop);
    assert_eq!(get(proxy.address(), "/length"), b"");
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(
        (proxy.log()[0].fault, proxy.log()[0].status),
        (Some(Fault::Drop), None)
    );
}

#[test]
fn a_lost_answer_is_that_of_a_request_which_the_server_has_served() {
    let upstream = Upstream::start();
    let proxy = with(&upstream, Fault::AnswerLost);
    let put = "PUT /length HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(raw(proxy.address(), put), b"");
    assert_eq!(upstream.requests(), [put]);
    assert_eq!(proxy.log()[0].status, Some(200));
}

#[test]
fn a_delay_delays_and_no_more() {
    let upstream = Upstream::start();
    let delay = Duration::from_millis(300);
    let proxy = with(&upstream, Fault::Delay(delay));
    let begun = Instant::now();
    assert_eq!(
        get(proxy.address(), "/length"),
        get(upstream.address, "/length")
    );
    assert!(begun.elapsed() >= delay);
}

#[test]
fn an_injected_status_answers_for_the_server() {
    let upstream = Upstream::start();
    let proxy = with(&upstream, Fault::Status(500));
    let answer = get(proxy.address(), "/length");
    assert!(answer.starts_with(b"HTTP/1.1 500 "), "{answer:?}");
    assert_eq!(lengths(&answer).1, 0);
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_truncated_answer_declares_more_than_it_holds() {
    let upstream = Upstream::start();
    let proxy = with(&upstream, Fault::Truncate);
    for path in ["/length", "/to-the-end"] {
        let answer = get(proxy.address(), path);
        assert_eq!(lengths(&answer).1, BODY / 2, "{path}");
        let head = Head::read(&mut &answer[..]).unwrap().unwrap();
        assert_eq!(
            head.answer_framing("GET"),
            Framing::Length(BODY as u64),
            "{path}"
        );
    }
    // Where there is nothing to halve but the head.
    let whole = get(upstream.address, "/none");
    assert_eq!(get(proxy.address(), "/none"), whole[..whole.len() / 2]);
    // Chunks without the last.
    let answer = get(proxy.address(), "/chunks");
    assert!(
        lengths(&answer).1 > 0 && !answer.ends_with(b"\r\n\r\n"),
        "{answer:?}"
    );
    assert_eq!(proxy.faults(), 4);
}

#[test]
fn an_answer_ends_after_so_many_bytes() {
    let upstream = Upstream::start();
    let whole = get(upstream.address, "/length");
    for bytes in [1, 20, 50_000, whole.len()] {
        let proxy = with(&upstream, Fault::ResetAfter(bytes));
        assert_eq!(get(proxy.address(), "/length"), whole[..bytes]);
        assert_eq!(proxy.log()[0].status, Some(200));
    }
}

#[test]
fn a_share_of_faults_is_the_same_for_a_seed_and_lets_who_tries_again_through() {
    let upstream = Upstream::start();
    let faults = [Fault::Status(500), Fault::Status(503)];
    let statuses = |seed, share, most, paths: &[usize]| {
        let proxy = Proxy::start(
            upstream.address,
            share_of_requests(seed, share, most, &faults),
        );
        let statuses = paths.iter().map(|path| {
            let answer = get(proxy.address(), &format!("/chunks?{path}"));
            Head::read(&mut &answer[..]).unwrap().unwrap().status()
        });
        statuses.collect::<Vec<_>>()
    };
    let paths: Vec<usize> = (0..300).collect();
    let first = statuses(7, 0.3, 2, &paths);
    let count = |status| first.iter().filter(|found| **found == status).count();
    assert!((60..=120).contains(&(count(500) + count(503))), "{first:?}");
    assert!(count(500) > 20 && count(503) > 20, "{first:?}");
    assert_ne!(first, statuses(8, 0.3, 2, &paths));
    let backwards: Vec<usize> = paths.iter().rev().copied().collect();
    let mut second = statuses(7, 0.3, 2, &backwards);
    second.reverse();
    assert_eq!(first, second);
    // With a fault for everything, each third request of a path gets through.
    let refused: Vec<bool> = statuses(7, 1.0, 2, &[5; 9])
        .iter()
        .map(|status| *status != 200)
        .collect();
    assert_eq!(refused, [true, true, false].repeat(3));
}

#[test]
fn the_faults_see_headers_and_paths_of_the_requests() {
    let upstream = Upstream::start();
    let choose = |request: &Request| {
        (request.header("RANGE") == Some("bytes=0-1") && request.path.starts_with("/length"))
            .then_some(Fault::Status(418))
    };
    let proxy = Proxy::start(upstream.address, choose);
    let ranged = raw(
        proxy.address(),
        "GET /length?a=b HTTP/1.1\r\nrange: bytes=0-1\r\nconnection: close\r\n\r\n",
    );
    assert!(ranged.starts_with(b"HTTP/1.1 418"), "{ranged:?}");
    assert!(get(proxy.address(), "/length").starts_with(b"HTTP/1.1 200"));
    assert_eq!(proxy.faults(), 1);
}

#[test]
fn a_proxy_that_was_dropped_accepts_nobody() {
    let upstream = Upstream::start();
    let proxy = Proxy::start(upstream.address, |_| None);
    let address = proxy.address();
    assert!(get(address, "/length").starts_with(b"HTTP/1.1 200"));
    drop(proxy);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_serial_proxy_lets_one_change_through_at_a_time_and_any_reads() {
    let most = |method: &str, proxy: fn(&Upstream) -> Proxy| {
        let upstream = Upstream::start();
        let proxy = proxy(&upstream);
        thread::scope(|scope| {
            for _ in 0..8 {
                let request = format!("{method} /slow HTTP/1.1\r\nconnection: close\r\n\r\n");
                let address = proxy.address();
                scope.spawn(move || assert!(raw(address, &request).starts_with(b"HTTP/1.1 200")));
            }
        });
        upstream.crowd.most.load(Ordering::SeqCst)
    };
    let serial: fn(&Upstream) -> Proxy = |upstream| Proxy::serial(upstream.address, |_| None);
    let other: fn(&Upstream) -> Proxy = |upstream| Proxy::start(upstream.address, |_| None);
    assert_eq!(most("PUT", serial), 1);
    assert_eq!(most("DELETE", serial), 1);
    assert!(most("GET", serial) > 1);
    assert!(most("PUT", other) > 1);
}
