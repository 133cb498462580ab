//! The matrix by columns: the entries of each column in ascending order of value.
//!
//! Invariant: an entry is one `u64`, the value's bits in an order-preserving form above the row,
//! so that sorting entries sorts by value, then row; zeros are never stored.

use super::super::csr::Csr;

/// An entry of a column: a value above a row.
pub type Entry = u64;

/// The least entry whose value is positive or zero: what is below is negative.
pub const ZERO: Entry = 0x8000_0000 << 32;

/// Packs a value and its row.
pub fn pack(value: f32, row: u32) -> Entry {
    let bits = value.to_bits();
    let ordered = if bits >> 31 == 1 {
        !bits
    } else {
        bits | 0x8000_0000
    };
    u64::from(ordered) << 32 | u64::from(row)
}

/// Returns the value of an entry.
pub fn value(entry: Entry) -> f32 {
    let ordered = (entry >> 32) as u32;
    f32::from_bits(if ordered >> 31 == 1 {
        ordered & 0x7fff_ffff
    } else {
        !ordered
    })
}

/// Returns the row of an entry.
pub fn row(entry: Entry) -> usize {
    (entry & 0xffff_ffff) as usize
}

/// A sparse matrix by columns.
#[derive(Debug)]
pub struct Columns {
    starts: Vec<usize>,
    entries: Vec<Entry>,
}

impl Columns {
    /// Turns checked rows into columns.
    pub fn new(rows: Csr<'_>) -> Self {
        let mut starts = vec![0; rows.columns + 1];
        for_each_entry(rows, |column, _, _| starts[column + 1] += 1);
        for column in 0..rows.columns {
            starts[column + 1] += starts[column];
        }
        let mut entries = vec![0; starts[rows.columns]];
        let mut next = starts.clone();
        for_each_entry(rows, |column, value, row| {
            entries[next[column]] = pack(value, row);
            next[column] += 1;
        });
        for column in 0..rows.columns {
            entries[starts[column]..starts[column + 1]].sort_unstable();
        }
        Self { starts, entries }
    }

    /// Returns the number of columns.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns the number of entries.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Returns the entries of a column.
    pub fn column(&self, column: usize) -> &[Entry] {
        &self.entries[self.starts[column]..self.starts[column + 1]]
    }
}

/// Calls with column, value and row of every entry that is not zero.
fn for_each_entry(rows: Csr<'_>, mut call: impl FnMut(usize, f32, u32)) {
    for (row, number) in (0..rows.rows()).zip(0..) {
        let (indices, values) = rows.row(row);
        for (&column, &value) in indices.iter().zip(values) {
            if value != 0.0 {
                call(column as usize, value, number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_entries_sort_by_value_then_row() {
        let values = [f32::MIN, -1.5, -1e-30, 1e-30, 0.25, f32::MAX];
        let packed: Vec<Entry> = values.iter().map(|&v| pack(v, 9)).collect();
        assert!(packed.is_sorted());
        assert!(pack(0.25, 1) < pack(0.25, 2));
        for (&entry, &expected) in packed.iter().zip(&values) {
            assert_eq!(value(entry).to_bits(), expected.to_bits());
            assert_eq!(row(entry), 9);
            assert_eq!(entry < ZERO, expected < 0.0);
        }
    }

    #[test]
    fn columns_are_sorted_without_zeros() {
        let rows = Csr {
            indptr: &[0, 2, 4],
            indices: &[0, 1, 0, 1],
            values: &[0.5, 0.0, -1.0, 0.75],
            columns: 3,
        };
        let columns = Columns::new(rows);
        assert_eq!(columns.column(0), [pack(-1.0, 1), pack(0.5, 0)]);
        assert_eq!(columns.column(1), [pack(0.75, 1)]);
        assert!(columns.column(2).is_empty());
        assert_eq!((columns.len(), columns.entries()), (3, 3));
    }
}
