//! One scan: entropy-coded segments → coefficients.
//!
//! Coefficients are kept in the order in which they are coded (zigzag). A word for each block has the bit of each
//! coefficient that is not 0; the value of a coefficient whose bit is not set means nothing, so that
//! blocks need not be cleared.

#![expect(
    clippy::inline_always,
    reason = "called for each coefficient or pixel, from loops that are compiled once for each use"
)]

use super::frame::{Frame, Part, Scan, Tables};
use super::huffman::{Bits, Huffman};
use super::segments::EntropyCoded;
use crate::image::vectors;

/// The coefficients of a component.
#[derive(Debug, Default)]
pub(super) struct Coefficients {
    /// For each block 64 values.
    pub(super) values: Vec<[i16; 64]>,
    /// For each block which of them count.
    pub(super) masks: Vec<u64>,
}

impl Coefficients {
    /// Makes all coefficients of a number of blocks 0.
    pub(super) fn reset(&mut self, blocks: usize) {
        self.values.resize(blocks, [0; 64]);
        self.masks.clear();
        self.masks.resize(blocks, 0);
    }

    /// Bytes held on to.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.values.capacity() * size_of::<[i16; 64]>() + self.masks.capacity() * size_of::<u64>()
    }

    /// Gives memory back beyond a number of blocks.
    pub(super) fn shrink_to(&mut self, blocks: usize) {
        self.values.truncate(blocks);
        self.masks.truncate(blocks);
        self.values.shrink_to(blocks);
        self.masks.shrink_to(blocks);
    }
}

/// What is carried from block to block, up to the next restart.
struct State<'a> {
    bits: Bits<'a>,
    /// Of each part of the scan, the last first coefficient.
    levels: [i32; 3],
    /// Blocks still to come that have nothing in the band.
    empty: u32,
    /// MCUs still to come before a restart.
    left: usize,
}

impl State<'_> {
    /// `None` where the data goes on, or ended before.
    fn finish(&self) -> Option<()> {
        (self.empty == 0 && self.bits.is_spent()).then_some(())
    }
}

/// A block and what it has.
struct Block<'a> {
    values: &'a mut [i16; 64],
    mask: &'a mut u64,
}

impl Block<'_> {
    #[inline(always)]
    fn set(&mut self, place: u32, value: i32) {
        self.values[place as usize & 63] = value as i16;
        *self.mask |= 1 << place;
    }
}

/// Decodes one scan into the coefficients of its components; `None` where the data is not what the headers say.
pub(super) fn decode(
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    data: &EntropyCoded,
    coefficients: &mut [Coefficients; 3],
) -> Option<()> {
    let walk = Walk {
        frame,
        scan,
        data,
        interval: tables.restart_interval,
    };
    vectors::run(
        #[inline(always)]
        || walk.decode(tables, coefficients),
    )
}

