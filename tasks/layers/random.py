"""Stateless random draws that depend on a seed and their order only."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.random import SeedGenerator

# Odd, near 2^32 divided by the golden ratio: successive multiples spread over all seeds.
_STRIDE = -1640531527


class _Fixed(SeedGenerator):
    """Hands Keras one given seed: `keras.random` accepts tensors only through a generator."""

    def __init__(self, seed: Any) -> None:
        # The parent's constructor would create a variable.
        self.seed = seed

    def next(self, ordered: bool = True) -> Any:
        """The given seed."""
        return self.seed


class Draws:
    """Random tensors, the n-th of which is a function of `seed` and n.

    Members of a population share their draws, since shapes never include the population axis.

    Args:
        seed: integer tensor or pair (2,): seed of the task and number of the step.
    """

    def __init__(self, seed: Any) -> None:
        """Start before the first draw."""
        self._seed = ops.cast(ops.convert_to_tensor(seed), "int32")
        self._count = 0

    def _next(self) -> SeedGenerator:
        self._count += 1
        stride = (self._count * _STRIDE) % 2**32
        stride -= 2**32 if stride >= 2**31 else 0
        pair = ops.stack([self._seed[0] + stride, self._seed[1]])
        # JAX takes its keys unsigned, TensorFlow's compiled draws take them signed.
        return _Fixed(ops.cast(pair, "uint32") if keras.backend.backend() == "jax" else pair)

    def normal(self, shape: Sequence[int], stddev: float = 1.0) -> Any:
        """Independent N(0, stddev²), float32."""
        return stddev * keras.random.normal(tuple(shape), dtype="float32", seed=self._next())

    def uniform(self, shape: Sequence[int], low: float = 0.0, high: float = 1.0) -> Any:
        """Independent U(low, high), float32."""
        return keras.random.uniform(tuple(shape), low, high, dtype="float32", seed=self._next())

    def bernoulli(self, shape: Sequence[int], p: float) -> Any:
        """1.0 with probability `p`, else 0.0, float32."""
        return ops.cast(self.uniform(shape) < p, "float32")

    def integers(self, shape: Sequence[int], high: int) -> Any:
        """Independent integers uniform in 0 … high - 1, int32."""
        drawn = ops.cast(ops.floor(self.uniform(shape) * high), "int32")
        # The product can round up to `high` itself.
        return ops.minimum(drawn, high - 1)
