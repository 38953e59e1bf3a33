"""A histogram on a logarithmic axis, stacked by group; shared by figures 1a and 1c."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 7  # as many groups as there are colours that are told apart, beside grey for the rest
_OTHER = "other families"


def compute(values: pd.Series, groups: pd.Series, bins_per_decade: int = 2) -> pd.DataFrame:
    """Count values in bins of equal width on a logarithmic axis.

    Args:
        values: positive numbers.
        groups: the group of each value, same index.
        bins_per_decade: number of bins in a factor of ten.

    Returns:
        Counts, int64; the index is the lower edge of each bin (bins without values between the
        first and the last are there), one column per group, most frequent first.
    """
    places = np.floor(np.log10(values.to_numpy(float)) * bins_per_decade).astype(int)
    counts = pd.crosstab(places, groups.to_numpy())
    counts = counts.reindex(range(places.min(), places.max() + 1), fill_value=0)
    counts = counts[counts.sum().sort_values(ascending=False, kind="stable").index]
    counts.index = pd.Index(10.0 ** (counts.index / bins_per_decade), name="from")
    counts.columns.name = groups.name
    return counts


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the bars of `compute` stacked; beyond seven groups, the smallest are drawn as one."""
    from matplotlib.ticker import MaxNLocator

    if frame.shape[1] > _SHOWN + 1:
        rest = frame.iloc[:, _SHOWN:].sum(axis=1)
        frame = frame.iloc[:, :_SHOWN].assign(**{_OTHER: rest})
    edges = frame.index.to_numpy(float)
    step = edges[1] / edges[0] if len(edges) > 1 else 10.0**0.5
    bottom = np.zeros(len(frame))
    for name in frame:
        colour = "0.6" if name == _OTHER else None
        heights = frame[name].to_numpy()
        ax.bar(
            edges,
            heights,
            width=edges * (step - 1),
            bottom=bottom,
            align="edge",
            label=str(name),
            edgecolor="white",
            linewidth=0.5,
            color=colour,
        )
        bottom += heights
    ax.set_xscale("log")
    ax.set_ylabel("tasks")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="x", visible=False)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
