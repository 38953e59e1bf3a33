"""From learning curves to one number per task and configuration: the score matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from keras_hplist.checks import checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.history import CurveArray
from keras_hplist.learning.normalization import Normalizer, known_mean

AGGREGATIONS = ("mean", "min", "last")
SEED_REDUCTIONS = ("mean", "median", "worst")


@dataclass(frozen=True)
class ScoreMatrix:
    """Scores of configurations on tasks, as intervals: 0 is best known, 1 no better than the start.

    The bounds of a cell that was measured to the end are equal; where a run was pruned they are
    what its known part allows; where nothing was run they are NaN.

    Attributes:
        lower: float64 (task, configuration).
        upper: float64 (task, configuration).
        tasks: labels of the rows.
        configurations: labels of the columns.
        families: for each task its family, or None where not known.
        seconds: float64 (task, configuration), mean wall time of a run, NaN where not known; None
            if none is above 0.
        dropped: tasks that were left out because no configuration improves them.
    """

    lower: np.ndarray
    upper: np.ndarray
    tasks: tuple
    configurations: tuple
    families: tuple[str | None, ...]
    seconds: np.ndarray | None
    dropped: tuple = ()

    @property
    def costs(self) -> np.ndarray:
        """What each configuration costs, relative to the mean of all on the same task.

        Relative, so that long tasks do not decide alone. A configuration whose time is not known
        costs the mean of the others; one whose times were rounded to 0, as much as the cheapest
        above 0; and all the same where nothing is known.

        float64 (configuration,), above 0.
        """
        if self.seconds is None or not (self.seconds > 0).any():
            return np.ones(len(self.configurations))
        means = known_mean(self.seconds, axis=1)[:, None]
        costs = known_mean(self.seconds / np.where(means > 0, means, np.nan), axis=0)
        costs = np.where(np.isnan(costs), np.nanmean(costs), costs)
        return np.maximum(costs, costs[costs > 0].min())

    @property
    def values(self) -> np.ndarray:
        """The measured scores, float64 (task, configuration); NaN where not measured to the end."""
        if self.lower is self.upper:
            return self.upper
        return np.where(self.lower == self.upper, self.upper, np.nan)

    def to_frame(self) -> pd.DataFrame:
        """The measured scores as a table: tasks × configurations."""
        return pd.DataFrame(
            self.values,
            index=pd.Index(self.tasks, name="task"),
            columns=pd.Index(self.configurations, name="configuration"),
        )

    def rows(self, keep: np.ndarray) -> "ScoreMatrix":
        """The matrix of some tasks; `keep` is a bool or index array over the rows."""
        labels = np.arange(len(self.tasks))[keep]
        return replace(
            self._cut(np.s_[keep]),
            tasks=tuple(self.tasks[i] for i in labels),
            families=tuple(self.families[i] for i in labels),
        )

    def columns(self, keep: np.ndarray) -> "ScoreMatrix":
        """The matrix of some configurations; `keep` is a bool or index array over the columns."""
        labels = np.arange(len(self.configurations))[keep]
        return replace(
            self._cut(np.s_[:, keep]),
            configurations=tuple(self.configurations[i] for i in labels),
        )

    def _cut(self, part: Any) -> "ScoreMatrix":
        lower = self.lower[part]
        upper = lower if self.upper is self.lower else self.upper[part]
        seconds = None if self.seconds is None else self.seconds[part]
        return replace(self, lower=lower, upper=upper, seconds=seconds)


def score_matrix(
    curves: CurveArray,
    normalization: str | Normalizer = "initial",
    aggregation: str = "mean",
    seeds: str = "mean",
    horizon: int | float | None = None,
) -> ScoreMatrix:
    """Score every configuration on every task.

    Each run is normalised, its seeds are reduced at each time, and the result is aggregated over
    time. A diverged run counts 1 from the step on at which it diverged. The later values of a
    pruned run lie somewhere from 0 to 1, which bounds its score. Seeds that were not run are left
    out.

    Args:
        curves: losses of all tasks; +inf diverged, NaN not known.
        normalization: "initial", "min", "last", "quantile", "last_quantile" (see
            `keras_hplist.learning.normalization`), or a fitted `Normalizer`.
        aggregation: "mean" over the points of the time axis, "min" or "last". A normalisation that
            has an aggregation of its own uses that.
        seeds: "mean", "median" or "worst" of the seeds.
        horizon: where the curves are cut: a number of training steps (int), or a fraction of the
            planned ones (float in (0, 1]); default: not cut.

    Returns:
        The scores. Tasks in which nothing improves are left out and named in `dropped`.

    Raises:
        UnknownNameError: if a name is none of the above.
        InvalidValueError: if there are no losses, the horizon is outside the curves, or nothing
            improves in any task.
    """
    if not curves.values.size:
        raise InvalidValueError("There are no losses to score; is the history empty?")
    if isinstance(normalization, Normalizer):
        normalizer, fitted = normalization, True
    else:
        normalizer, fitted = Normalizer(normalization), False
    aggregation = checked_name("aggregation", normalizer.aggregation or aggregation, AGGREGATIONS)
    seeds = checked_name("reduction over seeds", seeds, SEED_REDUCTIONS)
    points = _points_within(curves, horizon)

    lower = np.empty(curves.values.shape[:2])
    upper = np.empty_like(lower)
    flat = np.zeros(len(curves.tasks), bool)
    for row, (task, losses) in enumerate(zip(curves.tasks, curves.values, strict=True)):
        end = points[row]
        if fitted:
            scores = normalizer.transform_task(task, losses)[..., :end]
        else:
            scores = normalizer.fit_transform_task(task, losses[..., :end], curves.initial[row])
        flat[row] = np.isnan(scores).all()
        run = ~np.isnan(losses[..., :end]).all(axis=-1)  # (configuration, seed)
        lower[row] = _one_number(scores, run, seeds, aggregation, unknown=0)
        upper[row] = _one_number(scores, run, seeds, aggregation, unknown=1)
    dropped = tuple(task for task, bad in zip(curves.tasks, flat, strict=True) if bad)
    if flat.all():
        raise InvalidValueError(
            "No configuration improves on the start, or all losses are equal, in any of the "
            f"{len(flat)} tasks ({', '.join(dropped[:3])}{', …' if len(dropped) > 3 else ''}); "
            "there is nothing to learn from."
        )
    matrix = ScoreMatrix(
        lower=lower,
        upper=upper,
        tasks=curves.tasks,
        configurations=curves.configurations,
        families=curves.families,
        seconds=known_mean(curves.seconds, -1) if (curves.seconds > 0).any() else None,
        dropped=dropped,
    )
    return matrix.rows(~flat)


def mean_matrix(matrices: Sequence[ScoreMatrix]) -> ScoreMatrix:
    """The mean of the scores of the same runs on several splits.

    Args:
        matrices: at least one, of `score_matrix`.

    Returns:
        The tasks and configurations that all have. Tasks that one of them dropped are dropped.

    Raises:
        InvalidValueError: if no task or no configuration is in all.
    """
    if len(matrices) == 1:
        return matrices[0]
    tasks = set.intersection(*(set(matrix.tasks) for matrix in matrices))
    labels = set.intersection(*(set(matrix.configurations) for matrix in matrices))
    parts = [  # in the same order: both are sorted
        matrix.rows(np.array([task in tasks for task in matrix.tasks], bool)).columns(
            np.array([label in labels for label in matrix.configurations], bool)
        )
        for matrix in matrices
    ]
    if not parts[0].upper.size:
        raise InvalidValueError("No task has scores on all of the splits; learn on one of them.")
    lower = np.mean([part.lower for part in parts], axis=0)
    upper = np.mean([part.upper for part in parts], axis=0)
    dropped = dict.fromkeys(task for matrix in matrices for task in matrix.dropped)
    return replace(parts[0], lower=lower, upper=upper, dropped=tuple(dropped))


def _points_within(curves: CurveArray, horizon: int | float | None) -> np.ndarray:
    """For each task the number of points of the time axis up to the horizon."""
    if horizon is None:
        return np.full(len(curves.tasks), len(curves.times))
    whole = isinstance(horizon, int | np.integer) and not isinstance(horizon, bool)
    if whole and horizon >= 1:
        fractions = horizon / np.maximum(curves.training_steps, 1)
    elif isinstance(horizon, float) and 0 < horizon <= 1:
        fractions = np.full(len(curves.tasks), horizon)
    else:
        raise InvalidValueError(
            f"horizon is {horizon!r}; give a number of training steps (int, from 1) or a fraction "
            "of them (float, above 0 and at most 1)."
        )
    if fractions.max() > 1 + 1e-9:
        task = int(fractions.argmax())
        raise InvalidValueError(
            f"horizon is {horizon}, but the runs of task {curves.tasks[task]!r} were planned for "
            f"{curves.training_steps[task]} training steps; give at most that."
        )
    points = np.searchsorted(curves.times, fractions + 1e-9, "right")
    if points.min() == 0:
        raise InvalidValueError(
            f"horizon is {horizon}, before the first loss of task "
            f"{curves.tasks[int(points.argmin())]!r}; give a later one."
        )
    return points


def _one_number(
    scores: np.ndarray, run: np.ndarray, seeds: str, aggregation: str, unknown: int
) -> np.ndarray:
    """Scores (configuration, seed, time) of one task as one number for each configuration."""
    filled = np.where(np.isnan(scores), np.float32(unknown), scores)
    series = _over_seeds(filled, run, seeds)  # (configuration, time)
    if aggregation == "mean":
        number = series.mean(axis=1, dtype=float)
    else:
        number = series.min(axis=1) if aggregation == "min" else series[:, -1]
    return np.where(run.any(axis=1), number, np.nan)


def _over_seeds(values: np.ndarray, run: np.ndarray, seeds: str) -> np.ndarray:
    """Values (configuration, seed, time) over the seeds that were run; 0 where none was."""
    if values.shape[1] == 1:
        return values[:, 0]
    known = np.where(run[:, :, None], values, np.nan)
    known[~run.any(axis=1)] = 0  # keeps NumPy from warning of empty means
    if seeds == "mean":
        return np.nanmean(known, axis=1)
    return np.nanmedian(known, axis=1) if seeds == "median" else np.nanmax(known, axis=1)
