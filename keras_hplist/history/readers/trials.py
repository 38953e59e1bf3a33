"""Runs as another tool recorded them, and how they become the rows of a history.

Each reader hands its runs to a `HistoryBuilder`, so that all sources are read by the same rules:

- Losses are minimised in a history: the values of a metric that is maximised are negated.
- Step 0 of a history is before training: where a tool numbers finished epochs from 0, one is added.
- A run has diverged if the last value of its objective is not finite, whatever its tool calls it.
- A run that was stopped from outside is `pruned`: its later losses are unknown, not bad.
- What has not ended is left out.
"""

import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import numpy as np

from keras_hplist.checks import checked_count, checked_name, checked_names, checked_text
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.history.places import Place, told_apart
from keras_hplist.history.readers.steps import (
    Curve,
    check_one_unit,
    check_same_unit,
    in_order,
    shown,
    values_at,
)
from keras_hplist.history.readers.values import direction_of, plain_values
from keras_hplist.history.report import ReadReport
from keras_hplist.history.schema import LAST_STEP, STEP_LIMIT
from keras_hplist.history.store import History


class Options(TypedDict, total=False):
    """How the runs of a tuner become rows: keywords of all readers but those of benchmark data."""

    task: str
    """Name of the task of all runs. Default: what the source calls the group of runs."""
    task_key: str
    """Hyperparameter whose value names the task, for example "dataset"; it is then no
    hyperparameter any more."""
    seed_key: str
    """Hyperparameter that holds the seed; it is then no hyperparameter any more. Default: repeated
    runs of a configuration are numbered 0, 1, 2, …"""
    hyperparameters: Sequence[str]
    """The hyperparameters to keep. Default: all that were recorded."""
    direction: Literal["min", "max"]
    """Whether the metric is minimised or maximised. Default: what the source says, or else told
    from the metric's name."""
    steps_per_epoch: float
    """Optimizer updates in one unit of the source's steps. Default: 1, steps stay as logged."""
    first_epoch: Literal[0, 1]
    """How the source numbers the end of the first epoch. Default: of each task for itself, 0 if the
    steps of all its runs are 0, 1, 2, …; else steps stay as logged."""
    training_steps: int
    """The updates every run was planned for. Default: the last step of the task's longest run."""
    space: str
    """Name of the search space. Default: "custom"."""


