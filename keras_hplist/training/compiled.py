"""The compiled loops: many steps of training, and an evaluation, of P members at once."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from keras_hplist.optimizers.rules import Rule
from keras_hplist.training.feeds import Feed

NEVER = 2**31 - 1
"""The step at which a member that is sound diverged."""

_EVALUATION_SEED = 0x5EED  # keeps the draws of evaluation apart from those of training

Tensors = list[Any]


class State:
    """What changes while members train: arrays whose first axis is the population's.

    Attributes:
        weights: one tensor for each weight.
        slots: one tuple of tensors for each weight, the optimizer's.
        statistics: what a model keeps beside its weights, such as moving means.
    """

    def __init__(
        self, weights: Tensors, slots: list[tuple[Any, ...]], statistics: Sequence[Any] = ()
    ) -> None:
        self.weights, self.slots, self.statistics = weights, slots, list(statistics)

    @classmethod
    def initial(
        cls,
        weights: Sequence[np.ndarray],
        size: int,
        rule: Rule,
        statistics: Sequence[np.ndarray] = (),
    ) -> "State":
        """`size` members with the same weights and statistics, and empty slots."""
        stacked, kept = (
            [tf.constant(np.broadcast_to(a, (size, *a.shape))) for a in arrays]
            for arrays in (weights, statistics)
        )
        slots = [tuple(tf.zeros_like(w) for _ in rule.slots) for w in stacked]
        return cls(stacked, slots, kept)

    def take(self, members: Sequence[int] | np.ndarray) -> "State":
        """The state of some members, in that order."""
        return self._map(lambda tensor: tf.gather(tensor, list(members)))

    @staticmethod
    def join(states: Sequence["State"]) -> "State":
        """The members of several states, one after the other."""
        if len(states) == 1:
            return states[0]
        weights, statistics = (
            [tf.concat(tensors, 0) for tensors in zip(*parts)]
            for parts in ((s.weights for s in states), (s.statistics for s in states))
        )
        slots = [
            tuple(tf.concat(tensors, 0) for tensors in zip(*of_weight))
            for of_weight in zip(*(s.slots for s in states))
        ]
        return State(weights, slots, statistics)

    def _map(self, f: Any) -> "State":
        slots = [tuple(map(f, of_weight)) for of_weight in self.slots]
        return State(list(map(f, self.weights)), slots, list(map(f, self.statistics)))


class _Copies:
    """A function that several threads may call, each of them a copy of its own.

    Not all of TensorFlow's operations can run twice at the same time: the one that oneDNN puts in
    the place of group normalisation crashes.
    """

    def __init__(self, make: Callable[[], Callable[..., Any]]) -> None:
        self._make = make
        self._idle: list[Callable[..., Any]] = []

    def __call__(self, *args: Any) -> Any:
        try:
            copy = self._idle.pop()
        except IndexError:
            copy = self._make()
        try:
            return copy(*args)
        finally:
            self._idle.append(copy)


def _own(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """f, compiled for itself.

    TensorFlow warns of a function that is traced again and again, and takes a method for that of
    all instances, but not a partial one.
    """
    return tf.function(partial(f), autograph=False, **options)


class CompiledPopulation:
    """One task and one rule, compiled for each population size on first use.

    Args:
        program: the task's pure side.
        rule: the update formulas.
        source: the training batches.
        training_steps: planned number of steps, for the schedule.
        seed: of the task's own random draws.
        xla: whether XLA compiles all of a step (default), or only the update of the weights, while
            the rest is a graph of TensorFlow's own operations. For populations of one that is
            faster where convolutions take the time, for which XLA has no fast code on CPUs.
    """

    def __init__(
        self,
        program: Any,
        rule: Rule,
        source: Feed,
        training_steps: int,
        seed: int,
        xla: bool = True,
    ) -> None:
        self._program, self._rule, self._source, self._xla = program, rule, source, xla
        self._prepares = getattr(program, "preparation", None) is not None
        if hasattr(program, "loss_and_statistics"):
            self._loss, self._evaluation_loss = program.loss_and_statistics, program.evaluation_loss
        else:  # The suite's tasks act in evaluation as in training, and keep no statistics.
            pure = (
                partial(program.loss_value, prepared=True) if self._prepares else program.loss_value
            )
            self._loss = lambda weights, statistics, batch, seed: (
                pure(weights, batch, seed),
                statistics,
            )
            self._evaluation_loss = lambda weights, _, batch, seed: pure(weights, batch, seed)
        # A model's own; the weights of the suite's tasks have none.
        self._constraints = [getattr(w, "constraint", None) for w in program.weights]
        self._constants = [tf.constant(array) for array in source.constants]
        self._training_steps = tf.constant(training_steps)
        self._seed = tf.constant(seed % 2**31, tf.int32)
        self._prepare = _own(self._prepared)
        self._train, self._evaluate = (
            _own(f, jit_compile=True) if xla else _Copies(partial(_own, f))
            for f in (self._train_steps, self._mean_losses)
        )
        self._update = _own(self._updated, jit_compile=True)

    def batches(self, rows: Sequence[np.ndarray], start: int) -> Tensors:
        """What all members see in the steps from `start`: prepared x and y, each (L, B, …).

        Args:
            rows: of the feed, for L steps.
            start: the first of them.
        """
        x, y = self._source.batches(self._constants, [tf.constant(row) for row in rows])
        return self._prepare_all(x, y, self._seed, tf.range(start, start + len(rows[0])))

    def evaluation_batches(self, x: np.ndarray, y: np.ndarray) -> Tensors:
        """K batches (K, B, …), prepared."""
        seed = self._seed ^ _EVALUATION_SEED
        return self._prepare_all(tf.constant(x), tf.constant(y), seed, tf.range(len(x)))

    def _prepare_all(self, x: Any, y: Any, seed: Any, steps: Any) -> Tensors:
        return [self._prepare(x, seed, steps), y] if self._prepares else [x, y]

    def _prepared(self, x: Any, seed: Any, steps: Any) -> Any:
        return tf.map_fn(
            lambda pair: self._program.prepare(pair[0], tf.stack([seed, pair[1]])),
            (x, steps),
            fn_output_signature=tf.float32,
        )

    def train(
        self,
        state: State,
        parameters: Mapping[str, Any],
        batches: Sequence[Any],
        start: int,
        stop: int,
    ) -> tuple[State, np.ndarray]:
        """Take the steps from `start` to `stop`.

        Args:
            state: P members after `start` steps.
            parameters: the encoded hyperparameters, float32 (P,) each.
            batches: of `batches`, the first of which belongs to step `start`.
            start: first step.
            stop: last step, not taken any more.

        Returns:
            The members after `stop` steps, and int32 (P,): the first step whose loss was not
            finite, or `NEVER`.
        """
        weights, slots, statistics, diverged = self._train(
            state.weights,
            state.slots,
            state.statistics,
            dict(parameters),
            self._training_steps,
            list(batches),
            tf.constant(start),
            tf.constant(stop - start),
        )
        return State(weights, slots, statistics), diverged.numpy()

    def evaluate(self, state: State, batches: Sequence[Any]) -> np.ndarray:
        """The loss of each member on each of K batches: float32 (K, P).

        Args:
            state: P members.
            batches: K of `evaluation_batches`.
        """
        return self._evaluate(state.weights, state.statistics, batches).numpy()

    def _train_steps(
        self,
        weights: Tensors,
        slots: list[tuple[Any, ...]],
        statistics: Tensors,
        parameters: dict[str, Any],
        training_steps: Any,
        batches: Tensors,
        start: Any,
        count: Any,
    ) -> tuple[Tensors, list[tuple[Any, ...]], Tensors, Any]:
        def one_step(
            i: Any,
            weights: Tensors,
            slots: list[tuple[Any, ...]],
            statistics: Tensors,
            diverged: Any,
        ) -> tuple[Any, ...]:
            # The batch is found by a counter from 0: XLA would compile anew for each value of
            # `start` that goes into an index.
            step = start + i
            batch = tuple(array[i] for array in batches)
            with tf.GradientTape() as tape:
                tape.watch(weights)
                seed = tf.stack([self._seed, step])
                loss, statistics = self._losses(self._loss, weights, statistics, batch, seed)
            # The gradient of the sum over members: a member's loss depends on its weights only.
            gradients = tape.gradient(
                loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            gradients = [
                tf.ensure_shape(tf.convert_to_tensor(g), w.shape)
                for g, w in zip(gradients, weights)
            ]
            weights, slots = self._update(
                weights, gradients, slots, parameters, step, training_steps
            )
            diverged = tf.where(tf.math.is_finite(loss), diverged, tf.minimum(diverged, step))
            return i + 1, weights, slots, statistics, diverged

        size = weights[0].shape[0]
        _, *trained = tf.while_loop(
            lambda i, *_: i < count,
            one_step,
            (tf.constant(0), weights, slots, statistics, tf.fill((size,), NEVER)),
        )
        return tuple(trained)

    def _updated(
        self,
        weights: Tensors,
        gradients: Tensors,
        slots: list[tuple[Any, ...]],
        parameters: dict[str, Any],
        step: Any,
        training_steps: Any,
    ) -> tuple[Tensors, list[tuple[Any, ...]]]:
        scalars = self._rule.scalars(parameters, step, training_steps)
        updated = [
            self._rule.update(w, g, s, scalars) for w, g, s in zip(weights, gradients, slots)
        ]
        constrained = [
            tf.vectorized_map(constraint, w) if constraint else w
            for (w, _), constraint in zip(updated, self._constraints)
        ]
        return constrained, [s for _, s in updated]

    def _losses(
        self, loss: Any, weights: Tensors, statistics: Tensors, batch: tuple[Any, ...], seed: Any
    ) -> Any:
        """What `loss` gives for each member, with the population's axis first.

        Without XLA one member goes without the axis: for that TensorFlow has fast code.
        """
        if self._xla or weights[0].shape[0] > 1:
            return loss(weights, statistics, batch, seed)
        found = loss([w[0] for w in weights], [s[0] for s in statistics], batch, seed)
        return tf.nest.map_structure(lambda tensor: tensor[None], found)

    def _mean_losses(self, weights: Tensors, statistics: Tensors, batches: Tensors) -> Any:
        count, size = batches[0].shape[0], weights[0].shape[0]

        def one_batch(k: Any, losses: Any) -> tuple[Any, Any]:
            seed = tf.stack([self._seed ^ _EVALUATION_SEED, k])
            batch = tuple(array[k] for array in batches)
            loss = self._losses(self._evaluation_loss, weights, statistics, batch, seed)
            return k + 1, tf.tensor_scatter_nd_update(losses, [[k]], loss[None])

        # One after the other, for the same reason as `_Copies`.
        start = (tf.constant(0), tf.zeros((count, size)))
        return tf.while_loop(lambda k, _: k < count, one_batch, start, parallel_iterations=1)[1]
