"""Figure S8: what a training step costs; seconds per step of every task, by family."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_hplist.figures import captions
from keras_hplist.figures.labels import beside
from keras_hplist.figures.material import Material
from keras_hplist.figures.ticks import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Seconds per training step, by family"
SIZE = (7.0, 5.0)

_SPREAD = 0.32  # of the points of a family, in rows above and below their line


def compute(facts: pd.DataFrame) -> pd.DataFrame:
    """The seconds per step of each task, families with the slowest median first.

    Args:
        facts: one row per task with the columns `family` and `seconds_per_step`, positive.

    Returns:
        A DataFrame with the index and the columns of `facts` that are named above, and `median`,
        that of the family.
    """
    frame = facts[["family", "seconds_per_step"]].copy()
    frame["median"] = frame.groupby("family")["seconds_per_step"].transform("median")
    return frame.sort_values(
        ["median", "family", "seconds_per_step"], ascending=[False, True, True], kind="stable"
    )


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw a row of points for each family, with its median."""
    families = list(dict.fromkeys(frame["family"]))
    for row, family in enumerate(reversed(families)):
        seconds = frame.loc[frame["family"] == family, "seconds_per_step"].to_numpy()
        # Evenly spread by a fixed pattern, so that equal times do not hide each other.
        aside = _SPREAD * (2 * (np.arange(len(seconds)) * 0.618034 % 1) - 1)
        ax.scatter(seconds, row + aside, 10, color="C0", alpha=0.45, linewidth=0)
        if len(seconds) > 1:  # of one task the line would hide the point
            median = np.median(seconds)
            ax.plot([median, median], [row - 0.4, row + 0.4], color="C3", linewidth=2.5)
    counts = frame["family"].value_counts()
    names = [f"{name} ({counts[family]})" for name, family in zip(beside(ax, families), families)]
    ax.set_yticks(range(len(families)), reversed(names), fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.set_ylim(-0.6, len(families) - 0.4)
    logarithmic(ax, "x")
    ax.set_xlabel("seconds per training step\n(red: median)")
    ax.set_ylabel("tasks of")


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    seconds, medians = frame["seconds_per_step"], frame.groupby("family")["median"].first()
    slow, fast = str(medians.idxmax()), str(medians.idxmin())
    return (
        f"Seconds per training step of {len(frame):,} tasks of {len(medians)} families, each a "
        f"point, from {seconds.min():.2g} to {seconds.max():.2g}: a factor of "
        f"{seconds.max() / seconds.min():,.0f}. By its median the slowest family is {slow} "
        f"({medians[slow]:.2g} s), the fastest {fast} ({medians[fast]:.2g} s). {captions.UNREAD}"
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of the suite, or of the tasks of a user's own history.

    Raises:
        NotApplicable: if no time is known.
    """
    return compute(material.timed_tasks())
