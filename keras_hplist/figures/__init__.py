"""The paper's figures from measured data: one module each, `compute` a table, then `draw` it.

`report` puts them on a page. The modules for drawing and pages serve `keras_hplist.reports` too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from keras_hplist.checks import checked_name
from keras_hplist.figures.saving import save

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from keras_hplist.figures.material import Material

__all__ = ["NUMBERS", "FigureModule", "load", "save"]

NUMBERS = ("1a", "1b", "1c", "2", "3", "4", *(f"S{number}" for number in range(1, 10)))
"""The figures of Metz et al. 2020 (arXiv 2002.11887) that are drawn from facts and histories."""


class FigureModule(Protocol):
    """What the module of a figure has; beside it a `compute`, whose arguments are its own.

    A module may also say `SIZE` and `NARROW`, the inches of the picture on wide and narrow screens.
    """

    TITLE: str

    @staticmethod
    def from_material(material: "Material") -> "pd.DataFrame":
        """What `compute` makes of the material; raises `NotApplicable` where it lacks something."""

    @staticmethod
    def draw(ax: "Axes", frame: "pd.DataFrame") -> None:
        """Draw the table."""

    @staticmethod
    def caption(frame: "pd.DataFrame") -> str:
        """What the table shows, in sentences with numbers from it, beside what is published."""


def load(number: str) -> FigureModule:
    """The module of a figure.

    Args:
        number: one of `NUMBERS`.

    Raises:
        UnknownNameError: if it is none of these.
    """
    checked_name("figure", number, NUMBERS)
    return cast(FigureModule, import_module(f"{__name__}.figure_{number.lower()}"))
