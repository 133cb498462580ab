//! A lock in a bucket: an object that its holder writes again and again, so that a dead holder shows.
//!
//! It is created only where there is none, and every later write goes by the version that was read: of two that take it at the
//! same time one fails. A lock whose last write is older than its time-out, by the store's own clock, is taken over. Whoever
//! finds a younger one waits until it is written again (its holder lives) or is too old.

use super::conditions::{SCRATCH_FOLDER, nonce};
use super::{SharedStore, StoreError, Version};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How often a lock is written within its time-out.
const BEATS: u32 = 4;

/// Times of a lock.
#[derive(Debug, Clone)]
pub(super) struct LeaseOptions {
    /// How long its holder may be silent.
    pub(super) timeout: Duration,
    /// How often those who wait look.
    pub(super) poll: Duration,
}

impl LeaseOptions {
    pub(super) fn of(timeout: Duration) -> Self {
        Self {
            timeout,
            poll: (timeout / (2 * BEATS)).max(Duration::from_millis(20)),
        }
    }
}

/// What the lock object says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claim {
    owner: String,
    /// Name of its machine.
    #[serde(default)]
    host: String,
    /// When it took the lock, by its own clock: RFC 3339.
    #[serde(default)]
    since: String,
    /// Tells this holding from every other.
    nonce: String,
    /// Counts the writes, so that no two are equal.
    beat: u64,
    timeout_s: f64,
    #[serde(default)]
    is_released: bool,
}

impl Claim {
    /// A first claim of this process.
    fn new(owner: &str, timeout: Duration) -> Self {
        Self {
            owner: owner.to_owned(),
            host: host(),
            since: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            nonce: nonce(),
            beat: 0,
            timeout_s: timeout.as_secs_f64(),
            is_released: false,
        }
    }

    /// Who holds it, for people.
    fn holder(&self) -> String {
        let mut text = self.owner.clone();
        for (word, value) in [(" on ", &self.host), (" since ", &self.since)] {
            if !value.is_empty() {
                text = format!("{text}{word}{value}");
            }
        }
        text
    }

    fn json(&self) -> Bytes {
        Bytes::from(serde_json::to_vec_pretty(self).unwrap_or_default())
    }
}

/// The name of this machine, where the system tells it.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// A lock that is held; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    held: Arc<Held>,
    heart: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Held {
    store: SharedStore,
    path: String,
    timeout: Duration,
    state: Mutex<State>,
    stop: Condvar,
}

#[derive(Debug)]
struct State {
    claim: Claim,
    version: Version,
    beaten: Instant,
    lost: Option<String>,
    is_stopping: bool,
}

impl Lease {
    /// Takes the lock, waiting only to learn whether a holder lives.
    pub(super) fn acquire(
        store: SharedStore,
        path: &str,
        owner: &str,
        options: &LeaseOptions,
    ) -> Result<Self, StoreError> {
        let claim = Claim::new(owner, options.timeout);
        let version = claim_it(&store, path, &claim, options)?;
        let held = Arc::new(Held {
            store,
            path: path.to_owned(),
            timeout: options.timeout,
            state: Mutex::new(State {
                claim,
                version,
                beaten: Instant::now(),
                lost: None,
                is_stopping: false,
            }),
            stop: Condvar::new(),
        });
        let beating = Arc::clone(&held);
        let pause = options.timeout / BEATS;
        let heart = std::thread::Builder::new()
            .name("lock".to_owned())
            .spawn(move || beating.keep_alive(pause));
        match heart {
            Ok(heart) => Ok(Self {
                held,
                heart: Some(heart),
            }),
            Err(source) => Err(StoreError::Io {
                operation: "keep the lock",
                url: held.url(),
                source,
            }),
        }
    }

    /// Makes sure that the lock is still held, by writing it once more.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let mut state = self
            .held
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.held.beat(&mut state);
        if state.lost.is_none() && state.beaten.elapsed() > self.held.timeout {
            state.lost = Some("it could not be renewed in time".to_owned());
        }
        match &state.lost {
            None => Ok(()),
            Some(reason) => Err(StoreError::LockLost {
                url: self.held.url(),
                reason: reason.clone(),
            }),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        {
            let mut state = self
                .held
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            state.is_stopping = true;
        }
        self.held.stop.notify_all();
        if let Some(heart) = self.heart.take() {
            // A thread that panicked has nothing left to stop.
            drop(heart.join());
        }
        let mut state = self
            .held
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if state.lost.is_none() {
            state.claim.is_released = true;
            self.held.beat(&mut state);
        }
    }
}

impl Held {
    fn url(&self) -> String {
        format!("{}/{}", self.store.url(), self.path)
    }

