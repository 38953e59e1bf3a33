"""Normalisation of pre-activations, with the defaults of Sonnet 1, on which the suite was made."""

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from ..program import Block, Weight
from .core import add_bias

_BATCH_EPSILON = 1e-3
_LAYER_EPSILON = 1e-5


def standardize(x: Any, axes: Sequence[int], epsilon: float) -> Any:
    """Subtract the mean over `axes`, divide by the root of the biased variance plus `epsilon`."""
    deviation = x - ops.mean(x, axis=axes, keepdims=True)
    variance = ops.mean(deviation * deviation, axis=axes, keepdims=True)
    return deviation * ops.rsqrt(variance + epsilon)


def batch_norm(channels: int) -> Block:
    """Batch normalisation of maps (B, H, W, C) by the batch at hand, in evaluation too.

    Over batch and space, each member of a population by its own statistics; then a trained offset,
    no scale.
    """

    def apply(weights: Sequence[Any], x: Any, draws: Any) -> Any:
        return add_bias(standardize(x, (-4, -3, -2), _BATCH_EPSILON), weights[0], axes=3)

    return Block((Weight("offset", (channels,)),), apply)


def frozen_batch_norm(units: int) -> Block:
    """Batch normalisation of rows (B, units) by moving statistics that nothing ever moves.

    Their start is mean 0 and variance 1, so little but the trained offset remains of it.
    """
    factor = 1.0 / math.sqrt(1.0 + _BATCH_EPSILON)
    return Block(
        (Weight("offset", (units,)),), lambda weights, x, draws: add_bias(factor * x, weights[0])
    )


def layer_norm(units: int) -> Block:
    """Layer normalisation of rows (B, units), each by its own; then trained scale and offset."""

    def apply(weights: Sequence[Any], x: Any, draws: Any) -> Any:
        scale, offset = weights
        return add_bias(standardize(x, (-1,), _LAYER_EPSILON) * ops.expand_dims(scale, -2), offset)

    return Block((Weight("scale", (units,), ("ones", None)), Weight("offset", (units,))), apply)
