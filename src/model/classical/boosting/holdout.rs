//! Rows held back from a fit, and the loss on them after each iteration.
//!
//! Invariant: which rows are held back is a function of labels, share and seed; every class with
//! a row keeps at least one.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::csr::Csr;
use super::super::tree::grow::below;
use super::super::tree::nodes::{Node, map_rows};
use super::{EarlyStopping, add_values, softmax};

/// Owned rows with labels.
#[derive(Debug)]
pub struct Subset {
    indptr: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
    columns: usize,
    labels: Vec<u32>,
}

impl Subset {
    fn new(rows: Csr<'_>, labels: &[u32], chosen: impl Fn(usize) -> bool) -> Self {
        let mut subset = Self {
            indptr: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
            columns: rows.columns,
            labels: Vec::new(),
        };
        for row in (0..rows.rows()).filter(|&row| chosen(row)) {
            let (indices, values) = rows.row(row);
            subset.indices.extend_from_slice(indices);
            subset.values.extend_from_slice(values);
            subset.indptr.push(subset.indices.len());
            subset.labels.push(labels[row]);
        }
        subset
    }

    /// Borrows the rows.
    pub fn rows(&self) -> Csr<'_> {
        Csr {
            indptr: &self.indptr,
            indices: &self.indices,
            values: &self.values,
            columns: self.columns,
        }
    }

    /// Returns the class of each row.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }
}

/// The rows held back and how their loss went.
#[derive(Debug)]
pub struct Holdout {
    subset: Subset,
    /// Scores of each row, row by row.
    scores: Vec<f32>,
    classes: usize,
    losses: Vec<f64>,
}

impl Holdout {
    /// Splits rows into those to fit on and those held back.
    pub fn split(
        rows: Csr<'_>,
        labels: &[u32],
        classes: usize,
        stop: &EarlyStopping,
        seed: u64,
    ) -> (Subset, Self) {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut held = vec![false; labels.len()];
        for class in 0..classes {
            let own = |&row: &usize| labels[row] as usize == class;
            let mut own: Vec<usize> = (0..labels.len()).filter(own).collect();
            let count = (own.len() as f64 * stop.held_share).floor() as usize;
            for place in 0..count.min(own.len().saturating_sub(1)) {
                let drawn = place + below(&mut generator, own.len() - place);
                own.swap(place, drawn);
                held[own[place]] = true;
            }
        }
        let holdout = Self {
            subset: Subset::new(rows, labels, |row| held[row]),
            scores: Vec::new(),
            classes,
            losses: Vec::new(),
        };
        (Subset::new(rows, labels, |row| !held[row]), holdout)
    }

    /// Starts with the scores before the first tree.
    pub fn start(&mut self, base: &[f32]) {
        self.scores = base.repeat(self.subset.labels.len());
        self.losses = vec![self.loss()];
    }

    /// Takes an iteration's trees into account.
    pub fn watch(&mut self, columns: usize, trees: &[Vec<Node>]) {
        let added = map_rows(self.subset.rows(), columns, self.classes, |row, values| {
            add_values(trees, row, values);
        });
        for (score, added) in self.scores.iter_mut().zip(added) {
            *score += added;
        }
        self.losses.push(self.loss());
    }

    /// Returns after how many iterations the loss was least.
    pub fn best_iterations(&self) -> usize {
        let losses = self.losses.iter().enumerate();
        let best = losses.min_by(|(_, one), (_, other)| one.total_cmp(other));
        best.map_or(0, |(iterations, _)| iterations)
    }

    /// Returns how many iterations brought nothing since.
    pub fn iterations_since_best(&self) -> usize {
        self.losses.len() - 1 - self.best_iterations()
    }

    /// Returns the mean of −log probability of the right class.
    fn loss(&self) -> f64 {
        let rows = self.scores.chunks_exact(self.classes);
        let losses = rows.zip(&self.subset.labels).map(|(scores, &label)| {
            let mut probabilities = scores.to_vec();
            softmax(&mut probabilities);
            let own = probabilities[label as usize].max(f32::MIN_POSITIVE);
            -f64::from(own).ln()
        });
        losses.sum::<f64>() / self.subset.labels.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::tests::Catalogue;
    use super::*;

    #[test]
    fn every_class_gives_its_share_and_no_row_is_lost() {
        let catalogue = Catalogue::new(60, 1);
        let split = |seed| {
            let stop = EarlyStopping {
                held_share: 0.25,
                patience: 1,
            };
            Holdout::split(catalogue.rows(), &catalogue.labels, 3, &stop, seed)
        };
        let (kept, holdout) = split(1);
        let count = |labels: &[u32], class| labels.iter().filter(|&&own| own == class).count();
        for class in 0..3 {
            assert_eq!(count(kept.labels(), class), 15);
            assert_eq!(count(holdout.subset.labels(), class), 5);
        }
        let entries = kept.values.len() + holdout.subset.values.len();
        assert_eq!(entries, catalogue.rows().values.len());
        assert_eq!(kept.values, split(1).0.values);
        assert_ne!(kept.values, split(2).0.values);
    }

    #[test]
    fn the_loss_of_even_scores_is_the_logarithm_of_the_classes() {
        let catalogue = Catalogue::new(60, 1);
        let stop = EarlyStopping {
            held_share: 0.5,
            patience: 1,
        };
        let (_, mut holdout) = Holdout::split(catalogue.rows(), &catalogue.labels, 3, &stop, 1);
        holdout.start(&[0.0; 3]);
        assert!((holdout.losses[0] - 3f64.ln()).abs() < 1e-6);
        let worse = [1.0, 1.0, -9.0].map(|value| vec![Node::leaf(value, 0)]);
        holdout.watch(40, &worse);
        assert_eq!(holdout.best_iterations(), 0);
        assert_eq!(holdout.iterations_since_best(), 1);
    }
}
