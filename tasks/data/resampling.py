"""Bicubic resampling of images, one axis at a time."""

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
def _taps(
    size: int, new_size: int, antialias: bool
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Which pixels make up each new pixel of an axis, and with what weights: `(new_size, taps)`.

    Pixels beyond the edge repeat the edge.
    """
    ratio = size / new_size
    width = max(ratio, 1.0) if antialias else 1.0
    centre = (np.arange(new_size) + 0.5) * ratio - 0.5
    reach = int(np.ceil(2 * width))
    positions = np.floor(centre)[:, None] + np.arange(-reach + 1, reach + 1)
    weights = _kernel((positions - centre[:, None]) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(positions, 0, size - 1).astype(np.intp), weights.astype(np.float32)


def resample_rows(
    image: NDArray[np.float32], new_size: int, antialias: bool = False
) -> NDArray[np.float32]:
    """Resamples the first axis of a float32 array of shape `(H, W, C)` to `(new_size, W, C)`.

    A loop over the taps, not a matrix product: threaded products of small matrices become twenty
    times slower where several processes share the processors.
    """
    positions, weights = _taps(len(image), new_size, antialias)
    rows = image.reshape(len(image), -1)
    resampled = np.zeros((new_size, rows.shape[1]), np.float32)
    for position, weight in zip(positions.T, weights.T, strict=True):
        resampled += weight[:, None] * rows[position]
    return resampled.reshape(new_size, *image.shape[1:])


def to_pixels(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Rounds to uint8; what the kernel overshoots is clipped to 0 … 255."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resizes an image to `(height, width)`, whatever its aspect ratio.

    Shrinking skips pixels (no antialiasing), like the bicubic resizing of the published suite.

    Args:
        image: uint8 of shape `(H, W, C)`.
        height: rows of the result.
        width: columns of the result.

    Returns:
        uint8 of shape `(height, width, C)`.
    """
    tall = resample_rows(image.astype(np.float32), height)
    turned = resample_rows(tall.swapaxes(0, 1), width)
    return to_pixels(turned.swapaxes(0, 1))
