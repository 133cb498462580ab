//! Hands documents to a web server, one POST each.
//!
//! Here for what it shares with stores: the client, its threads, and that no message shows a credential.

use super::runtime::runtime;
use bytes::Bytes;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    ReqwestConnector,
};
use std::error::Error;
use std::time::Duration;
use thiserror::Error;
use url::Url;

/// Why a document was not taken.
#[derive(Debug, Error)]
#[error("cannot post to {url}: {detail}")]
pub struct PostError {
    /// The receiver, without credentials.
    pub url: String,
    /// What went wrong.
    pub detail: String,
    /// What may come of another try.
    pub prospect: Prospect,
}

/// What may come of another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// It failed at once, and may pass.
    Soon,
    /// The receiver did not answer in time: not now.
    Later,
    /// The receiver refuses the document or the sender.
    Never,
}

/// Posts documents to one URL.
pub struct PostClient {
    client: HttpClient,
    url: Url,
    /// As messages show it.
    shown: String,
    bearer: Option<String>,
}

impl std::fmt::Debug for PostClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PostClient({})", self.shown)
    }
}

impl PostClient {
    /// Gets ready to post to `endpoint`, as it is seen from `url`; `bearer` is the token that the receiver asks for. An answer
    /// has to come within `timeout`.
    ///
    /// # Errors
    ///
    /// [`PostError`] for what is no URL of a web server, and for one with credentials.
    pub fn new(
        url: &str,
        endpoint: &str,
        bearer: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, PostError> {
        // What is no URL may hold a password all the same.
        let refuse = |detail: &str| PostError {
            url: "the given URL".to_owned(),
            detail: detail.to_owned(),
            prospect: Prospect::Never,
        };
        let base = Url::parse(url).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(refuse("it is neither http:// nor https://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(refuse("credentials do not belong in a URL"));
        }
        let url = base
            .join(endpoint)
            .map_err(|error| refuse(&error.to_string()))?;
        let options = ClientOptions::new()
            .with_allow_http(true)
            .with_connect_timeout(timeout)
            .with_timeout(timeout);
        let client = ReqwestConnector::default().connect(&options);
        Ok(Self {
            client: client.map_err(|error| refuse(&error.to_string()))?,
            shown: url[..url::Position::AfterPath].to_owned(),
            bearer: bearer.map(str::to_owned),
            url,
        })
    }

    /// The URL that it posts to, without what may be secret.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shown
    }

    /// Posts a JSON document; once, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`PostError`] where no answer comes in time, or one that is not of success.
    pub fn post_json(&self, document: Bytes) -> Result<(), PostError> {
        let request = self.request(document)?;
        let response = runtime().block_on(self.client.execute(request));
        let response = response.map_err(|error| self.unanswered(&error))?;
        self.judge(&response)
    }

    fn request(&self, document: Bytes) -> Result<HttpRequest, PostError> {
        let unusable = |detail: &str| self.failed(detail.to_owned(), Prospect::Never);
        let mut request = HttpRequest::new(document.into());
        *request.method_mut() = "POST".parse().map_err(|_| unusable("no method"))?;
        let url = self.url.as_str().parse();
        *request.uri_mut() = url.map_err(|_| unusable("its URL cannot be used"))?;
        let json = "application/json".parse();
        let json = json.map_err(|_| unusable("no content type"))?;
        request.headers_mut().insert("content-type", json);
        if let Some(bearer) = &self.bearer {
            let header = format!("Bearer {bearer}").parse();
            let header = header.map_err(|_| unusable("the API key is no text of a header"))?;
            request.headers_mut().insert("authorization", header);
        }
        Ok(request)
    }

    fn judge(&self, response: &HttpResponse) -> Result<(), PostError> {
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let may_pass = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        let prospect = if may_pass {
            Prospect::Soon
        } else {
            Prospect::Never
        };
        Err(self.failed(format!("it answered {status}"), prospect))
    }

    fn unanswered(&self, error: &HttpError) -> PostError {
        if error.kind() == HttpErrorKind::Timeout {
            return self.failed("no answer in time".to_owned(), Prospect::Later);
        }
        // The first cause says most, and none of them names the URL.
        let mut cause: &dyn Error = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        self.failed(cause.to_string(), Prospect::Soon)
    }

    fn failed(&self, detail: String, prospect: Prospect) -> PostError {
        PostError {
            url: self.shown.clone(),
            detail,
            prospect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str, endpoint: &str) -> Result<PostClient, PostError> {
        PostClient::new(url, endpoint, Some("word"), Duration::from_secs(1))
    }

    #[test]
    fn endpoints_are_seen_from_the_url_and_queries_are_not_shown() {
        let shown = |url, endpoint| client(url, endpoint).unwrap().url().to_owned();
        let endpoint = "api/v1/lineage";
        assert_eq!(
            shown("http://host:5000", endpoint),
            "http://host:5000/api/v1/lineage"
        );
        assert_eq!(
            shown("https://host/x/", "events?code=secret"),
            "https://host/x/events"
        );
    }

    #[test]
    fn what_cannot_be_posted_to_is_refused_without_showing_it() {
        for url in [
            "s3://bucket",
            "host:5000",
            "http://me:word@host",
            "http://me@host",
            "",
        ] {
            let error = client(url, "x").unwrap_err();
            assert_eq!(error.prospect, Prospect::Never);
            assert!(!error.to_string().contains("word"), "{error}");
        }
        let client = client("http://host", "x").unwrap();
        assert!(!format!("{client:?}").contains("word"));
    }
}
