"""Figure S4: the list on a Transformer, beside tuned Adam with constant and scheduled rates."""

from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures import captions, large_models
from keras_hplist.figures.large_models import DEFAULT, SMALL_TRANSFORMER, TRANSFORMER, TRIALS
from keras_hplist.figures.material import Material, NotApplicable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "A Transformer, at laptop size: the list and tuned Adam with schedules"
SIZE, NARROW = (11.0, 4.8), (4.6, 8.0)

_TASKS = (TRANSFORMER, SMALL_TRANSFORMER)


def compute(runs: pd.DataFrame) -> pd.DataFrame:
    """The list, and Adam with rates of the grid under each schedule, on the Transformers.

    Args:
        runs: see `large_models.compute`.

    Returns:
        A DataFrame as of `large_models.compute`.
    """
    return large_models.compute(runs[runs["task"].isin(_TASKS)], _wanted)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw a row per task: loss by trials, and curves of the best runs."""
    large_models.draw(ax, frame)


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, and of which size the model is."""
    return " ".join(
        [
            large_models.size_note(frame),
            "The fixed schedule rises linearly for a twentieth of the steps, then falls with the "
            "inverse square root of the step; only its peak is tuned. Left: lowest final "
            "validation loss after so many trials; for tuned Adam the mean over all orders of its "
            "half-order grid. Right: the best run of each, and the list's first.",
            *(large_models.describe(frame, task) for task in frame.index.unique("task")),
            captions.UNREAD,
        ]
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history with runs of `examples/large/transformer.py`.

    Raises:
        NotApplicable: if there are none of the list and of tuned Adam with a schedule.
    """
    frame = large_models.from_material(material, _wanted, _TASKS)
    for task in frame.index.unique("task"):
        methods = set(large_models.panel(frame, task, TRIALS).index)
        if not methods & {large_models.FIXED, large_models.COSINE}:
            frame = frame.drop(index=task, level="task")
    if frame.empty:
        raise NotApplicable("The history has no Transformer trained by Adam with a schedule.")
    return frame


def _wanted(method: str) -> bool:
    return not method.startswith(DEFAULT)
