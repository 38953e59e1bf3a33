"""Names on axes and in legends: as many letters of them as there is room for."""

import os.path
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from keras_hplist.figures.saving import inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LETTERS = 4.5  # of a name beside the axes, for each inch of the picture's width
_LETTER = 0.6  # width of one, in units of the size of the letters
_ENTRY = 50  # points of an entry in a legend beside its letters


def beside(ax: "Axes", names: Iterable[Any]) -> list[str]:
    """Names for rows of the vertical axis, `shortened` to leave room for what is drawn."""
    return shortened(names, int(_LETTERS * inches(ax)[0]))


def shortened(names: Iterable[Any], length: int) -> list[str]:
    """Names as pictures show them: in one line, the middle of those that are too long left out.

    Families are named without the ending "_family". Where that leaves names equal, their common
    beginning is left out. None begins with "_", as matplotlib leaves these out of legends.

    Args:
        names: different ones.
        length: the most letters, at least 3.
    """
    lines = [" ".join(str(name).removesuffix("_family").split()) for name in names]
    short = [_without_middle(line, length) for line in lines]
    if len(set(short)) < len(set(lines)):
        long = [line for line in lines if len(line) > length]
        common = len(os.path.commonprefix(long))  # noqa: RUF071 (letters, not folders)
        short = [
            _without_middle("…" + line[common:] if line in long else line, length) for line in lines
        ]
    return [f" {name}" if name.startswith("_") else name for name in short]


def legend(ax: "Axes", columns: int, heading: str | None = None, **settings: Any) -> None:
    """Put the legend above the axes, where nothing is drawn.

    Args:
        ax: of any panel of the picture.
        columns: at most; fewer where the longest label leaves no room for them.
        heading: above it.
        **settings: of matplotlib's legend.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    size = FontProperties(size=settings.get("fontsize", rcParams["legend.fontsize"]))
    labels = [text for each in ax.figure.axes for text in each.get_legend_handles_labels()[1]]
    width = _ENTRY + _LETTER * size.get_size_in_points() * max(map(len, labels), default=0)
    fitting = int(72 * inches(ax)[0] / width)
    ax.figure.legend(
        ncols=max(1, min(columns, fitting)),
        title=heading,
        alignment="left",
        columnspacing=1.2,
        handlelength=1.8,
        handletextpad=0.6,
        **{"loc": "outside upper left"} | settings,
    )


def _without_middle(name: str, length: int) -> str:
    """Beginnings and ends tell names apart."""
    if len(name) <= length:
        return name
    half = (length - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
