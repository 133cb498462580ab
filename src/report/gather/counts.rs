//! Counting, and what follows from counts.

use crate::model::LabelMap;
use std::collections::BTreeMap;

/// How often each number occurs: what is held does not grow with the rows, and quantiles are exact.
#[derive(Debug, Clone, Default)]
pub(super) struct NumberCounts {
    counts: BTreeMap<u32, u64>,
    rows: u64,
}

impl NumberCounts {
    pub(super) fn add(&mut self, value: u32) {
        *self.counts.entry(value).or_default() += 1;
        self.rows += 1;
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn of(&self, value: u32) -> u64 {
        self.counts.get(&value).copied().unwrap_or(0)
    }

    pub(super) fn least(&self) -> u64 {
        self.counts
            .keys()
            .next()
            .map_or(0, |value| u64::from(*value))
    }

    pub(super) fn most(&self) -> u64 {
        self.counts
            .keys()
            .next_back()
            .map_or(0, |value| u64::from(*value))
    }

    /// The least value that a share of the rows does not exceed.
    pub(super) fn quantile(&self, share: f64) -> u64 {
        let rank = (share * self.rows as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (value, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return u64::from(*value);
            }
        }
        0
    }

    /// Mean and standard deviation.
    pub(super) fn moments(&self) -> (f64, f64) {
        let rows = self.rows.max(1) as f64;
        let values = || {
            self.counts
                .iter()
                .map(|(value, count)| (f64::from(*value), *count as f64))
        };
        let mean = values().map(|(value, count)| value * count).sum::<f64>() / rows;
        let variance = values()
            .map(|(value, count)| (value - mean).powi(2) * count)
            .sum::<f64>()
            / rows;
        (mean, variance.sqrt())
    }

    /// Rows in bins of a width from 0 on; the last bin also holds what lies beyond.
    pub(super) fn bins(&self, width: u64, count: usize) -> Vec<u64> {
        let mut bins = vec![0; count.max(1)];
        let last = bins.len() - 1;
        for (value, rows) in &self.counts {
            let bin = usize::try_from(u64::from(*value) / width.max(1)).unwrap_or(last);
            bins[bin.min(last)] += rows;
        }
        bins
    }
}

/// How often each text occurs.
#[derive(Debug, Clone, Default)]
pub(super) struct TextCounts {
    counts: BTreeMap<String, u64>,
    rows: u64,
}

impl TextCounts {
    pub(super) fn add(&mut self, text: &str) {
        self.add_many(text, 1);
    }

    pub(super) fn add_many(&mut self, text: &str, rows: u64) {
        match self.counts.get_mut(text) {
            Some(count) => *count += rows,
            None => {
                self.counts.insert(text.to_owned(), rows);
            }
        }
        self.rows += rows;
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn of(&self, text: &str) -> u64 {
        self.counts.get(text).copied().unwrap_or(0)
    }

    pub(super) fn share(&self, text: &str) -> f64 {
        share(self.of(text), self.rows)
    }

    /// Texts and counts, the most frequent first.
    pub(super) fn by_count(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self
            .counts
            .iter()
            .map(|(text, count)| (text.as_str(), *count))
            .collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    /// The texts in the order of labels.
    pub(super) fn labels(&self) -> LabelMap {
        LabelMap::new(self.counts.keys().cloned())
    }
}

/// A part of a whole, 0 where there is none.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// A quantile of sorted values, between two of them in proportion, as `numpy.quantile` has it.
pub(super) fn quantile_of(sorted: &[f32], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let at = share * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    f64::from(below) + (f64::from(above) - f64::from(below)) * at.fract()
}

/// Population stability index of two distributions: how far the second is from the first. Below 0.1 is usually taken as the same,
/// above 0.25 as another.
pub(super) fn stability_index(pairs: &[(f64, f64)]) -> f64 {
    /// What a share of 0 is taken for, so that its logarithm exists.
    const LEAST: f64 = 1e-4;
    let term = |(old, new): &(f64, f64)| {
        let (old, new) = (old.max(LEAST), new.max(LEAST));
        (new - old) * (new / old).ln()
    };
    pairs.iter().map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_exact_quantiles_and_moments() {
        let mut counts = NumberCounts::default();
        for value in [1, 2, 3, 4, 100] {
            counts.add(value);
        }
        assert_eq!((counts.least(), counts.most(), counts.rows()), (1, 100, 5));
        assert_eq!(
            [0.25, 0.5, 0.75].map(|share| counts.quantile(share)),
            [2, 3, 4]
        );
        let (mean, deviation) = counts.moments();
        assert!((mean - 22.0).abs() < 1e-12 && (deviation - 39.012_818).abs() < 1e-5);
        assert_eq!(counts.bins(2, 3), [1, 2, 2]);
        assert_eq!(NumberCounts::default().quantile(0.5), 0);
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([0, 1, 2, 10], [0.25, 0.5, 0.75]) = [0.75, 1.5, 4.0]
        let values = [0.0, 1.0, 2.0, 10.0];
        let found = [0.25, 0.5, 0.75].map(|share| quantile_of(&values, share));
        for (found, expected) in found.iter().zip([0.75, 1.5, 4.0]) {
            assert!((found - expected).abs() < 1e-6);
        }
        assert!(quantile_of(&[], 0.5).abs() < 1e-12);
    }

    #[test]
    fn equal_distributions_are_stable_and_others_are_not() {
        assert!(stability_index(&[(0.3, 0.3), (0.7, 0.7)]).abs() < 1e-12);
        let found = stability_index(&[(0.5, 0.8), (0.5, 0.2)]);
        assert!((found - 0.415_888).abs() < 1e-5, "{found}");
        assert!(stability_index(&[(0.0, 0.5), (1.0, 0.5)]).is_finite());
    }

    #[test]
    fn texts_are_ordered_by_count_then_name() {
        let mut counts = TextCounts::default();
        for text in ["b", "a", "c", "c"] {
            counts.add(text);
        }
        assert_eq!(counts.by_count(), [("c", 2), ("a", 1), ("b", 1)]);
        assert!((counts.share("c") - 0.5).abs() < 1e-12);
    }
}