impl Walk<'_> {
    #[inline(always)]
    fn decode(&self, tables: &Tables, coefficients: &mut [Coefficients; 3]) -> Option<()> {
        let (frame, scan, walk) = (self.frame, self.scan, self);
        let dc = |part: &Part| tables.dc.get(part.dc)?.as_ref();
        let ac = |part: &Part| tables.ac.get(part.ac)?.as_ref();
        let shift = u32::from(scan.bits.1);
        let (first, last) = scan.band;
        if !frame.is_progressive {
            let tables = in_order(scan, |part| Some((dc(part)?, ac(part)?)))?;
            return walk.blocks(
                coefficients,
                #[inline(always)]
                |state, part, block| {
                    let (dc, ac) = tables[part]?;
                    level(state, part, dc, block, 0)?;
                    sequential(&mut state.bits, ac, block)
                },
            );
        }
        match (first, scan.bits.0) {
            (0, 0) => {
                let tables = in_order(scan, dc)?;
                walk.blocks(
                    coefficients,
                    #[inline(always)]
                    |state, part, block| level(state, part, tables[part]?, block, shift),
                )
            }
            (0, _) => walk.blocks(
                coefficients,
                #[inline(always)]
                |state, _, block| {
                    state.bits.refill();
                    block.values[0] |= (state.bits.take(1) as i16) << shift;
                    Some(())
                },
            ),
            (_, 0) => {
                let part = scan.parts.first()?;
                let table = ac(part)?;
                // A band is of one component.
                let coefficients = coefficients.get_mut(part.component)?;
                walk.alone(
                    part.component,
                    coefficients,
                    #[inline(always)]
                    |state, _, block| {
                        if state.empty > 0 {
                            state.empty -= 1;
                            return Some(());
                        }
                        band(state, table, block, (first, last), shift)
                    },
                )
            }
            _ => {
                let part = scan.parts.first()?;
                let table = ac(part)?;
                // A band is of one component.
                let coefficients = coefficients.get_mut(part.component)?;
                walk.alone(
                    part.component,
                    coefficients,
                    #[inline(always)]
                    |state, _, block| refinement(state, table, block, (first, last), 1 << shift),
                )
            }
        }
    }
}

/// The tables of each part of a scan.
fn in_order<T: Copy>(scan: &Scan, find: impl Fn(&Part) -> Option<T>) -> Option<[Option<T>; 3]> {
    let mut found = [None; 3];
    for (table, part) in found.iter_mut().zip(&scan.parts) {
        *table = Some(find(part)?);
    }
    Some(found)
}

/// Visits the blocks of a scan in the order in which they are coded.
struct Walk<'a> {
    frame: &'a Frame,
    scan: &'a Scan,
    data: &'a EntropyCoded,
    /// MCUs between restarts; 0 for none.
    interval: usize,
}

impl<'a> Walk<'a> {
    #[inline(always)]
    fn blocks(
        &self,
        coefficients: &mut [Coefficients; 3],
        visit: impl FnMut(&mut State<'_>, usize, &mut Block<'_>) -> Option<()>,
    ) -> Option<()> {
        match self.scan.parts[..] {
            [part] => self.alone(part.component, coefficients.get_mut(part.component)?, visit),
            _ => self.together(coefficients, visit),
        }
    }

    /// One component: its blocks that hold part of the picture, row by row.
    #[inline(always)]
    fn alone(
        &self,
        component: usize,
        coefficients: &mut Coefficients,
        mut visit: impl FnMut(&mut State<'_>, usize, &mut Block<'_>) -> Option<()>,
    ) -> Option<()> {
        let component = &self.frame.components[component];
        let mut pieces = self.pieces(component.wide * component.high)?;
        let mut state = pieces.next()?;
        for row in 0..component.high {
            let blocks = row * component.stride..row * component.stride + component.wide;
            let values = coefficients.values.get_mut(blocks.clone())?;
            let masks = coefficients.masks.get_mut(blocks)?;
            for (values, mask) in values.iter_mut().zip(masks) {
                if state.left == 0 {
                    state.finish()?;
                    state = pieces.next()?;
                }
                state.left -= 1;
                visit(&mut state, 0, &mut Block { values, mask })?;
            }
        }
        state.finish()
    }

    /// Several components: in each MCU the blocks of one after those of the other.
    #[inline(always)]
    fn together(
        &self,
        coefficients: &mut [Coefficients; 3],
        mut visit: impl FnMut(&mut State<'_>, usize, &mut Block<'_>) -> Option<()>,
    ) -> Option<()> {
        let (wide, high) = self.frame.mcus;
        let mut pieces = self.pieces(wide * high)?;
        let mut state = pieces.next()?;
        for (row, column) in (0..high).flat_map(|row| (0..wide).map(move |column| (row, column))) {
            if state.left == 0 {
                state.finish()?;
                state = pieces.next()?;
            }
            state.left -= 1;
            for (index, part) in self.scan.parts.iter().enumerate() {
                let component = &self.frame.components[part.component];
                let all = &mut coefficients[part.component];
                for y in row * component.v..(row + 1) * component.v {
                    for x in column * component.h..(column + 1) * component.h {
                        let at = y * component.stride + x;
                        let mut block = Block {
                            values: all.values.get_mut(at)?,
                            mask: all.masks.get_mut(at)?,
                        };
                        visit(&mut state, index, &mut block)?;
                    }
                }
            }
        }
        state.finish()
    }

