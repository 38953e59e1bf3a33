"""A user's own Keras models in a population: layers of all kinds, and what is refused."""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from trained_by_fit import STEPS, TOLERANCE, loss_after_model_fit, model_after_fit
from training_tasks import batch_normalised, model_with_dropout, regression

from keras_hplist import spaces
from keras_hplist.errors import InvalidValueError
from keras_hplist.training import KerasTask, train_population

RATES = [{"learning_rate": 0.1}, {"learning_rate": 0.01}]
alone_or_side_by_side = pytest.mark.parametrize(
    "size", [pytest.param(1, marks=pytest.mark.slow), 2]
)


POINTS_OF_A_USER_TASK = """
import sys
from training_tasks import batch_normalised, regression
from keras_hplist import spaces
from keras_hplist.training import train_population

task = regression(build_model=lambda: batch_normalised(dropout=0.5))
for points in (2, 6):
    train_population(task, spaces.get("adam1p").sample(2), 6, points, size=2, threads=1)
    print("measured", points, file=sys.stderr, flush=True)
"""


def test_a_model_of_a_user_is_compiled_once_for_all_batches():
    """Six points take as many compilations as two: a batch or a step is no constant for XLA."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path]),
        "TF_CPP_MIN_LOG_LEVEL": "0",
        "TF_CPP_VMODULE": "device_compiler=1",
    }
    command = [sys.executable, "-c", POINTS_OF_A_USER_TASK]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second, _ = run.stderr.split("measured")
    assert first.count("Compilation of XLA") == second.count("Compilation of XLA") == 2


def test_threads_do_not_change_the_initial_weights():
    """Where others build too, and draw from Python's generator, as in a worker of Dask."""
    expected = regression().program.init(0)
    with ThreadPoolExecutor(4) as threads:
        tasks = [regression(f"t{i}") for i in range(12)]
        drawing = threads.submit(lambda: [random.random() for _ in range(100_000)])
        found = list(threads.map(lambda task: task.program.init(0), tasks))
        drawing.result()
    for weights in found:
        for one, other in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(one, other)


class DrawsTwice(keras.layers.Layer):
    """The inputs and two random numbers of one generator."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(0)

    def call(self, x):
        draws = [keras.random.uniform((1, 1), seed=self.generator) for _ in range(2)]
        return keras.ops.concatenate([x, *(keras.ops.repeat(d, 20, axis=0) for d in draws)], 1)


def test_no_random_number_comes_twice():
    """Neither in the next step, nor in another generator of the model, nor with the next seed."""
    dense = keras.layers.Dense(1, kernel_initializer="zeros")

    def model():
        x = keras.Input((6,))
        return keras.Model(x, DrawsTwice()(DrawsTwice()(x)) + 0 * dense(x))

    def drawn(seed, step):
        losses = []
        for column in range(6, 10):
            task = regression(build_model=model)
            task = replace(task, loss=lambda y, p, c=column: p[:, c], batch_size=20)
            program, (x, y) = task.program, task.train
            batch = (tf.constant(x[:20]), tf.constant(y[:20]))
            weights = [tf.convert_to_tensor(w) for w in program.weights]
            loss, _ = program.loss_and_statistics(weights, [], batch, tf.constant([seed, step]))
            losses.append(float(loss))
        return losses

    numbers = [value for seed in (0, 1) for step in (0, 1) for value in drawn(seed, step)]
    assert len(set(numbers)) == len(numbers)


@alone_or_side_by_side
def test_a_model_of_a_user_is_evaluated_without_dropout(size):
    """As `model.evaluate` does; the loss before the first step shows it for weights we know."""
    task = replace(regression(build_model=model_with_dropout), batch_size=100)
    curves = train_population(task, spaces.get("nadamw").sample(2), 2, [0, 2], seed=1, size=size)
    keras.utils.set_random_seed(1)
    model = model_with_dropout()
    model.compile(loss="mean_squared_error")
    expected = model.evaluate(*task.valid, verbose=0)
    np.testing.assert_allclose(curves.losses["valid"][:, 0], expected, rtol=1e-5)


def with_outputs(units, activation=None):
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(units, activation)])


def of_tokens():
    return keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            keras.layers.Embedding(9, 5, mask_zero=True),
            keras.layers.Dense(4, "softmax"),
        ]
    )


def squared(y_true, y_pred):
    return keras.ops.mean((y_true - y_pred) ** 2, -1)


class WithOwnLoss(keras.Model):
    """Has a loss, a metric, penalties, and a call that does not ask whether it trains."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(4, kernel_regularizer="l2", activity_regularizer="l1")
        self.outer = keras.layers.Dense(1)
        self.tripled = keras.metrics.Mean()
        self(np.zeros((1, 6)))

    def call(self, x):
        return self.outer(self.hidden(x))

    def compute_loss(self, x, y, y_pred, sample_weight=None):
        loss = 3 * super().compute_loss(x, y, y_pred, sample_weight)
        self.tripled.update_state(loss)
        return loss


