//! Real object stores on loopback: s3s-fs and Garage speak S3, Azurite the blobs of Azure.
//!
//! What is started is named by the environment (`make test-stores` sets it, with what `scripts/setup-stores.sh` installs):
//!
//! | variable | server |
//! |---|---|
//! | `RAYONNAGE_TEST_S3S_FS` | s3s-fs |
//! | `RAYONNAGE_TEST_GARAGE` | Garage |
//! | `RAYONNAGE_TEST_AZURITE` | `azurite-blob` |
//!
//! Invariant: no server outlives the process that started it, however that ends. A shell stands between: it kills the server as
//! soon as its standard input is closed, by [`Drop`] or by the system. So a server may live in a `static`, too.

use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for a server to answer: the machine may be busy with a build.
const LONGEST_START: Duration = Duration::from_secs(90);
/// The region that the S3 servers expect in signatures.
pub const REGION: &str = "us-east-1";
/// What ends the server with this process: the server's end is the shell's, and the end of standard input is the server's.
const GUARD: &str = r#"
trap '' HUP INT TERM
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ cat >/dev/null; kill -KILL $server; } <&3 & guard=$!
wait $server; status=$?
kill -KILL $guard 2>/dev/null
exit $status
"#;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// S3 on a folder; honours conditional puts.
    S3sFs,
    /// S3; accepts conditional puts and ignores the condition.
    Garage,
    /// The blobs of Azure.
    Azurite,
}

impl Kind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3sFs => "s3s-fs",
            Self::Garage => "Garage",
            Self::Azurite => "Azurite",
        }
    }

    /// The variable that names the program.
    fn variable(self) -> &'static str {
        match self {
            Self::S3sFs => "RAYONNAGE_TEST_S3S_FS",
            Self::Garage => "RAYONNAGE_TEST_GARAGE",
            Self::Azurite => "RAYONNAGE_TEST_AZURITE",
        }
    }
}

/// A server that runs, with a folder of its own and keys made for it.
pub struct Server {
    kind: Kind,
    program: PathBuf,
    address: SocketAddr,
    access_key: String,
    secret: String,
    buckets: AtomicUsize,
    /// Declared before the folder: it is dropped first.
    running: Running,
    folder: TempDir,
}

impl Server {
    /// Starts s3s-fs; `None`, loudly, where the environment does not name it.
    pub fn s3s_fs() -> Option<Self> {
        Self::start(Kind::S3sFs)
    }

    /// Starts Garage, one node with replication 1; `None`, loudly, where the environment does not name it.
    pub fn garage() -> Option<Self> {
        Self::start(Kind::Garage)
    }

    /// Starts Azurite; `None`, loudly, where the environment does not name it.
    pub fn azurite() -> Option<Self> {
        Self::start(Kind::Azurite)
    }

    /// Starts a server; `None`, loudly, where the environment does not name it.
    ///
    /// # Panics
    ///
    /// With the server's log, if it ends or does not answer in time.
    pub fn start(kind: Kind) -> Option<Self> {
        let variable = kind.variable();
        let Some(program) = std::env::var_os(variable).filter(|value| !value.is_empty()) else {
            // Not `eprintln`: the test harness swallows what a passing test says through it.
            let _ = writeln!(
                io::stderr(),
                "SKIPPED: no {}, since {variable} does not name it",
                kind.name()
            );
            return None;
        };
        let program = PathBuf::from(program);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        // Garage wants such names of keys, Azurite such names of accounts and secrets in base64, which hex digits are.
        let access_key = match kind {
            Kind::Azurite => format!("account{}", random_hex(8)),
            Kind::S3sFs | Kind::Garage => format!("GK{}", random_hex(12)),
        };
        let secret = random_hex(32);
        let (start, address) = command(kind, &program, folder.path(), &access_key, &secret);
        let mut server = Self {
            kind,
            running: Running::start(start, &folder.path().join("log")),
            program,
            address: address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
            access_key,
            secret,
            buckets: AtomicUsize::new(0),
            folder,
        };
        server.wait_until_it_answers();
        Some(server)
    }

    /// Which one it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it listens: what a proxy in front of it needs.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients.
    pub fn endpoint(&self) -> String {
        self.endpoint_at(self.address)
    }

    /// The URL for clients that reach it through a proxy at this address.
    pub fn endpoint_at(&self, address: SocketAddr) -> String {
        match self.kind {
            // The account stands in the path where no name of a host can tell it.
            Kind::Azurite => format!("http://{address}/{}", self.access_key),
            Kind::S3sFs | Kind::Garage => format!("http://{address}"),
        }
    }

