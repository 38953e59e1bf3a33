"""Lines of medians with bands between quartiles, over logarithmic counts."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from keras_hplist.figures.captions import TITLES, title
from keras_hplist.figures.resampled import BY_MEAN, LIST, RANDOM

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCORE = "J, mean best score"
TRIALS = "trials, k"

_LINES = {LIST: "-", RANDOM: "--", BY_MEAN: "-."}
_COUNTS = [digit * 10**power for power in range(9) for digit in (1, 2, 5)]
_MANY_TICKS = 8


def band(
    ax: "Axes", frame: pd.DataFrame, label: str, color: Any, linestyle: str = "-", marker: str = ""
) -> None:
    """Draw the median as a line, and a band between the quartiles.

    Args:
        ax: where.
        frame: indexed by what the horizontal axis is, with the columns `median`, `lower_quartile`
            and `upper_quartile`.
        label: for the legend.
        color: of both, as matplotlib takes it.
        linestyle, marker: of the line.
    """
    x = frame.index.to_numpy()
    ax.fill_between(
        x, frame["lower_quartile"], frame["upper_quartile"], color=color, alpha=0.18, linewidth=0
    )
    ax.plot(x, frame["median"], color=color, linestyle=linestyle, marker=marker, label=label)


def draw_spaces(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw J(k) in several search spaces, as `resampled.compare` returns it."""
    known = list(TITLES)
    others = [space for space in frame.index.unique("space") if space not in known]
    for (space, method), curve in frame.groupby(level=["space", "method"], sort=False):
        color = f"C{(known + others).index(space)}"
        way = "learning rate tuned" if method == BY_MEAN else method
        band(
            ax,
            curve.droplevel(["space", "method"]),
            f"{title(space)}, {way}",
            color,
            _LINES[method],
        )
    count_axis(ax, TRIALS, frame.index.get_level_values("k"))
    score_axis(ax)
    legend(ax, columns=2)


def shades(count: int) -> list[Any]:
    """Colours whose order is seen, dark to light, also by the colour-blind."""
    from matplotlib import colormaps

    return [colormaps["viridis"](0.9 * rank / max(count - 1, 1)) for rank in range(count)]


def count_axis(ax: "Axes", label: str, counts: Any) -> None:
    """Make the horizontal axis one of counts: logarithmic, with plain numbers.

    Args:
        ax: whose axis.
        label: what is counted.
        counts: all that are drawn.
    """
    ax.set_xscale("log")
    ticks = [count for count in _COUNTS if min(counts) <= count <= max(counts)]
    if len(ticks) > _MANY_TICKS:
        ticks = [count for count in ticks if str(count).startswith("1")]
    ax.set_xticks(ticks, [f"{count:,}" for count in ticks])
    ax.minorticks_off()
    ax.set_xlabel(label)


def score_axis(ax: "Axes") -> None:
    """Name the vertical axis, and begin it at the best score."""
    ax.set_ylim(bottom=0)
    ax.set_ylabel(SCORE)


def legend(ax: "Axes", columns: int, heading: str | None = None) -> None:
    """Put the legend above the axes, where nothing is drawn."""
    ax.figure.legend(
        loc="outside upper left",
        ncols=columns,
        title=heading,
        alignment="left",
        columnspacing=1.4,
        handlelength=1.9,
    )
