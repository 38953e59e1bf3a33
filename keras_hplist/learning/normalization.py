"""Normalisation of losses, per task: from any unit to 0 (best) … 1 (no better than the start).

A scale is fitted on the curves of one task and then scores any curve of this task, also of
configurations that it has not seen. Tasks do not influence each other. In every scale +inf
(diverged) becomes 1 and NaN (not known) stays NaN.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import numpy as np

from keras_hplist.checks import checked_name
from keras_hplist.errors import UnknownNameError
from keras_hplist.history import CurveArray

_LEAST = float(np.finfo(np.float32).smallest_subnormal)  # of a span; below, float32 has only 0


class TaskScale(ABC):
    """The scale of one task's losses. Arrays have the axes (configuration, seed, time)."""

    @classmethod
    @abstractmethod
    def fit(cls, losses: np.ndarray, initial: float = np.nan) -> Self:
        """Find the scale of a task.

        Args:
            losses: float array (configuration, seed, time) in loss units; +inf, NaN as above.
            initial: the loss before training, in loss units; NaN if it was not measured.
        """

    @abstractmethod
    def transform(self, losses: np.ndarray) -> np.ndarray:
        """Normalise losses of the task.

        Args:
            losses: float array (configuration, seed, time).

        Returns:
            float32 array of the same shape in [0, 1]; all NaN if nothing improves in the task.
        """

    @classmethod
    def fit_transform(cls, losses: np.ndarray, initial: float = np.nan) -> tuple[Self, np.ndarray]:
        """The scale, and the same losses normalised."""
        scale = cls.fit(losses, initial)
        return scale, scale.transform(losses)


class InitialScale(TaskScale):
    """n = (loss − best) / (initial − best), clipped to [0, 1].

    `best` is the lowest loss that any configuration reaches at any time after averaging over its
    seeds. `initial` is the mean loss at step 0 over all runs; if nothing was measured at step 0,
    the median of the runs' first losses. Where no run has another loss, these are final ones, and
    `initial` is twice as far above the best as their median, but no more than the worst finite
    loss; and it is the worst where the median is the best. If initial ≤ best, nothing improves in
    the task.

    Args:
        best: in loss units; +inf if no loss is finite.
        initial: in loss units; NaN if no loss is finite.
    """

    def __init__(self, best: float, initial: float) -> None:
        """Keep the two ends."""
        self.best, self.initial = best, initial

    @classmethod
    def fit(cls, losses: np.ndarray, initial: float = np.nan) -> Self:
        """Find the best and the initial loss."""
        # A diverged seed makes the mean infinite, a missing one is left out.
        means = losses[:, 0] if losses.shape[1] == 1 else known_mean(losses, axis=1)
        best = np.fmin.reduce(means, axis=None, initial=np.inf)
        if np.isnan(initial):
            initial = _start(losses, best)
        return cls(float(best), float(initial))

    def transform(self, losses: np.ndarray) -> np.ndarray:
        """Put each loss between the best and the initial one."""
        span = self.initial - self.best
        if not span >= _LEAST:
            return np.full(losses.shape, np.nan, np.float32)
        scores = np.subtract(losses, self.best, dtype=np.float32)
        scores /= span
        return np.clip(scores, 0, 1, out=scores)  # NaN stays


class QuantileScale(TaskScale):
    """n = rank of the loss among the task's runs at the same time / (runs − 1).

    Ranks count from 0 (best) and ties share their mean. Diverged runs count among the runs and get
    1 themselves. Runs that are not known at a time do not count. The size of a loss plays no part.

    Args:
        ordered: float array (time, run), losses in increasing order, NaN last.
    """

    def __init__(self, ordered: np.ndarray) -> None:
        """Keep the order."""
        self.ordered = ordered
        self.known = np.count_nonzero(~np.isnan(ordered), axis=1)  # (time,)

    @classmethod
    def fit(cls, losses: np.ndarray, initial: float = np.nan) -> Self:
        """Sort the losses at each time."""
        return cls(np.sort(_by_time(losses), axis=1))

    def transform(self, losses: np.ndarray) -> np.ndarray:
        """Look up each loss's rank; one between two fitted ones gets the rank between theirs."""
        columns = _by_time(losses)
        ranks = np.empty(columns.shape, np.float32)
        for out, column, ordered, known in zip(
            ranks, columns, self.ordered, self.known, strict=True
        ):
            below = np.searchsorted(ordered[:known], column, "left")
            through = np.searchsorted(ordered[:known], column, "right")
            # ties stand at below … through - 1; a loss without an equal between below - 1 and below
            out[:] = (below + through - 1) / 2
        return self._finished(ranks, losses)

    @classmethod
    def fit_transform(cls, losses: np.ndarray, initial: float = np.nan) -> tuple[Self, np.ndarray]:
        """The same from one sort, without a search for each loss."""
        columns = _by_time(losses)
        order = np.argsort(columns, axis=1)
        scale = cls(np.sort(columns, axis=1))  # faster than to look the order up
        ranks = np.empty(columns.shape, np.float32)
        np.put_along_axis(ranks, order, _tied_ranks(scale.ordered), axis=1)
        return scale, scale._finished(ranks, losses)

    def _finished(self, ranks: np.ndarray, losses: np.ndarray) -> np.ndarray:
        ranks /= np.maximum(self.known - 1, 1)[:, None].astype(np.float32)
        np.clip(ranks, 0, 1, out=ranks)
        scores = ranks.T.reshape(losses.shape)
        scores[np.isposinf(losses)] = 1
        scores[np.isnan(losses)] = np.nan
        return scores


