//! Augmentation: what is exact, what `SciPy` says, and what is drawn.

use super::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SIZE: usize = 9;

fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    move || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn image(size: usize) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    (0..size * size * 3)
        .map(|_| random.next_u32() as u8)
        .collect()
}

fn varied(pixels: &[u8], size: usize, fill: Fill, variation: &Variation) -> Vec<u8> {
    let mut varied = vec![9];
    Augmenter::new(size, fill).push(pixels, variation, &mut varied);
    assert_eq!(varied.remove(0), 9);
    varied
}

/// The image with each pixel from a place of the source, or of a level where there is none.
fn taken(pixels: &[u8], from: impl Fn(usize, usize) -> Option<(usize, usize)>) -> Vec<u8> {
    let places = (0..SIZE * SIZE).map(|at| from(at % SIZE, at / SIZE));
    let pixel = |place: Option<(usize, usize)>| match place {
        Some((x, y)) => &pixels[(y * SIZE + x) * 3..][..3],
        None => &[40; 3],
    };
    places.flat_map(|place| pixel(place).to_vec()).collect()
}

const FILLS: [Fill; 3] = [Fill::Nearest, Fill::Reflect, Fill::Constant(40)];

#[test]
fn options_that_vary_nothing_change_nothing() {
    let pixels = image(SIZE);
    let mut uniform = uniform(1);
    for fill in FILLS {
        let variation = AugmentOptions::default().draw(&mut uniform);
        assert_eq!(variation, Variation::IDENTITY);
        assert_eq!(varied(&pixels, SIZE, fill, &variation), pixels);
    }
}

#[test]
fn a_flip_and_a_shift_by_whole_pixels_are_exact() {
    let pixels = image(SIZE);
    let flipped = Variation {
        flip: true,
        ..Variation::IDENTITY
    };
    let shifted = Variation {
        shift: [2.0 / SIZE as f64, -3.0 / SIZE as f64],
        ..Variation::IDENTITY
    };
    for fill in FILLS {
        let found = varied(&pixels, SIZE, fill, &flipped);
        assert_eq!(found, taken(&pixels, |x, y| Some((SIZE - 1 - x, y))));
        let found = varied(&pixels, SIZE, fill, &shifted);
        let last = SIZE.cast_signed() - 1;
        let within = |at: isize| match fill {
            Fill::Nearest => Some(at.clamp(0, last) as usize),
            Fill::Reflect if at < 0 => Some((-1 - at) as usize),
            Fill::Reflect if at > last => Some((2 * last + 1 - at) as usize),
            _ => (0..=last).contains(&at).then_some(at as usize),
        };
        let expected = taken(&pixels, |x, y| {
            within(x.cast_signed() + 2).zip(within(y.cast_signed() - 3))
        });
        assert_eq!(found, expected, "{fill:?}");
    }
}

#[test]
fn a_turn_by_a_right_angle_is_exact() {
    let pixels = image(SIZE);
    let variation = Variation {
        rotation_radians: std::f64::consts::FRAC_PI_2,
        ..Variation::IDENTITY
    };
    let found = varied(&pixels, SIZE, Fill::Nearest, &variation);
    assert_eq!(found, taken(&pixels, |x, y| Some((SIZE - 1 - y, x))));
}

#[test]
fn all_maps_at_once_are_scipy_s() {
    // scipy 1.17: ndimage.map_coordinates(image, [Y, X], order=1, mode, cval=40), with mode grid-constant for Constant.
    let nearest = [
        22.0, 12.0, 12.0, 12.0, 57.73, 128.1, 92.43, 56.76, 47.64, 175.53, 134.55, 197.07, 155.43,
        61.84, 119.28, 84.3, 49.24, 139.02, 95.24, 30.87, 128.0, 53.17, 63.52, 114.19, 171.37,
    ];
    let reflect = [
        158.93, 175.34, 42.65, 16.01, 69.64, 49.61, 81.91, 56.76, 47.64, 175.53, 135.06, 197.07,
        155.43, 61.84, 119.28, 84.3, 49.24, 139.02, 95.24, 30.87, 128.0, 53.17, 63.52, 114.19,
        171.37,
    ];
    let constant = [
        40.0, 40.0, 40.0, 40.0, 40.0, 40.0, 40.0, 47.73, 47.64, 136.8, 40.0, 100.04, 155.43, 61.84,
        119.28, 53.44, 49.24, 139.02, 95.24, 30.87, 66.83, 49.39, 63.52, 114.19, 171.37,
    ];
    let level = |at: usize| ((at % 5 * 67 + at / 5 * 41 + at % 5 * (at / 5) * 13) % 256) as u8;
    let pixels: Vec<u8> = (0..25)
        .flat_map(|at| [level(at), 255 - level(at), 100])
        .collect();
    let variation = Variation {
        flip: true,
        rotation_radians: 0.5,
        shift: [0.3, -0.25],
        zoom: [0.8, 1.3],
        brightness: 1.0,
    };
    for (fill, expected) in FILLS.into_iter().zip([nearest, reflect, constant]) {
        let found = varied(&pixels, 5, fill, &variation);
        for (at, (pixel, expected)) in found.chunks_exact(3).zip(expected).enumerate() {
            // A place is off by 1/512 at most, and neighbours by 255.
            let off = (f64::from(pixel[0]) - expected).abs();
            assert!(off < 1.5, "{fill:?} {at}: {pixel:?}, {expected}");
            if !matches!(fill, Fill::Constant(_)) {
                assert!(pixel[0].abs_diff(255 - pixel[1]) <= 1, "{pixel:?}");
                assert_eq!(pixel[2], 100);
            }
        }
    }
}

