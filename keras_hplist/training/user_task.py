"""A user's own problem as a task for the population trainer."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_hplist.checks import checked_count
from keras_hplist.errors import InvalidValueError
from keras_hplist.tasks.data import Split
from keras_hplist.training.user_program import KerasProgram

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ArraySplit(Split):
    """A split over two arrays.

    Attributes:
        x: inputs of shape (N, ...).
        y: targets of shape (N, ...).
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.x)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """`x` and `y`."""
        return {"x": self.x, "y": self.y}

    def take(self, chosen: slice | np.ndarray, name: str | None = None) -> "ArraySplit":
        """A split of the chosen examples only."""
        return replace(self, name=name or self.name, x=self.x[chosen], y=self.y[chosen])

    def batch(self, step: int, batch_size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The examples of one step: `(x, y)`."""
        chosen = self.indices(step, batch_size, seed)
        return self.x[chosen], self.y[chosen]


@dataclass(frozen=True)
class KerasTask:
    """A Keras model, a loss and data, for `train_population` and `collect`.

    Attributes:
        name: name of the task in histories, not empty; unique within a collection.
        build_model: called without arguments, returns a new, uncompiled `keras.Model` with float32
            weights. Frozen layers must be the same each time. It may override `compute_loss`, but
            not `train_step` or `test_step`.
        loss: as for `model.compile`: name of a Keras loss, a `keras.losses.Loss`, or a function of
            (y_true, y_pred).
        train: pair of arrays (x, y), what gradients are taken on.
        valid: pair of arrays (x, y).
        test: pair of arrays (x, y).
        batch_size: examples of a step; at most the number of examples of each split.
        family: groups tasks in reports and budgets; not empty.

    Raises:
        InvalidValueError: if a split is no pair of arrays of numbers of the same length, integers
            do not fit in 32 bits, or the batch size does not fit.
    """

    name: str
    build_model: Callable[[], "keras.Model"]
    loss: Any
    train: tuple[np.ndarray, np.ndarray] = field(repr=False)
    valid: tuple[np.ndarray, np.ndarray] = field(repr=False)
    test: tuple[np.ndarray, np.ndarray] = field(repr=False)
    batch_size: int = 32
    family: str = "user"

    def __post_init__(self) -> None:
        """Keep the data as arrays; refuse those that cannot give a batch."""
        size = checked_count(f"The batch_size of task {self.name!r}", self.batch_size, 1)
        object.__setattr__(self, "batch_size", size)
        for name in ("train", "valid", "test"):
            x, y = self._pair(name)
            object.__setattr__(self, name, (x, y))
            if len(x) != len(y):
                raise InvalidValueError(
                    f"Task {self.name!r}: {name} has {len(x)} inputs and {len(y)} targets; "
                    "give one target for each input."
                )
            if not len(x):
                raise InvalidValueError(f"Task {self.name!r}: {name} has no examples.")
            if size > len(x):
                raise InvalidValueError(
                    f"Task {self.name!r}: batch_size is {size}, and {name} has {len(x)} "
                    f"examples; choose a batch size from 1 to {len(x)}."
                )

    def _pair(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The arrays of a split."""
        given = getattr(self, name)
        if not isinstance(given, tuple | list) or len(given) != 2:
            count = f" of {len(given)}" if isinstance(given, tuple | list | np.ndarray) else ""
            raise InvalidValueError(
                f"Task {self.name!r}: {name} must be a pair of arrays (x, y); got a "
                f"{type(given).__name__}{count}."
            )
        x, y = (self._array(f"{part} of {name}", value) for part, value in zip(("x", "y"), given))
        return x, y

    def _array(self, what: str, given: Any) -> np.ndarray:
        try:
            array = np.asarray(given)
        except ValueError:  # ragged
            array = np.empty((), object)
        if array.ndim and array.dtype.kind in "biuf":
            self._check_range(what, array)
            return array
        found = array.dtype if array.ndim and array.dtype != object else type(given).__name__
        raise InvalidValueError(
            f"Task {self.name!r}: {what} must be one array of numbers; got {found}. Encode text "
            "and categories as integers, and join several inputs into one that the model cuts."
        )

    def _check_range(self, what: str, array: np.ndarray) -> None:
        if array.dtype.kind not in "iu" or not array.size:
            return
        allowed, lowest, highest = np.iinfo(np.int32), int(array.min()), int(array.max())
        if lowest < allowed.min or highest > allowed.max:
            raise InvalidValueError(
                f"Task {self.name!r}: {what} has integers from {lowest} to {highest}; they must "
                f"be from {allowed.min} to {allowed.max}. Number categories from 0, and give "
                "quantities as floats."
            )

    @cached_property
    def program(self) -> KerasProgram:
        """The model and the loss as a function of weights."""
        x, y = (_narrow(array[: self.batch_size]) for array in self.train)
        return KerasProgram(self.build_model, self.loss, (x, y))

    @cached_property
    def data(self) -> Any:
        """The splits: `train`, `outer_valid` and `test`."""
        return SimpleNamespace(
            train=self._split("train"),
            outer_valid=self._split("valid"),
            test=self._split("test"),
        )

    def _split(self, name: str) -> ArraySplit:
        x, y = map(_narrow, getattr(self, name))
        return ArraySplit(f"{self.name}, {name}", x, y)

    @property
    def num_parameters(self) -> int:
        """Number of trainable numbers."""
        return self.program.num_parameters

    @property
    def traits(self) -> dict[str, Any]:
        """What is another where the problem is another, as far as it is cheap to tell.

        Returns:
            JSON-able: the batch size, the name of the loss, the number of parameters (None where
            the model cannot be built), and of each split a hash of the arrays.
        """
        try:
            num_parameters = self.num_parameters
        except Exception:  # `build_model` may raise anything
            num_parameters = None
        is_name = isinstance(self.loss, str)
        name_of_loss = self.loss if is_name else getattr(self.loss, "__name__", None)
        return {
            "batch_size": self.batch_size,
            "loss": name_of_loss or type(self.loss).__name__,
            "num_parameters": num_parameters,
            **{name: _hash(getattr(self, name)) for name in ("train", "valid", "test")},
        }

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a worker: not the model and the splits, which it makes itself."""
        return {k: v for k, v in self.__dict__.items() if k not in ("program", "data")}


def _hash(arrays: Iterable[np.ndarray]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of arrays as they are trained on."""
    content = hashlib.sha256()
    for array in map(_narrow, arrays):
        content.update(f"{array.dtype.str} {array.shape} ".encode())
        content.update(array.ravel().data)
    return content.hexdigest()[:16]


def _narrow(array: np.ndarray) -> np.ndarray:
    """Floats as float32 and integers as int32, which is what the device computes with."""
    if np.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32)
    return array.astype(np.int32) if np.issubdtype(array.dtype, np.integer) else array
