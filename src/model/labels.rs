//! The labels of a catalogue and their class indices.
//!
//! Invariant: the index of a label depends on the set of labels alone.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// The distinct labels in order: numbers by value, then other text by code point.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct LabelMap {
    labels: Vec<String>,
}

impl LabelMap {
    /// Collects the distinct labels.
    pub fn new<I, S>(labels: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let mut labels: Vec<String> = labels.into_iter().map(Into::into).collect();
        labels.sort_unstable_by(|left, right| compare(left, right));
        labels.dedup();
        Self { labels }
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there is no class.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the class of a label.
    #[must_use]
    pub fn index(&self, label: &str) -> Option<usize> {
        self.labels
            .binary_search_by(|probe| compare(probe, label))
            .ok()
    }

    /// Returns the label of a class.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<&str> {
        self.labels.get(index).map(String::as_str)
    }

    /// Returns all labels in the order of their classes.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }
}

impl From<Vec<String>> for LabelMap {
    fn from(labels: Vec<String>) -> Self {
        Self::new(labels)
    }
}

impl From<LabelMap> for Vec<String> {
    fn from(map: LabelMap) -> Self {
        map.labels
    }
}

/// Numbers by value before other text; labels of one value (`7`, `07`) by code point.
fn compare(left: &str, right: &str) -> Ordering {
    match (number(left), number(right)) {
        (Some(a), Some(b)) => a.total_cmp(&b).then_with(|| left.cmp(right)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.cmp(right),
    }
}

fn number(label: &str) -> Option<f64> {
    label.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value_and_before_text() {
        let map = LabelMap::new(["2583", "10", "livre", "1140", "10", "50", "Jeu", "nan"]);
        assert_eq!(
            map.labels(),
            ["10", "50", "1140", "2583", "Jeu", "livre", "nan"]
        );
        assert_eq!(map.len(), 7);
    }

    #[test]
    fn labels_and_indices_are_inverse() {
        let map = LabelMap::new(["7", "07", "b", "-1", "2.5"]);
        for index in 0..map.len() {
            assert_eq!(map.index(map.label(index).unwrap()), Some(index));
        }
        assert_eq!((map.index("8"), map.label(map.len())), (None, None));
    }

    #[test]
    fn json_is_the_list_of_labels_and_is_sorted_when_read() {
        let map = LabelMap::new(["40", "10"]);
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"["10","40"]"#);
        let read: LabelMap = serde_json::from_str(r#"["40","10"]"#).unwrap();
        assert_eq!(read, map);
    }
}
