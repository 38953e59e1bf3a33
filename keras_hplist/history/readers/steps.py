"""Curves as logged: their order, their common steps, and the check that they count one unit."""

from collections.abc import Iterable, Mapping

import numpy as np

from keras_hplist.errors import FileFormatError

Curve = tuple[np.ndarray, np.ndarray]
"""Steps and values, two float64 arrays of shape (points,)."""


def curve(points: Iterable[tuple[float, float]]) -> Curve:
    """Pairs of step and value as a curve."""
    pairs = [(_float(step), _float(value)) for step, value in points]
    array = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number of more than 308 digits, possible in JSON
        return np.inf


def in_order(steps: np.ndarray, values: np.ndarray) -> Curve:
    """By increasing step; of several values at one step (a resumed run), the one logged last."""
    unique, last = np.unique(steps[::-1], return_index=True)
    return unique, values[::-1][last]


def values_at(steps: np.ndarray, logged: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values at given steps: those logged there, or last before; NaN before the first.

    A value that was logged only once is taken as that of the end of the run.

    Args:
        steps: shape (n,), increasing.
        logged: shape (points,), increasing.
        values: shape (points,).

    Returns:
        Array of shape (n,).
    """
    if len(logged) == 1 < len(steps):
        return np.append(np.full(len(steps) - 1, np.nan), values)
    before = np.searchsorted(logged, steps, side="right") - 1
    return np.where(before >= 0, values[before], np.nan)


def check_one_unit(run: str, curves: Mapping[str, Curve]) -> None:
    """Refuse a run one of whose metrics was logged by epoch and another by update.

    Metrics that were logged in one unit end within two logging intervals of each other.

    Args:
        run: file and name of the run, for the message.
        curves: metric name to curve.

    Raises:
        FileFormatError: naming the run and the two metrics.
    """
    ends = {
        metric: (steps[-1], np.median(np.diff(steps)))
        for metric, (steps, _) in curves.items()
        if len(steps) > 1
    }
    for metric, (last, interval) in ends.items():
        for other, (other_last, other_interval) in ends.items():
            if last - other_last > 2 * max(interval, other_interval):
                raise FileFormatError(
                    f"{run}: {metric!r} was logged up to step {last:g} and {other!r} up to step "
                    f"{other_last:g}: more than one unit of steps. Name metrics that count in the "
                    "same unit, or leave one out."
                )


def check_same_unit(task: str, runs: Mapping[str, np.ndarray]) -> None:
    """Refuse a task some of whose complete runs count epochs and others updates.

    Their curves have much the same number of points, at quite different steps.

    Args:
        task: the name of the task.
        runs: file and name of a run to its steps, at least two, increasing.

    Raises:
        FileFormatError: naming two of the runs.
    """
    spacing = {run: (np.median(np.diff(steps)), steps[-1]) for run, steps in runs.items()}
    if not spacing:
        return
    fine, coarse = min(spacing, key=spacing.__getitem__), max(spacing, key=spacing.__getitem__)
    if all(np.greater_equal(spacing[coarse], 2 * np.array(spacing[fine]))):
        raise FileFormatError(
            f"Task {task!r} has runs in more than one unit of steps, or of different length: "
            f"{fine} at steps {shown(runs[fine])}; {coarse} at steps {shown(runs[coarse])}. "
            "Read them separately, each with its own steps_per_epoch or task; if they are of one "
            "unit, give training_steps."
        )


def shown(steps: np.ndarray) -> str:
    """Steps for people: the first three and the last."""
    head = ", ".join(f"{step:g}" for step in steps[:3])
    return head if len(steps) <= 3 else f"{head}, …, {steps[-1]:g}"
