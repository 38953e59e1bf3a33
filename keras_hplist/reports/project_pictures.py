"""The pictures of the report on a search: each draws a table on axes."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from keras_hplist.figures.labels import beside, legend
from keras_hplist.figures.ticks import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOGARITHMIC = 20.0  # losses that fall by more than this factor are drawn on such a scale
_ASTRAY = 10  # times as far from the best as three in four results
_PALEST = 0.88  # of the colour map: what lies beyond is too light on white
_OWN = "C3"


def draw_curves(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw learning curves, coloured by rank.

    Args:
        ax: to draw on.
        frame: with `run`, `step`, `loss`, `rank` (1 is best, <NA> without a result); its `attrs`
            tell `measured`, `unit` and whether what is measured `falls`.
    """
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.ticker import MaxNLocator

    shades = matplotlib.colormaps["viridis"](np.linspace(0, _PALEST, 256))
    worst = int(frame["rank"].max())
    colours = ScalarMappable(Normalize(1, max(worst, 2)), ListedColormap(shades))
    runs = sorted(
        (run for _, run in frame.groupby("run")),
        key=lambda run: worst + 1 if pd.isna(run["rank"].iloc[0]) else run["rank"].iloc[0],
        reverse=True,  # the best on top
    )
    for run in runs:
        rank = run["rank"].iloc[0]
        best = not pd.isna(rank) and rank == 1
        ax.plot(
            run["step"],
            run["loss"],
            color="0.75" if pd.isna(rank) else colours.to_rgba(rank),
            linestyle="--" if pd.isna(rank) else "-",
            linewidth=3 if best else 1.5,
            marker="o" if len(run) <= 12 else "",
            markersize=5 if best else 3.5,
        )
    _scale(ax, frame)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(frame.attrs["unit"])
    ax.set_ylabel(frame.attrs["measured"])
    bar = ax.figure.colorbar(colours, ax=ax, label="rank of the trial", pad=0.02)
    bar.ax.invert_yaxis()
    bar.set_ticks(sorted({1, (1 + worst) // 2, worst}))
    bar.outline.set_visible(False)


def draw_best(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the result of each trial and the best so far; what went astray at the edge.

    Args:
        ax: to draw on.
        frame: with index `number` (from 1) and `objective`, `best`; its `attrs` tell `objective`.
    """
    ax.step(frame.index, frame["best"], where="post", color="C0", label="best so far")
    results = frame["objective"].dropna()
    astray = _astray(results, frame["best"].iloc[-1])
    near, far = results[~astray], results[astray]
    ax.scatter(near.index, near, 26, color=_OWN, zorder=3, label="trial")
    by_factors = near.min() > 0 and near.max() / near.min() > _LOGARITHMIC
    if len(far):
        _off_the_scale(ax, near, far, by_factors)
    if by_factors:
        logarithmic(ax, "y")
    _trials_axis(ax, frame.index.max())
    ax.set_xlabel("trial, in the order of their numbers")
    ax.set_ylabel(frame.attrs["objective"])
    legend(ax, 3)


def draw_expected(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the best score so far beside what the list reaches on other tasks.

    Args:
        ax: to draw on.
        frame: with index k and `score`, `best` of the search, and of the list `mean` or
            `lower_quartile`, `median`, `upper_quartile`.
    """
    if "median" in frame:
        known = frame.dropna(subset="median")
        ax.fill_between(
            known.index,
            known["lower_quartile"],
            known["upper_quartile"],
            color="C0",
            alpha=0.2,
            linewidth=0,
            label="tasks left out: middle half",
        )
        ax.plot(known.index, known["median"], color="C0", label="their median")
    else:
        known = frame.dropna(subset="mean")
        ax.plot(known.index, known["mean"], "o--", color="C0", label="tasks left out: mean")
    own = frame.dropna(subset="best")
    ax.step(own.index, own["best"], where="post", color=_OWN, label="this search: best so far")
    ax.scatter(frame.index, frame["score"], 26, color=_OWN, zorder=3, label="its trials")
    top = max(frame["best"].max(), known.drop(columns=["score", "best"]).max(axis=None))
    ax.set_ylim(top=min(1.03, 1.25 * top + 0.02))
    ax.axhline(0, color="0.6", linewidth=0.8)
    _trials_axis(ax, frame.index.max())
    ax.set_xlabel("trials")
    ax.set_ylabel("score (0: best known, 1: start)")
    legend(ax, 2)


def draw_map(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the plane of tasks, with the problem as a star and the families of those near it.

    Args:
        ax: to draw on.
        frame: what `keras_hplist.reports.standing.task_map` returned.
    """
    problem, tasks = frame.iloc[-1], frame.iloc[:-1]
    families = list(dict.fromkeys(tasks.loc[tasks["nearest"], "family"].dropna()))
    ax.scatter(tasks["x"], tasks["y"], 24, color="0.8", label="other tasks")
    for number, (family, name) in enumerate(zip(families, beside(ax, families))):
        own = tasks[tasks["family"] == family]
        ax.scatter(own["x"], own["y"], 30, color=f"C{number}", label=name)
    near = tasks[tasks["nearest"]]
    ax.scatter(
        near["x"], near["y"], 110, facecolors="none", edgecolors="0.2", label="nearest tasks"
    )
    ax.scatter(
        problem["x"], problem["y"], 260, color="black", marker="*", label="this search", zorder=4
    )
    ax.set_xticks([])
    ax.set_yticks([])
    ax.margins(0.08)
    ax.set_xlabel("t-SNE 1")
    ax.set_ylabel("t-SNE 2")
    legend(ax, 3)


def _astray(results: pd.Series, best: float) -> pd.Series:
    """Which results lie so far from the best that the others could not be told apart beside them.

    These are ten times as far from it as three in four are, also by factors where all are positive.
    """
    astray = pd.Series(True, results.index)
    for scale in (np.asarray, np.log) if results.min() > 0 else (np.asarray,):
        aside = abs(scale(results) - scale(best))
        quartile = np.quantile(aside, 0.75)
        astray &= (aside > _ASTRAY * quartile) & (quartile > 0)
    return astray


def _off_the_scale(ax: "Axes", near: pd.Series, far: pd.Series, by_factors: bool) -> None:
    """End the axis with the near results, and mark the far ones where they leave the picture."""
    low, high = near.min(), near.max()
    room = 0.06 * (high - low)
    ax.set_ylim(*((low / 1.3, high * 1.3) if by_factors else (low - room, high + room)))
    above = far.iloc[0] > high
    worst = far.max() if above else far.min()
    ax.scatter(
        far.index,
        np.full(len(far), float(above)),
        40,
        color=_OWN,
        marker="^" if above else "v",
        transform=ax.get_xaxis_transform(),
        clip_on=False,
        zorder=3,
        label=f"off the scale, as far as {worst:.3g}",
    )


def _scale(ax: "Axes", frame: pd.DataFrame) -> None:
    """Keep curves that went astray from flattening the others."""
    if not frame.attrs["falls"]:
        return
    losses = frame["loss"][np.isfinite(frame["loss"])]
    start = frame.groupby("run")["loss"].first().median()
    low, high = losses.min(), losses.max()
    if low > 0 and start / low > _LOGARITHMIC:
        if high > start * 3:
            ax.set_ylim(low / 1.3, start * 2)
        logarithmic(ax, "y")
    elif high > start + (start - low):
        ax.set_ylim(low - 0.1 * (start - low), start + 0.3 * (start - low))


def _trials_axis(ax: "Axes", last: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(0.5, last + 0.5)
