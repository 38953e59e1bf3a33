"""Figure S5: lists learned at short horizons, tried at the full one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import bands, captions, resampled
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.resampled import LIST, RANDOM, RESAMPLING, Resampling, part, row
from keras_hplist.learning import ScoreMatrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Lists learned at short horizons, tried at the full one"

FULL = "full horizon"

_FRACTIONS = (0.05, 0.1, 0.2, 0.5)
_ENOUGH_TASKS = 8  # measured at several numbers of steps, so that no curves need be cut
_TOLD = 5  # trials, of which the caption tells


def compute(
    short: Mapping[str, ScoreMatrix],
    full: ScoreMatrix,
    cut: bool = False,
    trials: int = resampled.TRIALS,
    resampling: Resampling = RESAMPLING,
) -> pd.DataFrame:
    """J(k) at the full horizon of lists learned at shorter ones.

    A task in which nothing improves within a short horizon says nothing to the list learned there,
    but counts when it is tried.

    Args:
        short: the scores at each short horizon, by what pictures call it, shortest first.
        full: the scores at the full horizon. The tasks that all horizons have are used.
        cut: whether short horizons are beginnings of the runs of the full one, whose schedules
            were made for the full one; else they are runs of their own.
        trials: the longest k.
        resampling: of tasks and random orders.

    Returns:
        A DataFrame indexed by `method` ("list", "random search"), `horizon` (that of `short`, or
        "full horizon") and `k`, with the columns of `resampled.spread`, `Resampling.describe`, and
        `cut`.

    Raises:
        InvalidValueError: if there are fewer than two tasks, or a number is out of range.
    """
    known = [{*matrix.tasks, *matrix.dropped} for matrix in short.values()]
    full = full.rows(np.array([all(task in each for each in known) for task in full.tasks], bool))
    if not full.tasks:
        raise InvalidValueError(f"No task has runs of the {FULL} and of {', '.join(short)}.")
    found = {
        horizon: resampled.curves(full, trials, resampling, _like(full, matrix))
        for horizon, matrix in {**short, FULL: full}.items()
    }
    lists = {horizon: each[LIST] for horizon, each in found.items()}
    random = {FULL: found[FULL][RANDOM]}
    parts = {
        way: resampled.summary(each, "horizon") for way, each in ((LIST, lists), (RANDOM, random))
    }
    frame = pd.concat(parts, names=["method"])
    return resampling.describe(frame, full).assign(cut=cut)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw what `compute` returned."""
    random = part(frame, method=RANDOM, horizon=FULL)
    bands.draw_lists(ax, part(frame, method=LIST), random, "learned at")


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    lists = part(frame, method=LIST)
    k = captions.told_at(lists, _TOLD)
    after = part(lists, k=k)
    random = row(frame, k, method=RANDOM, horizon=FULL)
    told = ", ".join(f"{captions.told(each)} ({horizon})" for horizon, each in after.iterrows())
    shortest = after.iloc[0]
    kept = "is still ahead of" if shortest["median"] < random["median"] else "is not ahead of"
    how = (
        "Short horizons are the beginnings of runs of the full length, whose schedules were made "
        "for that: runs of their own would have decayed by then."
        if frame["cut"].iloc[0]
        else "Every horizon has runs of its own, with schedules of its length."
    )
    return " ".join(
        [
            captions.setting(frame),
            f"After {captions.trials(k)} at the full horizon, lists reach {told}, by the horizon "
            f"at which they were learned; random search reaches {captions.told(random)}.",
            how,
            captions.UNREAD,
            f"Here the list of the shortest horizon {kept} random search.",
        ]
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history's main search space.

    If at least eight tasks were measured for several numbers of training steps, these are the
    horizons; else the curves are cut.

    Raises:
        NotApplicable: if there is no history, or too little of it, or curves have too few points.
    """
    space = resampled.main_space(material)
    runs = material.require_history().select(space=space).table.select(["task", "training_steps"])
    tasks = runs.to_pandas().groupby("training_steps")["task"].agg(set).sort_index()
    longest = tasks.iloc[-1]
    measured = [steps for steps in tasks.index[:-1] if len(tasks[steps] & longest) >= _ENOUGH_TASKS]
    if measured:
        short = {
            f"{steps:,} steps": resampled.main_scores(material, training_steps=int(steps))
            for steps in measured
        }
        full = resampled.main_scores(material, training_steps=int(tasks.index[-1]))
        return compute(short, full)
    times = material.runs(space).curves(material.split).times
    fractions = [fraction for fraction in _FRACTIONS if (times <= fraction + 1e-9).sum() > 1]
    if not fractions:
        raise NotApplicable("Its curves have no two points in their first half, where to cut them.")
    short = {
        f"first {fraction:.0%}": resampled.main_scores(material, horizon=fraction)
        for fraction in fractions
    }
    return compute(short, resampled.main_scores(material), cut=True)


def _like(full: ScoreMatrix, matrix: ScoreMatrix) -> ScoreMatrix:
    """Scores in the rows and columns of others; 1 throughout where nothing improved."""
    table = matrix.to_frame().reindex(index=full.tasks, columns=full.configurations)
    table[table.index.isin(matrix.dropped)] = 1.0
    values = table.to_numpy(float)
    return replace(full, lower=values, upper=values)
