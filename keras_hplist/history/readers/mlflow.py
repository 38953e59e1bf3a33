"""MLflow tracking stores: the folder `mlruns`, or its SQLite database. MLflow is not needed."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

from keras_hplist.checks import checked_names
from keras_hplist.errors import FileFormatError, UnknownNameError
from keras_hplist.files import reading_sqlite
from keras_hplist.history.places import place_of
from keras_hplist.history.readers.documents import read_mapping
from keras_hplist.history.readers.steps import curve
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.readers.values import STATES, parse_value
from keras_hplist.history.store import History

_STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
"""The numbers that stand for a run's status in meta.yaml."""


def read_mlflow(
    path: str | os.PathLike[str],
    valid: str = "val_loss",
    train: str | None = None,
    test: str | None = None,
    *,
    experiments: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> History:
    """Read the runs of an MLflow tracking store; each experiment is a task.

    A run that MLflow calls KILLED is `pruned`, FAILED `failed`; RUNNING, SCHEDULED and deleted runs
    are dropped. Where all values of a metric were logged without a step, they are numbered 1, 2, …
    in the order of their times.

    Args:
        path: the folder `mlruns`, the SQLite file, or its URL `sqlite:///…`.
        valid: name of the metric of the validation split, the objective.
        train: name of the metric of the training split.
        test: name of the metric of the test split.
        experiments: names of the experiments to read; default: all.
        **options: see `Options`.

    Returns:
        The history; `values` are the run's parameters, numbers and booleans read from their text.

    Raises:
        FileFormatError: naming the damaged file and line; or if there are no runs.
        FileNotFoundError: if there is no such path.
        InvalidValueError: if no run has the metric `valid`, or an argument is not allowed.
        MissingExtraError: if a folder is read and PyYAML is not installed.
        UnknownNameError: if there is no run in an experiment of such a name.
    """
    builder = HistoryBuilder(path, {"valid": valid, "train": train, "test": test}, options)
    wanted = None if experiments is None else checked_names("experiments", experiments)
    place = Path(os.fspath(path).removeprefix("sqlite:///"))
    if not place.exists():
        raise FileNotFoundError(f"There is no MLflow store at {place}.")
    named = options.get("task_key")  # whose value is a name, be it all digits
    found = set()
    runs = list(_folder(place, builder) if place.is_dir() else _database(place))
    numbered = {
        (run.experiment, metric)
        for run in runs
        for metric, points in run.points.items()
        if len(points) > 1 and _without_steps(points)
    }
    for run in runs:
        found.add(run.experiment)
        if wanted is not None and run.experiment not in wanted:
            continue
        if run.deleted:
            builder.drop(run.name, "deleted")
            continue
        metrics = {}
        for metric in builder.wanted & set(run.points):
            points = sorted(run.points[metric])
            if (run.experiment, metric) in numbered and _without_steps(points):
                points = [(time, n, value) for n, (time, _, value) in enumerate(points, start=1)]
                builder.report.note("values logged without steps are numbered in order of time")
            metrics[metric] = curve((step, value) for _, step, value in points)
        builder.add(
            Trial(
                name=run.name,
                place=run.place,
                task=place_of(place, run.experiment),
                values={
                    name: text if name == named else parse_value(text)
                    for name, text in run.values.items()
                },
                metrics=metrics,
                logged=run.logged,
                state=STATES[run.status.lower()],
                seconds=run.seconds,
            )
        )
    for missing in sorted(set(wanted or ()) - found):
        raise UnknownNameError("experiment", missing, found, f"Store: {place}.")
    return builder.history()


@dataclass
class _Run:
    name: str
    place: str
    experiment: str
    status: str
    deleted: bool
    start: Any  # milliseconds
    end: Any
    values: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[tuple[int, int, float]]] = field(default_factory=dict)
    """Metric name to (time, step, value)."""
    logged: Collection[str] = ()

    @property
    def seconds(self) -> float | None:
        if isinstance(self.start, int) and isinstance(self.end, int):
            return (self.end - self.start) / 1000
        return None


