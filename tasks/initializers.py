"""Initial values of weights, drawn with NumPy so that every backend starts from the same numbers.

The published suite ran on TensorFlow 1 and Sonnet 1; names and formulas here are theirs. Fans of a
shape `(..., n, m)`: the leading dimensions are the receptive field r, fan_in = r n, fan_out = r m;
of a vector of n: both n.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

Initializer = tuple[str, float | None] | Callable[[np.random.Generator], np.ndarray]

# Standard deviation of a unit normal cut at two standard deviations.
_CUT_STDDEV = 0.87962566103423978

ZEROS = ("zeros", None)
SONNET = ("sonnet", None)
"""Sonnet's default for linear and convolutional kernels."""


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Number of inputs and outputs of a weight of this shape."""
    if len(shape) < 2:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _cut_normal(rng: np.random.Generator, shape: Sequence[int], stddev: float) -> np.ndarray:
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(outside.sum())
    return values * stddev


def _orthogonal(rng: np.random.Generator, shape: Sequence[int], gain: float) -> np.ndarray:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))
    return gain * (q if rows >= columns else q.T).reshape(shape)


def draw(initializer: Initializer, shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Draw the initial value of one weight.

    Args:
        initializer: a callable of the generator, or a pair (name, argument). `s` is the argument:

            | name | value |
            | --- | --- |
            | `zeros`, `ones` | constant |
            | `identity` | identity matrix |
            | `he_normal`, `glorot_normal` | cut normal of variance 2/fan_in, 2/(fan_in + fan_out) |
            | `he_uniform`, `glorot_uniform` | U(-a, a) of the same variances |
            | `variance_scaling` | cut normal of variance s/fan_in |
            | `orthogonal` | s times a random orthogonal matrix |
            | `random_uniform` | U(-s, s) |
            | `random_normal`, `truncated_normal` | N(0, s²); the suite's second is not cut either |
            | `cut_normal` | N(0, s²) cut at 2s, its variance not corrected |
            | `sonnet` | `cut_normal` with s = 1/√fan_in |

        shape: shape of the weight.
        rng: source of randomness.

    Returns:
        float32 array of `shape`.
    """
    if callable(initializer):
        return np.asarray(initializer(rng), np.float32)
    name, argument = initializer
    scale = 1.0 if argument is None else argument
    fan_in, fan_out = fans(shape) if shape else (1, 1)
    variances = {
        "he": 2 / fan_in,
        "glorot": 2 / (fan_in + fan_out),
        "variance": scale / fan_in,
    }
    if name in ("zeros", "ones"):
        values = np.full(shape, float(name == "ones"))
    elif name == "identity":
        values = np.eye(shape[0], shape[1])
    elif name == "orthogonal":
        values = _orthogonal(rng, shape, scale)
    elif name == "random_uniform":
        values = rng.uniform(-scale, scale, shape)
    elif name in ("random_normal", "truncated_normal"):
        values = scale * rng.standard_normal(shape)
    elif name == "cut_normal":
        values = _cut_normal(rng, shape, scale)
    elif name == "sonnet":
        values = _cut_normal(rng, shape, 1 / math.sqrt(fan_in))
    elif name.endswith("_uniform"):
        limit = math.sqrt(3 * variances[name.split("_")[0]])
        values = rng.uniform(-limit, limit, shape)
    else:
        stddev = math.sqrt(variances[name.split("_")[0]])
        values = _cut_normal(rng, shape, stddev / _CUT_STDDEV)
    return values.astype(np.float32)
