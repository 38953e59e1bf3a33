"""Figure S3: what lists gain over random search, in a large search space and in a small one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures import bands, captions, resampled
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.resampled import ADAM, LIST, NADAMW, RANDOM, RESAMPLING, Resampling, part
from keras_hplist.learning import ScoreMatrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Lists and random search over NAdamW, and over Adam's learning rate"

_TOLD = 5  # trials, of which the caption tells


def compute(
    scores: Mapping[str, ScoreMatrix],
    trials: int = resampled.TRIALS,
    resampling: Resampling = RESAMPLING,
) -> pd.DataFrame:
    """J(k) of the list and of random search in each search space.

    Args:
        scores: name of each search space to its scores, on one scale.
        trials: the longest k.
        resampling: of tasks and random orders.

    Returns:
        A DataFrame as of `resampled.compare`.

    Raises:
        InvalidValueError: as `resampled.compare`.
    """
    return resampled.compare(scores, dict.fromkeys(scores, (LIST, RANDOM)), trials, resampling)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw what `compute` returned."""
    bands.draw_spaces(ax, frame)


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    spaces = frame.index.unique("space")
    k = captions.told_at(part(frame, method=LIST), _TOLD)
    return " ".join(
        [
            captions.setting(frame),
            *(captions.list_and_random(part(frame, space=space), space, k) for space in spaces),
            captions.UNREAD,
            f"{captions.ahead(frame, k)}. A single learning rate leaves less to "
            "choose than many hyperparameters, of which a random draw seldom sets all well.",
        ]
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history with runs of `nadamw` and of `adam1p`.

    Raises:
        NotApplicable: if one of them is not there, or on too few of the same tasks.
    """
    spaces = [material.require_space(name) for name in (NADAMW, ADAM)]
    scores = resampled.scores_by_space(material, spaces)
    if len(scores) < len(spaces):
        raise NotApplicable(f"Too few tasks have runs of both {NADAMW!r} and {ADAM!r}.")
    return compute({space: resampled.run_everywhere(found) for space, found in scores.items()})
