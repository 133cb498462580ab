//! What the rest of the house looks like, and the look of every category: its drawing, its colours and how
//! often it is shown in a room or garden instead of on white.

use super::canvas::{Canvas, Colour};
use super::dice::Dice;
use super::shapes::{self, Palette, shade};

/// How a category is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Draws the product in the unit frame.
    pub draw: fn(&mut Canvas, Palette, &mut Dice),
    /// Usual colours.
    pub palettes: &'static [Palette],
    /// Pictures with a room or garden behind, in thousandths.
    pub staged_permille: u32,
}

const fn look(
    draw: fn(&mut Canvas, Palette, &mut Dice),
    staged_permille: u32,
    palettes: &'static [Palette],
) -> Look {
    Look {
        draw,
        palettes,
        staged_permille,
    }
}

const BROWNS: &[Palette] = &[
    [[124, 84, 52], [170, 140, 100], [222, 196, 140]],
    [[96, 40, 36], [150, 120, 96], [230, 206, 150]],
];
const BRIGHTS: &[Palette] = &[
    [[214, 48, 60], [64, 132, 200], [250, 206, 60]],
    [[30, 96, 178], [232, 140, 56], [240, 236, 220]],
];
const PASTELS: &[Palette] = &[
    [[170, 206, 226], [246, 208, 214], [236, 226, 160]],
    [[236, 190, 204], [196, 222, 200], [250, 240, 220]],
];
const NIGHTS: &[Palette] = &[
    [[56, 58, 70], [84, 70, 96], [200, 60, 60]],
    [[44, 54, 48], [96, 96, 80], [220, 180, 80]],
];
const TOYS: &[Palette] = &[
    [[236, 70, 60], [70, 120, 220], [255, 210, 50]],
    [[240, 120, 170], [120, 90, 190], [120, 210, 120]],
];
const BLACKS: &[Palette] = &[
    [[44, 44, 48], [90, 92, 98], [64, 160, 226]],
    [[226, 228, 230], [120, 124, 130], [210, 50, 60]],
];
const CARDS: &[Palette] = &[
    [[238, 206, 70], [120, 180, 210], [214, 70, 60]],
    [[196, 150, 90], [96, 130, 90], [240, 220, 120]],
];
const TECHS: &[Palette] = &[
    [[40, 40, 44], [200, 60, 50], [240, 130, 40]],
    [[206, 210, 214], [60, 110, 180], [220, 60, 50]],
];
const WOODS: &[Palette] = &[
    [[150, 106, 66], [206, 176, 140], [90, 70, 56]],
    [[136, 134, 132], [190, 188, 184], [70, 66, 64]],
];
const LINENS: &[Palette] = &[
    [[216, 206, 190], [160, 120, 130], [120, 140, 160]],
    [[128, 148, 172], [226, 222, 214], [90, 100, 120]],
];
const STATIONERY: &[Palette] = &[
    [[36, 66, 140], [210, 212, 218], [190, 160, 80]],
    [[30, 30, 34], [240, 240, 236], [200, 40, 50]],
];
const GREENS: &[Palette] = &[
    [[96, 120, 72], [206, 196, 170], [150, 90, 60]],
    [[200, 180, 140], [110, 112, 110], [90, 130, 80]],
];
const BLUES: &[Palette] = &[
    [[60, 150, 210], [130, 200, 232], [236, 240, 244]],
    [[40, 110, 180], [96, 190, 220], [220, 226, 232]],
];
const TOOLS: &[Palette] = &[
    [[224, 120, 30], [70, 72, 76], [168, 172, 178]],
    [[40, 120, 70], [60, 60, 64], [180, 184, 188]],
];
const FOODS: &[Palette] = &[
    [[150, 60, 40], [236, 216, 170], [90, 130, 60]],
    [[200, 150, 50], [250, 240, 214], [160, 40, 50]],
];
const PETS: &[Palette] = &[
    [[200, 50, 60], [176, 130, 90], [206, 180, 80]],
    [[60, 90, 150], [210, 190, 160], [190, 192, 196]],
];

