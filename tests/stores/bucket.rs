//! Buckets on the servers, as the program and the library reach them.

use super::proxy::Proxy;
use super::server::{Kind, REGION, Server};
use crate::conformance::bucket_options;
use rayonnage::store::{BucketStore, Store};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::OnceLock;

/// A bucket of its own on a server that tests share.
pub struct Bucket {
    shared: &'static Shared,
    name: String,
}

/// A server, and the proxy through which it is reached: the S3 servers here answer one request after another on one connection
/// 40 ms late each, and s3s-fs looks at the condition of a put before it is its turn.
struct Shared {
    server: Server,
    proxy: Proxy,
}

impl Shared {
    fn start(kind: Kind) -> Option<Self> {
        let server = Server::start(kind)?;
        let proxy = match kind {
            Kind::S3sFs => Proxy::serial(server.address(), |_| None),
            Kind::Garage | Kind::Azurite => Proxy::start(server.address(), |_| None),
        };
        Some(Self { server, proxy })
    }
}

impl Bucket {
    /// Makes one; `None`, loudly, where the server is not there.
    pub fn on(kind: Kind) -> Option<Self> {
        static S3S_FS: OnceLock<Option<Shared>> = OnceLock::new();
        static GARAGE: OnceLock<Option<Shared>> = OnceLock::new();
        static AZURITE: OnceLock<Option<Shared>> = OnceLock::new();
        let shared = match kind {
            Kind::S3sFs => &S3S_FS,
            Kind::Garage => &GARAGE,
            Kind::Azurite => &AZURITE,
        };
        let shared = shared.get_or_init(|| Shared::start(kind)).as_ref()?;
        let name = shared.server.make_bucket();
        Some(Self { shared, name })
    }

    /// Where requests to its server go: what another proxy needs.
    pub fn address(&self) -> SocketAddr {
        self.shared.proxy.address()
    }

    /// The secret that nobody may show.
    pub fn secret(&self) -> &str {
        self.shared.server.secret()
    }

    /// The URL of a folder in it.
    pub fn url(&self, folder: &str) -> String {
        let scheme = match self.shared.server.kind() {
            Kind::Azurite => "az",
            Kind::S3sFs | Kind::Garage => "s3",
        };
        format!("{scheme}://{}/{folder}", self.name)
    }

    /// The environment of those who use it, directly or through a proxy.
    pub fn variables(&self, through: Option<SocketAddr>) -> Vec<(String, String)> {
        let server = &self.shared.server;
        let endpoint = server.endpoint_at(through.unwrap_or(self.address()));
        let (key, secret) = (server.access_key(), server.secret());
        let variables = match server.kind() {
            Kind::Azurite => vec![
                ("AZURE_STORAGE_ACCOUNT_NAME", key),
                ("AZURE_STORAGE_ACCOUNT_KEY", secret),
                ("AZURE_STORAGE_ENDPOINT", &endpoint),
            ],
            Kind::S3sFs | Kind::Garage => vec![
                ("AWS_ACCESS_KEY_ID", key),
                ("AWS_SECRET_ACCESS_KEY", secret),
                ("AWS_REGION", REGION),
                ("AWS_ENDPOINT_URL", &endpoint),
            ],
        };
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        variables.into_iter().map(owned).collect()
    }

    /// A folder in it as the library sees it.
    pub fn store(&self, folder: &str, through: Option<SocketAddr>) -> BucketStore {
        let variables = self.variables(through);
        BucketStore::connect(&self.url(folder), &variables, bucket_options()).unwrap()
    }

    /// Lets a command of the program reach it.
    pub fn reach(&self, command: &mut Command, through: Option<SocketAddr>) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["AWS_", "AZURE_", "GOOGLE_"]
                .iter()
                .any(|start| name.starts_with(start))
            {
                command.env_remove(&*name);
            }
        }
        command.envs(self.variables(through));
    }

    /// Uploads what lies below a folder of the disk.
    pub fn upload(&self, from: &std::path::Path, to: &str) {
        let target = self.store(to, None);
        for (path, bytes) in crate::space::objects(from) {
            target.create(&path, bytes.into()).unwrap();
        }
    }
}
