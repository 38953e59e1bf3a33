"""Pictures as files: in the package's style, PNG or SVG, the same data giving the same bytes."""

import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from keras_hplist.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def save(
    draw: "Callable[[Axes, pd.DataFrame], None]",
    frame: "pd.DataFrame",
    path: str | os.PathLike[str],
    size: tuple[float, float] | None = None,
) -> None:
    """Draw one figure and write it.

    Args:
        draw: the `draw` function of a figure's module.
        frame: what its `compute` returned.
        path: the file; its ending, `.png` or `.svg`, is the format.
        size: width and height in inches; default: the style's.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    path = Path(path)
    kind = path.suffix.removeprefix(".")
    style = resources.files(__package__) / "keras_hplist.mplstyle"
    with resources.as_file(style) as file, matplotlib.style.context(file):
        figure = Figure(figsize=size)  # without pyplot, so that no window or global state is made
        draw(figure.add_subplot(), frame)
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        write_atomically(
            path, lambda opened: figure.savefig(opened, format=kind, metadata=metadata)
        )
