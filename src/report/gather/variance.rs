//! Where photos vary: the variance of each pixel, whose low values at the border are why a margin is cut off.

use crate::image::encode_png;
use crate::report::ReportError;
use crate::report::attachments::Attachments;
use crate::report::data::Variance;
use crate::report::sources::{Sources, has_file};
use serde_json::Value;

/// The file with the variances.
const FILE: &str = "pixel_variance.npy";

/// Reads the variances of the photos that least was cut off from, and draws them: the more a pixel varies, the brighter it is.
pub(super) fn variance(
    sources: &Sources<'_>,
    attachments: &mut Attachments,
) -> Result<Option<Variance>, ReportError> {
    let margin = |stage: &str| sources.params(stage)["margin"].as_f64().unwrap_or(0.0);
    let stages = sources.of_kind("decode_images");
    let computed = stages.filter(|(_, reader)| has_file(reader, FILE));
    let least = computed.min_by(|(a, _), (b, _)| margin(a).total_cmp(&margin(b)));
    let Some((stage, reader)) = least else {
        return Ok(None);
    };
    let images = reader
        .manifest()
        .summary
        .get("variance_images")
        .and_then(Value::as_u64);
    let images = images.unwrap_or(0);
    let bytes = reader.file(FILE)?;
    let Some(levels) = variances(&bytes).filter(|_| images > 0) else {
        return Ok(None);
    };
    let side = (levels.len() as f64).sqrt() as usize;
    let edge = side.div_ceil(10);
    let is_border = |at: usize| {
        let (row, column) = (at / side, at % side);
        row.min(column).min(side - 1 - row).min(side - 1 - column) < edge
    };
    let mean = |of_border: bool| {
        let chosen = levels
            .iter()
            .enumerate()
            .filter(|(at, _)| is_border(*at) == of_border);
        let (sum, count) = chosen.fold((0.0, 0_u64), |(sum, count), (_, level)| {
            (sum + f64::from(*level), count + 1)
        });
        sum / count.max(1) as f64
    };
    let most = levels.iter().copied().fold(0.0, f32::max);
    let rgb: Vec<u8> = levels
        .iter()
        .flat_map(|level| heat(level / most.max(1.0)))
        .collect();
    let Ok(png) = encode_png(side as u32, side as u32, &rgb) else {
        return Ok(None);
    };
    Ok(Some(Variance {
        margin: margin(stage),
        images,
        border: mean(true),
        middle: mean(false),
        most: f64::from(most),
        figure: attachments.png("variance", png),
    }))
}

/// Takes the variances out of the file and averages the channels: `2 × size × size × 3` numbers, the second half of them.
fn variances(npy: &[u8]) -> Option<Vec<f32>> {
    let header = usize::from(u16::from_le_bytes([*npy.get(8)?, *npy.get(9)?]));
    let values = npy.get(10 + header..)?.as_chunks::<4>().0;
    let second = values.get(values.len() / 2..)?;
    let pixel = |channels: &[[u8; 4]; 3]| {
        channels
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .sum::<f32>()
            / 3.0
    };
    let pixels: Vec<f32> = second.as_chunks::<3>().0.iter().map(pixel).collect();
    (!pixels.is_empty()).then_some(pixels)
}

/// A colour between black, red, orange and pale yellow, for 0 to 1: lighter is more, also without colours.
fn heat(share: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] = [
        [0.0, 0.0, 4.0],
        [87.0, 16.0, 110.0],
        [188.0, 55.0, 84.0],
        [249.0, 142.0, 9.0],
        [252.0, 255.0, 164.0],
    ];
    let at = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let below = (at as usize).min(STOPS.len() - 2);
    let (from, to) = (STOPS[below], STOPS[below + 1]);
    std::array::from_fn(|channel| {
        let mixed = from[channel] + (to[channel] - from[channel]) * (at - below as f32);
        mixed.round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::PixelVariance;

    #[test]
    fn variances_are_read_from_the_file_as_it_is_written() {
        let mut sums = PixelVariance::new(2 * 2 * 3);
        let image = |level: u8| {
            let mut pixels = [7_u8; 12];
            pixels[9..].fill(level);
            pixels
        };
        sums.add(&image(0)).unwrap();
        sums.add(&image(100)).unwrap();
        let found = variances(&sums.to_npy(2)).unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(found[..3], [0.0; 3]);
        assert!((found[3] - 2_500.0).abs() < 1.0, "{found:?}");
        assert!(variances(b"\x93NUMPY").is_none());
    }

    #[test]
    fn more_variance_is_lighter() {
        let light = |share: f32| {
            heat(share)
                .iter()
                .map(|level| u32::from(*level))
                .sum::<u32>()
        };
        let levels: Vec<u32> = (0..=20).map(|step| light(step as f32 / 20.0)).collect();
        assert!(levels.is_sorted(), "{levels:?}");
    }
}
