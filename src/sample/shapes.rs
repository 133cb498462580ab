//! What the products look like: one drawing for each category, in the square from -1 to 1, `y` downwards.
//!
//! Confusable categories share their outline (covers, cases, figures, boxes) and differ in details.

use super::canvas::{Canvas, Colour};
use super::dice::Dice;

/// Main, second and accent colour of a drawing.
pub(super) type Palette = [Colour; 3];

const PAPER: Colour = [238, 230, 208];
const WHITE: Colour = [250, 250, 248];
const DARK: Colour = [38, 38, 42];
const STEEL: Colour = [168, 172, 178];
const SKIN: Colour = [226, 188, 158];

/// Moves every channel of a colour by `by`.
pub(super) fn shade(colour: Colour, by: i16) -> Colour {
    colour.map(|channel| u8::try_from((i16::from(channel) + by).clamp(0, 255)).unwrap_or(channel))
}

/// Draws `count` short lines of text downwards from `y`.
fn text_lines(
    canvas: &mut Canvas,
    dice: &mut Dice,
    (x0, x1): (f32, f32),
    y: f32,
    count: u8,
    colour: Colour,
) {
    for line in 0..count {
        let top = y + 0.11 * f32::from(line);
        let end = x1 - dice.between(0.0, 0.35) * (x1 - x0);
        canvas.rect(x0, top, end, top + 0.05, colour);
    }
}

/// An invented scene: sky, ground and something round.
fn scene(canvas: &mut Canvas, dice: &mut Dice, [x0, y0, x1, y1]: [f32; 4], palette: Palette) {
    let horizon = y0 + (y1 - y0) * dice.between(0.45, 0.8);
    canvas.rect(x0, y0, x1, y1, shade(palette[1], 30));
    canvas.rect(x0, horizon, x1, y1, shade(palette[1], -40));
    let radius = (x1 - x0) * dice.between(0.1, 0.22);
    let x = dice.between(x0 + radius, x1 - radius);
    canvas.ellipse(x, horizon - radius * 0.6, radius, radius, palette[2]);
}

pub(super) fn used_book(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.rect(0.5, -0.84, 0.66, 0.86, shade(PAPER, -30));
    canvas.rect(-0.66, -0.88, 0.58, 0.88, palette[0]);
    canvas.rect(-0.66, -0.88, -0.5, 0.88, shade(palette[0], -35));
    text_lines(canvas, dice, (-0.3, 0.4), -0.6, 3, palette[2]);
    canvas.ellipse(0.05, 0.35, 0.16, 0.16, shade(palette[0], 35));
}

pub(super) fn new_book(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.rect(0.52, -0.84, 0.64, 0.9, WHITE);
    canvas.rect(-0.62, -0.88, 0.58, 0.88, palette[0]);
    text_lines(canvas, dice, (-0.45, 0.45), -0.74, 2, WHITE);
    scene(canvas, dice, [-0.62, -0.4, 0.58, 0.6], palette);
}

pub(super) fn magazine(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.rect(-0.68, -0.9, 0.68, 0.9, palette[1]);
    canvas.rect(-0.68, -0.9, 0.68, -0.56, palette[0]);
    canvas.rect(-0.6, -0.82, 0.5, -0.64, WHITE);
    canvas.ellipse(dice.between(-0.1, 0.2), 0.15, 0.34, 0.5, SKIN);
    text_lines(canvas, dice, (-0.6, 0.0), 0.3, 4, palette[2]);
}

pub(super) fn poster(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.rect(-0.72, -0.95, 0.72, 0.95, PAPER);
    if dice.permille(550) {
        canvas.rect(-0.62, -0.85, 0.62, -0.65, shade(PAPER, -110));
        text_lines(canvas, dice, (-0.62, -0.05), -0.5, 11, shade(PAPER, -90));
        text_lines(canvas, dice, (0.05, 0.62), -0.5, 11, shade(PAPER, -90));
    } else {
        scene(canvas, dice, [-0.64, -0.86, 0.64, 0.6], palette);
        text_lines(canvas, dice, (-0.5, 0.5), 0.7, 2, palette[0]);
    }
}

