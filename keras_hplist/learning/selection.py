"""Greedy ordering of configurations by how much each adds to those before it.

The objective is J of a list: the weighted mean over tasks of the lowest score among its entries.
The reduction of J is monotone and submodular, so the greedy list reduces J by at least 1 − 1/e of
what the best list of the same length does (Nemhauser, Wolsey, Fisher 1978; for lists of
configurations: Wistuba et al. 2015).
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from keras_hplist.checks import checked_count
from keras_hplist.errors import InvalidValueError

_TIE = 1e-12  # gains closer than this are equal, in units of the largest score, at least 1
_SLACK = 1e-11  # above the rounding error of an updated gain, in the same unit
_BLOCK = 2**15  # scores handled together, so that a block stays in the cache
_MANY = 64  # from so many candidates on, whole rows are read faster than single columns

SCALES = ("linear", "median")
"""On which scores can count in a choice: as they are, or as `from_median` makes them."""


@dataclass(frozen=True)
class Selection:
    """An order of configurations.

    Attributes:
        order: int64 (length,), indices of configurations, first to try first.
        gains: float64 (length,), by how much each entry lowers J on the given tasks; 0 from the
            second pass on.
        passes: int64 (length,), the pass over the tasks in which an entry was chosen, from 0.
    """

    order: np.ndarray
    gains: np.ndarray
    passes: np.ndarray


def greedy(
    scores: np.ndarray,
    length: int | None = None,
    weights: np.ndarray | None = None,
    costs: np.ndarray | None = None,
    first: Sequence[int] = (),
) -> Selection:
    """Order configurations greedily: each next one lowers J the most.

    The order is that of looking at every remaining candidate at every step; gains that differ by
    less than 1e-12 (of the largest score, if that is above 1) are ties and go to the lower index.
    It is found without doing so: an entry changes the gains only through the tasks that it
    improves, which are few after the first entries, and only candidates whose updated gain is next
    to the largest are computed afresh.

    When no candidate lowers J any more, a new pass begins: the tasks are covered anew with what is
    left, as if nothing had been chosen. What improves no task at all comes last, by index.

    Args:
        scores: float array (task, configuration), lower is better; NaN counts as `start_scores`.
            It is read, not copied.
        length: how many to choose; default and at most all.
        weights: float array (task,), not negative, with a positive sum; default: equal.
        costs: float array (configuration,), positive; if given, the choice is by gain per cost.
        first: indices of configurations that the order begins with.

    Returns:
        The order with its gains.

    Raises:
        InvalidValueError: if the scores are not a matrix, are empty or infinite, or the weights,
            costs or length do not fit.
    """
    scores = checked_scores(scores)
    weights = checked_weights(weights, len(scores))
    weights = weights / weights.sum()
    costs = _checked_costs(costs, scores.shape[1])
    length = checked_length(length, scores.shape[1])
    start = start_scores(scores)
    tasks = np.arange(len(scores))
    nothing = np.full(len(scores), -np.inf)
    alone = _lost_gains(scores, tasks, start, nothing, weights)
    order = [int(index) for index in first]
    gains = reductions(scores, np.array(order, int), weights).tolist()
    passes = [0] * len(order)
    begun, left = start, alone
    if order:
        begun = best_after(scores, np.array(order))[:, -1]
        left = _lost_gains(scores, tasks, begun, nothing, weights)
    number = 0
    while len(order) < length:
        open_ = np.ones(scores.shape[1], bool)
        open_[order] = False
        chosen = list(
            islice(_cover(scores, begun, weights, costs, left.copy(), open_), length - len(order))
        )
        if not chosen and begun is start:  # nothing that is left improves any task
            chosen = [(int(index), 0.0) for index in np.flatnonzero(open_)[: length - len(order)]]
        order += [index for index, _ in chosen]
        gains += [gain if number == 0 else 0.0 for _, gain in chosen]
        passes += [number] * len(chosen)
        number, begun, left = number + 1, start, alone
    return Selection(np.array(order), np.array(gains), np.array(passes))


def best_for_budget(
    scores: np.ndarray,
    budget: int,
    length: int | None = None,
    weights: np.ndarray | None = None,
) -> Selection:
    """Order configurations for one number of trials.

    The greedy order is good for every number of trials and best for none. Of its first `budget`
    entries each in turn is swapped for what lowers J(budget) most, until no swap lowers it. What is
    chosen stands in greedy order, and the rest follows greedily.

    Args:
        scores, length, weights: as `greedy`.
        budget: the number of trials, from 1 to the length.

    Returns:
        The order with its gains.

    Raises:
        InvalidValueError: as `greedy`.
    """
    scores = checked_scores(scores)
    length = checked_length(length, scores.shape[1])
    chosen = greedy(scores, min(budget, length), weights).order
    weights = checked_weights(weights, len(scores))
    weights = weights / weights.sum()
    start = start_scores(scores)
    filled = np.fmin(scores, start[:, None])
    improved = True
    while improved:
        improved = False
        for place in range(len(chosen)):
            others = np.delete(chosen, place)
            without = filled[:, others].min(axis=1, initial=np.inf)
            j = weights @ np.minimum(without[:, None], filled)
            j[others] = np.inf
            if j.min() < j[chosen[place]] - _TIE:
                chosen[place] = int(j.argmin())
                improved = True
    first = greedy(filled[:, chosen], weights=weights)
    whole = greedy(scores, length, weights, first=chosen[first.order].tolist())
    passes = np.concatenate([first.passes, whole.passes[len(chosen) :]])
    return Selection(whole.order, whole.gains, passes)


def reductions(scores: np.ndarray, order: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """By how much each entry of a list lowers J.

    Args:
        scores: as `best_after`.
        order: int array (length,), indices of configurations.
        weights: float array (task,), with sum 1.

    Returns:
        float64 (length,), none negative.
    """
    reached = weights @ best_after(scores, order)
    return np.maximum(-np.diff(reached, prepend=weights @ start_scores(scores)), 0)


def start_scores(scores: np.ndarray) -> np.ndarray:
    """The score of each task before anything was tried.

    Args:
        scores: float array (task, configuration) with NaN.

    Returns:
        float array (task,): 1, no better than initialisation, or the task's worst score above 1.
    """
    return np.fmax.reduce(scores, axis=1, initial=1.0)


def from_median(scores: np.ndarray) -> np.ndarray:
    """Scores on a scale that runs for each task from the best through the median to the start.

    With r = score − best, a = median − best and t = start − best, over the configurations of the
    task, r becomes r (t + a) / (r + a): the best score and the start (`start_scores`) stay, and the
    median one comes to lie near the middle. On the linear scale a task on which all configurations
    but the bad ones are next to the best, as seen from the start, hardly counts in a choice.

    Args:
        scores: float array (task, configuration), lower is better; NaN counts as not known.

    Returns:
        float64 array of the same shape; the order within a task is the same.
    """
    best = np.fmin.reduce(scores, axis=1, keepdims=True).astype(float)
    regret = scores - best
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a task of which nothing is known
        middle = np.nanmedian(regret, axis=1, keepdims=True)
    span = start_scores(scores)[:, None] - best
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(regret > 0, (span + middle) / (regret + middle), 1.0)
    return best + regret * share


def best_after(scores: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The lowest score of each task after 1, 2, … entries of a list.

    Args:
        scores: float array (task, configuration); NaN counts as not tried.
        order: int array (length,), indices of configurations.

    Returns:
        float64 array (task, length).
    """
    tried = np.fmin(scores[:, order], start_scores(scores)[:, None])
    return np.minimum.accumulate(tried, axis=1)


