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
        scores: float array (task, configuration); NaN counts as no better than the start.
        trials: how many draws, K; after n draws nothing is left, and the expectation stays.

    Returns:
        float64 array (task, K).
    """
    start = start_scores(scores)[:, None]
    ordered = np.sort(np.fmin(scores, start).astype(float), axis=1)  # (task, n)
    steps = np.diff(ordered, axis=1, prepend=0.0)  # (task, n); E = sum of steps times survival
    count = ordered.shape[1]
    left = np.arange(count, 0, -1.0)  # configurations not better than the i-th, i from 0
    survival = np.ones(count)
    expected = np.empty((len(ordered), trials))
    for drawn in range(trials):
        if drawn < count:
            survival = survival * np.maximum(left - drawn, 0) / (count - drawn)
        expected[:, drawn] = steps @ survival
    return expected


def single_best(scores: np.ndarray, weights: np.ndarray) -> int:
    """The configuration with the lowest weighted mean score over tasks; NaN as for `greedy`."""
    filled = np.fmin(scores, start_scores(scores)[:, None])
    return int(np.argmin(weights @ filled))


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
