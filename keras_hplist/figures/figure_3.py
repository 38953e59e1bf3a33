"""Figure 3: how many tasks a list must be learned from; J against trials on held-out tasks."""

from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import bands, captions, resampled
from keras_hplist.figures.material import Material
from keras_hplist.figures.resampled import LIST, RANDOM, RESAMPLING, Resampling, part
from keras_hplist.learning import ScoreMatrix
from keras_hplist.learning.evaluation import resample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Lists learned from more and more tasks"

_SIZES = (1, 3, 10, 30, 100, 300)
_TOLD = 5  # trials, of which the caption tells


def compute(
    scores: ScoreMatrix, trials: int = resampled.TRIALS, resampling: Resampling = RESAMPLING
) -> pd.DataFrame:
    """J(k) of lists learned from 1, 3, 10, 30, 100, 300, and from all training tasks.

    The tasks of a smaller number are among those of a larger one. A number that is next to that of
    all is left out.

    Args:
        scores: of one search space.
        trials: the longest k.
        resampling: of the tasks.

    Returns:
        A DataFrame indexed by `method` ("list"; "random search": its expectation, once), `n_train`
        and `k`, with the columns of `resampled.spread` and `Resampling.describe`.

    Raises:
        InvalidValueError: if there are fewer than three tasks, or a number is out of range.
    """
    splits = resampling.splits(scores)
    most = int((~splits[0].test).sum())
    if most < 2:
        raise InvalidValueError(f"{len(scores.tasks)} tasks leave one to learn from; give more.")
    found = resample(
        scores.to_frame(),
        resampled.list_learner(trials),
        **resampling._asdict(),
        weights="equal",
        n_train=resampled.sizes_up_to(most, _SIZES),
    )
    method, size = (found.index.get_level_values(level) for level in ("method", "n_train"))
    return resampling.describe(
        pd.concat([found[method == LIST], found[(method == RANDOM) & (size == most)]]), scores
    )


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw what `compute` returned."""
    random = part(frame, method=RANDOM).droplevel("n_train")
    bands.draw_lists(ax, part(frame, method=LIST), random, "tasks learned from")


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    lists = part(frame, method=LIST)
    k = captions.told_at(lists, _TOLD)
    after = part(lists, k=k)
    random = part(frame, method=RANDOM, k=k).iloc[0]
    told = ", ".join(f"{captions.told(row)} from {size:,}" for size, row in after.iterrows())
    better = after.index[after["upper_quartile"] < random["median"]]
    ahead = (
        f"Three in four lists are ahead of the median of random search from {better[0]:,} on"
        if len(better)
        else "No number of tasks puts three in four lists ahead of the median of random search"
    )
    falls = after["median"].is_monotonic_decreasing
    return " ".join(
        [
            captions.setting(frame),
            f"After {captions.trials(k)} lists reach, by the number of tasks that they were "
            f"learned from, {told}; random search is expected at {captions.told(random)}. {ahead}.",
            captions.UNREAD,
            f"Here more tasks never make a list worse, after {captions.trials(k)}."
            if falls
            else "Here more tasks do not always make a list better: where the lines lie within "
            "each other's bands, these tasks are too few to tell.",
        ]
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history's main search space.

    Raises:
        NotApplicable: if there is no history, or too little of it.
    """
    return compute(resampled.main_scores(material))
