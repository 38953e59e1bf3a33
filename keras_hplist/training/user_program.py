"""A user's Keras model as a pure function of weights, for one member or a population."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_hplist.errors import InvalidValueError
from keras_hplist.training.backend import check_backend

if TYPE_CHECKING:
    import keras


Tensors = Sequence[Any]
Batch = tuple[Any, Any]
MemberLoss = Callable[[Tensors, Tensors], tuple[Any, list[Any]]]

_DRAW, _CONSTANT, _STATISTIC = "draw", "constant", "statistic"
"""What a variable that is not trained is: of a random generator, frozen, or kept up to date."""

_APART, _DRAWS = 0x9E3779B1, 4096
"""How far apart the seeds of a model's generators are, and how many draws a step may have of each.

Keras adds 1 to the second number of a generator's state at each draw; seeds are often neighbours.
"""

_BUILDING, _TRIES = threading.Lock(), 16
"""One model at a time, and anew until two are equal where other threads run.

Initializers take their seeds from Python's generator, which belongs to the whole process: a thread
of Dask's may draw from it in between.
"""

_BUILD_IT = (
    "If it makes them when it sees data, give it a keras.Input, call model.build(shape) in "
    "build_model, or the model itself once on data like those that it trains on."
)


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
        """Build the model once, and take one step with it.

        Raises:
            InvalidValueError: if there is no model of one output with float32 weights, it makes
                weights only when it sees data, it has a step of its own, a layer assigns what is
                trained or what is not the model's, the loss is not one number, or Keras's backend
                is not TensorFlow.
        """
        check_backend()
        import keras
        import tensorflow as tf

        self._build_model = build_model
        self._model = build_model()
        if not isinstance(self._model, keras.Model):
            raise InvalidValueError(
                f"build_model must return a keras.Model; it returned {type(self._model).__name__}."
            )
        if not self._model.trainable_variables:
            raise InvalidValueError(f"The model has no trainable weights. {_BUILD_IT}")
        for method in ("train_step", "test_step"):
            if getattr(type(self._model), method) is not getattr(keras.Model, method):
                raise InvalidValueError(
                    f"{type(self._model).__name__} overrides {method}, which is not called where "
                    "members train side by side. Override compute_loss instead, which is."
                )
        self._model.compile(optimizer=None, loss=loss)
        self._tracing = threading.RLock()
        self.weights = self._model.trainable_variables
        if other := {str(w.dtype) for w in self.weights} - {"float32"}:
            raise InvalidValueError(
                f"The model has weights of type {', '.join(sorted(other))}; only float32 can be "
                "trained side by side. Mixed precision is fine: it keeps its weights in float32."
            )
        self.num_parameters = sum(int(np.prod(w.shape)) for w in self.weights)
        self._beside = [tf.convert_to_tensor(v) for v in self._model.non_trainable_variables]
        self._batch = batch
        self._kinds = self._find_kinds()

    def _find_kinds(self) -> list[str]:
        """For each variable that is not trained what it is: a step of training shows it."""
        return [
            _DRAW
            if "seed_generator_state" in variable.path
            else _CONSTANT
            if new is old
            else _STATISTIC
            for variable, new, old in zip(
                self._model.non_trainable_variables, self._first_step(), self._beside, strict=True
            )
        ]

    def _first_step(self) -> list[Any]:
        """Take a step; returns the variables that are not trained after it.

        Raises:
            InvalidValueError: if the model makes weights in the step or has several outputs, the
                loss is not one number, or a layer assigns what is trained or not the model's.
        """
        import tensorflow as tf

        weights = [tf.convert_to_tensor(w) for w in self.weights]
        x, y = map(tf.convert_to_tensor, self._batch)
        loss, after = self._model_loss(weights, self._beside, (x, y), training=True)
        if len(loss.shape):
            raise InvalidValueError(
                f"The loss of a batch must be one number; it has shape {tuple(loss.shape)}. Give a "
                'keras.losses.Loss the reduction "sum_over_batch_size", or take the mean.'
            )
        for variable, old, new in zip(self.weights, weights, after):
            if new is not old:
                raise InvalidValueError(
                    f"{variable.path!r} is trained, and its layer also assigned a value to it in "
                    "the call, as SpectralNormalization does; members that train side by side "
                    "cannot keep that value. Leave the layer out, or give the weight a constraint."
                )
        return after[len(weights) :]

    @property
    def _variables(self) -> list[Any]:
        """What is trained, and what is not."""
        return [*self._model.trainable_variables, *self._model.non_trainable_variables]

    def _of_kind(self, kind: str, variables: Sequence[Any]) -> list[Any]:
        return [v for v, found in zip(variables, self._kinds, strict=True) if found == kind]

    def init(self, seed: int) -> list[np.ndarray]:
        """Initial weights, then statistics: of `keras.utils.set_random_seed(seed); build_model()`.

        Raises:
            InvalidValueError: if frozen weights are not the same in every model, or all calls of
                build_model give the same model.
        """
        with _BUILDING:
            model = self._built(seed)
            for _ in range(_TRIES if threading.active_count() > 1 else 0):
                before, model = model, self._built(seed)
                if _is_equal(before.variables, model.variables):
                    break
        beside = zip(model.non_trainable_variables, self._beside, self._kinds, strict=True)
        for variable, ours, kind in beside:
            if kind == _CONSTANT and not _is_equal([variable], [ours]):
                raise InvalidValueError(
                    f"{variable.path!r} is frozen, and build_model gives it other values each "
                    "time. Load trained values into it, or give its initializer a seed."
                )
        statistics = self._of_kind(_STATISTIC, model.non_trainable_variables)
        return [np.asarray(a) for a in (*model.trainable_variables, *statistics)]

    def _built(self, seed: int) -> "keras.Model":
        import keras

        keras.utils.set_random_seed(seed)
        model = self._build_model()
        if model is self._model:
            raise InvalidValueError(
                "build_model returns the same model at each call, so that no seed changes its "
                "initial weights. Make the model inside build_model."
            )
        return model

    @cached_property
    def is_vectorizable(self) -> bool:
        """Whether the loss and its gradient can be taken for many members at once.

        Most convolutions have no vectorised form, and recurrent layers that loop over time steps
        keep lists, of which XLA has none for each member (`unroll=True` avoids the loop). Layers
        that XLA cannot compile at all say so themselves.
        """
        import tensorflow as tf

        if not all(layer.supports_jit for layer in self._model._flatten_layers()):
            return False

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

        left = iter(statistics)
        states = [
            ops.cast(ops.stack([seed[0] + i * _APART % 2**31, seed[1] * _DRAWS]), initial.dtype)
            if kind == _DRAW
            else next(left)
            if kind == _STATISTIC
            else initial
            for i, (initial, kind) in enumerate(zip(self._beside, self._kinds))
        ]
        loss, after = self._model_loss(weights, states, batch, training)
        kept = self._of_kind(_STATISTIC, after[len(self.weights) :])
        return ops.cast(loss, "float32"), kept

    def _model_loss(
        self, weights: Tensors, states: Tensors, batch: Batch, training: bool
    ) -> tuple[Any, list[Any]]:
        """The loss as `fit` and `evaluate` take it, and weights, then states, after the call."""
        import keras

        model, (x, y) = self._model, batch
        variables = self._variables
        values = zip(variables, [*weights, *states], strict=True)
        mode = {"training": training} if model._call_has_training_arg else {}
        # Layers note on themselves which of the penalties in the scope are theirs.
        with self._tracing, keras.StatelessScope(values, collect_losses=True) as scope:
            output = model(x, **mode)
            self._check_call(output, variables)
            loss = model._compute_loss(x, y, output, training=training)
        if scope.state_mapping.keys() - map(id, [*variables, *model.metrics_variables]):
            raise InvalidValueError(
                "A layer keeps values from batch to batch that are not among the model's "
                "variables, as recurrent layers do with stateful=True; members that train side by "
                "side would lose them. Set stateful=False, or make them by add_weight of the layer."
            )
        return loss, [scope.get_current_value(variable) for variable in variables]

    def _check_call(self, output: Any, known: Sequence[Any]) -> None:
        """Refuse a model that made weights in its call, or that has several outputs."""
        import keras

        known_ids = set(map(id, known))
        made = [v.path for v in self._variables if id(v) not in known_ids]
        if made:
            raise InvalidValueError(
                f"The model made {', '.join(map(repr, made))} only when it saw data. {_BUILD_IT}"
            )
        if len(outputs := keras.tree.flatten(output)) > 1:
            raise InvalidValueError(
                f"The model has {len(outputs)} outputs; members that train side by side have one. "
                "Join them (keras.layers.Concatenate), and cut them in the loss."
            )


def _is_equal(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether tensors have the same values."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(some, others, strict=True))


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
