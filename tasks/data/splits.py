"""Splits of a data set, with batches that are a pure function of (seed, step).

No split holds iterator state: batch `k` of a seed can be asked for at any time, in any order and on
any machine, and is the same. A run resumed at step `k` therefore sees the batches it would have
seen, and a trainer can keep the arrays on the device and gather there by `indices` and `windows`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TaskDataError

Batch = tuple[NDArray[Any], NDArray[np.int32]]

# Keeps the streams of order and of text windows apart when they share (seed, number).
_ORDER, _WINDOW = 0, 1


@lru_cache(maxsize=32)
def _permutation(size: int, seed: int, epoch: int) -> NDArray[np.int32]:
    order = np.random.default_rng((_ORDER, seed, epoch)).permutation(size).astype(np.int32)
    order.flags.writeable = False
    return order


@dataclass(frozen=True)
class Split:
    """One split: a fixed set of examples and the endless, shuffled stream of batches over it.

    Every epoch is a fresh permutation of the examples, cut into whole batches; the remainder of an
    epoch is dropped.

    Attributes:
        name: where the examples come from, for messages: `"<data set>, <split>"`.
    """

    name: str

    def __len__(self) -> int:
        """Number of examples."""
        raise NotImplementedError

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The fixed arrays behind the split, for a trainer that keeps them on the device."""
        raise NotImplementedError

    def take(self, chosen: slice | NDArray[np.intp], name: str | None = None) -> "Split":
        """A split of the chosen examples only, in that order."""
        raise NotImplementedError

    def batch(self, step: int, batch_size: int, seed: int = 0) -> Batch:
        """Inputs and targets of one step: `(x, y)`, both with leading axis `batch_size`."""
        raise NotImplementedError

    def indices(self, step: int, batch_size: int, seed: int = 0) -> NDArray[np.int32]:
        """Which examples make up the batch of `step`: int32 of shape `(batch_size,)`.

        Raises:
            TaskDataError: `batch_size` is not between 1 and the number of examples, or `step` is
                negative.
        """
        size = len(self)
        if not 1 <= batch_size <= size:
            raise TaskDataError(
                f"Batch size {batch_size} does not fit {self.name}, which has {size} examples. "
                f"Choose a batch size from 1 to {size}, or more examples (num_train)."
            )
        if step < 0:
            raise TaskDataError(f"Step {step} is negative; steps count from 0.")
        per_epoch = size // batch_size
        epoch, position = divmod(int(step), per_epoch)
        start = position * batch_size
        return _permutation(size, seed, epoch)[start : start + batch_size]

    def batches(self, batch_size: int, seed: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of steps `start`, `start + 1`, … without end."""
        step = start
        while True:
            yield self.batch(step, batch_size, seed)
            step += 1


@dataclass(frozen=True)
class ImageSplit(Split):
    """Labelled images.

    Attributes:
        images: uint8 of shape `(N, H, W, C)`.
        labels: int32 of shape `(N,)`.
    """

    images: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.int32] = field(repr=False)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """`images` and `labels`."""
        return {"images": self.images, "labels": self.labels}

    def take(self, chosen: slice | NDArray[np.intp], name: str | None = None) -> "ImageSplit":
        """A split of the chosen images only, in that order."""
        return replace(
            self, name=name or self.name, images=self.images[chosen], labels=self.labels[chosen]
        )

    def batch(self, step: int, batch_size: int, seed: int = 0) -> Batch:
        """Images as float32 in [0, 1] of shape `(batch_size, H, W, C)`, and int32 labels."""
        chosen = self.indices(step, batch_size, seed)
        return self.images[chosen].astype(np.float32) / np.float32(255), self.labels[chosen]


@dataclass(frozen=True)
class TextSplit(Split):
    """Documents of token ids, of which a batch shows one window each.

    Attributes:
        tokens: int32 of shape `(T,)`: the ids of all documents of the data set, end to end. The
            splits of one data set share this array.
        starts: int32 of shape `(N,)`: where each document of this split begins in `tokens`.
        lengths: int32 of shape `(N,)`: number of tokens of each document.
        labels: int32 of shape `(N,)`, or None for text without labels.
        patch_length: number of tokens of a window.
    """

    tokens: NDArray[np.int32] = field(repr=False)
    starts: NDArray[np.int32] = field(repr=False)
    lengths: NDArray[np.int32] = field(repr=False)
    labels: NDArray[np.int32] | None = field(repr=False)
    patch_length: int

    @classmethod
    def from_documents(
        cls,
        name: str,
        tokens: NDArray[np.int32],
        lengths: NDArray[np.int32],
        labels: NDArray[np.int32] | None,
        patch_length: int,
    ) -> "TextSplit":
        """A split of documents that lie end to end in `tokens`."""
        starts = (np.cumsum(lengths) - lengths).astype(np.int32)
        return cls(name, tokens, starts, lengths, labels, patch_length)

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.starts)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """`tokens`, `starts`, `lengths`, and `labels` where the text has labels."""
        arrays: dict[str, NDArray[Any]] = {
            "tokens": self.tokens,
            "starts": self.starts,
            "lengths": self.lengths,
        }
        return arrays if self.labels is None else {**arrays, "labels": self.labels}

    def take(self, chosen: slice | NDArray[np.intp], name: str | None = None) -> "TextSplit":
        """A split of the chosen documents only, in that order; `tokens` stays shared."""
        return replace(
            self,
            name=name or self.name,
            starts=self.starts[chosen],
            lengths=self.lengths[chosen],
            labels=None if self.labels is None else self.labels[chosen],
        )

    def windows(
        self, step: int, batch_size: int, seed: int = 0
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Where the windows of one step lie: starts in `tokens`, and numbers of real tokens.

        A document of `n > patch_length` tokens shows a window whose start is uniform over
        `0, …, n - patch_length - 1`; a shorter one is shown whole.

        Returns:
            Two int32 arrays of shape `(batch_size,)`.
        """
        return self._windows(self.indices(step, batch_size, seed), step, seed)

    def _windows(
        self, chosen: NDArray[np.int32], step: int, seed: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        spare = np.maximum(self.lengths[chosen] - self.patch_length, 0)
        uniform = np.random.default_rng((_WINDOW, seed, step)).random(len(chosen))
        starts = self.starts[chosen] + np.floor(uniform * spare).astype(np.int32)
        return starts, np.minimum(self.lengths[chosen], self.patch_length)

    def batch(self, step: int, batch_size: int, seed: int = 0) -> Batch:
        """Token windows, and labels where the text has them, else the windows once more.

        Returns:
            `x`: int32 of shape `(batch_size, patch_length)`, 0 after the end of a short document;
            `y`: int32 labels of shape `(batch_size,)`, or `x`. A language model takes both its
            inputs and its targets (the next tokens) from `x`.
        """
        chosen = self.indices(step, batch_size, seed)
        starts, lengths = self._windows(chosen, step, seed)
        columns = np.arange(self.patch_length, dtype=np.int32)
        positions = np.minimum(starts[:, None] + columns, len(self.tokens) - 1)
        x = np.where(columns < lengths[:, None], self.tokens[positions], np.int32(0))
        return x, x if self.labels is None else self.labels[chosen]


@dataclass(frozen=True)
class Splits:
    """The four splits of a task and the account of where they come from.

    Attributes:
        train: what gradients are taken on.
        inner_valid: first validation split (published `valid_inner`), for early decisions.
        outer_valid: second validation split (published `valid_outer`), for choosing between runs.
        test: held-out split.
        provenance: JSON-able account: data set, source, substitution, licence, sizes, options.
    """

    train: Split
    inner_valid: Split
    outer_valid: Split
    test: Split
    provenance: Mapping[str, Any] = field(repr=False)

    def items(self) -> Iterator[tuple[str, Split]]:
        """The four splits by name, in the order train, inner_valid, outer_valid, test."""
        for name in ("train", "inner_valid", "outer_valid", "test"):
            yield name, getattr(self, name)
