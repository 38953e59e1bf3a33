"""What is tried once every entry of the list has been.

A policy is a function of the oracle that returns the next configuration, or None to end the search.
Policies keep no state of their own: what they propose depends on the seed and on the trials so far
alone, so a search that was killed goes on as if it had not been.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras_tuner
from keras_tuner.engine.hyperparameters import Float, Int
from keras_tuner.engine.trial import Trial, TrialStatus
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from keras_hplist.tuning.oracle import HyperparameterListOracle

# So many draws in a row that were all tried before mean that the space is exhausted; the number is
# KerasTuner's.
_MAX_COLLISIONS = 20


def stop(oracle: "HyperparameterListOracle") -> dict[str, Any] | None:
    """End the search with the list."""
    return None


def sample(oracle: "HyperparameterListOracle") -> dict[str, Any] | None:
    """Draw from the list's search space.

    The n-th draw (from 0) is the space's configuration of seed `oracle.seed + n`. Configurations
    that were tried already are passed over.
    """
    space = oracle.hyperparameter_list.space
    first = oracle.seed + oracle.trials_after_list
    for seed in range(first, first + _MAX_COLLISIONS):
        configuration = space.draw(seed)
        if not oracle.was_tried(configuration):
            return configuration
    return None


def bayesian(oracle: "HyperparameterListOracle") -> dict[str, Any] | None:
    """Let KerasTuner's `BayesianOptimizationOracle` propose from all results so far.

    It models the hyperparameters of the list, and the user's own where these are sampled. Trials
    that diverged, and those that still run on other workers, count as equal to the worst finite
    result: a Gaussian process cannot take an infinite loss, and a pessimistic guess ("constant
    liar", Ginsbourger, Le Riche and Carraro, 2010) keeps parallel workers apart. With fewer than
    two finite results there is nothing to model, and the space is sampled.
    """
    searched = keras_tuner.HyperParameters()
    searched.merge([hp for hp in oracle.hyperparameters.space if oracle.searches(hp.name)])
    known = [
        trial
        for trial in oracle.trials.values()
        if trial.status in (TrialStatus.COMPLETED, TrialStatus.RUNNING)
    ]
    scores = [trial.score for trial in known if trial.score is not None]
    finite = [score for score in scores if math.isfinite(score)]
    if len(finite) < 2:
        return sample(oracle)
    worst = max(finite) if oracle.objective.direction == "min" else min(finite)

    gaussian_process = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=oracle.objective,
        num_initial_points=1,
        seed=oracle.seed + oracle.trials_after_list + 1,  # KerasTuner takes 0 for none given
        hyperparameters=searched,
    )
    for trial in known:
        usable = trial.score is not None and math.isfinite(trial.score)
        gaussian_process.trials[trial.trial_id] = _completed(
            trial, searched, trial.score if usable else worst
        )
    # Its matrices are so small that more threads take three times as long.
    with threadpool_limits(1):
        proposed = gaussian_process.populate_space("")["values"]
    configuration = oracle.hyperparameter_list.space.from_keras_tuner(proposed)
    if oracle.was_tried(configuration):
        return sample(oracle)
    return {**proposed, **configuration}


def _completed(trial: Trial, searched: keras_tuner.HyperParameters, score: float) -> Trial:
    """A finished trial over the searched hyperparameters, each value within its bounds."""
    hyperparameters = searched.copy()
    hyperparameters.values = {
        hp.name: _within(hp, trial.hyperparameters.values[hp.name])
        for hp in searched.space
        if hp.name in trial.hyperparameters.values
    }
    completed = Trial(hyperparameters, trial_id=trial.trial_id, status=TrialStatus.COMPLETED)
    completed.score = score
    return completed


def _within(hp: Any, value: Any) -> Any:
    return min(max(value, hp.min_value), hp.max_value) if isinstance(hp, Float | Int) else value


AFTER_LIST: Mapping[str, Callable[["HyperparameterListOracle"], dict[str, Any] | None]] = {
    "stop": stop,
    "sample": sample,
    "bayesian": bayesian,
}
