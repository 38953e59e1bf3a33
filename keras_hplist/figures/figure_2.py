"""Figure 2: lists, random search and a tuned learning rate; J against trials on held-out tasks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures import bands, captions, resampled
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.resampled import ADAM, BY_MEAN, LIST, RANDOM, RESAMPLING, Resampling, part
from keras_hplist.learning import ScoreMatrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Learned lists, random search, and a tuned learning rate"

_SPACES = ("nadamw", "adam8p")
_TOLD = 10  # trials, of which the caption tells


def compute(
    scores: Mapping[str, ScoreMatrix],
    rates: ScoreMatrix | None = None,
    trials: int = resampled.TRIALS,
    resampling: Resampling = RESAMPLING,
) -> pd.DataFrame:
    """J(k) of the list and of random search in each space, and of Adam's learning rates.

    Args:
        scores: name of each search space to its scores.
        rates: scores of Adam with the learning rates of a grid, on the same scale. They are tried
            from the best constant on, in order of their means over the training tasks.
        trials: the longest k.
        resampling: of tasks and random orders.

    Returns:
        A DataFrame as of `resampled.compare`; the learning rates are the method "best constants" of
        the space `adam1p`.

    Raises:
        InvalidValueError: as `resampled.compare`.
    """
    ways: dict[str, tuple[str, ...]] = dict.fromkeys(scores, (LIST, RANDOM))
    if rates is not None:
        scores = {**scores, ADAM: rates}
        ways[ADAM] = (BY_MEAN,)
    return resampled.compare(scores, ways, trials, resampling)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw what `compute` returned."""
    bands.draw_spaces(ax, frame)


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    parts = [captions.setting(frame)]
    lists = part(frame, method=LIST)
    k = captions.told_at(lists, _TOLD)
    spaces = lists.index.unique("space")
    parts += [captions.list_and_random(part(frame, space=space), space, k) for space in spaces]
    rates = part(frame, space=ADAM, method=BY_MEAN)
    if len(rates):
        row = rates.loc[min(k, rates.index[-1])]
        parts.append(
            f"Adam with the learning rate tuned over {row['configurations']:.0f} half orders of "
            f"magnitude, the best constant first, reaches {captions.told(row)}."
        )
    parts.append(
        "Published: lists are far more sample-efficient than random search (arXiv 2002.11887, "
        "abstract); on the 100 test tasks of the authors' next study (arXiv 2009.11243) ten trials "
        "of the NAdamW list reach 0.086, ten random ones of Adam8p 0.264, and 14 learning rates of "
        "Adam 0.152."
    )
    parts.append(f"{captions.ahead(frame, k)}; sizes differ with tasks, steps and configurations.")
    return " ".join(parts)


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history: NAdamW and Adam8p, or else the two search spaces with the most runs.

    Raises:
        NotApplicable: if there is no history, or too little of it.
    """
    material.require_history()
    others = [space for space in material.spaces if space != ADAM]
    if not others:
        raise NotApplicable(f"It compares other search spaces with {ADAM!r}, and there is none.")
    drawn = [space for space in _SPACES if space in others] or others[: len(_SPACES)]
    found = resampled.scores_by_space(material, [*drawn, ADAM])
    rates = resampled.half_orders(material, found.pop(ADAM, None))
    scores = {space: resampled.run_everywhere(matrix) for space, matrix in found.items()}
    return compute(scores, rates)
