"""What lists are worth on tasks that they were not learned from."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from rich.progress import track
from sklearn.base import clone

from keras_hplist.checks import checked_count
from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.learning import inputs
from keras_hplist.learning.baselines import by_mean, random_search, tuned_adam
from keras_hplist.learning.comparison import Comparison, compare
from keras_hplist.learning.held_out import follow, scores_to_follow
from keras_hplist.learning.learner import ListLearner
from keras_hplist.learning.scores import ScoreMatrix, score_matrix
from keras_hplist.learning.selection import best_measured
from keras_hplist.learning.splits import Split, task_splits, task_weights

__all__ = ["Comparison", "compare", "resample", "resamplings"]

QUARTILES = {"median": 0.5, "lower_quartile": 0.25, "upper_quartile": 0.75}
"""Columns of a summary, and the quantiles, over resamplings or tasks, that they hold."""


def resample(
    history: "History | pd.DataFrame",
    learners: "ListLearner | Mapping[str, ListLearner] | Sequence[ListLearner]",
    n_resamplings: int = 50,
    test_size: float | int = 0.25,
    split: str = "tasks",
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """J(k) on held-out tasks over repeated splits of the tasks: median, quartiles, mean.

    The arguments are those of `resamplings`.

    Returns:
        A DataFrame indexed by method, the axes that were varied, and k, with the columns `median`,
        `lower_quartile`, `upper_quartile` and `mean` over the resamplings.
    """
    raw = resamplings(history, learners, n_resamplings, test_size, split, seed, **options)
    # Not by what `raw` holds: families differ in size, and so does n_train without being asked to.
    axes = [axis for axis in _AXES if len(options.get(axis, (None,))) > 1]
    groups = raw.groupby(["method", *axes, "k"], sort=False, dropna=False)["J"]
    columns = {name: groups.quantile(quantile) for name, quantile in QUARTILES.items()}
    return pd.DataFrame(columns | {"mean": groups.mean()})


_AXES = ("n_train", "n_configurations", "horizon")


def resamplings(
    history: "History | pd.DataFrame",
    learners: "ListLearner | Mapping[str, ListLearner] | Sequence[ListLearner]",
    n_resamplings: int = 50,
    test_size: float | int = 0.25,
    split: str = "tasks",
    seed: int = 0,
    *,
    families: Sequence[str | None] | Mapping[Any, str] | None = None,
    report_split: str | None = None,
    normalization: str = "initial",
    aggregation: str = "mean",
    weights: str = "family",
    n_train: Sequence[int | None] = (None,),
    n_configurations: Sequence[int | None] = (None,),
    horizon: Sequence[int | float | None] = (None,),
    n_jobs: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """J(k) on held-out tasks, for every resampling.

    In each resampling the tasks are split, each learner chooses an order from the training tasks
    alone, and the order is followed on the test tasks. Beside the learners stand `random search`
    over each one's candidates (the exact expectation without replacement), the `single best`
    configuration of the training tasks, and, if the history holds such runs, `tuned Adam`: random
    search over learning rates at half orders of magnitude.

    A task's scale does not depend on other tasks, so that nothing of the test tasks reaches the
    choice. Configurations that were not run on a test task are passed over there, by lists and by
    random search. Where most configurations were run on one task only, as in studies over
    continuous values, a configuration's score on a test task is what a surrogate of this task
    predicts.

    Args:
        history: the runs; or scores, tasks × configurations, on which `report_split`,
            normalizations, aggregations and horizons then have no influence.
        learners: one learner, which is called "list", or several: by name, or in a sequence, whose
            members are called by their parameter `name` or "list 1", "list 2", …. If the history
            mixes search spaces, each learner's `space` says which it learns from; the scale of a
            task is that of all of them.
        n_resamplings: how often to split.
        test_size: share (float) or number (int) of the tasks, or of the families, to hold out.
        split: "tasks": random tasks; "families": whole families at random; "leave_one_task_out" and
            "leave_one_family_out": each once, whatever `n_resamplings` and `test_size`.
        seed: of splits and subsets; the same seed gives the same result, whatever `n_jobs`.
        families: for a matrix: as `ListLearner.fit`.
        report_split: on which split's loss test tasks are scored; default: each learner's own, the
            first of several.
        normalization: with which test tasks are scored, the same for all learners.
        aggregation: likewise.
        weights: of the test tasks in J: "family" or "equal".
        n_train: numbers of training tasks to try, drawn from those that are not held out; None:
            all.
        n_configurations: numbers of candidates to try, drawn at random; None: all.
        horizon: horizons to try, as `ListLearner.horizon`; None: each learner's own.
        n_jobs: processes; None: joblib's default.
        progress: whether to show a progress bar.

    Returns:
        A DataFrame with the columns `method`, `resampling`, `left_out` (name of the task or family,
        if it is one), `n_train`, `n_configurations`, `horizon`, `k` and `J`.

    Raises:
        InvalidValueError: if the tasks or families cannot be split so, or as `ListLearner.fit`.
    """
    named = _named(learners)
    report = _Report(report_split, normalization, aggregation, weights)
    jobs = []
    for (name, learner), cut in itertools.product(named.items(), horizon):
        if cut is not None:
            learner = clone(learner).set_params(horizon=cut)
        problem = _problem(history, learner, report, families)
        prefix = f"{name}: " if len(named) > 1 else ""
        splits = task_splits(
            problem.train.tasks, problem.train.families, split, n_resamplings, test_size, seed
        )
        for part, tasks, configurations in itertools.product(splits, n_train, n_configurations):
            subset = _Subset(part, tasks, configurations, seed)
            jobs.append(joblib.delayed(_one_resampling)(problem, name, prefix, subset))
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    if progress:
        results = track(results, "Resampling", total=len(jobs))
    return pd.concat(results, ignore_index=True)


def _named(
    learners: "ListLearner | Mapping[str, ListLearner] | Sequence[ListLearner]",
) -> dict[str, ListLearner]:
    if isinstance(learners, ListLearner):
        return {"list": learners}
    if isinstance(learners, Mapping):
        return dict(learners)
    named = {each.name or f"list {rank}": each for rank, each in enumerate(learners, start=1)}
    if not named or len(named) < len(learners):
        raise InvalidValueError("Give at least one learner, and learners of different names.")
    return named


class _Report(NamedTuple):
    """How test tasks are scored."""

    split: str | None
    normalization: str
    aggregation: str
    weights: str


class _Subset(NamedTuple):
    """Which tasks are held out, and how much of the rest is used."""

    split: Split
    n_train: int | None
    n_configurations: int | None
    seed: int

    def draw(self, problem: "_Problem") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices of the training tasks, the test tasks, and the candidates."""
        random = np.random.default_rng([self.seed, self.split.number, 1])
        train = random.permutation(np.flatnonzero(~self.split.test))
        candidates = random.permutation(len(problem.train.configurations))
        for kind, number, known in (
            ("n_train", self.n_train, train),
            ("n_configurations", self.n_configurations, candidates),
        ):
            if number is not None:
                checked_count(kind, number, 1, len(known), or_else="None")
        return (
            np.sort(train[: self.n_train]),
            np.flatnonzero(self.split.test),
            np.sort(candidates[: self.n_configurations]),
        )