def vectors(rng, *shape):
    return rng.standard_normal((300, *shape))


OWN_LOSSES = {
    "targets of rank 1": (lambda: with_outputs(1), squared, lambda rng: vectors(rng)),
    "name, rank 1": (
        lambda: with_outputs(1, "tanh"),
        "hinge",
        lambda rng: rng.choice([-1, 1], 300),
    ),
    "integers": (lambda: with_outputs(3), squared, lambda rng: rng.integers(0, 5, (300, 3))),
    "flags": (
        lambda: with_outputs(1, "sigmoid"),
        "binary_crossentropy",
        lambda rng: rng.random(300) < 0.5,
    ),
    "name for compile": (
        lambda: with_outputs(3, "softmax"),
        "crossentropy",
        lambda rng: rng.integers(0, 3, 300),
    ),
    "mask": (
        of_tokens,
        "sparse_categorical_crossentropy",
        lambda rng: rng.integers(0, 4, (300, 6)),
    ),
    "sum": (
        lambda: with_outputs(2),
        keras.losses.Huber(reduction="sum"),
        lambda rng: vectors(rng, 2),
    ),
    "method of the model": (WithOwnLoss, "mse", lambda rng: vectors(rng)),
}


@pytest.mark.parametrize("case", OWN_LOSSES)
def test_the_loss_is_that_of_model_fit(case):
    """However the loss is given, and whatever the shape and type of the targets."""
    build_model, loss, draw = OWN_LOSSES[case]
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (300, 6)) if case == "mask" else vectors(rng, 6), draw(rng)
    parts = [(x[i : i + 100], y[i : i + 100]) for i in (0, 100, 200)]
    assert_evaluated_as_in_model_fit(KerasTask("own", build_model, loss, *parts, batch_size=100))


def assert_evaluated_as_in_model_fit(task, size=2):
    """Both members have the loss of `model.evaluate` after `model.fit`."""
    curves = train_population(task, RATES, STEPS, [STEPS], seed=3, size=size)
    for member, values in enumerate(RATES):
        model = model_after_fit(task, spaces.get("adam1p"), values, seed=3)
        expected = model.evaluate(*task.valid, batch_size=task.batch_size, verbose=0)
        np.testing.assert_allclose(curves.losses["valid"][member, 0], expected, **TOLERANCE)


def without_vectorised_form(build_model, x):
    """A task that TensorFlow cannot map over, and curves of two configurations in both layouts.

    Alone by default: side by side it is several times as slow.
    """
    task = KerasTask(
        "looping",
        build_model,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        *[(x, np.random.default_rng(1).integers(0, 3, 80))] * 3,
        batch_size=10,
    )
    space = spaces.get("nadamw")
    configurations = [space.draw(seed) | {"learning_rate": 1e-3} for seed in (1, 2)]
    together = train_population(task, configurations, STEPS, [STEPS], seed=3, size=2)
    alone = train_population(task, configurations, STEPS, [STEPS], seed=3)
    assert (together.size, alone.size) == (2, 1)
    return task, configurations, (together, alone)


def assert_as_in_model_fit(task, configurations, populations):
    expected = loss_after_model_fit(task, spaces.get("nadamw"), configurations[1], seed=3)
    for curves in populations:
        np.testing.assert_allclose(curves.losses["valid"][1, 0], expected, **TOLERANCE)


@pytest.mark.parametrize("kind", ["images", "series"])
def test_convolutions_of_a_user_train_as_in_model_fit(kind, caplog, monkeypatch):
    """A user's convolutional model trains alone and side by side as in `model.fit`, quietly."""
    build_model, shape = {
        "images": (convolutions_of_images, (6, 6, 2)),
        "series": (convolutions_of_series, (9, 2)),
    }[kind]
    monkeypatch.setattr(tf.get_logger(), "handlers", [caplog.handler])
    x = np.random.default_rng(0).standard_normal((80, *shape))
    trained = without_vectorised_form(build_model, x)
    assert not caplog.messages
    assert_as_in_model_fit(*trained)


def test_loops_over_time_train_as_in_model_fit():
    """Recurrent layers that are not unrolled train alone and side by side as in `model.fit`."""
    tokens = np.random.default_rng(0).integers(0, 4, (80, 9))
    assert_as_in_model_fit(*without_vectorised_form(recurrent, tokens))


def rotated_images():
    # All by a quarter in training, so that nothing depends on draws.
    rotation = keras.Sequential([keras.layers.RandomRotation((0.25, 0.25))])
    dense = keras.layers.Dense(3)
    return keras.Sequential([keras.Input((6, 6, 2)), rotation, keras.layers.Flatten(), dense])