    /// The access key, or Azure's name of the account.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret of the key.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The folder of what it stores.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it wrote to its outputs so far, without its secret.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).replace(&self.secret, "…")
    }

    /// Makes a bucket, or container, that nobody else has, and returns its name.
    ///
    /// # Panics
    ///
    /// With the server's log, if it cannot be made.
    pub fn make_bucket(&self) -> String {
        let name = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        match self.kind {
            Kind::S3sFs => fs::create_dir(self.data().join(&name)).unwrap(),
            Kind::Garage => {
                self.garage_command(&["bucket", "create", &name]);
                let key = self.access_key.clone();
                self.garage_command(&[
                    "bucket", "allow", "--read", "--write", "--owner", &name, "--key", &key,
                ]);
            }
            Kind::Azurite => self.make_container(&name),
        }
        name
    }

    /// Runs a command of Garage's own client.
    fn garage_command(&self, arguments: &[&str]) {
        let config = self.folder.path().join("garage.toml");
        let output = Command::new(&self.program)
            .arg("-c")
            .arg(config)
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {error}{}",
            self.log()
        );
    }

    /// Azure's `Create Container`, which `object_store` can sign but does not offer.
    fn make_container(&self, name: &str) {
        let target = format!("/{}/{name}?restype=container", self.access_key);
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = "PUT".parse().unwrap();
        *request.uri_mut() = format!("http://{}{target}", self.address).parse().unwrap();
        let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(&self.secret).unwrap());
        let authorizer = AzureAuthorizer::new(&credential, &self.access_key);
        authorizer.try_authorize(&mut request).unwrap();
        let mut head = format!(
            "PUT {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 0\r\n",
            self.address
        );
        for (header, value) in request.headers() {
            let _ = write!(head, "{header}: {}\r\n", value.to_str().unwrap());
        }
        let answer = exchange(self.address, &format!("{head}\r\n")).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 201"),
            "{answer}\n{}",
            self.log()
        );
    }

    /// Waits for the address, where the server chooses the port, then for an answer of any status.
    fn wait_until_it_answers(&mut self) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.running.ended() {
                panic!("{:?} ended with {status}\n{}", self.kind, self.log());
            }
            if self.address.port() == 0
                && let Some(address) = announced(&self.log())
            {
                self.address = address;
            }
            let question = format!(
                "GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
                self.address
            );
            if self.address.port() != 0
                && exchange(self.address, &question)
                    .is_ok_and(|answer| answer.starts_with("HTTP/1.1"))
            {
                return;
            }
            let waited = begun.elapsed();
            assert!(
                waited < LONGEST_START,
                "{:?} does not answer after {waited:?}\n{}",
                self.kind,
                self.log()
            );
            thread::sleep(Duration::from_millis(30));
        }
    }
}

/// The command that starts a server in a folder, and where it listens unless it chooses the port itself.
fn command(
    kind: Kind,
    program: &Path,
    folder: &Path,
    access_key: &str,
    secret: &str,
) -> (Command, Option<SocketAddr>) {
    let mut command = Command::new("sh");
    command
        .args(["-c", GUARD, "sh"])
        .arg(program)
        .current_dir(folder);
    // What the machine sets for its own clients of object stores is none of the server's business.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if ["AWS_", "AZURE_", "AZURITE_", "GARAGE_", "GOOGLE_"]
            .iter()
            .any(|prefix| name_text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    let data = folder.join("data");
    match kind {
        Kind::S3sFs => {
            command.args([
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--access-key",
                access_key,
                "--secret-key",
                secret,
            ]);
            command
                .arg(data)
                .env("RUST_LOG", "info")
                .env("NO_COLOR", "1");
            (command, None)
        }
        Kind::Garage => {
            let [s3, rpc] = free_addresses();
            fs::write(folder.join("garage.toml"), garage_config(folder, s3, rpc)).unwrap();
            command.arg("-c").arg(folder.join("garage.toml"));
            command
                .args(["server", "--single-node", "--default-access-key"])
                .env("RUST_LOG", "garage=info");
            command
                .env("GARAGE_DEFAULT_ACCESS_KEY", access_key)
                .env("GARAGE_DEFAULT_SECRET_KEY", secret);
            (command, Some(s3))
        }
        Kind::Azurite => {
            // `object_store` may speak a newer version of the protocol than this server has heard of.
            command.args([
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                "0",
                "--disableTelemetry",
                "--skipApiVersionCheck",
                "--silent",
            ]);
            command
                .arg("--location")
                .arg(data)
                .env("AZURITE_ACCOUNTS", format!("{access_key}:{secret}"));
            (command, None)
        }
    }
}

/// One node, one copy.
fn garage_config(folder: &Path, s3: SocketAddr, rpc: SocketAddr) -> String {
    let (folder, rpc_secret) = (folder.display(), random_hex(32));
    format!(
        "metadata_dir = \"{folder}/meta\"\ndata_dir = \"{folder}/data\"\ndb_engine = \"lmdb\"\nreplication_factor = 1\n\
         rpc_bind_addr = \"{rpc}\"\nrpc_public_addr = \"{rpc}\"\nrpc_secret = \"{rpc_secret}\"\n\
         [s3_api]\ns3_region = \"{REGION}\"\napi_bind_addr = \"{s3}\"\n"
    )
}

/// Addresses that nobody listened at a moment ago.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// The address after the last `http://` of a log's whole lines.
fn announced(log: &str) -> Option<SocketAddr> {
    let (lines, _) = log.rsplit_once('\n')?;
    let (_, after) = lines.rsplit_once("http://")?;
    let end = after
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .unwrap_or(after.len());
    after[..end].parse().ok()
}

/// Sends one request, and returns the answer, head and body.
pub fn exchange(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Random bytes of the system, in hex digits.
fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut random)
        .unwrap();
    random.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The shell around a server.
struct Running {
    shell: Child,
}

impl Running {
    fn start(mut command: Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        command
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Self {
            shell: command.spawn().unwrap(),
        }
    }

    /// How it ended by itself.
    fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.shell.try_wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
