"""KerasTuner's project folders as a history."""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Unpack

import numpy as np

from keras_hplist.checks import checked_name, checked_text
from keras_hplist.errors import FileFormatError
from keras_hplist.history.keras_tuner_project import (
    CURVES,
    StoredTrial,
    curve_files,
    objective_of,
    projects_in,
    trials,
)
from keras_hplist.history.places import Place, place_of, told_apart
from keras_hplist.history.readers.steps import curve
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.report import ReadReport
from keras_hplist.history.store import History
from keras_hplist.history.union import union_of
from keras_hplist.spaces import Hyperparameter, SearchSpace, names
from keras_hplist.spaces.bookkeeping import is_bookkeeping
from keras_hplist.spaces.published import identified

_UNTITLED = "untitled_project"  # what KerasTuner calls a project that the user does not name


def read_keras_tuner(
    directory: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    metric: str | None = None,
    **options: Unpack[Options],
) -> History:
    """Read project folders of KerasTuner 1.4; each project is a task.

    A task is called as its project, with the folders between it and the given one before it. One
    that has KerasTuner's default name, which says nothing, also bears that of the folder it is in,
    `mnist/untitled_project`; and projects that are read together bear as much of their paths as
    tells them apart.

    Where our tuner recorded learning curves (`<project>/curves`), they are the history, over the
    losses and the hyperparameters of the list; of the options only `task` says anything of them.
    The report names the model's hyperparameters, which they leave out, and another objective.
    Otherwise, or where `metric` names another one, the values that KerasTuner kept of a trial are
    its curve, by the step that `Oracle.update_trial` was told, which it counts from 0. As a rule it
    is one value, that of the best epoch, at step 1 of 1, so that all aggregations over time are
    equal. In projects of Hyperband it is the best value, and the step is the epoch at which the
    trial ended; a trial that ended before the longest is `pruned`. One that was continued as
    another trial is left out for that one, unless that one came to no result: then that one is left
    out.

    A trial with a NaN objective is `diverged`, one that raised an exception `failed`. Trials that
    have not ended, and files that were torn when a process was killed, are left out; the report
    says which. Values of hyperparameters that were not active in a trial are dropped, and so is the
    bookkeeping under `hplist/` and `tuner/`.

    Args:
        directory: a project folder, or a folder with project folders in it, at any depth; or
            several of these.
        metric: which metric to read; default: the losses where our tuner recorded curves, in each
            other project its objective: the metric that is equal to the scores; of several,
            `val_loss`, or else the first of a validation split. The report names it.
        **options: see `Options`; `space` names the search space, and so the configurations;
            default: as the published space that a project is over, else "custom". Spaces of the
            same name are joined by `keras_hplist.history.union.union_of`.

    Returns:
        The history with its report. Its search spaces are defined from the projects.

    Raises:
        FileNotFoundError: if there is no such folder.
        FileFormatError: if there is no project in it.
        InvalidValueError: if an argument is not allowed.
        UnknownNameError: if the trials of a project have other metrics alone.
    """
    if metric is not None:
        checked_text("metric", metric, or_else="None")
    given = [directory] if isinstance(directory, str | os.PathLike) else directory
    histories = []
    objectives: defaultdict[str, list[str]] = defaultdict(list)  # metric -> tasks read of it
    for place, project in _projects([Path(folder) for folder in given]).items():
        if (project / CURVES).is_dir() and metric in (None, "val_loss"):
            histories.append(_read_curves(project, place, metric, options.get("task")))
        else:
            histories.append(_read_trials(project, place, metric, options, objectives))
    history = History.concat(histories)
    for name, tasks in objectives.items():
        where = f" of {', '.join(tasks)}" if len(objectives) > 1 else ""
        history.report.note(
            f"the objective{where} is taken to be {name!r}; read another with metric='…'"
        )
    return history


def _projects(roots: Sequence[Path]) -> dict[Place, Path]:
    """The project folders in some folders, by their places, whose last part is the task's name."""
    projects: dict[Place, Path] = {}  # whole path -> as given
    names: dict[Place, Place] = {}  # whole path -> the same with the name as its last part
    for root in roots:
        if not root.is_dir():
            raise FileNotFoundError(f"There is no folder {root}.")
        found = sorted(projects_in(root))
        if not found:
            raise FileFormatError(
                f"{root} holds no project of KerasTuner: no oracle.json, and no trial_*/trial.json."
            )
        for project in found:
            whole = place_of(project)
            projects[whole] = project
            least = 2 if whole[-1] == _UNTITLED else 1
            depth = max(len(project.relative_to(root).parts), least)
            names[whole] = (*whole[:-depth], "/".join(whole[-depth:]))
    apart = told_apart(names.values())
    return {apart[names[whole]]: project for whole, project in projects.items()}


def _read_curves(project: Path, place: Place, metric: str | None, task: object) -> History:
    history = History.read(project / CURVES, skip_damaged=True)
    # The name of the project is the tuner's default, which several projects may share.
    if task:
        history = history.with_tasks(dict.fromkeys(history.tasks, str(task)))
    elif history.tasks == [project.name]:
        history = history.with_tasks({project.name: place[-1]})
        history.report.places[place[-1]] = place
    recorded = {file.trial for file in curve_files(project)}
    for folder in sorted(project.glob("trial_*")):
        if recorded and folder.name.removeprefix("trial_") not in recorded:
            history.report.drop(f"{project.name}/{folder.name}", "no learning curve was recorded")
    stored = trials(project, ReadReport())
    objective = objective_of(stored)
    if metric is None and objective not in ("val_loss", "loss"):
        history.report.note(
            f"the curves are of losses; for the objective {objective!r}, which the tuner kept at "
            f"the best epoch alone, read with metric={objective!r}"
        )
    kept = {name for values in history.values().values() for name in values}
    tuned = {name for trial in stored if trial.id in recorded for name in trial.own_values}
    if left_out := sorted(tuned - kept):
        history.report.note(
            f"hyperparameters that the list does not set are left out: {', '.join(left_out)}"
        )
    return history


