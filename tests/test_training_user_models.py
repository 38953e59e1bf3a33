"""A user's own Keras models in a population: layers of all kinds, and what is refused."""

import os
import subprocess
import sys
from dataclasses import replace

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


@pytest.mark.parametrize("size", [1, 2])
def test_a_model_of_a_user_is_evaluated_without_dropout(size):
    """As `model.evaluate` does; the loss before the first step shows it for weights we know."""
    task = replace(regression(build_model=model_with_dropout), batch_size=100)
    curves = train_population(task, spaces.get("nadamw").sample(2), 2, [0, 2], seed=1, size=size)
    keras.utils.set_random_seed(1)
    model = model_with_dropout()
    model.compile(loss="mean_squared_error")
    expected = model.evaluate(*task.valid, verbose=0)
    np.testing.assert_allclose(curves.losses["valid"][:, 0], expected, rtol=1e-5)


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


@pytest.mark.parametrize("size", [1, 2])
def test_frozen_layers_stay_as_they_are(size):
    """Also a BatchNormalization; the rest trains as in `model.fit`, here in mixed precision."""
    task, space = regression(build_model=partly_frozen), spaces.get("adam1p")
    curves = train_population(task, RATES, STEPS, [STEPS], seed=3, size=size)
    expected = loss_after_model_fit(task, space, RATES[1], seed=3)
    # Products in bfloat16 have three digits.
    np.testing.assert_allclose(curves.losses["valid"][1, 0], expected, rtol=2e-2)


@pytest.mark.parametrize("size", [1, 2])
def test_statistics_of_batches_are_kept_as_in_model_fit(size):
    """Each member has its own moving means, and is evaluated with them."""
    task = replace(regression(build_model=batch_normalised), batch_size=100)
    curves = train_population(task, RATES, STEPS, [STEPS], seed=3, size=size)
    for member, values in enumerate(RATES):
        model = model_after_fit(task, spaces.get("adam1p"), values, seed=3)
        expected = model.evaluate(*task.valid, verbose=0)
        np.testing.assert_allclose(curves.losses["valid"][member, 0], expected, **TOLERANCE)


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
    """As those of SpectralNormalization do: they come from the seed, like the weights."""

    def build_model():
        layer = keras.layers.SpectralNormalization(keras.layers.Dense(1))
        return keras.Sequential([keras.Input((6,)), layer])

    task = regression(build_model=build_model)
    one, other = (train_population(task, RATES, STEPS, seed=3, size=n) for n in (1, 2))
    np.testing.assert_allclose(one.losses["valid"], other.losses["valid"], **TOLERANCE)
    assert one.losses["valid"][0, -1] < one.losses["valid"][0, 0]


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
    ],
)
def test_unsuitable_models_are_refused(build_model, message):
    """What cannot be trained side by side is refused, with the way out."""
    with pytest.raises(InvalidValueError, match=message):
        train_population(regression(build_model=build_model), [{"learning_rate": 0.1}], 5)


X, Y = np.zeros((40, 6)), np.zeros((40, 1))


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ((X, Y, Y), r"train must be a pair.*tuple of 3"),
        (X, r"train must be a pair.*ndarray of 40"),
        ((X, Y[:30]), "40 inputs and 30 targets"),
        (({"a": X, "b": X}, Y), "x of train must be one array of numbers; got dict"),
        (([X, X[:30]], Y), "x of train must be one array of numbers; got list"),
        ((np.array(["a"] * 40), Y), "x of train.*<U1.*as integers"),
        ((X, None), "y of train must be one array.*NoneType"),
        ((X[:10], Y[:10]), "batch_size is 20, and train has 10"),
    ],
)
def test_unsuitable_data_are_refused(train, message):
    """Before anything is built."""
    with pytest.raises(InvalidValueError, match=message):
        replace(regression(), train=train)
