//! Principal components of images: the directions in which rows of bytes differ most, and rows seen from them.
//!
//! Without LibTorch. Invariant: the same rows give the same bits, whatever the number of threads.
//!
//! # Source
//!
//! scikit-learn's `PCA(svd_solver="full")`, with its signs: the entry of each component that is farthest from 0 is above 0.
//! The singular vectors come from the smaller of the two products of the centred rows with themselves. Those products
//! are integers, so nothing is lost in them; a variance is off by no more than some 10⁻¹⁶ of the greatest one.

mod eigen;
mod file;
mod products;

use super::ModelError;
use super::batch::check;

/// Most rows or columns, whichever are fewer: the time to find the directions grows with the cube, some minutes for as many.
pub const MOST_DIRECTIONS: usize = 4096;

/// What a byte is divided by.
const WHITE: f32 = 255.0;

/// Principal components of rows.
///
/// # Units
///
/// Of bytes divided by 255: 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    mean: Vec<f32>,
    components: Vec<f32>,
    explained_variance: Vec<f64>,
    total_variance: f64,
}

impl Pca {
    /// Finds the components of most variance; fewer than asked for, where the rows differ in fewer directions.
    ///
    /// # Shapes
    ///
    /// `rows` is rows × `columns`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] for fewer than two rows, rows that are not whole or all alike, or more than
    /// [`MOST_DIRECTIONS`] of both rows and columns; [`ModelError::Interrupted`] where `cancel` says so.
    pub fn fit(
        rows: &[u8],
        columns: usize,
        components: usize,
        cancel: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, ModelError> {
        check(columns > 0 && rows.len().is_multiple_of(columns), || {
            format!("{} bytes are not rows of {columns}", rows.len())
        })?;
        let count = rows.len() / columns;
        check(count >= 2, || format!("{count} rows have no variance"))?;
        let smaller = count.min(columns);
        check(smaller <= MOST_DIRECTIONS, || {
            format!("{count} rows of {columns} columns: more than {MOST_DIRECTIONS} of either")
        })?;
        let table = Table::new(rows, columns);
        let products = if count <= columns {
            table.products_of_rows(cancel)
        } else {
            table.products_of_columns(cancel)
        };
        let products = products.ok_or(ModelError::Interrupted)?;
        let trace: f64 = (0..smaller).map(|at| products[at * smaller + at]).sum();
        check(trace > 0.0, || format!("{count} rows are all alike"))?;
        if cancel() {
            return Err(ModelError::Interrupted);
        }
        let mut pairs = eigen::largest(products, smaller, components);
        // What is below this is rounding, and no direction.
        let least = pairs.first().map_or(0.0, |pair| pair.value) * f64::EPSILON * smaller as f64;
        pairs.retain(|pair| pair.value > least);
        let freedom = (count - 1) as f64;
        let mut components = if count <= columns {
            table.components_of_rows(&pairs)
        } else {
            let vectors = pairs.iter().flat_map(|pair| &pair.vector);
            vectors.map(|x| *x as f32).collect()
        };
        components.chunks_exact_mut(columns).for_each(turn_up);
        Ok(Self {
            mean: table.mean,
            components,
            explained_variance: pairs.iter().map(|pair| pair.value / freedom).collect(),
            total_variance: trace / freedom,
        })
    }

    /// Returns the number of columns of the rows.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.mean.len()
    }

    /// Returns the number of components.
    #[must_use]
    pub fn width(&self) -> usize {
        self.explained_variance.len()
    }

    /// Returns the mean of each column.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Returns the components, the one of most variance first.
    ///
    /// # Shapes
    ///
    /// [`width`](Self::width) × [`columns`](Self::columns).
    #[must_use]
    pub fn components(&self) -> &[f32] {
        &self.components
    }

    /// Returns the variance of the rows along each component, descending.
    #[must_use]
    pub fn explained_variance(&self) -> &[f64] {
        &self.explained_variance
    }

    /// Returns the share of each component in the variance of all columns.
    #[must_use]
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        let shares = self.explained_variance.iter();
        shares
            .map(|variance| variance / self.total_variance)
            .collect()
    }

    /// Returns how far each row lies from the mean along each component.
    ///
    /// # Shapes
    ///
    /// `rows` is rows × [`columns`](Self::columns), the result rows × [`width`](Self::width).
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the rows are not whole.
    pub fn transform(&self, rows: &[u8]) -> Result<Vec<f32>, ModelError> {
        let columns = self.columns();
        check(rows.len().is_multiple_of(columns), || {
            format!("{} bytes are not rows of {columns}", rows.len())
        })?;
        let fill = |row: usize, range: std::ops::Range<usize>, to: &mut [f32]| {
            let row = &rows[row * columns..][range.clone()];
            for ((to, byte), mean) in to.iter_mut().zip(row).zip(&self.mean[range]) {
                *to = f32::from(*byte) / WHITE - mean;
            }
        };
        let count = rows.len() / columns;
        Ok(products::products((count, columns), fill, &self.components))
    }
}

