"""One run: a problem, a configuration, a seed. The same seed gives the same weights and batches."""

import contextlib
import functools
import math
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import problems
import tensorflow as tf
from configurations import KINDS, Configuration, averaged_weights
from numpy.typing import NDArray

from keras_hplist.versions import versions

POINTS = 12
"""Evaluations of a run after the one before its first step; also Hyperband's epochs."""


class Trainer:
    """Trains one problem again and again, with one compiled step per kind of optimizer."""

    def __init__(self, problem: problems.Problem) -> None:
        """Build the network, whose weights each run sets anew, and put the data in place."""
        self.problem = problem
        self.model = problem.build()
        self.model.compile(loss=problem.loss)
        x, y = problems.take(problem.data.valid, slice(problem.batch_size))
        self.model.compute_loss(x, y, self.model(x))  # so that Keras makes its metrics here
        self._train = keras.tree.map_structure(tf.constant, problem.data.train)
        self._held_out = {
            name: keras.tree.map_structure(tf.constant, whole_batches(part, problem.batch_size))
            for name, part in (("valid", problem.data.valid), ("test", problem.data.test))
        }
        self._initial: dict[int, list[NDArray]] = {}
        self._steppers: dict[str, _Stepper] = {}

    def run(
        self, configuration: Configuration, seed: int, stop: int | None = None
    ) -> dict[str, Any]:
        """Train a configuration.

        Args:
            configuration: what to train with.
            seed: of the initial weights, of dropout, and of the order of the examples.
            stop: the step after which to stop, a multiple of a twelfth of the training steps; the
                schedule is that of the whole run all the same.

        Returns:
            A record of a history. Its curves hold the losses on train (mean since the last point),
            valid and test at step 0 and after each twelfth, up to `stop` or to where a loss left
            the finite numbers. `seconds` is processor time of training and evaluation; compilation
            is not in it.
        """
        planned = self.problem.training_steps
        stop, every = planned if stop is None else stop, planned // POINTS
        stepper = self._stepper(configuration.kind)
        self._set_weights(seed)
        stepper.restart(dict(configuration.values))
        count = problems.size(self.problem.data.train)
        order = batches(count, self.problem.batch_size, planned, seed)
        began = time.process_time()
        curves = {"train": [math.nan], "valid": [], "test": []}
        self._measure(stepper, curves)
        while _finite(curves) and (done := every * (len(curves["valid"]) - 1)) < stop:
            curves["train"].append(float(stepper.train(tf.constant(order[done : done + every]))))
            self._measure(stepper, curves)
        finished = "ok" if stop == planned else "pruned"
        return {
            "task": self.problem.name,
            "family": "heldout",
            "configuration": configuration.id,
            "space": configuration.kind,
            "values": dict(configuration.values),
            "seed": seed,
            "training_steps": planned,
            "batch_size": self.problem.batch_size,
            "steps": [every * point for point in range(len(curves["valid"]))],
            **curves,
            "status": finished if _finite(curves) else "diverged",
            "seconds": time.process_time() - began,
            "num_parameters": self.model.count_params(),
            "source": "benchmarks/heldout",
            "versions": versions("keras_hplist", "keras", "tensorflow", "numpy"),
        }

    def _measure(self, stepper: "_Stepper", curves: dict[str, list[float]]) -> None:
        with stepper.evaluating():
            for name, part in self._held_out.items():
                curves[name].append(float(self._mean_loss(part)))

    @functools.cached_property
    def _mean_loss(self) -> Any:
        batch, model = self.problem.batch_size, self.model

        @tf.function
        def mean_loss(part: problems.Part) -> tf.Tensor:
            total, number = tf.constant(0.0), problems.size(part) // batch
            for index in tf.range(number):
                x, y = problems.take(part, slice(index * batch, (index + 1) * batch))
                total += model.compute_loss(x, y, model(x, training=False), training=False)
            return total / number

        return mean_loss

    def _set_weights(self, seed: int) -> None:
        if seed not in self._initial:
            keras.utils.set_random_seed(seed)
            fresh = self.problem.build()  # its seed generators are among the variables
            self._initial[seed] = [variable.numpy() for variable in fresh.variables]
        for variable, value in zip(self.model.variables, self._initial[seed], strict=True):
            variable.assign(value)

    def _stepper(self, kind: str) -> "_Stepper":
        if kind not in self._steppers:
            stepper = _Stepper(kind, self.model, self._train, self.problem)
            # Traced and optimised now, so that no run's time has it in.
            stepper.train(tf.zeros((0, self.problem.batch_size), tf.int32))
            self._mean_loss(self._held_out["valid"])
            self._mean_loss(self._held_out["test"])
            self._steppers[kind] = stepper
        return self._steppers[kind]


