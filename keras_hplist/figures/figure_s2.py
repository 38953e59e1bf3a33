"""Figure S2: how lists generalise from tasks of one size; J on training tasks over J on others."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import bands, captions, resampled
from keras_hplist.figures.labels import legend
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.resampled import RESAMPLING, Resampling
from keras_hplist.learning import ScoreMatrix
from keras_hplist.learning.held_out import follow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Generalisation of lists, by the size of the tasks they were learned from"

SAME, ALL = "same size", "all sizes"
"""Which of the tasks held out a list is tried on."""

_BINS, _TASKS_PER_BIN = 8, 8
_MARKERS = {SAME: ("o", "C0", 0.985), ALL: ("s", "C1", 1.015)}


def compute(
    scores: ScoreMatrix,
    num_parameters: Mapping[Any, float],
    k: int = 10,
    bins: int = _BINS,
    resampling: Resampling = RESAMPLING,
) -> pd.DataFrame:
    """Ratio of J(k) on the tasks learned from to J(k) on tasks held out.

    Tasks are sorted by their number of parameters and cut into bins of equal numbers of tasks. In
    each resampling a part of every bin is held out, and a list is learned from the rest of each.

    Args:
        scores: of one search space.
        num_parameters: of each task.
        k: how many entries of the list are tried; all, where there are fewer.
        bins: how many; fewer if there are fewer than eight tasks for each.
        resampling: of the tasks of each bin.

    Returns:
        A DataFrame indexed by `tested_on` ("same size": on the tasks held out of the same bin; "all
        sizes": on those of all bins) and `bin`, with the columns of `resampled.spread` for the
        ratio, `train` and `test`, the medians of the two J, `smallest`, `middle` and `largest`, the
        number of parameters in the bin (`middle`: median), and `k`; `tasks` and `held_out` (of
        one bin, the first), `resamplings` and `configurations`.

    Raises:
        InvalidValueError: if there are too few tasks for two bins, or a number is out of range.
    """
    sizes = np.array([num_parameters.get(task, np.nan) for task in scores.tasks], float)
    known = np.flatnonzero(sizes > 0)
    bins = min(bins, len(known) // _TASKS_PER_BIN)
    if bins < 2:
        raise InvalidValueError(
            f"{len(known)} tasks of known size do not make two bins of {_TASKS_PER_BIN}."
        )
    groups = np.array_split(known[np.argsort(sizes[known], kind="stable")], bins)
    train, *held_out = _reached(scores, groups, k, resampling)
    told = {
        "smallest": [sizes[group].min() for group in groups],
        "middle": [np.median(sizes[group]) for group in groups],
        "largest": [sizes[group].max() for group in groups],
    }
    parts = {}
    for tested_on, test in zip((SAME, ALL), held_out, strict=True):
        ratio = np.divide(train, test, out=np.full_like(test, np.nan), where=test > 0)
        parts[tested_on] = resampled.spread(ratio, pd.RangeIndex(bins, name="bin")).assign(
            train=np.median(train, axis=0), test=np.median(test, axis=0), **told, k=k
        )
    return resampling.describe(pd.concat(parts, names=["tested_on"]), scores.rows(groups[0]))


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the ratios of `compute`, with quartiles."""
    ax.axhline(1, color="0.6", linewidth=1.2, zorder=0)
    for tested_on, (marker, color, aside) in _MARKERS.items():
        bins = resampled.part(frame, tested_on=tested_on)
        ends = np.abs(bins[["lower_quartile", "upper_quartile"]].T - bins["median"])
        ax.errorbar(
            bins["middle"] * aside,
            bins["median"],
            ends,
            color=color,
            marker=marker,
            capsize=3,
            elinewidth=1.2,
            label=tested_on,
        )
    bands.count_axis(ax, "parameters of the tasks learned from", frame["middle"])
    ax.set_ylabel(f"ratio of J({frame['k'].iloc[0]}), training to test")
    legend(ax, 2, "tested on tasks of")


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    same, first = resampled.part(frame, tested_on=SAME), frame.iloc[0]
    parts = ", ".join(
        f"{row['median']:.2f} ({row['lower_quartile']:.2f} to {row['upper_quartile']:.2f}) from "
        f"{row['smallest']:,.0f} to {row['largest']:,.0f} parameters"
        for _, row in same.iterrows()
    )
    trend = same["median"].iloc[-1] - same["median"].iloc[0]
    inside = abs(trend) < (same["upper_quartile"] - same["lower_quartile"]).median()
    return " ".join(
        [
            f"Tasks are sorted by size into {len(same)} bins of {first['tasks']:.0f}; in each of "
            f"{first['resamplings']:.0f} resamplings {first['held_out']:.0f} of each are held out, "
            "and a list is learned from the rest of each bin. Drawn is J after "
            f"{first['k']:.0f} trials on the tasks learned from, over J on tasks held out, medians "
            "and quartiles: 1 is perfect generalisation, below 1 the list does better on the tasks "
            "it was learned from than on new ones.",
            f"On tasks of the same size the ratio is {parts}.",
            captions.UNREAD,
            "Here the ratio does not change with size by more than its quartiles lie apart."
            if inside
            else "Here lists of large tasks generalise "
            f"{'better' if trend > 0 else 'worse'} than those of small ones, or the bins differ in "
            "how alike their tasks are.",
        ]
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history's main search space.

    Raises:
        NotApplicable: if there is no history, or too little of it.
    """
    scores = resampled.main_scores(material)
    sizes = material.tasks["num_parameters"]
    known = (sizes.reindex(scores.tasks) > 0).sum()
    if known < 2 * _TASKS_PER_BIN:
        raise NotApplicable(
            f"It takes {2 * _TASKS_PER_BIN} tasks whose number of parameters is known, for two "
            f"sizes; there are {known}."
        )
    return compute(scores, sizes.to_dict())


def _reached(
    scores: ScoreMatrix, groups: Sequence[np.ndarray], k: int, resampling: Resampling
) -> np.ndarray:
    """J(k) of lists learned from each group of tasks.

    Args:
        scores: of all tasks.
        groups: the rows of each group.
        k: how many entries are tried.
        resampling: of the tasks of each group.

    Returns:
        float64 array (3, resampling, group): on the tasks learned from, on those held out of the
        same group, and on those held out of any.
    """
    splits = [[split.test for split in resampling.splits(scores.rows(group))] for group in groups]
    learner = resampled.list_learner(k)
    reached = np.empty((3, resampling.n_resamplings, len(groups)))
    for row, masks in enumerate(zip(*splits, strict=True)):
        test = [group[mask] for group, mask in zip(groups, masks, strict=True)]
        for column, (group, mask) in enumerate(zip(groups, masks, strict=True)):
            tried = [group[~mask], test[column], np.concatenate(test)]
            best = follow(learner, scores, None, scores.upper, tried[0], np.concatenate(tried)).best
            ends = np.cumsum([len(part) for part in tried])[:-1]
            reached[:, row, column] = [part.mean() for part in np.split(best[:, -1], ends)]
    return reached
