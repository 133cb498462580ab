//! A proxy that injects faults, in front of a server that speaks plain HTTP/1.1.
//!
//! Invariant: what it passes on, it passes on unchanged, the `Host` header included, so signatures over a request stay valid. What
//! reached the server is known: a fault is either *before* it (nothing was forwarded) or *after* it (the whole request was, and the
//! server's whole answer has been read).
//!
//! One thread for each connection of a client. Each request has an upstream connection of its own, so that no fault of one shows in
//! another.

use super::http::{Framing, Head, pass_body};
use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Longest silence of a connection before it is given up: no thread waits forever.
const LONGEST_SILENCE: Duration = Duration::from_mins(2);

/// What is done to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing is forwarded; the connection is closed without an answer.
    Drop,
    /// The server does the work; the connection is closed without its answer.
    AnswerLost,
    /// Forwarded, and answered, so much later.
    Delay(Duration),
    /// Answered with this status and an empty body; nothing is forwarded. For 500 and more, clients try again.
    Status(u16),
    /// The server does the work; its answer declares the whole length, and ends in the middle of the body.
    Truncate,
    /// The server does the work; the connection is closed after so many bytes of its answer, head included.
    ResetAfter(usize),
}

/// A request as the proxy sees it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Requests before this one, of all connections.
    pub index: usize,
    /// The method, in capitals.
    pub method: String,
    /// The path with its query, as it was sent.
    pub path: String,
    head: Head,
}

impl Request {
    /// The value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }
}

/// One request of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The method, in capitals.
    pub method: String,
    /// The path with its query, as it was sent.
    pub path: String,
    /// What was done to it.
    pub fault: Option<Fault>,
    /// The server's status; `None` where nothing was forwarded, or while the server has not answered.
    pub status: Option<u16>,
}

type Faults = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

/// A proxy that runs until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    upstream: SocketAddr,
    faults: Box<Faults>,
    /// Held while a request that changes something is served; `None` where they may overlap.
    turn: Option<Mutex<()>>,
    stopped: AtomicBool,
    log: Mutex<Vec<Logged>>,
}

impl Proxy {
    /// Starts a proxy on a free port of loopback. `faults` is asked once for each request, in no fixed order where clients send
    /// several at once.
    ///
    /// # Panics
    ///
    /// Where no port can be had.
    pub fn start(
        upstream: SocketAddr,
        faults: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self::launch(upstream, Box::new(faults), None)
    }

    /// As [`Proxy::start`], but requests that may change something go to the server one after another: s3s-fs checks the condition
    /// of a put and then writes, and in between another put passes the same check.
    ///
    /// # Panics
    ///
    /// Where no port can be had.
    pub fn serial(
        upstream: SocketAddr,
        faults: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self::launch(upstream, Box::new(faults), Some(Mutex::default()))
    }