def hashed_numbers():
    layers = keras.layers.Hashing(5), keras.layers.Embedding(5, 3), keras.layers.Flatten()
    return keras.Sequential([keras.Input((6,), dtype="int32"), *layers, keras.layers.Dense(3)])


@alone_or_side_by_side
@pytest.mark.parametrize("build_model", [rotated_images, hashed_numbers])
def test_layers_that_xla_does_not_know_train_as_in_model_fit(build_model, size):
    """Also inside another layer; they are left to TensorFlow."""
    rng = np.random.default_rng(0)
    x = vectors(rng, 6, 6, 2) if build_model is rotated_images else rng.integers(0, 99, (300, 6))
    y = rng.integers(0, 3, 300)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    parts = [(x[i : i + 100], y[i : i + 100]) for i in (0, 100, 200)]
    task = KerasTask("without XLA", build_model, loss, *parts, batch_size=100)
    assert_evaluated_as_in_model_fit(task, size)


def group_normalised():
    x = image = keras.Input((16, 16, 1))
    for _ in range(2):
        x = keras.layers.Conv2D(12, 3, padding="same")(keras.layers.GroupNormalization(1)(x))
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def test_threads_share_no_graph_of_convolutions(monkeypatch):
    """What oneDNN puts in place of the normalisation crashes if two threads run the same one."""
    running, shared = set(), []
    compiled = tf.function

    def watched(f=None, **options):
        function = compiled(f, **options)
        if f is None or options != {"autograph": False}:
            return function

        def call(*args):
            shared.append(id(function) in running)
            running.add(id(function))
            result = function(*args)
            running.discard(id(function))
            return result

        return call

    monkeypatch.setattr(tf, "function", watched)
    x, y = np.random.default_rng(0).standard_normal((64, 16, 16, 1)), np.arange(64) % 3
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    task = KerasTask("normalised", group_normalised, loss, *[(x, y)] * 3, batch_size=16)
    rates = spaces.half_orders()[2:12]
    several, one = (train_population(task, rates, 12, [6, 12], threads=n) for n in (3, 1))
    np.testing.assert_allclose(several.losses["valid"], one.losses["valid"], rtol=1e-2)
    assert shared and not any(shared)


def partly_frozen(seed=3):
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, "tanh", kernel_initializer=initializer, trainable=False),
            keras.layers.BatchNormalization(trainable=False),
            keras.layers.Dense(1, dtype="mixed_bfloat16"),
        ]
    )


@alone_or_side_by_side
def test_frozen_layers_stay_as_they_are(size):
    """Also a BatchNormalization; the rest trains as in `model.fit`, here in mixed precision."""
    task, space = regression(build_model=partly_frozen), spaces.get("adam1p")
    curves = train_population(task, RATES, STEPS, [STEPS], seed=3, size=size)
    expected = loss_after_model_fit(task, space, RATES[1], seed=3)
    # Products in bfloat16 have three digits.
    np.testing.assert_allclose(curves.losses["valid"][1, 0], expected, rtol=2e-2)


@alone_or_side_by_side
def test_statistics_of_batches_are_kept_as_in_model_fit(size):
    """Each member has its own moving means, and is evaluated with them."""
    task = replace(regression(build_model=batch_normalised), batch_size=100)
    assert_evaluated_as_in_model_fit(task, size)


def batch_normalised_convolutions():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(4, 3, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


def test_statistics_of_convolutions_are_kept_as_in_model_fit():
    """They train alone and side by side, as other convolutions."""
    x = np.random.default_rng(0).standard_normal((80, 6, 6, 2))
    assert_as_in_model_fit(*without_vectorised_form(batch_normalised_convolutions, x))


def test_statistics_may_start_at_random():
    """They come from the seed, like the weights."""

    def build_model():
        return keras.Sequential([keras.Input((6,)), Fading(), keras.layers.Dense(1)])

    task = replace(regression(build_model=build_model), batch_size=100)
    assert_evaluated_as_in_model_fit(task)


class Fading(keras.layers.Layer):
    """Scales its inputs by what starts at random, and halves in each step."""

    def build(self, shape):
        self.scale = self.add_weight(shape=shape[1:], initializer="uniform", trainable=False)

    def call(self, x, training=False):
        if training:
            self.scale.assign(self.scale / 2)
        return x * (1 + self.scale)


def constrained():
    """Weights too large for their constraints from the start, and one without any."""
    bounds = keras.constraints.MaxNorm(0.3), keras.constraints.UnitNorm(axis=None)
    hidden, last = (
        keras.layers.Dense(units, kernel_constraint=bound, bias_constraint="non_neg")
        for units, bound in zip((5, 1), bounds)
    )
    return keras.Sequential([keras.Input((6,)), hidden, keras.layers.Dense(4), last])


@alone_or_side_by_side
def test_constraints_are_applied_to_each_member(size):
    """After each step, as in `model.fit`."""
    task = replace(regression(build_model=constrained), batch_size=100)
    assert_evaluated_as_in_model_fit(task, size)


def spectrally_normalised():
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(1))
    return keras.Sequential([keras.Input((6,)), layer])


