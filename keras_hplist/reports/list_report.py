"""The page about a learned list: what it is worth, its entries, and what it was learned from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from keras_hplist.figures.captions import compared_at, trials, trials_to_reach
from keras_hplist.figures.labels import beside, legend
from keras_hplist.figures.page import (
    Html,
    Section,
    details,
    downloads,
    facts,
    figure,
    items,
    page,
    table,
)
from keras_hplist.learning.evaluation import QUARTILES
from keras_hplist.learning.provenance import REPORTED
from keras_hplist.lists import to_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_hplist.history.report import ReadReport
    from keras_hplist.learning import ListLearner
    from keras_hplist.learning.explanation import Explanation

_DRAWS = 1000
_NAMED_TASKS = 30  # more names than that cannot be read beside a picture
_SERVED, _EXAMPLES = 3, 3
_COLOURS = {"list": "C0", "random search": "C1"}
_TRIAL_FOR_TASKS = 10  # after so many trials lists and random search are compared task by task


def list_report(
    learner: "ListLearner",
    reading: "ReadReport | None" = None,
    notes: Sequence[str] = (),
    entries: int = 10,
) -> str:
    """A self-contained HTML page about the list of a fitted learner.

    Args:
        learner: fitted, with the values of configurations.
        reading: what was read and dropped, such as `history.report`.
        notes: warnings and the like that reading and learning gave.
        entries: how many to show; the download has all.

    Returns:
        HTML text that needs no network.

    Raises:
        InvalidValueError: if the learner has no `list_`.
        MissingExtraError: if matplotlib is not installed.
    """
    hplist = learner.list_
    quality = compute(learner)
    sections = [
        Section("What the list is worth", _worth(learner, quality)),
        Section("The first entries", _entries(learner, min(entries, len(hplist)))),
        Section("What was read", _read(learner, reading, notes)),
        Section("How the list was made", [facts(_provenance(hplist.provenance))]),
    ]
    lead = [
        f"{len(hplist)} entries over the search space {hplist.space.name!r}, best first to try, "
        f"learned from {learner.scores_.shape[1]} configurations on {len(learner.weights_)} tasks."
    ]
    if learner.held_out_:
        k = _compared_at(learner, 5)
        reached = quality.loc[k]
        lead.append(
            f"On tasks that were left out of the choice, the best score after {trials(k)} of the "
            f"list is {reached['list']:.3f} on average, after {trials(k)} at random "
            f"{reached['random search']:.3f}. Score 0 is the best that is known of a task, 1 is no "
            "better than before training."
        )
    return page(f"Hyperparameter list {hplist.name}", lead, sections)


def compute(learner: "ListLearner", seed: int = 0) -> pd.DataFrame:
    """J(k) with quartiles over draws of the tasks.

    Args:
        learner: fitted.
        seed: of the draws: 1000 times as many tasks as there are, with replacement.

    Returns:
        A DataFrame indexed by k with the column `training`, J on the tasks learned from, and, if
        tasks were left out, for `list` and `random search` J on these and, under
        `<method>, lower_quartile` and `<method>, upper_quartile`, its quartiles over the draws.
    """
    weights = learner.weights_.to_numpy()
    columns: dict[str, pd.Series] = {"training": learner.curve_["training"]}
    counts = np.random.default_rng(seed).multinomial(
        len(weights), np.full(len(weights), 1 / len(weights)), _DRAWS
    )
    drawn = counts * weights  # (draw, task)
    drawn = drawn[drawn.sum(axis=1) > 0]
    drawn /= drawn.sum(axis=1, keepdims=True)
    for method, best in learner.held_out_.items():
        columns[method] = (best.T * weights).sum(axis=1)
        for name in ("lower_quartile", "upper_quartile"):
            over_draws = np.quantile(drawn @ best.to_numpy(), QUARTILES[name], axis=0)
            columns[f"{method}, {name}"] = pd.Series(over_draws, best.columns)
    return pd.DataFrame(columns).rename_axis("k")


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the curves of `compute`."""
    from matplotlib.ticker import MaxNLocator

    k = frame.index.to_numpy()
    for method, colour in _COLOURS.items():
        if method in frame:
            ax.fill_between(
                k,
                frame[f"{method}, lower_quartile"],
                frame[f"{method}, upper_quartile"],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
            ax.plot(k, frame[method], color=colour, label=f"{method}, tasks left out")
    ax.plot(k, frame["training"], color="0.35", linestyle="--", label="list, tasks learned from")
    if len(k) > 20:
        ax.set_xscale("log")
        ticks = [each for each in REPORTED if each <= k[-1] and each != 3]
        ax.set_xticks(ticks, list(map(str, ticks)))
        ax.minorticks_off()
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    ax.set_xlabel("trials, k")
    ax.set_ylabel("J(k), mean score of the best")
    legend(ax, 1)


def compute_tasks(learner: "ListLearner", k: int) -> pd.DataFrame:
    """What list and random search reach on each task left out, after k trials.

    Returns:
        A DataFrame indexed by task with the columns `list` and `random search`, worst of the list
        first.
    """
    frame = pd.DataFrame({method: best[k] for method, best in learner.held_out_.items()})
    return frame.sort_values("list", ascending=False, kind="stable")


def draw_tasks(ax: "Axes", frame: pd.DataFrame) -> None:
    """Draw the scores of `compute_tasks`, a row for each task."""
    rows = np.arange(len(frame))[::-1]
    low, high = frame.min(axis=1), frame.max(axis=1)
    ax.hlines(rows, low, high, color="0.75", linewidth=1.5, zorder=1)
    for method, colour in _COLOURS.items():
        ax.scatter(frame[method], rows, 22, color=colour, label=method, zorder=2)
    if len(frame) <= _NAMED_TASKS:
        ax.set_yticks(rows, beside(ax, frame.index))
        ax.tick_params(axis="y", length=0, labelsize=9)
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(frame)} tasks")
    ax.grid(axis="y", visible=False)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.7, len(frame) - 0.3)
    ax.set_xlabel("score")
    legend(ax, 2)


