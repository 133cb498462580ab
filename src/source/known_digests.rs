//! The table of file digests: a line a file, `identity on the disk ⇥ digest ⇥ URL`, in the order of the URLs.
//!
//! It is read by every command, and a catalogue has as many lines as images. So the text stays in one piece, a line is three
//! offsets, and a file is looked for beside the one that was found before it: whoever lists a folder asks in the order of the
//! table.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering as Memory};

/// Characters of a digest.
const DIGEST_CHARS: usize = 64;

/// The place of no line: there is none to begin beside.
pub(super) const NOWHERE: usize = usize::MAX;

/// Fewer lines are kept whether somebody asked for them or not.
const FEW_LINES: usize = 100_000;

/// Digests of local files by URL.
#[derive(Debug, Default)]
pub(super) struct KnownDigests {
    text: String,
    /// In the order of their URLs, each once.
    lines: Vec<Line>,
    /// What is known since the table was read; `None` where it is not known any more.
    changed: HashMap<String, Option<Known>>,
}

/// Where a line and its parts stand in the text.
#[derive(Debug)]
struct Line {
    start: usize,
    /// Of the identity; the digest follows the tab.
    identity_end: usize,
    end: usize,
    /// Whether somebody asked for it.
    is_used: AtomicBool,
}

/// What the table says of a file.
#[derive(Debug)]
struct Known {
    identity: String,
    digest: String,
}

impl Line {
    fn of(text: &str, start: usize, end: usize) -> Option<Self> {
        let identity_end = start + text[start..end].find('\t')?;
        let url = identity_end + 1 + DIGEST_CHARS + 1;
        let is_whole = text.get(url - 1..url) == Some("\t") && url < end;
        is_whole.then_some(Self {
            start,
            identity_end,
            end,
            is_used: AtomicBool::new(false),
        })
    }

    fn identity<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.identity_end]
    }

    fn digest<'a>(&self, text: &'a str) -> &'a str {
        &text[self.identity_end + 1..][..DIGEST_CHARS]
    }

    fn url<'a>(&self, text: &'a str) -> &'a str {
        &text[self.identity_end + 1 + DIGEST_CHARS + 1..self.end]
    }
}

impl KnownDigests {
    /// Takes a table apart; lines that are none are passed over.
    pub(super) fn parse(text: String) -> Self {
        let mut lines = Vec::with_capacity(text.len() / 150);
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.trim_end_matches('\n').len();
            lines.extend(Line::of(&text, start, end));
            start += line.len();
        }
        let in_order = |a: &Line, b: &Line| a.url(&text) < b.url(&text);
        if !lines.is_sorted_by(in_order) {
            // Stable: of two lines for a file the last one holds.
            lines.reverse();
            lines.sort_by(|a, b| a.url(&text).cmp(b.url(&text)));
            lines.dedup_by(|a, b| a.url(&text) == b.url(&text));
        }
        Self {
            text,
            lines,
            changed: HashMap::new(),
        }
    }

    /// The digest of the file at `root/path`, if it still has this identity. `near` is where the one before was found.
    pub(super) fn find(
        &self,
        root: &str,
        path: &str,
        identity: &str,
        near: &mut usize,
    ) -> Option<&str> {
        if !self.changed.is_empty()
            && let Some(known) = self.changed.get(&format!("{root}/{path}"))
        {
            let known = known.as_ref().filter(|known| known.identity == identity);
            return known.map(|known| known.digest.as_str());
        }
        let line = self.line(root, path, near)?;
        line.is_used.store(true, Memory::Relaxed);
        (line.identity(&self.text) == identity).then(|| line.digest(&self.text))
    }

    fn line(&self, root: &str, path: &str, near: &mut usize) -> Option<&Line> {
        let order = |line: &Line| compare(line.url(&self.text), root, path);
        let next = near.saturating_add(1);
        let is_next = self.lines.get(next).is_some_and(|line| order(line).is_eq());
        *near = if is_next {
            next
        } else {
            self.lines.binary_search_by(order).ok()?
        };
        self.lines.get(*near)
    }

    /// Notes the digest of a file.
    pub(super) fn insert(&mut self, url: String, identity: String, digest: String) {
        self.changed.insert(url, Some(Known { identity, digest }));
    }

    /// Forgets a file; tells whether it was known.
    pub(super) fn remove(&mut self, root: &str, path: &str) -> bool {
        let url = format!("{root}/{path}");
        let was_known = match self.changed.get(&url) {
            Some(known) => known.is_some(),
            None => self.line(root, path, &mut NOWHERE.to_owned()).is_some(),
        };
        if was_known {
            self.changed.insert(url, None);
        }
        was_known
    }

    pub(super) fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Writes the table, aside and then renamed. Lines that nobody asked for are dropped once they are the most: dumps come
    /// and go, in folders of their own.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let kept = self.lines.iter().filter(|line| {
            let url = line.url(&self.text);
            !self.changed.contains_key(url)
        });
        let (used, unused): (Vec<&Line>, Vec<&Line>) =
            kept.partition(|line| line.is_used.load(Memory::Relaxed));
        let asked_for = used.len() + self.changed.len();
        let unused = if unused.len() > asked_for.max(FEW_LINES) {
            Vec::new()
        } else {
            unused
        };
        let old = used.into_iter().chain(unused).map(|line| {
            let (identity, digest) = (line.identity(&self.text), line.digest(&self.text));
            (line.url(&self.text), identity, digest)
        });
        let new = self.changed.iter().filter_map(|(url, known)| {
            let Known { identity, digest } = known.as_ref()?;
            Some((url.as_str(), identity.as_str(), digest.as_str()))
        });
        let mut lines: Vec<_> = old.chain(new).collect();
        lines.sort_unstable();
        let mut text = String::new();
        for (url, identity, digest) in lines {
            let _ = writeln!(text, "{identity}\t{digest}\t{url}");
        }
        // A reading command may write it beside a run: each has an aside of its own, and the last rename stands.
        let aside = path.with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&aside, text)?;
        std::fs::rename(aside, path)
    }
}

