//! Stores behind URLs: S3, Azure Blob Storage, Google Cloud Storage, and web servers (read only).
//!
//! Options and credentials come from the environment, by the names that the vendors' own tools use (`AWS_*`, `AZURE_*`,
//! `GOOGLE_*`); a URL holds none. Requests are repeated with growing pauses, time out, and are bounded in number.

use super::StoreError;
use super::endpoints::{self, GOOGLE_EMULATOR, value_of};
use super::reach::{CONNECT_TIMEOUT, READ_TIMEOUT, Reach, WatchedConnector};
use super::secrets::Secrets;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::limit::LimitStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path as ObjectPath;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreScheme, RetryConfig,
};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Most requests under way at a time, of one store.
const MOST_REQUESTS: usize = 64;

/// A connection to the store behind a URL.
#[derive(Debug)]
pub(super) struct Connection {
    /// The bucket, container or server.
    pub(super) inner: Arc<dyn ObjectStore>,
    /// The same, for uploads in pieces; `None` where there are none.
    pub(super) uploads: Option<Uploads>,
    /// What stands before every path.
    pub(super) prefix: ObjectPath,
    /// The URL of the root, without a slash at its end.
    pub(super) url: String,
    /// Which server it is, where the environment names one.
    pub(super) endpoint: String,
    /// What no message may show.
    pub(super) secrets: Secrets,
    /// Whether its servers answer.
    pub(super) reach: Arc<Reach>,
    /// Web servers are only read.
    pub(super) is_read_only: bool,
}

/// Uploads in pieces.
#[derive(Clone)]
pub(super) struct Uploads(pub(super) Arc<dyn MultipartStore>);

impl std::fmt::Debug for Uploads {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Uploads")
    }
}

/// Connects to the store behind a URL; `variables` is the environment.
///
/// # Errors
///
/// [`StoreError::Url`] for a URL that is none, has a scheme that is not known, or holds credentials; for options that the
/// store does not take. [`StoreError::Variable`] for the name of a server that is no URL.
pub(super) fn connect(
    given: &str,
    variables: &[(String, String)],
) -> Result<Connection, StoreError> {
    let secrets = Secrets::of(variables);
    let refuse = |reason: String| StoreError::Url {
        url: without_credentials(given),
        reason: secrets.hide(&reason),
    };
    let url = Url::parse(given).map_err(|error| refuse(error.to_string()))?;
    // az://container@account is a name, not a credential.
    let may_have_user = url.scheme().starts_with("az") || url.scheme().starts_with("abfs");
    let has_user = !url.username().is_empty() && !may_have_user;
    if has_user || url.password().is_some() || url.query().is_some() {
        return Err(refuse(
            "credentials do not belong in a URL; the store takes them from the environment"
                .to_owned(),
        ));
    }
    let (scheme, path) =
        ObjectStoreScheme::parse(&url).map_err(|error| refuse(error.to_string()))?;
    endpoints::check(&scheme, variables)?;
    let chosen = |of: &str| value_of(of, variables).map(str::to_owned);
    let shown = given.trim_end_matches('/');
    let metadata = value_of("AWS_METADATA_ENDPOINT", variables);
    let reach = Arc::new(Reach::new(shown, metadata));
    let built = match scheme {
        ObjectStoreScheme::AmazonS3 => s3(given, variables, &reach).map(|store| {
            let endpoint = chosen("AWS_ENDPOINT_URL_S3").or(chosen("AWS_ENDPOINT_URL"));
            let endpoint = endpoint.or(chosen("AWS_ENDPOINT"));
            with_uploads(store, endpoint)
        }),
        ObjectStoreScheme::MicrosoftAzure => azure(given, variables, &reach).map(|store| {
            let endpoint = chosen("AZURE_STORAGE_ENDPOINT").or(chosen("AZURE_ENDPOINT"));
            let mut pairs = connection_string(variables).into_iter();
            let given = pairs.find(|(key, _)| *key == AzureConfigKey::Endpoint);
            let endpoint = endpoint.or(given.map(|(_, endpoint)| endpoint));
            with_uploads(store, endpoint)
        }),
        ObjectStoreScheme::GoogleCloudStorage => {
            gcs(given, variables, &reach).map(|store| with_uploads(store, chosen(GOOGLE_EMULATOR)))
        }
        ObjectStoreScheme::Http => HttpBuilder::new()
            .with_url(&url[..url::Position::BeforePath])
            .with_client_options(client_options().with_allow_http(true))
            .with_retry(retries())
            .with_http_connector(WatchedConnector(Arc::clone(&reach)))
            .build()
            .map(|store| (Arc::new(store) as Arc<dyn ObjectStore>, None, String::new())),
        _ => {
            return Err(refuse(format!(
                "there are no {}:// stores; use a path, file://, s3://, az://, gs:// or https://",
                url.scheme()
            )));
        }
    };
    let (inner, uploads, endpoint) = built.map_err(|error| refuse(error.to_string()))?;
    Ok(Connection {
        inner: Arc::new(LimitStore::new(inner, MOST_REQUESTS)),
        uploads,
        prefix: path,
        url: shown.to_owned(),
        endpoint: without_credentials(&endpoint),
        secrets,
        reach,
        is_read_only: scheme == ObjectStoreScheme::Http,
    })
}

