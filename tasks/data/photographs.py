"""Labelled colour images cut from photographs, for the published sets that no package carries.

A class is a photograph, or one cell of a grid laid over a photograph. Every cell is divided again,
by a pattern of letters, into tiles that belong to train, inner validation, outer validation or test;
an image is a square window inside one tile. So no two splits ever share a pixel, and what a network
learns of a class it has to carry over to another part of the same scene.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from . import shipped
from .resampling import resize

ROLES = {"train": "t", "inner_valid": "i", "outer_valid": "o", "test": "e"}
"""The letter of each split in a tile pattern."""

SCENES = (
    "astronaut",
    "chelsea",
    "china",
    "coffee",
    "face",
    "flower",
    "hubble_deep_field",
    "ihc",
    "retina",
    "rocket",
)

_NINE_TILES = ("tti", "ott", "tet")
_SIXTEEN_TILES = ("ttit", "ettt", "ttot", "iteo")

# Draws of one image, each a column of uniform numbers.
_TILE, _LEVEL, _TOP, _LEFT, _FLIP, _BRIGHTNESS, _CONTRAST, _SATURATION, _RED, _GREEN, _BLUE = range(
    11
)
_DRAWS = 11
_CHUNK = 2048


@dataclass(frozen=True)
class Recipe:
    """How one data set is cut from the photographs.

    Attributes:
        key: number that keeps the random draws of data sets apart.
        size: rows and columns of an image.
        scenes: photographs used.
        grid: rows and columns of class cells on each photograph.
        turns: 1, or 4: the quarter turns of a cell are classes of their own.
        angles: 0, or the number of equally spaced rotation angles; then the angle is the class.
        tiles: letters of the splits, laid over each cell.
        levels: sides of the windows, as fractions of the short side of a tile.
        flip: whether images are mirrored left to right by a coin.
        light: largest relative change of brightness, contrast and saturation.
        tint: largest relative gain of each colour channel.
        counts: number of images by split the data set offers (`train`, `validation`, `test`).
    """

    key: int
    size: int
    counts: Mapping[str, int]
    scenes: tuple[str, ...] = SCENES
    grid: tuple[int, int] = (1, 1)
    turns: int = 1
    angles: int = 0
    tiles: tuple[str, ...] = _NINE_TILES
    levels: tuple[float, ...] = (0.55, 0.7, 0.9)
    flip: bool = True
    light: float = 0.2
    tint: float = 0.1


_WITH_TEST = {"train": 20_000, "test": 5_000}
_TRAIN_ONLY = {"train": 25_000}

RECIPES: dict[str, Recipe] = {
    "cifar10": Recipe(
        1, 32, _WITH_TEST, tiles=_SIXTEEN_TILES, levels=(0.25, 0.4, 0.65), light=0.5, tint=0.4
    ),
    "cifar100": Recipe(2, 32, _WITH_TEST, grid=(2, 5), light=0.3, tint=0.2),
    "food101_32x32": Recipe(3, 32, _TRAIN_ONLY, grid=(3, 4), light=0.2, tint=0.1),
    "food101_64x64": Recipe(4, 64, {"train": 10_000}, grid=(3, 4), light=0.2, tint=0.1),
    "coil100_32x32": Recipe(
        5,
        32,
        {"train": 7_200},
        scenes=("astronaut", "chelsea", "china", "coffee", "face", "flower", "rocket"),
        angles=72,
        tiles=_SIXTEEN_TILES,
        levels=(0.6,),
        flip=False,
        light=0.1,
        tint=0.05,
    ),
    "deep_weeds_32x32": Recipe(
        6,
        32,
        {"train": 17_500},
        scenes=("flower",),
        grid=(3, 3),
        levels=(0.5, 0.7, 0.9),
        light=0.3,
        tint=0.1,
    ),
    "sun397_32x32": Recipe(
        7, 32, {"train": 20_000, "validation": 3_000, "test": 5_000}, grid=(5, 8), light=0.2
    ),
    "imagenet_resized/32x32": Recipe(
        8, 32, {"train": 25_000, "validation": 5_000}, grid=(5, 5), turns=4, flip=False, light=0.1
    ),
    "imagenet_resized/16x16": Recipe(
        9, 16, {"train": 25_000, "validation": 5_000}, grid=(5, 5), turns=4, flip=False, light=0.2
    ),
    "colorectal_histology_32x32": Recipe(
        10,
        32,
        {"train": 5_000},
        scenes=("ihc",),
        grid=(2, 4),
        levels=(0.5, 0.7, 0.9),
        light=0.1,
        tint=0.05,
    ),
}


@cache
def photographs() -> dict[str, NDArray[np.uint8]]:
    """The shipped photographs by name, uint8 of shape `(H, W, 3)`."""
    return {
        name: shipped.decode_image(coded) for name, coded in shipped.read("photographs").items()
    }


def cut(
    name: str, role: str, count: int, classes: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Images and labels of one split of a data set.

    The first `n` images are the same whatever `count` is, and the classes take turns.

    Args:
        name: a key of `RECIPES`.
        role: a key of `ROLES`.
        count: number of images.
        classes: number of classes.
        seed: another seed gives other windows and other colours of the same scenes.

    Returns:
        uint8 images `(count, size, size, 3)` and int32 labels `(count,)`.
    """
    recipe = RECIPES[name]
    letter = ROLES[role]
    draws = np.random.default_rng((recipe.key, ord(letter), seed)).random(
        (count, _DRAWS), dtype=np.float32
    )
    labels = (np.arange(count) % classes).astype(np.int32)
    scene, cell, turn = _place(recipe, labels, draws)
    level = (draws[:, _LEVEL] * len(recipe.levels)).astype(int)
    images = np.empty((count, recipe.size, recipe.size, 3), np.uint8)
    for s, scene_name in enumerate(recipe.scenes):
        for k, fraction in enumerate(recipe.levels):
            chosen = np.flatnonzero((scene == s) & (level == k))
            if chosen.size:
                windows = _windows(
                    recipe, scene_name, fraction, cell[chosen], letter, draws[chosen]
                )
                images[chosen] = _rotate(recipe, windows, labels[chosen])
    for quarter in range(1, recipe.turns):
        chosen = np.flatnonzero(turn == quarter)
        images[chosen] = np.rot90(images[chosen], quarter, axes=(1, 2))
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        images[part] = _colour(recipe, images[part], draws[part])
    return images, labels


