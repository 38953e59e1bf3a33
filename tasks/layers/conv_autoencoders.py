"""Convolutional halves of autoencoders, between flat images and codes."""

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from ..convolution_sizes import KERNEL
from ..program import Block, chain, function
from .convolution import conv_block, conv_blocks
from .core import activation, dense_block, flatten

_STRIDE = 2
# Channels of the small image in which a decoder begins.
_FIRST_CHANNELS = 32


def unflatten(shape: Sequence[int]) -> Block:
    """(B, H·W·C) to (B, H, W, C), or (P, B, H·W·C) to (P, B, H, W, C)."""
    return function(lambda x: ops.reshape(x, (*ops.shape(x)[:-1], *shape)))


def conv_encoder(shape: Sequence[int], channels: Sequence[int], act: str, outputs: int) -> Block:
    """Flat images (B, H·W·C) to (B, outputs): strided convolutions, then a linear layer.

    Args:
        shape: (H, W, C) of the images.
        channels: of every convolution, each of which halves height and width.
        act: name of the activation after every convolution.
        outputs: numbers per image.
    """
    count = len(channels)
    convolutions, reached = conv_blocks(shape, channels, [_STRIDE] * count, ["SAME"] * count, act)
    return chain(
        unflatten(shape),
        *convolutions,
        function(flatten),
        dense_block(math.prod(reached), outputs).named("code"),
    )


def conv_decoder(
    inputs: int, shape: Sequence[int], channels: Sequence[int], act: str, images: int = 1
) -> Block:
    """Codes (B, inputs) to flat images (B, images·H·W·C), one image after the other.

    A linear layer makes a small image of 32 channels, transposed convolutions enlarge it, a 1x1
    convolution gives the channels of all images.

    Args:
        inputs: numbers per code.
        shape: (H, W, C) of the images.
        channels: of every transposed convolution, each of which doubles height and width.
        act: name of the activation after every transposed convolution.
        images: images per code.
    """
    height, width, colours = shape
    rows, columns = (n // _STRIDE ** len(channels) for n in (height, width))
    first = (rows, columns, _FIRST_CHANNELS)
    blocks = [dense_block(inputs, math.prod(first)).named("first"), unflatten(first)]
    previous = _FIRST_CHANNELS
    for i, outputs in enumerate(channels):
        # Sonnet counts the inputs of a transposed convolution as those of a plain one.
        initializer = ("cut_normal", (KERNEL * KERNEL * previous) ** -0.5)
        layer = conv_block(
            previous,
            outputs,
            rows * columns,
            _STRIDE,
            initializer=initializer,
            transpose=True,
        )
        blocks += [layer.named(f"transposed{i}"), activation(act)]
        previous, rows, columns = outputs, rows * _STRIDE, columns * _STRIDE
    pixels = conv_block(previous, images * colours, height * width, size=1).named("pixels")

    def separate(x: Any) -> Any:
        """(..., H, W, images·C) to (..., images·H·W·C)."""
        apart = ops.reshape(x, (*ops.shape(x)[:-1], images, colours))
        size = images * math.prod(shape)
        return ops.reshape(ops.moveaxis(apart, -2, -4), (*ops.shape(x)[:-3], size))

    return chain(*blocks, pixels, function(separate))