class Normalization(NamedTuple):
    """A scale, and the aggregation over time that belongs to it, if it belongs to one."""

    scale: type[TaskScale]
    aggregation: str | None = None


NORMALIZATIONS = {
    "initial": Normalization(InitialScale),
    "min": Normalization(InitialScale, "min"),
    "last": Normalization(InitialScale, "last"),
    "quantile": Normalization(QuantileScale),
    "last_quantile": Normalization(QuantileScale, "last"),
}
"""By name; "initial" with the mean over time is the default of Figure S6, "min" and "last" its
`min_norm` and `last_norm`, "quantile" its `quantile_norm`, "last_quantile" its own."""


class Normalizer:
    """The scales of many tasks, fitted on training curves and applied to new ones.

    Args:
        normalization: one of `NORMALIZATIONS`.

    Attributes:
        normalization: the name.
        aggregation: the aggregation that belongs to it, or None.
        scales_: after `fit`, the name of each task to its `TaskScale`.

    Raises:
        UnknownNameError: if there is no such normalisation.
    """

    def __init__(self, normalization: str = "initial") -> None:
        """Look the normalisation up."""
        self.normalization = checked_name("normalization", normalization, NORMALIZATIONS)
        self._scale, self.aggregation = NORMALIZATIONS[normalization]
        self.scales_: dict[str, TaskScale] = {}

    def fit(self, curves: CurveArray) -> Self:
        """Fit the scale of every task of the curves; scales of other tasks are kept."""
        for task, losses, initial in zip(curves.tasks, curves.values, curves.initial, strict=True):
            self.scales_[task] = self._scale.fit(losses, initial)
        return self

    def transform(self, curves: CurveArray) -> np.ndarray:
        """Normalise curves of fitted tasks.

        Returns:
            float32 array (task, configuration, seed, time) in [0, 1], NaN where not known.

        Raises:
            UnknownNameError: if a task was not fitted.
        """
        return np.stack(
            [
                self.transform_task(task, losses)
                for task, losses in zip(curves.tasks, curves.values, strict=True)
            ]
        )

    def transform_task(self, task: str, losses: np.ndarray) -> np.ndarray:
        """Normalise the losses (configuration, seed, time) of one fitted task."""
        if task not in self.scales_:
            raise UnknownNameError("task of this normalizer", task, self.scales_, "Fit it first.")
        return self.scales_[task].transform(losses)

    def fit_transform_task(self, task: str, losses: np.ndarray, initial: float) -> np.ndarray:
        """Fit the scale of one task, and normalise the same losses."""
        self.scales_[task], scores = self._scale.fit_transform(losses, initial)
        return scores


def known_mean(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is not NaN, as float64: +inf if one is, NaN where nothing is known."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=axis, dtype=float)
    return np.where(known.any(axis=axis), total / np.maximum(known.sum(axis=axis), 1), np.nan)


def _start(losses: np.ndarray, best: float) -> float:
    """What stands for the loss before training where none was measured; NaN if none is finite."""
    known = np.isfinite(losses)
    if not known.any():
        return np.nan
    first, worst = losses[..., 0][known[..., 0]], losses[known].max()
    median = np.median(first) if first.size else best
    if median <= best:
        if worst <= best and np.isposinf(losses).any():  # what tells runs apart is who diverged
            return best + max(1.0, abs(best))
        return worst
    if (known & (losses != losses[..., :1])).any():
        return median
    return min(worst, best + 2 * (median - best))  # one wild loss must not set the scale


def _by_time(losses: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(losses.reshape(-1, losses.shape[-1]).T)  # (time, run)


def _tied_ranks(ordered: np.ndarray) -> np.ndarray:
    """Ranks from 0 along the sorted rows, ties sharing their mean; float32."""
    positions = np.arange(ordered.shape[1], dtype=np.float32)
    ranks = np.tile(positions, (len(ordered), 1))
    new = ordered[:, 1:] != ordered[:, :-1]  # where a new group of equals begins
    tied = np.flatnonzero(~new.all(axis=1))
    first = np.zeros((len(tied), len(positions)), np.float32)
    np.multiply(new[tied], positions[1:], out=first[:, 1:])
    last = np.full_like(first, positions[-1])
    np.copyto(last[:, :-1], positions[:-1], where=new[tied])
    np.maximum.accumulate(first, axis=1, out=first)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    ranks[tied] = (first + last) / 2
    return ranks
