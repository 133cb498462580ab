//! Whether the servers of a store can be reached, seen below the retries of `object_store`.
//!
//! `object_store` repeats each request that did not get through, and [`super::BucketStore`] repeats what is left of that. For a busy
//! server this is right; for an address where nobody is, each layer multiplies the other. So every attempt passes here first.
//! *Invariant*: a server that could not be reached for long enough is waited for by nobody any longer, and every answer of it,
//! whatever it says, ends that.

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long a connection may take to be made.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server may be silent once a connection is made.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long is waited for a server that never answered: most likely there is none. A pause of the retries, ten seconds at most,
/// may come on top.
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(20);

/// How long is waited for a server that did answer, and may be starting again.
const PATIENCE: Duration = Duration::from_secs(45);

/// How long is waited for the service that knows the role of the machine: where there is one, it is next door.
const PATIENCE_WITH_METADATA: Duration = Duration::from_secs(4);

/// Where clouds tell a machine its role.
const METADATA_HOSTS: [&str; 3] = [
    "169.254.169.254",
    "metadata.google.internal",
    "metadata.google.internal.",
];

/// A server that was not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    /// `http://host:port`, without credentials.
    pub(super) server: String,
    /// How long it was waited for.
    pub(super) waited: Duration,
    /// The first cause.
    pub(super) detail: String,
    /// It would have told the role of the machine.
    pub(super) is_metadata: bool,
}

/// What is known of the servers of one store.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The URL of the store.
    url: String,
    /// Host and port of a metadata service that the environment names.
    metadata: Option<String>,
    servers: Mutex<BTreeMap<String, Server>>,
}

/// What is known of one server.
#[derive(Debug, Default)]
struct Server {
    has_answered: bool,
    is_told: bool,
    silent_since: Option<Instant>,
    /// What the last attempt came to, where nobody answered.
    last: Option<Lost>,
    /// Nobody tries again.
    is_lost: bool,
}

impl Reach {
    /// Nothing is known yet; `metadata` is the URL of the metadata service where the environment names one.
    pub(super) fn new(url: &str, metadata: Option<&str>) -> Self {
        let authority = |url: &str| {
            let (_, rest) = url.split_once("://")?;
            rest.split('/').next().map(str::to_owned)
        };
        Self {
            url: url.to_owned(),
            metadata: metadata.and_then(authority),
            servers: Mutex::default(),
        }
    }

    /// A server that is not waited for any longer, if there is one.
    pub(super) fn lost(&self) -> Option<Lost> {
        let servers = self.servers();
        let mut lost = servers.values().filter(|of| of.is_lost);
        lost.find_map(|of| of.last.clone())
    }

    /// A server that did not answer the last time, whether it is still waited for or not.
    pub(super) fn silent(&self) -> Option<Lost> {
        let servers = self.servers();
        servers.values().find_map(|of| of.last.clone())
    }

