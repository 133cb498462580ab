//! Errors of stores; each names the URL it is about.

use thiserror::Error;

/// What went wrong in an object store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The URL cannot be used as a store.
    #[error("cannot open {url:?} as a store: {reason}")]
    Url {
        /// The URL or path as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable of the environment cannot be used.
    #[error("{name} {reason}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong with it, without what may be secret.
        reason: String,
    },
    /// Nobody is where the store should be.
    #[error("cannot reach {server}, where {url} should be, for {waited_s} s: {detail}")]
    Unreachable {
        /// The object.
        url: String,
        /// The server, without credentials.
        server: String,
        /// How long it was tried.
        waited_s: u64,
        /// The first cause.
        detail: String,
    },
    /// Nothing says who asks.
    #[error(
        "no credentials for {url}: the environment holds none, and {service} tells no role of this machine: {detail}"
    )]
    NoCredentials {
        /// The object.
        url: String,
        /// The metadata service that was asked.
        service: String,
        /// Why it did not say.
        detail: String,
    },
    /// There is no such object.
    #[error("{url} does not exist")]
    NotFound {
        /// The object.
        url: String,
    },
    /// An object is there already.
    #[error("{url} exists already")]
    AlreadyExists {
        /// The object.
        url: String,
    },
    /// An object is there already, with other bytes than those to be written.
    #[error("{url} exists already with different content")]
    Conflict {
        /// The object.
        url: String,
    },
    /// Somebody else holds the lock.
    #[error("{url} is held by {owner}")]
    Locked {
        /// The lock object.
        url: String,
        /// What its holder wrote into it.
        owner: String,
    },
    /// An object is not what it was when it was read.
    #[error("{url} was changed by somebody else")]
    Changed {
        /// The object.
        url: String,
    },
    /// The lock was held and is not any more.
    #[error("{url} is not held any more: {reason}")]
    LockLost {
        /// The lock object.
        url: String,
        /// How that is known.
        reason: String,
    },
    /// The store overwrites where it is told not to, and more than one writer may come.
    #[error(
        "{url} does not do conditional writes ({missing}), so two runs at a time would damage each other's work"
    )]
    NoConditions {
        /// The root.
        url: String,
        /// What it accepts and does not honour.
        missing: &'static str,
    },
    /// The store cannot do what was asked.
    #[error("{url} cannot {operation}")]
    Unsupported {
        /// What was tried.
        operation: &'static str,
        /// The object.
        url: String,
    },
    /// The store is only for reading.
    #[error("cannot write {url}: web servers are only read")]
    ReadOnly {
        /// The object or root.
        url: String,
    },
    /// A relative path that leaves the root or cannot be an object's name.
    #[error("{path:?} is not a path inside {root}")]
    Path {
        /// The path as it was given.
        path: String,
        /// The root of the store.
        root: String,
    },
    /// The operating system refused.
    #[error("cannot {operation} {url}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The object.
        url: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The store answered with an error.
    #[error("cannot {operation} {url}")]
    Store {
        /// What was tried.
        operation: &'static str,
        /// The object.
        url: String,
        /// Why not.
        source: object_store::Error,
    },
    /// A store behind a URL answered with an error, or did not answer.
    #[error("cannot {operation} {url}: {detail}")]
    Remote {
        /// What was tried.
        operation: &'static str,
        /// The object.
        url: String,
        /// Why not, without credentials.
        detail: String,
    },
    /// The store does not let the user do that.
    #[error("may not {operation} {url}: {detail}")]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// The object.
        url: String,
        /// What it answered, without credentials.
        detail: String,
    },
    /// Nothing tells one state of an object from another.
    #[error("{url} has neither an ETag nor a date, so that a change of it would not be seen")]
    Unidentified {
        /// The object.
        url: String,
    },
    /// What a shard holds at a place is damaged.
    #[error("{url} is damaged: {detail}")]
    DamagedEntry {
        /// The entry.
        url: String,
        /// How.
        detail: String,
    },
    /// A shard of images cannot be read.
    #[error("cannot read the shard {url}: {detail}")]
    Shard {
        /// The shard.
        url: String,
        /// Why not.
        detail: String,
    },
    /// A fault that a test injected.
    #[error("injected fault in {operation} {url}")]
    Injected {
        /// What was tried.
        operation: &'static str,
        /// The object.
        url: String,
    },
}

impl StoreError {
    /// Whether the store cannot be used because of what the configuration or the environment says of it.
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        matches!(
            self,
            Self::Url { .. }
                | Self::Variable { .. }
                | Self::NoConditions { .. }
                | Self::NoCredentials { .. }
                | Self::ReadOnly { .. }
        )
    }

    /// Whether the object was simply not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
