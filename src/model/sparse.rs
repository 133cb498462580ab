//! Sparse rows, as TF-IDF makes them. Invariant: the columns of a row ascend and are below the
//! width, from the moment the rows are made.

use super::ModelError;
use super::batch::{Dense, check};
use super::classical::Csr;

/// Sparse rows in compressed form (CSR), as TF-IDF makes them.
///
/// # Shapes
///
/// Row `i` has the columns `indices[indptr[i]..indptr[i + 1]]`, strictly ascending, each below
/// `width`, with `values` in the same places. A row that stores nothing is a row without text.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseRows {
    width: usize,
    indptr: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl SparseRows {
    /// Makes rows from their parts.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the parts contradict each other.
    pub fn new(
        width: usize,
        indptr: Vec<usize>,
        indices: Vec<u32>,
        values: Vec<f32>,
    ) -> Result<Self, ModelError> {
        check(indices.len() == values.len(), || {
            format!("{} indices for {} values", indices.len(), values.len())
        })?;
        let spans = indptr.first() == Some(&0)
            && indptr.last() == Some(&indices.len())
            && indptr.is_sorted();
        check(spans, || "row pointers do not span the indices".to_owned())?;
        for row in indptr.windows(2) {
            check_columns(width, &indices[row[0]..row[1]])?;
        }
        Ok(Self {
            width,
            indptr,
            indices,
            values,
        })
    }

    /// Makes zero rows, to [`push`](Self::push) to.
    #[must_use]
    pub fn empty(width: usize) -> Self {
        Self {
            width,
            indptr: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Makes rows that store every column.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the columns are more than can be numbered.
    pub fn of_dense(dense: &Dense) -> Result<Self, ModelError> {
        let (width, rows) = (dense.width(), dense.len());
        let columns = u32::try_from(width).ok();
        let columns = columns.ok_or_else(|| ModelError::Inputs {
            reason: format!("{width} columns are too many"),
        })?;
        Ok(Self {
            width,
            indptr: (0..=rows).map(|row| row * width).collect(),
            indices: (0..rows).flat_map(|_| 0..columns).collect(),
            values: dense.values().to_vec(),
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the columns are not ascending, too large, or not as many as
    /// the values.
    pub fn push(&mut self, indices: &[u32], values: &[f32]) -> Result<(), ModelError> {
        check(indices.len() == values.len(), || {
            format!("{} indices for {} values", indices.len(), values.len())
        })?;
        check_columns(self.width, indices)?;
        self.push_checked(indices, values);
        Ok(())
    }

    fn push_checked(&mut self, indices: &[u32], values: &[f32]) {
        self.indices.extend_from_slice(indices);
        self.values.extend_from_slice(values);
        self.indptr.push(self.indices.len());
    }

    /// Returns the number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the columns and values that a row stores.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let span = self.indptr[row]..self.indptr[row + 1];
        (&self.indices[span.clone()], &self.values[span])
    }

    /// Returns the rows named, in that order.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self::empty(self.width);
        for &row in rows {
            let (indices, values) = self.row(row);
            selected.push_checked(indices, values);
        }
        selected
    }

    /// Returns a view of the rows, as the classical models take them.
    #[must_use]
    pub fn csr(&self) -> Csr<'_> {
        Csr {
            indptr: &self.indptr,
            indices: &self.indices,
            values: &self.values,
            columns: self.width,
        }
    }

    /// Returns for each row whether it stores anything.
    #[must_use]
    pub fn presence(&self) -> Vec<bool> {
        self.indptr.windows(2).map(|row| row[0] < row[1]).collect()
    }

    /// Returns the columns that any row stores, ascending.
    pub(super) fn active_columns(&self) -> Vec<u32> {
        let mut seen = vec![false; self.width];
        for &column in &self.indices {
            seen[column as usize] = true;
        }
        (0u32..)
            .zip(seen)
            .filter_map(|(column, seen)| seen.then_some(column))
            .collect()
    }

    /// Returns the rows with each column replaced by its place among the columns named (ascending,
    /// all active ones among them), which become their width.
    pub(super) fn renumbered(&self, columns: &[u32]) -> Self {
        let mut places = vec![0; self.width];
        for (place, &column) in (0u32..).zip(columns) {
            places[column as usize] = place;
        }
        let indices = self.indices.iter().map(|&column| places[column as usize]);
        Self {
            width: columns.len(),
            indptr: self.indptr.clone(),
            indices: indices.collect(),
            values: self.values.clone(),
        }
    }

    /// Returns the rows as a dense matrix of the columns named (ascending, all active ones among
    /// them), row after row.
    pub(super) fn dense(&self, columns: &[u32]) -> Vec<f32> {
        let mut place = vec![0; self.width];
        for (position, &column) in columns.iter().enumerate() {
            place[column as usize] = position;
        }
        let mut dense = vec![0.0; self.len() * columns.len()];
        for row in 0..self.len() {
            let (indices, values) = self.row(row);
            for (&column, &value) in indices.iter().zip(values) {
                dense[row * columns.len() + place[column as usize]] = value;
            }
        }
        dense
    }
}

fn check_columns(width: usize, columns: &[u32]) -> Result<(), ModelError> {
    let ascending = columns.windows(2).all(|pair| pair[0] < pair[1]);
    check(ascending, || {
        "columns of a row are not strictly ascending".to_owned()
    })?;
    let fits = columns.last().is_none_or(|&last| (last as usize) < width);
    check(fits, || format!("a column is not below the width {width}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse() -> SparseRows {
        SparseRows::new(6, vec![0, 2, 2, 3], vec![1, 4, 4], vec![0.5, 2.0, 3.0]).unwrap()
    }

    #[test]
    fn sparse_rows_are_selected_in_the_order_asked_for() {
        let selected = sparse().select(&[2, 0, 1, 2]);
        assert_eq!(selected.len(), 4);
        assert_eq!(selected.row(0), (&[4u32][..], &[3.0f32][..]));
        assert_eq!(selected.row(1), (&[1u32, 4][..], &[0.5f32, 2.0][..]));
        assert_eq!(selected.presence(), [true, true, false, true]);
    }

    #[test]
    fn rows_of_dense_ones_store_zeros_too() {
        let values = vec![1.0, 0.0, -2.0, 0.0, 0.0, 3.0];
        let rows = SparseRows::of_dense(&Dense::new(3, values.clone()).unwrap()).unwrap();
        assert_eq!((rows.len(), rows.width()), (2, 3));
        assert_eq!(rows.row(1), (&[0u32, 1, 2][..], &[0.0f32, 0.0, 3.0][..]));
        assert_eq!(rows.dense(&[0, 1, 2]), values);
        let none = SparseRows::of_dense(&Dense::new(3, Vec::new()).unwrap()).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn dense_rows_hold_the_columns_named() {
        assert_eq!(sparse().active_columns(), [1, 4]);
        assert_eq!(sparse().dense(&[1, 4]), [0.5, 2.0, 0.0, 0.0, 0.0, 3.0]);
        let all = sparse().dense(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(all[..6], [0.0, 0.5, 0.0, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn renumbered_rows_hold_the_same_values() {
        let renumbered = sparse().renumbered(&[1, 4]);
        assert_eq!((renumbered.width(), renumbered.len()), (2, 3));
        assert_eq!(renumbered.dense(&[0, 1]), sparse().dense(&[1, 4]));
    }

    #[test]
    fn parts_that_contradict_each_other_are_refused() {
        for (indptr, indices, values) in [
            (vec![0, 1], vec![6], vec![1.0]),
            (vec![0, 2], vec![2, 2], vec![1.0, 1.0]),
            (vec![0, 2], vec![3, 2], vec![1.0, 1.0]),
            (vec![0, 1], vec![1], vec![]),
            (vec![0, 2], vec![1], vec![1.0]),
            (vec![1, 1], vec![1], vec![1.0]),
            (vec![], vec![], vec![]),
        ] {
            assert!(SparseRows::new(6, indptr, indices, values).is_err());
        }
        assert!(SparseRows::empty(3).push(&[0, 3], &[1.0, 1.0]).is_err());
    }
}
