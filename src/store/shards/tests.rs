//! Entries of shards as objects.

use super::index::fits;
use super::*;
use crate::store::ObjectBackedStore;
use std::io::{Cursor, Write};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

fn tar_of(files: &[(&str, &[u8])]) -> Bytes {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    Bytes::from(builder.into_inner().unwrap())
}

fn zip_of(files: &[(&str, &[u8])], method: CompressionMethod) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    Bytes::from(writer.finish().unwrap().into_inner())
}

fn store() -> ShardedStore {
    let inner = ObjectBackedStore::memory();
    let long = vec![7; 100_000];
    let longer_name = format!("{}.jpg", "n".repeat(180));
    let first: [(&str, &[u8]); 2] = [("a.jpg", b"one"), ("deep/b.jpg", &long)];
    let second: [(&str, &[u8]); 2] = [("c.jpg", b"three"), (&longer_name, b"four")];
    inner.create("images/x-0.tar", tar_of(&first)).unwrap();
    inner.create("images/x-1.tar", tar_of(&second)).unwrap();
    inner
        .create(
            "images/y-0.zip",
            zip_of(&first, CompressionMethod::Deflated),
        )
        .unwrap();
    inner
        .create("images/y-1.zip", zip_of(&second, CompressionMethod::Stored))
        .unwrap();
    inner
        .create("table.csv", Bytes::from_static(b"id"))
        .unwrap();
    ShardedStore::new(Arc::new(inner))
}

#[test]
fn entries_of_all_shards_of_a_pattern_are_objects() {
    let store = store();
    let long_name = format!("{}.jpg", "n".repeat(180));
    for pattern in ["images/x-*.tar", "images/y-*.zip"] {
        let path = |name: &str| format!("{pattern}/{name}");
        let listed: Vec<String> = store
            .list(pattern)
            .unwrap()
            .into_iter()
            .map(|info| info.path)
            .collect();
        assert_eq!(
            listed,
            ["a.jpg", "c.jpg", "deep/b.jpg", long_name.as_str()].map(path)
        );
        assert_eq!(store.get(&path("a.jpg")).unwrap(), "one");
        assert_eq!(store.get(&path("deep/b.jpg")).unwrap(), vec![7; 100_000]);
        assert_eq!(store.get_range(&path("c.jpg"), 1, 3).unwrap(), "hr");
        assert_eq!(store.get(&path(&long_name)).unwrap(), "four");
        assert_eq!(store.head(&path("a.jpg")).unwrap().unwrap().size_bytes, 3);
        assert_eq!(store.head(&path("no.jpg")).unwrap(), None);
        assert!(store.get(&path("no.jpg")).unwrap_err().is_not_found());
        let deep = store.list(&path("deep")).unwrap();
        assert_eq!(deep.len(), 1);
        let (a, no) = (path("a.jpg"), path("no.jpg"));
        let all = store.get_all(&[&a, &no]);
        assert_eq!(all[0].as_ref().unwrap(), "one");
        assert!(all[1].as_ref().unwrap_err().is_not_found());
    }
    assert_eq!(store.get("table.csv").unwrap(), "id");
    assert!(store.list("images/none-*.zip").unwrap().is_empty());
    assert!(store.list("images/none.tar").unwrap().is_empty());
}

#[test]
fn an_unchanged_entry_of_a_changed_zip_keeps_its_identity() {
    let identity = |files: &[(&str, &[u8])]| {
        let inner = ObjectBackedStore::memory();
        inner
            .create("s.zip", zip_of(files, CompressionMethod::Deflated))
            .unwrap();
        let store = ShardedStore::new(Arc::new(inner));
        store.head("s.zip/b").unwrap().unwrap().identity
    };
    let before = identity(&[("b", b"same")]);
    assert_eq!(identity(&[("a", b"new"), ("b", b"same")]), before);
    assert_ne!(identity(&[("b", b"else")]), before);
}

#[test]
fn empty_entries_are_empty_objects() {
    let inner = ObjectBackedStore::memory();
    let files: [(&str, &[u8]); 2] = [("a", b""), ("b", b"x")];
    inner.create("s.tar", tar_of(&files)).unwrap();
    let stored = zip_of(&files, CompressionMethod::Stored);
    inner.create("s.zip", stored).unwrap();
    let store = ShardedStore::new(Arc::new(inner));
    for path in ["s.tar/a", "s.zip/a"] {
        assert_eq!(store.get(path).unwrap(), "", "{path}");
    }
}

#[test]
fn damaged_shards_are_errors_with_their_name() {
    let inner = ObjectBackedStore::memory();
    let whole = zip_of(
        &[("a", b"some text that is compressed")],
        CompressionMethod::Stored,
    );
    inner
        .create("cut.zip", whole.slice(..whole.len() - 5))
        .unwrap();
    let mut changed = whole.to_vec();
    changed[40] ^= 1;
    inner.create("changed.zip", Bytes::from(changed)).unwrap();
    let tar = tar_of(&[("a", b"x")]);
    let mut broken = tar.to_vec();
    broken[100] ^= 1;
    inner.create("broken.tar", Bytes::from(broken)).unwrap();
    let store = ShardedStore::new(Arc::new(inner));
    for path in ["cut.zip/a", "broken.tar/a"] {
        let error = store.get(path).unwrap_err();
        let shard = path.split('/').next().unwrap();
        assert!(matches!(error, StoreError::Shard { .. }), "{path}: {error}");
        assert!(error.to_string().contains(shard), "{error}");
    }
    // The directory is whole, and the entry is not.
    let error = store.get("changed.zip/a").unwrap_err();
    assert!(matches!(error, StoreError::DamagedEntry { .. }), "{error}");
    assert!(error.to_string().contains("changed.zip/a"), "{error}");
}

#[test]
fn stars_stand_for_anything() {
    for (name, pattern, expected) in [
        ("a-1.tar", "a-*.tar", true),
        ("a-.tar", "a-*.tar", true),
        ("a.tar", "a-*.tar", false),
        ("b-1.tar", "a-*.tar", false),
        ("a-1-b-2.tar", "a-*-b-*.tar", true),
        ("a.tar", "a.tar", true),
        ("a.tar2", "a.tar", false),
    ] {
        assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
    }
}
