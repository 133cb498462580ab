//! What a JPEG says of itself: its size, its components, its tables, its scans.

use super::huffman::Huffman;
use crate::image::DecodeLimits;

/// Largest number of coefficients that a scan can say the precision of: bits of the shift in the last pass.
const MOST_SHIFT: u8 = 13;
/// The precision of a coefficient that no scan has held.
const UNSEEN: u8 = 255;

/// One component, in blocks of 8×8 samples.
pub(super) struct Component {
    id: u8,
    table: usize,
    /// Samples of one MCU in blocks, horizontally.
    pub(super) h: usize,
    /// Samples of one MCU in blocks, vertically.
    pub(super) v: usize,
    /// Blocks in a row that hold part of the picture.
    pub(super) wide: usize,
    /// Rows of blocks that hold part of the picture.
    pub(super) high: usize,
    /// Blocks in a row, whole MCUs.
    pub(super) stride: usize,
    /// Blocks, whole MCUs.
    pub(super) blocks: usize,
    /// The table to multiply coefficients with: the one that was there when its first scan began.
    pub(super) quantisation: Option<[u16; 64]>,
    /// For each coefficient, how many of its lowest bits have not come yet.
    precision: [u8; 64],
}

/// The frame header.
pub(super) struct Frame {
    pub(super) is_progressive: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    /// MCUs in a row, and rows of them.
    pub(super) mcus: (usize, usize),
    /// Luma; or luma and two of chroma.
    pub(super) components: Vec<Component>,
}

impl Frame {
    /// Reads a frame header; `None` where it is not of the kind that is read here, or over the limits.
    pub(super) fn read(marker: u8, body: &[u8], limits: &DecodeLimits) -> Option<Self> {
        let (&[precision, h1, h0, w1, w0, count], specs) = body.split_first_chunk()?;
        let height = u32::from(u16::from_be_bytes([h1, h0]));
        let width = u32::from(u16::from_be_bytes([w1, w0]));
        let is_coded = matches!(marker, 0xC0..=0xC2) && precision == 8;
        let specs = specs.as_chunks::<3>();
        let is_whole = specs.1.is_empty() && specs.0.len() == usize::from(count);
        if !is_coded
            || !is_whole
            || width == 0
            || height == 0
            || limits.check_size(width, height).is_err()
        {
            return None;
        }
        let sampling = sampling(specs.0)?;
        let most = |of: fn((usize, usize)) -> usize| sampling.iter().map(|&s| of(s)).max();
        let (most_h, most_v) = (most(|s| s.0)?, most(|s| s.1)?);
        let (w, h) = (width as usize, height as usize);
        let mcus = (w.div_ceil(8 * most_h), h.div_ceil(8 * most_v));
        let components = specs
            .0
            .iter()
            .zip(sampling)
            .map(|(spec, (h_, v))| Component {
                id: spec[0],
                table: usize::from(spec[2]),
                h: h_,
                v,
                wide: (w * h_).div_ceil(8 * most_h),
                high: (h * v).div_ceil(8 * most_v),
                stride: mcus.0 * h_,
                blocks: mcus.0 * h_ * mcus.1 * v,
                quantisation: None,
                precision: [UNSEEN; 64],
            });
        Some(Self {
            is_progressive: marker == 0xC2,
            width,
            height,
            mcus,
            components: components.collect(),
        })
    }

    /// Blocks of all components.
    pub(super) fn blocks(&self) -> usize {
        self.components
            .iter()
            .map(|component| component.blocks)
            .sum()
    }

    /// Tells whether the components say that they are red, green and blue.
    pub(super) fn is_named_rgb(&self) -> bool {
        self.components
            .iter()
            .map(|component| component.id)
            .eq(*b"RGB")
    }

    /// Tells whether every bit of every coefficient came.
    pub(super) fn is_complete(&self) -> bool {
        self.components
            .iter()
            .all(|component| component.precision == [0; 64])
    }
}