/// The case of a game: a strip with the maker's name over the cover.
fn game_case(canvas: &mut Canvas, strip: Colour, palette: Palette, dice: &mut Dice) {
    canvas.rect(-0.62, -0.88, 0.62, 0.88, shade(strip, -20));
    canvas.rect(-0.58, -0.84, 0.58, -0.62, strip);
    canvas.rect(-0.5, -0.77, 0.05, -0.7, WHITE);
    scene(canvas, dice, [-0.58, -0.6, 0.58, 0.84], palette);
    canvas.polygon(&[(-0.3, 0.8), (0.0, -0.2), (0.35, 0.8)], palette[0]);
    canvas.ellipse(0.02, -0.2, 0.16, 0.18, shade(palette[0], 40));
}

pub(super) fn console_game(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    let strip = dice.pick(&[[24, 70, 190], [40, 150, 50], [210, 30, 40]]);
    game_case(canvas, strip, palette, dice);
}

pub(super) fn computer_game(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    game_case(
        canvas,
        dice.pick(&[[70, 70, 74], [110, 96, 60]]),
        palette,
        dice,
    );
    text_lines(canvas, dice, (-0.5, 0.5), 0.55, 2, WHITE);
}

pub(super) fn retro_game(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(350) {
        return game_case(canvas, [30, 30, 32], palette, dice);
    }
    canvas.rect(-0.7, -0.7, 0.7, 0.75, palette[0]);
    canvas.rect(-0.45, 0.6, 0.45, 0.75, shade(palette[0], -50));
    for groove in 0..4_u8 {
        let x = -0.66 + 0.06 * f32::from(groove);
        canvas.rect(x, -0.7, x + 0.02, 0.5, shade(palette[0], -40));
    }
    scene(canvas, dice, [-0.35, -0.5, 0.55, 0.35], palette);
}

pub(super) fn console(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.rect(-0.95, -0.4, 0.95, 0.4, palette[0]);
    canvas.rect(-0.95, 0.2, 0.95, 0.4, shade(palette[0], -30));
    if dice.permille(500) {
        canvas.rect(-0.5, -0.32, 0.5, 0.32, DARK);
        canvas.ellipse(0.72, 0.0, 0.1, 0.1, palette[2]);
        canvas.ellipse(-0.72, 0.0, 0.12, 0.12, shade(palette[0], -60));
    } else {
        canvas.rect(-0.8, -0.08, 0.2, 0.0, DARK);
        canvas.ellipse(0.6, 0.02, 0.14, 0.14, palette[2]);
    }
}

pub(super) fn console_accessory(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(250) {
        canvas.ring((0.0, 0.0), (0.7, 0.7), 0.86, palette[0]);
        canvas.bar((0.6, 0.3), (0.95, 0.8), 0.08, shade(palette[0], -40));
        return;
    }
    canvas.ellipse(-0.6, 0.2, 0.33, 0.55, palette[0]);
    canvas.ellipse(0.6, 0.2, 0.33, 0.55, palette[0]);
    canvas.rect(-0.65, -0.3, 0.65, 0.25, palette[0]);
    canvas.ellipse(-0.5, -0.02, 0.14, 0.14, shade(palette[0], -70));
    canvas.ellipse(0.28, 0.12, 0.14, 0.14, shade(palette[0], -70));
    for (x, y) in [(0.5, -0.18), (0.5, 0.04), (0.39, -0.07), (0.61, -0.07)] {
        canvas.ellipse(x, y, 0.06, 0.06, palette[2]);
    }
}

