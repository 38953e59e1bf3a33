"""Labelled colour images cut from photographs, for the published sets that no package carries.

A class is a photograph, one cell of a grid laid over a photograph, or a quarter turn of such a
cell. Every cell is divided again, by a pattern of letters, into tiles that belong to train, inner
validation, outer validation or test; an image is a square window inside one tile. Tiles are scaled
one by one, so no pixel of one split ever enters an image of another, and what a network learns of a
class it has to carry over to another part of the same scene.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import shipped
from .resampling import resample_rows, to_pixels

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

# The draws of one image, each a column of uniform numbers.
_TILE, _LEVEL, _TOP, _LEFT, _FLIP, _BRIGHTNESS, _CONTRAST, _SATURATION = range(8)
_TINT = slice(8, 11)
_DRAWS = 11
_CHUNK = 64  # images whose colours are changed at once: few enough for the cache


@dataclass(frozen=True)
class Recipe:
    """How one data set is cut from the photographs.

    Attributes:
        key: number that keeps the random draws of data sets apart.
        size: rows and columns of an image.
        counts: number of images of each split the data set offers (`train`, `validation`, `test`).
        scenes: photographs used.
        grid: rows and columns of class cells on each photograph.
        turns: how many quarter turns of a cell are classes of their own (1, 2 or 4).
        angles: 0, or a number of equally spaced rotation angles; then the angle is the class.
        tiles: letters of the splits, laid over each cell.
        levels: sides of the windows, as fractions of the shortest side of a tile.
        flip: whether images are mirrored left to right by a coin.
        light: largest relative change of brightness, contrast and saturation.
        tint: largest relative gain of each colour channel.
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

    @property
    def reach(self) -> int:
        """Side of a window: a rotated image must find its corners inside the tile too."""
        return int(np.ceil(self.size * np.sqrt(2))) + 1 if self.angles else self.size


_WITH_TEST = {"train": 16_000, "test": 4_000}

RECIPES: dict[str, Recipe] = {
    "cifar10": Recipe(
        1, 32, _WITH_TEST, tiles=_SIXTEEN_TILES, levels=(0.25, 0.4, 0.65), light=0.5, tint=0.4
    ),
    "cifar100": Recipe(2, 32, _WITH_TEST, grid=(2, 5), light=0.3, tint=0.2),
    "food101_32x32": Recipe(3, 32, {"train": 20_000}, grid=(3, 4), tint=0.2),
    "food101_64x64": Recipe(4, 64, {"train": 6_000}, grid=(3, 4), tint=0.2),
    "coil100_32x32": Recipe(
        5,
        32,
        {"train": 7_200},
        scenes=("brick", "china"),
        angles=72,
        tiles=_SIXTEEN_TILES,
        levels=(0.5,),
        flip=False,
        light=0.1,
    ),
    "deep_weeds_32x32": Recipe(
        6, 32, {"train": 17_500}, scenes=("china", "face", "flower"), grid=(1, 3), light=0.3
    ),
    "sun397_32x32": Recipe(
        7, 32, {"train": 16_000, "validation": 2_000, "test": 4_000}, grid=(4, 5), turns=2
    ),
    "imagenet_resized/32x32": Recipe(
        8, 32, {"train": 20_000, "validation": 4_000}, grid=(5, 5), turns=4, flip=False, light=0.1
    ),
    "imagenet_resized/16x16": Recipe(
        9, 16, {"train": 20_000, "validation": 4_000}, grid=(5, 5), turns=4, flip=False
    ),
    "colorectal_histology_32x32": Recipe(
        10,
        32,
        {"train": 5_000},
        scenes=("ihc",),
        grid=(2, 4),
        tiles=_SIXTEEN_TILES,
        levels=(0.7, 0.9),
        light=0.1,
        tint=0.05,
    ),
}


@cache
def photographs() -> dict[str, NDArray[np.uint8]]:
    """The shipped photographs by name, uint8 of shape `(H, W, 3)`; a grey one in three channels."""
    decoded = {name: shipped.decode_image(x) for name, x in shipped.read("photographs").items()}
    return {name: np.broadcast_to(x, (*x.shape[:2], 3)) for name, x in decoded.items()}


