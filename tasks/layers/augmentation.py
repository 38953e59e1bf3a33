"""Random changes of images in [0, 1], drawn for every image of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from ..program import Block
from .random import Draws


def augment(options: Mapping[str, Any], channels: int = 3) -> Block:
    """Crop, flip and change colours, in this order; images are (B, H, W, C), not clipped after.

    Args:
        options: `crop_amount` (rows and columns that go), `flip_left_right`, `flip_up_down`,
            `do_color_aug` (acts on three channels only), and the largest `brightness`,
            `saturation`, `hue` and `contrast` changes.
        channels: of the images.
    """
    crop = options["crop_amount"]
    flips = options["flip_left_right"], options["flip_up_down"]
    colors = options["do_color_aug"] and channels == 3

    def apply(weights: Any, x: Any, draws: Draws) -> Any:
        batch = ops.shape(x)[0]

        def spread(largest: float) -> Any:
            return draws.uniform((batch, 1, 1), -largest, largest)

        rows, columns = (ops.expand_dims(ops.arange(n - crop), 0) for n in x.shape[1:3])
        if crop:
            first_row, first_column = (draws.integers((batch, 1), crop + 1) for _ in "xy")
        if flips[0]:
            columns = _turned(columns, draws, batch)
        if flips[1]:
            rows = _turned(rows, draws, batch)
        if crop:
            rows, columns = rows + first_row, columns + first_column
        if crop or any(flips):
            x = _pick(x, rows, columns)
        if colors:
            x = change_colors(
                x,
                spread(options["brightness"]),
                1.0 + spread(options["saturation"]),
                spread(options["hue"]),
                1.0 + spread(options["contrast"]),
            )
        return draws.once(x)

    return Block((), apply, draws=2 * bool(crop) + sum(flips) + 4 * colors)


def _turned(places: Any, draws: Draws, batch: Any) -> Any:
    """Places (1, N) in reverse for about half of the batch, (B, N)."""
    turned = draws.bernoulli((batch, 1), 0.5) > 0
    return ops.where(turned, places.shape[1] - 1 - places, places)


def _pick(x: Any, rows: Any, columns: Any) -> Any:
    """Pixels of images (B, H, W, C) at (B or 1, h) rows and (B or 1, w) columns.

    One gather for all images: slices and reversals cost XLA several times as much on a CPU.
    """
    batch, (height, width, channels) = ops.shape(x)[0], x.shape[1:]
    first = ops.reshape(ops.arange(batch) * (height * width), (-1, 1, 1))
    places = first + ops.expand_dims(rows * width, 2) + ops.expand_dims(columns, 1)
    picked = ops.take(ops.reshape(x, (-1, channels)), ops.reshape(places, (-1,)), axis=0)
    return ops.reshape(picked, (-1, rows.shape[1], columns.shape[1], channels))


def change_colors(x: Any, brightness: Any, saturation: Any, hue: Any, contrast: Any) -> Any:
    """Change colours of RGB images in this order, every image by its own (B, 1, 1) amounts.

    It works on the three planes, which XLA turns into vector instructions; sums and maxima over an
    axis of three it does not.

    Args:
        x: images (B, H, W, 3).
        brightness: what is added.
        saturation: factor of the saturation (HSV), which ends at full saturation.
        hue: by how many whole turns the hue (HSV) moves.
        contrast: factor of the distance from a plane's mean.
    """
    planes = _saturate([x[..., i] + brightness for i in range(3)], saturation)
    planes = _shift_hue(planes, hue)
    means = [ops.mean(plane, axis=(1, 2), keepdims=True) for plane in planes]
    return ops.stack([m + (p - m) * contrast for m, p in zip(means, planes)], axis=-1)


def _saturate(planes: Sequence[Any], factor: Any) -> list[Any]:
    value, chroma = _value_and_chroma(planes)
    full = ops.maximum(value, 0.0) / ops.maximum(chroma, 1e-12)
    factor = ops.minimum(factor, full)
    return [value - (value - plane) * factor for plane in planes]


def _shift_hue(planes: Sequence[Any], turns: Any) -> list[Any]:
    red, green, blue = planes
    value, chroma = _value_and_chroma(planes)
    safe = ops.maximum(chroma, 1e-12)
    sixth = 6.0 * turns + ops.where(
        red == value,
        (green - blue) / safe,
        ops.where(green == value, (blue - red) / safe + 2.0, (red - green) / safe + 4.0),
    )

    def plane(offset: float) -> Any:
        position = sixth + offset
        position = position - 6.0 * ops.floor(position / 6.0)
        return value - chroma * ops.clip(ops.minimum(position, 4.0 - position), 0.0, 1.0)

    return [plane(offset) for offset in (5.0, 3.0, 1.0)]


def _value_and_chroma(planes: Sequence[Any]) -> tuple[Any, Any]:
    """The largest of the planes, and its distance to the smallest."""
    red, green, blue = planes
    value = ops.maximum(ops.maximum(red, green), blue)
    return value, value - ops.minimum(ops.minimum(red, green), blue)
