"""Tables exported from Weights & Biases as CSV."""

import ast
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from keras_hplist.checks import checked_path, checked_text
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.history.places import place_of
from keras_hplist.history.readers.steps import Curve, curve
from keras_hplist.history.readers.tables import (
    bare,
    column,
    hyperparameter,
    note_numbers_among_texts,
    numbers,
    read_table,
)
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.readers.values import number_in, state_in
from keras_hplist.history.store import History

_ABOUT_RUNS = ("Name", "ID", "State", "Notes", "User", "Tags", "Created", "Runtime", "Sweep")
"""Columns of the runs table that W&B adds to configuration and summary."""


def read_wandb(
    path: str | os.PathLike[str],
    curves: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    *,
    valid: str = "val_loss",
    train: str | None = None,
    test: str | None = None,
    step: str = "_step",
    **options: Unpack[Options],
) -> History:
    """Read the runs of a project from the CSV files that Weights & Biases exports.

    The runs table is either what the page of a project exports (a column for every configuration
    key and summary metric: name the former with `hyperparameters`), or what the documented script
    for the public API writes, with the columns `name`, `config` and `summary`, the latter two the
    text of a dict, and `state` if that is added. Without `curves` a run has one point, its summary
    value.

    Curves are what a chart exports (a column of steps, and `<run> - <metric>` for each run), or
    what `run.history().to_csv("<run>.csv")` writes, one file for each run. Runs are told by their
    names; those whose name stands twice in the runs table are dropped.

    The state `finished` is ok, `killed` is `pruned`, `crashed` and `failed` are `failed`; `running`
    and preempted runs are dropped. The task is the runs table's name without suffix, or what
    `task_key` says.

    Args:
        path: the runs table.
        curves: files of curves, or a folder of them.
        valid: name of the metric of the validation split, the objective.
        train: name of the metric of the training split.
        test: name of the metric of the test split.
        step: column of steps in the files of `run.history()`.
        **options: see `Options`.

    Returns:
        The history.

    Raises:
        FileFormatError: naming file, row and column; if curves count time, or several units.
        FileNotFoundError: if there is no such file.
        InvalidValueError: if the table does not tell which columns are hyperparameters, or no run
            has the metric `valid`, or an argument is not allowed.
    """
    builder = HistoryBuilder(path, {"valid": valid, "train": train, "test": test}, options)
    checked_text("step", step)
    curve_files = _files(curves)
    file = Path(path)
    table = read_table(file, names=("Name", "name", options.get("task_key") or ""))
    if "config" in table.column_names:
        runs = _scripted(table, file)
    else:
        runs = _exported(table, file, builder, options.get("hyperparameters"))
    names = Counter(run.name for run in runs)
    found = _curves(curve_files, builder.wanted, names, step) if curves else None
    for run in runs:
        if found is not None:
            run.metrics = found.get(run.name, {})
            run.logged = {metric for metrics in found.values() for metric in metrics}
        if found is not None and names[run.name] > 1:
            builder.drop(run.name, "its name stands twice, so its curve cannot be told")
        else:
            builder.add(run)
    return builder.history()


def _exported(
    table: pa.Table, file: Path, builder: HistoryBuilder, names: Sequence[str] | None
) -> list[Trial]:
    """The runs of a table exported from a project's page."""
    logged = [name for name in table.column_names if name not in _ABOUT_RUNS]
    if names is None:
        raise InvalidValueError(
            f"{file} does not tell which of its columns are hyperparameters; name them: "
            f"hyperparameters=[…]. Columns: {', '.join(logged)}."
        )
    values = {name: hyperparameter(table, name, file) for name in names}
    for name, cells in values.items():
        note_numbers_among_texts(builder.report, cells, name, file)
    summary = {name: numbers(table, name, file) for name in builder.wanted & set(logged)}
    run_names, states = (column(table, name, file).to_pylist() for name in ("Name", "State"))
    seconds = numbers(table, "Runtime", file)[0] if "Runtime" in table.column_names else None
    trials = []
    for row, (name, state) in enumerate(zip(run_names, states, strict=True)):
        given = {key: cells[row] for key, cells in values.items()}
        final = {metric: loss[row] for metric, (loss, known) in summary.items() if known[row]}
        trials.append(
            Trial(
                name=str(name),
                place=os.fspath(file),
                task=place_of(bare(file)),
                values={key: value for key, value in given.items() if value is not None},
                metrics={metric: curve([(1, loss)]) for metric, loss in final.items()},
                logged=logged,
                state=state_in(state, f"{file}, row {row + 2}, column 'State'"),
                seconds=None if seconds is None else float(seconds[row]),
            )
        )
    return trials