def best_measured(scores: np.ndarray, order: np.ndarray) -> np.ndarray:
    """As `best_after`, with entries that were not run on a task passed over there.

    If cells are missing at random this is, for each task, what the list without holes would give;
    once a task has no measured entry left, its best score stays.

    Args:
        scores: float array (task, configuration), NaN where not run.
        order: int array (length,), indices of configurations.

    Returns:
        float64 array (task, length).
    """
    tried = np.take_along_axis(scores[:, order], measured_first(scores[:, order]), axis=1)
    return np.minimum.accumulate(np.fmin(tried, start_scores(scores)[:, None]), axis=1)


def measured_first(scores: np.ndarray) -> np.ndarray:
    """For each row the positions of what is not NaN, in order, and then of the rest."""
    return np.argsort(np.isnan(scores), axis=1, kind="stable")


def checked_scores(scores: np.ndarray) -> np.ndarray:
    """The scores as a float array (task, configuration).

    Raises:
        InvalidValueError: if they are not a matrix of numbers, are empty, or hold infinities.
    """
    scores = np.asarray(scores)
    if scores.dtype not in (np.float32, np.float64):
        try:
            scores = scores.astype(float)
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"The scores are not numbers: {error}") from error
    if scores.ndim != 2 or not scores.size:
        raise InvalidValueError(
            f"The scores have shape {scores.shape}; give a matrix, tasks by configurations, with "
            "at least one of each."
        )
    extremes = np.fmax.reduce(scores, axis=None), np.fmin.reduce(scores, axis=None)
    if np.isinf(extremes).any():
        task, configuration = np.argwhere(np.isinf(scores))[0]
        raise InvalidValueError(
            f"The score of task {task}, configuration {configuration} is infinite. Give 1 for a "
            "run that diverged and NaN for one that was not made."
        )
    return scores


