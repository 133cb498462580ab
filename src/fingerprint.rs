//! What a stage's outputs depend on, and why a stage has to run.
//!
//! *Invariant*: the fingerprint is a hash over the same [`Fields`] that `explain` prints and that
//! the manifest keeps, so key and explanation cannot drift apart. Pure: no files, no clock.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Version of the fingerprint scheme and of the checkpoint layout. A change makes every stage dirty.
pub const FORMAT_VERSION: u32 = 1;

/// BLAKE3 digest of some content, in lower-case hexadecimal (64 characters).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Digests bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).to_hex().to_string())
    }

    /// Digests a list of strings, each tagged with its length so that no two lists collide.
    #[must_use]
    pub fn of_strings<S: AsRef<str>>(strings: impl IntoIterator<Item = S>) -> Self {
        // Handed over in large pieces, which are digested several blocks at a time.
        const PIECE_BYTES: usize = 64 << 10;
        let mut hasher = blake3::Hasher::new();
        let mut piece = Vec::new();
        for string in strings {
            let string = string.as_ref();
            piece.extend_from_slice(&(string.len() as u64).to_le_bytes());
            piece.extend_from_slice(string.as_bytes());
            if piece.len() >= PIECE_BYTES {
                hasher.update(&piece);
                piece.clear();
            }
        }
        hasher.update(&piece);
        Self(hasher.finalize().to_hex().to_string())
    }

    /// Finishes a digest that was fed piece by piece.
    #[must_use]
    pub fn finish(hasher: &blake3::Hasher) -> Self {
        Self(hasher.finalize().to_hex().to_string())
    }

    /// The whole digest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 16 characters, as they stand in object names.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Identity of a stage's inputs: 32 hexadecimal characters of BLAKE3 over its [`Fields`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The folder name of a checkpoint.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a folder name as a fingerprint.
    #[must_use]
    pub fn from_folder(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One thing that a stage's outputs depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Dotted name, such as `params.max_words` or `needs.clean_text.labelled`.
    pub name: String,
    /// Its value, as text.
    pub value: String,
}

/// Everything that a stage's outputs depend on, in a fixed order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// Adds a field.
    pub fn push(&mut self, name: impl Into<String>, value: impl fmt::Display) {
        self.0.push(Field {
            name: name.into(),
            value: value.to_string(),
        });
    }

    /// Adds every leaf of a JSON value under its dotted path; keys of objects in sorted order.
    pub fn push_json(&mut self, name: &str, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(map) if !map.is_empty() => {
                let mut keys: Vec<&String> = map.keys().collect();
                keys.sort();
                for key in keys {
                    self.push_json(&format!("{name}.{key}"), &map[key]);
                }
            }
            leaf => self.push(name, leaf),
        }
    }

    /// The JSON value that was added under a name, put together again; null where there was none. A key with a dot comes back as two.
    #[must_use]
    pub fn json(&self, name: &str) -> serde_json::Value {
        if let Some(leaf) = self.0.iter().find(|field| field.name == name) {
            return serde_json::from_str(&leaf.value).unwrap_or_default();
        }
        let below = self.0.iter().filter_map(|field| {
            let path = field.name.strip_prefix(name)?.strip_prefix('.')?;
            Some(path.split_once('.').map_or(path, |(key, _)| key))
        });
        let keys: BTreeSet<&str> = below.collect();
        if keys.is_empty() {
            return serde_json::Value::Null;
        }
        let members = keys.into_iter();
        members
            .map(|key| (key.to_owned(), self.json(&format!("{name}.{key}"))))
            .collect()
    }

    /// The fields in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Field] {
        &self.0
    }

    /// Hashes the fields.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        update_prefixed(&mut hasher, &format!("rayonnage {FORMAT_VERSION}"));
        for field in &self.0 {
            update_prefixed(&mut hasher, &field.name);
            update_prefixed(&mut hasher, &field.value);
        }
        Fingerprint(hasher.finalize().to_hex().as_str()[..32].to_owned())
    }

    /// Lists what differs from an older set of fields, in the order of this one, what is gone last.
    #[must_use]
    pub fn changes_since(&self, old: &Self) -> Vec<FieldChange> {
        let find = |fields: &Self, name: &str| {
            fields
                .0
                .iter()
                .find(|field| field.name == name)
                .map(|field| field.value.clone())
        };
        let changed = self.0.iter().filter_map(|field| {
            let before = find(old, &field.name);
            (before.as_ref() != Some(&field.value)).then(|| FieldChange {
                name: field.name.clone(),
                old: before,
                new: Some(field.value.clone()),
            })
        });
        let gone = old
            .0
            .iter()
            .filter(|field| find(self, &field.name).is_none());
        let gone = gone.map(|field| FieldChange {
            name: field.name.clone(),
            old: Some(field.value.clone()),
            new: None,
        });
        changed.chain(gone).collect()
    }
}

