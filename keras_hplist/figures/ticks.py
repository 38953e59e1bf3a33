"""Ticks of logarithmic axes: plain numbers, no more than the axis has room for."""

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DIGITS = {
    4: (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    12: (1, 1.5, 2, 3, 5, 7),
    1000: (1, 2, 5),
    math.inf: (1,),
}  # first digits of ticks, by the factor between the ends of the axis
_PLAIN = (1e-3, 1e5)  # an axis beyond is written in powers of ten
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def logarithmic(ax: "Axes", which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic. Draw what it shows, and set its limits, before.

    Labels are text without mathtext, which the style leaves out: a name with a "$" is no formula.

    Args:
        ax: whose axis.
        which: of the two.
    """
    from matplotlib.ticker import MaxNLocator, NullLocator

    ax.set(**{f"{which}scale": "log"})
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = sorted(axis.get_view_interval())
    plain = _PLAIN[0] <= low and high < _PLAIN[1]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in (each for span, each in _DIGITS.items() if high / low <= span):
        ticks = [digit * 10.0**power for power in decades for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        room = _room(axis.get_tick_space(), which, [_label(tick, plain) for tick in ticks])
        if len(ticks) <= room:
            break
    ticks = ticks[:: math.ceil(len(ticks) / room) or 1]
    if len(ticks) < 2:  # less than a first digit apart
        ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axis.set_ticks(ticks, [_label(tick, plain) for tick in ticks])
    axis.set_minor_locator(NullLocator())


def _room(space: int, which: str, labels: list[str]) -> int:
    """How many labels fit on an axis that matplotlib takes to have room for `space`."""
    if which == "x":  # where that supposes labels of three letters with as much between them
        space = int(5 * space / (1.5 + max(map(len, labels), default=0)))
    return max(space, 2)


def _label(tick: float, plain: bool) -> str:
    if plain:
        return f"{tick:g}"
    digits, _, power = f"{tick:.4e}".partition("e")
    ten = f"10{str(int(power)).translate(_SUPERSCRIPTS)}"
    return ten if float(digits) == 1 else f"{float(digits):g}·{ten}"
