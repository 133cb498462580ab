//! Bits of an entropy-coded segment and the codes in them.
//!
//! # Invariants
//! Past the end of a segment come zeros, and [`Bits::is_spent`] tells afterwards; nothing here panics
//! or loops on any bytes.

#![expect(
    clippy::inline_always,
    reason = "called for each coefficient or pixel, from loops that are compiled once for each use"
)]

/// Bits looked up at once. Most codes together with the value that follows them are no longer.
const LOOKAHEAD: u32 = 10;

/// Zeros that stand after each segment, so that eight bytes can be read at any place in it.
pub(super) const PADDING: usize = 8;

/// Reads bits from the front of a segment whose stuffed zeros are taken out.
pub(super) struct Bits<'a> {
    /// The segment and its [`PADDING`].
    bytes: &'a [u8],
    /// Next byte to load.
    at: usize,
    /// Bits not yet read, from the top; below them, bits that will be loaded again.
    buffer: u64,
    /// How many bits of the buffer count.
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (at, buffer, count) = (0, 0, 0);
        Self {
            bytes,
            at,
            buffer,
            count,
        }
    }

    /// Makes at least 56 bits ready.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let ahead = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk);
        let word = ahead.map_or(0, |bytes| u64::from_be_bytes(*bytes));
        self.buffer |= word >> self.count;
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 0b11_1000;
    }

    /// Reads up to 16 bits that are ready.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        // Two shifts, since one by 64 is none.
        let value = (self.buffer >> 1 >> (63 - count)) as u32;
        self.skip(count);
        value
    }

    /// Tells whether exactly the segment was read: all its bytes, and none past it.
    pub(super) fn is_spent(&self) -> bool {
        let read = (self.at * 8).checked_sub(self.count as usize);
        let there = self.bytes.len().checked_sub(PADDING);
        read.zip(there)
            .is_some_and(|(read, there)| read.div_ceil(8) == there)
    }

    #[inline(always)]
    fn peek(&self, count: u32) -> usize {
        (self.buffer >> (64 - count)) as usize
    }

    #[inline(always)]
    fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count = self.count.wrapping_sub(count);
    }
}

/// A symbol (run of zeros, size of the value) and the value that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coded {
    /// Zeros before the value.
    pub(super) run: u32,
    /// Bits of the value; 0 where none follows.
    pub(super) size: u32,
    /// The value; 0 where none follows.
    pub(super) value: i32,
}

/// A Huffman table, ready to decode.
pub(super) struct Huffman {
    /// For each start of [`LOOKAHEAD`] bits: value, symbol, length, in 16, 8 and 8 bits. Where the value is not 0 the
    /// length counts its bits too; where the length is 0 the code is longer.
    fast: Box<[u32; 1 << LOOKAHEAD]>,
    /// For each length, the first 16 bits that are past its codes.
    past: [u32; 17],
    /// For each length, what a code is short of the place of its symbol.
    offset: [i32; 17],
    symbols: [u8; 256],
}

