"""Figure 1a: how large the tasks are; histogram of their numbers of trained parameters."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_hplist.figures import histogram
from keras_hplist.figures.material import Material, NotApplicable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "How large the tasks are"
SIZE = histogram.SIZE
_PAPER = 7  # orders of magnitude, from the paper's abstract


def compute(facts: pd.DataFrame) -> pd.DataFrame:
    """Count the tasks by number of parameters and family.

    Args:
        facts: one row per task with the columns `num_parameters` and `family`.

    Returns:
        Counts by half decades (index: lower edge) and family (columns).
    """
    return histogram.compute(facts["num_parameters"], facts["family"])


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the histogram."""
    histogram.draw(ax, frame)
    ax.set_xlabel("trained parameters")


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    low, high = histogram.ends(frame)
    orders = np.log10(high / low)
    return (
        f"Numbers of trained parameters of {histogram.total(frame):,} tasks, in half decades from "
        f"{low:,.0f} to {high:,.0f}: {max(orders - 1, 0):.1f} to {orders:.1f} orders of magnitude. "
        f"The paper's tasks span {_PAPER}. "
        + (
            "The two agree."
            if abs(orders - _PAPER) <= 1
            else "Where these are fewer, the tasks are only a part of the suite, or others."
        )
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of the suite, or of the tasks of a user's own history.

    Raises:
        NotApplicable: if no number of parameters is known.
    """
    tasks = material.tasks.dropna(subset="num_parameters")
    tasks = tasks[tasks["num_parameters"] > 0]
    if tasks.empty:
        raise NotApplicable("The history does not say how many parameters its models have.")
    return compute(tasks)
