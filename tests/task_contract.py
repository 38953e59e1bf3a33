"""What every task of the suite owes its users, as checks that several tests share."""

import json
import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_hplist import tasks
from keras_hplist.tasks.checking import GRADIENT_NOT_FINITE_AT_START

RATE = 1e-3
STEPS = 3
ROUNDINGS = 30
"""How much more than one rounding of the weights the roundings of all layers may change."""


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


def rounded(arrays):
    """Weights one rounding away: what changes with them, single precision does not determine."""
    rng = np.random.default_rng(0)
    return [a * (1 + rng.choice([-1, 1], a.shape).astype(a.dtype) * 2.0**-23) for a in arrays]


def pure_steps(task, loss_and_gradients, start, step_size: float):
    """Weights and mean loss after gradient descent on the pure function."""
    weights, losses = tensors(start), []
    for step in range(STEPS):
        batch = task.data.train.batch(step, task.batch_size, 0)
        loss, gradients = loss_and_gradients(weights, batch, seed_pair(0, step))
        losses.append(float(loss))
        weights = [w - step_size * g for w, g in zip(weights, gradients)]
    return [w.numpy() for w in weights], float(np.mean(losses))


def largest(array) -> float:
    """The largest absolute entry."""
    return float(np.abs(array).max(initial=0.0))


def norm(array) -> float:
    """Root of the sum of squares, which float32 could not hold for some flows."""
    return float(np.linalg.norm(np.asarray(array, np.float64)))


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


def check_training(name: str, unreached: frozenset[str] = frozenset(), **compiling) -> None:
    """The first loss is finite, gradients reach all weights, and `fit` is the pure function."""
    task = tasks.get(name)
    weights = tensors(task.program.init(0))
    finite = name not in GRADIENT_NOT_FINITE_AT_START
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
        overflows = not all(np.isfinite(gradient).all() for gradient in gradients)
        assert overflows != finite, (name, "gradients", "not " * overflows + "finite")
    assert {weight for weight, hit in reached.items() if not hit} == unreached, name

    model = task.compile(keras.optimizers.SGD(step_size), **compiling)
    history = model.fit(task.train_data(), steps_per_epoch=STEPS, verbose=0, shuffle=False)
    if not finite:
        assert math.isnan(history.history["loss"][0])
        return
    start = task.program.init(0)
    expected, mean_loss = pure_steps(task, loss_and_gradients, start, step_size)
    fitted = [variable.numpy() for variable in model.trainable_variables]
    errors = [largest(one - other) for one, other in zip(fitted, expected, strict=True)]
    allowed = [1e-5 * max(largest(one), 1e-7) for one in expected]
    error = abs(history.history["loss"][0] - mean_loss)
    tolerance = 1e-5 * abs(mean_loss) + 1e-6
    if error > tolerance or any(one > most for one, most in zip(errors, allowed)):
        nearby, nearby_loss = pure_steps(task, loss_and_gradients, rounded(start), step_size)
        tolerance = max(tolerance, ROUNDINGS * abs(nearby_loss - mean_loss))
        spreads = [ROUNDINGS * largest(one - other) for one, other in zip(nearby, expected)]
        assert error <= tolerance
        assert all(one <= max(pair) for one, *pair in zip(errors, allowed, spreads))


def check_population(name: str, ill_conditioned: bool = False) -> None:
    """Three members side by side have the losses and gradients that each has alone.

    An ill-conditioned task keeps the losses to a hundredth; rounding decides its gradients.
    """
    task = tasks.get(name)
    start, loss_and_gradients = task.program.init(0), graph(task.program)
    members = [[a * np.float32(factor) for a in start] for factor in (1.0, 0.9, 1.05)]
    batch = task.data.train.batch(0, task.batch_size, 0)
    seed = seed_pair(0, 0)
    stacked = tensors([np.stack(arrays) for arrays in zip(*members)])
    loss, all_slopes = loss_and_gradients(stacked, batch, seed)
    assert loss.shape == (3,)
    for i, member in enumerate(members):
        alone, slopes = loss_and_gradients(tensors(member), batch, seed)
        assert alone.shape == ()
        error, tolerance = abs(float(loss[i] - alone)), 1e-5 * abs(float(alone))
        # In the mean: a ReLU within rounding of zero may let a gradient pass in one only.
        errors = [norm(a[i] - b) for a, b in zip(all_slopes, slopes, strict=True)]
        allowed = [max(1e-3 * norm(b), 1e-10) for b in slopes]
        if ill_conditioned:
            assert error <= 1e-2 * abs(float(alone))
            continue
        if error > tolerance or any(one > most for one, most in zip(errors, allowed)):
            nearby, nearby_slopes = loss_and_gradients(tensors(rounded(member)), batch, seed)
            spreads = [ROUNDINGS * norm(a - b) for a, b in zip(nearby_slopes, slopes)]
            assert error <= max(tolerance, ROUNDINGS * abs(float(nearby - alone)))
            assert all(one <= max(pair) for one, *pair in zip(errors, allowed, spreads))
