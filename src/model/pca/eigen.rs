//! The largest eigenvalues of a symmetric matrix, with their eigenvectors.
//!
//! Invariant: every sum has a fixed order and nothing asks what the processor can do, so the bits depend on the matrix alone.
//!
//! # Why own code
//!
//! All eigenvectors of a matrix of 1,000 rows and of 3,000 rows (two threads on a busy machine; here the 100 that are wanted),
//! and the processor time of building the library and all it needs:
//!
//! | | 1,000 | 3,000 | build |
//! |---|---|---|---|
//! | nalgebra 0.35.0, one thread | 1.0 s | 63 s | 26 s |
//! | faer 0.24.4, bits depend on the processor | 0.32 s | 11.7 s | 113 s |
//! | here | 0.29 s | 11.3 s | |
//!
//! # Source
//!
//! LAPACK's `dsyevx`: Householder's tridiagonal form, bisection by the counts of Sturm's sequence, inverse iteration.

use rayon::prelude::*;

/// Numbers that are added up side by side; fixed, since it is part of the order of the sums.
const LANES: usize = 8;
/// Rows that one task of Rayon takes.
const TASK_ROWS: usize = 16;
/// Steps of inverse iteration: two do for a good start, the rest is for close eigenvalues.
const STEPS: usize = 4;

/// An eigenvalue and its eigenvector, of length 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EigenPair {
    pub(super) value: f64,
    pub(super) vector: Vec<f64>,
}

/// Returns the `count` largest eigenvalues of a symmetric matrix in descending order, with eigenvectors that are orthogonal
/// to each other; `None` where `cancel` says so.
///
/// # Shapes
///
/// `matrix` is size × size, both triangles filled.
pub(super) fn largest(
    matrix: Vec<f64>,
    size: usize,
    count: usize,
    cancel: &dyn Fn() -> bool,
) -> Option<Vec<EigenPair>> {
    let reduced = Tridiagonal::reduce(matrix, size, cancel)?;
    let count = count.min(size);
    let values: Vec<f64> = (0..count)
        .into_par_iter()
        .map(|place| reduced.eigenvalue(place))
        .collect();
    let mut vectors = reduced.eigenvectors(&values, cancel)?;
    vectors
        .par_iter_mut()
        .for_each(|vector| reduced.turn_back(vector));
    let pairs = values.into_iter().zip(vectors);
    Some(
        pairs
            .map(|(value, vector)| EigenPair { value, vector })
            .collect(),
    )
}

/// A symmetric matrix as a tridiagonal one, and the reflections that lead back.
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// Beside the diagonal; one fewer.
    beside: Vec<f64>,
    /// The reflection `1 - v vᵀ` of step `i` moves the entries after `i`: `v`, of length √2 or 0.
    reflections: Vec<Vec<f64>>,
    /// Largest sum of the absolute values of a row.
    norm: f64,
}

impl Tridiagonal {
    fn reduce(mut matrix: Vec<f64>, size: usize, cancel: &dyn Fn() -> bool) -> Option<Self> {
        let mut diagonal = Vec::with_capacity(size);
        let mut beside = Vec::with_capacity(size);
        let mut reflections: Vec<Vec<f64>> = Vec::with_capacity(size);
        // The trailing square after each step is A - v wᵀ - w vᵀ: the update is made with the next step's product,
        // since both go through all of it.
        let mut update = (vec![0.0; size], vec![0.0; size]);
        for step in 0..size {
            if cancel() {
                return None;
            }
            let row = &mut matrix[step * size..(step + 1) * size];
            subtract_outer(&mut row[step..], (&update.0, &update.1), 0);
            diagonal.push(row[step]);
            if step + 1 == size {
                break;
            }
            let (v, entry) = reflection(&row[step + 1..]);
            beside.push(entry);
            let (before_v, before_w) = (&update.0[1..], &update.1[1..]);
            let rows = matrix[(step + 1) * size..].par_chunks_mut(size);
            let product: Vec<f64> = rows
                .enumerate()
                .with_min_len(TASK_ROWS)
                .map(|(place, row)| {
                    let row = &mut row[step + 1..];
                    subtract_outer(row, (before_v, before_w), place);
                    dot(row, &v)
                })
                .collect();
            let half = dot(&product, &v) / 2.0;
            let w = product.iter().zip(&v).map(|(p, v)| p - half * v).collect();
            update = (v.clone(), w);
            reflections.push(v);
        }
        let around = |place: usize| {
            let before = if place > 0 { beside[place - 1] } else { 0.0 };
            let after = beside.get(place).copied().unwrap_or(0.0);
            diagonal[place].abs() + f64::abs(before) + f64::abs(after)
        };
        let norm = (0..size).map(around).fold(0.0, f64::max);
        Some(Self {
            diagonal,
            beside,
            reflections,
            norm,
        })
    }

