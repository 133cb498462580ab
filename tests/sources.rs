//! Where a catalogue lies does not matter: a folder, shards of images, a web server.

use crate::space::{Objects, TestSpace, assert_same, options, ran, stage};
use rayonnage::store::{ObjectBackedStore, SharedStore, Store};
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use zip::write::{SimpleFileOptions, ZipWriter};

/// The published parts by name: what consumers read.
fn parts(space: &TestSpace) -> Objects {
    let published = space.published().into_iter();
    published
        .filter(|(path, _)| path.ends_with(".parquet"))
        .collect()
}

fn images(space: &TestSpace, folder: &str) -> Objects {
    crate::space::objects(&space.path("catalogue/images").join(folder))
}

/// Packs the images of a folder into two shards each, and removes the folder.
fn pack(space: &TestSpace, ending: &str) {
    for folder in ["image_train", "image_test"] {
        let files: Vec<(String, Vec<u8>)> = images(space, folder).into_iter().collect();
        for (number, files) in files.chunks(files.len().div_ceil(2)).enumerate() {
            let packed = if ending == "zip" {
                zip(files)
            } else {
                tar(files)
            };
            space.write(
                &format!("catalogue/images/{folder}-{number}.{ending}"),
                packed,
            );
        }
        fs::remove_dir_all(space.path("catalogue/images").join(folder)).unwrap();
    }
}

fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer
            .start_file(name.as_str(), SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder
            .append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

const NAME: &str = "image_{imageid}_product_{productid}.jpg";

#[test]
fn images_in_shards_are_the_same_images() {
    let files = TestSpace::with_sample(&options(60));
    files.run(&[]);
    for ending in ["zip", "tar"] {
        let mut space = TestSpace::with_sample(&options(60));
        pack(&space, ending);
        for (rows, folder) in [("labelled", "image_train"), ("unlabelled", "image_test")] {
            space.set(&format!(
                "source.images.{rows}=images/{folder}-*.{ending}/{NAME}"
            ));
        }
        let record = space.run(&[]);
        assert_eq!(
            stage(&record, "decode_images").summary,
            stage(&files.record(), "decode_images").summary
        );
        assert_same(&parts(&space), &parts(&files));
        assert!(ran(&space.run(&[])).is_empty());
    }
}

#[test]
fn a_damaged_shard_is_named() {
    let mut space = TestSpace::with_sample(&options(60));
    pack(&space, "zip");
    for (rows, folder) in [("labelled", "image_train"), ("unlabelled", "image_test")] {
        space.set(&format!(
            "source.images.{rows}=images/{folder}-*.zip/{NAME}"
        ));
    }
    let shard = space.path("catalogue/images/image_train-1.zip");
    let bytes = fs::read(&shard).unwrap();
    fs::write(&shard, &bytes[..bytes.len() - 30]).unwrap();
    space.rayonnage(&["run"]).expect(11, &["image_train-1.zip"]);
}

/// A web server as they come: it answers for files that are named, in ranges too, and lists nothing.
struct WebServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, seen) = (folder.clone(), Arc::clone(&seen));
                std::thread::spawn(move || drop(answer(&stream, &folder, &seen)));
            }
        });
        Self { address, requests }
    }
}

fn answer(mut stream: &TcpStream, folder: &Path, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut range = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(given) = line.strip_prefix("range: bytes=") {
            let (start, end) = given.split_once('-').unwrap();
            range = Some((
                start.parse::<usize>().unwrap(),
                end.parse::<usize>().unwrap(),
            ));
        }
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap_or("/"));
    seen.lock().unwrap().push(format!("{method} {path}"));
    let found = fs::read(folder.join(path.trim_start_matches('/')));
    let (Ok(bytes), "GET" | "HEAD") = (found, method) else {
        let status = if method == "PROPFIND" {
            "405 Method Not Allowed"
        } else {
            "404 Not Found"
        };
        return write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let tag = format!(
        "ETag: \"{:x}-{}\"\r\n",
        bytes.len(),
        bytes.first().unwrap_or(&0)
    );
    let dated = "Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\nConnection: close\r\n\r\n";
    let (head, body) = match range {
        None => (
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", bytes.len()),
            &bytes[..],
        ),
        Some((start, end)) => {
            let end = end.min(bytes.len() - 1);
            let (length, whole) = (end + 1 - start, bytes.len());
            (
                format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Length: {length}\r\nContent-Range: bytes {start}-{end}/{whole}\r\n"
                ),
                &bytes[start..=end],
            )
        }
    };
    write!(stream, "{head}{tag}{dated}")?;
    if method == "GET" {
        stream.write_all(body)?;
    }
    Ok(())
}