    fn launch(upstream: SocketAddr, faults: Box<Faults>, turn: Option<Mutex<()>>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            faults,
            turn,
            stopped: AtomicBool::new(false),
            log: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let listener = thread::spawn(move || {
            for client in socket.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                let shared = Arc::clone(&accepting);
                // An error is the client's, or the server's, who sees it too.
                thread::spawn(move || drop(shared.serve(&client)));
            }
        });
        Self {
            address,
            shared,
            listener: Some(listener),
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests so far, in the order of their index.
    pub fn log(&self) -> Vec<Logged> {
        self.shared.log().clone()
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.shared.log().len()
    }

    /// How many requests met a fault.
    pub fn faults(&self) -> usize {
        self.shared
            .log()
            .iter()
            .filter(|logged| logged.fault.is_some())
            .count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener; those who are connected already end with their clients.
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Whether the connection serves another request.
enum After {
    Keep,
    Close,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Vec<Logged>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one client.
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        client.set_read_timeout(Some(LONGEST_SILENCE))?;
        client.set_write_timeout(Some(LONGEST_SILENCE))?;
        let mut from_client = BufReader::new(client);
        while let Some(head) = Head::read(&mut from_client)? {
            if self.stopped.load(Ordering::SeqCst) {
                break;
            }
            let (request, fault) = self.take_in(head);
            if matches!(
                self.answer(&request, fault, &mut from_client, client)?,
                After::Close
            ) {
                break;
            }
        }
        client.shutdown(Shutdown::Both)
    }

    /// Numbers a request, asks for its fault, and writes both down.
    fn take_in(&self, head: Head) -> (Request, Option<Fault>) {
        let mut log = self.log();
        let request = Request {
            index: log.len(),
            method: head.word(0).to_owned(),
            path: head.word(1).to_owned(),
            head,
        };
        log.push(Logged {
            method: request.method.clone(),
            path: request.path.clone(),
            fault: None,
            status: None,
        });
        // Not held while the test's own code runs.
        drop(log);
        let fault = (self.faults)(&request);
        self.log()[request.index].fault = fault;
        (request, fault)
    }

    fn answer(
        &self,
        request: &Request,
        fault: Option<Fault>,
        from_client: &mut BufReader<&TcpStream>,
        mut client: &TcpStream,
    ) -> io::Result<After> {
        if fault == Some(Fault::Drop) {
            return Ok(After::Close);
        }
        if request.head.says("expect", "100-continue") {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match fault {
            Some(Fault::Status(status)) => {
                // Read first: a client that still sends its body may not look at an answer.
                pass_body(request.head.request_framing(), from_client, &mut io::sink())?;
                write!(
                    client,
                    "HTTP/1.1 {status} Injected\r\ncontent-length: 0\r\n\r\n"
                )?;
                return Ok(After::of(&[&request.head]));
            }
            Some(Fault::Delay(delay)) => thread::sleep(delay),
            _ => {}
        }
        let changes = !matches!(request.method.as_str(), "GET" | "HEAD");
        let turn = self.turn.as_ref().filter(|_| changes);
        let _turn = turn.map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        let server = connect(self.upstream)?;
        let whole = forward(&request.head, from_client, &server)?;
        let mut from_server = BufReader::new(&server);
        let mut head = final_head(&mut from_server)?;
        self.log()[request.index].status = Some(head.status());
        let framing = head.answer_framing(&request.method);
        if matches!(fault, None | Some(Fault::Delay(_))) {
            client.write_all(&head.bytes())?;
            pass_body(framing, &mut from_server, &mut client)?;
            return Ok(if whole && framing != Framing::Close {
                After::of(&[&request.head, &head])
            } else {
                After::Close
            });
        }
        // Read whole before any of it is passed on: the server has done its work, whatever the client sees.
        let mut body = Vec::new();
        pass_body(framing, &mut from_server, &mut body)?;
        if framing == Framing::Close {
            // Otherwise the client could not tell half of it from all of it.
            head.declare_length(body.len());
        }
        let answer = [head.bytes(), body.clone()].concat();
        let passed = match fault {
            // Where there is no body to halve, the head is.
            Some(Fault::Truncate) if body.len() < 2 => answer.len() / 2,
            Some(Fault::Truncate) => answer.len() - body.len() / 2,
            Some(Fault::ResetAfter(bytes)) => bytes.min(answer.len()),
            _ => 0,
        };
        client.write_all(&answer[..passed])?;
        Ok(After::Close)
    }
}

impl After {
    /// Whether all of these heads allow another request.
    fn of(heads: &[&Head]) -> Self {
        let old = |head: &Head| head.word(0) == "HTTP/1.0" || head.word(2) == "HTTP/1.0";
        let closes = heads
            .iter()
            .any(|head| head.says("connection", "close") || old(head));
        if closes { Self::Close } else { Self::Keep }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LONGEST_SILENCE))?;
    stream.set_write_timeout(Some(LONGEST_SILENCE))?;
    Ok(stream)
}

/// Forwards a request; `false` where the server hung up before it had all of the body, which it may do once it has answered.
fn forward(
    head: &Head,
    from_client: &mut BufReader<&TcpStream>,
    mut server: &TcpStream,
) -> io::Result<bool> {
    server.write_all(&head.bytes())?;
    match pass_body(head.request_framing(), from_client, &mut server) {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The head of the answer, after those that only ask for more: the client was told so by the proxy.
fn final_head(from_server: &mut BufReader<&TcpStream>) -> io::Result<Head> {
    loop {
        let head = Head::read(from_server)?;
        let head = head.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"))?;
        if head.status() >= 200 {
            return Ok(head);
        }
    }
}

/// Faults of these kinds for a share of the requests: the same for the same seed, whatever the order in which requests come, since it
/// depends on method, path, and how often this path was asked for before.
///
/// After `most_in_a_row` faults of one method and path, the next such request meets none: a client that tries again one time
/// more than that gets through.
pub fn share_of_requests(
    seed: u64,
    share: f64,
    most_in_a_row: usize,
    faults: &[Fault],
) -> impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static {
    #[derive(Default)]
    struct History {
        times: u64,
        in_a_row: usize,
    }
    assert!(!faults.is_empty());
    let faults = faults.to_vec();
    let paths: Mutex<HashMap<(String, String), History>> = Mutex::default();
    move |request| {
        let mut paths = paths.lock().unwrap_or_else(PoisonError::into_inner);
        let history = paths
            .entry((request.method.clone(), request.path.clone()))
            .or_default();
        history.times += 1;
        let mut hash = mix(seed ^ mix(history.times));
        for byte in request.method.bytes().chain(request.path.bytes()) {
            hash = mix(hash ^ u64::from(byte));
        }
        let unit = (hash >> 11) as f64 / (1_u64 << 53) as f64;
        if unit >= share || history.in_a_row >= most_in_a_row {
            history.in_a_row = 0;
            return None;
        }
        history.in_a_row += 1;
        Some(faults[(mix(hash) % faults.len() as u64) as usize])
    }
}

/// The finalizer of `SplitMix64`.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
