"""Random changes of images in [0, 1], drawn for every image of a batch."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from ..program import Block
from .random import Draws


def augment(options: Mapping[str, Any]) -> Block:
    """Crop, flip and change colours, in this order; images are (B, H, W, C), not clipped after.

    Args:
        options: `crop_amount` (rows and columns that go), `flip_left_right`, `flip_up_down`,
            `do_color_aug` (acts on three channels only), and the largest `brightness`,
            `saturation`, `hue` and `contrast` changes.
    """

    def apply(weights: Any, x: Any, draws: Draws) -> Any:
        batch = ops.shape(x)[0]

        def spread(largest: float) -> Any:
            return draws.uniform((batch, 1, 1, 1), -largest, largest)

        for axis in (1, 2):
            x = _crop(x, axis, options["crop_amount"], draws)
        for axis, wanted in ((2, options["flip_left_right"]), (1, options["flip_up_down"])):
            if wanted:
                chosen = draws.bernoulli((batch, 1, 1, 1), 0.5) > 0
                x = ops.where(chosen, ops.flip(x, axis=axis), x)
        if options["do_color_aug"] and x.shape[-1] == 3:
            x = x + spread(options["brightness"])
            x = saturate(x, 1.0 + spread(options["saturation"]))
            x = shift_hue(x, spread(options["hue"]))
            mean = ops.mean(x, axis=(1, 2), keepdims=True)
            x = mean + (x - mean) * (1.0 + spread(options["contrast"]))
        return x

    return Block((), apply)


def _crop(x: Any, axis: int, amount: int, draws: Draws) -> Any:
    if not amount:
        return x
    size = x.shape[axis] - amount
    start = draws.integers((ops.shape(x)[0], 1, 1, 1), amount + 1)
    # A few whole slices and a choice compile to far less than one gather for every image.
    slices = [ops.take(x, ops.arange(i, i + size), axis=axis) for i in range(amount + 1)]
    cropped = slices[0]
    for i, one in enumerate(slices[1:], 1):
        cropped = ops.where(start == i, one, cropped)
    return cropped


def saturate(x: Any, factor: Any) -> Any:
    """Multiply the saturation (HSV) of RGB images, up to full saturation."""
    value = ops.max(x, axis=-1, keepdims=True)
    chroma = value - ops.min(x, axis=-1, keepdims=True)
    full = ops.maximum(value, 0.0) / ops.maximum(chroma, 1e-12)
    return value - (value - x) * ops.minimum(factor, full)


def shift_hue(x: Any, delta: Any) -> Any:
    """Turn the hue (HSV) of RGB images (B, H, W, 3) by `delta` (B, 1, 1, 1) whole turns."""
    # Channel by channel, and without a modulo, XLA makes vector instructions of it.
    red, green, blue = (x[..., i] for i in range(3))
    value = ops.maximum(ops.maximum(red, green), blue)
    chroma = value - ops.minimum(ops.minimum(red, green), blue)
    safe = ops.maximum(chroma, 1e-12)
    sixth = ops.where(
        red == value,
        (green - blue) / safe,
        ops.where(green == value, (blue - red) / safe + 2.0, (red - green) / safe + 4.0),
    )
    sixth = sixth + 6.0 * delta[..., 0]

    def channel(offset: float) -> Any:
        position = sixth + offset
        position = position - 6.0 * ops.floor(position / 6.0)
        return value - chroma * ops.clip(ops.minimum(position, 4.0 - position), 0.0, 1.0)

    return ops.stack([channel(offset) for offset in (5.0, 3.0, 1.0)], axis=-1)
