//! What can go wrong in `model::classical`, and the bytes of a fitted model, where most of it does.
//!
//! Invariant: whatever the bytes, reading them returns a model or an error, and allocates no more
//! than in proportion to them.

/// An error of the classical models.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassicalError {
    /// There are no rows or no classes to fit a model on.
    #[error("no rows or no classes to fit a model on")]
    Empty,
    /// The labels or the weights of the classes do not fit the rows or the number of classes.
    #[error("labels or class weights do not fit the rows and the number of classes")]
    Labels,
    /// The parts of a sparse matrix contradict each other, or a value is not finite.
    #[error("sparse rows: {0}")]
    Rows(String),
    /// Options make no sense.
    #[error("options: {0}")]
    Options(String),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Bytes are not a model of the kind asked for.
    #[error("model is not readable: {0}")]
    Decode(String),
}

/// Writes a model: a tag, then little-endian numbers and length-prefixed arrays of them.
#[derive(Debug)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// Begins with the tag of a kind of model; its last byte is the version of the format.
    pub(super) fn new(tag: [u8; 8]) -> Self {
        Self {
            bytes: tag.to_vec(),
        }
    }

    /// Appends a number.
    pub(super) fn count(&mut self, count: usize) {
        self.bytes.extend((count as u64).to_le_bytes());
    }

    /// Appends an array.
    pub(super) fn u32s(&mut self, values: &[u32]) {
        self.count(values.len());
        self.bytes
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// Appends an array.
    pub(super) fn u64s(&mut self, values: &[u64]) {
        self.count(values.len());
        self.bytes
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// Appends an array.
    pub(super) fn f32s(&mut self, values: &[f32]) {
        self.count(values.len());
        self.bytes
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// Appends an array.
    pub(super) fn f64s(&mut self, values: &[f64]) {
        self.count(values.len());
        self.bytes
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// Returns the bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what an [`Encoder`] wrote; any other bytes are an error.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Begins after the tag.
    pub(super) fn new(bytes: &'a [u8], tag: [u8; 8]) -> Result<Self, ClassicalError> {
        let rest = bytes.strip_prefix(&tag);
        let rest = rest.ok_or_else(|| invalid("another kind of model or version of its format"))?;
        Ok(Self { rest })
    }

    /// Reads a number.
    pub(super) fn count(&mut self) -> Result<usize, ClassicalError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<8>()
            .ok_or_else(|| invalid("cut short"))?;
        self.rest = rest;
        usize::try_from(u64::from_le_bytes(*head)).map_err(|_| invalid("number too large"))
    }

    /// Reads a number that is 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, ClassicalError> {
        match self.count()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(invalid("neither true nor false")),
        }
    }

    /// Reads an array. Its length is held against the bytes there are before anything is allocated.
    fn array<const N: usize, T>(
        &mut self,
        number: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, ClassicalError> {
        let count = self.count()?;
        let bytes = count.checked_mul(N);
        let split = bytes.and_then(|bytes| self.rest.split_at_checked(bytes));
        let (head, rest) = split.ok_or_else(|| invalid("cut short"))?;
        self.rest = rest;
        let (chunks, _) = head.as_chunks::<N>();
        Ok(chunks.iter().map(|&chunk| number(chunk)).collect())
    }

    /// Reads an array.
    pub(super) fn u32s(&mut self) -> Result<Vec<u32>, ClassicalError> {
        self.array(u32::from_le_bytes)
    }

    /// Reads an array.
    pub(super) fn u64s(&mut self) -> Result<Vec<u64>, ClassicalError> {
        self.array(u64::from_le_bytes)
    }

    /// Reads an array.
    pub(super) fn f32s(&mut self) -> Result<Vec<f32>, ClassicalError> {
        self.array(f32::from_le_bytes)
    }

    /// Reads an array.
    pub(super) fn f64s(&mut self) -> Result<Vec<f64>, ClassicalError> {
        self.array(f64::from_le_bytes)
    }

    /// Checks that nothing is left.
    pub(super) fn finish(self) -> Result<(), ClassicalError> {
        self.rest
            .is_empty()
            .then_some(())
            .ok_or_else(|| invalid("bytes after the end"))
    }
}

/// What is wrong with an option: its name, dotted where it is one of an option's own, and what it must be.
pub type OptionProblem = (&'static str, &'static str);

/// Returns the options of a list that do not hold.
pub(super) fn problems_of(
    options: impl IntoIterator<Item = (bool, &'static str, &'static str)>,
) -> Vec<OptionProblem> {
    let faults = options.into_iter().filter(|(holds, ..)| !holds);
    faults.map(|(_, name, reason)| (name, reason)).collect()
}

/// Refuses options that have problems, and names them all.
pub(super) fn refuse(problems: &[OptionProblem]) -> Result<(), ClassicalError> {
    if problems.is_empty() {
        return Ok(());
    }
    let each = problems
        .iter()
        .map(|(name, reason)| format!("{name} {reason}"));
    Err(ClassicalError::Options(each.collect::<Vec<_>>().join("; ")))
}

/// Reasons that several options share.
pub(super) const ABOVE_0: &str = "must be above 0";
pub(super) const AT_LEAST_1: &str = "must be at least 1";

/// Returns the error of bytes that are no model.
pub(super) fn invalid(reason: &str) -> ClassicalError {
    ClassicalError::Decode(reason.to_owned())
}

/// Holds a model's bytes against damage: cut at every place, lengthened, and each of the first
/// bytes changed, `read` refuses or reads, and never panics.
#[cfg(test)]
pub(super) fn assert_survives_damage<T>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, ClassicalError>,
) {
    assert!(read(bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(matches!(
            read(&bytes[..end]),
            Err(ClassicalError::Decode(_))
        ));
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(matches!(read(&longer), Err(ClassicalError::Decode(_))));
    for place in 0..bytes.len() {
        for change in [1, 0x80, 0xff] {
            let mut damaged = bytes.to_vec();
            damaged[place] ^= change;
            let outcome = read(&damaged);
            assert!(place >= 8 || outcome.is_err());
        }
    }
}