/// Turns a component so that its entry farthest from 0, the first of equals, is above 0.
fn turn_up(component: &mut [f32]) {
    let farthest = component.iter().fold(0.0, |farthest: f32, entry| {
        if entry.abs() > farthest.abs() {
            *entry
        } else {
            farthest
        }
    });
    if farthest < 0.0 {
        for entry in component {
            *entry = -*entry;
        }
    }
}

/// Rows of bytes, and the mean of each column.
struct Table<'a> {
    rows: &'a [u8],
    columns: usize,
    count: usize,
    mean: Vec<f32>,
    sums: Vec<u64>,
}

impl<'a> Table<'a> {
    fn new(rows: &'a [u8], columns: usize) -> Self {
        let mut sums = vec![0_u64; columns];
        for row in rows.chunks_exact(columns) {
            for (sum, byte) in sums.iter_mut().zip(row) {
                *sum += u64::from(*byte);
            }
        }
        let count = rows.len() / columns;
        let whole = count as f64 * f64::from(WHITE);
        let mean = sums.iter().map(|sum| (*sum as f64 / whole) as f32);
        Self {
            rows,
            columns,
            count,
            mean: mean.collect(),
            sums,
        }
    }

    /// Products of the centred rows with each other.
    fn products_of_rows(&self, cancel: &(dyn Fn() -> bool + Sync)) -> Option<Vec<f64>> {
        let products = products::gram(self.rows, self.columns, cancel)?;
        let count = self.count as i128;
        let sums: Vec<i128> = products
            .chunks_exact(self.count)
            .map(|row| row.iter().map(|product| i128::from(*product)).sum())
            .collect();
        let total: i128 = sums.iter().sum();
        // Less the means of row and column, more the mean of all: in integers, times n².
        let scale = (count * count) as f64 * f64::from(WHITE * WHITE);
        let centred = |place: usize, product: u64| {
            let means = count * (sums[place / self.count] + sums[place % self.count]);
            (count * count * i128::from(product) - means + total) as f64 / scale
        };
        let entries = products.into_iter().enumerate();
        Some(
            entries
                .map(|(place, product)| centred(place, product))
                .collect(),
        )
    }

    /// Products of the centred columns with each other.
    fn products_of_columns(&self, cancel: &(dyn Fn() -> bool + Sync)) -> Option<Vec<f64>> {
        let mut turned = vec![0; self.rows.len()];
        for (place, row) in self.rows.chunks_exact(self.columns).enumerate() {
            for (column, byte) in row.iter().enumerate() {
                turned[column * self.count + place] = *byte;
            }
        }
        let products = products::gram(&turned, self.count, cancel)?;
        let count = self.count as i128;
        let scale = count as f64 * f64::from(WHITE * WHITE);
        let centred = |place: usize, product: u64| {
            let [row, column] =
                [place / self.columns, place % self.columns].map(|at| self.sums[at]);
            (count * i128::from(product) - i128::from(row) * i128::from(column)) as f64 / scale
        };
        let entries = products.into_iter().enumerate();
        Some(
            entries
                .map(|(place, product)| centred(place, product))
                .collect(),
        )
    }

    /// The components, given those of the transposed rows.
    fn components_of_rows(&self, pairs: &[eigen::EigenPair]) -> Vec<f32> {
        let weights: Vec<f32> = pairs
            .iter()
            .flat_map(|pair| {
                let length = pair.value.sqrt();
                pair.vector.iter().map(move |x| (x / length) as f32)
            })
            .collect();
        let fill = |column: usize, range: std::ops::Range<usize>, to: &mut [f32]| {
            let mean = self.mean[column];
            for (to, row) in to.iter_mut().zip(range) {
                *to = f32::from(self.rows[row * self.columns + column]) / WHITE - mean;
            }
        };
        let by_column = products::products((self.columns, self.count), fill, &weights);
        let mut components = vec![0.0; by_column.len()];
        for (column, entries) in by_column.chunks_exact(pairs.len().max(1)).enumerate() {
            for (component, entry) in entries.iter().enumerate() {
                components[component * self.columns + column] = *entry;
            }
        }
        components
    }
}

#[cfg(test)]
mod tests;
