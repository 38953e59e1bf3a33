"""What Figures 4 and S4 share: the runs of `examples/large`, by method, and how they are drawn."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from keras_hplist.figures import bands
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.saving import divide, inches
from keras_hplist.learning.baselines import random_search

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESNET, TRANSFORMER = "resnet50_imagenet", "transformer_lm1b"
SMALL_RESNET, SMALL_TRANSFORMER = "small_resnet_photographs", "small_transformer_prose"
TITLES = {
    RESNET: "ResNet50 on ImageNet",
    TRANSFORMER: "Transformer on LM1B",
    SMALL_RESNET: "Small residual network, windows of photographs",
    SMALL_TRANSFORMER: "Small Transformer, technical prose",
}
"""The tasks of `examples/large`, in the order in which they are drawn."""

LAPTOP = (SMALL_RESNET, SMALL_TRANSFORMER)

TUNED = {name: f"tuned Adam, {name}" for name in ("constant", "cosine", "fixed")}
"""The method that is Adam with a rate of the grid, by the name of its schedule."""
CONSTANT, COSINE, FIXED = TUNED.values()

DEFAULT = "Keras default"
DEFAULTS = ("default-adam", "default-rmsprop", "default-sgd")
"""What the scripts call the baselines that leave everything to Keras."""

LABELS = {
    CONSTANT: "Adam, rate tuned, constant",
    FIXED: "Adam, rate tuned, fixed schedule",
    COSINE: "Adam, rate tuned, cosine",
}
TRIALS, CURVE = "trials", "curve"
_ENTRY = ", entry "  # between the name of a list and the rank, in the column `source`


class Source(NamedTuple):
    """What the column `source` of a history says of a run.

    Attributes:
        method: "list <name>", one of `TUNED`, or `DEFAULT`, of which the column `space` names the
            optimizer.
        entry: the rank in the list, from 0; None for other methods.
    """

    method: str
    entry: int | None = None

    @classmethod
    def of_list(cls, name: str, entry: int) -> "Source":
        """Of an entry of a list."""
        return cls(f"list {name}", entry)

    @classmethod
    def parse(cls, text: str) -> "Source | None":
        """What a text says; None if it is of none of these methods."""
        method, _, entry = text.rpartition(_ENTRY)
        if is_list(method) and entry.isdigit():
            return cls(method, int(entry))
        return cls(text) if text in (*TUNED.values(), DEFAULT) else None

    def __str__(self) -> str:
        """As a history holds it."""
        return self.method if self.entry is None else f"{self.method}{_ENTRY}{self.entry}"


def is_list(method: str) -> bool:
    """Whether a method is a hyperparameter list."""
    return method.startswith("list ")


def compute(runs: pd.DataFrame, wanted: Callable[[str], bool] = bool) -> pd.DataFrame:
    """How low each method comes, by trials and by steps.

    A run counts with its validation loss at the last step; a run that diverged with that before
    training. Of several seeds of a task the smallest is taken.

    Args:
        runs: rows of a history, with the columns of `History.to_frame()`. `source` tells the
            method, see `Source`; rows of other methods are left out.
        wanted: which methods to keep.

    Returns:
        A DataFrame indexed by `task`, `panel` and `method`, with the columns `x`, `y`, `runs`
        (of the method), `num_parameters` and `training_steps`. Panel "trials": y is the lowest
        loss after x trials; of a list in its order, of tuned Adam expected over random orders of
        its grid. Panel "curve": y is the validation loss at step x of the method's best run, of a
        list also of its first entry, as method "list <name>, first".
    """
    rows = runs[runs["task"].isin(TITLES) & runs["source"].notna() & runs["valid"].notna()]
    parts: dict[tuple[str, str, str], pd.DataFrame] = {}
    for task in (task for task in TITLES if task in set(rows["task"])):
        own = rows[rows["task"] == task]
        own = own[own["seed"] == own["seed"].min()]
        sources = [Source.parse(text) for text in own["source"]]
        own = own.assign(
            method=[_method(*pair) for pair in zip(sources, own["space"])],
            rank=[(source.entry or 0) if source else 0 for source in sources],
            final=[_final(*triple) for triple in zip(own["valid"], own["status"])],
        )
        own = own.sort_values(["rank", "final"], kind="stable")
        groups = {str(method): group for method, group in own.groupby("method")}
        for method in sorted(filter(wanted, filter(None, groups)), key=_place):
            group = groups[method]
            parts[task, TRIALS, method] = _by_trials(method, group)
            shown = {method: group.loc[group["final"].idxmin()]}
            if is_list(method):
                shown[f"{method}, first"] = group.iloc[0]
            for name, run in shown.items():
                parts[task, CURVE, name] = _frame(run["steps"], run["valid"], group)
    names = ["task", "panel", "method"]
    if not parts:
        columns = ["x", "y", "runs", "num_parameters", "training_steps"]
        index = pd.MultiIndex.from_arrays([[], [], []], names=names)
        return pd.DataFrame(columns=columns, index=index, dtype=float)
    return pd.concat(parts, names=names).droplevel(-1)


def panel(frame: pd.DataFrame, task: str, name: str) -> pd.DataFrame:
    """The rows of a task's panel, indexed by method."""
    return cast(pd.DataFrame, frame.xs((task, name), level=("task", "panel")))


