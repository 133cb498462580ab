//! The file as a whole: segments in, planes out.

use super::frame::{Frame, Scan, Tables};
use super::scan::{self, Coefficients};
use super::segments::{EntropyCoded, Segments};
use super::transform::Transform;
use crate::image::DecodeLimits;
use crate::image::planes::{Plane, Planes};
use crate::image::vectors;
use image::metadata::Orientation;

/// Shorter sides are left to the other decoder: next to nothing is to be gained.
const LEAST_SIDE: u32 = 16;
/// Blocks of a component whose memory is kept for the next image: 5 megapixels.
const KEEP_BLOCKS: usize = (5 << 20) / 64;
/// Entropy-coded bytes whose memory is kept for the next image.
const KEEP_BYTES: usize = 4 << 20;
/// What an orientation comes in.
const EXIF: &[u8] = b"Exif\0\0";

/// Decodes JPEG files one after the other into buffers of its own. One for each thread.
///
/// Peak memory is 3.2 bytes for each sample of each component: 9.4 a pixel, 4.7 with chroma of half width and height.
#[derive(Debug, Default)]
pub(in crate::image) struct JpegDecoder {
    coefficients: [Coefficients; 3],
    planes: [Vec<u8>; 3],
    data: EntropyCoded,
}

impl JpegDecoder {
    /// Decodes a file; `None` where it is of no kind that is read here, exceeds the limits, or is not sound in every
    /// respect.
    pub(in crate::image) fn decode(
        &mut self,
        bytes: &[u8],
        limits: &DecodeLimits,
    ) -> Option<Planes<'_>> {
        self.shrink();
        let head = self.read(bytes, limits)?;
        for (component, (all, plane)) in head
            .frame
            .components
            .iter()
            .zip(self.coefficients.iter().zip(&mut self.planes))
        {
            let transform = Transform::new(component.quantisation.as_ref()?);
            let row_samples = component.stride * 8;
            plane.resize(component.blocks * 64, 0);
            let rows = all
                .values
                .chunks(component.stride)
                .zip(all.masks.chunks(component.stride));
            vectors::run(
                #[inline(always)]
                || {
                    for ((values, masks), out) in rows.zip(plane.chunks_mut(row_samples * 8)) {
                        for (x, (values, &mask)) in values.iter().zip(masks).enumerate() {
                            transform.block(values, mask, &mut out[x * 8..], row_samples);
                        }
                    }
                },
            );
        }
        let plane = |index: usize| {
            let component = head.frame.components.get(index)?;
            Some(Plane {
                samples: self.planes.get(index)?,
                stride: (component.stride * 8) as u32,
            })
        };
        let luma = head.frame.components.first()?;
        Some(Planes {
            width: head.frame.width,
            height: head.frame.height,
            orientation: head.orientation,
            luma: plane(0)?,
            chroma: plane(1).zip(plane(2)).map(Into::into),
            samples: (luma.h as u32, luma.v as u32),
        })
    }

    /// Bytes that the buffers hold on to.
    #[cfg(test)]
    pub(in crate::image) fn held_bytes(&self) -> usize {
        let coefficients = self.coefficients.iter().map(Coefficients::held_bytes);
        let planes = self.planes.iter().map(Vec::capacity);
        coefficients.chain(planes).sum::<usize>() + self.data.held_bytes()
    }

    /// Gives the memory of a huge image back.
    pub(in crate::image) fn shrink(&mut self) {
        self.data.shrink_to(KEEP_BYTES);
        for (all, plane) in self.coefficients.iter_mut().zip(&mut self.planes) {
            all.shrink_to(KEEP_BLOCKS);
            plane.truncate(KEEP_BLOCKS * 64);
            plane.shrink_to(KEEP_BLOCKS * 64);
        }
    }

    /// Reads everything up to the end marker.
    fn read(&mut self, bytes: &[u8], limits: &DecodeLimits) -> Option<Head> {
        limits.check_bytes(bytes.len()).ok()?;
        let mut segments = Segments::new(bytes)?;
        let mut tables = Tables::default();
        let mut found: Option<Frame> = None;
        let mut orientation = None;
        let mut is_rgb = false;
        loop {
            let segment = segments.next()?;
            let body = segment.body;
            match (segment.marker, &mut found) {
                (0xC4, _) => tables.read_huffman(body)?,
                (0xDB, _) => tables.read_quantisation(body)?,
                (0xDD, _) => tables.read_restart_interval(body)?,
                (marker @ 0xC0..=0xC2, None) => {
                    found = Some(self.begin(marker, body, bytes.len(), limits)?);
                }
                (0xDA, Some(frame)) => {
                    let scan = Scan::read(body, frame, &tables)?;
                    segments.entropy_coded(&mut self.data)?;
                    scan::decode(frame, &scan, &tables, &self.data, &mut self.coefficients)?;
                }
                (0xD9, _) => break,
                (0xE1, _) => {
                    let exif = body.strip_prefix(EXIF);
                    orientation = orientation.or_else(|| exif.map(Orientation::from_exif_chunk));
                }
                // Adobe's word on the colours, in the last byte: 1 is YCbCr.
                (0xEE, _) => is_rgb |= body.starts_with(b"Adobe") && body.get(11) != Some(&1),
                (0xE0..=0xEF | 0xFE, _) => {}
                _ => return None,
            }
        }
        let frame = found?;
        let is_ycc = frame.components.len() == 1 || !(is_rgb || frame.is_named_rgb());
        // Metadata that cannot be read says nothing about the pixels.
        let orientation = orientation.flatten().unwrap_or(Orientation::NoTransforms);
        (is_ycc && frame.is_complete()).then_some(Head { frame, orientation })
    }

    /// Reads the frame header and makes room for its coefficients.
    fn begin(
        &mut self,
        marker: u8,
        body: &[u8],
        file_bytes: usize,
        limits: &DecodeLimits,
    ) -> Option<Frame> {
        let frame = Frame::read(marker, body, limits)?;
        // Each block takes a bit at least: a small file does not get much memory.
        let is_plausible = frame.blocks() <= file_bytes.saturating_mul(8);
        if !is_plausible || frame.width.min(frame.height) < LEAST_SIDE {
            return None;
        }
        for (all, component) in self.coefficients.iter_mut().zip(&frame.components) {
            all.reset(component.blocks);
        }
        Some(frame)
    }
}

