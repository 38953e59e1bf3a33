"""A user's Keras model as a pure function of weights, for one member or a population."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_hplist.errors import InvalidValueError

if TYPE_CHECKING:
    import keras


Tensors = Sequence[Any]
Batch = tuple[Any, Any]
MemberLoss = Callable[[Tensors, Tensors], tuple[Any, list[Any]]]

_DRAW, _CONSTANT, _STATISTIC = "draw", "constant", "statistic"
"""What a variable that is not trained is: of a random generator, frozen, or kept up to date."""


class KerasProgram:
    """A Keras model's loss as a pure function of (weights, statistics, batch, seed).

    Members of a population are mapped over with `tf.vectorized_map` where it can, or one by one.
    Statistics are what a step of training changes beside the weights, such as the moving means of
    BatchNormalization.

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
            InvalidValueError: if there is no model with float32 weights.
        """
        import keras
        import tensorflow as tf

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
        self.weights = self._model.trainable_variables
        if other := {str(w.dtype) for w in self.weights} - {"float32"}:
            raise InvalidValueError(
                f"The model has weights of type {', '.join(sorted(other))}; only float32 can be "
                "trained side by side. Mixed precision is fine: it keeps its weights in float32."
            )
        self.num_parameters = sum(int(np.prod(w.shape)) for w in self.weights)
        self._beside = [tf.convert_to_tensor(v) for v in self._model.non_trainable_variables]
        self._kinds = self._find_kinds()

    def _find_kinds(self) -> list[str]:
        """For each variable that is not trained what it is.

        One step is taken, unless there are random draws alone.
        """
        variables = self._model.non_trainable_variables
        kinds = [_DRAW if "seed_generator_state" in v.path else _CONSTANT for v in variables]
        if _CONSTANT not in kinds:
            return kinds
        _, after = self._model.stateless_call(
            self.weights, self._beside, self._batch[0], training=True
        )
        return [
            _STATISTIC if kind == _CONSTANT and new is not old else kind
            for kind, new, old in zip(kinds, after, self._beside, strict=True)
        ]

    def _of_kind(self, kind: str, variables: Sequence[Any]) -> list[Any]:
        return [v for v, found in zip(variables, self._kinds, strict=True) if found == kind]

    def init(self, seed: int) -> list[np.ndarray]:
        """Initial weights, then statistics: of `keras.utils.set_random_seed(seed); build_model()`.

        Raises:
            InvalidValueError: if frozen weights are not the same in every model.
        """
        import keras

        keras.utils.set_random_seed(seed)
        model = self._build_model()
        for variable, ours, kind in zip(
            model.non_trainable_variables, self._beside, self._kinds, strict=True
        ):
            if kind == _CONSTANT and not np.array_equal(variable, ours, equal_nan=True):
                raise InvalidValueError(
                    f"{variable.path!r} is frozen, and build_model gives it other values each "
                    "time. Load trained values into it, or give its initializer a seed."
                )
        statistics = self._of_kind(_STATISTIC, model.non_trainable_variables)
        return [np.asarray(a) for a in (*model.trainable_variables, *statistics)]

    @cached_property
    def is_vectorizable(self) -> bool:
        """Whether the loss and its gradient can be taken for many members at once.

        Most convolutions have no vectorised form, and recurrent layers that loop over time steps
        keep lists, of which XLA has none for each member (`unroll=True` avoids the loop).
        """
        import tensorflow as tf

        def losses(weights: Tensors, statistics: Tensors, batch: Batch, seed: Any) -> Any:
            f = partial(self._member_loss, batch=batch, seed=seed, training=True)
            return _map_with_gradient(f, weights, statistics)

        try:
            with _without_logs_of_tensorflow():
                traced = tf.function(losses).get_concrete_function(
                    *(
                        [tf.TensorSpec((2, *a.shape), a.dtype) for a in arrays]
                        for arrays in (self.weights, self._of_kind(_STATISTIC, self._beside))
                    ),
                    tuple(tf.TensorSpec(array.shape, array.dtype) for array in self._batch),
                    tf.TensorSpec((2,), tf.int32),
                )
        except (TypeError, ValueError):
            return False
        graph = traced.graph.as_graph_def()
        bodies = (graph.node, *(function.node_def for function in graph.library.function))
        return not any(node.op.startswith("TensorList") for body in bodies for node in body)

    def loss_and_statistics(
        self, weights: Tensors, statistics: Tensors, batch: Batch, seed: Any, training: bool = True
    ) -> tuple[Any, list[Any]]:
        """What a step of training has.

        Returns:
            Loss on one batch, a scalar, or (P,) where the weights have a population axis; and the
            new statistics.
        """
        import tensorflow as tf

        f = partial(self._member_loss, batch=batch, seed=seed, training=training)
        if len(weights[0].shape) == len(self.weights[0].shape):
            return f(weights, statistics)
        if self.is_vectorizable:
            return (_map_with_gradient if training else _map)(f, weights, statistics)
        members = [
            f([w[i] for w in weights], [s[i] for s in statistics])
            for i in range(weights[0].shape[0])
        ]
        return tf.nest.map_structure(lambda *tensors: tf.stack(tensors), *members)

    def evaluation_loss(
        self, weights: Tensors, statistics: Tensors, batch: Batch, seed: Any
    ) -> Any:
        """The loss as `model.evaluate` has it: without dropout, normalised by the statistics."""
        return self.loss_and_statistics(weights, statistics, batch, seed, training=False)[0]

    def _member_loss(
        self, weights: Tensors, statistics: Tensors, batch: Batch, seed: Any, training: bool
    ) -> tuple[Any, list[Any]]:
        from keras import ops

        x, y = batch
        left = iter(statistics)
        states = [
            ops.cast(ops.stack([seed[0] + i, seed[1]]), initial.dtype)
            if kind == _DRAW
            else next(left)
            if kind == _STATISTIC
            else initial
            for i, (initial, kind) in enumerate(zip(self._beside, self._kinds))
        ]
        outputs, after, penalties = self._model.stateless_call(
            weights, states, x, training=training, return_losses=True
        )
        loss = ops.cast(ops.mean(self._loss(y, outputs)) + sum(penalties), "float32")
        return loss, self._of_kind(_STATISTIC, after)


def _map(f: MemberLoss, weights: Tensors, statistics: Tensors) -> Any:
    """f of each member's weights and statistics, all members at once."""
    import tensorflow as tf

    return tf.vectorized_map(
        lambda own: f(*own), (list(weights), list(statistics)), fallback_to_while_loop=False
    )


def _map_with_gradient(f: MemberLoss, weights: Tensors, statistics: Tensors) -> Any:
    """The same, with a gradient that is mapped along.

    In TensorFlow's own gradient of a mapped function XLA takes all that enters the function for
    compile-time constants, and compiles anew for each batch.
    """
    import tensorflow as tf

    def loss_and_slopes(own: Tensors, kept: Tensors) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(own)
            loss, new = f(own, kept)
        slopes = tape.gradient(loss, own, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, new, [tf.convert_to_tensor(slope) for slope in slopes]

    @tf.custom_gradient
    def losses(*weights: Any) -> tuple[Any, Callable[..., list[Any]]]:
        values, new, slopes = _map(loss_and_slopes, weights, statistics)

        def gradient(upstream: Any, *_: Any) -> list[Any]:
            return [
                slope * tf.reshape(upstream, [-1] + [1] * (len(slope.shape) - 1))
                for slope in slopes
            ]

        return (values, *new), gradient

    values, *new = losses(*weights)
    return values, new


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
