//! What datasets are called: a namespace for where they lie, and a name in it.
//!
//! # Source
//! "Naming" of the `OpenLineage` specification: `file` and the path; `s3://bucket`, `gs://bucket` and the key. A container of Azure is named
//! as its URL names it, since the account stands in the environment; a web server by scheme, host and port.

/// Where a root lies, for receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Namespace of all datasets below the root.
    pub(super) namespace: String,
    /// What their names begin with, without a slash at its end.
    prefix: String,
    /// The root as it is.
    pub(super) url: String,
}

impl Place {
    /// Of the URL of a store.
    pub(super) fn of(url: &str) -> Self {
        let (namespace, prefix) = match url.split_once("://") {
            Some(("file", path)) => ("file".to_owned(), path.to_owned()),
            None => ("file".to_owned(), url.to_owned()),
            Some((scheme, rest)) => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                // One protocol, several names.
                let scheme = if scheme == "s3a" { "s3" } else { scheme };
                (format!("{scheme}://{host}"), path.to_owned())
            }
        };
        Self {
            namespace,
            // Of the root of a disk there is nothing left.
            prefix: prefix.trim_end_matches('/').to_owned(),
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    /// Name of what lies at a path below the root.
    pub(super) fn name(&self, path: &str) -> String {
        match self.prefix.as_str() {
            "" if self.namespace == "file" => format!("/{path}"),
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_as_receivers_expect() {
        for (url, namespace, name) in [
            ("file:///srv/checkpoints", "file", "/srv/checkpoints/a/b"),
            ("/srv/out/", "file", "/srv/out/a/b"),
            ("file:///", "file", "/a/b"),
            ("s3://shop/night/out", "s3://shop", "night/out/a/b"),
            ("s3a://shop", "s3://shop", "a/b"),
            ("gs://shop/", "gs://shop", "a/b"),
            ("az://container/x", "az://container", "x/a/b"),
            ("https://host:8443/dump", "https://host:8443", "dump/a/b"),
        ] {
            let place = Place::of(url);
            assert_eq!(place.namespace, namespace, "{url}");
            assert_eq!(place.name("a/b"), name, "{url}");
        }
    }
}
