"""The parts of the report on a search that look ahead: what to try next, and when to stop."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_hplist.figures.captions import trials
from keras_hplist.figures.page import Html, escape, table
from keras_hplist.learning.provenance import held_out_curve
from keras_hplist.lists import HyperparameterList, available_lists
from keras_hplist.reports import standing
from keras_hplist.reports.findings import Findings

_PLAIN = ("loss", "val_loss", "accuracy", "val_accuracy")  # KerasTuner knows their direction
_FIRST = 10  # trials to begin with
_MORE = 5  # to go on with
_CHANCES = (1, 5, 10)


def what_next(findings: Findings) -> list[str]:
    """The entries to come, or, where no list was followed, how to start one."""
    hplist = findings.hplist
    if hplist is None:
        return [findings.unscored]
    if not findings.followed:
        return _start_of_a_list(findings, hplist)
    known, coming = findings.project.trials, findings.coming
    if coming.empty:
        return [
            f"All {len(hplist)} entries were tried. Bayesian optimization can go on from their "
            "results:",
            _code(findings, hplist, len(known) + _MORE, 'after_list="bayesian"'),
        ]
    caption = f"The next entries of the list {hplist.name!r}."
    gains = [name for name in coming if name not in hplist.space.names]
    if gains and not coming[gains].any(axis=None):
        coming = coming.drop(columns=gains)
        caption += (
            " On the tasks that the list was learned from, those tried leave nothing to gain: from "
            "here on it covers the tasks anew with other configurations."
        )
    elif gains:
        caption += (
            " Gain: by how much an entry alone lowers the mean best score of those tried, on the "
            "tasks that the list was learned from."
        )
    return [
        table(coming.reset_index(), caption),
        "The same project goes on with a higher max_trials; what has finished is not run again:",
        _code(findings, hplist, len(known) + len(coming)),
    ]


def when_to_stop(findings: Findings) -> list[str]:
    """What further trials may bring."""
    if not findings.followed:
        return _chances(findings)
    if (hplist := findings.hplist) is None:
        return [findings.unscored]
    tried = findings.project.tried
    gains = findings.gains
    if gains.empty:
        return [
            "The list does not say what further trials are worth: it has no more entries, or does "
            "not carry their J(k)."
        ]
    rows = gains.reset_index().rename(columns={"score": "mean gain in score"})
    rows = rows.rename(columns={"loss": f"about, in {findings.project.measured}"})
    if "noticeable" in rows:
        share = rows.pop("noticeable").map("{:.0%}".format)
        rows[f"tasks that gained more than {standing.NOTICEABLE}"] = share
    shown = min(gains.index, key=lambda further: abs(further - _MORE))
    return [
        f"On tasks left out of the choice, {trials(shown)} more after {trials(tried)} "
        f"lowered the best score by {gains['score'].loc[shown]:.4f} in the mean. That is an "
        "estimate: the mean of other problems, not a forecast for this one. A score counts "
        f"{standing.counted(hplist)}. Stop where this is not worth the time.",
        table(
            rows.dropna(axis=1),
            "What further entries of the list gained on these tasks, by how many were tried.",
        ),
    ]


def _start_of_a_list(findings: Findings, hplist: HyperparameterList) -> list[str]:
    own = findings.project.values[findings.project.best]
    kept = {name: value for name, value in own.items() if name not in hplist.space.names}
    replaced = [name for name in own if name in hplist.space.names]
    parts: list[str] = [
        f"The list {hplist.name!r} sets the optimizer and its schedule. To try its first entries "
        "on the best model of this search, in a project of its own:",
        _code(findings, hplist, _FIRST, keep=kept),
    ]
    if replaced:
        parts.append(f"The list sets {', '.join(replaced)}, which this search has tuned.")
    curve = held_out_curve(hplist)
    told = [f"{curve[k]:.3f} after {trials(k)}" for k in (1, 5, 10) if k in curve]
    if told:
        parts.append(
            "What to expect of it here is not known. On tasks that were left out of its "
            f"choice, the mean score of the best entry was {', '.join(told)} (0: best known, 1: no "
            "better than before training)."
        )
    return parts


def _code(
    findings: Findings,
    hplist: HyperparameterList,
    count: int,
    further: str = "",
    keep: Mapping[str, Any] | None = None,
) -> Html:
    """The lines that start a search by the list, or go on with it."""
    project = findings.project
    objective = repr(project.objective)
    if project.objective not in _PLAIN:
        objective = f"keras_tuner.Objective({objective}, {project.direction!r})"
    shipped = hplist.name in available_lists()
    lines = ["import keras_hplist as khl"]
    if keep or "keras_tuner" in objective:
        lines.append("import keras_tuner")
    lines.append("")
    if keep:
        lines.append("best = keras_tuner.HyperParameters()  # of this search; the list sets others")
        lines += [f"best.Fixed({name!r}, {value!r})" for name, value in keep.items()]
    arguments = {
        "objective": objective,
        "max_trials": str(count),
        "hyperparameter_list": repr(hplist.name if shipped else f"{hplist.name}.json"),
        "hyperparameters": "best" if keep else "",
        "directory": repr(str(project.path.parent)),
        "project_name": repr(project.name + ("" if findings.followed else "_list")),
    }
    lines += ["tuner = khl.HyperparameterListTuner(", "    build_model,"]
    lines += [f"    {name}={value}," for name, value in arguments.items() if value]
    lines += [f"    {further},"] if further else []
    lines += [")", "tuner.search(…)  # with the data and epochs of this search"]
    text = "\n".join(lines)
    return Html(f"<pre>{escape(text)}</pre>")


def _chances(findings: Findings) -> list[str]:
    project = findings.project
    ranks = project.finished["rank"].dropna()
    count, number = len(ranks), int(np.flatnonzero(ranks == 1)[0]) + 1
    found = f"Of {trials(count)} with a result, the best was number {number}."
    if project.tuner == "Hyperband":
        return [
            f"{found} Hyperband gives trials unequal budgets and ends by itself when its brackets "
            "are through."
        ]
    chances = ", ".join(f"{m / (count + m):.0%} for {m} more" for m in _CHANCES)
    return [
        f"{found} If trials are drawn at random alike, as RandomSearch draws them, the chance that "
        f"one of m further ones beats the best of n is m / (n + m): {chances}. By how much, that "
        "does not say, and a tuner that learns from its trials may do better."
    ]
