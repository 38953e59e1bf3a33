"""Small user tasks for the tests of `keras_hplist.training`, importable by worker processes."""

import os
import signal

import numpy as np

from keras_hplist.training import KerasTask


def model(dropout=0.0):
    import keras

    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, activation="tanh"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(1),
        ]
    )


def model_with_dropout():
    return model(0.5)


def batch_normalised(dropout=0.0):
    import keras

    return keras.Sequential(
        [
            keras.Input((6,)),
            # A bias would be normalised away, and Adam follow the rounding of its gradient.
            keras.layers.Dense(5, use_bias=False),
            keras.layers.BatchNormalization(momentum=0.8),
            keras.layers.Activation("tanh"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(1),
        ]
    )


def broken():
    raise RuntimeError("this model cannot be built")


def built_in_this_process_only():
    """Builds in the process of the tests, and kills any worker that tries."""
    if os.environ.get("KERAS_HPLIST_TEST_PARENT") != str(os.getpid()):
        os.kill(os.getpid(), signal.SIGKILL)
    return model()


class Unreadable:
    """Builds in this process, and cannot be read by any worker."""

    def __call__(self):
        return model()

    def __reduce__(self):
        return _refuse, ()


def _refuse():
    raise RuntimeError("not here")


def regression(name="regression", build_model=model, **options):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 6)).astype("float32")
    y = (x @ rng.standard_normal((6, 1)) + 0.1 * rng.standard_normal((300, 1))).astype("float32")
    parts = [(x[i : i + 100], y[i : i + 100]) for i in (0, 100, 200)]
    return KerasTask(name, build_model, "mean_squared_error", *parts, batch_size=20, **options)
