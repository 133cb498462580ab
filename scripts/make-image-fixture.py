#!/usr/bin/env python3
"""Makes tests/fixtures/images again: JPEGs of every kind that the own decoder reads, and what Pillow makes of them.

Usage: make-image-fixture.py (needs pillow, and for what Pillow does not write opencv)

One drawn picture with smooth areas, edges and grain, of odd width and height. Beside each NAME.jpg stands NAME.rgb: cropped by a
tenth of each edge and resized to 24x24 (BILINEAR), rows of red, green, blue.
"""

import pathlib
import random

import cv2
import numpy
from PIL import Image, ImageDraw

WIDTH, HEIGHT, SIZE = 187, 141, 24
KINDS = {
    "progressive-420": dict(progressive=True, quality=80, subsampling="4:2:0"),
    "progressive-422": dict(progressive=True, quality=60, subsampling="4:2:2"),
    "progressive-444": dict(progressive=True, quality=30, subsampling="4:4:4"),
    "progressive-restarts": dict(progressive=True, quality=70, subsampling="4:2:0", restart_marker_rows=1),
    "progressive-grey": dict(progressive=True, quality=75),
    "baseline-420": dict(quality=75, subsampling="4:2:0", optimize=True),
    "baseline-422-restarts": dict(quality=95, subsampling="4:2:2", restart_marker_blocks=5),
    "baseline-444": dict(quality=20, subsampling="4:4:4"),
    "baseline-grey": dict(quality=85),
    "baseline-rgb": dict(quality=75, keep_rgb=True),
}

# Chroma of half the height alone, which cameras make that turn pictures without decoding them.
OPENCV_KINDS = {
    "progressive-440": dict(JPEG_QUALITY=80, JPEG_PROGRESSIVE=1, JPEG_SAMPLING_FACTOR=0x121111),
    "baseline-440": dict(JPEG_QUALITY=60, JPEG_SAMPLING_FACTOR=0x121111),
    "baseline-411": dict(JPEG_QUALITY=80, JPEG_SAMPLING_FACTOR=0x411111),
}


def draw() -> Image.Image:
    random.seed(5)
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    for x in range(WIDTH):
        pen.line([(x, 20), (x, 55)], fill=(x, 200 - x, 90))
    pen.ellipse([30, 40, 110, 130], fill=(200, 40, 30), outline="black", width=3)
    pen.rectangle([90, 70, 170, 120], fill=(20, 60, 160))
    for _ in range(400):
        x, y = random.randrange(95, 165), random.randrange(75, 115)
        pen.point((x, y), fill=tuple(random.randrange(256) for _ in range(3)))
    pen.text((35, 5), "Rayonnage 24,99 EUR", fill="black")
    return image


def main() -> None:
    folder = pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    picture = draw()
    for name, options in KINDS.items():
        path = folder / f"{name}.jpg"
        image = picture.convert("L") if name.endswith("grey") else picture
        image.save(path, "JPEG", **options)
        prepare(path)
    pixels = numpy.asarray(picture)[:, :, ::-1]
    for name, options in OPENCV_KINDS.items():
        path = folder / f"{name}.jpg"
        flags = [value for key, of in options.items() for value in (getattr(cv2, f"IMWRITE_{key}"), of)]
        assert cv2.imwrite(str(path), pixels, flags)
        prepare(path)


def prepare(path: pathlib.Path) -> None:
    with Image.open(path) as saved:
        dx, dy = WIDTH // 10, HEIGHT // 10
        part = saved.convert("RGB").crop((dx, dy, WIDTH - dx, HEIGHT - dy))
    small = part.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    path.with_suffix(".rgb").write_bytes(small.tobytes())


if __name__ == "__main__":
    main()
