//! The picture of a row: a background, the product somewhere on it, and the noise of a camera.
//!
//! Difficulty comes from place, size and turn, from colours that are not the category's, from products shown in
//! a room, and from pictures of a neighbour's product or of a closed parcel.

use super::canvas::{Canvas, Colour, Frame};
use super::categories::Category;
use super::dice::{Dice, Purpose, Side};
use super::looks::{Look, look_of, parcel};
use super::plan::{RowPlan, neighbour};
use super::shapes::{Palette, shade};

/// Pictures of a neighbour's product, in thousandths.
const NEIGHBOUR_PERMILLE: u32 = 60;
/// Pictures of a parcel, in thousandths.
const PARCEL_PERMILLE: u32 = 30;
/// Products in any colour, in thousandths.
const ANY_COLOUR_PERMILLE: u32 = 150;

const WALLS: [Colour; 5] = [
    [214, 208, 198],
    [196, 206, 214],
    [222, 212, 190],
    [188, 198, 178],
    [150, 150, 156],
];
const FLOORS: [Colour; 5] = [
    [150, 116, 84],
    [120, 140, 90],
    [176, 168, 158],
    [96, 88, 84],
    [200, 180, 150],
];

/// Draws the picture of row `row`.
///
/// # Shapes
///
/// `edge * edge * 3` bytes: 8-bit RGB, row by row.
pub(super) fn draw(seed: u64, side: Side, row: u64, plan: &RowPlan, edge: u32) -> Vec<u8> {
    let mut dice = Dice::new(seed, Purpose::Picture, side, row);
    let look = choose_look(plan.shown, &mut dice);
    let mut canvas = background(edge, look.staged_permille, &mut dice);
    let palette = colours(look, &mut dice);
    canvas.set_frame(Frame {
        centre: (dice.between(0.43, 0.57), dice.between(0.43, 0.57)),
        scale: dice.between(0.30, 0.46),
        half_turn: turn(&mut dice),
    });
    (look.draw)(&mut canvas, palette, &mut dice);
    expose(&mut canvas, &mut dice);
    canvas.into_rgb()
}

fn choose_look(category: &'static Category, dice: &mut Dice) -> Look {
    let own = look_of(category.code);
    if dice.permille(PARCEL_PERMILLE) {
        Look {
            draw: parcel,
            ..own
        }
    } else if dice.permille(NEIGHBOUR_PERMILLE) {
        look_of(neighbour(category, dice).code)
    } else {
        own
    }
}

/// Usually straight, sometimes tilted.
fn turn(dice: &mut Dice) -> f32 {
    if dice.permille(250) {
        dice.between(-0.25, 0.25)
    } else {
        dice.between(-0.04, 0.04)
    }
}

fn colours(look: Look, dice: &mut Dice) -> Palette {
    if dice.permille(ANY_COLOUR_PERMILLE) {
        return [0; 3].map(|_: u8| [0; 3].map(|_: u8| byte(20 + dice.below(220))));
    }
    let palette = dice.pick(look.palettes);
    palette.map(|colour| {
        let light = signed(dice.below(50)) - 25;
        shade(colour, light).map(|channel| shade([channel; 3], signed(dice.below(24)) - 12)[0])
    })
}

fn background(size: u32, staged_permille: u32, dice: &mut Dice) -> Canvas {
    if dice.permille(staged_permille) {
        return stage(size, dice);
    }
    match dice.below(100) {
        0..85 => Canvas::new(size, [byte(248 + dice.below(8)); 3]),
        85..94 => Canvas::new(size, shade([222, 222, 224], signed(dice.below(40)) - 20)),
        _ => Canvas::new(size, dice.pick(&WALLS)),
    }
}

/// A wall, a floor and some furniture out of focus.
fn stage(size: u32, dice: &mut Dice) -> Canvas {
    let mut canvas = Canvas::new(size, shade(dice.pick(&WALLS), signed(dice.below(40)) - 20));
    let floor = dice.pick(&FLOORS);
    canvas.rect(-1.0, dice.between(0.2, 0.6), 1.0, 1.0, floor);
    for _ in 0..3 {
        let (x, y) = (dice.between(-1.0, 1.0), dice.between(-0.9, 0.6));
        let (width, height) = (dice.between(0.08, 0.35), dice.between(0.08, 0.45));
        let colour = shade(dice.pick(&WALLS), signed(dice.below(120)) - 90);
        canvas.rect(x - width, y - height, x + width, y + height, colour);
    }
    canvas
}

/// Changes the light and adds the noise of a sensor.
fn expose(canvas: &mut Canvas, dice: &mut Dice) {
    let gain = 235 + dice.below(30);
    let strength = 3 + signed(dice.below(9));
    canvas.for_each_pixel(|pixel| {
        let bits = dice.bits();
        for (channel, bits) in pixel.iter_mut().zip(bits.to_le_bytes()) {
            let lit = i32::from(*channel) * i32::try_from(gain).unwrap_or(256) / 256;
            let noise = i32::from(strength) * (i32::from(bits) - 128) / 128;
            *channel = u8::try_from((lit + noise).clamp(0, 255)).unwrap_or(255);
        }
    });
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(255)
}

fn signed(value: u32) -> i16 {
    i16::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::options::ImageShare;
    use crate::sample::plan::plan_block;

    fn pictures(count: usize) -> Vec<Vec<u8>> {
        let plans = plan_block(123, Side::Labelled, 0, ImageShare::default());
        let rows = plans.iter().take(count).enumerate();
        rows.map(|(row, plan)| draw(123, Side::Labelled, row as u64, plan, 32))
            .collect()
    }

    #[test]
    fn a_picture_is_the_same_each_time_and_unlike_the_next() {
        let (first, again) = (pictures(20), pictures(20));
        assert_eq!(first, again);
        assert!(first.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(first.iter().all(|rgb| rgb.len() == 32 * 32 * 3));
    }

    #[test]
    fn most_backgrounds_are_light() {
        let corner = |rgb: &Vec<u8>| rgb[..3].iter().all(|channel| *channel >= 215);
        let light = pictures(400).iter().filter(|rgb| corner(rgb)).count();
        assert!((240..=370).contains(&light), "{light}");
    }
}
