//! The variables that name servers, looked at before they are used: `object_store` panics at the first request to what is no URL.
//!
//! *Invariant*: no message shows a value that may hold a credential.

use super::StoreError;
use object_store::ObjectStoreScheme;
use url::Url;

/// What of the environment names a server, by the scheme that reads it.
const OF_S3: [&str; 6] = [
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL_STS",
    "AWS_METADATA_ENDPOINT",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
const OF_AZURE: [&str; 6] = [
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ENDPOINT",
    "AZURE_MSI_ENDPOINT",
    "AZURE_IDENTITY_ENDPOINT",
    "AZURE_STORAGE_AUTHORITY_HOST",
    "AZURE_AUTHORITY_HOST",
];
const OF_GOOGLE: [&str; 1] = ["GOOGLE_BASE_URL"];

/// Google's own name of an emulator; a bare `host:port` will do there.
pub(super) const GOOGLE_EMULATOR: &str = "STORAGE_EMULATOR_HOST";

/// Refuses a variable that should hold the URL of a server and does not.
///
/// # Errors
///
/// [`StoreError::Variable`].
pub(super) fn check(
    scheme: &ObjectStoreScheme,
    variables: &[(String, String)],
) -> Result<(), StoreError> {
    let names: &[&str] = match scheme {
        ObjectStoreScheme::AmazonS3 => &OF_S3,
        ObjectStoreScheme::MicrosoftAzure => &OF_AZURE,
        ObjectStoreScheme::GoogleCloudStorage => &OF_GOOGLE,
        _ => &[],
    };
    for name in names {
        if let Some(value) = value_of(name, variables) {
            check_one(name, value)?;
        }
    }
    match scheme {
        ObjectStoreScheme::MicrosoftAzure => {
            let name = "AZURE_STORAGE_CONNECTION_STRING";
            let text = value_of(name, variables).unwrap_or_default();
            let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
            match pairs.find(|(key, _)| key.trim() == "BlobEndpoint") {
                Some((_, value)) => check_one(
                    "BlobEndpoint in AZURE_STORAGE_CONNECTION_STRING",
                    value.trim(),
                ),
                None => Ok(()),
            }
        }
        ObjectStoreScheme::GoogleCloudStorage => match value_of(GOOGLE_EMULATOR, variables) {
            Some(value) => check_one(GOOGLE_EMULATOR, &emulator_url(value)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The URL of an emulator, which may be given as `host:port`.
pub(super) fn emulator_url(value: &str) -> String {
    if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    }
}

/// A variable that is set, and not empty.
pub(super) fn value_of<'a>(name: &str, variables: &'a [(String, String)]) -> Option<&'a str> {
    let mut found = variables.iter();
    let found = found.find(|(of, value)| of == name && !value.is_empty());
    found.map(|(_, value)| value.as_str())
}

fn check_one(name: &str, value: &str) -> Result<(), StoreError> {
    if is_url_of_server(value) {
        return Ok(());
    }
    let form = "http://host:port or https://host";
    // A value that has neither is at most a name.
    let may_be_secret = value.contains(['@', '?', '&', '=']) || value.len() > 100;
    let reason = if may_be_secret {
        format!("is not the URL of a server: it has the form {form}")
    } else {
        format!("is not the URL of a server: {value:?} should have the form {form}")
    };
    Err(StoreError::Variable {
        name: name.to_owned(),
        reason,
    })
}

fn is_url_of_server(value: &str) -> bool {
    // The parser forgives what other parsers further down do not.
    let lower = value.to_ascii_lowercase();
    let has_scheme = lower.starts_with("http://") || lower.starts_with("https://");
    let has_host = Url::parse(value).is_ok_and(|url| url.has_host());
    has_scheme && has_host && !value.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_pairs(scheme: &ObjectStoreScheme, pairs: &[(&str, &str)]) -> Result<(), StoreError> {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        check(scheme, &owned.collect::<Vec<_>>())
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused_with_the_name_of_the_variable() {
        for (scheme, name) in [
            (ObjectStoreScheme::AmazonS3, "AWS_ENDPOINT_URL"),
            (ObjectStoreScheme::AmazonS3, "AWS_ENDPOINT_URL_S3"),
            (ObjectStoreScheme::MicrosoftAzure, "AZURE_STORAGE_ENDPOINT"),
            (ObjectStoreScheme::GoogleCloudStorage, "GOOGLE_BASE_URL"),
        ] {
            for value in [
                "127.0.0.1:9000",
                "minio",
                "http:/minio:9000",
                "http://",
                "s3://minio",
                "\"http://minio:9000\"",
                "http://minio:9000 ",
                "http://minio:port",
            ] {
                let error = check_pairs(&scheme, &[(name, value)]).unwrap_err();
                let message = error.to_string();
                assert!(message.starts_with(name), "{message}");
                assert!(message.contains("http://host:port"), "{message}");
            }
            for value in ["http://127.0.0.1:9000", "https://host.example/path", ""] {
                check_pairs(&scheme, &[(name, value)]).unwrap();
            }
            // Those of others are none of its business.
            check_pairs(&ObjectStoreScheme::Http, &[(name, "nonsense")]).unwrap();
        }
    }

    #[test]
    fn connection_strings_and_emulators_are_looked_at_too() {
        let azure = ObjectStoreScheme::MicrosoftAzure;
        let text = "AccountName=me;AccountKey=c2VjcmV0;BlobEndpoint=127.0.0.1:1/me";
        let pairs = [("AZURE_STORAGE_CONNECTION_STRING", text)];
        let error = check_pairs(&azure, &pairs).unwrap_err().to_string();
        assert!(error.starts_with("BlobEndpoint in AZURE_"), "{error}");
        assert!(!error.contains("c2VjcmV0"), "{error}");
        let google = ObjectStoreScheme::GoogleCloudStorage;
        check_pairs(&google, &[(GOOGLE_EMULATOR, "127.0.0.1:4443")]).unwrap();
        check_pairs(&google, &[(GOOGLE_EMULATOR, "host:port")]).unwrap_err();
    }

    #[test]
    fn credentials_in_a_value_are_not_shown() {
        for value in [
            "me:hidden@host:9000",
            "host?sig=hidden",
            "ftp://me:hidden@h",
        ] {
            let pairs = [("AWS_ENDPOINT_URL", value)];
            let error = check_pairs(&ObjectStoreScheme::AmazonS3, &pairs).unwrap_err();
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }
}