/// Returns the look of a category.
pub(super) fn look_of(code: u32) -> Look {
    match code {
        10 => look(shapes::used_book, 120, BROWNS),
        40 => look(shapes::console_game, 30, NIGHTS),
        50 => look(shapes::console_accessory, 60, BLACKS),
        60 => look(shapes::console, 60, BLACKS),
        1140 => look(shapes::figurine, 120, NIGHTS),
        1160 => look(shapes::card, 40, CARDS),
        1180 => look(shapes::board_game, 150, NIGHTS),
        1280 => look(shapes::costume, 90, TOYS),
        1281 => look(shapes::boxed_game, 90, TOYS),
        1300 => look(shapes::tech_toy, 90, TECHS),
        1301 => look(shapes::socks, 90, PASTELS),
        1302 => look(shapes::gadget, 240, TOOLS),
        1320 => look(shapes::baby, 150, PASTELS),
        1560 => look(furniture, 330, WOODS),
        1920 => look(bedding, 250, LINENS),
        1940 => look(food, 90, FOODS),
        2060 => look(child_room, 330, PASTELS),
        2220 => look(pet, 240, PETS),
        2280 => look(shapes::poster, 60, BROWNS),
        2403 => look(shapes::magazine, 60, BRIGHTS),
        2462 => look(shapes::retro_game, 90, BLACKS),
        2522 => look(stationery, 60, STATIONERY),
        2582 => look(outdoor, 330, GREENS),
        2583 => look(pool, 240, BLUES),
        2585 => look(tool, 90, TOOLS),
        2705 => look(shapes::new_book, 30, BRIGHTS),
        2905 => look(shapes::computer_game, 30, NIGHTS),
        _ => look(parcel, 0, BROWNS),
    }
}

/// A closed cardboard box: what a careless seller shows of anything.
pub(super) fn parcel(canvas: &mut Canvas, _: Palette, dice: &mut Dice) {
    let board = shade(
        [190, 150, 104],
        i16::try_from(dice.below(30)).unwrap_or(0) - 15,
    );
    canvas.polygon(
        &[(-0.8, -0.3), (-0.5, -0.6), (0.9, -0.6), (0.6, -0.3)],
        shade(board, 25),
    );
    canvas.polygon(
        &[(0.6, -0.3), (0.9, -0.6), (0.9, 0.3), (0.6, 0.65)],
        shade(board, -30),
    );
    canvas.rect(-0.8, -0.3, 0.6, 0.65, board);
    canvas.rect(-0.18, -0.3, -0.02, 0.65, shade(board, 40));
}

fn furniture(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    match dice.below(3) {
        0 => {
            canvas.rect(-0.95, -0.35, 0.95, 0.2, palette[1]);
            canvas.rect(-0.95, 0.0, 0.95, 0.4, shade(palette[1], -25));
            canvas.rect(-0.98, -0.15, -0.75, 0.45, palette[0]);
            canvas.rect(0.75, -0.15, 0.98, 0.45, palette[0]);
            canvas.bar((0.0, 0.0), (0.0, 0.4), 0.01, palette[2]);
        }
        1 => {
            canvas.polygon(
                &[(-0.9, -0.1), (-0.6, -0.35), (0.9, -0.35), (0.7, -0.1)],
                palette[0],
            );
            canvas.rect(-0.9, -0.1, 0.7, 0.0, shade(palette[0], -30));
            for x in [-0.85, 0.6, 0.8] {
                canvas.rect(x, -0.1, x + 0.08, 0.6, shade(palette[0], -45));
            }
        }
        _ => {
            canvas.rect(-0.5, -0.9, 0.5, 0.9, palette[0]);
            for shelf in 0..4_u8 {
                let y = -0.82 + 0.42 * f32::from(shelf);
                canvas.rect(-0.42, y, 0.42, y + 0.34, shade(palette[0], -50));
            }
        }
    }
}

