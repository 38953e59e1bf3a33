"""Scores for what was not measured: rules, their choice, and warnings where data are thin.

A cell that was never run lies somewhere in [0, 1], one that was pruned between its bounds. Each
rule puts every such cell at one point of its interval; measured cells stay as they are.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_hplist.learning.scores import ScoreMatrix
from keras_hplist.learning.selection import best_measured, greedy

RULES = ("surrogate", "additive", "pessimistic", "optimistic")
"""`surrogate`: predicted from the hyperparameters, by what is common to all tasks plus each task's
deviations from it in a regression forest (needs the values of the configurations). `additive`: the
task's mean plus the configuration's mean deviation from the means of its tasks. `pessimistic`: the
upper bound, 1 where nothing was run. `optimistic`: the lower bound, 0 where nothing was run."""

_THIN = 0.5  # warn of tasks and configurations of which less than this share was measured
_TREES, _COMMON_LEAF, _LEAF = 100, 3, 1.5
_COMPONENTS, _GROWN = 12, 2
_FOLDS, _TRIED_TASKS = 5, 100
_PRIOR = 2.0  # tasks' worth of weight of the common forest


def complete(
    matrix: ScoreMatrix,
    rule: str,
    features: np.ndarray | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
) -> np.ndarray:
    """The score matrix without holes.

    Args:
        matrix: the scores as bounds.
        rule: one of `RULES`.
        features: float array (configuration, feature), for `surrogate`; see `features_of`.
        seed: of the forests.
        n_jobs: threads for growing trees; default: one.

    Returns:
        float64 array (task, configuration) in [0, 1].
    """
    known = matrix.values
    if not np.isnan(known).any():
        return known
    low = np.where(np.isnan(matrix.lower), 0.0, matrix.lower)
    high = np.where(np.isnan(matrix.upper), 1.0, matrix.upper)
    if rule == "pessimistic":
        return high
    if rule == "optimistic":
        return low
    if rule == "additive":
        guess = _additive(known)
    else:
        assert features is not None
        guess = _surrogate(known, features, seed, n_jobs)
    return np.where(np.isnan(known), np.clip(guess, low, high), known)


def complete_each(scores: np.ndarray, features: np.ndarray, seed: int = 0) -> np.ndarray:
    """The scores without holes, each task's by a forest of its own measured scores.

    Args:
        scores: float64 array (task, configuration), NaN where not run; a task of which nothing was
            run keeps its NaN.
        features: float array (configuration, feature); see `features_of`.
        seed: of the forests.

    Returns:
        float64 array (task, configuration). No task says anything about another.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    scores = scores.copy()
    for row in scores:
        hole = np.isnan(row)
        if hole.any() and not hole.all():
            forest = ExtraTreesRegressor(_TREES, random_state=seed)
            row[hole] = forest.fit(features[~hole], row[~hole]).predict(features[hole])
    return scores


def choose_rule(
    matrix: ScoreMatrix,
    features: np.ndarray | None,
    weights: np.ndarray,
    length: int,
    seed: int = 0,
    n_jobs: int | None = None,
) -> tuple[str, np.ndarray]:
    """The rule under which lists do best on tasks that they were not learned from.

    Tasks (at most 100 random ones) are split into five folds. A list learned from the others,
    completed by a rule, is followed on the measured scores of a fold; entries that were not run
    there are passed over. The rule with the lowest mean over k of J(k) is chosen, earlier ones in
    `RULES` at equal values. Where less than half of the cells were measured, lists can hardly be
    followed on other tasks, and the first rule that can be used is chosen straight away.

    Returns:
        The rule and the scores completed by it.
    """
    usable = [rule for rule in RULES if rule != "surrogate" or features is not None]
    tasks = np.random.default_rng(seed).permutation(np.flatnonzero(weights))[:_TRIED_TASKS]
    best = usable[0]
    if len(tasks) > 1 and np.isnan(matrix.values).mean() <= 0.5:
        folds = np.array_split(tasks, min(_FOLDS, len(tasks)))
        losses = {}
        for rule in usable:
            losses[rule] = 0.0
            for out in folds:
                inside = np.setdiff1d(tasks, out)
                scores = complete(matrix.rows(inside), rule, features, seed, n_jobs)
                order = greedy(scores, weights=weights[inside]).order
                followed = best_measured(matrix.values[out], order)[:, :length].mean(axis=1)
                losses[rule] += float(weights[out] @ followed)
        best = min(losses, key=losses.__getitem__)
    return best, complete(matrix, best, features, seed, n_jobs)


def warn_if_thin(matrix: ScoreMatrix) -> None:
    """Warn of tasks and configurations of which little was measured, by name."""
    measured = ~np.isnan(matrix.values)
    for kind, labels, share in (
        ("tasks", matrix.tasks, measured.mean(axis=1)),
        ("configurations", matrix.configurations, measured.mean(axis=0)),
    ):
        thin = np.flatnonzero(share < _THIN)
        thin = thin[np.argsort(share[thin], kind="stable")]
        if thin.size:
            named = ", ".join(f"{labels[i]} ({share[i]:.0%})" for i in thin[:5])
            warnings.warn(
                f"{thin.size} of {len(labels)} {kind} have scores for less than {_THIN:.0%} of "
                f"their cells: {named}{', …' if thin.size > 5 else ''}. Their other cells are "
                "estimated.",
                stacklevel=3,
            )


