"""Lines of medians with bands between quartiles, over logarithmic counts."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from keras_hplist.figures.captions import TITLES, title
from keras_hplist.figures.labels import legend, shortened
from keras_hplist.figures.resampled import BY_MEAN, LIST, RANDOM, part
from keras_hplist.figures.ticks import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCORE = "J(k) on tasks held out"
TRIALS = "trials, k"

_WAYS = {LIST: "list", RANDOM: "random", BY_MEAN: "tuned"}
_LINES = {LIST: "-", RANDOM: "--", BY_MEAN: "-."}
_COUNTS = [digit * 10**power for power in range(9) for digit in (1, 2, 5)]
_MANY_TICKS = 8
_LETTERS = 32  # of the name of a search space, in a legend


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
    spaces = frame.index.unique("space")
    others = [space for space in spaces if space not in known]
    names = dict(zip(spaces, shortened(map(title, spaces), _LETTERS)))
    for space, method in frame.droplevel("k").index.unique():
        curve = part(frame, space=space, method=method)
        color = f"C{(known + others).index(space)}"
        band(ax, curve, f"{names[space]}, {_WAYS[method]}", color, _LINES[method])
    count_axis(ax, TRIALS, frame.index.get_level_values("k"))
    score_axis(ax)
    legend(ax, len(spaces))


def draw_lists(ax: "Axes", lists: pd.DataFrame, random: pd.DataFrame, heading: str) -> None:
    """Draw J(k) of several lists over one search space, dark to light, beside random search.

    Args:
        ax: where.
        lists: indexed by what tells the lists apart, in order, and k; with the columns of `band`.
        random: the same of random search, indexed by k.
        heading: of the legend, before what tells the lists apart.
    """
    level = str(lists.index.names[0])
    labels = lists.index.unique(level)
    for label, shade in zip(labels, shades(len(labels)), strict=True):
        name = label if isinstance(label, str) else f"{label:,}"
        band(ax, part(lists, **{level: label}), name, shade)
    band(ax, random, "random search", "0.45", _LINES[RANDOM])
    count_axis(ax, TRIALS, random.index)
    score_axis(ax)
    legend(ax, 3, heading)


def shades(count: int) -> list[Any]:
    """Colours whose order is seen, dark to light, also by the colour-blind."""
    from matplotlib import colormaps

    return [colormaps["viridis"](0.85 * rank / max(count - 1, 1)) for rank in range(count)]


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
    ax.set_xticks(ticks, list(map(_short, ticks)))
    ax.minorticks_off()
    ax.set_xlabel(label)


def score_axis(ax: "Axes", label: str = SCORE) -> None:
    """Make the vertical axis one of scores: logarithmic, as lists differ where they are good."""
    logarithmic(ax, "y")
    ax.set_ylabel(label)


def _short(count: int) -> str:
    for unit, letter in ((10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count // unit}{letter}"
    return f"{count:,}"
