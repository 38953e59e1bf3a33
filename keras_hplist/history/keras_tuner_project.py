"""What a project folder of KerasTuner holds: its trials, and the curves that our tuner adds.

The layout is KerasTuner's: `oracle.json` and, for each trial, `trial_<id>/trial.json`. This
package's tuner writes a history of each execution to `curves/trial_<id>_execution<n>.parquet`.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from keras_hplist.errors import FileFormatError
from keras_hplist.history.readers.documents import read_mapping
from keras_hplist.history.report import ReadReport
from keras_hplist.spaces.bookkeeping import INDEX, NAME, own_values

CURVES = "curves"
"""Name of the folder, in the project's, that holds the learning curves as a history."""

_STATES: dict[str, Literal["ok", "failed"]] = {
    "COMPLETED": "ok",
    "INVALID": "failed",
    "FAILED": "failed",
}
_CURVE_FILE = re.compile(r"trial_(.+)_execution(\d+)\.parquet")
# What Python raises on JSON that is not laid out as expected.
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


class CurveFile(NamedTuple):
    """A file of `curves`, the id of its trial, and the number of the execution, from 0."""

    path: Path
    trial: str
    execution: int


class StoredMetric(NamedTuple):
    """What KerasTuner keeps of a metric of a trial.

    Attributes:
        direction: None where the file does not tell.
        values: by step, the mean over the executions; NaN where one is NaN or null, as strict
            JSON has it.
    """

    direction: Literal["min", "max"] | None
    values: dict[int, float]


@dataclass(frozen=True)
class StoredTrial:
    """A trial as its `trial.json` tells it.

    Attributes:
        id: of the trial.
        values: of hyperparameters, bookkeeping included.
        space: KerasTuner's definitions of the hyperparameters.
        metrics: by name.
        score: NaN where there is none.
        status: in KerasTuner's words: "COMPLETED", "FAILED", "INVALID", "RUNNING", ….
    """

    id: str
    values: dict[str, Any]
    space: list[Mapping[str, Any]]
    metrics: dict[str, StoredMetric]
    score: float
    status: str

    @property
    def state(self) -> Literal["ok", "failed", "unfinished"]:
        """Whether it has ended, and how; a result that is not finite is "ok"."""
        return _STATES.get(self.status, "unfinished")

    @property
    def own_values(self) -> dict[str, Any]:
        """The values of hyperparameters alone."""
        return own_values(self.values)

    @property
    def entry(self) -> int | None:
        """The rank of its list entry, from 0; None if it has none."""
        entry = self.values.get(INDEX)
        return entry if isinstance(entry, int) and entry >= 0 else None

    @property
    def list_name(self) -> str | None:
        """The name of the list that was followed; None if none was."""
        return self.values.get(NAME)

    @property
    def epochs(self) -> int:
        """In a project of Hyperband, the epoch at which the trial ends; 0 in others."""
        return int(self.values.get("tuner/epochs", 0))

    @property
    def continues(self) -> str | None:
        """In a project of Hyperband, the id of the trial that it goes on from, if of one."""
        return self.values.get("tuner/trial_id")

    def observed(self, metric: str) -> dict[int, float]:
        """The values of a metric by step; none where it was not measured."""
        return self.metrics[metric].values if metric in self.metrics else {}


def is_project(folder: Path) -> bool:
    """Whether a folder is that of one KerasTuner search."""
    return (folder / "oracle.json").is_file() or any(folder.glob("trial_*/trial.json"))


def projects_in(root: Path) -> set[Path]:
    """The project folders in a folder, itself included, at any depth."""
    found = {file.parent for file in root.rglob("oracle.json")}
    return found | {file.parent.parent for file in root.rglob("trial_*/trial.json")}


def curve_file(trial: str, execution: int) -> str:
    """The name of the file, in `curves`, with the learning curve of an execution of a trial."""
    return f"trial_{trial}_execution{execution}.parquet"


def curve_files(project: Path) -> Iterator[CurveFile]:
    """The learning curves of a project, in order of their names."""
    for file in sorted((project / CURVES).glob("*.parquet")):
        if match := _CURVE_FILE.fullmatch(file.name):
            yield CurveFile(file, match[1], int(match[2]))


def trials(project: Path, report: ReadReport, name: str | None = None) -> list[StoredTrial]:
    """The trials of a project as far as their files are whole.

    Args:
        project: the folder.
        report: is told which files are damaged.
        name: what to call the project there; default: as its folder.

    Returns:
        In order of their folders' names.
    """
    found = []
    for file in sorted(project.glob("trial_*/trial.json")):
        try:
            found.append(_trial(read_mapping(file)))
        except (FileFormatError, *_MALFORMED):
            report.drop(f"{name or project.name}/{file.parent.name}", "trial.json is damaged")
    return found


def oracle_state(project: Path, report: ReadReport) -> Mapping[str, Any]:
    """What `oracle.json` holds, which depends on the oracle; nothing if it cannot be read.

    Args:
        project: the folder.
        report: is told if the file is missing or damaged.
    """
    try:
        return read_mapping(project / "oracle.json")
    except FileNotFoundError:
        report.note("there is no oracle.json")
    except FileFormatError:
        report.drop(f"{project.name}/oracle.json", "it is damaged, or was being written")
    return {}


def objective_of(trials: Iterable[StoredTrial]) -> str:
    """The metric whose values are the trials' scores.

    Of several, `val_loss`, or else the first of a validation split.
    """
    candidates: list[str] | None = None
    names: list[str] = []
    for trial in trials:
        names += trial.metrics
        if not math.isnan(trial.score):
            equal = [
                name
                for name, metric in trial.metrics.items()
                if any(np.isclose(value, trial.score) for value in metric.values.values())
            ]
            candidates = equal if candidates is None else [n for n in candidates if n in equal]
    if candidates is None:
        candidates = names
    if not candidates or "val_loss" in candidates:
        return "val_loss"
    return next((name for name in candidates if name.startswith("val_")), candidates[0])


def _trial(document: Mapping[str, Any]) -> StoredTrial:
    hyperparameters, score = document["hyperparameters"], document.get("score")
    metrics = (document.get("metrics") or {}).get("metrics", {})
    return StoredTrial(
        id=document["trial_id"],
        values=dict(hyperparameters["values"]),
        space=list(hyperparameters["space"]),
        metrics={name: _metric(metric) for name, metric in metrics.items()},
        score=math.nan if score is None else float(score),
        status=document["status"],
    )


def _metric(metric: Mapping[str, Any]) -> StoredMetric:
    observations = [o for o in metric["observations"] if o["value"]]
    direction = metric.get("direction")
    return StoredMetric(
        direction if direction in ("min", "max") else None,
        {
            int(observation["step"]): float(
                np.mean([np.nan if value is None else value for value in observation["value"]])
            )
            for observation in observations
        },
    )
