"""Histograms on a logarithmic axis, a row for each group; shared by figures 1a and 1c."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_hplist.figures.labels import beside
from keras_hplist.figures.ticks import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (7.0, 6.4)
"""Inches of the picture: a row for each family."""

_FILL = 0.62  # part of a row that its highest bar fills; the rest is for the number above
_WIDTH = 0.95  # of a bar, in its bin
_ALL_ROWS = 2.5  # height of the row of all groups together, in rows


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


def ends(frame: pd.DataFrame) -> tuple[float, float]:
    """The lower edge of the first bin of `compute` and the upper edge of the last."""
    edges = frame.index.to_numpy(float)
    return float(edges[0]), float(edges[-1] * _step(edges))


def total(frame: pd.DataFrame) -> int:
    """How many values were counted."""
    return int(frame.to_numpy().sum())


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the counts of `compute`: one row of bars per group, and all of them together on top.

    Groups are in the order of their means and share one scale; the row on top has a scale of its
    own. The number of a row's highest bar stands above it.
    """
    positions = np.log(frame.index.to_numpy(float))
    means = positions @ frame.to_numpy() / frame.sum().to_numpy()
    rows = frame[frame.columns[np.argsort(-means, kind="stable")]]
    highest, together = rows.to_numpy().max(), frame.sum(axis=1)
    for row, name in enumerate(rows):
        _bars(ax, rows[name], row, _FILL / highest, "C0")
    top = rows.shape[1]
    _bars(ax, together, top, _ALL_ROWS * _FILL / together.max(), "0.35")
    logarithmic(ax, "x")
    ax.set_ylim(0, top + _ALL_ROWS)
    totals = [*rows.sum(), together.sum()]
    names = [*beside(ax, rows), "all"]
    labels = [f"{name} ({total:,})" for name, total in zip(names, totals)]
    ax.set_yticks(range(top + 1), labels, verticalalignment="bottom", fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel("number of tasks")
    ax.spines["left"].set_visible(False)


def _bars(ax: "Axes", counts: pd.Series, base: float, scale: float, color: str) -> None:
    step = _step(counts.index.to_numpy(float))
    counts = counts[counts > 0]
    edges, heights = counts.index.to_numpy(float), counts.to_numpy() * scale
    ax.bar(
        edges,
        heights,
        width=edges * (step**_WIDTH - 1),
        bottom=base,
        align="edge",
        color=color,
    )
    peak = int(heights.argmax())
    ax.annotate(
        f"{counts.iloc[peak]}",
        (edges[peak] * step**0.5, base + heights[peak]),
        (0, 1),
        textcoords="offset points",
        horizontalalignment="center",
        fontsize="x-small",
    )


def _step(edges: np.ndarray) -> float:
    """The factor between the edges of a bin."""
    return edges[1] / edges[0] if len(edges) > 1 else 10.0**0.5
