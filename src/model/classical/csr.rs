//! A borrowed sparse matrix in CSR form: what the classical models are fitted on.
//!
//! Besides it what the models share over such rows: the check before a fit, the transpose, the
//! product with a table, and sums over dense vectors. Invariant: every sum has a fixed order, so
//! that nothing depends on the number of threads.

use rayon::prelude::*;

use super::error::{ClassicalError, Decoder, Encoder, invalid};

/// Entries of a vector that one task of Rayon takes: part of the order of the sums.
const BLOCK_ENTRIES: usize = 1 << 14;

/// Number of adjacent table entries that [`gather`] sums at a time: four SSE registers, which
/// leaves room for the loop's own values on any x86-64.
pub(super) const LANES: usize = 16;

/// Borrowed sparse rows in compressed form.
///
/// # Shapes
///
/// Row `i` has the columns `indices[indptr[i]..indptr[i + 1]]`, strictly ascending, each below
/// `columns`, with `values` in the same places.
#[derive(Debug, Clone, Copy)]
pub struct Csr<'a> {
    /// Where each row begins, and at the end the number of stored values.
    pub indptr: &'a [usize],
    /// Column of each stored value.
    pub indices: &'a [u32],
    /// The stored values.
    pub values: &'a [f32],
    /// Number of columns.
    pub columns: usize,
}

impl<'a> Csr<'a> {
    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.indptr.len().saturating_sub(1)
    }

    /// Returns the columns and values that a row stores.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> (&'a [u32], &'a [f32]) {
        let span = self.indptr[row]..self.indptr[row + 1];
        (&self.indices[span.clone()], &self.values[span])
    }

    /// Checks that the rows are what they claim to be and that a model can be fitted on them.
    pub(super) fn check(
        &self,
        labels: &[u32],
        classes: usize,
        weights: Option<&[f32]>,
    ) -> Result<(), ClassicalError> {
        self.check_parts()?;
        if self.rows() == 0 || classes == 0 {
            return Err(ClassicalError::Empty);
        }
        let counts = |weight: &f32| weight.is_finite() && *weight > 0.0;
        let fits = labels.len() == self.rows()
            && labels.iter().all(|&label| (label as usize) < classes)
            && weights.is_none_or(|all| all.len() == classes && all.iter().all(counts));
        fits.then_some(()).ok_or(ClassicalError::Labels)
    }

    fn check_parts(&self) -> Result<(), ClassicalError> {
        let spans = self.indices.len() == self.values.len()
            && self.indptr.first().is_none_or(|&first| first == 0)
            && self.indptr.last().copied().unwrap_or(0) == self.indices.len()
            && self.indptr.is_sorted();
        ensure(spans, "row pointers do not span the values")?;
        let ascending = |columns: &[u32]| columns.windows(2).all(|pair| pair[0] < pair[1]);
        let columns = (0..self.rows()).map(|row| self.row(row).0);
        for row in columns {
            let below = row
                .last()
                .is_none_or(|&last| (last as usize) < self.columns);
            ensure(ascending(row) && below, "columns of a row do not ascend")?;
        }
        let finite = self.values.iter().all(|value| value.is_finite());
        ensure(finite, "a value is not a finite number")
    }

    /// Returns the columns as rows, each with its rows ascending.
    pub(super) fn transposed(&self) -> Sparse {
        let mut indptr = vec![0; self.columns + 1];
        for &column in self.indices {
            indptr[column as usize + 1] += 1;
        }
        for column in 0..self.columns {
            indptr[column + 1] += indptr[column];
        }
        let mut next = indptr.clone();
        let mut indices = vec![0; self.indices.len()];
        let mut values = vec![0.0; self.values.len()];
        for (row, index) in (0..self.rows()).zip(0u32..) {
            let (columns, entries) = self.row(row);
            for (&column, &entry) in columns.iter().zip(entries) {
                let place = &mut next[column as usize];
                indices[*place] = index;
                values[*place] = entry;
                *place += 1;
            }
        }
        Sparse {
            indptr,
            indices,
            values,
            columns: self.rows(),
        }
    }
}

fn ensure(holds: bool, reason: &str) -> Result<(), ClassicalError> {
    holds
        .then_some(())
        .ok_or_else(|| ClassicalError::Rows(reason.to_owned()))
}

/// Owned sparse rows, valid by construction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sparse {
    indptr: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
    columns: usize,
}

