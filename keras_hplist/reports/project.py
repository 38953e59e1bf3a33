"""A project folder of KerasTuner as the report needs it: trials, learning curves, the list.

Any project will do: one of this package's tuner, whose learning curves lie beside the trials, one
that KerasTuner wrote alone, and one that a search is writing right now. What cannot be read is left
out and named.
"""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from keras_hplist.checks import checked_name
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.history import History, ReadReport
from keras_hplist.history.keras_tuner_project import (
    CURVES,
    StoredTrial,
    curve_files,
    objective_of,
    oracle_state,
    projects_in,
    trials,
)

DIRECTIONS = ("min", "max")
_FOUND = 6  # names that an error shows of a folder
_TUNERS = {  # by what only their oracles write
    "hyperparameter_list": "keras_hplist's oracle",
    "brackets": "Hyperband",
    "num_initial_points": "BayesianOptimization",
}


@dataclass(frozen=True)
class Project:
    """What a project folder holds.

    Attributes:
        path: the folder.
        tuner: what wrote it, as far as its files tell.
        objective: the metric that trials are ranked by.
        direction: "min" or "max".
        trials: DataFrame indexed by trial id, in order of the ids: `rank` (1 is best, <NA> without
            a result), `status` ("completed", "diverged", "failed", "running"), `objective` (float,
            NaN without a result), `entry` (rank in the list from 0, <NA> if not from one).
        values: the hyperparameters of each trial.
        followed: name and fingerprint of the list that was followed, or None; the fingerprint is
            empty where the folder does not tell it.
        curves: DataFrame with a row for each point: `trial`, `run` (a name), `step`, `loss`.
        unit: what a step counts, "training steps" or "epochs".
        measured: what the losses of the curves are.
        history: the learning curves that this package's tuner recorded, with the trial as the
            configuration; None if there are none.
        report: what was left out, and what was assumed.
    """

    path: Path
    tuner: str
    objective: str
    direction: str
    trials: pd.DataFrame
    values: dict[str, dict[str, Any]]
    followed: tuple[str, str] | None
    curves: pd.DataFrame
    unit: str
    measured: str
    history: History | None
    report: ReadReport

    @property
    def name(self) -> str:
        """The name of the project."""
        return self.path.resolve().name

    @property
    def finished(self) -> pd.DataFrame:
        """The trials that have ended, whatever came of them."""
        return self.trials[self.trials["status"] != "running"]

    @property
    def tried(self) -> int:
        """How many entries of a list were tried to an end."""
        return int(self.finished["entry"].notna().sum())

    @property
    def best(self) -> str:
        """The id of the best trial."""
        return str(self.trials["rank"].idxmin())

    @property
    def best_result(self) -> float:
        """The objective of the best trial."""
        return float(self.trials["objective"].loc[self.best])


def read_project(
    path: str | os.PathLike[str], objective: str | None = None, direction: str | None = None
) -> Project:
    """Read a project folder, or the only one in a folder.

    Args:
        path: the folder.
        objective: the metric to rank by; default: the one whose values are the trials' scores.
        direction: "min" or "max"; default: what the trials say of the metric.

    Raises:
        FileNotFoundError: if there is no such folder.
        FileFormatError: if it holds no project, or several.
        InvalidValueError: if no trial has finished with a result, or it is not known whether the
            objective is minimised.
        UnknownNameError: if no trial has the objective, or the direction is another word.
    """
    if direction is not None:
        checked_name("direction", direction, DIRECTIONS)
    folder = _project_folder(Path(path))
    report = ReadReport([str(folder)])
    found = trials(folder, report)
    for place in sorted(folder.glob("trial_*")):
        if place.is_dir() and not (place / "trial.json").exists():
            report.drop(f"{folder.name}/{place.name}", "it has no trial.json yet")
    state = oracle_state(folder, report)
    objective = _checked_objective(objective, found, folder)
    results = {trial.id: _result(trial, objective) for trial in found}
    if not any(math.isfinite(result) for result in results.values()):
        raise InvalidValueError(_nothing_finished(folder, found, report))
    direction = direction or _direction(found, objective, folder)

    history, recorded = _recorded(folder, report)
    if recorded.empty:
        curves, unit, measured = _observed(found, objective)
    else:
        curves, unit, measured = recorded, "training steps", "loss on the validation data"
        if curves["split"].iloc[0] == "train":
            measured = "training loss"
        curves = curves.drop(columns="split")
    report.read = len(found)
    return Project(
        path=folder,
        tuner=_tuner(state, found),
        objective=objective,
        direction=direction,
        trials=_table(found, results, direction),
        values={trial.id: trial.own_values for trial in found},
        followed=_followed(state, found),
        curves=curves,
        unit=unit,
        measured=measured,
        history=history,
        report=report,
    )


def _project_folder(path: Path) -> Path:
    if not path.is_dir():
        kind = "a file" if path.exists() else "not there"
        raise FileNotFoundError(
            f"{path} is {kind}; give the project folder of a KerasTuner search, "
            "<directory>/<project_name>."
        )
    projects = sorted(projects_in(path))
    if len(projects) == 1 or path in projects:
        return path if path in projects else projects[0]
    expected = "a project folder of KerasTuner (oracle.json, trial_*/trial.json)"
    if projects:
        names = ", ".join(str(project.relative_to(path)) for project in projects[:_FOUND])
        raise FileFormatError(f"{path} is not {expected}; it holds several: {names}. Give one.")
    inside = sorted(item.name + "/" * item.is_dir() for item in path.iterdir())
    more = ", …" if len(inside) > _FOUND else ""
    holds = f"it holds {', '.join(inside[:_FOUND])}{more}" if inside else "it is empty"
    raise FileFormatError(f"{path} is not {expected}; {holds}.")


