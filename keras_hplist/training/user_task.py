"""A user's own problem as a task for the population trainer."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_hplist.errors import InvalidValueError
from keras_hplist.tasks.data import Split

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
        name: name of the task in histories; unique within a collection.
        build_model: called without arguments, returns a new, uncompiled `keras.Model`. Its layers
            must not keep statistics (BatchNormalization); Dropout is fine.
        loss: name of a Keras loss, a `keras.losses.Loss`, or a function of (y_true, y_pred).
        train: pair of arrays (x, y), what gradients are taken on.
        valid: pair of arrays (x, y).
        test: pair of arrays (x, y).
        batch_size: examples of a step; at most the number of examples of each split.
        family: groups tasks in reports and budgets.

    Raises:
        InvalidValueError: if a split is no pair of arrays of numbers of the same length, or the
            batch size does not fit.
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
        """Refuse data that cannot give a batch."""
        for name in ("train", "valid", "test"):
            x, y = self._pair(name)
            if len(x) != len(y):
                raise InvalidValueError(
                    f"Task {self.name!r}: {name} has {len(x)} inputs and {len(y)} targets; "
                    "give one target for each input."
                )
            if not 1 <= self.batch_size <= len(x):
                raise InvalidValueError(
                    f"Task {self.name!r}: batch_size is {self.batch_size}, and {name} has {len(x)} "
                    f"examples; choose a batch size from 1 to {len(x)}."
                )

    def _pair(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The arrays of a split."""
        given = getattr(self, name)
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise InvalidValueError(
                f"Task {self.name!r}: {name} must be a pair of arrays (x, y); got a "
                f"{type(given).__name__}{f' of {len(given)}' if hasattr(given, '__len__') else ''}."
            )
        x, y = (self._array(f"{part} of {name}", value) for part, value in zip(("x", "y"), given))
        return x, y

    def _array(self, what: str, given: Any) -> np.ndarray:
        try:
            array = np.asarray(given)
        except ValueError:  # ragged
            array = np.empty((), object)
        if array.ndim and array.dtype.kind in "biuf":
            return array
        found = array.dtype if array.ndim and array.dtype != object else type(given).__name__
        raise InvalidValueError(
            f"Task {self.name!r}: {what} must be one array of numbers; got {found}. Encode text "
            "and categories as integers, and join several inputs into one that the model cuts."
        )

    @cached_property
    def program(self) -> "KerasProgram":
        """The model and the loss as a function of weights."""
        x, y = (_narrow(array[: self.batch_size]) for array in self._pair("train"))
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
        x, y = self._pair(name)
        return ArraySplit(f"{self.name}, {name}", _narrow(x), _narrow(y))

    @property
    def num_parameters(self) -> int:
        """Number of trainable numbers."""
        return self.program.num_parameters

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a worker: not the model and the splits, which it makes itself."""
        return {k: v for k, v in self.__dict__.items() if k not in ("program", "data")}


class KerasProgram:
    """A Keras model's loss as a pure function of (weights, batch, seed).

    Members of a population are mapped over with `tf.vectorized_map` where it can, or one by one.

    Args:
        build_model: as in `KerasTask`.
        loss: as in `KerasTask`.
        batch: any batch (x, y), for its shapes and types.
    """

    def __init__(
        self,
        build_model: Callable[[], "keras.Model"],
        loss: Any,
        batch: tuple[np.ndarray, np.ndarray],
    ) -> None:
        """Build the model once.

        Raises:
            InvalidValueError: if there is no model with weights, or it keeps state other than of
                random draws.
        """
        import keras

        self._build_model = build_model
        self._model = build_model()
        if not isinstance(self._model, keras.Model):
            raise InvalidValueError(
                f"build_model must return a keras.Model; it returned {type(self._model).__name__}."
            )
        if not self._model.trainable_variables:
            raise InvalidValueError(
                "The model has no trainable weights. If it makes them when it sees data, give it "
                "a keras.Input, or call model.build(shape) in build_model."
            )
        self._loss = keras.losses.get(loss)
        self._batch = batch
        for variable in self._model.non_trainable_variables:
            if "seed_generator_state" not in variable.path:
                raise InvalidValueError(
                    f"The model keeps the statistic {variable.path!r} beside its weights, which "
                    "the population trainer does not carry along. Use layers without moving "
                    "statistics, such as LayerNormalization in place of BatchNormalization."
                )
        self.weights = self._model.trainable_variables
        self.num_parameters = sum(int(np.prod(w.shape)) for w in self.weights)

    def init(self, seed: int) -> list[np.ndarray]:
        """Initial weights: those of `keras.utils.set_random_seed(seed); build_model()`."""
        import keras

        keras.utils.set_random_seed(seed)
        return [np.asarray(w) for w in self._build_model().trainable_variables]

    @cached_property
    def is_vectorizable(self) -> bool:
        """Whether all operations of the model have a vectorised form; most convolutions do not."""
        import tensorflow as tf

        def losses(weights: Sequence[Any], batch: tuple[Any, Any], seed: Any) -> Any:
            return _map_with_gradient(
                lambda own: self._member_loss(own, batch, seed, training=True), weights
            )

        try:
            with _without_logs_of_tensorflow():
                tf.function(losses).get_concrete_function(
                    [tf.TensorSpec((2, *w.shape), w.dtype) for w in self.weights],
                    tuple(tf.TensorSpec(array.shape, array.dtype) for array in self._batch),
                    tf.TensorSpec((2,), tf.int32),
                )
        except ValueError:
            return False
        return True

    def loss_value(self, weights: Sequence[Any], batch: tuple[Any, Any], seed: Any) -> Any:
        """Loss on one batch: a scalar, or (P,) where the weights have a population axis."""
        return self._loss_value(weights, batch, seed, training=True)

    def evaluation_loss(self, weights: Sequence[Any], batch: tuple[Any, Any], seed: Any) -> Any:
        """The same as `model.evaluate` has it: without dropout."""
        return self._loss_value(weights, batch, seed, training=False)

    def _loss_value(
        self, weights: Sequence[Any], batch: tuple[Any, Any], seed: Any, training: bool
    ) -> Any:
        import tensorflow as tf

        def member_loss(own: Sequence[Any]) -> Any:
            return self._member_loss(own, batch, seed, training)

        if len(weights[0].shape) == len(self.weights[0].shape):
            return member_loss(weights)
        if self.is_vectorizable:
            return (_map_with_gradient if training else _map)(member_loss, weights)
        members = zip(*(tf.unstack(w) for w in weights))
        return tf.stack([member_loss(list(own)) for own in members])

    def _member_loss(
        self, weights: Sequence[Any], batch: tuple[Any, Any], seed: Any, training: bool
    ) -> Any:
        from keras import ops

        x, y = batch
        states = [
            ops.cast(ops.stack([seed[0] + i, seed[1]]), variable.dtype)
            for i, variable in enumerate(self._model.non_trainable_variables)
        ]
        outputs, _, penalties = self._model.stateless_call(
            weights, states, x, training=training, return_losses=True
        )
        return ops.mean(self._loss(y, outputs)) + sum(penalties)


def _map(f: Callable[[Sequence[Any]], Any], weights: Sequence[Any]) -> Any:
    """f of each member's weights, all members at once."""
    import tensorflow as tf

    return tf.vectorized_map(f, list(weights), fallback_to_while_loop=False)


