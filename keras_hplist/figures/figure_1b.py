"""Figure 1b: easy and hard tasks; what share of the configurations comes how far on each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_hplist.figures import resampled
from keras_hplist.figures.labels import legend
from keras_hplist.figures.material import Material
from keras_hplist.learning import ScoreMatrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Easy and hard tasks"

LOSSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)
"""Normalised losses to reach: 0 is the best known of a task, 1 its loss before training."""

EASY, HALF = 0.1, 50.0
"""A task is called easy if this share of the configurations, in percent, reaches this loss."""

_PAPER = "about 100 of its 1,162 tasks"


def compute(scores: ScoreMatrix, losses: Sequence[float] = LOSSES) -> pd.DataFrame:
    """The percentage of configurations that reach each loss, for every task.

    Args:
        scores: the lowest normalised loss of each run (aggregation "min"); NaN where not run, which
            does not count.
        losses: to reach.

    Returns:
        float64 percentages, one row per task and one column per loss, easiest task first: by the
        mean over the losses.
    """
    values = scores.values
    known = (~np.isnan(values)).sum(axis=1)
    shares = {loss: 100 * (values <= loss).sum(axis=1) / known for loss in losses}
    frame = pd.DataFrame(shares, index=pd.Index(scores.tasks, name="task"))
    frame.columns.name = "normalised loss"
    return frame.iloc[np.argsort(-frame.mean(axis=1).to_numpy(), kind="stable")]


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the percentages as one area above the other, coloured by the loss."""
    from matplotlib import colormaps

    edges = np.arange(len(frame) + 1)
    colours = colormaps["viridis"](np.linspace(0, 1, frame.shape[1]))
    below = np.zeros(len(edges))
    for loss, colour in zip(frame, colours, strict=True):
        heights = frame[loss].to_numpy()
        top = np.append(heights, heights[-1])
        label = f"≤ {loss:g}"
        ax.fill_between(edges, below, top, step="post", color=colour, linewidth=0, label=label)
        below = top
    ax.set_xlim(0, len(frame))
    ax.set_ylim(0, 100)
    ax.set_xlabel("tasks, easiest first")
    ax.set_ylabel("configurations that reach\nthe loss, %")
    ax.grid(visible=False)
    legend(ax, 4, "normalised loss reached")


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    easy = int((frame[EASY] >= HALF).sum())
    hard = int((frame[EASY] < 10).sum())
    return (
        f"For each of {len(frame)} tasks the percentage of configurations that come as low as a "
        f"normalised loss (0: the best known, 1: before training). On {easy} tasks "
        f"({easy / len(frame):.0%}) at least half of them reach {EASY:g}, on {hard} "
        f"({hard / len(frame):.0%}) fewer than a tenth do. The easiest are "
        f"{', '.join(frame.index[:3])}; the hardest {', '.join(frame.index[:-4:-1])}. The paper "
        f"calls {_PAPER} (9%) easy, by a rule that is not known to this project. The share here "
        "depends on ours, and on how far the configurations and steps of this history came: the "
        "best of few is less far ahead of the rest, which makes tasks look easier."
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history's main search space.

    Raises:
        NotApplicable: if there is no history, or its configurations differ from task to task.
    """
    return compute(resampled.main_scores(material, aggregation="min"))
