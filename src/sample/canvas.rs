//! A small raster canvas: filled shapes in a turned, scaled and moved frame.
//!
//! Invariant: only additions, multiplications, divisions and comparisons of `f32`, which every machine rounds
//! alike; no sine, no power.

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

/// Where the unit square of a drawing lies on the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// Centre, in shares of the canvas.
    pub centre: (f32, f32),
    /// Half the drawing's width, in shares of the canvas.
    pub scale: f32,
    /// Tangent of half the angle it is turned by.
    pub half_turn: f32,
}

impl Frame {
    /// Returns the cosine and sine of the turn.
    ///
    /// # Source
    ///
    /// The rational parametrisation of the circle, exact enough without trigonometry.
    fn rotation(&self) -> (f32, f32) {
        let t = self.half_turn;
        let norm = 1.0 + t * t;
        ((1.0 - t * t) / norm, 2.0 * t / norm)
    }
}

/// An RGB picture under construction.
#[derive(Debug)]
pub(super) struct Canvas {
    size: u32,
    rgb: Vec<u8>,
    frame: Frame,
}

impl Canvas {
    /// Starts a square canvas of one colour; drawing fills it until a frame is set.
    pub(super) fn new(size: u32, colour: Colour) -> Self {
        let rgb = colour.repeat(size as usize * size as usize);
        Self {
            size,
            rgb,
            frame: Frame {
                centre: (0.5, 0.5),
                scale: 0.5,
                half_turn: 0.0,
            },
        }
    }

    /// Sets where the following shapes go.
    pub(super) fn set_frame(&mut self, frame: Frame) {
        self.frame = frame;
    }

    /// Gives the pixels: 8-bit RGB, row by row.
    pub(super) fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// Gives every pixel to `change`.
    pub(super) fn for_each_pixel(&mut self, mut change: impl FnMut(&mut [u8])) {
        self.rgb.chunks_exact_mut(3).for_each(&mut change);
    }

    /// Fills a rectangle.
    pub(super) fn rect(&mut self, x0: f32, y0: f32, x1: f32, y1: f32, colour: Colour) {
        self.fill([x0, y0, x1, y1], colour, |_, _| true);
    }

    /// Fills an ellipse.
    pub(super) fn ellipse(&mut self, cx: f32, cy: f32, rx: f32, ry: f32, colour: Colour) {
        self.fill([cx - rx, cy - ry, cx + rx, cy + ry], colour, |x, y| {
            let (u, v) = ((x - cx) / rx, (y - cy) / ry);
            u * u + v * v <= 1.0
        });
    }

    /// Fills the band between an ellipse and the same ellipse shrunk to `hole` of its size.
    pub(super) fn ring(
        &mut self,
        centre: (f32, f32),
        radii: (f32, f32),
        hole: f32,
        colour: Colour,
    ) {
        let ((cx, cy), (rx, ry)) = (centre, radii);
        self.fill([cx - rx, cy - ry, cx + rx, cy + ry], colour, |x, y| {
            let (u, v) = ((x - cx) / rx, (y - cy) / ry);
            let distance = u * u + v * v;
            distance <= 1.0 && distance >= hole * hole
        });
    }

    /// Fills a polygon (even-odd rule).
    pub(super) fn polygon(&mut self, points: &[(f32, f32)], colour: Colour) {
        let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
        for (x, y) in points {
            bounds = [
                bounds[0].min(*x),
                bounds[1].min(*y),
                bounds[2].max(*x),
                bounds[3].max(*y),
            ];
        }
        self.fill(bounds, colour, |x, y| crossings(points, x, y) % 2 == 1);
    }