impl Sparse {
    /// Borrows the rows.
    pub(super) fn as_csr(&self) -> Csr<'_> {
        Csr {
            indptr: &self.indptr,
            indices: &self.indices,
            values: &self.values,
            columns: self.columns,
        }
    }

    /// Appends the rows.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encoder.count(self.columns);
        let ends: Vec<u64> = self.indptr.iter().map(|&end| end as u64).collect();
        encoder.u64s(&ends);
        encoder.u32s(&self.indices);
        encoder.f32s(&self.values);
    }

    /// Reads rows and checks them.
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, ClassicalError> {
        let columns = decoder.count()?;
        let ends = decoder.u64s()?;
        let indptr: Result<Vec<usize>, _> = ends.into_iter().map(usize::try_from).collect();
        let rows = Self {
            indptr: indptr.map_err(|_| invalid("row pointer too large"))?,
            indices: decoder.u32s()?,
            values: decoder.f32s()?,
            columns,
        };
        let checked = rows.as_csr().check_parts();
        checked.map_err(|_| invalid("sparse rows do not fit together"))?;
        Ok(rows)
    }
}

/// Adds `value × table[index × stride + lane..][..LANES]` of each stored value to `sums`.
/// Columns that the table lacks are skipped: a model says nothing about what it has never seen.
#[inline]
pub(super) fn gather(
    (indices, values): (&[u32], &[f32]),
    table: &[f32],
    stride: usize,
    lane: usize,
    mut sums: [f32; LANES],
) -> [f32; LANES] {
    for (&index, &value) in indices.iter().zip(values) {
        let place = index as usize * stride + lane;
        let entries = table.get(place..).and_then(<[f32]>::first_chunk::<LANES>);
        if let Some(entries) = entries {
            for (sum, &entry) in sums.iter_mut().zip(entries) {
                *sum += value * entry;
            }
        }
    }
    sums
}

/// Returns the number of classes rounded up to whole [`LANES`].
pub(super) fn stride_of(classes: usize) -> usize {
    classes.next_multiple_of(LANES)
}

/// Sums the products of two vectors, in f64, block by block.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let blocks = a.par_chunks(BLOCK_ENTRIES).zip(b.par_chunks(BLOCK_ENTRIES));
    let sums: Vec<f64> = blocks.map(|(a, b)| block_dot(a, b)).collect();
    sums.iter().sum()
}

fn block_dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    let rest = a_rest.iter().zip(b_rest);
    sums.iter().sum::<f64>()
        + rest
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum::<f64>()
}

/// Adds `factor × x` to `y` and returns the product of the new `y` and `z`, in one pass.
pub(super) fn add_then_dot(factor: f64, x: &[f32], y: &mut [f32], z: &[f32]) -> f64 {
    let factor = factor as f32;
    let blocks = y
        .par_chunks_mut(BLOCK_ENTRIES)
        .zip(x.par_chunks(BLOCK_ENTRIES))
        .zip(z.par_chunks(BLOCK_ENTRIES));
    let sums: Vec<f64> = blocks
        .map(|((y, x), z)| {
            for (y, &x) in y.iter_mut().zip(x) {
                *y += factor * x;
            }
            block_dot(y, z)
        })
        .collect();
    sums.iter().sum()
}

/// Returns `a + factor × b`.
pub(super) fn combine(a: &[f32], factor: f64, b: &[f32]) -> Vec<f32> {
    let factor = factor as f32;
    let entry = |(&a, &b)| a + factor * b;
    a.par_iter()
        .with_min_len(BLOCK_ENTRIES)
        .zip(b)
        .map(entry)
        .collect()
}

/// Returns `factor × x`.
pub(super) fn scaled(factor: f64, x: &[f32]) -> Vec<f32> {
    let factor = factor as f32;
    let entries = x.par_iter().with_min_len(BLOCK_ENTRIES);
    entries.map(|&x| factor * x).collect()
}

/// Returns twelve rows of three classes in turn, which no plane separates.
#[cfg(test)]
pub(super) fn small() -> (Sparse, Vec<u32>) {
    const ROWS: [[f32; 4]; 12] = [
        [0.9, 0.1, 0.0, 0.2],
        [0.1, 0.9, 0.0, 0.0],
        [0.0, 0.1, 0.9, 0.0],
        [0.7, 0.0, 0.3, 0.1],
        [0.0, 0.8, 0.4, 0.0],
        [0.3, 0.0, 0.8, 0.2],
        [0.8, 0.5, 0.0, 0.0],
        [0.6, 0.7, 0.0, 0.1],
        [0.0, 0.6, 0.7, 0.0],
        [0.2, 0.6, 0.1, 0.0],
        [0.0, 0.5, 0.5, 0.3],
        [0.5, 0.0, 0.4, 0.6],
    ];
    let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for row in ROWS {
        let stored = (0u32..).zip(row).filter(|&(_, value)| value != 0.0);
        for (column, value) in stored {
            indices.push(column);
            values.push(value);
        }
        indptr.push(indices.len());
    }
    let rows = Sparse {
        indptr,
        indices,
        values,
        columns: 4,
    };
    (rows, (0..12).map(|row| row % 3).collect())
}

