"""Searches that choose as they go.

The real KerasTuner and Optuna over the NAdamW space, and a shipped list in adaptive order.

A search is a function of the losses it was told. One that was killed runs again from its first
trial, finds the runs it made among those that are kept, and so goes on where it stopped.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras_tuner
import optuna
from configurations import NADAMW, Configuration
from keras_tuner import oracles
from keras_tuner.engine import trial as trials
from methods import ADAPTIVE, TRIALS
from store import Trial
from training import POINTS

from keras_hplist import HyperparameterList, spaces
from keras_hplist.learning import AdaptiveOrder
from keras_hplist.spaces.distributions import Boolean, Choice, Number

FIRST_RANDOM = 5
"""Random trials before the model of BayesianOptimization or TPE takes over. The tools' defaults (3
per hyperparameter, and 10) would leave it little or nothing of twenty trials."""

SPACE = spaces.get(NADAMW)
Evaluate = Callable[[Configuration, int], float]


def search(method: str, seed: int, training_steps: int, evaluate: Evaluate) -> Iterator[Trial]:
    """Run a search for as many steps as twenty whole runs have.

    Args:
        method: its name.
        seed: of the search.
        training_steps: of a whole run.
        evaluate: the lowest validation loss of a configuration up to a step.

    Yields:
        The trials in order.
    """
    spent = 0
    if method.startswith(ADAPTIVE):
        proposals = _adaptive(method.removeprefix(ADAPTIVE), training_steps, evaluate)
    else:
        proposals = _PROPOSALS[method](seed, training_steps, evaluate)
    for trial in proposals:
        if spent + trial.stop - trial.start > TRIALS * training_steps:
            return
        spent += trial.stop - trial.start
        yield trial


def _adaptive(name: str, training_steps: int, evaluate: Evaluate) -> Iterator[Trial]:
    entries = HyperparameterList.load(name)
    order = AdaptiveOrder(entries)
    losses: dict[int, float] = {}
    began = time.process_time()
    while (rank := order.next_entry(losses)) is not None:
        seconds = time.process_time() - began
        configuration = Configuration.of(entries.space.name, entries[rank])
        losses[rank] = evaluate(configuration, training_steps)
        yield _trial(configuration, 0, training_steps, seconds)
        began = time.process_time()


def _keras_tuner(
    make: Callable[..., Any], seed: int, training_steps: int, evaluate: Evaluate
) -> Iterator[Trial]:
    objective = keras_tuner.Objective("val_loss", "min")
    hyperparameters = SPACE.hyperparameters()
    # KerasTuner takes seed 0 for none given.
    oracle = make(objective=objective, hyperparameters=hyperparameters, seed=seed + 1)
    oracle.verbose = 0
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "search")
        while True:
            began = time.process_time()
            proposed = oracle.create_trial("tuner0")
            seconds = time.process_time() - began
            if proposed.status != trials.TrialStatus.RUNNING:
                return
            values = proposed.hyperparameters.values
            epochs, start = values.get("tuner/epochs", POINTS), values.get("tuner/initial_epoch", 0)
            every = training_steps // POINTS
            configuration = Configuration.of(NADAMW, SPACE.from_keras_tuner(values))
            loss = evaluate(configuration, epochs * every)
            yield _trial(configuration, start * every, epochs * every, seconds)
            oracle.update_trial(proposed.trial_id, {"val_loss": loss}, step=epochs)
            proposed.status = trials.TrialStatus.COMPLETED
            oracle.end_trial(proposed)


def _optuna_tpe(seed: int, training_steps: int, evaluate: Evaluate) -> Iterator[Trial]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=FIRST_RANDOM)
    study = optuna.create_study(sampler=sampler)
    while True:
        began = time.process_time()
        proposed = study.ask()
        configuration = Configuration.of(NADAMW, _suggest(proposed))
        seconds = time.process_time() - began
        loss = evaluate(configuration, training_steps)
        yield _trial(configuration, 0, training_steps, seconds)
        study.tell(proposed, loss)


def _suggest(trial: optuna.Trial) -> dict[str, Any]:
    """A configuration of the space by Optuna's suggestions, on the space's own scales."""
    state: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for row in SPACE.rows:
        if row.is_active(state):
            spread = row.distribution
            if isinstance(spread, Boolean | Choice):
                state[row.name] = trial.suggest_categorical(row.name, list(spread.values))
            elif isinstance(spread, Number) and spread.sampling == "one_minus_log":
                gap = trial.suggest_float(f"1 - {row.name}", spread.low, spread.high, log=True)
                state[row.name] = 1.0 - gap
            elif isinstance(spread, Number):
                state[row.name] = trial.suggest_float(
                    row.name, spread.low, spread.high, log=spread.sampling == "log"
                )
        if not row.hidden:
            values.setdefault(row.name, row.otherwise)
            values[row.name] = state.get(row.name, values[row.name])
    return SPACE.validate(values)


def _trial(configuration: Configuration, start: int, stop: int, seconds: float) -> Trial:
    return Trial(configuration.kind, dict(configuration.values), start, stop, seconds)


def _random_search(**arguments: Any) -> Any:
    return oracles.RandomSearchOracle(max_trials=TRIALS, **arguments)


def _bayesian_optimization(**arguments: Any) -> Any:
    return oracles.BayesianOptimizationOracle(
        max_trials=TRIALS, num_initial_points=FIRST_RANDOM, **arguments
    )


def _hyperband(**arguments: Any) -> Any:
    # Iterations without end: the number of steps ends the search.
    return oracles.HyperbandOracle(max_epochs=POINTS, hyperband_iterations=0, **arguments)


def _by_oracle(make: Callable[..., Any]) -> Callable[[int, int, Evaluate], Iterator[Trial]]:
    return lambda seed, steps, evaluate: _keras_tuner(make, seed, steps, evaluate)


_PROPOSALS: dict[str, Callable[[int, int, Evaluate], Iterator[Trial]]] = {
    "keras_tuner_random": _by_oracle(_random_search),
    "keras_tuner_bayesian": _by_oracle(_bayesian_optimization),
    "keras_tuner_hyperband": _by_oracle(_hyperband),
    "optuna_tpe": _optuna_tpe,
}
