//! The best split of a node by Gini impurity, one column after the other.
//!
//! Invariant: with weights that are whole numbers every sum is exact, so the score of a split
//! depends on neither the order of the rows nor the way a column's entries were found; equal
//! scores are decided by a random rank of the columns, then by the lower threshold, not by the
//! order they are tried in.

use super::columns::{Entry, ZERO, row, value};

/// Values no further apart than this are one value, as in scikit-learn.
pub const SAME_VALUE: f32 = 1e-7;

/// What a row weighs for which class.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Class of the row.
    pub label: u32,
    /// Weight of the row, times how often it was drawn.
    pub weight: f32,
}

/// A split: rows with a greater value go right.
#[derive(Debug, Clone, Copy)]
pub struct Split {
    /// The column asked for.
    pub column: usize,
    /// The greatest value that goes left.
    pub threshold: f32,
    score: f64,
}

/// Scores the splits of one node after the other.
#[derive(Debug)]
pub struct Scorer {
    /// What each row weighs.
    pub targets: Vec<Target>,
    /// Weight of each class in the node.
    pub totals: Vec<f64>,
    /// Weight of each class on the side that grows.
    side: Vec<f64>,
    weight: f64,
    squares: f64,
    rows: usize,
    min_leaf_rows: usize,
    ranks: Vec<u32>,
    best: Option<Split>,
    best_entries: Vec<Entry>,
}

impl Scorer {
    /// Starts with no node; `ranks` decides between columns that split equally well.
    pub fn new(
        targets: Vec<Target>,
        classes: usize,
        min_leaf_rows: usize,
        ranks: Vec<u32>,
    ) -> Self {
        Self {
            targets,
            totals: vec![0.0; classes],
            side: vec![0.0; classes],
            weight: 0.0,
            squares: 0.0,
            rows: 0,
            min_leaf_rows,
            ranks,
            best: None,
            best_entries: Vec::new(),
        }
    }

    /// Goes on to the node of these rows.
    pub fn enter(&mut self, rows: &[u32]) {
        self.totals.fill(0.0);
        for &row in rows {
            let target = self.targets[row as usize];
            self.totals[target.label as usize] += f64::from(target.weight);
        }
        self.weight = self.totals.iter().sum();
        self.squares = self.totals.iter().map(|total| total * total).sum();
        self.rows = rows.len();
        self.best = None;
    }

    /// Whether all rows of the node are of one class.
    pub fn is_pure(&self) -> bool {
        self.totals.iter().filter(|&&total| total > 0.0).count() < 2
    }

    /// Returns the best split so far and its column's entries in the node.
    pub fn best(&self) -> Option<(Split, &[Entry])> {
        self.best.map(|split| (split, &self.best_entries[..]))
    }

    /// Whether a column, given its entries in the node, has two different values there.
    pub fn varies(&self, entries: &[Entry]) -> bool {
        let (Some(&first), Some(&last)) = (entries.first(), entries.last()) else {
            return false;
        };
        let (mut low, mut high) = (value(first), value(last));
        if entries.len() < self.rows {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        high - low > SAME_VALUE
    }

    /// Tries every split of a column, given its entries in the node in ascending order.
    pub fn sweep(&mut self, column: usize, entries: &[Entry]) {
        let before = self.best.map(|split| split.column);
        let zeros = (entries.len() < self.rows).then_some(0.0);
        let negatives = entries.partition_point(|&entry| entry < ZERO);
        let (low, high) = entries.split_at(negatives);
        // Behind the negatives come the zeros, or the positives where there are no zeros. The
        // positives are taken from the top, so that no side is ever as long as the zeros.
        let beyond = zeros.or_else(|| high.first().map(|&entry| value(entry)));
        self.sweep_side(column, low.iter(), beyond);
        self.sweep_side(column, high.iter().rev(), zeros);
        if before != self.best.map(|split| split.column) {
            self.best_entries.clear();
            self.best_entries.extend_from_slice(entries);
        }
    }

    /// Tries the splits that have the first of `entries` on one side; `beyond` is the next value
    /// after the last of them.
    fn sweep_side<'e>(
        &mut self,
        column: usize,
        mut entries: impl Iterator<Item = &'e Entry>,
        beyond: Option<f32>,
    ) {
        let Some(mut entry) = entries.next() else {
            return;
        };
        self.side.fill(0.0);
        let (mut weight, mut squares, mut cross) = (0.0, 0.0, 0.0);
        for rows in 1.. {
            let target = self.targets[row(*entry)];
            let (label, added) = (target.label as usize, f64::from(target.weight));
            weight += added;
            squares += added * (2.0 * self.side[label] + added);
            cross += added * self.totals[label];
            self.side[label] += added;
            let following = entries.next();
            let here = value(*entry);
            let Some(next) = following.map(|&entry| value(entry)).or(beyond) else {
                return;
            };
            let large_enough = rows >= self.min_leaf_rows && self.rows - rows >= self.min_leaf_rows;
            if (next - here).abs() > SAME_VALUE && large_enough {
                // The other side is the node less this one.
                let other = self.squares - 2.0 * cross + squares;
                let score = squares / weight + other / (self.weight - weight);
                self.offer(column, score, here.min(next), here.max(next));
            }
            let Some(following) = following else {
                return;
            };
            entry = following;
        }
    }