    /// Smallest number that a pivot may be.
    fn smallest_pivot(&self) -> f64 {
        (f64::EPSILON * self.norm).max(f64::MIN_POSITIVE / f64::EPSILON)
    }

    /// Number of eigenvalues above a bound.
    fn count_above(&self, bound: f64) -> usize {
        let smallest = self.norm * f64::MIN_POSITIVE.sqrt() + f64::MIN_POSITIVE;
        let mut above = 0;
        let mut pivot = 1.0_f64;
        for (place, &entry) in self.diagonal.iter().enumerate() {
            let beside = if place > 0 {
                self.beside[place - 1]
            } else {
                0.0
            };
            pivot = entry - bound - beside * (beside / pivot);
            if pivot.abs() < smallest {
                pivot = -smallest;
            }
            above += usize::from(pivot > 0.0);
        }
        above
    }

    /// The eigenvalue with so many larger ones.
    fn eigenvalue(&self, larger: usize) -> f64 {
        let margin = self.norm * 1e-10 + f64::MIN_POSITIVE;
        let (mut low, mut high) = (-self.norm - margin, self.norm + margin);
        // Each step halves the interval: 52 + 11 end at the spacing of floats.
        for _ in 0..128 {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high || high - low <= f64::EPSILON * self.norm * 0.25 {
                break;
            }
            if self.count_above(middle) > larger {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }

    /// Eigenvectors of the tridiagonal matrix, by inverse iteration, each orthogonal to those before it.
    fn eigenvectors(&self, values: &[f64], cancel: &dyn Fn() -> bool) -> Option<Vec<Vec<f64>>> {
        let mut found: Vec<Vec<f64>> = Vec::with_capacity(values.len());
        for (place, &value) in values.iter().enumerate() {
            if cancel() {
                return None;
            }
            // Vectors of far eigenvalues are orthogonal by themselves; these are not.
            let is_close = |other: &&f64| (**other - value).abs() <= 1e-3 * self.norm;
            let close = values[..place].iter().rev().take_while(is_close).count();
            let shifted = ShiftedLu::new(self, value);
            let mut vector = start(self.diagonal.len(), place);
            for _ in 0..STEPS {
                shifted.solve(&mut vector);
                // Before the sums, or squares of what is nearly singular overflow.
                scale_to_largest(&mut vector);
                for _ in 0..2 {
                    for other in &found[place - close..] {
                        let shared = dot(&vector, other);
                        subtract(&mut vector, shared, other);
                    }
                }
                if !normalise(&mut vector) {
                    vector = start(self.diagonal.len(), place + values.len());
                }
            }
            found.push(vector);
        }
        Some(found)
    }

    /// Turns a vector of the tridiagonal matrix into one of the original matrix.
    fn turn_back(&self, vector: &mut [f64]) {
        for (step, v) in self.reflections.iter().enumerate().rev() {
            let tail = &mut vector[step + 1..];
            let factor = dot(tail, v);
            subtract(tail, factor, v);
        }
    }
}

/// Finds `v` of length √2 so that `1 - v vᵀ` moves all of `x` into its first entry, and that entry.
fn reflection(x: &[f64]) -> (Vec<f64>, f64) {
    let scale = x.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let rest = x[1..]
        .iter()
        .fold(0.0, |largest: f64, x| largest.max(x.abs()));
    if rest == 0.0 {
        return (vec![0.0; x.len()], x[0]);
    }
    let mut v: Vec<f64> = x.iter().map(|x| x / scale).collect();
    let length = dot(&v, &v).sqrt();
    // Away from the first entry, so that nothing is lost to cancellation.
    let entry = if v[0] > 0.0 { -length } else { length };
    v[0] -= entry;
    let factor = (2.0 / dot(&v, &v)).sqrt();
    for v in &mut v {
        *v *= factor;
    }
    (v, entry * scale)
}

/// Subtracts the row `place` of `v wᵀ + w vᵀ` from the same row's last entries.
fn subtract_outer(row: &mut [f64], (v, w): (&[f64], &[f64]), place: usize) {
    let (from_v, from_w) = (v[place], w[place]);
    for ((entry, v), w) in row.iter_mut().zip(v).zip(w) {
        *entry -= from_v * w + from_w * v;
    }
}

/// `T - value` as the product of a lower and an upper triangle, rows exchanged where that is safer.
struct ShiftedLu {
    /// The upper triangle: the diagonal and the two beside it.
    upper: [Vec<f64>; 3],
    /// Of each step, the multiple that was subtracted and whether the two rows were exchanged.
    steps: Vec<(f64, bool)>,
}

impl ShiftedLu {
    fn new(matrix: &Tridiagonal, value: f64) -> Self {
        let size = matrix.diagonal.len();
        let beside = |place: usize| matrix.beside.get(place).copied().unwrap_or(0.0);
        let smallest = matrix.smallest_pivot();
        let mut upper = [(); 3].map(|()| Vec::with_capacity(size));
        let mut steps = Vec::with_capacity(size);
        // What is left of the row that the next step begins with.
        let (mut first, mut second) = (matrix.diagonal[0] - value, beside(0));
        for place in 0..size {
            let below = beside(place);
            let next = matrix.diagonal.get(place + 1).map_or(0.0, |d| d - value);
            let (row, factor, is_exchanged) = if place + 1 < size && below.abs() > first.abs() {
                let factor = first / below;
                let row = [below, next, beside(place + 1)];
                (first, second) = (second - factor * next, -factor * beside(place + 1));
                (row, factor, true)
            } else {
                let pivot = if first.abs() < smallest {
                    smallest
                } else {
                    first
                };
                let factor = below / pivot;
                let row = [pivot, second, 0.0];
                (first, second) = (next - factor * second, beside(place + 1));
                (row, factor, false)
            };
            for (diagonal, entry) in upper.iter_mut().zip(row) {
                diagonal.push(entry);
            }
            steps.push((factor, is_exchanged));
        }
        Self { upper, steps }
    }

    /// Solves for a right side, in place.
    fn solve(&self, vector: &mut [f64]) {
        let size = vector.len();
        for (place, &(factor, is_exchanged)) in self.steps[..size - 1].iter().enumerate() {
            if is_exchanged {
                vector.swap(place, place + 1);
            }
            vector[place + 1] -= factor * vector[place];
        }
        let at = |vector: &[f64], place: usize| vector.get(place).copied().unwrap_or(0.0);
        for place in (0..size).rev() {
            let [pivot, second, third] = [0, 1, 2].map(|diagonal| self.upper[diagonal][place]);
            let known = second * at(vector, place + 1) + third * at(vector, place + 2);
            vector[place] = (vector[place] - known) / pivot;
        }
    }
}

/// A vector without a pattern, so that it has a part of every eigenvector: splitmix64 of its place.
fn start(size: usize, place: usize) -> Vec<f64> {
    let entry = |index: usize| {
        let mut bits = ((place * size + index) as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / 2f64.powi(52) - 1.0
    };
    (0..size).map(entry).collect()
}

fn scale_to_largest(vector: &mut [f64]) {
    let largest = vector.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if largest > 0.0 {
        for x in vector {
            *x /= largest;
        }
    }
}

/// Makes a vector's length 1; returns whether it had one.
fn normalise(vector: &mut [f64]) -> bool {
    let length = dot(vector, vector).sqrt();
    if !(length.is_finite() && length > 1e-100) {
        return false;
    }
    for x in vector {
        *x /= length;
    }
    true
}

fn subtract(vector: &mut [f64], factor: f64, other: &[f64]) {
    for (x, y) in vector.iter_mut().zip(other) {
        *x -= factor * y;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let whole = a.len().min(b.len()) / LANES * LANES;
    let mut sums = [0.0; LANES];
    for (a, b) in a[..whole].chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests;
