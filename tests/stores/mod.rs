//! Object stores on real servers, and what a faulty line does to those who use them.
//!
//! `make test-stores` installs the servers and names them to the tests (see `server`); without, each of these tests says loudly
//! that it was skipped. `proxy` needs none.

mod bucket;
mod http;
mod nights;
pub mod proxy;
mod proxy_tests;
pub mod server;
mod suite;

use server::{Kind, Server};
use std::net::TcpStream;

/// Starts, makes two buckets, answers whom it does not know with a refusal, and stops.
fn starts_and_stops(kind: Kind) {
    let Some(server) = Server::start(kind) else {
        return;
    };
    assert_eq!(server.kind(), kind);
    let buckets = [server.make_bucket(), server.make_bucket()];
    assert_ne!(buckets[0], buckets[1]);
    let path = server
        .endpoint()
        .split_off(format!("http://{}", server.address()).len());
    let unsigned = format!(
        "GET {path}/{}/object HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        buckets[0],
        server.address()
    );
    let answer = server::exchange(server.address(), &unsigned).unwrap();
    let status = &answer[..12];
    assert!(
        ["HTTP/1.1 403", "HTTP/1.1 404"].contains(&status),
        "{answer}"
    );
    let (address, data) = (server.address(), server.data());
    assert!(data.is_dir());
    drop(server);
    assert!(
        TcpStream::connect(address).is_err(),
        "{kind:?} outlives its owner"
    );
    assert!(!data.exists());
}

#[test]
fn s3s_fs_starts_and_stops() {
    starts_and_stops(Kind::S3sFs);
}

#[test]
fn garage_starts_and_stops() {
    starts_and_stops(Kind::Garage);
}

#[test]
fn azurite_starts_and_stops() {
    starts_and_stops(Kind::Azurite);
}