def _scripted(table: pa.Table, file: Path) -> list[Trial]:
    """The runs of a table with the columns `name`, `config`, `summary`, and maybe `state`."""
    cells = {name: column(table, name, file).to_pylist() for name in ("name", "config", "summary")}
    head = next((name for name in ("state", "State") if name in table.column_names), None)
    states = column(table, head, file).to_pylist() if head else ["finished"] * len(table)
    trials = []
    for row, name in enumerate(cells["name"]):
        config, summary = (
            _dict(cells[key][row], f"{file}, row {row + 2}, column {key!r}")
            for key in ("config", "summary")
        )
        found = {key: number_in(value) for key, value in summary.items()}
        numeric = {key: number for key, number in found.items() if number is not None}
        trials.append(
            Trial(
                name=str(name),
                place=os.fspath(file),
                task=place_of(bare(file)),
                values={key: value for key, value in config.items() if not key.startswith("_")},
                metrics={key: curve([(1, value)]) for key, value in numeric.items()},
                logged=list(numeric),
                state=state_in(states[row], f"{file}, row {row + 2}, column {head!r}"),
                seconds=numeric.get("_runtime"),
            )
        )
    return trials


class _FloatNames(ast.NodeTransformer):
    """`nan` and `inf`, as Python prints these floats, become constants."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(float(node.id)) if node.id in ("nan", "inf") else node


def _dict(text: Any, place: str) -> Mapping[str, Any]:
    """The dict that Python printed; read as literals, nothing is evaluated."""
    try:
        tree = _FloatNames().visit(ast.parse(str(text), mode="eval"))
        literal = ast.literal_eval(tree)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise FileFormatError(f"{place} is not the text of a dict: {error}") from error
    if not isinstance(literal, dict):
        raise FileFormatError(f"{place} is not the text of a dict: {text!r}")
    return {str(key): value for key, value in literal.items()}


def _files(curves: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(curves, str | os.PathLike):
        folder = Path(curves)
        return sorted(folder.glob("*.csv")) if folder.is_dir() else [folder]
    several = curves if isinstance(curves, Sequence) else [curves]
    return [Path(checked_path("each of curves", file)) for file in several]


def _curves(
    files: Sequence[Path], wanted: frozenset[str], names: Mapping[str, int], step: str
) -> dict[str, dict[str, Curve]]:
    """Run name to metric name to curve."""
    found: dict[str, dict[str, Curve]] = {}
    units: dict[str, Path] = {}
    for file in files:
        table = read_table(file)
        if file.stem in names:  # the history of one run
            axis = step
            series = {metric: (file.stem, metric) for metric in wanted}
        else:  # a chart of many
            axis = table.column_names[0]
            series = {f"{name} - {metric}": (name, metric) for name in names for metric in wanted}
        series = {head: key for head, key in series.items() if head in table.column_names}
        if not series:
            continue
        if "time" in axis.lower():
            raise FileFormatError(f"{file}: its first column, {axis!r}, counts time, not steps.")
        units.setdefault(axis, file)
        steps, known = numbers(table, axis, file)
        for head, (name, metric) in series.items():
            values, given = numbers(table, head, file)
            given &= known
            found.setdefault(name, {})[metric] = steps[given], values[given]
    if len(units) > 1:
        described = ", ".join(f"{axis!r} in {file}" for axis, file in units.items())
        raise FileFormatError(f"The curves count more than one unit of steps: {described}.")
    if not found:
        raise FileFormatError(
            f"No file of {', '.join(map(str, files)) or 'the folder'} has a curve of "
            f"{', '.join(sorted(wanted))} for a run of the table: expected are columns "
            "'<run> - <metric>', or files named '<run>.csv'."
        )
    return found
