//! Keeps credentials out of messages.

/// Values of the environment that no message may show.
///
/// Vendors' libraries and servers put requests into their errors; some hold a key or a signed URL.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Secrets({})", self.0.len())
    }
}

/// What the name of a variable with a secret holds.
const MARKS: [&str; 6] = [
    "KEY",
    "SECRET",
    "TOKEN",
    "SAS",
    "PASSWORD",
    "CONNECTION_STRING",
];

/// Shorter values are no secrets, and would blot out half of every message.
const LEAST_CHARS: usize = 6;

impl Secrets {
    /// Those among the variables of stores.
    pub(super) fn of(variables: &[(String, String)]) -> Self {
        let of_stores = ["AWS_", "AZURE_", "GOOGLE_"];
        let is_secret = |name: &str| {
            of_stores.iter().any(|start| name.starts_with(start))
                && MARKS.iter().any(|mark| name.contains(mark))
        };
        let mut values: Vec<String> = variables
            .iter()
            .filter(|(name, _)| is_secret(name))
            .flat_map(|(_, value)| {
                // Connection strings and signed queries hold one among names.
                let pairs = value
                    .split([';', '&'])
                    .filter_map(|pair| pair.split_once('='));
                let inner = pairs
                    .filter(|(name, _)| {
                        name.ends_with("Key") || *name == "SharedAccessSignature" || *name == "sig"
                    })
                    .map(|(_, value)| value.to_owned());
                inner.chain([value.clone()]).collect::<Vec<_>>()
            })
            .filter(|value| value.len() >= LEAST_CHARS)
            .collect();
        // User and password of an endpoint.
        let endpoints = variables
            .iter()
            .filter(|(name, _)| name.contains("ENDPOINT"));
        values.extend(endpoints.filter_map(|(_, url)| {
            let host = url.split_once("://")?.1.split('/').next()?;
            let (user, _) = host.rsplit_once('@')?;
            Some(user.to_owned())
        }));
        // The longest first: one may be part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values)
    }

    /// The text without secrets, and without the queries of its URLs, which may hold a signature.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut hidden = text.to_owned();
        for secret in &self.0 {
            hidden = hidden.replace(secret.as_str(), "(hidden)");
        }
        without_queries(&hidden)
    }
}

fn without_queries(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let end = rest[start..]
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | ')' | '<' | '>' | '\''))
            .map_or(rest.len(), |length| start + length);
        let url = &rest[..end];
        let bare = url[start..]
            .find('?')
            .map_or(url, |query| &url[..start + query]);
        kept.push_str(bare);
        rest = &rest[end..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(text: &str) -> String {
        let variables = [
            ("AWS_SECRET_ACCESS_KEY", "abcdefgh"),
            ("AWS_ACCESS_KEY_ID", "abcdefghIJ"),
            ("AWS_REGION", "eu-west-3"),
            ("AWS_ENDPOINT_URL", "http://me:word@host:1/x"),
            (
                "AZURE_STORAGE_CONNECTION_STRING",
                "AccountName=my;AccountKey=c2VjcmV0cw==;X=1",
            ),
            ("OTHER_KEY", "not-of-a-store"),
        ];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Secrets::of(&owned).hide(text)
    }

    #[test]
    fn secrets_are_hidden_whole() {
        assert_eq!(
            hide("id abcdefghIJ, key abcdefgh."),
            "id (hidden), key (hidden)."
        );
        assert_eq!(hide("key c2VjcmV0cw== of my"), "key (hidden) of my");
        assert_eq!(
            hide("GET http://me:word@host:1/y"),
            "GET http://(hidden)@host:1/y"
        );
        assert_eq!(
            hide("in eu-west-3 not-of-a-store"),
            "in eu-west-3 not-of-a-store"
        );
    }

    #[test]
    fn queries_of_urls_are_left_out() {
        assert_eq!(
            hide("GET http://a.b/c?sig=1&x=2 in 3 s, then (https://d/e?f)"),
            "GET http://a.b/c in 3 s, then (https://d/e)"
        );
        assert_eq!(hide("what? no url"), "what? no url");
    }
}
