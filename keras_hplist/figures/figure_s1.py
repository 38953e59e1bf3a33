"""Figure S1: which tasks are alike; t-SNE of their losses under the same configurations."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import captions, resampled
from keras_hplist.figures.labels import beside, legend
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.plane import FEWEST, on_plane
from keras_hplist.figures.saving import inches
from keras_hplist.learning import ScoreMatrix
from keras_hplist.learning.completion import complete

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Which tasks are alike"
SIZE, NARROW = (8.6, 5.2), (4.4, 6.4)
_MANY = 300  # tasks; from here on their points are small
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_COLOURS = 7  # of the style, which has eight; black is for tasks without a family


def compute(scores: ScoreMatrix, seed: int = 0) -> pd.DataFrame:
    """Put the tasks on a plane so that those of like losses lie together, and find the nearest.

    A task is the vector of its scores over all configurations; distances are Euclidean. Cells that
    were not measured are estimated by the additive rule.

    Args:
        scores: of at least eight tasks.
        seed: of the embedding.

    Returns:
        One row per task with the columns `family`, `x` and `y` (of t-SNE, van der Maaten and Hinton
        2008, no unit), `nearest` (the task whose vector is nearest, before the embedding), `agrees`
        (whether that is of the same family) and `chance` (the share of the family among the other
        tasks). The last two are NaN where the family is not known.

    Raises:
        InvalidValueError: if there are fewer tasks.
        NotApplicable: if fewer than three of them differ.
    """
    from sklearn.metrics import pairwise_distances

    count = len(scores.tasks)
    if count < FEWEST:
        raise InvalidValueError(f"A map takes {FEWEST} tasks; there are {count}.")
    vectors = complete(scores, "additive")
    distances = pairwise_distances(vectors)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    places = on_plane(vectors, seed)
    families = np.array([family or "" for family in scores.families], object)
    known = families != ""
    same = families[:, None] == families
    return pd.DataFrame(
        {
            "family": pd.Series(list(scores.families), dtype=object),
            "x": places[:, 0],
            "y": places[:, 1],
            "nearest": np.array(scores.tasks, object)[nearest],
            "agrees": np.where(known, families == families[nearest], np.nan),
            "chance": np.where(known, (same.sum(axis=1) - 1) / (count - 1), np.nan),
        }
    ).set_index(pd.Index(scores.tasks, name="task"))


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the map, each family with a colour and a marker of its own."""
    families = sorted(frame["family"].dropna().unique())
    unknown = frame[frame["family"].isna()]
    size = 34 if len(frame) < _MANY else 14
    if len(unknown):
        ax.scatter(unknown["x"], unknown["y"], size, c="black", marker=".", label="not known")
    for number, (family, name) in enumerate(zip(families, beside(ax, families))):
        part = frame[frame["family"] == family]
        ax.scatter(part["x"], part["y"], size, label=name, **_look(number))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("first dimension of t-SNE (no unit)")
    ax.set_ylabel("second dimension of t-SNE (no unit)")
    ax.set_aspect("equal", "datalim")
    width, height = inches(ax)
    place, columns = ("right upper", 1) if width > height else ("upper left", 2)
    legend(
        ax,
        columns,
        "family",
        loc=f"outside {place}",
        fontsize="x-small",
        markerscale=(34 / size) ** 0.5,
    )


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    known = frame[frame["agrees"].notna()]
    text = (
        f"{len(frame)} tasks, each the vector of its normalised losses under the same "
        "configurations, on a plane by t-SNE. "
    )
    if known.empty:
        return text + f"Their families are not known. {captions.UNREAD}"
    agreement, chance = known["agrees"].mean(), known["chance"].mean()
    by_family = known.groupby("family")["agrees"].mean().sort_values(kind="stable")
    error = np.sqrt(chance * (1 - chance) / len(known))
    verdict = (
        "That is more than chance: families differ in how optimizers fare on them."
        if agreement > chance + 2 * error
        else "That is not clearly more than chance: with so few tasks or configurations, families "
        "are hardly told by how optimizers fare on them."
    )
    return (
        f"{text}The nearest other task, before the embedding, is of the same family for "
        f"{agreement:.0%} of them; by chance that would be {chance:.0%}. Most alike are the tasks "
        f"of {by_family.index[-1]} ({by_family.iloc[-1]:.0%}), least those of "
        f"{by_family.index[0]} ({by_family.iloc[0]:.0%}). {captions.UNREAD} {verdict}"
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history's main search space.

    Raises:
        NotApplicable: if there is no history, there are fewer than eight tasks or three that
            differ, or the configurations differ from task to task.
    """
    scores = resampled.main_scores(material)
    if len(scores.tasks) < FEWEST:
        raise NotApplicable(f"A map takes {FEWEST} tasks; there are {len(scores.tasks)}.")
    return compute(scores)


def _look(number: int) -> dict[str, Any]:
    """Colour and marker of a family, different for the first 49."""
    marker = _MARKERS[(number + number // _COLOURS) % len(_MARKERS)]
    return {"c": f"C{number % _COLOURS}", "marker": marker, "alpha": 0.85, "linewidth": 0}