fn bedding(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    canvas.rect(-0.75, -0.75, 0.75, 0.75, palette[0]);
    for (x, y) in [(0.0, -0.72), (0.0, 0.72)] {
        canvas.ellipse(x, y, 0.74, 0.14, palette[0]);
        canvas.ellipse(y, x, 0.14, 0.74, palette[0]);
    }
    let stripes = dice.permille(500);
    for step in 0..5_u8 {
        let at = -0.6 + 0.28 * f32::from(step);
        if stripes {
            canvas.rect(-0.7, at, 0.7, at + 0.09, palette[1]);
        } else {
            for row in 0..5_u8 {
                canvas.ellipse(
                    at + 0.05,
                    -0.55 + 0.28 * f32::from(row),
                    0.08,
                    0.08,
                    palette[2],
                );
            }
        }
    }
}

fn child_room(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(500) {
        for (panel, height) in [0.5, 0.65, 0.8, 0.65, 0.5].into_iter().enumerate() {
            let x = -0.95 + 0.39 * f32::from(u8::try_from(panel).unwrap_or(0));
            canvas.rect(x, -height, x + 0.35, height, palette[panel % 2]);
            canvas.rect(
                x,
                height * 0.2,
                x + 0.35,
                height,
                shade(palette[panel % 2], -40),
            );
        }
        canvas.ellipse(dice.between(-0.3, 0.3), -0.2, 0.25, 0.25, palette[2]);
    } else {
        canvas.ring((0.0, -1.2), (1.0, 1.5), 0.98, [90, 110, 90]);
        for (x, y) in [
            (-0.85, -0.35),
            (-0.6, 0.0),
            (-0.3, 0.22),
            (0.0, 0.3),
            (0.3, 0.22),
            (0.6, 0.0),
            (0.85, -0.35),
        ] {
            let lamp = dice.pick(&palette);
            canvas.ellipse(x, y + 0.14, 0.11, 0.15, lamp);
        }
    }
}

fn stationery(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(550) {
        let pens = 1 + dice.below(3);
        for pen in 0..pens {
            let y = -0.4 + 0.4 * f32::from(u8::try_from(pen).unwrap_or(0));
            canvas.bar((-0.85, y + 0.3), (0.7, y - 0.3), 0.07, palette[0]);
            canvas.bar((0.7, y - 0.3), (0.85, y - 0.36), 0.03, palette[2]);
            canvas.bar((-0.3, y + 0.05), (-0.85, y + 0.26), 0.02, palette[2]);
        }
    } else {
        canvas.rect(-0.65, -0.85, 0.65, 0.85, palette[1]);
        for line in 0..9_u8 {
            let y = -0.6 + 0.16 * f32::from(line);
            canvas.rect(-0.5, y, 0.55, y + 0.02, palette[0]);
        }
        canvas.rect(-0.65, -0.85, -0.55, 0.85, palette[0]);
    }
}

fn outdoor(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(500) {
        canvas.bar((0.0, -0.7), (0.0, 0.85), 0.04, palette[1]);
        canvas.polygon(
            &[
                (-0.95, -0.15),
                (-0.5, -0.6),
                (0.0, -0.75),
                (0.5, -0.6),
                (0.95, -0.15),
            ],
            palette[0],
        );
        canvas.polygon(
            &[(-0.3, -0.15), (0.0, -0.75), (0.3, -0.15)],
            shade(palette[0], 30),
        );
        canvas.ellipse(0.0, 0.85, 0.3, 0.08, palette[1]);
    } else {
        canvas.polygon(&[(-0.95, -0.4), (0.0, -0.85), (0.95, -0.4)], palette[1]);
        for x in [-0.88, 0.8] {
            canvas.rect(x, -0.4, x + 0.08, 0.8, shade(palette[1], -50));
        }
        canvas.rect(-0.4, 0.35, 0.4, 0.45, palette[2]);
        canvas.rect(-0.35, 0.45, -0.28, 0.8, palette[2]);
        canvas.rect(0.28, 0.45, 0.35, 0.8, palette[2]);
    }
}