    fn servers(&self) -> MutexGuard<'_, BTreeMap<String, Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_metadata(&self, address: &Address) -> bool {
        METADATA_HOSTS.contains(&address.host.as_str())
            || self.metadata.as_ref() == Some(&address.authority)
    }

    /// Notes an answer.
    fn answered(&self, address: &Address, response: &HttpResponse) {
        let status = response.status();
        // A metadata service that knows of no role is as good as none.
        let has_no_role = self.is_metadata(address) && status.is_client_error();
        let mut servers = self.servers();
        let server = servers.entry(address.shown()).or_default();
        server.has_answered = true;
        server.silent_since = None;
        server.is_lost = has_no_role;
        server.last = has_no_role.then(|| Lost {
            server: address.shown(),
            waited: Duration::ZERO,
            detail: format!("it answered {status}"),
            is_metadata: true,
        });
    }

    /// Notes that a server was not reached; the error says whether anybody tries again.
    fn missed(&self, address: &Address, error: HttpError, is_final: bool) -> HttpError {
        let is_metadata = self.is_metadata(address);
        let mut servers = self.servers();
        let server = servers.entry(address.shown()).or_default();
        let patience = match (is_metadata, server.has_answered) {
            (true, _) => PATIENCE_WITH_METADATA,
            (false, false) => PATIENCE_AT_FIRST,
            (false, true) => PATIENCE,
        };
        let waited = server
            .silent_since
            .get_or_insert_with(Instant::now)
            .elapsed();
        let detail = first_cause(&error);
        server.last = Some(Lost {
            server: address.shown(),
            waited,
            detail: detail.clone(),
            is_metadata,
        });
        if is_final || waited >= patience {
            server.is_lost = true;
            // Of no kind that `object_store` tries again.
            return HttpError::new(HttpErrorKind::Unknown, GivenUp { source: error });
        }
        if !std::mem::replace(&mut server.is_told, true) {
            self.tell(&address.shown(), &detail, is_metadata);
        }
        error
    }

    fn tell(&self, server: &str, error: &str, is_metadata: bool) {
        let store = &self.url;
        if is_metadata {
            tracing::warn!(
                store,
                error,
                "the environment has no credentials, and {server} does not tell a role of this machine; trying again"
            );
        } else {
            tracing::warn!(store, error, "cannot reach {server}; trying again");
        }
    }
}

/// An attempt after which nobody tries again.
#[derive(Debug, Error)]
#[error("given up")]
struct GivenUp {
    source: HttpError,
}

/// The address that a request goes to.
struct Address {
    scheme: String,
    host: String,
    /// Host and port.
    authority: String,
}

impl Address {
    fn of(request: &HttpRequest) -> Self {
        let uri = request.uri();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let bare = authority
            .rsplit_once('@')
            .map_or(authority, |(_, bare)| bare);
        Self {
            scheme: uri.scheme_str().unwrap_or_default().to_owned(),
            host: uri.host().unwrap_or_default().to_owned(),
            authority: bare.to_owned(),
        }
    }

    fn shown(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

/// Makes the clients of a store.
#[derive(Debug)]
pub(super) struct WatchedConnector(pub(super) Arc<Reach>);

impl HttpConnector for WatchedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(WatchedClient {
            inner: ReqwestConnector::default().connect(options)?,
            reach: Arc::clone(&self.0),
        }))
    }
}

#[derive(Debug)]
struct WatchedClient {
    inner: HttpClient,
    reach: Arc<Reach>,
}

