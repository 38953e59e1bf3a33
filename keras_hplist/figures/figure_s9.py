"""Figure S9: how many configurations a list must be chosen from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import bands, captions, resampled
from keras_hplist.figures.labels import legend
from keras_hplist.figures.material import Material
from keras_hplist.figures.resampled import ADAM, BY_MEAN, LIST, RESAMPLING, Resampling, part
from keras_hplist.learning import ScoreMatrix
from keras_hplist.learning.evaluation import resample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Lists chosen from more and more configurations"
RATES = "learning rate tuned"

_SIZES = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000)
_LENGTHS = (1, 2, 5, 10, 20, 50, 100)
_TOLD = 10  # trials, of which the caption tells
_NEAR = 1.05


def compute(
    scores: ScoreMatrix,
    rates: ScoreMatrix | None = None,
    lengths: Sequence[int] = _LENGTHS,
    resampling: Resampling = RESAMPLING,
) -> pd.DataFrame:
    """J(k) of lists chosen from 1, 2, 3, 5, 10, … configurations drawn at random, and from all.

    The configurations of a smaller number are among those of a larger one.

    Args:
        scores: of one search space.
        rates: scores of Adam with the learning rates of a grid, on the same scale; the best
            constant is tried first, as in figure 2.
        lengths: the k to report, where there are as many configurations.
        resampling: of tasks and configurations.

    Returns:
        A DataFrame indexed by `method` ("list", "learning rate tuned"), `k` and `n_configurations`,
        with the columns of `resampled.spread` and `Resampling.describe`. Both methods are judged on
        the same tasks.

    Raises:
        InvalidValueError: if there are fewer than two tasks or configurations, or a number is out
            of range, or the matrices have no task in common.
    """
    both = {LIST: scores} if rates is None else {LIST: scores, RATES: rates}
    both = resampled.on_common_tasks(both)
    scores, most = both[LIST], len(scores.configurations)
    if most < 2:
        raise InvalidValueError(f"{most} configuration leaves nothing to choose from.")
    found = resample(
        scores.to_frame(),
        resampled.list_learner(max(lengths)),
        **resampling._asdict(),
        weights="equal",
        n_configurations=resampled.sizes_up_to(most, _SIZES),
    )
    levels = ["method", "k", "n_configurations"]
    lists = found[found.index.isin([LIST], level="method")].reorder_levels(levels)
    parts = [lists]
    if RATES in both:
        tried = resampled.curves(both[RATES], max(lengths), resampling)[BY_MEAN]
        points = resampled.summary({RATES: tried}).assign(n_configurations=tried.shape[1])
        parts.append(points.set_index("n_configurations", append=True))
    frame = pd.concat(parts)
    frame = frame[frame.index.isin(lengths, level="k")].sort_index()
    return resampling.describe(frame, scores)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw what `compute` returned: a line for each k, and a star where a grid gets in k trials."""
    lists = part(frame, method=LIST)
    lengths = lists.index.unique("k")
    shades = dict(zip(lengths, bands.shades(len(lengths)), strict=True))
    for k, shade in shades.items():
        bands.band(ax, part(lists, k=k), f"{k}", shade, marker=".")
    if RATES in frame.index.unique("method"):
        rates = part(frame, method=RATES)
        for (k, size), median in zip(rates.index, rates["median"], strict=True):
            ax.plot(size, median, "*", color=shades[k], markersize=12, markeredgecolor="k")
        ax.plot([], [], "*", color="w", markersize=12, markeredgecolor="k", label="Adam")
    bands.count_axis(ax, "configurations to choose from", lists.index.unique("n_configurations"))
    bands.score_axis(ax)
    legend(ax, 4, "trials, k")


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    lists = part(frame, method=LIST)
    most = lists.index.get_level_values("n_configurations").max()
    chosen = part(lists, n_configurations=most)
    told = ", ".join(f"{captions.told(row)} after {k}" for k, row in chosen.iterrows())
    most_told = captions.compared_at(_TOLD, most)
    k = max((k for k in chosen.index if k <= most_told), default=chosen.index[0])
    by_size = part(lists, k=k)["median"]
    near = by_size.index[by_size <= _NEAR * by_size[most]][0]
    if near == most:
        needed = "no smaller number drawn at random comes"
    elif near > k:
        needed = f"{near:,} configurations drawn at random suffice to come"
    else:
        needed = "as many drawn at random, without a choice, come"
    parts = [
        captions.setting(frame),
        f"Chosen from all {most:,} configurations, lists reach {told} trials. For k = {k}, "
        f"{needed} within {_NEAR - 1:.0%} of that.",
    ]
    if RATES in frame.index.unique("method"):
        rates = part(frame, method=RATES)
        at = rates.index.get_level_values("k").max()
        count = rates.index.get_level_values("n_configurations")[0]
        last = part(rates, k=at).loc[count]
        parts.append(
            f"Stars: Adam with its learning rate tuned over {count} half orders of magnitude, the "
            f"best constant first, in as many trials as the colour says; {captions.told(last)} "
            f"after {at}."
        )
    return " ".join(
        [
            *parts,
            captions.UNREAD,
            "Where a line still falls at its right end, measuring more configurations would make "
            "better lists.",
        ]
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history's main search space, with the learning rates of `adam1p` if they are.

    Raises:
        NotApplicable: if there is no history, or too little of it.
    """
    space = resampled.main_space(material)
    scores = resampled.scores_by_space(material, [space, ADAM])
    rates = resampled.half_orders(material, scores.get(ADAM))
    # Of a few configurations a task that did not run them all may have run none.
    return compute(resampled.that_ran_all(scores[space]), rates)
