"""Figure 4: the list on larger models, beside Adam with a tuned learning rate, and defaults."""

from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures import captions, large_models
from keras_hplist.figures.large_models import CONSTANT, DEFAULT
from keras_hplist.figures.material import Material

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Larger models, at laptop size: the list, tuned Adam, defaults"
SIZE, NARROW = (11.0, 8.0), (4.6, 14.0)


def compute(runs: pd.DataFrame) -> pd.DataFrame:
    """The list, Adam with a constant rate of the grid, and Keras's defaults, on each task.

    Args:
        runs: see `large_models.compute`.

    Returns:
        A DataFrame as of `large_models.compute`.
    """
    return large_models.compute(runs, _wanted)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw a row per task: loss by trials, and curves of the best runs."""
    large_models.draw(ax, frame)


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, and of which size the models are."""
    return " ".join(
        [
            large_models.size_note(frame),
            "Left: lowest final validation loss after so many trials; for tuned Adam the mean over "
            "all orders of its half-order grid. Right: the best run of each, and the list's first.",
            *(large_models.describe(frame, task) for task in frame.index.unique("task")),
            captions.UNREAD,
        ]
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history with runs of `examples/large`.

    Raises:
        NotApplicable: if there are none.
    """
    return large_models.from_material(material, _wanted)


def _wanted(method: str) -> bool:
    return large_models.is_list(method) or method == CONSTANT or method.startswith(DEFAULT)
