"""Any CSV or Parquet file, by a mapping of its columns to those of a history."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import pyarrow as pa

from keras_hplist.checks import checked_name, checked_text
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.history.places import place_of
from keras_hplist.history.readers.steps import Curve
from keras_hplist.history.readers.tables import (
    DECIMALS,
    bare,
    column,
    hyperparameter,
    note_numbers_among_texts,
    numbers,
    read_table,
)
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.readers.values import state_in
from keras_hplist.history.report import ReadReport
from keras_hplist.history.schema import SPLITS
from keras_hplist.history.store import History

_WHOLE = ("seed", "training_steps", "batch_size", "num_parameters")
_MAPPED = ("task", "run", "steps", *SPLITS, "status", "family", "seconds", *_WHOLE)
_NAMES = ("task", "run", "status", "family")
_UNNAMED = re.compile(r"|Unnamed: [\d.]+|__index_level_\d+__")
"""What a column is called that has no name, as the index of a table that pandas wrote."""
_EPOCHS = ("epoch", "epochs")
_STEPS = {"step", "steps", *_EPOCHS, "iteration", "iterations", "iter", "global_step"}


def read_csv(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    columns: Mapping[str, str],
    *,
    empty: Literal["missing", "nan"] = "missing",
    delimiter: str = ",",
    decimal: Literal[".", ","] = ".",
    **options: Unpack[Options],
) -> History:
    """Read tables whose columns are named by the caller.

    A table has a row for every point of every curve, if `columns` maps `steps`; else a row for
    every run, with its final loss. Rows belong to one run if they agree in the column mapped to
    `run`, or where none is, in task, seed and hyperparameters. A loss that is the text NaN is that
    of a run that diverged; an empty cell is no measurement, unless `empty` says otherwise.

    Args:
        path: a CSV file (plain, or compressed as `.gz`, `.bz2`, `.zst`), a Parquet file
            (`.parquet`), or several of them.
        columns: history column to the table's column: at least one of `valid`, `train`, `test`;
            also `task`, `run`, `steps`, `status`, `family`, `seed`, `training_steps`, `batch_size`,
            `num_parameters`, `seconds`.
        empty: what an empty cell in the place of a loss means: "missing", no measurement, or "nan",
            a diverged run. pandas writes NaN as an empty cell, both to CSV and to Parquet.
        delimiter: what separates the cells of a CSV file.
        decimal: the decimal sign of its numbers. It is the comma where a spreadsheet of many
            European languages wrote them, as a rule with `delimiter=";"`.
        **options: see `Options`. `hyperparameters` names the columns that hold them; by default,
            where every row is a run, they are all that are not mapped and have a name, which the
            index of a table of pandas has not. An empty cell: the run has no such hyperparameter.
            Whether the steps are finished epochs from 0 is asked only of a column called `epoch` or
            `epochs`, in whatever case; the steps of others stay as given unless `first_epoch` is.

    Returns:
        The history. Without a `task` column the task is the file's name without the suffixes of
        its format.

    Raises:
        FileFormatError: naming file, row and column; if a step of a run stands twice, or what
            should be one value of a run are several.
        FileNotFoundError: if there is no such file.
        InvalidValueError: if `columns` and `hyperparameters` leave open what to read, or an
            argument is not allowed.
        UnknownNameError: if a file has no such column, or `empty` or `decimal` is another text.
    """
    checked_name("decimal sign", decimal, DECIMALS)
    checked_name("meaning of empty cells", empty, ("missing", "nan"))
    if not isinstance(columns, Mapping):
        raise InvalidValueError(
            f"columns is {columns!r}; give a mapping of history columns to the table's, such as "
            "{'valid': 'loss'}."
        )
    for name, mapped in columns.items():
        checked_name("history column", name, _MAPPED)
        checked_text(f"The column that {name!r} is mapped to", mapped)
    files = [Path(path)] if isinstance(path, str | os.PathLike) else [Path(p) for p in path]
    metrics = {split: columns.get(split) for split in SPLITS}
    if columns.get("steps", "").lower() not in _EPOCHS:
        options.setdefault("first_epoch", 1)
    builder = HistoryBuilder(", ".join(map(os.fspath, files)), metrics, options)
    text = [columns[key] for key in _NAMES if key in columns] + [options.get("task_key") or ""]
    for file in files:
        table = read_table(file, delimiter, names=text, decimal=decimal)
        names = options.get("hyperparameters")
        if names is None:
            names = _hyperparameters(table, columns, file, builder.report)
        losses = {n: numbers(table, n, file, decimal=decimal) for n in metrics.values() if n}
        if empty == "nan":
            losses = {name: (loss, np.ones(len(loss), bool)) for name, (loss, _) in losses.items()}
        cells = {n: hyperparameter(table, n, file, delimiter, decimal) for n in names}
        for name in cells:
            if name not in text:
                note_numbers_among_texts(builder.report, cells[name], name, file, decimal)
        for trial in _trials(table, columns, cells, file, losses, builder, decimal):
            builder.add(trial)
    return builder.history()


def _hyperparameters(
    table: pa.Table, columns: Mapping[str, str], file: Path, report: ReadReport
) -> list[str]:
    """The columns that are left: all that have a name and are not mapped."""
    unmapped = [name for name in table.column_names if name not in columns.values()]
    left = [name for name in unmapped if not _UNNAMED.fullmatch(name)]
    if len(left) < len(unmapped):
        report.note(f"{file}: a column without a name, as of an index of pandas, was left out")
    if "steps" in columns:
        raise InvalidValueError(
            f"{file} has a row for every step: say which of its other columns are "
            f"hyperparameters: hyperparameters=[…]. Columns: {', '.join(left)}."
        )
    steps = [name for name in left if name.lower().lstrip("_") in _STEPS]
    if steps:
        raise InvalidValueError(
            f"{file} has columns that look like steps: {', '.join(steps)}. Map the one that "
            f"counts them, columns={{'steps': {steps[0]!r}, …}}, or, if each row is a run, name "
            "the hyperparameters: hyperparameters=[…]."
        )
    return left


def _trials(
    table: pa.Table,
    columns: Mapping[str, str],
    cells: Mapping[str, list],
    file: Path,
    losses: Mapping[str, tuple[np.ndarray, np.ndarray]],
    builder: HistoryBuilder,
    decimal: str,
) -> Iterator[Trial]:
    context = {
        key: _whole_numbers(table, columns[key], file, decimal)
        if key in _WHOLE
        else column(table, columns[key], file).to_pylist()
        for key in ("task", "run", "status", "family", "seconds", *_WHOLE)
        if key in columns
    }
    steps = _steps(table, columns, context, file, decimal)
    runs: dict[Any, list[int]] = defaultdict(list)
    for row, key in enumerate(_keys(table, columns, context, cells)):
        runs[key].append(row)
    place = place_of(bare(file))
    for rows in runs.values():
        label = str(context["run"][rows[0]]) if "run" in context else f"row {rows[0] + 2}"
        run = f"{file}, run {label!r}"
        values = {name: _one_value(cells[name], rows, name, run) for name in cells}
        about = {key: _one_value(context[key], rows, columns[key], run) for key in context}
        task = about.pop("task", place)
        if task is None:
            raise FileFormatError(
                f"{file}, row {rows[0] + 2}, column {columns['task']!r}: the cell is empty; name "
                "the task of this run, or map no column to it."
            )
        if not any(given[rows[-1]] for _, given in losses.values()):
            builder.report.note(
                "some runs end in a row without a loss: if NaN was written as an empty cell, as "
                "pandas does, these runs have diverged; read them with empty='nan'"
            )
        yield Trial(
            name=label,
            place=os.fspath(file),
            task=task if isinstance(task, tuple) else str(task),
            values={name: value for name, value in values.items() if value is not None},
            metrics={
                metric: _curve(steps, loss, given, np.array(rows), run)
                for metric, (loss, given) in losses.items()
            },
            state=state_in(
                about.pop("status", None) or "ok",
                f"{file}, row {rows[0] + 2}, column {columns.get('status')!r}",
            ),
            seconds=about.pop("seconds", None),
            columns={k: v for k, v in about.items() if k != "run" and v is not None},
        )


def _keys(
    table: pa.Table,
    columns: Mapping[str, str],
    context: Mapping[str, list],
    cells: Mapping[str, list],
) -> Iterable[Any]:
    """For each row something that is the same in all rows of a run."""
    if "run" in columns:
        return zip(*(context[key] for key in ("task", "run") if key in context), strict=True)
    if "steps" in columns:
        told_by = [context[key] for key in ("task", "seed") if key in context]
        return zip(*told_by, *cells.values(), strict=True)
    return range(table.num_rows)


def _steps(
    table: pa.Table,
    columns: Mapping[str, str],
    context: Mapping[str, list],
    file: Path,
    decimal: str,
) -> np.ndarray:
    """The step of each row; where a row is a run, the last of it."""
    if "steps" not in columns:
        return np.array([step or 1 for step in context.get("training_steps", [1] * len(table))])
    steps, given = numbers(table, columns["steps"], file, decimal=decimal)
    if not given.all():
        raise FileFormatError(
            f"{file}, row {np.argmin(given) + 2}, column {columns['steps']!r}: the cell is empty."
        )
    return steps


def _curve(
    steps: np.ndarray, losses: np.ndarray, given: np.ndarray, rows: np.ndarray, run: str
) -> Curve:
    rows = rows[given[rows]]
    order = rows[np.argsort(steps[rows], kind="stable")]
    twice = np.flatnonzero(np.diff(steps[order]) == 0)
    if twice.size:
        first, second = order[twice[0]], order[twice[0] + 1]
        raise FileFormatError(
            f"{run}: step {steps[first]:g} stands twice, in rows {first + 2} and {second + 2}. "
            "Map the column that tells runs apart: columns={'run': …} or {'seed': …}."
        )
    return steps[order], losses[order]


def _whole_numbers(table: pa.Table, name: str, file: Path, decimal: str) -> list[int | None]:
    cells = column(table, name, file)
    if pa.types.is_integer(cells.type):  # exactly; float64 rounds what is beyond 2**53
        return cells.to_pylist()
    values, given = numbers(table, name, file, decimal=decimal)
    bad = np.flatnonzero(given & ~(values == np.round(values)))  # NaN is not whole either
    if bad.size:
        raise FileFormatError(
            f"{file}, row {bad[0] + 2}, column {name!r}: {values[bad[0]]:g} is not a whole number."
        )
    return [int(value) if known else None for value, known in zip(values, given, strict=True)]


def _one_value(cells: Sequence[Any], rows: Sequence[int], name: str, run: str) -> Any:
    """What is the same in all rows of a run."""
    first = cells[rows[0]]
    for row in rows:
        if cells[row] != first and repr(cells[row]) != repr(first):  # NaN differs from itself
            raise FileFormatError(
                f"{run}, column {name!r}: two values in one run, {first!r} in row {rows[0] + 2} "
                f"and {cells[row]!r} in row {row + 2}."
            )
    return first
