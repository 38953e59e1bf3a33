"""Stateless random draws: functions of a seed and their order, the same on every backend.

A number is a 32-bit counter put through an integer hash keyed by the seed. Backends have generators
of their own, but these give other numbers on each, and TensorFlow's default one takes a hundred
times as long once XLA compiles it for a CPU.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

# Odd, near 2^32 divided by the golden ratio: successive multiples spread over all seeds.
_STRIDE = 0x9E3779B9


def _uint32(x: Any) -> Any:
    """x modulo 2^32; Keras on PyTorch has int64 for uint32, in which sums and products grow."""
    if keras.backend.backend() != "torch":
        return x
    return ops.bitwise_and(x, ops.cast(0xFFFFFFFF, "uint32"))


def _mix(x: Any) -> Any:
    """A bijection of uint32 in which every input bit flips every output bit half the time.

    Two rounds of xor-shift and multiply, with the constants that C. Wellons found by search to
    have the least bias (public domain).
    """
    for shift, factor in ((16, 0x21F0AAAD), (15, 0xD35A2D97)):
        x = _uint32(ops.bitwise_xor(x, ops.right_shift(x, shift)) * ops.cast(factor, "uint32"))
    return ops.bitwise_xor(x, ops.right_shift(x, 15))


class Draws:
    """Random tensors, the n-th of which is a function of `seed` and n.

    Members of a population share their draws, since shapes never include the population axis.

    Args:
        seed: integer tensor or pair (2,): seed of the task and number of the step.
        made: number of tensors drawn from this seed before.
    """

    def __init__(self, seed: Any, made: int = 0) -> None:
        self._seed = _uint32(ops.cast(ops.convert_to_tensor(seed), "uint32"))
        self._count = made

    def once(self, x: Any) -> Any:
        """x, computed once: XLA would compute it anew for each use, so for each member.

        The condition always holds, which XLA cannot know.
        """
        real = ops.cast(self._seed[1], "int32") >= 0
        return ops.cond(real, lambda: x, lambda: ops.zeros_like(x))

    def _bits(self, shape: Sequence[Any]) -> Any:
        """Independent uniform uint32; only the first dimension may be a tensor."""
        self._count += 1
        offset = ops.cast(self._count * _STRIDE % 2**32, "uint32")
        task = _mix(_uint32(self._seed[0] + offset))
        first = _mix(ops.bitwise_xor(task, self._seed[1]))
        second = _mix(_uint32(first + task))
        inner = math.prod(shape[1:])
        rows = ops.arange(shape[0] if shape else 1, dtype="int32")
        counter = ops.expand_dims(rows * inner, 1) + ops.arange(inner, dtype="int32")
        counter = ops.reshape(ops.cast(counter, "uint32"), tuple(shape))
        return _mix(ops.bitwise_xor(_mix(_uint32(counter + first)), second))

    def _centers(self, shape: Sequence[Any]) -> Any:
        """Uniform over the centers of 2^23 equal parts of [0, 1]: never 0, never 1."""
        # 23 bits and the half fit a float32 exactly; through int32, which all backends convert.
        part = ops.cast(ops.right_shift(self._bits(shape), 9), "int32")
        return (ops.cast(part, "float32") + 0.5) * 2.0**-23

    def normal(self, shape: Sequence[Any], stddev: float = 1.0) -> Any:
        """Independent N(0, stddev²), float32; never beyond 5.3 stddev."""
        return self.once((stddev * math.sqrt(2.0)) * ops.erfinv(2.0 * self._centers(shape) - 1.0))

    def uniform(self, shape: Sequence[Any], low: float = 0.0, high: float = 1.0) -> Any:
        """Independent U(low, high), float32."""
        return low + (high - low) * self._centers(shape)

    def bernoulli(self, shape: Sequence[Any], p: float) -> Any:
        """1.0 with probability `p`, else 0.0, float32."""
        return ops.cast(self._centers(shape) < p, "float32")

    def integers(self, shape: Sequence[Any], high: int) -> Any:
        """Independent integers, uniform over 0 … high - 1, int32."""
        return ops.cast(ops.floor(self._centers(shape) * high), "int32")