def _compared_at(learner: "ListLearner", wanted: int) -> int:
    return min(compared_at(wanted, learner.scores_.shape[1]), len(learner.list_))


def _worth(learner: "ListLearner", quality: pd.DataFrame) -> list[str]:
    parts: list[str] = []
    files = {"curve.csv": quality.to_csv()}
    ks = [k for k in quality.index if k in REPORTED or k == len(quality)]
    written = quality.loc[ks].map("{:.4f}".format)
    rows = {"k": ks, "tasks learned from": written["training"]}
    caption = "J(k): the weighted mean over tasks of the best score among the first k entries"
    if learner.held_out_:
        caption += (
            "; lower is better. Bands: quartiles of J over 1000 draws of the tasks. Tasks were "
            f"left out {learner.list_.provenance['held_out']}, and lists learned from the others"
        )
        rows |= {
            "tasks left out": written["list"],
            "random search there": written["random search"],
            "random trials for the same": [
                trials_to_reach(quality["random search"], quality["list"].loc[k]) for k in ks
            ],
        }
    else:
        parts.append("There is a single task, so that none could be left out to judge the list.")
    parts.append(figure(draw, quality, caption + "."))
    parts.append(table(pd.DataFrame(rows)))
    if learner.held_out_:
        k = _compared_at(learner, _TRIAL_FOR_TASKS)
        tasks = compute_tasks(learner, k)
        files["tasks.csv"] = tasks.to_csv()
        height = 1.4 + 0.22 * min(len(tasks), _NAMED_TASKS)
        parts.append(
            figure(
                draw_tasks,
                tasks,
                f"The best score on each task left out, after {trials(k)}; of random search "
                "the expectation.",
                (8.6, height),
                (4.4, height),
            )
        )
    return [*parts, downloads(files)]