def _place(
    recipe: Recipe, labels: NDArray[np.int32], draws: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Scene, cell and quarter turn of every image; scenes vary fastest with the label."""
    number = np.arange(len(labels)) // recipe.angles if recipe.angles else labels
    number, scene = np.divmod(number.astype(np.intp), len(recipe.scenes))
    turn, cell = np.divmod(number, recipe.grid[0] * recipe.grid[1])
    return scene, cell, turn


def _windows(
    recipe: Recipe,
    scene: str,
    fraction: float,
    cell: NDArray[np.intp],
    letter: str,
    draws: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Square windows of one photograph at one scale, each inside a tile of the wanted split."""
    photograph = photographs()[scene]
    rows, columns = recipe.grid
    tiles = len(recipe.tiles)
    side = min(photograph.shape[0] / (rows * tiles), photograph.shape[1] / (columns * tiles))
    zoom = recipe.size / (fraction * side)
    height, width = (round(zoom * extent) for extent in photograph.shape[:2])
    scaled = resize(photograph, height, width, antialias=True)
    # A rotated window must find its corners inside the tile too.
    reach = int(np.ceil(recipe.size * np.sqrt(2))) + 1 if recipe.angles else recipe.size
    free = np.array(
        [(r, c) for r, row in enumerate(recipe.tiles) for c, x in enumerate(row) if x == letter]
    )
    tile = free[(draws[:, _TILE] * len(free)).astype(int)]
    # Shifting the pattern from cell to cell keeps a split from always being, say, the right edge.
    tile = (tile + np.stack([cell, cell // tiles], axis=1)) % tiles
    corner = []
    for axis, (extent, number, cells) in enumerate(
        ((height, cell // columns, rows), (width, cell % columns, columns))
    ):
        low = np.ceil(extent * (number * tiles + tile[:, axis]) / (cells * tiles)).astype(int)
        high = np.floor(extent * (number * tiles + tile[:, axis] + 1) / (cells * tiles)).astype(int)
        room = high - low - reach + 1
        corner.append(low + (draws[:, (_TOP, _LEFT)[axis]] * room).astype(int))
    views = sliding_window_view(scaled, (reach, reach), axis=(0, 1))
    windows = np.moveaxis(views[corner[0], corner[1]], 1, -1)
    if recipe.flip:
        windows = np.where(draws[:, _FLIP, None, None, None] < 0.5, windows, windows[:, :, ::-1])
    return windows


def _rotate(
    recipe: Recipe, windows: NDArray[np.uint8], labels: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """Windows turned about their centre by the angle that is their label (bilinear)."""
    if not recipe.angles:
        return windows
    reach, size = windows.shape[1], recipe.size
    offset = np.arange(size) - (size - 1) / 2
    rotated = np.empty((len(windows), size, size, 3), np.uint8)
    for label in np.unique(labels):
        angle = 2 * np.pi * label / recipe.angles
        y = np.cos(angle) * offset[:, None] - np.sin(angle) * offset + (reach - 1) / 2
        x = np.sin(angle) * offset[:, None] + np.cos(angle) * offset + (reach - 1) / 2
        top, left = np.floor(y).astype(int), np.floor(x).astype(int)
        down, right = (y - top)[..., None], (x - left)[..., None]
        chosen = np.flatnonzero(labels == label)
        source = windows[chosen].astype(np.float32)
        upper = source[:, top, left] * (1 - right) + source[:, top, left + 1] * right
        lower = source[:, top + 1, left] * (1 - right) + source[:, top + 1, left + 1] * right
        rotated[chosen] = np.rint(upper * (1 - down) + lower * down)
    return rotated


def _colour(
    recipe: Recipe, images: NDArray[np.uint8], draws: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Changes of tint, saturation, contrast and brightness, drawn for each image."""
    signed = (2 * draws - 1)[:, :, None, None, None]
    x = images.astype(np.float32)
    x *= 1 + recipe.tint * (2 * draws[:, None, None, _RED : _BLUE + 1] - 1)
    grey = x.mean(axis=3, keepdims=True)
    x = grey + (1 + recipe.light * signed[:, _SATURATION]) * (x - grey)
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    x = mean * (1 + recipe.light * signed[:, _BRIGHTNESS]) + (
        1 + recipe.light * signed[:, _CONTRAST]
    ) * (x - mean)
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)
