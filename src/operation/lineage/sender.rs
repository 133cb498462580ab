//! Brings events to where they belong: appended to a file, or posted by a thread of its own.
//!
//! *Invariant*: whoever hands an event over never waits for a receiver, and the end of the run waits for a bounded time. A receiver that
//! is gone costs events, and a warning.

use crate::config::LineageConfig;
use crate::store::{PostClient, PostError, Prospect};
use bytes::Bytes;
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

/// How often an event is posted that failed at once, and the pause before the second time; the third comes after twice that.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// For how long nothing is sent to a receiver that failed.
const REST: Duration = Duration::from_mins(1);

/// Where events go.
#[derive(Debug, Default)]
pub(super) struct Target {
    file: Option<PathBuf>,
    url: Option<String>,
    endpoint: String,
    api_key: Option<String>,
    timeout: Duration,
}

impl Target {
    /// By the configuration, and where that says nothing by the variables that all clients of `OpenLineage` go by.
    pub(super) fn of(config: &LineageConfig, lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let variable = |name| lookup(name).filter(|value| !value.is_empty());
        let given = |text: &String, name| {
            let text = (!text.is_empty()).then(|| text.clone());
            text.or_else(|| variable(name))
        };
        let file = &config.file;
        Self {
            file: (!file.is_empty()).then(|| file.into()),
            url: given(&config.url, "OPENLINEAGE_URL"),
            endpoint: given(&config.endpoint, "OPENLINEAGE_ENDPOINT")
                .unwrap_or_else(|| "api/v1/lineage".to_owned()),
            api_key: variable("OPENLINEAGE_API_KEY"),
            timeout: Duration::from_secs_f64(config.timeout_s),
        }
    }
}

/// Takes events.
#[derive(Debug)]
pub(super) struct Sender {
    file: Option<PathBuf>,
    /// Whether a warning was given: one is enough.
    is_file_broken: bool,
    posting: Option<Posting>,
}

/// The thread that posts.
#[derive(Debug)]
struct Posting {
    queue: std::sync::mpsc::Sender<Letter>,
    done: Receiver<Counts>,
    patience: Duration,
    url: String,
}

/// An event on its way.
struct Letter {
    event: Bytes,
    /// The end of the run: it is worth a try even where the receiver failed a moment ago.
    is_last: bool,
}

/// What became of the events.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    sent: u64,
    lost: u64,
}

impl Sender {
    /// `None` where events go nowhere.
    ///
    /// # Errors
    ///
    /// [`PostError`] for a URL that cannot be posted to.
    pub(super) fn start(target: Target) -> Result<Option<Self>, PostError> {
        let Target {
            file,
            url,
            endpoint,
            api_key,
            timeout,
        } = target;
        if file.is_none() && url.is_none() {
            return Ok(None);
        }
        let client = url.map(|url| PostClient::new(&url, &endpoint, api_key.as_deref(), timeout));
        let posting = client.transpose()?.and_then(|client| {
            let posting = Posting::start(client, timeout);
            let failed = |error| tracing::warn!(%error, "lineage events are not sent");
            posting.map_err(failed).ok()
        });
        Ok(Some(Self {
            file,
            is_file_broken: false,
            posting,
        }))
    }

    pub(super) fn send(&mut self, event: &Value) {
        self.hand_over(event, false);
    }

    /// Sends the event after which no other comes.
    pub(super) fn send_last(&mut self, event: &Value) {
        self.hand_over(event, true);
    }

    fn hand_over(&mut self, event: &Value, is_last: bool) {
        let line = event.to_string();
        if let Some(posting) = &self.posting {
            let event = Bytes::from(line.clone());
            // A thread that has ended is told of at the end.
            let _ = posting.queue.send(Letter { event, is_last });
        }
        if let Some(path) = &self.file
            && let Err(error) = append(path, &(line + "\n"))
            && !self.is_file_broken
        {
            self.is_file_broken = true;
            tracing::warn!(path = %path.display(), %error, "cannot write lineage events");
        }
    }

    /// Waits for what is on its way, for a while.
    pub(super) fn finish(self) {
        let Some(posting) = self.posting else { return };
        drop(posting.queue);
        let url = posting.url;
        match posting.done.recv_timeout(posting.patience) {
            Ok(Counts { sent, lost: 0 }) => tracing::debug!(url, sent, "lineage events were sent"),
            Ok(Counts { sent, lost }) => {
                tracing::warn!(url, sent, lost, "lineage events did not arrive");
            }
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!(
                    url,
                    "lineage events are still on their way, and are given up"
                );
            }
            Err(RecvTimeoutError::Disconnected) => {
                tracing::warn!(url, "the thread that sends lineage events is gone");
            }
        }
    }
}

impl Posting {
    fn start(client: PostClient, timeout: Duration) -> std::io::Result<Self> {
        let (queue, letters) = channel();
        let (finished, done) = sync_channel(1);
        let url = client.url().to_owned();
        let thread = std::thread::Builder::new().name("lineage".to_owned());
        thread.spawn(move || deliver(&client, &letters, &finished))?;
        Ok(Self {
            queue,
            done,
            // What is in the air, then the last event, each with its pauses.
            patience: (timeout + PAUSE * 3) * 2,
            url,
        })
    }
}

/// Posts events in their order until there are no more.
fn deliver(client: &PostClient, letters: &Receiver<Letter>, finished: &SyncSender<Counts>) {
    let mut counts = Counts::default();
    let mut rests_until: Option<Instant> = None;
    for Letter { event, is_last } in letters {
        let rests = rests_until.is_some_and(|until| Instant::now() < until);
        if rests && !is_last {
            counts.lost += 1;
            continue;
        }
        match post(client, &event) {
            Ok(()) => {
                counts.sent += 1;
                rests_until = None;
            }
            Err(error) => {
                counts.lost += 1;
                tracing::warn!(%error, "a lineage event was not taken");
                // An event that is refused says nothing of the next one.
                if error.prospect != Prospect::Never {
                    rests_until = Some(Instant::now() + REST);
                }
            }
        }
    }
    // Whoever waited may have given up.
    let _ = finished.send(counts);
}

fn post(client: &PostClient, event: &Bytes) -> Result<(), PostError> {
    let mut tried = 0;
    loop {
        tried += 1;
        match client.post_json(event.clone()) {
            Err(error) if error.prospect == Prospect::Soon && tried < TRIES => {
                std::thread::sleep(PAUSE * tried);
            }
            other => return other,
        }
    }
}

/// One write a line, so that two runs that append to one file do not mix. A pipe that nobody reads would hold the run up for ever.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo()) {
        return Err(std::io::Error::other("it is a named pipe, not a file"));
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(line.as_bytes())
}
