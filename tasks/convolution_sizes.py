"""Sizes of stacked 3x3 convolutions, and why a stack is impossible. No Keras."""

import math
from collections.abc import Sequence

from .data import describe
from .sampling import Config

KERNEL = 3


def output_size(size: int, stride: int, padding: str, kernel: int = KERNEL) -> int:
    """Rows (or columns) after one convolution; zero or less where the kernel does not fit."""
    if padding == "SAME":
        return math.ceil(size / stride)
    return (size - kernel) // stride + 1


def input_size(dataset: Sequence[object]) -> int:
    """Rows (and columns) of the images of [name, options, augmentation], after cropping."""
    name, _, augmentation = dataset
    crop = augmentation["crop_amount"] if isinstance(augmentation, dict) else 0
    return describe(str(name)).shape[0] - crop


def infeasible(config: Config) -> str | None:
    """Which convolution of a sampled configuration does not fit its input; None if all do."""
    size = input_size(config["dataset"])
    for i, (strides, padding) in enumerate(zip(config["strides"], config["padding"])):
        if padding == "VALID" and size < KERNEL:
            return (
                f"layer {i + 1} of {len(config['strides'])}, a VALID {KERNEL}x{KERNEL} convolution,"
                f" gets an input of {size}x{size}"
            )
        size = output_size(size, strides[0], padding)
    return None
