//! Which row goes into which part.
//!
//! A row's place is the hash of its id, and nothing else. The parts are the leaves of a binary trie over
//! the hashes: a leaf that holds more than `rows_per_part` rows is split in two by the next bit. So a new row
//! moves no other row, unless it makes its own leaf too full, and then only that leaf is split.
//!
//! Rows on their way to their parts wait in 256 buckets by their first byte of hash, in memory up to a
//! budget and past that in temporary files: memory does not grow with the catalogue.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

/// Place of a row among all rows: the first eight bytes of BLAKE3 over its id.
pub(super) fn place_of(id: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..8]);
    u64::from_be_bytes(bytes)
}

/// Splits the places into ranges of at most `most` rows; `places` is sorted and without duplicates.
///
/// The ranges cover every place there is, in order.
pub(super) fn leaves(places: &[u64], most: usize) -> Vec<RangeInclusive<u64>> {
    fn split(
        places: &[u64],
        first: u64,
        last: u64,
        most: usize,
        found: &mut Vec<RangeInclusive<u64>>,
    ) {
        if places.len() <= most || first == last {
            found.push(first..=last);
            return;
        }
        let middle = first + (last - first) / 2;
        let at = places.partition_point(|place| *place <= middle);
        split(&places[..at], first, middle, most, found);
        split(&places[at..], middle + 1, last, most, found);
    }
    let mut found = Vec::new();
    split(places, 0, u64::MAX, most, &mut found);
    found
}

const BUCKETS: usize = 256;

/// Records in buckets by place, in memory or in a temporary file.
pub(super) struct Spill {
    buckets: Vec<Vec<u8>>,
    held_bytes: usize,
    budget_bytes: usize,
    file: Option<File>,
    segments: Vec<Vec<(u64, usize)>>,
}

impl Spill {
    /// An empty spill that holds up to a budget in memory.
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self {
            buckets: vec![Vec::new(); BUCKETS],
            held_bytes: 0,
            budget_bytes,
            file: None,
            segments: vec![Vec::new(); BUCKETS],
        }
    }

    /// Adds a record of texts.
    pub(super) fn push(&mut self, place: u64, line: u64, values: &[&str]) -> Result<()> {
        let bucket = &mut self.buckets[bucket_of(place)];
        let before = bucket.len();
        bucket.extend(place.to_le_bytes());
        bucket.extend(line.to_le_bytes());
        bucket.extend(
            u32::try_from(values.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        for value in values {
            bucket.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            bucket.extend(value.as_bytes());
        }
        self.held_bytes += bucket.len() - before;
        if self.held_bytes > self.budget_bytes {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<()> {
        if self.file.is_none() {
            self.file = Some(anonymous_file()?);
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut offset = file.seek(SeekFrom::End(0))?;
        for (bucket, segments) in self.buckets.iter_mut().zip(&mut self.segments) {
            if !bucket.is_empty() {
                file.write_all(bucket)?;
                segments.push((offset, bucket.len()));
                offset += bucket.len() as u64;
                bucket.clear();
                bucket.shrink_to_fit();
            }
        }
        self.held_bytes = 0;
        Ok(())
    }

    /// The records of a range of places, by place, then by line.
    pub(super) fn read(&mut self, range: &RangeInclusive<u64>) -> Result<Vec<SpilledRecord>> {
        let mut records = Vec::new();
        for bucket in bucket_of(*range.start())..=bucket_of(*range.end()) {
            for (offset, length) in &self.segments[bucket] {
                let mut bytes = vec![0; *length];
                if let Some(file) = &mut self.file {
                    file.seek(SeekFrom::Start(*offset))?;
                    file.read_exact(&mut bytes)?;
                }
                parse(&bytes, range, &mut records);
            }
            parse(&self.buckets[bucket], range, &mut records);
        }
        records.sort_by_key(|record| (record.place, record.line));
        Ok(records)
    }
}

/// One record as it was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpilledRecord {
    pub(super) place: u64,
    pub(super) line: u64,
    pub(super) values: Vec<String>,
}

fn bucket_of(place: u64) -> usize {
    usize::from(place.to_be_bytes()[0])
}

/// A file without a name: the system frees it when the process ends, however it ends.
fn anonymous_file() -> Result<File> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    let name = blake3::hash(format!("{now} {}", std::process::id()).as_bytes()).to_hex();
    let path = std::env::temp_dir().join(format!("rayonnage-{}", &name[..32]));
    // `create_new`: never a file, or a link, that somebody else put there.
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn parse(mut bytes: &[u8], range: &RangeInclusive<u64>, records: &mut Vec<SpilledRecord>) {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (head, tail) = bytes.split_at(count);
        *bytes = tail;
        head
    }
    let long =
        |bytes: &mut &[u8]| u64::from_le_bytes(take(bytes, 8).try_into().unwrap_or_default());
    let short = |bytes: &mut &[u8]| {
        u32::from_le_bytes(take(bytes, 4).try_into().unwrap_or_default()) as usize
    };
    while !bytes.is_empty() {
        let (place, line) = (long(&mut bytes), long(&mut bytes));
        let count = short(&mut bytes);
        let is_wanted = range.contains(&place);
        let mut values = Vec::with_capacity(if is_wanted { count } else { 0 });
        for _ in 0..count {
            let length = short(&mut bytes);
            let value = take(&mut bytes, length);
            if is_wanted {
                values.push(String::from_utf8_lossy(value).into_owned());
            }
        }
        if is_wanted {
            records.push(SpilledRecord {
                place,
                line,
                values,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn places(ids: std::ops::Range<u32>) -> Vec<u64> {
        let set: BTreeSet<u64> = ids.map(|id| place_of(&id.to_string())).collect();
        set.into_iter().collect()
    }

    #[test]
    fn leaves_cover_everything_and_are_not_too_full() {
        let places = places(0..5000);
        let found = leaves(&places, 100);
        assert_eq!(*found[0].start(), 0);
        assert_eq!(*found[found.len() - 1].end(), u64::MAX);
        for pair in found.windows(2) {
            assert_eq!(pair[0].end() + 1, *pair[1].start());
        }
        for leaf in &found {
            assert!(places.iter().filter(|place| leaf.contains(place)).count() <= 100);
        }
    }

    #[test]
    fn new_rows_split_only_their_own_leaves() {
        let before = leaves(&places(0..5000), 100);
        let after = leaves(&places(0..5050), 100);
        let kept = before.iter().filter(|leaf| after.contains(leaf)).count();
        assert!(
            kept * 100 >= before.len() * 80,
            "{kept} of {}",
            before.len()
        );
    }

    #[test]
    fn no_rows_make_one_leaf() {
        assert_eq!(leaves(&[], 10), [0..=u64::MAX]);
    }

    #[test]
    fn records_come_back_by_place_whether_spilled_or_not() {
        for budget in [0, 200, usize::MAX] {
            let mut spill = Spill::new(budget);
            for id in 0..300_u32 {
                let text = id.to_string();
                spill
                    .push(place_of(&text), u64::from(id), &[&text, "é"])
                    .unwrap();
            }
            let whole = spill.read(&(0..=u64::MAX)).unwrap();
            assert_eq!(whole.len(), 300);
            assert!(whole.is_sorted_by_key(|record| record.place));
            let half = spill.read(&(0..=u64::MAX / 2)).unwrap();
            let other = spill.read(&(u64::MAX / 2 + 1..=u64::MAX)).unwrap();
            assert_eq!([half, other].concat(), whole);
            assert_eq!(whole[0].values[1], "é");
        }
    }
}
