"""What a list is compared with: searching at random, one fixed configuration, a grid of rates."""

import numpy as np

from keras_hplist.history import History
from keras_hplist.learning.selection import start_scores
from keras_hplist.spaces import half_orders

_GRID = 5  # learning rates that make a grid


def random_search(scores: np.ndarray, trials: int) -> np.ndarray:
    """The expected best score after 1, 2, … random configurations, each tried at most once.

    Exact: with a task's n scores in increasing order, the best of k draws without replacement is
    worse than the i-th with probability C(n − i, k) / C(n, k), a product of k fractions.

    Args:
        scores: float array (task, configuration); NaN where not run, which is not drawn.
        trials: how many draws, K; after n draws nothing is left, and the expectation stays.

    Returns:
        float64 array (task, K).
    """
    start = start_scores(scores)[:, None]
    ordered = np.sort(np.minimum(scores, start).astype(float), axis=1)  # NaN goes last
    counts = (~np.isnan(ordered)).sum(axis=1)
    expected = np.empty((len(ordered), trials))
    for count in np.unique(counts):
        rows = counts == count
        if not count:
            expected[rows] = start[rows]
            continue
        # The expectation is the sum of the steps between neighbours, times how likely all draws
        # lie beyond.
        steps = np.diff(ordered[rows, :count], axis=1, prepend=0.0)
        drawn = np.arange(min(trials, count))
        beyond = np.arange(count, 0, -1.0)[:, None]
        survival = np.cumprod(np.maximum(beyond - drawn, 0) / (count - drawn), axis=1)
        means = steps @ survival  # (task, drawn)
        expected[rows] = np.pad(means, ((0, 0), (0, trials - len(drawn))), "edge")
    return expected


def by_mean(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Indices of the configurations by their weighted mean score over tasks, lowest first.

    Args:
        scores: float array (task, configuration) without NaN.
        weights: float array (task,).
    """
    return np.argsort(weights @ scores, kind="stable")


def tuned_adam(history: History) -> list[str]:
    """The configurations of a history that are Adam with a learning rate of a half order.

    Returns:
        Ids of those of the 17 configurations of `adam1p` from 1e-7 to 10 that were run, in order
        of the learning rate; none if fewer than five were, which is no tuning.
    """
    runs = history.select(space="adam1p")
    rates = {}
    for identity, values in runs.values().items():
        for rate in half_orders()["learning_rate"]:
            if np.isclose(values["learning_rate"], rate, rtol=1e-6):
                rates[identity] = rate
    return sorted(rates, key=rates.__getitem__) if len(rates) >= _GRID else []