    /// Fills a straight bar of the given half width.
    pub(super) fn bar(
        &mut self,
        from: (f32, f32),
        to: (f32, f32),
        half_width: f32,
        colour: Colour,
    ) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).sqrt().max(1e-6);
        let (nx, ny) = (-dy / length * half_width, dx / length * half_width);
        let points = [
            (from.0 + nx, from.1 + ny),
            (to.0 + nx, to.1 + ny),
            (to.0 - nx, to.1 - ny),
            (from.0 - nx, from.1 - ny),
        ];
        self.polygon(&points, colour);
    }

    /// Blends `colour` over the pixels whose four sample points are `inside`, in the frame's coordinates.
    fn fill(&mut self, bounds: [f32; 4], colour: Colour, inside: impl Fn(f32, f32) -> bool) {
        let Some((columns, rows)) = self.pixel_bounds(bounds) else {
            return;
        };
        let (cos, sin) = self.frame.rotation();
        let size = pixels(self.size);
        let scale = self.frame.scale * size;
        let (cx, cy) = (self.frame.centre.0 * size, self.frame.centre.1 * size);
        let hit = |px: f32, py: f32| {
            let (dx, dy) = ((px - cx) / scale, (py - cy) / scale);
            let (x, y) = (dx * cos + dy * sin, dy * cos - dx * sin);
            x >= bounds[0] && x <= bounds[2] && y >= bounds[1] && y <= bounds[3] && inside(x, y)
        };
        for row in rows.0..rows.1 {
            for column in columns.0..columns.1 {
                let (px, py) = (pixels(column), pixels(row));
                let samples = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)];
                let cover = samples
                    .iter()
                    .map(|(u, v)| u16::from(hit(px + u, py + v)))
                    .sum();
                let at = (row as usize * self.size as usize + column as usize) * 3;
                blend(&mut self.rgb[at..at + 3], colour, cover);
            }
        }
    }

    /// Bounds a turned rectangle by columns and rows of pixels.
    fn pixel_bounds(&self, bounds: [f32; 4]) -> Option<((u32, u32), (u32, u32))> {
        let (cos, sin) = self.frame.rotation();
        let size = pixels(self.size);
        let scale = self.frame.scale * size;
        let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
        for (x, y) in [(0, 1), (0, 3), (2, 1), (2, 3)].map(|(i, j)| (bounds[i], bounds[j])) {
            let px = self.frame.centre.0 * size + (x * cos - y * sin) * scale;
            let py = self.frame.centre.1 * size + (x * sin + y * cos) * scale;
            low = (low.0.min(px), low.1.min(py));
            high = (high.0.max(px), high.1.max(py));
        }
        let columns = (whole(low.0, self.size), whole(high.0 + 1.0, self.size));
        let rows = (whole(low.1, self.size), whole(high.1 + 1.0, self.size));
        (columns.0 < columns.1 && rows.0 < rows.1).then_some((columns, rows))
    }
}

/// Counts the edges of a polygon to the left of a point.
fn crossings(points: &[(f32, f32)], x: f32, y: f32) -> usize {
    let next = points.iter().cycle().skip(1);
    let crossed = points.iter().zip(next).filter(|((ax, ay), (bx, by))| {
        (*ay > y) != (*by > y) && x > (bx - ax) * (y - ay) / (by - ay) + ax
    });
    crossed.count()
}

/// Covers `cover` quarters of a pixel.
fn blend(pixel: &mut [u8], colour: Colour, cover: u16) {
    for (channel, new) in pixel.iter_mut().zip(colour) {
        *channel = ((u16::from(*channel) * (4 - cover) + u16::from(new) * cover + 2) / 4) as u8;
    }
}

fn pixels(count: u32) -> f32 {
    count as f32
}

fn whole(position: f32, size: u32) -> u32 {
    position.clamp(0.0, pixels(size)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Colour = [0, 0, 0];

    fn dark_share(canvas: Canvas) -> f32 {
        let rgb = canvas.into_rgb();
        let dark: f32 = rgb.iter().map(|byte| 1.0 - f32::from(*byte) / 255.0).sum();
        dark / f32::from(u16::try_from(rgb.len()).unwrap_or(u16::MAX))
    }

    fn white() -> Canvas {
        Canvas::new(64, [255, 255, 255])
    }

    #[test]
    fn shapes_cover_their_area() {
        let mut canvas = white();
        canvas.rect(-0.5, -0.5, 0.5, 0.5, BLACK);
        assert!((dark_share(canvas) - 0.25).abs() < 0.005);
        let mut canvas = white();
        canvas.ellipse(0.0, 0.0, 1.0, 1.0, BLACK);
        assert!((dark_share(canvas) - 0.785).abs() < 0.01);
        let mut canvas = white();
        canvas.ring((0.0, 0.0), (1.0, 1.0), 0.5, BLACK);
        assert!((dark_share(canvas) - 0.589).abs() < 0.01);
        let mut canvas = white();
        canvas.polygon(&[(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0)], BLACK);
        assert!((dark_share(canvas) - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_turned_shape_keeps_its_area_and_stays_on_the_canvas() {
        let mut canvas = white();
        canvas.set_frame(Frame {
            centre: (0.5, 0.5),
            scale: 0.5,
            half_turn: 0.3,
        });
        canvas.bar((-0.5, 0.0), (0.5, 0.0), 0.25, BLACK);
        assert!((dark_share(canvas) - 0.125).abs() < 0.005);
        let mut canvas = white();
        canvas.set_frame(Frame {
            centre: (1.2, -0.3),
            scale: 0.9,
            half_turn: -2.0,
        });
        canvas.rect(-1.0, -1.0, 1.0, 1.0, BLACK);
        assert!(dark_share(canvas) > 0.0);
    }
}