#[test]
fn a_catalogue_on_a_web_server_is_read_without_listings() {
    let space = TestSpace::with_sample(&options(60));
    space.run(&[]);
    let expected = parts(&space);
    let elsewhere = TestSpace::with_sample(&options(60));
    let server = WebServer::start(space.path("catalogue"));
    let url = format!("http://{}", server.address);
    let run = || {
        let mut command = elsewhere.command(&["run"]);
        command.env("RAYONNAGE_SOURCE", &url);
        crate::space::Outcome::of(&mut command)
    };
    run().expect(0, &[]);
    assert_same(&parts(&elsewhere), &expected);
    let first = server.requests.lock().unwrap().len();
    run().expect(0, &[]);
    assert!(ran(&elsewhere.record()).is_empty());
    let requests = server.requests.lock().unwrap();
    let fetched = |request: &&String| request.starts_with("GET") && request.contains("/images/");
    assert!(requests[..first].iter().filter(fetched).count() > 0);
    assert_eq!(
        requests[first..].iter().filter(fetched).count(),
        0,
        "unchanged images are not fetched"
    );
    let mut command = elsewhere.command(&["run"]);
    command.env("RAYONNAGE_SINK", &url);
    crate::space::Outcome::of(&mut command).expect(10, &["web servers are only read"]);
}

#[test]
fn the_next_date_takes_equal_parts_over_inside_the_sink() {
    use rayonnage::runner::SelectionOptions;
    use rayonnage::store::{Operation, RecordingStore};
    let mut space = TestSpace::with_sample(&options(60));
    let memory = || Arc::new(ObjectBackedStore::memory()) as SharedStore;
    let (checkpoints, sink) = (memory(), Arc::new(RecordingStore::new(memory())));
    let shared: SharedStore = sink.clone();
    space.set("sink.retain=2");
    let mut run = |date: &str| {
        space.set(&format!("dump_date={date}"));
        space
            .run_on(&checkpoints, &shared, &SelectionOptions::default())
            .unwrap();
        sink.operations()
    };
    let first = run("2026-11-18").len();
    let second = run("2026-11-19");
    let parts = |operations: &[Operation]| -> Vec<Operation> {
        let operations = operations
            .iter()
            .filter(|operation| operation.path().ends_with(".parquet"));
        operations.cloned().collect()
    };
    let copied = parts(&second[first..]);
    assert!(!copied.is_empty());
    for operation in &copied {
        let Operation::Copy { from, to } = operation else {
            panic!("{} is not copied", operation.path());
        };
        assert!(from.contains("dt=2026-11-18") && to.contains("dt=2026-11-19"));
        assert_eq!(sink.get(from).unwrap(), sink.get(to).unwrap());
    }
    run("2026-11-20");
    assert_eq!(
        sink.folders("predictions").unwrap(),
        ["dt=2026-11-19", "dt=2026-11-20"]
    );
    // An older date moves nothing, and goes with the next one.
    run("2026-11-01");
    let latest = String::from_utf8(sink.get("predictions/latest.json").unwrap().to_vec()).unwrap();
    assert!(latest.contains("2026-11-20"), "{latest}");
    let folders = || sink.folders("predictions").unwrap();
    assert_eq!(
        folders(),
        ["dt=2026-11-01", "dt=2026-11-19", "dt=2026-11-20"]
    );
    // Half a publication is none, and goes once it is older than what is kept.
    let half = "predictions/dt=2026-11-22/run=half/part-00000-half.parquet";
    sink.replace(half, bytes::Bytes::from_static(b"half"))
        .unwrap();
    run("2026-11-21");
    assert_eq!(
        folders(),
        ["dt=2026-11-20", "dt=2026-11-21", "dt=2026-11-22"]
    );
    run("2026-11-23");
    run("2026-11-24");
    assert_eq!(folders(), ["dt=2026-11-23", "dt=2026-11-24"]);
}
