//! Statistics of a column, part by part: nothing of a part is kept but numbers, two texts and a sample of hashes.

use super::CheckpointError;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;
use std::collections::HashSet;

/// Distinct values up to which they are counted and not estimated.
const EXACT_VALUES: usize = 1 << 16;

/// Statistics of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnStats {
    /// The column.
    pub column: String,
    /// Its type.
    pub data_type: String,
    /// Rows.
    pub rows: u64,
    /// Rows without a value.
    pub nulls: u64,
    /// Different values; `None` of lists and the like.
    pub distinct: Option<u64>,
    /// Whether `distinct` is an estimate, good to about 1 %.
    pub is_distinct_estimated: bool,
    /// The least value.
    pub min: Option<String>,
    /// The greatest value.
    pub max: Option<String>,
    /// Mean of numbers; share of what is true.
    pub mean: Option<f64>,
    /// Characters of texts, items of lists.
    pub lengths: Option<LengthStats>,
}

/// Statistics of lengths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LengthStats {
    /// The least.
    pub min: u64,
    /// The greatest.
    pub max: u64,
    /// The mean.
    pub mean: f64,
}

/// Whether a column is of tensors, of which nobody reads statistics.
#[must_use]
pub fn is_tensor(data_type: &str) -> bool {
    data_type.starts_with("FixedSizeBinary")
}

/// Gathers the statistics of one column.
#[derive(Debug)]
pub struct ColumnStatsBuilder {
    column: String,
    data_type: String,
    rows: u64,
    nulls: u64,
    values: Values,
    lengths: Range,
}

/// What is gathered besides, by the type of the column.
#[derive(Debug)]
enum Values {
    Unknown,
    Numbers {
        range: Range,
        precision: Precision,
        distinct: Distinct,
    },
    Texts {
        extremes: Option<(String, String)>,
        distinct: Distinct,
    },
    Lists,
}

/// How numbers of a type are written.
#[derive(Debug, Clone, Copy)]
enum Precision {
    Whole,
    Single,
    Double,
}

impl Precision {
    fn of(kind: &DataType) -> Self {
        match kind {
            kind if kind.is_integer() => Self::Whole,
            DataType::Float16 | DataType::Float32 => Self::Single,
            _ => Self::Double,
        }
    }

    fn show(self, number: f64) -> String {
        match self {
            Self::Whole => format!("{number:.0}"),
            Self::Single => (number as f32).to_string(),
            Self::Double => number.to_string(),
        }
    }
}

impl ColumnStatsBuilder {
    /// Begins with no rows.
    #[must_use]
    pub fn new(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            data_type: String::new(),
            rows: 0,
            nulls: 0,
            values: Values::Unknown,
            lengths: Range::default(),
        }
    }

    /// Adds the rows of a part.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Arrow`] where numbers cannot be read as such.
    pub fn add(&mut self, array: &ArrayRef) -> Result<(), CheckpointError> {
        self.rows += array.len() as u64;
        self.nulls += array.null_count() as u64;
        if self.data_type.is_empty() {
            self.data_type = array.data_type().to_string();
            self.values = Values::of(array.data_type());
        }
        match &mut self.values {
            Values::Unknown => {}
            Values::Numbers {
                range, distinct, ..
            } => {
                let numbers =
                    cast(array, &DataType::Float64).map_err(|source| CheckpointError::Arrow {
                        what: format!("statistics of {}", self.column),
                        source,
                    })?;
                let numbers: &Float64Array = numbers.as_primitive();
                for number in numbers.iter().flatten() {
                    range.add(number);
                    distinct.add(&number.to_le_bytes());
                }
            }
            Values::Texts { extremes, distinct } => {
                let options = FormatOptions::default();
                let Ok(texts) = ArrayFormatter::try_new(array, &options) else {
                    return Ok(());
                };
                for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
                    let text = texts.value(row).to_string();
                    self.lengths.add(text.chars().count() as f64);
                    distinct.add(text.as_bytes());
                    widen(extremes, text);
                }
            }
            Values::Lists => {
                for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
                    let length = match array.data_type() {
                        DataType::FixedSizeList(_, width) => usize::try_from(*width).unwrap_or(0),
                        _ => array.as_list::<i32>().value(row).len(),
                    };
                    self.lengths.add(length as f64);
                }
            }
        }
        Ok(())
    }

    /// The statistics.
    #[must_use]
    pub fn finish(self) -> ColumnStats {
        let (distinct, min, max, mean) = match self.values {
            Values::Numbers {
                range,
                precision,
                distinct,
            } => {
                let (min, max) = (range.min(), range.max());
                let shown = |number: Option<f64>| number.map(|number| precision.show(number));
                (Some(distinct), shown(min), shown(max), range.mean())
            }
            Values::Texts { extremes, distinct } => {
                let (min, max) = extremes.unzip();
                (Some(distinct), min, max, None)
            }
            Values::Lists | Values::Unknown => (None, None, None, None),
        };
        let lengths = self.lengths.mean().map(|mean| LengthStats {
            min: self.lengths.min().unwrap_or_default() as u64,
            max: self.lengths.max().unwrap_or_default() as u64,
            mean,
        });
        ColumnStats {
            column: self.column,
            data_type: self.data_type,
            rows: self.rows,
            nulls: self.nulls,
            distinct: distinct.as_ref().map(Distinct::count),
            is_distinct_estimated: distinct.is_some_and(|distinct| distinct.shift > 0),
            min,
            max,
            mean,
            lengths,
        }
    }
}