def from_material(
    material: Material, wanted: Callable[[str], bool], tasks: tuple[str, ...] = tuple(TITLES)
) -> pd.DataFrame:
    """The frame of the runs of `examples/large` in a history.

    Raises:
        NotApplicable: if there are none of a list, or nothing to compare it with.
    """
    history = material.require_history()
    frame = compute(history.select(task=list(tasks)).to_frame(), wanted)
    for task in frame.index.unique("task"):
        methods = panel(frame, task, TRIALS).index.unique()
        if not any(map(is_list, methods)) or all(map(is_list, methods)):
            frame = frame.drop(index=task, level="task")
    if frame.empty:
        raise NotApplicable(
            "The history has no runs of a list and of baselines that examples/large/compare.py "
            "made."
        )
    return frame


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw for each task the loss by trials and by steps, side by side or below each other."""
    figure = ax.figure
    tasks = list(frame.index.unique("task"))
    wide = inches(ax)[0] > 7
    axes = divide(ax, *((len(tasks), 2) if wide else (2 * len(tasks), 1)))
    for number, task in enumerate(tasks):
        left, right = axes[2 * number : 2 * number + 2]
        _draw_trials(left, panel(frame, task, TRIALS))
        _draw_curves(right, panel(frame, task, CURVE))
        left.set_title(TITLES[task], loc="left", fontsize="medium")
    handles: dict[Any, Any] = {}
    for axis in axes:
        handles |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels())}
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper left",
        ncols=3 if wide else 1,
        alignment="left",
        columnspacing=1.4,
        handlelength=2.4,
    )


def label(method: str) -> str:
    """A method as pictures and captions call it."""
    if is_list(method):
        name, _, first = method.removeprefix("list ").partition(", ")
        return f"list {name}, {'first entry' if first else 'best so far'}"
    if method.startswith(DEFAULT):
        return f"Keras default, {method.removeprefix(DEFAULT).strip()}"
    return LABELS.get(method, method)


def describe(frame: pd.DataFrame, task: str) -> str:
    """A sentence on the runs of a task, with the final losses of each method."""
    trials = panel(frame, task, TRIALS)
    methods = trials.index.unique()
    first = trials.iloc[0]
    told = []
    lengths = [len(trials.loc[[method]]) for method in methods if is_list(method)]
    for method in methods:
        losses = trials.loc[[method], "y"].to_numpy()
        if is_list(method):
            told.append(
                f"the first entry of {method} reaches {losses[0]:.3f}, "
                f"the best of {len(losses)} {losses[-1]:.3f}"
            )
        elif method.startswith(DEFAULT):
            told.append(f"{label(method)} {losses[0]:.3f}")
        else:
            k = min(max(lengths, default=1), len(losses))
            told.append(
                f"{label(method)} on average {losses[k - 1]:.3f} after {k} of {len(losses)} rates "
                f"and {losses[-1]:.3f} after all"
            )
    return (
        f"{TITLES[task]} ({first['num_parameters']:,.0f} parameters, "
        f"{first['training_steps']:,.0f} steps; final validation loss): {'; '.join(told)}."
    )


def size_note(frame: pd.DataFrame) -> str:
    """What size the models are of which the numbers tell."""
    small = [task for task in frame.index.unique("task") if task in LAPTOP]
    if not small:
        return "These are the full models."
    return (
        "These are laptop-size runs of the scripts in examples/large, not the ResNet50 and the "
        "Transformer of 53 million parameters of the paper, which were not trained here; one seed "
        "per configuration."
    )


def _method(source: Source | None, space: str) -> str:
    """The method of a run; empty if its source names none."""
    if source is None:
        return ""
    return f"{DEFAULT} {space}" if source.method == DEFAULT else source.method


def _place(method: str) -> tuple[int, str]:
    """Lists come first, then tuned Adam by schedule, then defaults by name."""
    if is_list(method):
        return 0, method
    return (1, str(list(LABELS).index(method))) if method in LABELS else (2, method)


def _final(valid: np.ndarray, status: str) -> float:
    """The loss that a run ends with, at worst as if it had not been made."""
    return float(valid[-1] if status == "ok" and np.isfinite(valid[-1]) else valid[0])


def _by_trials(method: str, group: pd.DataFrame) -> pd.DataFrame:
    losses = group["final"].to_numpy()
    if is_list(method):
        best = np.minimum.accumulate(losses)
    elif method.startswith(DEFAULT):
        best = losses[:1]
    else:
        best = random_search(losses[None], len(losses))[0]
    return _frame(np.arange(1, len(best) + 1), best, group)


def _frame(x: Any, y: Any, group: pd.DataFrame) -> pd.DataFrame:
    told = group.iloc[0]
    return pd.DataFrame(
        {
            "x": np.asarray(x, float),
            "y": np.asarray(y, float),
            "runs": len(group),
            "num_parameters": told["num_parameters"],
            "training_steps": told["training_steps"],
        }
    )


def _style(method: str) -> dict[str, Any]:
    if is_list(method):
        return {"color": "C0", "linestyle": (0, (4, 1.5)) if method.endswith(", first") else "-"}
    if method in LABELS:
        return {"color": f"C{1 + list(LABELS).index(method)}", "linestyle": "-."}
    shades = {"adam": "0.1", "rmsprop": "0.4", "sgd": "0.65"}
    name = method.removeprefix(DEFAULT).strip()
    return {"color": shades.get(name, "0.5"), "linestyle": ":"}


def _draw_trials(ax: "Axes", trials: pd.DataFrame) -> None:
    for method in trials.index.unique():
        curve, style = trials.loc[[method]], _style(method)
        if method.startswith(DEFAULT):
            ax.axhline(curve["y"].iloc[0], label=label(method), **style)
        else:
            ax.plot(curve["x"], curve["y"], marker="o", label=label(method), **style)
    ax.set_xticks(range(1, int(trials["x"].max()) + 1))
    ax.set_xlabel(bands.TRIALS)
    ax.set_ylabel("final validation loss")


def _draw_curves(ax: "Axes", curves: pd.DataFrame) -> None:
    for method in curves.index.unique():
        curve, style = curves.loc[[method]], _style(method)
        own: dict[str, Any] = {} if method.endswith(", first") else {"linewidth": 1.6}
        shown = label(method) if method.endswith(", first") else None
        ax.plot(curve["x"], curve["y"], label=shown, **style, **own)
    starts = curves.groupby(level=0)["y"].first()
    ax.set_ylim(top=1.05 * starts.max())
    ax.set_xlabel("training steps")
    ax.set_ylabel("validation loss")
