"""Figure S6: other ways to score a run; lists that each gives, and how far the scores agree."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from keras_hplist.figures import bands, captions, resampled
from keras_hplist.figures.labels import legend
from keras_hplist.figures.material import Material
from keras_hplist.figures.resampled import LIST, RANDOM, RESAMPLING, Resampling
from keras_hplist.figures.saving import divide, inches
from keras_hplist.learning import ScoreMatrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Other normalisations and aggregations"
SIZE, NARROW = (12.0, 4.6), (4.4, 11.0)

DEFAULT = "default"
VARIANTS = {
    DEFAULT: "initial",
    "minimum": "min",
    "last": "last",
    "quantile": "quantile",
    "last quantile": "last_quantile",
}
"""Name of each variant to its normalisation in `keras_hplist.learning.NORMALIZATIONS`."""

CURVES = "J"


class Pair(NamedTuple):
    """Two variants whose scores are compared, and the correlation that the paper gives."""

    x: str
    y: str
    paper: float

    @property
    def name(self) -> str:
        """As the frame calls it."""
        return f"{self.x} against {self.y}"


PAIRS = (Pair(DEFAULT, "quantile", 0.193), Pair(DEFAULT, "minimum", 0.911))

_CELLS = 40  # of the pictures of pairs, in each direction
_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def compute(
    variants: Mapping[str, ScoreMatrix], resampling: Resampling = RESAMPLING
) -> pd.DataFrame:
    """Lists learned from each variant's scores, followed on the default's; and pairs of scores.

    Args:
        variants: name to scores in [0, 1], among them `DEFAULT` and those of `PAIRS`. The tasks and
            configurations that all of them have are used.
        resampling: of the tasks.

    Returns:
        A DataFrame indexed by `panel` and `series`, with the columns `x`, `y`, `count` and
        `pearson`. Panel "J": for each variant, and for random search, x is k and y the median over
        resamplings of J(k) on held-out tasks under the default; the other two columns are NaN. The
        panels of `PAIRS`: x and y are the centres of the cells of a grid, `count` how many pairs of
        scores (of one configuration on one task) lie in them, empty cells left out, and `pearson`
        the correlation of the pairs, the same in every row.

    Raises:
        InvalidValueError: if there are fewer than two tasks in common.
    """
    variants = _on_common(variants)
    parts: dict[tuple[str, str], pd.DataFrame] = {}
    for name, matrix in variants.items():
        found = resampled.curves(variants[DEFAULT], resampling=resampling, learned_from=matrix)
        if name == DEFAULT:
            parts[CURVES, RANDOM] = _curve(found[RANDOM])
        parts[CURVES, name] = _curve(found[LIST])
    for pair in PAIRS:
        x, y = (variants[name].values.ravel() for name in (pair.x, pair.y))
        known = ~np.isnan(x + y)
        parts[pair.name, pair.name] = _grid(x[known], y[known])
    return pd.concat(parts, names=["panel", "series"]).droplevel(-1)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw three panels: beside each other, or below each other where the picture is narrow."""
    width, height = inches(ax)
    panels = 1 + len(PAIRS)
    left, *others = divide(ax, *((1, panels) if width > height else (panels, 1)))
    _draw_curves(left, _panel(frame, CURVES))
    legend(left, 1 + len(VARIANTS), "lists learned from")
    for axes, pair in zip(others, PAIRS, strict=True):
        _draw_pair(axes, pair, _panel(frame, pair.name))


def caption(frame: pd.DataFrame) -> str:
    """What the frame shows, beside what is published."""
    curves = _panel(frame, CURVES)
    k = captions.compared_at(10, int(curves["x"].max()))
    at_k = curves[curves["x"] == k]["y"]
    lists = at_k.drop(RANDOM)
    low, high = (f"{end:.3f}" for end in (lists.min(), lists.max()))
    reached = (
        f"they all reach {low}"
        if low == high
        else f"they lie between {low} ({lists.idxmin()}) and {high} ({lists.idxmax()}), the "
        f"default at {lists[DEFAULT]:.3f}"
    )
    quantile, minimum = ours = [_panel(frame, pair.name)["pearson"].iloc[0] for pair in PAIRS]
    told = (
        f"{pair.name} {_shown(number)} (paper: {pair.paper})"
        for pair, number in zip(PAIRS, ours, strict=True)
    )
    if np.isnan(ours).any():
        verdict = "Where scores are all the same, they have no correlation."
    elif quantile < minimum:
        verdict = "As in the paper, the minimum over time changes scores less than ranks do."
    else:
        verdict = "In the paper it is the minimum over time that changes scores less; not so here."
    return " ".join(
        [
            "Left: lists learned from scores of each kind, all judged by the default (loss between "
            "that before training and the best known, mean over time) on tasks held out, median "
            f"over resamplings. After {captions.trials(k)} {reached}; random search reaches "
            f"{at_k[RANDOM]:.3f}.",
            f"Centre and right: Pearson correlation of the scores, {' and '.join(told)}.",
            verdict,
            "How far ranks agree depends on how many configurations hardly move or diverge (the "
            "default puts them together at 1, ranks spread them out), so on the search space, and "
            "on how ranks are taken, which the part of the paper that this project knows leaves "
            "open.",
        ]
    )