    fn keep_alive(&self, pause: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let waited = self.stop.wait_timeout(state, pause);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.is_stopping || state.lost.is_some() {
                return;
            }
            self.beat(&mut state);
        }
    }

    /// The version of the lock object where it is a beat of this holding.
    fn own_version(&self, state: &State) -> Option<Version> {
        let (bytes, version) = self.store.get_versioned(&self.path).ok()??;
        let found: Claim = serde_json::from_slice(&bytes).ok()?;
        (found.nonce == state.claim.nonce).then_some(version)
    }

    /// Writes the lock once more.
    fn beat(&self, state: &mut State) {
        if state.lost.is_some() {
            return;
        }
        state.claim.beat += 1;
        let json = state.claim.json();
        match self
            .store
            .replace_if(&self.path, json, Some(&state.version))
        {
            Ok(version) => {
                state.version = version;
                state.beaten = Instant::now();
            }
            Err(StoreError::Changed { .. }) => match self.own_version(state) {
                // An earlier beat whose answer was lost: the next one goes by it.
                Some(version) => state.version = version,
                None => state.lost = Some("somebody else took it over".to_owned()),
            },
            // Nobody takes it over before its time-out; until then the store may come back.
            Err(error) if state.beaten.elapsed() < self.timeout => {
                tracing::warn!(lock = self.path, %error, "cannot renew the lock; trying again");
            }
            Err(error) => state.lost = Some(format!("it could not be renewed in time ({error})")),
        }
    }
}

/// Writes the claim where the lock is free, given back, or of a dead holder.
fn claim_it(
    store: &SharedStore,
    path: &str,
    claim: &Claim,
    options: &LeaseOptions,
) -> Result<Version, StoreError> {
    let mut first_seen: Option<Version> = None;
    loop {
        let found = store.get_versioned(path)?;
        let holder = found
            .as_ref()
            .and_then(|(bytes, _)| serde_json::from_slice::<Claim>(bytes).ok());
        let version = found.as_ref().map(|(_, version)| version);
        let locked = |owner: &Claim| StoreError::Locked {
            url: format!("{}/{path}", store.url()),
            owner: owner.holder(),
        };
        if let Some(holder) = &holder {
            let has_changed = first_seen
                .as_ref()
                .is_some_and(|seen| Some(seen) != version);
            if has_changed {
                return Err(locked(holder));
            }
            if !holder.is_released {
                let timeout = Duration::try_from_secs_f64(holder.timeout_s);
                let timeout = timeout.unwrap_or(options.timeout);
                let silence = silence(store, path)?;
                if silence <= timeout {
                    if first_seen.is_none() {
                        say_that_it_waits(store, path, holder, timeout.saturating_sub(silence));
                    }
                    first_seen = version.cloned();
                    std::thread::sleep(options.poll);
                    continue;
                }
                tracing::warn!(
                    owner = holder.holder(),
                    "takes over a lock whose holder is silent"
                );
            }
        }
        // Free, given back, damaged or of a dead holder.
        match store.replace_if(path, claim.json(), version) {
            // Somebody else was quicker; the next look tells who.
            Err(StoreError::Changed { .. }) => first_seen = first_seen.or(version.cloned()),
            other => return other,
        }
    }
}

/// Says, once, who holds the lock, and when it is taken over unless its holder shows that it lives.
fn say_that_it_waits(store: &SharedStore, path: &str, holder: &Claim, left: Duration) {
    let until: DateTime<Utc> = (SystemTime::now() + left).into();
    tracing::warn!(
        lock = format!("{}/{path}", store.url()),
        owner = holder.holder(),
        takeover_in_s = left.as_secs() + 1,
        takeover_at = until.to_rfc3339_opts(SecondsFormat::Secs, true),
        "somebody holds the lock; waiting to see whether they live, and taking it over if not"
    );
}

