"""The demonstration: tune a small real network with a learned list, and by random search."""

import itertools
import math
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import keras
import keras_tuner
import numpy as np
import pandas as pd
from keras_tuner.engine.trial import Trial
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from keras_hplist.lists import HyperparameterList
from keras_hplist.lists.hyperparameter_list import checked_list
from keras_hplist.tuning import HyperparameterListTuner, OptimizerHyperModel

BATCH_SIZE = 64


@dataclass(frozen=True)
class Digits:
    """The 1,797 digits that ship with scikit-learn, split 60/20/20 with a fixed seed."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @classmethod
    def load(cls) -> "Digits":
        """Load the images as float32 of shape (n, 8, 8, 1) in [0, 1] and int labels 0-9."""
        images, labels = load_digits(return_X_y=True)
        images = (images / 16.0).astype("float32").reshape(-1, 8, 8, 1)
        x_train, x_rest, y_train, y_rest = train_test_split(
            images, labels, test_size=0.4, random_state=0, stratify=labels
        )
        x_valid, x_test, y_valid, y_test = train_test_split(
            x_rest, y_rest, test_size=0.5, random_state=0, stratify=y_rest
        )
        return cls(x_train, y_train, x_valid, y_valid, x_test, y_test)


def network() -> keras.Model:
    """Return an uncompiled convolutional network for 8x8 grey images and ten classes."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


def compiled() -> keras.Model:
    """Return the network compiled for classification; the searches put their optimizers in."""
    model = network()
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


@dataclass(frozen=True)
class Result:
    """What one search found.

    Attributes:
        method: name of the method.
        trials: one row per trial in the order tried: `val_loss` and the hyperparameters.
        test_accuracy: accuracy of the best trial's model on the test part.
    """

    method: str
    trials: pd.DataFrame
    test_accuracy: float

    @property
    def best(self) -> pd.Series:
        """The row of the lowest validation loss."""
        return self.trials.iloc[int(self.trials["val_loss"].argmin())]


def run(
    hyperparameter_list: str | HyperparameterList = "nadamw",
    trials: int = 8,
    epochs: int = 10,
    seed: int = 0,
    report: Callable[[str, int, float], None] | None = None,
) -> tuple[Result, Result]:
    """Search with the list and, with the same budget, with KerasTuner's RandomSearch.

    Random search draws from the search space that the list was learned over, trains the same
    network with the same optimizer for the same number of epochs, and so differs in one thing:
    which configurations it tries.

    Args:
        hyperparameter_list: a shipped name, a path, or a list.
        trials: trials of each method.
        epochs: epochs of each trial.
        seed: seed of both methods.
        report: called after every trial with the method, the trials done, and the trial's loss.

    Returns:
        The list's result and random search's.
    """
    digits = Digits.load()
    entries = checked_list(hyperparameter_list)
    model = OptimizerHyperModel(lambda hp: compiled(), entries.space)

    with tempfile.TemporaryDirectory() as folder:
        tuners: dict[str, keras_tuner.Tuner] = {
            f"list {entries.name!r}": HyperparameterListTuner(
                model.hypermodel,
                objective="val_loss",
                max_trials=trials,
                hyperparameter_list=entries,
                seed=seed,
                directory=folder,
                project_name="list",
            ),
            "RandomSearch": keras_tuner.RandomSearch(
                model,
                objective="val_loss",
                max_trials=trials,
                seed=seed + 1,  # KerasTuner takes 0 for none given
                max_consecutive_failed_trials=trials,
                directory=folder,
                project_name="random",
            ),
        }
        from_list, at_random = (
            _search(name, tuner, digits, epochs, report) for name, tuner in tuners.items()
        )
    return from_list, at_random


def _search(
    method: str,
    tuner: keras_tuner.Tuner,
    digits: Digits,
    epochs: int,
    report: Callable[[str, int, float], None] | None,
) -> Result:
    """Run a search; return its trials in order and its best model's test accuracy."""
    callbacks = []
    if report is not None:
        trials_done = itertools.count(1)
        callbacks.append(_TrialEnd(lambda loss: report(method, next(trials_done), loss)))
    tuner.search(
        digits.x_train,
        digits.y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=(digits.x_valid, digits.y_valid),
        callbacks=callbacks,
        verbose=0,
    )
    trials = [tuner.oracle.get_trial(trial_id) for trial_id in tuner.oracle.end_order]
    frame = pd.DataFrame([_row(trial, tuner.hypermodel) for trial in trials])
    with warnings.catch_warnings():
        # RandomSearch restores into an optimizer that has no state yet; evaluation needs none.
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        model = tuner.get_best_models()[0]
    _, accuracy = model.evaluate(digits.x_test, digits.y_test, verbose=0)
    return Result(method, frame, accuracy)


class _TrialEnd(keras.callbacks.Callback):
    """Tells the lowest validation loss of a trial, infinite if it has none, as its fit ends."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        super().__init__()
        self._tell = tell

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        losses = self.model.history.history.get("val_loss", ())
        self._tell(min(filter(math.isfinite, losses), default=math.inf))


def _row(trial: Trial, model: OptimizerHyperModel) -> dict[str, float]:
    """The loss of a trial and the hyperparameters that fit into a table."""
    shown = ("learning_rate", "beta1", "epsilon", "adamw_weight_decay")
    values = model.configuration(trial.hyperparameters)
    return {"val_loss": _loss(trial), **{name: values[name] for name in shown if name in values}}


def _loss(trial: Trial) -> float:
    """The validation loss of a trial; infinite if it has none."""
    score = trial.score
    return math.inf if score is None or not math.isfinite(score) else score