def _read_trials(
    project: Path,
    place: Place,
    metric: str | None,
    options: Options,
    objectives: defaultdict[str, list[str]],
) -> History:
    report, task = ReadReport(), place[-1]
    stored = trials(project, report, task)
    if not stored:
        report.source.append(str(project))
        return History.from_records([], report=report)
    name = metric or objective_of(stored)
    known = {each for trial in stored for each in trial.metrics}
    if metric is not None and known:  # nothing is known where all trials failed
        checked_name(f"metric of the project {project}", metric, known)
    if metric is None and known:
        objectives[name].append(task)
    directions = {t.metrics[name].direction for t in stored if name in t.metrics} - {None}

    defined = {str(trial.space): trial.space for trial in stored}
    own = {key: _space([rows]) for key, rows in defined.items()}
    space = _named(options.get("space"), _space(defined.values()))
    if space is not None:
        options = {**options, "space": space.name}
    # Of a trial of Hyperband and those that continue it, the last one that came to a result counts.
    results = {t.id: t for t in stored if t.state != "unfinished" and t.observed(name)}
    longest = max((trial.epochs for trial in results.values()), default=0)
    continued = {trial.continues for trial in results.values()}
    curves = [
        t.observed(name) for t in results.values() if not longest and len(t.observed(name)) > 1
    ]
    if any(0 in steps for steps in curves):  # KerasTuner counts epochs from 0
        options = {"first_epoch": 0, **options}
    end = longest or max((max(steps) for steps in curves), default=1)
    builder = HistoryBuilder(project, {"valid": name}, options, choose="metric")
    for trial in stored:
        if trial.id in continued:
            builder.drop(f"{task}/{trial.id}", "continued as another trial")
        elif trial.id not in results and trial.continues in results:
            builder.drop(f"{task}/{trial.id}", "continued another trial and has no result")
        else:
            values = _active(trial, own[str(trial.space)])
            builder.add(_run(trial, values, project, place, name, end))
    history = builder.history(directions.pop() if len(directions) == 1 else None)
    history.report.dropped += report.dropped
    if not longest and not curves:
        history.report.note("one value for each trial, that of its best epoch, is its whole curve")
    if space is None or space.name in names():
        return history
    return history.with_spaces([space])


def _run(
    trial: StoredTrial, values: dict[str, Any], project: Path, task: Place, metric: str, end: int
) -> Trial:
    """A trial with its curve; where that is one value, it stands at the end of the training."""
    metrics = {}
    if trial.observed(metric):
        direction, losses = trial.metrics[metric]
        if len(losses) == 1 or trial.epochs:
            best = np.fmax if direction == "max" else np.fmin
            losses = {trial.epochs or end: best.reduce(list(losses.values()))}
        metrics = {metric: curve(losses.items())}
    pruned = trial.state == "ok" and 0 < trial.epochs < end
    return Trial(
        name=f"{task[-1]}/{trial.id}",
        place=str(project),
        task=task,
        values=values,
        metrics=metrics,
        logged=tuple(trial.metrics),
        state="pruned" if pruned else trial.state,
    )


def _active(trial: StoredTrial, space: SearchSpace | None) -> dict[str, Any]:
    """The values of the active hyperparameters of the trial's own space, without bookkeeping."""
    values = trial.own_values
    if space is None:
        return values
    off: set[str] = set()
    for name in dict.fromkeys(row.name for row in space.rows):
        rows = [row for row in space.rows if row.name == name]
        if all(_is_switched_off(row, trial.values, off) for row in rows):
            off.add(name)
            values.pop(name, None)
    zeros = {row.name: row.otherwise for row in space.rows if row.otherwise is not None}
    return zeros | values


def _is_switched_off(row: Hyperparameter, values: Mapping[str, Any], off: set[str]) -> bool:
    """Whether a condition does not hold; a switch that a list entry does not have says nothing."""
    return any(
        parent in off or (parent in values and values[parent] not in allowed)
        for parent, allowed in row.when
    )


def _space(given: Iterable[Sequence[Mapping[str, Any]]]) -> SearchSpace | None:
    """The union of hyperparameters as KerasTuner writes them; None if there are none.

    Args:
        given: the hyperparameters of trials; alike ones once.
    """
    defined = [
        SearchSpace.from_hyperparameters("custom", SimpleNamespace(space=rows))
        for rows in ([_hyperparameter(row) for row in each] for each in given)
        if not all(is_bookkeeping(row.name) for row in rows)
    ]
    return union_of(defined) if defined else None


def _named(name: str | None, space: SearchSpace | None) -> SearchSpace | None:
    """The space under a name; None: as the published space that it is, or else as it is."""
    if space is None:
        return None
    space = identified(space) or space
    return space if name is None else dataclasses.replace(space, name=name)


def _hyperparameter(row: Mapping[str, Any]) -> Any:
    """A row of a trial.json with the attributes of KerasTuner's object, which would load Keras."""
    config = dict(row["config"])
    conditions = [SimpleNamespace(**parent["config"]) for parent in config.pop("conditions", [])]
    return type(row["class_name"], (SimpleNamespace,), {})(conditions=conditions, **config)
