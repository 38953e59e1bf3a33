"""Figure 1c: how long the tasks train; histogram of the time of 10,000 steps."""

from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures import histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEPS = 10_000
SIZE = histogram.SIZE


def compute(facts: pd.DataFrame) -> pd.DataFrame:
    """Count the tasks by the time of 10,000 steps, extrapolated from the measured seconds per step.

    Args:
        facts: one row per task with the columns `seconds_per_step` and `family`.

    Returns:
        Counts by half decades of seconds (index: lower edge) and family (columns).
    """
    return histogram.compute(facts["seconds_per_step"] * STEPS, facts["family"])


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the histogram."""
    histogram.draw(ax, frame)
    ax.set_xlabel("seconds of one core for 10,000 steps,\nextrapolated from measured steps")