#[async_trait]
impl HttpService for WatchedClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (address, started) = (Address::of(&request), Instant::now());
        match self.inner.execute(request).await {
            Ok(response) => {
                self.reach.answered(&address, &response);
                Ok(response)
            }
            Err(error) if is_unreached(&error, started.elapsed()) => {
                let is_final = speaks_otherwise(&error);
                Err(self.reach.missed(&address, error, is_final))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether no connection was made: one that is silent is given up later than one that is not made.
fn is_unreached(error: &HttpError, elapsed: Duration) -> bool {
    match error.kind() {
        HttpErrorKind::Connect => true,
        HttpErrorKind::Timeout => elapsed < READ_TIMEOUT,
        _ => false,
    }
}

/// Whether somebody is there who does not speak TLS, or is not who it should be: that does not pass.
fn speaks_otherwise(error: &HttpError) -> bool {
    fn is_invalid(error: &io::Error) -> bool {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        error.kind() == io::ErrorKind::InvalidData || inner.is_some_and(is_invalid)
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref().is_some_and(is_invalid) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether a request failed because no connection was made, or it was given up for that.
pub(super) fn is_of_connection(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let is_given_up = error.is::<GivenUp>();
        let kind = error.downcast_ref().map(HttpError::kind);
        if is_given_up || matches!(kind, Some(HttpErrorKind::Connect | HttpErrorKind::Timeout)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The innermost cause: it says most, and does not repeat the URL.
fn first_cause(error: &HttpError) -> String {
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{BucketOptions, BucketStore, Store, StoreError};
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// An address where nobody listens.
    fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    /// A server that answers everything with these bytes, and how many connections it had.
    fn answering(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        // Ends with the tests' process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut connection = connection.unwrap();
                let _ = connection.read(&mut [0; 4096]);
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        (address, count)
    }

    fn bucket(endpoint: &str, others: &[(&str, &str)]) -> BucketStore {
        let mut pairs = vec![("AWS_ENDPOINT_URL", endpoint), ("AWS_REGION", "eu-west-3")];
        pairs.extend(others);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = pairs.iter().map(owned).collect();
        BucketStore::connect("s3://shop/x", &variables, BucketOptions::default()).unwrap()
    }

    const KEYS: [(&str, &str); 2] = [
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
    ];

    #[test]
    fn a_connection_that_is_not_made_is_told_from_one_that_is_silent() {
        let error = |kind| HttpError::new(kind, std::io::Error::other("x"));
        let timeout = error(HttpErrorKind::Timeout);
        assert!(is_unreached(&timeout, CONNECT_TIMEOUT));
        assert!(!is_unreached(&timeout, READ_TIMEOUT));
        assert!(is_unreached(&error(HttpErrorKind::Connect), Duration::ZERO));
        assert!(!is_unreached(
            &error(HttpErrorKind::Interrupted),
            Duration::ZERO
        ));
        assert!(is_of_connection(&timeout) && !is_of_connection(&error(HttpErrorKind::Request)));
    }

    #[test]
    fn a_server_that_is_not_there_is_given_up_by_all_at_once() {
        let server = format!("http://{}", nobody());
        let store = bucket(&server, &KEYS);
        let started = Instant::now();
        let error = store.get("object").unwrap_err();
        let waited = started.elapsed();
        assert!(matches!(&error, StoreError::Unreachable { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("cannot reach {server}, where s3://shop/x/object")),
            "{message}"
        );
        assert!(message.contains("refused"), "{message}");
        assert!(
            waited > Duration::from_secs(10) && waited < Duration::from_secs(35),
            "{waited:?}"
        );
        // Those who come later do not wait again, once it is given up.
        while store.shared_reach().lost().is_none() {
            store.get("object").unwrap_err();
        }
        let started = Instant::now();
        store.put_new("other", &bytes::Bytes::new()).unwrap_err();
        store.head("third").unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn a_server_that_comes_late_is_waited_for_and_one_that_is_back_is_not_given_up() {
        let address = nobody();
        let store = bucket(&format!("http://{address}"), &KEYS);
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(3));
            let listener = TcpListener::bind(address).unwrap();
            let (mut connection, _) = listener.accept().unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            connection.write_all(answer.as_bytes()).unwrap();
        });
        assert!(store.get("object").unwrap_err().is_not_found());
        late.join().unwrap();
        assert_eq!(store.shared_reach().silent(), None);
    }

    #[test]
    fn tls_with_somebody_who_does_not_speak_it_is_given_up_at_the_first_attempt() {
        let (address, count) = answering("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
        let store = bucket(&format!("https://{address}"), &KEYS);
        let started = Instant::now();
        let error = store.get("object").unwrap_err();
        assert!(matches!(&error, StoreError::Unreachable { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{error}");
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn without_credentials_the_machine_is_asked_for_its_role_and_not_for_long() {
        let metadata = format!("http://{}", nobody());
        let store = bucket(
            "http://127.0.0.1:9",
            &[("AWS_METADATA_ENDPOINT", &metadata)],
        );
        let started = Instant::now();
        let error = store.get("object").unwrap_err();
        assert!(
            matches!(&error, StoreError::NoCredentials { .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains(&metadata) && error.is_misconfiguration(),
            "{error}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(16),
            "{:?}",
            started.elapsed()
        );

        let (address, _) =
            answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let metadata = format!("http://{address}");
        let store = bucket(
            "http://127.0.0.1:9",
            &[("AWS_METADATA_ENDPOINT", &metadata)],
        );
        let error = store.get("object").unwrap_err();
        assert!(
            matches!(&error, StoreError::NoCredentials { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("404"), "{error}");
    }
}