@lru_cache(maxsize=4)
def cut(
    name: str, sizes: tuple[tuple[str, int], ...], classes: int, seed: int
) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.int32]]]:
    """Images and labels of the splits of a data set; kept for the next call, so read-only.

    In each split the classes take turns, so any beginning of it is balanced.

    Args:
        name: a key of `RECIPES`.
        sizes: pairs of a split, a key of `ROLES`, and its number of images.
        classes: number of classes.
        seed: another seed gives other windows and other colours of the same scenes.

    Returns:
        By split: uint8 images `(count, size, size, 3)` and int32 labels `(count,)`.
    """
    recipe = RECIPES[name]
    plans = {role: _plan(recipe, ROLES[role], count, classes, seed) for role, count in sizes}
    for s, scene in enumerate(recipe.scenes):
        for k, fraction in enumerate(recipe.levels):
            scaled = _scaled(scene, recipe, fraction)
            for plan in plans.values():
                _fill(plan, np.flatnonzero((plan.scene == s) & (plan.level == k)), recipe, scaled)
    images = {role: _finish(plan, recipe) for role, plan in plans.items()}
    _keep_apart(images)
    for part in images.values():
        part.flags.writeable = False
    return {role: (images[role], plan.labels) for role, plan in plans.items()}


@dataclass(frozen=True)
class _Plan:
    """What was drawn for the images of one split; one row an image.

    Attributes:
        draws: uniform numbers, columns as named above.
        labels: int32 classes.
        scene: number of the photograph.
        row: row of the tile in the grid of all tiles of the photograph.
        column: column of the tile.
        turn: number of quarter turns.
        level: number of the scale.
        windows: uint8 windows, to be filled in.
    """

    draws: NDArray[np.float64]
    labels: NDArray[np.int32]
    scene: NDArray[np.intp]
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    turn: NDArray[np.intp]
    level: NDArray[np.intp]
    windows: NDArray[np.uint8]