impl Values {
    fn of(kind: &DataType) -> Self {
        let distinct = Distinct::default();
        match kind {
            DataType::Boolean => Self::Numbers {
                range: Range::default(),
                precision: Precision::Whole,
                distinct,
            },
            kind if kind.is_numeric() => Self::Numbers {
                range: Range::default(),
                precision: Precision::of(kind),
                distinct,
            },
            DataType::Utf8 | DataType::LargeUtf8 => Self::Texts {
                extremes: None,
                distinct,
            },
            DataType::List(_) | DataType::FixedSizeList(..) => Self::Lists,
            _ => Self::Unknown,
        }
    }
}

fn widen(extremes: &mut Option<(String, String)>, text: String) {
    match extremes {
        None => *extremes = Some((text.clone(), text)),
        Some((min, _)) if text < *min => *min = text,
        Some((_, max)) if text > *max => *max = text,
        Some(_) => {}
    }
}

/// Least, greatest and mean of numbers; what is not a number is left out.
#[derive(Debug, Default)]
struct Range {
    extremes: Option<(f64, f64)>,
    sum: f64,
    count: u64,
}

impl Range {
    fn add(&mut self, number: f64) {
        if number.is_nan() {
            return;
        }
        let (min, max) = self.extremes.unwrap_or((number, number));
        self.extremes = Some((min.min(number), max.max(number)));
        self.sum += number;
        self.count += 1;
    }

    fn min(&self) -> Option<f64> {
        self.extremes.map(|(min, _)| min)
    }

    fn max(&self) -> Option<f64> {
        self.extremes.map(|(_, max)| max)
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Counts different values: all their hashes, or, of many, those that end in some zeros.
///
/// # Source
///
/// Adaptive sampling (Flajolet 1990, after Wegman): with *m* hashes held, the standard error is about 1.2 / √m.
#[derive(Debug, Default)]
struct Distinct {
    hashes: HashSet<u64>,
    /// How many zeros.
    shift: u32,
}

impl Distinct {
    fn add(&mut self, value: &[u8]) {
        let hash = blake3::hash(value);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        let hash = u64::from_le_bytes(first);
        if hash.trailing_zeros() < self.shift {
            return;
        }
        self.hashes.insert(hash);
        while self.hashes.len() > EXACT_VALUES {
            self.shift += 1;
            let shift = self.shift;
            self.hashes.retain(|hash| hash.trailing_zeros() >= shift);
        }
    }

    fn count(&self) -> u64 {
        (self.hashes.len() as u64) << self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BooleanArray, Int64Array, ListArray, StringArray};
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    fn stats(parts: &[ArrayRef]) -> ColumnStats {
        let mut builder = ColumnStatsBuilder::new("c");
        for part in parts {
            builder.add(part).unwrap();
        }
        builder.finish()
    }

    #[test]
    fn numbers_over_parts() {
        let found = stats(&[
            Arc::new(Int64Array::from(vec![Some(3), None, Some(-1)])),
            Arc::new(Int64Array::from(vec![3, 7])),
        ]);
        assert_eq!((found.rows, found.nulls, found.distinct), (5, 1, Some(3)));
        assert_eq!(
            (found.min.as_deref(), found.max.as_deref()),
            (Some("-1"), Some("7"))
        );
        assert_eq!((found.mean, found.lengths), (Some(3.0), None));
        let found = stats(&[Arc::new(Float64Array::from(vec![0.5, f64::NAN, 2.0]))]);
        assert_eq!(
            (found.min.as_deref(), found.mean),
            (Some("0.5"), Some(1.25))
        );
        let found = stats(&[Arc::new(BooleanArray::from(vec![true, false, true, true]))]);
        assert_eq!((found.mean, found.max.as_deref()), (Some(0.75), Some("1")));
    }

    #[test]
    fn texts_and_lists_have_lengths() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            Some("b"),
            Some("éé"),
            None,
            Some("abc"),
            Some("b"),
        ]));
        let found = stats(&[texts]);
        assert_eq!((found.distinct, found.nulls), (Some(3), 1));
        assert_eq!(
            (found.min.as_deref(), found.max.as_deref()),
            (Some("abc"), Some("éé"))
        );
        let lengths = found.lengths.unwrap();
        assert_eq!((lengths.min, lengths.max, lengths.mean), (1, 3, 1.75));
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            Some(vec![Some(1), Some(2)]),
            None,
            Some(vec![]),
        ]);
        let found = stats(&[Arc::new(lists)]);
        let lengths = found.lengths.unwrap();
        assert_eq!((lengths.min, lengths.max, lengths.mean), (0, 2, 1.0));
        assert_eq!((found.distinct, found.min), (None, None));
    }

    #[test]
    fn no_rows_and_no_values() {
        let found = stats(&[]);
        assert_eq!((found.rows, found.distinct, found.mean), (0, None, None));
        let found = stats(&[Arc::new(StringArray::from(vec![None::<&str>, None]))]);
        assert_eq!(
            (found.nulls, found.distinct, found.min, found.lengths),
            (2, Some(0), None, None)
        );
    }

    #[test]
    fn many_different_values_are_estimated() {
        let values = |range: std::ops::Range<i64>| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(range))
        };
        let few = stats(&[values(0..60_000), values(0..60_000)]);
        assert_eq!(
            (few.distinct, few.is_distinct_estimated),
            (Some(60_000), false)
        );
        let many = stats(&[values(0..300_000), values(200_000..500_000)]);
        let error = many.distinct.unwrap() as f64 / 500_000.0 - 1.0;
        assert!(many.is_distinct_estimated && error.abs() < 0.02, "{error}");
    }
}
