//! Object stores on real servers, and what a faulty line does to those who use them.
//!
//! `make test-stores` installs the servers and names them to the tests (see `server`); without, each of these tests says loudly
//! that it was skipped. `proxy` needs none.

mod bucket;
mod faults;
mod http;
mod nights;
pub mod proxy;
mod proxy_tests;
pub mod server;
mod suite;

use futures::future::join_all;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use proxy::{Fault, Proxy};
use server::{Kind, REGION, Server};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use tokio::runtime;

/// A client of a bucket that reaches the server at this address: its own, or that of a proxy.
fn client(server: &Server, address: SocketAddr, bucket: &str) -> Arc<dyn ObjectStore> {
    let endpoint = server.endpoint_at(address);
    if server.kind() == Kind::Azurite {
        let azure = MicrosoftAzureBuilder::new()
            .with_endpoint(endpoint)
            .with_allow_http(true);
        let azure = azure
            .with_account(server.access_key())
            .with_access_key(server.secret());
        return Arc::new(azure.with_container_name(bucket).build().unwrap());
    }
    let s3 = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true);
    let s3 = s3
        .with_access_key_id(server.access_key())
        .with_secret_access_key(server.secret());
    Arc::new(
        s3.with_region(REGION)
            .with_bucket_name(bucket)
            .build()
            .unwrap(),
    )
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Makes two buckets, refuses who does not sign, and stops.
fn answers_and_stops(server: Option<Server>) {
    let Some(server) = server else { return };
    let kind = server.kind();
    let buckets = [server.make_bucket(), server.make_bucket()];
    assert_ne!(buckets[0], buckets[1]);
    let object = Path::from("folder/object");
    block_on(async {
        let store = client(&server, server.address(), &buckets[0]);
        store.put(&object, "bytes".into()).await.unwrap();
        assert_eq!(
            store.get(&object).await.unwrap().bytes().await.unwrap(),
            "bytes"
        );
        let other = client(&server, server.address(), &buckets[1]);
        assert!(matches!(
            other.head(&object).await,
            Err(Error::NotFound { .. })
        ));
    });
    let url = format!("{}/{}/folder/object", server.endpoint(), buckets[0]);
    let path = url
        .strip_prefix(&format!("http://{}", server.address()))
        .unwrap();
    let unsigned = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        server.address()
    );
    let answer = server::exchange(server.address(), &unsigned).unwrap();
    // Azure does not tell strangers what is there.
    assert!(
        answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 404"),
        "{answer}"
    );
    assert!(!server.log().contains(server.secret()));
    let (address, data) = (server.address(), server.data());
    assert!(data.read_dir().unwrap().next().is_some());
    drop(server);
    assert!(
        TcpStream::connect(address).is_err(),
        "{kind:?} outlives its owner"
    );
    assert!(!data.exists());
}

#[test]
fn s3s_fs_starts_and_stops() {
    answers_and_stops(Server::s3s_fs());
}

#[test]
fn garage_starts_and_stops() {
    answers_and_stops(Server::garage());
}

#[test]
fn azurite_starts_and_stops() {
    answers_and_stops(Server::azurite());
}

/// Of 16 who create the same object at once, through a proxy that lets changes through one after another: how many are told
/// that they did, and how many that it was there already.
fn racing_creates(kind: Kind) -> Option<(usize, usize)> {
    let server = Server::start(kind)?;
    let bucket = server.make_bucket();
    let proxy = Proxy::serial(server.address(), |_| None);
    let store = client(&server, proxy.address(), &bucket);
    let object = Path::from("object");
    let results = block_on(join_all((0..16).map(|index: u8| {
        let mode = PutMode::Create.into();
        store.put_opts(&object, vec![index].into(), mode)
    })));
    assert_eq!(proxy.requests(), 16);
    let won = results.iter().filter(|result| result.is_ok()).count();
    let lost = results
        .iter()
        .filter(|result| matches!(result, Err(Error::AlreadyExists { .. })));
    Some((won, lost.count()))
}

#[test]
fn one_of_many_creates_wins_where_conditions_are_honoured() {
    for kind in [Kind::S3sFs, Kind::Azurite] {
        if let Some(counts) = racing_creates(kind) {
            assert_eq!(counts, (1, 15), "{kind:?}");
        }
    }
}

#[test]
fn every_create_wins_on_garage() {
    if let Some(counts) = racing_creates(Kind::Garage) {
        assert_eq!(
            counts,
            (16, 0),
            "Garage honours conditions by now: what stands on that has to be thought over"
        );
    }
}

#[test]
fn signatures_stay_valid_through_the_proxy_and_faults_show() {
    for kind in [Kind::S3sFs, Kind::Garage, Kind::Azurite] {
        let Some(server) = Server::start(kind) else {
            continue;
        };
        let bucket = server.make_bucket();
        // A put whose answer is lost, then one that is refused for now, then all is well.
        let proxy = Proxy::start(server.address(), |request| match request.index {
            0 => Some(Fault::AnswerLost),
            1 => Some(Fault::Status(503)),
            _ => None,
        });
        let store = client(&server, proxy.address(), &bucket);
        let object = Path::from("a/b c");
        let results = block_on(async {
            store.put(&object, "bytes".into()).await.unwrap();
            store.get(&object).await.unwrap().bytes().await.unwrap()
        });
        assert_eq!(results, "bytes", "{kind:?}");
        let faults: Vec<_> = proxy
            .log()
            .iter()
            .map(|logged| (logged.method.clone(), logged.fault))
            .collect();
        let put = |fault| ("PUT".to_owned(), fault);
        let expected = [
            put(Some(Fault::AnswerLost)),
            put(Some(Fault::Status(503))),
            put(None),
            ("GET".to_owned(), None),
        ];
        assert_eq!(faults, expected, "{kind:?}");
    }
}
