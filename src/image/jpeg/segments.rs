//! The pieces of a JPEG file: markers with their bodies, and entropy-coded segments.

use super::huffman::PADDING;
use std::ops::Range;

/// A marker and what belongs to it.
pub(super) struct Segment<'a> {
    /// The second byte of the marker.
    pub(super) marker: u8,
    /// What follows its length.
    pub(super) body: &'a [u8],
}

/// Reads a file from the front.
pub(super) struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    /// `None` where the file does not start as a JPEG.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
        Some(Self { rest })
    }

    /// Reads the marker that has to stand here; `None` where there is none, or not all of it.
    pub(super) fn next(&mut self) -> Option<Segment<'a>> {
        let fill = self.rest.iter().take_while(|&&byte| byte == 0xFF).count();
        let marker = *self.rest.get(fill)?;
        self.rest = &self.rest[fill + 1..];
        if fill == 0 {
            return None;
        }
        let body = match marker {
            0x00 | 0x01 | 0xD0..=0xD8 => return None,
            0xD9 => &[],
            _ => {
                let length = usize::from(u16::from_be_bytes(*self.rest.first_chunk()?));
                let body = self.rest.get(2..length)?;
                self.rest = &self.rest[length..];
                body
            }
        };
        Some(Segment { marker, body })
    }

    /// Copies the entropy-coded segments that stand here, up to a marker other than a restart, without stuffed zeros and
    /// each followed by [`PADDING`]; `None` where a restart is out of order or the file ends.
    pub(super) fn entropy_coded(&mut self, to: &mut EntropyCoded) -> Option<()> {
        to.bytes.clear();
        to.ranges.clear();
        let mut start = 0;
        loop {
            let plain = self.rest.iter().position(|&byte| byte == 0xFF)?;
            to.bytes.extend_from_slice(&self.rest[..plain]);
            let fill = self.rest[plain..]
                .iter()
                .take_while(|&&byte| byte == 0xFF)
                .count();
            let marker = *self.rest.get(plain + fill)?;
            if marker == 0 && fill == 1 {
                to.bytes.push(0xFF);
                self.rest = &self.rest[plain + 2..];
                continue;
            }
            to.bytes.extend_from_slice(&[0; PADDING]);
            to.ranges.push(start..to.bytes.len());
            start = to.bytes.len();
            if !matches!(marker, 0xD0..=0xD7) {
                self.rest = &self.rest[plain..];
                return Some(());
            }
            if usize::from(marker & 7) != (to.ranges.len() - 1) % 8 {
                return None;
            }
            self.rest = &self.rest[plain + fill + 1..];
        }
    }
}

/// The entropy-coded segments of one scan.
#[derive(Debug, Default)]
pub(super) struct EntropyCoded {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl EntropyCoded {
    /// Number of segments: one more than there are restarts.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Iterates over the segments, each with its padding.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges.iter().map(|range| &self.bytes[range.clone()])
    }

    /// Bytes held on to.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity() + self.ranges.capacity() * size_of::<Range<usize>>()
    }

    /// Gives memory back beyond a number of bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.bytes.clear();
        self.ranges.clear();
        self.bytes.shrink_to(bytes);
        self.ranges.shrink_to(bytes / size_of::<Range<usize>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_come_one_by_one() {
        let bytes = b"\xFF\xD8\xFF\xE0\0\x04ab\xFF\xFF\xDB\0\x02\xFF\xD9rest";
        let mut segments = Segments::new(bytes).unwrap();
        let mut next = || {
            segments
                .next()
                .map(|segment| (segment.marker, segment.body))
        };
        assert_eq!(next(), Some((0xE0, &b"ab"[..])));
        assert_eq!(next(), Some((0xDB, &b""[..])));
        assert_eq!(next(), Some((0xD9, &b""[..])));
        assert_eq!(next(), None);
    }

    #[test]
    fn broken_markers_are_refused() {
        assert!(Segments::new(b"\xFF\xD9").is_none());
        for rest in [
            &b""[..],
            b"\xFF",
            b"\xE0\0\x02",
            b"\xFF\xE0",
            b"\xFF\xE0\0\x01",
            b"\xFF\xE0\0\x03",
            b"\xFF\xD0",
        ] {
            let bytes = [b"\xFF\xD8", rest].concat();
            assert!(Segments::new(&bytes).unwrap().next().is_none(), "{rest:?}");
        }
    }

    #[test]
    fn entropy_coded_data_is_cut_at_restarts() {
        let mut found = EntropyCoded::default();
        let mut read = |data: &[u8]| {
            let bytes = [b"\xFF\xD8", data].concat();
            let mut segments = Segments::new(&bytes).unwrap();
            segments.entropy_coded(&mut found)?;
            let marker = segments.next()?.marker;
            let pieces = found.iter().map(|piece| {
                let (piece, padding) = piece.split_at(piece.len() - PADDING);
                assert_eq!(padding, [0; PADDING]);
                piece.to_vec()
            });
            let pieces: Vec<_> = pieces.collect();
            assert_eq!(pieces.len(), found.len());
            Some((pieces, marker))
        };
        let plain = read(b"a\xFF\0b\xFF\xD9");
        assert_eq!(plain, Some((vec![b"a\xFFb".to_vec()], 0xD9)));
        let restarts = read(b"a\xFF\xD0\xFF\xFF\xD1c\xFF\xC4\0\x02");
        assert_eq!(
            restarts,
            Some((vec![b"a".to_vec(), vec![], b"c".to_vec()], 0xC4))
        );
        for broken in [
            &b"a"[..],
            b"a\xFF",
            b"a\xFF\xD1\xFF\xD9",
            b"a\xFF\xD0b\xFF\xD0\xFF\xD9",
        ] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
    }
}