@dataclass
class Trial:
    """One run, as its tool recorded it.

    Attributes:
        name: what the tool calls the run.
        place: the file or folder it was read from.
        task: the name of its task, or the place after which that is called.
        values: hyperparameters, possibly nested.
        metrics: metric name to its curve, as logged.
        logged: the names of all metrics of the run, also of those that are not read.
        state: "ok", "diverged", "pruned", "failed" or "unfinished".
        seconds: wall time, if known.
        columns: further columns of the history, such as `seed` and `batch_size`.
    """

    name: str
    place: str
    task: str | Place
    values: Mapping[str, Any]
    metrics: Mapping[str, Curve]
    logged: Collection[str] = ()
    state: str = "ok"
    seconds: float | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Where it stands and what it is called, for messages."""
        return f"{self.place}, run {self.name!r}"


class HistoryBuilder:
    """Gathers the runs of one source and turns them into a history.

    Args:
        source: the path or URL that is read.
        metrics: split to the name of its metric, or None. The first that is named, in the order
            valid, train, test, is the objective: a run's points are those at which it was logged.
        options: what the user asked for.
        choose: the reader's argument that names the metric, for messages; None: it has none.

    Attributes:
        source: as given.
        report: what was read and dropped so far.
        wanted: the names of the metrics to read.

    Raises:
        InvalidValueError, UnknownNameError: if an option is not allowed.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        metrics: Mapping[str, str | None],
        options: Options,
        choose: str | None = "{split}",
    ) -> None:
        """Check the options, before any file is opened."""
        self.source = os.fspath(source)
        self.report = ReadReport([self.source])
        named = {split: metrics.get(split) for split in ("valid", "train", "test")}
        self._metrics = {
            split: checked_text(f"The metric of the split {split!r}", metric, or_else="None")
            for split, metric in named.items()
            if metric is not None
        }
        if not self._metrics:
            raise InvalidValueError("Name the metric of at least one split: valid, train or test.")
        self._split, self._objective = next(iter(self._metrics.items()))
        self.wanted = frozenset(self._metrics.values())
        self._options = _checked(options)
        self._choose = f" Choose with {choose.format(split=self._split)}='…'." if choose else ""
        self._trials: list[Trial] = []
        self._logged: set[str] = set()
        self._places: dict[Place, Place] = {}

    def add(self, trial: Trial) -> None:
        """Take a run, unless it has not ended."""
        self._logged.update(trial.logged or trial.metrics)
        if trial.state == "unfinished":
            self.drop(trial.name, "not ended: running, waiting or killed")
        else:
            self._trials.append(trial)

    def drop(self, name: str, why: str) -> None:
        """Note a run that is left out."""
        self.report.drop(name, why)

    def history(self, direction: Literal["min", "max"] | None = None) -> History:
        """The history of the runs that were added.

        Args:
            direction: that of the objective as the source states it, if it does.

        Raises:
            FileFormatError: if the source holds no runs, or steps in several units.
            InvalidValueError: if the runs logged other metrics alone, or an option does not fit
                them.
        """
        if not self._trials and not self.report.dropped:
            raise FileFormatError(f"{self.source} holds no runs.")
        self._name_places()
        runs = [run for trial in self._trials if (run := self._run(trial))]
        measured = [run for run in runs if len(run.steps)]
        logged = ", ".join(sorted(self._logged))
        if self._trials and not measured and logged and self._objective not in self._logged:
            raise InvalidValueError(
                f"No run of {self.source} has values of the metric {self._objective!r}; logged: "
                f"{logged}.{self._choose}"
            )
        self._count_updates(measured)
        if measured:
            direction = self._options.get("direction") or direction
            self._minimize(measured, direction or direction_of(self._objective))
        self._unify_types(runs)
        records = self._records(runs)
        self.report.read = len(records)
        try:
            return History.from_records(records, report=self.report)
        except InvalidValueError as error:
            raise FileFormatError(f"{self.source}: {error}") from error

    def _name_places(self) -> None:
        """Name the places after which tasks are called."""
        if "task" in self._options or "task_key" in self._options:
            return
        self._places = told_apart(
            trial.task
            for trial in self._trials
            if isinstance(trial.task, tuple) and "task" not in trial.columns
        )
        self.report.add_places(self._places)

    def _run(self, trial: Trial) -> "_Run | None":
        """A trial with its values and curves in order; None if it was dropped."""
        described = self._described(trial)
        if described is None:
            return None
        curves = {
            split: in_order(*trial.metrics[metric])
            for split, metric in self._metrics.items()
            if metric in trial.metrics and len(trial.metrics[metric][0])
        }
        if self._split not in curves:
            if trial.state != "failed":
                self.drop(trial.name, f"no values of {self._objective!r}")
                return None
            curves = {}
        check_one_unit(str(trial), {self._metrics[split]: curves[split] for split in curves})
        steps = curves[self._split][0] if curves else np.empty(0)
        losses = {split: values_at(steps, *curve) for split, curve in curves.items()}
        return _Run(trial, *described, steps, losses)

    def _described(self, trial: Trial) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The hyperparameters and the columns of a trial; None if it was dropped."""
        values, columns = plain_values(trial.values), dict(trial.columns)
        for column, option in (("task", "task_key"), ("seed", "seed_key")):
            key = self._options.get(option)
            if key is not None and key not in values:
                self.drop(trial.name, f"no hyperparameter {key!r}, which is to tell its {column}")
                return None
            if key is not None:
                columns[column] = values.pop(key)
        if "training_steps" in self._options:
            columns["training_steps"] = self._options["training_steps"]
        for column in ("seed", "training_steps", "batch_size", "num_parameters"):
            number = columns.get(column, 0)
            if isinstance(number, bool) or not isinstance(number, int | None):
                raise FileFormatError(f"{trial}: {column} is {number!r}, not a whole number.")
        task = trial.task
        if not isinstance(task, str):
            task = self._places.get(task, task)[-1]
        columns["task"] = str(columns.get("task", self._options.get("task", task)))
        keep = self._options.get("hyperparameters", values)
        values = {name: values[name] for name in keep if name in values}
        infinite = [n for n, v in values.items() if isinstance(v, float) and not math.isfinite(v)]
        if infinite or not values:
            why = f"hyperparameter {infinite[0]!r} is not finite" if infinite else "no values"
            self.drop(trial.name, why)
            return None
        return values, columns

    def _unify_types(self, runs: "list[_Run]") -> None:
        """Write the values of a hyperparameter as texts if they are None or of several types."""
        kinds: dict[str, set[type]] = defaultdict(set)
        for run in runs:
            for name, value in run.values.items():
                kinds[name].add(float if type(value) is int else type(value))
        for name, found in kinds.items():
            if len(found) > 1 or type(None) in found:
                for run in runs:
                    if name in run.values:
                        run.values[name] = str(run.values[name])
                self.report.note(f"the values of {name!r} are of several types: written as texts")

    def _count_updates(self, runs: "list[_Run]") -> None:
        """Turn the source's steps into optimizer updates, in place."""
        first = self._first_epochs(runs)
        scale = self._options.get("steps_per_epoch", 1)
        for run in runs:
            updates = np.round((run.steps + 1 - first[run.columns["task"]]) * scale, 6)
            if updates[-1] > LAST_STEP:
                raise FileFormatError(
                    f"{run.trial}: the steps of {self._objective!r} are {shown(run.steps)}; "
                    + STEP_LIMIT
                )
            if (updates != np.round(updates)).any() or updates[0] < 0:
                raise FileFormatError(
                    f"{run.trial}: the steps of {self._objective!r} are {shown(run.steps)}; they "
                    "must be whole numbers from 0. If they are fractions of epochs, give "
                    "steps_per_epoch."
                )
            run.steps = updates.astype(np.int64)
        _check_same_unit(runs)
        if from_0 := sorted(task for task in first if first[task] == 0):
            where = f" in {', '.join(from_0)}" if len(from_0) < len(first) else ""
            self.report.note(f"steps count finished epochs from 0: one was added to each{where}")
        if runs and scale != 1:
            self.report.note(f"steps were multiplied by {scale:g}, the updates in an epoch")

    def _first_epochs(self, runs: "list[_Run]") -> dict[str, int]:
        """What each task calls its first step, 0 or 1: 0 if all its runs count 0, 1, 2, ..."""
        by_task: dict[str, list[np.ndarray]] = defaultdict(list)
        for run in runs:
            by_task[run.columns["task"]].append(run.steps)
        given = self._options.get("first_epoch")
        if given is not None:
            return dict.fromkeys(by_task, given)
        first = {}
        for task, steps in by_task.items():
            curves = [s for s in steps if len(s) > 1] or steps
            epochs = [np.array_equal(s, np.arange(len(s))) for s in curves]
            first[task] = 0 if all(epochs) else 1
            if any(epochs) and not all(epochs):
                self.report.note(
                    f"only some runs of {task} count 0, 1, 2, …: their step 0 was taken as before "
                    "training; if it is the first epoch, read them with first_epoch=0"
                )
        return first

    def _minimize(self, runs: "list[_Run]", direction: str) -> None:
        if direction == "max":
            for run in runs:
                run.losses = {split: -losses for split, losses in run.losses.items()}
            self.report.note(f"{self._objective!r} is maximised: the history holds its negative")

    def _records(self, runs: "list[_Run]") -> list[dict[str, Any]]:
        planned = self._planned(runs)
        repeats: Counter[tuple[str, str]] = Counter()
        records = []
        for run in runs:
            key = run.columns["task"], json.dumps(run.values, sort_keys=True)
            with np.errstate(over="ignore"):  # what float32 cannot hold has diverged
                losses = {name: loss.astype(np.float32) for name, loss in run.losses.items()}
            diverged = bool(losses) and not np.isfinite(losses[self._split][-1])
            record = {
                "space": self._options.get("space"),
                "values": run.values,
                "steps": run.steps,
                "training_steps": planned[run.columns["task"]],
                "status": "diverged" if diverged else run.trial.state,
                "seconds": _known_seconds(run.trial.seconds),
                "source": f"{run.trial.place}: {run.trial.name}",
                "seed": repeats[key],
                **losses,
                **run.columns,
            }
            repeats[key] += 1
            records.append(record)
        if any("seed" not in run.columns for run in runs) and max(repeats.values(), default=0) > 1:
            self.report.note("repeated runs of a configuration are numbered as its seeds")
        return records

    def _planned(self, runs: "list[_Run]") -> dict[str, int]:
        """The training steps of each task where they are not given: those of its longest run."""
        planned: dict[str, int] = defaultdict(lambda: 1)
        for run in runs:
            last = int(run.steps[-1]) if len(run.steps) else 0
            given = run.columns.get("training_steps")
            if given is not None and last > given:
                raise FileFormatError(
                    f"{run.trial}: its last step, {last}, is beyond its training steps, {given}: "
                    "more than one unit of steps? training_steps counts optimizer updates; if the "
                    "source counts epochs, give steps_per_epoch too."
                )
            planned[run.columns["task"]] = max(planned[run.columns["task"]], last)
        return planned