#[test]
fn brightness_multiplies_rounds_and_saturates() {
    let mut variation = Variation {
        brightness: 1.5,
        ..Variation::IDENTITY
    };
    let pixels = [0, 1, 2, 100, 170, 171, 200, 255, 3, 5, 7, 9];
    let found = varied(&pixels, 2, Fill::Nearest, &variation);
    assert_eq!(found, [0, 2, 3, 150, 255, 255, 255, 255, 5, 8, 11, 14]);
    // The same levels after a map.
    variation.flip = true;
    let found = varied(&pixels, 2, Fill::Nearest, &variation);
    assert_eq!(found, [150, 255, 255, 0, 2, 3, 8, 11, 14, 255, 255, 5]);
    variation.brightness = 0.0;
    assert_eq!(varied(&pixels, 2, Fill::Nearest, &variation), [0; 12]);
}

#[test]
fn a_picture_of_one_level_keeps_it_whatever_is_done() {
    let options = AugmentOptions {
        flip: true,
        rotation_degrees: 180.0,
        shift: [3.0, 3.0],
        zoom: [0.1, 4.0],
        ..AugmentOptions::default()
    };
    let mut uniform = uniform(2);
    for level in [0, 1, 127, 255] {
        let pixels = vec![level; SIZE * SIZE * 3];
        for fill in [Fill::Nearest, Fill::Reflect, Fill::Constant(level)] {
            for _ in 0..50 {
                let variation = options.draw(&mut uniform);
                assert_eq!(varied(&pixels, SIZE, fill, &variation), pixels);
            }
        }
    }
}

#[test]
fn draws_cover_their_ranges_evenly_and_one_option_moves_no_other() {
    let options = AugmentOptions {
        flip: true,
        rotation_degrees: 15.0,
        shift: [0.1, 0.2],
        zoom: [0.9, 1.3],
        brightness: [0.8, 1.2],
        fill: Fill::Nearest,
    };
    let mut random = uniform(3);
    let drawn: Vec<Variation> = (0..20_000).map(|_| options.draw(&mut random)).collect();
    let flips = drawn.iter().filter(|variation| variation.flip).count();
    assert!((9_700..10_300).contains(&flips), "{flips}");
    let even = |of: fn(&Variation) -> f64, low: f64, high: f64| {
        let values = drawn.iter().map(of);
        let mut quarters = [0; 4];
        for value in values {
            assert!((low..=high).contains(&value), "{value}");
            quarters[((value - low) / (high - low) * 4.0).min(3.0) as usize] += 1;
        }
        let is_even = quarters.iter().all(|count| (4_700..5_300).contains(count));
        assert!(is_even, "{quarters:?}");
    };
    even(|v| v.rotation_radians.to_degrees(), -15.001, 15.001);
    even(|v| v.shift[0], -0.1, 0.1);
    even(|v| v.shift[1], -0.2, 0.2);
    even(|v| v.zoom[0], 0.9, 1.3);
    even(|v| v.zoom[1], 0.9, 1.3);
    even(|v| v.brightness, 0.8, 1.2);
    let still = AugmentOptions {
        rotation_degrees: 0.0,
        ..options
    };
    let mut random = uniform(3);
    for variation in &drawn[..100] {
        let found = still.draw(&mut random);
        assert_eq!(
            (found.flip, found.brightness, found.rotation_radians),
            (variation.flip, variation.brightness, 0.0)
        );
    }
}
