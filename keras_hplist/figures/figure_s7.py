"""Figure S7: lists from one family of tasks, tried on every other."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import captions, resampled
from keras_hplist.figures.labels import shortened
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.saving import inches
from keras_hplist.learning import ScoreMatrix
from keras_hplist.learning.held_out import follow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Lists of one family, tried on the others"
SIZE, NARROW = (7.0, 5.6), (4.4, 5.6)

_WIDE = 6.0  # inches; narrower pictures have no room for a scale beside them
_LETTERS = 24  # of a family's name, of which both axes take their part
_FEWEST = 2  # tasks of a family, of which one is held out when it is tried on itself


def compute(scores: ScoreMatrix, k: int = 5) -> pd.DataFrame:
    """J(k) of a list learned from each family on the tasks of each.

    On its own family a list is tried task by task, each time learned from the family's others.

    Args:
        scores: of one search space. Families of a single task, and tasks without a family, are left
            out.
        k: how many entries are tried; at most half as many as there are configurations.

    Returns:
        A DataFrame indexed by `learned_on` and `tried_on`, with the columns `J`, `scaled` (J minus
        the lowest with the same `tried_on`, in units of the range of these; 0 if all are equal)
        `tasks`, how many it was tried on, and `k`. Families are sorted by name.

    Raises:
        InvalidValueError: if there are fewer than two families of two tasks.
    """
    families = _families(scores)
    if len(families) < 2:
        raise InvalidValueError(
            f"It takes two families of at least {_FEWEST} tasks; there are {len(families)}."
        )
    k = captions.compared_at(k, len(scores.configurations))
    learner = resampled.list_learner(k)
    rows = {}
    for learned, inside in families.items():
        others = np.setdiff1d(np.arange(len(scores.tasks)), inside)
        best = np.empty(len(scores.tasks))
        best[others] = follow(learner, scores, None, scores.upper, inside, others).best[:, -1]
        for out in inside:
            rest = inside[inside != out]
            best[out] = follow(learner, scores, None, scores.upper, rest, np.array([out])).best[
                0, -1
            ]
        for tried, tasks in families.items():
            rows[learned, tried] = {"J": best[tasks].mean(), "tasks": len(tasks)}
    frame = pd.DataFrame.from_dict(rows, "index")
    frame.index = pd.MultiIndex.from_tuples(rows, names=["learned_on", "tried_on"])
    columns = frame["J"].groupby(level="tried_on")
    low, high = columns.transform("min"), columns.transform("max")
    frame.insert(1, "scaled", ((frame["J"] - low) / (high - low).where(high > low)).fillna(0.0))
    return frame.astype({"tasks": int}).assign(k=k)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the scaled matrix; what is tried on its own family has a frame."""
    from matplotlib.patches import Rectangle

    matrix = frame["scaled"].unstack("tried_on")
    image = ax.imshow(matrix, cmap="viridis_r", vmin=0, vmax=1, aspect="equal")
    for place in range(len(matrix)):
        corner = (place - 0.5, place - 0.5)
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="C3", linewidth=1.5))
    names = [name.replace("_", " ") for name in shortened(matrix, _LETTERS)]
    wide = inches(ax)[0] > _WIDE
    size = "small" if wide else "x-small"
    ax.set_yticks(range(len(names)), names, fontsize=size)
    ax.set_xticks(range(len(names)), names, fontsize=size, rotation=90)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.set_xlabel("tried on")
    ax.set_ylabel("learned on")
    bar = ax.figure.colorbar(image, ax=ax, location="right" if wide else "top", shrink=0.7)
    bar.set_label(f"J({frame['k'].iloc[0]}), scaled by column:\n0 the best, 1 the worst list")


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    matrix = frame["J"].unstack("tried_on")
    differ = matrix.columns[matrix.max() > matrix.min()]
    shown = (
        f"J after {captions.trials(frame['k'].iloc[0])} of lists learned from one of {len(matrix)} "
        "families (rows), tried on each (columns), each column scaled from the best list, 0, to "
        "the worst, 1. On the diagonal every task is held out in turn."
    )
    if differ.empty:
        return f"{shown} All lists are equally good on each family. {captions.UNREAD}"
    if equal := len(matrix) - len(differ):
        shown += f" Families on which all lists are equal do not count: {equal}."
    frame = frame[frame.index.isin(differ, level="tried_on")]
    learned, tried = (frame.index.get_level_values(name) for name in ("learned_on", "tried_on"))
    own, other = frame[learned == tried], frame[learned != tried]
    donors = other.groupby(level="learned_on")["scaled"].mean().sort_values(kind="stable")
    ours, theirs = own["scaled"].mean(), other["scaled"].mean()
    single = differ[(matrix[differ] == matrix[differ].min()).sum() == 1]
    first = sum(matrix[family].idxmin() == family for family in single)
    return " ".join(
        [
            f"{shown} There the mean is {ours:.2f}, elsewhere {theirs:.2f}; a family's own list is "
            f"the best one for {first} of the {len(single)} on which one list is best (by chance: "
            f"{len(single) / len(matrix):.2g}). The lists that serve other families best and worst "
            f"are those of {donors.index[0]} ({donors.iloc[0]:.2f}) and {donors.index[-1]} "
            f"({donors.iloc[-1]:.2f}).",
            captions.UNREAD,
            _verdict(first / max(len(single), 1), ours, theirs),
        ]
    )


def _verdict(first: float, ours: float, theirs: float) -> str:
    """What the share of families that are best served by their own list says, and the means."""
    if first > 0.5:
        return "Most families are served best by a list of their own."
    if ours < theirs:
        return (
            "A family's own list does better than that of the average other family, but seldom "
            "best: its few tasks are little to learn from."
        )
    return (
        "A family's own list does no better than others here: what its few tasks teach is less "
        "than what others with more, or more telling, tasks do."
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history's main search space.

    Raises:
        NotApplicable: if there is no history, or there are fewer than two families of two tasks.
    """
    scores = resampled.main_scores(material)
    families = _families(scores)
    if len(families) < 2:
        raise NotApplicable(
            f"It takes two families of at least {_FEWEST} tasks; the history has {len(families)}."
        )
    return compute(scores)


def _families(scores: ScoreMatrix) -> dict[str, np.ndarray]:
    """The rows of each family of at least two tasks."""
    names = sorted({family for family in scores.families if family})
    rows = {name: np.flatnonzero(np.array(scores.families, object) == name) for name in names}
    return {name: places for name, places in rows.items() if len(places) >= _FEWEST}