    /// The beginning of each piece between restarts; `None` where there are not as many as the MCUs ask for.
    fn pieces(&self, mcus: usize) -> Option<impl Iterator<Item = State<'a>>> {
        let interval = if self.interval == 0 {
            mcus
        } else {
            self.interval
        };
        let is_whole = self.data.len() == mcus.div_ceil(interval);
        let states = self.data.iter().map(move |bytes| State {
            bits: Bits::new(bytes),
            levels: [0; 3],
            empty: 0,
            left: interval,
        });
        is_whole.then_some(states)
    }
}

/// The first coefficient: its difference to the one before (F.2.2.1, G.1.2.1).
#[inline(always)]
fn level(
    state: &mut State<'_>,
    part: usize,
    table: &Huffman,
    block: &mut Block<'_>,
    shift: u32,
) -> Option<()> {
    state.bits.refill();
    let difference = table.read(&mut state.bits)?.value;
    let level = &mut state.levels[part];
    *level = level.wrapping_add(difference);
    block.set(0, *level << shift);
    Some(())
}

/// All other coefficients of a sequential scan (F.2.2.2).
#[inline(always)]
fn sequential(bits: &mut Bits<'_>, table: &Huffman, block: &mut Block<'_>) -> Option<()> {
    let mut place = 1;
    while place < 64 {
        bits.refill();
        let coded = table.read(bits)?;
        if coded.size > 0 {
            place += coded.run;
            if place > 63 {
                return None;
            }
            block.set(place, coded.value);
            place += 1;
        } else if coded.run == 15 {
            place += 16;
        } else if coded.run == 0 {
            break;
        } else {
            return None;
        }
    }
    Some(())
}

/// The first pass over a band (G.1.2.2).
#[inline(always)]
fn band(
    state: &mut State<'_>,
    table: &Huffman,
    block: &mut Block<'_>,
    (first, last): (u32, u32),
    shift: u32,
) -> Option<()> {
    let mut place = first;
    while place <= last {
        state.bits.refill();
        let coded = table.read(&mut state.bits)?;
        if coded.size > 0 {
            place += coded.run;
            if place > last {
                return None;
            }
            block.set(place, coded.value << shift);
            place += 1;
        } else if coded.run == 15 {
            place += 16;
        } else {
            // This block is the first of them.
            state.empty = (1 << coded.run) - 1 + state.bits.take(coded.run);
            break;
        }
    }
    Some(())
}

/// A later pass over a band: one more bit of what is there, and what becomes ±1 (G.1.2.3).
///
/// The bits of what is there come between the symbols, but in order: they are collected, and applied when the block is done.
/// How many come is counted, not tried, since no branch on it can be predicted.
#[inline(always)]
fn refinement(
    state: &mut State<'_>,
    table: &Huffman,
    block: &mut Block<'_>,
    (first, last): (u32, u32),
    unit: i16,
) -> Option<()> {
    let band = u64::MAX >> (63 - last) & u64::MAX << first;
    let there = *block.mask & band;
    let mut zeros = band & !there;
    let mut place = first;
    let mut more = 0_u64;
    if state.empty == 0 {
        while place <= last {
            state.bits.refill();
            let coded = table.read(&mut state.bits)?;
            if coded.size == 0 && coded.run < 15 {
                // This block is the first of them, from here on.
                state.empty = (1 << coded.run) + state.bits.take(coded.run);
                break;
            }
            if coded.size > 1 {
                return None;
            }
            if zeros.count_ones() <= coded.run {
                // A run of 16 to the end of the band, or past it.
                if coded.size == 1 {
                    return None;
                }
                let passed = (there & u64::MAX << place).count_ones();
                more = collect(&mut state.bits, more, passed);
                place = last + 1;
                break;
            }
            // Where the zero after so many zeros stands.
            let zero = select(zeros, coded.run);
            more = collect(&mut state.bits, more, zero - place - coded.run);
            if coded.size == 1 {
                block.set(zero, coded.value * i32::from(unit));
            }
            zeros &= u64::MAX << zero << 1;
            place = zero + 1;
        }
    }
    if state.empty > 0 {
        state.empty -= 1;
        if place <= last && there >> place != 0 {
            let passed = (there & u64::MAX << place).count_ones();
            state.bits.refill();
            more = collect(&mut state.bits, more, passed);
        }
    }
    if more != 0 {
        refine(block.values, there, more, unit);
    }
    Some(())
}