/// How long ago the lock was written, by the store's clock.
fn silence(store: &SharedStore, path: &str) -> Result<Duration, StoreError> {
    let clock = format!("{SCRATCH_FOLDER}/clock-{}", nonce());
    store.replace(&clock, Bytes::new())?;
    let now = store.head(&clock)?;
    store.delete(&clock)?;
    let written = store.head(path)?;
    let nanoseconds = match (now, written) {
        (Some(now), Some(written)) => now.modified_ns - written.modified_ns,
        _ => 0,
    };
    Ok(Duration::from_nanos(
        u64::try_from(nanoseconds).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{BucketOptions, BucketStore, RECORD_FILE};

    const TIMEOUT: Duration = Duration::from_millis(400);

    fn bucket() -> SharedStore {
        Arc::new(BucketStore::in_memory(BucketOptions::default()))
    }

    fn take(store: &SharedStore, owner: &str) -> Result<Lease, StoreError> {
        Lease::acquire(
            Arc::clone(store),
            "_lock",
            owner,
            &LeaseOptions::of(TIMEOUT),
        )
    }

    /// What a holder that was killed leaves.
    fn leave_behind(store: &SharedStore, owner: &str) {
        let claim = Claim {
            beat: 3,
            ..Claim::new(owner, TIMEOUT)
        };
        store.replace("_lock", claim.json()).unwrap();
    }

    #[test]
    fn a_live_holder_keeps_others_out_and_a_lock_given_back_is_free() {
        let store = bucket();
        let first = take(&store, "one").unwrap();
        match take(&store, "two") {
            Err(StoreError::Locked { owner, .. }) => {
                assert!(owner.starts_with("one on "), "{owner}");
                assert!(
                    owner.contains(" since 2") && owner.ends_with('Z'),
                    "{owner}"
                );
            }
            other => panic!("{other:?}"),
        }
        // Longer than the time-out: the heart beats on.
        std::thread::sleep(TIMEOUT * 2);
        first.check().unwrap();
        drop(first);
        take(&store, "two").unwrap().check().unwrap();
    }

    #[test]
    fn the_lock_of_a_dead_holder_is_taken_over_after_its_time_out() {
        let store = bucket();
        leave_behind(&store, "dead");
        let started = Instant::now();
        let lease = take(&store, "next").unwrap();
        assert!(started.elapsed() >= TIMEOUT, "{:?}", started.elapsed());
        lease.check().unwrap();
        let names: Vec<String> = store
            .list("")
            .unwrap()
            .into_iter()
            .map(|o| o.path)
            .collect();
        assert_eq!(names, ["_lock", RECORD_FILE], "no clock is left");
    }

    /// The lines that are logged on this thread meanwhile.
    fn logged(log: impl FnOnce()) -> Vec<String> {
        #[derive(Clone, Default)]
        struct Memory(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Memory {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn who_waits_says_so_once_and_for_whom() {
        let store = bucket();
        leave_behind(&store, "run 7 (process 42)");
        let lines = logged(|| drop(take(&store, "next").unwrap()));
        let waits: Vec<&String> = lines
            .iter()
            .filter(|line| line.contains("somebody holds the lock"))
            .collect();
        assert_eq!(waits.len(), 1, "{lines:#?}");
        let holder = format!("run 7 (process 42) on {} since 2", host());
        for part in [holder.as_str(), "takeover_in_s=1", "takeover_at="] {
            assert!(waits[0].contains(part), "{part}: {waits:?}");
        }
        assert!(!host().is_empty());
        assert!(
            lines.last().unwrap().contains("takes over a lock"),
            "{lines:#?}"
        );
        let free = logged(|| drop(take(&store, "another").unwrap()));
        assert!(free.is_empty(), "{free:?}");
    }

    #[test]
    fn locks_of_older_versions_are_understood() {
        let old = r#"{"owner": "run 7", "nonce": "n", "beat": 1, "timeout_s": 60.0}"#;
        let claim: Claim = serde_json::from_str(old).unwrap();
        assert_eq!(claim.holder(), "run 7");
    }

    #[test]
    fn of_several_that_wait_for_a_dead_holder_one_wins() {
        let store = bucket();
        leave_behind(&store, "dead");
        let results: Vec<_> = std::thread::scope(|scope| {
            let taking: Vec<_> = (0..4)
                .map(|index| {
                    let store = &store;
                    scope.spawn(move || take(store, &format!("number {index}")))
                })
                .collect();
            taking
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for result in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(result, StoreError::Locked { .. }), "{result}");
        }
    }

    #[test]
    fn a_beat_whose_answer_was_lost_is_its_holders_own() {
        let store = bucket();
        let lease = take(&store, "one").unwrap();
        let mut claim: Claim = serde_json::from_slice(&store.get("_lock").unwrap()).unwrap();
        claim.beat += 100;
        store.replace("_lock", claim.json()).unwrap();
        lease.check().unwrap();
        lease.check().unwrap();
        drop(lease);
        take(&store, "two").unwrap();
    }

    #[test]
    fn a_holder_that_was_taken_for_dead_learns_it() {
        let store = bucket();
        let first = take(&store, "one").unwrap();
        leave_behind(&store, "thief");
        assert!(matches!(first.check(), Err(StoreError::LockLost { .. })));
        drop(first);
        let left = store.get("_lock").unwrap();
        assert!(
            String::from_utf8_lossy(&left).contains("thief"),
            "not given back by the wrong one"
        );
    }
}