@dataclass
class _Run:
    """A trial whose points are those of its objective, the step in the source's unit at first."""

    trial: Trial
    values: dict[str, Any]
    columns: dict[str, Any]
    steps: np.ndarray
    losses: dict[str, np.ndarray]


def _known_seconds(seconds: float | None) -> float | None:
    """None for what no training takes, as where a clock was set back."""
    return seconds if seconds is not None and 0 <= seconds < math.inf else None


def _check_same_unit(runs: Sequence[_Run]) -> None:
    """Refuse a task some of whose whole runs seem to count another unit than the others."""
    by_task: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for run in runs:
        guessed = "training_steps" not in run.columns
        if guessed and len(run.steps) > 1 and run.trial.state == "ok":
            by_task[run.columns["task"]][str(run.trial)] = run.steps
    for task, steps in by_task.items():
        check_same_unit(task, steps)


def _checked(options: Options) -> Options:
    for name in options:
        checked_name("option", name, Options.__annotations__)
    given: dict[str, Any] = {name: v for name, v in options.items() if v is not None}
    checked_name("direction", given.get("direction", "min"), ("min", "max"))
    checked_count("first_epoch", given.get("first_epoch", 0), 0, 1)
    scale = given.get("steps_per_epoch", 1)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not scale > 0:
        raise InvalidValueError(f"steps_per_epoch is {scale!r}; it must be a number above 0.")
    if "training_steps" in given:
        given["training_steps"] = checked_count("training_steps", given["training_steps"], 1)
    if "hyperparameters" in given:
        given["hyperparameters"] = checked_names("hyperparameters", given["hyperparameters"])
    for name in {"task_key", "seed_key", "space"} & set(given):
        checked_text(name, given[name])
    return Options(**given)  # type: ignore[typeddict-item]
