"""Bicubic resampling of images, as two matrix products."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_CUBIC = -0.75
"""Free parameter of the cubic convolution kernel (Keys 1981); OpenCV's value, as published."""


def _kernel(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cubic convolution kernel, which is zero beyond distance 2."""
    a, x = _CUBIC, np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


@lru_cache(maxsize=256)
def _weights(size: int, new_size: int, antialias: bool) -> NDArray[np.float32]:
    """Matrix `(new_size, size)` that resamples one axis; pixels beyond the edge repeat the edge."""
    ratio = size / new_size
    width = max(ratio, 1.0) if antialias else 1.0
    centre = (np.arange(new_size) + 0.5) * ratio - 0.5
    reach = int(np.ceil(2 * width))
    taps = np.floor(centre)[:, None] + np.arange(-reach + 1, reach + 1)
    weights = _kernel((taps - centre[:, None]) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((new_size, size))
    rows = np.broadcast_to(np.arange(new_size)[:, None], taps.shape)
    np.add.at(matrix, (rows, np.clip(taps, 0, size - 1).astype(int)), weights)
    return matrix.astype(np.float32)


def resize(
    image: NDArray[np.uint8], height: int, width: int, antialias: bool = False
) -> NDArray[np.uint8]:
    """A bicubic resampling of an image to `(height, width)`, whatever its aspect ratio.

    Args:
        image: uint8 of shape `(H, W, C)`.
        height: rows of the result.
        width: columns of the result.
        antialias: widen the kernel when shrinking, so that every pixel counts; without it (the
            default, and what the published suite used) shrinking skips pixels.

    Returns:
        uint8 of shape `(height, width, C)`.
    """
    rows = _weights(image.shape[0], height, antialias)
    columns = _weights(image.shape[1], width, antialias)
    tall = np.tensordot(rows, image.astype(np.float32), axes=(1, 0))
    resized = np.moveaxis(np.tensordot(tall, columns, axes=(1, 1)), 1, 2)
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)