/// A standing figure: head, trunk, arms and legs.
fn person(canvas: &mut Canvas, dice: &mut Dice, palette: Palette, head: f32) {
    let lift = dice.between(-0.35, 0.4);
    canvas.bar((-0.15, 0.2), (-0.22, 0.8), 0.1, palette[1]);
    canvas.bar((0.15, 0.2), (0.22, 0.8), 0.1, palette[1]);
    canvas.bar((-0.2, -0.3), (-0.6, lift), 0.08, shade(palette[0], -25));
    canvas.bar((0.2, -0.3), (0.6, -lift), 0.08, shade(palette[0], -25));
    canvas.polygon(
        &[(-0.3, -0.4), (0.3, -0.4), (0.22, 0.3), (-0.22, 0.3)],
        palette[0],
    );
    canvas.ellipse(0.0, -0.48 - head * 0.6, head, head * 1.1, SKIN);
    canvas.ellipse(0.0, -0.56 - head * 0.9, head, head * 0.6, palette[2]);
}

pub(super) fn figurine(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.ellipse(0.0, 0.84, 0.5, 0.12, DARK);
    person(canvas, dice, palette, 0.22);
}

pub(super) fn costume(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    match dice.below(10) {
        0..4 => {
            canvas.polygon(
                &[(-0.2, -0.3), (0.2, -0.3), (0.65, 0.75), (-0.65, 0.75)],
                palette[2],
            );
            person(canvas, dice, palette, 0.2);
        }
        4..8 => car(canvas, palette),
        _ => toy_box(canvas, palette, dice),
    }
}

/// A car seen from its side.
fn car(canvas: &mut Canvas, palette: Palette) {
    canvas.polygon(
        &[(-0.5, -0.05), (-0.3, -0.42), (0.35, -0.42), (0.6, -0.05)],
        shade(palette[0], 25),
    );
    canvas.polygon(
        &[(-0.4, -0.08), (-0.25, -0.34), (0.3, -0.34), (0.45, -0.08)],
        [190, 214, 228],
    );
    canvas.rect(-0.95, -0.08, 0.95, 0.3, palette[0]);
    for x in [-0.55, 0.55] {
        canvas.ellipse(x, 0.3, 0.22, 0.22, DARK);
        canvas.ellipse(x, 0.3, 0.1, 0.1, STEEL);
    }
}

/// A box seen from its corner, with a picture on its front.
fn toy_box(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.polygon(
        &[(-0.85, -0.6), (-0.65, -0.78), (0.95, -0.78), (0.75, -0.6)],
        shade(palette[0], 35),
    );
    canvas.polygon(
        &[(0.75, -0.6), (0.95, -0.78), (0.95, 0.5), (0.75, 0.68)],
        shade(palette[0], -45),
    );
    canvas.rect(-0.85, -0.6, 0.75, 0.68, palette[0]);
    scene(canvas, dice, [-0.7, -0.2, 0.6, 0.55], palette);
    canvas.rect(-0.7, -0.5, 0.4, -0.3, palette[2]);
}

pub(super) fn boxed_game(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(200) {
        car(canvas, palette);
    } else {
        toy_box(canvas, palette, dice);
    }
}

pub(super) fn board_game(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(300) {
        return figurine(canvas, [STEEL, shade(STEEL, -30), shade(STEEL, 20)], dice);
    }
    canvas.rect(-0.85, -0.85, 0.85, 0.85, shade(palette[0], -40));
    for row in 0..6_u8 {
        for column in (row % 2..6).step_by(2) {
            let (x, y) = (
                -0.78 + 0.26 * f32::from(column),
                -0.78 + 0.26 * f32::from(row),
            );
            canvas.rect(x, y, x + 0.26, y + 0.26, PAPER);
        }
    }
    for _ in 0..5 {
        let (x, y) = (dice.between(-0.7, 0.7), dice.between(-0.7, 0.7));
        canvas.ellipse(x, y, 0.1, 0.12, palette[2]);
    }
}

pub(super) fn card(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.rect(-0.64, -0.9, 0.64, 0.9, shade(palette[0], -60));
    canvas.rect(-0.58, -0.84, 0.58, 0.84, palette[0]);
    scene(canvas, dice, [-0.48, -0.62, 0.48, 0.1], palette);
    canvas.rect(-0.48, 0.2, 0.48, 0.74, shade(PAPER, 5));
    text_lines(canvas, dice, (-0.42, 0.42), 0.26, 4, shade(PAPER, -120));
}

