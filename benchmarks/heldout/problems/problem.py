"""What a held-out problem is, and how its examples are kept apart."""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from keras_hplist.errors import MissingExtraError

Part = tuple[Any, Any]
"""Inputs and targets: each an array, or a dict of arrays, with the examples as first axis."""


class Data(NamedTuple):
    """The examples of a problem."""

    train: Part
    valid: Part
    test: Part


@dataclass(frozen=True, eq=False)
class Problem:
    """One training problem.

    Attributes:
        name: stable name; the task column of the history.
        kind: what the network is, as one would look it up.
        source: the real data behind it.
        load: makes the data.
        build: makes the network, not compiled; `keras.utils.set_random_seed` sets its weights.
            Its last layers are called `output...`, so that Muon can leave them out.
        loss: of `keras.Model.compile`.
        constant: the loss on the test split of the best prediction that ignores the inputs.
        batch_size: examples of a training step.
        training_steps: fixed length of a run, a multiple of 12.
        package: what must be installed for the data beyond the package itself; "" for nothing.
    """

    name: str
    kind: str
    source: str
    load: Callable[[], Data]
    build: Callable[[], keras.Model]
    loss: Any
    constant: Callable[[Data], float]
    batch_size: int
    training_steps: int
    package: str = ""

    @property
    def is_available(self) -> bool:
        """Whether the data are there."""
        return not self.package or importlib.util.find_spec(self.package) is not None

    @functools.cached_property
    def data(self) -> Data:
        """The splits; no example of one stands in another.

        Raises:
            MissingExtraError: if the package that brings the data is not installed.
        """
        if not self.is_available:
            raise MissingExtraError(self.package, "heldout", f"Held-out problem {self.name!r}")
        return _kept_apart(self.load())

    @functools.cached_property
    def constant_loss(self) -> float:
        """The loss on the test split of the best prediction that ignores the inputs."""
        return float(self.constant(self.data))


def size(part: Part) -> int:
    """The number of examples."""
    return keras.tree.flatten(part)[0].shape[0]


def take(part: Part, chosen: Any) -> Part:
    """The chosen examples."""
    return keras.tree.map_structure(lambda array: array[chosen], part)


def fingerprints(part: Part) -> list[bytes]:
    """The content of every example, inputs and targets."""
    rows = [
        np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
        for array in keras.tree.flatten(part)
    ]
    return [row.tobytes() for row in np.concatenate(rows, axis=1)]


def _kept_apart(data: Data) -> Data:
    """Leave out what stands in an earlier split as well: equal rows of a table, for example."""
    seen: set[bytes] = set()
    kept = []
    for part in data:
        marks = fingerprints(part)
        kept.append(take(part, np.array([mark not in seen for mark in marks])))
        seen.update(marks)
    return Data(*kept)


def class_frequencies(data: Data) -> float:
    """Mean cross entropy of the training split's class frequencies on the test labels, in nats."""
    return cross_entropy_of_frequencies(data.train[1], data.test[1])


def cross_entropy_of_frequencies(train: NDArray, test: NDArray) -> float:
    """Mean cross entropy of class frequencies (one added to each count), in nats."""
    counts = np.bincount(train.ravel(), minlength=int(test.max()) + 1) + 1.0
    return float(-np.log(counts / counts.sum())[test.ravel()].mean())


def mean_target(data: Data) -> float:
    """Mean squared error of the training split's mean target on the test targets."""
    return float(np.square(data.test[1] - data.train[1].mean(axis=0)).mean())


CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
