"""What every task of the suite owes its users, as checks that several tests share."""

import json
import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_hplist import tasks

RATE = 1e-3
STEPS = 3


def seed_pair(seed: int, step: int) -> tf.Tensor:
    """Seed of the pure function at one step."""
    return tf.constant([seed, step], tf.int32)


def tensors(arrays):
    """Arrays as tensors."""
    return [tf.convert_to_tensor(a) for a in arrays]


def graph(program):
    """Function of (weights, batch, seed) to loss and gradients, traced once.

    Members are independent, so the gradient of the sum over a population is that of each.
    """

    @tf.function(autograph=False)
    def run(weights, batch, seed):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = program.loss_value(weights, batch, seed)
            total = ops.sum(loss)
        return loss, tape.gradient(total, weights)

    return lambda weights, batch, seed: run(weights, tuple(map(tf.convert_to_tensor, batch)), seed)


def rate(gradients) -> float:
    """A step size that moves no weight by more than `RATE`, so that no task diverges."""
    return RATE / max(1e-30, *(float(ops.max(ops.abs(g))) for g in gradients))


def pure_steps(task, step_size: float, steps: int = STEPS):
    """Weights and mean loss after gradient descent on the pure function."""
    loss_and_gradients = graph(task.program)
    weights, losses = tensors(task.program.init(0)), []
    for step in range(steps):
        batch = task.data.train.batch(step, task.batch_size, 0)
        loss, gradients = loss_and_gradients(weights, batch, seed_pair(0, step))
        losses.append(float(loss))
        weights = [w - step_size * g for w, g in zip(weights, gradients)]
    return [w.numpy() for w in weights], float(np.mean(losses))


def assert_close(actual, expected, tolerance=1e-5, floor=1e-7):
    """Equal to a tolerance relative to the largest entry of each array."""
    for one, other in zip(actual, expected, strict=True):
        scale = max(np.abs(other).max(initial=0.0), floor)
        assert np.abs(one - other).max(initial=0.0) <= tolerance * scale


def check_description(name: str) -> None:
    """A task survives JSON, and its program is the same again."""
    task = tasks.get(name)
    again = type(task).from_config(json.loads(json.dumps(task.to_config())))
    assert again == task
    assert [w.name for w in again.program.weights] == [w.name for w in task.program.weights]
    assert task.num_parameters == sum(a.size for a in task.program.init(0))
    assert task.flops_per_step > 0


def check_determinism(name: str) -> None:
    """The seed alone decides weights and batches."""
    task, again = tasks.get(name), tasks.get(name)
    for one, other in zip(task.program.init(3), again.program.init(3), strict=True):
        assert one.dtype == np.float32
        assert np.array_equal(one, other)
    first = [next(task.train_data(seed=5)) for _ in range(2)]
    assert all(np.array_equal(a, b) for a, b in zip(*first, strict=True))
    data = task.train_data(seed=5)
    for k in range(2):
        for one, other in zip(next(data), again.data.train.batch(k, task.batch_size, 5)):
            assert np.array_equal(one, other)
    assert len(first[0][0]) == task.batch_size


def check_training(name: str, unreached: frozenset[str] = frozenset()) -> None:
    """The first loss is finite, gradients reach all weights, and `fit` is the pure function."""
    task = tasks.get(name)
    weights = tensors(task.program.init(0))
    reached = {w.name: False for w in task.program.weights}
    step_size, loss_and_gradients = math.inf, graph(task.program)
    for step in range(STEPS):
        batch = task.data.train.batch(step, task.batch_size, 0)
        loss, gradients = loss_and_gradients(weights, batch, seed_pair(0, step))
        assert np.isfinite(float(loss)), (name, float(loss))
        step_size = min(step_size, rate(gradients))
        for weight, gradient in zip(task.program.weights, gradients):
            assert gradient.shape == weight.shape
            reached[weight.name] |= bool(np.any(gradient.numpy()))
    assert {weight for weight, hit in reached.items() if not hit} == unreached, name

    model = task.compile(keras.optimizers.SGD(step_size))
    history = model.fit(task.train_data(), steps_per_epoch=STEPS, verbose=0, shuffle=False)
    expected, mean_loss = pure_steps(task, step_size)
    np.testing.assert_allclose(history.history["loss"], mean_loss, rtol=1e-5, atol=1e-6)
    assert_close([v.numpy() for v in model.trainable_variables], expected)


def check_population(name: str) -> None:
    """Three members side by side have the losses and gradients that each has alone."""
    task = tasks.get(name)
    start, loss_and_gradients = task.program.init(0), graph(task.program)
    members = [[a * np.float32(factor) for a in start] for factor in (1.0, 0.9, 1.05)]
    batch = task.data.train.batch(0, task.batch_size, 0)
    seed = seed_pair(0, 0)
    stacked = tensors([np.stack(arrays) for arrays in zip(*members)])
    loss, gradients = loss_and_gradients(stacked, batch, seed)
    assert loss.shape == (3,)
    for i, member in enumerate(members):
        alone, slopes = loss_and_gradients(tensors(member), batch, seed)
        assert alone.shape == ()
        np.testing.assert_allclose(loss[i], alone, rtol=1e-5)
        for one, other in zip(gradients, slopes, strict=True):
            # In the mean: a ReLU within rounding of zero may let a gradient pass in one only.
            distance = np.linalg.norm(one[i].numpy() - other.numpy())
            assert distance <= 1e-3 * max(np.linalg.norm(other.numpy()), 1e-7)
