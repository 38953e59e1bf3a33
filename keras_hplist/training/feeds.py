"""Batches made on the device: fixed arrays stay there, and a few numbers for each step choose.

The batches are those of `split.batch(step, batch_size, seed)`, value for value.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from keras_hplist.tasks.data import ImageSplit, Split, TextSplit
from keras_hplist.training.user_task import ArraySplit

Rows = tuple[np.ndarray, ...]

_BATCHES_BYTES = 64 * 2**20


class Feed(Protocol):
    """Turns rows of numbers, one for each step, into batches."""

    constants: tuple[np.ndarray, ...]

    def row(self, step: int) -> Rows:
        """What the host hands over for one step."""

    def batches(self, constants: Sequence[Any], rows: Sequence[Any]) -> tuple[Any, Any]:
        """The batches (x, y) of stacked rows (L, …), as tensors (L, B, …)."""


class _Feed:
    def __init__(self, split: Split, batch_size: int, seed: int) -> None:
        self.split, self.batch_size, self.seed = split, batch_size, seed
        self.constants: tuple[np.ndarray, ...] = ()


class HostFeed(_Feed):
    """Whole batches made on the host: works for every split."""

    def row(self, step: int) -> Rows:
        """The batch."""
        return self.split.batch(step, self.batch_size, self.seed)

    def batches(self, constants: Sequence[Any], rows: Sequence[Any]) -> tuple[Any, Any]:
        """The rows."""
        return rows[0], rows[1]


class GatherFeed(_Feed):
    """Examples picked by index from arrays on the device; bytes become float32 in [0, 1]."""

    def __init__(self, split: ImageSplit | ArraySplit, batch_size: int, seed: int) -> None:
        super().__init__(split, batch_size, seed)
        self.constants = tuple(split.arrays.values())
        self._scale = isinstance(split, ImageSplit)

    def row(self, step: int) -> Rows:
        """Indices, int32 (B,)."""
        return (self.split.indices(step, self.batch_size, self.seed),)

    def batches(self, constants: Sequence[Any], rows: Sequence[Any]) -> tuple[Any, Any]:
        """Gathered x and y."""
        import tensorflow as tf

        x, y = (tf.gather(array, rows[0]) for array in constants)
        return (tf.cast(x, tf.float32) / 255.0 if self._scale else x), y


class WindowFeed(_Feed):
    """Windows of tokens cut on the device from the flat token array."""

    def __init__(self, split: TextSplit, batch_size: int, seed: int) -> None:
        super().__init__(split, batch_size, seed)
        self.constants = (split.tokens,)
        self._windows = split.windows
        self._labels, self._length = split.labels, split.patch_length

    def row(self, step: int) -> Rows:
        """Starts and lengths of the windows, and labels where there are any: int32 (B,) each."""
        windows = self._windows(step, self.batch_size, self.seed)
        if self._labels is None:
            return windows
        return (*windows, self._labels[self.split.indices(step, self.batch_size, self.seed)])

    def batches(self, constants: Sequence[Any], rows: Sequence[Any]) -> tuple[Any, Any]:
        """Tokens (L, B, patch_length), 0 behind the end, and labels or the tokens again."""
        import tensorflow as tf

        (tokens,), (starts, lengths) = constants, rows[:2]
        columns = tf.range(self._length)
        places = tf.minimum(starts[..., None] + columns, tf.shape(tokens)[0] - 1)
        x = tf.where(columns < lengths[..., None], tf.gather(tokens, places), 0)
        return x, rows[2] if len(rows) == 3 else x


def feed(split: Split, batch_size: int, seed: int) -> Feed:
    """The feed for a split."""
    kinds: dict[type, type] = {
        ImageSplit: GatherFeed,
        ArraySplit: GatherFeed,
        TextSplit: WindowFeed,
    }
    return kinds.get(type(split), HostFeed)(split, batch_size, seed)


def rows(source: Feed, start: int, stop: int, length: int) -> Rows:
    """The rows of steps `start` to `stop`, stacked and padded with zeros to `length` rows."""
    stacked = tuple(np.stack(arrays) for arrays in zip(*map(source.row, range(start, stop))))
    missing = length - (stop - start)
    if not missing:
        return stacked
    return tuple(np.concatenate([a, np.zeros((missing, *a.shape[1:]), a.dtype)]) for a in stacked)


def chunk_length(split: Split, batch_size: int, steps: int) -> int:
    """How many batches are made at once: those of all steps, if they take at most 64 MiB."""
    size = sum(4 * array.size for array in split.batch(0, batch_size, 0))
    return max(1, min(steps, _BATCHES_BYTES // max(1, size)))
