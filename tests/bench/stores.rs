//! Called by `make bench-stores`: reading a catalogue's images from a bucket against reading them from this machine's disk.
//!
//! The bucket is on s3s-fs, on this machine; a proxy adds 20 ms to every answer, as a bucket elsewhere does. Tables: images a
//! second that the store layer hands out, single and in shards, side by side and one after another; and what `decode_images` makes
//! of it.
//!
//! Server, proxy and program share the cores of this machine, so decoding from the bucket cannot come to the disk's speed here: an image costs
//! what decoding it costs and what handing it out costs. The bar: with 20 ms for each answer, decoding keeps nine tenths of what the
//! two together leave, that is, waiting is hidden.
//!
//! On 2 cores, 926 photos of 500×500: disk 593 images/s, bucket side by side 1,465, so 422 are left; bucket 476, 20 ms away 426 (1.01).

// The tests ask more of these.
#[allow(dead_code)]
#[path = "../stores/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "../stores/proxy.rs"]
mod proxy;
#[allow(dead_code)]
#[path = "../stores/server.rs"]
mod server;

use bytes::Bytes;
use clap::Parser;
use proxy::{Fault, Proxy};
use rayon::prelude::*;
use rayonnage::runner::RunRecord;
use rayonnage::store::{
    BucketOptions, BucketStore, ObjectBackedStore, ShardedStore, SharedStore, Store,
};
use server::{REGION, Server};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zip::write::{SimpleFileOptions, ZipWriter};

/// What a bucket elsewhere takes longer for an answer.
const DELAY: Duration = Duration::from_millis(20);

/// Share that decoding has to keep of the speed that reading and decoding on the same cores leave.
const BAR: f64 = 0.9;

