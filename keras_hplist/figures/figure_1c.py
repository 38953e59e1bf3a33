"""Figure 1c: how long the tasks train; histogram of the time of 10,000 steps."""

from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures import histogram
from keras_hplist.figures.material import Material

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "How long the tasks train"
STEPS = 10_000
SIZE = histogram.SIZE
_HOUR = 10**3.5  # seconds; the edge of a bin next to an hour


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
    ax.set_xlabel(
        "seconds of one core for 10,000 steps,\nextrapolated from measured steps", loc="right"
    )


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    low, high = histogram.ends(frame)
    counts = frame.sum(axis=1)
    short = counts[counts.index < _HOUR * 0.99].sum() / counts.sum()
    return (
        f"Time of 10,000 training steps for {histogram.total(frame):,} tasks, from {low:,.3g} to "
        f"{high:,.0f} seconds; {short:.0%} take less than {_HOUR:,.0f} seconds (53 minutes). By "
        "the paper almost all take less than an hour on a processor. "
        + (
            "The two agree."
            if short > 0.9
            else "Here more are slower, because what was timed is one core."
        )
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of the suite, or of the tasks of a user's own history.

    Raises:
        NotApplicable: if no time is known.
    """
    return compute(material.timed_tasks())