/// Returns the rows of [`small`] a hundred times, changed and spread over many columns: several
/// blocks of everything that is taken in blocks.
#[cfg(test)]
pub(super) fn many() -> (Sparse, Vec<u32>) {
    let (once, labels) = small();
    let mut rows = Sparse {
        indptr: vec![0],
        indices: Vec::new(),
        values: Vec::new(),
        columns: 1200,
    };
    for row in 0..1200usize {
        let (columns, values) = once.as_csr().row(row % 12);
        let first = 4 * (row as u32 % 300);
        rows.indices
            .extend(columns.iter().map(|column| first + column));
        let factor = 1.0 + (row % 7) as f32 / 10.0;
        rows.values
            .extend(values.iter().map(|value| value * factor));
        rows.indptr.push(rows.indices.len());
    }
    (rows, labels.repeat(100))
}

/// Checks probabilities or decision values against literals.
#[cfg(test)]
pub(super) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance, "{found}: {expected}");
    }
}

/// Runs `work` in pools of 1 and 4 threads and returns both results.
#[cfg(test)]
pub(super) fn with_one_and_four_threads<T: Send>(work: impl Fn() -> T + Sync) -> (T, T) {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(&work)
    };
    (run(1), run(4))
}

#[cfg(test)]
mod tests {
    use super::super::error::assert_survives_damage;
    use super::*;

    const MATRIX: Csr<'static> = Csr {
        indptr: &[0, 2, 2, 4],
        indices: &[0, 2, 1, 2],
        values: &[1.0, 2.0, 3.0, 4.0],
        columns: 4,
    };

    #[test]
    fn the_transpose_swaps_rows_and_columns() {
        let transposed = MATRIX.transposed();
        let columns = transposed.as_csr();
        assert_eq!((columns.rows(), columns.columns), (4, 3));
        assert_eq!(columns.row(2), (&[0u32, 2][..], &[2.0f32, 4.0][..]));
        assert_eq!(columns.row(3), (&[][..], &[][..]));
        let back = columns.transposed();
        assert_eq!(back.indptr, MATRIX.indptr);
        assert_eq!(back.indices, MATRIX.indices);
        assert_eq!(back.values, MATRIX.values);
    }

    #[test]
    fn gather_is_a_row_of_the_product_and_skips_what_the_table_lacks() {
        let stride = 2 * LANES;
        let table: Vec<f32> = (0..2 * stride).map(|place| place as f32).collect();
        let sums = gather(
            (&[0, 1, 2], &[1.0, 10.0, 100.0]),
            &table,
            stride,
            LANES,
            [0.5; LANES],
        );
        let expected: [f32; LANES] =
            std::array::from_fn(|lane| 0.5 + (16 + lane) as f32 + 10.0 * (48 + lane) as f32);
        assert_eq!(sums.to_vec(), expected);
    }

    #[test]
    fn parts_labels_and_weights_that_do_not_fit_are_refused() {
        assert_eq!(MATRIX.check(&[0, 1, 1], 2, Some(&[1.0, 2.0])), Ok(()));
        let labels: [(&[u32], Option<&[f32]>); 4] = [
            (&[0, 1], None),
            (&[0, 1, 2], None),
            (&[0, 1, 1], Some(&[1.0])),
            (&[0, 1, 1], Some(&[1.0, f32::NAN])),
        ];
        for (labels, weights) in labels {
            let found = MATRIX.check(labels, 2, weights);
            assert_eq!(found, Err(ClassicalError::Labels));
        }
        let none = Csr {
            indptr: &[0],
            indices: &[],
            values: &[],
            columns: 3,
        };
        assert_eq!(none.check(&[], 2, None), Err(ClassicalError::Empty));
        let narrow = Csr {
            columns: 2,
            ..MATRIX
        };
        let short = Csr {
            indptr: &[0, 2, 2, 3],
            ..MATRIX
        };
        let unsorted = Csr {
            indices: &[2, 0, 1, 2],
            ..MATRIX
        };
        let infinite = Csr {
            values: &[1.0, 2.0, f32::INFINITY, 4.0],
            ..MATRIX
        };
        for damaged in [narrow, short, unsorted, infinite] {
            let found = damaged.check(&[0, 1, 1], 2, None);
            assert!(matches!(found, Err(ClassicalError::Rows(_))), "{found:?}");
        }
    }

    #[test]
    fn bytes_of_sparse_rows_come_back_or_are_refused() {
        let tag = *b"testrow1";
        let rows = MATRIX.transposed();
        let mut encoder = Encoder::new(tag);
        rows.encode(&mut encoder);
        let read = |bytes: &[u8]| {
            let mut decoder = Decoder::new(bytes, tag)?;
            let rows = Sparse::decode(&mut decoder)?;
            decoder.finish().map(|()| rows)
        };
        let bytes = encoder.finish();
        assert_eq!(read(&bytes), Ok(rows));
        assert_survives_damage(&bytes, read);
    }
}