type Built = (Arc<dyn ObjectStore>, Option<Uploads>, String);

fn with_uploads<T: ObjectStore + MultipartStore>(store: T, endpoint: Option<String>) -> Built {
    let store = Arc::new(store);
    let uploads = Uploads(store.clone());
    (store, Some(uploads), endpoint.unwrap_or_default())
}

/// A URL as it may be shown: without user, password and query.
fn without_credentials(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let is_name = scheme.starts_with("az") || scheme.starts_with("abfs");
            let host = host.rsplit_once('@').map_or(host, |(user, bare)| {
                let is_credential = !is_name || user.contains(':');
                if is_credential { bare } else { host }
            });
            let slash = if path.is_empty() { "" } else { "/" };
            format!("{scheme}://{host}{slash}{path}")
        }
        None => url.to_owned(),
    }
}

fn s3(
    url: &str,
    variables: &[(String, String)],
    reach: &Arc<Reach>,
) -> Result<impl Store + use<>, Error> {
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client_options())
        .with_retry(retries())
        .with_http_connector(WatchedConnector(Arc::clone(reach)))
        // One request an object works with every server; several at a time hide the difference.
        .with_disable_bulk_delete(true);
    for (key, value) in options::<AmazonS3ConfigKey>("AWS_", variables) {
        builder = builder.with_config(key, value);
    }
    let is_plain = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint]
        .iter()
        .any(|key| is_plain_http(builder.get_config_value(key)));
    if is_plain {
        builder = builder.with_allow_http(true);
    }
    builder.with_url(url).build()
}

fn azure(
    url: &str,
    variables: &[(String, String)],
    reach: &Arc<Reach>,
) -> Result<impl Store + use<>, Error> {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_client_options(client_options())
        .with_retry(retries())
        .with_http_connector(WatchedConnector(Arc::clone(reach)));
    for (key, value) in connection_string(variables) {
        builder = builder.with_config(key, value);
    }
    for (key, value) in options::<AzureConfigKey>("AZURE_", variables) {
        builder = builder.with_config(key, value);
    }
    if is_plain_http(builder.get_config_value(&AzureConfigKey::Endpoint)) {
        builder = builder.with_allow_http(true);
    }
    builder.with_url(url).build()
}

fn gcs(
    url: &str,
    variables: &[(String, String)],
    reach: &Arc<Reach>,
) -> Result<impl Store + use<>, Error> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_client_options(client_options().with_allow_http(true))
        .with_retry(retries())
        .with_http_connector(WatchedConnector(Arc::clone(reach)));
    for (key, value) in options::<GoogleConfigKey>("GOOGLE_", variables) {
        builder = builder.with_config(key, value);
    }
    if let Some(host) = value_of(GOOGLE_EMULATOR, variables) {
        builder = builder
            .with_config(GoogleConfigKey::BaseUrl, endpoints::emulator_url(host))
            .with_skip_signature(true);
    }
    builder.with_url(url).build()
}