    /// Keeps a split where it is better than the best one.
    fn offer(&mut self, column: usize, score: f64, low: f32, high: f32) {
        let better = self.best.is_none_or(|best| {
            let ties = score.total_cmp(&best.score).is_eq();
            // Of a column's equal splits the peer takes the lowest.
            let first = (self.ranks[column], low) < (self.ranks[best.column], best.threshold);
            score > best.score || ties && first
        });
        if better {
            let middle = low / 2.0 + high / 2.0;
            self.best = Some(Split {
                column,
                threshold: if middle < high { middle } else { low },
                score,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::pack;
    use super::*;

    fn scorer(labels: &[u32], min_leaf_rows: usize) -> Scorer {
        let target = |&label| Target { label, weight: 1.0 };
        let targets = labels.iter().map(target).collect();
        let mut scorer = Scorer::new(targets, 3, min_leaf_rows, vec![1, 0]);
        let rows: Vec<u32> = (0..labels.len() as u32).collect();
        scorer.enter(&rows);
        scorer
    }

    fn threshold(labels: &[u32], entries: &[(f32, u32)], min_leaf_rows: usize) -> Option<f32> {
        let mut scorer = scorer(labels, min_leaf_rows);
        let mut entries: Vec<Entry> = entries.iter().map(|&(v, row)| pack(v, row)).collect();
        entries.sort_unstable();
        scorer.sweep(0, &entries);
        scorer.best().map(|(split, _)| split.threshold)
    }

    #[test]
    fn thresholds_lie_half_way() {
        let positives = [(0.5, 2), (1.0, 3)];
        assert_eq!(threshold(&[0, 0, 1, 1], &positives, 1), Some(0.25));
        assert_eq!(threshold(&[0, 0, 0, 1], &positives, 1), Some(0.75));
        let negatives = [(-0.5, 2), (-1.0, 3)];
        assert_eq!(threshold(&[0, 0, 1, 1], &negatives, 1), Some(-0.25));
        let dense = [(-1.0, 0), (-0.5, 1), (0.5, 2), (1.5, 3)];
        assert_eq!(threshold(&[0, 0, 1, 1], &dense, 1), Some(0.0));
        assert_eq!(threshold(&[0, 0, 0, 1], &dense, 1), Some(1.0));
        assert_eq!(threshold(&[0, 1, 1, 1], &dense, 1), Some(-0.75));
    }

    #[test]
    fn small_leaves_and_equal_values_are_not_split() {
        let entries = [(0.5, 2), (1.0, 3)];
        assert_eq!(threshold(&[0, 0, 0, 1], &entries, 2), Some(0.25));
        assert_eq!(threshold(&[0, 0, 0, 1], &entries, 3), None);
        assert_eq!(threshold(&[0, 1], &[(1.0, 0), (1.0, 1)], 1), None);
        assert_eq!(threshold(&[0, 1], &[(1e-8, 0)], 1), None);
    }

    #[test]
    fn the_score_is_the_peers_proxy_and_ranks_decide_ties() {
        let mut scorer = scorer(&[0, 0, 1, 2], 1);
        let entries = [pack(1.0, 2), pack(1.0, 3)];
        scorer.sweep(0, &entries);
        // Σ count² / rows on each side: (1 + 1) / 2 + 4 / 2.
        assert!((scorer.best().unwrap().0.score - 3.0).abs() < 1e-12);
        scorer.sweep(1, &entries);
        assert_eq!(scorer.best().unwrap().0.column, 1);
        scorer.sweep(0, &entries);
        assert_eq!(scorer.best().unwrap().0.column, 1);
        assert!(scorer.varies(&entries) && !scorer.varies(&[]));
    }
}
