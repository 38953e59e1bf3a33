"""Data that are made rather than read: batches from (seed, step)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .data import Split, Splits

# Streams of the four splits; the same distribution everywhere.
_ROLES = ("train", "inner_valid", "outer_valid", "test")
_ENDLESS = 2**31 - 1

Generate = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def nothing(rng: np.random.Generator, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of a task whose loss depends on its weights alone."""
    return np.zeros((batch_size, 1), np.float32), np.zeros(batch_size, np.int32)


@dataclass(frozen=True)
class SyntheticSplit(Split):
    """An endless split.

    Attributes:
        generate: function of (generator, batch size), returns (x, y).
        stream: keeps the splits of a task apart.
    """

    generate: Generate = field(repr=False)
    stream: int = 0

    def __len__(self) -> int:
        """More examples than any batch has."""
        return _ENDLESS

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Nothing is fixed."""
        return {}

    def batch(self, step: int, batch_size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Fresh examples (x, y)."""
        return self.generate(np.random.default_rng([self.stream, seed, step]), batch_size)


@dataclass(frozen=True)
class RepeatedSplit(Split):
    """A few fixed examples, repeated for ever: a batch may hold more than there are.

    Attributes:
        x: inputs (N, ...).
        y: targets (N,).
        stream: keeps the splits of a task apart.
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    stream: int = 0

    def __len__(self) -> int:
        """Endless: any batch size fits."""
        return _ENDLESS

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """`x` and `y`."""
        return {"x": self.x, "y": self.y}

    def indices(self, step: int, batch_size: int, seed: int = 0) -> np.ndarray:
        """Which examples make up a batch, int32 (batch_size,): whole shuffles, end to end."""
        size = len(self.x)
        places = np.arange(step * batch_size, (step + 1) * batch_size)
        epochs, within = np.divmod(places, size)
        orders = {
            epoch: np.random.default_rng([self.stream, seed, epoch]).permutation(size)
            for epoch in range(int(epochs[0]), int(epochs[-1]) + 1)
        }
        chosen = [orders[int(epoch)][i] for epoch, i in zip(epochs, within)]
        return np.array(chosen, np.int32)

    def batch(self, step: int, batch_size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The examples (x, y) of one step."""
        chosen = self.indices(step, batch_size, seed)
        return self.x[chosen], self.y[chosen]


def _splits(make: Callable[[int], Split], facts: Mapping[str, Any]) -> Splits:
    train, inner, outer, test = (make(stream) for stream in range(len(_ROLES)))
    provenance = {"data_set": "synthetic", "source": "generated", **facts}
    return Splits(train, inner, outer, test, provenance)


def generated(name: str, generate: Generate = nothing) -> Splits:
    """Four splits of one generator."""
    return _splits(lambda i: SyntheticSplit(f"{name}, {_ROLES[i]}", generate, i), {"of": name})


def repeated(name: str, x: np.ndarray, y: np.ndarray) -> Splits:
    """Four splits of the same fixed examples in different orders."""
    facts = {"of": name, "examples": len(x)}
    return _splits(lambda i: RepeatedSplit(f"{name}, {_ROLES[i]}", x, y, i), facts)