/// Horizontal and vertical sampling of each component: chroma once an MCU, luma once or twice.
fn sampling(specs: &[[u8; 3]]) -> Option<Vec<(usize, usize)>> {
    let of = |spec: &[u8; 3]| (usize::from(spec[1] >> 4), usize::from(spec[1] & 15));
    match specs {
        // Alone in its scans, a component has MCUs of one block whatever it says.
        [luma] if matches!(of(luma), (1..=4, 1..=4)) => Some(vec![(1, 1)]),
        [luma, cb, cr]
            if matches!(of(luma), (1..=2, 1..=2)) && of(cb) == (1, 1) && of(cr) == (1, 1) =>
        {
            Some(vec![of(luma), (1, 1), (1, 1)])
        }
        _ => None,
    }
}

/// The tables in force.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) dc: [Option<Huffman>; 4],
    pub(super) ac: [Option<Huffman>; 4],
    quantisation: [Option<[u16; 64]>; 4],
    /// MCUs between restarts; 0 for none.
    pub(super) restart_interval: usize,
}

impl Tables {
    /// Reads a segment of quantisation tables.
    pub(super) fn read_quantisation(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let table = self.quantisation.get_mut(usize::from(head & 15))?;
            let mut steps = [0; 64];
            body = match head >> 4 {
                0 => {
                    let (bytes, rest) = rest.split_first_chunk::<64>()?;
                    steps = bytes.map(u16::from);
                    rest
                }
                1 => {
                    let (bytes, rest) = rest.split_first_chunk::<128>()?;
                    for (step, pair) in steps.iter_mut().zip(bytes.as_chunks().0) {
                        *step = u16::from_be_bytes(*pair);
                    }
                    rest
                }
                _ => return None,
            };
            *table = Some(steps);
        }
        Some(())
    }

    /// Reads a segment of Huffman tables.
    pub(super) fn read_huffman(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols)?;
            let table = Huffman::new(counts, symbols)?;
            let (class, place) = (head >> 4, usize::from(head & 15));
            match class {
                0 if table.is_for_dc() => *self.dc.get_mut(place)? = Some(table),
                1 => *self.ac.get_mut(place)? = Some(table),
                _ => return None,
            }
            body = rest;
        }
        Some(())
    }

    /// Reads a restart interval.
    pub(super) fn read_restart_interval(&mut self, body: &[u8]) -> Option<()> {
        let interval = u16::from_be_bytes(body.try_into().ok()?);
        self.restart_interval = usize::from(interval);
        Some(())
    }
}

/// A component's part in a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Place in the frame.
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// A scan header.
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// First and last coefficient.
    pub(super) band: (u32, u32),
    /// Lowest bit before and after this scan; the first is 0 where it is the first of these coefficients.
    pub(super) bits: (u8, u8),
}

impl Scan {
    /// Reads a scan header and notes in the frame what the scan brings; `None` where it does not fit the frame or what came
    /// before.
    pub(super) fn read(body: &[u8], frame: &mut Frame, tables: &Tables) -> Option<Self> {
        let (&count, rest) = body.split_first()?;
        let (specs, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bits] = rest.as_array()?;
        let mut parts: Vec<Part> = Vec::new();
        for &[id, places] in specs.as_chunks().0 {
            let component = frame
                .components
                .iter()
                .position(|component| component.id == id)?;
            // In the order of the frame, so none twice.
            if parts.last().is_some_and(|part| part.component >= component) {
                return None;
            }
            let (dc, ac) = (usize::from(places >> 4), usize::from(places & 15));
            parts.push(Part { component, dc, ac });
        }
        let bits = (bits >> 4, bits & 15);
        let is_level = first == 0 && last == 0;
        let is_band = first > 0 && first <= last && last < 64 && parts.len() == 1;
        let is_next = bits.0 == 0 || bits.0 == bits.1 + 1;
        let is_sound = if frame.is_progressive {
            (is_level || is_band) && is_next && bits.1 <= MOST_SHIFT
        } else {
            (first, last, bits) == (0, 63, (0, 0))
        };
        if parts.is_empty() || !is_sound {
            return None;
        }
        for part in &parts {
            let component = &mut frame.components[part.component];
            let band = usize::from(first)..=usize::from(last);
            for precision in &mut component.precision[band] {
                let before = if bits.0 == 0 { UNSEEN } else { bits.0 };
                if *precision != before {
                    return None;
                }
                *precision = bits.1;
            }
            if component.quantisation.is_none() {
                component.quantisation = *tables.quantisation.get(component.table)?;
            }
        }
        let band = (u32::from(first), u32::from(last));
        Some(Self { parts, band, bits })
    }
}
