"""Folders of Keras' CSVLogger files, each with a document of hyperparameters beside it."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from keras_hplist.checks import checked_text
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.history.places import place_of
from keras_hplist.history.readers.documents import read_mapping
from keras_hplist.history.readers.steps import Curve
from keras_hplist.history.readers.tables import numbers, read_table
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.readers.values import parse_value, state_in
from keras_hplist.history.store import History

_SUFFIXES = (".json", ".yaml", ".yml")
_COLUMNS = ("task", "family", "seed", "training_steps", "batch_size", "num_parameters")


def read_csv_logger(
    path: str | os.PathLike[str],
    valid: str = "val_loss",
    train: str | None = "loss",
    test: str | None = None,
    *,
    sidecar: str | None = None,
    delimiter: str = ",",
    **options: Unpack[Options],
) -> History:
    """Read every CSV file below a folder that `keras.callbacks.CSVLogger` wrote.

    Its hyperparameters stand in a JSON or YAML file beside it, the sidecar: one of the same stem
    (`run7.csv`, `run7.json`), or the only one in the folder if there is one CSV file in it. The
    sidecar is a mapping of hyperparameter to value, or one with the key `values` that holds such a
    mapping, beside which `task`, `family`, `seed`, `training_steps`, `batch_size`,
    `num_parameters`, `seconds` and `status` may stand. The task is by default the folder that holds
    the runs: the CSV files or the folders of one CSV file each.

    CSVLogger writes a row for each finished epoch, numbered from 0; give `steps_per_epoch` for
    steps in optimizer updates. A run that was resumed into the same file counts with the row that
    was written last. A run without sidecar is dropped.

    Args:
        path: the folder.
        valid: column of the validation loss, the objective.
        train: column of the training loss, None to leave it out.
        test: column of the test loss.
        sidecar: name of the sidecar in each run's folder, such as `"hparams.json"`.
        delimiter: what separates the cells.
        **options: see `Options`.

    Returns:
        The history.

    Raises:
        FileFormatError: naming file, row and column; or if there are no CSV files.
        FileNotFoundError: if there is no such folder.
        InvalidValueError: if no file has the column `valid`, or an argument is not allowed.
        MissingExtraError: if a sidecar is YAML and PyYAML is not installed.
    """
    if sidecar is not None:
        checked_text("sidecar", sidecar, or_else="None")
    options.setdefault("first_epoch", 0)
    builder = HistoryBuilder(path, {"valid": valid, "train": train, "test": test}, options)
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    files = sorted(root.rglob("*.csv"))
    in_folder = Counter(file.parent for file in files)
    for file in files:
        alone = in_folder[file.parent] == 1
        beside = _sidecar(file, sidecar, alone)
        if beside is None:
            builder.drop(os.fspath(file), "no JSON or YAML file of hyperparameters beside it")
            continue
        home = file.parent.parent if alone and file.parent != root else file.parent
        logged, curves = _curves(file, delimiter, builder)
        builder.add(
            Trial(
                name=file.parent.name if alone else file.stem,
                place=os.fspath(file),
                task=place_of(home),
                metrics=curves,
                logged=logged,
                **_described(beside),
            )
        )
    return builder.history()


def _sidecar(file: Path, name: str | None, alone: bool) -> Path | None:
    if name is not None:
        named = file.parent / name
        return named if named.is_file() else None
    for suffix in _SUFFIXES:
        if file.with_suffix(suffix).is_file():
            return file.with_suffix(suffix)
    if not alone:
        return None
    others = [other for other in sorted(file.parent.iterdir()) if other.suffix in _SUFFIXES]
    if len(others) > 1:
        raise InvalidValueError(
            f"{file.parent} holds several documents: {', '.join(o.name for o in others)}. "
            "Name the one with the hyperparameters: sidecar='…'."
        )
    return others[0] if others else None


def _described(file: Path) -> dict[str, Any]:
    """What a sidecar says of its run: `values`, `state`, `seconds` and `columns` of a `Trial`."""
    document = read_mapping(file)
    values = document.get("values", document)
    if not isinstance(values, Mapping):
        raise FileFormatError(
            f"{file}: 'values' is {values!r}; it must map hyperparameters to values."
        )
    if file.suffix != ".json":
        values = _with_numbers(values)
    if "values" not in document:
        return {"values": values}
    unknown = sorted(set(document) - {"values", "status", "seconds", *_COLUMNS})
    if unknown:
        raise FileFormatError(
            f"{file}: the key {unknown[0]!r} beside 'values' is unknown; allowed: status, "
            f"seconds, {', '.join(_COLUMNS)}."
        )
    return {
        "values": values,
        "state": state_in(document.get("status", "ok"), os.fspath(file)),
        "seconds": document.get("seconds"),
        "columns": {key: document[key] for key in _COLUMNS if key in document},
    }


def _with_numbers(value: Any) -> Any:
    """A value of a YAML document with texts such as `1e-3`, no number in YAML 1.1, as numbers."""
    if isinstance(value, Mapping):
        return {name: _with_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_numbers(each) for each in value]
    number = parse_value(value) if isinstance(value, str) else None
    return number if isinstance(number, float) else value


def _curves(
    file: Path, delimiter: str, builder: HistoryBuilder
) -> tuple[set[str], dict[str, Curve]]:
    """The names of all metrics of a CSV file, and the curves of those that are wanted."""
    with file.open("rb") as lines:
        if not lines.readline().endswith(b"\n"):
            return set(), {}  # the run ended before its first epoch, or before the header was whole
    table = read_table(file, delimiter, builder.report)
    epochs, _ = numbers(table, "epoch", file)
    logged = set(table.column_names) - {"epoch"}
    curves = {}
    for metric in builder.wanted & logged:
        losses, given = numbers(table, metric, file, missing=("NA",))
        curves[metric] = (epochs[given], losses[given])
    return logged, curves
