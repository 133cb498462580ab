//! How requests are made: waited for, repeated, settled where their outcome is unclear, several at a time.

use super::BucketStore;
use crate::store::reach::{Lost, is_of_connection};
use crate::store::runtime::runtime;
use crate::store::{Store, StoreError, Version};
use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use std::future::Future;
use std::time::{Duration, Instant};

/// Requests under way at a time where several objects or ranges are wanted.
pub(super) const REQUESTS_AT_ONCE: usize = 32;

/// How often an unclear failure is settled and tried again, above the retries of each request: those are not for an answer that
/// broke off in its middle.
const ATTEMPTS: u32 = 5;

/// A server that is silent for so long, through all retries of a request, is not asked again.
const PATIENCE: Duration = Duration::from_secs(15);

impl BucketStore {
    /// Waits for a request and names the object in its error.
    pub(in crate::store) fn wait<T>(
        &self,
        operation: &'static str,
        path: &str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let result = runtime().block_on(request);
        result.map_err(|error| self.name(operation, path, &error))
    }

    fn name(&self, operation: &'static str, path: &str, error: &Error) -> StoreError {
        let url = self.object_url(path);
        let reach = &self.shared.reach;
        let lost = reach
            .lost()
            .or_else(|| reach.silent().filter(|_| is_of_connection(error)));
        if let Some(lost) = lost.filter(|_| is_unclear(error)) {
            return self.name_lost(url, lost);
        }
        match error {
            Error::NotFound { .. } => StoreError::NotFound { url },
            Error::AlreadyExists { .. } => StoreError::AlreadyExists { url },
            Error::Precondition { .. } => StoreError::Changed { url },
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StoreError::Denied {
                operation,
                url,
                detail: self.shared.secrets.hide(&whole_message(error)),
            },
            Error::NotSupported { .. } | Error::NotImplemented { .. } => {
                StoreError::Unsupported { operation, url }
            }
            error => StoreError::Remote {
                operation,
                url,
                detail: self.shared.secrets.hide(&whole_message(error)),
            },
        }
    }

    fn name_lost(&self, url: String, lost: Lost) -> StoreError {
        let detail = self.shared.secrets.hide(&lost.detail);
        if lost.is_metadata {
            let service = lost.server;
            return StoreError::NoCredentials {
                url,
                service,
                detail,
            };
        }
        StoreError::Unreachable {
            url,
            server: lost.server,
            waited_s: lost.waited.as_secs(),
            detail,
        }
    }

    /// Whether a request that failed is worth another one.
    fn may_repeat(&self, error: &Error, started: Instant, attempt: u32) -> bool {
        let is_early = attempt < ATTEMPTS && started.elapsed() < PATIENCE;
        is_unclear(error) && is_early && self.shared.reach.lost().is_none()
    }

    /// Does a request that may be repeated, a few times where its failure may pass.
    pub(in crate::store) fn retrying<T, F: Future<Output = Result<T, Error>>>(
        &self,
        operation: &'static str,
        path: &str,
        mut request: impl FnMut() -> F,
    ) -> Result<T, StoreError> {
        let (started, mut attempt) = (Instant::now(), 1);
        loop {
            match runtime().block_on(request()) {
                Err(error) if self.may_repeat(&error, started, attempt) => pause(attempt),
                result => return result.map_err(|error| self.name(operation, path, &error)),
            }
            attempt += 1;
        }
    }

    /// Does a request for each of several objects, some at a time.
    pub(in crate::store) fn side_by_side<T>(
        &self,
        operation: &'static str,
        paths: &[&str],
        request: &impl AsyncFn(&ObjectPath) -> Result<T, Error>,
    ) -> Vec<Result<T, StoreError>> {
        let one = async |path: &str| {
            let location = self.locate(path)?;
            let (started, mut attempt) = (Instant::now(), 1);
            loop {
                match request(&location).await {
                    Err(error) if self.may_repeat(&error, started, attempt) => {
                        tokio::time::sleep(pause_after(attempt)).await;
                    }
                    result => {
                        return result.map_err(|error| self.name(operation, path, &error));
                    }
                }
                attempt += 1;
            }
        };
        let all = futures::stream::iter(paths).map(|path| one(path));
        runtime().block_on(all.buffered(REQUESTS_AT_ONCE).collect())
    }

    /// Writes an object whether or not there is one.
    pub(in crate::store) fn overwrite(&self, path: &str, bytes: &Bytes) -> Result<(), StoreError> {
        let location = self.locate(path)?;
        self.retrying("write", path, || {
            let payload = PutPayload::from_bytes(bytes.clone());
            self.shared.inner.put(&location, payload)
        })
        .map(drop)
    }

    /// Writes an object on the condition that there is none, whatever the store makes of the condition.
    pub(in crate::store) fn put_new(
        &self,
        path: &str,
        bytes: &Bytes,
    ) -> Result<Version, StoreError> {
        let location = self.locate(path)?;
        self.settling(path, bytes, |payload| {
            self.shared
                .inner
                .put_opts(&location, payload, PutMode::Create.into())
        })
    }

    /// Writes an object on the condition that it is unchanged, whatever the store makes of the condition.
    pub(in crate::store) fn put_version(
        &self,
        path: &str,
        bytes: &Bytes,
        expected: &Version,
    ) -> Result<Version, StoreError> {
        let location = self.locate(path)?;
        let refused = self.settling(path, bytes, |payload| {
            let mode = PutMode::Update(expected.clone().into());
            self.shared.inner.put_opts(&location, payload, mode.into())
        });
        match refused {
            Err(StoreError::AlreadyExists { url } | StoreError::NotFound { url }) => {
                Err(StoreError::Changed { url })
            }
            other => other,
        }
    }

    /// Does a conditional write. One that failed in an unclear way is read back: it may have been done and its answer lost.
    fn settling<F: Future<Output = Result<object_store::PutResult, Error>>>(
        &self,
        path: &str,
        bytes: &Bytes,
        write: impl Fn(PutPayload) -> F,
    ) -> Result<Version, StoreError> {
        let (started, mut attempt) = (Instant::now(), 1);
        loop {
            let error = match runtime().block_on(write(PutPayload::from_bytes(bytes.clone()))) {
                Ok(written) => {
                    return Ok(Version {
                        e_tag: written.e_tag,
                        version: written.version,
                    });
                }
                Err(error) => error,
            };
            if !is_unclear(&error) || self.shared.reach.lost().is_some() {
                return Err(self.name("write", path, &error));
            }
            if let Some((found, version)) = self.get_versioned(path)?
                && found == *bytes
            {
                return Ok(version);
            }
            if !self.may_repeat(&error, started, attempt) {
                return Err(self.name("write", path, &error));
            }
            pause(attempt);
            attempt += 1;
        }
    }
}

/// The message of an error with what caused it, each once.
fn whole_message(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

/// Whether a failure may be one of the network or of a busy server.
fn is_unclear(error: &Error) -> bool {
    matches!(error, Error::Generic { .. })
}

fn pause(attempt: u32) {
    std::thread::sleep(pause_after(attempt));
}

fn pause_after(attempt: u32) -> Duration {
    Duration::from_millis(100) * 2_u32.pow(attempt)
}
