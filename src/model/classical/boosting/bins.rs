//! Sparse rows with their values rounded to a few bins per column.
//!
//! Invariant: zeros have a bin of their own and are not stored, so work is in proportion to the
//! entries; a threshold lies between two bins, so that a split by bins and the same split by
//! values send every row the same way.

use std::ops::Range;

use super::super::csr::Csr;
use super::super::tree::columns::{Columns, Entry, ZERO, row, value};

/// A column with enough entries to be split on.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// The column.
    pub column: u32,
    /// Its first bin, of all columns' bins.
    pub start: usize,
    /// Where its bins end.
    pub end: usize,
    /// How many of them are of negative values: the bin of the zeros comes after them.
    pub negatives: usize,
}

impl Feature {
    /// Returns the feature's bins, of all columns' bins.
    pub fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Rows as lists of bins.
#[derive(Debug)]
pub struct Bins {
    /// The columns that can be split on.
    pub features: Vec<Feature>,
    /// Between each bin of a column and the next one (zeros included): the greatest value below.
    pub thresholds: Vec<f32>,
    starts: Vec<usize>,
    by_row: Vec<u32>,
}

impl Bins {
    /// Rounds rows to at most `most` bins per column, of at least `least_rows` entries each.
    pub fn new(rows: Csr<'_>, columns: &Columns, most: usize, least_rows: usize) -> Self {
        let mut features = Vec::new();
        let mut thresholds = Vec::new();
        // The last entry of each bin, in the order of the columns.
        let mut spans: Vec<(u32, usize)> = Vec::new();
        for column in 0..columns.len() {
            let entries = columns.column(column);
            // Of the two sides of a split one has no zeros, so it would be too small.
            if entries.len() < least_rows || entries.is_empty() {
                continue;
            }
            let ends = cut(entries, most, least_rows);
            let negative_entries = entries.partition_point(|&entry| entry < ZERO);
            let feature = Feature {
                column: column as u32,
                start: thresholds.len(),
                end: thresholds.len() + ends.len(),
                negatives: ends.iter().filter(|&&end| end <= negative_entries).count(),
            };
            thresholds.extend(between(entries, &ends, feature.negatives));
            spans.extend(ends.iter().map(|&end| (column as u32, end)));
            features.push(feature);
        }
        let (starts, by_row) = by_rows(rows.rows(), columns, &spans);
        Self {
            features,
            thresholds,
            starts,
            by_row,
        }
    }

    /// Returns the number of bins of all columns.
    pub fn len(&self) -> usize {
        self.thresholds.len()
    }

    /// Returns the bins of a row.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.by_row[self.starts[row]..self.starts[row + 1]]
    }
}

/// Cuts a column's entries into bins; returns where each ends.
fn cut(entries: &[Entry], most: usize, least_rows: usize) -> Vec<usize> {
    let negatives = entries.partition_point(|&entry| entry < ZERO);
    let both = negatives > 0 && negatives < entries.len();
    let most = if both { most / 2 } else { most }.max(1);
    let mut ends = Vec::new();
    for (first, last) in [(0, negatives), (negatives, entries.len())] {
        let length = last - first;
        let bins = (length / least_rows.max(1)).clamp(1, most);
        let target = length.div_ceil(bins);
        let mut end = first;
        while end < last {
            end = (end + target).min(last);
            // A rest of less than half a bin joins the bin before.
            if last - end < target / 2 {
                end = last;
            }
            let edge = value(entries[end - 1]);
            while end < last && value(entries[end]).total_cmp(&edge).is_eq() {
                end += 1;
            }
            ends.push(end);
        }
    }
    ends
}

/// Returns the thresholds between a column's bins, with zero after the negative ones.
fn between(entries: &[Entry], ends: &[usize], negatives: usize) -> Vec<f32> {
    let mut start = 0;
    let mut edges: Vec<(f32, f32)> = Vec::with_capacity(ends.len() + 1);
    for &end in ends {
        edges.push((value(entries[start]), value(entries[end - 1])));
        start = end;
    }
    edges.insert(negatives, (0.0, 0.0));
    let pairs = edges.windows(2).map(|pair| (pair[0].1, pair[1].0));
    pairs
        .map(|(low, high)| {
            let middle = low / 2.0 + high / 2.0;
            if middle < high { middle } else { low }
        })
        .collect()
}

/// Turns bins given as spans of the columns' entries into lists of bins by row.
fn by_rows(rows: usize, columns: &Columns, spans: &[(u32, usize)]) -> (Vec<usize>, Vec<u32>) {
    let each = |call: &mut dyn FnMut(usize, u32)| {
        let mut start = 0;
        let mut before = None;
        for (&(column, end), bin) in spans.iter().zip(0..) {
            if before.replace(column) != Some(column) {
                start = 0;
            }
            for &entry in &columns.column(column as usize)[start..end] {
                call(row(entry), bin);
            }
            start = end;
        }
    };
    let mut starts = vec![0; rows + 1];
    each(&mut |row, _| starts[row + 1] += 1);
    for row in 0..rows {
        starts[row + 1] += starts[row];
    }
    let mut bins = vec![0; starts[rows]];
    let mut next = starts.clone();
    each(&mut |row, bin| {
        bins[next[row]] = bin;
        next[row] += 1;
    });
    (starts, bins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(column: &[f32], most: usize, least_rows: usize) -> Bins {
        let indptr: Vec<usize> = (0..=column.len()).collect();
        let rows = Csr {
            indptr: &indptr,
            indices: &vec![0; column.len()],
            values: column,
            columns: 1,
        };
        Bins::new(rows, &Columns::new(rows), most, least_rows)
    }

    #[test]
    fn zeros_are_between_negatives_and_positives() {
        let bins = bins(&[1.0, -1.0, 0.0, 2.0, -2.0, 3.0, 4.0], 8, 1);
        assert_eq!(bins.features[0].negatives, 2);
        assert_eq!(bins.thresholds, [-1.5, -0.5, 0.5, 1.5, 2.5, 3.5]);
        let found: Vec<&[u32]> = (0..7).map(|row| bins.row(row)).collect();
        let expected: [&[u32]; 7] = [&[2], &[1], &[], &[3], &[0], &[4], &[5]];
        assert_eq!(found, expected);
    }

    #[test]
    fn bins_are_few_of_many_entries_and_equal_values_stay_together() {
        let values: Vec<f32> = (1..=100).map(|number| number as f32).collect();
        let ten = bins(&values, 10, 1);
        assert_eq!((ten.len(), ten.thresholds[1]), (10, 10.5));
        assert_eq!(bins(&values, 100, 25).len(), 4);
        assert_eq!(bins(&values, 100, 101).features.len(), 0);
        let equal = bins(&[1.0, 1.0, 1.0, 1.0, 2.0], 8, 1);
        assert_eq!(equal.thresholds, [0.5, 1.5]);
    }
}
