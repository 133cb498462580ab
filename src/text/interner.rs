//! Numbers for strings: each distinct string of a collection gets the next one.
//!
//! A catalogue has millions of distinct n-grams, most of them a few bytes long, so the strings stand in one buffer and the table
//! holds numbers: some 20 bytes a string beside its own, where a `HashMap<Box<str>, _>` takes 60 and one allocation each.
//!
//! Invariant: numbers go by the order of first appearance alone. The hash is keyed anew in each process, so that nobody can write
//! a catalogue that collides; no number and no order depends on it, and neither may any result.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// Keys of [`hash`], the same for all interners, so that a hash is good for any of them.
static KEYS: LazyLock<[u64; 2]> = LazyLock::new(|| {
    let random = RandomState::new();
    [random.hash_one(0_u8), random.hash_one(1_u8)]
});

/// Digits of π: an odd number without pattern.
const PI: u64 = 0x243f_6a88_85a3_08d3;

/// Hashes a string: two overlapping words where it is short, 16 bytes at a time where it is long.
///
/// # Source
///
/// The folded multiplication of wyhash.
#[inline]
pub(super) fn hash(term: &str) -> u64 {
    let bytes = term.as_bytes();
    let [key, other] = *KEYS;
    // The length goes in where no difference between short strings can cancel it.
    let mut state = key ^ (bytes.len() as u64).wrapping_mul(PI);
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<16>() {
        if after.is_empty() {
            break;
        }
        let (low, high) = halves(chunk);
        state = fold(low ^ state, high ^ other);
        rest = after;
    }
    let (low, high) = if let Some((first, last)) = ends::<8>(rest) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let Some((first, last)) = ends::<4>(rest) {
        let word = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        (word(first), word(last))
    } else if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
        let middle = u64::from(rest[rest.len() / 2]);
        (u64::from(*first) << 8 | middle, u64::from(*last))
    } else {
        (0, 0)
    };
    fold(low ^ state, high ^ other)
}

/// The first and the last bytes of a string that has as many; they may overlap.
fn ends<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
    Some((bytes.first_chunk()?, bytes.last_chunk()?))
}

fn halves(chunk: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*chunk);
    (both as u64, (both >> 64) as u64)
}

/// Multiplies, and mixes the halves of the product.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Distinct strings and their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Interner {
    /// All strings, one after the other.
    text: String,
    /// Where each ends in `text`.
    ends: Vec<usize>,
    /// Open addressing, at most 3/4 full; a power of two long, or empty.
    slots: Vec<Slot>,
}

/// A place of the table: half of a string's hash, and its number plus 1; 0 where it is free.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    tag: u32,
    number: u32,
}

impl Interner {
    /// Number of strings.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The string of a number.
    #[inline]
    pub(super) fn term(&self, number: usize) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[number]]
    }

    /// The strings by number.
    pub(super) fn terms(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.term(number))
    }

    /// The number of a string, if it has one.
    pub(super) fn get(&self, term: &str) -> Option<u32> {
        self.get_hashed(hash(term), term)
    }

    /// As [`Self::get`]; `hash` is [`hash`] of the string.
    #[inline]
    pub(super) fn get_hashed(&self, hash: u64, term: &str) -> Option<u32> {
        self.find(hash, term).ok()
    }

    /// The number of a string, a new one if need be; `hash` is [`hash`] of it.
    ///
    /// # Panics
    ///
    /// Past 2³² - 1 strings, for which memory ends earlier.
    pub(super) fn intern(&mut self, hash: u64, term: &str) -> usize {
        if (self.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        match self.find(hash, term) {
            Ok(number) => number as usize,
            Err(place) => {
                self.text.push_str(term);
                self.ends.push(self.text.len());
                let number = u32::try_from(self.len()).expect("memory ends before numbers do");
                let tag = tag(hash);
                self.slots[place] = Slot { tag, number };
                self.len() - 1
            }
        }
    }

    /// The number of a string, or else the place where its slot belongs.
    #[inline]
    fn find(&self, hash: u64, term: &str) -> Result<u32, usize> {
        if self.slots.is_empty() {
            return Err(0);
        }
        let tag = tag(hash);
        let mask = self.slots.len() - 1;
        let mut place = tag as usize & mask;
        loop {
            let slot = self.slots[place];
            if slot.number == 0 {
                return Err(place);
            }
            if slot.tag == tag && self.term(slot.number as usize - 1) == term {
                return Ok(slot.number - 1);
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let length = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); length]);
        for slot in old.into_iter().filter(|slot| slot.number != 0) {
            let mut place = slot.tag as usize & (length - 1);
            while self.slots[place].number != 0 {
                place = (place + 1) & (length - 1);
            }
            self.slots[place] = slot;
        }
    }
}

/// The half of a hash that places a string; callers are free to use the other.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn an_empty_one_knows_nothing() {
        let interner = Interner::default();
        assert_eq!((interner.len(), interner.get("")), (0, None));
    }

    #[test]
    fn similar_strings_have_different_hashes() {
        let mut seen = HashSet::new();
        let mut count = 0;
        for length in 0..40 {
            for place in 0..length.max(1) {
                for letter in ["b", "c"] {
                    let mut text = "a".repeat(length);
                    if place < length {
                        text.replace_range(place..=place, letter);
                    }
                    count += usize::from(seen.insert(text.clone()));
                    assert_eq!(hash(&text), hash(&text.clone()));
                }
            }
        }
        let hashes: HashSet<u64> = seen.iter().map(|text| hash(text)).collect();
        assert_eq!(hashes.len(), count);
        // The half that places a string must not repeat either: 1,500 of 2^32 hardly ever do.
        let tags: HashSet<u32> = seen.iter().map(|text| tag(hash(text))).collect();
        assert!(tags.len() + 2 >= count, "{} of {count}", tags.len());
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_a_map(terms in proptest::collection::vec(prop_oneof!["[ab]{0,3}", any::<String>()], 0..300)) {
            let mut interner = Interner::default();
            let mut map: HashMap<&str, usize> = HashMap::new();
            for term in &terms {
                let next = map.len();
                let number = *map.entry(term).or_insert(next);
                prop_assert_eq!(interner.intern(hash(term), term), number);
            }
            prop_assert_eq!(interner.len(), map.len());
            for (term, number) in map {
                prop_assert_eq!(interner.get(term), u32::try_from(number).ok());
                prop_assert_eq!(interner.term(number), term);
            }
            prop_assert_eq!(interner.get("not there"), None);
            prop_assert_eq!(interner.terms().count(), interner.len());
        }
    }
}
