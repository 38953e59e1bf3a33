"""The report on a search: how it stands, what to try next, when to stop.

For a project folder of KerasTuner, of this package's tuner or of KerasTuner alone, also while the
search runs.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import keras_hplist
from keras_hplist.errors import InvalidValueError
from keras_hplist.figures.captions import trials
from keras_hplist.figures.material import NotApplicable
from keras_hplist.figures.page import Section, facts, items, page, shown, table
from keras_hplist.figures.saving import require_matplotlib
from keras_hplist.files import write_text
from keras_hplist.lists import HyperparameterList
from keras_hplist.reports import project_pictures as pictures
from keras_hplist.reports import standing
from keras_hplist.reports.advice import what_next, when_to_stop
from keras_hplist.reports.findings import Findings, find
from keras_hplist.reports.project import read_project
from keras_hplist.reports.report_files import ReportFiles

_ROWS = 50  # of the table on the page; the file has all


def write(
    project: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    hyperparameter_list: str | os.PathLike[str] | HyperparameterList | None = None,
    objective: str | None = None,
    direction: str | None = None,
) -> dict[str, Any]:
    """Write the report on a search: `report.html`, which needs nothing else, and its pictures.

    Args:
        project: the project folder of a KerasTuner search, finished or running; or a folder that
            holds just one.
        out: the folder to write to; made if it is missing. Gets `report.html`, `trials.csv`, and
            for each picture a `.png`, a `.svg` and a `.csv`.
        hyperparameter_list: the list that the search followed, if it is not shipped; for a search
            that followed none, the list to suggest (default: "nadamw").
        objective: the metric to rank by; default: the one whose values are the trials' scores.
        direction: "min" or "max"; default: what the project tells.

    Returns:
        What the report says, for machines: `report` and `files` (paths), `project`, `tuner`,
        `objective`, `direction`, `trials` (number by status), `best` (trial, objective, values),
        `list` (name, or None), `score` (best so far, or None), `ahead` (share of tasks; None where
        scores cannot tell it, as those of a list learned with aggregation="min"),
        `nearest` (names of tasks), `next` (rank and values of entries), `gains` (of further
        trials), `left_out`, `notes`.

    Raises:
        FileNotFoundError, FileFormatError: if there is no such project.
        InvalidValueError: if no trial has finished, the objective's direction is not known, or the
            given list is not the one that was followed.
        UnknownNameError: if there is no such objective, direction or list.
        MissingExtraError: if matplotlib is not installed.
    """
    require_matplotlib("The report on a search")
    findings = find(read_project(project, objective, direction), hyperparameter_list)
    files = ReportFiles(Path(out))
    sections = [
        Section("Where the search stands", _standing(findings, files)),
        Section("Learning curves", _curves(findings, files)),
        Section("Which tasks the problem resembles", _likeness(findings, files)),
        Section("What to try next", what_next(findings)),
        Section("When to stop", when_to_stop(findings)),
        Section("Trials", _trial_table(findings, files)),
        Section("Where this comes from", _provenance(findings)),
    ]
    path = Path(out) / "report.html"
    write_text(path, page(f"Search {findings.project.name}", _lead(findings), sections))
    return {"report": str(path), "files": files.paths, **findings.told()}


def _lead(findings: Findings) -> list[str]:
    project, statuses = findings.project, findings.statuses
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    extreme = "lowest" if project.direction == "min" else "highest"
    lead = [
        f"{trials(len(project.trials))}: {counts}. The {extreme} {project.objective}, "
        f"{shown(project.best_result)}, has trial {project.best}."
    ]
    if "running" in statuses:
        lead.append("The search has not ended: write the report again to see further trials.")
    if count := len(findings.left_out):
        lead.append(f"Left out: {count} of its files; the end of the page says which, and why.")
    return lead


def _standing(findings: Findings, files: ReportFiles) -> list[str]:
    project = findings.project
    results = project.finished["objective"]
    results = results.where(np.isfinite(results)).set_axis(range(1, len(results) + 1))
    best = results.cummin() if project.direction == "min" else results.cummax()
    frame = pd.DataFrame({"objective": results, "best": best.ffill()}).rename_axis("number")
    frame.attrs["objective"] = project.objective
    picture = files.picture(
        "best_so_far",
        pictures.draw_best,
        frame,
        f"{project.objective} of each trial that has ended, and the best so far. Trials without a "
        "result have no point.",
    )
    if findings.scores is None or findings.hplist is None:
        return [picture, f"There is nothing to hold it against. {findings.unscored}"]
    return [*_beside_expectation(findings, files, findings.scores, findings.hplist), picture]


def _beside_expectation(
    findings: Findings, files: ReportFiles, scores: standing.Scores, hplist: HyperparameterList
) -> list[str]:
    evidence, count = findings.evidence, scores.count
    expected = standing.expected(evidence, hplist, count)
    sentence = (
        f"After {trials(count)} of the list the best score is {scores.best:.3f}. A score counts "
        f"{standing.counted(hplist)}: 0 is the lowest loss known, 1 that before training."
    )
    if expected.empty:
        return [f"{sentence} The list {hplist.name!r} does not say what its entries are worth."]
    caption = f"Best score so far, and that of the list {hplist.name!r} on its tasks"
    if evidence is None or not evidence.held_out.size:
        sentence += (
            " The list tells the mean over its tasks only, and measures it by the best of all "
            "configurations that were run on them. A search knows its own trials alone, which "
            "makes it look better than it is: take the picture with that in mind."
        )
        caption += ": the mean J(k) on tasks left out of the choice, for some k."
    else:
        sentence += _ahead(findings.ahead, *evidence.held_out.shape, count)
        caption += (
            ", each left out of the choice. All are measured by the lowest loss known after "
            f"{trials(count)}, so that further ones may go below 0."
        )
    frame = scores.trials[["score", "best"]].join(expected, how="outer")
    frame = frame.loc[: count + max(5, count // 2)]
    return [sentence, files.picture("expectation", pictures.draw_expected, frame, caption)]


def _ahead(ahead: float | None, tasks: int, k: int, count: int) -> str:
    if ahead is None:
        return (
            " How many tasks you are ahead of, such scores cannot tell: the lowest loss known is "
            "one of these trials' own, so that the best of them has a score of 0, or nearly, on "
            "any problem. The picture shows how soon it was reached."
        )
    after = "as many trials" if count <= k else f"the first {trials(k)}"
    return (
        f" On {round(ahead * tasks)} of the {tasks} tasks that the list was learned from, each of "
        f"them left out of the choice of what was tried on it, the best score after {after} was "
        f"higher: you are ahead of {ahead:.0%} of tasks."
    )


def _curves(findings: Findings, files: ReportFiles) -> list[str]:
    project = findings.project
    frame = project.curves[np.isfinite(project.curves["loss"])]
    if not (frame.groupby("run").size() > 1).any():
        return [
            "KerasTuner kept one value for each trial, that of its best epoch, so that there are "
            "no curves to draw. HyperparameterListTuner records them; in any other fit, the "
            "callback keras_hplist.callbacks.CurveRecorder does."
        ]
    frame = frame.assign(rank=frame["trial"].map(project.trials["rank"]).astype("Int64"))
    frame = frame.set_index("trial")
    frame.attrs |= {
        "measured": project.measured,
        "unit": project.unit,
        "falls": project.history is not None or project.direction == "min",
    }
    caption = f"By {project.unit}: {project.measured} of each trial, coloured by rank"
    if project.history is None:
        caption += "; no more than KerasTuner's trial.json files hold"
    if frame["rank"].isna().any():
        caption += "; dashed: trials without a result"
    return [files.picture("curves", pictures.draw_curves, frame, f"{caption}.")]


def _likeness(findings: Findings, files: ReportFiles) -> list[str]:
    evidence, scores = findings.evidence, findings.scores
    if scores is None:
        return [f"{findings.unscored} Tasks are compared by what the entries of a list do on them."]
    if evidence is None:
        assert findings.hplist is not None
        return [f"The list {findings.hplist.name!r} does not carry its scores on the tasks."]
    if (nearest := findings.nearest) is None:
        return [findings.unlike]
    near = nearest.head(standing.NEAREST)
    usual, closest = nearest["usual"].median(), near["distance"].iloc[0]
    if closest < usual / 2:
        verdict = "near enough to be a likeness"
    elif closest < usual:
        verdict = "nearer than most, and no more than a hint"
    else:
        verdict = "no nearer than tasks are to each other: the problem resembles none of them"
    rows = near.dropna(axis=1, how="all").drop(columns="usual").reset_index()
    parts: list[str] = [
        f"By what {trials(scores.count)} did, the nearest of {len(nearest)} tasks is "
        f"{near.index[0]}, at a distance of {closest:.3f}; two tasks usually are {usual:.3f} "
        f"apart. That is {verdict}.",
        table(
            rows,
            "The nearest tasks. Distance: root of the mean squared difference of the scores "
            "of the entries tried, each task in units of its best and its start. A search in "
            "the order 'adaptive' weighs tasks by the trials' objectives, without the start, and "
            "may lean on others.",
        ),
    ]
    try:
        plane = standing.task_map(evidence, scores, findings.project.name)
    except (InvalidValueError, NotApplicable) as error:
        return [*parts, str(error)]
    caption = (
        "Tasks on a plane (t-SNE): those lie together on which the entries tried so far do alike. "
        "Directions and large distances mean nothing."
    )
    return [*parts, files.picture("tasks", pictures.draw_map, plane, caption)]


def _trial_table(findings: Findings, files: ReportFiles) -> list[str]:
    project = findings.project
    frame = project.trials.sort_values("rank", na_position="last", kind="stable")
    frame = frame.rename(columns={"objective": project.objective, "entry": "list entry"})
    if frame["list entry"].isna().all():
        frame = frame.drop(columns="list entry")
    values = pd.DataFrame([project.values[trial] for trial in frame.index], frame.index)
    frame = frame.reset_index()
    values = values.rename(columns={name: f"{name} (value)" for name in values if name in frame})
    whole = pd.concat([frame, values.reset_index(drop=True)], axis=1).astype(object)
    whole = whole.where(whole.notna(), None)
    saved = files.text("trials.csv", whole.to_csv(index=False))
    caption = f"Rank: by {project.objective}, 1 is best."
    if len(whole) > _ROWS:
        caption += f" The first {_ROWS} of {len(whole)}; the file has all."
    return [table(whole.head(_ROWS), caption), saved]


def _provenance(findings: Findings) -> list[str]:
    project, hplist, notes = findings.project, findings.hplist, findings.project.report.notes
    recorded = project.history is not None
    known = {
        "project": project.path,
        "written by": project.tuner,
        "objective": f"{project.objective}, {project.direction}imised",
        "learning curves": "recorded by keras_hplist beside the trials"
        if recorded
        else "what KerasTuner keeps in trial.json",
    }
    if project.followed:
        known["list followed"] = " ".join(project.followed)
    if hplist is not None:
        source = hplist.provenance
        if not project.followed:
            known["list suggested"] = f"{hplist.name} {hplist.fingerprint}"
        tasks = len(source.get("tasks", ()))
        known |= {
            "list learned from": f"{tasks} tasks, {source.get('configurations', '?')} "
            f"configurations, {source.get('date', 'at an unknown date')}"
            if tasks
            else "not known",
            "tasks left out": source.get("held_out", "not known"),
            "scores by task": "carried by the list" if findings.evidence else "not carried",
        }
    known["report by"] = f"keras_hplist {keras_hplist.__version__}"
    parts: list[str] = [facts({name: str(value) for name, value in known.items()})]
    if findings.left_out:
        parts += ["Left out:", items(findings.left_out)]
    if notes:
        parts += ["Notes:", items(notes)]
    return parts