def checked_weights(weights: np.ndarray | None, tasks: int) -> np.ndarray:
    """The weights as a float64 array (task,); equal ones by default.

    Raises:
        InvalidValueError: if there is not one for each task, or they are negative or all 0.
    """
    if weights is None:
        return np.ones(tasks)
    weights = np.asarray(weights, float)
    if weights.shape != (tasks,) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise InvalidValueError(
            f"weights has shape {weights.shape} for {tasks} tasks; give one finite number for each "
            "task, none negative and not all 0."
        )
    return weights


def _cover(
    scores: np.ndarray,
    start: np.ndarray,
    weights: np.ndarray,
    costs: np.ndarray,
    gains: np.ndarray,
    open_: np.ndarray,
) -> Iterator[tuple[int, float]]:
    """One greedy pass over the tasks: index and gain of each choice, until nothing gains.

    Args:
        scores, start, weights, costs: as in `greedy`.
        gains: float64 (configuration,), what each candidate gains alone; overwritten.
        open_: bool (configuration,), which may be chosen.
    """
    best = start.copy()
    open_ = open_.copy()
    tasks = np.arange(len(best))
    scale = max(1.0, float(np.abs(start).max()))
    tie, slack = _TIE * scale, _SLACK * scale
    while open_.any():
        # Updated gains have rounding errors of up to `slack`; who may be the largest?
        floor = np.max((gains - slack) / costs, where=open_, initial=-np.inf)
        contenders = np.flatnonzero(open_ & ((gains + slack) / costs >= floor))
        if len(contenders) < _MANY:
            gains[contenders] = weights @ np.fmax(best[:, None] - scores[:, contenders], 0)
        else:  # as a rule because nothing gains any more
            gains = _lost_gains(scores, tasks, best, np.full(len(best), -np.inf), weights)
        rates = gains[contenders] / costs[contenders]
        choice = contenders[np.argmax(rates >= rates.max() - tie)]
        if gains[choice] <= tie:
            return
        yield int(choice), float(gains[choice])
        open_[choice] = False
        improved = np.flatnonzero(scores[:, choice] < best)
        now = scores[improved, choice].astype(float)
        gains -= _lost_gains(scores, improved, best[improved], now, weights[improved])
        best[improved] = now


def _lost_gains(
    scores: np.ndarray,
    tasks: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """What each candidate gains less once the best scores of some tasks go down.

    For one task that is max(before − score, 0) − max(after − score, 0), which is
    before − max(min(score, before), after), and 0 where the score is NaN. With `after` −inf it is
    the whole gain.

    Args:
        scores: float array (task, configuration).
        tasks: int array (n,), the rows that change.
        before, after, weights: float64 (n,).

    Returns:
        float64 (configuration,).
    """
    lost = np.full(scores.shape[1], weights @ before)
    rows = max(1, _BLOCK // scores.shape[1])
    for first in range(0, len(tasks), rows):
        block = slice(first, first + rows)
        part = scores[tasks[block]]
        np.fmin(part, before[block, None], out=part)  # NaN becomes `before`
        np.maximum(part, after[block, None], out=part)
        lost -= weights[block] @ part
    return lost


def _checked_costs(costs: np.ndarray | None, configurations: int) -> np.ndarray:
    if costs is None:
        return np.ones(configurations)
    costs = np.asarray(costs, float)
    if costs.shape != (configurations,) or not (np.isfinite(costs) & (costs > 0)).all():
        raise InvalidValueError(
            f"costs has shape {costs.shape} for {configurations} configurations; give one positive "
            "finite number for each."
        )
    return costs


def checked_length(length: int | None, configurations: int) -> int:
    """The number of entries to choose, at most all.

    Raises:
        InvalidValueError: if it is no whole number of at least 1.
    """
    if length is None:
        return configurations
    return min(checked_count("length", length, 1), configurations)
