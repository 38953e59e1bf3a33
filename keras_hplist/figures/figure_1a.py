"""Figure 1a: how large the tasks are; histogram of their numbers of trained parameters."""

from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures import histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = histogram.SIZE


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