class _Stepper:
    """The training step of one kind of optimizer.

    Attributes:
        train: of row numbers (steps, batch size); trains and returns the mean loss.
    """

    def __init__(
        self, kind: str, model: keras.Model, data: problems.Part, problem: problems.Problem
    ) -> None:
        self._model = model
        self._assign = KINDS[kind].assign
        self._optimizer = optimizer = KINDS[kind].optimizer(problem.training_steps)
        optimizer.build(model.trainable_variables)
        self._start = [variable.numpy() for variable in optimizer.variables]
        weights = model.trainable_variables

        @tf.function(input_signature=[tf.TensorSpec((None, problem.batch_size), tf.int32)])
        def train(order: tf.Tensor) -> tf.Tensor:
            total = tf.constant(0.0)
            for rows in order:
                x, y = gather(data, rows)
                with tf.GradientTape() as tape:
                    loss = model.compute_loss(x, y, model(x, training=True), training=True)
                gradients = tape.gradient(loss, [weight.value for weight in weights])
                optimizer.apply(gradients, weights)
                total += loss
            return total / tf.cast(tf.shape(order)[0], tf.float32)

        self.train = train

    def restart(self, values: dict[str, Any]) -> None:
        """Forget earlier runs: the model's weights are new ones."""
        for variable, value in zip(self._optimizer.variables, self._start, strict=True):
            variable.assign(value)
        if averaged_weights(self._optimizer) is not None:  # z starts at the weights
            for momentum, weight in zip(
                self._optimizer._momentums, self._model.trainable_variables
            ):
                momentum.assign(weight)
        self._assign(self._optimizer, values)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within, the model has the weights that the optimizer is to be judged by."""
        averaged = averaged_weights(self._optimizer)
        weights = self._model.trainable_variables
        kept = [weight.numpy() for weight in weights] if averaged else []
        for weight, value in zip(weights, averaged or []):
            weight.assign(value)
        yield
        for weight, value in zip(weights, kept):
            weight.assign(value)


def whole_batches(part: problems.Part, batch_size: int) -> problems.Part:
    """So much of a part that the mean over its batches is the mean over its examples."""
    whole = problems.size(part) // batch_size * batch_size
    return keras.tree.map_structure(lambda array: array[:whole], part)


def gather(part: problems.Part, rows: tf.Tensor) -> problems.Part:
    """The examples in some rows."""
    return keras.tree.map_structure(lambda array: tf.gather(array, rows), part)


def batches(examples: int, batch_size: int, steps: int, seed: int) -> NDArray[np.int32]:
    """Row numbers of each step's batch: a new order in every epoch, remainders dropped.

    Returns:
        int32 of shape (steps, batch_size).
    """
    per_epoch = examples // batch_size
    epochs = [
        np.random.default_rng((seed, epoch)).permutation(examples)[: per_epoch * batch_size]
        for epoch in range(math.ceil(steps / per_epoch))
    ]
    return np.concatenate(epochs).reshape(-1, batch_size)[:steps].astype(np.int32)


def _finite(curves: dict[str, list[float]]) -> bool:
    return all(math.isfinite(curve[-1]) for curve in (curves["valid"], curves["test"]))