def from_material(material: Material) -> pd.DataFrame:
    """The frame of a history's main search space.

    Raises:
        NotApplicable: if there is no history, or its runs do not allow to learn lists.
    """
    return compute(
        {
            name: resampled.main_scores(material, normalization=normalization)
            for name, normalization in VARIANTS.items()
        }
    )


def _panel(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of one panel, indexed by series."""
    return frame[frame.index.get_level_values("panel") == name].droplevel("panel")


def _on_common(variants: Mapping[str, ScoreMatrix]) -> dict[str, ScoreMatrix]:
    """The matrices with the same tasks and configurations, in the same order."""
    rows = resampled.on_common_tasks(variants)
    common = set.intersection(*(set(matrix.configurations) for matrix in rows.values()))
    return {
        name: matrix.columns(
            np.array([matrix.configurations.index(label) for label in sorted(common)])
        )
        for name, matrix in rows.items()
    }


def _curve(reached: np.ndarray) -> pd.DataFrame:
    """The median over resamplings of J(k), given (resampling, k)."""
    k = np.arange(1, reached.shape[1] + 1, dtype=float)
    return pd.DataFrame({"x": k, "y": np.median(reached, axis=0)})


def _grid(x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """Counts of pairs in the cells of a grid over [0, 1]²."""
    edges = np.linspace(0, 1, _CELLS + 1)
    counts, _, _ = np.histogram2d(x, y, bins=[edges, edges])
    first, second = np.nonzero(counts)
    centres = (edges[1:] + edges[:-1]) / 2
    moving = x.size > 1 and np.ptp(x) > 0 and np.ptp(y) > 0
    return pd.DataFrame(
        {
            "x": centres[first],
            "y": centres[second],
            "count": counts[first, second],
            "pearson": np.corrcoef(x, y)[0, 1] if moving else np.nan,
        }
    )


def _draw_curves(ax: "Axes", curves: pd.DataFrame) -> None:
    random = curves.loc[RANDOM]
    ax.plot(random["x"], random["y"], color="0.55", linewidth=1.5, label=RANDOM)
    for number, (name, style) in enumerate(zip(VARIANTS, _STYLES, strict=True)):
        curve = curves.loc[name]
        ax.plot(curve["x"], curve["y"], color=f"C{number}", linestyle=style, label=name)
    bands.count_axis(ax, bands.TRIALS, curves["x"].astype(int))
    ax.set_box_aspect(1)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("J by the default, held out")


def _shown(correlation: float) -> str:
    return "undefined" if np.isnan(correlation) else f"{correlation:.3f}"


def _draw_pair(ax: "Axes", pair: Pair, cells: pd.DataFrame) -> None:
    from matplotlib.colors import LogNorm

    picture = np.full((_CELLS, _CELLS), np.nan)
    columns, rows = ((cells[axis] * _CELLS).astype(int) for axis in ("x", "y"))
    picture[rows, columns] = cells["count"]
    image = ax.imshow(
        picture,
        origin="lower",
        extent=(0, 1, 0, 1),
        cmap="viridis_r",
        norm=LogNorm(1, max(cells["count"].max(), 10)),
        interpolation="nearest",
    )
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.04, 0, 0.05, 1)), format="{x:,g}")
    bar.minorticks_off()
    bar.set_label("runs")
    ours = _shown(cells["pearson"].iloc[0])
    ax.set_title(f"Pearson {ours} (paper: {pair.paper})", fontsize="medium")
    ax.grid(visible=False)
    ax.set_xlabel(f"score, {pair.x}")
    ax.set_ylabel(f"score, {pair.y}")
