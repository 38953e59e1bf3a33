"""Dropout."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from ..program import Block
from .random import Draws


def dropout(keep: float) -> Block:
    """Keep each entry of rows (B, N) with probability `keep`, divided by it; drop it else.

    Members of a population drop the same entries.
    """

    def apply(weights: Sequence[Any], x: Any, draws: Draws) -> Any:
        return x * draws.bernoulli(ops.shape(x)[-2:], keep) / keep

    return Block((), apply)