/// A store of a vendor.
trait Store: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Store for T {}

/// The options of a store among the variables; names that it does not know are for others.
fn options<K: std::str::FromStr>(
    start: &str,
    variables: &[(String, String)],
) -> impl Iterator<Item = (K, String)> {
    variables
        .iter()
        .filter(move |(name, value)| name.starts_with(start) && !value.is_empty())
        .filter_map(|(name, value)| {
            let key = name.to_ascii_lowercase().parse().ok()?;
            Some((key, value.clone()))
        })
}

/// What `AZURE_STORAGE_CONNECTION_STRING` says, as Azure's tools read it.
fn connection_string(variables: &[(String, String)]) -> Vec<(AzureConfigKey, String)> {
    let given = variables
        .iter()
        .find(|(name, _)| name == "AZURE_STORAGE_CONNECTION_STRING");
    let pairs = given.iter().flat_map(|(_, text)| text.split(';'));
    pairs
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| {
            let key = match name.trim() {
                "AccountName" => AzureConfigKey::AccountName,
                "AccountKey" => AzureConfigKey::AccessKey,
                "SharedAccessSignature" => AzureConfigKey::SasKey,
                "BlobEndpoint" => AzureConfigKey::Endpoint,
                _ => return None,
            };
            Some((key, value.trim().to_owned()))
        })
        .collect()
}

fn is_plain_http(endpoint: Option<String>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.to_ascii_lowercase().starts_with("http://"))
}

/// Five minutes for an object, but never half a minute without a byte.
fn client_options() -> ClientOptions {
    ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(Duration::from_mins(5))
        .with_read_timeout(READ_TIMEOUT)
}

/// Outlasts half a minute of refusals; [`super::reach`] ends them where nobody is there to refuse.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            // Each pause is drawn from between the first and so many times the one before.
            base: 3.0,
        },
        max_retries: 12,
        retry_timeout: Duration::from_mins(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn urls_name_bucket_and_prefix() {
        let environment = variables(&[
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            (
                "AZURE_STORAGE_CONNECTION_STRING",
                "AccountName=me;AccountKey=a2V5",
            ),
            ("STORAGE_EMULATOR_HOST", "127.0.0.1:1"),
        ]);
        for (url, prefix) in [
            ("s3://bucket", ""),
            ("s3://bucket/some/where/", "some/where"),
            ("az://container/where", "where"),
            ("gs://bucket/where", "where"),
            ("https://host.example/data/dump", "data/dump"),
        ] {
            let connection = connect(url, &environment).unwrap();
            assert_eq!(connection.prefix.as_ref(), prefix, "{url}");
            assert_eq!(connection.url, url.trim_end_matches('/'));
            assert_eq!(connection.is_read_only, url.starts_with("https"));
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_shown() {
        for url in [
            "https://me:hidden@host.example/dump",
            "https://hidden@host.example/dump",
            "https://host.example/dump?sig=hidden",
        ] {
            let error = connect(url, &[]).unwrap_err().to_string();
            assert!(!error.contains("hidden"), "{error}");
            assert!(error.contains("https://host.example/dump"), "{error}");
        }
        let unknown = connect("ftp://host/a", &[]).unwrap_err().to_string();
        assert!(unknown.contains("ftp"), "{unknown}");
    }

    #[test]
    fn a_connection_string_is_read_as_azures_tools_do() {
        let text = "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=a2V5PT0=;BlobEndpoint=http://127.0.0.1:1/me";
        let pairs = connection_string(&variables(&[("AZURE_STORAGE_CONNECTION_STRING", text)]));
        let expected = [
            (AzureConfigKey::AccountName, "me"),
            (AzureConfigKey::AccessKey, "a2V5PT0="),
            (AzureConfigKey::Endpoint, "http://127.0.0.1:1/me"),
        ];
        assert_eq!(pairs, expected.map(|(key, value)| (key, value.to_owned())));
    }
}