impl Huffman {
    /// Builds a table from the number of codes of each length and their symbols; `None` where there are more codes than
    /// fit.
    pub(super) fn new(counts: &[u8; 16], found: &[u8]) -> Option<Self> {
        let mut symbols = [0; 256];
        symbols.get_mut(..found.len())?.copy_from_slice(found);
        let mut table = Self {
            fast: Box::new([0; 1 << LOOKAHEAD]),
            past: [0; 17],
            offset: [0; 17],
            symbols,
        };
        let (mut code, mut place) = (0_u32, 0_u32);
        for length in 1..=16_u32 {
            let count = u32::from(counts[length as usize - 1]);
            table.offset[length as usize] = place.cast_signed() - code.cast_signed();
            for &symbol in found.get(place as usize..(place + count) as usize)? {
                table.enter(code, length, symbol);
                code += 1;
            }
            place += count;
            if code > 1 << length {
                return None;
            }
            table.past[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// Tells whether every symbol is the size of a DC difference.
    pub(super) fn is_for_dc(&self) -> bool {
        self.symbols.iter().all(|&symbol| symbol < 16)
    }

    /// Enters a code into the table of short ones.
    fn enter(&mut self, code: u32, length: u32, symbol: u8) {
        let Some(free) = LOOKAHEAD.checked_sub(length) else {
            return;
        };
        let size = u32::from(symbol & 15);
        let first = code << free;
        let plain = u32::from(symbol) << 8 | length;
        for (rest, entry) in
            (0_u32..).zip(self.fast.iter_mut().skip(first as usize).take(1 << free))
        {
            *entry = plain;
            if size > 0 && size <= free {
                let value = extend(rest >> (free - size), size);
                *entry = (value as u32) << 16 | (plain + size);
            }
        }
    }

    /// Reads a symbol and its value; 31 bits have to be ready. `None` where no code begins with the bits.
    #[inline(always)]
    pub(super) fn read(&self, bits: &mut Bits<'_>) -> Option<Coded> {
        let entry = self.fast[bits.peek(LOOKAHEAD)];
        let length = entry & 0xFF;
        let (run, size) = (entry >> 12 & 15, entry >> 8 & 15);
        let value = entry.cast_signed() >> 16;
        if value != 0 {
            bits.skip(length);
            return Some(Coded { run, size, value });
        }
        if length > 0 {
            bits.skip(length);
            return Some(with_value(bits, run, size));
        }
        self.read_long(bits)
    }

    #[cold]
    fn read_long(&self, bits: &mut Bits<'_>) -> Option<Coded> {
        let ahead = bits.peek(16) as u32;
        let length = (LOOKAHEAD + 1..=16).find(|&length| ahead < self.past[length as usize])?;
        let place = (ahead >> (16 - length)).cast_signed() + self.offset[length as usize];
        let symbol = *self.symbols.get(usize::try_from(place).ok()?)?;
        bits.skip(length);
        Some(with_value(
            bits,
            u32::from(symbol >> 4),
            u32::from(symbol & 15),
        ))
    }
}

#[inline(always)]
fn with_value(bits: &mut Bits<'_>, run: u32, size: u32) -> Coded {
    let value = if size == 0 {
        0
    } else {
        extend(bits.take(size), size)
    };
    Coded { run, size, value }
}

/// Reads the bits of a value of a size: those with a leading 0 are negative.
#[inline(always)]
fn extend(bits: u32, size: u32) -> i32 {
    let is_negative = bits >> (size - 1) == 0;
    let below = ((1 << size) - 1) * i32::from(is_negative);
    bits.cast_signed() - below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(bytes: &[u8]) -> Vec<u8> {
        [bytes, &[0; PADDING]].concat()
    }

    #[test]
    fn bits_come_in_order_and_the_end_is_known() {
        let bytes = padded(&[
            0b1010_0101,
            0xFF,
            0x00,
            0x12,
            0x34,
            0x56,
            0x78,
            0x9A,
            0xBC,
            0xDE,
        ]);
        let mut bits = Bits::new(&bytes);
        let mut read = Vec::new();
        for count in [1, 3, 4, 8, 0, 8, 4, 12, 16, 16, 2, 4] {
            bits.refill();
            read.push(bits.take(count));
        }
        let expected = [1, 2, 5, 255, 0, 0, 1, 0x234, 0x5678, 0x9ABC, 3, 7];
        assert_eq!(read, expected);
        assert!(bits.is_spent());
        bits.take(2);
        assert!(bits.is_spent());
        bits.refill();
        bits.take(1);
        assert!(!bits.is_spent());
        assert!(!Bits::new(&bytes).is_spent());
    }

    #[test]
    fn values_are_those_of_the_standard() {
        // Table F.1: size 3 holds -7 to -4 and 4 to 7.
        let values: Vec<i32> = (0..8).map(|bits| extend(bits, 3)).collect();
        assert_eq!(values, [-7, -6, -5, -4, 4, 5, 6, 7]);
        assert_eq!([extend(0, 1), extend(1, 1)], [-1, 1]);
    }

    /// One code of each length from 1 to 16, all ones but the last bit.
    fn staircase() -> Huffman {
        let symbols: Vec<u8> = (0..16).map(|i| i << 4 | (i % 4)).collect();
        Huffman::new(&[1; 16], &symbols).unwrap()
    }

    #[test]
    fn short_and_long_codes_are_read() {
        let table = staircase();
        for length in 1..=16_u32 {
            // The code, then a value of ones, then a one that has to be left.
            let code = ((1_u64 << length) - 2) << (64 - length) | u64::MAX >> length;
            let bytes = padded(&code.to_be_bytes());
            let mut bits = Bits::new(&bytes);
            bits.refill();
            let coded = table.read(&mut bits).unwrap();
            let size = (length - 1) % 4;
            let value = (1 << size) - 1;
            let expected = Coded {
                run: length - 1,
                size,
                value,
            };
            assert_eq!(coded, expected);
            assert_eq!(56 - bits.count, length + size, "{length}");
        }
        let ones = padded(&[0xFF; 8]);
        let mut bits = Bits::new(&ones);
        bits.refill();
        assert_eq!(table.read(&mut bits), None);
    }

    #[test]
    fn impossible_tables_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Huffman::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(Huffman::new(&counts, &[1, 2]).is_some());
        assert!(Huffman::new(&counts, &[1]).is_none());
        counts[0] = 0;
        counts[15] = 255;
        assert!(Huffman::new(&counts, &[0; 300]).is_none());
        assert!(staircase().symbols.contains(&0xF3) && !staircase().is_for_dc());
    }
}
