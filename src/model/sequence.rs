//! Sequences of word numbers, for networks with an embedding. Invariant: every number is below
//! the vocabulary and no sequence is longer than the length, from the moment the rows are made.

use super::ModelError;
use super::batch::check;

/// The number of no word: every position after the end of a sequence.
pub(super) const PADDING: u32 = 0;

/// Sequences of word numbers, one row after the other, without their padding.
///
/// # Shapes
///
/// Row `i` is `numbers[indptr[i]..indptr[i + 1]]`: at most `length` numbers, each below
/// `vocabulary`; number 0 is padding, and the row goes on with it up to `length`. A row of
/// padding alone is a row without text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceRows {
    vocabulary: usize,
    length: usize,
    indptr: Vec<usize>,
    numbers: Vec<u32>,
}

impl SequenceRows {
    /// Makes zero rows, to [`push`](Self::push) to.
    #[must_use]
    pub fn empty(vocabulary: usize, length: usize) -> Self {
        Self {
            vocabulary: vocabulary.max(1),
            length,
            indptr: vec![0],
            numbers: Vec::new(),
        }
    }

    /// Appends a row; missing text is an empty one.
    ///
    /// # Errors
    ///
    /// [`ModelError::Inputs`] where the sequence is too long or a number too large.
    pub fn push(&mut self, sequence: &[u32]) -> Result<(), ModelError> {
        check(sequence.len() <= self.length, || {
            let (found, limit) = (sequence.len(), self.length);
            format!("a sequence has {found} numbers, more than {limit}")
        })?;
        let outside = sequence
            .iter()
            .find(|&&number| number as usize >= self.vocabulary);
        check(outside.is_none(), || {
            let number = outside.copied().unwrap_or_default();
            let vocabulary = self.vocabulary;
            format!("word number {number} is not below the vocabulary of {vocabulary}")
        })?;
        self.push_checked(sequence);
        Ok(())
    }

    fn push_checked(&mut self, sequence: &[u32]) {
        self.numbers.extend_from_slice(sequence);
        self.indptr.push(self.numbers.len());
    }

    /// Returns how many numbers there are, from 0; at least 1, because of the padding.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Returns the number of positions of every row, padding included.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
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

    /// Returns the numbers of a row, without what padding it was made without.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u32] {
        &self.numbers[self.indptr[row]..self.indptr[row + 1]]
    }

    /// Returns the rows named, in that order.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self::empty(self.vocabulary, self.length);
        for &row in rows {
            selected.push_checked(self.row(row));
        }
        selected
    }

    /// Returns for each row whether it holds a word.
    #[must_use]
    pub fn presence(&self) -> Vec<bool> {
        let is_word = |number: &u32| *number != PADDING;
        (0..self.len())
            .map(|row| self.row(row).iter().any(is_word))
            .collect()
    }

    /// Returns the numbers that any row holds, ascending; [`PADDING`] is always the first.
    pub(super) fn distinct(&self) -> Vec<u32> {
        let mut seen = vec![false; self.vocabulary];
        seen[PADDING as usize] = true;
        for &number in &self.numbers {
            seen[number as usize] = true;
        }
        (0u32..)
            .zip(seen)
            .filter_map(|(number, seen)| seen.then_some(number))
            .collect()
    }

    /// Returns the rows with each number replaced by its place among `distinct`, which becomes
    /// their vocabulary. Padding stays padding.
    pub(super) fn renumbered(&self, distinct: &[u32]) -> Self {
        let places = self.places(distinct);
        let numbers = self.numbers.iter().map(|&number| places[number as usize]);
        Self {
            vocabulary: distinct.len(),
            length: self.length,
            indptr: self.indptr.clone(),
            numbers: numbers.collect(),
        }
    }

    /// Returns for each row how many of its positions, padding included, hold each of the numbers
    /// named (all of the rows' numbers among them).
    ///
    /// # Shapes
    ///
    /// `[rows, distinct]`, row after row; each row adds up to the length.
    pub(super) fn counts(&self, distinct: &[u32]) -> Vec<f32> {
        let places = self.places(distinct);
        let width = distinct.len();
        let mut counts = vec![0.0; self.len() * width];
        for (row, counts) in counts.chunks_exact_mut(width).enumerate() {
            let sequence = self.row(row);
            for &number in sequence {
                counts[places[number as usize] as usize] += 1.0;
            }
            counts[places[PADDING as usize] as usize] += (self.length - sequence.len()) as f32;
        }
        counts
    }

    /// The place of each number among those named.
    fn places(&self, distinct: &[u32]) -> Vec<u32> {
        let mut places = vec![0; self.vocabulary];
        for (place, &number) in (0u32..).zip(distinct) {
            places[number as usize] = place;
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(sequences: &[&[u32]]) -> SequenceRows {
        let mut rows = SequenceRows::empty(10, 4);
        for sequence in sequences {
            rows.push(sequence).unwrap();
        }
        rows
    }

    #[test]
    fn rows_are_selected_in_the_order_asked_for() {
        let selected = rows(&[&[2, 3], &[], &[9]]).select(&[2, 0, 1, 2]);
        assert_eq!(selected.len(), 4);
        assert_eq!((selected.row(0), selected.row(1)), (&[9][..], &[2, 3][..]));
        assert_eq!((selected.vocabulary(), selected.length()), (10, 4));
    }

    #[test]
    fn a_row_of_padding_holds_no_word() {
        assert_eq!(
            rows(&[&[2], &[], &[0, 0], &[0, 1]]).presence(),
            [true, false, false, true]
        );
    }

    #[test]
    fn counts_include_padding_and_add_up_to_the_length() {
        let rows = rows(&[&[7, 2, 7], &[], &[2, 2, 2, 2], &[0, 7]]);
        let distinct = rows.distinct();
        assert_eq!(distinct, [0, 2, 7]);
        assert_eq!(
            rows.counts(&distinct),
            [1.0, 1.0, 2.0, 4.0, 0.0, 0.0, 0.0, 4.0, 0.0, 3.0, 0.0, 1.0]
        );
    }

    #[test]
    fn renumbered_rows_have_the_same_counts() {
        let rows = rows(&[&[7, 2, 7], &[1]]);
        let distinct = rows.distinct();
        let renumbered = rows.renumbered(&distinct);
        assert_eq!((renumbered.vocabulary(), renumbered.length()), (4, 4));
        assert_eq!(renumbered.row(0), [3, 2, 3]);
        assert_eq!(renumbered.counts(&[0, 1, 2, 3]), rows.counts(&distinct));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let push = |sequence: &[u32]| SequenceRows::empty(10, 4).push(sequence);
        assert_eq!(
            push(&[9, 10]).unwrap_err().to_string(),
            "inputs do not fit: word number 10 is not below the vocabulary of 10"
        );
        assert_eq!(
            push(&[1; 5]).unwrap_err().to_string(),
            "inputs do not fit: a sequence has 5 numbers, more than 4"
        );
        push(&[9; 4]).unwrap();
    }
}