/// What the segments before the end came to, besides the coefficients.
struct Head {
    frame: Frame,
    orientation: Orientation,
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;
    use crate::image::planes::to_rgb;

    fn decode(bytes: &[u8]) -> Option<(u32, u32)> {
        let limits = DecodeLimits::default();
        let mut decoder = JpegDecoder::default();
        let planes = decoder.decode(bytes, &limits)?;
        Some((planes.width, planes.height))
    }

    /// The pixels, with chroma repeated.
    fn pixels(planes: &Planes<'_>) -> Vec<u8> {
        let mut rgb = Vec::new();
        for y in 0..planes.height {
            let sample =
                |plane: Plane<'_>, x: u32, y: u32| plane.samples[(y * plane.stride + x) as usize];
            let row = |plane: Plane<'_>, (h, v): (u32, u32)| -> Vec<u8> {
                (0..planes.width)
                    .map(|x| sample(plane, x / h, y / v))
                    .collect()
            };
            let luma = row(planes.luma, (1, 1));
            let neutral = vec![128; luma.len()];
            let chroma = planes
                .chroma
                .map(|chroma| chroma.map(|plane| row(plane, planes.samples)));
            let [cb, cr] = chroma.unwrap_or([neutral.clone(), neutral]);
            let mut out = vec![0; luma.len() * 3];
            to_rgb([&luma, &cb, &cr], &mut out);
            rgb.extend(out);
        }
        rgb
    }

    #[test]
    fn every_kind_equals_the_other_decoder() {
        let mut decoder = JpegDecoder::default();
        for fixture in &fixtures::READ {
            let planes = decoder.decode(fixture.jpeg, &DecodeLimits::default());
            let planes = planes.unwrap_or_else(|| panic!("{} refused", fixture.name));
            assert_eq!((planes.width, planes.height), fixtures::SIZE);
            let other = image::load_from_memory(fixture.jpeg).unwrap().to_rgb8();
            let found = pixels(&planes);
            let differences = || {
                found
                    .iter()
                    .zip(other.iter())
                    .map(|(a, b)| u32::from(a.abs_diff(*b)))
            };
            let mean = f64::from(differences().sum::<u32>()) / found.len() as f64;
            if planes.samples == (1, 1) {
                assert!(differences().max().unwrap() <= 3, "{}", fixture.name);
                assert!(mean < 0.5, "{}: {mean}", fixture.name);
            } else {
                // Chroma repeated here and interpolated there.
                assert!(mean < 3.0, "{}: {mean}", fixture.name);
            }
        }
    }

    #[test]
    fn other_kinds_are_left_alone() {
        let sound = fixtures::READ[0].jpeg;
        assert_eq!(decode(sound), Some(fixtures::SIZE));
        assert_eq!(decode(fixtures::RGB.jpeg), None);
        let at = sound
            .windows(2)
            .position(|pair| pair == [0xFF, 0xC2])
            .unwrap();
        let with = |place: usize, byte: u8| {
            let mut bytes = sound.to_vec();
            bytes[at + place] = byte;
            decode(&bytes)
        };
        // Arithmetic coding, lossless, 12 bits, no height, no width, sampling of 4, of chroma.
        for (place, byte) in [(1, 0xCA), (1, 0xC3), (4, 12), (11, 0x41), (14, 0x22)] {
            assert_eq!(with(place, byte), None, "{place}");
        }
        let mut limits = DecodeLimits {
            max_width: 187,
            ..DecodeLimits::default()
        };
        assert!(JpegDecoder::default().decode(sound, &limits).is_some());
        limits.max_width = 186;
        assert!(JpegDecoder::default().decode(sound, &limits).is_none());
    }

    #[test]
    fn a_cut_file_is_refused_at_every_length() {
        for fixture in &fixtures::READ {
            for cut in 0..fixture.jpeg.len() {
                assert_eq!(decode(&fixture.jpeg[..cut]), None, "{} {cut}", fixture.name);
            }
        }
    }

    #[test]
    fn a_missing_scan_is_refused() {
        let sound = fixtures::READ[0].jpeg;
        let starts = sound
            .windows(2)
            .enumerate()
            .filter(|(_, pair)| *pair == [0xFF, 0xDA]);
        let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
        assert_eq!(starts.len(), 10);
        for scan in starts.windows(2) {
            // With the tables that stand before the next.
            let without = [&sound[..scan[0]], &sound[scan[1]..]].concat();
            assert_eq!(decode(&without), None);
        }
        let last = [&sound[..starts[9]], &[0xFF, 0xD9]].concat();
        assert_eq!(decode(&last), None);
    }

    #[test]
    fn little_data_gets_little_memory() {
        let mut bytes = fixtures::READ[0].jpeg.to_vec();
        let at = bytes
            .windows(2)
            .position(|pair| pair == [0xFF, 0xC2])
            .unwrap();
        bytes[at + 5..at + 9].copy_from_slice(&[0x1F, 0xFF, 0x1F, 0xFF]);
        let mut decoder = JpegDecoder::default();
        assert!(decoder.decode(&bytes, &DecodeLimits::default()).is_none());
        assert!(decoder.held_bytes() < 1 << 10, "{}", decoder.held_bytes());
    }
}