class PartlyBuilt(keras.Model):
    """One layer makes its weights when it sees data."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(4)
        self.hidden.build((None, 6))
        self.last = keras.layers.Dense(1, name="last")

    def call(self, x):
        return self.last(self.hidden(x))


def stateful():
    return keras.Sequential(
        [
            keras.Input(batch_shape=(20, 6)),
            keras.layers.Reshape((3, 2)),
            keras.layers.SimpleRNN(3, stateful=True, unroll=True),
            keras.layers.Dense(1),
        ]
    )


def with_two_outputs():
    x = keras.Input((6,))
    return keras.Model(x, {"a": keras.layers.Dense(1)(x), "b": keras.layers.Dense(1)(x)})


def recurrent():
    return keras.Sequential(
        [
            keras.Input((9,)),
            keras.layers.Embedding(4, 3, mask_zero=True),
            keras.layers.LSTM(4, return_sequences=True),
            keras.layers.GRU(4),
            keras.layers.Dense(3),
        ]
    )


def convolutions_of_series():
    return keras.Sequential(
        [
            keras.Input((9, 2)),
            keras.layers.Conv1D(4, 2, padding="causal", dilation_rate=2, activation="tanh"),
            keras.layers.Conv1D(3, 3, strides=2),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(3),
        ]
    )


def convolutions_of_images():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


@pytest.mark.parametrize(
    ("build_model", "message"),
    [
        (lambda: keras.Sequential([keras.layers.Dense(1)]), "no trainable weights.*keras.Input"),
        (lambda: None, "must return a keras.Model; it returned NoneType"),
        (lambda: partly_frozen(None), "kernel' is frozen.*other values each time"),
        (
            lambda: keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, dtype="float64")]),
            "weights of type float64; only float32",
        ),
        (
            spectrally_normalised,
            "'sequential.*/spectral_normalization.*kernel'.*assigned.*constraint",
        ),
        (PartlyBuilt, "made '.*last/kernel', '.*last/bias' only when it saw data.*keras.Input"),
        (stateful, "from batch to batch.*stateful=False"),
        (with_two_outputs, "2 outputs.*Concatenate"),
        (cache(model_with_dropout), "the same model at each call.*inside build_model"),
    ],
)
def test_unsuitable_models_are_refused(build_model, message):
    """What cannot be trained side by side is refused, with the way out."""
    with pytest.raises(InvalidValueError, match=message):
        train_population(regression(build_model=build_model), [{"learning_rate": 0.1}], 5)


class WithOwnStep(WithOwnLoss):
    def train_step(self, data):
        return super().train_step(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"build_model": WithOwnStep}, "WithOwnStep overrides train_step.*compute_loss instead"),
        (
            {"loss": keras.losses.MeanSquaredError(reduction=None)},
            r"must be one number; it has shape \(20,\).*sum_over_batch_size",
        ),
    ],
)
def test_steps_and_losses_unlike_those_of_fit_are_refused(options, message):
    """With what to give in their place."""
    with pytest.raises(InvalidValueError, match=message):
        train_population(replace(regression(), **options), RATES, 5)


X, Y = np.zeros((40, 6)), np.zeros((40, 1))


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ((X, Y, Y), r"train must be a pair.*tuple of 3"),
        (X, r"train must be a pair.*ndarray of 40"),
        (
            tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: True),
            r"train must be a pair of arrays \(x, y\); got a _FilterDataset\.",
        ),
        ((X[:0], Y[:0]), "train has no examples"),
        ((X, Y[:30]), "40 inputs and 30 targets"),
        (({"a": X, "b": X}, Y), "x of train must be one array of numbers; got dict"),
        (([X, X[:30]], Y), "x of train must be one array of numbers; got list"),
        ((np.array(["a"] * 40), Y), "x of train.*<U1.*as integers"),
        ((X, None), "y of train must be one array.*NoneType"),
        ((X, Y.astype(int) + 2**31), "y of train has.*2147483648; .*to 2147483647.*as floats"),
        ((X.astype(int) - 2**40, Y), "x of train has integers from -1099511627776 to"),
        ((X[:10], Y[:10]), "batch_size is 20, and train has 10"),
    ],
)
def test_unsuitable_data_are_refused(train, message):
    """Before anything is built."""
    with pytest.raises(InvalidValueError, match=message):
        replace(regression(), train=train)
