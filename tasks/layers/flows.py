"""Normalising flows: the negative log-density of flat images under a chain of affine maps."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from ..initializers import Initializer
from ..program import Block, Weight, chain, split
from .core import ACTIVATIONS, add_bias, dense, mlp_blocks
from .random import Draws

Affine = tuple[Any, Any]
"""Shift and log of the scale of every dimension."""


def permutation(step: int, size: int) -> np.ndarray:
    """The fixed order of dimensions between a step and the next, as published for RealNVP."""
    return np.random.RandomState(step).permutation(size)


def permute(x: Any, order: np.ndarray) -> Any:
    """Reorder the last axis; the gradient is the inverse order, not a sum over indices."""

    @ops.custom_gradient
    def run(x: Any) -> Any:
        def grad(*args: Any, upstream: Any = None) -> Any:
            (upstream,) = args if upstream is None else (upstream,)
            return ops.take(upstream, np.argsort(order), axis=-1)

        return ops.take(x, order, axis=-1), grad

    return run(x)


def negative_log_density(
    steps: Sequence[Block], invert: Callable[[int, Block, Any, Any, Draws], Affine], stddev: float
) -> Block:
    """Base N(0, I) under a chain of steps: images (B, D) to -log p(x + noise), (B,) or (P, B).

    A step maps x to (x - shift) exp(-log_scale), with shift and log_scale such that the map is
    triangular in some order of the dimensions; its log-determinant is minus the sum of log_scale.

    Args:
        steps: one network for each step, in the order from data to base.
        invert: called with the number of the step, its block and weights, x and the draws; gives
            the new x, and the sum over dimensions of log_scale.
        stddev: of the Gaussian noise on the images.
    """

    def apply(weights: Sequence[Any], x: Any, draws: Draws) -> Any:
        x = x + draws.normal(ops.shape(x), stddev)
        total = 0.0
        for i, (step, own) in enumerate(zip(steps, split(weights, *steps))):
            x, log_scale = invert(i, step, own, x, draws)
            total = total + log_scale
        constant = 0.5 * x.shape[-1] * math.log(2 * math.pi)
        return 0.5 * ops.sum(x * x, axis=-1) + constant + total

    return Block(tuple(weight for step in steps for weight in step.weights), apply)


def real_nvp(
    size: int,
    hidden: Sequence[int],
    act: str,
    initializer: Initializer,
    steps: int,
    stddev: float = 0.01,
) -> Block:
    """RealNVP: in every step half of the dimensions pass unchanged and give the map of the others.

    Args:
        size: D.
        hidden: widths of the networks.
        act: their activation.
        initializer: of their kernels.
        steps: number of coupling steps, with a fixed permutation between each two.
        stddev: of the Gaussian noise on the images.
    """
    kept = size // 2
    sizes = [kept, *hidden, 2 * (size - kept)]
    networks = [chain(*mlp_blocks(sizes, act, initializer, f"step{i}_dense")) for i in range(steps)]

    def invert(i: int, step: Block, weights: Any, x: Any, draws: Draws) -> Affine:
        x = permute(x, permutation(i - 1, size)) if i else x
        given, rest = x[..., :kept], x[..., kept:]
        shift, log_scale = ops.split(step.apply(weights, given, draws), 2, axis=-1)
        moved = (rest - shift) * ops.exp(-log_scale)
        given = ops.broadcast_to(given, (*ops.shape(moved)[:-1], kept))
        return ops.concatenate([given, moved], axis=-1), ops.sum(log_scale, axis=-1)

    return negative_log_density(networks, invert, stddev)


def made_degrees(size: int, hidden: Sequence[int], ranks: np.ndarray) -> list[np.ndarray]:
    """Degrees of the inputs, of every hidden layer, and of the outputs of a MADE.

    Input d has degree 1 + its rank in the order of the dimensions. The degrees of a hidden layer
    spread evenly over 1 … D - 1, so that a layer narrower than D still sees the whole image. An
    edge exists from a degree to an equal or larger one; to an output, to a larger one only.

    Args:
        size: D.
        hidden: widths of the hidden layers.
        ranks: rank of each dimension, 0 … D - 1.
    """
    spread = [1 + np.arange(width) * (size - 1) // width for width in hidden]
    # Less one half, so that outputs too follow the rule "equal or larger".
    return [ranks + 1.0, *spread, np.tile(ranks + 0.5, 2)]


def masked_autoregressive(
    size: int,
    hidden: Sequence[int],
    act: str,
    initializer: Initializer,
    steps: int,
    stddev: float = 0.01,
) -> Block:
    """MAF: in every step the map of a dimension follows from those before it, by a MADE.

    log_scale is clipped to [-5, 3], and its gradient is that of no clipping. The permutations
    between the steps become the orders in which the steps take the dimensions, which is the same
    density without moving any data.

    Args:
        size: D.
        hidden: widths of the masked networks.
        act: their activation.
        initializer: of their kernels.
        steps: number of steps.
        stddev: of the Gaussian noise on the images.
    """
    sizes = [size, *hidden, 2 * size]
    degrees, order = [], np.arange(size)
    for i in range(steps):
        order = order[permutation(i - 1, size)] if i else order
        degrees.append(made_degrees(size, hidden, np.argsort(order)))

    def network(i: int) -> Block:
        layers = range(len(sizes) - 1)
        weights = [
            weight
            for n in layers
            for weight in (
                Weight(f"step{i}_dense{n}_kernel", (sizes[n], sizes[n + 1]), initializer, 1.0),
                Weight(f"step{i}_dense{n}_bias", (sizes[n + 1],)),
            )
        ]

        def apply(values: Sequence[Any], x: Any, draws: Draws) -> Any:
            for n in layers:
                # Compared here, since compilers take long over matrices of constants.
                before, after = (ops.cast(d, "float32") for d in degrees[i][n : n + 2])
                edges = ops.less_equal(ops.expand_dims(before, 1), after)
                kernel = values[2 * n] * ops.cast(edges, "float32")
                x = add_bias(dense(x, kernel), values[2 * n + 1])
                x = ACTIVATIONS[act](x) if n < layers[-1] else x
            return x

        return Block(tuple(weights), apply)

    def invert(i: int, step: Block, weights: Any, x: Any, draws: Draws) -> Affine:
        shift, raw = ops.split(step.apply(weights, x, draws), 2, axis=-1)
        log_scale = raw + ops.stop_gradient(ops.clip(raw, -5.0, 3.0) - raw)
        return (x - shift) * ops.exp(-log_scale), ops.sum(log_scale, axis=-1)

    return negative_log_density([network(i) for i in range(steps)], invert, stddev)