def _plan(recipe: Recipe, letter: str, count: int, classes: int, seed: int) -> _Plan:
    draws = np.random.default_rng((recipe.key, ord(letter), seed)).random((count, _DRAWS))
    labels = (np.arange(count) % classes).astype(np.int32)
    labels.flags.writeable = False
    # Scenes vary fastest with the label, then cells, then quarter turns.
    number = np.arange(count) // recipe.angles if recipe.angles else labels.astype(np.intp)
    number, scene = np.divmod(number, len(recipe.scenes))
    turn, cell = np.divmod(number, recipe.grid[0] * recipe.grid[1])
    # Shifting the pattern from cell to cell keeps a split from always being, say, the right edge.
    across = len(recipe.tiles)
    free = np.argwhere(np.array([list(row) for row in recipe.tiles]) == letter)
    tile = free[(draws[:, _TILE] * len(free)).astype(int)]
    tile = (tile + np.stack([cell, cell // across], axis=1)) % across
    return _Plan(
        draws,
        labels,
        scene,
        row=cell // recipe.grid[1] * across + tile[:, 0],
        column=cell % recipe.grid[1] * across + tile[:, 1],
        turn=turn,
        level=(draws[:, _LEVEL] * len(recipe.levels)).astype(int),
        windows=np.empty((count, recipe.reach, recipe.reach, 3), np.uint8),
    )


def _fill(plan: _Plan, chosen: NDArray[np.intp], recipe: Recipe, scaled: "_Scaled") -> None:
    """Writes the chosen windows of a plan, all of one photograph at one scale."""
    reach, draws = recipe.reach, plan.draws[chosen]
    row, column = plan.row[chosen], plan.column[chosen]
    room_down, room_right = np.diff(scaled.tops) - reach + 1, np.diff(scaled.lefts) - reach + 1
    top = scaled.tops[row] + (draws[:, _TOP] * room_down[row]).astype(int)
    left = scaled.lefts[column] + (draws[:, _LEFT] * room_right[column]).astype(int)
    mirrored = recipe.flip & (draws[:, _FLIP] < 0.5)
    for i, y, x, mirror in zip(chosen, top, left, mirrored, strict=True):
        window = scaled.image[y : y + reach, x : x + reach]
        plan.windows[i] = window[:, ::-1] if mirror else window


def _finish(plan: _Plan, recipe: Recipe) -> NDArray[np.uint8]:
    """Turns and colours the windows of a plan."""
    images = _rotate(recipe, plan.windows, plan.labels) if recipe.angles else plan.windows
    for quarter in range(1, recipe.turns):
        chosen = plan.turn == quarter
        images[chosen] = np.rot90(images[chosen], quarter, axes=(1, 2))
    return _colour(recipe, images, plan.draws)


def _keep_apart(images: Mapping[str, NDArray[np.uint8]]) -> None:
    """Moves images towards middle grey, in place, until all of all splits differ.

    Different places look the same where a photograph is all black or all white; a step or two of
    brightness tells them apart.
    """
    seen: set[bytes] = set()
    for part in images.values():
        for image in part:
            inwards = np.where(image < 128, np.uint8(1), np.uint8(255))  # 255 is -1 modulo 256
            while (digest := blake2b(image, digest_size=16).digest()) in seen:
                image += inwards
            seen.add(digest)


class _Scaled(NamedTuple):
    """A photograph scaled tile by tile, and the first rows and columns of its tiles.

    The arrays of first rows and columns end with the height and the width.
    """

    image: NDArray[np.uint8]
    tops: NDArray[np.intp]
    lefts: NDArray[np.intp]


def _scaled(scene: str, recipe: Recipe, fraction: float) -> _Scaled:
    """A photograph at the scale that makes `fraction` of the shortest tile side an image wide.

    No tile gets narrower than a window.
    """
    image = photographs()[scene].astype(np.float32)
    tiles = [cells * len(recipe.tiles) for cells in recipe.grid]
    shortest = min(image.shape[0] / tiles[0], image.shape[1] / tiles[1])
    zoom = recipe.size / (fraction * shortest)
    edges = []
    for number in tiles:
        old = np.rint(np.linspace(0, len(image), number + 1)).astype(int)
        bands = [
            resample_rows(image[a:b], max(recipe.reach, round(zoom * (b - a))), antialias=True)
            for a, b in pairwise(old)
        ]
        edges.append(np.cumsum([0, *map(len, bands)]))
        image = np.concatenate(bands).swapaxes(0, 1)
    return _Scaled(to_pixels(image), *edges)


def _rotate(
    recipe: Recipe, windows: NDArray[np.uint8], labels: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """Windows turned about their centre by the angle that is their label (bilinear)."""
    size = recipe.size
    offset, middle = np.arange(size) - (size - 1) / 2, (recipe.reach - 1) / 2
    rotated = np.empty((len(windows), size, size, 3), np.uint8)
    for label in range(recipe.angles):
        angle = 2 * np.pi * label / recipe.angles
        y = np.cos(angle) * offset[:, None] - np.sin(angle) * offset + middle
        x = np.sin(angle) * offset[:, None] + np.cos(angle) * offset + middle
        top, left = np.floor(y).astype(int), np.floor(x).astype(int)
        down, right = (y - top)[..., None], (x - left)[..., None]
        source = windows[labels == label].astype(np.float32)
        upper = source[:, top, left] * (1 - right) + source[:, top, left + 1] * right
        lower = source[:, top + 1, left] * (1 - right) + source[:, top + 1, left + 1] * right
        rotated[labels == label] = np.rint(upper * (1 - down) + lower * down)
    return rotated


def _colour(
    recipe: Recipe, images: NDArray[np.uint8], draws: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Changes tint, saturation, contrast and brightness, as drawn for each image.

    All four together are one affine map of the three channels.
    """
    change = 1 + recipe.light * (2 * draws - 1)
    saturation, contrast = change[:, _SATURATION, None, None], change[:, _CONTRAST, None, None]
    channels = saturation * np.eye(3) + (1 - saturation) / 3
    channels *= contrast * (1 + recipe.tint * (2 * draws[:, _TINT] - 1))[:, :, None]
    # Contrast turns about middle grey, which brightness then moves.
    offset = 127.5 * (change[:, _BRIGHTNESS, None, None] - contrast)
    mixing, shift = channels.astype(np.float32), offset.astype(np.float32)
    result = np.empty_like(images)
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        pixels = images[part].reshape(len(images[part]), -1, 3).astype(np.float32)
        result[part] = to_pixels(pixels @ mixing[part] + shift[part]).reshape(images[part].shape)
    return result
