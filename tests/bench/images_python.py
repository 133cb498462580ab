#!/usr/bin/env python3
"""Decode, crop a tenth off each edge, resize to 224x224: the time of one library.

Usage: images_python.py LIBRARY FILES THREADS [PIXELS]

FILES names the files, one a line. Prints images, wall and CPU seconds as JSON. With PIXELS, writes what Pillow makes of each file
there instead, one after the other.
"""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

SIZE = 224
CHUNK = 16


def margins(width, height):
    return width // 10, height // 10


def pillow(path):
    import numpy
    from PIL import Image

    with Image.open(path) as image:
        image = image.convert("RGB")
        width, height = image.size
        dx, dy = margins(width, height)
        image = image.crop((dx, dy, width - dx, height - dy))
        return numpy.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def opencv(path):
    import cv2

    cv2.setNumThreads(1)
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    dx, dy = margins(width, height)
    return cv2.resize(image[dy : height - dy, dx : width - dx], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def torchvision(path):
    import torch
    import torchvision.transforms.v2.functional as functional
    from torchvision.io import ImageReadMode, decode_jpeg, read_file

    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
    image = decode_jpeg(read_file(path), mode=ImageReadMode.RGB)
    height, width = image.shape[1:]
    dx, dy = margins(width, height)
    return functional.resize(image[:, dy : height - dy, dx : width - dx], [SIZE, SIZE], antialias=True)


LIBRARIES = {"pillow": pillow, "opencv": opencv, "torchvision": torchvision}


def chunk(name, paths):
    """CPU seconds of the thread for some files."""
    start = time.thread_time()
    for path in paths:
        LIBRARIES[name](path)
    return time.thread_time() - start


def main():
    name, files, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    paths = open(files, encoding="utf-8").read().splitlines()
    if len(sys.argv) > 4:
        with open(sys.argv[4], "wb") as out:
            for path in paths:
                out.write(pillow(path).tobytes())
        return
    # Pillow holds the interpreter for more of it than the others do.
    pool = ProcessPoolExecutor if name == "pillow" else ThreadPoolExecutor
    chunks = [paths[at : at + CHUNK] for at in range(0, len(paths), CHUNK)]
    with pool(threads) as executor:
        # Imports, and the files into memory.
        list(executor.map(chunk, [name] * len(chunks[:8]), chunks[:8]))
        start = time.perf_counter()
        cpu = sum(executor.map(chunk, [name] * len(chunks), chunks))
        wall = time.perf_counter() - start
    print(json.dumps({"wall_s": wall, "cpu_s": cpu}))


if __name__ == "__main__":
    main()