/// Compares a URL with `root/path`, which nobody has to put together for it.
fn compare(url: &str, root: &str, path: &str) -> Ordering {
    let (head, tail) = url.as_bytes().split_at(url.len().min(root.len()));
    let of_path = || match tail.split_first() {
        None => Ordering::Less,
        Some((slash, rest)) => slash.cmp(&b'/').then_with(|| rest.cmp(path.as_bytes())),
    };
    head.cmp(root.as_bytes()).then_with(of_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: &str) -> String {
        blake3::hash(of.as_bytes()).to_hex().to_string()
    }

    fn line(url: &str, identity: &str) -> String {
        format!("{identity}\t{}\t{url}\n", digest(url))
    }

    fn table(lines: &[(&str, &str)]) -> KnownDigests {
        let lines = lines.iter().map(|(url, identity)| line(url, identity));
        KnownDigests::parse(lines.collect())
    }

    #[test]
    fn files_are_found_in_any_order_by_what_they_are_on_the_disk() {
        let known = table(&[
            ("r/b/2", "i2"),
            ("r/a", "old"),
            ("r/b/1", "i1"),
            ("r/a", "i0"),
        ]);
        let find = |path: &str, identity: &str, near: usize| {
            known
                .find("r", path, identity, &mut near.to_owned())
                .map(str::to_owned)
        };
        for near in [0, 1, 2, 7, usize::MAX] {
            for (path, identity) in [("a", "i0"), ("b/1", "i1"), ("b/2", "i2")] {
                let expected = digest(&format!("r/{path}"));
                assert_eq!(find(path, identity, near), Some(expected), "{path}");
            }
            assert_eq!(find("a", "old", near), None, "the last line holds");
            assert_eq!(find("b", "i1", near), None);
            assert_eq!(find("b/12", "i1", near), None);
        }
        assert!(known.find("r/b", "1", "i1", &mut 0).is_some());
        assert!(known.find("other", "a", "i0", &mut 0).is_none());
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        let text = format!("\nx\ty\n\t\t\ni\t{}\t\né\t{}", digest("a"), "é".repeat(40));
        let whole = line("r/a", "i0");
        let known = KnownDigests::parse(format!("{text}\n{whole}"));
        assert_eq!(known.lines.len(), 1);
        assert!(known.find("r", "a", "i0", &mut 0).is_some());
    }

    #[test]
    fn what_is_written_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("_digests");
        let mut known = table(&[("r/a", "i0"), ("r/b", "i1"), ("r/c", "i2")]);
        assert!(!known.is_changed());
        assert!(known.remove("r", "b") && !known.remove("r", "b"));
        assert!(!known.remove("r", "z"));
        known.insert("r/a".to_owned(), "i9".to_owned(), digest("new"));
        known.insert("r/aa".to_owned(), "i8".to_owned(), digest("newer"));
        assert!(known.is_changed());
        known.write(&path).unwrap();
        let again = KnownDigests::parse(std::fs::read_to_string(&path).unwrap());
        for found in [&known, &again] {
            let find = |path, identity| found.find("r", path, identity, &mut NOWHERE.to_owned());
            assert_eq!(find("a", "i9"), Some(digest("new").as_str()));
            assert_eq!(find("a", "i0"), None);
            assert_eq!(find("aa", "i8"), Some(digest("newer").as_str()));
            assert_eq!(find("b", "i1"), None);
            assert_eq!(find("c", "i2"), Some(digest("r/c").as_str()));
        }
        assert_eq!(again.lines.len(), 3);
    }

    #[test]
    fn dumps_of_long_ago_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("_digests");
        let old = |count: usize| -> String {
            (0..count)
                .map(|file| line(&format!("old/{file:06}"), "i"))
                .collect()
        };
        for (count, kept) in [(FEW_LINES, FEW_LINES + 2), (FEW_LINES + 1, 2)] {
            let text = format!("{}{}", line("new/0", "i"), old(count));
            let mut known = KnownDigests::parse(text);
            assert!(
                known
                    .find("new", "0", "i", &mut NOWHERE.to_owned())
                    .is_some()
            );
            known.insert("new/1".to_owned(), "i".to_owned(), digest("1"));
            known.write(&path).unwrap();
            let again = KnownDigests::parse(std::fs::read_to_string(&path).unwrap());
            assert_eq!(again.lines.len(), kept);
            assert!(
                again
                    .find("new", "0", "i", &mut NOWHERE.to_owned())
                    .is_some()
            );
        }
    }
}