pub(super) fn tech_toy(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(300) {
        return car(canvas, palette);
    }
    canvas.bar((-0.65, -0.5), (0.65, 0.5), 0.06, palette[0]);
    canvas.bar((-0.65, 0.5), (0.65, -0.5), 0.06, palette[0]);
    for (x, y) in [(-0.65, -0.5), (0.65, -0.5), (-0.65, 0.5), (0.65, 0.5)] {
        canvas.ring((x, y), (0.34, 0.3), 0.84, shade(palette[0], 20));
        canvas.bar((x - 0.28, y), (x + 0.28, y), 0.03, palette[2]);
    }
    canvas.ellipse(0.0, 0.0, 0.32, 0.22, palette[0]);
    canvas.ellipse(0.0, 0.1, 0.08, 0.08, palette[2]);
}

pub(super) fn socks(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    let bands = dice.below(3) + 1;
    for x in [-0.75, 0.05] {
        canvas.rect(x, -0.85, x + 0.38, 0.5, palette[0]);
        canvas.ellipse(x + 0.4, 0.55, 0.42, 0.22, palette[0]);
        canvas.ellipse(x + 0.66, 0.56, 0.16, 0.18, palette[2]);
        canvas.rect(x, -0.85, x + 0.38, -0.68, palette[2]);
        for band in 0..bands {
            let y = -0.4 + 0.28 * f32::from(u8::try_from(band).unwrap_or(0));
            canvas.rect(x, y, x + 0.38, y + 0.12, palette[1]);
        }
    }
}

pub(super) fn gadget(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    match dice.below(3) {
        0 => {
            canvas.polygon(&[(-0.9, 0.6), (0.0, -0.65), (0.9, 0.6)], palette[0]);
            canvas.polygon(
                &[(-0.25, 0.6), (0.0, -0.3), (0.25, 0.6)],
                shade(palette[0], -60),
            );
        }
        1 => {
            canvas.bar((-0.7, 0.6), (0.5, 0.6), 0.06, palette[0]);
            canvas.bar((0.5, 0.6), (0.3, -0.8), 0.05, STEEL);
            canvas.bar((0.08, -0.8), (0.55, -0.8), 0.05, DARK);
            canvas.ellipse(-0.7, 0.72, 0.16, 0.16, DARK);
            canvas.ellipse(0.55, 0.72, 0.16, 0.16, DARK);
        }
        _ => {
            canvas.ellipse(-0.2, 0.0, 0.6, 0.22, palette[0]);
            canvas.polygon(&[(0.3, 0.0), (0.8, -0.25), (0.8, 0.25)], palette[2]);
            canvas.ellipse(-0.55, -0.05, 0.06, 0.06, DARK);
            canvas.ring((0.0, 0.4), (0.14, 0.2), 0.7, STEEL);
        }
    }
}

pub(super) fn baby(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(450) {
        canvas.rect(-0.28, -0.3, 0.28, 0.85, shade(palette[1], 20));
        canvas.rect(-0.22, 0.1, 0.22, 0.8, WHITE);
        canvas.rect(-0.34, -0.45, 0.34, -0.25, palette[0]);
        canvas.ellipse(0.0, -0.6, 0.16, 0.28, [232, 206, 170]);
    } else {
        canvas.polygon(
            &[(-0.7, -0.1), (0.6, -0.1), (0.35, 0.45), (-0.45, 0.45)],
            palette[0],
        );
        canvas.polygon(
            &[(-0.7, -0.1), (-0.5, -0.65), (0.0, -0.75), (0.0, -0.1)],
            palette[1],
        );
        canvas.bar((0.55, -0.1), (0.9, -0.7), 0.04, STEEL);
        canvas.ring((-0.45, 0.65), (0.22, 0.22), 0.6, DARK);
        canvas.ring((0.35, 0.65), (0.22, 0.22), 0.6, DARK);
    }
}