def _map_with_gradient(f: Callable[[Sequence[Any]], Any], weights: Sequence[Any]) -> Any:
    """The same, with a gradient that is mapped along.

    In TensorFlow's own gradient of a mapped function XLA takes all that enters the function for
    compile-time constants, and compiles anew for each batch.
    """
    import tensorflow as tf

    def loss_and_slopes(own: Sequence[Any]) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            tape.watch(own)
            loss = f(own)
        slopes = tape.gradient(loss, own, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, [tf.convert_to_tensor(slope) for slope in slopes]

    @tf.custom_gradient
    def losses(*weights: Any) -> tuple[Any, Callable[..., list[Any]]]:
        values, slopes = _map(loss_and_slopes, weights)

        def gradient(upstream: Any) -> list[Any]:
            return [
                slope * tf.reshape(upstream, [-1] + [1] * (len(slope.shape) - 1))
                for slope in slopes
            ]

        return values, gradient

    return losses(*weights)


@contextmanager
def _without_logs_of_tensorflow() -> Iterator[None]:
    """Keeps back the pages that `vectorized_map` logs before it raises."""
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _narrow(array: np.ndarray) -> np.ndarray:
    """Floats as float32 and integers as int32, which is what the device computes with."""
    if np.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32)
    return array.astype(np.int32) if np.issubdtype(array.dtype, np.integer) else array
