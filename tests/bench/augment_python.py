#!/usr/bin/env python3
"""Flip, rotate, shift, zoom and brighten images of one size: the time of one library.

Usage: augment_python.py LIBRARY SIZE THREADS IMAGES

Prints wall and CPU seconds as JSON. Each thread is a process of its own, so that none waits for the interpreter of another.
"""

import json
import multiprocessing
import sys
import time


def image(size):
    import numpy

    return (numpy.arange(size * size * 3) * 7919 % 251).astype(numpy.uint8).reshape(size, size, 3)


def torchvision(size, transforms, source):
    from torchvision.transforms import InterpolationMode

    affine = transforms.RandomAffine(15, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation=InterpolationMode.BILINEAR)
    vary = transforms.Compose([transforms.RandomHorizontalFlip(), affine, transforms.ColorJitter(brightness=0.2)])
    return lambda: vary(source)


def of_tensors(size):
    import torch
    import torchvision.transforms.v2 as transforms

    torch.set_num_threads(1)
    return torchvision(size, transforms, torch.from_numpy(image(size)).permute(2, 0, 1).contiguous())


def of_pillow(size):
    import torchvision.transforms as transforms
    from PIL import Image

    return torchvision(size, transforms, Image.fromarray(image(size)))


def keras(size):
    """As ImageDataGenerator does: one affine map for each channel by SciPy, then Pillow's brightness."""
    import numpy
    from PIL import Image, ImageEnhance
    from scipy import ndimage

    random = numpy.random.default_rng(1)
    source = image(size).astype(numpy.float32)

    def vary():
        angle = numpy.deg2rad(random.uniform(-15, 15))
        tx, ty = random.uniform(-0.1, 0.1, 2) * size
        zx, zy = random.uniform(0.9, 1.1, 2)
        cos, sin = numpy.cos(angle), numpy.sin(angle)
        matrix = numpy.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        matrix = matrix @ numpy.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]]) @ numpy.diag([zx, zy, 1])
        middle = size / 2 - 0.5
        there, back = numpy.eye(3), numpy.eye(3)
        there[:2, 2], back[:2, 2] = middle, -middle
        matrix = there @ matrix @ back
        channels = [
            ndimage.affine_transform(source[..., channel], matrix[:2, :2], matrix[:2, 2], order=1, mode="nearest")
            for channel in range(3)
        ]
        moved = numpy.stack(channels, axis=-1)
        if random.random() < 0.5:
            moved = moved[:, ::-1]
        picture = Image.fromarray(moved.astype(numpy.uint8))
        return numpy.asarray(ImageEnhance.Brightness(picture).enhance(random.uniform(0.8, 1.2)))

    return vary


LIBRARIES = {"torchvision": of_tensors, "torchvision-pillow": of_pillow, "keras": keras}


def work(name, size, images, ready, begin, spent):
    vary = LIBRARIES[name](size)
    vary()
    ready.release()
    begin.wait()
    start = time.process_time()
    for _ in range(images):
        vary()
    spent.put(time.process_time() - start)


def main():
    name, size, threads, images = sys.argv[1], *map(int, sys.argv[2:])
    context = multiprocessing.get_context("spawn")
    ready, begin, spent = context.Semaphore(0), context.Event(), context.Queue()
    workers = [context.Process(target=work, args=(name, size, images // threads, ready, begin, spent)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    start = time.perf_counter()
    begin.set()
    cpu = sum(spent.get() for _ in workers)
    wall = time.perf_counter() - start
    for worker in workers:
        worker.join()
    print(json.dumps({"wall_s": wall, "cpu_s": cpu}))


if __name__ == "__main__":
    main()