#[derive(Parser)]
struct Arguments {
    /// The catalogue
    #[arg(long)]
    data: PathBuf,
    /// Most images
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// The tables as Markdown
    #[arg(long)]
    report: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let server = Server::s3s_fs().ok_or("RAYONNAGE_TEST_S3S_FS names no server")?;
    let bucket = server.make_bucket();
    let far = Proxy::start(server.address(), |_| Some(Fault::Delay(DELAY)));
    let near = Proxy::start(server.address(), |_| None);
    let variables = |address: SocketAddr| -> Vec<(String, String)> {
        let endpoint = server.endpoint_at(address);
        let pairs = [
            ("AWS_ACCESS_KEY_ID", server.access_key()),
            ("AWS_SECRET_ACCESS_KEY", server.secret()),
            ("AWS_REGION", REGION),
            ("AWS_ENDPOINT_URL", &endpoint),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    };
    let url = format!("s3://{bucket}");
    let open = |address: SocketAddr| -> Result<SharedStore, Box<dyn Error>> {
        let store = BucketStore::connect(&url, &variables(address), BucketOptions::default())?;
        Ok(Arc::new(ShardedStore::new(Arc::new(store))))
    };
    let disk: SharedStore = Arc::new(ObjectBackedStore::local(&arguments.data)?);
    let (near_store, far_store) = (open(near.address())?, open(far.address())?);
    let images = upload(&disk, &near_store, arguments.limit)?;
    let paths: Vec<&str> = images.iter().map(String::as_str).collect();
    let in_zip: Vec<String> = images
        .iter()
        .map(|path| format!("images.zip/{path}"))
        .collect();
    let in_zip: Vec<&str> = in_zip.iter().map(String::as_str).collect();

    let mut text = String::from("| images read | images/s | MB/s |\n|---|---|---|\n");
    let mut row = |name: &str, read: &dyn Fn() -> Result<u64, Box<dyn Error>>, count: usize| {
        let started = Instant::now();
        let bytes = read()?;
        let seconds = started.elapsed().as_secs_f64();
        let (rate, megabytes) = (count as f64 / seconds, bytes as f64 / 1e6 / seconds);
        writeln!(text, "| {name} | {rate:.0} | {megabytes:.1} |")?;
        Ok::<f64, Box<dyn Error>>(rate)
    };
    let few = &paths[..paths.len().min(200)];
    row("disk, a core each", &|| each(&disk, &paths), paths.len())?;
    row(
        "bucket, one after another",
        &|| one_by_one(&near_store, few),
        few.len(),
    )?;
    let handed_out = row(
        "bucket, side by side",
        &|| together(&near_store, &paths),
        paths.len(),
    )?;
    row(
        "bucket 20 ms away, one after another",
        &|| one_by_one(&far_store, few),
        few.len(),
    )?;
    row(
        "bucket 20 ms away, side by side",
        &|| together(&far_store, &paths),
        paths.len(),
    )?;
    row(
        "the same in a .zip",
        &|| together(&far_store, &in_zip),
        in_zip.len(),
    )?;

    text.push_str("\n| `decode_images` | images/s | of the disk's |\n|---|---|---|\n");
    let on_disk = decoded(&arguments.data.display().to_string(), &[])?;
    writeln!(text, "| disk | {on_disk:.0} | 1 |")?;
    let left = 1.0 / (1.0 / on_disk + 1.0 / handed_out);
    let mut kept = 0.0;
    for (name, address) in [
        ("bucket", near.address()),
        ("bucket 20 ms away", far.address()),
    ] {
        let rate = decoded(&url, &variables(address))?;
        kept = rate / left;
        writeln!(text, "| {name} | {rate:.0} | {:.2} |", rate / on_disk)?;
    }
    writeln!(
        text,
        "| left by both on these cores | {left:.0} | {:.2} |",
        left / on_disk
    )?;
    print!("{text}");
    if let Some(report) = &arguments.report {
        std::fs::write(report, &text)?;
    }
    if kept < BAR {
        eprintln!(
            "decoding from a bucket 20 ms away waits: it keeps {kept:.2} of what the cores leave, less than {BAR}"
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Uploads the catalogue with no more than so many images, and those once more in a shard; returns the paths of the images.
fn upload(
    disk: &SharedStore,
    bucket: &SharedStore,
    limit: usize,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut images = Vec::new();
    let mut shard = ZipWriter::new(Cursor::new(Vec::new()));
    for object in disk.list("")? {
        let is_image = object.path.starts_with("images/");
        if is_image && images.len() == limit {
            continue;
        }
        let bytes = disk.get(&object.path)?;
        if is_image {
            shard.start_file(object.path.as_str(), SimpleFileOptions::default())?;
            shard.write_all(&bytes)?;
            images.push(object.path.clone());
        }
        bucket.replace(&object.path, bytes)?;
    }
    bucket.replace("images.zip", Bytes::from(shard.finish()?.into_inner()))?;
    Ok(images)
}

fn sum(
    found: impl IntoIterator<Item = Result<Bytes, rayonnage::store::StoreError>>,
) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for found in found {
        bytes += found?.len() as u64;
    }
    Ok(bytes)
}

fn each(store: &SharedStore, paths: &[&str]) -> Result<u64, Box<dyn Error>> {
    let found: Vec<_> = paths.par_iter().map(|path| store.get(path)).collect();
    sum(found)
}

fn one_by_one(store: &SharedStore, paths: &[&str]) -> Result<u64, Box<dyn Error>> {
    sum(paths.iter().map(|path| store.get(path)))
}

fn together(store: &SharedStore, paths: &[&str]) -> Result<u64, Box<dyn Error>> {
    let windows = paths.chunks(64);
    sum(windows.flat_map(|window| store.get_all(window)))
}

/// Images that `decode_images` decodes a second, of a catalogue.
fn decoded(source: &str, variables: &[(String, String)]) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let status = Command::new(env!("CARGO_BIN_EXE_rayonnage"))
        .args(["run", "--until", "decode_images"])
        .env("RAYONNAGE_SOURCE", source)
        .env("RAYONNAGE_CHECKPOINTS", folder.path().join("checkpoints"))
        .env("RAYONNAGE_SINK", folder.path().join("out"))
        .env("RAYONNAGE_DATE", "2000-01-01")
        .env("RAYONNAGE_LOG", "warn")
        .envs(variables.iter().cloned())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("rayonnage run ended with {status}").into());
    }
    let checkpoints = ObjectBackedStore::local(&folder.path().join("checkpoints"))?;
    let last = checkpoints.list("_runs")?.pop().ok_or("no run record")?;
    let record: RunRecord = serde_json::from_slice(&checkpoints.get(&last.path)?)?;
    let stage = record
        .stages
        .iter()
        .find(|stage| stage.stage == "decode_images");
    let stage = stage.ok_or("decode_images did not run")?;
    Ok(stage.images as f64 / (stage.elapsed_ms as f64 / 1000.0))
}