/// Appends some of the next bits to those collected.
#[inline(always)]
fn collect(bits: &mut Bits<'_>, collected: u64, mut count: u32) -> u64 {
    // After a symbol, or a refill, so many bits are ready.
    const READY: u32 = 32;
    let mut collected = collected;
    while count > READY {
        collected = collected << READY | u64::from(bits.take(READY));
        bits.refill();
        count -= READY;
    }
    collected << count | u64::from(bits.take(count))
}

/// Moves each coefficient that is there away from 0 where its bit is set. The last of them has the lowest bit.
#[inline(always)]
fn refine(values: &mut [i16; 64], there: u64, more: u64, unit: i16) {
    let mut places = there;
    let mut more = more << (64 - there.count_ones());
    while places != 0 {
        let value = &mut values[places.trailing_zeros() as usize & 63];
        places &= places - 1;
        // Without a branch: no bit is likelier than the other.
        let sign = *value >> 15;
        let step = (unit ^ sign).wrapping_sub(sign) & ((more >> 63) as i16).wrapping_neg();
        *value = value.wrapping_add(step);
        more <<= 1;
    }
}

/// For each byte, the place of its first set bit, of its second, and so on.
static PLACES: [[u8; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut rank) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][rank] = bit;
                rank += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// The place of a set bit that has so many set bits below it; there must be one.
///
/// # Source
/// Vigna, "Broadword implementation of rank/select queries", 2008: counts in all bytes at once.
#[inline(always)]
fn select(word: u64, rank: u32) -> u32 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let pairs = word - (word >> 1 & 0x5555_5555_5555_5555);
    let fours = (pairs & 0x3333_3333_3333_3333) + (pairs >> 2 & 0x3333_3333_3333_3333);
    let bytes = (fours + (fours >> 4)) & 0x0F0F_0F0F_0F0F_0F0F;
    // In each byte, the bits set up to its end.
    let up_to = bytes.wrapping_mul(ONES);
    let before = (((u64::from(rank) * ONES) | TOPS).wrapping_sub(up_to) & TOPS).count_ones() * 8;
    let rank = u64::from(rank).wrapping_sub(up_to << 8 >> (before & 63)) & 7;
    before + u32::from(PLACES[(word >> (before & 63)) as usize & 255][rank as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_bits_are_found() {
        let mut word = 0x9E37_79B9_7F4A_7C15_u64;
        for turn in 0..1000 {
            word = word.rotate_left(7).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ turn;
            let word = if turn % 3 == 0 {
                word & word >> 7 & word << 5
            } else {
                word
            };
            let places: Vec<u32> = (0..64).filter(|place| word >> place & 1 == 1).collect();
            for (rank, place) in (0..).zip(places) {
                assert_eq!(select(word, rank), place, "{word:x} {rank}");
            }
        }
        assert_eq!([0, 63].map(|rank| select(u64::MAX, rank)), [0, 63]);
    }
}
