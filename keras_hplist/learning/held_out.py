"""Following a learner's choice on tasks that it was not made from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone

from keras_hplist.learning.baselines import random_search
from keras_hplist.learning.completion import complete_each, features_of
from keras_hplist.learning.scores import ScoreMatrix
from keras_hplist.learning.selection import best_measured

if TYPE_CHECKING:
    from keras_hplist.learning.learner import Choice, ListLearner

_MANY_TASKS = 30  # from here on a held-out task may take part in the estimates of missing cells


class Followed(NamedTuple):
    """A choice from training tasks, and what it comes to on others.

    Attributes:
        choice: the learner's, with indices into `scores`.
        scores: float64 (test task, candidate), NaN where not run.
        best: float64 (test task, k), the best score after k entries.
    """

    choice: "Choice"
    scores: np.ndarray
    best: np.ndarray


def follow(
    learner: "ListLearner",
    matrix: ScoreMatrix,
    values: Sequence[Mapping[str, Any]] | None,
    reported: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    candidates: np.ndarray | slice = slice(None),
) -> Followed:
    """Let a learner choose from some tasks, and follow its order on others.

    Args:
        learner: with its parameters.
        matrix: scores of all tasks, to learn from.
        values: hyperparameters of the columns, or None.
        reported: float64 (task, configuration) like the matrix, scores to follow the order on; NaN
            where not run, which is passed over (see `best_measured`).
        train: which rows to learn from, bool or indices.
        test: which rows to follow the order on, bool or indices.
        candidates: which columns may be chosen, bool or indices.

    Returns:
        The choice and its scores. What no training task has run is no candidate.
    """
    known = ~np.isnan(matrix.upper[train]).all(axis=0)
    columns = np.arange(len(known))[candidates]
    columns = columns[known[columns]]
    inside = matrix.rows(train)
    if len(columns) < len(known):
        inside = inside.columns(columns)
    scores = reported[test][:, columns]
    trials = min(learner.length, len(columns))
    if np.isnan(scores).any():  # what is passed over makes place for entries further down
        learner = clone(learner).set_params(length=len(columns))
    choice = learner.choose(inside, values and [values[column] for column in columns])
    return Followed(choice, scores, best_measured(scores, choice.selection.order)[:, :trials])


def follow_folds(
    learner: "ListLearner",
    matrix: ScoreMatrix,
    values: Sequence[Mapping[str, Any]] | None,
    choice: "Choice",
    folds: Sequence[np.ndarray],
) -> dict[str, pd.DataFrame]:
    """What lists and random search reach on tasks that are held out in turn.

    Args:
        learner: with its parameters.
        matrix: scores of all tasks.
        values: hyperparameters of the columns, or None.
        choice: the learner's, from all tasks. Its rule for missing cells is that of the folds.
        folds: bool arrays (task,), true for what is held out together.

    Returns:
        "list" and "random search" to a DataFrame tasks × k, the best score after k entries, or that
        is expected after k draws from what was run of the same candidates. Empty without folds.
    """
    length, weights = len(choice.selection.order), choice.weights
    reported = scores_to_follow(matrix.upper, values, learner.seed)
    if choice.rule is not None:
        learner = clone(learner).set_params(missing=choice.rule)
        if len(weights) > _MANY_TASKS:  # each hardly moves the estimates for the others
            matrix = replace(matrix, lower=choice.scores, upper=choice.scores)
    best = {method: np.full((len(weights), length), np.nan) for method in ("list", "random search")}
    for out in folds:
        if weights[~out].any():
            scores, reached = follow(learner, matrix, values, reported, ~out, out)[1:]
            lacking = length - reached.shape[1]
            best["list"][out] = np.pad(reached, ((0, 0), (0, lacking)), "edge")
            best["random search"][out] = random_search(scores, length)
    if not folds:
        return {}
    tasks, k = pd.Index(matrix.tasks, name="task"), pd.RangeIndex(1, length + 1, name="k")
    return {method: pd.DataFrame(scores, tasks, k) for method, scores in best.items()}


def scores_to_follow(
    scores: np.ndarray, values: Sequence[Mapping[str, Any]] | None, seed: int
) -> np.ndarray:
    """Scores on which lists of other tasks can be followed.

    Args:
        scores: float64 (task, configuration), NaN where not run.
        values: hyperparameters of the columns, or None.
        seed: of the surrogates.

    Returns:
        The scores as they are; or, if most configurations were run on one task only, as in studies
        over continuous values, with their holes filled for each task by a surrogate of that task
        alone, so that no task says anything about another.
    """
    runs = (~np.isnan(scores)).sum(axis=0)
    if values is None or (runs <= 1).mean() <= 0.5:
        return scores
    return complete_each(scores, features_of(values), seed)