def features_of(values: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Configurations as numbers for a regression forest.

    Numbers become their ranks, which no monotone scale changes; texts one 0/1 column for each;
    a hyperparameter that is not active in a configuration gets a column that says so.

    Args:
        values: the hyperparameters of each configuration.

    Returns:
        float64 array (configuration, feature) without NaN.
    """
    frame = pd.DataFrame(list(values))
    columns = []
    for name in frame.columns:
        column = frame[name]
        absent = column.isna().to_numpy()
        texts = column.map(lambda value: isinstance(value, str)).to_numpy()
        numbers = pd.to_numeric(column.where(~texts), errors="coerce").astype(float)
        ranks = (numbers.rank() / max(len(frame), 1)).fillna(0.5)
        columns.append(ranks.to_numpy())
        columns += [(column == text).to_numpy(float) for text in sorted(set(column[texts]))]
        if absent.any():
            columns.append(absent.astype(float))
    return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 1))


def _surrogate(
    known: np.ndarray, features: np.ndarray, seed: int, n_jobs: int | None
) -> np.ndarray:
    """Predicted scores (task, configuration).

    Hyperparameters that are good on one task tend to be good on others, which a task with few runs
    can only learn from them. So each task has a base: for a configuration the mean of its scores on
    the other tasks, drawn towards what a forest over all configurations' means says by the weight
    of `_PRIOR` tasks. What a task deviates from its base is predicted by a second forest: its trees
    are grown once, on what moves most tasks together, and serve all of them; in each leaf a task
    averages its own deviations. As the trees need deviations of every task everywhere to grow on,
    they are grown twice, first with none where nothing was measured, then with those predicted.
    """
    measured = ~np.isnan(known)
    filled = np.where(measured, known, 0)
    count, total = measured.sum(axis=0), filled.sum(axis=0)
    common = _common(total, count, features, seed)
    others = count - measured  # (task, configuration)
    bases = (total - filled + _PRIOR * common) / (others + _PRIOR)
    if not measured.any():  # nothing to tell deviations from; the bounds of pruned runs decide
        return bases
    deviations = np.where(measured, known - bases, 0)
    inputs = np.column_stack([features, common])
    predicted = np.zeros_like(bases)
    for _ in range(_GROWN):
        leaves = _shared_leaves(
            inputs, np.where(measured, deviations, predicted), measured.mean(), seed, n_jobs
        )
        predicted = _leaf_means(deviations, measured, leaves)
    return bases + predicted


def _shared_leaves(
    inputs: np.ndarray, targets: np.ndarray, share: float, seed: int, n_jobs: int | None
) -> np.ndarray:
    """The leaf of every configuration in trees grown for all tasks together.

    Args:
        inputs: float array (configuration, feature).
        targets: float array (task, configuration), what the trees shall tell apart.
        share: of the cells that were measured; leaves are so large that on average each task has
            `_LEAF` measured configurations in them.
        seed: of the forest.
        n_jobs: threads.

    Returns:
        int64 array (tree, configuration).
    """
    from sklearn.ensemble import ExtraTreesRegressor

    outputs = targets.T
    if outputs.shape[1] > _COMPONENTS:  # the directions in which tasks differ most say nearly all
        left, strengths, _ = np.linalg.svd(outputs - outputs.mean(axis=0), full_matrices=False)
        outputs = left[:, :_COMPONENTS] * strengths[:_COMPONENTS]
    forest = ExtraTreesRegressor(
        _TREES, min_samples_leaf=math.ceil(_LEAF / share), random_state=seed, n_jobs=n_jobs
    )
    single = outputs.shape[1] == 1  # which the forest wants as a vector
    return forest.fit(inputs, outputs[:, 0] if single else outputs).apply(inputs).T


def _leaf_means(values: np.ndarray, measured: np.ndarray, leaves: np.ndarray) -> np.ndarray:
    """For each task the mean of what was measured in the leaves of a configuration.

    Args:
        values: float array (task, configuration), 0 where not measured.
        measured: bool array (task, configuration).
        leaves: int array (tree, configuration).

    Returns:
        float64 array (task, configuration); 0 where no leaf holds anything of the task.
    """
    from scipy.sparse import csr_array

    configurations = np.arange(leaves.shape[1])
    total = np.zeros(values.shape[::-1])  # (configuration, task)
    count = np.zeros_like(total)
    values, numbers = values.T, measured.T.astype(float)
    for leaf in leaves:
        members = csr_array((np.ones(len(leaf)), (leaf, configurations)))  # (leaf, configuration)
        total += (members @ values)[leaf]
        count += (members @ numbers)[leaf]
    return np.divide(total, count, out=total, where=count > 0).T


def _common(total: np.ndarray, count: np.ndarray, features: np.ndarray, seed: int) -> np.ndarray:
    """The mean score of each configuration, as predicted from those of the others."""
    from sklearn.ensemble import ExtraTreesRegressor

    seen = count > 0
    means = total[seen] / count[seen]
    if seen.sum() < 2:
        return np.full(len(count), means.mean() if means.size else 1.0)
    forest = ExtraTreesRegressor(
        2 * _TREES, min_samples_leaf=_COMMON_LEAF, bootstrap=True, oob_score=True, random_state=seed
    ).fit(features[seen], means, count[seen])
    common = forest.predict(features)
    common[seen] = forest.oob_prediction_.ravel()  # not from trees that saw the configuration
    return common


def _additive(known: np.ndarray) -> np.ndarray:
    measured = ~np.isnan(known)
    filled = np.where(measured, known, 0)
    task = filled.sum(axis=1) / np.maximum(measured.sum(axis=1), 1)
    deviation = np.where(measured, known - task[:, None], 0).sum(axis=0)
    # One pseudo-measurement of no deviation: configurations seen once are trusted half.
    return task[:, None] + deviation / (measured.sum(axis=0) + 1)