class _Problem(NamedTuple):
    """What resamplings of one learner share.

    Attributes:
        learner: with its parameters.
        train: the scores that it learns from.
        values: hyperparameters of the columns of `train`, or None.
        test: float64 (task, configuration), rows and columns of `train`, the scores to report.
        adam: float64 (task, learning rate), scores of the tuned Adam; no columns if not there.
        weights: float64 (task,), for the report.
    """

    learner: ListLearner
    train: ScoreMatrix
    values: list[Mapping[str, Any]] | None
    test: np.ndarray
    adam: np.ndarray
    weights: np.ndarray


def _problem(
    data: "History | pd.DataFrame",
    learner: ListLearner,
    report: _Report,
    families: Sequence[str | None] | Mapping[Any, str] | None,
) -> _Problem:
    if not isinstance(data, History):
        matrix = inputs.without_unknown(inputs.matrix_of_scores(data, families))
        weights = task_weights(matrix.tasks, matrix.families, report.weights)
        return _Problem(
            learner, matrix, None, matrix.upper, np.empty((len(matrix.tasks), 0)), weights
        )
    train, candidates = learner.prepare(data)
    reported = score_matrix(
        data.curves(report.split or learner.splits[0]),
        report.normalization,
        report.aggregation,
        learner.seeds,
        learner.horizon,
    )
    table = pd.DataFrame(reported.upper, reported.tasks, reported.configurations)
    common = np.array([task in table.index for task in train.tasks])
    train = train.rows(common)
    assert candidates.values is not None
    values = [candidates.values[label] for label in train.configurations]
    test = table.loc[list(train.tasks), list(train.configurations)].to_numpy()
    test = scores_to_follow(test, values, learner.seed)
    adam = table.loc[list(train.tasks), tuned_adam(data)].to_numpy()
    weights = task_weights(train.tasks, train.families, report.weights)
    return _Problem(learner, train, values, test, adam, weights)


def _one_resampling(problem: _Problem, name: str, prefix: str, subset: _Subset) -> pd.DataFrame:
    """One row for each method and k."""
    train, test, columns = subset.draw(problem)
    followed = follow(
        problem.learner, problem.train, problem.values, problem.test, train, test, columns
    )
    choice, scores, trials = followed.choice, followed.scores, followed.best.shape[1]
    weights = problem.weights[test] / problem.weights[test].sum()
    single = best_measured(scores, by_mean(choice.scores, choice.weights))[:, :1]
    curves = {
        name: weights @ followed.best,
        f"{prefix}random search": weights @ random_search(scores, trials),
        f"{prefix}single best": weights @ np.repeat(single, trials, axis=1),
    }
    if problem.adam.shape[1]:
        curves[f"{prefix}tuned Adam"] = weights @ random_search(problem.adam[test], trials)
    return pd.concat(
        pd.DataFrame(
            {
                "method": method,
                "resampling": subset.split.number,
                "left_out": subset.split.left_out,
                "n_train": len(train),
                "n_configurations": scores.shape[1],
                "horizon": problem.learner.horizon,
                "k": np.arange(1, trials + 1),
                "J": curve,
            }
        )
        for method, curve in curves.items()
    )
