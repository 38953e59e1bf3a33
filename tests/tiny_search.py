"""A problem that a tuner solves in a blink; the tuner tests and their subprocesses share it."""

import keras
import numpy as np

import keras_hplist as khl

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = np.exp(X.sum(axis=1, keepdims=True) / 3)
TRAIN, VALID = (X[:40], Y[:40]), (X[40:], Y[40:])
RATES = [0.003, 0.03, 10.0, 0.1]  # the third diverges in its first epoch
RATE_LIST = khl.HyperparameterList([{"learning_rate": r} for r in RATES], "adam1p", name="rates")
NADAMW_LIST = khl.HyperparameterList(
    [
        {**row, "learning_rate": 0.01, "epsilon": 1e-7}
        for row in khl.spaces.get("nadamw").sample(3, seed=7).to_dict("records")
    ],
    "nadamw",
    name="three",
)


def build_model(hp):
    """Exponential output, so that a wild step leaves the finite numbers."""
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(hp.Int("units", 2, 8, default=4), activation="tanh"),
            keras.layers.Dense(1, activation="exponential"),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
    return model


def tuner(build=build_model, hyperparameter_list=RATE_LIST, **kwargs):
    """A tuner with a fixed seed over the whole list."""
    arguments = {"max_trials": None, "seed": 3} | kwargs
    return khl.HyperparameterListTuner(build, hyperparameter_list=hyperparameter_list, **arguments)


def search(built, *, epochs=3, **kwargs):
    """Search with a tuner that `tuner` built."""
    arguments = {"validation_data": VALID, "batch_size": 10, "verbose": 0} | kwargs
    built.search(*TRAIN, epochs=epochs, **arguments)
    return built


def scores(searched):
    """The score of each trial in the order of the list."""
    trials = sorted(searched.oracle.trials.values(), key=lambda trial: trial.trial_id)
    return [trial.score for trial in trials]


def curves(searched):
    """The rows of the history that a tuner recorded, in the order of the trials' seeds."""
    return khl.History.read(searched.curves).to_frame()


class Scaled(keras.regularizers.Regularizer):
    """Shows its factor in no configuration."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return self.factor * keras.ops.mean(x**2)

    def get_config(self):
        return {}