def _entries(learner: "ListLearner", count: int) -> list[str]:
    hplist = learner.list_
    rank_name, gain_name = map(hplist.space.free_name, ("rank", "gain"))
    rows = [
        {rank_name: rank, gain_name: float(learner.gains_[rank]), **hplist[rank]}
        for rank in range(count)
    ]
    frame = pd.DataFrame(rows, columns=[rank_name, gain_name, *hplist.space.names], dtype=object)
    explained = [learner.explain(rank) for rank in range(count)]
    return [
        table(
            frame,
            f"The first {count} of {len(hplist)} entries. Gain: by how much an entry lowers J on "
            "the tasks learned from.",
        ),
        downloads({"entries.csv": to_csv(hplist)}),
        "What each is there for, and why it stands where it stands:",
        Html("\n".join(details(_purpose(each), str(each)) for each in explained)),
    ]


def _purpose(entry: "Explanation") -> str:
    """A line about what an entry is there for."""
    if entry.pass_number:
        why = f"covers the tasks anew, pass {entry.pass_number + 1}"
    else:
        why = f"gain {entry.gain:.4f}"
    if not entry.serves:
        return f"Entry {entry.rank}: {why}"
    count, named = len(entry.serves), ", ".join(map(str, entry.serves[:_SERVED]))
    more = f" and {count - _SERVED} more" if count > _SERVED else ""
    tasks = "1 task" if count == 1 else f"{count} tasks"
    return f"Entry {entry.rank}: {why}; the best of the list for {tasks}: {named}{more}"


def _read(learner: "ListLearner", reading: "ReadReport | None", notes: Sequence[str]) -> list[str]:
    parts: list[str] = []
    if reading is not None:
        sources = ", ".join(reading.source) or "memory"
        parts.append(f"{reading.read} runs from {sources}; {len(reading.dropped)} dropped.")
        if reading.dropped:
            reasons = Counter(why for _, why in reading.dropped).most_common()
            examples = {
                why: [what for what, reason in reading.dropped if reason == why]
                for why, _ in reasons
            }
            parts.append(
                table(
                    pd.DataFrame(
                        {
                            "dropped": [count for _, count in reasons],
                            "why": [why for why, _ in reasons],
                            "for example": [
                                ", ".join(examples[why][:_EXAMPLES]) for why, _ in reasons
                            ],
                        }
                    )
                )
            )
        notes = [*reading.notes, *notes]
    if learner.dropped_:
        dropped = ", ".join(map(str, learner.dropped_))
        parts.append(f"Tasks without anything to learn, which were left out: {dropped}.")
    if notes:
        parts += ["Notes:", items(notes)]
    return parts or ["A matrix of scores."]


def _provenance(known: Mapping[str, Any]) -> dict[str, str]:
    """What a list's provenance says of how it was made, in a line each."""
    missing, weights = known["missing"], known["weights"]
    told = {
        "losses on split": known["split"],
        "normalisation": known["normalization"],
        "aggregation over time": known["aggregation"],
        "seeds": known["seeds"],
        "horizon": known["horizon"] or "the whole curves",
        "training steps": ", ".join(map(str, known.get("training_steps", ()))),
        "weights of tasks": weights
        if isinstance(weights, str)
        else ", ".join(f"{name} {weight:g}" for name, weight in weights.items()),
        "cells not measured": f"{missing['share']:.0%}"
        + (f", estimated by the rule {missing['rule']!r}" if missing["rule"] else ""),
        "cost": known["cost"] or "not counted",
        "tasks left out": known["held_out"],
        "seed": known["seed"],
        "date": known["date"],
        "versions": ", ".join(f"{name} {number}" for name, number in known["versions"].items()),
        "fingerprint of the data": known.get("history", known.get("scores")),
    }
    return {name: str(value) for name, value in told.items() if value not in (None, "")}
