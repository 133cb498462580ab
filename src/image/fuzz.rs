//! Seeded mutations of valid files of every format: no panic, no status without a reason, bounded memory, and no trace in the
//! decoder. `RAYONNAGE_FUZZ_CASES` sets how many of each file; a failure names the file and the case, which alone decide the bytes.

use super::decode::tests::{CMYK_JPEG, PROGRESSIVE_JPEG};
use super::encode::fixtures::{draw, encode};
use super::jpeg::{JpegDecoder, fixtures};
use super::{DecodeLimits, Filter, ImagePreparer, PrepareOptions};
use image::DynamicImage;
use image::ImageFormat::{Bmp, Gif, Jpeg, Png, WebP};

const CASES: u64 = 400;
const SIZE: u32 = 16;
const MAX_PIXELS: u64 = 1 << 16;

/// Values at which decoders go wrong: markers, signs, ends of ranges.
const NASTY: [u8; 12] = [
    0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, 0xC0, 0xC4, 0xD0, 0xD9, 0xDA,
];

fn seeds() -> Vec<(String, Vec<u8>)> {
    let plain = [Jpeg, Png, WebP, Gif, Bmp].map(|f| (format!("{f:?}"), encode(draw(33, 21), f)));
    let wide = DynamicImage::from(draw(33, 21)).to_rgba16();
    let mut seeds = Vec::from(plain);
    seeds.push(("png of 16 bits".to_owned(), encode(wide, Png)));
    seeds.push(("cmyk".to_owned(), CMYK_JPEG.to_vec()));
    seeds.push(("progressive".to_owned(), PROGRESSIVE_JPEG.to_vec()));
    for fixture in fixtures::READ
        .iter()
        .chain([&fixtures::RGB, &fixtures::QUARTER])
    {
        seeds.push((fixture.name.to_owned(), fixture.jpeg.to_vec()));
    }
    seeds
}

/// `splitmix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Damages a file in one to eight places, as often as not within its first bytes, where the headers are.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(8) {
        let reach = if random.below(2) == 0 {
            bytes.len()
        } else {
            bytes.len().min(700)
        };
        let at = random.below(reach);
        let length = 1 + random.below(16);
        let end = bytes.len().min(at + length);
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = NASTY[random.below(NASTY.len())],
            2 if at < bytes.len() => bytes[at] = random.next() as u8,
            3 => bytes[at..end].fill(NASTY[random.below(NASTY.len())]),
            4 => drop(bytes.drain(at..end)),
            5 => bytes.truncate(at),
            6 => {
                let from = random.below(other.len());
                let piece = &other[from..other.len().min(from + 4 * length)];
                bytes.splice(at..end, piece.iter().copied());
            }
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

#[test]
fn mutated_files_are_faults_or_pictures() {
    let cases = std::env::var("RAYONNAGE_FUZZ_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let options = PrepareOptions {
        size: SIZE,
        filter: Filter::Bilinear,
        limits: DecodeLimits {
            max_pixels: MAX_PIXELS,
            ..DecodeLimits::default()
        },
        ..PrepareOptions::default()
    };
    let mut preparer = ImagePreparer::new(&options).unwrap();
    let mut jpeg = JpegDecoder::default();
    let seeds = seeds();
    let (mut pictures, mut faults) = (0, 0);
    for (index, (name, seed)) in seeds.iter().enumerate() {
        let sound = preparer.prepare(seed).unwrap();
        for case in 0..cases {
            let mut random = Random((index as u64) << 32 | case);
            let mut bytes = seed.clone();
            let other = random.below(seeds.len());
            mutate(&mut bytes, &seeds[other].1, &mut random);
            // Not through the preparer, which would catch its panic.
            let _ = jpeg.decode(&bytes, &options.limits);
            // 9.4 bytes a pixel; twice that, since narrow pictures have whole MCUs too.
            let most = MAX_PIXELS as usize * 3 * 10 * 2 + bytes.len() * 4;
            assert!(
                jpeg.held_bytes() <= most,
                "{name}, case {case}: {}",
                jpeg.held_bytes()
            );
            match preparer.prepare(&bytes) {
                Ok(image) => {
                    pictures += 1;
                    assert_eq!(image.pixels.len(), (SIZE * SIZE * 3) as usize);
                }
                Err(fault) => {
                    faults += 1;
                    assert!(fault.status.is_fault() && !fault.detail.is_empty());
                    let is_caught = fault.detail.starts_with("decoder panicked");
                    assert!(!is_caught, "{name}, case {case}: {fault}");
                }
            }
            if case % 16 == 0 {
                assert_eq!(
                    preparer.prepare(seed).unwrap(),
                    sound,
                    "{name}, case {case}"
                );
            }
        }
    }
    assert!(
        pictures > 100 && faults > 100,
        "{pictures} pictures, {faults} faults"
    );
}
