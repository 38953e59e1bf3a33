"""A user's Keras model as a pure function of weights, for one member or a population."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_hplist.errors import InvalidValueError

if TYPE_CHECKING:
    import keras


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
            InvalidValueError: if there is no model with float32 weights, or a step changes more
                of it than these and its random draws.
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
        self.weights = self._model.trainable_variables
        if other := {str(w.dtype) for w in self.weights} - {"float32"}:
            raise InvalidValueError(
                f"The model has weights of type {', '.join(sorted(other))}; only float32 can be "
                "trained side by side. Mixed precision is fine: it keeps its weights in float32."
            )
        self.num_parameters = sum(int(np.prod(w.shape)) for w in self.weights)
        self._states = self._constant_states()

    def _constant_states(self) -> list[Any]:
        """The values of all that is not trained, such as frozen weights; None for random draws.

        Raises:
            InvalidValueError: if a step changes one.
        """
        import tensorflow as tf

        variables = self._model.non_trainable_variables
        before = [tf.convert_to_tensor(variable) for variable in variables]
        states = [
            None if "seed_generator_state" in variable.path else value
            for variable, value in zip(variables, before)
        ]
        if all(state is None for state in states):
            return states  # without the time of a step
        _, after = self._model.stateless_call(self.weights, before, self._batch[0], training=True)
        for variable, state, new in zip(variables, states, after, strict=True):
            if state is not None and new is not state:
                raise InvalidValueError(
                    f"The model keeps the statistic {variable.path!r} beside its weights, which "
                    "the population trainer does not carry along. Freeze its layer, or use layers "
                    "without moving statistics, such as LayerNormalization in place of "
                    "BatchNormalization."
                )
        return states

    def init(self, seed: int) -> list[np.ndarray]:
        """Initial weights: those of `keras.utils.set_random_seed(seed); build_model()`.

        Raises:
            InvalidValueError: if frozen weights are not the same in every model.
        """
        import keras

        keras.utils.set_random_seed(seed)
        model = self._build_model()
        for variable, state in zip(model.non_trainable_variables, self._states, strict=True):
            if state is not None and not np.array_equal(variable, state, equal_nan=True):
                raise InvalidValueError(
                    f"{variable.path!r} is frozen, and build_model gives it other values each "
                    "time. Load trained values into it, or give its initializer a seed."
                )
        return [np.asarray(w) for w in model.trainable_variables]

    @cached_property
    def is_vectorizable(self) -> bool:
        """Whether the loss and its gradient can be taken for many members at once.

        Most convolutions have no vectorised form, and recurrent layers that loop over time steps
        keep lists, of which XLA has none for each member (`unroll=True` avoids the loop).
        """
        import tensorflow as tf

        def losses(weights: Sequence[Any], batch: tuple[Any, Any], seed: Any) -> Any:
            return _map_with_gradient(
                lambda own: self._member_loss(own, batch, seed, training=True), weights
            )

        try:
            with _without_logs_of_tensorflow():
                traced = tf.function(losses).get_concrete_function(
                    [tf.TensorSpec((2, *w.shape), w.dtype) for w in self.weights],
                    tuple(tf.TensorSpec(array.shape, array.dtype) for array in self._batch),
                    tf.TensorSpec((2,), tf.int32),
                )
        except (TypeError, ValueError):
            return False
        graph = traced.graph.as_graph_def()
        bodies = (graph.node, *(function.node_def for function in graph.library.function))
        return not any(node.op.startswith("TensorList") for body in bodies for node in body)

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
        variables = self._model.non_trainable_variables
        states = [
            ops.cast(ops.stack([seed[0] + i, seed[1]]), variable.dtype) if state is None else state
            for i, (variable, state) in enumerate(zip(variables, self._states))
        ]
        outputs, _, penalties = self._model.stateless_call(
            weights, states, x, training=training, return_losses=True
        )
        return ops.cast(ops.mean(self._loss(y, outputs)) + sum(penalties), "float32")


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