fn pool(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(600) {
        canvas.ellipse(0.0, 0.25, 0.95, 0.42, shade(palette[0], -20));
        canvas.rect(-0.95, -0.2, 0.95, 0.25, palette[0]);
        canvas.ellipse(0.0, -0.2, 0.95, 0.4, palette[2]);
        canvas.ellipse(0.0, -0.2, 0.86, 0.33, palette[1]);
    } else {
        canvas.ellipse(-0.3, -0.15, 0.42, 0.5, palette[2]);
        canvas.ellipse(-0.3, 0.35, 0.42, 0.2, shade(palette[0], -40));
        canvas.rect(-0.72, -0.1, 0.12, 0.3, shade(palette[2], -30));
        canvas.rect(0.2, 0.2, 0.9, 0.55, palette[0]);
        canvas.bar((0.1, -0.3), (0.6, 0.2), 0.05, shade(palette[0], -60));
    }
}

fn tool(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(600) {
        canvas.rect(-0.6, -0.55, 0.4, -0.15, palette[0]);
        canvas.polygon(
            &[(-0.5, -0.2), (-0.2, -0.2), (-0.3, 0.6), (-0.6, 0.6)],
            palette[1],
        );
        canvas.rect(-0.72, 0.5, -0.15, 0.75, palette[0]);
        canvas.rect(0.4, -0.45, 0.6, -0.25, palette[1]);
        canvas.bar((0.6, -0.35), (0.98, -0.35), 0.03, palette[2]);
    } else {
        canvas.bar((-0.9, 0.3), (-0.1, 0.0), 0.12, palette[0]);
        canvas.polygon(
            &[(-0.15, -0.12), (0.95, -0.45), (0.95, -0.3), (-0.05, 0.12)],
            palette[2],
        );
    }
}

fn food(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    let half: f32 = dice.pick(&[0.32, 0.5]);
    let label: Colour = palette[1];
    canvas.rect(-half, -0.4, half, 0.85, palette[0]);
    canvas.ellipse(0.0, -0.4, half, 0.2, palette[0]);
    canvas.rect(
        -half * 0.5,
        -0.85,
        half * 0.5,
        -0.45,
        shade(palette[0], -30),
    );
    canvas.rect(-half * 0.55, -0.9, half * 0.55, -0.75, palette[2]);
    canvas.rect(-half, -0.05, half, 0.55, label);
    canvas.ellipse(0.0, 0.25, half * 0.45, 0.18, palette[2]);
}

fn pet(canvas: &mut Canvas, palette: Palette, dice: &mut Dice) {
    if dice.permille(550) {
        canvas.ring((0.0, -0.1), (0.75, 0.6), 0.78, palette[0]);
        canvas.rect(-0.12, 0.36, 0.12, 0.56, palette[2]);
        canvas.ellipse(0.0, 0.72, 0.16, 0.18, palette[2]);
    } else {
        canvas.ellipse(0.0, 0.4, 0.85, 0.42, palette[0]);
        canvas.ellipse(0.0, 0.28, 0.62, 0.26, palette[1]);
        canvas.ellipse(0.0, 0.0, 0.2, 0.16, shade(palette[1], -50));
        for (x, y) in [(-0.3, -0.2), (-0.1, -0.32), (0.12, -0.32), (0.32, -0.2)] {
            canvas.ellipse(x, y, 0.09, 0.11, shade(palette[1], -50));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::categories::CATEGORIES;
    use crate::sample::dice::{Purpose, Side};

    fn drawn(code: u32) -> Vec<u8> {
        let look = look_of(code);
        let mut canvas = Canvas::new(48, [255, 255, 255]);
        let mut dice = Dice::new(1, Purpose::Picture, Side::Labelled, 3);
        (look.draw)(&mut canvas, look.palettes[0], &mut dice);
        canvas.into_rgb()
    }

    #[test]
    fn every_category_draws_something_of_its_own() {
        let drawings: Vec<_> = CATEGORIES
            .iter()
            .map(|category| drawn(category.code))
            .collect();
        for (index, drawing) in drawings.iter().enumerate() {
            let inked = drawing.iter().filter(|byte| **byte != 255).count();
            assert!(inked > drawing.len() / 20, "{}", CATEGORIES[index].code);
            assert!(
                drawings[..index].iter().all(|other| other != drawing),
                "{}",
                CATEGORIES[index].code
            );
        }
        let parcel = drawn(0);
        assert!(drawings.iter().all(|drawing| *drawing != parcel));
    }
}