def _without_steps(points: Collection[tuple[int, int, float]]) -> bool:
    return not any(step for _, step, _ in points)  # MLflow logs step 0 where none is given


def _folder(root: Path, builder: HistoryBuilder) -> Iterator[_Run]:
    """The runs of a file store: experiment/run/{meta.yaml, params/*, metrics/*}."""
    metas = sorted(root.glob("*/meta.yaml")) or [root / "meta.yaml"]  # one experiment's folder
    for meta in metas:
        if not meta.is_file():
            raise FileFormatError(f"{root} is no MLflow store: it has no meta.yaml below it.")
        experiment = _text(read_mapping(meta), "name", meta)
        for about in sorted(meta.parent.glob("*/meta.yaml")):
            yield _folder_run(about, experiment, builder)


def _folder_run(about: Path, experiment: str, builder: HistoryBuilder) -> _Run:
    meta, folder = read_mapping(about), about.parent
    status = meta.get("status")
    status = _STATUSES.get(status, status)  # type: ignore[arg-type]
    if not isinstance(status, str) or status.lower() not in STATES:
        raise FileFormatError(f"{about}: status is {status!r}; MLflow knows 1 to 5.")
    metrics = _files(folder / "metrics")
    return _Run(
        name=str(meta.get("run_name") or folder.name),
        place=os.fspath(folder),
        experiment=experiment,
        status=status,
        deleted=meta.get("lifecycle_stage") == "deleted",
        start=meta.get("start_time"),
        end=meta.get("end_time"),
        values={name: _read(file) for name, file in _files(folder / "params").items()},
        points={
            name: _points(file, builder) for name, file in metrics.items() if name in builder.wanted
        },
        logged=list(metrics),
    )


def _files(folder: Path) -> dict[str, Path]:
    """Names to files; a name with slashes lies in folders."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file for file in files}


def _points(file: Path, builder: HistoryBuilder) -> list[tuple[int, int, float]]:
    *lines, rest = _read(file).split("\n")
    if rest:
        builder.report.note(f"{file}: the last line is incomplete and was left out")
    points = []
    for number, line in enumerate(lines, start=1):
        try:
            time, value, *step = line.split()[:3]
            points.append((int(time), int(step[0]) if step else 0, float(value)))
        except ValueError:
            raise FileFormatError(
                f"{file}, line {number}: {line!r} is not 'time value step'."
            ) from None
    return points


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{file} is not text: {error}") from error


def _text(meta: Any, key: str, file: Path) -> str:
    if not isinstance(meta.get(key), str | int):
        raise FileFormatError(f"{file} has no {key!r}.")
    return str(meta[key])


def _database(file: Path) -> Iterator[_Run]:
    """The runs of a database store, read with one query per table."""
    with reading_sqlite(file, "database of MLflow") as db:
        experiments = dict(db.execute("SELECT experiment_id, name FROM experiments"))
        runs = db.execute(
            "SELECT run_uuid, name, experiment_id, status, lifecycle_stage, start_time, "
            "end_time FROM runs ORDER BY start_time, run_uuid"
        ).fetchall()
        values: dict[str, dict[str, str]] = defaultdict(dict)
        for run, key, value in db.execute("SELECT run_uuid, key, value FROM params"):
            values[run][key] = value
        points: dict[str, dict[str, list[tuple[int, int, float]]]] = defaultdict(dict)
        for run, key, time, step, value, is_nan in db.execute(
            "SELECT run_uuid, key, timestamp, step, value, is_nan FROM metrics"
        ):
            number = float("nan") if is_nan else float(value)
            points[run].setdefault(key, []).append((int(time), int(step), number))
    for uid, name, experiment, status, stage, start, end in runs:
        if str(status).lower() not in STATES or experiment not in experiments:
            raise FileFormatError(
                f"{file}, run {uid}: status {status!r} or experiment {experiment!r} is unknown."
            )
        yield _Run(
            name=name or uid,
            place=f"{file}#{uid}",
            experiment=experiments[experiment],
            status=status,
            deleted=stage == "deleted",
            start=start,
            end=end,
            values=values[uid],
            points=points[uid],
            logged=list(points[uid]),
        )