def _checked_objective(given: str | None, found: Sequence[StoredTrial], folder: Path) -> str:
    known = {name for trial in found for name in trial.metrics}
    if given is not None:
        checked_name(f"metric of the project {folder}", given, known)
    return given or objective_of(found)


def _result(trial: StoredTrial, objective: str) -> float:
    """The objective of a trial that has ended; NaN if it has none."""
    if trial.state != "ok":
        return math.nan
    values = list(trial.observed(objective).values())
    if any(np.isclose(value, trial.score) for value in values):
        return trial.score
    return values[-1] if values else math.nan


def _nothing_finished(folder: Path, found: Sequence[StoredTrial], report: ReadReport) -> str:
    states = Counter(trial.status for trial in found)
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    damaged = f"; {len(report.dropped)} files cannot be read" if report.dropped else ""
    return (
        f"No trial of {folder} has finished with a result ({told or 'no trial'}{damaged}), so "
        "there is nothing to report yet. Run it again when one has; if trials failed, the end of "
        "the message in their trial.json says why."
    )


def _direction(found: Sequence[StoredTrial], objective: str, folder: Path) -> str:
    measured = [trial.metrics[objective] for trial in found if objective in trial.metrics]
    stated = {metric.direction for metric in measured if metric.direction}
    if len(stated) == 1:
        return stated.pop()
    told = "its trials say both" if stated else "its trials do not say"
    raise InvalidValueError(
        f"Whether the objective {objective!r} of {folder} is minimised or maximised is not known: "
        f"{told}. Give direction='min' or direction='max'."
    )


def _recorded(folder: Path, report: ReadReport) -> tuple[History | None, pd.DataFrame]:
    """The curves that this package's tuner wrote: as a history by trial, and point by point."""
    histories, points = [], []
    for file in curve_files(folder):
        try:
            history = History.read(file.path)
        except FileFormatError:
            report.drop(f"{folder.name}/{CURVES}/{file.path.name}", "it is damaged")
            continue
        for row in history.table.to_pylist():
            split = "valid" if row["valid"] else "train"
            known = {"configuration": file.trial, "seed": file.execution, "task": folder.name}
            histories.append(row | known | {"values": {"trial": file.trial}, "space": "trials"})
            points += [
                (file.trial, file.path.stem, split, step, loss)
                for step, loss in zip(row["steps"] or [], row[split] or [], strict=True)
            ]
    frame = pd.DataFrame(points, columns=["trial", "run", "split", "step", "loss"])
    if (frame["split"] == "valid").any():
        frame = frame[frame["split"] == "valid"]
    return (History.from_records(histories) if histories else None), frame.dropna()


def _observed(found: Sequence[StoredTrial], objective: str) -> tuple[pd.DataFrame, str, str]:
    """The values that KerasTuner kept of each trial, by step where it kept several."""
    points: dict[str, dict[int, float]] = {}
    for trial in found:
        values = trial.observed(objective)
        if trial.epochs and values:  # Hyperband: what the rungs below reached comes first
            below = points.get(str(trial.continues), {})
            values = below | {trial.epochs: values[max(values)]}
        points[trial.id] = values
    rows = [
        {"trial": trial, "run": f"trial_{trial}", "step": step, "loss": value}
        for trial, values in points.items()
        for step, value in sorted(values.items())
    ]
    frame = pd.DataFrame(rows, columns=["trial", "run", "step", "loss"])
    return frame, "epochs", objective


def _table(
    found: Sequence[StoredTrial], results: Mapping[str, float], direction: str
) -> pd.DataFrame:
    rows = [
        {
            "trial": trial.id,
            "status": _status(trial, results[trial.id]),
            "objective": results[trial.id],
            "entry": trial.entry,
        }
        for trial in found
    ]
    frame = pd.DataFrame(rows).set_index("trial").astype({"entry": "Int64"})
    finite = frame["objective"].where(np.isfinite(frame["objective"]))
    ranks = finite.rank(method="first", ascending=direction == "min").astype("Int64")
    frame.insert(0, "rank", ranks)
    return frame


def _status(trial: StoredTrial, result: float) -> str:
    if trial.state == "unfinished":
        return "running"
    if trial.state == "ok":
        return "completed" if math.isfinite(result) else "diverged"
    values = [value for metric in trial.metrics.values() for value in metric.values.values()]
    return "diverged" if np.isnan(values).any() else "failed"


def _followed(state: Mapping[str, Any], found: Sequence[StoredTrial]) -> tuple[str, str] | None:
    stated = state.get("hyperparameter_list")
    if isinstance(stated, Mapping):
        return str(stated.get("name")), str(stated.get("fingerprint", ""))
    names = [trial.list_name for trial in found if trial.list_name]
    return (names[0], "") if names else None


def _tuner(state: Mapping[str, Any], found: Sequence[StoredTrial]) -> str:
    for key, name in _TUNERS.items():
        if key in state:
            return name
    if any(trial.list_name is not None for trial in found):
        return _TUNERS["hyperparameter_list"]
    return "KerasTuner"
