"""Optuna storages: SQLite files, journal files, and whatever URL Optuna itself opens."""

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from keras_hplist.checks import checked_count, checked_names
from keras_hplist.errors import (
    FileFormatError,
    HPListError,
    InvalidValueError,
    MissingExtraError,
    UnknownNameError,
)
from keras_hplist.files import SQLITE_MAGIC, connect_sqlite, parse_json
from keras_hplist.history.places import place_of
from keras_hplist.history.readers.optuna_space import parameters_of, space_of
from keras_hplist.history.readers.steps import curve
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.readers.values import STATES
from keras_hplist.history.store import History

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

_VALUE = "the objective's value"
_LARGEST = float(np.finfo(np.float32).max)  # losses are float32


def read_optuna(
    storage: "str | os.PathLike[str] | BaseStorage",
    studies: Sequence[str] | None = None,
    *,
    objective: int | None = None,
    **options: Unpack[Options],
) -> History:
    """Read studies of Optuna; each study is a task.

    A trial's curve are the intermediate values it reported, or, where it reported none, its value
    alone. A trial is `diverged` if its value or the last one that it reported is not finite.
    Optuna's state FAIL covers exceptions and NaN, and then keeps no value: it is `failed` unless
    the reported values tell. PRUNED is `pruned`; RUNNING and WAITING are dropped.

    Args:
        storage: path of an SQLite file or a journal file, a database URL, or an open storage of
            Optuna. Files are opened for reading only.
        studies: names of the studies to read; default: all.
        objective: the number of the objective to read, from 0, of studies that have several.
        **options: see `Options`. The direction is the study's.

    Returns:
        The history; `values` are the parameters that Optuna suggested to the trial. Its search
        space is defined by their distributions, unless some trials lack a parameter.

    Raises:
        FileFormatError: if the file is damaged or no storage of Optuna.
        FileNotFoundError: if there is no such file.
        InvalidValueError: if a study has several objectives and `objective` does not choose one, or
            an argument is not allowed.
        MissingExtraError: if Optuna is not installed.
        UnknownNameError: if there is no study of such a name.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("optuna", "optuna", "Reading Optuna's storages") from error

    name = _shown(storage)
    builder = HistoryBuilder(name, {"valid": _VALUE}, options)
    wanted = None if studies is None else checked_names("studies", studies)
    with _complaints_about(name):
        opened = _open(storage, builder)
        known = optuna.get_all_study_names(opened)
        for missing in sorted(set(wanted or ()) - set(known)):
            raise UnknownNameError("study", missing, known, f"Storage: {name}.")
        chosen = [optuna.load_study(study_name=s, storage=opened) for s in wanted or known]
        trials = [study.get_trials(deepcopy=False) for study in chosen]
    directions = set()
    for study, found in zip(chosen, trials, strict=True):
        index = _objective(study, objective)
        directions.add(study.directions[index].name)
        last = max((max(t.intermediate_values, default=0) for t in found), default=0)
        for trial in found:
            builder.add(_trial(trial, name, study.study_name, index, last))
    if len(directions) > 1:
        raise InvalidValueError(
            f"{name} holds studies that are minimised and studies that are maximised; "
            "read them apart: studies=[…]."
        )
    history = builder.history("max" if "MAXIMIZE" in directions else "min")
    kept = {name for values in history.values().values() for name in values}
    space = space_of(options.get("space") or "custom", trials, kept)
    return history.with_spaces([space] if space else [])


def _trial(trial: "FrozenTrial", place: str, study: str, objective: int, last: int) -> Trial:
    points = sorted(trial.intermediate_values.items())
    state = STATES[trial.state.name.lower()]
    value = None if trial.values is None else trial.values[objective]
    if value is not None and not points:
        points = [(last, value)]
    elif value is not None and not abs(value) <= _LARGEST:  # though what it reported is finite
        state = "diverged"
        points.append((min(points[-1][0] + 1, last), value))
    return Trial(
        name=f"{study}/{trial.number}",
        place=place,
        task=place_of(place.removeprefix("sqlite:///"), study),
        values=parameters_of(trial),
        metrics={_VALUE: curve(points)} if points else {},
        state=state,
        seconds=trial.duration.total_seconds() if trial.duration else None,
    )


def _objective(study: "Study", objective: int | None) -> int:
    last = len(study.directions) - 1
    if objective is not None:
        return checked_count(f"The objective of the study {study.study_name!r}", objective, 0, last)
    if last:
        raise InvalidValueError(
            f"The study {study.study_name!r} has {last + 1} objectives; choose one: objective=0 to "
            f"{last}."
        )
    return 0


def _is_database(text: str) -> bool:
    return "://" in text and not text.startswith("sqlite:///")


def _shown(storage: "str | os.PathLike[str] | BaseStorage") -> str:
    """What messages and the history call the storage: without the password of a database."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not isinstance(storage, str | os.PathLike):
        return repr(storage)
    text = os.fspath(storage)
    if not _is_database(text):
        return text
    try:
        return make_url(text).render_as_string()  # "***" for the password
    except (ArgumentError, ValueError):  # no such URL, or no such port
        return f"{text.partition('://')[0]}://…"


def _open(storage: "str | os.PathLike[str] | BaseStorage", builder: HistoryBuilder) -> Any:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if not isinstance(storage, str | os.PathLike):
        return storage
    text = os.fspath(storage)
    if _is_database(text):
        return RDBStorage(text, skip_table_creation=True)
    file = Path(text.removeprefix("sqlite:///"))
    if file.is_dir():
        raise FileFormatError(
            f"{file} is a folder; give the SQLite file or the journal file of Optuna's storage."
        )
    if not file.is_file():
        raise FileNotFoundError(f"There is no storage of Optuna at {file}.")
    with file.open("rb") as start:
        head = start.read(len(SQLITE_MAGIC))
    if head == SQLITE_MAGIC:
        connect = functools.partial(connect_sqlite, file)
        return RDBStorage("sqlite://", {"creator": connect}, skip_table_creation=True)
    if head.lstrip()[:1] == b"{":
        if not _check_journal(file):
            builder.report.note("the last line of the journal is incomplete and was left out")
        return JournalStorage(JournalFileBackend(os.fspath(file)))
    raise FileFormatError(f"{file} is neither an SQLite file nor a journal file of Optuna.")


def _check_journal(file: Path) -> bool:
    """Name the damaged line, where Optuna would only say that there is one.

    Returns:
        False if the last line is incomplete, as a killed process leaves it; Optuna skips it.
    """
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                return False
            record = parse_json(line, f"{file}, line {number}", strict=False)
            if not isinstance(record, dict) or "op_code" not in record:
                raise FileFormatError(f"{file}, line {number} is not a record of Optuna's journal.")
    return True


@contextmanager
def _complaints_about(storage: str) -> Iterator[None]:
    """Turn whatever Optuna raises on a damaged storage into an error with the place."""
    try:
        yield
    except (HPListError, FileNotFoundError):
        raise
    except Exception as error:
        text = str(error).split("\n")[0] or type(error).__name__
        raise FileFormatError(f"{storage} is no storage that Optuna can read: {text}") from error