fn update_prefixed(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

/// A field whose value is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Name of the field.
    pub name: String,
    /// What it was; `None` where there was no such field.
    pub old: Option<String>,
    /// What it is; `None` where there is no such field any more.
    pub new: Option<String>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<String>| value.as_deref().map_or("(absent)".to_owned(), shorten);
        write!(
            formatter,
            "{}: {} -> {}",
            self.name,
            show(&self.old),
            show(&self.new)
        )
    }
}

/// Shortens digests and SQL texts so that a change fits a line.
fn shorten(value: &str) -> String {
    const LIMIT: usize = 60;
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return line[..16].to_owned();
    }
    if line.chars().count() <= LIMIT {
        return line;
    }
    line.chars().take(LIMIT).chain(['…']).collect()
}

/// Why a stage has to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum DirtyReason {
    /// There is no checkpoint of this stage.
    NoCheckpoint,
    /// A run with these very inputs stopped before its manifest; its finished parts are kept.
    Unfinished,
    /// Its inputs are not those of its last checkpoint.
    Changed {
        /// What changed.
        changes: Vec<FieldChange>,
    },
    /// A stage that it needs will run; whether this one must is known after that.
    Upstream {
        /// The stage that it needs.
        stage: String,
    },
    /// The manifest is there but cannot be read.
    Damaged {
        /// What is wrong with it.
        detail: String,
    },
    /// The checkpoint is complete, but the sink does not hold what it published.
    NotPublished,
    /// The command line asked for it.
    Forced,
}

impl fmt::Display for DirtyReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheckpoint => formatter.write_str("no checkpoint yet"),
            Self::Unfinished => formatter.write_str("an earlier run stopped in it"),
            Self::Changed { changes } => {
                let shown: Vec<String> = changes.iter().take(3).map(ToString::to_string).collect();
                formatter.write_str(&shown.join("; "))?;
                match changes.len().saturating_sub(3) {
                    0 => Ok(()),
                    more => write!(formatter, "; and {more} more"),
                }
            }
            Self::Upstream { stage } => write!(formatter, "needs {stage}, which will run"),
            Self::Damaged { detail } => write!(formatter, "damaged checkpoint: {detail}"),
            Self::NotPublished => formatter.write_str("the sink does not hold it"),
            Self::Forced => formatter.write_str("forced"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_any_length_are_digested_string_by_string() {
        for count in [0, 1, 7, 20_000] {
            let strings: Vec<String> = (0..count).map(|number| format!("image {number}")).collect();
            let mut hasher = blake3::Hasher::new();
            for string in &strings {
                update_prefixed(&mut hasher, string);
            }
            assert_eq!(Digest::of_strings(&strings), Digest::finish(&hasher));
        }
        assert_ne!(
            Digest::of_strings(["ab", "c"]),
            Digest::of_strings(["a", "bc"])
        );
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.push(*name, value);
        }
        fields
    }

    #[test]
    fn values_are_put_together_again() {
        let mut fields = Fields::default();
        let value =
            serde_json::json!({"cv": {"folds": 5}, "margin": 0.1, "empty": {}, "filter": "box"});
        fields.push_json("params", &value);
        fields.push("paramsilon", "not JSON");
        assert_eq!(fields.json("params"), value);
        assert_eq!(fields.json("params.cv.folds"), 5);
        assert!(fields.json("params.absent").is_null());
    }

    #[test]
    fn length_prefixes_keep_neighbours_apart() {
        assert_ne!(
            fields(&[("ab", "c")]).fingerprint(),
            fields(&[("a", "bc")]).fingerprint()
        );
        assert_ne!(Digest::of_strings(["a", "b"]), Digest::of_strings(["ab"]));
    }

    #[test]
    fn json_leaves_become_sorted_fields() {
        let mut flat = Fields::default();
        flat.push_json(
            "params",
            &serde_json::json!({"b": {"c": 1}, "a": [1, 2], "e": {}}),
        );
        assert_eq!(
            flat,
            fields(&[
                ("params.a", "[1,2]"),
                ("params.b.c", "1"),
                ("params.e", "{}")
            ])
        );
    }

    #[test]
    fn changes_name_field_old_and_new() {
        let old = fields(&[("params.max_words", "500"), ("gone", "1")]);
        let new = fields(&[("params.max_words", "300"), ("came", "2")]);
        let shown: Vec<String> = new
            .changes_since(&old)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "params.max_words: 500 -> 300",
                "came: (absent) -> 2",
                "gone: 1 -> (absent)"
            ]
        );
    }
}
